"""Converting NDTiff to OME-Zarr: ours, ndstorage with Zarr libraries, and a copy."""

from __future__ import annotations

import contextlib
import functools
import io
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.goals import Target
from benchmarks.harness import Benchmark, Case
from benchmarks.ndtiff_store import metadata
from benchmarks.recording import camera_frames
from benchmarks.writers import KILL

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.harness import Work
    from benchmarks.recording import Frames

__all__ = ["benchmarks", "converting"]

_OURS, _CHECKED = "napari-scope, convert", "napari-scope, convert and compare"
_DASK = "ndstorage as dask, ome-zarr-py"
_LOOP = "ndstorage frame by frame, zarr-python"
_COPY = "copy of the files"

_TEXT = (
    "A data set of {n} frames of {size} x {size} uint16 pixels, each with metadata, "
    "becomes an OME-Zarr image: uncompressed, a chunk for each frame, full resolution "
    "only. Ours keeps the metadata of each frame and a checksum in its journal; the "
    "others do not. The limit is a copy of the source with all its files."
)


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    return [converting(2048, 32, over_copy=0.5), converting(512, 300)]


def converting(size: int, n: int, *, over_copy: float | None = None) -> Benchmark:
    """Return the benchmark for one size of frames.

    Parameters
    ----------
    size : int
        Height and width in pixels.
    n : int
        Number of frames.
    over_copy : float, optional
        What is aimed at: rate over that of a copy.
    """
    frames = functools.cache(lambda: camera_frames(n, size))

    def case(name: str, role: str, make: object, needs: str | None = None) -> Case:
        return Case(
            name,
            role,  # type: ignore[arg-type]
            KILL,
            lambda folder: make(_source(folder, frames()), folder),  # type: ignore[operator]
            None if role == "limit" else lambda folder: _check(folder, frames()),
            needs=needs,
        )

    targets = [Target(_OURS, _DASK, 1), Target(_OURS, _LOOP, 1)]
    if over_copy is not None:
        targets.append(Target(_OURS, _COPY, over_copy))
    return Benchmark(
        title=f"Convert {size} x {size} from NDTiff to OME-Zarr",
        text=_TEXT.format(n=n, size=size),
        unit="MB/s",
        amount=n * size * size * 2 / 1e6,
        frames=n,
        stored=n * size * size * 2,
        cases=[
            case(_OURS, "ours", functools.partial(_convert, verify=False)),
            case(_CHECKED, "ours", functools.partial(_convert, verify=True)),
            case(_DASK, "peer", _by_dask, "ome_zarr"),
            case(_LOOP, "peer", _by_loop),
            case(_COPY, "limit", _copy),
        ],
        targets=targets,
    )


def _source(folder: Path, frames: Frames) -> Path:
    """Return the data set, which is written once for all cases of a benchmark."""
    from napari_scope.formats.ndtiff import NDTiffWriter

    path = folder.parent / f"source_{len(frames)}"
    if not path.exists():
        with NDTiffWriter(path, summary={"PixelType": "GRAY16"}) as writer:
            for time, frame in enumerate(frames):
                axes: dict[str, int | str] = {"time": time}
                writer.put(axes, frame, metadata(axes))
    return path


def _convert(source: Path, folder: Path, *, verify: bool) -> Work:
    from napari_scope.stream.convert import convert

    return lambda: convert(source, folder / "a.ome.zarr", levels=1, verify=verify)


def _by_dask(source: Path, folder: Path) -> Work:
    from ome_zarr.writer import write_image

    def work() -> None:
        dataset = _opened(source)
        image = dataset.as_array()
        options = {"chunks": (1, *image.shape[1:]), "compressors": None}
        write_image(
            image,
            str(folder / "a.ome.zarr"),
            scale_factors=(),
            axes="tyx",
            storage_options=options,
        )
        dataset.close()

    return work


def _by_loop(source: Path, folder: Path) -> Work:
    import zarr

    def work() -> None:
        dataset = _opened(source)
        count = len(dataset.axes["time"])
        first = dataset.read_image(time=0)
        group = zarr.open_group(str(folder / "a.ome.zarr"), mode="w")
        array = group.create_array(
            "0",
            shape=(count, *first.shape),
            chunks=(1, *first.shape),
            dtype=first.dtype,
            compressors=None,
        )
        for time in range(count):
            array[time] = dataset.read_image(time=time)
        dataset.close()

    return work


def _opened(source: Path) -> Any:
    """Return a data set of ndstorage, which prints how far it is."""
    from ndstorage import Dataset

    with contextlib.redirect_stdout(io.StringIO()):
        return Dataset(str(source))


def _copy(source: Path, folder: Path) -> Work:
    return lambda: shutil.copytree(source, folder / "copy")


def _check(folder: Path, frames: Frames) -> None:
    import zarr

    group = zarr.open_group(str(folder / "a.ome.zarr"), mode="r")
    level = "0" if "0" in group else "s0"
    pixels: Any = group[level]
    for time, frame in enumerate(frames):
        if not np.array_equal(pixels[time], frame):
            raise ValueError(f"frame {time} of {folder} is not that of the source")
