"""What is recorded: the frames of a camera, in which order, cut and packed how.

Our settings have the field names of ome-writers, so that one description serves both;
`Recording.fields` is it. Whatever was written is read again with independent readers
(zarr-python, tifffile) and compared with the frames.

Examples
--------
>>> recording = Recording(16, counts=(("t", 3),), chunks=(("y", 8), ("x", 8)))
>>> recording.n, recording.nbytes
(3, 1536)
>>> len(camera_frames(3, 16))
3
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import ModuleType
    from typing import TypeAlias

    import numpy.typing as npt

    Frame: TypeAlias = npt.NDArray[np.uint16]
    Frames: TypeAlias = Sequence[Frame]

__all__ = ["Recording", "camera_frames", "stored_bytes"]

_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
_FIELDS = 2  # of a well


@dataclass(frozen=True)
class Recording:
    """Frames of uint16, and how they are stored.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    counts : sequence of (str, int)
        Name and length of each axis in the order of acquisition, without y and x; the
        axis ``p`` is of positions.
    chunks, shards : sequence of (str, int)
        Samples of a chunk and chunks of a shard along an axis. A chunk is one frame,
        and has a file or place of its own, where nothing is said.
    compression : str, optional
        Name of the codec.
    plate : bool
        The positions lie on a multi-well plate, two in each well.
    """

    size: int
    counts: tuple[tuple[str, int], ...]
    chunks: tuple[tuple[str, int], ...] = ()
    shards: tuple[tuple[str, int], ...] = ()
    compression: str | None = None
    plate: bool = False

    @property
    def n(self) -> int:
        """Number of frames."""
        return math.prod(count for _, count in self.counts)

    @property
    def positions(self) -> int:
        """Number of positions."""
        return dict(self.counts).get("p", 1)

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return self.n * self.size**2 * 2

    def fields(self, library: ModuleType) -> dict[str, Any]:
        """Return the settings for napari-scope or ome-writers, without a path."""
        chunks = {"y": self.size, "x": self.size, **dict(self.chunks)}
        shards = dict(self.shards)
        dimensions = []
        for name, count in (*self.counts, ("y", self.size), ("x", self.size)):
            if name == "p":
                places = [library.Position(**place) for place in self._places()]
                one = library.Dimension(name="p", type="position", coords=places)
            else:
                one = library.Dimension(
                    name=name,
                    count=count,
                    type=_TYPES[name],
                    chunk_size=chunks.get(name),
                    shard_size_chunks=shards.get(name),
                )
            dimensions.append(one)
        fields = {"dtype": "uint16", "dimensions": dimensions}
        if self.compression is not None:
            fields["compression"] = self.compression
        if self.plate:
            rows, columns = zip(*_wells(self.positions), strict=True)
            fields["plate"] = library.Plate(
                row_names=sorted(set(rows)), column_names=sorted(set(columns))
            )
        return fields

    def _places(self) -> Iterator[dict[str, str]]:
        for number in range(self.positions):
            place = {"name": f"p{number:03d}"}
            if self.plate:
                row, column = _wells(self.positions)[number]
                place.update(plate_row=row, plate_column=column)
            yield place

    def indexes(self) -> list[dict[str, int]]:
        """Return the index of each frame on each axis, in order of acquisition."""
        names = [name for name, _ in self.counts]
        numbers = itertools.product(*(range(count) for _, count in self.counts))
        return [dict(zip(names, one, strict=True)) for one in numbers]

    # ------------------------------------------------------------- looking again

    def check_zarr(self, store: Path, frames: Frames) -> None:
        """Compare an OME-Zarr store with the frames.

        Parameters
        ----------
        store : Path
            The store.
        frames : sequence of array
            All frames, or the first of them if they come again and again.

        Raises
        ------
        ValueError
            A frame is not what was written.
        """
        import zarr

        paths = _full_resolution(store)
        arrays = [zarr.open_array(path, mode="r") for path in paths]
        if len(arrays) != self.positions:
            raise ValueError(f"{store} has {len(arrays)} images, not {self.positions}")
        names = [name for name, _ in self.counts if name != "p"]
        stored = sorted(names, key=["t", "c", "z"].index)

        def read(index: dict[str, int]) -> Frame:
            array = arrays[index.get("p", 0)]
            found: Frame = np.asarray(array[tuple(index[name] for name in stored)])
            return found

        self._compare(store, read, frames)

    def check_tiff(self, path: Path, frames: Frames) -> None:
        """Compare the pages of a TIFF file with the frames; else as `check_zarr`."""
        import tifffile

        with tifffile.TiffFile(path) as file:
            if len(file.pages) != self.n:
                raise ValueError(f"{path} has {len(file.pages)} pages, not {self.n}")
            order = iter(file.pages)
            self._compare(path, lambda _: next(order).asarray(), frames)

    def check_ndtiff(self, folder: Path, frames: Frames) -> None:
        """Compare an NDTiff store with the frames; else as `check_zarr`."""
        from napari_scope.formats.ndtiff import NDTiffReader

        with NDTiffReader(folder) as reader:
            if len(reader) != self.n or reader.problems:
                raise ValueError(f"{folder}: {len(reader)} frames, {reader.problems}")
            long = {"t": "time", "c": "channel", "z": "z", "p": "position"}
            self._compare(
                folder,
                lambda index: reader.read_frame({long[k]: v for k, v in index.items()}),
                frames,
            )

    def check_raw(self, path: Path, frames: Frames) -> None:
        """Compare a file of bare pixels with the frames; else as `check_zarr`."""
        size = path.stat().st_size
        if size != self.nbytes:
            raise ValueError(f"{path} holds {size} bytes, not {self.nbytes}")
        shape = self.size, self.size
        with open(path, "rb") as file:
            self._compare(
                path,
                lambda _: np.fromfile(file, np.uint16, self.size**2).reshape(shape),
                frames,
            )

    def _compare(
        self,
        path: Path,
        read: Callable[[dict[str, int]], npt.NDArray[np.generic] | None],
        frames: Frames,
    ) -> None:
        for number, index in enumerate(self.indexes()):
            found = read(index)
            if found is None or not np.array_equal(found, frames[number % len(frames)]):
                raise ValueError(f"frame {number} of {path} is not what was written")


def _wells(positions: int) -> list[tuple[str, str]]:
    """Return the well of each position, in two rows."""
    return [
        ("AB"[(i // _FIELDS) % 2], str(i // _FIELDS // 2 + 1)) for i in range(positions)
    ]


def _full_resolution(store: Path) -> list[Path]:
    """Return the arrays of level 0, in the order of the positions."""
    import json

    document = json.loads((store / "zarr.json").read_text(encoding="utf-8"))
    ome = document["attributes"]["ome"]
    if "plate" in ome:
        wells = [tuple(well["path"].split("/")) for well in ome["plate"]["wells"]]
        groups = []
        for row, column in dict.fromkeys(_wells(len(wells) * _FIELDS)):
            well = store / row / column
            about = json.loads((well / "zarr.json").read_text(encoding="utf-8"))
            images = about["attributes"]["ome"]["well"]["images"]
            groups += [well / image["path"] for image in images]
    elif "multiscales" in ome:
        groups = [store]
    else:
        about = json.loads((store / "OME" / "zarr.json").read_text(encoding="utf-8"))
        groups = [store / name for name in about["attributes"]["ome"]["series"]]
    return [group / "0" for group in groups]


def stored_bytes(folder: Path) -> int:
    """Return the bytes that all files of a folder take on the disk."""
    total = 0
    for path in folder.rglob("*"):
        if path.is_file():
            about = path.stat()
            # Windows does not say how many blocks a file has.
            blocks = getattr(about, "st_blocks", None)
            total += about.st_size if blocks is None else blocks * 512
    return total


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
