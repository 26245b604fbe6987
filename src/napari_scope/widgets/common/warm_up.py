"""What napari does at the first image of a session, done before it is needed.

The first layer makes napari import xarray, pandas and scipy and read the definitions of
all units: together most of a second, in the middle of a run if nobody asks for it
before. So much is new then that Python soon looks through all of its objects for
unused ones, which stops everything for another tenth of a second. `LayerWarmUp` builds
a tiny image that no viewer ever sees, in a thread, and has Python look through its
objects while nothing goes on; the next such search is far away then.

It touches no viewer and no part of napari that is not public, and holds nothing
afterwards.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from napari_scope.widgets.common.background import BackgroundCall

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LayerWarmUp"]

_taken = False
_REST_MS = 50
# The dock that asks is shown first: beside it the thread would take half of the time.
_LATER_MS = 500


class LayerWarmUp(QObject):
    """Warms up once in a process; the first one does it, others have nothing to do.

    Parameters
    ----------
    parent : QObject
        Owner.
    may_rest : callable
        Whether the GUI may be kept for a tenth of a second now.
    """

    def __init__(self, parent: QObject, may_rest: Callable[[], bool]) -> None:
        super().__init__(parent)
        self._may_rest = may_rest
        self._call = BackgroundCall(self)
        self._call.finished.connect(self._on_called)
        self._timer = QTimer(self)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._sweep)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_LATER_MS)
        self._later.timeout.connect(lambda: self._call.start(_read_units, "warm up"))

    def start(self) -> None:
        """Begin in half a second, in a thread."""
        global _taken
        if not _taken:
            _taken = True
            self._later.start()

    @property
    def busy(self) -> bool:
        """Whether there is still something to do."""
        waits = self._timer.isActive() or self._later.isActive()
        return self._call.busy or waits

    def close(self) -> None:
        """Wait for the thread and stop; idempotent."""
        global _taken
        if self.busy:
            _taken = False
        self._later.stop()
        self._timer.stop()
        self._call.close()

    def _on_called(self, registry: object) -> None:
        if registry is None:  # the layer
            self._timer.start()
            return
        _take_units(registry)
        self._call.start(_build_layer, "warm up")

    def _sweep(self) -> None:
        """Look for unused objects, in a moment without a run."""
        if not self._may_rest():
            return
        self._timer.stop()
        # Here and not in the thread: widgets may be among them, which only the thread
        # of the GUI may delete.
        gc.collect()


def _read_units() -> object:
    """Return all units with their definitions, or anything if they have been read.

    pint's own registry calls itself ready before it has read them: a first image made
    in another thread at that moment does not know what a pixel is. So another one is
    made, and takes its place when it is whole.
    """
    pint: Any = importlib.import_module("pint")  # not typed
    return pint.UnitRegistry() if _units_are_unread() else object()


def _take_units(registry: object) -> None:
    """Let all use a registry, unless the other one has been read by now.

    Only in the thread of the GUI, where a reading is over when something else begins:
    units of two registries do not mix.
    """
    if _units_are_unread():
        pint: Any = importlib.import_module("pint")
        pint.set_application_registry(registry)


def _units_are_unread() -> bool:
    pint: Any = importlib.import_module("pint")
    lazy: Any = importlib.import_module("pint.registry").LazyRegistry
    return type(pint.get_application_registry().get()) is lazy


def _build_layer() -> None:
    import numpy as np
    from napari.layers import Image

    # Which napari imports when the image is drawn.
    with contextlib.suppress(ImportError):
        importlib.import_module("scipy.ndimage")
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
