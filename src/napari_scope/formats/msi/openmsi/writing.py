"""Spectra put into the arrays of a data set of OpenMSI, in bounded memory.

Cubes are written spectrum by spectrum, then copied into an array that is cut for
images, box by box. Spectra with m/z values of their own need the list of all m/z values
first, so they are read twice.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.blocks import CommonBlock
from napari_scope.formats.msi.openmsi.h5 import MOST_VALUES
from napari_scope.formats.msi.passes import part_of, refuse, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.formats.msi.blocks import Numbers, Values
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["image_chunks", "spectrum_chunks", "write_cube", "write_sparse"]

_CHUNK: Final = 1 << 16  # bytes of a piece of spectra
_SIDE: Final = 32  # pixels of a piece of images
_IMAGE_CHUNK: Final = 1 << 18
_MOST_BINS: Final = 1 << 14  # of a piece
_BOX: Final = 32 << 20  # bytes that are copied at a time


def spectrum_chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return pieces for reading spectra: all m/z values, few places.

    Examples
    --------
    >>> spectrum_chunks((100, 100, 8000), 4), spectrum_chunks((100, 100, 20), 4)
    ((1, 2, 8000), (1, 100, 20))
    """
    bins = max(1, min(shape[-1], _MOST_BINS))
    places = max(1, _CHUNK // (bins * itemsize))
    return (*(1,) * (len(shape) - 2), max(1, min(shape[-2], places)), bins)


def image_chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return pieces for reading images: many places, few m/z values.

    Examples
    --------
    >>> image_chunks((100, 100, 8000), 4), image_chunks((5000, 8000), 4)
    ((32, 32, 64), (1024, 64))
    """
    side = _SIDE if len(shape) > 2 else _SIDE**2
    places = [max(1, min(n, side)) for n in shape[:-1]]
    if len(places) > 2:
        places[2:] = [1] * (len(places) - 2)
    bins = max(1, _IMAGE_CHUNK // (math.prod(places) * itemsize))
    return (*places, max(1, min(shape[-1], bins)))


def write_cube(
    group: Any,
    spectra: Spectra,
    places: tuple[int, ...],
    at: Numbers,
    numbers: Numbers,
    *,
    copies: str,
    packed: dict[str, Any],
    cancelled: Cancelled,
    progress: Progress,
) -> None:
    """Write spectra over one axis.

    Parameters
    ----------
    group : h5py.Group
        Where to.
    spectra : Spectra
        The data set.
    places : tuple of int
        Shape of the array without its last axis.
    at : ndarray of int64, (numbers,)
        Place of each spectrum in the flat array; ascending.
    numbers : ndarray of int64
        The spectra.
    copies : {"both", "spectra", "images"}
        What the arrays are cut for.
    packed : dict
        Arguments of h5py's ``create_dataset``.
    cancelled, progress : callable
        See `napari_scope.formats.msi.passes`.
    """
    mz = spectra.common_mz
    assert mz is not None
    dtype = np.dtype(spectra.intensity_dtype)
    shape = (*places, len(mz))
    group.create_dataset("mz", data=mz)
    first = image_chunks if copies == "images" else spectrum_chunks
    filled = 0 not in shape
    data = group.create_dataset(
        "data_0", shape, dtype, **(packed | _cut(first, shape, dtype))
    )
    share = 0.5 if copies == "both" else 1.0
    what = "writing OpenMSI HDF5"
    blocks = watched(
        spectra.blocks(numbers) if filled else iter(()), len(numbers), what, cancelled,
        part_of(progress, 0.0, share),
    )  # fmt: skip
    done = 0
    for block in blocks:
        assert isinstance(block, CommonBlock)
        for begin, end in _runs(at[done : done + len(block)], places):
            k = done + begin
            start = tuple(int(n) for n in np.unravel_index(at[k], places))
            length = end - begin
            part = (*start[:-1], slice(start[-1], start[-1] + length))
            data[part] = block.intensities[begin:end]
        done += len(block)
    if copies == "both":
        cut = _cut(image_chunks, shape, dtype)
        second = group.create_dataset("data_1", shape, dtype, **(packed | cut))
        if filled:
            _copy(data, second, cancelled, part_of(progress, 0.5, 1.0))


def _cut(chunks: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Any]:
    return {"chunks": chunks(shape, dtype.itemsize)} if 0 not in shape else {}


def _runs(at: Numbers, places: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield where places follow one another on the last axis, up to its end.

    Examples
    --------
    >>> list(_runs(np.array([0, 1, 3, 4, 5, 6]), (2, 5)))
    [(0, 2), (2, 4), (4, 6)]
    """
    breaks = np.flatnonzero((np.diff(at) != 1) | (at[1:] % places[-1] == 0)) + 1
    edges = [0, *breaks.tolist(), len(at)]
    yield from itertools.pairwise(edges)


def _copy(source: Any, target: Any, cancelled: Cancelled, progress: Progress) -> None:
    """Copy an array box by box, each of whole pieces of the target."""
    chunks = target.chunks
    step = list(chunks)
    # As many m/z values at a time as memory allows: spectra are read whole so.
    size = math.prod(step) * source.dtype.itemsize
    step[-1] *= max(1, min(-(-source.shape[-1] // step[-1]), _BOX // size))
    counts = [-(-n // s) for n, s in zip(source.shape, step, strict=True)]
    total = math.prod(counts)
    for done, index in enumerate(np.ndindex(*counts)):
        refuse(cancelled, "writing OpenMSI HDF5")
        box = tuple(
            slice(i * s, min((i + 1) * s, n))
            for i, s, n in zip(index, step, source.shape, strict=True)
        )
        target[box] = source[box]
        progress((done + 1) / total)


def write_sparse(
    group: Any,
    spectra: Spectra,
    places: tuple[int, ...],
    at: Numbers,
    numbers: Numbers,
    *,
    packed: dict[str, Any],
    cancelled: Cancelled,
    progress: Progress,
) -> Numbers:
    """Write spectra with m/z values of their own.

    Parameters
    ----------
    group, spectra, places, at, numbers, packed, cancelled, progress
        See `write_cube`; `at` may have any order, but no place twice.

    Returns
    -------
    ndarray of int64, (numbers,)
        In which order of `numbers` the file has them for who reads it.

    Raises
    ------
    FormatError
        If there are more different m/z values than a list can have.
    """
    what = "writing OpenMSI HDF5"
    mz, count = _listed(spectra, numbers, cancelled, part_of(progress, 0.0, 0.4))
    group.create_dataset("mz", data=mz)
    data, index = (
        group.create_dataset(
            name, (count,), dtype, **(packed if count else {}),
            chunks=(max(1, min(count, _CHUNK)),) if count else None,
        )
        for name, dtype in (
            ("data_0", np.dtype(spectra.intensity_dtype)),
            ("mz_index", np.dtype("u4")),
        )
    )  # fmt: skip
    starts = np.full(math.prod(places), -1, np.int64)
    ends = starts.copy()
    done, written = 0, 0
    blocks = watched(
        spectra.blocks(numbers), len(numbers), what, cancelled,
        part_of(progress, 0.4, 1.0),
    )  # fmt: skip
    for block in blocks:
        parts = [block.spectrum(k) for k in range(len(block))]
        lengths = np.array([len(one.mz) for one in parts], np.int64)
        edges = written + np.concatenate([[0], np.cumsum(lengths)])
        where = at[done : done + len(block)]
        starts[where], ends[where] = edges[:-1], edges[1:]
        total = int(edges[-1])
        if total > written:
            data[written:total] = np.concatenate([one.intensities for one in parts])
            own = np.concatenate([one.mz for one in parts])
            index[written:total] = np.searchsorted(mz, own)
        done, written = done + len(block), total
    group.create_dataset("xyindex", data=starts.reshape(places))
    group.create_dataset("xyindexend", data=ends.reshape(places))
    # As it is read: by where they begin, among those at one place by the place.
    by_place = np.argsort(at, kind="stable")
    begin, end = starts[at[by_place]], ends[at[by_place]]
    order: Numbers = by_place[np.lexsort((end, begin))]
    return order


def _listed(
    spectra: Spectra, numbers: Numbers, cancelled: Cancelled, progress: Progress
) -> tuple[Values, int]:
    """Return all m/z values that occur, ascending, and how many values there are."""
    found = np.zeros(0, spectra.mz_dtype)
    pending: list[Values] = []
    waiting, count = 0, 0
    what = "writing OpenMSI HDF5"
    for block in watched(
        spectra.blocks(numbers), len(numbers), what, cancelled, progress
    ):
        values = np.unique(
            np.concatenate([block.spectrum(k).mz for k in range(len(block))])
        )
        count += int(block.counts().sum())
        pending.append(values)
        waiting += len(values)
        # Sorting all anew for every block would take the square of the time.
        if waiting > max(1 << 20, len(found)):
            found, pending, waiting = (
                np.unique(np.concatenate([found, *pending])),
                [],
                0,
            )
            if len(found) > MOST_VALUES:
                raise FormatError(
                    f"the spectra have more than {MOST_VALUES:,} different m/z values, "
                    "which OpenMSI keeps in one list",
                    hint="write imzML, which has the m/z values of each spectrum",
                )
    return np.unique(np.concatenate([found, *pending])), count
