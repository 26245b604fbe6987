"""The writers that napari calls: layers go in, the path that was made comes out.

napari waits for a writer in the thread of its windows. Where there is a window the work
is done in another thread meanwhile, with a bar and a button to cancel.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_scope.layers import LayerData

    Progress = Callable[[int, int], object]

__all__ = ["write_ndtiff", "write_ome_zarr", "write_ome_zarr_04"]


def write_ome_zarr(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Save layers as OME-Zarr 0.5; a store at the path is replaced.

    Parameters
    ----------
    path : str
        What the user chose, with or without a suffix.
    layers : sequence of (data, arguments, kind)
        As napari hands them over.

    Returns
    -------
    list of str
        The store.

    Raises
    ------
    ScopeError
        With the layer, the reason and what can be done; nothing was changed.
    """
    return _save(path, layers, "0.5")


def write_ome_zarr_04(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Save layers as OME-Zarr 0.4, for programs that do not read 0.5."""
    return _save(path, layers, "0.4")


def write_ndtiff(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Save image layers as an NDTiff data set."""
    return _save(path if path.lower().endswith(".ndtiff") else f"{path}.ndtiff", layers)


def _save(path: str, layers: Sequence[LayerData], version: str = "0.5") -> list[str]:
    from napari_scope.layers.saving import save_layers, target_path

    def work(progress: Progress, cancelled: Callable[[], bool]) -> str:
        return str(
            save_layers(
                path,
                layers,
                version=version,
                overwrite=True,
                progress=progress,
                cancelled=cancelled,
            )
        )

    title = f"Saving {target_path(path).name}"
    return [str(_watched(title, work))]


def _watched(title: str, work: Callable[[Progress, Callable[[], bool]], str]) -> object:
    if _has_windows():
        from napari_scope.widgets.browsing.save_layers import with_dialog

        return with_dialog(title, work)
    from napari.utils import progress

    with progress(total=1000, desc=title) as bar:

        def report(done: int, whole: int) -> None:
            bar.update(1000 * done // max(1, whole) - bar.n)

        return work(report, lambda: False)


def _has_windows() -> bool:
    """Return whether this is the thread of an application that has windows."""
    if threading.current_thread() is not threading.main_thread():
        return False
    widgets = sys.modules.get("qtpy.QtWidgets")
    return widgets is not None and widgets.QApplication.instance() is not None
