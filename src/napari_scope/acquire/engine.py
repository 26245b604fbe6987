"""The engine of pymmcore-plus, made strict.

The engine it derives from logs hardware failures and goes on: the next image is then
taken with the wrong channel or at the wrong place, or all later frames land one index
early. `ScopeEngine` lets no failure pass. Depending on ``on_error`` it stops the run
or leaves out the frame, whose place stays empty. Each frame is handed to the receiver
before it is yielded, on the thread of the run, so that saving holds back the camera
and not the other way round.

This module knows no files and no viewer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, cast

import numpy as np
from pymmcore_plus.core import DeviceType, Keyword
from pymmcore_plus.core._sequencing import SequencedEvent
from pymmcore_plus.mda import MDAEngine, SkipEvent
from pymmcore_plus.mda._engine import ImagePayload
from useq import HardwareAutofocus

from napari_scope.errors import HardwareError, ScopeError
from napari_scope.events import acquires_image

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus
    from pymmcore_plus.mda._protocol import PImagePayload
    from pymmcore_plus.metadata import SummaryMetaV1
    from useq import MDAEvent, MDASequence, PropertyTuple

__all__ = ["ErrorPolicy", "FrameReceiver", "ScopeEngine"]

ErrorPolicy: TypeAlias = Literal["stop", "skip"]

_Signal: TypeAlias = 'Literal["cancel", "pause"] | None'

# What the core and its devices raise (IndexError: no image in its buffer).
_DEVICE_ERRORS = (RuntimeError, ValueError, MemoryError, TimeoutError, IndexError)


class FrameReceiver(Protocol):
    """Who gets the frames; called on the thread of the run."""

    def prepare(self) -> None:
        """Hardware is set up for the run; the size of frames is known."""

    def events(self) -> MDASequence | list[MDAEvent] | Iterator[MDAEvent]:
        """Return the events to run, now that the size of the field is known."""

    def frame(
        self, image: npt.NDArray[np.generic], event: MDAEvent, meta: dict[str, Any]
    ) -> None:
        """Take over a frame; waits if there is no room, raises if it is lost."""

    def missing(self, event: MDAEvent, reason: str) -> None:
        """Note that the frame of an event will not come."""

    def warn(self, text: str) -> None:
        """Note something that went wrong although no frame is missing."""


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
        Called before each event is waited for.
    use_hardware_sequencing : bool
        Whether events that the hardware can run by itself are merged.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        receiver: FrameReceiver,
        *,
        on_error: ErrorPolicy = "stop",
        before_event: Callable[[MDAEvent], None] = lambda event: None,
        use_hardware_sequencing: bool = True,
    ) -> None:
        super().__init__(core, use_hardware_sequencing=use_hardware_sequencing)
        self._receiver = receiver
        self._on_error: ErrorPolicy = on_error
        self._before_event = before_event

    # ------------------------------------------------------------- set-up

    def setup_sequence(self, sequence: MDASequence) -> SummaryMetaV1 | None:
        """Set the hardware up for a run, then let the receiver prepare."""
        try:
            summary = super().setup_sequence(sequence)
        except _DEVICE_ERRORS as error:
            raise _failure("the microscope cannot be set up", error) from error
        self._receiver.prepare()
        return summary

    def _update_grid_fov_sizes(self, px_size: float, sequence: MDASequence) -> None:
        """Do nothing: the plan has the field of view, and what it states counts."""

    def event_iterator(self, events: Iterable[MDAEvent]) -> Iterator[MDAEvent]:
        """Iterate over events, merged where the hardware can run them by itself.

        The receiver says which events: those the runner was given may lack the field
        of view. An iterator is read event by event, as each may depend on the last.
        """
        planned = self._receiver.events()
        iterator = (
            planned
            if isinstance(planned, Iterator)
            else iter(super().event_iterator(planned))
        )
        while True:
            try:
                event = next(iterator)
            except StopIteration:
                return
            except ScopeError:
                raise
            except _DEVICE_ERRORS as error:
                if iterator is planned:
                    raise  # it comes from whoever wrote the plan, not from a device
                raise _failure("the next event cannot be prepared", error) from error
            self._before_event(event)
            yield event

    def setup_event(self, event: MDAEvent) -> None:
        """Bring the hardware to where an event wants it; waits for all devices."""
        try:
            super().setup_event(event)
        except (HardwareError, *_DEVICE_ERRORS) as error:
            failure = _failure("the hardware could not be set", error, event)
            if self._on_error == "stop":
                raise failure from error
            frames = self._frames_of(event)
            for sub_event in frames:
                self._receiver.missing(sub_event, str(failure))
            raise SkipEvent(len(frames), str(failure)) from error

    def setup_single_event(self, event: MDAEvent) -> None:
        """Set stage, focus, channel, exposure, properties, ROI and shutter."""
        core = self.mmcore
        self._set_event_xy_position(event)
        if event.z_pos is not None:
            self._set_event_z(event)
        if event.slm_image is not None:
            self._set_event_slm_image(event)
        self._set_event_channel(event)
        if event.exposure is not None:
            core.setExposure(event.exposure)
        if event.properties is not None:
            self._set_event_properties(event.properties)
        if event.roi is not None:
            self._set_event_roi(event)
        if self._autoshutter_was_set and event.keep_shutter_open:
            if core.getAutoShutter():
                core.setAutoShutter(False)
                core.setShutterOpen(True)

    def _set_event_xy_position(self, event: MDAEvent) -> None:
        x, y = event.x_pos, event.y_pos
        if x is None and y is None:
            return
        core = self.mmcore
        if not core.getXYStageDevice():
            raise HardwareError(
                "the plan moves in x and y, but there is no XY stage",
                hint="choose one as default XY stage, or remove the positions",
            )
        if x is None or y is None:
            here_x, here_y = core.getXYPosition()
            x, y = (here_x if x is None else x), (here_y if y is None else y)
        core.setXYPosition(x, y)

    def _set_event_z(self, event: MDAEvent) -> None:
        if not self.mmcore.getFocusDevice():
            raise HardwareError(
                "the plan moves in z, but there is no focus drive",
                hint="choose one as default focus device, or remove the z stack",
            )
        super()._set_event_z(event)

    def _set_event_channel(self, event: MDAEvent) -> None:
        channel = event.channel
        core = self.mmcore
        if channel is None:
            return
        if (channel.group, channel.config) != core._last_config:
            core.setConfig(channel.group, channel.config)

    def _set_event_properties(self, properties: Sequence[PropertyTuple]) -> None:
        core = self.mmcore
        # They may change what belongs to a channel: the next one must be set anew.
        core._last_config = ("", "")
        for device, name, value in properties:
            kind = core.getDeviceType(device) if name == Keyword.Position else None
            if kind == DeviceType.XYStage:
                x, y = cast("tuple[float, float]", value)
                core.setXYPosition(device, float(x), float(y))
            elif kind == DeviceType.Stage:
                core.setPosition(device, float(value))
            else:
                core.setProperty(device, name, value)

    def _set_event_roi(self, event: MDAEvent) -> None:
        roi = event.roi
        if roi is None:
            return
        core = self.mmcore
        core.clearROI()
        width, height = core.getImageWidth(), core.getImageHeight()
        # Some cameras take any region and fail, or worse, when they use it.
        if roi.offset_x + roi.width > width or roi.offset_y + roi.height > height:
            raise HardwareError(
                f"the plan reads {roi.width} x {roi.height} pixels at "
                f"({roi.offset_x}, {roi.offset_y}) of a camera that has "
                f"{width} x {height}",
                hint="make the region smaller",
            )
        core.setROI(roi.offset_x, roi.offset_y, roi.width, roi.height)

    def _set_event_slm_image(self, event: MDAEvent) -> None:
        slm = event.slm_image
        if slm is None:
            return
        core = self.mmcore
        device = slm.device or core.getSLMDevice()
        if not device:
            raise HardwareError("the plan shows a pattern, but there is no SLM")
        pattern = np.asarray(slm)
        if pattern.ndim == 0:
            core.setSLMPixelsTo(device, int(pattern))
        elif pattern.size == 3:
            red, green, blue = (int(v) for v in pattern.ravel())
            core.setSLMPixelsTo(device, red, green, blue)
        else:
            core.setSLMImage(device, pattern.astype(np.uint8))
        if slm.exposure:
            core.setSLMExposure(device, slm.exposure)

    # ------------------------------------------------------------- images

    def exec_event(
        self, event: MDAEvent
    ) -> Generator[PImagePayload | None, _Signal, None]:
        """Run an event; each frame goes to the receiver before it is yielded.

        Signals that the runner sends (cancel, pause) are passed on to the hardware
        sequence inside.
        """
        if isinstance(event.action, HardwareAutofocus):
            self._focus(event, event.action)
            return
        inner = cast(
            "Generator[PImagePayload | None, _Signal, None]", super().exec_event(event)
        )
        delivered: set[tuple[tuple[str, int], ...]] = set()
        signal: _Signal = None
        try:
            payload = next(inner)
            while True:
                if payload is not None:
                    image, sub_event, meta = payload
                    self._receiver.frame(image, sub_event, cast("dict[str, Any]", meta))
                    delivered.add(_identity(sub_event))
                signal = yield payload
                payload = inner.send(signal)
        except StopIteration:
            reason = "the camera did not deliver the frame"
        except ScopeError:
            raise
        except _DEVICE_ERRORS as error:
            failure = _failure("the camera failed", error, event)
            with contextlib.suppress(RuntimeError):
                self.mmcore.stopSequenceAcquisition()
            if self._on_error == "stop":
                raise failure from error
            reason = str(failure)
        finally:
            inner.close()
        if signal == "cancel":
            return
        absent = [e for e in self._frames_of(event) if _identity(e) not in delivered]
        if absent and self._on_error == "stop":
            raise HardwareError(
                f"{reason}: {len(absent)} of {len(absent) + len(delivered)} frames "
                "of a hardware sequence are missing",
                hint="check triggers and cables, or switch hardware sequencing off",
            )
        for sub_event in absent:
            self._receiver.missing(sub_event, reason)

    def exec_single_event(self, event: MDAEvent) -> Iterator[PImagePayload | None]:
        """Snap one image; a failure of the camera is raised, not logged."""
        if event.slm_image is not None:
            device = event.slm_image.device or self.mmcore.getSLMDevice()
            self.mmcore.displaySLMImage(device)
        core = self.mmcore
        core.snapImage()
        start = event.metadata.get("runner_t0") or time.perf_counter()
        elapsed_ms = (time.perf_counter() - start) * 1000
        if not event.keep_shutter_open and self._autoshutter_was_set:
            core.setShutterOpen(False)
        cameras = core.getNumberOfCameraChannels()
        for camera in range(cameras):
            sub_event = event if cameras == 1 else _for_camera(event, camera)
            meta = self.get_frame_metadata(
                event,
                runner_time_ms=elapsed_ms,
                camera_device=core.getPhysicalCameraDevice(camera),
                include_position=self._include_frame_position_metadata is not False,
            )
            yield ImagePayload(core.getImage(camera), sub_event, meta)  # type: ignore[misc]

    def _exec_single_camera_sequence(
        self, event: SequencedEvent, t0_ms: float
    ) -> Generator[PImagePayload | None, _Signal, None]:
        """Collect the images of a hardware sequence, the very last one too.

        The engine this derives from asks whether images wait, then whether the camera
        still runs. An image that comes between the two questions, as the last one
        may, stays in the core's buffer and would be missing.
        """
        inner = super()._exec_single_camera_sequence(event, t0_ms)
        signal: _Signal = None
        count = 0
        try:
            payload = next(inner)
            while True:
                if payload is not None:
                    count += 1
                    signal = yield payload
                payload = inner.send(signal)
        except StopIteration:
            pass
        finally:
            inner.close()
        core = self.mmcore
        while signal != "cancel" and count < len(event.events):
            left = core.getRemainingImageCount()
            if not left:
                return
            image, tags = core.popNextImageAndMD()
            signal = yield self._create_seqimg_payload_from_popped(
                image,
                tags,
                event=event.events[count],
                channel=0,
                event_t0=t0_ms,
                remaining=left - 1,
            )
            count += 1

    def _frames_of(self, event: MDAEvent) -> list[MDAEvent]:
        """Return one event for each frame that an event takes."""
        if not acquires_image(event):
            return []
        events = event.events if isinstance(event, SequencedEvent) else (event,)
        cameras = self.mmcore.getNumberOfCameraChannels()
        if cameras == 1:
            return list(events)
        return [_for_camera(e, camera) for e in events for camera in range(cameras)]

    def _focus(self, event: MDAEvent, action: HardwareAutofocus) -> None:
        """Focus by hardware; the correction applies to the rest of the position."""
        try:
            if not self.mmcore.getAutoFocusDevice():
                raise HardwareError(
                    "the plan focuses by hardware, but there is no autofocus device",
                    hint="choose one as default autofocus, or switch autofocus off",
                )
            moved = self._execute_autofocus(action)
        except (HardwareError, *_DEVICE_ERRORS) as error:
            self._af_succeeded = False
            failure = _failure("the autofocus failed", error, event)
            if self._on_error == "stop":
                raise failure from error
            self._receiver.warn(f"{failure}; frames were taken at the last focus")
            return
        self._af_succeeded = True
        position = event.index.get("p", None)
        before = self._z_correction.get(position, 0.0)
        self._z_correction[position] = before + moved


def _for_camera(event: MDAEvent, camera: int) -> MDAEvent:
    return event.model_copy(update={"index": {**event.index, "cam": camera}})


def _identity(event: MDAEvent) -> tuple[tuple[str, int], ...]:
    axes = event.metadata.get("axes") or {}
    pairs = [*event.index.items(), *axes.items()]
    return tuple(sorted((str(k), v) for k, v in pairs))


def _failure(
    what: str, error: BaseException, event: MDAEvent | None = None
) -> HardwareError:
    """Return one clear error for what a device raised."""
    cause = error.message if isinstance(error, ScopeError) else str(error)
    hint = error.hint if isinstance(error, ScopeError) else None
    text = f"{what}, {' '.join(cause.split()) or type(error).__name__}"
    if event is not None and event.index:
        where = ", ".join(f"{k}={v}" for k, v in event.index.items())
        text += f" [event {where}]"
    return HardwareError(text, hint=hint or "check the device and its connection")
