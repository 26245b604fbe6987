"""Reads what a viewer is going to show first, in the thread that opened it.

napari reads a plane of each layer in the thread of its windows when the layer is added.
Of a plate, and of everything behind an address, that takes long, so it is read before:
what was read is kept by the layers' arrays, and napari finds it there.

Examples
--------
>>> look_at(layers, viewer.dims.current_step)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import ScopeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.layers import LayerData

__all__ = ["look_at", "middle"]


def look_at(layers: Sequence[LayerData], steps: Sequence[int] = ()) -> None:
    """Read the planes of each visible layer that napari reads when it is added.

    They are the first, which a layer reads when it is made, and the one that is shown.

    Parameters
    ----------
    layers : sequence of LayerData
        The layers.
    steps : sequence of int
        Where the sliders stand. Without any napari puts them in the middle.
    """
    for data, arguments, kind in layers:
        if kind not in ("image", "labels") or arguments.get("visible") is False:
            continue
        level = data[-1] if isinstance(data, list) else data
        shape: tuple[int, ...] = np.shape(level)  # type: ignore[arg-type]
        lengths = shape[: -3 if arguments.get("rgb") else -2]
        at = middle(lengths)
        for back in range(1, min(len(at), len(steps) - 2) + 1):
            at[-back] = min(max(steps[-back - 2], 0), max(lengths[-back] - 1, 0))
        for index in {(0,) * len(at), tuple(at)}:
            try:
                np.asarray(level[index])  # type: ignore[index]
            except (ScopeError, OSError):
                break  # it is told when it is shown


def middle(lengths: Sequence[int]) -> list[int]:
    """Return where napari puts the sliders of the first layer.

    Examples
    --------
    >>> middle((2, 3, 4))
    [0, 1, 1]
    """
    return [max(0, length - 1) // 2 for length in lengths]
