"""The engine of pymmcore-plus, made strict.

The engine it derives from logs hardware failures and goes on: the next image is then
taken with the wrong channel or at the wrong place, or all later frames land one index
early. `ScopeEngine` lets no failure pass. Depending on ``on_error`` it stops the run
or leaves out the frame, whose place stays empty. Each frame is handed to the receiver
before it is yielded, on the thread of the run, so that saving holds back the camera
and not the other way round.

How the hardware is set is in `hardware`, what the hardware runs by itself in `bursts`,
what must not keep a cancelled run waiting in `aside`, what callers may do between the
steps in `hooks`. This module knows no files and no viewer.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from pymmcore_plus.core._sequencing import SequencedEvent
from pymmcore_plus.mda import MDAEngine, SkipEvent
from pymmcore_plus.mda._engine import ImagePayload
from useq import CustomAction, HardwareAutofocus

from napari_scope.acquire.aside import Aside
from napari_scope.acquire.bursts import Burst, BurstProperties, merged
from napari_scope.acquire.event_parts import (
    failure,
    for_camera,
    identity_of,
    missing_in,
    parts,
    where,
)
from napari_scope.acquire.hardware import Hardware
from napari_scope.acquire.hooks import EngineHooks, HookError
from napari_scope.errors import HardwareError, ScopeError
from napari_scope.events import acquires_image

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus
    from pymmcore_plus.mda._protocol import PImagePayload
    from pymmcore_plus.metadata import SummaryMetaV1
    from pymmcore_plus.metadata.schema import PropertyValue
    from useq import MDAEvent, MDASequence

    from napari_scope.acquire.receiver import Action, ErrorPolicy, FrameReceiver

__all__ = ["ScopeEngine"]

_Signal: TypeAlias = Literal["cancel", "pause"] | None

# Exposures from here on do not keep a run that is given up waiting.
_LONG_MS = 100.0

# Longest time from one image of a hardware sequence to the next, at least; and in
# exposures.
_NEXT_IMAGE_S = 5.0
_NEXT_IMAGE_EXPOSURES = 5

# What the core and its devices raise (IndexError: no image in its buffer; SystemError:
# the camera was unloaded while an image was taken out of it).
_DEVICE_ERRORS = (
    RuntimeError,
    ValueError,
    MemoryError,
    TimeoutError,
    IndexError,
    SystemError,
)


class ScopeEngine(MDAEngine):
    """A strict engine.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope.
    receiver : FrameReceiver
        Who gets the frames.
    on_error : {"stop", "skip"}
        What a hardware failure does: end the run with an error, or leave the frame
        out with a reason.
    before_event : callable
        Called before each event is waited for; returns the event to run, or None when
        the run is to end before it.
    given_up : callable
        Whether the run is to end at once.
    use_hardware_sequencing : bool
        Whether events that the hardware can run by itself are merged.
    hooks : EngineHooks, optional
        What is called between the steps of an event.
    actions : mapping, optional
        What the custom actions of a plan do, by their names.
    first_image_s : float
        Longest time that the camera of a hardware sequence may wait for its first
        trigger.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        receiver: FrameReceiver,
        *,
        on_error: ErrorPolicy = "stop",
        before_event: Callable[[MDAEvent], MDAEvent | None] = lambda event: event,
        given_up: Callable[[], bool] = lambda: False,
        use_hardware_sequencing: bool = True,
        hooks: EngineHooks | None = None,
        actions: Mapping[str, Action] | None = None,
        first_image_s: float = 20.0,
    ) -> None:
        super().__init__(
            core,
            use_hardware_sequencing=use_hardware_sequencing,
            restore_initial_state=False,  # ours restores what was changed
        )
        self._receiver = receiver
        self._on_error: ErrorPolicy = on_error
        self._before_event = before_event
        self._given_up = given_up
        self._hooks = hooks or EngineHooks()
        self._actions = dict(actions or {})
        self._first_image_s = first_image_s
        self._aside = Aside(given_up)
        self._hardware = Hardware(core, given_up, self._aside)
        self._changed: MDAEvent | None = None  # by a hook, after the set-up
        self._unfinished: SequencedEvent | None = None
        self._cameras = 1
        self._holds_shutter = False

    @property
    def hardware(self) -> Hardware:
        """The devices, and what they were like before the run."""
        return self._hardware

    @property
    def is_exposing(self) -> bool:
        """Whether the camera, left behind by a run that was given up, still exposes.

        Other calls of the core wait for it.
        """
        return self._aside.is_busy

    def halt(self) -> None:
        """Stop the camera and close the shutter; from any thread, at any time."""
        core = self.mmcore
        with contextlib.suppress(RuntimeError):
            if core.isSequenceRunning():
                core.stopSequenceAcquisition()
        if self._autoshutter_was_set:
            with contextlib.suppress(RuntimeError):
                core.setShutterOpen(False)

    def rest(self) -> None:
        """Bring the devices to rest once the run is over, however it ended."""
        self._aside.rest()
        self.halt()
        if self._unfinished is not None:
            self._hardware.end_sequence(self._unfinished)
            self._unfinished = None
        if self._autoshutter_was_set:
            with contextlib.suppress(RuntimeError):
                self.mmcore.setAutoShutter(True)
        self._holds_shutter = False

    # ------------------------------------------------------------- set-up

    def setup_sequence(self, sequence: MDASequence) -> SummaryMetaV1 | None:
        """Set the hardware up for a run, then let the receiver prepare."""
        try:
            summary = super().setup_sequence(sequence)
            self._hardware.wait()
        except _DEVICE_ERRORS as error:
            raise failure("the microscope cannot be set up", error) from error
        self._receiver.prepare()
        return summary

    def _update_grid_fov_sizes(self, px_size: float, sequence: MDASequence) -> None:
        """Do nothing: the plan has the field of view, and what it states counts."""

    def event_iterator(self, events: Iterable[MDAEvent]) -> Iterator[MDAEvent]:
        """Iterate over events, merged where the hardware can run them by itself.

        The receiver says which events: those the runner was given may lack the field
        of view. An iterator is read item by item, as each may depend on the last; the
        events of a list that it yields are merged.
        """
        for event in self._merged_events():
            due = self._before_event(event)
            if due is None:
                return
            if self._given_up():
                yield due  # the runner notices, and ends
                return
            yield from self._after_pre_hardware(due)

    def _merged_events(self) -> Iterator[MDAEvent]:
        planned = self._receiver.events()
        if not isinstance(planned, Iterator):
            yield from self._merge(planned)
            return
        while True:
            try:
                item = next(planned)
            except StopIteration:
                return
            # An error of whoever wrote the plan is none of a device.
            if not isinstance(item, list):
                yield item
            elif len(item) == 1:
                yield item[0]
            else:
                yield from self._merge(item)

    def _merge(self, events: Iterable[MDAEvent]) -> Iterator[MDAEvent]:
        if not self.use_hardware_sequencing:
            yield from events
            return
        together = merged(
            self.mmcore,
            events,
            self._receiver.most_in_a_burst,
            z_shift=self._correction,
            given_up=self._given_up,
        )
        while True:
            try:
                event = next(together)
            except StopIteration:
                return
            except ScopeError:
                raise
            except _DEVICE_ERRORS as error:
                raise failure("the next event cannot be prepared", error) from error
            yield event

    def _after_pre_hardware(self, event: MDAEvent) -> Iterator[MDAEvent]:
        """Let the first hook change, multiply or drop an event."""
        if self._hooks.pre_hardware is None:
            yield event
            return
        before = parts(event)
        after = self._hooks.call("pre_hardware", before)
        for dropped in missing_in(before, after):
            self._receiver.left_out(dropped, "dropped by pre_hardware_hook_fn")
        if after == before:
            yield event
        elif len(after) > 1:
            yield from self._merge(after)
        else:
            yield from after

    def setup_event(self, event: MDAEvent) -> None:
        """Bring the hardware to where an event wants it; waits for all devices."""
        self._changed = None
        self._receiver.tell("pre_hardware", event)
        try:
            if isinstance(event, SequencedEvent):
                self._unfinished = event
                self._hardware.set_sequence(event, self._correction(event))
            else:
                self._hardware.set(event, self._correction(event))
            if event.keep_shutter_open:
                self._hold_shutter()
            self._hardware.wait()
        except (HardwareError, *_DEVICE_ERRORS) as error:
            failed = failure("the hardware could not be set", error, event)
            if self._on_error == "stop":
                raise failed from error
            frames = self._frames_of(event)
            for sub_event in frames:
                self._receiver.missing(sub_event, str(failed))
            raise SkipEvent(len(frames), str(failed)) from error
        self._receiver.tell("hardware", event)
        if self._hooks.post_hardware is not None:
            self._after_post_hardware(event)

    def _after_post_hardware(self, event: MDAEvent) -> None:
        before = parts(event)
        after = self._hooks.call("post_hardware", before)
        if after and len(after) != len(before):
            raise HookError(
                "post_hardware_hook_fn changed the number of events",
                hint="it comes when the hardware is set: it may return what it got, "
                "with other axes or tags, or None",
            )
        if not after and acquires_image(event):
            for sub_event in self._frames_of(event):
                self._receiver.left_out(sub_event, "dropped by post_hardware_hook_fn")
            raise SkipEvent(0, "dropped by post_hardware_hook_fn")
        if after and after != before:
            self._changed = (
                event.model_copy(update={"events": tuple(after)})
                if isinstance(event, SequencedEvent)
                else after[0]
            )

    def setup_single_event(self, event: MDAEvent) -> None:
        """Set stage, focus, channel, exposure, properties and ROI."""
        self._hardware.set(event, self._correction(event))

    def _hold_shutter(self) -> None:
        """Open the shutter, and keep the core from closing it after each image."""
        if self._autoshutter_was_set and not self._holds_shutter:
            # A later event may set it as a property, and must not be taken for the
            # first who changed it.
            self._hardware.memory.property("Core", "AutoShutter")
            self.mmcore.setAutoShutter(False)
            self.mmcore.setShutterOpen(True)
            self._holds_shutter = True

    def _correction(self, event: MDAEvent) -> float:
        return self._z_correction.get(event.index.get("p", None), 0.0)

    def teardown_event(self, event: MDAEvent) -> None:
        """Give the shutter back, and stop what runs by itself."""
        if self._aside.is_busy:
            return  # everything else waits for the camera; `rest` does it then
        if self._holds_shutter and not event.keep_shutter_open:
            self.mmcore.setShutterOpen(False)
            self.mmcore.setAutoShutter(True)
            self._holds_shutter = False
        if self._unfinished is not None:
            self._hardware.end_sequence(self._unfinished)
            self._unfinished = None

    # ------------------------------------------------------------- images

    def exec_event(
        self, event: MDAEvent
    ) -> Generator[PImagePayload | None, _Signal, None]:
        """Run an event; each frame goes to the receiver before it is yielded.

        A wish to cancel is seen between two images, and while none comes.
        """
        if self._given_up():
            return
        event = self._changed or event
        if isinstance(event.action, HardwareAutofocus):
            self._focus(event, event.action)
            return
        if not acquires_image(event):
            self._act(event)
            return
        # None where the devices were unloaded: a frame is missing all the same.
        self._cameras = max(1, self.mmcore.getNumberOfCameraChannels())
        delivered: list[MDAEvent] = []
        signal: _Signal = None
        reason = ""
        try:
            if self._af_was_engaged and self._af_succeeded:
                self._hardware.memory.focus_lock()
                self.mmcore.enableContinuousFocus(True)
            images = self._images(event)
            with contextlib.closing(images):
                for image, sub_event, meta in images:
                    self._receiver.frame(image, sub_event, meta)
                    delivered.append(sub_event)
                    signal = yield _payload(image, sub_event, meta)
                    if signal == "cancel":
                        return
        except ScopeError as error:
            if self._on_error == "stop" or not isinstance(error, _BurstError):
                raise
            reason = error.message
        except _DEVICE_ERRORS as error:
            failed = failure("the camera failed", error, event)
            with contextlib.suppress(RuntimeError):
                self.mmcore.stopSequenceAcquisition()
            if self._on_error == "stop":
                raise failed from error
            reason = str(failed)
        if self._given_up():
            return
        self._note_missing(event, delivered, reason)

    def _note_missing(
        self, event: MDAEvent, delivered: list[MDAEvent], reason: str
    ) -> None:
        if len(delivered) == len(parts(event)) * self._cameras:
            return
        # Events may have the same axes, so they are counted.
        seen = Counter(map(identity_of, delivered))
        for sub_event in self._frames_of(event):
            identity = identity_of(sub_event)
            if seen[identity]:
                seen[identity] -= 1
            else:
                self._receiver.missing(sub_event, reason)

    def _images(
        self, event: MDAEvent
    ) -> Generator[tuple[npt.NDArray[np.generic], MDAEvent, dict[str, Any]]]:
        if isinstance(event, SequencedEvent):
            yield from self._burst(event)
        else:
            yield from self._snap(event)

    def _snap(
        self, event: MDAEvent
    ) -> Generator[tuple[npt.NDArray[np.generic], MDAEvent, dict[str, Any]]]:
        """Take one image with each camera."""
        core = self.mmcore
        self._hardware.show_pattern(event)
        self._receiver.tell("pre_exposure", event)
        if not self._expose(event):
            return
        start = event.metadata.get("runner_t0") or time.perf_counter()
        elapsed_ms = (time.perf_counter() - start) * 1000
        if self._holds_shutter and not event.keep_shutter_open:
            core.setShutterOpen(False)
        self._receiver.tell("exposure", event)
        self._receiver.tell("exposed", event)
        cameras = self._cameras
        for camera in range(cameras):
            sub_event = event if cameras == 1 else for_camera(event, camera)
            meta = self.get_frame_metadata(
                event,
                runner_time_ms=elapsed_ms,
                camera_device=core.getPhysicalCameraDevice(camera),
                include_position=self._include_frame_position_metadata is not False,
            )
            yield core.getImage(camera), sub_event, cast("dict[str, Any]", meta)

    def _expose(self, event: MDAEvent) -> bool:
        """Take an image; returns False if the run was given up meanwhile."""
        core = self.mmcore
        if self._hooks.post_camera is not None:
            # The camera exposes, or waits for the trigger that the hook gives.
            return self._aside.call(
                core.snapImage,
                meanwhile=lambda: self._hooks.call("post_camera", parts(event)),
            )
        if self._exposure_ms(event) >= _LONG_MS:
            return self._aside.call(core.snapImage)
        core.snapImage()
        return True

    def _exposure_ms(self, event: MDAEvent) -> float:
        if isinstance(event, SequencedEvent) and event.exposure_sequence:
            return max(event.exposure_sequence)
        if event.exposure is not None:
            return event.exposure
        return self.mmcore.getExposure()

    def _burst(
        self, event: SequencedEvent
    ) -> Generator[tuple[npt.NDArray[np.generic], MDAEvent, dict[str, Any]]]:
        """Collect the images of a hardware sequence, the very last one too."""
        core = self.mmcore
        start = event.metadata.get("runner_t0")
        t0_ms = (time.perf_counter() - start) * 1000 if start else 0.0
        self._hardware.show_pattern(event)
        exposure_s = self._exposure_ms(event) / 1000
        next_s = max(_NEXT_IMAGE_S, exposure_s * _NEXT_IMAGE_EXPOSURES)
        burst = Burst(
            core,
            event,
            self._given_up,
            first_s=max(self._first_image_s, next_s),
            next_s=next_s,
            aside=self._aside,
        )
        properties = BurstProperties(event, self._known_properties(event))
        taken = [e for e in event.events if acquires_image(e)]
        cameras = self._cameras
        delivered = 0
        self._receiver.tell("pre_exposure", event)
        try:
            burst.start()
            if self._hooks.post_camera is not None:
                self._hooks.call("post_camera", parts(event))
            self._receiver.tell("exposure", event)
            for image, tags, number, camera, left in burst.images():
                one = taken[number]
                payload = self._create_seqimg_payload_from_popped(
                    image,
                    tags,
                    event=one,
                    channel=camera,
                    event_t0=t0_ms,
                    remaining=left,
                )
                meta = cast("dict[str, Any]", payload[2])
                meta["property_values"] = properties.of(number)
                if event.exposure_sequence:
                    meta["exposure_ms"] = event.exposure_sequence[number]
                sub_event = one if cameras == 1 else for_camera(one, camera)
                yield image, sub_event, meta
                delivered += 1
        finally:
            burst.stop()
        if self._given_up():
            return
        self._receiver.tell("exposed", event)
        if burst.problem is not None:
            absent = len(self._frames_of(event)) - delivered
            raise _BurstError(
                f"{burst.problem}: {absent} of {absent + delivered} frames of a "
                f"hardware sequence are missing{where(event)}",
                hint="check triggers and cables, enlarge the camera's buffer, or "
                "switch hardware sequencing off",
            )

    def _known_properties(self, event: MDAEvent) -> Sequence[PropertyValue]:
        """Return what the presets of an event's channel group have set."""
        if event.channel is None:
            return ()
        return self._get_current_props(event.channel.group)

    def _frames_of(self, event: MDAEvent) -> list[MDAEvent]:
        """Return one event for each frame that an event takes."""
        events = [e for e in parts(event) if acquires_image(e)]
        cameras = max(1, self.mmcore.getNumberOfCameraChannels())
        if cameras == 1:
            return events
        return [for_camera(e, camera) for e in events for camera in range(cameras)]

    # ------------------------------------------------------------- other actions

    def _act(self, event: MDAEvent) -> None:
        """Do what a custom action says; an event that only sets hardware is done."""
        action = event.action
        if not isinstance(action, CustomAction) or not action.name:
            return
        function = self._actions.get(action.name)
        if function is not None:
            function(event, self.mmcore)

    def _focus(self, event: MDAEvent, action: HardwareAutofocus) -> None:
        """Focus by hardware; the correction applies to the rest of the position."""
        try:
            moved = self._hardware.focus(action)
        except (HardwareError, *_DEVICE_ERRORS) as error:
            self._af_succeeded = False
            failed = failure("the autofocus failed", error, event)
            if self._on_error == "stop":
                raise failed from error
            self._receiver.warn(f"{failed}; frames were taken at the last focus")
            return
        self._af_succeeded = True
        position = event.index.get("p", None)
        before = self._z_correction.get(position, 0.0)
        self._z_correction[position] = before + moved


def _payload(
    image: npt.NDArray[np.generic], event: MDAEvent, meta: dict[str, Any]
) -> PImagePayload:
    return cast("PImagePayload", ImagePayload(image, event, cast("Any", meta)))


class _BurstError(HardwareError):
    """A hardware sequence did not deliver all of its images."""
