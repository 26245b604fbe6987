from __future__ import annotations

import itertools
import math
import statistics
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_scope.arrays import halve
from napari_scope.arrays.reduce import METHODS, reduce_block, reduced_shape
from napari_scope.errors import SettingsError

INTEGERS = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"]


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def plainly(values: list[int], method: str) -> int:
    """What one coarse pixel is, by plain arithmetic on those that exist."""
    if method == "mean":
        return half_up(Fraction(sum(values), len(values)))
    if method == "median":
        return half_up(Fraction(statistics.median(map(Fraction, values))))
    if method == "mode":
        return min(statistics.multimode(values))
    if method in ("min", "max"):
        return {"min": min, "max": max}[method](values)
    return values[0]


def by_pixel(block: npt.NDArray[Any], factors: tuple[int, ...], method: str) -> Any:
    out = np.empty(reduced_shape(block.shape, factors), object)
    for index in np.ndindex(*out.shape):
        part = tuple(
            slice(i * f, (i + 1) * f) for i, f in zip(index, factors, strict=True)
        )
        out[index] = plainly([int(v) for v in block[part].ravel()], method)
    return out.tolist()


def blocks(dtype: str) -> st.SearchStrategy[npt.NDArray[Any]]:
    shapes = hnp.array_shapes(min_dims=2, max_dims=4, max_side=5)
    # Few different values as well: else no value is ever more frequent.
    few = st.integers(0, 1 if dtype == "?" else 2).map(np.dtype(dtype).type)
    return hnp.arrays(dtype, shapes) | hnp.arrays(dtype, shapes, elements=few)


@settings(max_examples=40, deadline=None)
@given(st.data())
@pytest.mark.parametrize("method", sorted(METHODS))
def test_integers_are_as_plain_arithmetic_has_them(
    method: str, data: st.DataObject
) -> None:
    dtype = data.draw(st.sampled_from([*INTEGERS, "?"]))
    block = data.draw(blocks(dtype))
    factors = data.draw(
        st.lists(st.sampled_from([1, 2]), min_size=block.ndim, max_size=block.ndim)
        # Three axes are in space.
        .filter(lambda f: f.count(2) <= 3)
        .map(tuple)
    )
    before = block.copy()
    out = reduce_block(block, factors, method)
    assert out.dtype == block.dtype
    assert out.tolist() == by_pixel(block, factors, method)
    np.testing.assert_array_equal(block, before)
    assert not np.shares_memory(out, block)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("method", ["mean", "median", "mode", "min", "max"])
@pytest.mark.parametrize("factors", [(1, 2, 2), (2, 2, 2), (2, 1, 2)])
def test_the_ends_of_the_range_do_not_overflow(
    dtype: str, method: str, factors: tuple[int, ...]
) -> None:
    info = np.iinfo(dtype)
    for value in (info.min, info.max):
        block = np.full((2, 4, 3), value, dtype)
        assert (reduce_block(block, factors, method) == value).all()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("factors", [(1, 2, 2), (2, 2, 2), (1, 1, 2), (2, 1, 1)])
def test_floats(dtype: str, factors: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    block = rng.normal(0, 100, (4, 6, 8)).astype(dtype)
    size = [n for f, n in zip(factors, block.shape, strict=True) for n in (n // f, f)]
    parts = np.moveaxis(block.reshape(size), (1, 3, 5), (3, 4, 5))
    parts = parts.reshape(*parts.shape[:3], -1).astype(float)
    expected = {
        "mean": parts.mean(-1),
        "median": np.median(parts, -1),
        "min": parts.min(-1),
        "max": parts.max(-1),
        "mode": parts.min(-1),  # all are different, so it is a tie
        "stride": parts[..., 0],
    }
    for method, values in expected.items():
        out = reduce_block(block, factors, method)
        assert out.dtype == dtype
        near = {"f2": 2e-3, "f4": 1e-5, "f8": 1e-12}[dtype]
        np.testing.assert_allclose(out, values, rtol=near, atol=100 * near)


@pytest.mark.parametrize("factors", [(1, 2, 2), (2, 2, 2), (1, 1, 2)])
def test_one_that_is_no_number_is_not_hidden(factors: tuple[int, ...]) -> None:
    block = np.ones((2, 2, 4), np.float32)
    block[0, 0, 1] = np.nan
    block[..., 2:] = np.nan
    for method in ("mean", "median", "min", "max"):
        assert np.isnan(reduce_block(block, factors, method)[0, 0, 0]), method
    mode = reduce_block(block, factors, "mode")
    assert mode[0, 0].tolist() == pytest.approx([1, math.nan], nan_ok=True)
    assert reduce_block(block, factors, "stride")[0, 0, 0] == 1


def test_infinities_and_large_floats_give_no_warning() -> None:
    large = np.finfo(np.float32).max
    block = np.array([[np.inf, -np.inf, large, large]], np.float32)
    for method in METHODS:
        assert reduce_block(block, (1, 2), method).shape == (1, 2)


def test_ties_and_pairs_of_labels() -> None:
    block = np.array([[7, 7, 3, 3, 9, 2, 5, 4], [3, 3, 7, 9, 9, 9, 6, 5]], np.uint32)
    assert reduce_block(block, (2, 2), "mode").tolist() == [[3, 3, 9, 5]]


def test_large_blocks_are_cut_without_seams() -> None:
    rng = np.random.default_rng(0)
    for shape in ((3, 700, 601), (2, 3, 500, 301), (1, 1, 999, 1003)):
        block = rng.integers(0, 65536, shape, np.uint16)
        for factors, method in itertools.product(
            ((1,) * (len(shape) - 2) + (2, 2), (2,) * len(shape)), ("median", "max")
        ):
            whole = reduce_block(block, factors, method)
            part = reduce_block(block[..., 200:400, 100:300], factors, method)
            np.testing.assert_array_equal(whole[..., 100:200, 50:150], part)


def test_the_mean_of_planes_is_that_of_frames_being_streamed() -> None:
    block = np.random.default_rng(0).integers(0, 65536, (2, 3, 31, 33), np.uint16)
    out = reduce_block(block, (1, 1, 2, 2))
    for index in np.ndindex(2, 3):
        np.testing.assert_array_equal(out[index], halve(block[index]))


@pytest.mark.parametrize(
    ("factors", "method"), [((1, 2), "average"), ((1, 3), "mean"), ((2,), "mean")]
)
def test_what_makes_no_sense_is_refused(factors: tuple[int, ...], method: str) -> None:
    with pytest.raises(SettingsError):
        reduce_block(np.zeros((2, 2), np.uint8), factors, method)
