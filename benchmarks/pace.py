"""A camera at its own pace: how long it is held up, what memory that takes, for long.

Three benchmarks: a camera that the disk can follow, one that it cannot, and one that
gives more than the system keeps in memory before it writes.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.camera import AtMost, Camera, CameraCase, Unavailable
from benchmarks.feed import Feed
from benchmarks.recording import Recording
from benchmarks.writers import ACQUIRE, TENSORSTORE, TIFFFILE, ZARR_PYTHON, Ours, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.writers import Writer

__all__ = [
    "benchmarks",
    "latency",
    "slow_disk",
    "slow_writes",
    "sustained",
    "sustained_benchmarks",
]

_MIB = 1024 * 1024
# What there is besides the buffer: threads and lines of journals, frames as compressed.
_OWN_BYTES, _PACKED_BYTES = 8 * _MIB, 24 * _MIB
_DISK_BYTES_PER_S = 20e6
_RESERVE = 4e9  # room that stays free on the disk

_EACH = (
    " Each case is a process of its own, and each frame has fresh memory, which is "
    "there before `append` is called. Memory is by how much the process grew at most, "
    "frames that it still holds for the writer included, the file cache of the system "
    "not; the target is our buffer and 8 MiB, 32 where frames are compressed. MB/s are "
    "from the first frame until the store is closed. CPU is of all threads, with 1 to "
    "3 ms for the camera to make a frame. *Stored* says whether the "
    "frames could be read again and are right, after a `close` that reported success."
)


def benchmarks() -> list[Camera]:
    """Return the benchmarks of this module in full size, without the long one."""
    return [latency(2048, 200, 40), slow_disk(1024, 80, 32 * _MIB)]


def sustained_benchmarks() -> list[Camera]:
    """Return the one that writes more than 8 GB for each case."""
    return [sustained(2048, 1000)]


def latency(size: int, n: int, fps: float, ring_bytes: int = 256 * _MIB) -> Camera:
    """Return the benchmark of a camera that the disk can follow.

    Parameters
    ----------
    size, n : int
        Size and number of frames.
    fps : float
        Frames in a second.
    ring_bytes : int
        Size of our buffer.
    """
    plain = Recording(size, (("t", n),))
    packed = Recording(size, (("t", n),), compression="blosc-lz4")
    ours, synced = Ours(ring_bytes=ring_bytes), Ours(synced=True, ring_bytes=ring_bytes)

    def case(writer: Writer, recording: Recording = plain) -> CameraCase:
        more = f", {recording.compression}" if recording.compression else ""
        return CameraCase(writer.name + more, Feed(writer, recording, 1 / fps))

    cases = [
        case(ours),
        case(synced),
        case(ours, packed),
        case(TENSORSTORE),
        case(TENSORSTORE, packed),
        case(ACQUIRE),
        case(Raw()),
    ]
    return Camera(
        title=f"A camera of {fps:g} frames in a second, {size} x {size}",
        text=f"{n} frames of {size} x {size} uint16 pixels, {fps:g} in a second, that "
        f"is {plain.nbytes / n * fps / 1e6:.0f} MB/s; one chunk for a frame. The time "
        "of each `append` is how long the camera is held up. Our buffer has "
        f"{ring_bytes // _MIB} MiB.{_EACH}",
        cases=cases,
        targets=[_within(one, ring_bytes) for one in cases if one.role == "ours"],
        rounds=2,
    )


def _within(case: CameraCase, ring_bytes: int) -> AtMost:
    """Return that the memory stays within the buffer."""
    packed = case.feed.recording.compression is not None
    more = _OWN_BYTES + (_PACKED_BYTES if packed else 0)
    return AtMost(case.name, "memory_mb", (ring_bytes + more) / 1e6)


def slow_disk(size: int, n: int, ring_bytes: int) -> Camera:
    """Return the benchmark of a camera that is five times faster than the disk.

    Parameters
    ----------
    size, n : int
        Size and number of frames.
    ring_bytes : int
        Size of our buffer.
    """
    recording = Recording(size, (("t", n),))
    interval_s = size * size * 2 / (5 * _DISK_BYTES_PER_S)
    ours = Ours(ring_bytes=ring_bytes)
    writers: list[Writer] = [ours, TENSORSTORE, ACQUIRE, ZARR_PYTHON, TIFFFILE]
    cases = [CameraCase(one.name, Feed(one, recording, interval_s)) for one in writers]
    return Camera(
        title=f"A disk of {_DISK_BYTES_PER_S / 1e6:.0f} MB/s, {size} x {size}",
        text=f"{recording.nbytes / 1e6:.0f} MB in {n} frames, "
        f"{5 * _DISK_BYTES_PER_S / 1e6:.0f} MB/s from the camera; each call that "
        f"writes takes as long as a disk of {_DISK_BYTES_PER_S / 1e6:.0f} MB/s would. "
        f"Our buffer has {ring_bytes // _MIB} MiB; when it is full the camera waits, "
        "which is the default.{_EACH}",
        cases=cases,
        targets=[_within(cases[0], ring_bytes)],
        rounds=1,
        environment=slow_writes,
    )


def sustained(size: int, n: int) -> Camera:
    """Return the benchmark of frames without a pause.

    Parameters
    ----------
    size, n : int
        Size and number of frames.
    """
    recording = Recording(size, (("t", n),))
    ring_bytes = 512 * _MIB
    writers: list[Writer] = [
        Ours(ring_bytes=ring_bytes),
        Ours(synced=True, ring_bytes=ring_bytes),
        Raw(),
    ]
    cases = [CameraCase(one.name, Feed(one, recording)) for one in writers]
    return Camera(
        title=f"{recording.nbytes / 1e9:.1f} GB without a pause, {size} x {size}",
        text=f"{n} frames of {size} x {size} uint16 pixels, as fast as they are taken: "
        "more than the system keeps in memory before it makes writers wait for the "
        f"disk. Our buffer has {ring_bytes // _MIB} MiB.{_EACH}",
        cases=cases,
        targets=[_within(one, ring_bytes) for one in cases if one.role == "ours"],
        rounds=1,
        parts=10,
        room=int(recording.nbytes + _RESERVE),
    )


@contextlib.contextmanager
def slow_writes() -> Iterator[Mapping[str, str]]:
    """Make what slows down the writes of a process.

    Raises
    ------
    Unavailable
        On other systems than Linux, and without a C compiler.
    """
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        raise Unavailable("a slow disk takes Linux and a C compiler (cc)")
    source = Path(__file__).with_name("slow_disk.c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "slow_disk.so"
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library)]
        command += [str(source), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"{source.name} does not compile: {done.stderr}")
        yield {
            "LD_PRELOAD": str(library),
            "BENCHMARK_DISK_BYTES_PER_S": str(_DISK_BYTES_PER_S),
        }
