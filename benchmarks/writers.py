"""The writers that are compared, all driven alike: open, append, close.

A writer is plain data that another process can be given. `Writer.open` does what can be
done before the first frame; the calls that it returns are what is measured.

Examples
--------
>>> import tempfile
>>> from pathlib import Path
>>> from benchmarks.recording import Recording, camera_frames
>>> recording, frames = Recording(16, (("t", 3),)), camera_frames(3, 16)
>>> folder = Path(tempfile.mkdtemp())
>>> opened = Ours().open(recording, folder)
>>> for frame in frames:
...     opened.append(frame)
>>> opened.close()
>>> Ours().check(recording, folder, frames)
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.harness import Role
    from benchmarks.recording import Frames, Recording
    from napari_scope.stream import FormatName

__all__ = [
    "ACQUIRE",
    "KILL",
    "POWER",
    "TENSORSTORE",
    "TIFFFILE",
    "ZARR_PYTHON",
    "NdStorage",
    "OmeWriters",
    "Opened",
    "Ours",
    "Packed",
    "Raw",
    "Writer",
]

KILL, POWER = "killed process", "loss of power"

_BLOSC_HEAD = 16  # bytes; the last four are the length of the chunk


class Opened(NamedTuple):
    """A store that waits for its frames."""

    append: Callable[[Any], object]
    close: Callable[[], object]


class Writer(Protocol):
    """Somebody who stores frames."""

    @property
    def name(self) -> str:
        """What the tables call it."""

    @property
    def role(self) -> Role:
        """What it stands for in the comparison."""

    @property
    def survives(self) -> str:
        """What the data survive once `Opened.close` has returned."""

    @property
    def needs(self) -> str:
        """Name of a module that must be there."""

    def open(self, recording: Recording, folder: Path) -> Opened:
        """Make a store in an empty folder."""

    def check(self, recording: Recording, folder: Path, frames: Frames) -> None:
        """Raise ValueError unless the folder holds the frames."""


@dataclass(frozen=True)
class Ours:
    """Our stream.

    Parameters
    ----------
    format : str
        Format of the store.
    synced : bool
        Every second, and at the end, what was written is made safe against a loss of
        power.
    levels : int, optional
        Levels of a pyramid; None for all.
    ring_bytes : int, optional
        Size of the buffer; None for the default.
    """

    format: FormatName = "ome-zarr"
    synced: bool = False
    levels: int | None = 1
    ring_bytes: int | None = None

    role: Role = "ours"
    needs: str = "napari_scope"

    @property
    def name(self) -> str:
        """What the tables call it."""
        more = [", synced"] if self.synced else []
        more += [] if self.levels == 1 else [", with pyramid"]
        return "".join(["napari-scope", *more])

    @property
    def survives(self) -> str:
        """What the data survive."""
        return POWER if self.synced else KILL

    def _path(self, folder: Path) -> Path:
        suffixes = {"ome-zarr": ".ome.zarr", "ome-tiff": ".ome.tiff"}
        return folder / f"a{suffixes.get(self.format, '.' + self.format)}"

    def open(self, recording: Recording, folder: Path) -> Opened:
        """Make a store."""
        from napari_scope import stream

        settings = stream.AcquisitionSettings(
            root_path=self._path(folder),
            format=self.format,
            **recording.fields(stream),
        )
        opened = stream.create_stream(
            settings,
            levels=self.levels,
            ring_bytes=self.ring_bytes,
            sync_interval_s=1.0 if self.synced else None,
        )
        return Opened(opened.append, opened.close)

    def check(self, recording: Recording, folder: Path, frames: Frames) -> None:
        """Compare what was stored."""
        checks = {
            "ome-zarr": recording.check_zarr,
            "ome-tiff": recording.check_tiff,
            "ndtiff": recording.check_ndtiff,
        }
        checks[self.format](self._path(folder), frames)


@dataclass(frozen=True)
class OmeWriters:
    """ome-writers.

    Parameters
    ----------
    backend : str
        Name of its backend.
    survives : str
        What the data survive.
    needs : str
        Module that the backend needs.
    """

    backend: str
    survives: str
    needs: str
    role: Role = "peer"

    @property
    def name(self) -> str:
        """What the tables call it."""
        return f"ome-writers ({self.backend})"

    def _path(self, folder: Path) -> Path:
        tiff = self.backend == "tifffile"
        return folder / ("a.ome.tiff" if tiff else "a.ome.zarr")

    def open(self, recording: Recording, folder: Path) -> Opened:
        """Make a store."""
        import ome_writers

        settings = ome_writers.AcquisitionSettings(
            root_path=self._path(folder),
            format=self.backend,
            **recording.fields(ome_writers),
        )
        opened = ome_writers.create_stream(settings)
        return Opened(opened.append, opened.close)

    def check(self, recording: Recording, folder: Path, frames: Frames) -> None:
        """Compare what was stored."""
        tiff = self.backend == "tifffile"
        compare = recording.check_tiff if tiff else recording.check_zarr
        compare(self._path(folder), frames)


TENSORSTORE = OmeWriters("tensorstore", POWER, "tensorstore")
ACQUIRE = OmeWriters("acquire-zarr", POWER, "acquire_zarr")
ZARR_PYTHON = OmeWriters("zarr-python", KILL, "zarr")
TIFFFILE = OmeWriters("tifffile", KILL, "tifffile")


@dataclass(frozen=True)
class NdStorage:
    """ndstorage, the reference library of NDTiff."""

    name: str = "ndstorage, put_image"
    role: Role = "peer"
    survives: str = KILL
    needs: str = "ndstorage"

    def open(self, recording: Recording, folder: Path) -> Opened:
        """Make a store."""
        from ndstorage import NDTiffDataset

        long = {"t": "time", "c": "channel", "z": "z", "p": "position"}
        axes = iter(
            [{long[k]: v for k, v in one.items()} for one in recording.indexes()]
        )
        path = folder / "a.ndtiff"
        path.mkdir()
        dataset = NDTiffDataset(
            str(path), summary_metadata={"PixelType": "GRAY16"}, writable=True
        )

        def append(frame: Any) -> None:
            dataset.put_image(next(axes), frame, {})

        def close() -> None:
            dataset.finish()
            dataset.close()

        return Opened(append, close)

    def check(self, recording: Recording, folder: Path, frames: Frames) -> None:
        """Compare what was stored."""
        recording.check_ndtiff(folder / "a.ndtiff", frames)


@dataclass(frozen=True)
class Raw:
    """The bare pixels, one call of the system for each frame.

    Parameters
    ----------
    synced : bool
        One fdatasync at the end.
    """

    synced: bool = False

    role: Role = "limit"
    needs: str = "os"

    @property
    def name(self) -> str:
        """What the tables call it."""
        end = ", fdatasync at the end" if self.synced else ""
        return f"write() to one file{end}"

    @property
    def survives(self) -> str:
        """What the data survive."""
        return POWER if self.synced else KILL

    def open(self, recording: Recording, folder: Path) -> Opened:
        """Make a file."""
        file = open(folder / "raw", "wb", buffering=0)

        def append(frame: Any) -> None:
            file.write(frame.data)

        def close() -> None:
            if self.synced:
                getattr(os, "fdatasync", os.fsync)(file.fileno())
            file.close()

        return Opened(append, close)

    def check(self, recording: Recording, folder: Path, frames: Frames) -> None:
        """Compare what was stored."""
        recording.check_raw(folder / "raw", frames)


@dataclass(frozen=True)
class Packed:
    """The codec alone, with its own threads, then a call of the system for each chunk.

    Parameters
    ----------
    codec : str
        Compressor of Blosc.
    level : int
        How hard it tries.
    """

    codec: str
    level: int

    role: Role = "limit"
    survives: str = KILL
    needs: str = "numcodecs"

    @property
    def name(self) -> str:
        """What the tables call it."""
        return f"Blosc ({self.codec}), then write()"

    def _parts(self, recording: Recording, frame: Any) -> Iterator[Any]:
        """Return the chunks of a frame."""
        chunk = dict(recording.chunks)
        height, width = (chunk.get(name, recording.size) for name in "yx")
        for y in range(0, recording.size, height):
            for x in range(0, recording.size, width):
                part = frame[y : y + height, x : x + width]
                yield part if width == recording.size else part.copy()

    def open(self, recording: Recording, folder: Path) -> Opened:
        """Make a file."""
        from numcodecs import blosc

        file = open(folder / "raw", "wb", buffering=0)
        name = self.codec.encode()

        def append(frame: Any) -> None:
            for part in self._parts(recording, frame):
                file.write(blosc.compress(part, name, self.level, blosc.BITSHUFFLE))

        return Opened(append, file.close)

    def check(self, recording: Recording, folder: Path, frames: Frames) -> None:
        """Compare what was stored."""
        from numcodecs import blosc

        with open(folder / "raw", "rb") as file:
            for number in range(recording.n):
                for part in self._parts(recording, frames[number % len(frames)]):
                    head = file.read(_BLOSC_HEAD)
                    size = int.from_bytes(head[-4:], "little")
                    packed = head + file.read(size - len(head))
                    if bytes(blosc.decompress(packed)) != part.tobytes():
                        raise ValueError(f"frame {number} of {folder} is wrong")
