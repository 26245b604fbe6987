"""Take a region in tiles that overlap, then look around for more.

    python examples/tiles.py [FOLDER]

The demo camera sees the same wherever its stage is, so an image function puts a sample
in its place: blobs on a slide, drawn where the stage says that it is. Leave
``image_process_fn`` out at a real microscope.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.acquire import Acquisition, CoreOwner, Explorer

if TYPE_CHECKING:
    import numpy.typing as npt

OVERLAP = 32  # pixels that neighbours share

_random = np.random.default_rng(7)
CENTRES_UM = _random.uniform((-300, -300), (2200, 1700), (300, 2))
RADII_UM = _random.uniform(8, 40, 300)


def sample(
    image: npt.NDArray[Any], metadata: dict[str, Any]
) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """Return what a camera would see of the slide, for one that sees nothing."""
    height, width = image.shape
    x = metadata["XPositionUm"] + np.arange(width) - (width - 1) / 2
    y = metadata["YPositionUm"] + np.arange(height) - (height - 1) / 2
    seen = np.full(image.shape, 400.0)
    for (centre_x, centre_y), radius in zip(CENTRES_UM, RADII_UM, strict=True):
        near_x = np.abs(x - centre_x) < 4 * radius
        near_y = np.abs(y - centre_y) < 4 * radius
        if near_x.any() and near_y.any():
            blob_x = np.exp(-(((x[near_x] - centre_x) / radius) ** 2))
            blob_y = np.exp(-(((y[near_y] - centre_y) / radius) ** 2))
            seen[np.ix_(near_y, near_x)] += 9000 * np.outer(blob_y, blob_x)
    noise = (image % 64).astype(float)
    return (seen + noise).clip(0, 65535).astype(image.dtype), metadata


def main() -> None:
    """Lay out a grid; then explore around it."""
    folder = sys.argv[1] if len(sys.argv) > 1 else "acquired"
    with CoreOwner() as owner:
        owner.load()
        with Acquisition(
            folder, "tiles", tile_overlap=OVERLAP, image_process_fn=sample, core=owner
        ) as acquisition:
            acquisition.acquire(
                [
                    {"axes": {"row": row, "column": column}, "exposure": 5}
                    for row in range(3)
                    for column in range(4)
                ]
            )
        with acquisition.get_dataset() as dataset:
            print(f"{acquisition.path}: {dataset.as_array(stitched=True).shape}")

        with Explorer(
            folder,
            "explored",
            tile_overlap=OVERLAP,
            image_process_fn=sample,
            core=owner,
        ) as explorer:
            future = explorer.acquire_region((0, 900), (0, 400))
            future.await_image_saved(return_image=False)
            # Go where it is bright: a tile beside the brightest one so far.
            mosaic = explorer.mosaic()
            small = np.asarray(mosaic.levels[-1])
            y, x = np.unravel_index(int(small.argmax()), small.shape)
            factor = mosaic.levels[0].shape[1] / small.shape[1]
            down, right = mosaic.axes
            place = (
                right.translation + float(x) * factor * right.scale,
                down.translation + float(y) * factor * down.scale,
            )
            row, column = explorer.grid.nearest(*place)
            print(f"brightest at x {place[0]:.0f} um, y {place[1]:.0f} um")
            explorer.acquire([(row - 1, column), (row + 1, column)])
        print(f"{explorer.path}: {len(explorer.tiles())} tiles")


if __name__ == "__main__":
    main()
