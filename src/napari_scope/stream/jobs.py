"""Work on stored data sets that takes a while: convert, export, pyramids, check, mend.

A `Job` says what it will do, does it when it is called, tells how far it is, and may be
cancelled. It returns a sentence and the lines behind it; what fails raises. Who calls
it, a window or a script, and when, is not its business.

Examples
--------
>>> job = convert_job("cells.ndtiff", "cells.ome.zarr")  # doctest: +SKIP
>>> job.run(print, lambda: False).text  # doctest: +SKIP
'80 frames converted and compared'
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_scope.errors import CancelledError, ScopeError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_scope.formats.image_parts import Parts
    from napari_scope.stream.conversion.report import (
        ConversionProgress,
        ConversionReport,
    )

__all__ = [
    "ConvertOptions",
    "Job",
    "JobResult",
    "Tell",
    "convert_job",
    "pyramid_job",
    "recover_job",
    "validate_job",
]

Tell: TypeAlias = "Callable[[str, int, int], object]"
"""Is told what is being done, how much of it is done, and of how much."""

Cancelled: TypeAlias = "Callable[[], bool]"

_MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job came to.

    Parameters
    ----------
    text : str
        One sentence.
    lines : tuple of str
        More, line by line.
    state : {"finished", "cancelled", "problems"}
        How it ended; ``"problems"`` when it did its work and found something wrong.
    made : Path, optional
        The data set that was made or changed.
    """

    text: str
    lines: tuple[str, ...] = ()
    state: Literal["finished", "cancelled", "problems"] = "finished"
    made: Path | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do.

    Parameters
    ----------
    title : str
        What, in a few words.
    source : str
        The data set it is done to.
    run : callable
        Does it: takes `Tell` and a callable that says whether to cancel, returns a
        `JobResult`, raises `ScopeError` or `OSError`.
    writes : bool
        Whether something is lost when it is cut off.
    can_cancel : bool
        Whether it looks at all whether it is to end.
    """

    title: str
    source: str
    run: Callable[[Tell, Cancelled], JobResult]
    writes: bool = True
    can_cancel: bool = True


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """How a target is stored; see `napari_scope.stream.convert.convert`.

    Parameters
    ----------
    format, version, compression, chunk_px, levels
        As there; None leaves the choice to the conversion.
    verify : bool
        Compare each frame.
    skip_unread : bool
        Leave out frames that cannot be read instead of stopping.
    """

    format: Literal["ome-zarr", "ndtiff", "ome-tiff"] | None = None
    version: str | None = None
    compression: str | None = None
    chunk_px: int | None = None
    levels: int | None = None
    verify: bool = True
    skip_unread: bool = False


def convert_job(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    options: ConvertOptions | None = None,
    *,
    images: Iterable[str] | None = None,
    parts: Parts | None = None,
) -> Job:
    """Return the job that converts a data set, or a part of it, to a new one.

    Parameters
    ----------
    source, target : str or PathLike
        From where, to where. The source is only read, a target is never overwritten.
    options : ConvertOptions, optional
        How it is stored.
    images : iterable of str, optional
        Names of the images wanted; one that ends in a slash means all whose names
        begin with it, such as the fields of a well.
    parts : Parts, optional
        Channels, time points and planes wanted.
    """
    how = options or ConvertOptions()
    chosen = None if images is None else list(images)

    def run(tell: Tell, cancelled: Cancelled) -> JobResult:
        from napari_scope.stream.convert import convert

        wanted = None if chosen is None else _named(os.fspath(source), chosen)

        def progress(now: ConversionProgress) -> bool:
            tell(now.phase, now.done, now.total)
            return not cancelled()

        report = convert(
            source,
            target,
            format=how.format,
            images=wanted,
            parts=parts,
            on_error="skip" if how.skip_unread else "stop",
            verify=how.verify,
            levels=how.levels,
            version=how.version,
            compression=how.compression,
            chunk_px=how.chunk_px,
            progress=progress,
        )
        return _converted(report)

    name = Path(target).name
    verb = "Export to" if parts or chosen is not None else "Convert to"
    return Job(f"{verb} {name}", os.fspath(source), run)


def pyramid_job(path: str | os.PathLike[str], *, levels: int | None = None) -> Job:
    """Return the job that makes the coarse levels of the images of an OME-Zarr store.

    Full resolution stays as it is; levels that are there are computed anew.
    """

    def run(tell: Tell, cancelled: Cancelled) -> JobResult:
        from napari_scope.formats.ngff.pyramid.build import build_pyramid
        from napari_scope.formats.ngff.pyramid.targets import pyramid_targets

        targets, problems = pyramid_targets(path)
        lines: list[str] = []
        for number, target in enumerate(targets, 1):
            step = partial(_tell_image, tell, f"image {number} of {len(targets)}")
            try:
                made = build_pyramid(
                    target.group,
                    levels=levels,
                    method="mode" if target.is_labels else "mean",
                    labels=False,
                    progress=step,
                    cancelled=cancelled,
                )
            except CancelledError:
                text = f"cancelled; {len(lines)} of {len(targets)} images have levels"
                return JobResult(text, tuple(lines), "cancelled", Path(path))
            except ScopeError as error:
                problems.append(f"{target.name}: {error}")
            else:
                lines.append(f"{target.name}: {len(made)} levels")
        text = f"{len(lines)} of {len(targets)} images have levels"
        state: Literal["problems", "finished"] = "problems" if problems else "finished"
        return JobResult(text, _few([*problems, *lines]), state, Path(path))

    return Job("Make pyramid", os.fspath(path), run)


def validate_job(path: str | os.PathLike[str], *, pixels: bool = False) -> Job:
    """Return the job that checks an OME-Zarr store against its specification."""

    def run(tell: Tell, cancelled: Cancelled) -> JobResult:
        from napari_scope.formats.ngff.validation.checks import validate

        def progress(done: int, total: int) -> None:
            tell("checking", done, total)
            if cancelled():
                raise CancelledError("checking was cancelled", path=path)

        try:
            findings = validate(path, pixels=pixels, progress=progress)
        except CancelledError:
            return JobResult("cancelled", (), "cancelled")
        if not findings:
            return JobResult("valid")
        errors = sum(finding.severity == "error" for finding in findings)
        text = f"{errors} errors, {len(findings) - errors} warnings"
        return JobResult(text, _few([str(one) for one in findings]), "problems")

    return Job("Validate", os.fspath(path), run, writes=False)


def recover_job(path: str | os.PathLike[str]) -> Job:
    """Return the job that finishes the store of an interrupted run."""

    def run(tell: Tell, cancelled: Cancelled) -> JobResult:
        from napari_scope.stream.recovery import recover

        report = recover(path, progress=partial(_tell_image, tell, "checking"))
        gone = (report.missing or 0) + len(report.lost)
        text = f"{report.saved:,} frames recovered"
        if gone:
            text += f", {gone:,} missing"
        return JobResult(text, _few(report.lines()), "finished", Path(report.path))

    return Job("Recover", os.fspath(path), run, can_cancel=False)


def _tell_image(tell: Tell, words: str, done: int, total: int) -> None:
    tell(words, done, total)


def _named(source: str, wanted: list[str]) -> list[str]:
    """Return names of images; those of beginnings are looked up in the source."""
    if not any(name.endswith("/") for name in wanted):
        return wanted
    from napari_scope.formats import open_dataset

    starts = tuple(name for name in wanted if name.endswith("/"))
    names = [image.name for image in open_dataset(source).images]
    found = [name for name in names if name in wanted or name.startswith(starts)]
    if not found:
        raise SettingsError("nothing of what was chosen is there", path=source)
    return found


def _converted(report: ConversionReport) -> JobResult:
    lines = [f"{report.written:,} of {report.frames:,} frames in {report.target}"]
    lines += [f"not read: {dict(one.axes)}: {one.reason}" for one in report.unread]
    lines += [f"differs: {text}" for text in report.wrong]
    lines += report.notes
    if report.state == "cancelled":
        text = f"cancelled after {report.written:,} of {report.frames:,} frames"
        return JobResult(text, _few(lines), "cancelled", report.target)
    text = f"{report.written:,} frames converted"
    if report.verified is not None:
        text += (
            " and compared" if report.complete else f", {report.verified:,} the same"
        )
    if report.missing:
        text += f"; {report.missing:,} are missing in the source"
    state: Literal["finished", "problems"] = (
        "finished" if report.complete else "problems"
    )
    return JobResult(text, _few(lines), state, report.target)


def _few(lines: list[str]) -> tuple[str, ...]:
    if len(lines) <= _MOST_LINES:
        return tuple(lines)
    return (*lines[:_MOST_LINES], f"and {len(lines) - _MOST_LINES} more")
