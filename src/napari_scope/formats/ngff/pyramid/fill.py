"""Computing the levels of a pyramid into arrays that exist.

The work is a list of passes and blocks (see `pyramid_blocks`), done by threads of this
process or by the processes of a dask cluster. Blocks share no chunk, so any number of
them runs at the same time, in any order and in any process; what a process is told is
the paths of the arrays and the place of a block.

Examples
--------
>>> fill_levels([image / "0", image / "1"], ("c", "y", "x"))  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections import deque
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from napari_scope.arrays.reduce import check_method, reduce_block
from napari_scope.errors import CancelledError, ScopeError, SettingsError, StreamError
from napari_scope.formats.ngff.documents import read_document
from napari_scope.formats.ngff.pyramid.arrays import open_level, write_chunks
from napari_scope.formats.ngff.pyramid.blocks import LevelGrid, plan_passes
from napari_scope.formats.ngff.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from napari_scope.formats.ngff.pyramid.arrays import LevelArray
    from napari_scope.formats.ngff.pyramid.blocks import Block, Pass

__all__ = ["MEMORY", "fill_levels"]

MEMORY = 256 << 20
"""Bytes of pixels that are held at once, by all threads of a process together."""

_MOST_BYTES = 8 << 30  # of one block; what a document claims may be anything
_NEVER = ("t", "c", "time", "channel")
_MOST_THREADS = 8  # more would wait for the disk, with little memory for each


class _Client(Protocol):
    """What is used of a ``distributed.Client``."""

    def submit(
        self, function: Callable[..., object], *args: object, **how: Any
    ) -> Any: ...

    def nthreads(self) -> dict[str, int]: ...


def fill_levels(
    arrays: Sequence[Path],
    axis_names: Sequence[str],
    *,
    method: str = "mean",
    client: object | None = None,
    workers: int | None = None,
    memory: int = MEMORY,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Compute the pixels of all levels but the first.

    Parameters
    ----------
    arrays : sequence of Path
        Folders of the arrays, full resolution first. Each axis of an array has the
        length of the one before or half of it.
    axis_names : sequence of str
        Names of the axes. Those of time and channels are never reduced.
    method : str
        One of `napari_scope.arrays.reduce.METHODS`.
    client : distributed.Client, optional
        Whose workers do it; they have to see the same folders. By default it is done
        by threads.
    workers : int, optional
        How many blocks are worked on at the same time; by default one for each core
        (up to 8), or for each thread of the cluster.
    memory : int
        Bytes of pixels that all of them together hold in one process.
    progress : callable, optional
        Given how many blocks are done and how many there are, by the calling thread.
    cancelled : callable, optional
        Asked before each block.

    Raises
    ------
    SettingsError
        If the method is unknown, or the shapes are not those of a pyramid.
    FormatError, StreamError
        If pixels cannot be read or written; which levels are complete is not known.
    CancelledError
        If ``cancelled`` said so.
    """
    check_method(method)
    folders = [Path(folder) for folder in arrays]
    infos = [Store(folder).array("") for folder in folders]
    dtype = infos[0].dtype
    if any(info.dtype != dtype for info in infos):
        raise SettingsError("the levels have pixels of different types")
    if any(len(info.shape) != len(axis_names) for info in infos):
        raise SettingsError(f"not all levels have the axes {', '.join(axis_names)}")
    grids = [
        LevelGrid(info.shape, info.chunks, write_chunks(read_document(f), f))
        for info, f in zip(infos, folders, strict=True)
    ]
    runner: _Runner
    if client is None:
        count = at_once = workers or min(os.cpu_count() or 1, _MOST_THREADS)
        runner = _Threads(folders, dtype, count)
    else:
        threads = cast("_Client", client).nthreads().values()
        count = workers or sum(threads) or 1
        at_once = min(count, max(threads, default=1))  # in one process
        runner = _Cluster(folders, cast("_Client", client))
    share = max(1, memory // at_once)
    passes = plan_passes(
        grids,
        dtype.itemsize,
        memory=share,
        workers=count,
    )
    for one in passes:
        _check_pass(one, axis_names, folders[one.targets[0]])
    total = sum(one.count for one in passes)
    done = 0
    with runner:
        for one in passes:
            jobs = (_Job(one, block, method, dtype) for block in one.blocks())
            # Blocks of very large chunks leave room for few others.
            most = 2 * count if one.nbytes <= share else max(1, memory // one.nbytes)
            for _ in runner.run(jobs, most, cancelled or (lambda: False)):
                done += 1
                if progress is not None:
                    progress(done, total)


def _check_pass(one: Pass, names: Sequence[str], folder: Path) -> None:
    """Raise if a pass would reduce time or channels, or take all memory there is."""
    for step in one.steps:
        pairs = zip(names, step, strict=True)
        wrong = [
            name for name, factor in pairs if factor > 1 and name.lower() in _NEVER
        ]
        if wrong:
            raise SettingsError(
                f"its level before is reduced along {', '.join(wrong)}", path=folder
            )
    if one.nbytes > _MOST_BYTES:
        raise SettingsError(
            f"its chunks are so large that {one.nbytes >> 30} GiB of pixels would have "
            "to be held at once",
            path=folder,
        )


@dataclass(frozen=True, slots=True)
class _Job:
    """One block of a pass, as it goes to a process: paths, sizes and slices."""

    one: Pass
    block: Block
    method: str
    dtype: np.dtype[np.generic]


class _Scratch(threading.local):
    """Memory of a thread for what it reads, which is not fetched anew for each piece.

    New pages cost as much time as reading into them.
    """

    def __init__(self, dtype: np.dtype[np.generic]) -> None:
        self._dtype = dtype
        self._memory = np.empty(0, dtype)

    def __call__(self, shape: Sequence[int]) -> npt.NDArray[Any]:
        """Return an array, which is valid until the next one is asked for."""
        size = math.prod(shape)
        if self._memory.size < size:
            self._memory = np.empty(size, self._dtype)
        return self._memory[:size].reshape(shape)


def _compute(job: _Job, arrays: Mapping[int, LevelArray], scratch: _Scratch) -> None:
    """Read one block and write what it becomes in all levels of a pass."""
    one, block = job.one, job.block
    source = arrays[one.source]
    results: list[tuple[Block, npt.NDArray[Any]]] = []
    for piece in one.pieces(block):
        pixels = scratch([part.stop - part.start for part in piece])
        source.read(piece, pixels)
        for number, step in enumerate(one.steps):
            region = one.region(number, piece)
            pixels = reduce_block(pixels, step, job.method)
            # Levels of writers that round down lack the last pixel.
            pixels = pixels[tuple(slice(0, r.stop - r.start) for r in region)]
            if piece == block:
                results.append((region, pixels))
                continue
            if number == len(results):
                whole = one.region(number, block)
                shape = [r.stop - r.start for r in whole]
                results.append((whole, np.empty(shape, pixels.dtype)))
            whole, target = results[number]
            target[
                tuple(
                    slice(r.start - w.start, r.stop - w.start)
                    for r, w in zip(region, whole, strict=True)
                )
            ] = pixels
    waiting = [
        arrays[target].write(region, pixels)
        for target, (region, pixels) in zip(one.targets, results, strict=True)
        if pixels.size
    ]
    for wait in waiting:
        wait()


def _compute_elsewhere(job: _Job, folders: Sequence[str]) -> None:
    """Do the same in a process that has none of the arrays open."""
    used = (job.one.source, *job.one.targets)
    arrays = {number: open_level(Path(folders[number])) for number in used}
    _compute(job, arrays, _Scratch(job.dtype))


class _Runner(Protocol):
    def run(
        self, jobs: Iterable[_Job], most: int, cancelled: Callable[[], bool]
    ) -> Iterator[None]: ...

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...


class _Threads:
    """Threads of this process, with the arrays open all the time."""

    def __init__(
        self, folders: Sequence[Path], dtype: np.dtype[np.generic], count: int
    ) -> None:
        self._arrays = dict(enumerate(map(open_level, folders)))
        self._scratch = _Scratch(dtype)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="pyramid")

    def run(
        self, jobs: Iterable[_Job], most: int, cancelled: Callable[[], bool]
    ) -> Iterator[None]:
        def submit(job: _Job) -> Future[None]:
            return self._pool.submit(_compute, job, self._arrays, self._scratch)

        return _in_turn(jobs, submit, most, cancelled)

    def __enter__(self) -> _Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Cluster:
    """The workers of a dask cluster."""

    def __init__(self, folders: Sequence[Path], client: _Client) -> None:
        from distributed import KilledWorker

        self._lost = KilledWorker
        self._folders = [str(folder.absolute()) for folder in folders]
        self._client = client

    def run(
        self, jobs: Iterable[_Job], most: int, cancelled: Callable[[], bool]
    ) -> Iterator[None]:
        def submit(job: _Job) -> Any:
            # Not pure: a second pyramid of the same path has to be computed again.
            return self._client.submit(
                _compute_elsewhere, job, self._folders, pure=False
            )

        try:
            yield from _in_turn(jobs, submit, most, cancelled)
        except ScopeError:
            raise
        except (self._lost, futures.CancelledError, OSError) as error:
            raise StreamError(
                f"the cluster has lost its work: {str(error)[:200]}",
                hint="look at the logs of its workers, and try again",
            ) from error

    def __enter__(self) -> _Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        pass  # the client is the caller's


def _in_turn(
    jobs: Iterable[_Job],
    submit: Callable[[_Job], Future[None]],
    most: int,
    cancelled: Callable[[], bool],
) -> Iterator[None]:
    """Have jobs done, ``most`` of them at a time; yields after each, in their order."""
    waiting: deque[Future[None]] = deque()
    try:
        for job in jobs:
            if cancelled():
                raise CancelledError("the pyramid was cancelled")
            waiting.append(submit(job))
            if len(waiting) >= most:
                waiting.popleft().result()
                yield
        while waiting:
            if cancelled():
                raise CancelledError("the pyramid was cancelled")
            waiting.popleft().result()
            yield
    finally:
        # Whoever goes early must leave nobody behind who still writes. A task that
        # runs in another process cannot be stopped, so all are waited for.
        for future in waiting:
            with contextlib.suppress(futures.CancelledError):
                future.exception()
