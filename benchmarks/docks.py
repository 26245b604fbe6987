"""The Acquire dock: what a run costs beside a viewer, and how free the GUI stays."""

from __future__ import annotations

from benchmarks.gui import Column, GuiBenchmark, GuiCase, GuiTarget
from benchmarks.live import PEER_PATH

__all__ = ["acquire_dock", "benchmarks"]

_OURS, _HEADLESS = "napari-scope, Acquire dock", "napari-scope, no window"
_PEER, _FLOOR = "napari-micromanager", "napari alone, one layer added"
_PROGRAM = "benchmarks.docks_program"

_TEXT = (
    "{n} frames of 512 x 512 uint16 pixels, 1 ms exposure, run by the hardware's own "
    "clock, on Micro-Manager's demo microscope: shown while they come, and saved. "
    "Counted is from the click on Run until all files are closed and the last layer is "
    "shown. A timer of 5 ms tells how long the GUI stands still, and how much of that "
    "the GUI's own thread has worked; what comes before the run's first frame is the "
    "answer to the click, what comes later is a picture that stands still. "
    "*No window* is the same run without one. "
    "*napari alone* is the floor of every run that is shown: an array of numpy is "
    "added to an empty viewer that does nothing else and has imported all it needs; "
    "then another one. "
    "napari-micromanager saves to its temporary store."
)


def benchmarks() -> list[GuiBenchmark]:
    """Return the benchmarks of this module in full size."""
    return [acquire_dock(500)]


def acquire_dock(n: int) -> GuiBenchmark:
    """Return the benchmark with ``n`` frames."""

    def case(name: str, role: str, who: str, needs: str | None = None) -> GuiCase:
        return GuiCase(
            name,
            role,  # type: ignore[arg-type]
            _PROGRAM,
            {"who": who, "frames": n},
            needs=needs,
            path_variable=PEER_PATH if needs else None,
        )

    return GuiBenchmark(
        title=f"Acquire dock, {n} frames of 512 x 512, shown and saved",
        text=_TEXT.format(n=n),
        cases=[
            case(_OURS, "ours", "ours"),
            case(_PEER, "peer", "peer", "napari_micromanager"),
            case(_HEADLESS, "limit", "headless"),
            case(_FLOOR, "limit", "floor"),
        ],
        columns=[
            Column("run_s", "run, s"),
            Column("again_run_s", "second run, s"),
            Column("max_ms", "GUI stands still, ms"),
            Column("work_ms", "of it work, ms"),
            Column("before_ms", "before the first frame, ms"),
            Column("after_ms", "while frames come, ms"),
            Column("again_max_ms", "second run stands still, ms"),
            Column("again_work_ms", "of it work, ms"),
            Column("again_before_ms", "before the first frame, ms"),
            Column("again_after_ms", "while frames come, ms"),
            Column("p95_ms", "95 of 100 gaps, ms"),
            Column("open_s", "opening, s"),
            Column("open_work_s", "of it work, s"),
        ],
        targets=[
            GuiTarget(_OURS, "after_ms", 100),
            GuiTarget(_OURS, "again_after_ms", 100),
            GuiTarget(_OURS, "max_ms", 0.1, against=_PEER),
            GuiTarget(_OURS, "work_ms", 1.25, against=_FLOOR),
            GuiTarget(_OURS, "run_s", 1.1, against=_HEADLESS),
            GuiTarget(_OURS, "open_s", 0.5),
        ],
    )
