"""The drawings of the map as triangles: frames of equal width, and faint fillings.

One mesh holds thousands of tiles, so that moving the view costs what one layer costs.
Lines are bands: graphics cards draw them alike everywhere. Which colour a vertex has is
said by a number, its kind.

Everything is arithmetic with numpy; corners are (y, x) in micrometers, in the order in
which they follow each other around a tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float64]
    Ints: TypeAlias = npt.NDArray[np.int64]

__all__ = ["Mesh", "frames", "joined", "moved"]

Mesh: TypeAlias = "tuple[Floats, Ints, Floats]"
"""Vertices (n, 2), faces (m, 3), and the kind of each vertex (n,)."""

_WIDEST = 0.2  # of the shorter side of a tile


def moved(corners: Floats, places: Floats) -> Floats:
    """Return copies of a tile: corners (4, 2) around 0, at places (n, 2)."""
    return np.asarray(places, float).reshape(-1, 1, 2) + corners


def frames(
    tiles: Floats, width_um: float, kind: float, filling: float | None = None
) -> Mesh:
    """Return the frames of tiles, and what fills them.

    Parameters
    ----------
    tiles : ndarray
        Corners (n, 4, 2).
    width_um : float
        Width of the lines; at most a fifth of the shorter side.
    kind, filling : float
        Kind of the frame, and of the filling; without one there is none.
    """
    tiles = np.asarray(tiles, float).reshape(-1, 4, 2)
    count = len(tiles)
    after, before = np.roll(tiles, -1, 1) - tiles, np.roll(tiles, 1, 1) - tiles
    long_after = np.linalg.norm(after, axis=2, keepdims=True)
    long_before = np.linalg.norm(before, axis=2, keepdims=True)
    shortest = float(long_after.min()) if count else 0.0
    width = min(width_um, _WIDEST * shortest)
    # Corners of a sheared tile are farther in along the edges than the band is wide.
    sine = np.abs(
        after[..., :1] * before[..., 1:] - after[..., 1:] * before[..., :1]
    ) / np.maximum(long_after * long_before, 1e-12)
    inward = after / np.maximum(long_after, 1e-12) + before / np.maximum(
        long_before, 1e-12
    )
    inner = tiles + inward * width / np.maximum(sine, 0.1)
    vertices = [tiles, inner]
    kinds = [np.full((count, 8), kind)]
    first = np.arange(count)[:, None] * (8 if filling is None else 12)
    faces = []
    for corner in range(4):
        following = (corner + 1) % 4
        faces.append(first + np.array([[corner, following, 4 + corner]]))
        faces.append(first + np.array([[following, 4 + following, 4 + corner]]))
    if filling is not None:
        # Their own vertices: the colour would run from the frame into the filling.
        vertices.append(inner)
        kinds.append(np.full((count, 4), filling))
        faces += [first + np.array([[8, 9, 10]]), first + np.array([[8, 10, 11]])]
    return (
        np.concatenate(vertices, 1).reshape(-1, 2),
        np.concatenate(faces).astype(np.int64),
        np.concatenate(kinds, 1).reshape(-1),
    )


def joined(meshes: list[Mesh]) -> Mesh:
    """Return several drawings as one mesh; later ones lie above."""
    meshes = [mesh for mesh in meshes if len(mesh[0])]
    if not meshes:
        nothing = np.zeros((3, 2)), np.array([[0, 1, 2]]), np.zeros(3)
        return nothing  # a layer needs a triangle; one without area shows nothing
    starts = np.cumsum([0, *(len(vertices) for vertices, _, _ in meshes[:-1])])
    return (
        np.concatenate([vertices for vertices, _, _ in meshes]),
        np.concatenate(
            [faces + start for (_, faces, _), start in zip(meshes, starts, strict=True)]
        ),
        np.concatenate([kinds for _, _, kinds in meshes]),
    )
