"""Frames of a live view: brightness, rates, how pixels lie on the stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_scope.acquire.live_frame import Rate, pixel_affine, pixel_range


class Sizes:
    """A core that knows the size of a pixel."""

    def __init__(self, size: float, affine: tuple[float, ...], stored: Any) -> None:
        self._size, self._affine, self._stored = size, affine, stored

    def getCurrentPixelSizeConfig(self, cached: bool) -> str:
        return "" if self._stored is None else "Res"

    def getPixelSizeAffineByID(self, name: str) -> tuple[float, ...]:
        return tuple(self._stored)

    def getPixelSizeAffine(self, cached: bool) -> tuple[float, ...]:
        return self._affine

    def getPixelSizeUm(self, cached: bool) -> float:
        return self._size


PLAIN = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("core", "expected"),
    [
        # never calibrated: along the stage, in the size of a pixel
        (Sizes(0.5, PLAIN, PLAIN), (0.5, 0.0, 0.0, 0.5)),
        (Sizes(0.0, PLAIN, None), None),
        # calibrated: turned by 90 degrees, the offsets do not matter
        (Sizes(0.5, (0, -0.5, 7, 0.5, 0, 8), (0, 1, 0, 1, 0, 0)), (0, -0.5, 0.5, 0)),
        # a transform that has no area is none
        (Sizes(0.25, (1, 1, 0, 1, 1, 0), (1, 1, 0, 1, 1, 0)), (0.25, 0, 0, 0.25)),
        (Sizes(0.0, (0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0)), None),
    ],
)
def test_pixels_on_the_stage(core: Any, expected: Any) -> None:
    assert pixel_affine(core) == expected


@given(
    hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)),
    st.integers(1, 16),
)
def test_brightness(image: np.ndarray, bits: int) -> None:
    found = pixel_range(image, bits)
    assert (found.low, found.high) == (image.min(), image.max())
    assert found.saturated == pytest.approx(np.mean(image >= 2**bits - 1))


def test_brightness_of_float_pixels() -> None:
    image = np.array([[np.nan, 1.5], [np.inf, -2.0]], "f4")
    found = pixel_range(image)
    assert (found.low, found.high, found.saturated) == (-2.0, 1.5, None)
    nothing = pixel_range(np.full((2, 2), np.nan, "f4"))
    assert (nothing.low, nothing.high) == (0.0, 0.0)
    assert pixel_range(np.zeros((0, 3), "u1")).saturated is None


def test_rate_of_a_steady_camera() -> None:
    rate = Rate()
    for i in range(200):
        rate.count(10 * i, now=i / 30)
    assert rate.per_second(now=199 / 30) == pytest.approx(300)


def test_rate_of_a_slow_camera_and_of_one_that_stops() -> None:
    rate = Rate()
    assert rate.per_second(now=0.0) == 0
    for i in range(3):
        for look in range(10):  # looked at more often than something comes
            rate.count(i, now=10 * i + look / 10)
    assert rate.per_second(now=21) == pytest.approx(0.1)
    assert rate.per_second(now=120) == pytest.approx(0.01)
    rate.clear()
    assert rate.per_second(now=120) == 0
