"""Driving the microscope: the core, the strict engine, runs. No viewer here."""

from napari_scope.acquire import first as first

# isort: split
from napari_scope.acquire.acquisition import Acquisition
from napari_scope.acquire.core import DEMO, CoreOwner
from napari_scope.acquire.engine import ScopeEngine
from napari_scope.acquire.event_queue import EventQueue
from napari_scope.acquire.explorer import ExploreChannel, Explorer
from napari_scope.acquire.futures import AcquisitionFuture
from napari_scope.acquire.hooks import EngineHooks, HookError
from napari_scope.acquire.news import FrameNews, RunNews
from napari_scope.acquire.notifications import AcqNotification
from napari_scope.acquire.planned_run import PlannedRun
from napari_scope.acquire.processing import FrameProcessor, Processed
from napari_scope.acquire.progress import (
    RunProgress,
    RunReport,
    RunState,
    SkippedFrame,
)
from napari_scope.acquire.receiver import ErrorPolicy
from napari_scope.acquire.registry import cancel_runs
from napari_scope.acquire.run import Run
from napari_scope.acquire.run_queue import RunQueue
from napari_scope.acquire.store import camera_frame
from napari_scope.acquire.tiling import TileGrid
from napari_scope.stream import FormatName, Output, next_free_name, output_path

__all__ = [
    "DEMO",
    "AcqNotification",
    "Acquisition",
    "AcquisitionFuture",
    "CoreOwner",
    "EngineHooks",
    "ErrorPolicy",
    "EventQueue",
    "ExploreChannel",
    "Explorer",
    "FormatName",
    "FrameNews",
    "FrameProcessor",
    "HookError",
    "Output",
    "PlannedRun",
    "Processed",
    "Run",
    "RunNews",
    "RunProgress",
    "RunQueue",
    "RunReport",
    "RunState",
    "ScopeEngine",
    "SkippedFrame",
    "TileGrid",
    "camera_frame",
    "cancel_runs",
    "next_free_name",
    "output_path",
]
