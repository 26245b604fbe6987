"""The picture of the page on tiles: the mosaic that the example acquires."""

from __future__ import annotations

import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import stage
from PIL import Image, ImageDraw

__all__ = ["pictures"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "tiles.py"
TILE_PX = 512
LINES = (255, 170, 0)


def pictures(folder: Path) -> list[Path]:
    """Run the example; draw half of the resolution, and where the tiles end."""
    from napari_scope.formats.ndtiff import Dataset

    example: dict[str, Any] = runpy.run_path(str(EXAMPLE))
    with tempfile.TemporaryDirectory() as data:
        sys.argv[1:] = [data]
        example["main"]()
        (path,) = Path(data).glob("tiles_*")
        with Dataset(path) as dataset:
            mosaic = np.asarray(dataset.as_array(stitched=True)).squeeze()
    darkest, brightest = np.percentile(mosaic, 60), mosaic.max() / 2
    half = (mosaic[::2, ::2] - darkest) / (brightest - darkest)
    seen = half.clip(0, 1) ** 0.7 * 255
    picture = Image.fromarray(seen.astype("u1")).convert("RGB")
    draw = ImageDraw.Draw(picture)
    # Each of two neighbours owns half of what they share.
    step = (TILE_PX - example["OVERLAP"]) // 2
    for x in range(step, picture.width - 1, step):
        draw.line([x, 0, x, picture.height], fill=LINES)
    for y in range(step, picture.height - 1, step):
        draw.line([0, y, picture.width, y], fill=LINES)
    return [stage.save(picture, folder / "space-mosaic.png")]
