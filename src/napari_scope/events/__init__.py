"""Plans of acquisitions: useq sequences and events, normalised; no microscope here."""

from napari_scope.events.axes import AxisNaming, frame_axes
from napari_scope.events.estimate import Estimate, estimate
from napari_scope.events.files import PLAN_SUFFIXES, load_plan, save_plan
from napari_scope.events.plan import (
    FieldLayout,
    Plan,
    PlanLayout,
    PlanLike,
    acquires_image,
)

__all__ = [
    "PLAN_SUFFIXES",
    "AxisNaming",
    "Estimate",
    "FieldLayout",
    "Plan",
    "PlanLayout",
    "PlanLike",
    "acquires_image",
    "estimate",
    "frame_axes",
    "load_plan",
    "save_plan",
]
