"""The stream: frames come in at the camera's pace and end up in every sink.

`Stream.append` copies a frame into a bounded buffer and returns; one thread for each
sink writes. When the buffer is full the caller waits, is told, or the frame is dropped
and recorded. The first error of a sink is raised by the next call, and `close` never
reports success while a frame is missing.

The stream knows no camera, no viewer and no file format. Its parts have modules of
their own: `opening`, `disk` (room), `intake` with `ring` and `shortcut` (the two ways
of a frame), `lane` (a sink and its thread), `ledger` (what is under way and saved),
`keeper` (syncs, watches the disk), `failure`, `reading`, `events`, `ending`.

Examples
--------
>>> import numpy as np
>>> from napari_scope.stream import ImageSpec, MemorySink, StoreSpec, Stream
>>> spec = StoreSpec(
...     "demo",
...     (4, 4),
...     np.dtype("u2"),
...     order=("time",),
...     images=(ImageSpec("demo", sizes={"time": 2}),),
... )
>>> with Stream(spec, [MemorySink()]) as stream:
...     stream.append(np.full((4, 4), 7, "u2"), index={"time": 1})
...     stream.skip(index={"time": 0}, reason="autofocus failed")
>>> stream.stats().saved, stream.stats().skipped
(1, 1)
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from napari_scope.errors import (
    FrameError,
    ScopeError,
    SettingsError,
    StreamClosedError,
    StreamError,
)
from napari_scope.fileio import disk_of, free_bytes
from napari_scope.model import short
from napari_scope.stream.disk import check_room
from napari_scope.stream.ending import finish_sinks
from napari_scope.stream.events import Kind, StreamEvents
from napari_scope.stream.facts import own_copy
from napari_scope.stream.failure import Failure
from napari_scope.stream.frame_records import StreamFrames
from napari_scope.stream.intake import Intake
from napari_scope.stream.keeper import Keeper
from napari_scope.stream.lane import Lane
from napari_scope.stream.ledger import Ledger, event_of
from napari_scope.stream.opening import (
    check_paths,
    check_sinks,
    open_sinks,
    resume_sinks,
)
from napari_scope.stream.reading import FrameReader
from napari_scope.stream.resume import load_all, take_over
from napari_scope.stream.ring import OverflowPolicy, Ring
from napari_scope.stream.router import Address, Router
from napari_scope.stream.view import NewestFrame, StreamView

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    import numpy.typing as npt

    from napari_scope.model import Axes
    from napari_scope.stream.resume import Resume
    from napari_scope.stream.resumption import Resumption
    from napari_scope.stream.sinks.base import FrameItem, Sink
    from napari_scope.stream.spec import StoreSpec
    from napari_scope.stream.stats import StreamStats

__all__ = ["Stream"]

_open_streams: weakref.WeakSet[Stream] = weakref.WeakSet()


class _Disks:
    """The disks of this machine."""

    def disk(self, path: Path) -> int:
        return disk_of(path)

    def free(self, path: Path) -> int:
        return free_bytes(path)


class Stream:
    """An open stream of frames.

    Parameters
    ----------
    spec : StoreSpec
        What is stored.
    sinks : sequence of Sink
        Where to; they are opened here.
    ring_bytes : int, optional
        Size of the buffer; a tenth of the memory, at most 512 MiB, by default.
    overflow : {"block", "raise", "drop"}
        What `append` does when the buffer is full.
    sync_interval_s : float, optional
        How often what was written is made safe against loss of power, and once more
        when the stream is closed; None leaves it to the system.
    resume : bool or "force"
        Go on with the run that the stores hold (see `resume`); where there are none
        they are made. ``"force"`` also where the file system cannot tell whether
        another program writes to them.

    Attributes
    ----------
    events : StreamEvents
        Signals: ``frame_saved``, ``frame_skipped``, ``failed``, ``closed``. Listeners
        are called by a thread of their own.

    Raises
    ------
    OutputExistsError, SettingsError, DiskSpaceError, StreamError
        If a sink cannot be opened; the others are closed again.
    """

    def __init__(
        self,
        spec: StoreSpec,
        sinks: Sequence[Sink],
        *,
        ring_bytes: int | None = None,
        overflow: OverflowPolicy = "block",
        sync_interval_s: float | None = 1.0,
        resume: Resume = False,
    ) -> None:
        if not sinks:
            raise SettingsError("a stream needs at least one sink")
        if overflow not in get_args(OverflowPolicy):
            raise SettingsError(
                f"there is no overflow policy {overflow!r}",
                hint=f"use one of {', '.join(get_args(OverflowPolicy))}",
            )
        self._router = Router(spec)
        self._sinks = tuple(sinks)
        self._ring = Ring(spec.frame_shape, spec.dtype, limit_bytes=ring_bytes)
        self._ledger = Ledger(self._ring, spec.frame_bytes)
        self._lock = self._ledger.lock
        self._intake = Intake(
            self._router,
            self._ring,
            self._ledger,
            overflow,
            check_open=self._check_open,
            open_late=self._open_late,
        )
        self._failure = Failure()
        self._closed = False
        self._forked = False
        self._ending = threading.RLock()
        self._keeper: Keeper | None = None
        self._sync_interval = sync_interval_s
        self._disks = _Disks()
        self.events = StreamEvents()
        self._reader = FrameReader(
            self._ledger,
            self._sinks,
            is_there=self._intake.is_there,
            has_failed=self._failure.of,
        )
        for sink in self._sinks:
            sink.durable = sync_interval_s is not None
            sink.under_pressure = self._ring.is_filling
        check_paths(self._sinks)
        self._found: list[Resumption] = []
        if resume:
            self._found = load_all(self._sinks, spec, resume)
        if self._found:
            rest = take_over(self._found, self._router, self._ledger)
            check_room(rest, self._sinks, self._disks)
        else:
            check_sinks(spec, self._sinks)
            check_room(spec, self._sinks, self._disks)
        # Of a growing store nothing is known before its first frame.
        if self._found or not spec.growing:
            self._open()
        _open_streams.add(self)

    # ------------------------------------------------------------- opening

    def _open(self) -> None:
        spec = self._router.spec
        if self._found:
            resume_sinks(spec, self._sinks, self._found)
        else:
            open_sinks(spec, self._sinks)
        earlier = self._ledger.earlier
        self._intake.lanes = [
            Lane(
                sink,
                spec=self._spec,
                done=self._done,
                failed=self._fail,
                saved=earlier,
                few=self._ring.slots // 8,
            )
            for sink in self._sinks
        ]
        self._found = []
        self._keeper = Keeper(
            self._sinks,
            sync_interval_s=self._sync_interval,
            disks=self._disks,
            under_way=lambda: self._ring.used * self._router.spec.frame_bytes,
            failed=self._fail,
        )

    def _spec(self) -> StoreSpec:
        with self._lock:
            return self._router.spec

    # ------------------------------------------------------------- the data path

    def append(
        self,
        frame: npt.ArrayLike,
        metadata: Mapping[str, Any] | None = None,
        *,
        frame_metadata: Mapping[str, Any] | None = None,
        index: Axes | None = None,
    ) -> None:
        """Take over one frame; the caller may change its array at once.

        Parameters
        ----------
        frame : array-like
            Pixels of the declared shape (height, width[, 3]) and type.
        metadata : mapping, optional
            JSON-able facts on the frame, stored with it; copied, so the caller may
            use its lists again.
        frame_metadata : mapping, optional
            The same under the name of ome-writers.
        index : mapping, optional
            The axes of the frame, if it does not come in the order of acquisition:
            axis name to number or label.

        Raises
        ------
        FrameError
            If shape, type or axes do not fit, or the frame of these axes came
            before; nothing was stored.
        StreamError
            If a sink failed earlier, or the buffer is full and the policy is
            ``"raise"``.
        StreamClosedError
            After `close`.
        """
        pixels = np.asarray(frame)
        self._check_open()
        if index is not None:
            _check_index(index)
        facts = own_copy(metadata) if metadata is not None else {}
        if frame_metadata is not None:
            facts.update(own_copy(frame_metadata))
        self._intake.append(pixels, facts, index)
        if self._keeper is not None:
            self._keeper.note(pixels.nbytes)

    def skip(
        self, frames: int = 1, *, reason: str = "", index: Axes | None = None
    ) -> None:
        """Note that frames will not come; their places stay empty and keep their index.

        Parameters
        ----------
        frames : int
            How many, in the order of acquisition.
        reason : str
            Why, for the journal and the report.
        index : mapping, optional
            The axes of a single frame instead.

        Raises
        ------
        FrameError
            If there are no such frames; those before are noted.
        StreamError, StreamClosedError
            As `append`.
        """
        self._check_open()
        if index is not None:
            _check_index(index)
        self._intake.skip(frames, reason, index)

    def has(self, index: Axes) -> bool:
        """Return whether a frame was appended, skipped or dropped.

        Also by an earlier stream, where this one goes on with a run: what is not there
        may be appended with ``index``.

        Raises
        ------
        FrameError
            If there is no such frame in the plan.
        """
        _check_index(index)
        return self._intake.has(index)

    def _check_open(self) -> None:
        if self._failure.error is not None:
            raise self._as_stream_error() from self._failure.error
        if self._forked:
            raise StreamClosedError(
                "the stream belongs to the process that this one was forked from",
                hint="append in that process, or make a stream of your own",
            )
        if self._closed:
            raise StreamClosedError("the stream is closed; no frame can be appended")

    def _open_late(self) -> None:
        """Open a growing stream at its first frame; an error ends the stream."""
        try:
            self._open()
        except Exception as error:
            self._fail(None, error)
            raise

    def _done(self, items: Sequence[FrameItem], committed: bool) -> None:
        """Count a batch that one lane has dealt with, and tell what has ended."""
        ended = self._ledger.done(items, committed)
        tell = self.events
        if tell.wanted("frame_saved") or tell.wanted("frame_skipped"):
            for item in ended:
                kind: Kind = (
                    "frame_saved" if item.status == "saved" else "frame_skipped"
                )
                tell.tell(kind, event_of(item))

    def _fail(self, sink: Sink | None, error: BaseException) -> None:
        with self._lock:
            first = self._failure.note(sink, error)
        self._ring.break_()
        if first:
            self.events.tell("failed", self._as_stream_error())

    def _as_stream_error(self) -> StreamError:
        with self._lock:
            saved = self._ledger.saved
            return self._failure.as_stream_error(saved, self._ledger.appended - saved)

    # ------------------------------------------------------------- looking

    def read(self, address: Address) -> npt.NDArray[np.generic] | None:
        """Return a copy of a frame: from the buffer if it is there, else from disk."""
        return self._reader.read(address)

    def view(self) -> StreamView:
        """Return the images as lazy arrays that show frames as soon as they come."""
        return StreamView(
            self._spec,
            self.read,
            self._newest_frame,
            self._growth,
            partial(StreamFrames, self._sinks),
        )

    def _newest_frame(self) -> NewestFrame | None:
        if self._ledger.newest is None:
            return None
        address, number = self._ledger.newest
        spec = self._router.spec
        names = spec.axes_in(spec.images[address.image])
        named = {short(n): i for n, i in zip(names, address.index, strict=True)}
        return NewestFrame(address.image, named, number)

    def _growth(self) -> int:
        return self._router.grown

    def stats(self) -> StreamStats:
        """Return what was done so far."""
        return self._ledger.stats()

    @property
    def spec(self) -> StoreSpec:
        """What is stored by now."""
        return self._spec()

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """Where frames go."""
        return self._sinks

    @property
    def closed(self) -> bool:
        """Whether the stream was closed."""
        return self._closed

    # ------------------------------------------------------------- ending

    def flush(self, sync: bool = False) -> None:
        """Wait until every frame appended so far is committed.

        Parameters
        ----------
        sync : bool
            Wait until they survive a loss of power, too.

        Raises
        ------
        StreamError
            If any frame could not be stored.
        """
        if self._forked:
            return
        with self._lock:
            # A lane that was told to finish sets no marks any more; `close` waits.
            marks = [] if self._closed else [lane.mark() for lane in self._intake.lanes]
        for mark in marks:
            mark.wait()
        with self._ending:  # the files are not closed meanwhile
            if sync and self._failure.error is None:
                for sink in self._sinks:
                    try:
                        sink.sync()
                    except BaseException as error:
                        self._fail(sink, error)
        if self._failure.error is not None:
            raise self._as_stream_error() from self._failure.error

    def close(self) -> None:
        """Write what is left, finish the files; waits as long as that takes.

        Every store whose sink did not fail is finished, also when another did.

        Raises
        ------
        StreamError
            If any frame could not be stored. What was saved stays readable.
        """
        if self._forked:
            return
        with self._ending:  # whoever comes second waits for the first
            with self._intake.writing, self._lock:
                if self._closed:
                    return
                self._closed = True
            for lane in self._intake.lanes:
                lane.finish()
            if self._keeper is not None:
                self._keeper.finish()
            finish_sinks(
                self._intake.lanes,
                self._spec(),
                self._ledger.totals(),
                error=self._error_so_far,
                has_failed=self._failure.of,
                failed=self._fail,
            )
            self._ring.close()
            self._intake.shortcut.close()
            _open_streams.discard(self)
            self.events.tell("closed", self.stats())
            self.events.finish()
            if self._failure.error is not None:
                raise self._as_stream_error() from self._failure.error

    def _error_so_far(self) -> StreamError | None:
        return None if self._failure.error is None else self._as_stream_error()

    def __enter__(self) -> Stream:
        """Return the stream itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the stream; the error of the block is the one that counts."""
        if error is None:
            self.close()
        else:
            with contextlib.suppress(ScopeError):
                self.close()


def _check_index(index: object) -> None:
    if not isinstance(index, Mapping):
        raise FrameError(
            f"index={index!r} does not name the axes of a frame",
            hint='give a mapping of axes to numbers or labels, such as {"t": 3}',
        )


def _leave_to_parent() -> None:
    """Let go of all streams in a process that was forked.

    Their files and locks are those of the parent, which goes on; their threads, and
    whoever held their locks, are not there.
    """
    for stream in list(_open_streams):
        stream._forked = True
    _open_streams.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked
    os.register_at_fork(after_in_child=_leave_to_parent)


def _close_all() -> None:
    """Close streams that were forgotten, so that their last frames reach the disk."""
    for stream in list(_open_streams):
        try:
            stream.close()
        except ScopeError as error:
            # Nobody is left to catch it, but it must not pass in silence.
            print(f"napari-scope: {error}", file=sys.stderr)


# Pools of threads, which pack frames, are closed before functions of `atexit` are
# called. What is registered with `threading` after theirs is called before them.
_ = ThreadPoolExecutor
getattr(threading, "_register_atexit", atexit.register)(_close_all)
