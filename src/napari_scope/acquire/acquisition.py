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
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from useq import MDAEvent, MDASequence

from napari_scope.acquire.awaited import AwaitedFrames
from napari_scope.acquire.callbacks import Callbacks
from napari_scope.acquire.core import CoreOwner
from napari_scope.acquire.event_queue import EventQueue
from napari_scope.acquire.futures import AcquisitionFuture, FrameKey, key_of
from napari_scope.acquire.live_dataset import LiveDataset
from napari_scope.acquire.processing import FrameProcessor
from napari_scope.acquire.script_hooks import (
    engine_hooks,
    generation_hook,
    process_function,
)
from napari_scope.acquire.script_run import ScriptRun
from napari_scope.acquire.store import CameraNames, camera_frame
from napari_scope.acquire.submitted import (
    TemporaryFolder,
    free_place,
    listed,
    with_open_shutter,
)
from napari_scope.acquire.tiling import TileGrid, tiled_sinks
from napari_scope.errors import (
    AcquisitionError,
    HardwareError,
    PlanError,
    ScopeError,
    SettingsError,
)
from napari_scope.events import acquires_image, frame_axes, from_pycro
from napari_scope.events.grids import (
    settled,
    wants_field_of_view,
    with_field_of_view,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike
    from pathlib import Path
    from types import TracebackType

    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.notifications import AcqNotification
    from napari_scope.acquire.progress import RunReport
    from napari_scope.acquire.receiver import ErrorPolicy
    from napari_scope.acquire.run import Run
    from napari_scope.acquire.script_hooks import ScriptHook
    from napari_scope.events import PlanLike
    from napari_scope.formats.ndtiff import Dataset
    from napari_scope.stream import Output

__all__ = ["Acquisition"]

_LOOK_S = 0.5


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
    show_display : bool
        Accepted and without effect: there is no viewer of its own.
    storage_monitor_callback_fn : callable, optional
        Takes the axes of each saved image.
    tile_overlap : int or tuple of int or TileGrid, optional
        Overlap of neighbouring tiles in pixels (x, y). Events with ``row`` and
        ``column`` are laid out by the camera's affine transform, saved with several
        resolutions. A grid says where row 0 and column 0 are, too.
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
    notification_callback_fn : callable, optional
        Takes an `AcqNotification`.
    image_saved_fn : callable, optional
        Takes (axes, dataset) or (axes, dataset, event queue) of each saved image.
    napari_viewer : napari.Viewer, optional
        Gets the images as layers when the acquisition is complete.
    core : CMMCorePlus or CoreOwner, optional
        The microscope; by default the one of this process.
    outputs : sequence of Output, optional
        Where to save instead of ``directory``; several formats at once if wanted.
    on_error : {"stop", "skip"}
        What a hardware failure does.
    hardware_sequencing : bool
        Whether events of one call of `acquire` may be merged. Without, hooks see each
        event by itself.
    resume : bool
        Go on with what ``outputs`` hold: images of other axes are added.
    facts : mapping, optional
        Facts to store with the data, JSON-able.
    shown_by : str
        Who shows the images, if somebody does; see `Run`.

    Raises
    ------
    SettingsError
        If a hook takes arguments that it cannot be given.
    HardwareError
        If no microscope is loaded.
    AcquisitionError
        If another acquisition goes on with it.
    OutputExistsError
        If one of ``outputs`` exists, without ``resume``.

    Notes
    -----
    All methods may be called from any thread, from hooks and from callbacks. After the
    end was announced the acquisition goes on as long as events are pending, and images
    or callbacks under way that may submit more.
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
        tile_overlap: int | tuple[int, int] | TileGrid | None = None,
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
        napari_viewer: Any = None,
        core: CMMCorePlus | CoreOwner | None = None,
        outputs: Sequence[Output] | None = None,
        on_error: ErrorPolicy = "stop",
        hardware_sequencing: bool = True,
        resume: bool = False,
        facts: Mapping[str, object] | None = None,
        shown_by: str = "",
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
        self._viewer = self._viewer_to_fill = napari_viewer
        self._temporary: TemporaryFolder | None = None
        self._outputs = self._places(directory, name or "acquisition", outputs)
        if image_saved_fn is not None and self._stored() is None:
            raise SettingsError(
                "image_saved_fn gets an NDTiff data set, which is none of the outputs",
                hint="add an NDTiff output, or use notification_callback_fn",
            )
        self._cameras = CameraNames.of(self._owner.core)
        self._queue = EventQueue(busy=self._is_busy)
        self._queue.settled = self._settled
        self._queue.dropped = self._event_dropped
        given = self._given_core()
        if event_generation_hook_fn is not None:
            self._queue.changed = generation_hook(
                event_generation_hook_fn, given, self._queue
            )
        self._grid: TileGrid | None = None
        if tile_overlap is not None:
            self._grid = (
                tile_overlap
                if isinstance(tile_overlap, TileGrid)
                else TileGrid.of(self._owner.core, tile_overlap)
            )
            self._queue.placed = self._grid.placed
        self._processor = _processor(
            image_process_fn, given, self._queue, process, saving_queue_size
        )
        self._callbacks = Callbacks(
            notification_callback_fn,
            image_saved_fn,
            storage_monitor_callback_fn,
            dataset=self.get_dataset,
            events=self._queue,
            failed=self.abort,
        )
        self._awaited = AwaitedFrames()
        self._lock = threading.RLock()
        self._reason: BaseException | None = None
        self._dataset: LiveDataset | None = None
        self._run = ScriptRun(
            _Listener(self),
            self._owner,
            iter(self._queue),
            self._outputs,
            name=name or "acquisition",
            sync_interval_s=None if self._temporary else 1.0,
            on_error=on_error,
            use_hardware_sequencing=hardware_sequencing,
            hooks=engine_hooks(
                given,
                self._queue,
                lambda: self._run.table,
                self._event_dropped,
                pre_hardware=pre_hardware_hook_fn,
                post_hardware=post_hardware_hook_fn,
                post_camera=post_camera_hook_fn,
            ),
            processor=self._processor,
            resume=resume,
            facts=facts,
            make_sinks=(
                None
                if self._grid is None
                else tiled_sinks(self._outputs, self._grid, max_multi_res_index)
            ),
        )
        self._run.shown_by = shown_by
        self._run.start()
        self._callbacks.start()

    def _places(
        self,
        directory: str | PathLike[str] | None,
        name: str,
        outputs: Sequence[Output] | None,
    ) -> tuple[Output, ...]:
        """Return where to save: as asked for, or in a folder that goes."""
        if outputs is not None:
            return tuple(outputs)
        if directory is None:
            self._temporary = TemporaryFolder()
            directory = self._temporary.path
        return (free_place(directory, name),)

    def _given_core(self) -> object:
        """Return what hooks get as the core."""
        return self._owner.core

    def _is_busy(self) -> bool:
        """Whether somebody who may still submit events is at work."""
        if self._awaited.ended is not None:
            return False
        if self._processor is not None and self._processor.is_busy():
            return True
        stream = self._run.stream
        images = stream.stats().appended if stream is not None else 0
        return self._callbacks.is_busy(images)

    def _settled(self, sequence: MDASequence) -> MDASequence:
        """Return a copy of a sequence whose places are all known."""
        sequence = settled(sequence.model_copy(deep=True))
        if not wants_field_of_view(sequence):
            return sequence
        pixel_um = self._owner.core.getPixelSizeUm()
        if not pixel_um:
            raise PlanError(
                "the sequence lays out a grid in fields of view, but the size of a "
                "pixel is not known",
                hint="set the pixel size in the hardware configuration, or fov_width "
                "and fov_height in the grid",
            )
        (height, width, *_), _ = camera_frame(self._owner.core)
        return with_field_of_view(sequence, width * pixel_um, height * pixel_um)

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
        if isinstance(events, MDASequence):
            events = self._settled(events)
        if keep_shutter_open:
            events = with_open_shutter(events)
        if isinstance(events, Iterator):
            future = AcquisitionFuture(self, complete=False)
            self._watch(future)
            self._queue.put(self._noted(events, weakref.ref(future)))
            return future
        if isinstance(events, Mapping | MDAEvent):
            events = [events]
        elif not isinstance(events, MDASequence | list):
            events = listed(events)
        future = self._expecting(events)
        self._queue.put(events)
        return future

    def acquire_each(self, events: Iterable[Any]) -> AcquisitionFuture:
        """Submit events as if each came with a call of its own: none are merged.

        Raises as `acquire` does.
        """
        found = listed(events)
        future = self._expecting(found)
        for event in found:
            self._queue.put(event)
        return future

    def _expecting(self, events: Iterable[Any]) -> AcquisitionFuture:
        """Return a future of all these events, which are looked at."""
        keys = [k for n, e in enumerate(events) for k in self._keys(e, n)]
        future = AcquisitionFuture(self, complete=True)
        self._watch(future)
        self._awaited.expect(future, keys)
        return future

    def _keys(self, event: object, number: int) -> list[FrameKey]:
        if isinstance(event, Mapping):
            event = from_pycro(event, number=number)
        if not isinstance(event, MDAEvent):
            return []  # the queue says what is wrong with it
        return [key_of(axes) for axes in self._frames_of(event)]

    def _frames_of(self, event: MDAEvent) -> list[dict[str, int | str]]:
        """Return the axes of the frames of an event: one for each camera."""
        if not acquires_image(event):
            return []
        axes = frame_axes(event)
        count = len(self._cameras.names)
        if count < 2:
            return [axes]
        return [self._cameras.axes({**axes, "camera": i}) for i in range(count)]

    def _noted(
        self, events: Iterable[Any], future: weakref.ref[AcquisitionFuture]
    ) -> Iterator[Any]:
        """Pass on what a generator gives, noting the frames for its future."""
        try:
            for number, item in enumerate(events):
                waiting = future()
                if waiting is not None:
                    batch: Iterable[Any] = [item]
                    if isinstance(item, MDASequence):
                        batch = item = self._settled(item)
                    elif isinstance(item, list | tuple):
                        batch = item
                    keys = [k for e in batch for k in self._keys(e, number)]
                    self._awaited.expect(waiting, keys)
                    # The caller may let go of it while the event is run.
                    del waiting
                yield item
        finally:
            waiting = future()
            if waiting is not None:
                waiting.complete()

    # ------------------------------------------------------------- futures

    def _watch(self, future: AcquisitionFuture) -> None:
        if not self._awaited.watch(future):
            raise self._over()

    def _note(
        self,
        kind: type,
        milestone: str,
        frames: Sequence[Mapping[str, int | str]] = (),
    ) -> None:
        """Note a milestone for those who wait, and for callbacks."""
        self._awaited.reached(milestone, frames)
        self._callbacks.tell(kind, milestone, frames)

    def _event_dropped(self, event: MDAEvent | Mapping[str, Any]) -> None:
        if isinstance(event, Mapping):
            event = from_pycro(event)
        for axes in self._frames_of(event):
            self._awaited.gone(axes)

    def _end(self, reason: BaseException) -> None:
        """Run no more events, and wake all who wait."""
        reason = self._awaited.refuse(reason)
        self._queue.close()
        self._awaited.end(reason)

    def _over(self) -> BaseException:
        if self._run.error is not None:
            return self._run.error
        error = AcquisitionError("the acquisition is over", hint="make a new one")
        error.__cause__ = self._reason
        return error

    def holds_up_the_run(self) -> bool:
        """Return whether the microscope waits for the thread that asks."""
        return threading.current_thread() in self._run.threads

    # ------------------------------------------------------------- ending

    def mark_finished(self) -> None:
        """Say that no more events will be submitted."""
        self._queue.put(None)

    def await_completion(self) -> None:
        """Wait until all events were run, callbacks called, and files closed.

        Raises
        ------
        ScopeError
            What ended the acquisition early; or the error given to `abort`.
        AcquisitionError
            In a hook or a callback of this acquisition, which is part of it.
        """
        own = (
            self._callbacks.thread,
            self._processor and self._processor.thread,
            *self._run.threads,
        )
        if threading.current_thread() in own:
            raise AcquisitionError(
                "a hook or a callback cannot wait for the end of its own acquisition",
                hint="use mark_finished(), or abort()",
            )
        # Ctrl-C does not wake a thread that waits without end, on Windows.
        while not self._run.done:
            with contextlib.suppress(TimeoutError, ScopeError):
                self._run.wait(_LOOK_S)
        self._callbacks.finish()
        self._show()
        self._run.wait()
        if self._reason is not None:
            raise self._reason

    def _show(self) -> None:
        """Show the images in the viewer that was given, once."""
        viewer, self._viewer_to_fill = self._viewer_to_fill, None
        if viewer is not None and self.path.exists():
            for layer in viewer.open(self.path, plugin="napari-scope"):
                # The images live as long as the layer.
                layer.metadata["folder"] = self._temporary

    def abort(self, exception: BaseException | None = None) -> None:
        """Forget all pending events and end at once; what was taken is saved.

        Parameters
        ----------
        exception : Exception, optional
            The reason, which `await_completion` raises.
        """
        if self._run.done:
            return
        self._reason = self._reason or exception
        reason = exception or AcquisitionError("the acquisition was aborted")
        self._awaited.refuse(reason)
        self._callbacks.release()
        self._run.cancel()
        self._end(reason)

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
            try:
                self.await_completion()
            except BaseException:
                if not self._run.done:  # Ctrl-C
                    self._give_up()
                raise
            return
        self._give_up()
        failure = self._run.error or self._reason
        if failure is not None and not _is_known(failure, error):
            error.add_note(f"The acquisition failed, too: {failure!r}")

    def _give_up(self) -> None:
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
        """Return the images taken so far; before the first one there are none.

        The data set grows while the acquisition goes on.

        Raises
        ------
        AcquisitionError
            If the images are not saved as NDTiff.
        """
        path = self._stored()
        if path is None:
            raise AcquisitionError(
                "the images are not saved as NDTiff",
                path=self._outputs[0].path if self._outputs else None,
                hint="open them with napari_scope.formats.open_dataset",
            )
        with self._lock:
            if self._dataset is None or self._dataset.is_closed:
                run = self._run

                # Who holds the data set may let go of the acquisition.
                self._dataset = LiveDataset(
                    path, lambda: run.report is not None, self._temporary
                )
            dataset = self._dataset
        dataset.refresh()
        return dataset

    def _stored(self) -> Path | None:
        """Return where the images are as NDTiff."""
        found = (o.path for o in self._outputs if o.format == "ndtiff")
        return next(found, None)

    def get_viewer(self) -> object:
        """Return the viewer that was given as ``napari_viewer``."""
        return self._viewer


class _Listener:
    """What the run tells; its names are not those of the public class."""

    def __init__(self, acquisition: Acquisition) -> None:
        self._acquisition = acquisition

    def frames_of(self, event: MDAEvent) -> list[dict[str, int | str]]:
        return self._acquisition._frames_of(event)

    def note(
        self,
        kind: type,
        milestone: str,
        frames: Sequence[Mapping[str, int | str]] = (),
    ) -> None:
        self._acquisition._note(kind, milestone, frames)

    def gone(self, axes: Mapping[str, int | str]) -> None:
        self._acquisition._awaited.gone(axes)

    def failing(self) -> None:
        # The run may be waiting for events and would not notice.
        self._acquisition._queue.close()

    def over(self) -> None:
        acquisition = self._acquisition
        acquisition._end(acquisition._over())


def _is_known(failure: BaseException, error: BaseException) -> bool:
    """Return whether an error says of another one where it comes from."""
    known: BaseException | None = error
    while known is not None:
        if known is failure:
            return True
        known = known.__cause__ or known.__context__
    return False


def _processor(
    function: Callable[..., Any] | None,
    core: object,
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
