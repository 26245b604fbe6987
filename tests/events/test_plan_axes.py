"""The axes of a plan are told without going through its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import useq

from napari_scope.events.plan_axes import axes_in_use

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    "plan",
    [
        useq.MDASequence(),
        useq.MDASequence(channels=["DAPI"]),
        useq.MDASequence(
            time_plan={"interval": 1, "loops": 3},
            stage_positions=[(0, 0, 0)],
            z_plan={"range": 4, "step": 1},
            grid_plan={"rows": 2, "columns": 2},
        ),
        useq.MDASequence(
            stage_positions=useq.WellPlatePlan(
                plate="96-well", a1_center_xy=(0, 0), selected_wells=((0,), (1,))
            )
        ),
    ],
)
def test_they_are_those_of_useq(plan: useq.MDASequence) -> None:
    assert axes_in_use(plan) == set(map(str, plan.used_axes))


def test_fields_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> Iterator[object]:
        raise AssertionError("the points were drawn")

    plan = useq.MDASequence(grid_plan=useq.RandomPoints(num_points=9, random_seed=1))
    monkeypatch.setattr(useq.RandomPoints, "__iter__", refuse)
    assert axes_in_use(plan) == {"g"}
