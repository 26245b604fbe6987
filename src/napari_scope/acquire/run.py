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

import threading
import time
from typing import TYPE_CHECKING, Any, cast

from napari_scope.acquire.clock import PlanClock
from napari_scope.acquire.core import CoreOwner
from napari_scope.acquire.due_events import DueEvents
from napari_scope.acquire.easing import Easing
from napari_scope.acquire.engine import ScopeEngine
from napari_scope.acquire.last_step import LastStep
from napari_scope.acquire.news import FrameNews, RunNews
from napari_scope.acquire.pull import Puller
from napari_scope.acquire.quiet import quiet_engine_log
from napari_scope.acquire.recorder import Recorder
from napari_scope.acquire.registry import claim_core, release_core
from napari_scope.acquire.run_control import RunControl
from napari_scope.acquire.run_ending import report_of
from napari_scope.acquire.run_receiver import RunReceiver, not_an_iterator
from napari_scope.acquire.store import check_channels
from napari_scope.acquire.switching import quick_switching
from napari_scope.errors import AcquisitionError, OutputExistsError
from napari_scope.events import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus
    from useq import MDAEvent

    from napari_scope.acquire.hooks import EngineHooks
    from napari_scope.acquire.news import Step
    from napari_scope.acquire.processing import FrameProcessor
    from napari_scope.acquire.progress import RunReport
    from napari_scope.acquire.receiver import Action, EngineStep, ErrorPolicy
    from napari_scope.events import PlanLike
    from napari_scope.stream import Output, Sink, StoreSpec, Stream

__all__ = ["Run"]


class Run(RunControl):
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
    resume : bool
        Go on with the run that the outputs hold (see `Stream`). Whoever makes the plan
        leaves out the frames that are there.
    facts : mapping, optional
        Facts to store with the run, JSON-able, beside those of the microscope.

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
        resume: bool = False,
        facts: Mapping[str, object] | None = None,
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
            resume=resume,
            facts=facts,
            opened=self.opened,
            gone=self.gone,
            unplaced=self._unplaced,
        )
        self._resume = resume
        self._processor = processor
        self._last = LastStep()
        self._due = DueEvents(self._core, self._clock, self._last, processor)
        self._restore = restore_hardware
        self._engine = ScopeEngine(
            self._core,
            RunReceiver(
                self._recorder,
                processor,
                events=self._planned_events,
                frame=self.frame,
                step=self.step,
            ),
            on_error=on_error,
            before_event=self._due.wait_for,
            given_up=self._due.are_given_up,
            use_hardware_sequencing=use_hardware_sequencing,
            hooks=hooks,
            actions=actions,
            first_image_s=first_image_s,
        )
        self._thread = None
        self._error = None
        self._report = None
        self._final = None
        self._started_at = 0.0
        self._ended_at = None
        self._closing = False
        self._driving = False
        self._puller = None
        self.shown_by = ""
        self._easing = Easing(self._core)
        self._in_camera = 0
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
            if output.exists() and not self._resume:
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
            mda.run(not_an_iterator(self._plan))
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

    def _make_report(self) -> None:
        self._report, self._error = report_of(
            self._recorder,
            self._stats(),
            self._error,
            cancelled=self._clock.cancelled or self._was_cancelled_elsewhere(),
            ended_after=self._last.axis if self._last.over else None,
            duration_s=(self._ended_at or 0.0) - self._started_at,
        )
        self._final = self._report.state

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
        self._in_camera = meta.get("images_remaining_in_buffer", 0)
        if meta.get("hardware_triggered"):
            self._easing.rest(self._due.are_given_up)
        if self._last.comes_before(event):
            return  # the images of a hardware sequence that nobody wants any more
        self._last.begin(event)
        axes = self._recorder.axes(event)
        facts = self._recorder.facts(event, meta)
        if self._processor is not None:
            self._processor.submit(image, axes, facts)
        else:
            self._recorder.store(image, axes, facts)

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
            self._puller = Puller(self._plan.batches(), given_up=self._due.are_given_up)
            return self._puller
        return self._plan.source


def _name_of(outputs: Sequence[Output]) -> str:
    return outputs[0].path.name.split(".")[0] if outputs else "run"
