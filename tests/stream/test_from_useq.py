from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import useq
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from napari_scope.errors import SettingsError
from napari_scope.formats import open_dataset
from napari_scope.stream import (
    AcquisitionSettings,
    SequencePlan,
    create_stream,
    plan_sequence,
    read_journal,
)

if TYPE_CHECKING:
    from pathlib import Path

GRID = {"rows": 1, "columns": 2, "fov_width": 10, "fov_height": 10}
STACK = {"range": 2, "step": 1}


def planned(sequence: useq.MDASequence, **more: Any) -> SequencePlan:
    return plan_sequence(
        sequence,
        **{
            "format": "memory",
            "dtype": "u2",
            "image_height": 4,
            "image_width": 6,
            **more,
        },
    )


def check(sequence: useq.MDASequence, plan: SequencePlan) -> None:
    """Stream a number for each event; each is where its event says, nothing else is."""
    events = [e for e in sequence if e.action.type == "acquire_image"]
    with create_stream(plan.settings) as stream:
        for number, event in enumerate(events, 1):
            index = None if plan.in_order else plan.index(event)
            stream.append(np.full((4, 6), number, "u2"), index=index)
    assert stream.stats().saved == plan.settings.num_frames == len(events)
    images = [np.asarray(i.levels[0])[..., 0, 0] for i in stream.view().images]
    for number, event in enumerate(events, 1):
        index = plan.index(event)
        image = images[int(index.pop("position", 0))]
        if "channel" in index:
            index["channel"] = plan.scan.labels.index(str(index["channel"]))
        assert image[index_of(plan, image, index)] == number
    assert sum(np.count_nonzero(image) for image in images) == len(events)
    # All that is not there is marked as such.
    assert stream.stats().skipped == sum(i.size for i in images) - len(events)


def index_of(
    plan: SequencePlan, image: npt.NDArray[Any], index: dict[str, Any]
) -> tuple[int, ...]:
    names = plan.settings.to_spec().index_axes
    assert len(names) == image.ndim
    return tuple(index.get(name, 0) for name in names)


def test_a_regular_sequence(tmp_path: Path) -> None:
    sequence = useq.MDASequence(
        axis_order="tpcz",
        time_plan={"interval": 0.5, "loops": 1000},
        stage_positions=[(1, 2, 3), {"x": 4, "y": 5, "z": 6, "name": "B"}],
        channels=["DAPI", "FITC"],
        z_plan={"range": 3, "step": 1.5},
    )
    path = tmp_path / "a.ome.zarr"
    plan = planned(
        sequence,
        root_path=path,
        format="auto",
        pixel_size_um=0.25,
        chunk_shapes={"z": 3, "y": 2},
        shard_shapes={"t": 10, "x": 1},
    )
    found = plan.settings
    assert plan.in_order
    assert found.shape == (1000, 2, 2, 3, 4, 6)
    assert found.gaps == ()
    assert [d.name for d in found.dimensions] == ["t", "p", "c", "z", "y", "x"]
    assert [d.chunk_size for d in found.dimensions] == [None, None, None, 3, 2, None]
    assert [d.shard_size_chunks for d in found.dimensions][:1] == [10]
    spec = found.to_spec()
    assert (spec.interval_s, spec.z_um, spec.pixel_um) == (0.5, 1.5, 0.25)
    one, two = spec.images
    assert [one.name, two.name] == ["Pos000", "B"]
    assert (one.x_um, one.y_um, one.z_um) == (1, 2, 1.5)
    assert (two.x_um, two.y_um, two.z_um) == (4, 5, 4.5)
    assert spec.labels == {"channel": ("DAPI", "FITC")}


SEQUENCES: dict[str, dict[str, Any]] = {
    "every other time": {
        "time_plan": {"interval": 0, "loops": 5},
        "channels": ["A", {"config": "B", "acquire_every": 2}],
        "z_plan": STACK,
    },
    "no stack": {
        "channels": ["A", {"config": "B", "do_stack": False}],
        "z_plan": STACK,
        "axis_order": "tpgzc",
    },
    "first channel without a stack, z slow": {
        "channels": [{"config": "A", "do_stack": False}, "B"],
        "z_plan": STACK,
        "axis_order": "tpgzc",
    },
    "both": {
        "time_plan": {"interval": 0, "loops": 4},
        "channels": [
            {"config": "A", "acquire_every": 3},
            {"config": "B", "do_stack": False},
        ],
        "z_plan": STACK,
        "stage_positions": [(0, 0, 0), (1, 1, 1)],
    },
    "own stack": {
        "channels": ["A"],
        "stage_positions": [
            (0, 0, 0),
            {"x": 1, "y": 1, "z": 1, "sequence": {"z_plan": STACK}},
        ],
    },
    "larger own stack": {
        "time_plan": {"interval": 0, "loops": 2},
        "z_plan": STACK,
        "stage_positions": [
            (0, 0, 0),
            {"x": 1, "y": 1, "z": 1, "sequence": {"z_plan": {"range": 6, "step": 1}}},
        ],
    },
    "own channels": {
        "channels": ["A", "B"],
        "stage_positions": [
            (0, 0, 0),
            {"x": 1, "y": 1, "sequence": {"channels": ["C", "B"]}},
        ],
    },
    "own grid": {
        "channels": ["A", "B"],
        "stage_positions": [
            (0, 0, 0),
            {"x": 9, "y": 9, "sequence": {"grid_plan": GRID}},
        ],
    },
    "channels at one place only": {
        "stage_positions": [(0, 0, 0), {"x": 1, "sequence": {"channels": ["C"]}}],
    },
    "channels that nobody takes": {
        "channels": ["A", "B"],
        "stage_positions": [{"x": 1, "sequence": {"channels": ["A"]}}],
    },
    "own time points": {
        "channels": ["A"],
        "stage_positions": [
            (0, 0, 0),
            {"x": 9, "sequence": {"time_plan": {"interval": 0, "loops": 3}}},
        ],
    },
    "grid": {"stage_positions": [(0, 0, 0), (99, 0, 0)], "grid_plan": GRID},
    "grid only": {"grid_plan": GRID, "time_plan": {"interval": 0, "loops": 5}},
    "grid before positions": {
        "axis_order": "tgpcz",
        "stage_positions": [(0, 0, 0), (99, 0, 0)],
        "grid_plan": {**GRID, "relative_to": "center"},
    },
    "channels between positions and grid": {
        "axis_order": "tpcgz",
        "channels": ["A", "B"],
        "stage_positions": [(0, 0, 0), (99, 0, 0)],
        "grid_plan": GRID,
    },
    "two groups": {
        "channels": [{"config": "A", "group": "1"}, {"config": "A", "group": "2"}],
    },
    "one name": {
        "stage_positions": [{"x": 1, "name": "A"}, {"x": 2, "name": "A"}],
    },
    "autofocus": {
        "stage_positions": [(0, 0, 0), (1, 0, 0)],
        "channels": ["A"],
        "autofocus_plan": {"autofocus_motor_offset": 3, "axes": ("p",)},
    },
    "phases": {
        "time_plan": [{"interval": 1, "loops": 2}, {"interval": 5, "loops": 3}],
    },
    "single frame": {"channels": ["A"]},
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_every_frame_keeps_its_place(name: str) -> None:
    sequence = useq.MDASequence(**SEQUENCES[name])
    check(sequence, planned(sequence))


def test_the_order_of_the_frames_is_told() -> None:
    out_of_order = {
        name
        for name, fields in SEQUENCES.items()
        if not planned(useq.MDASequence(**fields)).in_order
    }
    assert out_of_order == {
        "channels between positions and grid",
        "own grid",
        "own channels",
    }


def test_a_sequence_out_of_order_is_told_to_who_cannot_know() -> None:
    sequence = useq.MDASequence(**SEQUENCES["own grid"])
    frame = {"dtype": "u2", "image_height": 4, "image_width": 6, "format": "memory"}
    with pytest.warns(UserWarning, match=r"index=plan\.index\(event\)") as told:
        AcquisitionSettings.from_any(sequence, **frame)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AcquisitionSettings.from_any(useq.MDASequence(channels=["A"]), **frame)
    with pytest.raises(SettingsError, match="give image_height, image_width, too"):
        AcquisitionSettings.from_any(sequence, dtype="u2")


def test_shapes_are_real() -> None:
    def shapes(name: str) -> list[tuple[int, ...]]:
        spec = planned(useq.MDASequence(**SEQUENCES[name])).settings.to_spec()
        return [spec.shape(image) for image in spec.images]

    assert shapes("own stack") == [(1, 1), (1, 3)]
    assert shapes("larger own stack") == [(2, 3), (2, 7)]
    assert shapes("own time points") == [(1, 1), (3, 1)]
    assert shapes("own grid") == [(2,), (2,), (2,)]
    assert shapes("own channels") == [(2,), (3,)]
    assert shapes("channels at one place only") == [(2,), (1,)]


def test_frames_without_a_channel_are_not_given_one() -> None:
    sequence = useq.MDASequence(**SEQUENCES["channels at one place only"])
    plan = planned(sequence)
    found = [plan.index(event)["channel"] for event in sequence]
    assert found == ["no channel", "C"]


def test_gaps_are_in_the_journal(tmp_path: Path) -> None:
    sequence = useq.MDASequence(**SEQUENCES["every other time"])
    path = tmp_path / "a.ome.zarr"
    plan = planned(sequence, root_path=path, format="auto")
    with create_stream(plan.settings, levels=1) as stream:
        for _ in sequence:
            stream.append(np.ones((4, 6), "u2"))
    (image,) = open_dataset(path).images
    assert image.levels[0].shape == (5, 2, 3, 4, 6)
    frames = read_journal(path / "acquisition" / "frames.jsonl").frames
    skipped = [e["axes"] for e in frames if e["status"] == "skipped"]
    expected = itertools.product((1, 3), range(3))
    assert skipped == [{"time": t, "channel": "B", "z": z} for t, z in expected]
    assert all(e["reason"] for e in frames if e["status"] == "skipped")


def test_wells_of_a_plate() -> None:
    sequence = useq.MDASequence(
        stage_positions=useq.WellPlatePlan(
            plate="96-well",
            a1_center_xy=(0, 0),
            selected_wells=([0, 1], [0, 11]),
            well_points_plan=GRID,
        ),
        channels=["A"],
    )
    plan = planned(sequence)
    spec = plan.settings.to_spec()
    assert spec.plate is not None
    assert (spec.plate.name, len(spec.plate.rows)) == ("96-well", 8)
    wells = [("A", "1"), ("A", "1"), ("B", "12"), ("B", "12")]
    assert [i.well for i in spec.images] == wells
    cells = [p.cell for p in plan.settings.positions]
    assert cells == [(0, 0), (0, 1), (0, 0), (0, 1)]
    assert spec.images[1].x_um == 5
    check(sequence, plan)


def test_wells_of_positions() -> None:
    wells = [
        {"x": 1, "y": 2, "name": "f", "plate_row": 0, "plate_col": 0},
        {"x": 1, "y": 2, "name": "f", "plate_row": 2, "plate_col": 1},
    ]
    sequence = useq.MDASequence(stage_positions=wells)
    spec = planned(sequence).settings.to_spec()
    assert spec.plate is not None
    assert (spec.plate.rows, spec.plate.columns) == (("A", "B", "C"), ("1", "2"))
    assert [i.name for i in spec.images] == ["A1_f", "C2_f"]
    mixed = useq.MDASequence(stage_positions=[wells[0], (1, 2)])
    assert planned(mixed).settings.plate is None


def test_points_that_are_drawn_anew_have_no_coordinates() -> None:
    points = {"num_points": 3, "max_width": 99, "max_height": 99}
    for seed, known in ((None, False), (3, True)):
        grid = useq.RandomPoints(**points, random_seed=seed)
        found = planned(useq.MDASequence(grid_plan=grid)).settings
        assert len(found.positions) == 3
        assert (found.positions[0].x_coord is not None) is known


def test_uneven_and_falling_places_are_kept() -> None:
    uneven = useq.MDASequence(z_plan={"absolute": [1, 2, 9]})
    z = planned(uneven).settings.dimensions[0]
    assert (z.coords, z.step) == ((0.0, 1.0, 8.0), None)
    even = useq.MDASequence(z_plan={"absolute": [1, 2, 3]})
    z = planned(even).settings.dimensions[0]
    assert (z.coords, z.step, z.first) == (None, 1, 1)
    down = useq.MDASequence(
        z_plan={**STACK, "go_up": False}, stage_positions=[(0, 0, 5)]
    )
    z = planned(down).settings.dimensions[1]
    assert (z.coords, z.step) == ((0.0, -1.0, -2.0), None)
    t = planned(useq.MDASequence(**SEQUENCES["phases"])).settings.dimensions[0]
    assert t.coords == (0, 1, 6, 11)


ENDLESS = {"interval": 0, "duration": 5}


def test_a_time_lapse_without_end() -> None:
    sequence = useq.MDASequence(time_plan=ENDLESS, channels=["A", "B"])
    found = planned(sequence).settings
    assert found.is_unbounded
    assert found.shape == (None, 2, 4, 6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "takes no frame"),
        (
            {"time_plan": ENDLESS, "channels": [{"config": "A", "acquire_every": 2}]},
            "give the time plan a number of loops",
        ),
        (
            {"time_plan": ENDLESS, "channels": ["A"], "axis_order": "ctz"},
            "begin axis_order with 't'",
        ),
        (
            {
                "time_plan": {"interval": 1, "loops": 2},
                "stage_positions": [
                    {"x": 1, "sequence": {"time_plan": {"interval": 0, "loops": 2}}}
                ],
            },
            "twice",
        ),
    ],
)
def test_what_cannot_be_stored(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        planned(useq.MDASequence(**fields))


def test_an_event_of_another_sequence() -> None:
    plan = planned(useq.MDASequence(channels=["A"]))
    for event in (
        useq.MDAEvent(index={"c": 0}, channel="B"),
        useq.MDAEvent(index={"z": 0}),
        useq.MDAEvent(index={"p": 0, "c": 0}, channel="A"),
    ):
        with pytest.raises(SettingsError, match="not of the sequence"):
            plan.index(event)


channels = st.lists(
    st.builds(
        dict,
        config=st.sampled_from("ABC"),
        acquire_every=st.integers(1, 3),
        do_stack=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda c: c["config"],
)
subs = st.one_of(
    st.none(),
    st.just({"z_plan": {"range": 4, "step": 1}}),
    st.just({"grid_plan": GRID}),
    st.just({"channels": ["D", "A"]}),
    st.just({"channels": ["A"], "z_plan": STACK, "grid_plan": GRID}),
)


def quietly(**fields: Any) -> useq.MDASequence:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an order that may not be intended
        return useq.MDASequence(**fields)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    order=st.permutations("tpgcz").map("".join),
    loops=st.integers(0, 4),
    channels=channels,
    stack=st.booleans(),
    grid=st.booleans(),
    places=st.lists(subs, max_size=3),
)
def test_any_sequence_keeps_every_frame_in_its_place(
    order: str, loops: int, channels: Any, stack: bool, grid: bool, places: list[Any]
) -> None:
    try:
        sequence = quietly(
            axis_order=order,
            time_plan={"interval": 0, "loops": loops} if loops else None,
            channels=channels,
            z_plan=STACK if stack else None,
            grid_plan=GRID if grid else None,
            stage_positions=[
                {"x": 50 * i, "y": 0, "z": 1, "sequence": sub}
                for i, sub in enumerate(places)
            ],
        )
        events = list(sequence)
    except (ValueError, NotImplementedError):
        return  # useq itself does not allow it
    try:
        plan = planned(sequence)
    except SettingsError as error:
        indexes = [tuple(sorted(e.index.items())) for e in events]
        assert "no frame" in str(error) or len(set(indexes)) < len(indexes)
        return
    check(sequence, plan)
