from __future__ import annotations

import pytest

from napari_scope.events.plan_text import PlanTextError, plan_from_text, same_plan


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("time_plan: {interval: 0, loops: 2}\nchannels: [DAPI\n", 3),
        ("axis_order: tc\nchannels: a: b\n", 2),
    ],
)
def test_a_text_that_is_no_yaml_is_told_with_its_line(text: str, line: int) -> None:
    with pytest.raises(PlanTextError, match=f"line {line}: ") as told:
        plan_from_text(text)
    assert told.value.line == line


def test_plans_that_say_the_same_in_other_words_are_the_same() -> None:
    one, other, third = (
        plan_from_text(text)
        for text in (
            "channels: [DAPI]",
            '{"channels": [{"config": "DAPI"}]}',
            "channels: [FITC]",
        )
    )
    assert same_plan(one, other) and not same_plan(one, third)
