"""Lazy arrays for analysis: the same pixels as a dask array.

napari gets the lazy arrays themselves, which are quicker to slice by far. Analysis
wants arithmetic, blocks and schedulers, which dask has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
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
        One block for each chunk that is cheap to read (a whole frame, as a rule).
    """
    import dask.array as da

    chunks = getattr(array, "chunks", None) or "auto"
    lazy = da.from_array(  # type: ignore[no-untyped-call]
        array, chunks=chunks, asarray=True, inline_array=True
    )
    return cast("Array", lazy)
