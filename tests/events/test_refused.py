from __future__ import annotations

from typing import Any

import pytest
from useq import MDAEvent, MDASequence

from napari_scope.errors import PlanError
from napari_scope.events import Plan, refused_events


def test_all_that_is_wrong_is_found_with_its_number() -> None:
    plan: list[Any] = [
        {"axes": {"z": 0}},
        {"axes": {"z": 1}, "exposure": "fast"},
        {"axes": {"z": 0}},
        {"properties": [["D", "P"]]},
        MDAEvent(index={"z": 2}),
        "stop",
        {"axes": {"z": -1}},
        {"axes": {"z": "top"}},
        {"axes": {"time": 0, "z": 3}},
        {"axes": {"z": 3}},
    ]
    found = refused_events(plan)
    assert [event.number for event in found] == [1, 2, 3, 5, 6, 7, 8]
    reasons = [event.reason for event in found]
    expected = ["'exposure'", "twice", "'properties'", "str", "-1", "labels", "other"]
    for reason, text in zip(reasons, expected, strict=True):
        assert text in reason
        assert not reason.startswith("event"), "the number stands beside it"


def test_the_reason_says_what_to_do() -> None:
    (found,) = refused_events([{"axes": {"z": 0}, "exposre": 1}])
    assert found.reason.endswith("did you mean 'exposure'?")


@pytest.mark.parametrize(
    "plan",
    [
        [],
        {"axes": {}},
        MDAEvent(),
        [{"axes": {"time": t}} for t in range(3)],
        MDASequence(time_plan={"interval": 1, "loops": 10**6}, channels=["A"]),
        Plan.from_any([{"axes": {"time": 0}}]),
    ],
)
def test_a_good_plan_has_none(plan: Any) -> None:
    assert refused_events(plan) == []


def test_a_sequence_that_cannot_be_stored() -> None:
    sequence = MDASequence(
        stage_positions=[
            {"x": 0, "y": 0, "name": "a\nb"},
            {"x": 1, "y": 1, "name": "c"},
        ]
    )
    (found,) = refused_events(sequence)
    assert (found.number, "characters" in found.reason) == (0, True)


@pytest.mark.parametrize("wrap", [iter, lambda e: Plan.from_any(iter(e))])
def test_a_generator_is_not_read(wrap: Any) -> None:
    plan = wrap([{"axes": {}}])
    with pytest.raises(PlanError, match="generator"):
        refused_events(plan)


def test_no_plan_at_all() -> None:
    with pytest.raises(PlanError, match="found int"):
        refused_events(5)  # type: ignore[arg-type]
