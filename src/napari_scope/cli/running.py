"""Following a run or a conversion to its end, and what signals do to it.

The work is done elsewhere; here it is asked how far it is, a bar shows that, and the
first Ctrl-C cancels it. Files are closed whatever happens, unless somebody insists.

Examples
--------
>>> with Interrupts() as interrupts:  # doctest: +SKIP
...     report = follow_run(run, interrupts)
>>> interrupts.count  # doctest: +SKIP
0
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import tempfile
import time
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from napari_scope import core_import
from napari_scope.cli.printing import err_console, of_all, output_lines, report_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from napari_scope.acquire import Run, RunProgress, RunReport
    from napari_scope.stream.convert import ConversionProgress

__all__ = [
    "ConversionFollower",
    "FrameBar",
    "Interrupts",
    "follow_run",
    "import_pymmcore_plus",
    "progress_bar",
]

_BY_SIGNAL = 128  # what shells add to the number of the signal that ended a program
_POLL_S = 0.1
_CLOSING = "closing the files; a third signal leaves them as they are"


def import_pymmcore_plus() -> None:
    """Import pymmcore-plus, also where it cannot make its log file.

    It opens one in the home folder while it is imported. `PYMM_LOG_FILE` can move the
    file but not, in 0.18, do without it.
    """
    try:
        core_import.import_pymmcore_plus()
    except OSError:
        folder = tempfile.mkdtemp(prefix="napari-scope-log-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["PYMM_LOG_FILE"] = os.path.join(folder, "pymmcore-plus.log")
        core_import.import_pymmcore_plus()


class Interrupts:
    """What Ctrl-C and SIGTERM do to a run, or a conversion.

    The first cancels it. The second changes nothing, the files have to be closed, but
    is told so. The third ends the program, with the files as they are. Before
    `watch` they do what they always do.
    """

    def __init__(self) -> None:
        self.count = 0
        self.exit_code = _BY_SIGNAL + signal.SIGINT
        self._last_words: Callable[[], list[str]] = list
        self._before: dict[int, Any] = {}

    def watch(self, last_words: Callable[[], list[str]]) -> None:
        """Let signals concern what is done from now on.

        ``last_words`` returns the lines to print when the program ends at once; it
        must not wait for anything.
        """
        self._last_words = last_words
        for number in (signal.SIGINT, signal.SIGTERM):
            # A shell lets programs in the background ignore Ctrl-C.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._heard)

    def __enter__(self) -> Interrupts:
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _heard(self, number: int, _: FrameType | None) -> None:
        # The code that is interrupted may hold any lock, so nothing is called here.
        self.count += 1
        if self.count == 1:
            self.exit_code = _BY_SIGNAL + number
        elif self.count > 2:
            self._leave()

    def _leave(self) -> None:
        """Say what is known and end the process, whatever it is waiting for."""
        lines = self._last_words()
        with contextlib.suppress(OSError):
            if err_console.is_terminal:
                os.write(2, b"\x1b[?25h\n")  # the bar has hidden the cursor
            os.write(1, ("\n".join(lines) + "\n").encode(errors="replace"))
        os._exit(self.exit_code)


def follow_run(run: Run, interrupts: Interrupts) -> RunReport:
    """Start a run and show its progress until all files are closed."""
    seen: RunProgress | None = None

    def last_words() -> list[str]:
        if run.report is not None:
            return report_lines(run.report)
        counts = (seen.saved, seen.planned) if seen else (0, None)
        return [
            f"cancelled: {of_all(*counts)} frames saved so far, the files were not "
            "closed",
            *output_lines(run.outputs),
        ]

    interrupts.watch(last_words)
    run.start()
    answers: list[Callable[[], object]] = [
        run.cancel,
        lambda: err_console.print(_CLOSING),
    ]
    with progress_bar() as bar:
        task = bar.add_task("preparing", total=None, rate="")
        while not run.done:
            while answers and interrupts.count > 2 - len(answers):
                answers.pop(0)()
            seen = _update(bar, task, run)
            time.sleep(_POLL_S)
        _update(bar, task, run)
    return run.wait()


def _update(bar: Progress, task: Any, run: Run) -> RunProgress:
    progress = run.progress()
    dealt = progress.saved + progress.skipped + progress.dropped
    rate = f"{progress.fps:.0f} frames/s  {progress.mb_per_s:.0f} MB/s"
    if progress.skipped or progress.dropped:
        rate += f"  {progress.skipped} skipped  {progress.dropped} dropped"
    bar.update(
        task,
        description=progress.state.value,
        completed=dealt,
        total=progress.planned,
        rate=rate,
    )
    return progress


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show a bar on the error output, which goes when the work is done."""
    columns = (
        TextColumn("{task.description:>11}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    # The report says it all afterwards, the error if there is one.
    with Progress(*columns, console=err_console, transient=True) as bar:
        yield bar


class FrameBar:
    """Shows how many frames of a run were checked.

    Parameters
    ----------
    bar : Progress
        Where to show it.
    """

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("looking", total=None, rate="")
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Show it, but not more often than can be seen."""
        now = time.monotonic()
        if now >= self._next or done == total:
            self._next = now + _POLL_S
            self._bar.update(
                self._task, description="checking", completed=done, total=total
            )


class ConversionFollower:
    """Shows how far a conversion is, and cancels it at the first signal."""

    def __init__(self, bar: Progress, interrupts: Interrupts, target: Path) -> None:
        self._bar = bar
        self._interrupts = interrupts
        self._target = target
        self._task = bar.add_task("opening", total=None, rate="")
        self._seen: ConversionProgress | None = None
        self._next = 0.0
        interrupts.watch(self._last_words)

    def __call__(self, progress: ConversionProgress) -> bool:
        """Show the progress; returns whether to go on."""
        self._seen = progress
        now = time.monotonic()
        if now >= self._next or progress.done == progress.total:
            self._next = now + _POLL_S
            unread = f"{progress.unread} not readable" if progress.unread else ""
            self._bar.update(
                self._task,
                description=progress.phase,
                completed=progress.done,
                total=progress.total,
                rate=unread,
            )
        if self._interrupts.count and progress.phase == "converting":
            err_console.print(_CLOSING)
        return not self._interrupts.count

    def _last_words(self) -> list[str]:
        counts = (self._seen.done, self._seen.total) if self._seen else (0, None)
        phase = self._seen.phase if self._seen else "opening"
        return [
            f"cancelled while {phase}: {of_all(*counts)} frames done, the files were "
            "not closed",
            f"  {self._target}",
        ]
