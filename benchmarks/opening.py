"""Opening an OME-Zarr image: the reader's call, the first frame, slider steps."""

from __future__ import annotations

import contextlib
import io
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.goals import Target, TimeTarget
from benchmarks.harness import Benchmark, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari.components import ViewerModel

    from benchmarks.harness import Role, Work

__all__ = ["Stored", "benchmarks", "first_frame", "reader_call", "slider"]

_OURS, _PEER, _LIBRARY = "napari-scope", "napari-ome-zarr", "ome-zarr-py"
_JSON, _MEMORY = "plain JSON", "arrays in memory"


@dataclass(frozen=True)
class Stored:
    """An image in a store of version 0.5.

    Parameters
    ----------
    shape : (int, int, int, int, int)
        Number of t, c, z, y, x.
    levels : int
        Number of levels, each half as high and wide as the one before.
    chunk : int
        Height and width of chunks, each of one plane.
    shard : (int, int), optional
        Number of t and z whose planes share a file.
    """

    shape: tuple[int, int, int, int, int]
    levels: int
    chunk: int
    shard: tuple[int, int] | None = None

    def text(self) -> str:
        """Return what it is."""
        size = " x ".join(f"{n:,}" for n in self.shape)
        together = ""
        if self.shard is not None:
            together = f"; {self.shard[0] * self.shard[1]:,} in a file"
        return (
            f"An OME-Zarr 0.5 image of {size} (t, c, z, y, x), uint16, {self.levels} "
            f"levels, chunks of one plane of at most {self.chunk} x {self.chunk}"
            f"{together}."
        )

    def pixels(self, level: int = 0) -> Any:
        """Return the pixels of a level; each plane has its own number."""
        *lead, height, width = self.shape
        numbers = np.arange(np.prod(lead), dtype=np.uint16).reshape(*lead, 1, 1)
        shape = (*lead, height >> level, width >> level)
        return np.broadcast_to(numbers, shape)

    def write(self, folder: Path) -> None:
        """Fill a folder with the store."""
        import tensorstore

        path = folder / "image.ome.zarr"
        path.mkdir()
        for level in range(self.levels):
            data = self.pixels(level)
            inner = [1, 1, 1, *(min(self.chunk, n) for n in data.shape[3:])]
            codecs: list[Any] = [
                {"name": "bytes", "configuration": {"endian": "little"}}
            ]
            codecs.append({"name": "zstd", "configuration": {"level": 1}})
            outer = inner
            if self.shard is not None:
                outer = [self.shard[0], 1, self.shard[1], *data.shape[3:]]
                sharding = {"chunk_shape": inner, "codecs": codecs}
                codecs = [{"name": "sharding_indexed", "configuration": sharding}]
            array = tensorstore.open(
                {
                    "driver": "zarr3",
                    "kvstore": {"driver": "file", "path": f"{path / str(level)}/"},
                    "metadata": {
                        "shape": data.shape,
                        "data_type": "uint16",
                        "chunk_grid": {
                            "name": "regular",
                            "configuration": {"chunk_shape": outer},
                        },
                        "codecs": codecs,
                        "dimension_names": list("tczyx"),
                    },
                },
                create=True,
            ).result()
            # A part at a time: the whole may be larger than the memory.
            step = self.shard[0] if self.shard else 1
            for start in range(0, data.shape[0], step):
                array[start : start + step].write(data[start : start + step]).result()
        (path / "zarr.json").write_text(json.dumps(self._document()))

    def _document(self) -> dict[str, Any]:
        kinds = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
        window = {"start": 0, "end": 100, "min": 0, "max": 65535}
        block = {
            "version": "0.5",
            "multiscales": [
                {
                    "name": "image",
                    "axes": [{"name": n, "type": kind} for n, kind in kinds.items()],
                    "datasets": [
                        {
                            "path": str(level),
                            "coordinateTransformations": [
                                {
                                    "type": "scale",
                                    "scale": [1, 1, 1, 2**level, 2**level],
                                }
                            ],
                        }
                        for level in range(self.levels)
                    ],
                }
            ],
            "omero": {
                "channels": [
                    {"label": f"C{c}", "color": "FFFFFF", "window": window,
                     "active": True}
                    for c in range(self.shape[1])
                ]
            },
        }  # fmt: skip
        return {"zarr_format": 3, "node_type": "group", "attributes": {"ome": block}}


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    image = Stored((2, 3, 4, 2048, 2048), 3, 1024)
    return [
        reader_call(image),
        first_frame(image),
        slider(Stored((2000, 1, 50, 32, 32), 1, 32, shard=(200, 50)), 50),
    ]


def reader_call(stored: Stored) -> Benchmark:
    """Return the benchmark of what happens until napari has layers to add."""

    def count(layers: Any) -> None:
        if sum(_n_layers(layer) for layer in layers) != stored.shape[1]:
            raise ValueError(f"{len(layers)} layers")

    return Benchmark(
        title="Call the reader for an OME-Zarr image",
        text=f"{stored.text()} From the path to descriptions of layers; no pixel is "
        "read. The limit is to read and parse the same JSON documents.",
        unit="calls/s",
        amount=1,
        frames=1,
        stored=0,
        cases=[
            Case(_OURS, "ours", "", _call(_our_layers), verify=count),
            Case(_PEER, "peer", "", _call(_peer_layers), verify=count,
                 needs="napari_ome_zarr"),
            Case(_LIBRARY, "peer", "", _call(_library_nodes), needs="ome_zarr"),
            Case(_JSON, "limit", "", _call(_documents)),
        ],
        targets=[Target(_OURS, _PEER, 5)],
        data=stored.write,
    )  # fmt: skip


def first_frame(stored: Stored) -> Benchmark:
    """Return the benchmark of opening until all channels show a plane."""

    def check(viewer: Any) -> None:
        shown = [np.unique(layer._data_view).tolist() for layer in viewer.layers]
        z = viewer.dims.current_step[1]
        expected = [[int(stored.pixels()[0, c, z, 0, 0])] for c in range(len(shown))]
        if shown != expected or len(shown) != stored.shape[1]:
            raise ValueError(f"{shown} is shown, {expected} was expected")

    return Benchmark(
        title="First frame of an OME-Zarr image",
        text=f"{stored.text()} The reader's call, adding the layers to napari without "
        "a window, and reading what it shows first. The limit is napari with the same "
        "levels in memory.",
        unit="images/s",
        amount=1,
        frames=1,
        stored=0,
        cases=[
            Case(_OURS, "ours", "", _call(lambda p: _shown(_our_layers(p))),
                 verify=check),
            Case(_PEER, "peer", "", _call(lambda p: _shown(_peer_layers(p))),
                 verify=check, needs="napari_ome_zarr"),
            Case(_MEMORY, "limit", "", lambda _: _memory(stored), verify=check),
        ],
        targets=[Target(_OURS, _PEER, 1.4)],
        data=stored.write,
    )  # fmt: skip


def slider(stored: Stored, n: int) -> Benchmark:
    """Return the benchmark of n steps of the sliders of napari."""
    planes = stored.shape[0] * stored.shape[2]

    def case(name: str, role: Role, layers: Callable[[Path], Any], **more: Any) -> Case:
        return Case(
            name,
            role,
            "",
            lambda folder: _steps(_shown(layers(folder / "image.ome.zarr")), n),
            verify=lambda viewer: _check_shown(viewer, stored),
            **more,
        )

    return Benchmark(
        title=f"A step of a slider over {planes:,} planes of OME-Zarr",
        text=f"{stored.text()} {n} steps of the sliders t and z, here and there, of "
        "napari without a window: its own work for one layer, and reading the plane. "
        "The limit is the same with an array in memory, so it is what napari takes.",
        unit="steps/s",
        amount=n,
        frames=n,
        stored=0,
        cases=[
            case(_OURS, "ours", _our_layers),
            case(_PEER, "peer", _peer_layers, needs="napari_ome_zarr"),
            case(_MEMORY, "limit", lambda _: _memory_layers(stored)),
        ],
        targets=[TimeTarget(_OURS, 5)],
        data=stored.write,
    )


def _call(function: Callable[[Path], object]) -> Callable[[Path], Work]:
    return lambda folder: lambda: function(folder / "image.ome.zarr")


def _our_layers(path: Path) -> Any:
    from napari_scope._reader import napari_get_reader

    reader = napari_get_reader(str(path))
    assert reader is not None
    return reader(str(path))


def _peer_layers(path: Path) -> Any:
    from napari_ome_zarr import napari_get_reader

    # It prints the metadata.
    with contextlib.redirect_stdout(io.StringIO()):
        return napari_get_reader(str(path))(str(path))


def _library_nodes(path: Path) -> Any:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    return list(Reader(parse_url(str(path)))())


def _documents(path: Path) -> Any:
    root = json.loads((path / "zarr.json").read_bytes())
    (image,) = root["attributes"]["ome"]["multiscales"]
    levels = [entry["path"] for entry in image["datasets"]]
    return [json.loads((path / one / "zarr.json").read_bytes()) for one in levels]


def _memory_layers(stored: Stored) -> Any:
    levels = [np.array(stored.pixels(level)) for level in range(stored.levels)]
    several = len(levels) > 1
    return [
        (
            [level[:, c] for level in levels] if several else levels[0][:, c],
            {"multiscale": several, "contrast_limits": (0, 100)},
            "image",
        )
        for c in range(stored.shape[1])
    ]


def _memory(stored: Stored) -> Work:
    layers = _memory_layers(stored)
    return lambda: _shown(layers)


def _n_layers(layer: Sequence[Any]) -> int:
    """Return what napari makes of one entry: one layer for each of its channels."""
    data, arguments = layer[0], layer[1]
    axis = arguments.get("channel_axis")
    if axis is None:
        return 1
    shape: Sequence[int] = (data[0] if isinstance(data, list) else data).shape
    return shape[axis]


def _shown(layers: Any) -> ViewerModel:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    for data, arguments, *_ in layers:
        viewer.add_image(data, **arguments)
    for layer in viewer.layers:
        np.asarray(layer._data_view)
    return viewer


def _steps(viewer: ViewerModel, n: int) -> Work:
    # Each run goes on to other planes: napari keeps parts of dask arrays.
    choose = random.Random(0)

    def work() -> ViewerModel:
        for _ in range(n):
            axis = choose.choice((0, 1))
            viewer.dims.set_current_step(
                axis, choose.randrange(viewer.dims.nsteps[axis])
            )
        return viewer

    return work


def _check_shown(viewer: Any, stored: Stored) -> None:
    """Compare what the layer shows with what is stored."""
    t, z = viewer.dims.current_step[:2]
    expected = stored.pixels()[t, 0, z]
    (layer,) = viewer.layers
    if not np.array_equal(layer._data_view, expected):
        raise ValueError(f"another plane than {t}, {z} is shown")
