"""Small stores made with the node API, for its tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope import open_ome_zarr

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ngff.nodes import Plate, Position

CHANNELS = ["DAPI", "GFP"]
VERSIONS = ("0.4", "0.5")
SHAPE = (3, 2, 5, 18, 20)


def pixels(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> npt.NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 60000, shape).astype(np.uint16)


def image(path: Path, version: str = "0.5", **more: Any) -> Position:
    """Return a new position with pixels in its first array."""
    position: Position = open_ome_zarr(
        path, "fov", "w-", **{"channel_names": CHANNELS, "version": version, **more}
    )
    position["0"] = pixels()
    return position


def plate(path: Path, version: str = "0.5", **more: Any) -> Plate:
    """Return a new, empty plate."""
    made: Plate = open_ome_zarr(
        path, "hcs", "w-", **{"channel_names": CHANNELS, "version": version, **more}
    )
    return made


def filled(path: Path, names: list[str], version: str = "0.5") -> Plate:
    """Return a new plate with an image in each position."""
    made = plate(path, version)
    specs: Any = [tuple(name.split("/")) for name in names]
    for number, position in enumerate(made.create_positions(specs)):
        position["0"] = pixels((1, 2, 1, 8, 8), number)
    return made


def names(node: Plate) -> list[str]:
    return [path for path, _ in node.positions()]
