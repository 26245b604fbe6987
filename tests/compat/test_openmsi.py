"""OpenMSI's readers by their names: what their documentation lists, line by line."""

from __future__ import annotations

import gc
import inspect
import struct
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.msi import flex_files, mzml_files

from napari_scope.compat import openmsi
from napari_scope.errors import DatasetClosedError
from napari_scope.formats.msi import MSIReader, PixelTable, Spectrum
from napari_scope.formats.msi.imzml.writer import write_imzml
from napari_scope.formats.msi.memory import MemorySpectra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Check = Callable[["Files"], None]

pytest.importorskip("h5py", reason="OpenMSI HDF5 is read by it")

NAMES = ["img_file", "mzml_file", "bruckerflex_file", "imzml_file", "omsi_file"]
MS1 = "FTMS + p MALDI Full ms [850.00-1000.00]"
MS2 = "ITMS + p MALDI Z ms2 907.73@cid60.00 [500.00-700.00]"
CHECKS: dict[str, Check] = {}


@dataclass
class Files:
    """One file of each format."""

    folder: Path
    paths: dict[str, Path]
    cube: Any
    opened: list[MSIReader]

    def open(self, name: str, *arguments: Any, **known: Any) -> Any:
        """Open the file of a format by the class that OpenMSI has for it."""
        reader = getattr(openmsi, name)(str(self.paths[name]), *arguments, **known)
        self.opened.append(reader)
        if reader.supports_multidata() and reader.get_number_of_datasets() > 1:
            reader.set_dataset_selection(0)
        return reader

    def each(self) -> Iterator[tuple[str, Any]]:
        """Open the files of all formats."""
        for name in NAMES:
            yield name, self.open(name)


def check(line: str) -> Callable[[Check], Check]:
    """Name a line of the list by what is promised there."""

    def keep(function: Check) -> Check:
        CHECKS[line] = function
        return function

    return keep


@pytest.fixture(scope="module")
def paths(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Path], Any]:
    from napari_scope.formats.msi.openmsi.writer import write_openmsi

    folder = tmp_path_factory.mktemp("openmsi")
    cube = np.random.default_rng(0).integers(1, 900, (3, 2, 40)).astype("i2")
    mz = np.linspace(100, 139, 40)
    table = PixelTable.of([0, 1, 2] * 2, [0] * 3 + [1] * 3, region=[0, 0, 1] * 2)
    rows = np.concatenate([cube[:, 0], cube[:, 1]])
    memory = MemorySpectra.over(mz, rows.astype("f4"), table)
    found = {}
    # Analyze: m/z fastest, then x, then y.
    head = bytearray(348)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8H", head, 40, 4, 40, 3, 2, 1, 0, 0, 0)
    struct.pack_into("<hh", head, 70, 4, 16)
    (folder / "img").mkdir()
    (folder / "img" / "a.hdr").write_bytes(head)
    (folder / "img" / "a.t2m").write_bytes(mz.astype("f4").tobytes())
    (folder / "img" / "a.img").write_bytes(rows.tobytes())
    found["img_file"] = folder / "img" / "a"
    (folder / "imzml").mkdir()
    found["imzml_file"] = write_imzml(memory, folder / "imzml" / "a.imzML")
    (folder / "omsi").mkdir()
    found["omsi_file"] = write_openmsi(memory, folder / "omsi" / "a.h5")
    counts = {
        (int(table.region[k]), int(table.x[k]), int(table.y[k])): rows[k].astype("i4")
        for k in range(6)
    }
    (folder / "bruker").mkdir()
    found["bruckerflex_file"] = flex_files.write_sample(folder / "bruker", counts)
    scans = []
    for k in range(6):
        full = mzml_files.Scan(*mzml_files.peaks(k, 20, 850, 1000), filter=MS1)
        part = mzml_files.Scan(
            *mzml_files.peaks(k + 50, 9, 500, 700), filter=MS2, level=2,
            precursor=(907.73, "cid", 60.0), ref=f"scan={2 * k + 1}",
        )  # fmt: skip
        x, y = int(table.x[k]), int(table.y[k])
        scans += [mzml_files.thermo(one, x, y) for one in (full, part)]
    (folder / "mzml").mkdir()
    found["mzml_file"] = mzml_files.write_mzml(folder / "mzml" / "a.mzML", scans)
    return folder, found, cube


@pytest.fixture
def files(paths: tuple[Path, dict[str, Path], Any]) -> Iterator[Files]:
    found = Files(*paths, [])
    yield found
    for reader in found.opened:
        reader.close_file()


# 1. The base of all readers


@check("a path is enough for every constructor, of a file or of its folder")
def _(files: Files) -> None:
    for name, reader in files.each():
        assert reader.basename == str(files.paths[name])
        assert reader.requires_slicing is True
        parameters = inspect.signature(type(reader)).parameters
        assert "requires_slicing" in parameters
        assert files.open(name, requires_slicing=False).requires_slicing is False
        if name == "omsi_file":  # always one file
            continue
        folder = getattr(openmsi, name)(files.paths[name].parent)
        assert folder.get_number_of_datasets() == reader.get_number_of_datasets()
        folder.close_file()


@check("data_type, shape, mz")
def _(files: Files) -> None:
    for name, reader in files.each():
        np.dtype(reader.data_type)
        assert len(reader.shape) == 3
        assert reader.shape[:2] == (3, 2)
        assert reader.mz.ndim == 1
        assert len(reader.mz) == reader.shape[2]
        if name not in ("mzml_file", "bruckerflex_file"):
            assert reader.mz == pytest.approx(np.linspace(100, 139, 40))


@check("slices [x, y, mz]: a spectrum, an ion image, whether asked for or not")
def _(files: Files) -> None:
    for name, _reader in files.each():
        reader = files.open(name, requires_slicing=False)
        spectrum, image = reader[2, 1, :], reader[:, :, 7]
        assert spectrum.shape == reader.mz.shape
        assert image.shape == reader.shape[:2]
        assert reader[:].shape == reader.shape
        assert reader[:][2, 1].tolist() == spectrum.tolist()
        if name != "mzml_file":
            assert spectrum.tolist() == files.cube[2, 1].tolist()
            assert image.tolist() == files.cube[:, :, 7].tolist()
            assert reader[1:, 0, ::3].tolist() == files.cube[1:, 0, ::3].tolist()


@check("spectrum_iter yields place and intensities of what is chosen")
def _(files: Files) -> None:
    for _name, reader in files.each():
        found = dict(reader.spectrum_iter())
        assert sorted(found) == [(x, y) for x in range(3) for y in range(2)]
        for (x, y), intensities in found.items():
            assert intensities.tolist() == reader[x, y, :].tolist()


@check("close_file, also when the reader is let go of; a with statement")
def _(files: Files) -> None:
    for name, _reader in files.each():
        kind = getattr(openmsi, name)
        with kind(files.paths[name]) as reader:
            assert reader.shape
        reader.close_file()
        with pytest.raises(DatasetClosedError):
            reader[0]
        closed = []
        reader = kind(files.paths[name])
        close = reader._close
        reader._close = lambda close=close, closed=closed: (close(), closed.append(1))
        del reader, close
        gc.collect()
        assert closed == [1]


@check("is_valid_dataset, size and format_name are asked of the class")
def _(files: Files) -> None:
    for name in NAMES:
        kind = getattr(openmsi, name)
        for other, path in files.paths.items():
            assert kind.is_valid_dataset(str(path)) == (other == name), (name, other)
            folder_too = other == name != "omsi_file"
            assert kind.is_valid_dataset(str(path.parent)) == folder_too
        assert not kind.is_valid_dataset(str(files.folder / "nothing"))
        assert kind.size(str(files.paths[name])) > 0
        assert kind.format_name()
    assert openmsi.file_reader_base.format_name() == "file_reader_base"


@check("supports_regions, supports_multidata, supports_multiexperiment")
def _(files: Files) -> None:
    expected = {
        "img_file": (False, False), "imzml_file": (False, False),
        "mzml_file": (True, True), "bruckerflex_file": (True, True),
        "omsi_file": (True, True),
    }  # fmt: skip
    for name, (regions, sets) in expected.items():
        kind = getattr(openmsi, name)
        assert (kind.supports_regions(), kind.supports_multidata()) == (regions, sets)
        assert kind.supports_multiexperiment() == (name == "omsi_file")
    base = openmsi.file_reader_base
    assert not base.supports_regions()
    assert not base.supports_multidata()
    assert not base.supports_multiexperiment()


@check("numbers of regions and data sets are 1 unless there are more")
def _(files: Files) -> None:
    numbers = {
        name: (reader.get_number_of_datasets(), reader.get_number_of_regions())
        for name, reader in files.each()
    }
    assert numbers["img_file"] == numbers["imzml_file"] == (1, 1)
    assert numbers["mzml_file"] == (2, 1)
    assert numbers["bruckerflex_file"] == (1, 2)


@check("metadata of the data set, the instrument and the method")
def _(files: Files) -> None:
    for _name, reader in files.each():
        found = reader.get_dataset_metadata()
        assert isinstance(found, dict)
        assert all(hasattr(value, "value") for value in found.values())
        assert isinstance(reader.get_instrument_metadata(), dict)
        assert isinstance(reader.get_method_metadata(), dict)
    both = openmsi.mzml_file(files.paths["mzml_file"])
    files.opened.append(both)
    assert [one["MSn level"].value for one in both.get_dataset_metadata()] == [1, 2]


@check("available_formats: name to class, without the bases")
def _(files: Files) -> None:
    found = openmsi.available_formats()
    assert set(NAMES) <= set(found)
    assert all(found[name] is getattr(openmsi, name) for name in NAMES)
    ours = openmsi.file_reader_base.available_formats()
    assert set(found.values()) == set(ours.values())
    bases = {getattr(openmsi, name) for name in openmsi.__all__ if "base" in name}
    assert len(bases) == 3
    assert not bases & set(found.values())
    valid = [n for n, kind in found.items() if kind.is_valid_dataset(
        str(files.paths["imzml_file"])
    )]  # fmt: skip
    assert valid == ["imzml_file"]


@check("what OpenMSI had still to do: regions of each data set, bases for both")
def _(files: Files) -> None:
    from napari_scope.formats.msi import MultiDataRegionReader

    reader = files.open("bruckerflex_file")
    assert reader.get_numbers_of_regions() == [2]
    assert reader.regions_of(0) == reader.region_dicts
    base = MultiDataRegionReader
    assert issubclass(base, openmsi.file_reader_base_multidata)
    assert issubclass(base, openmsi.file_reader_base_with_regions)
    assert isinstance(reader, base)


@check("what OpenMSI had still to do: many raw files in one folder")
def _(files: Files) -> None:
    folder = openmsi.available_formats()["folder"]
    assert not folder.is_valid_dataset(files.paths["img_file"].parent)
    both = files.folder / "both"
    both.mkdir(exist_ok=True)
    table = PixelTable.of([0], [0])
    for number in range(2):
        one = MemorySpectra("", table, [Spectrum(np.ones(1), np.ones(1))])
        write_imzml(one, both / f"{number}.imzML", overwrite=True)
    assert folder.is_valid_dataset(both)
    with folder(both) as reader:
        assert reader.get_number_of_datasets() == 2


# 2. Several data sets


@check("a data set is chosen; shape and mz follow, a wrong one is refused")
def _(files: Files) -> None:
    reader = openmsi.mzml_file(files.paths["mzml_file"])
    files.opened.append(reader)
    assert reader.select_dataset is None
    assert reader.supports_multidata()
    assert len(reader.mz) == reader.get_number_of_datasets() == 2
    for index, axis in enumerate(reader.mz):
        reader.set_dataset_selection(index)
        assert reader.select_dataset == index
        assert reader.mz.tolist() == axis.tolist()
        assert reader.shape == (3, 2, len(axis))
    for wrong in (-1, 2):
        with pytest.raises(ValueError, match="no data set"):
            reader.set_dataset_selection(wrong)


@check("dependencies of a data set, or a list for each; their keys and types")
def _(files: Files) -> None:
    reader = openmsi.mzml_file(files.paths["mzml_file"])
    files.opened.append(reader)
    of_each = reader.get_dataset_dependencies()
    assert len(of_each) == 2
    keys = "omsi_object link_name basename region dataset help dependency_type"
    types = {"parameter", "link", "co_modality", "subset", "contains", None}
    for index, found in enumerate(of_each):
        reader.set_dataset_selection(index)
        assert reader.get_dataset_dependencies() == found
        for one in found:
            assert set(one) == set(keys.split())
            assert one["dependency_type"] in types
            assert one["basename"] == str(files.paths["mzml_file"])


# 3. Regions


@check("a region is chosen and acts as if it were all; None for the whole image")
def _(files: Files) -> None:
    for name in ("bruckerflex_file", "omsi_file"):
        reader = files.open(name)
        assert reader.supports_regions()
        assert reader.select_region is None
        assert reader.get_region_selection() is None
        if name == "omsi_file" and reader.get_number_of_regions() == 1:
            continue
        whole = reader[:]
        assert reader.get_regions() == reader.region_dicts
        for index, one in enumerate(reader.region_dicts):
            (x, y), (width, height) = one["origin"], one["extend"]
            reader.set_region_selection(index)
            assert reader.get_region_selection() == reader.select_region == index
            assert reader.shape == (width, height, len(reader.mz))
            part = whole[x : x + width, y : y + height]
            assert reader[:].tolist() == part.tolist()
            assert len(list(reader.spectrum_iter())) == one["count"]
        reader.set_region_selection()
        assert reader[:].tolist() == whole.tolist()


@check("dependencies of regions: the whole contains them, they are subsets of it")
def _(files: Files) -> None:
    reader = files.open("bruckerflex_file")
    found = reader.get_dataset_dependencies()
    assert [one["link_name"] for one in found] == ["msi_region_0", "msi_region_1"]
    assert {one["dependency_type"] for one in found} == {"contains"}
    reader.set_region_selection(1)
    (one,) = reader.get_dataset_dependencies()
    assert (one["link_name"], one["dependency_type"]) == ("msi_full", "subset")


# 4. Analyze


@check("img_file: a basename or three files, not both, not some")
def _(files: Files) -> None:
    stem = files.paths["img_file"]
    hdr, t2m, img = (stem.with_suffix(end) for end in (".hdr", ".t2m", ".img"))
    three = openmsi.img_file(hdr_filename=hdr, t2m_filename=t2m, img_filename=img)
    files.opened.append(three)
    assert three[:].tolist() == files.cube.tolist()
    for one in (stem, hdr, t2m, img, stem.parent):
        reader = openmsi.img_file(basename=one)
        files.opened.append(reader)
        assert reader.shape == (3, 2, 40)
    with pytest.raises(ValueError, match="either"):
        openmsi.img_file(hdr, t2m, img, stem)
    for some in ({"hdr_filename": hdr, "img_filename": img}, {}):
        with pytest.raises(ValueError, match="three files"):
            openmsi.img_file(**some)


@check("img_file: names in a folder, whether it is one, size of the image")
def _(files: Files) -> None:
    stem = files.paths["img_file"]
    assert openmsi.img_file.get_files_from_dir(stem.parent) == [str(stem)]
    for one in (stem, *stem.parent.iterdir(), stem.parent):
        assert openmsi.img_file.is_valid_dataset(one)
    assert openmsi.img_file.size(stem) == 3 * 2 * 40 * 2


@check("img_file: an image that was cut is completed with zeros, and told")
def _(files: Files) -> None:
    stem = files.paths["img_file"]
    cut = files.folder / "cut"
    cut.mkdir(exist_ok=True)
    for one in stem.parent.iterdir():
        (cut / one.name).write_bytes(one.read_bytes())
    whole = (cut / "a.img").read_bytes()
    (cut / "a.img").write_bytes(whole[:-10])
    reader = openmsi.img_file(basename=cut)
    files.opened.append(reader)
    assert reader[2, 1, :].tolist() == [*files.cube[2, 1, :-5].tolist(), *[0] * 5]
    assert reader.problems


# 5. mzML


@check("mzml_file: resolution, kinds of files, scan types as data sets")
def _(files: Files) -> None:
    parameters = inspect.signature(openmsi.mzml_file).parameters
    assert list(parameters)[:3] == ["basename", "requires_slicing", "resolution"]
    assert parameters["resolution"].default == 5
    known = openmsi.mzml_file.available_mzml_types
    assert {"thermo", "bruker", "unknown"} <= set(known)
    reader = files.open("mzml_file")
    assert [kind.name for kind in reader.scan_types] == [MS1, MS2]
    coarse = files.open("mzml_file", resolution=500)
    fine = files.open("mzml_file", resolution=50)
    assert len(coarse.mz) < len(fine.mz) < len(reader.mz)


@check("mzml_file: MS1 and MS2 belong together; parameters of the scans")
def _(files: Files) -> None:
    reader = files.open("mzml_file")
    (one,) = reader.get_dataset_dependencies()
    assert one["dataset"] == 1
    assert one["dependency_type"] == "co_modality"
    reader.set_dataset_selection(1)
    (one,) = reader.get_dataset_dependencies()
    assert (one["dataset"], one["link_name"]) == (0, "MS1")
    facts = {k: v.value for k, v in reader.get_dataset_metadata().items()}
    assert facts["polarity"] == "positive"
    assert facts["MSn level"] == 2
    assert facts["precursor m/z"] == 907.73
    assert facts["dissociation type"] == "cid"
    assert 60.0 in facts.values()


@check("mzml_file: files of a folder, whether it is one, estimated size")
def _(files: Files) -> None:
    path = files.paths["mzml_file"]
    assert openmsi.mzml_file.get_files_from_dir(path.parent) == [str(path)]
    assert openmsi.mzml_file.is_valid_dataset(path)
    assert openmsi.mzml_file.size(path, max_num_reads=3) > 0


# 6. Bruker flex


@check("bruckerflex_file: list or folder, type of the values")
def _(files: Files) -> None:
    path = files.paths["bruckerflex_file"]
    parameters = inspect.signature(openmsi.bruckerflex_file).parameters
    assert list(parameters)[:3] == ["basename", "fid_encoding", "requires_slicing"]
    assert parameters["fid_encoding"].default == "int32"
    for one in (path, path.parent / "tissue", path.parent):
        reader = openmsi.bruckerflex_file(one, "int32", True)
        files.opened.append(reader)
        assert reader[:].tolist() == files.cube.tolist()
    empty = files.folder / "empty"
    empty.mkdir(exist_ok=True)
    with pytest.raises(ValueError, match="spot"):
        openmsi.bruckerflex_file(empty)


@check("bruckerflex_file: maps of the pixels, metadata, shapes")
def _(files: Files) -> None:
    reader = files.open("bruckerflex_file")
    maps = reader.pixel_dict
    for key in ("fid", "acqu", "regions", "xpos", "ypos", "spotname"):
        assert isinstance(maps[key], np.ma.MaskedArray)
        assert maps[key].shape == (3, 2)
    assert maps["spotfolder"].endswith("tissue")
    assert maps["regions"].tolist() == [[0, 0], [0, 0], [1, 1]]
    assert maps["spotname"][2, 1] == "0_R01X002Y001"
    assert reader.metadata["TD"] == 40
    reader.set_region_selection(1)
    assert (reader.shape, reader.full_shape) == ((1, 2, 40), (3, 2, 40))
    assert np.asarray(reader.data[:]).shape == (1, 2, 40)


@check("bruckerflex_file: the static functions")
def _(files: Files) -> None:
    kind, path = openmsi.bruckerflex_file, files.paths["bruckerflex_file"]
    maps = kind.s_read_spotlist(str(path))
    acqu = kind.s_read_acqu(str(maps["acqu"][0, 0]))
    assert acqu["TD"] == 40
    reader = files.open("bruckerflex_file")
    assert kind.s_mz_from_acqu(acqu) == pytest.approx(reader.mz)
    fid = str(maps["fid"][2, 1])
    assert kind.s_read_fid(fid).tolist() == files.cube[2, 1].tolist()
    some = kind.s_read_fid(fid, "int32", slice(3, 9))
    assert some.tolist() == files.cube[2, 1, 3:9].tolist()
    folder = path.parent / "tissue"
    assert kind.s_spot_from_dir(folder)["fid"].tolist() == maps["fid"].tolist()
    assert len(kind.s_spot_from_dir(folder, spot_folder_only=True)) == 6
    assert kind.s_spot_from_dir(files.paths["img_file"].parent) is None


@check("bruckerflex_file: pixels without a spot are 0, any regions at once")
def _(files: Files) -> None:
    sample = files.folder / "gaps"
    if not sample.exists():
        spots = {(r, 2 * r + 4, r): np.arange(5) + 1 for r in range(3)}
        sample.mkdir()
        flex_files.write_sample(sample, spots)
    reader = openmsi.bruckerflex_file(sample)
    files.opened.append(reader)
    # Cut to what was imaged, the corner is kept.
    assert reader.shape == (5, 3, 5)
    assert reader.pixel_dict["origin"] == (4, 0, 0)
    assert reader[1, 0].tolist() == [0] * 5
    reader.set_region_selection([0, 2])
    assert len(list(reader.spectrum_iter())) == 2
    assert reader[2, 1].tolist() == [0] * 5


# 7. imzML, and 8. OpenMSI HDF5


@check("imzml_file: resolution, common and own m/z axes, three kinds of metadata")
def _(files: Files) -> None:
    parameters = inspect.signature(openmsi.imzml_file).parameters
    assert list(parameters)[:3] == ["basename", "requires_slicing", "resolution"]
    assert parameters["resolution"].default == 15
    reader = files.open("imzml_file")
    assert reader.data.spectra.common_mz is not None
    assert len(reader.get_dataset_metadata()) > 0
    each = [Spectrum(np.array([100.0, 200.0 + k]), np.ones(2)) for k in range(3)]
    memory = MemorySpectra("", PixelTable.of(range(3), [0] * 3), each)
    path = write_imzml(memory, files.folder / "own.imzML", overwrite=True)
    sizes = []
    for resolution in (15, 300):
        own = openmsi.imzml_file(path, True, resolution)
        files.opened.append(own)
        assert own[:].sum() == 6
        sizes.append(len(own.mz))
    assert sizes[0] > 10 * sizes[1]


@check("omsi_file: cubes and what belongs to them")
def _(files: Files) -> None:
    reader = files.open("omsi_file")
    assert reader[:].tolist() == files.cube.tolist()
    assert isinstance(reader, openmsi.file_reader_base_multidata)


@pytest.mark.parametrize("line", CHECKS)
def test_openmsi(line: str, files: Files) -> None:
    CHECKS[line](files)


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    program = (
        "import sys, napari_scope.compat.openmsi as o\n"
        "assert not [m for m in sys.modules if 'formats.msi' in m]\n"
        "assert set(o.__all__) <= set(dir(o))\n"
        "o.img_file\n"
        "assert 'napari_scope.formats.msi.analyze.reader' in sys.modules\n"
        "assert 'napari_scope.formats.msi.mzml.reader' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="no attribute 'other_file'"):
        openmsi.other_file  # noqa: B018
