"""Opens data sets in the background and gives their layers to the viewer.

A store that is opened anew takes the place of its former layers; other layers stay.
What cannot be opened changes nothing.

It knows nothing of what is selected, of preferences, or of stores that grow.

Examples
--------
>>> opener = StoreOpener(viewer, dock)  # doctest: +SKIP
>>> opener.opened.connect(lambda dataset: print(dataset.path))  # doctest: +SKIP
>>> opener.open("/data/run_1", "auto")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_scope.formats import open_dataset
from napari_scope.layers import dataset_to_layers
from napari_scope.widgets.background import BackgroundCall
from napari_scope.widgets.store_layers import layers_of

if TYPE_CHECKING:
    import napari.viewer

    from napari_scope.layers import LayerData
    from napari_scope.layers.preferences import Positions
    from napari_scope.model import Dataset

__all__ = ["StoreOpener"]


class StoreOpener(QObject):
    """Opens one data set at a time.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Takes the layers.
    parent : QObject
        Owner.

    Attributes
    ----------
    opened : Signal
        The viewer has the layers; carries the data set.
    failed : Signal
        The data set could not be opened; carries the exception.
    """

    opened = Signal(object)
    failed = Signal(object)

    def __init__(self, viewer: napari.viewer.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._instead_of: Dataset | None = None
        self._call = BackgroundCall(self, abandon=True)
        self._call.finished.connect(self._on_read)
        self._call.failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        """Whether a data set is being opened."""
        return self._call.busy

    def open(
        self, path: str, positions: Positions, instead_of: Dataset | None = None
    ) -> None:
        """Begin to open a data set; the one before must be done.

        Parameters
        ----------
        path : str
            Its path.
        positions : {"auto", "tiles", "slider"}
            How its positions are shown.
        instead_of : Dataset, optional
            The data set whose layers go.
        """
        self._instead_of = instead_of

        def read() -> tuple[Dataset, list[LayerData]]:
            dataset = open_dataset(path)
            return dataset, dataset_to_layers(dataset, positions)

        self._call.start(read, "napari-scope open")

    def close(self) -> None:
        """Leave what is being opened behind; idempotent."""
        self._call.close()

    def _on_read(self, read: tuple[Dataset, list[LayerData]]) -> None:
        dataset, layers = read
        former, self._instead_of = self._instead_of, None
        viewer = self._viewer
        old = [] if former is None else layers_of(viewer, former)
        empty = len(old) == len(viewer.layers)
        new = [viewer.add_image(data, **arguments) for data, arguments, _ in layers]
        for layer in old:
            viewer.layers.remove(layer)
        for layer, (_, arguments, _) in zip(new, layers, strict=True):
            # It has a number behind its name because the old one was still there.
            layer.name = arguments["name"]
        if empty and layers:
            # Tiles and a slider lie at different places.
            viewer.reset_view()
        self.opened.emit(dataset)

    def _on_failed(self, error: BaseException) -> None:
        self._instead_of = None
        self.failed.emit(error)
