"""What a stream tells those who want to know: saved, skipped, failed, closed.

Listeners are called by a thread of their own (see `telling`). When one falls far
behind, the oldest news are left out and counted in `StreamEvents.missed`; the journal
has every frame.

Examples
--------
>>> events = StreamEvents()
>>> heard = []
>>> _ = events.closed.connect(heard.append)
>>> events.tell("closed", StreamStats(saved=3))
>>> events.finish()
>>> heard[0].saved
3
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from psygnal import Signal

from napari_scope.errors import StreamError
from napari_scope.stream.stats import StreamStats
from napari_scope.stream.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FrameEvent", "Kind", "StreamEvents"]

Kind: TypeAlias = Literal["frame_saved", "frame_skipped", "failed", "closed"]
"""Names of the signals."""


@dataclass(frozen=True, slots=True)
class FrameEvent:
    """News of one frame.

    Parameters
    ----------
    axes : mapping
        Its identity.
    image : int
        Number of its image in `StreamView.images`.
    index : tuple of int
        Its place on the index axes of the image.
    number : int
        Running number in the order of arrival.
    status : str
        ``"saved"``, ``"skipped"`` or ``"dropped"``.
    reason : str
        Why it is not there.
    """

    axes: Mapping[str, int | str]
    image: int
    index: tuple[int, ...]
    number: int
    status: str
    reason: str = ""


class StreamEvents(Telling):
    """The signals of a stream (psygnal); connect with ``events.closed.connect(f)``.

    Signals are emitted by a thread of the stream; ``connect(f, thread="main")`` of
    psygnal calls elsewhere. An error of a listener is logged and harms nobody.
    """

    frame_saved = Signal(FrameEvent)
    """A frame is committed in every output: it survives a killed process."""

    frame_skipped = Signal(FrameEvent)
    """A frame was announced as missing, or dropped, and its line is written."""

    failed = Signal(StreamError)
    """The first error of an output; the next call of the stream raises it."""

    closed = Signal(StreamStats)
    """The files are finished."""
