"""Reads what is known of the frame that is looked at, in a thread, the newest first.

Who shows frames says where the viewer looks; what is read last is told, and that it
takes long, so that nobody takes the values of one frame for those of another. A store
that hangs, on a server that is gone, holds up neither the window nor other stores.

It knows origins of layers, no viewer and no widget.

Examples
--------
>>> reader = FrameReader(tab)  # doctest: +SKIP
>>> reader.read.connect(lambda document: print(document.title))  # doctest: +SKIP
>>> reader.look(origin, (3, 0, 0))  # doctest: +SKIP
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.widgets.common.error_panel import explain
from napari_scope.widgets.frames.frame_document import FrameDocument, frame_document
from napari_scope.widgets.frames.latest_call import LatestCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.layers import LayerOrigin

__all__ = ["FrameReader"]

_PATIENCE_MS: Final = 300


class FrameReader(QObject):
    """Reads one frame at a time.

    Parameters
    ----------
    parent : QObject
        Owner.

    Attributes
    ----------
    read : Signal
        A frame was read; carries the `FrameDocument`. One that is late is told, too,
        as long as the same store is looked at: it is the newest that is known.
    slow : Signal
        What is shown is not the frame that is looked at, and will not be for a while.
    """

    read = Signal(object)
    slow = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._origin: LayerOrigin | None = None
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self.slow)
        self._call = LatestCall(self, "napari-scope frame facts")
        self._call.finished.connect(self._on_read)
        self._call.failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        """Whether a frame is being read, or waits for it."""
        return self._call.busy

    def look(
        self,
        origin: LayerOrigin,
        position: Sequence[float],
        layer: Mapping[str, object] | None = None,
    ) -> None:
        """Read the frame at a point of a layer.

        Parameters
        ----------
        origin, position, layer
            As in `frame_document`.
        """
        self._origin = origin
        call = partial(frame_document, origin, tuple(position), layer)
        self._call.do(origin, call, about=id(origin))
        if not self._patience.isActive():
            self._patience.start()

    def forget(self) -> None:
        """Tell nothing of what is being read."""
        self._origin = None
        self._patience.stop()
        self._call.forget()

    def close(self) -> None:
        """Stop; what hangs is left behind. Idempotent."""
        self.forget()
        self._call.close()

    def _on_read(self, origin: object, found: object) -> None:
        if origin is not self._origin:
            return
        # The one that waits begins after this: it is what the viewer looks at now.
        self._patience.stop()
        if self._call.waiting:
            self._patience.start()
        self.read.emit(found)

    def _on_failed(self, origin: object, error: object) -> None:
        assert isinstance(error, BaseException)
        words = f"It cannot be read: {explain(error).message}"
        self._on_read(origin, FrameDocument("Not read", {}, {}, words))
