"""Shows all of what a reader brings, where napari shows the first layer of it.

napari adds the layers of a reader one by one, fits the view to the first and puts the
sliders in its middle. The tiles of a well or the rest of a plate would lie beside the
window, and the first layer of a plate, the names of its rows, has no sliders: the plate
would be seen at the lowest plane, mostly out of focus. Both are done once more when all
layers are there, unless there were layers before: then the view stays where the user
looks. Of layers that are added hidden, like the stack of mass spectra, napari would
select the last; the highest that is seen is selected instead.

Examples
--------
>>> show_all_when_added(viewer)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_scope.widgets.browsing.first_look import middle

if TYPE_CHECKING:
    import napari.components
    import napari.viewer

__all__ = ["select_what_is_seen", "show_all_when_added"]


def show_all_when_added(viewer: napari.viewer.Viewer | None = None) -> None:
    """Fit view and sliders to the layers that a viewer gets before it is idle again.

    Parameters
    ----------
    viewer : napari.viewer.Viewer, optional
        The viewer; by default the current one, if there is one with a window.
    """
    if viewer is None:
        import napari

        viewer = napari.current_viewer()
    if viewer is None or getattr(viewer, "window", None) is None or viewer.layers:
        return
    wanted: Any = viewer
    # It belongs to the window, so it does not outlive the viewer.
    timer = QTimer(viewer.window.main_menu.window())
    timer.setSingleShot(True)

    def fit() -> None:
        timer.deleteLater()
        if len(wanted.layers) > 1:
            select_what_is_seen(wanted)
            wanted.reset_view()
            steps = tuple(middle(wanted.dims.nsteps))
            if wanted.layers[0].ndim < len(steps) and wanted.dims.current_step != steps:
                wanted.dims.current_step = steps

    timer.timeout.connect(fit)
    timer.start(0)


def select_what_is_seen(viewer: napari.components.ViewerModel) -> None:
    """Select the highest layer that is seen, if a hidden one is selected."""
    active = viewer.layers.selection.active
    seen = [layer for layer in viewer.layers if layer.visible]
    if active is not None and not active.visible and seen:
        viewer.layers.selection.active = seen[-1]
