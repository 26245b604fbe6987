"""Find bright cells in an overview, and take a stack of each while the run goes on.

    python examples/adaptive_cells.py [FOLDER]

The overview is four tiles. A function gets each image before it is stored; where it
sees a cell it puts a stack at the cell's place on the stage into the queue of events.
Nobody waits: the microscope goes on with the overview meanwhile.

The cells are the beads of the demo camera. For your own microscope leave out
`show_beads`, load your configuration, and set THRESHOLD and RADIUS_PX.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.acquire import Acquisition, CoreOwner, EventQueue

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus

STEP_UM = 400.0  # from tile to tile: less than the field of view, so that they overlap
STACK_UM = (-8.0, -4.0, 0.0, 4.0, 8.0)
THRESHOLD = 500  # grey values
RADIUS_PX = 24  # of a cell

Place = tuple[float, float]


def show_beads(core: CMMCorePlus) -> None:
    """Let the demo camera show a few large beads."""
    core.setProperty("Camera", "Mode", "Fluorescent Beads")
    core.setProperty("Camera", "BeadSize", 10)
    core.setProperty("Camera", "BeadDensity", 10)
    core.setProperty("Camera", "BeadBrightness", 5)


def bright_spots(image: npt.NDArray[np.generic]) -> list[Place]:
    """Return row and column of the bright spots that lie wholly in an image."""
    left = image.astype("f8")
    height, width = left.shape
    found = []
    while left.max() > THRESHOLD:
        row, column = np.unravel_index(left.argmax(), left.shape)
        top, first = max(0, row - RADIUS_PX), max(0, column - RADIUS_PX)
        spot = left[top : row + RADIUS_PX + 1, first : column + RADIUS_PX + 1]
        rows, columns = np.indices(spot.shape)
        center = (
            top + float((rows * spot).sum() / spot.sum()),
            first + float((columns * spot).sum() / spot.sum()),
        )
        spot[...] = 0
        edges = (*center, height - 1 - center[0], width - 1 - center[1])
        if min(edges) > RADIUS_PX:
            found.append(center)
    return found


class CellFinder:
    """Asks for a stack of every cell that it has not seen before."""

    def __init__(self, core: CMMCorePlus) -> None:
        # How the stage moves when the image moves by a pixel to the right, and down.
        self.affine = core.getPixelSizeAffine()
        self.cells: list[Place] = []

    def __call__(
        self,
        image: npt.NDArray[np.generic],
        metadata: dict[str, Any],
        queue: EventQueue,
    ) -> tuple[npt.NDArray[np.generic], dict[str, Any]]:
        """Look at an image; what is returned is stored."""
        if "cell" not in metadata["Axes"]:
            for row, column in bright_spots(image):
                place = self.stage_place(image.shape, metadata, row, column)
                if all(math.dist(place, cell) > RADIUS_PX for cell in self.cells):
                    queue.put(self.stack(len(self.cells), place))
                    self.cells.append(place)
        return image, metadata

    def stage_place(
        self,
        shape: tuple[int, ...],
        metadata: dict[str, Any],
        row: float,
        column: float,
    ) -> Place:
        """Return where the stage must be for a pixel to be in the middle."""
        a, b, _, d, e, _ = self.affine
        right, down = column - (shape[1] - 1) / 2, row - (shape[0] - 1) / 2
        return (
            metadata["XPosition_um_Intended"] + a * right + b * down,
            metadata["YPosition_um_Intended"] + d * right + e * down,
        )

    def stack(self, cell: int, place: Place) -> list[dict[str, Any]]:
        """Return the events of a stack; they may become one hardware sequence."""
        x, y = place
        return [
            {"axes": {"cell": cell, "z": number}, "x": x, "y": y, "z": z}
            for number, z in enumerate(STACK_UM)
        ]


def main(folder: str | Path) -> tuple[Path, list[Place]]:
    """Run it; returns where the images are, and the places of the cells."""
    tiles = [(STEP_UM * column, STEP_UM * row) for row in (0, 1) for column in (0, 1)]
    overview = [
        {"axes": {"position": number}, "x": x, "y": y, "z": 0}
        for number, (x, y) in enumerate(tiles)
    ]
    with CoreOwner() as owner:
        owner.load()  # owner.load("my-microscope.cfg")
        show_beads(owner.core)
        finder = CellFinder(owner.core)
        with Acquisition(
            folder, "cells", image_process_fn=finder, core=owner
        ) as acquisition:
            acquisition.acquire(overview)
        with acquisition.get_dataset() as dataset:
            print(f"{len(finder.cells)} cells, {len(dataset.get_index_keys())} images")
    print(acquisition.path)
    return acquisition.path, finder.cells


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "acquired")
