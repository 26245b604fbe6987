"""What differs between two plans, in words."""

from __future__ import annotations

from typing import Any

import pytest
import useq

from napari_scope.events.plan_compare import own_metadata, plan_differences

PLAN = useq.MDASequence(
    channels=["DAPI"],
    z_plan={"range": 4, "step": 1},
    stage_positions=[(1, 2, 3), (4, 5, 6)],
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"z_plan": {"range": 6, "step": 1}}, "the z stack: range 4.0 would become"),
        (
            {"z_plan": {"top": 4, "bottom": 0, "step": 1}},
            "the z stack: ZRangeAround would become ZTopBottom",
        ),
        ({"z_plan": None}, 'the z stack: {"kind": "ZRangeAround"'),
        (
            {"stage_positions": [(1, 2, 3), (4, 9, 6)]},
            "the positions: y 5.0 would become y 9.0",
        ),
        (
            {"channels": [{"config": "DAPI", "exposure": 5}]},
            "the channels: exposure nothing would become exposure 5.0",
        ),
        (
            # Two things differ in one channel: the first of them is named.
            {"channels": [{"config": "FITC", "exposure": 5}]},
            "the channels: config DAPI would become config FITC",
        ),
        (
            {"metadata": {"who": "me"}},
            "the metadata: who nothing would become who me",
        ),
    ],
)
def test_the_smallest_part_that_differs_is_named(
    change: dict[str, Any], words: str
) -> None:
    found = plan_differences(PLAN, PLAN.replace(**change))[0]
    assert found.startswith(words)


def test_keys_of_which_several_are_new_are_told_whole() -> None:
    new = {"who": "me", "why": "for fun"}
    (found,) = plan_differences(PLAN, PLAN.replace(metadata=new))
    assert found == 'the metadata: {} would become {"who": "me", "why": "for fun"}'


def test_what_makes_no_difference_to_a_run() -> None:
    noted = PLAN.replace(metadata={"pymmcore_widgets": {"a": 1}})
    assert plan_differences(PLAN, noted) == [] and own_metadata(noted) == {}
    random = useq.RandomPoints(num_points=3, max_width=10, max_height=10)
    one = PLAN.replace(grid_plan=random, stage_positions=[])
    seeded = random.model_copy(update={"random_seed": 7})
    assert plan_differences(one, one.replace(grid_plan=seeded)) == []
