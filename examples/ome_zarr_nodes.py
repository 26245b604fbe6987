"""Make a plate of OME-Zarr, fill it, and walk over its positions.

python examples/ome_zarr_nodes.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from napari_scope import open_ome_zarr


def main() -> None:
    """Write four positions with pyramid and labels, and read them again."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "acquired")
    path = folder / "nodes.zarr"
    rng = np.random.default_rng(0)

    with open_ome_zarr(
        path, layout="hcs", mode="a", channel_names=["DAPI", "GFP"], version="0.5"
    ) as plate:
        positions = plate.create_positions(
            [("A", "1", "0"), ("A", "1", "1"), ("A", "2", "0"), ("B", "3", "0")]
        )
        for position in positions:
            pixels = rng.integers(100, 4000, (1, 2, 4, 128, 128), dtype="uint16")
            position["0"] = pixels
            position.set_scale("0", "z", 2)
            position.set_scale("0", "y", 0.5)
            position.set_scale("0", "x", 0.5)
            position.compute_pyramid(levels=3, dims={"y", "x"})
            bright = (pixels[:, 0] > 2000).astype("uint8")
            position.create_label("bright", bright, colors={1: (255, 0, 0, 255)})
        plate.rename_well("A/2", "C/4")

    with open_ome_zarr(path) as plate:
        for name, position in plate.positions():
            print(name, position.data.shape, position.scale, position.label_names())


if __name__ == "__main__":
    main()
