"""What a file of mass spectra says of itself, in the tab "Store" of the Browse dock.

It follows the selected layer. The facts are read in a thread; the file is held no
longer than a layer of it is looked at.

Examples
--------
>>> facts = MSIFacts(dock, view)  # doctest: +SKIP
>>> facts.show(origin), facts.show(origin)  # doctest: +SKIP
(True, False)
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_scope.layers.msi_about import about
from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.frames.latest_call import LatestCall

if TYPE_CHECKING:
    from napari_scope.layers.msi import MSILayer
    from napari_scope.widgets.frames.field_view import FieldView

__all__ = ["MSIFacts"]


class MSIFacts(QObject):
    """Shows the facts of one data set at a time.

    Parameters
    ----------
    parent : QObject
        Owner.
    view : FieldView
        Where they are shown.
    """

    def __init__(self, parent: QObject, view: FieldView) -> None:
        super().__init__(parent)
        self._view = view
        self.origin: MSILayer | None = None
        self._call = LatestCall(self, "napari-scope about spectra")
        self._call.finished.connect(self._on_read)
        self._call.failed.connect(self._on_failed)

    def show(self, origin: MSILayer) -> bool:
        """Show the data set of a layer; returns whether it is another one than before.

        All layers of a data set have the same facts.
        """
        before = self.origin
        if (
            before is not None
            and before.reader is origin.reader
            and before.dataset == origin.dataset
        ):
            return False
        self.origin = origin
        self._view.set_document({}, "Reading …")
        self._call.do(id(origin), partial(about, origin))
        return True

    def forget(self) -> None:
        """Let go of the file."""
        self.origin = None

    def close(self) -> None:
        """Let go of the file and wait for nothing any more; idempotent."""
        self.origin = None
        self._call.close()

    def _on_read(self, key: object, found: object) -> None:
        if self.origin is not None and key == id(self.origin):
            assert isinstance(found, dict)
            self._view.set_document(found, "Nothing is known of this file.")

    def _on_failed(self, key: object, error: object) -> None:
        if self.origin is not None and key == id(self.origin):
            assert isinstance(error, BaseException)
            self._view.set_document({}, explain(error).message)
