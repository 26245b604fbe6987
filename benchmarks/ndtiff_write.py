"""Writing NDTiff frame by frame: ours, ndstorage, and plain writing."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.goals import Target
from benchmarks.harness import Benchmark, Case, Goal, Role
from benchmarks.ndtiff_store import metadata
from benchmarks.recording import camera_frames
from benchmarks.writers import KILL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.harness import Work
    from benchmarks.recording import Frames

__all__ = ["benchmarks", "writing"]

_OURS, _BATCHES = "napari-scope, put", "napari-scope, put_many"
_PEER, _RAW = "ndstorage, put_image", "write() to one file"

_BATCH = 64  # frames given to put_many at once
_RECORD = 178  # bytes of a frame in the file besides its pixels and metadata

_TEXT = (
    "{n} frames of {size} x {size} uint16 pixels, made before, each with metadata of "
    "some 150 bytes; timed are all calls, one after the other in one thread, and the "
    "end of the store. Plain writing gives the system the same bytes, one call for "
    "each frame, and no index. After each call the index of ours knows the frame; that "
    "of ndstorage is some frames behind."
)


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    return [
        writing(64, 5000, Target(_OURS, _PEER, 2), batches=True),
        writing(512, 300),
        writing(2048, 32, Target(_OURS, _PEER, 1.1), Target(_OURS, _RAW, 0.85)),
    ]


def writing(size: int, n: int, *targets: Goal, batches: bool = False) -> Benchmark:
    """Return the benchmark for one size of frames.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    n : int
        Number of frames.
    targets : Target
        What is aimed at.
    batches : bool
        Also write several frames with each call.
    """
    # Made when the first case is prepared, so that naming benchmarks costs nothing.
    frames = functools.cache(lambda: camera_frames(n, size))
    records = functools.cache(lambda: _records(frames()))

    def case(
        name: str,
        role: Role,
        write: Callable[[Path, Frames], Work],
    ) -> Case:
        return Case(
            name,
            role,
            KILL,
            lambda folder: write(folder, frames()),
            lambda folder: _check(folder, frames()),
        )

    ours = [case(_OURS, "ours", _put)]
    if batches:
        ours.append(case(_BATCHES, "ours", _put_many))
    raw = Case(
        _RAW,
        "limit",
        KILL,
        lambda folder: _raw(folder, records()),
        lambda folder: _check_raw(folder, records()),
    )
    return Benchmark(
        title=f"Write {size} x {size} to NDTiff",
        text=_TEXT.format(n=n, size=size),
        unit="MB/s",
        amount=n * size * size * 2 / 1e6,
        frames=n,
        stored=n * size * size * 2,
        cases=[*ours, case(_PEER, "peer", _ndstorage), raw],
        targets=targets,
    )


def _axes(n: int) -> list[dict[str, int | str]]:
    return [{"time": i // 2, "channel": ("DAPI", "FITC")[i % 2]} for i in range(n)]


def _put(folder: Path, frames: Frames) -> Work:
    from napari_scope.formats.ndtiff import NDTiffWriter

    axes = _axes(len(frames))
    about = [metadata(one) for one in axes]

    def work() -> None:
        with NDTiffWriter(folder / "a", summary={"PixelType": "GRAY16"}) as writer:
            for place, frame, facts in zip(axes, frames, about, strict=True):
                writer.put(place, frame, facts)

    return work


def _put_many(folder: Path, frames: Frames) -> Work:
    from napari_scope.formats.ndtiff import FrameItem, NDTiffWriter

    axes = _axes(len(frames))
    items = [
        FrameItem(place, frame, metadata(place))
        for place, frame in zip(axes, frames, strict=True)
    ]

    def work() -> None:
        with NDTiffWriter(folder / "a", summary={"PixelType": "GRAY16"}) as writer:
            for start in range(0, len(items), _BATCH):
                writer.put_many(items[start : start + _BATCH])

    return work


def _ndstorage(folder: Path, frames: Frames) -> Work:
    from ndstorage import NDTiffDataset

    axes = _axes(len(frames))
    about = [metadata(one) for one in axes]
    path = folder / "a"
    path.mkdir()

    def work() -> None:
        dataset = NDTiffDataset(
            str(path), summary_metadata={"PixelType": "GRAY16"}, writable=True
        )
        for place, frame, facts in zip(axes, frames, about, strict=True):
            dataset.put_image(place, frame, facts)
        dataset.finish()
        dataset.close()

    return work


def _records(frames: Frames) -> list[bytes]:
    """Return as many bytes for each frame as it takes in a file."""
    import json

    return [
        b"".join((bytes(_RECORD), frame.data, json.dumps(metadata(axes)).encode()))
        for axes, frame in zip(_axes(len(frames)), frames, strict=True)
    ]


def _raw(folder: Path, records: list[bytes]) -> Work:
    path = folder / "raw"

    def work() -> None:
        with open(path, "wb", buffering=0) as file:
            for record in records:
                file.write(record)

    return work


def _check(folder: Path, frames: Frames) -> None:
    from napari_scope.formats.ndtiff import NDTiffReader

    with NDTiffReader(folder / "a") as reader:
        axes = _axes(len(frames))
        if len(reader) != len(frames) or reader.problems:
            raise ValueError(f"{folder} holds {len(reader)} frames: {reader.problems}")
        for number, (place, frame) in enumerate(zip(axes, frames, strict=True)):
            found = reader.read_frame(place)
            if found is None or not np.array_equal(found, frame):
                raise ValueError(f"frame {number} of {folder} is not what was written")
        if reader.read_metadata(axes[-1]) != metadata(axes[-1]):
            raise ValueError(f"the metadata in {folder} are not what was written")


def _check_raw(folder: Path, records: list[bytes]) -> None:
    size = (folder / "raw").stat().st_size
    if size != sum(map(len, records)):
        raise ValueError(f"{folder} holds {size} bytes")
