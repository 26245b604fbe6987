from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.errors import DatasetClosedError, FormatError
from napari_scope.formats.msi import (
    MetadataValue,
    MSIReader,
    MultiDataReader,
    MultiDataRegionReader,
    PixelTable,
    RegionReader,
    available_formats,
    format_of,
    open_msi,
    registry,
)
from napari_scope.formats.msi.memory import MemorySpectra

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from napari_scope.formats.msi import Spectra


@pytest.fixture(autouse=True)
def only_for_this_test() -> Iterator[None]:
    available_formats()  # a module that is imported tells of its format only once
    known = dict(registry._KNOWN)
    yield
    registry._KNOWN.clear()
    registry._KNOWN.update(known)


def _two_sets() -> Sequence[Spectra]:
    table = PixelTable.of([0, 1, 2], [0, 0, 1], region=[0, 0, 1], names=["a", "b"])
    note = {"polarity": MetadataValue("positive")}
    first = MemorySpectra.over([1.0, 2.0], np.eye(3, 2, dtype="u1"), table, "ms1")
    second = MemorySpectra.over([5.0], [[1], [2], [3]], table, "ms2", metadata=note)
    return first, second


def _reader(base: type[MSIReader], *, sets: int = 2) -> type[MSIReader]:
    class Invented(base):  # type: ignore[misc, valid-type]
        name = "invented"
        closed = 0

        def _open(self) -> Sequence[Spectra]:
            return _two_sets()[:sets]

        def _close(self) -> None:
            type(self).closed += 1

        @classmethod
        def is_valid_dataset(cls, name: str | os.PathLike[str]) -> bool:
            return Path(name).suffix == ".inv" and Path(name).exists()

    return Invented


def test_one_data_set_needs_no_choice(tmp_path: Path) -> None:
    reader = _reader(MSIReader, sets=1)(tmp_path)
    assert reader.shape == (3, 2, 2)
    assert reader.mz.tolist() == [1, 2]
    assert reader.data_type == "uint8"
    assert reader.basename == str(tmp_path)
    assert reader[0, 0, :].tolist() == [1, 0]
    assert [place for place, _ in reader.spectrum_iter()] == [(0, 0), (1, 0), (2, 1)]
    assert reader.get_number_of_datasets() == 1
    assert reader.get_number_of_regions() == 2
    assert reader.get_dataset_dependencies() == []
    assert not reader.supports_regions()
    assert not reader.supports_multidata()
    assert not reader.supports_multiexperiment()
    assert reader.size(tmp_path) is None
    assert reader.requires_slicing


def test_several_data_sets() -> None:
    reader = _reader(MultiDataReader)("somewhere")
    assert isinstance(reader, MultiDataReader)
    assert reader.supports_multidata()
    assert reader.shape == [(3, 2, 2), (3, 2, 1)]
    assert [mz.tolist() for mz in reader.mz] == [[1, 2], [5]]
    assert reader.get_dataset_dependencies() == [[], []]
    assert [m.get("polarity") for m in reader.get_dataset_metadata()] == [
        None,
        MetadataValue("positive"),
    ]
    with pytest.raises(ValueError, match=r"set_dataset_selection\(0 to 1\)"):
        reader[0]
    reader.set_dataset_selection(1)
    assert reader.shape == (3, 2, 1)
    assert reader.mz.tolist() == [5]
    assert reader[2, 1].tolist() == [3]
    assert list(reader.get_dataset_metadata()) == ["polarity"]
    assert reader.get_dataset_dependencies() == []
    reader.set_dataset_selection(None)
    assert len(reader.shape) == 2
    with pytest.raises(ValueError, match="no data set 2 in somewhere"):
        reader.set_dataset_selection(2)
    assert reader.get_numbers_of_regions() == [2, 2]


def test_regions() -> None:
    reader = _reader(RegionReader, sets=1)("place")
    assert isinstance(reader, RegionReader)
    assert reader.supports_regions()
    assert reader.get_regions() == reader.region_dicts
    assert reader.region_dicts == [
        {"index": 0, "name": "a", "origin": [0, 0], "extend": [2, 1], "count": 2},
        {"index": 1, "name": "b", "origin": [2, 1], "extend": [1, 1], "count": 1},
    ]
    whole = reader.get_dataset_dependencies()
    assert [(d["link_name"], d["region"]) for d in whole] == [
        ("msi_region_0", 0),
        ("msi_region_1", 1),
    ]
    assert {d["dependency_type"] for d in whole} == {"contains"}
    keys = "omsi_object link_name basename region dataset help dependency_type"
    assert set(whole[0]) == set(keys.split())
    reader.set_region_selection(1)
    assert reader.get_region_selection() == 1
    assert reader.shape == (1, 1, 2)
    assert reader.get_dataset_dependencies()[0]["link_name"] == "msi_full"
    assert reader.get_dataset_dependencies()[0]["dependency_type"] == "subset"
    reader.set_region_selection([0, 1])
    assert reader.shape == (3, 2, 2)
    reader.set_region_selection()
    assert reader.select_region is None
    assert reader.get_number_of_regions() == 2
    with pytest.raises(ValueError, match="no region 5"):
        reader.set_region_selection(5)
    with pytest.raises(ValueError, match="no region is named"):
        reader.set_region_selection([])


def test_regions_of_several_data_sets() -> None:
    reader = _reader(MultiDataRegionReader)("place")
    assert isinstance(reader, MultiDataRegionReader)
    assert reader.supports_multidata() and reader.supports_regions()
    assert reader.get_dataset_dependencies() == [[], []]
    reader.set_dataset_selection(1)
    reader.set_region_selection(0)
    assert reader.shape == (2, 1, 1)
    assert reader.get_dataset_dependencies()[0]["dataset"] == 1
    reader.set_dataset_selection(0)
    assert reader.select_region is None
    assert reader.shape == (3, 2, 2)


def test_regions_are_listed_for_each_data_set() -> None:
    reader = _reader(MultiDataRegionReader)("place")
    assert isinstance(reader, MultiDataRegionReader)
    assert reader.regions_of(0) == reader.regions_of(1) == reader.region_dicts
    with pytest.raises(ValueError, match="no data set 2 in place; there are 0 to 1"):
        reader.regions_of(2)
    # Without a chosen data set, a choice of regions is about all of them.
    reader.set_region_selection(np.int64(1))
    assert reader.select_region == 1
    assert type(reader.select_region) is int
    assert reader.shape == [(1, 1, 2), (1, 1, 1)]
    reader.set_region_selection(np.array([0, 1]))
    assert reader.select_region == (0, 1)
    reader.set_dataset_selection(np.int64(1))  # type: ignore[arg-type]
    assert reader.select_dataset == 1
    with pytest.raises(TypeError):
        reader.set_dataset_selection(0.5)  # type: ignore[arg-type]


def test_what_is_looked_at_keeps_its_reader() -> None:
    kind: Any = _reader(MSIReader, sets=1)
    data = kind("place").data
    assert kind.closed == 0
    assert data.ion_image(1, 0.1).tolist() == [[1, 0, 0], [0, 0, 0]]
    data = data.of_regions([0])
    assert kind.closed == 0
    assert data.tic_image().tolist() == [[1, 1]]
    del data
    assert kind.closed == 1


def test_what_was_computed_once_is_there_again() -> None:
    reader = _reader(RegionReader, sets=1)("place")
    assert isinstance(reader, RegionReader)
    assert reader.data.totals() is reader.data.totals()
    assert reader.data.factors("rms") is reader.data.factors("rms")
    assert reader.data.pixels is reader.data.pixels
    reader.set_region_selection(0)
    assert reader.data.totals() is reader.data.totals()
    assert len(reader.data.totals()) == 2


def test_a_file_that_is_refused_is_closed_at_once() -> None:
    closed = []

    class Refused(MSIReader):
        def _open(self) -> Any:
            raise FormatError("odd")

        def _close(self) -> None:
            closed.append(self.basename)
            self._file.close()  # type: ignore[attr-defined]

        @classmethod
        def is_valid_dataset(cls, name: str | os.PathLike[str]) -> bool:
            return False

    with pytest.raises(FormatError, match="odd"):
        Refused("place")
    assert closed == ["place"]


def test_closing() -> None:
    kind: Any = _reader(MSIReader, sets=1)
    with kind("place") as reader:
        assert reader.shape
    reader.close_file()
    reader.close()
    assert kind.closed == 1
    with pytest.raises(DatasetClosedError, match="closed"):
        reader[0]
    kept = kind("place")
    del kept
    assert kind.closed == 2


def test_a_format_of_somebody_else_is_known_at_once(tmp_path: Path) -> None:
    before = available_formats()
    assert "invented" not in before
    kind = _reader(MSIReader, sets=1)
    assert available_formats() == {**before, "invented": kind}
    assert MSIReader.available_formats() == available_formats()
    assert kind.format_name() == "invented"
    file = tmp_path / "a.inv"
    assert format_of(file) is None
    file.touch()
    assert format_of(file) is kind
    with open_msi(file) as reader:
        assert type(reader) is kind
    assert type(open_msi("anything", format="invented")) is kind


def test_bases_are_no_formats() -> None:
    bases = (MSIReader, MultiDataReader, RegionReader, MultiDataRegionReader)
    assert not set(available_formats().values()) & set(bases)

    class Unfinished(MSIReader):
        pass

    assert Unfinished not in available_formats().values()
    assert Unfinished.format_name() == "Unfinished"


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    _reader(MSIReader)
    with pytest.raises(FormatError, match="no such file"):
        open_msi(tmp_path / "nothing")
    with pytest.raises(FormatError, match=r"the formats are .*invented"):
        open_msi(tmp_path / "a.txt")
    with pytest.raises(FormatError, match="no format 'dta'"):
        open_msi(tmp_path / "a.txt", format="dta")


def test_a_broken_package_keeps_nobody_from_opening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from importlib import metadata

    point = metadata.EntryPoint("odd", "no_such_module_of_anybody", registry.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point])
    registry._load_foreign.cache_clear()
    try:
        with pytest.warns(UserWarning, match="'odd' of no_such_module_of_anybody"):
            available_formats()
    finally:
        monkeypatch.undo()
        registry._load_foreign.cache_clear()


def test_the_title_is_a_short_name(tmp_path: Path) -> None:
    kind = _reader(MSIReader, sets=1)
    (tmp_path / "mouse.brain").mkdir()
    assert kind(tmp_path / "mouse.brain").title == "mouse.brain"
    for name in ("a.b.imzML", "a.b", "a.b.mzML.gz", "a.b.mzML.GZ"):
        assert kind(tmp_path / name).title in ("a.b", "a")
    assert kind(tmp_path / "a.b.mzML.gz").title == "a.b"
    assert kind(tmp_path / "a.b.imzML").title == "a.b"


def test_raw_data_that_nobody_reads_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "run.d"
    folder.mkdir()
    (folder / "analysis.tdf").touch()
    with pytest.raises(FormatError, match=r"run\.d holds raw data .* imzML"):
        open_msi(folder)
