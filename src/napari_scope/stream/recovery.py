"""A killed acquisition, made a finished one.

`recover` takes the store of a run that was interrupted and does what `Stream.close`
would have done: the torn end of the journal goes, arrays get the length of what came,
coarse levels and metadata are completed, and the journal gets its last line. Every
frame that has a line is read and compared with its checksum; what was planned and never
came is listed. Nothing that was saved is changed, and once a run is closed `recover`
changes nothing any more.

A run that is still being written is left alone: its writer holds a lock on the journal
that ends with its process (see `lock`).

A run that is whole again can be continued (see `resume`): the journal says when, so
that nobody takes the pause for an interval of the time series.

Examples
--------
>>> import tempfile, pathlib
>>> import numpy as np
>>> from napari_scope.stream import ImageSpec, NDTiffSink, StoreSpec, Stream
>>> path = pathlib.Path(tempfile.mkdtemp()) / "run"
>>> images = (ImageSpec("a", sizes={"time": 2}),)
>>> spec = StoreSpec("a", (4, 4), np.dtype("u2"), order=("time",), images=images)
>>> with Stream(spec, [NDTiffSink(path)]) as stream:
...     stream.append(np.ones((4, 4), "u2"))
>>> report = recover(path)
>>> report.was_closed, report.saved
(True, 1)
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import DiskSpaceError, FormatError, StreamError
from napari_scope.stream.failure import NO_ROOM
from napari_scope.stream.journal import Summary
from napari_scope.stream.recovery_journal import OpenJournal, find_journal
from napari_scope.stream.recovery_ndtiff import recover_ndtiff
from napari_scope.stream.recovery_plan import Missing, RunRecord
from napari_scope.stream.recovery_report import RecoveryReport
from napari_scope.stream.recovery_zarr import recover_zarr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from napari_scope.stream.recovery_frames import FrameKey, Progress, Reason

__all__ = ["RecoveryReport", "has_journal", "recover"]

_MOST_LOST = 100_000  # that the journal lists: a run that goes on takes them again


def has_journal(path: str | PathLike[str]) -> bool:
    """Return whether a store has the journal of a run."""
    return find_journal(Path(path)) is not None


def recover(
    path: str | PathLike[str],
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> RecoveryReport:
    """Finish the store of a run that was interrupted.

    Parameters
    ----------
    path : str or PathLike
        The store: the folder of OME-Zarr or NDTiff, the file or folder of OME-TIFF.
    force : bool
        Go on where the file system cannot tell whether the run is still being written;
        never needed on a local disk.
    progress : callable, optional
        Told how many frames were checked, and of how many.

    Returns
    -------
    RecoveryReport
        What is there, what is not, and what was done.

    Raises
    ------
    FormatError
        If there is no journal, or the store is damaged.
    StreamError
        If the run is still being written, or the store cannot be written to.
    """
    path = Path(path)
    place = find_journal(path)
    if place is None:
        if not path.exists():
            raise FormatError("there is nothing", path=path)
        raise FormatError(
            "there is no journal of a run",
            path=path,
            hint="only runs that this package wrote can be recovered",
        )
    try:
        with OpenJournal(place, force=force) as journal:
            return _recover(path, journal, progress)
    except OSError as error:
        if isinstance(error, DiskSpaceError):
            raise
        kind = DiskSpaceError if error.errno in NO_ROOM else StreamError
        told = error.strerror or str(error)
        hint = "free some room and recover again; nothing that was saved was changed"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "recovery writes to the store; it needs the permission to do so"
        raise kind(f"recovery failed, {told}", path=path, hint=hint) from error


def _recover(
    path: Path, journal: OpenJournal, progress: Progress | None
) -> RecoveryReport:
    content = journal.scan.content
    run = RunRecord(content)
    kind = str(content.header.get("format"))
    if content.closed is not None:
        return _closed_report(path, kind, run)
    notes = journal.mend()
    if run.senseless:
        notes.append(f"{run.senseless} lines of the journal are those of no frame")
    missing = run.missing()
    summary = Summary()
    for entry in content.frames:
        summary.add(entry)
    known = {**summary.document(), **summary.table()}
    lost, done = _repair(journal.path, kind, run, known, missing, progress)
    report = _report(path, kind, run, missing, lost, (*notes, *done))
    journal.close_run(_last_line(report))
    return report


def _repair(
    journal: Path,
    format: str,
    run: RunRecord,
    summary: Mapping[str, object],
    missing: Missing,
    progress: Progress | None,
) -> tuple[dict[FrameKey, Reason], list[str]]:
    """Do what the format needs."""
    if format == "ome-zarr":
        known = {**summary, "recovered": True, "missing": missing.count}
        return recover_zarr(journal.parent.parent, run, known, progress)
    if format == "ndtiff":
        return recover_ndtiff(journal.parent, run, progress)
    if format == "ome-tiff":
        from napari_scope.stream.recovery_tiff import recover_tiff

        return recover_tiff(journal, run, progress)
    raise FormatError(
        f"its journal names the format {format!r}, which cannot be recovered",
        path=journal,
    )


def _report(
    path: Path,
    format: str,
    run: RunRecord,
    missing: Missing,
    lost: Mapping[FrameKey, Reason],
    notes: tuple[str, ...],
) -> RecoveryReport:
    status = [line.status for line in run.lines]
    by_key = {(line.image, line.index): line.axes for line in run.lines}
    return RecoveryReport(
        path=path,
        format=format,
        was_closed=False,
        planned=run.planned,
        saved=status.count("saved") - len(lost),
        skipped=status.count("skipped"),
        dropped=status.count("dropped"),
        missing=missing.count,
        missing_axes=missing.frames,
        lost=tuple((by_key[key], why) for key, why in lost.items()),
        notes=notes,
    )


def _last_line(report: RecoveryReport) -> dict[str, object]:
    """Return what the journal says at its end of a run that was recovered."""
    return {
        "recovered": True,
        "saved": report.saved,
        "skipped": report.skipped,
        "dropped": report.dropped,
        "missing": report.missing,
        "missing_axes": report.missing_axes,
        "lost": [
            {"axes": axes, "reason": why} for axes, why in report.lost[:_MOST_LOST]
        ],
    }


def _closed_report(path: Path, format: str, run: RunRecord) -> RecoveryReport:
    """Return the report of a run that needs nothing."""
    by_key = {(line.image, line.index): line.axes for line in run.lines}
    status = [line.status for line in run.lines]
    missing = run.missing()
    return RecoveryReport(
        path=path,
        format=format,
        was_closed=True,
        planned=run.planned,
        saved=status.count("saved") - len(run.lost),
        skipped=status.count("skipped"),
        dropped=status.count("dropped"),
        missing=missing.count,
        missing_axes=missing.frames,
        lost=tuple((by_key[key], why) for key, why in run.lost.items()),
    )
