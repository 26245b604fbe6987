from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from useq import Channel, MDAEvent, MDASequence, Position

from napari_scope.errors import PlanError
from napari_scope.events import AxisNaming, AxisTable, frame_axes


def named(events: Any) -> list[dict[str, int | str]]:
    events = list(events)
    naming = AxisNaming(events)
    return [naming.axes(event) for event in events]


def test_letters_become_names_and_the_channel_its_preset() -> None:
    event = MDAEvent(index={"t": 2, "p": 1, "g": 3, "c": 0, "z": 1}, channel="DAPI")
    assert frame_axes(event) == {
        "time": 2,
        "position": 1,
        "grid": 3,
        "channel": "DAPI",
        "z": 1,
    }


def test_custom_axes_survive() -> None:
    assert frame_axes(MDAEvent(index={"angle": 4, "t": 0})) == {"angle": 4, "time": 0}


def test_a_channel_without_a_preset_keeps_its_number() -> None:
    assert frame_axes(MDAEvent(index={"c": 1})) == {"channel": 1}


def test_positions_take_their_names() -> None:
    sequence = MDASequence(
        stage_positions=[Position(x=0, name="left"), Position(x=9, name="right")]
    )
    assert named(sequence) == [{"position": "left"}, {"position": "right"}]


@pytest.mark.parametrize("names", [("A", "A"), ("A", None), (None, None)])
def test_positions_with_equal_or_missing_names_are_all_numbered(
    names: tuple[str | None, str | None],
) -> None:
    sequence = MDASequence(stage_positions=[Position(x=0, name=n) for n in names])
    assert named(sequence) == [{"position": 0}, {"position": 1}]


def test_presets_of_two_groups_get_the_longer_form() -> None:
    sequence = MDASequence(
        channels=[
            Channel(group="LED", config="DAPI"),
            Channel(group="Laser", config="DAPI"),
            Channel(group="LED", config="FITC"),
        ]
    )
    labels = [axes["channel"] for axes in named(sequence)]
    assert labels == ["LED-DAPI", "Laser-DAPI", "LED-FITC"]


@pytest.mark.parametrize(
    "channels",
    [
        [(0, "DAPI"), (1, "DAPI")],  # two rows with one preset
        [(0, "DAPI"), (0, "FITC")],  # one row with two presets
        [(0, None), (1, "DAPI")],  # a row without any
    ],
)
def test_rows_without_a_name_of_their_own_are_all_numbered(
    channels: list[tuple[int, str | None]],
) -> None:
    events = [
        MDAEvent(index={"t": t, "c": c}, channel=name)
        for t, (c, name) in enumerate(channels)
    ]
    assert [axes["channel"] for axes in named(events)] == [c for c, _ in channels]


def test_axes_in_the_metadata_win() -> None:
    own = {"t": np.int64(3), "channel": "x", "polarisation": 90}
    event = MDAEvent(index={"t": 0}, metadata={"axes": own})
    axes = frame_axes(event)
    assert axes == {"time": 3, "channel": "x", "polarisation": 90}
    assert type(axes["time"]) is int


@pytest.mark.parametrize(
    "own",
    [5, "t", {"t": 1.5}, {"t": None}, {"t": True}, {"t": [1]}, {"t": 1, "time": 2}],
)
def test_axes_that_identify_nothing_are_refused(own: Any) -> None:
    with pytest.raises(PlanError):
        frame_axes(MDAEvent(metadata={"axes": own}))


def test_each_frame_of_a_ragged_sequence_has_its_own_axes() -> None:
    tiles = MDASequence(grid_plan={"rows": 1, "columns": 2})
    sequence = MDASequence(
        channels=["DAPI", "FITC"],
        stage_positions=[
            Position(x=0, y=0, name="A"),
            Position(x=50, y=0, name="B", sequence=tiles),
        ],
        axis_order="pgc",
    )
    axes = named(sequence)
    assert len(axes) == 6
    assert len({frozenset(a.items()) for a in axes}) == 6
    assert [a for a in axes if a["position"] == "A"] == [
        {"position": "A", "channel": "DAPI"},
        {"position": "A", "channel": "FITC"},
    ]


class TestTable:
    def test_labels_are_numbered_for_each_axis(self) -> None:
        table = AxisTable()
        found = [table.index("channel", name) for name in ("B", "A", "B")]
        assert found == [0, 1, 0]
        assert table.index("c", "A") == 1, "the short name is the same axis"
        assert table.index("position", "A") == 0
        assert table.index("position", 7) == 7
        assert table.labels("p") == {0: "A"}

    def test_a_number_noted_from_elsewhere_is_not_given_twice(self) -> None:
        table = AxisTable()
        table.note("channel", "B", 1)
        table.note("channel", "B", 5)
        table.note("channel", "C", 1)
        names = ["A", "B", "C", "D"]
        numbers = [table.index("channel", name) for name in names]
        assert len({*numbers}) == 4
        assert numbers[1] == 1


def test_events_with_axes_of_their_own_do_not_unname_the_others() -> None:
    events = [
        MDAEvent(index={"p": 0, "t": 0}, pos_name="A"),
        MDAEvent(index={"p": 0, "t": 1}, metadata={"axes": {"position": "A", "t": 1}}),
    ]
    assert [axes["position"] for axes in named(events)] == ["A", "A"]
