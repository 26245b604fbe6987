"""Parts of images: pixels, places, channels and frames are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.layers.stores import Frames, make_dataset, make_image

from napari_scope.errors import SettingsError
from napari_scope.formats.image_parts import Parts, dataset_parts, image_parts

IMAGE = make_image(
    names="tczyx",
    shape=(5, 3, 4, 4, 6),
    channels=("A", "B", "C"),
    levels=2,
    scale={"t": 2.0, "z": 0.5},
    translation={"z": 10.0},
    frames=Frames("cells", "tczyx"),
)


@given(
    channels=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True),
    first=st.integers(0, 4),
    count=st.integers(1, 5),
    low=st.integers(0, 3),
    data=st.data(),
)
def test_pixels_are_those_of_the_whole(
    channels: list[int], first: int, count: int, low: int, data: st.DataObject
) -> None:
    parts = Parts(tuple(channels), (first, first + count), (low, 4))
    part = image_parts(IMAGE, parts)
    times = range(5)[first : first + count]
    for level, whole in zip(part.levels, IMAGE.levels, strict=True):
        expected = np.asarray(whole)[times.start : times.stop][:, channels][:, :, low:4]
        assert level.shape == expected.shape
        np.testing.assert_array_equal(np.asarray(level), expected)
        index = tuple(data.draw(st.integers(0, n - 1)) for n in expected.shape[:3])
        np.testing.assert_array_equal(np.asarray(level[index]), expected[index])
    assert [c.name for c in part.channels] == ["ABC"[c] for c in channels]


def test_a_part_lies_where_it_was() -> None:
    part = image_parts(IMAGE, Parts(channels=(2, 0), times=(2, 4), planes=(1, 3)))
    places = {axis.name: axis.translation for axis in part.axes}
    assert (places["t"], places["z"], places["c"]) == (4.0, 10.5, 0.0)
    assert part.frames is not None
    found = part.frames.metadata({"t": 1, "c": 0, "z": 1})
    assert found is not None and found["Index"] == {"t": 3, "c": 2, "z": 2}
    # Beside the part there is nothing, not the last frame of the whole.
    assert part.frames.axes({"t": 2}) == {"t": -1, "c": 2, "z": 1}


def test_a_whole_is_not_touched() -> None:
    assert image_parts(IMAGE, Parts()) is IMAGE
    assert image_parts(IMAGE, Parts((0, 1, 2), (0, 99), (0, 4))) is IMAGE
    dataset = make_dataset(IMAGE)
    assert dataset_parts(dataset, Parts(times=(0, 99))) is dataset
    assert dataset_parts(dataset, Parts(times=(0, 1))).reload is None


@pytest.mark.parametrize(
    "parts", [Parts((7,)), Parts(times=(9, 12)), Parts(planes=(2, 2))]
)
def test_nothing_is_refused(parts: Parts) -> None:
    with pytest.raises(SettingsError, match="nothing of axis"):
        image_parts(IMAGE, parts)
