"""The plate wizard of pymmcore-widgets with our core; its errors are handed on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import useq
from pymmcore_widgets import HCSWizard
from qtpy.QtCore import QSize, Signal  # type: ignore[attr-defined]

from napari_scope.errors import PlanError

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

__all__ = ["PlateWizard"]


class PlateWizard(HCSWizard):
    """Chooses wells and points in them, and calibrates the plate.

    Parameters
    ----------
    parent : QWidget
        Parent.
    core : GuiCore
        The core.

    Attributes
    ----------
    failed : Signal
        A file could not be read or written; carries the exception.
    """

    failed = Signal(object)

    def __init__(self, parent: QWidget, core: Any) -> None:
        super().__init__(parent, mmcore=core)
        self.setWindowTitle("Plate")

    def sizeHint(self) -> QSize:
        """Return a size that fits on a small screen."""
        return QSize(880, 640)

    def value(self) -> useq.WellPlatePlan | None:
        """Return the plate; random points have a seed."""
        plate = super().value()
        if plate is None:
            return None
        points = plate.well_points_plan
        if isinstance(points, useq.RandomPoints) and points.random_seed is None:
            seeded = points.model_copy(update={"random_seed": random.randrange(2**31)})
            return plate.replace(well_points_plan=seeded)
        return plate

    def show_plate(self, plate: useq.WellPlatePlan) -> None:
        """Show a plate; it is calibrated already."""
        # The wizard writes a field of view into the plan that it is given.
        self.setValue(plate.model_copy(deep=True))

    def save(self, path: str | None = None) -> None:
        """Save the plate as json; without a path, ask for it."""
        try:
            super().save(path)
        except (OSError, ValueError) as error:
            self.failed.emit(PlanError(f"the plate cannot be saved, {error}"))

    def load(self, path: str | None = None) -> None:
        """Load a plate from json; without a path, ask for it."""
        try:
            super().load(path)
        except (OSError, ValueError, TypeError) as error:
            self.failed.emit(PlanError(f"the plate cannot be loaded, {error}"))
