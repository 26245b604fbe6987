"""Where a live frame lies, its contrast, and what is noted of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.acquire.live_frame import LiveFrame
from napari_scope.layers.live_frame import (
    AutoContrast,
    Placement,
    centre_of,
    facts_of_frame,
    live_layer_name,
    placement_of,
    range_of_camera,
    sampled_contrast,
)

number = st.floats(-3, 3).filter(lambda v: abs(v) > 0.01)


def world(placement: Placement, y: float, x: float) -> tuple[float, float]:
    """Return where napari shows a pixel."""
    scaled = np.array(
        [
            placement.scale[0] * y + placement.translate[0],
            placement.scale[1] * x + placement.translate[1],
            1.0,
        ]
    )
    matrix = np.eye(3) if placement.affine is None else np.array(placement.affine)
    found = matrix @ scaled
    return float(found[0]), float(found[1])


@given(
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
    st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
    st.tuples(number, number, number, number),
)
def test_pixels_lie_where_the_stage_says(
    shape: tuple[int, int],
    stage: tuple[float, float],
    affine: tuple[float, float, float, float],
) -> None:
    placement = placement_of(shape, stage, affine)
    down, right = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    assert world(placement, down, right) == pytest.approx(
        (stage[1], stage[0]), abs=1e-6
    )
    assert centre_of(placement, shape) == pytest.approx((stage[1], stage[0]), abs=1e-6)
    a, b, d, e = affine
    # One pixel to the right, and one down.
    assert world(placement, down, right + 1) == pytest.approx(
        (stage[1] + d, stage[0] + a), abs=1e-6
    )
    assert world(placement, down + 1, right) == pytest.approx(
        (stage[1] + e, stage[0] + b), abs=1e-6
    )


def test_plain_and_turned_cameras() -> None:
    plain = placement_of((11, 21), (0.0, 0.0), (0.5, 0.0, 0.0, 0.25))
    assert plain == Placement((0.25, 0.5), (-1.25, -5.0), None, "micrometer")
    # napari's scale is positive: a mirrored camera needs the matrix.
    mirrored = placement_of((11, 21), (0.0, 0.0), (-0.5, 0.0, 0.0, 0.25))
    assert mirrored.scale == (1.0, 1.0)
    assert mirrored.affine == ((0.25, -0.0, -1.25), (0.0, -0.5, 5.0), (0.0, 0.0, 1.0))
    unknown = placement_of((11, 21), (3.0, 4.0), None)
    assert unknown == Placement((1.0, 1.0), (0.0, 0.0), None, "pixel")
    without_stage = placement_of((3, 3), (None, None), (1.0, 0.0, 0.0, 1.0))
    assert without_stage.translate == (-1.0, -1.0)


def test_names() -> None:
    assert live_layer_name("Camera", several=False) == "Live"
    assert live_layer_name("Camera 2", several=True) == "Live Camera 2"


def test_facts_are_small_json() -> None:
    frame = LiveFrame(
        "Camera",
        np.zeros((4, 4), "u2"),
        number=7,
        time_s=1e9,
        x_um=1.5,
        affine=(1.0, 0.0, 0.0, 1.0),
    )
    facts = json.loads(json.dumps(facts_of_frame(frame)))
    assert facts["live"] is True
    assert (facts["camera"], facts["number"], facts["x_um"]) == ("Camera", 7, 1.5)
    assert facts["pixel_size_affine"] == [1.0, 0.0, 0.0, 1.0]
    assert "y_um" not in facts
    assert facts["time"].startswith("2001-09-")


@pytest.mark.parametrize(
    ("dtype", "bits", "expected"),
    [
        ("u1", None, (0, 255)),
        ("u2", 12, (0, 4095)),
        ("u2", 20, (0, 65535)),
        ("f4", None, None),
    ],
)
def test_range_of_the_camera(
    dtype: str, bits: int | None, expected: tuple[float, float] | None
) -> None:
    assert range_of_camera(np.dtype(dtype), bits) == expected


class TestContrast:
    def test_hot_and_dead_pixels_are_left_out(self) -> None:
        image = np.tile(np.arange(100, 1100, dtype="u2"), (100, 1))
        image[3, 3], image[5, 5] = 65535, 0
        low, high = sampled_contrast(image) or (0, 0)
        assert (low, high) == pytest.approx(np.percentile(image, (0.1, 99.9)), abs=2)

    def test_flat_images_tell_nothing(self) -> None:
        assert sampled_contrast(np.full((9, 9), 7, "u2")) is None
        assert sampled_contrast(np.full((9, 9), np.nan, "f4")) is None
        image = np.full((9, 9), 7, "u2")
        image[4, 4] = 9  # flat but for one pixel
        assert sampled_contrast(image) == (7, 9)

    def test_float_pixels_that_are_no_numbers(self) -> None:
        image = np.linspace(0, 1, 100, dtype="f4").reshape(10, 10)
        image[0, 0], image[9, 9] = np.nan, np.inf
        low, high = sampled_contrast(image) or (9, 9)
        assert 0 <= low < 0.05 and 0.9 < high <= 1

    def test_large_images_are_sampled(self) -> None:
        image = np.zeros((4000, 4000), "u2")
        image[:, 2000:] = 500
        assert sampled_contrast(image) == (0, 500)

    def test_once(self) -> None:
        contrast = AutoContrast("once")
        flat, ramp = np.zeros((4, 4), "u2"), np.arange(16, dtype="u2").reshape(4, 4)
        assert contrast.limits(flat, now=0) is None  # dark: the next one may tell
        assert contrast.limits(ramp, now=1) == (0, 15)
        assert contrast.limits(2 * ramp, now=2) is None
        contrast.again()
        assert contrast.limits(2 * ramp, now=3) == (0, 30)

    def test_always_but_not_for_noise(self) -> None:
        contrast = AutoContrast("always")
        ramp = np.arange(1600, dtype="u2").reshape(40, 40)
        first = contrast.limits(ramp, now=0)
        assert first is not None
        assert contrast.limits(2 * ramp, now=0.01) is None  # not for each frame
        assert contrast.limits(ramp + 3, now=1) is None
        second = contrast.limits(2 * ramp, now=2)
        assert second is not None and second[1] > 1.9 * first[1]

    def test_frozen(self) -> None:
        contrast = AutoContrast("frozen")
        ramp = np.arange(16, dtype="u2").reshape(4, 4)
        contrast.keep()
        assert contrast.limits(ramp, now=0) is None
        contrast.mode = "always"
        assert contrast.mode == "always"
        assert contrast.limits(ramp, now=1) == (0, 15)
        contrast.mode = "frozen"
        assert contrast.limits(3 * ramp, now=2) is None
