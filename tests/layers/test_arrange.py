from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.arrays import FrameSource, LazyArray, MemorySource
from napari_scope.layers.arrange import (
    COARSEST,
    arranged_levels,
    stacked,
    with_coarse_level,
)
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


@given(st.integers(2, 40), st.booleans())
def test_planes_of_a_level_halved_in_z_are_those_of_the_same_depth(
    depth: int, up: bool
) -> None:
    """Also where the depth is odd, whether a writer rounds up or down."""
    full = np.broadcast_to(np.arange(depth)[:, None, None], (depth, 8, 8))
    half = (depth + 1) // 2 if up else depth // 2
    coarse = np.broadcast_to(np.arange(half)[:, None, None], (half, 4, 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_scope.layers.arrange.COARSEST", 1)
        levels = arranged(make_image("zyx", lazy(full), lazy(coarse)))
    assert [level.shape for level in levels] == [(depth, 8, 8), (depth, 4, 4)]
    shown = np.asarray(levels[1])[:, 0, 0]
    expected = np.arange(depth) * half // depth
    np.testing.assert_array_equal(shown, expected)
    if up or depth % 2 == 0:
        np.testing.assert_array_equal(shown, np.arange(depth) // 2)


class Declared:
    """Pixels that are not there: their index is made when they are read."""

    chunks = None

    def __init__(self, *shape: int, dtype: str = "u2") -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)

    def read(self, block: tuple[slice, ...]) -> Any:
        *_, y, x = np.ogrid[block]
        lengths = [len(range(s.start, s.stop, s.step or 1)) for s in block]
        return np.broadcast_to(y * 7 + x, lengths).astype(self.dtype)


def declared(*shape: int, dtype: str = "u2") -> LevelArray:
    return LazyArray(Declared(*shape, dtype=dtype))


@pytest.mark.parametrize(
    ("shapes_of", "added"),
    [
        ([(5000, 3000)], None),  # flat and alone: napari shows it in tiles
        ([(4, 2048, 2048), (4, 1024, 1024)], None),
        ([(4, 9000, 6000), (4, 4500, 3000)], (4, 900, 600)),
        ([(2, 4, 9000, 6000), (2, 4, 4500, 3000)], (2, 4, 900, 600)),
        ([(9000, 6000), (4500, 3000)], (900, 600)),
        ([(100, 2048, 2048)], None),
        ([(128, 2048, 2049)], (128, 1024, 1025)),
        ([(3, 100, 9000, 9000)], (3, 100, 2250, 2250)),
        ([(2000, 4096, 4096), (2000, 1024, 1024)], (2000, 512, 512)),
        ([(2**20, 1, 9000)], None),
    ],
)
def test_a_coarse_level_is_added_where_three_dimensions_need_one(
    shapes_of: list[tuple[int, ...]], added: tuple[int, ...] | None
) -> None:
    levels = [declared(*shape) for shape in shapes_of]
    found = with_coarse_level(levels)
    assert found[: len(levels)] == levels
    assert [level.shape for level in found[len(levels) :]] == ([added] if added else [])
    if added:
        step = -(-shapes_of[-1][-1] // added[-1])
        corner = np.asarray(found[-1][(0,) * (len(added) - 2)])[2, 3]  # type: ignore[index]
        assert corner == (2 * step * 7 + 3 * step) % 2**16


def test_a_coarse_level_of_colours() -> None:
    levels = [declared(9000, 6000, 3), declared(4500, 3000, 3)]
    assert with_coarse_level(levels, rgb=True)[-1].shape == (900, 600, 3)


def test_napari_shows_large_levels_in_three_dimensions() -> None:
    from napari.components import ViewerModel

    levels = with_coarse_level([declared(2, 4200, 4200), declared(2, 2100, 2100)])
    viewer = ViewerModel()
    layer = viewer.add_image(
        levels, multiscale=True, contrast_limits=(0, 1), scale=(2, 1, 1)
    )
    viewer.dims.ndisplay = 3
    assert layer._data_view.shape == (2, 700, 700)
    np.testing.assert_array_equal(layer.extent.world[1], [2, 4199, 4199])
