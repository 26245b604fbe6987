"""The first error of a stream, and the sentence that its caller gets."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from napari_scope.errors import DiskSpaceError, ScopeError, StreamError

if TYPE_CHECKING:
    from napari_scope.stream.sinks.base import Sink

__all__ = ["NO_ROOM", "Failure"]

NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What systems say when a file cannot become larger."""


class Failure:
    """What went wrong first, and in which sinks anything did.

    Not thread safe: the stream calls it under its lock.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._sink: Sink | None = None
        self._sinks: list[Sink] = []

    def note(self, sink: Sink | None, error: BaseException) -> bool:
        """Note an error; returns whether it is the first.

        Parameters
        ----------
        sink : Sink, optional
            The sink that cannot go on; None when all could, but the stream must not.
        error : BaseException
            What happened.
        """
        if sink is not None:
            self._sinks.append(sink)
        if self.error is not None:
            return False
        self.error, self._sink = error, sink
        return True

    def of(self, sink: Sink) -> bool:
        """Return whether a sink has failed; its store may have a hole."""
        return sink in self._sinks

    def as_stream_error(self, saved: int, lost: int) -> StreamError:
        """Return the error for the caller.

        Parameters
        ----------
        saved, lost : int
            Frames that are saved, and that were appended but are not.
        """
        error, sink = self.error, self._sink
        count = f"{saved} frames are saved"
        if lost:
            count += f", {lost} that were appended are not"
        if isinstance(error, ScopeError):
            what, path, hint = error.message, error.path, error.hint
        else:
            told = error.strerror if isinstance(error, OSError) else None
            what = told or str(error) or type(error).__name__
            path = str(sink.place) if sink is not None and sink.place else None
            hint = "check the disk; what was saved stays readable"
        full = isinstance(error, OSError) and error.errno in NO_ROOM
        if isinstance(error, DiskSpaceError) or full:
            return DiskSpaceError(f"{what}; {count}", path=path, hint=hint)
        return StreamError(f"saving failed, {what}; {count}", path=path, hint=hint)
