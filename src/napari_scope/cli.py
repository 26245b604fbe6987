"""The command line: parse, call, report. Everything is done by the rooms below."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from napari_scope.errors import FormatError, ScopeError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from napari_scope._demo import Verification
    from napari_scope.acquire import Run, RunProgress, RunReport
    from napari_scope.model import Dataset
    from napari_scope.stream import FormatName, Output
    from napari_scope.stream.convert import ConversionProgress, ConversionReport

__all__ = ["app", "main"]

app = typer.Typer(
    name="napari-scope",
    help="Acquire, stream and browse microscope data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_out = Console()
_err = Console(stderr=True)

BY_SIGNAL = 128  # what shells add to the number of the signal that ended a program
POLL_S = 0.1
CLOSING = "closing the files; a third signal leaves them as they are"
MOST_LINES = 20  # on frames that went wrong
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


class SaveAs(StrEnum):
    """What to save a run as."""

    OME_ZARR = "ome-zarr"
    NDTIFF = "ndtiff"
    BOTH = "both"


class ConvertTo(StrEnum):
    """What to convert a data set to."""

    OME_ZARR = "ome-zarr"
    NDTIFF = "ndtiff"


class OnError(StrEnum):
    """What a failure does."""

    STOP = "stop"
    SKIP = "skip"


def main() -> None:
    """Run the command line; errors end in one line and a non-zero exit code."""
    try:
        app()
    except ScopeError as error:
        text = str(error)
    except OSError as error:
        text = error.strerror or str(error) or type(error).__name__
        if error.filename is not None:
            text += f" ({error.filename})"
    else:
        return
    _err.print("[bold red]error:[/]", end=" ")
    one_line = " ".join(line.strip() for line in text.splitlines())
    _err.print(_harmless(one_line), markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


@app.callback()
def _root() -> None:
    """Acquire, stream and browse microscope data."""


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder to save into; names count up.")
    ] = Path("napari-scope-demo"),
    headless: Annotated[
        bool, typer.Option("--headless", help="Do not open napari afterwards.")
    ] = False,
    screenshot: Annotated[
        Path | None,
        typer.Option(
            help="Save a picture of napari with the result (needs a display)."
        ),
    ] = None,
) -> None:
    """Run an acquisition on the demo microscope, save it, and check every frame."""
    if screenshot is not None:
        _check_screenshot(screenshot)
    _import_pymmcore_plus()
    from napari_scope._demo import WitnessedRun, demo_sequence, verify
    from napari_scope.acquire import CoreOwner, Output, next_free_name, output_path

    formats: tuple[FormatName, ...] = ("ome-zarr", "ndtiff")
    name = next_free_name(out, "demo", formats)
    outputs = [Output(output_path(out, name, f), f) for f in formats]
    with _Interrupts() as interrupts, CoreOwner() as owner:
        owner.load()
        run = WitnessedRun(owner, demo_sequence(), outputs, name=name)
        report = _follow(run, interrupts)
    results = [verify(output.path, run) for output in outputs]
    _print_verification(report, outputs, results)
    if not all(result.passed for result in results):
        raise typer.Exit(1)
    if report.state.value != "finished":
        raise typer.Exit(interrupts.exit_code)
    if screenshot is not None or (not headless and _has_display()):
        _show(outputs[0], screenshot, stay=not headless)
    elif not headless:
        _out.print("There is no display, so napari is not opened.")


@app.command()
def acquire(
    plan: Annotated[Path, typer.Argument(help="A useq sequence, yaml or json.")],
    out: Annotated[
        # No Path: that would forget a slash at the end.
        str, typer.Option(metavar="PATH", help="Folder and name to save as.")
    ],
    save_as: Annotated[
        SaveAs | None,
        typer.Option("--format", help="Format; by default the suffix of --out says."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Hardware configuration (.cfg); the demo one by default."),
    ] = None,
    on_error: Annotated[
        OnError, typer.Option(help="What a hardware failure does.")
    ] = OnError.STOP,
) -> None:
    """Run a plan and save it."""
    from napari_scope.events import load_plan

    sequence = load_plan(plan)
    outputs = _outputs(out, save_as)
    _import_pymmcore_plus()
    from napari_scope.acquire import CoreOwner, Run

    with _Interrupts() as interrupts:
        with CoreOwner() as owner:
            owner.load(config)
            run = Run(owner, sequence, outputs, on_error=on_error.value)
            report = _follow(run, interrupts)
        # Signals still only count, so that this is said in any case.
        for line in _report_lines(report):
            _out.print(line, markup=False, highlight=False, soft_wrap=True)
    if report.state.value == "cancelled":
        raise typer.Exit(interrupts.exit_code)


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="A data set.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of a table.")
    ] = False,
) -> None:
    """Say what a data set holds."""
    from napari_scope.formats import open_dataset

    dataset = open_dataset(path)
    facts = _facts(dataset)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    title = f"{dataset.format} {dataset.format_version}  {dataset.path}"
    table = Table(title=Text(_harmless(title), "table.title"), title_justify="left")
    for column in ("image", "axes", "shape", "type", "levels", "pixel", "channels"):
        table.add_column(column)
    for image in facts["images"]:
        row = (
            image["name"],
            " ".join(image["axes"]),
            " x ".join(map(str, image["shape"])),
            image["dtype"],
            str(image["levels"]),
            image["pixel"] or "",
            ", ".join(image["channels"]),
        )
        # As text: a name in brackets is no style.
        table.add_row(*(Text(_harmless(cell)) for cell in row))
    _out.print(table)
    if facts["journal"]:
        _out.print(_journal_sentence(facts["journal"]))
    elif facts["frames"] is not None:
        _out.print(f"{facts['frames']} frames")
    if not facts["finished"] and not facts["journal"]:
        _out.print("it is being written, or its writer was stopped")
    for problem in dataset.problems:
        line = f"problem: {_harmless(problem)}"
        _err.print(line, markup=False, highlight=False)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A data set.")],
    target: Annotated[
        Path, typer.Argument(help="What to make: .ome.zarr, .zarr or .ndtiff.")
    ],
    convert_to: Annotated[
        ConvertTo | None,
        typer.Option(
            "--format", help="Format; by default the suffix of the target says."
        ),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(help="Name of an image to convert; may be repeated."),
    ] = None,
    on_error: Annotated[
        OnError, typer.Option(help="What a frame that cannot be read does.")
    ] = OnError.STOP,
    no_verify: Annotated[
        bool,
        typer.Option("--no-verify", help="Do not read the target back to compare it."),
    ] = False,
) -> None:
    """Convert a data set to OME-Zarr or NDTiff, and compare every frame."""
    from napari_scope.stream.convert import convert as convert_dataset

    with _Interrupts() as interrupts, _bar() as bar:
        follower = _Follower(bar, interrupts, target)
        report = convert_dataset(
            source,
            target,
            format=None if convert_to is None else convert_to.value,
            images=image or None,
            on_error=on_error.value,
            verify=not no_verify,
            progress=follower,
        )
        bar.stop()
        # Signals still only count, so that this is said in any case.
        for line in _conversion_lines(report):
            _out.print(line, markup=False, highlight=False, soft_wrap=True)
    if interrupts.count:
        raise typer.Exit(interrupts.exit_code)
    if report.verified is not None and report.verified < report.written:
        raise typer.Exit(1)


@app.command()
def recover(
    path: Annotated[Path, typer.Argument(help="A run, or an NDTiff data set.")],
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Go on where a network drive cannot tell whether somebody writes.",
        ),
    ] = False,
) -> None:
    """Finish a run that was interrupted; write a whole index where NDTiff has none."""
    from napari_scope.formats.ndtiff.recovery import recover as recover_index
    from napari_scope.stream.recovery import has_journal
    from napari_scope.stream.recovery import recover as recover_run

    lines: list[str] = []
    of_index = True
    if has_journal(path):
        try:
            run = recover_run(path, force=force)
        except FormatError as error:
            # The frames of NDTiff are found without its journal.
            if not list(path.glob("*.tif")):
                raise
            lines = [str(error)]
        else:
            lines = run.lines()
            # A run recovered just now has its index; an older one may have lost it.
            of_index = run.format == "ndtiff" and run.was_closed
    if of_index:
        report = recover_index(path)
        if not any(level.kept + level.recovered for level in report.levels):
            raise FormatError("no frame was found: nothing was written", path=path)
        lines += report.lines()
    for line in lines:
        _out.print(line, markup=False, highlight=False, soft_wrap=True)


# ------------------------------------------------------------------ running


def _import_pymmcore_plus() -> None:
    """Import pymmcore-plus, also where it cannot make its log file.

    It opens one in the home folder while it is imported. `PYMM_LOG_FILE` can move the
    file but not, in 0.18, do without it.
    """
    try:
        importlib.import_module("pymmcore_plus")
    except OSError:
        folder = tempfile.mkdtemp(prefix="napari-scope-log-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["PYMM_LOG_FILE"] = os.path.join(folder, "pymmcore-plus.log")
        importlib.import_module("pymmcore_plus")


def _outputs(out: str, save_as: SaveAs | None) -> list[Output]:
    """Return the outputs that a path and a format ask for.

    A path with a suffix that is known is kept as it was typed.
    """
    from napari_scope.stream import FORMATS, Output, output_path

    path = Path(out)
    name = path.name
    found: FormatName | None = None
    for known, suffixes in FORMATS.items():
        for suffix in suffixes:
            if found is None and name.lower().endswith(suffix):
                found, name = known, name[: -len(suffix)]
    is_folder = out.endswith(("/", os.sep)) and found is None
    if is_folder or path.name in ("", ".."):
        raise SettingsError(
            "the output is a folder",
            path=out,
            hint=f"add a name for the run, such as {path / 'run'}",
        )
    if not name:
        raise SettingsError("the output has no name", path=out)
    formats: tuple[FormatName, ...]
    if save_as is None:
        formats = (found or "ome-zarr",)
    elif save_as is SaveAs.BOTH:
        formats = ("ome-zarr", "ndtiff")
    else:
        formats = ("ome-zarr",) if save_as is SaveAs.OME_ZARR else ("ndtiff",)
        if found is not None and found != formats[0]:
            raise SettingsError(
                f"the suffix of {path.name!r} means {found}, --format says "
                f"{formats[0]}",
                hint="leave one of the two out",
            )
    return [
        Output(path if f == found else output_path(path.parent, name, f), f)
        for f in formats
    ]


class _Interrupts:
    """What Ctrl-C and SIGTERM do to a run, or a conversion.

    The first cancels it. The second changes nothing, the files have to be closed, but
    is told so. The third ends the program, with the files as they are. Before
    `watch` they do what they always do.
    """

    def __init__(self) -> None:
        self.count = 0
        self.exit_code = BY_SIGNAL + signal.SIGINT
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

    def __enter__(self) -> _Interrupts:
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _heard(self, number: int, _: FrameType | None) -> None:
        # The code that is interrupted may hold any lock, so nothing is called here.
        self.count += 1
        if self.count == 1:
            self.exit_code = BY_SIGNAL + number
        elif self.count > 2:
            self._leave()

    def _leave(self) -> None:
        """Say what is known and end the process, whatever it is waiting for."""
        lines = self._last_words()
        with contextlib.suppress(OSError):
            if _err.is_terminal:
                os.write(2, b"\x1b[?25h\n")  # the bar has hidden the cursor
            os.write(1, ("\n".join(lines) + "\n").encode(errors="replace"))
        os._exit(self.exit_code)


def _follow(run: Run, interrupts: _Interrupts) -> RunReport:
    """Start a run and show its progress until all files are closed."""
    seen: RunProgress | None = None

    def last_words() -> list[str]:
        if run.report is not None:
            return _report_lines(run.report)
        counts = (seen.saved, seen.planned) if seen else (0, None)
        return [
            f"cancelled: {_of(*counts)} frames saved so far, the files were not closed",
            *_output_lines(run.outputs),
        ]

    interrupts.watch(last_words)
    run.start()
    answers: list[Callable[[], object]] = [
        run.cancel,
        lambda: _err.print(CLOSING),
    ]
    with _bar() as bar:
        task = bar.add_task("preparing", total=None, rate="")
        while not run.done:
            while answers and interrupts.count > 2 - len(answers):
                answers.pop(0)()
            seen = _update(bar, task, run)
            time.sleep(POLL_S)
        _update(bar, task, run)
    return run.wait()


@contextlib.contextmanager
def _bar() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description:>11}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    # The report says it all afterwards, the error if there is one.
    with Progress(*columns, console=_err, transient=True) as bar:
        yield bar


class _Follower:
    """Shows how far a conversion is, and cancels it at the first signal."""

    def __init__(self, bar: Progress, interrupts: _Interrupts, target: Path) -> None:
        self._bar = bar
        self._interrupts = interrupts
        self._target = target
        self._task = bar.add_task("opening", total=None, rate="")
        self._seen: ConversionProgress | None = None
        self._next = 0.0
        interrupts.watch(self._last_words)

    def __call__(self, progress: ConversionProgress) -> bool:
        self._seen = progress
        now = time.monotonic()
        if now >= self._next or progress.done == progress.total:
            self._next = now + POLL_S
            unread = f"{progress.unread} not readable" if progress.unread else ""
            self._bar.update(
                self._task,
                description=progress.phase,
                completed=progress.done,
                total=progress.total,
                rate=unread,
            )
        if self._interrupts.count and progress.phase == "converting":
            _err.print(CLOSING)
        return not self._interrupts.count

    def _last_words(self) -> list[str]:
        counts = (self._seen.done, self._seen.total) if self._seen else (0, None)
        phase = self._seen.phase if self._seen else "opening"
        return [
            f"cancelled while {phase}: {_of(*counts)} frames done, the files were not "
            "closed",
            f"  {self._target}",
        ]


def _conversion_lines(report: ConversionReport) -> list[str]:
    speed = report.written_bytes / 1e6 / max(report.duration_s, 1e-9)
    lines = [
        f"{report.state}: {_of(report.written, report.frames)} frames converted in "
        f"{report.duration_s:.1f} s ({speed:.0f} MB/s)",
        f"  {report.format}: {report.target}",
    ]
    if report.state == "cancelled" and report.target.exists():
        lines.append("  closed as interrupted; what was written can be opened")
    if report.verified is not None:
        lines.append(
            f"  {_of(report.verified, report.written)} frames read back and the same"
        )
    lines += [f"  differs: {axes}" for axes in report.wrong[:MOST_LINES]]
    if report.missing:
        lines.append(
            f"  {report.missing} frames are missing in the source and marked as such"
        )
    for frame in report.unread[:MOST_LINES]:
        axes = ", ".join(f"{k}={v}" for k, v in frame.axes.items())
        lines.append(f"  not readable, skipped {axes}: {frame.reason}")
    if len(report.unread) > MOST_LINES:
        lines.append(f"  and {len(report.unread) - MOST_LINES} more frames")
    return lines + [f"  note: {note}" for note in report.notes]


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


def _of(saved: int, planned: int | None) -> str:
    return str(saved) if planned is None else f"{saved} of {planned}"


def _output_lines(outputs: Sequence[Output]) -> list[str]:
    return [f"  {output.format}: {output.path}" for output in outputs]


def _report_lines(report: RunReport) -> list[str]:
    lines = [
        f"{report.state.value}: {_of(report.saved, report.planned)} frames saved in "
        f"{report.duration_s:.1f} s ({report.mb_per_s:.0f} MB/s)",
        *_output_lines(report.outputs),
    ]
    if report.dropped:
        lines.append(f"  {report.dropped} frames dropped, the buffer was full")
    for skipped in report.skipped:
        axes = ", ".join(f"{k}={v}" for k, v in skipped.axes.items())
        lines.append(f"  skipped {axes}: {skipped.reason}")
    return lines + [f"  warning: {warning}" for warning in report.warnings]


def _print_verification(
    report: RunReport, outputs: Sequence[Output], results: Sequence[Verification]
) -> None:
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
    _out.print(table)
    for result in results:
        for axes in result.wrong[:10]:
            _err.print(f"differs or is missing: {axes}", markup=False)


# ------------------------------------------------------------------ looking


def _harmless(text: str) -> str:
    """Return a text from a file in which nothing is a command to a terminal.

    Control characters, those that turn the direction of writing, and what cannot be
    encoded become what Python writes for them.
    """
    return "".join(
        c if c == " " or c.isprintable() else c.encode("unicode_escape").decode()
        for c in text
    )


def _facts(dataset: Dataset) -> dict[str, Any]:
    images = []
    for image in dataset.images:
        level = image.levels[0]
        x = image.axes[-2 if image.rgb else -1]
        images.append(
            {
                "name": image.name,
                "axes": list(image.axis_names),
                "shape": list(level.shape),
                "dtype": str(level.dtype),
                "levels": len(image.levels),
                "pixel": f"{x.scale:g} {x.unit}" if x.unit else None,
                "scale": [axis.scale for axis in image.axes],
                "translation": [axis.translation for axis in image.axes],
                "units": [axis.unit for axis in image.axes],
                "channels": [channel.name for channel in image.channels],
            }
        )
    return {
        "path": dataset.path,
        "format": dataset.format,
        "format_version": dataset.format_version,
        "images": images,
        "frames": dataset.metadata.get("frames"),
        "finished": dataset.finished,
        "journal": _journal(Path(dataset.path)),
        "problems": list(dataset.problems),
    }


def _journal(path: Path) -> dict[str, Any] | None:
    """Return what the journal of a run says, if the store has one."""
    from napari_scope.stream import JOURNAL_NAME, read_journal

    folder = path if path.is_dir() else path.parent
    for place in (folder / JOURNAL_NAME, folder / "acquisition" / JOURNAL_NAME):
        if place.is_file():
            content = read_journal(place)
            status = [frame.get("status") for frame in content.frames]
            return {
                "planned": content.header.get("frames"),
                "saved": status.count("saved"),
                "skipped": status.count("skipped"),
                "dropped": status.count("dropped"),
                "closed": content.closed is not None,
            }
    return None


def _journal_sentence(journal: dict[str, Any]) -> str:
    text = f"{_of(journal['saved'], journal['planned'])} frames"
    for kind in ("skipped", "dropped"):
        if journal[kind]:
            text += f", {journal[kind]} {kind}"
    if not journal["closed"]:
        text += "; the run goes on, or was interrupted"
    return text


def _has_display() -> bool:
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _check_screenshot(path: Path) -> None:
    """Find out before the run whether a screenshot can be taken and saved."""
    if path.suffix.lower() not in PICTURES:
        raise SettingsError(
            f"a screenshot is saved as one of {', '.join(PICTURES)}, found "
            f"{path.suffix!r}",
            path=path,
        )
    if path.is_dir():
        raise SettingsError("the screenshot would replace a folder", path=path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"the folder of the screenshot cannot be made, {error.strerror}",
            path=path.parent,
        ) from error
    if not _has_display():
        raise SettingsError(
            "a screenshot needs a display",
            hint="run it under 'xvfb-run -a -s \"-screen 0 1600x1000x24\"'",
        )


def _show(output: Output, screenshot: Path | None, *, stay: bool) -> None:
    import napari
    from napari.qt import get_qapp

    events = get_qapp()
    viewer = napari.Viewer(title="napari-scope demo")
    viewer.open(output.path, plugin="napari-scope")
    viewer.window.resize(1600, 1000)
    for _ in range(20):  # lets the canvas be laid out and painted
        events.processEvents()
        time.sleep(0.05)
    viewer.reset_view()
    if screenshot is not None:
        events.processEvents()
        viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
        _out.print(f"screenshot: {screenshot}", highlight=False)
    if stay:
        napari.run()
    else:
        viewer.close()


if __name__ == "__main__":
    main()
