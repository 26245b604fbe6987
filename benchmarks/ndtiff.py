"""Opening and reading NDTiff: ours, ndstorage, and the bare calls of the system."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.goals import MemoryTarget, Target
from benchmarks.harness import Benchmark, Case
from benchmarks.memory import growth
from benchmarks.ndtiff_store import CHANNELS, Frames, Reading, ndstorage_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.harness import Role, Work

__all__ = ["benchmarks", "opening", "reading_all", "reading_images", "reading_planes"]

_LAYER, _DATASET, _PEER = "napari-scope, layer", "napari-scope, Dataset", "ndstorage"


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    small = Frames(500, 50, 16)
    return [
        opening(small),
        reading_planes(small, 200),
        reading_images(small, 5000),
        # ndstorage takes 20 s for all 100,000 frames: a fifth of them will do.
        reading_all(Frames(100, 50, 16), over_peer=20),
        reading_all(Frames(10, 5, 512), over_peer=2),
        reading_all(Frames(3, 2, 2048), over_peer=2),
    ]


def opening(frames: Frames) -> Benchmark:
    """Return the benchmark of opening a store, in time and in memory."""
    layers = "napari-scope, open_ndtiff"

    def case(name: str, role: Role, look: Callable[[Path], object]) -> Case:
        return Case(
            name,
            role,
            "",
            lambda folder: functools.partial(look, folder / "store"),
            verify=lambda opened: _check_axes(opened, frames),
            memory=lambda folder: growth(look, folder / "few", folder / "store"),
        )

    def data(folder: Path) -> None:
        for name, size in ("store", frames), ("few", Frames(1, 1, frames.size)):
            (folder / name).mkdir()
            size.write(folder / name)

    def index(folder: Path) -> Work:
        return (folder / "store" / "NDTiff.index").read_bytes

    return Benchmark(
        title=f"Open {frames.count:,} frames of NDTiff",
        text=f"{frames.text()} Opened and closed; no pixel is read. Memory is by how "
        "much a new process grows when it opens the store, having opened one of "
        f"{len(CHANNELS)} frames before. The limit is to read the bytes of the index.",
        unit="frames/s",
        amount=frames.count,
        frames=frames.count,
        stored=0,
        cases=[
            case(layers, "ours", _look_at_layers),
            case(_DATASET, "ours", _look_at_dataset),
            case(_PEER, "peer", _look_at_peer),
            Case("read() of NDTiff.index", "limit", "", index),
        ],
        targets=[
            Target(layers, _PEER, 8),
            Target(_DATASET, _PEER, 8),
            MemoryTarget(layers, _PEER, 4),
            MemoryTarget(_DATASET, _PEER, 4),
        ],
        data=data,
    )


# Other processes call these, too. What they return keeps all that is known of a store.


def _look_at_layers(path: Path) -> object:
    from napari_scope.formats.ndtiff import open_ndtiff

    return open_ndtiff(path)  # holds no file open


def _look_at_dataset(path: Path) -> object:
    from napari_scope.formats.ndtiff.dataset import Dataset

    with Dataset(path) as dataset:
        return dataset


def _look_at_peer(path: Path) -> object:
    with ndstorage_dataset(path) as dataset:
        return dataset


def _check_axes(opened: Any, frames: Frames) -> None:
    found: object
    expected: object
    if hasattr(opened, "images"):
        (image,) = opened.images
        found, expected = image.levels[0].shape, frames.shape
    else:
        found = {name: list(values) for name, values in opened.axes.items()}
        expected = frames.values()
    if found != expected:
        raise ValueError(f"the store has {found}, expected {expected}")


def reading_planes(frames: Frames, n: int) -> Benchmark:
    """Return the benchmark of reading n planes of a large array one by one."""
    places = frames.places(n)
    reading = Reading(lambda: frames.pixels_at(places))

    def planes(array: Any) -> Work:
        return lambda: [np.asarray(array[place]) for place in places]

    return Benchmark(
        title=f"One plane of {frames.count:,} of an NDTiff array",
        text=f"{frames.text()} {n} planes here and there, each by `array[t, c, z]`, of "
        "the array that our layers have and of the dask array that ndstorage makes.",
        unit="planes/s",
        amount=n,
        frames=n,
        stored=0,
        cases=[
            reading.layer(_LAYER, planes),
            reading.ndstorage(_PEER, lambda dataset: planes(dataset.as_array())),
            reading.raw(frames.rows(places), frames.shape[3:]),
        ],
        targets=[Target(_LAYER, _PEER, 100)],
        around=reading.around,
        data=frames.write,
    )


def reading_images(frames: Frames, n: int) -> Benchmark:
    """Return the benchmark of reading n images by their axes."""
    places = frames.places(n)
    rows = frames.rows(places)
    reading = Reading(lambda: frames.pixels_at(places))

    def images(dataset: Any) -> Work:
        axes = frames.axes()
        chosen = [axes[row] for row in rows]
        return lambda: [dataset.read_image(**one) for one in chosen]

    return Benchmark(
        title=f"Random images of {frames.size} x {frames.size} of NDTiff",
        text=f"{frames.text()} {n:,} images here and there, each by "
        "`read_image(time=, channel=, z=)`.",
        unit="images/s",
        amount=n,
        frames=n,
        stored=0,
        cases=[
            reading.dataset(_DATASET, images),
            reading.ndstorage(_PEER, images),
            reading.raw(rows, frames.shape[3:]),
        ],
        targets=[Target(_DATASET, _PEER, 3)],
        around=reading.around,
        data=frames.write,
    )


def reading_all(frames: Frames, *, over_peer: float) -> Benchmark:
    """Return the benchmark of reading a whole store into one array.

    Parameters
    ----------
    frames : Frames
        The store.
    over_peer : float
        Target: rate over that of ndstorage.
    """
    dataset = "napari-scope, Dataset.as_array"
    reading = Reading(frames.pixels)

    def computed(opened: Any) -> Work:
        return lambda: opened.as_array().compute()

    return Benchmark(
        title=f"Read all of an NDTiff store, {frames.size} x {frames.size}",
        text=f"{frames.text()} All of it into one new array: by `np.asarray` of the "
        "array that our layers have, and by `as_array().compute()`. The limit reads "
        "frame by frame into memory that is there already.",
        unit="MB/s",
        amount=frames.nbytes / 1e6,
        frames=frames.count,
        stored=2 * frames.nbytes,  # dask holds blocks and result at the same time
        cases=[
            reading.layer(_LAYER, lambda array: lambda: np.asarray(array)),
            reading.dataset(dataset, computed),
            reading.ndstorage(_PEER, computed),
            reading.raw(range(frames.count), frames.shape[3:], frames.shape),
        ],
        targets=[Target(_LAYER, _PEER, over_peer), Target(dataset, _PEER, over_peer)],
        around=reading.around,
        data=frames.write,
    )
