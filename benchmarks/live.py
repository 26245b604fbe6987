"""The live view: how free the GUI stays at the shortest exposure, and after a run."""

from __future__ import annotations

from benchmarks.gui import Column, GuiBenchmark, GuiCase, GuiTarget

__all__ = ["PEER_PATH", "benchmarks", "live_after_run", "live_view"]

PEER_PATH = "NAPARI_MICROMANAGER_PATH"
"""Environment variable with a folder of napari-micromanager: its manifest would be in
the way of our tests, so it is not installed beside us."""

_OURS, _PEER = "napari-scope", "napari-micromanager"
_PROGRAM = "benchmarks.live_program"

_LIVE_TEXT = (
    "The demo microscope, live at an exposure of 1 ms with images of {size} x {size} "
    "uint16 pixels, in a window of napari. A timer of 5 ms tells how free the GUI is: "
    "the gap between two ticks would be 5 ms in a window that has nothing to do. "
    "*Shown* are the images given to napari in a second, *work* is what the GUI's own "
    "thread has worked for each of them: other programs make gaps longer, but not this."
)
_RUN_TEXT = (
    "{live} Then a run of {n} frames that is shown, then live again: is the second as "
    "smooth as the first?"
)
_COLUMNS = (
    Column("median_ms", "gap ms, median"),
    Column("p95_ms", "95 of 100"),
    Column("max_ms", "longest", worst=True),
    Column("shown_fps", "shown/s"),
    Column("image_work_ms", "work ms an image"),
)
_AFTER = (
    *_COLUMNS,
    Column("after_median_ms", "gap ms after the run"),
    Column("after_shown_fps", "shown/s after the run"),
    Column("after_image_work_ms", "work ms an image after the run"),
)
_SMOOTH = (
    GuiTarget(_OURS, "median_ms", 20),
    GuiTarget(_OURS, "median_ms", 0.5, against=_PEER),
)


def benchmarks() -> list[GuiBenchmark]:
    """Return the benchmarks of this module in full size."""
    return [live_after_run(512, 500), live_view(2048)]


def live_view(size: int, seconds: float = 4.0) -> GuiBenchmark:
    """Return the benchmark of the live view for square images."""
    return GuiBenchmark(
        title=f"Live view, {size} x {size}, 1 ms exposure",
        text=_LIVE_TEXT.format(size=size),
        cases=_cases(size, seconds, 0),
        columns=_COLUMNS,
        targets=_SMOOTH,
        rounds=1,
    )


def live_after_run(size: int, n: int, seconds: float = 4.0) -> GuiBenchmark:
    """Return the benchmark of the live view before and after a run of n frames."""
    return GuiBenchmark(
        title=f"Live view, {size} x {size}, 1 ms exposure, before and after a run",
        text=_RUN_TEXT.format(live=_LIVE_TEXT.format(size=size), n=n),
        cases=_cases(size, seconds, n),
        columns=_AFTER,
        targets=[
            *_SMOOTH,
            GuiTarget(_OURS, "after_median_ms", 20),
            GuiTarget(
                _OURS,
                "after_image_work_ms",
                1.25,
                against=_OURS,
                against_key="image_work_ms",
            ),
        ],
    )


def _cases(size: int, seconds: float, n: int) -> list[GuiCase]:
    plan = {"size": size, "seconds": seconds, "frames": n}
    return [
        GuiCase(_OURS, "ours", _PROGRAM, {"who": "ours", **plan}),
        GuiCase(
            _PEER,
            "peer",
            _PROGRAM,
            {"who": "peer", **plan},
            needs="napari_micromanager",
            path_variable=PEER_PATH,
        ),
    ]
