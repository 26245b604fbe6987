"""New arrays of an image: their chunks, shards and codecs, and pixels put into them."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_scope.errors import OutputExistsError
from napari_scope.formats.ngff.nodes.failures import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import zarr

    from napari_scope.formats.ngff.nodes.hierarchy import Place

__all__ = ["blocks", "create_array", "default_chunks", "fill"]

_BLOCK_BYTES = 64 * 2**20


def default_chunks(shape: Sequence[int], last: int = 3) -> tuple[int, ...]:
    """Return chunks that hold the last axes whole and one sample of the others.

    >>> default_chunks((5, 2, 10, 64, 64))
    (1, 1, 10, 64, 64)
    """
    whole = min(last, len(shape))
    return (1,) * (len(shape) - whole) + tuple(
        max(1, int(n)) for n in shape[len(shape) - whole :]
    )


def create_array(
    place: Place,
    *,
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    chunks: Sequence[int] | None,
    shards_ratio: Sequence[int] | None,
    names: Sequence[str] | None,
    zarr_format: Literal[2, 3],
    overwrite: bool,
) -> zarr.Array[Any]:
    """Create an array of zeros, compressed with blosc-zstd and bit shuffle.

    Parameters
    ----------
    place : Place
        Where.
    shape, chunks : sequence of int
        Sizes in pixels; chunks default to whole stacks of z, y and x.
    dtype : DTypeLike
        Type of the pixels.
    shards_ratio : sequence of int, optional
        Chunks of a shard along each axis (Zarr 3 only).
    names : sequence of str, optional
        Names of the axes, which Zarr 3 keeps.
    zarr_format : 2 or 3
        Version of Zarr.
    overwrite : bool
        Whether an array that exists is replaced.

    Raises
    ------
    ArgumentError
        If sizes contradict each other.
    OutputExistsError
        If there is a node of that name.
    """
    import zarr
    from zarr.codecs import BloscCodec, BloscShuffle
    from zarr.storage import LocalStore

    tree, path = place
    tree.check_writable()
    shape = _sizes(shape, "shape", len(shape), least=0)
    kind = np.dtype(dtype)
    if kind.kind not in "biufc":
        raise ArgumentError(f"pixels of type {kind} cannot be stored")
    chunks = (
        default_chunks(shape)
        if not chunks
        else _sizes(chunks, "chunks", len(shape), least=1)
    )
    shards = None
    if shards_ratio:
        if zarr_format == 2:
            raise ArgumentError(
                "OME-Zarr 0.4 has no shards", hint="make the store with version='0.5'"
            )
        ratio = _sizes(shards_ratio, "shards_ratio", len(shape), least=1)
        shards = tuple(c * r for c, r in zip(chunks, ratio, strict=True))
    if tree.has(path):
        if not overwrite:
            raise OutputExistsError("there is an array already", path=tree.folder(path))
        tree.remove(path)
    options: dict[str, Any]
    if zarr_format == 3:
        codec = BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.bitshuffle)
        options = {"dimension_names": list(names) if names else None, "shards": shards}
    else:
        from numcodecs import Blosc

        codec = Blosc(cname="zstd", clevel=1, shuffle=Blosc.BITSHUFFLE)
        options = {}
    return zarr.create_array(
        LocalStore(tree.root),
        name=path,
        shape=shape,
        dtype=kind,
        chunks=chunks,
        compressors=codec,
        fill_value=0,
        zarr_format=zarr_format,
        chunk_key_encoding={
            "name": "default" if zarr_format == 3 else "v2",
            "separator": "/",
        },
        **options,
    )


def _sizes(values: Sequence[int], what: str, ndim: int, least: int) -> tuple[int, ...]:
    try:
        sizes = tuple(int(value) for value in values)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{what} of {str(values)[:60]}") from error
    if (
        len(sizes) != ndim
        or min(sizes, default=0) < least
        or max(sizes, default=0) >= 2**63
    ):
        raise ArgumentError(
            f"{what} of {sizes} for {ndim} axes",
            hint=f"one number from {least} on each",
        )
    return sizes


def fill(array: zarr.Array[Any], data: Any) -> None:
    """Write pixels, in memory or lazy (dask, Zarr, ours), into the whole of an array.

    Lazy ones are read block by block, in shards or chunks of the array.
    """
    if isinstance(data, np.ndarray):
        array[...] = data
        return
    for block in blocks(
        array.shape, array.shards or array.chunks, array.dtype.itemsize
    ):
        array[block] = np.asarray(data[block])


def blocks(
    shape: Sequence[int], unit: Sequence[int], itemsize: int
) -> Iterator[tuple[slice, ...]]:
    """Cut an array into blocks of whole units, of about 64 MiB where units allow it."""
    steps = list(unit)
    for axis in reversed(range(len(shape))):
        room = _BLOCK_BYTES // max(1, math.prod(steps) * itemsize)
        wanted = -(-max(1, shape[axis]) // steps[axis])
        steps[axis] *= max(1, min(wanted, room))
    ranges = [range(0, n, step) for n, step in zip(shape, steps, strict=True)]
    for starts in itertools.product(*ranges):
        yield tuple(
            slice(start, min(start + step, n))
            for start, step, n in zip(starts, steps, shape, strict=True)
        )
