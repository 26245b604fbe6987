from __future__ import annotations

import numpy as np
import pytest

from napari_scope.arrays import LazyArray, MemorySource
from napari_scope.formats.plane_records import PlaneRecords
from napari_scope.model import Axis, Dataset, Image


def _image(name: str, axes: str, shape: tuple[int, ...]) -> Image:
    pixels = LazyArray(MemorySource(np.zeros((*shape, 4, 5), "u1")))
    return Image(name, tuple(Axis(a) for a in (*axes, "y", "x")), (pixels,))


@pytest.fixture
def records() -> PlaneRecords:
    """Planes of three images: 2 x 3, a single one, and 4."""
    images = (
        _image("a", "tz", (2, 3)),
        _image("b", "", ()),
        _image("c", "z", (4,)),
    )
    return PlaneRecords(Dataset("", "test", "", images))


def test_planes_are_numbered_through_all_images(records: PlaneRecords) -> None:
    places = [records.place(n) for n in range(11)]
    assert [p.image for p in places] == [0] * 6 + [1] + [2] * 4
    assert places[5].index == {"t": 1, "z": 2}
    assert places[6].index == {} and places[7].index == {"z": 0}
    for number, place in enumerate(places):
        assert records.number_at(place.image, place.index) == number


def test_outside_of_an_image_there_is_no_plane(records: PlaneRecords) -> None:
    assert records.number_at(2, {"z": 4}) is None
    assert records.number_at(2, {"z": -1}) is None
    assert records.number_at(3, {}) is None and records.number_at(-1, {}) is None
    assert records.number_at(0, {"t": 1}) == 3  # the first of an axis that is not told


def test_a_record_says_its_image_where_there_are_several(records: PlaneRecords) -> None:
    assert records.record(7).axes == {"image": "c", "z": 0}
    alone = PlaneRecords(Dataset("", "test", "", (_image("a", "t", (2,)),)))
    assert alone.record(1).axes == {"time": 1}
