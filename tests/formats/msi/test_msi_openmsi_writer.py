"""What is written as OpenMSI HDF5, read with h5py alone and with the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.errors import (
    CancelledError,
    FormatError,
    OutputExistsError,
    SettingsError,
)
from napari_scope.formats.msi import (
    MetadataValue,
    PixelSize,
    PixelTable,
    Spectrum,
    open_msi,
)
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.openmsi.reader import OpenMSIReader
from napari_scope.formats.msi.openmsi.writer import write_openmsi

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.formats.msi import Spectra

MZ = np.linspace(100, 200, 30)
RANDOM = np.random.default_rng(2)


def _common(
    x: list[int], y: list[int], z: list[int] | None = None, **more: Any
) -> Spectra:
    table = PixelTable.of(x, y, z, more.pop("region", None), more.pop("names", ()))
    values = RANDOM.integers(0, 60_000, (len(x), 30)).astype(more.pop("dtype", "u2"))
    return MemorySpectra.over(MZ, values, table, **more)


def _ragged(x: list[int], y: list[int], **more: Any) -> Spectra:
    table = PixelTable.of(x, y, more.pop("z", None), more.pop("region", None))
    spectra = []
    for k in range(len(x)):
        n = k * 3 % 7
        mz = np.sort(RANDOM.random(n) * 100 + 100)
        spectra.append(Spectrum(mz, RANDOM.random(n).astype("f4")))
    return MemorySpectra("ragged", table, spectra, **more)


def test_a_full_cube_as_h5py_reads_it(tmp_path: Path) -> None:
    x, y = [0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2]
    spectra = _common(x, y)
    path = write_openmsi(spectra, tmp_path / "a.h5", identifier="my brain")
    with h5py.File(path) as file:
        assert file.attrs["omsi_type"] == "omsi_file" and file.attrs["version"] == "0.1"
        entry = file["entry_0"]
        assert entry.attrs["omsi_type"] == "omsi_file_experiment"
        assert entry["experiment_identifier"].asstr()[()] == "my brain"
        group = entry["data_0"]
        assert group.attrs["omsi_type"] == "omsi_file_msidata"
        assert group["format"].asstr()[0] == "full_cube"
        np.testing.assert_array_equal(group["mz"][()], MZ)
        for name in ("data_0", "data_1"):
            for k in range(6):
                np.testing.assert_array_equal(
                    group[name][x[k], y[k]], spectra.spectrum(k).intensities
                )
        assert group["data_0"].chunks[-1] == 30 and group["data_0"].dtype == "u2"
        # The other copy is cut for images.
        assert group["data_1"].chunks[:2] == (2, 3)


def test_a_partial_cube_as_h5py_reads_it(tmp_path: Path) -> None:
    spectra = _common([5, 8, 5], [3, 3, 3])
    path = write_openmsi(
        spectra, tmp_path / "a.h5", copies="images", compression="gzip"
    )
    with h5py.File(path) as file:
        group = file["entry_0/data_0"]
        assert group["format"].asstr()[0] == "partial_cube"
        assert group["inv_xy_index"][()].tolist() == [[0, 0], [3, 0], [0, 0]]
        assert group["xyindex"][()].tolist() == [[2], [-1], [-1], [1]]
        assert group["shape"][()].tolist() == [4, 1, 30]
        assert group["data_0"].compression == "gzip" and "data_1" not in group
    with open_msi(path) as reader:
        data = reader.data
        assert len(data) == 3 and data.pixels.origin == (5, 3, 0)
        for k in range(3):
            np.testing.assert_array_equal(
                data.spectra.spectrum(k).intensities, spectra.spectrum(k).intensities
            )


def test_sparse_spectra_as_h5py_reads_them(tmp_path: Path) -> None:
    x, y = [1, 0, 2, 2, 0], [0, 0, 1, 0, 1]
    spectra = _ragged(x, y)
    path = write_openmsi(spectra, tmp_path / "a.h5")
    with h5py.File(path) as file:
        group = file["entry_0/data_0"]
        assert group["format"].asstr()[0] == "partial_spectra"
        mz, index = group["mz"][()], group["mz_index"][()]
        assert (np.diff(mz) > 0).all()
        for k in range(5):
            start = group["xyindex"][x[k], y[k]]
            end = group["xyindexend"][x[k], y[k]]
            one = spectra.spectrum(k)
            np.testing.assert_array_equal(mz[index[start:end]], one.mz)
            np.testing.assert_array_equal(group["data_0"][start:end], one.intensities)
        assert group["xyindex"][1, 1] == -1


@pytest.mark.parametrize("layout", ["full_cube", "partial_cube"])
def test_everything_comes_back(tmp_path: Path, layout: Any) -> None:
    notes = {
        "polarity": MetadataValue("positive", "", "which ions", "MS:1000130"),
        "a/b": MetadataValue([1, 2.5, "x"], "kV"),
        "count": MetadataValue(7), "on": MetadataValue(True),
    }  # fmt: skip
    spectra = _common(
        [4, 5, 4, 5], [7, 7, 8, 8], region=[0, 1, 0, 1], names=["left", "right"],
        name="MS1 / full", metadata=notes, is_profile=True,
        pixel_size=PixelSize(20.0, 30.0, 1.5, -4.0, 5.0, 6.0), dtype="f8",
    )  # fmt: skip
    given = {"name": MetadataValue("TOF")}
    path = write_openmsi(
        [spectra], tmp_path / "a.h5", layout=layout, instrument=given,
        methods={"matrix": MetadataValue("DHB")}, metadata={"who": MetadataValue("me")},
    )  # fmt: skip
    with open_msi(path) as reader:
        assert isinstance(reader, OpenMSIReader)
        one = reader.data_sets[0]
        assert (one.name, one.is_profile) == ("MS1 / full", True)
        assert one.pixel_size == spectra.pixel_size and one.metadata == notes
        assert one.pixels.origin == (4, 7, 0)
        for k in range(4):
            found = int(
                one.pixels.grid[0, spectra.pixels.y[k] - 7, spectra.pixels.x[k] - 4]
            )
            assert one.pixels.region[found] == spectra.pixels.region[k]
            np.testing.assert_array_equal(
                one.spectrum(found)[1], spectra.spectrum(k)[1]
            )
        assert [r["name"] for r in reader.regions_of(0)] == ["left", "right"]
        assert reader.get_instrument_metadata() == given
        assert reader.get_method_metadata()["matrix"].value == "DHB"
        assert reader.experiments[0].metadata["who"].value == "me"
        assert reader.problems == ()


def test_a_volume_has_one_more_axis(tmp_path: Path) -> None:
    full = _common([0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1])
    gaps = _common([0, 1], [0, 3], [2, 4])
    ragged = _ragged([0, 1, 1], [0, 3, 3], z=[2, 4, 2])
    path = write_openmsi([full, gaps, ragged], tmp_path / "a.h5")
    with open_msi(path) as reader:
        for spectra, one in zip((full, gaps, ragged), reader.data_sets, strict=True):
            assert one.pixels.shape == spectra.pixels.shape
            assert one.pixels.origin == spectra.pixels.origin
            for k in range(len(spectra)):
                table = spectra.pixels
                place = [int(c[k] - o) for c, o in zip(
                    (table.z, table.y, table.x), table.origin[::-1], strict=True
                )]  # fmt: skip
                found = one.spectrum(int(one.pixels.grid[tuple(place)]))
                np.testing.assert_array_equal(found[0], spectra.spectrum(k)[0])
                np.testing.assert_array_equal(found[1], spectra.spectrum(k)[1])


def test_dependencies_between_the_data_sets(tmp_path: Path) -> None:
    link = {
        "link_name": "MS2", "dataset": 1, "help": "of 907", "region": None,
        "dependency_type": "co_modality",
    }  # fmt: skip
    lost = {**link, "dataset": None}
    path = write_openmsi(
        [_common([0], [0]), _ragged([0], [0])], tmp_path / "a.h5",
        dependencies=[[link, lost], []],
    )  # fmt: skip
    with open_msi(path) as reader:
        first, second = reader.get_dataset_dependencies()
        assert len(first) == 1 and second == []
        assert {key: first[0][key] for key in link} == link
    # A reader hands its own on.
    with open_msi(path) as reader:
        again = write_openmsi(reader, tmp_path / "b.h5")
    with open_msi(again) as reader:
        assert reader.get_dataset_dependencies()[0][0]["dataset"] == 1


def test_nothing_is_replaced_unasked_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_openmsi(_common([0], [0]), path)
    before = path.read_bytes()
    with pytest.raises(OutputExistsError):
        write_openmsi(_common([0, 1], [0, 0]), path)
    told: list[float] = []
    for spectra in (_common([0, 1], [0, 0]), _ragged([0, 1], [0, 1])):
        for most in range(3):
            told.clear()
            with pytest.raises(CancelledError):
                write_openmsi(
                    spectra, path, overwrite=True, progress=told.append,
                    cancelled=lambda n=most: len(told) >= n,  # type: ignore[misc]
                )  # fmt: skip
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [
        "a.h5"
    ]
    told.clear()
    write_openmsi(_common([0, 1], [0, 0]), path, overwrite=True, progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0
    with open_msi(path) as reader:
        assert reader.shape == (2, 1, 30)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(SettingsError, match="no common m/z axis"):
        write_openmsi(_ragged([0], [0]), path, layout="full_cube")
    with pytest.raises(SettingsError, match="no layout"):
        write_openmsi(_ragged([0], [0]), path, layout="cube")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="compression"):
        write_openmsi(_ragged([0], [0]), path, compression="lzf")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="no data set"):
        write_openmsi([], path)
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_reading_leaves_nothing(tmp_path: Path) -> None:
    class Broken(MemorySpectra):
        def blocks(self, numbers: Any = None) -> Any:
            yield from ()
            raise FormatError("the disk is gone")

    spectra = Broken.over(MZ, np.ones((1, 30)), PixelTable.of([0], [0]))
    with pytest.raises(FormatError, match="the disk is gone"):
        write_openmsi(spectra, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 4), st.integers(0, 5)), min_size=1, max_size=20),
    st.booleans(),
    st.sampled_from(["auto", "partial_spectra"]),
)
def test_any_places_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    places: list[tuple[int, int]],
    common: bool,
    layout: Any,
) -> None:
    x, y = [p[0] for p in places], [p[1] for p in places]
    region = [k % 3 for k in range(len(x))]
    spectra = _common(x, y, region=region) if common else _ragged(x, y, region=region)
    path = tmp_path_factory.getbasetemp() / "any.h5"
    write_openmsi(spectra, path, layout=layout, overwrite=True)
    with open_msi(path) as reader:
        one = reader.data_sets[0]
        table, other = spectra.pixels, one.pixels
        assert (table.shape, table.origin) == (other.shape, other.origin)
        np.testing.assert_array_equal(table.grid >= 0, other.grid >= 0)
        for ours, theirs in zip(table.grid.flat, other.grid.flat, strict=True):
            if ours < 0:
                continue
            np.testing.assert_array_equal(
                spectra.spectrum(ours)[0], one.spectrum(theirs)[0]
            )
            np.testing.assert_array_equal(
                spectra.spectrum(ours)[1], one.spectrum(theirs)[1]
            )
            if len(table.regions) > 1:
                assert table.region[ours] == other.region[theirs]
        assert reader.problems == ()
