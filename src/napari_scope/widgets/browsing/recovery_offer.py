"""The offer to finish an interrupted run that was opened through napari itself.

A notification with a button. What it starts belongs to the viewer's window: a progress
bar of napari, and in the end the layers of the finished store instead of the old ones.
In the Browse dock the same is a button (`napari_scope.widgets.browsing.store_box`).

Examples
--------
>>> dataset = open_dataset("/data/run_1.ome.zarr")  # doctest: +SKIP
>>> offer_recovery(dataset)  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QWidget

from napari_scope.layers.preferences import load_preferences
from napari_scope.widgets.browsing.store_opener import StoreOpener
from napari_scope.widgets.browsing.store_recovery import StoreRecovery, report_words
from napari_scope.widgets.common.error_panel import explain

if TYPE_CHECKING:
    import napari.viewer

    from napari_scope.model import Dataset
    from napari_scope.stream.recovery import RecoveryReport

__all__ = ["RecoveryOffer", "offer_recovery"]


class RecoveryOffer(QObject):
    """Finishes one run for a viewer, then goes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer with the layers.
    dataset : Dataset
        The data set as it was opened.
    window : QWidget
        The viewer's window, which becomes the parent.
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, dataset: Dataset, window: QWidget
    ) -> None:
        super().__init__(window)
        self._dataset = dataset
        self._bar: Any = None
        self._recovery = StoreRecovery(self)
        self._recovery.progressed.connect(self._on_progress)
        self._recovery.recovered.connect(self._on_recovered)
        self._recovery.failed.connect(self._on_failed)
        self._opener = StoreOpener(viewer, self)
        self._opener.opened.connect(self._end)
        self._opener.failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        """Whether the run is being finished, or its store opened again."""
        return self._recovery.busy or self._opener.busy

    def start(self, *_: object) -> None:
        """Begin; pressing the button twice is as good as once."""
        if not self.busy:
            self._recovery.recover(self._dataset.path)

    def _on_progress(self, done: int, total: int) -> None:
        from napari.utils import progress

        if self._bar is None:
            self._bar = progress(total=total, desc="Recovering")
        self._bar.update(done - self._bar.n)

    def _on_recovered(self, report: RecoveryReport) -> None:
        from napari.utils.notifications import show_info

        show_info(report_words(report)[1])
        self._opener.open(
            self._dataset.path, load_preferences().positions, self._dataset
        )

    def _on_failed(self, error: BaseException) -> None:
        from napari.utils.notifications import show_error

        words = explain(error)
        hint = f" ({words.hint})" if words.hint else ""
        show_error(f"{self._dataset.path} was not recovered: {words.message}{hint}")
        self._end()

    def _end(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._recovery.close()
        self._opener.close()
        self.deleteLater()


def offer_recovery(dataset: Dataset) -> RecoveryOffer | None:
    """Tell the user that a run was interrupted, with a button that finishes it.

    Returns
    -------
    RecoveryOffer or None
        None without a viewer with a window; then the message alone is shown.
    """
    import napari
    from napari.utils.notifications import Notification, notification_manager

    viewer = napari.current_viewer()
    window = None if viewer is None else viewer.window.main_menu.window()
    offer = None
    if viewer is not None and isinstance(window, QWidget):
        offer = RecoveryOffer(viewer, dataset, window)
    actions = [] if offer is None else [("Recover", offer.start)]
    message = (
        f"An interrupted run: {Path(dataset.path).name}. Nobody writes to it any more. "
        "Recover completes its files; nothing that was saved is changed.\n"
        f"{dataset.path}"
    )
    notification_manager.dispatch(Notification(message, "warning", actions))
    return offer
