from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.formats.msi import PixelTable

places = st.lists(
    st.tuples(*[st.integers(-5, 5)] * 3, st.integers(0, 3)), min_size=1, max_size=20
)


@given(places)
def test_an_image_has_each_value_where_its_spectrum_lies(
    rows: list[tuple[int, int, int, int]],
) -> None:
    x, y, z, region = (list(column) for column in zip(*rows, strict=True))
    table = PixelTable.of(x, y, z, region)
    values = np.arange(1.0, len(rows) + 1)
    expected = {
        (c - min(z), b - min(y), a - min(x)): value
        for (a, b, c, _), value in zip(rows, values, strict=True)
    }
    image = table.image(values, fill=-1)
    assert table.is_volume == (len(set(z)) > 1 and max(z) > min(z))
    full = image if table.is_volume else image[np.newaxis]
    width, height, depth = table.shape
    assert full.shape == (depth, height, width)
    for place in np.ndindex(full.shape):
        assert full[place] == expected.get(place, -1)
    assert table.duplicates == len(rows) - len(expected)
    assert table.origin == (min(x), min(y), min(z))


@given(places)
def test_regions_cover_all_spectra(rows: list[tuple[int, int, int, int]]) -> None:
    x, y, z, region = (list(column) for column in zip(*rows, strict=True))
    table = PixelTable.of(x, y, z, region, ["first", "", "third"])
    assert [one.index for one in table.regions] == sorted(set(region))
    assert sum(one.count for one in table.regions) == len(rows)
    for one in table.regions:
        inside = [row for row in rows if row[3] == one.index]
        assert one.origin == tuple(min(row[i] for row in inside) for i in range(3))
        ends = tuple(a + b for a, b in zip(one.origin, one.shape, strict=True))
        assert ends == tuple(max(row[i] for row in inside) + 1 for i in range(3))
        numbers = table.numbers_of([one.index])
        assert [rows[n] for n in numbers] == inside
    every = [one.index for one in table.regions]
    assert table.numbers_of(every).tolist() == list(range(len(rows)))
    names = {0: "first", 1: "region 1", 2: "third", 3: "region 3"}
    assert [one.name for one in table.regions] == [names[i] for i in every]


def test_places_and_masks() -> None:
    table = PixelTable.of([4, 5, 5], [7, 7, 8])
    assert table.number_at(1, 0) == 1
    assert table.number_at(0, 1) is None
    mask = np.array([[False, True], [True, True]])
    assert table.numbers_in(mask).tolist() == [1, 2]
    with pytest.raises(IndexError, match=r"\(2, 0, 0\) lies outside of the 2 x 2 x 1"):
        table.number_at(2, 0)
    with pytest.raises(IndexError):
        table.number_at(-1, 0)
    with pytest.raises(ValueError, match="2 x 2 pixels was expected"):
        table.numbers_in(np.zeros((3, 3), bool))
    only = table.only(np.array([2, 1]))
    assert only.origin == (5, 7, 0)
    assert only.image(np.array([1.0, 2.0])).tolist() == [[2.0], [1.0]]


def test_what_cannot_be_a_table() -> None:
    with pytest.raises(FormatError, match="differ in number: 2, 3, 2, 2"):
        PixelTable.of([0, 1], [0, 1, 2], [0, 0], [0, 0])
    with pytest.raises(FormatError, match="damaged"):
        PixelTable.of([0, 1 << 30], [0, 1])
    with pytest.raises(ValueError, match=r"no region 7; there are \[0\]"):
        PixelTable.of([0], [0]).numbers_of([0, 7])


def test_no_spectrum_at_all() -> None:
    table = PixelTable.of([], [])
    assert len(table) == 0
    assert table.shape == (0, 0, 0)
    assert table.image(np.zeros(0)).shape == (0, 0)
    assert table.regions == ()
