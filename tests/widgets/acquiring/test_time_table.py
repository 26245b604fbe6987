from __future__ import annotations

from typing import TYPE_CHECKING

import pint
import pytest
import useq
from hypothesis import given
from hypothesis import strategies as st
from pymmcore_widgets import _humanize
from pymmcore_widgets._humanize import humanize_time
from pymmcore_widgets.useq_widgets import _column_info

from napari_scope.widgets.acquiring.time_table import TimeTable, seconds_of
from napari_scope.widgets.common.icons import serve_shipped_icons

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture(autouse=True)
def shipped_icons() -> None:
    serve_shipped_icons()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1 s", 1.0),
        ("100 ms", 0.1),
        ("5 µs", 5e-6),
        ("1.5 min", 90.0),
        ("1 d, 2 h and 3 min", 93780.0),
        (" 2s ", 2.0),
        ("", None),
        (None, None),
        ("0:30", None),
        ("1 fortnight", None),
        ("1 s later", None),
        ("-1 s", None),
        ("5", None),
    ],
)
def test_plain_times_are_read(text: str | None, seconds: float | None) -> None:
    assert seconds_of(text) == (None if seconds is None else pytest.approx(seconds))


@given(st.floats(0, 1e6), st.sampled_from(["seconds", "milliseconds"]))
def test_all_that_the_table_writes_is_read(seconds: float, unit: str) -> None:
    text = humanize_time(seconds, unit)  # type: ignore[arg-type]
    parts = text.replace(",", "").replace(" and", "").split()
    pairs = zip(parts[::2], parts[1::2], strict=True)
    expected = sum(pint.Quantity(f"{a} {b}").to("s").magnitude for a, b in pairs)
    assert seconds_of(text) == pytest.approx(expected)


def test_a_user_edits_the_table(qtbot: QtBot) -> None:
    table = TimeTable(1)
    qtbot.addWidget(table)
    plan = useq.TIntervalLoops(interval=0.25, loops=7)
    table.setValue(plan)
    assert table.value() == plan
    cell = table.table().cellWidget(0, table.table().indexOf(table.INTERVAL))
    for typed, seconds in (("2 min", 120), ("0.5 hours", 1800)):
        cell.setFocus()
        cell.selectAll()
        qtbot.keyClicks(cell, typed)
        assert cell.hasAcceptableInput()
        cell.editingFinished.emit()
        assert table.value().interval.total_seconds() == seconds
    cell.selectAll()
    qtbot.keyClicks(cell, "soon")
    cell.editingFinished.emit()
    assert cell.text() == "30 min"


def test_a_new_table_asks_for_no_units(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    for module in (_humanize, _column_info):
        monkeypatch.setattr(module, "parse_time_string", lambda *a: asked.append(a))
    table = TimeTable(1)
    qtbot.addWidget(table)
    table.setValue(useq.TIntervalLoops(interval=90, loops=2))
    assert table.value().interval.total_seconds() == 90
    assert asked == []
