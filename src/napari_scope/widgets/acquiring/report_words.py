"""The report of a run in words: for the screen, and to be copied.

Examples
--------
>>> from napari_scope.acquire import RunReport, RunState
>>> report = RunReport(RunState.FINISHED, 2, 2, 0, (), (), 1.0, 2_000_000)
>>> print(report_text("cells_001", report))
cells_001: finished
2 of 2 frames saved, 2.0 MB
1.0 s, 2.0 MB/s on average
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.widgets.acquiring.run_words import STEPS
from napari_scope.widgets.common.wording import duration_text, size_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.acquire import RunReport, SkippedFrame

__all__ = ["frame_words", "report_text", "skipped_lines"]

_MOST_LINES = 1000


def report_text(
    name: str, report: RunReport, error: str = "", *, most: int = _MOST_LINES
) -> str:
    """Return a report as plain text, one fact on each line.

    Parameters
    ----------
    name : str
        Name of the run.
    report : RunReport
        The report.
    error : str
        What ended the run early.
    most : int
        Most lines of skipped frames, and of warnings.
    """
    total = f" of {report.planned:,}" if report.planned is not None else ""
    lines = [
        f"{name}: {report.state.value}",
        f"{report.saved:,}{total} frames saved, {size_text(report.saved_bytes)}",
        f"{duration_text(report.duration_s)}, {report.mb_per_s:.1f} MB/s on average",
    ]
    if error:
        lines.append(f"error: {error}")
    if report.finished_after is not None:
        step = STEPS.get(report.finished_after, f"step of {report.finished_after}")
        rest = f"; left out: {report.left_out:,}" if report.left_out else ""
        lines.append(f"ended after a {step} on purpose{rest}")
    if report.dropped:
        lines.append(f"{report.dropped:,} frames dropped by a full buffer")
    if report.skipped:
        noun = "frame" if len(report.skipped) == 1 else "frames"
        lines.append(f"{len(report.skipped):,} {noun} skipped:")
        lines += skipped_lines(report.skipped, most)
    if report.warnings:
        noun = "warning" if len(report.warnings) == 1 else "warnings"
        lines.append(f"{len(report.warnings):,} {noun}:")
        lines += [f"  {text}" for text in report.warnings[:most]]
    lines += [f"{output.format}: {output.path}" for output in report.outputs]
    return "\n".join(lines)


def skipped_lines(frames: Sequence[SkippedFrame], most: int) -> list[str]:
    """Return a line for each skipped frame; those with one reason are put together."""
    reasons: dict[str, list[str]] = {}
    for frame in frames:
        reasons.setdefault(frame.reason, []).append(frame_words(frame.axes))
    lines: list[str] = []
    for reason, places in reasons.items():
        if len(lines) >= most:
            lines.append(f"  and {len(reasons) - most:,} other reasons")
            break
        shown = "; ".join(places[:3])
        more = f" and {len(places) - 3:,} more" if len(places) > 3 else ""
        lines.append(f"  {shown}{more}: {reason}")
    return lines


def frame_words(axes: Mapping[str, int | str]) -> str:
    """Return which frame it is.

    Examples
    --------
    >>> frame_words({"time": 3, "channel": "DAPI"})
    'time 3, channel DAPI'
    """
    return ", ".join(f"{name} {value}" for name, value in axes.items()) or "a frame"
