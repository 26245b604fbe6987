from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.frame_records import (
    FrameRecord,
    ListRecords,
    as_number,
    cells,
    leaves,
    unit_of,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_every_value_of_any_document_is_a_plain_cell(facts: dict[str, Any]) -> None:
    for name, value in leaves(facts):
        assert isinstance(name, str)
        assert value is None or isinstance(value, str | int | float | bool)


def test_everyone_s_facts_have_one_name() -> None:
    facts = {
        "roi": [0, 0, 4, 4],
        "ReceivedTime": "now",
        "ElapsedTime-ms": 12,
        "XPositionUm": 1.5,
        "Core-Camera": "Zyla",
        "Axes": {"time": 1},
        "properties": [["Laser", "Power", "5"], ["Wheel", "Label", "red"]],
        "events": [{"x": 1}, {"x": 2}],
        "empty": {},
    }
    record = FrameRecord(3, {"time": 1, "channel": "a"}, facts)
    assert cells(record) == {
        "axes.time": 1,
        "axes.channel": "a",
        "time": "now",
        "elapsed_ms": 12,
        "x_um": 1.5,
        "camera": "Zyla",
        "properties.Laser.Power": "5",
        "properties.Wheel.Label": "red",
        "roi": "[0, 0, 4, 4]",
        "events.0.x": 1,
        "events.1.x": 2,
        "empty": "",
    }
    assert list(cells(record))[:6] == [
        "axes.time",
        "axes.channel",
        "time",
        "elapsed_ms",
        "x_um",
        "camera",
    ]


def test_what_did_not_come_says_why() -> None:
    row = cells(FrameRecord(0, {"t": 1}, status="skipped", reason="no light"))
    assert row == {"axes.t": 1, "status": "skipped", "reason": "no light"}
    assert cells(FrameRecord(0, {}, problem="torn"))["problem"] == "torn"


def test_a_document_of_any_depth_and_size_is_bounded() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = {"a": deep}
    ((name, value),) = leaves({"top": deep})
    assert value == 1 and name.count("a") == 5000
    assert len(list(leaves({str(n): n for n in range(10_000)}))) == 2000
    lists: Any = []
    for _ in range(100_000):
        lists = [lists]
    assert dict(leaves({"x": lists})) == {"x": "(nested too deeply)"}


def test_numbers_may_be_text_but_not_anything() -> None:
    assert [as_number(v) for v in (1, 2.5, "3", "-2e3")] == [1, 2.5, 3, -2000]
    odd = (None, True, "x", "", "1_000", "nan", float("inf"), [1], "9" * 500, 10**400)
    assert [as_number(v) for v in odd] == [None] * len(odd)


def test_units_are_read_from_names() -> None:
    names = (
        "exposure_ms",
        "XPositionUm",
        "min_start_time_s",
        "Cam.Temperature",
        "gain",
    )
    assert [unit_of(name) for name in names] == ["ms", "µm", "s", "°C", ""]
    assert unit_of("properties.XY.x_um") == "µm" and unit_of("channels") == ""


def test_a_list_of_anything_is_taken() -> None:
    records = ListRecords([{"axes": {"t": 1, "bad": [1], "on": True}, "a": 2}, 7, None])
    assert len(records) == records.refresh() == 1
    assert records.record(0) == FrameRecord(0, {"t": 1}, {"a": 2})
    assert records.place(0) is None and records.number_at(0, {}) is None
    assert json.loads(json.dumps(records.record(0).as_json()))["metadata"] == {"a": 2}
