"""Stage positions made into pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.msi.mzml.places import stage_pixels


@given(
    st.lists(st.integers(0, 60), min_size=2, max_size=40),
    st.sampled_from([1.0, 50.0, 42.5, 0.25, 12.3456]),
    st.floats(-5000, 5000).map(lambda value: round(value, 2)),
)
def test_even_positions_come_back_up_to_their_common_step(
    pixels: list[int], step: float, start: float
) -> None:
    numbers = np.array(pixels)
    found, doubt = stage_pixels(start + step * numbers, np.zeros(len(numbers), int))
    relative = numbers - numbers.min()
    common = int(np.gcd.reduce(relative)) or 1
    if relative.max() // common <= 20 * len(set(pixels)):
        assert doubt == ""
        assert found.tolist() == (relative // common).tolist()


def test_kinds_that_are_shifted_by_a_part_of_a_step_lie_on_each_other() -> None:
    positions = np.array([0, 50, 100, 7, 57, 107], float)
    kinds = np.array([0, 0, 0, 1, 1, 1])
    assert stage_pixels(positions, kinds)[0].tolist() == [0, 1, 2, 0, 1, 2]


def test_a_kind_with_one_place_lies_where_it_is() -> None:
    positions, kinds = np.array([0, 50, 200, 100], float), np.array([0, 0, 0, 1])
    assert stage_pixels(positions, kinds)[0].tolist() == [0, 1, 4, 2]


def test_a_single_place_is_pixel_0() -> None:
    assert stage_pixels(np.array([42.0, 42.0]), np.zeros(2, int))[0].tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_a_stage_that_stops_nearly_where_it_should(seed: int) -> None:
    random = np.random.default_rng(seed)
    pixels = np.repeat(np.arange(40), 30)
    positions = 50.0 * pixels + np.round(random.uniform(-2, 2, len(pixels)), 3)
    found, doubt = stage_pixels(positions, np.zeros(len(pixels), int))
    assert "not evenly spaced" in doubt
    assert found.tolist() == pixels.tolist()
