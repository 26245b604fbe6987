from __future__ import annotations

from typing import Any

import pytest

from napari_scope.formats.ngff.plate.listing import (
    Acquisition,
    WellField,
    read_listing,
    read_well,
)


def plate(**fields: Any) -> dict[str, Any]:
    rows, columns = ([{"name": n} for n in names] for names in ("AB", "123"))
    return {"plate": {"rows": rows, "columns": columns, **fields}}


def placed(block: dict[str, Any]) -> list[tuple[str, int, int]]:
    listing = read_listing(block)
    assert listing is not None
    return [(w.path, w.row_index, w.column_index) for w in listing.wells]


def test_indices_place_wells_and_the_path_does_where_they_are_missing() -> None:
    wells = [
        {"path": "B/3", "rowIndex": 0, "columnIndex": 1},  # believed, though odd
        {"path": "B/1"},
        {"path": "A/3", "rowIndex": 7, "columnIndex": True},
        {"path": "/A/1/"},
    ]
    assert placed(plate(wells=wells)) == [
        ("B/3", 0, 1), ("B/1", 1, 0), ("A/3", 0, 2), ("A/1", 0, 0),
    ]  # fmt: skip


def test_rows_and_columns_that_are_not_listed_come_from_the_paths_in_order() -> None:
    wells = [{"path": p} for p in ("AA/10", "B/2", "B/10")]
    listing = read_listing({"plate": {"wells": wells}})
    assert listing is not None
    assert (listing.rows, listing.columns) == (("B", "AA"), ("2", "10"))
    assert [(w.row, w.column) for w in listing.wells] == [
        ("AA", "10"), ("B", "2"), ("B", "10"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("well", "problem"),
    [
        ({"path": "C/1"}, "no such place"),
        ({"path": 3}, "well 1 of the plate has no path"),
        ("A/1", "well 1 of the plate has no path"),
        ({"path": "A/1"}, "has the place of A/1"),
        ({"path": "x", "rowIndex": 0, "columnIndex": 0}, "has the place of A/1"),
    ],
)
def test_a_well_that_cannot_be_placed_is_reported(well: Any, problem: str) -> None:
    listing = read_listing(plate(wells=[{"path": "A/1"}, well]))
    assert listing is not None
    assert [w.path for w in listing.wells] == ["A/1"]
    (found,) = listing.problems
    assert problem in found


def test_odd_documents_are_read_as_far_as_they_go() -> None:
    for odd in (None, 3, "x", {}, [None], [{"name": 5}]):
        listing = read_listing({"plate": {"rows": odd, "columns": odd, "wells": odd}})
        assert listing is not None
        assert listing.wells == ()
    assert read_listing({"multiscales": []}) is None
    assert read_listing({"plate": []}) is None


def test_lists_without_end_are_cut() -> None:
    rows = [{"name": str(n)} for n in range(10_000)]
    listing = read_listing({"plate": {"rows": rows, "columns": [], "wells": []}})
    assert listing is not None
    assert len(listing.rows) == 4096
    assert "only the first 4096 of 10000 rows" in listing.problems[0]


def test_acquisitions() -> None:
    listed = [
        {"id": 4, "name": " day 1 ", "maximumfieldcount": 9},
        {"id": 7},
        {"id": 4, "name": "again"},
        {"name": "without id"},
    ]
    block = plate(acquisitions=listed, field_count=12, name="P", version="0.4")
    listing = read_listing(block)
    assert listing is not None
    assert listing.acquisitions == (
        Acquisition(4, "day 1", 9), Acquisition(7, "acquisition 7"),
    )  # fmt: skip
    assert len(listing.problems) == 2
    assert (listing.field_count, listing.name, listing.version) == (12, "P", "0.4")
    for odd in (-1, 10**9, "4", True):
        again = read_listing(plate(field_count=odd))
        assert again is not None
        assert again.field_count == 0


def test_a_well_alone_is_a_plate_of_one_well() -> None:
    listing = read_listing({"well": {"images": []}})
    assert listing is not None
    assert (listing.rows, listing.columns) == (("",), ("",))
    assert [w.path for w in listing.wells] == [""]


def test_fields_of_a_well() -> None:
    images = [{"path": "/0/", "acquisition": 3}, {"path": "f1"}, {"path": 2}, "x"]
    images += [{"path": "f1", "acquisition": 1}]
    assert read_well({"well": {"images": images}}) == [
        WellField("0", 3), WellField("f1"),
    ]  # fmt: skip
    assert read_well({"well": {}}) == []
    assert read_well({"well": []}) is None
