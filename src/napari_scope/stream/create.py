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

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import DiskSpaceError, SettingsError
from napari_scope.fileio import disk_of, free_bytes
from napari_scope.stream.gaps import gap_axes
from napari_scope.stream.outputs import make_sink, room_needed
from napari_scope.stream.replace import moved_aside, remove_store, store_bytes
from napari_scope.stream.settings import AcquisitionSettings
from napari_scope.stream.several import Also, also_stored
from napari_scope.stream.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.stream.outputs import FormatName
    from napari_scope.stream.resume import Resume
    from napari_scope.stream.ring import OverflowPolicy
    from napari_scope.stream.sinks import Sink
    from napari_scope.stream.spec import StoreSpec

__all__ = ["create_stream"]


def create_stream(
    settings: AcquisitionSettings,
    *,
    also: Sequence[Also] = (),
    ring_bytes: int | None = None,
    overflow: OverflowPolicy = "block",
    levels: int | None = None,
    sync_interval_s: float | None = 1.0,
    resume: Resume = False,
) -> Stream:
    """Open a stream.

    Parameters
    ----------
    settings : AcquisitionSettings
        What is stored and where; settings of ome-writers are converted.
    also : sequence of str, Path, mapping or AcquisitionSettings
        Further outputs of the same frames: a path, whose suffix chooses the format;
        the fields of the settings that differ; or whole settings. See `several`.
    ring_bytes, overflow, sync_interval_s
        See `Stream`.
    levels : int, optional
        Levels of a pyramid; 1 for none. By default down to 512 pixels for OME-Zarr,
        none for OME-TIFF.
    resume : bool or "force"
        Go on with the run at the path; where there is nothing it is begun. A run that
        was killed is recovered first. The settings must be those of the run, but the
        first dimension may be longer, or unbounded.

    Raises
    ------
    OutputExistsError
        If the path is taken, or may be overwritten but is no store of the format.
    SettingsError, DiskSpaceError, StreamError
        If the stream cannot be opened; what was at the path is there still.
    FormatError
        If what is to be resumed is damaged, or was not written by a stream.
    """
    if not isinstance(settings, AcquisitionSettings):
        settings = AcquisitionSettings.from_any(settings)
    if isinstance(also, str | Path | Mapping | AcquisitionSettings):
        raise SettingsError(
            "also= is a list of outputs", hint="put the output in brackets"
        )
    outputs = [settings, *(also_stored(settings, output) for output in also)]
    spec = settings.to_spec()
    for output in outputs:
        if resume and output.overwrite:
            raise SettingsError(
                "a run cannot be both continued and overwritten",
                path=output.output_path,
                hint="leave out resume, or overwrite",
            )

    def opened() -> Stream:
        return Stream(
            spec,
            [
                _sink(output, levels, tailored=output is not settings)
                for output in outputs
            ],
            ring_bytes=ring_bytes,
            overflow=overflow,
            sync_interval_s=sync_interval_s,
            resume=resume,
        )

    with contextlib.ExitStack() as stack:
        aside = [
            stack.enter_context(moved_aside(output.output_path, output.format_name))
            for output in outputs
            if output.overwrite
            and output.format_name != "memory"
            and os.path.lexists(output.output_path)
        ]
        try:
            stream = opened()
        except DiskSpaceError:
            if not _fits_without(aside, spec, outputs):
                raise
            # The old stores take the room that the new ones need.
            for path in aside:
                remove_store(path)
            stream = opened()
    try:
        for axes, reason in gap_axes(spec, settings.gaps):
            if not (resume and stream.has(axes)):
                stream.skip(index=axes, reason=reason)
    except BaseException:
        stream.close()
        raise
    return stream


def _sink(settings: AcquisitionSettings, levels: int | None, *, tailored: bool) -> Sink:
    """Return the sink of an output."""
    # The program may go to another folder during the run.
    sink = make_sink(
        Path(os.path.abspath(settings.output_path)),
        settings.format_name,
        levels=levels,
        limit_bytes=settings.format.max_memory_bytes,
        spill=settings.format.spill_to_disk,
        spill_folder=_spill_folder(settings.root_path),
        single_file=settings.format.prefer_single_file == "always",
    )
    if tailored:
        spec = settings.to_spec()
        sink.tailored = {
            "name": spec.name,
            "storage": spec.storage,
            "summary": spec.summary,
        }
    return sink


def _fits_without(
    aside: Sequence[Path], spec: StoreSpec, outputs: Sequence[AcquisitionSettings]
) -> bool:
    """Return whether a run fits once the stores that it replaces are gone."""
    if not aside:
        return False
    freed: dict[int, int] = {}
    for path in aside:
        disk = disk_of(path)
        freed[disk] = freed.get(disk, 0) + store_bytes(path)
    kinds: dict[int, list[FormatName]] = {}
    for output in outputs:
        if output.format_name == "memory":
            continue
        path = output.output_path
        on_disk = kinds.setdefault(disk_of(path), [])
        on_disk.append(output.format_name)
        needed = room_needed(spec.n_frames or 0, spec.frame_bytes, on_disk)
        if needed > free_bytes(path) + freed.get(disk_of(path), 0):
            return False
    return True


def _spill_folder(root: Path) -> Path | None:
    """Return where frames go for which there is no memory, None for the usual place."""
    if str(root) in ("", ".") or not root.parent.is_dir():
        return None
    return Path(os.path.abspath(root.parent))
