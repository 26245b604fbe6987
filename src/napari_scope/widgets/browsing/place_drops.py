"""Data sets dropped: on the dock from elsewhere, on the canvas from the dock.

napari's canvas takes what is dropped on it itself, and asks which plugin reads it. What
comes out of the dock's list is known to be ours, so it is taken before napari sees it,
and opened like everything that is opened from the dock.

Examples
--------
>>> drops = PlaceDrops(dock)  # doctest: +SKIP
>>> drops.dropped.connect(print)  # doctest: +SKIP
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QMimeData, QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_scope.formats.addresses import is_address
from napari_scope.widgets.browsing.folder_model import PLACES_MIME

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PlaceDrops", "canvas_of", "places_in"]

_DRAGS = (QEvent.Type.DragEnter, QEvent.Type.DragMove)


class PlaceDrops(QObject):
    """Takes what is dropped on a widget.

    Parameters
    ----------
    target : QWidget
        The widget; its own handling of other things stays.
    owner : QObject
        Owner.
    own_only : bool
        Take only what was dragged out of a list of ours; else only what comes from
        elsewhere.

    Attributes
    ----------
    dropped : Signal
        Carries paths and addresses.
    """

    dropped = Signal(object)

    def __init__(
        self, target: QWidget, owner: QObject, *, own_only: bool = False
    ) -> None:
        super().__init__(owner)
        # Weak: a dock that somebody still holds must not keep the window alive.
        self._target: Callable[[], QWidget | None] = weakref.ref(target)
        self._own_only = own_only
        target.setAcceptDrops(True)
        target.installEventFilter(self)

    def stop(self) -> None:
        """Take nothing any more; idempotent."""
        from qtpy.compat import isalive

        target, self._target = self._target(), lambda: None
        if target is not None and isalive(target):  # type: ignore[no-untyped-call]
            target.removeEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Accept drags of data sets, and take them when they are dropped."""
        if event is None or watched is not self._target():
            return False
        kind = event.type()
        if kind not in (*_DRAGS, QEvent.Type.Drop):
            return False
        drop: Any = event
        mime = drop.mimeData()
        ours = mime is not None and mime.hasFormat(PLACES_MIME)
        places = [] if mime is None or ours != self._own_only else places_in(mime)
        if not places:
            return False
        drop.acceptProposedAction()
        if kind == QEvent.Type.Drop:
            self.dropped.emit(places)
        return True


def places_in(mime: QMimeData) -> list[str]:
    """Return the paths and addresses that somebody drags."""
    if mime.hasFormat(PLACES_MIME):
        data: Any = mime.data(PLACES_MIME)
        return [place for place in bytes(data).decode().split("\n") if place]
    if mime.hasUrls():
        places = [
            url.toLocalFile() if url.isLocalFile() else url.toString()
            for url in mime.urls()
        ]
        return [place for place in places if place]
    text = str(mime.text()).strip() if mime.hasText() else ""
    return [text] if is_address(text) and "\n" not in text else []


def canvas_of(
    window: QWidget, is_canvas: Callable[[QWidget], bool] | None = None
) -> QWidget | None:
    """Return the part of napari's window that takes what is dropped on the canvas.

    None where this version of napari has none.
    """
    wanted = is_canvas or (lambda one: type(one).__name__ == "QtViewer")
    return next((one for one in window.findChildren(QWidget) if wanted(one)), None)
