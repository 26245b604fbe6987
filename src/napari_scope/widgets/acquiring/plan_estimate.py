"""How large a plan is: worked out in a thread, a moment after the last change.

A plan of a hundred million frames takes seconds to go through; nobody waits for it,
neither at a key nor at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.errors import PlanError
from napari_scope.events import Plan, estimate
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.error_panel import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.events import Estimate, PlanLike
    from napari_scope.widgets.devices.camera_facts import CameraFacts

__all__ = ["PlanEstimate"]

_PATIENCE_MS = 150


class PlanEstimate(QObject):
    """Estimates the plan of an editor.

    Parameters
    ----------
    plan : callable
        Returns the plan as it is now; may raise `PlanError`.
    camera : callable
        Returns what the camera delivers, None without one.
    parent : QObject
        Owner.

    Attributes
    ----------
    found : Signal
        An estimate (or None, where there is none) and why there is none.
    """

    found = Signal(object, str)

    def __init__(
        self,
        plan: Callable[[], PlanLike],
        camera: Callable[[], CameraFacts | None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._plan = plan
        self._camera = camera
        self._stale = False
        self.latest: Estimate | None = None
        # A plan of a hundred million frames takes long; nobody waits for it to close.
        self._call = BackgroundCall(self, abandon=True)
        self._call.finished.connect(self._on_found)
        self._call.failed.connect(self._on_failed)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self._begin)

    def soon(self) -> None:
        """Estimate a moment after the last call."""
        self._patience.start()

    def close(self) -> None:
        """Stop, and leave behind what is under way; idempotent."""
        self._patience.stop()
        self._call.close()

    def _begin(self) -> None:
        if self._call.busy:
            self._stale = True
            return
        self._stale = False
        camera = self._camera()
        if camera is None:
            self._tell(None)
            return
        try:
            plan: Any = self._plan()
        except PlanError as error:
            self._tell(None, error.message)
            return
        if callable(plan) or hasattr(plan, "__next__"):
            self._tell(None)  # a script: reading its events here would use them up
            return
        self._call.start(
            lambda: estimate(Plan.from_any(plan), camera.frame_shape, camera.dtype),
            "estimate",
        )

    def _on_found(self, found: Estimate) -> None:
        self._tell(found)

    def _on_failed(self, error: BaseException) -> None:
        self._tell(None, explain(error).message)

    def _tell(self, found: Estimate | None, problem: str = "") -> None:
        self.latest = found
        self.found.emit(found, problem)
        if self._stale:
            self._begin()
