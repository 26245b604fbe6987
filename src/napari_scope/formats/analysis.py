"""Lazy arrays for analysis: the same pixels as a dask array.

napari gets the lazy arrays themselves, which are quicker to slice by far. Analysis
wants arithmetic, blocks and schedulers, which dask has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from dask.array import Array

    from napari_scope.model import LevelArray

__all__ = ["to_dask"]


def to_dask(array: LevelArray) -> Array:
    """Return a dask array over a level of an image; no pixel is read.

    Parameters
    ----------
    array : LevelArray
        A level, or any slice of one.

    Returns
    -------
    dask.array.Array
        One block for each chunk that is cheap to read (a whole frame, as a rule). It
        computes on dask's threads.
    """
    import dask.array as da

    chunks = getattr(array, "chunks", None) or "auto"
    lazy = da.from_array(  # type: ignore[no-untyped-call]
        _Blocks(array), chunks=chunks, asarray=False, inline_array=True
    )
    return cast("Array", lazy)


class _Blocks:
    """What dask slices: a slice is read at once.

    dask leaves blocks that look like arrays as they are, so it would calculate with
    lazy arrays, which have no arithmetic.
    """

    def __init__(self, array: LevelArray) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = array.dtype
        self.ndim = array.ndim

    def __getitem__(self, key: object) -> npt.NDArray[np.generic]:
        # Late, so that detecting a format costs no import of numpy.
        import numpy as np

        return np.asarray(self._array[key])
