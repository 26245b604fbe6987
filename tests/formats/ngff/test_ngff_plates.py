from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.errors import SettingsError
from napari_scope.formats.ngff.metadata import (
    LevelInfo,
    collection_attributes,
    group_documents,
    image_attributes,
)
from napari_scope.formats.ngff.plates import (
    check_plate,
    field_paths,
    plate_attributes,
    well_attributes,
)
from napari_scope.model import Axis, Channel

ROWS, COLUMNS = ("A", "B", "C"), ("1", "2", "10")


@given(st.lists(st.tuples(st.sampled_from(ROWS), st.sampled_from(COLUMNS)), min_size=1))
def test_every_field_has_a_path_and_every_well_an_entry(
    wells: list[tuple[str, str]],
) -> None:
    paths = field_paths(wells)
    assert len(set(paths)) == len(wells)
    plate = plate_attributes("p", ROWS, COLUMNS, wells)["ome"]["plate"]
    listed = {well["path"]: well for well in plate["wells"]}
    assert len(listed) == len(plate["wells"]) == len(set(wells))
    for (row, column), path in zip(wells, paths, strict=True):
        well, field = path.rsplit("/", 1)
        entry = listed[well]
        assert ROWS[entry["rowIndex"]] == row
        assert COLUMNS[entry["columnIndex"]] == column
        images = well_attributes(wells.count((row, column)))["ome"]["well"]["images"]
        assert field in {image["path"] for image in images}
    most = max(wells.count(well) for well in wells)
    assert plate["field_count"] == most


@pytest.mark.parametrize(
    ("rows", "columns", "wells", "message"),
    [
        (("A", "a"), COLUMNS, [], "same name"),
        (ROWS, ("1", "0/1"), [], "letters and digits"),
        (("A", ""), COLUMNS, [], "letters and digits"),
        (("A", ".."), COLUMNS, [], "letters and digits"),
        (("A", "Acquisition"), COLUMNS, [], "taken"),
        (ROWS, COLUMNS, [("D", "1")], "no well"),
        (ROWS, COLUMNS, [("A", "3")], "no well"),
    ],
)
def test_what_is_refused(
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    wells: list[tuple[str, str]],
    message: str,
) -> None:
    with pytest.raises(SettingsError, match=message):
        check_plate(rows, columns, wells, taken=["acquisition"])
    check_plate(ROWS, COLUMNS, [("A", "10")], taken=["acquisition"])


def test_documents_of_the_older_version() -> None:
    axes = (Axis("y", "space"), Axis("x", "space"))
    attributes = image_attributes(
        "a", axes, [LevelInfo("0", 1)], [Channel("A")], extra={"stage": 1}
    )
    names, (group, old) = zip(*group_documents(attributes, "0.4"), strict=True)
    assert names == (".zgroup", ".zattrs")
    assert group == {"zarr_format": 2}
    assert old.keys() == {"multiscales", "omero", "napari_scope"}
    assert old["multiscales"][0]["version"] == old["omero"]["version"] == "0.4"
    ((name, new),) = group_documents(attributes)
    assert name == "zarr.json"
    assert new["attributes"] == attributes
    assert attributes["ome"]["omero"]["version"] == "0.5", "it is left as it was"
    *_, (_, old) = group_documents(collection_attributes(), "0.4")
    assert old == {"bioformats2raw.layout": 3}
    plate = plate_attributes("p", ROWS, COLUMNS, [("A", "1")], {"name": "run"})
    *_, (_, old) = group_documents(plate, "0.4")
    assert old["plate"]["version"] == "0.4"
    assert old["napari_scope"] == {"name": "run"}
    *_, (_, old) = group_documents(None, "0.4")
    assert old == {}
