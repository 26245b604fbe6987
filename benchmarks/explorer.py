"""The map of the stage: what a step of the view costs over 2,500 tiles."""

from __future__ import annotations

from benchmarks.gui import Column, GuiBenchmark, GuiCase, GuiTarget

__all__ = ["benchmarks", "panning"]

_OURS = "mosaic and map of napari-scope"
_NAIVE = "mosaic, and a shapes layer of rectangles"
_PEER = "StageExplorer of pymmcore-widgets, 100 tiles"
_PROGRAM = "benchmarks.explorer_program"
_TEXT = (
    "A sample of {n} tiles of 64 x 64 pixels, half of them taken, half planned, in a "
    "window of 1280 x 800 that shows all of it; the view is moved by 25 um, 60 times. "
    "*Step* is the time of the GUI thread, *wall* has the drawing by the processor in "
    "it where there is no graphics card; *one tile more* is what is drawn anew for it. "
    "pymmcore-widgets shows each tile as an image of its own and no frames; it gets "
    "100 of them, because adding 2,500 takes minutes (200 s and more)."
)
_COLUMNS = (
    Column("step_ms", "step ms, median"),
    Column("longest_ms", "longest", worst=True),
    Column("wall_ms", "wall ms, median"),
    Column("change_ms", "one tile more, ms"),
    Column("added_s", "shown after s"),
)


def benchmarks() -> list[GuiBenchmark]:
    """Return the benchmarks of this module in full size."""
    return [panning(50)]


def panning(side: int) -> GuiBenchmark:
    """Return the benchmark over so many tiles along each side."""
    return GuiBenchmark(
        title=f"The explorer with {side * side} tiles: a step of the view",
        text=_TEXT.format(n=side * side),
        cases=[
            GuiCase(_OURS, "ours", _PROGRAM, {"who": "ours", "side": side}),
            GuiCase(_NAIVE, "limit", _PROGRAM, {"who": "shapes", "side": side}),
            GuiCase(
                _PEER,
                "peer",
                _PROGRAM,
                {"who": "widgets", "side": min(side, 10)},
                needs="pymmcore_widgets",
            ),
        ],
        columns=_COLUMNS,
        targets=[
            GuiTarget(_OURS, "step_ms", 20),
            GuiTarget(_OURS, "step_ms", 1, against=_PEER),
        ],
        rounds=1,  # of 60 steps each
    )
