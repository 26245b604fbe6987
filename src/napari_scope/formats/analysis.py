"""Lazy arrays for analysis: the same pixels as a dask array.

napari gets the lazy arrays themselves, which are quicker to slice by far. Analysis
wants arithmetic, blocks and schedulers, which dask has. Its cost is a task for each
block, 0.1 to 1 ms, so small frames are put together to blocks. A slice that keeps few
frames of a block still reads just those, because dask hands it down to the reader. It
does so for one step of indexing by integers and forward slices: ``a[5, 0, 3]`` reads a
frame, ``a[5][0][3]`` and ``a[::-1]`` read whole blocks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    from dask.array import Array

    from napari_scope.model import LevelArray

__all__ = ["BLOCK_BYTES", "to_dask"]

BLOCK_BYTES = 4 * 2**20
"""Small chunks are grouped to blocks of up to this size.

It is read in about a millisecond: a task takes longer than dask needs to schedule it,
and a block that was read for one frame of it costs little.
"""


def to_dask(
    array: LevelArray,
    *,
    chunks: str | Sequence[int] | None = "auto",
    name: str | None = None,
) -> Array:
    """Return a dask array over a level of an image; no pixel is read.

    Parameters
    ----------
    array : LevelArray
        A level, or any slice of one. Its shape is taken as it is now.
    chunks : "auto", "frame", None or sequence of int
        "auto" groups chunks that are cheap to read (whole frames, as a rule) along the
        last axes first, to blocks of up to `BLOCK_BYTES`. "frame" or None gives a block
        for each of them. A sequence is the length of a block along each axis.
    name : str, optional
        What the pixels are, for instance path and time stamp of a store with the number
        of the image and its level. The same name, for the same slice, gives the same
        names of tasks in every process, so that a scheduler knows its results again.
        Two arrays may share a name only if their pixels are the same. Without it each
        array gets names of its own.

    Returns
    -------
    dask.array.Array
        It computes on threads, in processes and on a distributed scheduler (these two
        if the array pickles).

    Raises
    ------
    ValueError
        ``chunks`` is another word, or does not fit the number of axes.
    """
    import dask.array as da
    import numpy as np
    from dask.base import tokenize

    shape, dtype = array.shape, array.dtype
    if isinstance(chunks, str) and chunks not in ("auto", "frame"):
        raise ValueError(f'chunks must be "auto", "frame" or lengths, not {chunks!r}')
    cheap: Sequence[int] | None = getattr(array, "chunks", None)
    blocks: str | tuple[int, ...]
    if chunks is not None and not isinstance(chunks, str):
        blocks = tuple(chunks)
    elif cheap is None:
        blocks = "auto"
    elif chunks == "auto":
        blocks = _grouped(shape, cheap, dtype.itemsize)
    else:
        blocks = tuple(cheap)
    borders = da.core.normalize_chunks(  # type: ignore[no-untyped-call]
        blocks, shape, dtype=dtype
    )
    label: str | bool = False
    if name is not None:
        # What is seen of the whole tells slices of one level apart.
        seen = getattr(array, "selection", None)
        label = f"{name}-{tokenize(name, shape, dtype.str, borders, seen)}"
    lazy = da.from_array(  # type: ignore[no-untyped-call]
        _BlockReader(array, shape),
        chunks=borders,
        name=label,
        # Two settings that let dask hand slices down: its own getter, for all indices.
        getitem=None,
        fancy=True,
        asarray=False,
        inline_array=True,
        meta=np.empty((0,) * len(shape), dtype),
    )
    return cast("Array", lazy)


def _grouped(
    shape: Sequence[int], chunks: Sequence[int], itemsize: int
) -> tuple[int, ...]:
    """Return the lengths of blocks that hold several chunks, last axes filled first.

    Examples
    --------
    >>> _grouped((100, 4, 50, 16, 16), (1, 1, 1, 16, 16), 2)
    (34, 4, 50, 16, 16)
    >>> _grouped((100, 4, 50, 512, 512), (1, 1, 1, 512, 512), 2)
    (1, 1, 8, 512, 512)
    """
    blocks = list(chunks)
    for axis in reversed(range(len(blocks))):
        pieces = math.ceil(shape[axis] / chunks[axis])
        if pieces > 1:
            room = max(1, BLOCK_BYTES // (math.prod(blocks) * itemsize))
            # Blocks of even size: 50 planes by at most 40 are 25 and 25.
            count = math.ceil(pieces / math.ceil(pieces / room))
            blocks[axis] = min(shape[axis], count * chunks[axis])
    return tuple(blocks)


class _BlockReader:
    """What dask slices: a slice is read at once.

    dask leaves blocks that look like arrays as they are, so it would calculate with
    lazy arrays, which have no arithmetic. It pickles as the array does.
    """

    def __init__(self, array: LevelArray, shape: tuple[int, ...]) -> None:
        self._array = array
        # The array may grow; what dask knows stays as it is.
        self.shape = shape
        self.dtype = array.dtype
        self.ndim = len(shape)

    def __getitem__(self, key: object) -> npt.NDArray[np.generic]:
        # Late, so that detecting a format costs no import of numpy.
        import numpy as np

        return np.asarray(self._array[key])
