"""Many windows of m/z at once: one pass over the file instead of one for each.

Where a window is found without reading everything they are asked for one by one. The
values are the same to the last bit either way.

Examples
--------
>>> ion_values(shared, [(500.0, 500.5), (721.1, 721.2)])  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_scope.formats.msi.blocks import RaggedBlock, reduce_owned
from napari_scope.formats.msi.passes import never, refuse, silent, watched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi.blocks import Block, Floats, How, Numbers
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.shared import Shared

    Windows = Sequence[tuple[float, float]]

__all__ = ["ion_values", "windows_of"]

# Over a common axis some single windows take less time than reading all.
_FEW: Final = 8
_MOST_BYTES: Final = 64 << 20  # of values that wait to be handed over


def ion_values(
    shared: Shared,
    windows: Windows,
    how: How = "sum",
    numbers: Numbers | None = None,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> Iterator[Floats]:
    """Yield for each window one number for each spectrum, in the order of the windows.

    Parameters
    ----------
    shared : Shared
        The data set.
    windows : sequence of (float, float)
        Closed windows of m/z.
    how : {"sum", "max", "mean"}
        See `Spectra.window`.
    numbers : ndarray of int64, optional
        Which spectra; all if not given.
    cancelled, progress : callable
        See `napari_scope.formats.msi.passes`.

    Raises
    ------
    CancelledError
        If it was cancelled.
    """
    few = len(windows) <= (1 if shared.spectra.common_mz is None else _FEW)
    done = 0
    while done < len(windows):
        # Somebody may sort the peaks meanwhile.
        if few or shared.has_index:
            refuse(cancelled, "making ion images")
            yield shared.window(*windows[done], how, numbers, cancelled)
            done += 1
            progress(done / len(windows))
            continue
        n = len(shared.spectra) if numbers is None else len(numbers)
        part = windows[done : done + max(1, _MOST_BYTES // max(1, 8 * n))]

        def tell(of_part: float, start: int = done, size: int = len(part)) -> None:
            progress((start + of_part * size) / len(windows))

        blocks = watched(
            shared.spectra.blocks(numbers), n, "making ion images", cancelled, tell
        )
        found = [windows_of(block, part, how) for block in blocks]
        yield from np.concatenate(found, axis=1) if found else np.zeros((len(part), 0))
        done += len(part)
    progress(1.0)


def windows_of(block: Block, windows: Windows, how: How) -> Floats:
    """Return what becomes of each window in each spectrum, (windows, spectra)."""
    if not isinstance(block, RaggedBlock) or len(windows) < 2:
        return np.array([block.window(low, high, how) for low, high in windows])
    values = np.zeros((len(windows), len(block)))
    near = _in_any(block.mz, windows)
    near = near[np.argsort(block.mz[near], kind="stable")]
    mz = block.mz[near]
    owner = np.searchsorted(block.starts, near, "right") - 1
    intensities = block.intensities[near]
    for row, (low, high) in zip(values, windows, strict=True):
        # As comparing with each value would have it, whatever the type of m/z.
        inside = slice(_first(mz, low, "left"), _first(mz, high, "right"))
        # In the order of the file, as one window alone would be added up.
        order = np.argsort(near[inside], kind="stable")
        row[:] = reduce_owned(
            intensities[inside][order], owner[inside][order], len(block), how
        )
    return values


def _in_any(mz: npt.NDArray[Any], windows: Windows) -> Numbers:
    """Return the places of the values that lie in at least one window."""
    some = np.array([one for one in windows if one[0] <= one[1]]).reshape(-1, 2)
    lows, highs = np.sort(some[:, 0]), np.sort(some[:, 1])
    # More windows have begun than have ended.
    begun = np.searchsorted(lows, mz, "right")
    ended = np.searchsorted(highs, mz, "left")
    return np.flatnonzero(begun > ended)


def _first(mz: npt.NDArray[Any], value: float, side: Literal["left", "right"]) -> int:
    return int(np.searchsorted(mz, np.float64(value), side))
