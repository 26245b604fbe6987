"""The OpenMSI reader on files that were made with h5py alone."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.msi.openmsi_files import (
    add_dependency,
    add_experiment,
    add_full,
    add_group,
    add_partial,
    add_sparse,
    add_value,
    new_file,
)

from napari_scope.errors import DatasetClosedError, FormatError
from napari_scope.formats.msi import MetadataValue, format_of, open_msi
from napari_scope.formats.msi.openmsi.cube import Cut
from napari_scope.formats.msi.openmsi.reader import OpenMSIReader

if TYPE_CHECKING:
    from pathlib import Path

MZ = np.linspace(100, 200, 50)
RANDOM = np.random.default_rng(1)
CUBE = RANDOM.integers(0, 1000, (4, 6, 50)).astype("f4")


def _full(path: Path, cube: Any = CUBE, **more: Any) -> Path:
    with new_file(path) as file:
        add_full(add_experiment(file), cube, MZ, **more)
    return path


def test_a_full_cube_is_seen_as_it_lies(tmp_path: Path) -> None:
    with open_msi(_full(tmp_path / "a.h5")) as reader:
        assert isinstance(reader, OpenMSIReader)
        assert reader.shape == (4, 6, 50)
        np.testing.assert_array_equal(reader.mz, MZ)
        np.testing.assert_array_equal(reader[:], CUBE)
        np.testing.assert_array_equal(reader[1:3, 4, [3, 9]], CUBE[1:3, 4][:, [3, 9]])
        inside = (MZ >= 119.5) & (MZ <= 140.5)
        np.testing.assert_allclose(
            reader.data.ion_image(130, 10.5), CUBE[:, :, inside].sum(axis=2).T
        )
        np.testing.assert_allclose(reader.data.tic_image(), CUBE.sum(axis=2).T)
        mz, heights = reader.data.spectrum_at(3, 5)
        np.testing.assert_array_equal(heights, CUBE[3, 5])
        assert len(mz) == 50 and reader.problems == ()
        assert [place for place, _ in reader.spectrum_iter()][:2] == [(0, 0), (0, 1)]


@pytest.mark.parametrize("dtype", ["u1", ">u2", ">f4", "i8", "f8"])
def test_all_types_and_byte_orders(tmp_path: Path, dtype: str) -> None:
    cube = RANDOM.integers(0, 200, (2, 3, 50)).astype(dtype)
    with open_msi(_full(tmp_path / "a.h5", cube)) as reader:
        assert reader[:].dtype == cube.dtype.newbyteorder("=")
        np.testing.assert_array_equal(reader[:], cube)


def test_each_read_takes_the_copy_that_suits_it(tmp_path: Path) -> None:
    cuts = ((1, 1, 50), (4, 6, 1), None)
    path = _full(tmp_path / "a.h5", chunks=cuts)
    # The copies are made to differ, to see which one was read.
    with h5py.File(path, "r+") as file:
        for number in range(3):
            file[f"entry_0/data_0/data_{number}"][...] = number
    with open_msi(path) as reader:
        assert reader.data.spectrum_at(1, 1).intensities[0] in (0, 2)
        assert (reader.data.ion_image(MZ[7], 0.01) == 1).all()
    large = (400, 400, 50_000)
    spectra, images = Cut(large, (1, 1, 50_000), 4), Cut(large, (50, 50, 100), 4)
    whole = Cut(large, None, 4)
    spectrum = [(9, 10), (9, 10), (0, 50_000)]
    image = [(0, 400), (0, 400), (7, 8)]
    assert spectra.cost(spectrum) <= min(
        images.cost(spectrum), whole.cost(spectrum) * 1.1
    )
    assert images.cost(image) < min(spectra.cost(image), whole.cost(image))


def test_a_partial_cube_has_gaps_and_two_spectra_at_one_place(tmp_path: Path) -> None:
    places = np.array([[3, 1], [0, 0], [2, 5], [0, 0]])
    rows = RANDOM.random((4, 50))
    with new_file(tmp_path / "a.h5") as file:
        group = add_partial(add_experiment(file), rows, places, (4, 6), MZ)
        del group["xyindex"]
    with open_msi(tmp_path / "a.h5") as reader:
        data = reader.data
        assert reader.shape == (4, 6, 50) and len(data) == 4
        np.testing.assert_array_equal(data.spectrum_at(0, 0).intensities, rows[3])
        np.testing.assert_array_equal(reader[3, 1], rows[0])
        assert not len(data.spectrum_at(1, 1).mz) and not reader[1, 1].any()


def test_the_places_of_rows_are_found_without_their_list(tmp_path: Path) -> None:
    places = np.array([[3, 1], [0, 0], [2, 5]])
    rows = RANDOM.random((3, 50))
    with new_file(tmp_path / "a.h5") as file:
        del add_partial(add_experiment(file), rows, places, (4, 6), MZ)["inv_xy_index"]
    with open_msi(tmp_path / "a.h5") as reader:
        np.testing.assert_array_equal(reader[2, 5], rows[2])
        assert reader.problems == ()


def test_an_index_that_points_beyond_the_rows_is_told(tmp_path: Path) -> None:
    with new_file(tmp_path / "a.h5") as file:
        group = add_partial(
            add_experiment(file), np.eye(2, 50), np.array([[0, 0], [1, 1]]), (2, 2), MZ
        )
        group["xyindex"][0, 1] = 2
    with open_msi(tmp_path / "a.h5") as reader:
        assert "xyindex points beyond the spectra" in reader.problems[0]
        assert reader[1, 1][1] == 1


def test_contradicting_places_are_told(tmp_path: Path) -> None:
    with new_file(tmp_path / "a.h5") as file:
        group = add_partial(
            add_experiment(file), np.eye(2, 50), np.array([[0, 0], [1, 1]]), (2, 2), MZ
        )
        group["xyindex"][0, 1] = 1
    with open_msi(tmp_path / "a.h5") as reader:
        assert "contradict each other at 1 places" in reader.problems[0]


SPARSE = {
    (0, 0): ([1, 5], [2.0, 3.0]),
    (1, 2): ([0, 1, 9], [4.0, 5.0, 6.0]),
    (1, 0): ([], []),
}


def test_sparse_spectra(tmp_path: Path) -> None:
    mz = np.linspace(100, 109, 10)
    with new_file(tmp_path / "a.h5") as file:
        add_sparse(add_experiment(file), SPARSE, (2, 3), mz)
    with open_msi(tmp_path / "a.h5") as reader:
        # The cube has the axis of the file.
        assert reader.shape == (2, 3, 10)
        np.testing.assert_array_equal(reader.mz, mz)
        expected = np.zeros((2, 3, 10))
        for place, (numbers, values) in SPARSE.items():
            expected[place][numbers] = values
        np.testing.assert_array_equal(reader[:], expected)
        np.testing.assert_array_equal(reader[:, :, 1], expected[:, :, 1])
        assert reader.data.spectrum_at(1, 2).mz.tolist() == [100, 101, 109]
        assert reader.data.ion_image(101, 0.1).tolist() == [[2, 0], [0, 0], [0, 5]]
        assert len(reader.data) == 3 and not len(reader.data.spectrum_at(0, 1).mz)
        # As many at a time as fit.
        assert [len(block) for block in reader.data_sets[0].blocks()] == [3]


def test_an_m_z_index_beyond_the_axis_spoils_one_spectrum(tmp_path: Path) -> None:
    with new_file(tmp_path / "a.h5") as file:
        group = add_sparse(add_experiment(file), SPARSE, (2, 3), MZ[:10])
        group["mz_index"][0] = 10
    with open_msi(tmp_path / "a.h5") as reader:
        assert reader.data.tic_image().tolist() == [[0, 0], [0, 0], [0, 15]]
        assert "1 spectra could not be read" in reader.problems[-1]
        with pytest.raises(FormatError, match="points beyond the 10 m/z values"):
            reader.data.spectrum_at(0, 0)


def test_a_spectrum_beyond_the_values_is_empty_and_told(tmp_path: Path) -> None:
    with new_file(tmp_path / "a.h5") as file:
        group = add_sparse(add_experiment(file), SPARSE, (2, 3), MZ[:10])
        group["xyindexend"][1, 2] = 1 << 40
    with open_msi(tmp_path / "a.h5") as reader:
        assert reader.data.tic_image().sum() == 5
        assert "first at (1, 2)" in reader.problems[0]
        with pytest.raises(FormatError, match="beyond the values"):
            reader.data.spectrum_at(1, 2)


def test_experiments_metadata_analyses_and_dependencies(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with new_file(path) as file:
        entry = add_experiment(file, "left half")
        add_full(entry, CUBE, MZ)
        second = add_sparse(entry, SPARSE, (2, 3), MZ[:10])
        add_dependency(second, "/entry_0/data_0", "MS1", "co_modality", "its MS1")
        add_dependency(second, "/other/x", "lost", "link")
        notes = second.create_group("metadata")
        add_value(notes, "voltage", 2.5, unit="kV", description="of the source")
        add_value(
            notes, "mode", "positive", ontology={"accession": "MS:1000130", "name": "p"}
        )
        add_value(notes, "steps", [1, {"a": None}])
        instrument = entry.create_group("instrument")
        instrument.create_dataset("name", data="TOF 5")
        instrument.create_dataset("mz", data=MZ)
        add_value(entry.create_group("sample"), "tissue", "brain")
        analysis = entry.create_group("analysis_0")
        analysis.create_dataset("analysis_type", data="findpeaks")
        add_full(add_experiment(file, "right half"), CUBE[:2], MZ)
    with open_msi(path) as reader:
        assert isinstance(reader, OpenMSIReader)
        assert reader.supports_multiexperiment() and reader.supports_multidata()
        first, other = reader.experiments
        assert (first.identifier, first.data_sets) == ("left half", (0, 1))
        assert first.analyses == ("analysis_0 findpeaks",)
        assert (other.identifier, other.data_sets) == ("right half", (2,))
        assert reader.shape == [(4, 6, 50), (2, 3, 10), (2, 6, 50)]
        reader.set_dataset_selection(1)
        assert reader.get_dataset_metadata() == {
            "voltage": MetadataValue(2.5, "kV", "of the source"),
            "mode": MetadataValue("positive", ontology="MS:1000130"),
            "steps": MetadataValue([1, {"a": None}]),
        }
        assert reader.get_instrument_metadata() == {"name": MetadataValue("TOF 5")}
        assert reader.get_method_metadata()["tissue"].value == "brain"
        dependency, lost, *_ = reader.get_dataset_dependencies()
        assert dependency["link_name"] == "MS1" and dependency["dataset"] == 0
        assert dependency["dependency_type"] == "co_modality"
        assert dependency["help"] == "its MS1"
        assert lost["dataset"] is None and "/other/x" in lost["help"]


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    _full(secret)
    raw = tmp_path / "secret.bin"
    raw.write_bytes(CUBE.tobytes())
    path = tmp_path / "a.h5"
    with new_file(path) as file:
        entry = add_experiment(file)
        add_full(entry, CUBE + 1, MZ)
        layout = h5py.VirtualLayout(CUBE.shape, "f4")
        layout[...] = h5py.VirtualSource(secret, "entry_0/data_0/data_0", CUBE.shape)
        add_group(entry, "full_cube", MZ).create_virtual_dataset("data_0", layout)
        add_group(entry, "full_cube", MZ).create_dataset(
            "data_0", CUBE.shape, "f4", external=[(str(raw), 0, CUBE.nbytes)]
        )
        group = add_group(entry, "full_cube", MZ)
        group["data_0"] = h5py.ExternalLink(secret, "/entry_0/data_0/data_0")
        file["entry_7"] = h5py.ExternalLink(secret, "/entry_0")
        file["entry_8"] = h5py.SoftLink("/entry_8")
        entry["data_9"] = h5py.SoftLink("/entry_0/data_9")
    with open_msi(path) as reader:
        assert reader.get_number_of_datasets() == 1
        np.testing.assert_array_equal(reader[:], CUBE + 1)
        told = "\n".join(reader.problems)
    for words in (
        "put together from other datasets", "keeps its values in other files",
        "/entry_7 is a link to another file", "/entry_8 is a link",
        "/entry_0/data_9 is a link", "data_3/data_0 is a link to another file",
    ):  # fmt: skip
        assert words in told


def test_what_claims_to_be_endless_is_not_read(tmp_path: Path) -> None:
    path = _full(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        entry = file["entry_0"]
        bomb = add_group(entry, "full_cube", [1.0])
        del bomb["mz"]
        bomb.create_dataset("mz", (1 << 40,), "f8", chunks=(1 << 16,))
        group = add_group(entry, "partial_cube", MZ)
        group.create_dataset("data_0", (4, 50), "f4")
        group.create_dataset("xyindex", (1 << 20, 1 << 20), "i4", chunks=(256, 256))
        chunky = add_group(entry, "full_cube", MZ)
        chunky.create_dataset(
            "data_0", (1 << 13, 1 << 13, 50), "f4", chunks=(1 << 12, 1 << 12, 50)
        )
        notes = entry["data_0"].create_group("metadata")
        notes.create_dataset("huge", (1 << 40,), "u1", chunks=(1 << 16,))
        text = h5py.string_dtype("utf-8")
        notes.create_dataset("long", data=["x" * 100_000] * 20, dtype=text)
    with open_msi(path) as reader:
        assert reader.get_number_of_datasets() == 1
        assert reader.get_dataset_metadata() == {}
        told = "\n".join(reader.problems)
    assert "mz has 1,099,511,627,776 values" in told and "does not say where" in told
    assert "has pieces of" in told and "more than 1,048,576 bytes" in told


def test_foreign_hdf5_is_not_ours(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w") as file:
        file["data_0"] = CUBE
    named = tmp_path / "named.h5"
    with h5py.File(named, "w") as file:
        file.attrs["omsi_type"] = "something else"
    text = tmp_path / "text.h5"
    text.write_text("omsi_type")
    for path in (foreign, named, text, tmp_path, tmp_path / "none.h5"):
        assert not OpenMSIReader.is_valid_dataset(path) and format_of(path) is None
    with pytest.raises(FormatError, match="not of OpenMSI"):
        OpenMSIReader(foreign)
    with pytest.raises(FormatError, match="cannot be opened"):
        OpenMSIReader(text)
    with pytest.raises(FormatError, match="no such file"):
        OpenMSIReader(tmp_path)


def test_foreign_hdf5_is_told_without_h5py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["data_0"] = CUBE
    path = _full(tmp_path / "ours.h5")

    def missing(name: str, *rest: Any) -> Any:
        assert name != "h5py", "h5py was asked for"
        return importlib.__import__(name, *rest)

    monkeypatch.setattr(
        "napari_scope.formats.msi.openmsi.h5.importlib.import_module", missing
    )
    assert not OpenMSIReader.is_valid_dataset(tmp_path / "foreign.h5")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert OpenMSIReader.is_valid_dataset(path)
    with pytest.raises(FormatError, match="pip install h5py"):
        OpenMSIReader(path)


def test_a_user_block_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", userblock_size=1024) as file:
        file.attrs["omsi_type"] = "omsi_file"
        add_full(add_experiment(file), CUBE, MZ)
    path.write_bytes(b"# a note" + path.read_bytes()[8:])
    with open_msi(path) as reader:
        np.testing.assert_array_equal(reader[:], CUBE)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_was_cut_says_so(tmp_path: Path, share: float) -> None:
    path = _full(tmp_path / "a.h5")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(FormatError, match="not copied whole"):
        open_msi(path)


def test_one_damaged_piece_spoils_its_own_spectra(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with new_file(path) as file:
        group = add_group(add_experiment(file), "full_cube", MZ)
        group.create_dataset("data_0", data=CUBE, chunks=(1, 1, 50), compression="gzip")
        place = group["data_0"].id.get_chunk_info_by_coord((2, 3, 0))
    with path.open("r+b") as raw:
        raw.seek(place.byte_offset)
        raw.write(b"\xff" * place.size)
    expected = CUBE.sum(axis=2)
    expected[2, 3] = 0
    with open_msi(path) as reader:
        np.testing.assert_allclose(reader.data.tic_image(), expected.T)
        assert "1 spectra could not be read so far" in reader.problems[0]
        with pytest.raises(FormatError, match="cannot be read"):
            reader.data.spectrum_at(2, 3)
        np.testing.assert_array_equal(reader[2, 2], CUBE[2, 2])


def test_a_damaged_copy_is_replaced_by_another(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with new_file(path) as file:
        group = add_group(add_experiment(file), "full_cube", MZ)
        group.create_dataset("data_0", data=CUBE, chunks=(1, 1, 50), compression="gzip")
        group.create_dataset("data_1", data=CUBE, chunks=(4, 6, 5))
        place = group["data_0"].id.get_chunk_info_by_coord((2, 3, 0))
    with path.open("r+b") as raw:
        raw.seek(place.byte_offset)
        raw.write(b"\xff" * place.size)
    with open_msi(path) as reader:
        np.testing.assert_array_equal(reader[2, 3], CUBE[2, 3])
        np.testing.assert_array_equal(reader[:], CUBE)
        assert reader.problems == ()


def test_a_data_set_that_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    path = _full(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        entry = file["entry_0"]
        add_group(entry, "odd_cube", MZ)
        add_full(entry, CUBE, MZ[:40])
        del add_sparse(entry, SPARSE, (2, 3), MZ)["mz_index"]
    with open_msi(path) as reader:
        assert [one.name for one in reader.data_sets] == [
            "entry_0/data_0", "entry_0/data_2",
        ]  # fmt: skip
        assert reader.shape[1] == (4, 6, 40)
        told = "\n".join(reader.problems)
    assert "odd_cube" in told and "first 40 are used" in told
    assert "mz_index is missing" in told
    with h5py.File(path, "r+") as file:
        del file["entry_0/data_0/format"], file["entry_0/data_2/mz"]
    with pytest.raises(FormatError, match="no data set that can be used"):
        open_msi(path)


def test_numbers_of_ours_that_are_none_do_not_spoil_a_file(tmp_path: Path) -> None:
    text = h5py.string_dtype()
    for number, corner in enumerate(
        (
            np.array([np.nan, 1e300, 0]),
            np.array(["a", "b", "c"], dtype=text),
            np.array([1 << 62, (1 << 63) - 1, 0]),
            np.array([1, 2]),
            np.array([1.5, 2.0, 3.0]),
        )
    ):
        path = _full(tmp_path / f"{number}.h5")
        with h5py.File(path, "r+") as file:
            group = file["entry_0/data_0"]
            notes = group.create_group("metadata")
            notes["napari_scope_origin"] = corner
            notes["napari_scope_name"] = 5
            notes["napari_scope_pixel_size"] = np.array([1, 2, np.nan, 0, 0, 0.0])
            notes["napari_scope_region_names"] = 7
            group["napari_scope_region"] = -np.arange(24)
        with open_msi(path) as reader:
            np.testing.assert_array_equal(reader[:], CUBE)
            one = reader.data_sets[0]
            assert one.pixels.origin == (0, 0, 0) and one.pixel_size is None
            told = "\n".join(reader.problems)
        assert "the place of the first pixel is not used" in told
        assert "the regions do not fit" in told


def test_a_data_set_that_is_alone_is_called_as_its_file(tmp_path: Path) -> None:
    with open_msi(_full(tmp_path / "a.h5")) as reader:
        assert reader.data_sets[0].name == ""
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        add_full(file["entry_0"], CUBE, MZ)
    with open_msi(tmp_path / "a.h5") as reader:
        assert [one.name for one in reader.data_sets] == [
            "entry_0/data_0",
            "entry_0/data_1",
        ]


def test_files_of_a_folder_by_name(tmp_path: Path) -> None:
    for name in ("b10.h5", "b9.HDF5", "a.omsi", "a.txt", "c.he5"):
        (tmp_path / name).touch()
    assert OpenMSIReader.get_files_from_dir(tmp_path) == [
        str(tmp_path / name) for name in ("a.omsi", "b9.HDF5", "b10.h5", "c.he5")
    ]


@pytest.mark.parametrize(
    "packed",
    [
        {"compression": "lzf", "shuffle": True},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
    ],
)
def test_packed_as_h5py_can(tmp_path: Path, packed: dict[str, Any]) -> None:
    with new_file(tmp_path / "a.h5") as file:
        group = add_group(add_experiment(file), "full_cube", MZ)
        group.create_dataset("data_0", data=CUBE, chunks=(2, 2, 50), **packed)
        # Texts of a fixed length, as other programs write them.
        del group["format"]
        group.create_dataset("format", data=np.array([b"full_cube"], "S12"))
        group.attrs["omsi_type"] = np.bytes_(b"omsi_file_msidata")
        file.attrs["omsi_type"] = np.array([b"omsi_file"])
    with open_msi(tmp_path / "a.h5") as reader:
        np.testing.assert_array_equal(reader[:], CUBE)
        assert reader.problems == ()


def test_threads_read_at_once_and_closing_waits_for_nobody(tmp_path: Path) -> None:
    path = _full(tmp_path / "a.h5", chunks=((1, 1, 50), (4, 6, 1)))
    reader = open_msi(path)
    wrong: list[object] = []
    started = threading.Barrier(5)

    data = reader.whole(0)

    def read(seed: int) -> None:
        numbers = np.random.default_rng(seed)
        started.wait()
        try:
            for _ in range(200):
                x, y = int(numbers.integers(4)), int(numbers.integers(6))
                found = data.spectrum_at(x, y).intensities
                if not np.array_equal(found, CUBE[x, y]):
                    wrong.append((x, y))
        except DatasetClosedError:
            pass
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    reader.close_file()
    for thread in threads:
        thread.join()
    assert wrong == []
    with pytest.raises(DatasetClosedError):
        data.spectrum_at(0, 0)
    # It is closed: it can be opened for writing.
    with h5py.File(path, "r+") as file:
        assert "entry_0" in file


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 23), max_size=40),
    st.lists(st.integers(0, 49), max_size=12),
    st.sampled_from([(1, 1, 50), (2, 6, 7), (4, 6, 1), None]),
)
def test_any_choice_of_spectra_and_bins(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[int],
    bins: list[int],
    chunks: tuple[int, ...] | None,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"choice {chunks}.h5"
    if not path.exists():
        _full(path, chunks=(chunks,))
    flat = CUBE.reshape(24, 50)
    chosen, wanted = np.array(numbers, np.int64), np.array(bins, np.int64)
    with open_msi(path) as reader:
        spectra = reader.data_sets[0]
        np.testing.assert_array_equal(
            spectra.columns(wanted, chosen), flat[chosen][:, wanted]
        )
        blocks = [block.intensities for block in spectra.blocks(chosen)]  # type: ignore[attr-defined]
        found = np.concatenate(blocks) if blocks else flat[:0]
        np.testing.assert_array_equal(found, flat[chosen])
