"""What a viewer asks of an NDTiff store: steps of a slider, parts of a mosaic."""

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.goals import TimeTarget
from benchmarks.harness import Benchmark, Case
from benchmarks.ndtiff_store import (
    Frames,
    Reading,
    Tiles,
    layer_array,
    ndstorage_dataset,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari.components import ViewerModel

    from benchmarks.harness import Role, Work
    from benchmarks.ndtiff_store import Pixels

__all__ = ["benchmarks", "overview", "slider", "windows"]

_LAYER, _PEER = "napari-scope, layer", "ndstorage"


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    tiles = Tiles(8, 256, 16)
    return [
        slider(Frames(500, 50, 16), 50),
        windows(tiles, 256, 10),
        overview(tiles, 2, 10),
    ]


def slider(frames: Frames, n: int) -> Benchmark:
    """Return the benchmark of n steps of the sliders of napari."""

    def case(name: str, role: Role, find: Callable[[Path, ExitStack], Any]) -> Case:
        return Case(
            name,
            role,
            "",
            lambda folder: _steps(find(folder, opened), n),
            verify=lambda viewer: _check_shown(viewer, frames),
        )

    opened = ExitStack()
    return Benchmark(
        title=f"A step of a slider over {frames.count:,} planes of NDTiff",
        text=f"{frames.text()} {n} steps of the sliders t and z, here and there, of "
        "napari without a window: its own work for one layer, and reading the plane. "
        "The limit is the same with an array in memory, so it is what napari takes.",
        unit="steps/s",
        amount=n,
        frames=n,
        stored=0,
        cases=[
            case(_LAYER, "ours", lambda folder, _: layer_array(folder)),
            case(
                _PEER,
                "peer",
                lambda folder, stack: stack.enter_context(
                    ndstorage_dataset(folder)
                ).as_array(),
            ),
            case("an array in memory", "limit", lambda *_: frames.pixels()),
        ],
        targets=[TimeTarget(_LAYER, 5)],
        around=lambda: opened,
        data=frames.write,
    )


def _steps(array: Any, n: int) -> Work:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    viewer.add_image(array, contrast_limits=(0, 4000), multiscale=False)
    # Each run goes on to other planes: napari keeps parts of dask arrays.
    choose = random.Random(0)

    def work() -> ViewerModel:
        for _ in range(n):
            axis = choose.choice((0, 2))
            viewer.dims.set_current_step(axis, choose.randrange(array.shape[axis]))
        return viewer

    return work


def _check_shown(viewer: Any, frames: Frames) -> None:
    """Compare what the layer shows with what is stored."""
    place = viewer.dims.current_step[:3]
    expected = frames.pixels()[place]
    (layer,) = viewer.layers
    for y, x in np.ndindex(expected.shape):
        found = layer.get_value((*place, y, x), world=True)
        if found != expected[y, x]:
            raise ValueError(f"{found} is shown at {place}, {y}, {x}")


def windows(tiles: Tiles, size: int, n: int) -> Benchmark:
    """Return the benchmark of reading n windows of a stitched plane."""
    places = tiles.windows(n, size)

    def expected() -> Pixels:
        plane = tiles.plane()
        return np.stack([plane[place] for place in places])

    return _stitched(
        tiles,
        title=f"Windows of {size} x {size} in an NDTiff mosaic",
        text=f"{n} windows of {size} x {size} here and there.",
        level=0,
        places=places,
        expected=expected,
    )


def overview(tiles: Tiles, level: int, n: int) -> Benchmark:
    """Return the benchmark of reading a coarse level of a stitched plane n times."""
    side = tiles.extent >> level
    return _stitched(
        tiles,
        title=f"Overview of {side} x {side} of an NDTiff mosaic",
        text=f"All of it at 1/{2**level} of the resolution, {n} times.",
        level=level,
        places=[(slice(side), slice(side))] * n,
        expected=lambda: np.stack([tiles.plane(level)] * n),
    )


def _stitched(
    tiles: Tiles,
    *,
    title: str,
    text: str,
    level: int,
    places: Sequence[tuple[slice, slice]],
    expected: Callable[[], Pixels],
) -> Benchmark:
    reading = Reading(expected)

    def parts(array: Any) -> Work:
        return lambda: [np.asarray(array[place]) for place in places]

    def parts_of(dataset: Any) -> Work:
        return parts(dataset.as_array(stitched=True, res_level=level))

    nbytes = [
        2 * (y.stop - (y.start or 0)) * (x.stop - (x.start or 0)) for y, x in places
    ]
    return Benchmark(
        title=title,
        text=f"{tiles.text()} {text} Each is one slice of the array that our layers "
        "have, or of `as_array(stitched=True)`.",
        unit="MB/s",
        amount=sum(nbytes) / 1e6,
        frames=len(places),
        stored=0,
        cases=[
            reading.layer(_LAYER, parts, level),
            reading.dataset("napari-scope, Dataset.as_array", parts_of),
            reading.ndstorage(_PEER, parts_of),
            reading.raw_bytes(len(places), nbytes[0], level),
        ],
        around=reading.around,
        data=tiles.write,
    )
