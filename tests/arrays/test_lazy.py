from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_scope.arrays import FrameSource, LazyArray, MemorySource
from napari_scope.model import LevelArray

Array = npt.NDArray[Any]


class Watched:
    """A source that checks what it is asked and remembers how much it read."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.blocks: list[tuple[slice, ...]] = []
        self.chunks = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def read(self, block: tuple[slice, ...]) -> Array:
        assert len(block) == self.array.ndim
        for s, size in zip(block, self.array.shape, strict=True):
            assert 0 <= s.start <= s.stop <= size
            assert s.step >= 1
        self.blocks.append(block)
        return self.array[block].copy()

    @property
    def pixels(self) -> int:
        return sum(self.array[block].size for block in self.blocks)


def numbered(shape: tuple[int, ...]) -> Array:
    return np.arange(np.prod(shape, dtype=int), dtype="i4").reshape(shape)


SHAPES = hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=6)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), shape=SHAPES)
def test_any_composition_of_basic_indices_is_numpys(
    data: st.DataObject, shape: tuple[int, ...]
) -> None:
    array = numbered(shape)
    source = Watched(array)
    lazy, expected = LazyArray(source), array
    for _ in range(data.draw(st.integers(0, 4))):
        if expected.ndim == 0:
            break
        key = data.draw(hnp.basic_indices(expected.shape, allow_newaxis=False))
        lazy, expected = lazy[key], np.asarray(expected[key])
        assert lazy.shape == expected.shape
        assert lazy.ndim == expected.ndim
        assert (lazy.size, lazy.nbytes) == (expected.size, expected.nbytes)
    assert not source.blocks, "indexing must not read"
    np.testing.assert_array_equal(np.asarray(lazy), expected)
    assert len(source.blocks) == 1
    assert source.pixels == expected.size, "nothing but what was asked for is read"


@settings(max_examples=100, deadline=None)
@given(data=st.data(), shape=hnp.array_shapes(min_dims=2, max_dims=5, max_side=4))
def test_frames_are_fetched_once_and_only_those_needed(
    data: st.DataObject, shape: tuple[int, ...]
) -> None:
    array = numbered(shape)
    asked: list[tuple[int, ...]] = []

    def frame(index: tuple[int, ...]) -> Array:
        asked.append(index)
        return array[index]

    lazy = LazyArray(FrameSource(shape, "i4", frame))
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=False))
    np.testing.assert_array_equal(np.asarray(lazy[key]), array[key])
    assert len(set(asked)) == len(asked)
    lead = list(np.ndindex(shape[:-2]))
    numbers = np.arange(len(lead)).reshape(shape[:-2])
    wide = np.broadcast_to(numbers[..., None, None], shape)[key]
    assert {lead[n] for n in np.unique(wide)} == set(asked)


def test_missing_frames_read_as_zeros() -> None:
    lazy = LazyArray(
        FrameSource(
            (3, 2, 2), "u2", lambda i: np.full((2, 2), 9) if i == (1,) else None
        )
    )
    assert np.asarray(lazy)[:, 0, 0].tolist() == [0, 9, 0]
    assert np.asarray(lazy).dtype == np.uint16


def test_colour_frames_have_three_axes() -> None:
    array = numbered((2, 4, 5, 3))
    source = FrameSource(array.shape, "i4", lambda i: array[i], frame_ndim=3)
    assert source.chunks == (1, 4, 5, 3)
    lazy = LazyArray(source)[1, ::-1, 1:3, 2]
    np.testing.assert_array_equal(np.asarray(lazy), array[1, ::-1, 1:3, 2])


class TestGrowing:
    def setup_method(self) -> None:
        self.frames = 2
        self.lazy = LazyArray(
            FrameSource(
                lambda: (self.frames, 3, 2, 2),
                "i4",
                lambda i: np.full((2, 2), 10 * i[0] + i[1]),
            )
        )

    def test_a_view_of_the_whole_axis_grows(self) -> None:
        views = [self.lazy, self.lazy[:, 1], self.lazy[..., 0], self.lazy[:][:, 0:1]]
        self.frames = 5
        assert [v.shape[0] for v in views] == [5] * 4
        assert len(self.lazy) == 5
        assert np.asarray(views[1])[4, 0, 0] == 41

    def test_a_view_of_a_part_keeps_its_pixels(self) -> None:
        views = [self.lazy[-1], self.lazy[::-1], self.lazy[1:], self.lazy[:-1]]
        before = [np.asarray(view) for view in views]
        self.frames = 5
        for view, pixels in zip(views, before, strict=True):
            np.testing.assert_array_equal(np.asarray(view), pixels)


@pytest.mark.parametrize("step", [-1, -2, -3, 1, 2, 7])
@pytest.mark.parametrize("start", [None, 0, 2, -1, -9, 9])
@pytest.mark.parametrize("stop", [None, 0, 3, -1, -9, 9])
def test_every_kind_of_slice(
    start: int | None, stop: int | None, step: int | None
) -> None:
    array = numbered((6, 2))
    key = slice(start, stop, step)
    source = Watched(array)
    lazy = LazyArray(source)
    np.testing.assert_array_equal(np.asarray(lazy[key]), array[key])
    np.testing.assert_array_equal(np.asarray(lazy[key][::-1]), array[key][::-1])


@pytest.mark.parametrize(
    "key",
    [None, True, np.True_, 1.0, "a", [0, 1], np.array([0]), (..., ...), (0, 0, 0, 0)],
)
def test_other_indices_are_refused_not_misread(key: Any) -> None:
    with pytest.raises(IndexError):
        LazyArray(MemorySource(numbered((2, 3, 4))))[key]


@pytest.mark.parametrize("key", [2, -3, (0, 3), (slice(None), -4)])
def test_out_of_bounds_is_an_error(key: Any) -> None:
    with pytest.raises(IndexError, match="out of bounds"):
        LazyArray(MemorySource(numbered((2, 3))))[key]


def test_a_step_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="zero"):
        LazyArray(MemorySource(numbered((2, 3))))[::0]


def test_numpy_integers_select() -> None:
    array = numbered((4, 5))
    lazy = LazyArray(MemorySource(array))
    np.testing.assert_array_equal(
        np.asarray(lazy[np.int64(-1), np.uint8(1) : np.int16(4)]), array[-1, 1:4]
    )


def test_what_is_read_is_a_copy() -> None:
    array = numbered((3, 4))
    lazy = LazyArray(MemorySource(array))
    for pixels in (np.asarray(lazy), np.array(lazy), np.asarray(lazy[1:, ::-1])):
        pixels[...] = -1
    assert array.min() == 0
    with pytest.raises(ValueError, match="copy"):
        np.asarray(lazy, copy=False)


def test_it_is_converted_on_request() -> None:
    assert np.asarray(LazyArray(MemorySource(numbered((2, 2)))), "f8").dtype == "f8"


def test_it_acts_like_an_array_but_never_computes_by_itself() -> None:
    source = Watched(numbered((2, 3, 4)))
    lazy = LazyArray(source)
    assert isinstance(lazy, LevelArray)
    assert [view.shape for view in lazy] == [(3, 4), (3, 4)]
    assert "(2, 3, 4)" in repr(lazy)
    assert lazy.source is source
    with pytest.raises(TypeError):
        np.add(lazy, 1)
    with pytest.raises(TypeError):
        len(lazy[0, 0, 0])
    assert not source.blocks


def test_chunks_follow_the_selection() -> None:
    lazy = LazyArray(FrameSource((7, 3, 40, 50), "u1", lambda i: None))
    assert lazy.chunks == (1, 1, 40, 50)
    assert lazy[2].chunks == (1, 40, 50)
    assert lazy[:, 0, 5:15].chunks == (1, 10, 50)
    assert LazyArray(MemorySource(numbered((2, 2)))).chunks is None
