"""A dask array whose `compute` reads all pixels straight into the result.

dask computes blocks and puts them together to the result afterwards: every pixel is
written twice, and blocks and result are in memory at the same time. Where all that is
asked for is the pixels as they are stored, in this process, they can be read in place.
Anything else (a slice, a sum, other schedulers, a progress bar) is computed by dask as
ever, block by block.

This module imports dask; it is imported where an array is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from dask.array import Array
from dask.base import get_scheduler
from dask.callbacks import Callback

if TYPE_CHECKING:
    from napari_scope.arrays import LazyArray

__all__ = ["WholeArray"]


class WholeArray(Array):
    """The array of dask over a lazy array; what is made from it is a plain one.

    It pickles as a plain one, too.
    """

    _pixels: LazyArray
    _read_as: str

    @classmethod
    def over(cls, blocks: Array, pixels: LazyArray) -> WholeArray:
        """Return an array of dask that can be read as a whole.

        Parameters
        ----------
        blocks : Array
            The array, as `to_dask` made it.
        pixels : LazyArray
            What it was made of.
        """
        array: WholeArray = cls(
            blocks.dask, blocks.name, blocks.chunks, meta=blocks._meta
        )
        array._pixels = pixels
        # `array[...] = 0` turns this very object into another array, of another name.
        array._read_as = blocks.name
        return array

    def compute(self, **kwargs: object) -> object:
        """Return the pixels; the arguments are those of dask."""
        if kwargs or self.name != self._read_as or not self._is_default():
            return super().compute(**kwargs)  # type: ignore[no-untyped-call]
        return np.asarray(self._pixels)

    def _is_default(self) -> bool:
        """Return whether nobody asked for a certain way of computing."""
        if Callback.active:
            return False
        chosen = get_scheduler(collections=[self])  # type: ignore[no-untyped-call]
        return chosen is self.__dask_scheduler__
