"""A run: one plan, one thread, one stream, and an end that is never silent.

The run owns the thread that drives the microscope. Frames go straight from the engine
into the stream; nothing of it passes through signals or waits for a viewer. Progress
is asked for, not sent. A run is *finished* only when all files are closed; whatever
ended it early is raised by `Run.wait`.

Examples
--------
>>> import useq
>>> from napari_scope.acquire import CoreOwner, Run
>>> with CoreOwner() as owner:
...     owner.load()
...     run = Run(owner, useq.MDASequence(channels=["DAPI", "FITC"])).start()
...     report = run.wait()
>>> report.state.value, report.saved
('finished', 2)
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from napari_scope.acquire.clock import PlanClock
from napari_scope.acquire.core import CoreOwner
from napari_scope.acquire.engine import ScopeEngine
from napari_scope.acquire.news import FrameNews, RunNews
from napari_scope.acquire.progress import (
    RunProgress,
    RunReport,
    RunState,
    SkippedFrame,
    seconds_left,
)
from napari_scope.acquire.pull import Puller
from napari_scope.acquire.quiet import quiet_engine_log
from napari_scope.acquire.recorder import Recorder
from napari_scope.acquire.registry import claim_core, release_core
from napari_scope.acquire.store import check_channels
from napari_scope.acquire.switching import quick_switching
from napari_scope.errors import AcquisitionError, OutputExistsError, ScopeError
from napari_scope.events import Plan
from napari_scope.stream import Output, Stream, StreamStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus
    from useq import MDAEvent

    from napari_scope.acquire.hooks import EngineHooks
    from napari_scope.acquire.news import Step
    from napari_scope.acquire.processing import FrameProcessor
    from napari_scope.acquire.receiver import Action, EngineStep, ErrorPolicy
    from napari_scope.events import AxisTable, PlanLike
    from napari_scope.stream import Sink, StoreSpec

__all__ = ["Run"]

# A run that is cancelled reacts within this time, unless something holds it.
_PATIENCE_S = 0.05
# An event that is waited for less long is not worth to be shown.
_SHORT_S = 0.2
# Longest time that images stay in the camera's buffer for the sake of others.
_EASE_S = 0.25
_EASE_STEP_S = 0.002


class Run:
    """One acquisition.

    Parameters
    ----------
    owner : CoreOwner or CMMCorePlus
        The microscope.
    plan : MDASequence, list or generator of MDAEvent
        What to take; copied.
    outputs : sequence of Output
        Where to save; none keeps the frames in memory.
    on_error : {"stop", "skip"}
        What a hardware failure does.
    name : str, optional
        Name stored with the data.
    ring_bytes, sync_interval_s
        Size of the buffer and how often data are made durable, see `Stream`.
    use_hardware_sequencing : bool
        Whether events that the hardware can run by itself are merged. A merged run of
        events cannot be paused, only cancelled.
    hooks : EngineHooks, optional
        What is called between the steps of an event, on the thread of the run.
    actions : mapping, optional
        What the custom actions of a plan do, by their names: functions of the event
        and the core.
    processor : FrameProcessor, optional
        What frames pass through before they are stored.
    restore_hardware : bool
        Whether what the run changed (stage, focus, exposure, presets, properties,
        region) is set back at its end.
    make_sinks : callable, optional
        Makes the sinks from what is stored, instead of ``outputs``.
    first_image_s : float
        How long the camera may wait for the first image of a hardware sequence: for
        an external trigger, say.

    Attributes
    ----------
    events : RunNews
        Signals: ``started``, ``hardware``, ``exposure``, ``saved``, ``skipped``,
        ``finished``; see there for who calls.
    shown_by : str
        Who shows the images, if somebody does: other viewers then leave them alone. To
        be set before the start.
    """

    def __init__(
        self,
        owner: CoreOwner | CMMCorePlus,
        plan: PlanLike | Plan,
        outputs: Sequence[Output] = (),
        *,
        on_error: ErrorPolicy = "stop",
        name: str | None = None,
        ring_bytes: int | None = None,
        sync_interval_s: float | None = 1.0,
        use_hardware_sequencing: bool = True,
        hooks: EngineHooks | None = None,
        actions: Mapping[str, Action] | None = None,
        processor: FrameProcessor | None = None,
        restore_hardware: bool = True,
        make_sinks: Callable[[StoreSpec], Sequence[Sink]] | None = None,
        first_image_s: float = 20.0,
    ) -> None:
        self._owner = owner if isinstance(owner, CoreOwner) else None
        self._core = owner.core if isinstance(owner, CoreOwner) else owner
        self._config = owner.config if isinstance(owner, CoreOwner) else None
        self._clock = PlanClock()
        self._plan = Plan.from_any(plan)
        self._outputs = tuple(outputs)
        self.events = RunNews()
        self._recorder = Recorder(
            self._core,
            self._plan,
            self._outputs,
            name=name or _name_of(self._outputs),
            config=self._config,
            ring_bytes=ring_bytes,
            sync_interval_s=sync_interval_s,
            make_sinks=make_sinks,
            opened=self.opened,
            gone=self.gone,
            unplaced=self._unplaced,
        )
        self._processor = processor
        self._restore = restore_hardware
        self._engine = ScopeEngine(
            self._core,
            _Receiver(self),
            on_error=on_error,
            before_event=self._before_event,
            given_up=self._is_given_up,
            use_hardware_sequencing=use_hardware_sequencing,
            hooks=hooks,
            actions=actions,
            first_image_s=first_image_s,
        )
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._report: RunReport | None = None
        self._final: RunState | None = None
        self._started_at = 0.0
        self._ended_at: float | None = None
        self._closing = False
        self._driving = False
        self._puller: Puller[Iterable[MDAEvent]] | None = None
        self.shown_by = ""
        self._eased_until = 0.0
        self._index: dict[str, int] | None = None
        self._last_axis: str | None = None
        self._last_value: int | None = None
        self._over = False
        self._at_rest = threading.Event()
        self._done = threading.Event()

    # ------------------------------------------------------------- control

    def start(self) -> Run:
        """Start the run on a thread of its own; returns at once.

        Raises
        ------
        AcquisitionError
            If this run was started before, or another one goes on.
        OutputExistsError
            If an output exists.
        """
        for output in self._outputs:
            if output.exists():
                raise OutputExistsError(
                    "the output exists already",
                    path=output.path,
                    hint="choose another name",
                )
        if self._thread is not None:
            raise AcquisitionError("this run was started before; make a new one")
        claim_core(self)
        self._started_at = time.perf_counter()
        self._thread = threading.Thread(
            target=self._work, name="napari-scope run", daemon=True
        )
        self._thread.start()
        return self

    def wait(self, timeout: float | None = None) -> RunReport:
        """Wait until the run is over and all files are closed.

        Parameters
        ----------
        timeout : float, optional
            Longest time to wait, in seconds.

        Returns
        -------
        RunReport
            For a run that finished or was cancelled.

        Raises
        ------
        ScopeError
            What ended the run; what was saved until then is readable.
        TimeoutError
            If it still goes on; it is not disturbed.
        """
        if self._thread is None:
            raise AcquisitionError("the run was not started")
        if not self._done.wait(timeout):
            raise TimeoutError(f"the run still goes on after {timeout} s")
        if self._error is not None:
            raise self._error
        assert self._report is not None  # made before done is set
        return self._report

    def pause(self) -> None:
        """Pause before the next event; a hardware sequence is finished first.

        The clock of the plan stands still meanwhile. A run that is over, or was never
        started, is not concerned.
        """
        if self._is_going_on():
            self._clock.pause()

    def resume(self) -> None:
        """Go on after a pause, whoever wished it."""
        if self._is_going_on():
            self._clock.resume()
            self._core.mda.set_paused(False)

    def cancel(self) -> None:
        """End the run as soon as possible; what was taken is saved.

        No call of the core ends an exposure: the camera finishes the one under way,
        while files are closed. Until it is done the run is not over.
        """
        if self._is_going_on():
            first = not self._clock.cancelled
            self._clock.cancel()
            self._core.mda.cancel()
            if first and self._driving:
                threading.Thread(
                    target=self._insist, name="napari-scope cancel", daemon=True
                ).start()

    @contextlib.contextmanager
    def eased(self) -> Iterator[None]:
        """Leave the processor to the caller for a moment, at most 0.25 s.

        The images of a hardware sequence stay in the camera's buffer meanwhile, as
        long as half of it is free; the camera is not slowed down. Any other run goes
        on as it does.
        """
        self._eased_until = time.perf_counter() + _EASE_S
        try:
            yield
        finally:
            self._eased_until = 0.0

    def skip_wait(self) -> bool:
        """Go on with the next event at once, instead of waiting until it is due.

        Later events come earlier by what was left of the wait, so that intervals stay
        as planned.

        Returns
        -------
        bool
            Whether an event was waited for.
        """
        return self._is_going_on() and self._clock.skip()

    def finish_after(self, axis: str | None) -> None:
        """End the run, properly, at the next step of an axis.

        What belongs to the present time point (or position) is still taken; a hardware
        sequence is cut there. The run is *finished*, its report says what was left out.

        Parameters
        ----------
        axis : str, optional
            Name of the axis in the index of the events: ``"t"`` to end after the
            present time point, ``"p"`` after the present position. None takes the
            wish back.

        Raises
        ------
        AcquisitionError
            If the events of this run have no such axis.
        """
        if not self._is_going_on():
            return
        index = self._index
        if axis is not None and index is not None and axis not in index:
            raise AcquisitionError(
                f"this run has no axis {axis!r}",
                hint=f"its axes are {', '.join(map(repr, index)) or 'none'}",
            )
        self._last_value = None if axis is None or index is None else index[axis]
        self._last_axis = axis

    @property
    def index(self) -> Mapping[str, int]:
        """The index of the event that was begun last; empty before the first."""
        return dict(self._index or {})

    @property
    def plan(self) -> Plan:
        """What is taken."""
        return self._plan

    @property
    def name(self) -> str:
        """The name that is stored with the data."""
        return self._recorder.name

    @property
    def skipped(self) -> tuple[SkippedFrame, ...]:
        """The frames that were left out so far, with reasons."""
        return tuple(self._recorder.skipped)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong so far although no frame is missing."""
        return tuple(self._recorder.warnings)

    def _insist(self) -> None:
        """Stop the camera of a run that cannot react: a disk that stalls holds it."""
        if not self._at_rest.wait(_PATIENCE_S) and not self._engine.is_exposing:
            self._engine.halt()

    def _is_going_on(self) -> bool:
        """Whether the core is ours to control; somebody else's run is not."""
        return self._thread is not None and not self._closing and not self.done

    # ------------------------------------------------------------- looking

    @property
    def done(self) -> bool:
        """Whether the run is over and all files are closed."""
        return self._done.is_set()

    @property
    def core(self) -> CMMCorePlus:
        """The microscope."""
        return self._core

    @property
    def owner(self) -> CoreOwner | None:
        """The owner of the core that the run was started through."""
        return self._owner

    @property
    def table(self) -> AxisTable:
        """The numbers that labels have in the index of the plan's events."""
        return self._plan.table

    @property
    def stream(self) -> Stream | None:
        """The stream, once the hardware is set up; readable afterwards too."""
        return self._recorder.stream

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Where the run saves."""
        return self._recorder.outputs

    @property
    def error(self) -> BaseException | None:
        """What ended the run early, once it is over."""
        return self._error

    @property
    def report(self) -> RunReport | None:
        """The report, once the run is over (also when it failed)."""
        return self._report

    @property
    def state(self) -> RunState:
        """Where the run is."""
        if self._final is not None:
            return self._final
        if self._thread is None:
            return RunState.READY
        if self._closing:
            return RunState.CLOSING
        if self._clock.cancelled:
            return RunState.CANCELLING
        status = self._core.mda.status
        phase = str(status.phase.value)
        if self._clock.is_held or phase == "paused":
            return RunState.PAUSED
        if phase in ("idle", "preparing"):
            return RunState.PREPARING
        if self._clock.pause_wanted or status.pause_requested:
            return RunState.PAUSING
        if (self._clock.seconds_left or 0) > _SHORT_S:
            return RunState.WAITING
        if self._puller is not None and self._puller.waited_s > _SHORT_S:
            return RunState.WAITING
        if self._last_axis is not None:
            return RunState.FINISHING
        return RunState.ACQUIRING

    def progress(self) -> RunProgress:
        """Return how far the run is; cheap, from any thread."""
        state = self.state
        stats = self._stats()
        end = time.perf_counter() if self._ended_at is None else self._ended_at
        elapsed = end - self._started_at if self._thread is not None else 0.0
        running = state not in (RunState.READY, RunState.PREPARING)
        running = running and not state.is_final
        return RunProgress(
            state=state,
            planned=self._recorder.planned,
            acquired=stats.appended,
            saved=stats.saved,
            skipped=stats.skipped,
            dropped=stats.dropped,
            elapsed_s=elapsed,
            eta_s=(
                seconds_left(
                    planned=self._recorder.planned,
                    dealt=stats.saved + stats.skipped + stats.dropped,
                    worked_s=max(
                        0.0, elapsed - self._clock.paused_s + self._clock.skipped_s
                    ),
                    duration_s=self._recorder.duration_s,
                    by_clock=self._plan.is_timed,
                )
                if running
                else None
            ),
            fps=stats.frames_per_s if running else _per_s(stats.saved, elapsed),
            mb_per_s=(
                stats.mb_per_s if running else _per_s(stats.saved_bytes / 1e6, elapsed)
            ),
            ring_fill=stats.ring_fill,
            next_event_s=self._clock.seconds_left if running else None,
            skipped_reasons=tuple(self._recorder.reasons),
            error=None if self._error is None else str(self._error),
            finish_after=self._last_axis,
            warnings=len(self._recorder.warnings),
        )

    # ------------------------------------------------------------- the thread

    def _work(self) -> None:
        try:
            with quiet_engine_log(), quick_switching():
                self._drive()
        except BaseException as error:  # raised by wait()
            self._error = error
        finally:
            self._closing = True
            try:
                self._close_stream()
                self._ended_at = time.perf_counter()
                self._make_report()
            finally:
                # Whatever went wrong: nobody may wait for ever.
                release_core(self)
                self.events.tell("finished", self._report)
                self.events.finish()
                self._done.set()

    def _drive(self) -> None:
        mda = self._core.mda
        check_channels(self._core, self._plan)
        before = mda.set_engine(self._engine)
        self._driving = True
        try:
            self.events.tell("started", self._recorder.name)
            mda.run(_not_an_iterator(self._plan))
        finally:
            self._driving = False
            if self._puller is not None:
                self._puller.close()
            self._quiet_down()
            if before is not None:
                mda.set_engine(before)

    def _quiet_down(self) -> None:
        """Leave camera and shutter at rest and the rest as it was, however it ended."""
        if self._engine.is_exposing:
            # That may take minutes; the files need not wait for it.
            self._closing = True
            self._close_stream()
        self._engine.rest()
        self._at_rest.set()
        if self._restore:
            problems = self._engine.hardware.memory.restore()
            self._recorder.warnings += problems

    def _close_stream(self) -> None:
        """Let what is under way be stored, then finish the files."""
        try:
            if self._processor is not None:
                self._processor.close()
        except BaseException as error:  # raised by wait()
            self._error = self._error or error
        try:
            if self.stream is not None:
                self.stream.close()
        except BaseException as error:  # raised by wait()
            self._error = self._error or error

    def _stats(self) -> StreamStats:
        return self.stream.stats() if self.stream is not None else StreamStats()

    def _make_report(self) -> None:
        stats, planned = self._stats(), self._recorder.planned
        if self._error is not None:
            state = RunState.FAILED
        elif self._clock.cancelled or self._was_cancelled_elsewhere():
            state = RunState.CANCELLED
        else:
            state = RunState.FINISHED
        left_out = 0
        if state is RunState.FINISHED and planned is not None:
            lost = planned - stats.saved - stats.skipped - stats.dropped
            if lost > 0 and self._over:
                left_out = lost
            elif lost > 0:
                state = RunState.FAILED
                self._error = AcquisitionError(
                    f"the run ended, but {lost} of {planned} frames are missing",
                    hint="this should not happen; please report it",
                )
        if self._error is not None and not isinstance(self._error, ScopeError):
            self._error = _wrapped(self._error)
        written = self._recorder.outputs if self.stream is not None else ()
        self._report = RunReport(
            state=state,
            planned=planned,
            saved=stats.saved,
            dropped=stats.dropped,
            skipped=tuple(self._recorder.skipped),
            warnings=tuple(self._recorder.warnings),
            outputs=tuple(o for o in written if o.format != "memory"),
            duration_s=(self._ended_at or 0.0) - self._started_at,
            saved_bytes=stats.saved_bytes,
            finished_after=self._last_axis if self._over else None,
            left_out=left_out,
        )
        self._final = state

    def _was_cancelled_elsewhere(self) -> bool:
        """Whether somebody cancelled through the core instead of through us."""
        reason = self._core.mda.status.finish_reason
        return reason is not None and str(reason.value) == "canceled"

    # ------------------------------------------------------------- frames

    def axes_of(self, event: MDAEvent) -> dict[str, int | str]:
        """Return the axes under which the frame of an event is stored."""
        return self._recorder.axes(event)

    def frame(
        self, image: npt.NDArray[np.generic], event: MDAEvent, meta: dict[str, Any]
    ) -> None:
        """Take over a frame; called on the thread of the run."""
        if self._eased_until and meta.get("hardware_triggered"):
            self._rest_a_moment()
        if self._ends_before(event):
            return  # the images of a hardware sequence that nobody wants any more
        self._begin(event)
        axes = self._recorder.axes(event)
        facts = self._recorder.facts(event, meta)
        if self._processor is not None:
            self._processor.submit(image, axes, facts)
        else:
            self._recorder.store(image, axes, facts)

    def _rest_a_moment(self) -> None:
        """Let the images of a hardware sequence wait where the camera puts them."""
        core = self._core
        enough = core.getBufferTotalCapacity() / 2
        while time.perf_counter() < self._eased_until and not self._is_given_up():
            if core.getBufferFreeCapacity() < enough:
                return
            time.sleep(_EASE_STEP_S)

    def opened(self, stream: Stream) -> None:
        """Take note of the stream; called before the first frame is stored."""
        self.events.listen_to(stream)

    def gone(self, axes: Mapping[str, int | str]) -> None:
        """Take note of a frame that will not come; called on any thread."""

    def _unplaced(self, axes: Mapping[str, int | str], reason: str) -> None:
        """Tell of a frame that will not come and has no place in the stream."""
        self.events.tell("skipped", FrameNews("skipped", axes, reason))

    def step(self, step: EngineStep, event: MDAEvent) -> None:
        """Take note of how far an event is; called on the thread of the run."""
        if step == "hardware":
            self._recorder.hardware_set(event)
        if step not in ("hardware", "exposure") or not self.events.wanted(step):
            return
        for part in getattr(event, "events", (event,)):
            self.events.tell(step, FrameNews(cast("Step", step), self.axes_of(part)))

    def _planned_events(self) -> Iterable[Any]:
        if not self._plan.is_finite:
            self._puller = Puller(self._plan.batches(), given_up=self._is_given_up)
            return self._puller
        return self._plan.source

    def _is_given_up(self) -> bool:
        return (
            self._clock.cancelled
            or self._over
            or self._was_ended_elsewhere()
            or (self._processor is not None and self._processor.error is not None)
        )

    def _begin(self, event: MDAEvent) -> None:
        """Note which event was begun last."""
        self._index = {str(name): value for name, value in event.index.items()}
        if self._last_axis is not None and self._last_value is None:
            # Wished before the first event: this is the step that is meant.
            self._last_value = self._index.get(self._last_axis)

    def _ends_before(self, event: MDAEvent) -> bool:
        """Return whether the run is to end before an event; an end is for good."""
        if self._last_axis is not None and self._last_value is not None:
            value = event.index.get(self._last_axis)
            if value is not None and value != self._last_value:
                self._over = True
        return self._over

    def _before_event(self, event: MDAEvent) -> MDAEvent | None:
        """Wait until an event is due; returns None if the run ends before it.

        The runner would wait too, but in steps of half a second, with a clock that
        loses the time of pauses. It finds nothing left to wait for.
        """
        mda = self._core.mda
        self._clock.wait(
            event.min_start_time,
            reset=event.reset_event_timer,
            held=mda.is_paused,
            ended=lambda: self._ends_before(event) or self._is_given_up(),
        )
        if self._over:
            return None
        if self._processor is not None and self._processor.error is not None:
            raise self._processor.error
        if self._clock.cancelled:
            # A wish uttered while the hardware was being set up counts from here on.
            mda.cancel()
        self._begin(event)
        if self._clock.ahead_s and event.min_start_time:
            # The runner has a clock of its own, which knows nothing of skipped waits.
            due_s = max(0.0, event.min_start_time - self._clock.ahead_s)
            return event.model_copy(update={"min_start_time": due_s})
        return event

    def _was_ended_elsewhere(self) -> bool:
        status = self._core.mda.status
        return status.cancel_requested or status.phase.value == "finishing"


class _Receiver:
    """What the engine knows of a run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def prepare(self) -> None:
        run = self._run
        run._recorder.prepare()
        if run._processor is not None:
            run._processor.start(run._recorder)

    def events(self) -> Iterable[Any]:
        return self._run._planned_events()

    def frame(
        self, image: npt.NDArray[np.generic], event: MDAEvent, meta: dict[str, Any]
    ) -> None:
        self._run.frame(image, event, meta)

    def missing(self, event: MDAEvent, reason: str) -> None:
        recorder = self._run._recorder
        recorder.skip(recorder.axes(event), reason)

    def left_out(self, event: MDAEvent, reason: str) -> None:
        recorder = self._run._recorder
        recorder.leave_out(recorder.axes(event), reason)

    def warn(self, text: str) -> None:
        self._run._recorder.warn(text)

    def most_in_a_burst(self) -> int:
        run = self._run
        return run._recorder.most_in_a_burst(buffered=run._processor is None)

    def tell(self, step: EngineStep, event: MDAEvent) -> None:
        self._run.step(step, event)


class _Events:
    """An iterable that is no iterator: the runner would pass the engine by for one."""

    def __init__(self, events: Iterator[MDAEvent]) -> None:
        self._events = events

    def __iter__(self) -> Iterator[MDAEvent]:
        return self._events


def _not_an_iterator(plan: Plan) -> Iterable[MDAEvent]:
    source = plan.source
    return _Events(source) if isinstance(source, Iterator) else source


def _per_s(amount: float, seconds: float) -> float:
    return amount / seconds if seconds else 0.0


def _name_of(outputs: Sequence[Output]) -> str:
    return outputs[0].path.name.split(".")[0] if outputs else "run"


def _wrapped(error: BaseException) -> AcquisitionError:
    """Return an error of ours with the root of another, in one line."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    text = " ".join(str(root).split())
    wrapped = AcquisitionError(f"the run stopped, {type(root).__name__}: {text}")
    wrapped.__cause__ = error
    return wrapped
