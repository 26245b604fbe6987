from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.msi.analyze.bins import bins_of


@pytest.mark.parametrize(
    ("stated", "room", "values", "expected", "words"),
    [
        # The real sample: the rest of a larger file lies behind.
        (3672, 44538, 44538, 3672, "the first 3672 are used"),
        (100, 100, 100, 100, ""),
        (100, 120, 100, 100, "room for 120 bins"),
        (100, 100, 150, 100, "the first 100 are used"),
        # The number of bins has no room in the header.
        (0, 70, 70, 70, "that counts"),
        (70_000 % 65536, 70_000, 70_000, 70_000, "that counts"),
        (65535, 70_000, 70_000, 70_000, "that counts"),
        (32767, 40_000, 40_000, 40_000, "that counts"),
        (32768, 40_000, 40_000, 40_000, "that counts"),
        (40_000, 40_000, 40_000, 40_000, ""),
        # An image that was cut, one with fewer bins than the header says.
        (100, 80, 100, 100, "what is missing is 0"),
        (100, 80, 70, 70, "that counts"),
        (100, 80, 120, 100, "what is missing is 0"),
        # Nothing fits.
        (100, 80, 90, None, ""),
        (100, 100, 90, None, ""),
        (0, 100, 200, None, ""),
        (0, 100, 0, None, ""),
        # No axis.
        (100, 100, None, 100, ""),
        (100, 120, None, 100, ""),
        (100, 80, None, 100, "what is missing is 0"),
        (0, 80, None, 80, "the image has 80"),
        (70_000 % 65536, 70_000, None, 70_000, "the image has 70000"),
        (0, 0, None, None, ""),
    ],
)
def test_which_number_of_bins_counts(
    stated: int, room: int, values: int | None, expected: int | None, words: str
) -> None:
    bins, problems = bins_of(stated=stated, room=room, values=values)
    assert bins == expected
    assert words in "; ".join(problems)
    assert bool(problems) == bool(words)


def test_bytes_behind_the_bins_speak_for_the_header() -> None:
    assert bins_of(stated=32767, room=40_000, values=40_000, left=3)[0] == 32767


counts = st.integers(0, 200_000)


@given(counts, counts, counts | st.none())
def test_there_is_an_m_z_value_for_each_bin(
    stated: int, room: int, values: int | None
) -> None:
    bins, _ = bins_of(stated=stated, room=room, values=values)
    if bins is not None:
        assert bins > 0
        assert values is None or bins <= values
        # Spectra of another length than the header says would be torn apart.
        assert bins == stated or bins <= room
