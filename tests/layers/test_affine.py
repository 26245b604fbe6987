"""Where pixels lie in the world when an image is turned or sheared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image as NapariImage
from napari.layers import Labels as NapariLabels

from napari_scope.arrays import LazyArray, MemorySource
from napari_scope.layers import image_to_layers
from napari_scope.layers.frame import shared_frame
from napari_scope.model import Axis, Image, Labels

numbers = st.integers(-6, 6).map(lambda n: n / 4)


def lazy(shape: tuple[int, ...]) -> LazyArray:
    return LazyArray(MemorySource(np.zeros(shape, np.uint8)))


def test_no_affine_is_no_argument() -> None:
    image = Image("plain", (Axis("y"), Axis("x")), (lazy((4, 4)),), bit_depth=8)
    assert "affine" not in image_to_layers(image)[0][1]


# It says so of each image that is turned out of its planes.
@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(numbers, min_size=4, max_size=4), min_size=3, max_size=3))
def test_pixels_lie_where_the_matrix_puts_them(rows: list[list[float]]) -> None:
    linear = np.array(rows)[:, :3] + 5 * np.eye(3)
    shift = np.array(rows)[:, 3]
    matrix = np.eye(5)
    places = [1, 2, 3]  # z, y, x behind c
    matrix[np.ix_(places, places)] = linear
    matrix[places, -1] = shift
    axes = (
        Axis("c", "channel"),
        Axis("z", "space", "micrometer", 2.0, 5.0),
        Axis("y", "space", "micrometer", 0.5, -1.0),
        Axis("x", "space", "nanometer", 250.0, 3000.0),
    )
    affine = tuple(tuple(row) for row in matrix.tolist())
    labels = Labels("cells", axes, (lazy((1, 3, 4, 5)),), affine=affine)
    image = Image(
        "turned", axes, (lazy((1, 3, 4, 5)),), (), bit_depth=8,
        affine=affine, labels=(labels,),
    )  # fmt: skip
    point = np.array([2, 3, 1])
    own = point * [2.0, 0.5, 250.0] + [5.0, -1.0, 3000.0]
    # The frame is in micrometer, x of the file in nanometer.
    expected = (linear @ own + shift) * [1, 1, 1e-3]
    plain = Image(
        "plain",
        (axes[1], axes[2], Axis("x", "space", "micrometer")),
        (lazy((1, 4, 4)),),
    )
    frame = shared_frame((plain, image))
    for data, arguments, kind in image_to_layers(image, frame=frame):
        made: Any = (NapariImage if kind == "image" else NapariLabels)(
            data, **arguments
        )
        found = made.data_to_world(point)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_an_axis_that_was_put_in_stays_as_it_is() -> None:
    axes = (Axis("t", "time"), Axis("y", "space"), Axis("x", "space"))
    affine = ((1.0, 0, 0, 0), (0, 0, -1.0, 7.0), (0, 1.0, 0, 0), (0, 0, 0, 1.0))
    image = Image("turned", axes, (lazy((2, 4, 5)),), bit_depth=8, affine=affine)
    assert shared_frame((image,)).affine(image) == (
        (1, 0, 0, 0, 0),
        (0, 1, 0, 0, 0),
        (0, 0, 0, -1, 7),
        (0, 0, 1, 0, 0),
        (0, 0, 0, 0, 1),
    )
