from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.msi import flex_files as flex
from tests.formats.msi.analyze_files import write as write_analyze

from napari_scope.errors import FormatError
from napari_scope.formats.msi import (
    MSIReader,
    MultiDataReader,
    PixelTable,
    format_of,
    open_msi,
    registry,
)
from napari_scope.formats.msi.folder import RawFolderReader
from napari_scope.formats.msi.imzml.writer import write_imzml
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.natural import natural

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from napari_scope.formats.msi import Spectra


@pytest.fixture
def two_sets() -> Iterator[type[MSIReader]]:
    """A format of somebody else, with dependencies, that lists no files."""
    known = dict(registry._KNOWN)

    class Invented(MultiDataReader):
        name = "invented"

        def _open(self) -> Sequence[Spectra]:
            if not Path(self.basename).read_bytes():
                raise FormatError("it is empty", path=self.basename)
            self.problems = ("it is odd",)
            table = PixelTable.of([0, 1], [0, 0])
            return [
                MemorySpectra.over([1.0], [[1], [2]], table, "ms1"),
                MemorySpectra.over([2.0], [[3], [4]], table, "ms2"),
            ]

        def _dependencies_of(self, index: int) -> list[dict[str, Any]]:
            return [self._depends("other", "co_modality", "", dataset=1 - index)]

        @classmethod
        def is_valid_dataset(cls, name: str | os.PathLike[str]) -> bool:
            return str(name).endswith(".inv")

    yield Invented
    registry._KNOWN.clear()
    registry._KNOWN.update(known)


def _cube(seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 99, (2, 3, 4)).astype("i2")


def _imzml(path: Path) -> None:
    table = PixelTable.of([0, 1], [0, 0])
    write_imzml(MemorySpectra.over([5.0, 6.0], [[1.0, 2.0], [3.0, 4.0]], table), path)


def _folder(tmp_path: Path) -> Path:
    """Return a folder with Analyze, imzML and Bruker spots, and other files."""
    write_analyze(tmp_path / "run10", _cube(1), np.arange(4.0))
    write_analyze(tmp_path / "Run2", _cube(2), np.arange(4.0))
    _imzml(tmp_path / "run3.imzML")
    flex.write_sample(tmp_path, {(0, 4, 4): [7, 8], (1, 5, 4): [9, 1]})
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "other.img").write_bytes(bytes(99))
    return tmp_path


def test_every_file_is_a_data_set_in_the_order_of_names(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    assert format_of(folder) is RawFolderReader
    with open_msi(folder) as reader:
        assert isinstance(reader, RawFolderReader)
        names = ["Run2", "run3.imzML", "run10", "tissue Spot List.txt: 1/1SLin"]
        assert [one.name for one in reader.data_sets] == names
        assert [path.name for path in reader.files] == [
            "Run2", "run3.imzML", "run10", "tissue Spot List.txt",
        ]  # fmt: skip
        assert reader.file_of == (0, 1, 2, 3)
        assert reader.get_files_from_dir(folder) == [str(p) for p in reader.files]
        assert reader.shape == [(3, 2, 4), (2, 1, 2), (3, 2, 4), (2, 1, 2)]
        assert reader.problems == ()
        assert reader.get_numbers_of_regions() == [1, 1, 1, 2]
        for number, seed in ((0, 2), (2, 1)):
            reader.set_dataset_selection(number)
            expected = _cube(seed).transpose(1, 0, 2)
            np.testing.assert_array_equal(reader[...], expected)
        reader.set_dataset_selection(3)
        assert reader.get_instrument_metadata()["INSTRUM"].value == "AUTOFLEX"
        assert reader.get_method_metadata()["NoSHOTS"].value == 600
        reader.set_region_selection(1)
        assert reader[0, 0].tolist() == [9, 1]
        said = reader.get_dataset_metadata()
        assert said["raw file"].value == "tissue Spot List.txt"
        assert said["TD"].value == 2
    size = RawFolderReader.size(folder)
    assert size is not None and size > 4 * 24


def test_the_files_that_are_named_in_that_order(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    files = ["run10.hdr", folder / "tissue", "notes.txt", "Run2"]
    with RawFolderReader(folder, files=files) as reader:
        assert [one.name for one in reader.data_sets] == [
            "run10.hdr", "tissue: 1/1SLin", "Run2",
        ]  # fmt: skip
        assert reader.problems == ("notes.txt is left out: no known format",)


def test_one_file_belongs_to_its_own_format(tmp_path: Path) -> None:
    stem = write_analyze(tmp_path / "one", _cube(1), np.arange(4.0))
    assert not RawFolderReader.is_valid_dataset(tmp_path)
    assert not RawFolderReader.is_valid_dataset(stem)
    assert not RawFolderReader.is_valid_dataset(tmp_path / "nothing")
    with open_msi(tmp_path) as reader:
        assert reader.format_name() == "analyze"
    with RawFolderReader(tmp_path) as reader:
        assert len(reader.data_sets) == 1
    # Spots in a folder, with their list or without, are one raw file.
    spots = flex.write_sample(tmp_path / "sample", {(0, 4, 4): [7, 8]})
    for path in (spots.parent, spots.parent / "tissue"):
        assert not RawFolderReader.is_valid_dataset(path)
    # The folder itself is none of the files in it.
    write_analyze(spots.parent / "tissue" / "a", _cube(1), np.arange(4.0))
    assert not RawFolderReader.is_valid_dataset(spots.parent / "tissue")


def test_a_file_that_cannot_be_opened_keeps_nobody_from_the_others(
    tmp_path: Path, two_sets: type[MSIReader]
) -> None:
    write_analyze(tmp_path / "good", _cube(1), np.arange(4.0))
    (tmp_path / "bad.inv").touch()
    (tmp_path / "ok.inv").write_text("content")
    with open_msi(tmp_path) as reader:
        assert [one.name for one in reader.data_sets] == [
            "good", "ok.inv: ms1", "ok.inv: ms2",
        ]  # fmt: skip
        assert reader.problems[0].startswith("bad.inv is left out: it is empty")
        assert reader.problems[1] == "ok.inv: it is odd"
        links = reader.get_dataset_dependencies()
        assert [[one["dataset"] for one in several] for several in links] == [
            [], [2], [1],
        ]  # fmt: skip
        assert {one["basename"] for several in links for one in several} == {
            str(tmp_path)
        }

    class Second(two_sets):  # type: ignore[misc, valid-type]
        name = "of the same files"

    assert len(RawFolderReader.get_files_from_dir(tmp_path)) == 3
    (tmp_path / "good.hdr").write_bytes(bytes(348))
    (tmp_path / "ok.inv").write_bytes(b"")
    with pytest.raises(FormatError, match=r"no raw file could be opened.*bad\.inv"):
        RawFolderReader(tmp_path)


def test_a_folder_without_any(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no raw file could be opened"):
        RawFolderReader(tmp_path)
    with pytest.raises(FormatError, match="no such folder"):
        RawFolderReader(tmp_path / "nothing")
    assert RawFolderReader.size(tmp_path) is None
    assert RawFolderReader.size(tmp_path / "nothing") is None


def test_closing_closes_every_file(tmp_path: Path) -> None:
    reader = RawFolderReader(_folder(tmp_path))
    reader.close_file()
    assert all(one._closed for one in reader.readers)


def test_names_are_sorted_as_people_count() -> None:
    names = ["b1", "a10", "A2", "a", "10", "9"]
    assert sorted(names, key=natural) == ["9", "10", "a", "A2", "a10", "b1"]
