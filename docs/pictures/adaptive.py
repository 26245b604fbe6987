"""The pictures of the page on adaptive acquisition: what its example acquires."""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import stage
from PIL import Image, ImageDraw

from napari_scope.formats.ndtiff import Dataset

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["pictures"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "adaptive_cells.py"
COLOR = (255, 170, 0)
SHOWN = 6  # cells
HALF = 40  # pixels around a cell


def grey(image: npt.NDArray[np.generic], brightest: float) -> npt.NDArray[np.uint8]:
    """Return an image as a screen shows it."""
    return np.asarray((image / brightest).clip(0, 1) ** 0.7 * 255, "u1")


def overview(dataset: Dataset, cells: list[tuple[float, float]]) -> Image.Image:
    """Lay the four tiles out on the stage and mark the cells in the order found."""
    tiles = [key for key in dataset.get_index_keys() if "position" in key]
    facts = [dataset.read_metadata(**key) for key in tiles]
    places = [(f["XPosition_um_Intended"], f["YPosition_um_Intended"]) for f in facts]
    height, width = dataset.read_image(**tiles[0]).shape
    size = [int(max(p[axis] for p in places)) for axis in (0, 1)]
    canvas = np.zeros((height + size[1], width + size[0]))
    for key, (x, y) in zip(tiles, places, strict=True):
        canvas[int(y) : int(y) + height, int(x) : int(x) + width] = dataset.read_image(
            **key
        )
    picture = Image.fromarray(grey(canvas, canvas.max())).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for x, y in places:
        draw.rectangle([x, y, x + width - 1, y + height - 1], outline=(70, 70, 90))
    for number, (x, y) in enumerate(cells):
        left, top = x + width / 2, y + height / 2  # the stage moves the middle
        draw.ellipse([left - 28, top - 28, left + 28, top + 28], outline=COLOR, width=2)
        draw.text((left + 30, top - 6), str(number), fill=COLOR, font_size=20)
    return picture.resize((picture.width * 3 // 4, picture.height * 3 // 4))


def stacks(dataset: Dataset, count: int) -> Image.Image:
    """Show the middle of each plane of the first cells: a row for each."""
    planes = len(dataset.axes["z"])
    side = 2 * HALF
    canvas = np.zeros((count * side, planes * side))
    for cell in range(count):
        for z in range(planes):
            image = dataset.read_image(cell=cell, z=z)
            row, column = (n // 2 for n in image.shape)
            canvas[
                cell * side : cell * side + side - 2, z * side : z * side + side - 2
            ] = image[row - HALF : row + HALF - 2, column - HALF : column + HALF - 2]
    picture = Image.fromarray(grey(canvas, canvas.max())).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for cell in range(count):
        draw.text((4, cell * side + 2), str(cell), fill=COLOR, font_size=16)
    return picture


def pictures(folder: Path) -> list[Path]:
    """Run the example and draw what it has taken."""
    example: dict[str, Any] = runpy.run_path(str(EXAMPLE))
    with tempfile.TemporaryDirectory() as data:
        path, cells = example["main"](data)
        with Dataset(path) as dataset:
            return [
                stage.save(overview(dataset, cells), folder / "adaptive-overview.png"),
                stage.save(
                    stacks(dataset, min(SHOWN, len(cells))),
                    folder / "adaptive-cells.png",
                ),
            ]
