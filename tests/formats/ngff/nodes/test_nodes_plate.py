"""Plates: wells and positions made in any order, renamed, copied, walked through."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.ngff.nodes.node_stores import (
    CHANNELS,
    VERSIONS,
    filled,
    image,
    names,
    pixels,
    plate,
)

from napari_scope import open_ome_zarr
from napari_scope.errors import FormatError
from napari_scope.formats.ngff.nodes import (
    AcquisitionMeta,
    ImageArray,
    Plate,
    Position,
    Row,
    Well,
)
from napari_scope.formats.ngff.nodes.hierarchy import Hierarchy
from napari_scope.formats.ngff.nodes.plate_metadata import WellSpec, add_wells
from napari_scope.formats.ngff.nodes.renaming import rename_well

if TYPE_CHECKING:
    from pathlib import Path


def indices_are_right(block: dict[str, Any]) -> bool:
    rows = [row["name"] for row in block["rows"]]
    columns = [column["name"] for column in block["columns"]]
    return len(set(rows)) == len(rows) and all(
        f"{rows[well['rowIndex']]}/{columns[well['columnIndex']]}" == well["path"]
        for well in block["wells"]
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_positions_are_made_and_found(tmp_path: Path, version: str) -> None:
    made = plate(tmp_path / "p.zarr", version)
    first = made.create_position("A", "1", "0")
    first["0"] = pixels((1, 2, 1, 8, 8))
    made.create_position("A", "10", "0")
    made.create_position("A", "2", "0", acq_index=3)
    made.create_position("A", "1", "1")
    made.create_well("C", "7", row_index=2)
    found = open_ome_zarr(tmp_path / "p.zarr")
    # In the order of the metadata, not of the directory.
    assert names(found) == ["A/1/0", "A/1/1", "A/10/0", "A/2/0"]
    assert [path for path, _ in found.wells()] == ["A/1", "A/10", "A/2", "C/7"]
    assert [name for name, _ in found.rows()] == list(found) == ["A", "C"]
    block = found.metadata["plate"]
    assert [row["name"] for row in block["rows"]] == ["A", "B", "C"]
    assert indices_are_right(block)
    assert [run["id"] for run in block["acquisitions"]] == [0, 3]
    kinds = [type(found[key]) for key in ("A", "A/1", "A/1/0", "/A/1/0/", "A/1/0/0")]
    assert kinds == [Row, Well, Position, Position, ImageArray]
    assert (found["A/1/0"].path, found["A"]["1"].path) == ("A/1/0", "A/1")
    assert ("A/1/0" in found, "A/3" in found, len(found["A"])) == (True, False, 3)
    assert found.channel_names == found["A/2/0"].channel_names == CHANNELS
    assert found["A/1"].metadata["well"]["images"] == [
        {"path": "0", "acquisition": 0},
        {"path": "1", "acquisition": 0},
    ]
    assert (found.version, found["A/2/0"].version) == (version, version)
    with pytest.raises(KeyError, match="'9/0'"):
        found["A/9/0"]


def test_what_cannot_be_made_makes_nothing(tmp_path: Path) -> None:
    made = plate(tmp_path / "p.zarr")
    made.create_positions([("A", "1", "0"), ("B", "2", "0")])
    before = sorted(os.walk(made.folder))
    wrong: list[tuple[Any, type[Exception], str]] = [
        ([("C", "1", "0"), ("A", "1", "0")], FileExistsError, "position '0'"),
        ([("C", "1", "0"), ("C", "1", "0")], FileExistsError, "position '0'"),
        ([("C", "1")], ValueError, "2 elements"),
        ([("C", "1", "0", 1, 2, 3, 4)], ValueError, "7 elements"),
        ([("C", "1", "a b")], ValueError, "no name of a position"),
        ([("../C", "1", "0")], ValueError, "no name of a row"),
        ([("C", "", "0")], ValueError, "no name of a column"),
        ([("C", "1", "0", 0)], ValueError, "that of the row 'A'"),
        ([("A", "1", "1", 5)], ValueError, "has the index 0, not 5"),
        ([("C", "1", "0", -1)], ValueError, "no index"),
        ([("C", "1", "0", 10**9)], ValueError, "no index"),
        ([("C", "1", "0", 4), ("C", "1", "1", 5)], ValueError, "two indices"),
        ([("C", "1", "0", None, None, -1)], ValueError, "number of an acquisition"),
        ([("a", "1", "0")], ValueError, "case only"),
    ]
    for positions, kind, text in wrong:
        with pytest.raises(kind, match=text):
            made.create_positions(positions)
        assert sorted(os.walk(made.folder)) == before, positions
    with pytest.raises(FileExistsError, match="'A/1'"):
        made.create_well("A", "1")
    assert made.create_positions([]) == []
    assert names(made) == ["A/1/0", "B/2/0"]


def test_positions_are_replaced_when_asked(tmp_path: Path) -> None:
    filled(tmp_path / "p.zarr", ["A/1/0", "A/1/1"])
    again = open_ome_zarr(tmp_path / "p.zarr", mode="r+", overwriting_creation=True)
    again.create_positions([("A", "1", "0")])
    assert again["A/1/0"].array_keys() == []
    assert names(again) == ["A/1/0", "A/1/1"]


def test_the_well_makes_positions_too(tmp_path: Path) -> None:
    made = plate(tmp_path / "p.zarr", "0.4")
    well = made.create_well("A", "1")
    assert well.create_position("5", 2).channel_names == CHANNELS
    well.create_position("3")
    assert [name for name, _ in open_ome_zarr(well.folder).positions()] == ["5", "3"]
    with pytest.raises(FileExistsError):
        well.create_position("5")
    with pytest.raises(ValueError, match="acquisition"):
        well.create_position("6", -1)


def test_channels_of_positions_without_pixels_come_from_the_others(
    tmp_path: Path,
) -> None:
    plate(tmp_path / "p.zarr").create_positions([("A", "1", "0"), ("A", "2", "0")])
    empty = open_ome_zarr(tmp_path / "p.zarr", mode="r+")
    with pytest.raises(AttributeError, match="channel_names"):
        _ = empty.channel_names
    given = open_ome_zarr(tmp_path / "p.zarr", mode="r+", channel_names=["x"])
    given["A/2/0"].create_zeros("0", (1, 1, 1, 4, 4), "uint8")
    found = open_ome_zarr(tmp_path / "p.zarr", mode="r+", channel_names=["ignored"])
    assert found["A/1/0"].channel_names == found.channel_names == ["x"]
    assert found.create_position("B", "1", "0").channel_names == ["x"]


def test_acquisitions_and_the_count_of_fields(tmp_path: Path) -> None:
    runs = [AcquisitionMeta(4, name="day 1", start_time=1, end_time=2)]
    made = plate(tmp_path / "p.zarr", acquisitions=runs)
    made.create_positions([("A", "1", str(n), None, None, 4) for n in range(3)])
    made.create_position("A", "2", "0", acq_index=4)
    made.dump_meta(field_count=True)
    block = open_ome_zarr(tmp_path / "p.zarr").metadata["plate"]
    assert block["field_count"] == 3
    assert block["acquisitions"] == [
        {"id": 4, "name": "day 1", "starttime": 1, "endtime": 2}
    ]


def test_what_is_listed_and_missing_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = filled(tmp_path / "p.zarr", ["A/1/0", "A/2/0", "B/1/0", "B/2/0", "B/2/1"])
    del made["A"]
    del made["B/1"]
    (made.folder / "B" / "2" / "0" / "zarr.json").unlink()
    with caplog.at_level(logging.WARNING):
        assert names(open_ome_zarr(made.folder)) == ["B/2/1"]
    text = caplog.text
    assert all(f"{path} is left out" in text for path in ("A", "B/1", "B/2/0"))
    (made.folder / "B" / "2" / "zarr.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert names(open_ome_zarr(made.folder)) == []
    assert "damaged JSON" in caplog.text


@pytest.mark.parametrize("version", VERSIONS)
def test_one_well_is_renamed(tmp_path: Path, version: str) -> None:
    made = filled(tmp_path / "p.zarr", ["A/1/0", "A/2/0", "A/10/0", "B/2/0"], version)
    made.rename_well("A/1", "C/3")
    made.rename_well("A/2", "A/5")  # in its row
    found = open_ome_zarr(tmp_path / "p.zarr")
    assert names(found) == names(made) == ["A/5/0", "A/10/0", "B/2/0", "C/3/0"]
    np.testing.assert_array_equal(found["C/3/0"].data[...], pixels((1, 2, 1, 8, 8), 0))
    np.testing.assert_array_equal(found["A/5/0"].data[...], pixels((1, 2, 1, 8, 8), 1))
    assert indices_are_right(found.metadata["plate"])
    assert [r["name"] for r in found.metadata["plate"]["rows"]] == ["A", "B", "C"]
    made.rename_well("B/2", "C/2")
    assert made.group_keys() == ["A", "C"]
    made.rename_well("C/2", "/C/2/")
    for old, new, kind in (
        ("B/2", "D/1", FileNotFoundError),
        ("A/5", "C/3", FileExistsError),
        ("A/5", "D", ValueError),
        ("A/5", "D/../1", ValueError),
        ("A/5", "a/1", ValueError),
    ):
        with pytest.raises(kind):
            made.rename_well(old, new)
    assert names(made) == ["A/5/0", "A/10/0", "C/2/0", "C/3/0"]


def test_rows_of_a_full_plate_stay_listed(tmp_path: Path) -> None:
    made = filled(tmp_path / "p.zarr", ["A/1/0"])
    made.metadata["plate"]["rows"] = [{"name": name} for name in "ABCD"]
    made.dump_meta()
    made.rename_well("A/1", "C/2")
    block = open_ome_zarr(made.folder).metadata["plate"]
    assert [row["name"] for row in block["rows"]] == list("ABCD")
    assert [column["name"] for column in block["columns"]] == ["2"]
    assert indices_are_right(block)


@pytest.mark.parametrize("step", ["move", "second"])
def test_a_renaming_that_was_killed_loses_nothing_and_can_be_finished(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = filled(tmp_path / "p.zarr", ["A/1/0", "A/2/0"])
    calls = []
    change, move = Hierarchy.change, Hierarchy.move

    def killed(self: Hierarchy, *arguments: Any) -> Any:
        calls.append(arguments)
        if step == "move" or len(calls) == 2:
            raise KeyboardInterrupt
        return change(self, *arguments)

    monkeypatch.setattr(Hierarchy, "move" if step == "move" else "change", killed)
    with pytest.raises(KeyboardInterrupt):
        rename_well(made.folder, "A/1", "B/1")
    monkeypatch.setattr(Hierarchy, "change", change)
    monkeypatch.setattr(Hierarchy, "move", move)
    there = names(open_ome_zarr(made.folder))
    assert there in (["A/1/0", "A/2/0"], ["A/2/0", "B/1/0"])
    rename_well(made.folder, "A/1", "B/1")
    found = open_ome_zarr(made.folder)
    assert names(found) == ["A/2/0", "B/1/0"]
    assert len(found.metadata["plate"]["wells"]) == 2
    np.testing.assert_array_equal(found["B/1/0"].data[...], pixels((1, 2, 1, 8, 8), 0))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plate_of_copies(tmp_path: Path, version: str) -> None:
    old = filled(tmp_path / "p.zarr", ["A/1/0", "B/2/7"], version)
    alone = image(tmp_path / "i.zarr", version)
    alone.compute_pyramid(2)
    alone.create_label("cells", (alone.data[:, 0] > 7).astype(np.uint8))
    fields = dict(old.positions()) | {"/C/3/x/": alone}
    new = Plate.from_positions(tmp_path / "new.zarr", fields)
    assert names(new) == ["A/1/0", "B/2/7", "C/3/x"]
    assert indices_are_right(new.metadata["plate"])
    copy = new["C/3/x"]
    assert (copy.channel_names, copy.scale) == (alone.channel_names, alone.scale)
    for path in ("0", "1", "labels/cells/0", "labels/cells/1"):
        np.testing.assert_array_equal(copy[path][...], alone[path][...])
    assert copy.label_names() == ["cells"]
    np.testing.assert_array_equal(new["B/2/7"].data[...], old["B/2/7"].data[...])


def test_positions_that_make_no_plate_leave_nothing(tmp_path: Path) -> None:
    one = image(tmp_path / "i.zarr")
    other = image(tmp_path / "o.zarr", channel_names=["a", "b"])
    old = image(tmp_path / "v.zarr", "0.4")
    wrong: list[tuple[Any, type[Exception], str]] = [
        ({}, ValueError, "no positions"),
        ({"A/1": one}, ValueError, "row/column/fov"),
        ({"A/1/a b": one}, ValueError, "no name of a position"),
        ({"A/1/0": one, "A/1/0/": one}, FileExistsError, "two positions"),
        ({"A/1/0": one, "A/1/1": other}, ValueError, "channels"),
        ({"A/1/0": one, "A/1/1": old}, ValueError, "versions"),
        ({"A/1/0": one.data}, TypeError, "no Position"),
    ]
    for fields, kind, text in wrong:
        with pytest.raises(kind, match=text):
            Plate.from_positions(tmp_path / "new.zarr", fields)
    with pytest.raises(FileExistsError):
        Plate.from_positions(tmp_path / "o.zarr", {"A/1/0": one})
    (one.folder / "0" / "link").symlink_to(other.folder)
    with pytest.raises(FormatError, match="link leads out"):
        Plate.from_positions(tmp_path / "new.zarr", {"A/1/0": one})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["i.zarr", "o.zarr", "v.zarr"]


def test_the_metadata_of_many_positions_are_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plate(tmp_path / "p.zarr")
    written = []
    change = Hierarchy.change

    def counted(self: Hierarchy, path: str, *arguments: Any) -> Any:
        written.append(path)
        return change(self, path, *arguments)

    monkeypatch.setattr(Hierarchy, "change", counted)
    specs: Any = [(r, c, str(f)) for r in "ABC" for c in "12" for f in range(5)]
    positions = made.create_positions(specs)
    assert written == [""]
    assert [p.path for p in positions] == ["/".join(spec) for spec in specs]
    specs = [(r, "2", "x") for r in "ABC"]
    made.create_positions(specs)
    assert written == ["", "A/2", "B/2", "C/2", ""]


wells = st.tuples(
    st.sampled_from("ABCDEFG"),
    st.sampled_from([str(n) for n in range(1, 13)]),
    st.none() | st.integers(0, 8),
    st.none() | st.integers(0, 14),
)


@given(st.lists(wells, max_size=12))
def test_the_indices_of_a_plate_always_point_at_its_names(
    entries: list[tuple[str, str, int | None, int | None]],
) -> None:
    block: dict[str, Any] = {}
    for entry in entries:
        spec = WellSpec(*entry)
        before = json.dumps(block)
        try:
            add_wells(block, [spec])
        except ValueError:
            assert json.dumps(block) == before
            continue
        assert indices_are_right(block)
        well = next(w for w in block["wells"] if w["path"] == spec.path)
        assert spec.row_index in (None, well["rowIndex"])
        assert spec.column_index in (None, well["columnIndex"])
