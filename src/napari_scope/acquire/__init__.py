"""Driving the microscope: the core, the strict engine, runs. No viewer here."""

from napari_scope.acquire.core import DEMO, CoreOwner
from napari_scope.acquire.engine import ErrorPolicy, ScopeEngine
from napari_scope.acquire.progress import (
    RunProgress,
    RunReport,
    RunState,
    SkippedFrame,
)
from napari_scope.acquire.registry import cancel_runs
from napari_scope.acquire.run import Run
from napari_scope.acquire.store import camera_frame
from napari_scope.stream import FormatName, Output, next_free_name, output_path

__all__ = [
    "DEMO",
    "CoreOwner",
    "ErrorPolicy",
    "FormatName",
    "Output",
    "Run",
    "RunProgress",
    "RunReport",
    "RunState",
    "ScopeEngine",
    "SkippedFrame",
    "camera_frame",
    "cancel_runs",
    "next_free_name",
    "output_path",
]
