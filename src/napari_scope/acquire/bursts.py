"""Hardware sequences: merging events into them, and collecting their images.

`merged` puts events together that the hardware can run by itself. `Burst` starts the
camera and takes its images as they come, in the order of the events and, with several
cameras, of the cameras. Giving up, a full buffer and a camera that falls silent end
it within milliseconds; images that are there already are delivered all the same.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from pymmcore_plus.core._sequencing import EventCombiner, SequencedEvent

from napari_scope.errors import HardwareError
from napari_scope.events import acquires_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus
    from pymmcore_plus.core import Keyword, Metadata
    from pymmcore_plus.metadata.schema import PropertyValue
    from useq import MDAEvent

    from napari_scope.acquire.aside import Aside

__all__ = ["Burst", "BurstProperties", "merged"]

_LOOK_S = 0.0005
_MOST_EARLY = 64

# Events of one hardware sequence: each takes some kilobytes, and merging them takes
# some 40 microseconds, before the first image is taken.
_MOST_EVENTS = 20_000


def merged(
    core: CMMCorePlus,
    events: Iterable[MDAEvent],
    most: Callable[[], int],
    *,
    z_shift: Callable[[MDAEvent], float] = lambda event: 0.0,
    given_up: Callable[[], bool] = lambda: False,
) -> Iterator[MDAEvent]:
    """Iterate over events, put together where the hardware can run them by itself.

    Parameters
    ----------
    core : CMMCorePlus
        Tells which devices can run sequences.
    events : iterable of MDAEvent
        In their order.
    most : callable
        Most events of one hardware sequence.
    z_shift : callable
        What the autofocus adds to the height of an event.
    given_up : callable
        Whether nobody wants the next event any more.
    """
    combiner = EventCombiner(core)
    batch = combiner.event_batch
    limit = 1
    for event in events:
        if batch and (
            len(batch) >= limit
            or not _may_join(combiner, event)
            or z_shift(event) != z_shift(batch[0])
        ):
            yield _flushed(combiner)
        if given_up():
            return
        if not batch:
            limit = min(most(), _MOST_EVENTS)
        if (ready := combiner.feed_event(event)) is not None:
            yield _completed(ready)
            limit = min(most(), _MOST_EVENTS)
    if batch:
        yield _flushed(combiner)


def _flushed(combiner: EventCombiner) -> MDAEvent:
    event = combiner.flush()
    assert event is not None  # the batch is not empty
    return _completed(event)


def _may_join(combiner: EventCombiner, event: MDAEvent) -> bool:
    """Return whether an event may follow those that wait, as far as we decide.

    The combiner of pymmcore-plus asks the devices. It would merge events that are due
    at different times and have no time axis, lose light patterns, load more values
    than a device can hold when the last ones are like the first, and fail on events of
    which only some give a coordinate, an exposure, or a property.
    """
    first, longer = combiner.event_batch[0], len(combiner.event_batch) + 1
    for part, changes in combiner.attribute_changes.items():
        if changes and longer > _longest(combiner, part):
            return False
    if (event.min_start_time or 0) != (first.min_start_time or 0):
        return False
    if event.reset_event_timer or event.slm_image != first.slm_image:
        return False
    given = (event.x_pos, event.y_pos, event.z_pos, event.exposure)
    others = (first.x_pos, first.y_pos, first.z_pos, first.exposure)
    if any((a is None) != (b is None) for a, b in zip(given, others, strict=True)):
        return False
    if given[:2] != others[:2] and None in given[:2]:
        return False
    if event.channel is first.channel and event.properties is first.properties:
        return True
    names = combiner._event_properties(event).keys()
    return names == combiner.first_event_props.keys()


def _longest(combiner: EventCombiner, part: Keyword | tuple[str, str]) -> int:
    """Return how many values the device of a part of the hardware can hold."""
    if isinstance(part, tuple):
        return combiner._get_property_max_length(part)
    return combiner.max_lengths[part]


def _completed(event: MDAEvent) -> MDAEvent:
    """Give a merged event what merging leaves out: the shutter, pattern and facts."""
    if not isinstance(event, SequencedEvent):
        return event
    first, last = event.events[0], event.events[-1]
    # Those of the channel are set with it.
    constant = [
        (device, name, value)
        for device, name, value in first.properties or ()
        if (device, name) not in event.property_sequences
    ]
    return event.model_copy(
        update={
            "index": dict(first.index),
            "metadata": dict(first.metadata),
            "properties": constant or None,
            "slm_image": first.slm_image,
            "keep_shutter_open": last.keep_shutter_open,
        }
    )


class Burst:
    """One hardware sequence of the camera.

    Parameters
    ----------
    core : CMMCorePlus
        The microscope, set up for the sequence.
    event : SequencedEvent
        The events that were put together.
    given_up : callable
        Whether the run is to end at once.
    first_s, next_s : float
        Longest time to wait for the first image, and from one image to the next.
    aside : Aside
        Stops the camera when the run is given up: some only stop when the exposure is
        over.
    """

    def __init__(
        self,
        core: CMMCorePlus,
        event: SequencedEvent,
        given_up: Callable[[], bool],
        *,
        first_s: float,
        next_s: float,
        aside: Aside,
    ) -> None:
        self._core = core
        self._events = [e for e in event.events if acquires_image(e)]
        self._cameras = max(1, core.getNumberOfCameraChannels())
        self._given_up = given_up
        self._first_s = first_s
        self._next_s = next_s
        self._aside = aside
        self.problem: str | None = None
        """Why images are missing, once the burst is over."""

    def start(self) -> None:
        """Start the camera."""
        self._core.startSequenceAcquisition(len(self._events), 0, True)

    def images(
        self,
    ) -> Iterator[tuple[npt.NDArray[np.generic], Metadata, int, int, int]]:
        """Iterate over the images in order; ends when all are there or none comes.

        Yields
        ------
        image, tags, number, camera, left
            The pixels, what the camera tells, the number of the event and of the
            camera that it belongs to, and how many images wait in the buffer.
        """
        if self._cameras == 1:
            for number, (image, tags, left) in enumerate(self._popped()):
                if number < len(self._events):
                    yield image, tags, number, 0, left
            return
        yield from self._sorted()

    def stop(self) -> None:
        """Stop the camera; images that it has delivered stay in its buffer."""
        if self._aside.is_busy:
            return  # it is being stopped
        if self._given_up():
            self._aside.call(self._stop)
        else:
            self._stop()

    def _stop(self) -> None:
        with contextlib.suppress(RuntimeError):
            if self._core.isSequenceRunning():
                self._core.stopSequenceAcquisition()

    def _popped(self) -> Iterator[tuple[npt.NDArray[np.generic], Metadata, int]]:
        core = self._core
        expected = len(self._events) * self._cameras
        count = 0
        end = time.monotonic() + self._first_s
        while count < expected:
            if self._given_up():
                self.stop()
                return
            left = core.getRemainingImageCount()
            if left:
                image, tags = core.popNextImageAndMD()
                yield image, tags, left - 1
                count += 1
                # Saving may have taken long; the camera gets its time from now on.
                end = time.monotonic() + self._next_s
            elif core.isSequenceRunning():
                if time.monotonic() > end:
                    self.stop()
                    if core.getRemainingImageCount():
                        continue  # it came after all
                    waited = self._next_s if count else self._first_s
                    self.problem = f"the camera sent no image for {waited:g} s"
                    return
                time.sleep(_LOOK_S)
            elif not core.getRemainingImageCount():
                # An image may come between the two questions, so it is asked again.
                break
        # A camera that was stopped because the run is given up has no problem.
        if count < expected and not self._given_up():
            self.problem = (
                "the camera's buffer overflowed"
                if core.isBufferOverflowed()
                else "the camera stopped early"
            )

    def _sorted(
        self,
    ) -> Iterator[tuple[npt.NDArray[np.generic], Metadata, int, int, int]]:
        """Put the images of several cameras into the order of events and cameras."""
        counts = [0] * self._cameras
        early: dict[tuple[int, int], tuple[Any, Metadata, int]] = {}
        turn = (0, 0)
        for image, tags, left in self._popped():
            camera = self._camera_of(tags)
            key = (counts[camera], camera)
            counts[camera] += 1
            if key[0] >= len(self._events):
                continue  # one camera took more than its share, another less
            early[key] = image, tags, left
            if key < turn or len(early) > _MOST_EARLY:
                # A camera lags behind or is dead. Images are not kept for it without
                # limit; they know their place.
                turn = min(early)
            while turn in early:
                yield self._filed(turn, early.pop(turn))
                number, camera = turn
                last = camera + 1 == self._cameras
                turn = (number + 1, 0) if last else (number, camera + 1)
        for key in sorted(early):
            yield self._filed(key, early[key])

    @staticmethod
    def _filed(
        key: tuple[int, int], found: tuple[Any, Metadata, int]
    ) -> tuple[npt.NDArray[np.generic], Metadata, int, int, int]:
        image, tags, left = found
        number, camera = key
        return image, tags, number, camera, left

    def _camera_of(self, tags: Metadata) -> int:
        """Return the number of the camera that took an image.

        The adapter for several cameras notes it under its own name.
        """
        for name, value in tags.items():
            if name.endswith("CameraChannelIndex"):
                camera = int(value)
                if 0 <= camera < self._cameras:
                    return camera
        raise HardwareError(
            "an image of several cameras does not say which one took it",
            hint="use Micro-Manager's Multi Camera adapter, or switch hardware "
            "sequencing off",
        )


class BurstProperties:
    """The properties that presets set, for each image of a hardware sequence.

    Those that do not change are read before it starts; the others run by themselves.
    """

    def __init__(self, event: SequencedEvent, before: Sequence[PropertyValue]) -> None:
        self._before = tuple(before)
        changing = event.property_sequences
        self._at = [
            (place, changing[key])
            for place, found in enumerate(self._before)
            if (key := (found["dev"], found["prop"])) in changing
        ]

    def of(self, number: int) -> tuple[PropertyValue, ...]:
        """Return those of one image."""
        if not self._at:
            return self._before
        found = list(self._before)
        for place, values in self._at:
            found[place] = {**found[place], "val": str(values[number])}
        return tuple(found)
