"""The example that looks for cells: it finds them, and takes stacks of them."""

from __future__ import annotations

import math
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scope.formats.ndtiff import Dataset

EXAMPLE = Path(__file__).parents[2] / "examples" / "adaptive_cells.py"


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLE))


def center_of_brightness(image: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(image.shape)
    total = image.sum()
    return float((rows * image).sum() / total), float((columns * image).sum() / total)


def test_every_cell_gets_a_stack_with_the_cell_in_the_middle(
    example: dict[str, Any], tmp_path: Path
) -> None:
    path, cells = example["main"](tmp_path)
    assert path.parent == tmp_path
    assert len(cells) > 10
    apart = [math.dist(a, b) for a in cells for b in cells if a is not b]
    assert min(apart) > example["RADIUS_PX"]  # those in two tiles count once
    with Dataset(path) as dataset:
        assert dataset.axes["position"] == [0, 1, 2, 3]
        assert dataset.axes["cell"] == list(range(len(cells)))
        order = dataset.get_index_keys()
        assert len(order) == 4 + 5 * len(cells)
        for cell, place in enumerate(cells):
            stack = [dataset.read_image(cell=cell, z=z) for z in range(5)]
            assert [
                dataset.read_metadata(cell=cell, z=z)["ZPosition_um_Intended"]
                for z in range(5)
            ] == [-8, -4, 0, 4, 8]
            facts = dataset.read_metadata(cell=cell, z=2)
            assert facts["XPosition_um_Intended"] == pytest.approx(place[0], abs=0.01)
            middle = stack[2][256 - 16 : 256 + 16, 256 - 16 : 256 + 16]
            assert middle.max() > example["THRESHOLD"]
            others = [math.dist(place, other) for other in cells if other is not place]
            if min(others) < 80:
                continue  # the light of a neighbour draws the middle to it
            assert math.dist(center_of_brightness(middle), (15.5, 15.5)) < 3
            brightest = [int(plane[236:276, 236:276].max()) for plane in stack]
            assert brightest.index(max(brightest)) == 2  # it is in focus there


def test_stacks_begin_while_the_overview_goes_on(example: dict[str, Any]) -> None:
    class Queue:
        def __init__(self) -> None:
            self.put_events: list[Any] = []

        def put(self, events: Any) -> None:
            self.put_events.append(events)

    class Core:
        def getPixelSizeAffine(self) -> tuple[float, ...]:
            return (0.0, -0.5, 0.0, 0.5, 0.0, 0.0)  # turned by 90 degrees

    finder = example["CellFinder"](Core())
    image = np.zeros((200, 300), "u2")
    image[95:106, 195:206] = 1000
    facts = {"XPosition_um_Intended": 10.0, "YPosition_um_Intended": 20.0}
    queue = Queue()
    for axes in ({"position": 0}, {"position": 1}, {"cell": 0, "z": 0}):
        given = {**facts, "Axes": axes}
        assert finder(image, given, queue) == (image, given)
    (events,) = queue.put_events
    assert [e["z"] for e in events] == [-8, -4, 0, 4, 8]
    # 50.5 pixels right of the middle and 0.5 below it.
    assert (events[0]["x"], events[0]["y"]) == pytest.approx((9.75, 45.25))


def test_spots(example: dict[str, Any]) -> None:
    image = np.zeros((200, 300), "u2")
    for row, column in ((50, 60), (150, 220), (5, 100), (100, 295)):
        image[max(0, row - 4) : row + 5, column - 4 : column + 5] = 900
    image[20:40, 150:170] = 400  # too dim
    assert sorted(example["bright_spots"](image)) == [(50, 60), (150, 220)]
