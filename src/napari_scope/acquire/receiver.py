"""What the engine and whoever gets its frames know of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus
    from useq import MDAEvent

__all__ = ["Action", "EngineStep", "ErrorPolicy", "FrameReceiver"]

ErrorPolicy: TypeAlias = Literal["stop", "skip"]

EngineStep: TypeAlias = Literal[
    "pre_hardware", "hardware", "pre_exposure", "exposure", "exposed"
]
"""How far an event is: before and after the hardware is set, before the camera is told
to expose, when it is (a single image is taken then), and when all images are there."""

Action: TypeAlias = "Callable[[MDAEvent, CMMCorePlus], object]"
"""What a custom action of a plan does."""


class FrameReceiver(Protocol):
    """Who gets the frames; called on the thread of the run."""

    def prepare(self) -> None:
        """Hardware is set up for the run; the size of frames is known."""

    def events(self) -> Iterable[Any]:
        """Return the events to run, now that the size of the field is known.

        An iterator is read during the run; it may yield lists, whose events may be
        put together.
        """

    def frame(
        self, image: npt.NDArray[np.generic], event: MDAEvent, meta: dict[str, Any]
    ) -> None:
        """Take over a frame; the array is the receiver's."""

    def missing(self, event: MDAEvent, reason: str) -> None:
        """Note that the frame of an event will not come."""

    def left_out(self, event: MDAEvent, reason: str) -> None:
        """Note that somebody decided against an event."""

    def warn(self, text: str) -> None:
        """Note something that went wrong although no frame is missing."""

    def tell(self, step: EngineStep, event: MDAEvent) -> None:
        """Take note of how far an event is."""

    def most_in_a_burst(self) -> int:
        """Return how many frames a hardware sequence may have."""
