"""Streaming into all the layouts that a store can have: shards, chunks, codecs, places.

Each benchmark stores the same frames with the same chunks, shards and codec; what a
writer does besides (syncing, checksums, a journal) is its own. Where nothing more is
aimed at, the target is to be no slower than the peer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.goals import SizeTarget, Target
from benchmarks.recording import Recording
from benchmarks.stream import compare
from benchmarks.writers import (
    ACQUIRE,
    TENSORSTORE,
    TIFFFILE,
    ZARR_PYTHON,
    NdStorage,
    Ours,
    Packed,
    Raw,
)

if TYPE_CHECKING:
    from benchmarks.harness import Benchmark, Goal

__all__ = [
    "benchmarks",
    "deep_chunks",
    "ndtiff",
    "ome_tiff",
    "packed",
    "permuted",
    "places",
    "small_chunks",
    "time_shards",
]

_OURS = Ours()
_ZARR = (_OURS, TENSORSTORE, ACQUIRE, ZARR_PYTHON)
_LZ4, _ZSTD = Packed("lz4", 5), Packed("zstd", 1)

_LIMIT = (
    " The limit is Blosc with its own threads, called for one chunk after the other, "
    "and a call of the system for each."
)


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    return [
        time_shards(2048, 20, 10),
        time_shards(512, 200, 10),
        packed("blosc-lz4", 2048, 24, 2048, over_peer=1.1),
        packed("blosc-lz4", 512, 200, 512, over_peer=3),
        packed("blosc-lz4", 2048, 16, 512, over_peer=2),
        packed("blosc-zstd", 2048, 12, 2048, over_peer=1.8),
        deep_chunks(512, 200, 10),
        small_chunks(2048, 16, 512),
        ome_tiff(2048, 32),
        ome_tiff(512, 300),
        ndtiff(2048, 32),
        ndtiff(512, 300),
        places(512, 25, 8, plate=False),
        places(512, 25, 8, plate=True),
        permuted(512, 10, 10, 2),
    ]


def _what(recording: Recording) -> str:
    size = recording.size
    return f"{recording.n} frames of {size} x {size} uint16 pixels"


def time_shards(size: int, n: int, depth: int) -> Benchmark:
    """Return the benchmark of shards of ``depth`` frames, a chunk for each frame."""
    recording = Recording(size, (("t", n),), shards=(("t", depth),))
    return compare(
        f"Time shards, {size} x {size}",
        f"{_what(recording)}, uncompressed, one chunk for a frame, {depth} frames in a "
        "shard, which is one file.",
        recording,
        [*_ZARR, Raw()],
        [
            Target(_OURS.name, TENSORSTORE.name, 10),
            Target(_OURS.name, ZARR_PYTHON.name, 10),
            Target(_OURS.name, ACQUIRE.name, 8),
        ],
    )


def packed(codec: str, size: int, n: int, chunk: int, *, over_peer: float) -> Benchmark:
    """Return the benchmark of a codec, with chunks of ``chunk`` pixels in y and x."""
    recording = Recording(
        size, (("t", n),), (("y", chunk), ("x", chunk)), compression=codec
    )
    cut = "one chunk for a frame" if chunk == size else f"chunks of {chunk} x {chunk}"
    targets: list[Goal] = [Target(_OURS.name, TENSORSTORE.name, over_peer)]
    if codec == "blosc-zstd":
        targets.append(SizeTarget(_OURS.name, TENSORSTORE.name, 1))
    return compare(
        f"{codec}, {size} x {size}" + ("" if chunk == size else f", {cut}"),
        f"{_what(recording)}, {cut}. The same codec for all; its level and how bits "
        f"are shuffled are each writer's own.{_LIMIT}",
        recording,
        [*_ZARR, _LZ4 if codec == "blosc-lz4" else _ZSTD],
        targets,
        sized=True,
    )


def deep_chunks(size: int, n: int, depth: int) -> Benchmark:
    """Return the benchmark of compressed chunks of ``depth`` frames."""
    recording = Recording(size, (("t", n),), (("t", depth),), compression="blosc-lz4")
    return compare(
        f"Chunks of {depth} frames, blosc-lz4, {size} x {size}",
        f"{_what(recording)}, {depth} of them in a chunk. ome-writers keeps the frames "
        "of a chunk in memory until all have come; ours is on disk with each frame.",
        recording,
        [_OURS, TENSORSTORE, ACQUIRE, Raw()],
        [Target(_OURS.name, TENSORSTORE.name, 1)],
        sized=True,
    )


def small_chunks(size: int, n: int, chunk: int) -> Benchmark:
    """Return the benchmark of uncompressed chunks that are parts of a frame."""
    recording = Recording(size, (("t", n),), (("y", chunk), ("x", chunk)))
    return compare(
        f"Chunks of {chunk} x {chunk}, {size} x {size}",
        f"{_what(recording)}, uncompressed.",
        recording,
        [*_ZARR, Raw()],
        [Target(_OURS.name, TENSORSTORE.name, 1)],
    )


def ome_tiff(size: int, n: int) -> Benchmark:
    """Return the benchmark of OME-TIFF."""
    recording, ours = Recording(size, (("t", n),)), Ours("ome-tiff")
    return compare(
        f"OME-TIFF, {size} x {size}",
        f"{_what(recording)}, uncompressed, in one file. ome-writers puts frames into "
        "a queue without bound and links their pages at the end.",
        recording,
        [ours, TIFFFILE, Raw()],
        [Target(ours.name, TIFFFILE.name, 1)],
    )


def ndtiff(size: int, n: int) -> Benchmark:
    """Return the benchmark of NDTiff through the stream."""
    recording, ours, peer = Recording(size, (("t", n),)), Ours("ndtiff"), NdStorage()
    return compare(
        f"NDTiff through the stream, {size} x {size}",
        f"{_what(recording)}. Ours is the whole stream, with its journal; ndstorage is "
        "its writer, called in the thread of the camera. *Write to NDTiff* compares "
        "the writers alone.",
        recording,
        [ours, peer, Raw()],
        [Target(ours.name, peer.name, 1)],
    )


def places(size: int, times: int, count: int, *, plate: bool) -> Benchmark:
    """Return the benchmark of several positions, visited at each time point."""
    recording = Recording(size, (("t", times), ("p", count)), plate=plate)
    where = f"A plate of {count // 2} wells" if plate else f"{count} positions"
    return compare(
        f"{where}, {size} x {size}",
        f"{_what(recording)}, uncompressed: {count} places"
        + (", two in each well," if plate else "")
        + f" at each of {times} time points. Each is an image of its own, "
        + "all open at the same time.",
        recording,
        [_OURS, TENSORSTORE, Raw()],
        [Target(_OURS.name, TENSORSTORE.name, 1)],
    )


def permuted(size: int, times: int, planes: int, channels: int) -> Benchmark:
    """Return the benchmark of an order of acquisition that is not that of storage."""
    recording = Recording(size, (("t", times), ("z", planes), ("c", channels)))
    return compare(
        f"Acquired as TZC, stored as TCZ, {size} x {size}",
        f"{_what(recording)}, uncompressed, the channels of a plane one after the "
        "other.",
        recording,
        [_OURS, TENSORSTORE, Raw()],
        [Target(_OURS.name, TENSORSTORE.name, 1)],
    )
