"""Every format becomes every other one: images made up, read back by other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import yaozarrs
import zarr
from pyimzml.ImzMLParser import ImzMLParser
from tests.formats.msi import analyze_files, flex_files, mzml_files, openmsi_files

from napari_scope.formats.msi import open_msi
from napari_scope.formats.msi.convert import Ion, convert_msi

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.formats.msi import Spectra

RANDOM = np.random.default_rng(8)


def _flex(folder: Path) -> Path:
    """Two regions with gaps."""
    counts = {
        (region, x, y): RANDOM.integers(0, 500, 60)
        for region, first in ((0, 10), (1, 20))
        for x in range(first, first + 3)
        for y in (5, 6)
        if (x + y) % 5
    }
    return flex_files.write_sample(folder / "My brain µ", counts)


def _mzml(folder: Path) -> Path:
    """Two data sets, MS1 and MS2."""
    return mzml_files.write_many(folder / "a run.mzML", (3, 2), points=20, kinds=2)


def _profiles(folder: Path) -> Path:
    return mzml_files.write_many(folder / "p.mzML", (3, 2), points=20, profile=True)


def _analyze(folder: Path) -> Path:
    cube = RANDOM.integers(0, 300, (3, 4, 50)).astype("i2")
    mz = np.linspace(100, 200, 50).astype("f4")
    return analyze_files.write(folder / "an image", cube, mz).with_suffix(".hdr")


def _openmsi(folder: Path) -> Path:
    path = folder / "o.h5"
    mz = np.linspace(100, 200, 50)
    with openmsi_files.new_file(path) as file:
        entry = openmsi_files.add_experiment(file, "left")
        openmsi_files.add_full(entry, RANDOM.random((4, 6, 50)), mz, ((1, 1, 50),))
        sparse = {(0, 0): ([1, 5], [2.0, 3.0]), (1, 2): ([0], [4.0])}
        openmsi_files.add_sparse(entry, sparse, (2, 3), mz[:10])
        entry = openmsi_files.add_experiment(file, "right")
        places = np.array([[3, 1], [0, 0], [2, 5]])
        openmsi_files.add_partial(entry, RANDOM.random((3, 50)), places, (4, 6), mz)
        volume = RANDOM.random((2, 3, 4, 50)).astype("f4")
        openmsi_files.add_full(entry, volume, mz)
    return path


@pytest.fixture(params=[_flex, _mzml, _profiles, _analyze, _openmsi])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    path: Path = request.param(tmp_path / "in")
    return path


def _stored(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _places(spectra: Spectra) -> list[tuple[int, int, int, int]]:
    """Return number and place, seen from the corner."""
    table = spectra.pixels
    columns = zip((table.x, table.y, table.z), table.origin, strict=True)
    x, y, z = (column - start for column, start in columns)
    return [(k, int(x[k]), int(y[k]), int(z[k])) for k in range(len(spectra))]


def test_as_openmsi_that_h5py_reads(source: Path, tmp_path: Path) -> None:
    before = _stored(tmp_path / "in")
    convert_msi(source, tmp_path / "a.h5", compression="gzip")
    assert _stored(tmp_path / "in") == before
    with open_msi(source) as reader, h5py.File(tmp_path / "a.h5") as file:
        groups = [
            group
            for entry in (file[f"entry_{n}"] for n in range(len(file)))
            for name, group in sorted(entry.items())
            if name.startswith("data_")
        ]
        for spectra, group in zip(reader.data_sets, groups, strict=True):
            for k, *xyz in _places(spectra):
                place = tuple(xyz if spectra.pixels.is_volume else xyz[:2])
                mz, found = _of_group(group, place)
                one = spectra.spectrum(k)
                np.testing.assert_array_equal(mz, one.mz)
                np.testing.assert_array_equal(found, one.intensities)
                assert found.dtype == one.intensities.dtype
    with open_msi(source) as reader, open_msi(tmp_path / "a.h5") as other:
        for n, (one_set, its) in enumerate(
            zip(reader.data_sets, other.data_sets, strict=True)
        ):
            assert its.pixels.regions == one_set.pixels.regions
            assert dict(its.metadata) == dict(one_set.metadata)
            for key in ("pixel_size", "is_profile", "name", "mz_dtype"):
                assert getattr(its, key) == getattr(one_set, key), key
            reader.select_dataset = other.select_dataset = n
            assert other.get_instrument_metadata() == reader.get_instrument_metadata()
            assert other.get_method_metadata() == reader.get_method_metadata()


def _of_group(group: Any, place: tuple[int, ...]) -> tuple[Any, Any]:
    layout, mz = group["format"].asstr()[0], group["mz"][()]
    if layout == "full_cube":
        return mz, group["data_0"][place]
    begin = int(group["xyindex"][place])
    if layout == "partial_cube":
        return mz, group["data_0"][begin]
    end = int(group["xyindexend"][place])
    return mz[group["mz_index"][begin:end]], group["data_0"][begin:end]


@pytest.mark.filterwarnings("ignore:Accession .* found with incorrect name")
def test_as_imzml_that_pyimzml_reads(source: Path, tmp_path: Path) -> None:
    before = _stored(tmp_path / "in")
    report = convert_msi(source, tmp_path / "a.imzML")
    assert _stored(tmp_path / "in") == before
    with open_msi(source) as reader:
        for spectra, path in zip(reader.data_sets, report.targets, strict=True):
            with ImzMLParser(str(path)) as parser:
                assert len(parser.coordinates) == len(spectra)
                for k, (x, y, z) in enumerate(parser.coordinates):
                    table = spectra.pixels
                    place = int(table.x[k]), int(table.y[k]), int(table.z[k])
                    assert (x - 1, y - 1, z - 1) == place
                    mz, found = parser.getspectrum(k)
                    one = spectra.spectrum(k)
                    np.testing.assert_array_equal(mz, one.mz)
                    np.testing.assert_array_equal(found, one.intensities)


def test_as_ome_zarr_that_zarr_reads(source: Path, tmp_path: Path) -> None:
    before = _stored(tmp_path / "in")
    target = tmp_path / "a.ome.zarr"
    with open_msi(source) as reader:
        low, high = reader.data_sets[0].mz_range()
        ions = [Ion((low + high) / 2, (high - low) / 4), Ion(low, 500, "ppm", "low")]
        convert_msi(source, target, ions=ions)
        assert _stored(tmp_path / "in") == before
        yaozarrs.validate_zarr_store(str(target))
        count = len(reader.data_sets)
        for n, spectra in enumerate(reader.data_sets):
            group = zarr.open_group(target / str(n) if count > 1 else target, mode="r")
            for c, ion in enumerate(ions):
                expected = reader.whole(n).ion_image(ion.mz, ion.tolerance, ion.unit)
                np.testing.assert_array_equal(group["0"][c], expected)
            ome = group.attrs["ome"]
            labels = [channel["label"] for channel in ome["omero"]["channels"]]
            assert labels == [ion.title for ion in ions]
            places = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"]
            # In pixels where the file has no size of them.
            x, y, _ = spectra.pixels.origin
            if spectra.pixel_size is None:
                assert places[1]["translation"][-2:] == [y, x]
            if len(spectra.pixels.regions) > 1:
                names = [r.name for r in spectra.pixels.regions]
                told = group["labels/regions"].attrs["ome"]["image-label"]
                assert [one["name"] for one in told["properties"]] == names
