"""Plates lie where the focus is; no plan drives the focus to zero."""

from __future__ import annotations

import pytest
import useq

from napari_scope.events import Plan
from napari_scope.events.plates import with_plate_at


def plate(**what: object) -> useq.WellPlatePlan:
    return useq.WellPlatePlan(
        plate="96-well",
        a1_center_xy=(100, 200),
        selected_wells=([0, 1], [0, 3]),
        **what,
    )


def heights(sequence: useq.MDASequence) -> list[float | None]:
    return [event.z_pos for event in sequence]


GRID = useq.GridRowsColumns(rows=1, columns=2, fov_width=10, fov_height=10)


@pytest.mark.parametrize("points", [useq.RelativePosition(), GRID])
def test_without_a_stack_the_focus_stays(points: object) -> None:
    sequence = useq.MDASequence(
        stage_positions=plate(well_points_plan=points), channels=["DAPI"]
    )
    assert set(heights(sequence)) == {0.0}, "what useq does"
    lying = with_plate_at(sequence, 70.0)
    assert set(heights(lying)) == {None}
    assert [(e.x_pos, e.y_pos, e.pos_name) for e in lying] == [
        (e.x_pos, e.y_pos, e.pos_name) for e in sequence
    ]
    assert heights(sequence) == [0.0] * len(heights(sequence)), "it is not changed"


def test_a_stack_is_around_the_focus() -> None:
    sequence = useq.MDASequence(
        stage_positions=plate(), z_plan=useq.ZRangeAround(range=2, step=1)
    )
    assert heights(with_plate_at(sequence, 70.0)) == [69.0, 70.0, 71.0] * 2
    above = useq.MDASequence(
        stage_positions=plate(well_points_plan=useq.RelativePosition(z=5))
    )
    assert heights(with_plate_at(above, 70.0)) == [75.0] * 2


def test_an_offset_of_a_channel_is_from_the_focus() -> None:
    channel = useq.Channel(config="DAPI", z_offset=2.0)
    sequence = useq.MDASequence(
        stage_positions=plate(),
        channels=[channel],
        z_plan=useq.ZRelativePositions(relative=[0.0]),
    )
    assert heights(with_plate_at(sequence, 70.0)) == [72.0] * 2


def test_heights_of_their_own_stay() -> None:
    sequence = useq.MDASequence(
        stage_positions=plate(), z_plan=useq.ZTopBottom(top=4, bottom=3, step=1)
    )
    assert heights(with_plate_at(sequence, 70.0)) == heights(sequence)
    places = useq.MDASequence(stage_positions=[(1, 2, 3)])
    assert with_plate_at(places, 70.0) is places


def test_a_plan_keeps_its_plate_and_its_height() -> None:
    sequence = useq.MDASequence(
        stage_positions=plate(well_points_plan=useq.GridRowsColumns(rows=1, columns=2)),
        z_plan=useq.ZRangeAround(range=2, step=1),
        time_plan={"interval": 0, "loops": 50},
    )
    plan = Plan.from_any(sequence)
    plan.set_field_of_view(512.0, 512.0)
    plan.set_focus(70.0)
    assert {event.z_pos for event in plan.source} == {69.0, 70.0, 71.0}
    layout = plan.layout()
    assert layout.plate is not None and layout.plate.rows == 8
    assert {field.z_um for field in layout.fields} == {69.0}
    assert layout.n_frames == 50 * 4 * 3
