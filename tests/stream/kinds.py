"""Every kind of store that a stream writes, small, and how others read its frames.

The kinds are what kills and failing disks are tried on: a run of each differs from the
others in what is on disk while it goes on.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image
from tests.formats.ngff.oracles import READERS
from tests.formats.ngff.test_ngff_writers import by_tensorstore_v2
from tests.stream.streams import frame_of, growing_spec, make_sink, make_spec

from napari_scope.stream import ImageSpec, Stream
from napari_scope.stream.spec import PlateSpec, StorageSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.stream import Sink, StoreSpec

    Frames = Mapping[tuple[int, tuple[int, ...]], npt.NDArray[Any]]

WELLS = (("A", "1"), ("A", "1"), ("B", "2"))
FIELDS = ("A/1/0", "A/1/1", "B/2/0")


@dataclass(frozen=True)
class Kind:
    """A kind of store: its formats (one for each output), and how it is packed."""

    formats: tuple[str, ...] = ("ome-zarr",)
    layout: str = "single"
    storage: StorageSpec = field(default_factory=StorageSpec)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def several(self) -> bool:
        """Whether there is more than one image."""
        return self.layout in ("plate", "positions")

    def spec(self, times: int) -> StoreSpec:
        """Return the description of a run of so many time points."""
        if self.layout == "unknown":
            return growing_spec(storage=self.storage)
        if self.layout == "unbounded":
            more = {"growing": True, "growing_axes": ("time",)}
            return make_spec({"time": 1}, storage=self.storage, **more)
        images: tuple[ImageSpec, ...] = (ImageSpec("run", sizes={"time": times}),)
        if self.several:
            sizes = {"time": times, "channel": 2}
            plate = self.layout == "plate"
            images = tuple(
                ImageSpec(name, {"position": name}, sizes, well=well if plate else None)
                for name, well in zip("abc", WELLS, strict=True)
            )
        return make_spec(
            order=("time", "position", "channel") if self.several else ("time",),
            labels={"channel": ("DAPI", "GFP")} if self.several else {},
            images=images,
            n_frames=len(self.axes(times)),
            storage=self.storage,
            plate=PlateSpec("p", ("A", "B"), ("1", "2"))
            if self.layout == "plate"
            else None,
        )

    def sinks(self, folder: Path) -> list[Sink]:
        return [
            make_sink(name, path, **(self.more if name == "ome-zarr" else {}))
            for name, path in zip(self.formats, self.paths(folder), strict=True)
        ]

    def paths(self, folder: Path) -> list[Path]:
        """Return where the outputs are."""
        single = self.layout in ("single", "unbounded")
        names = {"ome-tiff": "out.ome.tiff" if single else "out.tiffs"}
        return [folder / names.get(name, f"out.{name}") for name in self.formats]

    def index(self, number: int) -> dict[str, int | str] | None:
        """Return the axes of a frame, None where it comes in order."""
        return {"time": number} if self.layout == "unknown" else None

    def axes(self, times: int) -> list[dict[str, int | str]]:
        """Return the axes of all frames in the order of acquisition."""
        if self.several:
            return [
                {"time": t, "position": p, "channel": c}
                for t, p, c in itertools.product(range(times), "abc", ("DAPI", "GFP"))
            ]
        return [{"time": t} for t in range(times)]


def tailored(compression: str | None = None, **more: Any) -> StorageSpec:
    return StorageSpec(compression=compression, **more)


DEEP = {"time": 3, "y": 8, "x": 8}
KINDS = {
    "ome-zarr": Kind(more={"levels": 2}),
    "ome-zarr-lz4": Kind(storage=tailored("blosc-lz4")),
    "ome-zarr-deep": Kind(storage=tailored("zstd", chunks=DEEP), more={"levels": 2}),
    "ome-zarr-shards": Kind(storage=tailored(chunks={"time": 4}, shards={"time": 2})),
    "ome-zarr-packed-shards": Kind(
        storage=tailored("blosc-zstd", chunks={"time": 2}, shards={"time": 3})
    ),
    "ome-zarr-unbounded": Kind(layout="unbounded"),
    "ome-zarr-unknown": Kind(layout="unknown", storage=tailored("blosc-lz4")),
    "ome-zarr-positions": Kind(layout="positions", storage=tailored("blosc-zstd")),
    "ome-zarr-plate": Kind(layout="plate", more={"levels": 2}),
    "ome-zarr-0.4": Kind(storage=tailored(version="0.4")),
    "ome-zarr-0.4-deep": Kind(
        storage=tailored("blosc-zstd", chunks=DEEP, version="0.4")
    ),
    "ome-zarr-0.4-plate": Kind(layout="plate", storage=tailored(version="0.4")),
    "ome-tiff": Kind(("ome-tiff",)),
    "ome-tiff-zlib": Kind(("ome-tiff",), storage=tailored("zlib")),
    "ome-tiff-lzw": Kind(("ome-tiff",), storage=tailored("lzw")),
    "ome-tiff-unbounded": Kind(("ome-tiff",), layout="unbounded"),
    "ome-tiff-positions": Kind(("ome-tiff",), layout="positions"),
    "ome-tiff-plate": Kind(("ome-tiff",), layout="plate"),
    "ndtiff": Kind(("ndtiff",)),
    "ndtiff-positions": Kind(("ndtiff",), layout="positions"),
    "ndtiff-unknown": Kind(("ndtiff",), layout="unknown"),
    "two-at-once": Kind(("ome-zarr", "ndtiff")),
    "three-at-once": Kind(("ome-tiff", "ome-zarr", "ndtiff"), layout="positions"),
}


def feed(stream: Stream, kind: Kind, number: int) -> None:
    """Append a frame that tells which it is."""
    facts = {"n": number, "stage": {"x_um": number / 2}}
    stream.append(frame_of(number), facts, index=kind.index(number))


def frames_by_others(
    path: Path,
    format: str,
    kind: Kind,
    lines: Sequence[Mapping[str, Any]],
    *,
    some: int | None = None,
    metadata: bool = True,
) -> dict[str, Frames]:
    """Return the frames that have a line, as libraries read them that are not ours.

    Parameters
    ----------
    path, format, kind
        The store.
    lines : sequence of mapping
        Lines of its journal.
    some : int, optional
        Take only one library for OME-Zarr: a number that chooses it.
    metadata : bool
        Whether the metadata of NDTiff are those of the lines.

    Returns
    -------
    dict
        Name of the library -> (image, index) -> pixels.
    """
    keys = [(line["image"], tuple(line["index"])) for line in lines]
    if format == "ndtiff":
        return {"ndstorage": _by_ndstorage(path, lines, metadata)}
    if format == "ome-tiff":
        return _of_tiff(path, kind, keys)
    readers = dict(READERS)
    if kind.storage.version == "0.4":
        zarr_python = readers["zarr-python"]
        readers = {"zarr-python": zarr_python, "tensorstore": by_tensorstore_v2}
    names = list(readers) if some is None else [list(readers)[some % len(readers)]]
    folders = [path / name for name in FIELDS]
    if kind.layout == "positions":
        folders = [path / str(n) for n in range(3)]
    elif kind.layout != "plate":
        folders = [path]
    found: dict[str, Frames] = {}
    for name in names:
        arrays = {n: readers[name](folders[n] / "0") for n in {n for n, _ in keys}}
        found[name] = {(n, index): arrays[n][index] for n, index in keys}
    return found


def _by_ndstorage(
    path: Path, lines: Iterable[Mapping[str, Any]], metadata: bool
) -> Frames:
    from ndstorage import Dataset

    with contextlib.redirect_stdout(io.StringIO()):  # it tells of its progress
        dataset: Any = Dataset(str(path))
    found = {}
    try:
        for line in lines:
            axes = line["axes"]
            found[line["image"], tuple(line["index"])] = dataset.read_image(**axes)
            if metadata:
                assert dataset.read_metadata(**axes)["n"] == line["metadata"]["n"]
    finally:
        dataset.close()
    return found


def _of_tiff(
    path: Path, kind: Kind, keys: list[tuple[int, tuple[int, ...]]]
) -> dict[str, Frames]:
    """Read the pages of each file: they are in the order of their arrival."""
    files = [path]
    if path.is_dir():
        files = [path / f"{name}.ome.tiff" for name in "abc"]
    found: dict[str, dict[Any, Any]] = {"tifffile": {}, "Pillow": {}}
    if kind.storage.compression == "lzw":
        del found["tifffile"]  # it has no codec of its own
    for image, file in enumerate(files):
        mine = [key for key in keys if key[0] == image]
        if "tifffile" in found:
            with tifffile.TiffFile(file) as tif:
                pages = dict(zip(mine, tif.pages, strict=False))
                found["tifffile"].update({k: p.asarray() for k, p in pages.items()})
        if mine and kind.storage.compression is not None:
            with Image.open(file) as pages_of_pillow:
                for number, key in enumerate(mine):
                    pages_of_pillow.seek(number)
                    found["Pillow"][key] = np.asarray(pages_of_pillow)
    return {name: frames for name, frames in found.items() if frames or not keys}
