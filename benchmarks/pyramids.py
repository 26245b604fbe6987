"""Coarser levels of a stored image: ours, iohub, ome-zarr-py, and in memory."""

from __future__ import annotations

import functools
import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.goals import Target
from benchmarks.harness import Benchmark, Case
from benchmarks.recording import camera_frames

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from benchmarks.harness import Role, Work

__all__ = ["Planes", "benchmarks", "pyramid"]

_OURS, _IOHUB, _OME_ZARR = "napari-scope", "iohub", "ome-zarr-py"
_MEMORY = "numpy in memory"
_NAMES = "tczyx"

_TEXT = (
    "An image of {planes} planes of {side} x {side} uint16 pixels with the noise of a "
    "camera is stored as OME-Zarr 0.5, in chunks of {chunk} x {chunk} with Blosc (zstd "
    "1, bits shuffled). Timed is what it takes to add {more} levels of half the size "
    "each, in y and x, with the mean of pixels, read from the disk and stored with the "
    "same codec; rates count the pixels of full resolution. iohub halves the chunks of "
    "each level, too; ome-zarr-py writes its levels (without full "
    "resolution) to a group beside it. The limit computes the same levels in memory, "
    "with one thread, and stores none."
)


@dataclass(frozen=True)
class Planes:
    """The image of which levels are made.

    Parameters
    ----------
    count : int
        Number of planes: those of z, in two channels.
    side : int
        Pixels of their sides.
    chunk : int
        Pixels of the sides of a chunk.
    levels : int
        Number of levels in the end.
    """

    count: int
    side: int
    chunk: int
    levels: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return 1, 2, self.count // 2, self.side, self.side

    @property
    def nbytes(self) -> int:
        """Bytes of full resolution."""
        return 2 * self.count * self.side * self.side

    @property
    def chunks(self) -> tuple[int, ...]:
        """Length of a chunk on each axis."""
        return 1, 1, 1, self.chunk, self.chunk


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    return [pyramid(Planes(20, 2048, 1024, 5), over_peers=5)]


def pyramid(planes: Planes, *, over_peers: float = 1) -> Benchmark:
    """Return the benchmark of the levels of one image.

    Parameters
    ----------
    planes : Planes
        The image.
    over_peers : float
        Target: rate over those of the peers.
    """

    def case(name: str, role: Role, prepare: Any, **more: Any) -> Case:
        return Case(name, role, "", lambda folder: prepare(planes, folder), **more)

    return Benchmark(
        title=f"A pyramid of {planes.levels} levels",
        text=_TEXT.format(
            planes=planes.count,
            side=planes.side,
            chunk=planes.chunk,
            more=planes.levels - 1,
        ),
        unit="MB/s",
        amount=planes.nbytes / 1e6,
        frames=planes.count,
        stored=planes.nbytes // 3,
        cases=[
            case(_OURS, "ours", _ours, check=functools.partial(_check, planes)),
            case(
                _IOHUB,
                "peer",
                _iohub,
                check=functools.partial(_check, planes, off_by=planes.levels),
                needs="iohub",
            ),
            case(
                _OME_ZARR,
                "peer",
                _ome_zarr,
                check=functools.partial(
                    _check, planes, off_by=planes.levels, below="levels"
                ),
                needs="ome_zarr",
            ),
            case(_MEMORY, "limit", _in_memory),
        ],
        targets=[
            Target(_OURS, _IOHUB, over_peers),
            Target(_OURS, _OME_ZARR, over_peers),
        ],
    )


def _ours(planes: Planes, folder: Path) -> Work:
    from napari_scope.formats.ngff.pyramid.build import build_pyramid

    _store(planes, folder)
    return lambda: build_pyramid(folder / "image", levels=planes.levels)


def _iohub(planes: Planes, folder: Path) -> Work:
    from iohub.ngff import open_ome_zarr

    _store(planes, folder)
    position = open_ome_zarr(
        folder / "image", mode="r+", disable_path_checking=True, version="0.5"
    )
    return lambda: position.compute_pyramid(levels=planes.levels, dims={"y", "x"})


def _ome_zarr(planes: Planes, folder: Path) -> Work:
    import dask.array as da
    from ome_zarr.classes import OMEZarrImage, OMEZarrMultiscale
    from ome_zarr.scale import Methods
    from ome_zarr.writer import write_multiscale

    _store(planes, folder)

    def work() -> None:
        image = OMEZarrImage(
            data=da.from_zarr(str(folder / "image" / "0")),
            axes=list(_NAMES),
            scale=dict.fromkeys(_NAMES, 1.0),
            name="image",
        )
        factors = [{"y": 2**n, "x": 2**n} for n in range(1, planes.levels)]
        whole = OMEZarrMultiscale(
            image=image, scale_factors=factors, method=Methods.LOCAL_MEAN
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write_multiscale(
                [level.data for level in whole.images[1:]],
                str(folder / "levels"),
                axes=list(_NAMES),
                storage_options={"chunks": planes.chunks, "compressors": _codec()},
            )

    return work


def _in_memory(planes: Planes, folder: Path) -> Work:
    from napari_scope.arrays import halve

    frames = list(_pixels(planes).reshape(-1, planes.side, planes.side))

    def work() -> list[npt.NDArray[Any]]:
        levels = []
        for frame in frames:
            for _ in range(planes.levels - 1):
                frame = halve(frame)
                levels.append(frame)
        return levels

    return work


def _codec() -> Any:
    from zarr.codecs import BloscCodec

    return BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")


def _store(planes: Planes, folder: Path) -> None:
    """Store full resolution, by zarr-python."""
    import zarr

    group = zarr.create_group(str(folder / "image"), zarr_format=3)
    array = group.create_array(
        "0",
        shape=planes.shape,
        chunks=planes.chunks,
        dtype="uint16",
        compressors=_codec(),
        dimension_names=list(_NAMES),
    )
    array[...] = _pixels(planes)
    kinds = {"t": "time", "c": "channel"}
    multiscale = {
        "name": "image",
        "axes": [{"name": n, "type": kinds.get(n, "space")} for n in _NAMES],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [{"type": "scale", "scale": [1.0] * 5}],
            }
        ],
    }
    channels = [
        {
            "label": name,
            "color": "FFFFFF",
            "active": True,
            "window": {"min": 0, "max": 65535, "start": 0, "end": 65535},
        }
        for name in ("one", "two")
    ]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [multiscale],
        "omero": {"channels": channels, "rdefs": {"defaultT": 0, "defaultZ": 0}},
    }


@functools.lru_cache(maxsize=1)
def _pixels(planes: Planes) -> npt.NDArray[np.uint16]:
    frames = camera_frames(planes.count, planes.side)
    return np.stack(frames).reshape(planes.shape)


def _check(
    planes: Planes, folder: Path, *, off_by: int = 0, below: str = "image"
) -> None:
    """Raise unless the coarsest level is there and right."""
    import zarr

    frame = _pixels(planes)[0, 0, 0]
    for _ in range(planes.levels - 1):
        height, width = frame.shape
        blocks = frame.reshape(height // 2, 2, width // 2, 2).astype(np.uint32)
        frame = ((blocks.sum(axis=(1, 3)) + 2) >> 2).astype(np.uint16)
    group = folder / below
    document = json.loads((group / "zarr.json").read_text())
    datasets = document["attributes"]["ome"]["multiscales"][0]["datasets"]
    count = planes.levels if below == "image" else planes.levels - 1
    assert len(datasets) == count, f"{len(datasets)} levels"
    found = zarr.open_array(str(group / datasets[-1]["path"]), mode="r")[0, 0, 0]
    assert found.shape == frame.shape, f"{found.shape}, not {frame.shape}"
    far = int(abs(found.astype(int) - frame).max())
    assert far <= off_by, f"pixels are wrong by up to {far}"
