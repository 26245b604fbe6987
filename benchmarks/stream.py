"""Streaming frames to an OME-Zarr store: ours, ome-writers, and plain writing."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness import Benchmark, Case, Role, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TypeAlias

    import numpy.typing as npt

    Frames: TypeAlias = Sequence[npt.NDArray[np.uint16]]
    _Work: TypeAlias = Callable[[], None]
    _Prepare: TypeAlias = Callable[[Path, Frames], _Work]
    _Check: TypeAlias = Callable[[Path, Frames], None]

__all__ = ["benchmarks", "camera_frames", "streaming"]

KILL, POWER = "killed process", "loss of power"

_OURS, _OURS_SYNCED = "napari-scope", "napari-scope, synced"
_PEER = "ome-writers (tensorstore)"
_RAW, _RAW_SYNCED = "write() to one file", "write() to one file, fdatasync at the end"

_TEXT = (
    "{n} frames of {size} x {size} uint16 pixels with the noise of a camera, made "
    "before; timed are all `append` and `close`. Uncompressed, one chunk for a frame, "
    "full resolution only, the same for all. ome-writers is used with its default "
    "backend, which writes and syncs a file for each chunk. Ours writes a line with a "
    "checksum for each frame and leaves the array to the caller, who may reuse it at "
    "once; ome-writers does neither."
)


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    return [
        streaming(2048, 32, over_peer=2.5, over_limit=0.8),
        streaming(512, 300, over_peer=8, over_limit=0.6),
    ]


def streaming(size: int, n: int, *, over_peer: float, over_limit: float) -> Benchmark:
    """Return the benchmark for one size of frames.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    n : int
        Number of frames.
    over_peer, over_limit : float
        Targets: rate over that of ome-writers, and over that of plain writing.
    """
    # Made when the first case is prepared, so that naming benchmarks costs nothing.
    frames = functools.cache(lambda: camera_frames(n, size))

    def case(
        name: str, role: Role, survives: str, prepare: _Prepare, check: _Check
    ) -> Case:
        return Case(
            name,
            role,
            survives,
            lambda folder: prepare(folder, frames()),
            lambda folder: check(folder, frames()),
        )

    return Benchmark(
        title=f"Stream {size} x {size} to OME-Zarr",
        text=_TEXT.format(n=n, size=size),
        unit="MB/s",
        amount=n * size * size * 2 / 1e6,
        frames=n,
        stored=n * size * size * 2,
        cases=[
            case(_OURS, "ours", KILL, functools.partial(_ours, None), _check_zarr),
            case(
                _OURS_SYNCED, "ours", POWER, functools.partial(_ours, 1.0), _check_zarr
            ),
            case(_PEER, "peer", POWER, _ome_writers, _check_zarr),
            case(_RAW, "limit", KILL, functools.partial(_raw, False), _check_raw),
            case(
                _RAW_SYNCED, "limit", POWER, functools.partial(_raw, True), _check_raw
            ),
        ],
        targets=[
            Target(_OURS, _PEER, over_peer),
            Target(_OURS, _RAW, over_limit),
        ],
    )


def camera_frames(n: int, size: int, seed: int = 0) -> Frames:
    """Return frames as a camera makes them: a scene, shot noise, an offset.

    A few are drawn, the others are these rolled: each has memory of its own, and none
    compresses better than the frame of a camera does (7 bits of entropy in a pixel).
    """
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    scene = 60 + 400 * np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) * 8)
    drawn = [(random.poisson(scene) + 100).astype(np.uint16) for _ in range(min(n, 4))]
    return [np.roll(drawn[i % len(drawn)], i * 7, axis=0) for i in range(n)]


def _ours(sync_interval_s: float | None, folder: Path, frames: Frames) -> _Work:
    from napari_scope.stream import AcquisitionSettings, Dimension, create_stream

    height, width = frames[0].shape
    settings = AcquisitionSettings(
        root_path=folder / "a.ome.zarr",
        dtype="uint16",
        dimensions=(
            Dimension(name="t", count=len(frames)),
            Dimension(name="y", count=height),
            Dimension(name="x", count=width),
        ),
    )
    stream = create_stream(settings, levels=1, sync_interval_s=sync_interval_s)

    def work() -> None:
        for frame in frames:
            stream.append(frame)
        stream.close()

    return work


def _ome_writers(folder: Path, frames: Frames) -> _Work:
    from ome_writers import AcquisitionSettings, Dimension, create_stream

    height, width = frames[0].shape
    settings = AcquisitionSettings(
        root_path=folder / "a.ome.zarr",
        dtype="uint16",
        dimensions=[
            Dimension(name="t", count=len(frames), type="time"),
            Dimension(name="y", count=height, chunk_size=height, type="space"),
            Dimension(name="x", count=width, chunk_size=width, type="space"),
        ],
        format="tensorstore",
    )
    stream = create_stream(settings)

    def work() -> None:
        for frame in frames:
            stream.append(frame)
        stream.close()

    return work


def _raw(sync: bool, folder: Path, frames: Frames) -> _Work:
    file = open(folder / "raw", "wb", buffering=0)

    def work() -> None:
        with file:
            for frame in frames:
                file.write(frame.data)
            if sync:
                getattr(os, "fdatasync", os.fsync)(file.fileno())

    return work


def _check_zarr(folder: Path, frames: Frames) -> None:
    import zarr

    array = zarr.open_array(folder / "a.ome.zarr" / "0", mode="r")
    for number, frame in enumerate(frames):
        if not np.array_equal(np.asarray(array[number]), frame):
            raise ValueError(f"frame {number} of {folder} is not what was written")


def _check_raw(folder: Path, frames: Frames) -> None:
    size = (folder / "raw").stat().st_size
    if size != sum(frame.nbytes for frame in frames):
        raise ValueError(f"{folder} holds {size} bytes")
