"""From settings to an open stream: the place is made free, gaps are noted.

Examples
--------
>>> import numpy as np
>>> from napari_scope.stream import AcquisitionSettings, dims_from_standard_axes
>>> settings = AcquisitionSettings(
...     format="memory",
...     dtype="uint8",
...     dimensions=dims_from_standard_axes({"t": 2, "y": 4, "x": 4}),
... )
>>> with create_stream(settings) as stream:
...     for value in range(2):
...         stream.append(np.full((4, 4), value, "uint8"))
>>> stream.stats().saved
2
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_scope.errors import DiskSpaceError
from napari_scope.fileio import free_bytes
from napari_scope.stream.gaps import gap_axes
from napari_scope.stream.outputs import make_sink, room_needed
from napari_scope.stream.replace import moved_aside, remove_store, store_bytes
from napari_scope.stream.settings import AcquisitionSettings
from napari_scope.stream.stream import Stream

if TYPE_CHECKING:
    from napari_scope.stream.ring import OverflowPolicy

__all__ = ["create_stream"]


def create_stream(
    settings: AcquisitionSettings,
    *,
    ring_bytes: int | None = None,
    overflow: OverflowPolicy = "block",
    levels: int | None = None,
    sync_interval_s: float | None = 1.0,
) -> Stream:
    """Open a stream.

    Parameters
    ----------
    settings : AcquisitionSettings
        What is stored and where; settings of ome-writers are converted.
    ring_bytes, overflow, sync_interval_s
        See `Stream`.
    levels : int, optional
        Levels of an OME-Zarr pyramid; 1 for none, by default down to 512 pixels.

    Raises
    ------
    OutputExistsError
        If the path is taken, or may be overwritten but is no store of the format.
    SettingsError, DiskSpaceError, StreamError
        If the stream cannot be opened; what was at the path is there still.
    """
    if not isinstance(settings, AcquisitionSettings):
        settings = AcquisitionSettings.from_any(settings)
    spec = settings.to_spec()
    kind, path = settings.format_name, settings.output_path

    def opened() -> Stream:
        sink = make_sink(
            path,
            kind,
            levels=levels,
            limit_bytes=settings.format.max_memory_bytes,
            single_file=settings.format.prefer_single_file == "always",
        )
        return Stream(
            spec,
            [sink],
            ring_bytes=ring_bytes,
            overflow=overflow,
            sync_interval_s=sync_interval_s,
        )

    if not settings.overwrite or kind == "memory" or not os.path.lexists(path):
        stream = opened()
    else:
        with moved_aside(path, kind) as aside:
            try:
                stream = opened()
            except DiskSpaceError:
                needed = room_needed(spec.n_frames or 0, spec.frame_bytes, [kind])
                if needed > free_bytes(path) + store_bytes(aside):
                    raise
                # The old store takes the room that the new one needs.
                remove_store(aside)
                stream = opened()
    try:
        for axes, reason in gap_axes(spec, settings.gaps):
            stream.skip(index=axes, reason=reason)
    except BaseException:
        stream.close()
        raise
    return stream
