"""The reader that napari calls: look at a path, open it, hand over layers."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from napari_scope.formats.detect import detect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_scope.formats.ngff.plate.view import PlateView
    from napari_scope.formats.ngff.store import Store
    from napari_scope.layers import LayerData
    from napari_scope.model import Dataset

    Path = str | os.PathLike[str]

__all__ = ["napari_get_reader"]

_SHOWN_PROBLEMS = 5


def napari_get_reader(
    path: Path | Sequence[Path],
) -> Callable[[Path | Sequence[Path]], list[LayerData]] | None:
    """Return a reader for a path, or None if it is none of our formats.

    Parameters
    ----------
    path : str, PathLike, or list of these
        What the user opens. napari asks for every folder, so the answer is cheap.
    """
    paths = _as_list(path)
    if paths and all(detect(p) is not None for p in paths):
        return read
    return None


def read(path: Path | Sequence[Path]) -> list[LayerData]:
    """Open one or several data sets and return their layers.

    Positions are shown as the user prefers (`napari_scope.layers.preferences`). What
    could not be read of a data set becomes a warning in napari; a data set that cannot
    be opened at all raises. The fields of a plate become one mosaic for each channel,
    unless a slider is preferred; what cannot be read of them is told when it is met.
    The layers of a store that is still being written grow in
    the current viewer, if there is one and the user has not switched it off. Of a run
    that was interrupted it is said so, with the offer to finish it.

    Raises
    ------
    ScopeError
        With the file, the reason and what can be done.
    """
    from napari_scope.formats import open_dataset
    from napari_scope.layers import dataset_to_layers
    from napari_scope.layers.preferences import load_preferences

    preferences = load_preferences()
    layers: list[LayerData] = []
    for one in _as_list(path):
        view = None if preferences.positions == "slider" else _plate(one)
        if view is not None:
            layers += _plate_layers(view)
            continue
        dataset = open_dataset(one)
        layers += dataset_to_layers(dataset, preferences.positions)
        if dataset.problems:
            _warn(dataset.path, dataset.problems)
        if preferences.follow:
            _follow(dataset)
        _tell_of_interruption(dataset)
    return layers


def _as_list(path: Path | Sequence[Path]) -> list[Path]:
    return [path] if isinstance(path, str | os.PathLike) else list(path)


def _plate(path: Path) -> PlateView | None:
    """Return the plate at a path, or None if that holds something else."""
    if detect(path) != "ome-zarr":
        return None
    from napari_scope.formats.ngff.plate.view import is_plate, open_plate
    from napari_scope.formats.ngff.store import Store

    store = Store(path)
    if not is_plate(store):
        return None
    # What is still being written is read anew at each look.
    return open_plate(store, keep=not _is_unfinished(store))


def _is_unfinished(store: Store) -> bool:
    if not (store.local and _has_journal(str(store.root))):
        return False
    from napari_scope.stream.run_state import StoredRun, run_state

    try:
        return run_state(store.root) in (StoredRun.WRITTEN, StoredRun.UNKNOWN)
    except OSError:
        return False


def _has_journal(path: str) -> bool:
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


def _plate_layers(view: PlateView) -> list[LayerData]:
    """Return the layers of a plate, and let the status bar name its wells."""
    from napari_scope.layers.plate import plate_to_layers

    layers = plate_to_layers(view)
    if view.problems:
        _warn(view.place, view.problems)
    place = view.place
    # The view is not to be kept alive by its own listener.
    view.listen_for_problems(lambda problems: _warn(place, problems))
    if _may_use_qt():
        from napari_scope.widgets.well_status import show_wells

        show_wells()
    _tell_of_interruption(view.dataset())
    return layers


def _follow(dataset: Dataset) -> None:
    """Let the layers of an unfinished store grow, where a viewer has a window."""
    if dataset.finished or dataset.reload is None:
        return
    if not _may_use_qt():
        return
    from napari_scope.widgets.store_watcher import follow_in_current_viewer

    follow_in_current_viewer(dataset)


def _may_use_qt() -> bool:
    """Return whether there may be a window that something can be tied to."""
    # Without Qt there is no window, and timers belong to the thread of the windows.
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and "qtpy.QtWidgets" in sys.modules


def _tell_of_interruption(dataset: Dataset) -> None:
    """Offer to finish the run of a store, where it was interrupted."""
    if not (_may_use_qt() and _has_journal(dataset.path)):
        return
    from napari_scope.stream.run_state import StoredRun, run_state

    try:
        state = run_state(dataset.path)
    except OSError:
        return  # its pixels can be read all the same
    if state is StoredRun.INTERRUPTED:
        from napari_scope.widgets.recovery_offer import offer_recovery

        offer_recovery(dataset)


def _warn(path: str, problems: Sequence[str]) -> None:
    from napari.utils.notifications import show_warning

    shown = "\n".join(f"- {problem}" for problem in problems[:_SHOWN_PROBLEMS])
    rest = len(problems) - _SHOWN_PROBLEMS
    more = f"\n... and {rest} more" if rest > 0 else ""
    show_warning(f"Not everything could be read from {path}:\n{shown}{more}")
