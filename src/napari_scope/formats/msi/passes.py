"""Going once through many spectra: telling how far it is, and ending when asked to.

Examples
--------
>>> told = []
>>> for block in watched(spectra.blocks(), 100, "the sum", progress=told.append):
...     ...  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_scope.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_scope.formats.msi.blocks import Block, Numbers

__all__ = [
    "Cancelled",
    "Progress",
    "never",
    "part_of",
    "pieces",
    "refuse",
    "silent",
    "watched",
]

Cancelled: TypeAlias = "Callable[[], bool]"
"""Asked from time to time whether to end."""

Progress: TypeAlias = "Callable[[float], Any]"
"""Told from time to time what part is done, from 0 to 1."""

_PIECE = 1024


def never() -> bool:
    """Return False: nobody ends it."""
    return False


def silent(done: float) -> None:
    """Tell nobody."""


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """Return who tells of work that is a part of the whole.

    Examples
    --------
    >>> part_of(print, 0.5, 1.0)(0.5)
    0.75
    """

    def tell(done: float) -> None:
        progress(start + (end - start) * done)

    return tell


def watched(
    blocks: Iterable[Block],
    count: int,
    what: str,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> Iterator[Block]:
    """Yield blocks; between them, ask whether to end and tell how far it is.

    Parameters
    ----------
    blocks : iterable of Block
        The spectra.
    count : int
        How many spectra there are in all of them.
    what : str
        What is done with them, for the error: "adding up the spectra".
    cancelled, progress : callable
        See `Cancelled` and `Progress`.

    Raises
    ------
    CancelledError
        If it was cancelled.
    """
    done = 0
    refuse(cancelled, what)
    for block in blocks:
        yield block
        refuse(cancelled, what)
        done += len(block)
        progress(min(1.0, done / max(1, count)))


def pieces(
    count: int,
    numbers: Numbers | None,
    what: str,
    cancelled: Cancelled,
    progress: Progress,
) -> Iterator[Numbers]:
    """Yield the numbers of about a thousand spectra at a time.

    Parameters
    ----------
    count : int
        How many spectra the data set has.
    numbers : ndarray of int64, optional
        Which of them; all if not given.
    what, cancelled, progress
        See `watched`.

    Raises
    ------
    CancelledError
        If it was cancelled.
    """
    wanted = np.arange(count) if numbers is None else numbers
    refuse(cancelled, what)
    for begin in range(0, len(wanted), _PIECE):
        piece = wanted[begin : begin + _PIECE]
        yield piece
        refuse(cancelled, what)
        progress((begin + len(piece)) / len(wanted))


def refuse(cancelled: Cancelled, what: str) -> None:
    """Raise `CancelledError` if it is to end."""
    if cancelled():
        raise CancelledError(f"{what} was cancelled")
