"""Where frames end up: OME-Zarr, NDTiff or memory, behind one small interface."""

from napari_scope.stream.sinks.base import FormatName, FrameItem, Sink
from napari_scope.stream.sinks.memory import MemorySink
from napari_scope.stream.sinks.ndtiff import NDTiffSink
from napari_scope.stream.sinks.omezarr import OmeZarrSink

__all__ = ["FormatName", "FrameItem", "MemorySink", "NDTiffSink", "OmeZarrSink", "Sink"]
