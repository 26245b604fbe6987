"""Plates of OME-Zarr in napari: the call of the reader, and to the first frame.

The first frame is what napari reads to show the whole plate in a canvas of 1600 x 1000
pixels: the coarsest level of each layer, for the thumbnail, and the level that fills
the canvas. That is measured in a viewer without a window, so that drawing, which is the
same for all, is not in it.
"""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.goals import Target, TimeTarget
from benchmarks.harness import Benchmark, Case
from benchmarks.plate_data import PLATE, PlateData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari.components import ViewerModel

    from benchmarks.harness import Work

__all__ = ["benchmarks", "first_frame", "reader_call"]

_OURS, _PEER = "napari-scope", "napari-ome-zarr"
_CANVAS = (1000, 1600)

Layers = list[tuple[Any, dict[str, Any], str]]


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    return [
        reader_call(PlateData(8, 12, 4)),
        reader_call(PlateData(16, 24, 4)),
        first_frame(PlateData(8, 12, 4)),
        first_frame(PlateData(16, 24, 4)),
        first_frame(PlateData(8, 12, 1)),
        first_frame(PlateData(16, 24, 1)),
    ]


def reader_call(plate: PlateData) -> Benchmark:
    """Return the benchmark of the call that napari makes to open a plate."""
    return Benchmark(
        title=f"The reader of napari, {plate.wells} wells x {plate.fields} fields",
        text=f"{plate.text()} The call of the reader, which returns the layers. The "
        "limit follows the metadata to the shape of every field with open and json.",
        unit="plates/s",
        amount=1,
        frames=1,
        stored=0,
        cases=[
            Case(_OURS, "ours", "", lambda folder: lambda: _ours(folder)),
            Case(
                f"{_PEER}, 1 field of each well",
                "peer",
                "",
                lambda folder: lambda: _peer(folder),
                needs="napari_ome_zarr",
            ),
            Case("all metadata with json", "limit", "", _walk),
        ],
        targets=[
            TimeTarget(_OURS, 100),
            Target(_OURS, f"{_PEER}, 1 field of each well", 20),
        ],
        data=plate.write,
    )


def first_frame(plate: PlateData) -> Benchmark:
    """Return the benchmark from the path to the first frame."""
    equal = plate.fields == 1
    peer = _PEER if equal else f"{_PEER}, 1 field of each well"
    ours = _OURS if equal else f"{_OURS}, all fields"
    return Benchmark(
        title=f"A plate to its first frame, {plate.wells} wells x {plate.fields}",
        text=f"{plate.text()} The call of the reader, and what napari reads to show "
        "all of it. The limit is the same with arrays in memory that have the shapes "
        "of our layers, so it is what napari takes.",
        unit="plates/s",
        amount=1,
        frames=1,
        stored=0,
        cases=[
            Case(
                ours,
                "ours",
                "",
                lambda folder: lambda: _shown(_ours(folder)),
                verify=lambda viewer: _check(viewer, plate),
            ),
            Case(
                peer,
                "peer",
                "",
                lambda folder: lambda: _shown(_peer(folder)),
                needs="napari_ome_zarr",
            ),
            Case("arrays in memory", "limit", "", _in_memory),
        ],
        targets=[Target(ours, peer, 2.5 if equal else 1)],
        data=plate.write,
    )


def _ours(folder: Path) -> Layers:
    from napari_scope._reader import napari_get_reader

    return _read(napari_get_reader, folder)


def _peer(folder: Path) -> Layers:
    from napari_ome_zarr._reader import napari_get_reader

    # It prints the metadata of the plate.
    with redirect_stdout(StringIO()):
        return _read(napari_get_reader, folder)


def _read(get_reader: Callable[[Any], Any], folder: Path) -> Layers:
    path = str(folder / PLATE)
    reader = get_reader(path)
    if reader is None:
        raise ValueError(f"{path} was refused")
    layers: Layers = list(reader(path))
    return layers


def _shown(layers: Sequence[tuple[Any, dict[str, Any], str]]) -> ViewerModel:
    """Read what the first frame needs, as the canvas of napari asks for it."""
    from napari.components import ViewerModel

    viewer = ViewerModel()
    for data, arguments, kind in layers:
        viewer._add_layer_from_data(data, dict(arguments), kind)
    for layer in viewer.layers:
        if getattr(layer, "multiscale", False) and layer.visible:
            corners = np.array(layer.extent.world)[:, -2:]
            height, width = corners[1] - corners[0]
            factor = max(height / _CANVAS[0], width / _CANVAS[1])
            layer._update_draw(
                scale_factor=factor,
                corner_pixels_displayed=corners,
                shape_threshold=_CANVAS,
            )
    return viewer


def _in_memory(folder: Path) -> Work:
    layers = [
        ([np.zeros(level.shape, level.dtype) for level in data[-3:]], arguments, kind)
        for data, arguments, kind in _ours(folder)
        if kind == "image"
    ]
    return lambda: _shown(layers)


def _walk(folder: Path) -> Work:
    root = folder / PLATE

    def attributes(place: Path) -> Any:
        return json.loads((place / "zarr.json").read_bytes())["attributes"]["ome"]

    def walk() -> list[Any]:
        shapes = []
        for well in attributes(root)["plate"]["wells"]:
            for image in attributes(root / well["path"])["well"]["images"]:
                field = root / well["path"] / image["path"]
                (first, *_) = attributes(field)["multiscales"][0]["datasets"]
                array = (field / first["path"] / "zarr.json").read_bytes()
                shapes.append(json.loads(array)["shape"])
        return shapes

    return walk


def _check(viewer: Any, plate: PlateData) -> None:
    """Compare the finest level with what is stored."""
    for layer in viewer.layers:
        if not getattr(layer, "multiscale", False):
            continue
        channel = ("DAPI", "GFP", "RFP").index(layer.name)
        side = plate.side
        found = np.asarray(layer.data[0][..., :side, :side]).reshape(side, side)
        if not np.array_equal(found, plate.field(0)[channel]):
            raise ValueError(f"{layer.name} does not show the first field")
