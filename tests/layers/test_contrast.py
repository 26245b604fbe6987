from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_scope.arrays import FrameSource, LazyArray, MemorySource
from napari_scope.errors import FormatError
from napari_scope.layers.contrast import full_range, known_limits, sampled_limits
from napari_scope.model import Axis, Channel, Image


def lazy(array: Any) -> LazyArray:
    return LazyArray(MemorySource(np.asarray(array)))


def make_image(dtype: str = "uint16", **fields: Any) -> Image:
    axes = (Axis("y", "space"), Axis("x", "space"))
    return Image("image", axes, (lazy(np.zeros((2, 2), dtype)),), **fields)


def test_the_file_goes_before_the_bit_depth() -> None:
    channels = (Channel("a", contrast_limits=(5.0, 9.0)), Channel("b"))
    image = make_image(channels=channels, bit_depth=12)
    assert known_limits(image, 0) == (5.0, 9.0)
    assert known_limits(image, 1) == (0.0, 4095.0)
    assert known_limits(image, 2) == (0.0, 4095.0)
    assert known_limits(make_image(), 0) is None
    # The bits of a camera say nothing on an image that was computed.
    assert known_limits(make_image("float32", bit_depth=12), 0) is None


@pytest.mark.parametrize(
    ("dtype", "bits", "limits"),
    [
        ("uint8", 8, (0, 255)),
        ("uint16", 8, (0, 255)),
        ("uint16", 14, (0, 16383)),
        ("uint16", 16, None),
        ("uint32", 32, None),
        ("int16", 12, None),
    ],
)
def test_a_depth_that_fills_the_type_says_nothing(
    dtype: str, bits: int, limits: tuple[float, float] | None
) -> None:
    assert known_limits(make_image(dtype, bit_depth=bits), 0) == limits


def test_ranges_of_types() -> None:
    assert full_range(np.dtype("uint8")) == (0, 255)
    assert full_range(np.dtype("int16")) == (-32768, 32767)
    assert full_range(np.dtype("float32")) == (0, 1)
    assert full_range(np.dtype("bool")) == (0, 1)


def test_the_middle_plane_is_looked_at() -> None:
    data = np.zeros((3, 5, 4, 4), np.uint16)
    data[1, 2] = np.arange(16).reshape(4, 4) + 100
    data[0, 0] = 9999
    assert sampled_limits(lazy(data)) == (100, 115)


def test_an_empty_middle_plane_falls_back_to_the_first() -> None:
    data = np.zeros((3, 4, 4), np.uint16)
    data[0, 1] = 7
    assert sampled_limits(lazy(data)) == (0, 7)
    assert sampled_limits(lazy(np.zeros((3, 4, 4)))) is None
    assert sampled_limits(lazy(np.zeros((0, 4, 4)))) is None


def test_only_finite_values_count() -> None:
    data = np.array([[np.nan, -2.5], [np.inf, 8.0]], np.float32)
    assert sampled_limits(lazy(data)) == (-2.5, 8.0)
    assert sampled_limits(lazy(data * np.nan)) is None


def test_truth_values_are_not_read() -> None:
    assert sampled_limits(lazy(np.zeros((4, 4), bool))) == (0, 1)


def test_of_a_large_plane_only_the_middle_is_read() -> None:
    blocks: list[tuple[slice, ...]] = []

    class Source(MemorySource):
        def read(self, block: tuple[slice, ...]) -> Any:
            blocks.append(block)
            return super().read(block)

    data = np.zeros((3000, 40), np.uint8)
    data[1500, 3] = 5
    assert sampled_limits(LazyArray(Source(data))) == (0, 5)
    assert blocks == [(slice(988, 2012, 1), slice(0, 40, 1))]


@pytest.mark.parametrize("error", [FormatError("damaged"), OSError("gone")])
def test_pixels_that_cannot_be_read_do_not_stop_the_opening(error: Exception) -> None:
    def fail(_: tuple[int, ...]) -> Any:
        raise error

    assert sampled_limits(LazyArray(FrameSource((2, 4, 4), np.uint8, fail))) is None
