from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.errors import OutputExistsError
from napari_scope.formats.frame_export import (
    export_csv,
    export_json,
    write_csv,
    write_json,
)
from napari_scope.formats.frame_records import ListRecords
from napari_scope.formats.frame_table import FrameSheet

if TYPE_CHECKING:
    from pathlib import Path

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
ROWS = st.lists(
    st.dictionaries(TEXT.filter(lambda n: n not in ("axes", "Axes")), TEXT, max_size=4),
    max_size=8,
)


def sheet_of(*rows: dict[str, Any]) -> FrameSheet:
    return FrameSheet(ListRecords([{"axes": {"t": 1}, **row} for row in rows]))


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@given(ROWS)
def test_csv_is_read_back_as_it_was(rows: list[dict[str, str]]) -> None:
    out = io.StringIO(newline="")
    assert write_csv(sheet_of(*rows), out, ["axes.t", "a", "b,\n"])
    found = read(out.getvalue())
    assert [row["frame"] for row in found] == [str(n) for n in range(len(rows))]
    assert all(row["axes.t"] == "1" for row in found)
    assert [r.get("a", "") for r in rows] == [
        row["a"] if not row["a"].startswith("'") else rows[n]["a"]
        for n, row in enumerate(found)
    ]


@given(ROWS)
def test_json_is_read_back_as_it_was(rows: list[dict[str, str]]) -> None:
    out = io.StringIO()
    assert write_json(sheet_of(*rows), out)
    assert [entry["metadata"] for entry in json.loads(out.getvalue())] == rows


def test_all_columns_are_found_by_themselves() -> None:
    out = io.StringIO(newline="")
    write_csv(sheet_of({"a": 1}, {"b": True, "elapsed_ms": 3}, {"a": None}), out)
    assert read(out.getvalue()) == [
        {"frame": "0", "axes.t": "1", "elapsed_ms": "", "a": "1", "b": ""},
        {"frame": "1", "axes.t": "1", "elapsed_ms": "3", "a": "", "b": "true"},
        {"frame": "2", "axes.t": "1", "elapsed_ms": "", "a": "", "b": ""},
    ]


def test_a_spreadsheet_runs_nothing_of_a_file() -> None:
    out = io.StringIO(newline="")
    write_csv(sheet_of({"a": "=1+1"}, {"a": "-5"}, {"a": "@x"}), out, ["a"])
    assert [row["a"] for row in read(out.getvalue())] == ["'=1+1", "-5", "'@x"]


def test_what_has_no_form_in_json_costs_one_frame() -> None:
    out = io.StringIO()
    write_json(sheet_of({"a": float("nan")}, {"a": 1}), out)
    first, second = json.loads(out.getvalue())
    assert "no form in JSON" in first["problem"] and second["metadata"] == {"a": 1}
    out = io.StringIO()
    write_json(sheet_of({"a": 1, "b": 2}), out, ["b", "c"])
    assert json.loads(out.getvalue()) == [{"frame": 0, "b": 2}]
    out = io.StringIO()
    write_json(sheet_of(), out)
    assert json.loads(out.getvalue()) == []


def test_a_file_is_there_when_it_is_complete(tmp_path: Path) -> None:
    sheet = sheet_of({"a": 1})
    target = tmp_path / "a.csv"
    assert not export_csv(sheet, target, cancelled=lambda: True)
    assert list(tmp_path.iterdir()) == []
    assert export_csv(sheet, target) and target.read_text().startswith("frame,axes.t,a")
    with pytest.raises(OutputExistsError):
        export_csv(sheet, target)
    assert not export_json(sheet, target, replace=True, cancelled=lambda: True)
    assert target.read_text().startswith("frame")
    assert export_json(sheet, target, replace=True)
    assert json.loads(target.read_text())[0]["frame"] == 0
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_half_way_leaves_nothing(tmp_path: Path) -> None:
    class Broken(ListRecords):
        def record(self, number: int) -> Any:
            if number == 1:
                raise OSError("the disk is gone")
            return super().record(number)

    sheet = FrameSheet(Broken([{"axes": {}}, {"axes": {}}]))
    with pytest.raises(OSError, match="gone"):
        export_json(sheet, tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []
