"""The reader that napari calls: look at a path, open it, hand over layers."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from napari_scope.formats.detect import detect
from napari_scope.formats.msi_sniff import is_msi, may_be_msi
from napari_scope.formats.msi_unread import why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_scope.formats.msi import MSIReader
    from napari_scope.formats.ngff.plate.view import PlateView
    from napari_scope.layers import LayerData
    from napari_scope.model import Dataset

    Path = str | os.PathLike[str]

__all__ = ["napari_get_reader"]

_LATELY = 3  # messages of napari that are still on the screen


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
    if paths and all(map(_is_ours, paths)):
        return read
    if len(paths) == 1 and (sentence := why_not(paths[0])) is not None:
        _say_once(sentence)
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

    Of mass-spectrometry images nothing but what says where the spectra lie is read
    before this returns, where there is a window in a thread, so that it is painted
    meanwhile; the sums that the file does not tell are painted as they are computed.

    Raises
    ------
    ScopeError
        With the file, the reason and what can be done.
    """
    layers: list[LayerData] = []
    for one in _as_list(path):
        if detect(one) in (None, "msi") and is_msi(one):
            layers += _msi_layers(one)
        else:
            layers += _dataset_layers(one)
    if len(layers) > 1 and _may_use_qt():
        from napari_scope.widgets.browsing.first_view import show_all_when_added

        show_all_when_added()
    # What belongs to a data set that is shown brings no layers: napari's word for it.
    return layers or [(None,)]  # type: ignore[list-item]


def _as_list(path: Path | Sequence[Path]) -> list[Path]:
    return [path] if isinstance(path, str | os.PathLike) else list(path)


def _dataset_layers(path: Path) -> list[LayerData]:
    """Return the layers of what a microscope has taken."""
    from napari_scope.formats import open_dataset
    from napari_scope.layers import dataset_to_layers
    from napari_scope.layers.preferences import load_preferences

    preferences = load_preferences()
    view = None if preferences.positions == "slider" else _plate(path)
    if view is not None:
        return _plate_layers(view)
    dataset = open_dataset(path)
    layers = dataset_to_layers(dataset, preferences.positions)
    if dataset.problems:
        from napari_scope.widgets.browsing.plate_views import warn_of

        warn_of(dataset.path, dataset.problems)
    if preferences.follow:
        _follow(dataset)
    _tell_of_interruption(dataset)
    return layers


def _plate(path: Path) -> PlateView | None:
    """Return the plate at a path, or None if that holds something else."""
    if detect(path) != "ome-zarr":
        return None
    from napari_scope.formats.ngff.plate.view import is_plate
    from napari_scope.formats.ngff.store import Store
    from napari_scope.widgets.browsing.plate_views import open_view

    store = Store(path)
    return open_view(store) if is_plate(store) else None


def _plate_layers(view: PlateView) -> list[LayerData]:
    """Return the layers of a plate, and let the status bar name its wells."""
    from napari_scope.layers.plate import plate_to_layers
    from napari_scope.widgets.browsing.plate_views import tell_of_problems, warn_of

    layers = plate_to_layers(view)
    if view.problems:
        warn_of(view.place, view.problems)
    tell_of_problems(view)
    if _may_use_qt():
        from napari_scope.widgets.browsing.well_status import show_wells

        show_wells()
    _tell_of_interruption(view.dataset())
    return layers


def _is_ours(path: Path) -> bool:
    """Return whether one of the readers knows a path."""

    def look() -> bool:
        return detect(path) is not None or is_msi(path)

    if not (may_be_msi(path) and _may_use_qt()):
        return look()
    from napari_scope.widgets.browsing.painted_meanwhile import painted_meanwhile

    # The readers of spectra take their time to be imported.
    return painted_meanwhile(look, "napari-scope look")


def _msi_layers(path: Path) -> list[LayerData]:
    """Return the layers of mass-spectrometry images, and tie the m/z slider to them."""
    from napari_scope.widgets.browsing.plate_views import warn_of

    if not _may_use_qt():
        layers, reader = _open_msi(path, wait=True)
    else:
        from napari_scope.widgets.browsing.msi_opening import (
            has_window,
            is_shown_already,
        )
        from napari_scope.widgets.browsing.painted_meanwhile import painted_meanwhile

        if is_shown_already(path):
            return []
        wait = not has_window()
        layers, reader = painted_meanwhile(
            lambda: _open_msi(path, wait=wait), "napari-scope open"
        )
        from napari_scope.widgets.browsing.mz_slider import mz_slider

        mz_slider()
    if reader.problems:
        warn_of(reader.basename, reader.problems)
    return layers


def _open_msi(path: Path, *, wait: bool) -> tuple[list[LayerData], MSIReader]:
    from napari_scope.formats.msi import open_msi
    from napari_scope.layers.msi_build import reader_to_layers

    if not wait:  # it takes its time to be imported
        import napari_scope.widgets.browsing.mz_slider  # noqa: F401
    reader = open_msi(path)
    return reader_to_layers(reader, wait=wait), reader


def _say_once(sentence: str) -> None:
    """Say in napari why a path is declined; napari may ask for it several times."""
    notifications = sys.modules.get("napari.utils.notifications")
    if notifications is None:
        return
    said = [record.message for record in notifications.notification_manager.records]
    if sentence not in said[-_LATELY:]:
        notifications.show_warning(sentence)


def _follow(dataset: Dataset) -> None:
    """Let the layers of an unfinished store grow, where a viewer has a window."""
    if dataset.finished or dataset.reload is None:
        return
    if not _may_use_qt():
        return
    from napari_scope.widgets.browsing.store_watcher import follow_in_current_viewer

    follow_in_current_viewer(dataset)


def _may_use_qt() -> bool:
    """Return whether there may be a window that something can be tied to."""
    # Without Qt there is no window, and timers belong to the thread of the windows.
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and "qtpy.QtWidgets" in sys.modules


def _tell_of_interruption(dataset: Dataset) -> None:
    """Offer to finish the run of a store, where it was interrupted."""
    if not _may_use_qt():
        return
    from napari_scope.widgets.browsing.plate_views import has_journal

    if not has_journal(dataset.path):
        return
    from napari_scope.stream.run_state import StoredRun, run_state

    try:
        state = run_state(dataset.path)
    except OSError:
        return  # its pixels can be read all the same
    if state is StoredRun.INTERRUPTED:
        from napari_scope.widgets.browsing.recovery_offer import offer_recovery

        offer_recovery(dataset)
