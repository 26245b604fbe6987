from __future__ import annotations

import copy
import itertools
import tracemalloc
from typing import Any

import pytest
import useq
from hypothesis import given, settings
from hypothesis import strategies as st
from useq import MDAEvent, MDASequence, Position

from napari_scope.errors import PlanError
from napari_scope.events import Plan, PlateLayout, acquires_image

FULL = MDASequence(
    axis_order="tpcz",
    time_plan={"interval": 2, "loops": 3},
    channels=["DAPI", "FITC"],
    z_plan={"range": 4, "step": 2},
    stage_positions=[Position(x=1, y=2, z=5, name="A"), Position(x=3, y=4, z=6)],
)


def test_a_sequence_is_laid_out() -> None:
    layout = Plan.from_any(FULL).layout()
    assert layout.order == ("time", "channel", "z")
    assert layout.labels == {"channel": ("DAPI", "FITC")}
    assert layout.n_frames == 36
    assert (layout.z_step_um, layout.interval_s) == (2, 2)
    first, second = layout.fields
    # One of the two has no name, so both are numbered; names to show stay.
    assert (first.place, second.place) == ({"position": 0}, {"position": 1})
    assert (first.name, second.name) == ("A", "Pos001")
    assert first.sizes == second.sizes == {"time": 3, "channel": 2, "z": 3}
    assert (first.x_um, first.y_um, first.z_um) == (1, 2, 3)
    assert first.n_frames == 18


def plans() -> st.SearchStrategy[MDASequence]:
    channel = st.builds(
        dict,
        acquire_every=st.integers(1, 2),
        do_stack=st.booleans(),
    )
    sub = st.sampled_from(
        [
            None,
            MDASequence(grid_plan={"rows": 1, "columns": 2}),
            MDASequence(z_plan={"range": 2, "step": 1}),
            MDASequence(grid_plan={"rows": 2, "columns": 1}, channels=["X"]),
            MDASequence(
                autofocus_plan={"autofocus_motor_offset": 1, "axes": ("p",)},
            ),
        ]
    )
    position = st.builds(
        lambda x, name, sequence: Position(x=x, y=x, z=x, name=name, sequence=sequence),
        st.integers(0, 9),
        st.sampled_from([None, "A", "B"]),
        sub,
    )

    def build(**parts: Any) -> MDASequence:
        parts["channels"] = [
            {"config": name, **options}
            for name, options in zip("ABC", parts["channels"], strict=False)
        ]
        return MDASequence(**{k: v for k, v in parts.items() if v})

    return st.builds(
        build,
        channels=st.lists(channel, max_size=3),
        time_plan=st.sampled_from(
            [
                None,
                {"interval": 1, "loops": 1},
                {"interval": 1, "loops": 4},
                {"interval": 0, "loops": 3},
                {"interval": 1, "duration": 3},
                [{"interval": 0, "loops": 2}, {"interval": 2, "loops": 2}],
            ]
        ),
        z_plan=st.sampled_from(
            [None, {"range": 2, "step": 1}, {"relative": [1, 2, 5]}]
        ),
        grid_plan=st.sampled_from([None, {"rows": 2, "columns": 1}]),
        stage_positions=st.lists(position, max_size=3),
        autofocus_plan=st.sampled_from(
            [None, {"autofocus_motor_offset": 1, "axes": ("p",)}]
        ),
        axis_order=st.sampled_from(["tpgcz", "ptgcz", "tpgzc"]),
    )


@pytest.mark.filterwarnings("ignore")  # useq's advice on odd plans
@settings(max_examples=150, deadline=None)
@given(plans())
def test_counts_and_layout_agree_with_the_events(sequence: MDASequence) -> None:
    events = [event for event in sequence if acquires_image(event)]
    plan = Plan.from_any(sequence)
    assert plan.n_frames == len(events)
    layout = plan.layout()
    assert layout.n_frames == len(events) == sum(f.n_frames for f in layout.fields)
    fields = {frozenset(f.place.items()): f for f in layout.fields}
    assert len(fields) == len(layout.fields)
    assert len({f.name for f in layout.fields}) == len(layout.fields)
    places = {"position", "grid"}
    seen = set()
    for event in events:
        axes = plan.naming.axes(event)
        seen.add(frozenset(axes.items()))
        field = fields[frozenset((k, v) for k, v in axes.items() if k in places)]
        index = {k: v for k, v in axes.items() if k not in places}
        assert index.keys() == field.sizes.keys()
        assert index.keys() <= set(layout.order)
        for name, value in index.items():
            number = (
                layout.labels[name].index(value) if isinstance(value, str) else value
            )
            assert 0 <= number < field.sizes[name]
    assert len(seen) == len(events)


def test_the_interval_and_the_step_are_none_where_they_vary() -> None:
    sequence = MDASequence(
        time_plan=[{"interval": 0, "loops": 2}, {"interval": 5, "loops": 3}],
        z_plan={"relative": [0, 1, 5]},
    )
    layout = Plan.from_any(sequence).layout()
    assert (layout.interval_s, layout.z_step_um) == (None, None)


def test_the_step_of_a_stack_that_only_one_position_has() -> None:
    stack = MDASequence(z_plan={"range": 2, "step": 1})
    sequence = MDASequence(
        stage_positions=[
            Position(x=0, y=0, name="flat"),
            Position(x=1, y=0, z=40, name="deep", sequence=stack),
        ]
    )
    layout = Plan.from_any(sequence).layout()
    assert layout.z_step_um == 1
    assert [f.sizes for f in layout.fields] == [{}, {"z": 3}]


def test_the_step_is_that_of_one_stack_where_stacks_differ() -> None:
    stacks = [MDASequence(z_plan={"range": n, "step": 1}) for n in (1, 3)]
    sequence = MDASequence(
        stage_positions=[
            Position(x=n, y=0, z=100 * n, sequence=stack)
            for n, stack in enumerate(stacks)
        ]
    )
    layout = Plan.from_any(sequence).layout()
    assert [f.sizes["z"] for f in layout.fields] == [2, 4]
    assert layout.z_step_um == 1


class TestGrids:
    sequence = MDASequence(
        grid_plan={"rows": 1, "columns": 2},
        stage_positions=[
            Position(x=0, y=0, name="A"),
            Position(
                x=500,
                y=0,
                name="B",
                sequence=MDASequence(grid_plan={"rows": 2, "columns": 2}),
            ),
        ],
    )

    def test_each_tile_is_a_field(self) -> None:
        layout = Plan.from_any(self.sequence).layout()
        names = [f.name for f in layout.fields]
        assert names == [f"A_grid00{i}" for i in range(2)] + [
            f"B_grid00{i}" for i in range(4)
        ]
        assert layout.order == ()

    @pytest.mark.parametrize("looked_at_before", [False, True])
    def test_tiles_are_laid_out_by_the_field_of_view(
        self, looked_at_before: bool
    ) -> None:
        plan = Plan.from_any(self.sequence)
        if looked_at_before:  # useq remembers where the tiles of a sequence are
            assert plan.n_frames == 6
            list(plan.source)
            plan.layout()
        plan.set_field_of_view(100, 50)
        events = list(plan.source)
        assert [e.x_pos for e in events if e.index["p"] == 0] == [-50, 50]
        assert {e.x_pos for e in events if e.index["p"] == 1} == {450, 550}
        assert {e.y_pos for e in events if e.index["p"] == 1} == {-25, 25}
        assert [f.x_um for f in plan.layout().fields][:2] == [-50, 50]

    def test_a_grid_that_states_its_field_keeps_it(self) -> None:
        plan = Plan.from_any(
            MDASequence(
                grid_plan={"rows": 1, "columns": 2, "fov_width": 10, "fov_height": 10}
            )
        )
        plan.set_field_of_view(100, 100)
        assert [e.x_pos for e in plan.source] == [-5, 5]

    def test_the_number_of_tiles_follows_the_field_of_view(self) -> None:
        edges = {"top": 0, "left": 0, "bottom": -20, "right": 20}
        plan = Plan.from_any(MDASequence(grid_plan=edges))
        assert plan.n_frames == len(list(plan.source)) > 9
        plan.set_field_of_view(10, 10)
        assert plan.n_frames == len(list(plan.source)) == plan.layout().n_frames <= 9

    def test_the_users_sequence_stays_as_it_was(self) -> None:
        before = copy.deepcopy(self.sequence)
        plan = Plan.from_any(self.sequence)
        plan.set_field_of_view(100, 100)
        plan.layout()
        assert self.sequence == before
        assert self.sequence.grid_plan is not None
        assert self.sequence.grid_plan.fov_width is None


class TestEvents:
    def test_a_list_is_copied(self) -> None:
        events = [MDAEvent(index={"t": 0}), MDAEvent(index={"t": 1})]
        plan = Plan.from_any(events)
        events.append(MDAEvent(index={"t": 2}))
        assert isinstance(plan.source, list)
        plan.source[0].metadata["mine"] = 1
        assert plan.n_frames == 2
        assert events[0].metadata == {}

    def test_a_single_event_is_a_plan(self) -> None:
        assert Plan.from_any(MDAEvent()).n_frames == 1  # type: ignore[arg-type]

    def test_events_without_an_index_get_the_next_time_points(self) -> None:
        autofocus = MDAEvent(action=useq.HardwareAutofocus(autofocus_motor_offset=1))
        events = [MDAEvent(), autofocus, MDAEvent(), MDAEvent(index={"t": 5})]
        plan = Plan.from_any([*events, MDAEvent()])
        times = [dict(e.index) for e in plan.source]
        assert times == [{"t": 0}, {}, {"t": 1}, {"t": 5}, {"t": 6}]
        assert plan.n_frames == 4
        assert all(e.index == {} for e in events[:3]), "the user's events stay"

    def test_a_plan_of_a_plan_is_a_copy(self) -> None:
        plan = Plan.from_any(FULL)
        again = Plan.from_any(plan)
        assert again.source == plan.source
        assert again.source is not plan.source

    @pytest.mark.parametrize("wrong", [5, "plan.yaml", {"channels": []}, b"", None])
    def test_other_things_are_refused(self, wrong: Any) -> None:
        with pytest.raises(PlanError, match="found"):
            Plan.from_any(wrong)

    def test_a_list_of_other_things_is_refused_with_the_place(self) -> None:
        with pytest.raises(PlanError, match=r"event 1 .* dict"):
            Plan.from_any([MDAEvent(), 5])  # type: ignore[list-item]

    @pytest.mark.parametrize(
        ("indices", "what"),
        [
            ([{"t": 0}, {"t": 0}], "twice"),
            ([{"t": 0}, {"t": 1, "z": 0}], "other axes"),
            ([{"t": -1}], "-1"),
        ],
    )
    def test_what_cannot_be_stored_is_refused_before_the_run(
        self, indices: list[dict[str, int]], what: str
    ) -> None:
        plan = Plan.from_any([MDAEvent(index=index) for index in indices])
        with pytest.raises(PlanError, match=what):
            plan.layout()

    def test_numbers_and_labels_on_one_axis_are_refused(self) -> None:
        own = [{"time": 0, "channel": "A"}, {"time": 1, "channel": 0}]
        plan = Plan.from_any([MDAEvent(metadata={"axes": axes}) for axes in own])
        with pytest.raises(PlanError, match="labels"):
            plan.layout()

    def test_a_position_may_have_a_label_only(self) -> None:
        own: list[dict[str, Any]] = [
            {"position": "A1", "time": 0},
            {"position": "A1", "time": 1},
            {"position": "B", "row": 2},
        ]
        plan = Plan.from_any([MDAEvent(metadata={"axes": axes}) for axes in own])
        fields = plan.layout().fields
        assert [f.name for f in fields] == ["A1", "B_row002"]
        assert [f.n_frames for f in fields] == [2, 1]

    def test_equal_names_are_told_apart(self) -> None:
        events = [
            MDAEvent(index={"p": p}, pos_name="A", metadata={"axes": {"position": p}})
            for p in range(3)
        ]
        fields = Plan.from_any(events).layout().fields
        assert [f.name for f in fields] == ["A", "A_2", "A_3"]

    def test_a_gap_is_part_of_the_size(self) -> None:
        plan = Plan.from_any([MDAEvent(index={"t": t}) for t in (0, 4)])
        (field,) = plan.layout().fields
        assert (field.sizes, field.n_frames) == ({"time": 5}, 2)


class TestGenerators:
    def test_they_are_read_during_the_run_only(self) -> None:
        taken: list[int] = []

        def events() -> Any:
            for number in range(3):
                taken.append(number)
                yield MDAEvent()

        plan = Plan.from_any(events())
        assert not plan.is_finite
        assert plan.n_frames is None
        assert plan.sequence is None
        plan.set_field_of_view(1, 1)
        with pytest.raises(PlanError, match="generator"):
            plan.layout()
        assert taken == []
        assert [dict(e.index) for e in plan.source] == [{"t": 0}, {"t": 1}, {"t": 2}]

    def test_what_is_no_event_is_refused_when_it_comes(self) -> None:
        plan = Plan.from_any(iter([MDAEvent(), "stop"]))  # type: ignore[list-item]
        source = iter(plan.source)
        next(source)
        with pytest.raises(PlanError, match="event 1"):
            next(source)


class TestDictionaries:
    def test_one_is_a_plan(self) -> None:
        plan = Plan.from_any({"axes": {"z": 3}, "z": 5})
        assert isinstance(plan.source, list)
        (event,) = plan.source
        assert (dict(event.index), event.z_pos) == ({"z": 3}, 5)
        assert plan.n_frames == 1

    def test_they_may_be_mixed_with_events_of_useq(self) -> None:
        plan = Plan.from_any(
            [
                {"axes": {"time": 0, "position": "left"}, "x": 1, "y": 2},
                {"config_group": ["LED", "on"]},
                MDAEvent(index={"t": 1, "p": 0}, pos_name="left"),
                {"axes": {"time": 2, "position": "right"}},
            ]
        )
        assert plan.n_frames == 3
        assert [f.name for f in plan.layout().fields] == ["left", "right"]
        assert [plan.naming.axes(e) for e in plan.source if acquires_image(e)] == [
            {"time": 0, "position": "left"},
            {"time": 1, "position": "left"},
            {"time": 2, "position": "right"},
        ]
        assert plan.table.labels("position") == {0: "left", 1: "right"}
        assert plan.channels() == {("LED", "on")}

    def test_the_callers_stay_as_they_were(self) -> None:
        events = [{"axes": {"z": 0}, "row": 0, "col": 1, "tags": {"a": [1]}}]
        before = copy.deepcopy(events)
        plan = Plan.from_any(events)
        assert isinstance(plan.source, list)
        plan.source[0].metadata["a"].append(2)
        assert events == before

    def test_tiles_are_fields(self) -> None:
        tiles = [
            {"axes": {"row": row, "column": column, "z": 0}, "x": 10 * column, "y": 0}
            for row in range(2)
            for column in (-1, 0)
        ]
        layout = Plan.from_any(tiles).layout()
        assert layout.order == ("z",)
        assert [f.name for f in layout.fields][:2] == [
            "row000_column-01",
            "row000_column000",
        ]

    def test_the_number_of_a_bad_event_is_told(self) -> None:
        with pytest.raises(PlanError, match=r"^event 1: 'z' must be"):
            Plan.from_any([{"axes": {"z": 0}}, {"axes": {"z": 1}, "z": "top"}])

    def test_labels_that_cannot_be_stored_are_refused(self) -> None:
        plan = Plan.from_any([{"axes": {"angle": "a\x00b"}}])
        with pytest.raises(PlanError, match="characters"):
            plan.layout()

    def test_a_second_camera_is_an_axis_beside_their_own(self) -> None:
        plan = Plan.from_any({"axes": {"z": 0}})
        assert isinstance(plan.source, list)
        event = plan.source[0]
        event = event.model_copy(update={"index": {**event.index, "cam": 1}})
        assert plan.naming.axes(event) == {"z": 0, "camera": 1}


class TestBatches:
    def test_each_item_of_an_iterator_is_one(self) -> None:
        sequence = MDASequence(z_plan={"range": 2, "step": 1})
        items: list[Any] = [
            {"axes": {"time": 0}},
            [{"axes": {"time": 1}}, MDAEvent(index={"t": 2})],
            (),
            sequence,
            MDAEvent(),
        ]
        plan = Plan.from_any(iter(items))
        found = [[dict(e.index) for e in batch] for batch in plan.batches()]
        assert found == [
            [{"t": 0}],
            [{"t": 1}, {"t": 2}],
            [],
            [{"z": 0}, {"z": 1}, {"z": 2}],
            [{"t": 3}],
        ]

    def test_the_source_gives_the_same_one_by_one(self) -> None:
        plan = Plan.from_any(iter([[MDAEvent(), MDAEvent()], {"axes": {"t": 5}}]))
        assert not plan.is_finite
        assert [dict(e.index) for e in plan.source] == [{"t": 0}, {"t": 1}, {"t": 5}]
        assert list(plan.batches()) == []

    def test_they_are_read_when_they_are_wanted(self) -> None:
        taken = []

        def events() -> Any:
            for number in range(3):
                taken.append(number)
                yield [{"axes": {"z": number}}]

        batches = Plan.from_any(events()).batches()
        assert taken == []
        next(batches)
        assert taken == [0]

    def test_a_plan_of_a_plan_goes_on_with_them(self) -> None:
        plan = Plan.from_any(
            iter([[{"axes": {"z": 0}}, {"axes": {"z": 1}}], MDAEvent()])
        )
        again = Plan.from_any(plan)
        assert [len(list(batch)) for batch in again.batches()] == [2, 1]
        assert again.table is plan.table

    @pytest.mark.parametrize("given", [FULL, [MDAEvent(), MDAEvent()]])
    def test_a_finite_plan_is_one(self, given: Any) -> None:
        plan = Plan.from_any(given)
        (batch,) = plan.batches()
        assert batch is plan.source

    def test_grids_that_come_get_the_field_of_view(self) -> None:
        grid = MDASequence(grid_plan={"rows": 1, "columns": 2})
        plan = Plan.from_any(iter([grid]))
        plan.set_field_of_view(100, 50)
        (batch,) = plan.batches()
        assert [event.x_pos for event in batch] == [-50, 50]
        assert grid.grid_plan is not None
        assert grid.grid_plan.fov_width is None

    def test_a_bad_event_in_a_batch_is_told_by_its_number(self) -> None:
        batches = Plan.from_any(
            iter([[{"axes": {}}, {"axes": {}}], [{"z": "x"}]])
        ).batches()
        next(batches)
        with pytest.raises(PlanError, match="event 2: 'z'"):
            next(batches)

    def test_a_list_in_a_list_is_refused(self) -> None:
        with pytest.raises(PlanError, match="event 0 of the plan is a list"):
            Plan.from_any([[MDAEvent()]])  # type: ignore[list-item]

    def test_millions_of_events_need_no_memory(self) -> None:
        def events() -> Any:
            for time in itertools.count():
                yield {"axes": {"time": time, "channel": "AB"[time % 2]}, "z": 1}
                yield MDAEvent()

        def peak(count: int) -> int:
            plan = Plan.from_any(events())
            naming = plan.naming
            tracemalloc.start()
            for event in itertools.islice(plan.source, count):
                naming.axes(event)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return most

        peak(100)
        assert peak(5000) < peak(500) + 20_000


class TestPlates:
    def test_a_plate_and_its_wells(self) -> None:
        sequence = MDASequence(
            channels=["A"],
            stage_positions={
                "plate": "96-well",
                "a1_center_xy": (0, 0),
                "selected_wells": ([0, 2], [1, 3]),
            },
        )
        layout = Plan.from_any(sequence).layout()
        assert layout.plate == PlateLayout("96-well", 8, 12)
        assert [f.well for f in layout.fields] == [(0, 1), (2, 3)]

    def test_points_in_a_well_share_it(self) -> None:
        sequence = MDASequence(
            stage_positions={
                "plate": "6-well",
                "a1_center_xy": (0, 0),
                "selected_wells": ([0, 1], [0, 0]),
                "well_points_plan": {
                    "rows": 1,
                    "columns": 2,
                    "fov_width": 1,
                    "fov_height": 1,
                },
            },
        )
        fields = Plan.from_any(sequence).layout().fields
        assert [f.well for f in fields] == [(0, 0), (0, 0), (1, 0), (1, 0)]

    def test_positions_that_say_their_wells(self) -> None:
        wells = [
            Position(x=0, plate_row=1, plate_col=0, name="a"),
            Position(x=1, plate_row=0, plate_col=4, name="b"),
        ]
        layout = Plan.from_any(MDASequence(stage_positions=wells)).layout()
        assert layout.plate == PlateLayout(None, 2, 5)
        layout = Plan.from_any(
            MDASequence(stage_positions=[*wells, Position(x=3, name="c")])
        ).layout()
        assert layout.plate is None
        assert [f.well for f in layout.fields] == [None] * 3


def test_an_empty_plan_has_no_frames() -> None:
    for plan in (Plan.from_any([]), Plan.from_any(MDASequence())):
        assert plan.n_frames == 0
        assert plan.layout().fields == ()
        assert plan.layout().n_frames == 0
