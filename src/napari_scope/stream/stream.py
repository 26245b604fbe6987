"""The stream: frames come in at the camera's pace and end up in every sink.

`Stream.append` copies a frame into a bounded buffer and returns; one thread for each
sink writes. When the buffer is full the caller waits, is told, or the frame is dropped
and recorded. The first error of a sink is raised by the next call, and `close` never
reports success while a frame is missing.

The stream knows no camera, no viewer and no file format.

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
import errno
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from napari_scope.errors import (
    DiskSpaceError,
    FrameError,
    OutputExistsError,
    ScopeError,
    SettingsError,
    StreamClosedError,
    StreamError,
)
from napari_scope.fileio import disk_of, free_bytes
from napari_scope.model import short
from napari_scope.stream.lane import Lane
from napari_scope.stream.outputs import RESERVE_BYTES, FormatName, room_needed
from napari_scope.stream.ring import OverflowPolicy, Ring
from napari_scope.stream.router import Address, Router
from napari_scope.stream.shortcut import Shortcut
from napari_scope.stream.sinks.base import FrameItem, Sink
from napari_scope.stream.stats import RateMeter, StreamStats
from napari_scope.stream.view import NewestFrame, StreamView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    import numpy.typing as npt

    from napari_scope.model import Axes
    from napari_scope.stream.spec import StoreSpec

__all__ = ["Stream"]

_open_streams: weakref.WeakSet[Stream] = weakref.WeakSet()

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

# Frames written at once whose lines are not: few, like the frames in a buffer.
_MOST_UNCOMMITTED = 64

# So much is made safe before its time is up: the disk works while frames come, and not
# only when the stream is closed.
_SYNC_BYTES = 64 * 1024 * 1024


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
        self._overflow: OverflowPolicy = overflow
        self._shortcut = Shortcut(spec.frame_bytes)
        self._lock = threading.RLock()
        # Held while a frame is written at once; taken before the other lock.
        self._writing = threading.RLock()
        self._coming: Address | None = None
        self._lanes: list[Lane] = []
        self._under_way: dict[Address, FrameItem] = {}
        self._error: BaseException | None = None
        self._failed_sink: Sink | None = None
        self._closed = False
        self._ending = threading.RLock()
        self._appended = self._saved = self._skipped = self._dropped = 0
        self._number = 0
        self._saved_bytes = 0
        self._newest: tuple[Address, int] | None = None
        self._rate = RateMeter()
        self._ended = False  # tells the keeper
        self._keeper_wanted = threading.Event()
        self._bytes_unsynced = 0
        self._keeper: threading.Thread | None = None
        self._sync_interval = sync_interval_s
        for sink in self._sinks:
            sink.durable = sync_interval_s is not None
            sink.under_pressure = self._ring.is_filling
        paths = [sink.path.absolute() for sink in self._sinks if sink.path is not None]
        if len(set(paths)) < len(paths):
            raise SettingsError("two outputs have the same path", path=paths[0])
        # All are asked before the first creates anything.
        for sink in self._sinks:
            with _naming_the_path(sink):
                sink.check(spec)
        self._check_room(spec)
        if not spec.growing:
            self._open()
        _open_streams.add(self)

    # ------------------------------------------------------------- opening

    def _check_room(self, spec: StoreSpec) -> None:
        if not spec.n_frames:
            return
        formats: dict[int, list[FormatName]] = {}
        for sink in self._sinks:
            if sink.path is None:
                continue
            with _naming_the_path(sink):
                disk, free = disk_of(sink.path), free_bytes(sink.path)
            # The needs of sinks on one disk add up.
            on_disk = formats.setdefault(disk, [])
            on_disk.append(sink.format)
            needed = room_needed(spec.n_frames, spec.frame_bytes, on_disk)
            if needed > free:
                raise DiskSpaceError(
                    f"the run needs {needed / 1e6:,.0f} MB of room "
                    f"({RESERVE_BYTES / 1e6:.0f} MB of it in reserve), the disk has "
                    f"{free / 1e6:,.0f} MB",
                    path=sink.path,
                    hint="free some room, choose another disk, or take fewer frames",
                )

    def _open(self) -> None:
        spec = self._router.spec
        opened: list[Sink] = []
        try:
            for sink in self._sinks:
                with _naming_the_path(sink):
                    sink.open(spec)
                opened.append(sink)
        except BaseException:
            for sink in opened:
                sink.close(spec, None)
            raise
        self._lanes = [
            Lane(sink, spec=self._spec, done=self._done, failed=self._fail)
            for sink in self._sinks
        ]
        self._keeper = threading.Thread(
            target=self._keep, name="napari-scope stream keeper", daemon=True
        )
        self._keeper.start()

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
            JSON-able facts on the frame, stored with it.
        frame_metadata : mapping, optional
            The same under the name of ome-writers.
        index : mapping, optional
            The axes of the frame, if it does not come in the order of acquisition:
            axis name to number or label.

        Raises
        ------
        FrameError
            If shape, type or axes do not fit; nothing was stored.
        StreamError
            If a sink failed earlier, or the buffer is full and the policy is
            ``"raise"``.
        StreamClosedError
            After `close`.
        """
        pixels = np.asarray(frame)
        facts = {**(metadata or {}), **(frame_metadata or {})}
        self._check_open()
        self._check_frame(pixels)
        if self._append_at_once(index, pixels, facts):
            return
        buffer = self._ring.acquire(wait=self._overflow == "block")
        if buffer is None:
            self._refuse(index)
            return
        try:
            np.copyto(buffer, pixels)
            self._send(index, buffer, facts)
        except Exception:
            self._ring.release(buffer)
            raise

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
        """
        self._check_open()
        for _ in range(1 if index is not None else frames):
            self._send(index, None, status="skipped", reason=reason)

    def _check_open(self) -> None:
        if self._error is not None:
            raise self._as_stream_error() from self._error
        if self._closed:
            raise StreamClosedError("the stream is closed; no frame can be appended")

    def _check_frame(self, pixels: npt.NDArray[np.generic]) -> None:
        spec = self._router.spec
        if pixels.shape != spec.frame_shape or pixels.dtype != spec.dtype:
            raise FrameError(
                f"the stream stores frames of shape {spec.frame_shape} and type "
                f"{spec.dtype}, found {pixels.shape} and {pixels.dtype}",
                hint="the camera's size, binning or pixel type must not change during "
                "a run",
            )

    def _refuse(self, index: Axes | None) -> None:
        """Deal with a frame for which there is no buffer."""
        self._check_open()
        if self._overflow == "raise":
            raise StreamError(
                f"the buffer of {self._ring.slots} frames is full: the disk is slower "
                "than the camera",
                hint="take frames more slowly, or allow a larger buffer",
            )
        self._send(index, None, status="dropped", reason="the buffer was full")

    def _send(
        self,
        index: Axes | None,
        frame: npt.NDArray[np.generic] | None,
        metadata: Mapping[str, Any] | None = None,
        *,
        status: str = "saved",
        reason: str = "",
    ) -> None:
        """Give a frame its place and hand it to all lanes.

        All under one lock: the lanes see frames in the same order, and none comes
        after `close` told them to finish.
        """
        with self._lock:
            self._check_open()
            address, axes = self._claim(index)
            if not self._lanes:
                self._open_late()
            self._hand_over(
                FrameItem(address, axes, frame, metadata or {}, status, reason)
            )

    def _claim(self, index: Axes | None) -> tuple[Address, Axes]:
        if index is None:
            axes, address = self._router.claim_next()
            return address, axes
        address = self._router.claim(index)
        plain = {k: v if isinstance(v, str) else int(v) for k, v in index.items()}
        return address, plain

    def _hand_over(self, item: FrameItem) -> None:
        item.number = self._number
        item.lanes = len(self._lanes)
        self._number += 1
        if item.status == "saved":
            self._appended += 1
            self._newest = item.address, self._appended
            if item.frame is not None:
                self._under_way[item.address] = item
            self._bytes_unsynced += self._router.spec.frame_bytes
            if self._sync_interval and self._bytes_unsynced >= _SYNC_BYTES:
                self._bytes_unsynced = 0
                self._keeper_wanted.set()
        elif item.status == "dropped":
            self._dropped += 1
        else:
            self._skipped += 1
        for lane in self._lanes:
            lane.put(item)

    def _append_at_once(
        self,
        index: Axes | None,
        pixels: npt.NDArray[np.generic],
        metadata: Mapping[str, Any],
    ) -> bool:
        """Write a frame on this thread, if the only lane has none to write.

        Not under the lock: who looks at the stream does not wait for the disk.
        """
        with self._writing:
            with self._lock:
                self._check_open()
                busy = len(self._lanes) != 1 or self._under_way
                if busy or not self._shortcut.open:
                    return False
                if self._lanes[0].waiting >= min(self._ring.slots, _MOST_UNCOMMITTED):
                    return False
                address, axes = self._claim(index)
                self._coming = address
                spec, sink = self._router.spec, self._lanes[0].sink
            item = FrameItem(address, axes, None, metadata)
            try:
                if not self._shortcut.write(sink, item, pixels, spec):
                    item.frame = self._ring.acquire()
                    if item.frame is None:  # another thread's frame has failed
                        self._check_open()
                    else:
                        np.copyto(item.frame, pixels)
            except BaseException as error:
                item.status, item.reason = "dropped", str(error)
                raise
            finally:
                with self._lock:
                    self._coming = None
                    self._hand_over(item)
        return True

    def _open_late(self) -> None:
        """Open a growing stream at its first frame; an error ends the stream."""
        try:
            self._open()
        except Exception as error:
            self._error = error
            raise

    def _named(self, index: tuple[int, ...]) -> dict[str, int]:
        names = self._router.spec.index_axes
        return {short(n): i for n, i in zip(names, index, strict=True)}

    def _done(self, items: Sequence[FrameItem], committed: bool) -> None:
        """Count a batch that one lane has dealt with; free what all lanes have."""
        with self._lock:
            for item in items:
                item.lost = item.lost or not committed
                item.lanes -= 1
                if item.lanes or item.status != "saved":
                    continue
                if not item.lost:
                    self._saved += 1
                    self._saved_bytes += self._router.spec.frame_bytes
                    self._rate.note(self._saved, self._saved_bytes)
                if item.frame is not None:
                    del self._under_way[item.address]
                    if not item.readers:
                        self._ring.release(item.frame)

    def _fail(self, sink: Sink, error: BaseException) -> None:
        with self._lock:
            if self._error is None:
                self._error, self._failed_sink = error, sink
        self._ring.break_()

    def _as_stream_error(self) -> StreamError:
        error, sink = self._error, self._failed_sink
        with self._lock:
            lost = self._appended - self._saved
            count = f"{self._saved} frames are saved"
        if lost:
            count += f", {lost} that were appended are not"
        if isinstance(error, ScopeError):
            what, path, hint = error.message, error.path, error.hint
        else:
            told = error.strerror if isinstance(error, OSError) else None
            what = told or str(error) or type(error).__name__
            path = str(sink.path) if sink is not None and sink.path else None
            hint = "check the disk; what was saved stays readable"
        full = isinstance(error, OSError) and error.errno in _NO_ROOM
        if isinstance(error, DiskSpaceError) or full:
            return DiskSpaceError(f"{what}; {count}", path=path, hint=hint)
        return StreamError(f"saving failed, {what}; {count}", path=path, hint=hint)

    # ------------------------------------------------------------- looking

    def read(self, address: Address) -> npt.NDArray[np.generic] | None:
        """Return a copy of a frame: from the buffer if it is there, else from disk."""
        with self._lock:
            item = self._under_way.get(address)
            if item is not None:
                item.readers += 1
            elif address == self._coming or not self._router.is_taken(
                address.image, address.index
            ):
                return None
            failed = self._failed_sink
        if item is not None and item.frame is not None:
            try:
                return item.frame.copy()
            finally:
                with self._lock:
                    item.readers -= 1
                    if not item.readers and not item.lanes:
                        self._ring.release(item.frame)
        # A sink that failed may have a hole where another has the frame.
        for sink in sorted(self._sinks, key=lambda sink: sink is failed):
            frame = sink.read(address)
            if frame is not None:
                return frame
        return None

    def view(self) -> StreamView:
        """Return the images as lazy arrays that show frames as soon as they come."""
        return StreamView(self._spec, self.read, self._newest_frame, self._growth)

    def _newest_frame(self) -> NewestFrame | None:
        if self._newest is None:
            return None
        address, number = self._newest
        return NewestFrame(address.image, self._named(address.index), number)

    def _growth(self) -> int:
        return self._router.grown

    def stats(self) -> StreamStats:
        """Return what was done so far."""
        with self._lock:
            frames, megabytes = self._rate.rates(self._saved, self._saved_bytes)
            return StreamStats(
                appended=self._appended,
                saved=self._saved,
                skipped=self._skipped,
                dropped=self._dropped,
                saved_bytes=self._saved_bytes,
                ring_used=self._ring.used,
                ring_slots=self._ring.slots,
                waited_s=self._ring.waited_s,
                frames_per_s=frames,
                mb_per_s=megabytes,
            )

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

    def flush(self, *, sync: bool = False) -> None:
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
        with self._lock:
            # A lane that was told to finish sets no marks any more; `close` waits.
            marks = [] if self._closed else [lane.mark() for lane in self._lanes]
        for mark in marks:
            mark.wait()
        with self._ending:  # the files are not closed meanwhile
            if sync and self._error is None:
                for sink in self._sinks:
                    try:
                        sink.sync()
                    except BaseException as error:
                        self._fail(sink, error)
        if self._error is not None:
            raise self._as_stream_error() from self._error

    def close(self) -> None:
        """Write what is left, finish the files; waits as long as that takes.

        Raises
        ------
        StreamError
            If any frame could not be stored. What was saved stays readable.
        """
        with self._ending:  # whoever comes second waits for the first
            with self._writing, self._lock:
                if self._closed:
                    return
                self._closed = True
            for lane in self._lanes:
                lane.finish()
            self._ended = True
            self._keeper_wanted.set()
            if self._keeper is not None:
                self._keeper.join()
            totals = {
                "saved": self._saved,
                "skipped": self._skipped,
                "dropped": self._dropped,
            }
            for lane in self._lanes:
                try:
                    lane.sink.close(self._spec(), None if self._error else totals)
                except BaseException as error:
                    self._fail(lane.sink, error)
            self._ring.close()
            self._shortcut.close()
            _open_streams.discard(self)
            if self._error is not None:
                raise self._as_stream_error() from self._error

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

    def _keep(self) -> None:
        """Once in a while: make the data safe and look at the room on the disk."""
        interval = self._sync_interval or 1.0
        while not self._ended:
            self._keeper_wanted.wait(interval)
            self._keeper_wanted.clear()
            if self._ended:
                return
            for sink in self._sinks:
                try:
                    self._keep_one(sink)
                except BaseException as error:  # handed to the caller
                    self._fail(sink, error)
                    return

    def _keep_one(self, sink: Sink) -> None:
        if self._sync_interval is not None:
            sink.sync()
        if sink.path is not None and free_bytes(sink.path) < RESERVE_BYTES // 4:
            raise DiskSpaceError(
                "the disk is nearly full",
                path=sink.path,
                hint="the run was stopped while its files can still be closed",
            )


@contextlib.contextmanager
def _naming_the_path(sink: Sink) -> Iterator[None]:
    """Turn an error of the system while opening into one that names the store."""
    try:
        yield
    except ScopeError:
        raise
    except FileExistsError as error:
        raise OutputExistsError(
            "the output exists already", path=sink.path, hint="choose another name"
        ) from error
    except OSError as error:
        kind = DiskSpaceError if error.errno in _NO_ROOM else StreamError
        raise kind(
            f"the output cannot be created, {error.strerror or error}",
            path=sink.path,
            hint="choose a folder that you may write to",
        ) from error


@atexit.register
def _close_all() -> None:
    """Close streams that were forgotten, so that their last frames reach the disk."""
    for stream in list(_open_streams):
        try:
            stream.close()
        except ScopeError as error:
            # Nobody is left to catch it, but it must not pass in silence.
            print(f"napari-scope: {error}", file=sys.stderr)
