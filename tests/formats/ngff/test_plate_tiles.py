from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.ngff.plate.tiles import converted, extent, tile_ranges


@given(
    st.integers(1, 5000),
    st.sampled_from([0.5, 1.0, 3.0, 8.0, 9000.0]),
    st.integers(-3000, 6000),
    st.integers(0, 6000),
)
def test_tiles_cover_what_is_seen_of_a_field_and_no_others_are_read(
    length: int, ratio: float, start: int, count: int
) -> None:
    seen = range(start, start + count)
    tiles = list(tile_ranges(length, ratio, seen))
    covered = [n for _, pixels in tiles for n in pixels]
    assert len(set(covered)) == len(covered)
    assert {n for n in seen if 0 <= n < length} <= set(covered) <= set(range(length))
    for number, pixels in tiles:
        assert any(n in seen for n in (pixels[0], pixels[-1])) or seen[0] in pixels
        assert len(pixels) <= 1024
        assert list(tile_ranges(length, ratio, pixels)) == [(number, pixels)]


def test_a_field_has_at_least_one_pixel() -> None:
    assert [extent(n, 4.0) for n in (1, 3, 4, 7, 8)] == [1, 1, 1, 1, 2]
    assert extent(7, 0.5) == 14


def test_types_are_converted_without_turning_round() -> None:
    wide = np.array([-(2**40), -1, 0, 200, 2**40])
    assert converted(wide, np.dtype("u1")).tolist() == [0, 0, 0, 200, 255]
    assert converted(wide, np.dtype("i2")).tolist() == [-32768, -1, 0, 200, 32767]
    big = np.array([2**64 - 1, 5], "u8")
    assert converted(big, np.dtype("i8")).tolist() == [2**63 - 1, 5]
    floats = np.array([np.inf, -np.inf, np.nan, 0.5001, 1e30], "f4")
    assert converted(floats, np.dtype("u8")).tolist() == [2**64 - 1, 0, 0, 1, 2**64 - 1]
    assert converted(np.array([True, False]), np.dtype("u2")).tolist() == [1, 0]
