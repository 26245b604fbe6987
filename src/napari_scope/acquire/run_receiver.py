"""What the engine knows of a run, and how it gets the events of its plan.

`RunReceiver` is the `FrameReceiver` of a `Run`: it hands on what the engine tells, to
the run or to its recorder, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    import numpy.typing as npt
    from useq import MDAEvent

    from napari_scope.acquire.processing import FrameProcessor
    from napari_scope.acquire.receiver import EngineStep
    from napari_scope.acquire.recorder import Recorder
    from napari_scope.events import Plan

    _Frame: TypeAlias = Callable[
        [npt.NDArray[np.generic], MDAEvent, dict[str, Any]], None
    ]

__all__ = ["RunReceiver", "not_an_iterator"]


class RunReceiver:
    """What the engine knows of a run.

    Parameters
    ----------
    recorder : Recorder
        Stores, and keeps the books.
    processor : FrameProcessor, optional
        What frames pass through.
    events : callable
        Returns the events to run.
    frame, step : callable
        Take a frame, and note how far an event is.
    """

    def __init__(
        self,
        recorder: Recorder,
        processor: FrameProcessor | None,
        *,
        events: Callable[[], Iterable[Any]],
        frame: _Frame,
        step: Callable[[EngineStep, MDAEvent], None],
    ) -> None:
        self._recorder = recorder
        self._processor = processor
        # What the engine calls most often is the run's own: no call in between.
        self.events = events
        self.frame = frame
        self.tell = step

    def prepare(self) -> None:
        """Open the stream, start the processor: the hardware is set up."""
        self._recorder.prepare()
        if self._processor is not None:
            self._processor.start(self._recorder)

    def missing(self, event: MDAEvent, reason: str) -> None:
        """Note that the frame of an event will not come."""
        self._recorder.skip(self._recorder.axes(event), reason)

    def left_out(self, event: MDAEvent, reason: str) -> None:
        """Note that somebody decided against an event."""
        self._recorder.leave_out(self._recorder.axes(event), reason)

    def warn(self, text: str) -> None:
        """Note what went wrong although no frame is missing."""
        self._recorder.warn(text)

    def most_in_a_burst(self) -> int:
        """Return how many frames a hardware sequence may have."""
        return self._recorder.most_in_a_burst(buffered=self._processor is None)


class _Events:
    """An iterable that is no iterator: the runner would pass the engine by for one."""

    def __init__(self, events: Iterator[MDAEvent]) -> None:
        self._events = events

    def __iter__(self) -> Iterator[MDAEvent]:
        return self._events


def not_an_iterator(plan: Plan) -> Iterable[MDAEvent]:
    """Return the events of a plan so that the runner asks the engine for them."""
    source = plan.source
    return _Events(source) if isinstance(source, Iterator) else source
