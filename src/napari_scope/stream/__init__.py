"""Streaming frames to disk: bounded, in any order, readable at every instant."""

from napari_scope.stream.journal import JOURNAL_NAME, JournalContent, read_journal
from napari_scope.stream.outputs import (
    FORMATS,
    FormatName,
    Output,
    make_sink,
    next_free_name,
    output_path,
    room_needed,
)
from napari_scope.stream.ring import OverflowPolicy
from napari_scope.stream.router import Address
from napari_scope.stream.settings import (
    AcquisitionSettings,
    Channel,
    Dimension,
    Position,
    create_stream,
    dims_from_standard_axes,
)
from napari_scope.stream.sinks import MemorySink, NDTiffSink, OmeZarrSink, Sink
from napari_scope.stream.spec import ImageSpec, StoreSpec
from napari_scope.stream.stats import StreamStats
from napari_scope.stream.stream import Stream
from napari_scope.stream.view import NewestFrame, StreamView

__all__ = [
    "FORMATS",
    "JOURNAL_NAME",
    "AcquisitionSettings",
    "Address",
    "Channel",
    "Dimension",
    "FormatName",
    "ImageSpec",
    "JournalContent",
    "MemorySink",
    "NDTiffSink",
    "NewestFrame",
    "OmeZarrSink",
    "Output",
    "OverflowPolicy",
    "Position",
    "Sink",
    "StoreSpec",
    "Stream",
    "StreamStats",
    "StreamView",
    "create_stream",
    "dims_from_standard_axes",
    "make_sink",
    "next_free_name",
    "output_path",
    "read_journal",
    "room_needed",
]
