"""What napari does at the first image of a session, done before it is needed.

The first layer makes napari import xarray, pandas and scipy, read the definitions of
all units, and build its controls: together more than a second, in the middle of a run
if nobody asks for it before. `LayerWarmUp` builds a tiny image that no viewer ever
sees: the slow part in a thread, then its controls, while nothing goes on.

It touches no viewer and holds nothing afterwards.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LayerWarmUp"]

_done = False
_REST_MS = 50


class LayerWarmUp(QObject):
    """Warms up once in a process; another one has nothing to do.

    Parameters
    ----------
    parent : QObject
        Owner.
    may_draw : callable
        Whether the GUI may be kept for a tenth of a second now.
    """

    def __init__(self, parent: QObject, may_draw: Callable[[], bool]) -> None:
        super().__init__(parent)
        self._may_draw = may_draw
        self._call = BackgroundCall(self)
        self._call.finished.connect(self._on_built)
        self._layer: object = None
        self._timer = QTimer(self)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._build_controls)

    def start(self) -> None:
        """Begin, in a thread."""
        if not _done:
            self._call.start(_build_layer, "warm up")

    @property
    def busy(self) -> bool:
        """Whether there is still something to do."""
        return self._call.busy or self._timer.isActive()

    def close(self) -> None:
        """Wait for the thread and stop; idempotent."""
        self._timer.stop()
        self._call.close()
        self._layer = None

    def _on_built(self, layer: object) -> None:
        self._layer = layer
        self._timer.start()

    def _build_controls(self) -> None:
        """Build what napari shows beside a layer, in a moment without a run."""
        global _done
        if not self._may_draw():
            return
        self._timer.stop()
        layer, self._layer = self._layer, None
        # Neither is a part of napari's API: without them the first layer is slower.
        with contextlib.suppress(ImportError, AttributeError, TypeError, RuntimeError):
            controls = importlib.import_module(
                "napari._qt.layer_controls.qt_layer_controls_container"
            )
            widget = controls.create_qt_layer_controls(layer)
            widget.close()
            widget.deleteLater()
        with contextlib.suppress(ImportError, AttributeError, TypeError, RuntimeError):
            visual = importlib.import_module("napari._vispy.utils.visual")
            visual.create_vispy_layer(layer).close()
        _done = True


def _build_layer() -> object:
    import numpy as np
    from napari.layers import Image

    for name in ("scipy.ndimage", "napari._vispy.utils.visual"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # Units, scale and contrast as ours have them: each has its own first time.
    layer = Image(
        np.zeros((2, 1, 8, 8), np.uint16),
        contrast_limits=(0, 4095),
        scale=(1, 1, 0.5, 0.5),
        units=("second", "pixel", "micrometer", "micrometer"),
        axis_labels=("t", "c", "y", "x"),
        blending="additive",
        colormap="green",
    )
    layer.refresh()
    return layer
