"""What the commands print: reports as lines, and names from files made harmless.

Results go to the standard output, progress and errors to the error output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_scope._demo import Verification
    from napari_scope.acquire import RunReport
    from napari_scope.stream import Output
    from napari_scope.stream.convert import ConversionReport

__all__ = [
    "conversion_lines",
    "err_console",
    "harmless",
    "of_all",
    "out_console",
    "output_lines",
    "print_lines",
    "print_verification",
    "report_lines",
]

out_console = Console()
err_console = Console(stderr=True)

_MOST_LINES = 20  # on frames that went wrong


def harmless(text: str) -> str:
    """Return a text from a file in which nothing is a command to a terminal.

    Control characters, those that turn the direction of writing, and what cannot be
    encoded become what Python writes for them.
    """
    return "".join(
        c if c == " " or c.isprintable() else c.encode("unicode_escape").decode()
        for c in text
    )


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are, however long."""
    for line in lines:
        out_console.print(line, markup=False, highlight=False, soft_wrap=True)


def of_all(saved: int, planned: int | None) -> str:
    """Return a number, and of how many it is where that is known."""
    return str(saved) if planned is None else f"{saved} of {planned}"


def output_lines(outputs: Sequence[Output]) -> list[str]:
    """Return a line for each output."""
    return [f"  {output.format}: {output.path}" for output in outputs]


def report_lines(report: RunReport) -> list[str]:
    """Return what became of a run."""
    lines = [
        f"{report.state.value}: {of_all(report.saved, report.planned)} frames saved in "
        f"{report.duration_s:.1f} s ({report.mb_per_s:.0f} MB/s)",
        *output_lines(report.outputs),
    ]
    if report.dropped:
        lines.append(f"  {report.dropped} frames dropped, the buffer was full")
    for skipped in report.skipped:
        axes = ", ".join(f"{k}={v}" for k, v in skipped.axes.items())
        lines.append(f"  skipped {axes}: {skipped.reason}")
    return lines + [f"  warning: {warning}" for warning in report.warnings]


def conversion_lines(report: ConversionReport) -> list[str]:
    """Return what became of a conversion."""
    speed = report.written_bytes / 1e6 / max(report.duration_s, 1e-9)
    lines = [
        f"{report.state}: {of_all(report.written, report.frames)} frames converted in "
        f"{report.duration_s:.1f} s ({speed:.0f} MB/s)",
        f"  {report.format}: {report.target}",
    ]
    if report.state == "cancelled" and report.target.exists():
        lines.append("  closed as interrupted; what was written can be opened")
    if report.verified is not None:
        lines.append(
            f"  {of_all(report.verified, report.written)} frames read back and the same"
        )
    lines += [f"  differs: {axes}" for axes in report.wrong[:_MOST_LINES]]
    if report.missing:
        lines.append(
            f"  {report.missing} frames are missing in the source and marked as such"
        )
    for frame in report.unread[:_MOST_LINES]:
        axes = ", ".join(f"{k}={v}" for k, v in frame.axes.items())
        lines.append(f"  not readable, skipped {axes}: {frame.reason}")
    if len(report.unread) > _MOST_LINES:
        lines.append(f"  and {len(report.unread) - _MOST_LINES} more frames")
    return lines + [f"  note: {note}" for note in report.notes]


def print_verification(
    report: RunReport, outputs: Sequence[Output], results: Sequence[Verification]
) -> None:
    """Print how the outputs of the demonstration compare with the camera's frames."""
    table = Table()
    for column in ("format", "frames", "MB/s", "verified", "path"):
        table.add_column(column, overflow="fold")
    for output, result in zip(outputs, results, strict=True):
        verdict = "[green]all[/]" if result.passed else "[red]no[/]"
        table.add_row(
            output.format,
            str(result.expected),
            f"{report.mb_per_s:.1f}",
            f"{result.equal} of {result.expected} ({verdict})",
            str(output.path),
        )
    out_console.print(table)
    for result in results:
        for axes in result.wrong[:10]:
            err_console.print(f"differs or is missing: {axes}", markup=False)
