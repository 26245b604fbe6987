"""Streaming frames to disk: bounded, in any order, readable at every instant."""

from napari_scope.stream.create import create_stream
from napari_scope.stream.dimensions import Dimension
from napari_scope.stream.events import FrameEvent, StreamEvents
from napari_scope.stream.from_useq import SequencePlan, plan_sequence
from napari_scope.stream.gaps import Gap
from napari_scope.stream.journal import JOURNAL_NAME, JournalContent, read_journal
from napari_scope.stream.output_format import OutputFormat
from napari_scope.stream.outputs import (
    COMPRESSIONS,
    FORMATS,
    FormatName,
    Output,
    make_sink,
    next_free_name,
    output_path,
    room_needed,
)
from napari_scope.stream.recovery import recover
from napari_scope.stream.recovery_report import RecoveryReport
from napari_scope.stream.ring import OverflowPolicy
from napari_scope.stream.router import Address
from napari_scope.stream.samples import Channel, Plate, Position
from napari_scope.stream.settings import AcquisitionSettings
from napari_scope.stream.sinks import MemorySink, NDTiffSink, OmeZarrSink, Sink
from napari_scope.stream.spec import ImageSpec, PlateSpec, StorageSpec, StoreSpec
from napari_scope.stream.standard_axes import dims_from_standard_axes
from napari_scope.stream.stats import StreamStats
from napari_scope.stream.stream import Stream
from napari_scope.stream.view import NewestFrame, StreamView

__all__ = [
    "COMPRESSIONS",
    "FORMATS",
    "JOURNAL_NAME",
    "AcquisitionSettings",
    "Address",
    "Channel",
    "Dimension",
    "FormatName",
    "FrameEvent",
    "Gap",
    "ImageSpec",
    "JournalContent",
    "MemorySink",
    "NDTiffSink",
    "NewestFrame",
    "OmeZarrSink",
    "Output",
    "OutputFormat",
    "OverflowPolicy",
    "Plate",
    "PlateSpec",
    "Position",
    "RecoveryReport",
    "SequencePlan",
    "Sink",
    "StorageSpec",
    "StoreSpec",
    "Stream",
    "StreamEvents",
    "StreamStats",
    "StreamView",
    "create_stream",
    "dims_from_standard_axes",
    "make_sink",
    "next_free_name",
    "output_path",
    "plan_sequence",
    "read_journal",
    "recover",
    "room_needed",
]
