"""What tells the frames of one array from others: height, width and type in memory.

Examples
--------
>>> same_in_memory(5), same_in_memory(1), same_in_memory(2)  # 14 and 16 bits, RGB
(1, 1, 2)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.ndtiff.columns import HEIGHT, PIXEL_TYPE, WIDTH
from napari_scope.formats.ndtiff.record import PIXEL_TYPES

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.ndtiff.columns import IndexTable

__all__ = ["frame_kinds", "same_in_memory"]

_IN_MEMORY = {(k.dtype, k.samples): k.code for k in reversed(PIXEL_TYPES.values())}


def same_in_memory(code: int) -> int:
    """Return the pixel type that stands for all of its type in memory.

    Depths of 10 to 16 bits are one. A code that is not known has -1.
    """
    kind = PIXEL_TYPES.get(code)
    return -1 if kind is None else _IN_MEMORY[kind.dtype, kind.samples]


# One more entry, for all that are not known.
_SAME = np.array([same_in_memory(code) for code in range(max(PIXEL_TYPES) + 2)])


def frame_kinds(
    table: IndexTable, rows: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Return the kind of some frames.

    Parameters
    ----------
    table : IndexTable
        The index.
    rows : ndarray of int, shape (n,)
        Rows of it.

    Returns
    -------
    ndarray of int64, shape (n, 3)
        Height, width and pixel type as `same_in_memory` has it.
    """
    fields = table.fields[rows].astype(np.int64)
    codes = _SAME[np.minimum(fields[:, PIXEL_TYPE], len(_SAME) - 1)]
    return np.stack([fields[:, HEIGHT], fields[:, WIDTH], codes], axis=1)
