"""What a run tells those who want to know, with the axes of the frames.

The order for a frame is ``hardware``, ``exposure``, ``saved`` (or ``skipped``); events
that were merged into a hardware sequence are told one by one, ``hardware`` and
``exposure`` at its start. Listeners are called by a thread of the run that exists for
them, never by the one that drives the microscope: they may be slow.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_scope.acquire.progress import RunReport
from napari_scope.stream.telling import Signal, Telling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.stream import Stream
    from napari_scope.stream.events import FrameEvent

__all__ = ["FrameNews", "RunNews", "Step"]

Step: TypeAlias = Literal["hardware", "exposure", "saved", "skipped"]


@dataclass(frozen=True, slots=True)
class FrameNews:
    """How far a frame is.

    Parameters
    ----------
    step : {"hardware", "exposure", "saved", "skipped"}
        The hardware is set; the camera was told to expose (and has, unless a hardware
        sequence goes on); the frame is committed in every output; it will not come.
    axes : mapping
        Its identity.
    reason : str
        Why it was skipped.
    time_s : float
        When, in seconds since the epoch.
    """

    step: Step
    axes: Mapping[str, int | str]
    reason: str = ""
    time_s: float = field(default_factory=time.time)


class RunNews(Telling):
    """The signals of a run (psygnal); connect with ``run.events.saved.connect(f)``."""

    started = Signal(str)
    """The run drives the microscope now; with its name."""

    hardware = Signal(FrameNews)
    """All devices are where an event wants them."""

    exposure = Signal(FrameNews)
    """The camera was told to expose."""

    saved = Signal(FrameNews)
    """A frame is committed in every output."""

    skipped = Signal(FrameNews)
    """A frame will not come."""

    finished = Signal(RunReport)
    """The run is over and all files are closed, however it ended."""

    def listen_to(self, stream: Stream) -> None:
        """Pass on what a stream tells; nothing is made of it while nobody listens."""
        stream.events.relay("frame_saved", self, "saved", _saved)
        stream.events.relay("frame_skipped", self, "skipped", _skipped)


def _saved(news: FrameEvent) -> FrameNews:
    return FrameNews("saved", news.axes)


def _skipped(news: FrameEvent) -> FrameNews:
    return FrameNews("skipped", news.axes, news.reason)
