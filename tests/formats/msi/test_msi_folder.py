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
from napari_scope.formats.msi import folder as folder_module
from napari_scope.formats.msi.folder import RawFolderReader
from napari_scope.formats.msi.imzml.writer import write_imzml
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.formats.msi.natural import natural
from napari_scope.formats.msi_sniff import is_msi

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


def test_few_files_of_a_large_folder_are_tried(
    tmp_path: Path, two_sets: type[MSIReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in range(40):
        (tmp_path / f"a{k:02d}.jpg").touch()
    (tmp_path / "x.inv").touch()
    (tmp_path / "y.inv").touch()
    asked: list[str] = []
    valid = two_sets.is_valid_dataset

    def counted(name: str | os.PathLike[str]) -> bool:
        asked.append(str(name))
        return valid(name)

    monkeypatch.setattr(two_sets, "is_valid_dataset", counted)
    # Files of many others do not hide those of a format that lists none.
    found = [path.name for path, _ in folder_module._raw_in(tmp_path)]
    assert found == ["x.inv", "y.inv"]
    assert len(asked) == 16 + 2
    asked.clear()
    assert not list(folder_module._raw_in(tmp_path, 8))
    assert len(asked) == 8
    asked.clear()
    # Nothing is tried where no name is that of a raw file.
    monkeypatch.setattr(two_sets, "__module__", "napari_scope.invented")
    assert not RawFolderReader.is_valid_dataset(tmp_path)
    assert asked == []
    (tmp_path / "b.h5").touch()
    assert not RawFolderReader.is_valid_dataset(tmp_path)
    assert len(asked) == 8


def test_folders_of_spots_are_raw_files(tmp_path: Path) -> None:
    for name in ("b", "a"):
        flex.write_spot(tmp_path / name, flex.spot_name(0, 0), [1, 2])
    assert format_of(tmp_path) is RawFolderReader
    with open_msi(tmp_path) as reader:
        assert [one.name for one in reader.data_sets] == ["a: 1/1SLin", "b: 1/1SLin"]


def test_raw_data_that_nobody_reads_are_told(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    for name in ("b.d", "a.D", "empty.d"):
        (folder / name).mkdir()
    (folder / "b.d" / "analysis.tsf").touch()
    (folder / "a.D" / "analysis.tdf").touch()
    with open_msi(folder) as reader:
        assert len(reader.data_sets) == 4
        assert [text.partition(" (")[0] for text in reader.problems] == [
            "a.D holds raw data", "b.d holds raw data",
        ]  # fmt: skip


def test_samples_have_folders_of_their_own(tmp_path: Path) -> None:
    for k, name in enumerate(("run 2", "run 10")):
        flex.write_sample(tmp_path / name, {(0, 4, 4): [7, 8 + k]})
        assert is_msi(tmp_path)
        if not k:
            with open_msi(tmp_path) as alone:
                assert alone.format_name() == "bruker-flex"
                assert alone[0, 0].tolist() == [7, 8]
    with open_msi(tmp_path) as reader:
        assert isinstance(reader, RawFolderReader)
        assert [path.name for path in reader.files] == ["run 2", "run 10"]
        assert [one.spectrum(0).intensities[1] for one in reader.data_sets] == [8, 9]
    with open_msi(tmp_path, "bruker-flex") as first:
        assert first.problems == (
            "tissue is opened; there are also run 10, to be opened alone",
        )
    # Spots without a list are not looked for that deep.
    for list_file in tmp_path.glob("*/*.txt"):
        list_file.unlink()
    assert format_of(tmp_path) is None


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
