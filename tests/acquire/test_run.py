"""Runs on the demo microscope: states, control, and what ends up on disk."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import useq
from pymmcore_plus import CMMCorePlus

from napari_scope.acquire import CoreOwner, Output, Run, RunState
from napari_scope.errors import (
    AcquisitionError,
    OutputExistsError,
    PlanError,
    ScopeError,
    SettingsError,
    StreamError,
)
from napari_scope.formats import open_dataset
from napari_scope.stream import Stream, read_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PLAN = useq.MDASequence(
    axis_order="tpcz",
    time_plan={"interval": 0, "loops": 2},
    stage_positions=[
        {"x": 0, "y": 0, "z": 5, "name": "A"},
        {"x": 600, "y": 100, "z": 7, "name": "B"},
    ],
    channels=[{"config": "DAPI", "exposure": 2}, {"config": "FITC", "exposure": 1}],
    z_plan={"range": 2, "step": 1},
)
SLOW = useq.MDASequence(time_plan={"interval": 30, "loops": 3})


def until(condition: Callable[[], Any], timeout: float = 20) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def both(folder: Path) -> list[Output]:
    return [
        Output(folder / "r.ome.zarr", "ome-zarr"),
        Output(folder / "r.ndtiff", "ndtiff"),
    ]


def pixels(path: Path) -> dict[str, np.ndarray]:
    return {i.name: np.asarray(i.levels[0]) for i in open_dataset(path).images}


class Witness(Run):
    """Keeps a copy of every frame the camera delivered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: dict[tuple[Any, ...], np.ndarray] = {}

    def frame(self, image: np.ndarray, event: useq.MDAEvent, meta: dict) -> None:
        index = dict(event.index)
        self.seen[tuple(index[k] for k in "ptcz" if k in index)] = image.copy()
        super().frame(image, event, meta)


@pytest.mark.parametrize("sequencing", [True, False])
def test_every_frame_in_both_formats(
    owner: CoreOwner, tmp_path: Path, sequencing: bool
) -> None:
    run = Witness(
        owner, PLAN, both(tmp_path), use_hardware_sequencing=sequencing
    ).start()
    report = run.wait(60)
    assert report.state is RunState.FINISHED
    assert (report.saved, report.planned, report.skipped) == (24, 24, ())
    assert len(run.seen) == 24
    for output in report.outputs:
        found = pixels(output.path)
        for (p, t, c, z), frame in run.seen.items():
            np.testing.assert_array_equal(found["AB"[p]][t, c, z], frame)


def test_hardware_sequence_is_saved_in_order(owner: CoreOwner, tmp_path: Path) -> None:
    plan = useq.MDASequence(
        time_plan={"interval": 0, "loops": 40},
        channels=[{"config": "DAPI", "exposure": 1}],
    )
    run = Witness(owner, plan, both(tmp_path)).start()
    assert run.wait(60).saved == 40
    journal = read_journal(tmp_path / "r.ndtiff" / "frames.jsonl")
    assert all(f["metadata"]["hardware_triggered"] for f in journal.frames)
    for path in (tmp_path / "r.ome.zarr", tmp_path / "r.ndtiff"):
        (found,) = pixels(path).values()
        for (t, c), frame in run.seen.items():
            np.testing.assert_array_equal(found[t, c], frame)


def test_metadata_of_the_stores(owner: CoreOwner, tmp_path: Path) -> None:
    Run(owner, PLAN, both(tmp_path)).start().wait(60)
    for output in both(tmp_path):
        a, b = open_dataset(output.path).images
        assert (a.name, b.name) == ("A", "B")
        axes = {axis.name: axis for axis in b.axes}
        assert [c.name for c in b.channels] == ["DAPI", "FITC"]
        assert axes["z"].scale == 1.0
        assert axes["z"].unit == axes["x"].unit == "micrometer"
        # The stage is the centre of the image, the translation its first pixel.
        assert axes["x"].translation == 600 - 511 / 2
        assert axes["y"].translation == 100 - 511 / 2
    journal = read_journal(tmp_path / "r.ome.zarr" / "acquisition" / "frames.jsonl")
    first = journal.frames[0]
    assert first["axes"] == {"time": 0, "position": "A", "channel": "DAPI", "z": 0}
    assert first["metadata"]["exposure_ms"] == 2
    assert first["metadata"]["z_um"] == 4
    assert journal.closed == {"closed": True, "saved": 24, "skipped": 0, "dropped": 0}


def test_the_plan_of_the_user_is_not_changed(owner: CoreOwner) -> None:
    plan = useq.MDASequence(
        grid_plan={"rows": 1, "columns": 2, "fov_width": 10, "fov_height": 20}
    )
    before = plan.model_dump_json()
    run = Run(owner, plan)
    run.start().wait(30)
    assert plan.model_dump_json() == before
    # The field that the plan states counts, not that of the camera.
    assert run.stream is not None
    xs = [image.x_um for image in run.stream.spec.images]
    assert abs(xs[1] - xs[0]) == 10


def test_grid_takes_the_field_of_the_camera(owner: CoreOwner) -> None:
    run = Run(owner, useq.MDASequence(grid_plan={"rows": 1, "columns": 2}))
    run.start().wait(30)
    assert run.stream is not None
    xs = [image.x_um for image in run.stream.spec.images]
    assert abs(xs[1] - xs[0]) == 512


def test_pause_is_real_and_resume_goes_on(owner: CoreOwner) -> None:
    plan = useq.MDASequence(
        time_plan={"interval": 0, "loops": 30}, channels=["DAPI", "FITC"]
    )
    run = Run(owner, plan, use_hardware_sequencing=False).start()
    until(lambda: run.progress().acquired >= 3)
    run.pause()
    assert run.state in (RunState.PAUSING, RunState.PAUSED)
    until(lambda: run.state is RunState.PAUSED)
    count = run.progress().acquired
    time.sleep(0.3)
    assert run.progress().acquired == count
    run.resume()
    assert run.wait(60).saved == 60


def test_pause_before_the_first_event(owner: CoreOwner) -> None:
    run = Run(owner, PLAN)
    run.start()
    run.pause()
    until(lambda: run.state is RunState.PAUSED)
    assert run.progress().acquired == 0
    run.resume()
    assert run.wait(60).saved == 24


def when_preparing(run: Run) -> None:
    assert run.state in (RunState.PREPARING, RunState.ACQUIRING, RunState.WAITING)


def when_waiting(run: Run) -> None:
    until(lambda: run.state is RunState.WAITING)
    left = run.progress().next_event_s
    assert left is not None
    assert 25 < left < 30


def when_paused(run: Run) -> None:
    until(lambda: run.progress().acquired >= 1)
    run.pause()
    until(lambda: run.state is RunState.PAUSED)


@pytest.mark.parametrize("phase", [when_preparing, when_waiting, when_paused])
def test_cancel_from_any_phase(
    owner: CoreOwner, tmp_path: Path, phase: Callable[[Run], None]
) -> None:
    run = Run(owner, SLOW, both(tmp_path)).start()
    phase(run)
    run.cancel()
    run.cancel()
    report = run.wait(20)
    assert report.state is RunState.CANCELLED
    assert report.saved <= 1
    if report.saved:
        for output in report.outputs:
            assert pixels(output.path)


def test_cancel_stops_a_hardware_sequence_at_once(owner: CoreOwner) -> None:
    plan = useq.MDASequence(
        time_plan={"interval": 0, "loops": 2000},
        channels=[{"config": "DAPI", "exposure": 5}],
    )
    run = Run(owner, plan).start()
    until(lambda: run.progress().acquired >= 5)
    run.cancel()
    report = run.wait(20)
    assert report.state is RunState.CANCELLED
    assert 5 <= report.saved < 500
    assert not owner.core.isSequenceRunning()


def test_cancel_through_the_core(owner: CoreOwner) -> None:
    run = Run(owner, SLOW).start()
    until(lambda: run.state is RunState.WAITING)
    owner.core.mda.cancel()
    assert run.wait(20).state is RunState.CANCELLED


def test_a_run_that_is_not_going_on_controls_nothing(owner: CoreOwner) -> None:
    never = Run(owner, PLAN)
    over = Run(owner, useq.MDASequence(channels=["DAPI"])).start()
    over.wait(20)
    plan = useq.MDASequence(time_plan={"interval": 0.05, "loops": 12})
    run = Run(owner, plan).start()
    until(lambda: run.progress().acquired >= 1)
    for other in (never, over):
        other.pause()
        other.cancel()
        other.resume()
    assert never.state is RunState.READY
    assert run.wait(20).saved == 12


class Clocked(Run):
    """Notes when each frame came, in seconds of the clock of the machine."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clocked: dict[tuple[int, ...], float] = {}

    def frame(
        self, image: np.ndarray, event: useq.MDAEvent, meta: dict[str, Any]
    ) -> None:
        key = tuple(event.index[k] for k in "pt" if k in event.index)
        self.clocked[key] = time.monotonic()
        super().frame(image, event, meta)


def test_the_clock_stands_still_in_a_pause(owner: CoreOwner) -> None:
    """Intervals after a pause are as planned, not shortened by what was waited."""
    plan = useq.MDASequence(
        axis_order="ptc",
        stage_positions=[(0, 0, 0), (5, 0, 0)],
        time_plan={"interval": 1.0, "loops": 2},
    )
    run = Clocked(owner, plan, use_hardware_sequencing=False)
    begun = time.monotonic()
    run.start()
    until(lambda: run.state is RunState.WAITING)
    run.pause()
    until(lambda: run.state is RunState.PAUSED)
    stood = time.monotonic()
    time.sleep(1.5)
    assert len(run.clocked) == 1
    paused = time.monotonic() - stood
    run.resume()
    assert run.wait(30).saved == 4
    at = run.clocked
    # Never early, however late a busy machine is: what is taken off came before the
    # clock of the run began, at the start and at the second position.
    assert at[0, 1] - begun > 0.95 + paused
    assert at[1, 1] - at[0, 1] > 0.95


def test_pause_takes_effect_before_the_next_event(owner: CoreOwner) -> None:
    plan = useq.MDASequence(time_plan={"interval": 0.6, "loops": 3})
    run = Clocked(owner, plan).start()
    until(lambda: run.state is RunState.WAITING)
    time.sleep(0.3)  # in the last half second of the wait
    run.pause()
    until(lambda: run.state is RunState.PAUSED)
    count = len(run.clocked)
    time.sleep(1)
    assert len(run.clocked) == count
    run.cancel()
    assert run.wait(20).state is RunState.CANCELLED


def test_pause_through_the_core(owner: CoreOwner) -> None:
    plan = useq.MDASequence(time_plan={"interval": 0.05, "loops": 20})
    run = Run(owner, plan, use_hardware_sequencing=False).start()
    until(lambda: run.progress().acquired >= 2)
    owner.core.mda.set_paused(True)
    until(lambda: run.state is RunState.PAUSED)
    count = run.progress().acquired
    time.sleep(0.3)
    assert run.progress().acquired == count
    run.resume()
    assert run.wait(20).saved == 20


def test_cancel_does_not_wait_for_a_blocking_plan(owner: CoreOwner) -> None:
    let_go = threading.Event()

    def events() -> Iterator[useq.MDAEvent]:
        yield useq.MDAEvent(index={"t": 0})
        let_go.wait()
        yield useq.MDAEvent(index={"t": 1})

    run = Run(owner, events()).start()
    until(lambda: run.progress().acquired == 1)
    run.cancel()
    report = run.wait(20)
    assert (report.state, report.saved) == (RunState.CANCELLED, 1)
    let_go.set()


def test_no_thread_waits_for_a_plan_that_is_not_read_on(owner: CoreOwner) -> None:
    """The run ends at a wrong frame, the generator has more to give."""
    events = (useq.MDAEvent(index={"t": t // 2}) for t in range(10))
    run = Run(owner, events).start()
    with pytest.raises(ScopeError, match="already appended"):
        run.wait(20)
    until(lambda: not [t for t in threading.enumerate() if t.name.endswith("plan")])


def test_mistakes_of_a_plan_are_not_blamed_on_the_hardware(owner: CoreOwner) -> None:
    def events() -> Iterator[useq.MDAEvent]:
        yield useq.MDAEvent(index={"t": 0})
        raise ValueError("my own mistake")

    with pytest.raises(AcquisitionError, match="ValueError: my own mistake"):
        Run(owner, events()).start().wait(20)


def test_properties_of_an_event_do_not_outlive_it(owner: CoreOwner) -> None:
    """The channel is set anew after properties changed what belongs to it."""
    seen: list[str] = []

    class Filters(Run):
        def frame(self, *args: Any) -> None:
            seen.append(self.core.getProperty("Emission", "Label"))
            super().frame(*args)

    other = [("Emission", "Label", "Chroma-HQ700")]
    plan = [
        useq.MDAEvent(index={"t": 0}, channel="DAPI"),
        useq.MDAEvent(index={"t": 1}, channel="DAPI", properties=other),
        useq.MDAEvent(index={"t": 2}, channel="DAPI"),
    ]
    Filters(owner, plan, use_hardware_sequencing=False).start().wait(20)
    assert seen == ["Chroma-HQ620", "Chroma-HQ700", "Chroma-HQ620"]


@pytest.mark.parametrize(
    "grid",
    [
        {"width": 1000, "height": 600},
        {"top": 900, "left": 0, "bottom": 0, "right": 900},
        {"rows": 1, "columns": 2},
    ],
)
def test_grids_of_any_kind_are_laid_out_by_the_camera(
    owner: CoreOwner, grid: dict[str, float]
) -> None:
    plan = useq.MDASequence(grid_plan=grid, channels=["DAPI"])
    run = Run(owner, plan).start()
    report = run.wait(60)
    assert 2 <= report.saved <= 9
    assert run.stream is not None
    xs = sorted({image.x_um for image in run.stream.spec.images})
    assert all(b - a == 512 for a, b in itertools.pairwise(xs))


def test_grids_in_wells_are_laid_out_by_the_camera(owner: CoreOwner) -> None:
    plan = useq.MDASequence(
        stage_positions=useq.WellPlatePlan(
            plate="96-well",
            a1_center_xy=(0, 0),
            selected_wells=([0], [0]),
            well_points_plan=useq.GridRowsColumns(rows=1, columns=2),
        )
    )
    run = Run(owner, plan).start()
    assert run.wait(60).saved == 2
    assert run.stream is not None
    a, b = (image.x_um for image in run.stream.spec.images)
    assert abs(b - a) == 512


def test_grid_needs_the_size_of_a_pixel(owner: CoreOwner) -> None:
    for name in owner.core.getAvailablePixelSizeConfigs():
        owner.core.deletePixelSizeConfig(name)
    assert owner.core.getPixelSizeUm() == 0
    run = Run(owner, useq.MDASequence(grid_plan={"rows": 1, "columns": 2})).start()
    with pytest.raises(PlanError, match="size of a pixel"):
        run.wait(20)


def test_stored_places_are_those_visited(owner: CoreOwner, tmp_path: Path) -> None:
    """Random points without a seed must not be drawn twice."""
    plan = useq.MDASequence(
        grid_plan={"num_points": 3, "max_width": 900, "max_height": 900}
    )
    run = Run(owner, plan, both(tmp_path)).start()
    run.wait(30)
    assert run.stream is not None
    stored = [(image.x_um, image.y_um) for image in run.stream.spec.images]
    journal = read_journal(tmp_path / "r.ndtiff" / "frames.jsonl")
    facts = [frame["metadata"] for frame in journal.frames]
    visited = [(f["x_um_intended"], f["y_um_intended"]) for f in facts]
    np.testing.assert_allclose(stored, visited, atol=1e-3)


def test_one_run_at_a_time(owner: CoreOwner) -> None:
    first = Run(owner, SLOW).start()
    with pytest.raises(AcquisitionError, match="another run goes on"):
        Run(owner, PLAN).start()
    with pytest.raises(AcquisitionError, match="started before"):
        first.start()
    first.cancel()
    first.wait(20)
    assert Run(owner, PLAN).start().wait(60).saved == 24


def test_wait_can_time_out(owner: CoreOwner) -> None:
    run = Run(owner, SLOW)
    with pytest.raises(AcquisitionError, match="not started"):
        run.wait()
    run.start()
    with pytest.raises(TimeoutError):
        run.wait(0.05)
    run.cancel()
    run.wait(20)


def test_existing_output_is_not_touched(owner: CoreOwner, tmp_path: Path) -> None:
    taken = tmp_path / "r.ndtiff"
    taken.mkdir()
    (taken / "precious").write_text("data")
    with pytest.raises(OutputExistsError, match=r"r\.ndtiff"):
        Run(owner, PLAN, both(tmp_path)).start()
    assert [p.name for p in tmp_path.iterdir()] == ["r.ndtiff"]
    assert [p.name for p in taken.iterdir()] == ["precious"]


def test_unknown_preset_and_group(owner: CoreOwner, tmp_path: Path) -> None:
    for channel, text in [
        ({"config": "NOPE"}, r"no preset 'NOPE'.*Cy5, DAPI, FITC"),
        ({"config": "DAPI", "group": "Foo"}, r"no channel group 'Foo'.*Channel"),
    ]:
        plan = useq.MDASequence(channels=[channel])
        with pytest.raises(PlanError, match=text):
            Run(owner, plan, both(tmp_path)).start().wait(20)
    assert not list(tmp_path.iterdir())


def test_generator_decides_while_it_runs(owner: CoreOwner, tmp_path: Path) -> None:
    run: Run

    def events() -> Iterator[useq.MDAEvent]:
        for t in range(5):
            yield useq.MDAEvent(index={"t": t, "c": 0}, channel="DAPI", exposure=1)
            if t % 2:
                yield useq.MDAEvent(index={"t": t, "c": 1}, channel="FITC", exposure=1)

    run = Run(owner, events(), both(tmp_path)).start()
    report = run.wait(60)
    assert (report.state, report.planned, report.saved) == (RunState.FINISHED, None, 7)
    for output in report.outputs:
        (image,) = open_dataset(output.path).images
        assert image.levels[0].shape == (5, 2, 512, 512)
        data = np.asarray(image.levels[0])
        taken = data.reshape(5, 2, -1).any(axis=2)
        assert taken[:, 1].tolist() == [False, True, False, True, False]
        assert taken[:, 0].all()


def test_list_of_events_without_index(owner: CoreOwner) -> None:
    run = Run(owner, [useq.MDAEvent(exposure=1) for _ in range(4)]).start()
    assert run.wait(30).saved == 4
    assert run.stream is not None
    assert run.stream.view().images[0].levels[0].shape == (4, 512, 512)


def test_error_in_a_generator_reaches_the_caller(owner: CoreOwner) -> None:
    def events() -> Iterator[useq.MDAEvent]:
        yield useq.MDAEvent(index={"t": 0})
        raise KeyError("my own mistake")

    run = Run(owner, events()).start()
    with pytest.raises(AcquisitionError, match="my own mistake") as caught:
        run.wait(30)
    assert isinstance(caught.value.__cause__, KeyError)
    assert run.report is not None
    assert (run.state, run.report.saved) == (RunState.FAILED, 1)


def test_failing_disk_stops_the_run(
    owner: CoreOwner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope.formats.ngff.writing.shards import ShardWriter

    real = ShardWriter.write
    count = 0

    def failing(self: ShardWriter, *args: Any) -> None:
        nonlocal count
        count += 1
        if count > 5:
            raise OSError(28, "No space left on device")
        real(self, *args)

    monkeypatch.setattr(ShardWriter, "write", failing)
    run = Run(owner, PLAN, both(tmp_path)).start()
    with pytest.raises(StreamError, match=r"No space left.*r\.ome\.zarr"):
        run.wait(60)
    assert run.state is RunState.FAILED
    assert not owner.core.mda.is_running()
    assert Run(owner, PLAN).start().wait(60).saved == 24


def test_camera_that_changes_its_size(owner: CoreOwner, core: CMMCorePlus) -> None:
    events = [
        useq.MDAEvent(index={"t": 0}),
        useq.MDAEvent(index={"t": 1}, properties=[("Camera", "Binning", "2")]),
    ]
    run = Run(owner, events, use_hardware_sequencing=False).start()
    with pytest.raises(ScopeError, match=r"\(512, 512\).*\(256, 256\)"):
        run.wait(30)
    core.setProperty("Camera", "Binning", "1")


@pytest.mark.parametrize(
    ("pixel_type", "dtype", "shape"),
    [
        ("8bit", "uint8", (512, 512)),
        ("16bit", "uint16", (512, 512)),
        ("32bitRGB", "uint8", (512, 512, 3)),
    ],
)
def test_pixel_types(
    owner: CoreOwner, tmp_path: Path, pixel_type: str, dtype: str, shape: tuple
) -> None:
    owner.core.setProperty("Camera", "PixelType", pixel_type)
    plan = useq.MDASequence(time_plan={"interval": 0, "loops": 2})
    path = tmp_path / "r.ndtiff"
    run = Witness(owner, plan, [Output(path, "ndtiff")]).start()
    run.wait(30)
    (found,) = pixels(path).values()
    assert (found.dtype, found.shape) == (dtype, (2, *shape))
    np.testing.assert_array_equal(found[1], run.seen[1,])


def test_colour_is_not_for_ome_zarr(owner: CoreOwner, tmp_path: Path) -> None:
    owner.core.setProperty("Camera", "PixelType", "32bitRGB")
    run = Run(owner, PLAN, both(tmp_path)).start()
    with pytest.raises(SettingsError, match="choose NDTiff"):
        run.wait(30)
    assert not list(tmp_path.iterdir())


def test_several_cameras(owner: CoreOwner, core: CMMCorePlus, tmp_path: Path) -> None:
    core.loadDevice("Camera2", "DemoCamera", "DCam")
    core.initializeDevice("Camera2")
    core.setProperty("Camera2", "PixelType", "16bit")
    core.loadDevice("Both", "Utilities", "Multi Camera")
    core.initializeDevice("Both")
    core.setProperty("Both", "Physical Camera 1", "Camera")
    core.setProperty("Both", "Physical Camera 2", "Camera2")
    core.setCameraDevice("Both")
    plan = useq.MDASequence(
        time_plan={"interval": 0, "loops": 3}, channels=["DAPI", "FITC"]
    )
    report = Run(owner, plan, both(tmp_path)).start().wait(60)
    assert report.saved == report.planned == 12
    for output in report.outputs:
        (image,) = open_dataset(output.path).images
        assert [c.name for c in image.channels] == [
            "DAPI-Camera",
            "DAPI-Camera2",
            "FITC-Camera",
            "FITC-Camera2",
        ]
        assert np.asarray(image.levels[0]).reshape(12, -1).any(axis=1).all()


def test_live_mode_is_stopped_first(owner: CoreOwner, core: CMMCorePlus) -> None:
    core.startContinuousSequenceAcquisition(5)
    assert Run(owner, PLAN).start().wait(60).saved == 24


def test_finished_means_closed(
    owner: CoreOwner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Stream.close
    let_go = threading.Event()

    def slow(self: Stream) -> None:
        let_go.wait(20)
        real(self)

    monkeypatch.setattr(Stream, "close", slow)
    run = Run(owner, PLAN, both(tmp_path)).start()
    until(lambda: run.state is RunState.CLOSING)
    assert not run.done
    let_go.set()
    assert run.wait(20).state is RunState.FINISHED


def test_view_during_the_run(owner: CoreOwner, tmp_path: Path) -> None:
    run = Run(owner, PLAN, both(tmp_path)).start()
    until(lambda: run.stream is not None)
    assert run.stream is not None
    view = run.stream.view()
    last = 0
    while not run.done:
        newest = view.newest()
        if newest is not None and newest.number != last:
            last = newest.number
            index = tuple(newest.index[k] for k in ("t", "c", "z"))
            assert np.asarray(view.images[newest.image].levels[0][index]).any()
    assert last == 24
    assert np.asarray(view.images[1].levels[0]).reshape(12, -1).any(axis=1).all()


def test_progress_counts_and_rates(owner: CoreOwner) -> None:
    run = Run(owner, PLAN)
    assert run.progress().state is RunState.READY
    run.start()
    run.wait(60)
    progress = run.progress()
    assert (progress.planned, progress.acquired, progress.saved) == (24, 24, 24)
    assert progress.fraction == 1
    assert progress.fps > 0
    assert progress.ring_fill == 0
    assert progress.eta_s is None


def test_log_level_of_the_engine(owner: CoreOwner) -> None:
    logger = logging.getLogger("pymmcore-plus")
    before = logger.level
    run = Run(owner, SLOW).start()
    until(lambda: run.progress().acquired >= 1)
    assert logger.level == logging.WARNING
    run.cancel()
    run.wait(20)
    assert logger.level == before


def test_log_level_with_two_microscopes(owner: CoreOwner) -> None:
    logger = logging.getLogger("pymmcore-plus")
    before = logger.level
    with CoreOwner(CMMCorePlus()) as second:
        second.load()
        one, two = Run(owner, SLOW).start(), Run(second, SLOW).start()
        until(lambda: one.progress().acquired and two.progress().acquired)
        one.cancel()
        one.wait(20)
        assert logger.level == logging.WARNING
        two.cancel()
        two.wait(20)
    assert logger.level == before


def test_eta_leaves_pauses_out(owner: CoreOwner) -> None:
    plan = useq.MDASequence(time_plan={"interval": 0.5, "loops": 8})
    run = Run(owner, plan).start()
    until(lambda: run.state is RunState.WAITING)
    run.pause()
    until(lambda: run.state is RunState.PAUSED)
    before = run.progress().eta_s
    time.sleep(1)
    after = run.progress().eta_s
    assert before is not None
    assert after is not None
    assert after < before + 0.3
    run.cancel()
    run.wait(20)


def test_engine_is_given_back(owner: CoreOwner) -> None:
    before = owner.core.mda.engine
    Run(owner, PLAN).start().wait(60)
    assert owner.core.mda.engine is before
