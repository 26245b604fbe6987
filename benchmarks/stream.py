"""Streaming frames to an OME-Zarr store: ours, ome-writers, and plain writing."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from benchmarks.goals import Target
from benchmarks.harness import Benchmark, Case
from benchmarks.recording import Recording, camera_frames, stored_bytes
from benchmarks.writers import ACQUIRE, TENSORSTORE, ZARR_PYTHON, Ours, Raw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.harness import Goal, Work
    from benchmarks.recording import Frames
    from benchmarks.writers import Writer

__all__ = ["benchmarks", "compare", "streaming"]

_TEXT = (
    "{n} frames of {size} x {size} uint16 pixels with the noise of a camera, made "
    "before; timed are all `append` and `close`. Uncompressed, one chunk for a frame, "
    "full resolution only unless a row says more. ome-writers is used with three of "
    "its backends, the default one first, which writes and syncs a file for each "
    "chunk. Ours writes a line with a checksum for each frame and leaves the array to "
    "the caller, who may reuse it at once; ome-writers does neither (but copies with "
    "acquire-zarr)."
)


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    return [
        streaming(
            2048, 32, over_peer=2.5, over_limit=0.8, synced_over_peer=1.5, pyramid=True
        ),
        streaming(512, 300, over_peer=8, over_limit=0.6, synced_over_peer=2),
    ]


def streaming(
    size: int,
    n: int,
    *,
    over_peer: float,
    over_limit: float,
    synced_over_peer: float = 1,
    pyramid: bool = False,
) -> Benchmark:
    """Return the benchmark for one size of frames.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    n : int
        Number of frames.
    over_peer, over_limit, synced_over_peer : float
        Targets: rate over that of ome-writers, over that of plain writing, and rate
        where all survive a loss of power over that of ome-writers.
    pyramid : bool
        Also with the coarse levels made while frames come.
    """
    plain, synced, raw = Ours(), Ours(synced=True), Raw()
    ours = [plain, synced, *([Ours(levels=None)] if pyramid else [])]
    return compare(
        f"Stream {size} x {size} to OME-Zarr",
        _TEXT.format(n=n, size=size),
        Recording(size, (("t", n),)),
        [*ours, TENSORSTORE, ACQUIRE, ZARR_PYTHON, raw, Raw(synced=True)],
        [
            Target(plain.name, TENSORSTORE.name, over_peer),
            Target(synced.name, TENSORSTORE.name, synced_over_peer),
            Target(plain.name, raw.name, over_limit),
        ],
    )


def compare(
    title: str,
    text: str,
    recording: Recording,
    writers: Sequence[Writer],
    targets: Sequence[Goal] = (),
    *,
    sized: bool = False,
) -> Benchmark:
    """Return the benchmark in which writers store the same frames in the same way.

    Parameters
    ----------
    title, text, targets
        See `Benchmark`.
    recording : Recording
        What is stored.
    writers : sequence of Writer
        Who takes part.
    sized : bool
        Look at the bytes on the disk, too.
    """

    def case(writer: Writer) -> Case:
        return Case(
            writer.name,
            writer.role,
            writer.survives,
            lambda folder: _work(writer, recording, folder),
            lambda folder: writer.check(recording, folder, _frames(recording)),
            size=stored_bytes if sized else None,
            needs=writer.needs,
        )

    return Benchmark(
        title=title,
        text=text,
        unit="MB/s",
        amount=recording.nbytes / 1e6,
        frames=recording.n,
        stored=recording.nbytes,
        cases=[case(writer) for writer in writers],
        targets=targets,
    )


def _work(writer: Writer, recording: Recording, folder: Path) -> Work:
    frames = _frames(recording)
    append, close = writer.open(recording, folder)

    def work() -> None:
        for frame in frames:
            append(frame)
        close()

    return work


def _frames(recording: Recording) -> Frames:
    return _cached_frames(recording.n, recording.size)


# Those of one benchmark: a second would take as much memory again.
_cached_frames = functools.lru_cache(maxsize=1)(camera_frames)
