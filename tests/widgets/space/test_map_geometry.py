"""Frames and fillings of tiles as triangles."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scope.widgets.space.map_geometry import Mesh, frames, joined, moved

SQUARE = np.array([[-5.0, -5], [-5, 5], [5, 5], [5, -5]])
SHEARED = np.array([[-5.0, -8], [-5, 2], [5, 8], [5, -2]])


def area(mesh: Mesh, kind: float | None = None) -> float:
    vertices, faces, kinds = mesh
    chosen = faces if kind is None else faces[kinds[faces[:, 0]] == kind]
    a, b, c = (vertices[chosen[:, n]] for n in range(3))
    u, v = b - a, c - a
    return float(np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum() / 2)


@pytest.mark.parametrize("corners", [SQUARE, SQUARE[::-1], SHEARED])
def test_a_frame_is_as_wide_as_it_should(corners: np.ndarray) -> None:
    tiles = moved(corners, [[0, 0], [100, 30]])
    mesh = frames(tiles, 0.5, 2, 3)
    sides = np.roll(corners, -1, 0) - corners
    around = np.linalg.norm(sides, axis=1).sum()
    height = abs(sides[0, 0] * sides[1, 1] - sides[0, 1] * sides[1, 0])
    # A band of width w along the border, corners counted once.
    sine = height / np.linalg.norm(sides[0]) / np.linalg.norm(sides[1])
    band = around * 0.5 - 4 * 0.25 / sine
    assert area(mesh, 2) == pytest.approx(2 * band)
    assert area(mesh) == pytest.approx(2 * height)
    for tile, place in zip(mesh[0].reshape(2, 12, 2), [[0, 0], [100, 30]], strict=True):
        np.testing.assert_allclose(tile[:4], corners + place)


def test_wide_lines_do_not_meet() -> None:
    mesh = frames(SQUARE[None], 100.0, 0, 1)
    assert 0 < area(mesh, 1) < area(mesh)


def test_parts_are_joined() -> None:
    nothing = frames(np.empty((0, 4, 2)), 1, 0, 1)
    one, two = frames(SQUARE[None], 1, 2), frames(SQUARE[None] + 50, 1, 4)
    vertices, faces, kinds = joined([nothing, one, two])
    assert len(vertices) == len(kinds) == 16
    assert faces.max() == 15
    assert area((vertices, faces, kinds)) == pytest.approx(area(one) + area(two))
    empty = joined([nothing])
    assert area(empty) == 0
    assert len(empty[1]) == 1
