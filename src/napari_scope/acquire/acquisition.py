"""`Acquisition`: pycro-manager's way to run a microscope, without Java.

An acquisition runs from the moment it is made and waits for events, which may come at
any time: from the caller, from hooks and image functions, from generators. Underneath
is a `Run` like any other: the same engine, the same stores, the same promises.

Examples
--------
>>> import tempfile
>>> from napari_scope.acquire import CoreOwner
>>> with CoreOwner() as owner:
...     owner.load()
...     with Acquisition(tempfile.mkdtemp(), "cells") as acquisition:
...         future = acquisition.acquire(
...             [{"axes": {"time": t}, "exposure": 5} for t in range(3)]
...         )
...         shape = future.await_image_saved({"time": 2}).shape
...     with acquisition.get_dataset() as dataset:
...         print(shape, len(dataset.get_index_keys()))
(512, 512) 3
"""

from __future__ import annotations

import contextlib
import queue
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from useq import MDAEvent, MDASequence

from napari_scope.acquire.core import CoreOwner
from napari_scope.acquire.event_queue import EventQueue
from napari_scope.acquire.futures import AcquisitionFuture
from napari_scope.acquire.notifications import AcqNotification
from napari_scope.acquire.processing import FrameProcessor
from napari_scope.acquire.run import Run
from napari_scope.acquire.script_hooks import (
    arity,
    engine_hooks,
    generation_hook,
    process_function,
)
from napari_scope.acquire.store import CameraNames
from napari_scope.acquire.tiling import TileGrid, tiled_sinks
from napari_scope.errors import AcquisitionError, HardwareError, SettingsError
from napari_scope.events import acquires_image, frame_axes, from_pycro
from napari_scope.stream import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from os import PathLike
    from types import TracebackType

    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.engine import EngineStep, ErrorPolicy
    from napari_scope.acquire.progress import RunReport
    from napari_scope.acquire.script_hooks import ScriptHook
    from napari_scope.events import PlanLike
    from napari_scope.formats.ndtiff import Dataset
    from napari_scope.stream import Stream
    from napari_scope.stream.events import FrameEvent

__all__ = ["Acquisition"]


class Acquisition:
    """An acquisition that takes events while it runs.

    Parameters
    ----------
    directory : str or PathLike, optional
        Where to save, as NDTiff in a new folder ``name_1``, ``name_2``, ...; without
        it images are kept in a temporary folder as long as somebody holds the
        acquisition or its data set.
    name : str, optional
        Name of the acquisition.
    image_process_fn : callable, optional
        Takes (image, metadata), with 3 arguments also the event queue, with 4 the core
        before it. Returns (image, metadata), a list of these, or None if nothing shall
        be stored.
    event_generation_hook_fn, pre_hardware_hook_fn, post_hardware_hook_fn, \
post_camera_hook_fn : callable, optional
        Take the event, or (event, event queue), or (event, core, event queue). The
        first is called when an event leaves the queue; the others before and after the
        hardware is set and when the camera was triggered, there with a list if
        hardware sequencing merged events. They return the event, another one, a list,
        or None to drop it.
    notification_callback_fn : callable, optional
        Takes an `AcqNotification`.
    image_saved_fn : callable, optional
        Takes (axes, dataset) or (axes, dataset, event queue) of each saved image.
    storage_monitor_callback_fn : callable, optional
        Takes the axes of each saved image.
    show_display : bool
        Accepted; viewers look at runs by themselves.
    tile_overlap : int or tuple of int, optional
        Overlap of neighbouring tiles in pixels (x, y). Events with ``row`` and
        ``column`` are laid out by the camera's affine transform, saved with several
        resolutions.
    max_multi_res_index : int, optional
        Coarsest level: 0 for full resolution only.
    process : bool
        Whether ``image_process_fn`` runs in a process of its own.
    saving_queue_size : int
        Images that may wait for ``image_process_fn``.
    magellan_acq_index, magellan_explore
        Refused: they are part of a Java plugin.
    bridge_timeout, port, debug, core_log_debug
        Accepted and without effect: there is no Java side.
    core : CMMCorePlus or CoreOwner, optional
        The microscope; by default the one of this process.
    outputs : sequence of Output, optional
        Where to save instead of ``directory``; several formats at once if wanted.
    on_error : {"stop", "skip"}
        What a hardware failure does.
    hardware_sequencing : bool
        Whether events of one call of `acquire` may be merged. Without, hooks see each
        event by itself.

    Raises
    ------
    SettingsError
        If a hook takes arguments that it cannot be given.
    HardwareError
        If no microscope is loaded.
    """

    def __init__(
        self,
        directory: str | PathLike[str] | None = None,
        name: str | None = None,
        image_process_fn: Callable[..., Any] | None = None,
        event_generation_hook_fn: ScriptHook | None = None,
        pre_hardware_hook_fn: ScriptHook | None = None,
        post_hardware_hook_fn: ScriptHook | None = None,
        post_camera_hook_fn: ScriptHook | None = None,
        show_display: bool = True,
        storage_monitor_callback_fn: Callable[..., object] | None = None,
        tile_overlap: int | tuple[int, int] | None = None,
        max_multi_res_index: int | None = None,
        magellan_acq_index: int | None = None,
        magellan_explore: bool = False,
        process: bool = False,
        saving_queue_size: int = 20,
        bridge_timeout: int = 500,
        port: int = 4827,
        debug: bool = False,
        core_log_debug: bool = False,
        *,
        notification_callback_fn: Callable[[AcqNotification], object] | None = None,
        image_saved_fn: Callable[..., object] | None = None,
        napari_viewer: object = None,
        core: CMMCorePlus | CoreOwner | None = None,
        outputs: Sequence[Output] | None = None,
        on_error: ErrorPolicy = "stop",
        hardware_sequencing: bool = True,
    ) -> None:
        if magellan_explore or magellan_acq_index is not None:
            raise SettingsError(
                "Micro-Magellan is a Java plugin and cannot be run here",
                hint="use tile_overlap, or the Explorer, to acquire in space",
            )
        self._owner = core if isinstance(core, CoreOwner) else CoreOwner(core)
        if not self._owner.has_devices:
            raise HardwareError(
                "no microscope is loaded",
                hint="call CoreOwner().load(configuration) before, or start_headless",
            )
        self._name = name or "acquisition"
        self._temporary: _TemporaryFolder | None = None
        if outputs is not None:
            self._outputs = tuple(outputs)
        else:
            if directory is None:
                self._temporary = _TemporaryFolder()
                directory = self._temporary.path
            self._outputs = (_place(directory, self._name),)
        self._queue = EventQueue(busy=self._is_processing)
        self._queue.dropped = self._event_dropped
        if event_generation_hook_fn is not None:
            self._queue.changed = generation_hook(
                event_generation_hook_fn, self._owner.core, self._queue
            )
        self._grid: TileGrid | None = None
        if tile_overlap is not None:
            self._grid = TileGrid.of(self._owner.core, tile_overlap)
            self._queue.placed = self._grid.placed
        self._processor = _processor(
            image_process_fn, self._owner.core, self._queue, process, saving_queue_size
        )
        self._futures: list[weakref.ref[AcquisitionFuture]] = []
        self._lock = threading.Lock()
        self._reason: BaseException | None = None
        self._dataset: Any = None
        self._callbacks = _Callbacks(
            self, notification_callback_fn, image_saved_fn, storage_monitor_callback_fn
        )
        self._run = _ScriptRun(
            self,
            self._owner,
            iter(self._queue),
            self._outputs,
            name=self._name,
            sync_interval_s=None if self._temporary else 1.0,
            on_error=on_error,
            use_hardware_sequencing=hardware_sequencing,
            hooks=engine_hooks(
                self._owner.core,
                self._queue,
                lambda: self._run.table,
                pre_hardware=pre_hardware_hook_fn,
                post_hardware=post_hardware_hook_fn,
                post_camera=post_camera_hook_fn,
            ),
            processor=self._processor,
            make_sinks=(
                None
                if tile_overlap is None
                else tiled_sinks(self._outputs, tile_overlap, max_multi_res_index)
            ),
        )
        self._run.start()

    def _is_processing(self) -> bool:
        return self._processor is not None and self._processor.is_busy()

    # ------------------------------------------------------------- events

    def acquire(
        self, events: PlanLike | None, keep_shutter_open: bool = False
    ) -> AcquisitionFuture | None:
        """Submit events; returns at once.

        Parameters
        ----------
        events : dict, MDAEvent, list, generator or MDASequence
            The events of a list or a sequence may be merged into hardware sequences,
            those of several calls never. A generator is read while the acquisition
            goes on. None marks the acquisition finished.
        keep_shutter_open : bool
            Whether the shutter stays open between these events.

        Returns
        -------
        AcquisitionFuture
            To wait for single frames.

        Raises
        ------
        PlanError
            Naming the event and what is wrong with it; nothing was submitted.
        AcquisitionError
            If the acquisition is over; its own error if it failed.
        """
        if events is None:
            self.mark_finished()
            return None
        if self._run.done:
            raise self._over()
        if keep_shutter_open:
            events = _with_open_shutter(events)
        if isinstance(events, Iterator):
            future = AcquisitionFuture(self, complete=False)
            self._watch(future)
            self._queue.put(self._noted(events, weakref.ref(future)))
            return future
        if isinstance(events, Mapping | MDAEvent):
            events = [events]
        elif not isinstance(events, MDASequence):
            events = list(events)
        future = AcquisitionFuture(self, complete=True)
        future.expect(
            axes for number, e in enumerate(events) for axes in self._axes(e, number)
        )
        self._watch(future)
        self._queue.put(events)
        if self._run.done:
            future.end(self._over())
        return future

    def acquire_each(self, events: Iterable[Any]) -> AcquisitionFuture:
        """Submit events as if each came with a call of its own: none are merged.

        Raises as `acquire` does.
        """
        if self._run.done:
            raise self._over()
        found = list(events)
        future = AcquisitionFuture(self, complete=True)
        future.expect(
            axes for number, e in enumerate(found) for axes in self._axes(e, number)
        )
        self._watch(future)
        for event in found:
            self._queue.put(event)
        if self._run.done:
            future.end(self._over())
        return future

    def _axes(self, event: object, number: int) -> list[dict[str, int | str]]:
        """Return the axes of the frames of an event: one for each camera."""
        if isinstance(event, Mapping):
            event = from_pycro(event, number=number)
        if not isinstance(event, MDAEvent) or not acquires_image(event):
            return []
        axes = frame_axes(event)
        cameras = CameraNames.of(self._owner.core)
        count = len(cameras.names)
        if count < 2:
            return [axes]
        return [cameras.axes({**axes, "camera": i}) for i in range(count)]

    def _noted(
        self, events: Iterable[Any], future: weakref.ref[AcquisitionFuture]
    ) -> Iterator[Any]:
        """Pass on what a generator gives, noting the frames for its future."""
        try:
            for number, item in enumerate(events):
                waiting = future()
                if waiting is not None:
                    batch = item if isinstance(item, list | tuple) else [item]
                    waiting.expect(a for e in batch for a in self._axes(e, number))
                    del waiting
                yield item
        finally:
            waiting = future()
            if waiting is not None:
                waiting.complete()

    def _watch(self, future: AcquisitionFuture) -> None:
        with self._lock:
            # Who does not keep its future does not wait for it.
            self._futures = [f for f in self._futures if f() is not None]
            self._futures.append(weakref.ref(future))

    def _waiting(self) -> list[AcquisitionFuture]:
        with self._lock:
            return [f for ref in self._futures if (f := ref()) is not None]

    # ------------------------------------------------------------- ending

    def mark_finished(self) -> None:
        """Say that no more events will be submitted."""
        self._queue.put(None)

    def await_completion(self) -> None:
        """Wait until all events were run and all files are closed.

        Raises
        ------
        ScopeError
            What ended the acquisition early; or the error given to `abort`.
        """
        try:
            self._run.wait()
        finally:
            self._callbacks.finish()
        if self._reason is not None:
            raise self._reason

    def abort(self, exception: BaseException | None = None) -> None:
        """Forget all pending events and end at once; what was taken is saved.

        Parameters
        ----------
        exception : Exception, optional
            The reason, which `await_completion` raises.
        """
        self._reason = self._reason or exception
        self._queue.clear()
        self._queue.put(None)
        self._run.cancel()

    def set_paused(self, paused: bool) -> None:
        """Pause before the next event, or go on."""
        if paused:
            self._run.pause()
        else:
            self._run.resume()

    def is_paused(self) -> bool:
        """Return whether the acquisition is really at rest."""
        return str(self._run.state) == "paused"

    def __enter__(self) -> Acquisition:
        """Return the acquisition itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Mark it finished and wait; after an error of the block, abort."""
        if error is None:
            self.mark_finished()
            self.await_completion()
            return
        self.abort()
        with contextlib.suppress(Exception):
            self.await_completion()

    # ------------------------------------------------------------- looking

    @property
    def run(self) -> Run:
        """The run underneath: progress, report, stream."""
        return self._run

    @property
    def report(self) -> RunReport | None:
        """How it ended, once it did."""
        return self._run.report

    @property
    def path(self) -> Path:
        """Where it saves."""
        return self._outputs[0].path

    @property
    def grid(self) -> TileGrid | None:
        """The grid of the tiles, with ``tile_overlap``."""
        return self._grid

    @property
    def queue(self) -> EventQueue:
        """The queue of events."""
        return self._queue

    def are_events_finished(self) -> bool:
        """Return whether no event will be run any more."""
        return self._run.done

    def get_dataset(self) -> Dataset:
        """Return the images taken so far, during and after the acquisition.

        Raises
        ------
        AcquisitionError
            If there is no image yet, or they are saved in a format of their own.
        """
        if self._run.stream is None:
            raise AcquisitionError(
                "there is no image yet", hint="await an image before"
            )
        with self._lock:
            if self._dataset is None:
                self._dataset = self._open()
        self._dataset.refresh()
        return self._dataset  # type: ignore[no-any-return]

    def _open(self) -> Any:
        for output in self._outputs:
            if output.format == "ndtiff":
                from napari_scope.formats.ndtiff import Dataset

                dataset = Dataset(output.path)
                # Who holds the data set may let go of the acquisition.
                dataset._folder = self._temporary  # type: ignore[attr-defined]
                return dataset
        raise AcquisitionError(
            "the images are not saved as NDTiff",
            path=self._outputs[0].path,
            hint="open them with napari_scope.formats.open_dataset",
        )

    def get_viewer(self) -> None:
        """Return None: viewers look at runs by themselves."""

    # ------------------------------------------------------------- what the run says

    def _over(self) -> BaseException:
        return self._run.error or AcquisitionError(
            "the acquisition is over", hint="make a new one"
        )

    def _note(
        self, kind: type, milestone: str, frames: list[dict[str, int | str]]
    ) -> None:
        """Note a milestone for those who wait, and for callbacks."""
        for future in self._waiting():
            for axes in frames:
                future.reached(milestone, axes)
        self._callbacks.tell(kind, milestone, frames)

    def _gone(self, axes: Mapping[str, int | str]) -> None:
        for future in self._waiting():
            future.leave_out(axes)

    def _event_dropped(self, event: dict[str, Any]) -> None:
        for axes in self._axes(event, 0):
            self._gone(axes)

    def _ended(self) -> None:
        for future in self._waiting():
            future.end(self._run.error or AcquisitionError("the acquisition is over"))


class _ScriptRun(Run):
    """A run that tells its acquisition."""

    def __init__(self, acquisition: Acquisition, *args: Any, **options: Any) -> None:
        self._acquisition = acquisition
        super().__init__(*args, **options)

    def opened(self, stream: Stream) -> None:
        super().opened(stream)
        stream.events.relay("frame_saved", self, "saved", lambda news: news)

    # A relay asks and tells, on the thread that has saved the frame.
    def wanted(self, kind: str) -> bool:
        return True

    def tell(self, kind: str, news: object) -> None:
        axes = dict(cast("FrameEvent", news).axes)
        image = AcqNotification.Image
        self._acquisition._note(image, image.IMAGE_SAVED, [axes])

    def gone(self, axes: Mapping[str, int | str]) -> None:
        self._acquisition._gone(axes)

    def step(self, step: EngineStep, event: MDAEvent) -> None:
        super().step(step, event)
        parts = [e for e in getattr(event, "events", (event,)) if acquires_image(e)]
        if not parts:
            return
        frames = [axes for e in parts for axes in self._acquisition._axes(e, 0)]
        merged = len(parts) > 1 or parts[0] is not event
        hardware, camera = AcqNotification.Hardware, AcqNotification.Camera
        note = self._acquisition._note
        if step == "pre_hardware":
            note(hardware, hardware.PRE_HARDWARE, frames)
            if event.z_pos is not None:
                note(hardware, hardware.PRE_Z_DRIVE, frames)
        elif step == "hardware":
            note(hardware, hardware.POST_HARDWARE, frames)
        elif step == "pre_exposure":
            before = camera.PRE_SEQUENCE_STARTED if merged else camera.PRE_SNAP
            note(camera, before, frames)
        elif step == "exposed":
            after = camera.POST_SEQUENCE_STOPPED if merged else camera.POST_SNAP
            note(camera, after, frames)

    def _drive(self) -> None:
        kind = AcqNotification.Acquisition
        callbacks = self._acquisition._callbacks
        callbacks.tell(kind, kind.ACQ_STARTED, [])
        try:
            super()._drive()
        finally:
            callbacks.tell(kind, kind.ACQ_EVENTS_FINISHED, [])

    def _make_report(self) -> None:
        super()._make_report()
        self._acquisition._ended()
        image = AcqNotification.Image
        self._acquisition._callbacks.tell(image, image.DATA_SINK_FINISHED, [])


class _Callbacks:
    """Calls a script's callbacks on a thread of their own, in order.

    An error of a callback aborts the acquisition and is raised at its end.
    """

    def __init__(
        self,
        acquisition: Acquisition,
        notified: Callable[[AcqNotification], object] | None,
        image_saved: Callable[..., object] | None,
        storage_monitor: Callable[..., object] | None,
    ) -> None:
        self._acquisition = acquisition
        self._notified = notified
        self._saved = image_saved
        self._saved_arguments = (
            arity(image_saved, "image_saved_fn", 3) if image_saved is not None else 0
        )
        self._monitor = storage_monitor
        self._news: queue.SimpleQueue[AcqNotification | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if any(f is not None for f in (notified, image_saved, storage_monitor)):
            self._thread = threading.Thread(
                target=self._run, name="napari-scope callbacks", daemon=True
            )
            self._thread.start()

    def tell(
        self, kind: type, milestone: str, frames: list[dict[str, int | str]]
    ) -> None:
        if self._thread is None:
            return
        payload: Any = None
        if frames:
            payload = frames[0] if len(frames) == 1 else frames
        self._news.put(AcqNotification(kind, payload, milestone))

    def finish(self) -> None:
        """Let all callbacks be called; their last error counts."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._news.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (news := self._news.get()) is not None:
            try:
                self._call(news)
            except Exception as error:
                self._acquisition.abort(error)
                return

    def _call(self, news: AcqNotification) -> None:
        if self._notified is not None:
            self._notified(news)
        if not news.is_image_saved_notification():
            return
        if self._monitor is not None:
            self._monitor(news.payload)
        if self._saved is None:
            return
        dataset = self._acquisition.get_dataset()
        more = (self._acquisition.queue,) if self._saved_arguments == 3 else ()
        self._saved(news.payload, dataset, *more)


class _TemporaryFolder:
    """A folder that goes with the last one who holds this."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="napari-scope-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _place(directory: str | PathLike[str], name: str) -> Output:
    """Return where to save: the first free ``name_1``, ``name_2``, ... ."""
    folder = Path(directory).expanduser()
    number = 1
    while (path := folder / f"{name}_{number}").exists():
        number += 1
    return Output(path, "ndtiff")


def _processor(
    function: Callable[..., Any] | None,
    core: CMMCorePlus,
    events: EventQueue,
    process: bool,
    most_waiting: int,
) -> FrameProcessor | None:
    if function is None:
        return None
    if process:
        from napari_scope.acquire.worker import worker_function

        call, finish = worker_function(function)
        return FrameProcessor(call, most_waiting=most_waiting, finish=finish)
    return FrameProcessor(
        process_function(function, core, events), most_waiting=most_waiting
    )


def _with_open_shutter(events: Any) -> Any:
    """Return the events with the shutter left open, where they do not say."""
    if isinstance(events, Mapping):
        return {"keep_shutter_open": True, **events}
    if isinstance(events, MDAEvent):
        return events.model_copy(update={"keep_shutter_open": True})
    if isinstance(events, Iterator):
        return (_with_open_shutter(item) for item in events)
    return [_with_open_shutter(item) for item in events]
