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
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus
    from pymmcore_plus.core import Metadata
    from useq import MDAEvent

__all__ = ["Burst", "merged"]

_LOOK_S = 0.0005
_MOST_EARLY = 64


def merged(
    core: CMMCorePlus, events: Iterable[MDAEvent], most: Callable[[], int]
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
    """
    combiner = EventCombiner(core)
    waiting = 0
    for event in events:
        full = waiting >= most()
        if full and (whole := combiner.flush()) is not None:
            yield _completed(whole)
            waiting = 0
        if (ready := combiner.feed_event(event)) is not None:
            yield _completed(ready)
            waiting = 0
        waiting += 1
    if (last := combiner.flush()) is not None:
        yield _completed(last)


def _completed(event: MDAEvent) -> MDAEvent:
    """Give a merged event what merging leaves out: the shutter, and facts."""
    if not isinstance(event, SequencedEvent):
        return event
    first, last = event.events[0], event.events[-1]
    return event.model_copy(
        update={
            "index": dict(first.index),
            "metadata": dict(first.metadata),
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
    """

    def __init__(
        self,
        core: CMMCorePlus,
        event: SequencedEvent,
        given_up: Callable[[], bool],
        *,
        first_s: float,
        next_s: float,
    ) -> None:
        self._core = core
        self._events = [e for e in event.events if acquires_image(e)]
        self._cameras = core.getNumberOfCameraChannels()
        self._given_up = given_up
        self._first_s = first_s
        self._next_s = next_s
        self.problem: str | None = None
        """Why images are missing, once the burst is over."""

    def start(self) -> None:
        """Start the camera."""
        self._core.startSequenceAcquisition(len(self._events), 0, True)

    def images(
        self,
    ) -> Iterator[tuple[npt.NDArray[np.generic], Metadata, MDAEvent, int, int]]:
        """Iterate over the images in order; ends when all are there or none comes.

        Yields
        ------
        image, tags, event, camera, left
            The pixels, what the camera tells, the event and the number of the camera
            it belongs to, and how many images wait in the buffer.
        """
        if self._cameras == 1:
            for number, (image, tags, left) in enumerate(self._popped()):
                if number < len(self._events):
                    yield image, tags, self._events[number], 0, left
            return
        yield from self._sorted()

    def stop(self) -> None:
        """Stop the camera."""
        with contextlib.suppress(RuntimeError):
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
        if count < expected:
            self.problem = (
                "the camera's buffer overflowed"
                if core.isBufferOverflowed()
                else "the camera stopped early"
            )

    def _sorted(
        self,
    ) -> Iterator[tuple[npt.NDArray[np.generic], Metadata, MDAEvent, int, int]]:
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

    def _filed(
        self, key: tuple[int, int], found: tuple[Any, Metadata, int]
    ) -> tuple[npt.NDArray[np.generic], Metadata, MDAEvent, int, int]:
        image, tags, left = found
        number, camera = key
        return image, tags, self._events[number], camera, left

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
