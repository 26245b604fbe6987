"""Plans of acquisitions: useq sequences and events, normalised; no microscope here."""

from napari_scope.events.actions import (
    HARDWARE_ONLY,
    acquires_image,
    hardware_only,
    is_hardware_only,
)
from napari_scope.events.axes import AxisNaming, AxisTable, frame_axes
from napari_scope.events.estimate import Estimate, estimate
from napari_scope.events.files import (
    PLAN_SUFFIXES,
    SCRIPT_SUFFIXES,
    load_plan,
    load_sequence,
    save_plan,
)
from napari_scope.events.intake import BatchLike, EventLike
from napari_scope.events.layout import FieldLayout, PlanLayout, PlateLayout
from napari_scope.events.multi_d import (
    iter_multi_d_acquisition_events,
    multi_d_acquisition_events,
)
from napari_scope.events.plan import Plan, PlanLike
from napari_scope.events.plan_scripts import (
    ScriptPlan,
    line_of,
    run_script,
    run_script_text,
)
from napari_scope.events.plan_text import (
    PlanTextError,
    sequence_from_text,
    sequence_text,
)
from napari_scope.events.pycro import EVENT_KEYS, from_pycro
from napari_scope.events.pycro_write import to_pycro, to_pycro_events
from napari_scope.events.refused import RefusedEvent, refused_events

__all__ = [
    "EVENT_KEYS",
    "HARDWARE_ONLY",
    "PLAN_SUFFIXES",
    "SCRIPT_SUFFIXES",
    "AxisNaming",
    "AxisTable",
    "BatchLike",
    "Estimate",
    "EventLike",
    "FieldLayout",
    "Plan",
    "PlanLayout",
    "PlanLike",
    "PlanTextError",
    "PlateLayout",
    "RefusedEvent",
    "ScriptPlan",
    "acquires_image",
    "estimate",
    "frame_axes",
    "from_pycro",
    "hardware_only",
    "is_hardware_only",
    "iter_multi_d_acquisition_events",
    "line_of",
    "load_plan",
    "load_sequence",
    "multi_d_acquisition_events",
    "refused_events",
    "run_script",
    "run_script_text",
    "save_plan",
    "sequence_from_text",
    "sequence_text",
    "to_pycro",
    "to_pycro_events",
]
