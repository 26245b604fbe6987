"""Plates for a viewer: how they are opened, and how what is wrong with them is told.

The reader and the Browse dock go the same way here. A plate that is still being written
is read anew at each look, and what cannot be read of a plate becomes a warning in
napari when it is met. It needs no Qt: a viewer without a window opens plates, too.

Examples
--------
>>> view = open_view("screen.ome.zarr")  # doctest: +SKIP
>>> tell_of_problems(view)  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.formats.ngff.plate.view import PlateView
    from napari_scope.formats.ngff.store import Store

__all__ = ["has_journal", "open_view", "tell_of_problems", "warn_of"]

_SHOWN_PROBLEMS = 5


def open_view(path: str | Store) -> PlateView:
    """Open a plate, or one well as a plate of its own.

    Raises
    ------
    FormatError
        If it is neither a plate nor a well.
    """
    from napari_scope.formats.ngff.plate.view import open_plate
    from napari_scope.formats.ngff.store import Store

    store = Store(path) if isinstance(path, str) else path
    return open_plate(store, keep=not _is_unfinished(store))


def tell_of_problems(view: PlateView) -> None:
    """Warn of what cannot be read of a plate when it is met."""
    place = view.place
    # The view is not to be kept alive by its own listener.
    view.listen_for_problems(lambda problems: warn_of(place, problems))


def warn_of(place: str, problems: Sequence[str]) -> None:
    """Say in napari what could not be read; of many problems only the first."""
    from napari.utils.notifications import show_warning

    shown = "\n".join(f"- {problem}" for problem in problems[:_SHOWN_PROBLEMS])
    rest = len(problems) - _SHOWN_PROBLEMS
    more = f"\n... and {rest} more" if rest > 0 else ""
    show_warning(f"Not everything could be read from {place}:\n{shown}{more}")


def has_journal(path: str) -> bool:
    """Return whether a store of ours may have a journal.

    To ask what it says takes the whole of `napari_scope.stream`, which most stores do
    not need.
    """
    if os.path.isfile(path):
        return True  # beside a file, under one of several names
    return any(
        os.path.isfile(os.path.join(path, *parts, "frames.jsonl"))
        for parts in ((), ("acquisition",))
    )


def _is_unfinished(store: Store) -> bool:
    if not (store.local and has_journal(str(store.root))):
        return False
    from napari_scope.stream.run_state import StoredRun, run_state

    try:
        return run_state(store.root) in (StoredRun.WRITTEN, StoredRun.UNKNOWN)
    except OSError:
        return False
