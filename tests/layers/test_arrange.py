from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.arrays import FrameSource, LazyArray, MemorySource
from napari_scope.layers.arrange import COARSEST, arranged_levels, stacked
from napari_scope.layers.frame import Frame, shared_frame
from napari_scope.model import Axis, Image, LevelArray, axis_kind


def lazy(array: Any) -> LazyArray:
    return LazyArray(MemorySource(np.asarray(array)))


def make_image(names: str | list[str], *levels: LevelArray, rgb: bool = False) -> Image:
    return Image("image", tuple(Axis(n, axis_kind(n)) for n in names), levels, rgb=rgb)


def arranged(image: Image, channel: int = 0) -> list[LevelArray]:
    return arranged_levels(image, channel, shared_frame([image]))


def shapes(*sizes: int, lead: tuple[int, ...] = ()) -> list[LevelArray]:
    return [lazy(np.zeros((*lead, n, n), np.uint8)) for n in sizes]


def test_levels_in_order_are_passed_on_as_they_are() -> None:
    data = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    (level,) = arranged(make_image("czyx", lazy(data)), 1)
    assert isinstance(level, LazyArray)
    assert isinstance(level.source, MemorySource)
    np.testing.assert_array_equal(np.asarray(level), data[1])


@given(
    st.permutations(list("tcazyx")).flatmap(
        lambda names: st.tuples(
            st.just(names),
            st.integers(0, 4).map(lambda n: [x for x in names if x not in "tcaz"[:n]]),
        )
    ),
    st.data(),
)
def test_any_order_of_axes_comes_out_as_the_frame_wants_it(
    names: tuple[list[str], list[str]], data: st.DataObject
) -> None:
    own = names[1]
    sizes = {"t": 2, "c": 3, "a": 4, "z": 5, "y": 6, "x": 7}
    shape = tuple(sizes[n] for n in own)
    array = np.arange(np.prod(shape)).reshape(shape)
    frame = Frame(tuple("atzyx"), ("pixel",) * 5, (1.0,) * 5)
    (level,) = arranged_levels(make_image(own, lazy(array)), 2, frame)
    expected = np.take(array, 2, own.index("c")) if "c" in own else array
    rest = [n for n in own if n != "c"]
    expected = expected.transpose([rest.index(n) for n in "atzyx" if n in rest])
    for place, n in enumerate("atzyx"):
        if n not in rest:
            expected = np.expand_dims(expected, place)
    assert level.shape == expected.shape
    key = tuple(
        data.draw(st.integers(-n, n - 1) | st.slices(n)) for n in expected.shape
    )
    view = level[key]
    assert view.shape == expected[key].shape
    np.testing.assert_array_equal(np.asarray(view), expected[key])


def test_the_chunks_follow_the_axes() -> None:
    source = FrameSource((2, 3, 8, 9), np.uint8, lambda _: None)
    (level,) = arranged(make_image("tcyx", LazyArray(source)))
    assert level.shape == (2, 1, 8, 9)
    assert level.chunks == (1, 1, 8, 9)  # type: ignore[attr-defined]
    (plain,) = arranged(make_image("tyx", lazy(np.zeros((2, 8, 9)))))
    assert plain.chunks is None  # type: ignore[attr-defined]


def test_an_axis_put_in_still_lets_the_array_grow() -> None:
    length = 1
    source = FrameSource(
        lambda: (length, 4, 4), np.uint8, lambda i: np.full((4, 4), i[0] + 1, np.uint8)
    )
    (level,) = arranged(make_image("tyx", LazyArray(source)))
    assert level.shape == (1, 1, 4, 4)
    length = 5
    assert level.shape == (5, 1, 4, 4)
    assert np.asarray(level[4, 0, 0, 0]) == 5


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ([4096, 2048, 1024, 512, 256, 128], [4096, 2048, 1024, 512]),
        ([4096, 1024, 256, 64], [4096, 1024, 256]),
        ([512, 256], [512]),
        ([600, 300, 150], [600, 300]),
        ([2048], [2048]),
        # Levels that do not get smaller are no use.
        ([2048, 2048, 1024, 1500, 700], [2048, 1024, 700]),
    ],
)
def test_levels_end_where_a_thumbnail_is_cheap(
    sizes: list[int], kept: list[int]
) -> None:
    image = make_image("yx", *shapes(*sizes))
    assert [level.shape[0] for level in arranged(image)] == kept
    assert COARSEST == 512


def test_a_level_with_other_channels_is_left_out() -> None:
    image = make_image(
        "cyx",
        *shapes(2048, lead=(2,)),
        *shapes(1024, lead=(1,)),
        *shapes(600, lead=(2,)),
    )
    assert [level.shape for level in arranged(image, 1)] == [(2048, 2048), (600, 600)]


def test_planes_of_a_level_that_is_coarser_in_z_are_repeated() -> None:
    full = np.zeros((7, 1024, 4), np.uint8)
    coarse = np.empty((3, 512, 2), np.uint8)
    coarse[:] = np.arange(3)[:, None, None] + 10
    image = make_image("zyx", lazy(full), lazy(coarse))
    levels = arranged(image)
    assert [level.shape for level in levels] == [(7, 1024, 4), (7, 512, 2)]
    expected = coarse[[0, 0, 0, 1, 1, 2, 2]]
    np.testing.assert_array_equal(np.asarray(levels[1]), expected)
    np.testing.assert_array_equal(np.asarray(levels[1][1:7:2]), expected[1:7:2])
    np.testing.assert_array_equal(np.asarray(levels[1][::-1]), expected[::-1])
    for z in range(7):
        np.testing.assert_array_equal(np.asarray(levels[1][z]), expected[z])


def test_colour_samples_stay_last() -> None:
    data = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    image = make_image(["t", "y", "x", "rgb"], lazy(data), rgb=True)
    (level,) = arranged(image)
    np.testing.assert_array_equal(np.asarray(level), data[:, None])


@given(st.data())
def test_stacks_are_numpy_stacks_with_zeros_where_nothing_is(
    data: st.DataObject,
) -> None:
    parts = [
        np.full((3, 4), i + 1, np.uint16) + np.arange(4, dtype=np.uint16)
        if data.draw(st.booleans()) or i == 2
        else None
        for i in range(4)
    ]
    expected = np.stack(
        [np.zeros((3, 4), np.uint16) if p is None else p for p in parts]
    )
    (level,) = stacked([None if p is None else [lazy(p)] for p in parts])
    assert level.dtype == np.uint16
    key = tuple(data.draw(st.integers(-n, n - 1) | st.slices(n)) for n in level.shape)
    assert level[key].shape == expected[key].shape
    np.testing.assert_array_equal(np.asarray(level[key]), expected[key])


def test_only_the_part_that_is_asked_for_is_read() -> None:
    read: list[int] = []

    def part(number: int) -> list[LevelArray]:
        def frame(_: tuple[int, ...]) -> Any:
            read.append(number)
            return np.zeros((4, 4), np.uint8)

        return [LazyArray(FrameSource((4, 4), np.uint8, frame))]

    (level,) = stacked([part(i) for i in range(5)])
    np.asarray(level[3])
    assert read == [3]
