from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_scope.arrays import halve, halved_shape, pyramid_shapes

INTEGERS = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"]


def exactly(image: npt.NDArray[Any], *, cut: bool = False) -> list[list[int]]:
    """Mean of each 2 x 2 block over the pixels that exist, half rounded up, or cut."""
    height, width = image.shape
    rows = []
    for y in range(0, height, 2):
        row = []
        for x in range(0, width, 2):
            block = [int(v) for v in image[y : y + 2, x : x + 2].ravel()]
            mean = Fraction(sum(block), len(block))
            row.append(int((mean if cut else mean + Fraction(1, 2)).__floor__()))
        rows.append(row)
    return rows


@settings(max_examples=200, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from(INTEGERS).map(np.dtype),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    ),
    st.booleans(),
)
def test_integers_are_exact(image: npt.NDArray[Any], cut: bool) -> None:
    before = image.copy()
    out = halve(image, cut=cut)
    assert out.dtype == image.dtype
    assert out.tolist() == exactly(image, cut=cut)
    np.testing.assert_array_equal(image, before)


@given(
    hnp.arrays(
        st.sampled_from(INTEGERS).map(np.dtype),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=7),
    ),
    st.booleans(),
)
def test_colours_are_averaged_one_by_one(image: npt.NDArray[Any], cut: bool) -> None:
    out = halve(image, cut=cut)
    assert out.dtype == image.dtype
    assert out.shape == (*halved_shape(image.shape[:2]), image.shape[2])
    for sample in range(image.shape[2]):
        expected = halve(image[..., sample], cut=cut)
        np.testing.assert_array_equal(out[..., sample], expected)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("cut", [False, True])
def test_the_ends_of_the_range_do_not_overflow(dtype: str, cut: bool) -> None:
    info = np.iinfo(dtype)
    for value in (info.min, info.max):
        image = np.full((4, 6, 3), value, dtype)
        assert (halve(image, cut=cut) == value).all()
        assert (halve(image[..., 0], cut=cut) == value).all()
        assert (halve(image[..., 0].copy(), cut=cut) == value).all()


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i2"])
def test_parts_of_an_image_that_start_anywhere(dtype: str) -> None:
    image = np.random.default_rng(0).integers(0, 120, (140, 141)).astype(dtype)
    for top, left in itertools.product((0, 1), (0, 1, 2, 3)):
        part = image[top : top + 136, left : left + 134]
        assert halve(part).tolist() == exactly(part)
        assert halve(part, cut=True).tolist() == exactly(part, cut=True)


@pytest.mark.parametrize("shape", [(300, 130), (131, 257), (1, 5), (5, 1), (1, 1)])
def test_large_and_odd_images_and_views(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 65536, (shape[0] * 2, shape[1] * 3), dtype="u2")
    for view in (image[: shape[0], : shape[1]], image[::2, ::3], image[::-2, ::-3]):
        assert halve(view).shape == halved_shape(shape)
        assert halve(view).tolist() == exactly(view)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_floats_keep_their_type(dtype: str) -> None:
    image = np.array([[1, 2, 9], [3, 4.5, 11]], dtype)
    out = halve(image)
    assert out.dtype == dtype
    np.testing.assert_allclose(out, [[2.625, 10]])
    colours = halve(np.stack([image, image * 2], axis=-1))
    assert colours.dtype == dtype
    np.testing.assert_allclose(colours, [[[2.625, 5.25], [10, 20]]])


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(0, 600))
def test_levels_go_down_until_small_enough(
    height: int, width: int, smallest: int
) -> None:
    shapes = pyramid_shapes((height, width), smallest=smallest)
    assert shapes[0] == (height, width)
    assert max(shapes[-1]) <= max(1, smallest)
    assert all(max(s) > max(1, smallest) for s in shapes[:-1])
    for fine, coarse in itertools.pairwise(shapes):
        assert coarse == halved_shape(fine)


def test_a_number_of_levels_is_kept_unless_it_is_pointless() -> None:
    assert pyramid_shapes((4096, 4096), levels=1) == [(4096, 4096)]
    assert pyramid_shapes((8, 6), levels=3) == [(8, 6), (4, 3), (2, 2)]
    assert pyramid_shapes((2, 1), levels=9) == [(2, 1), (1, 1)]
    assert pyramid_shapes((8, 8), levels=0) == [(8, 8)]
