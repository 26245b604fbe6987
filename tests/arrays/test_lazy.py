from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_scope.arrays import FrameSource, LazyArray, MemorySource
from napari_scope.errors import FormatError
from napari_scope.model import LevelArray

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def test_too_many_indices_are_counted() -> None:
    lazy = LazyArray(MemorySource(numbered((2, 3, 4))))[:, 1]
    with pytest.raises(IndexError, match="too many indices: 3 for an array of 2 axes"):
        lazy[0, :, 0]
    with pytest.raises(IndexError, match="too many indices: 1 for an array of 0 axes"):
        lazy[0, 0][0]


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


def test_the_only_pixel_is_a_number() -> None:
    lazy = LazyArray(MemorySource(np.arange(6).reshape(2, 3)))
    assert int(lazy[1, 2]) == 5
    assert float(lazy[1:, 2:]) == 5.0
    assert lazy[0, 1].item() == 1
    assert type(lazy[0, 1].item()) is int
    for several in (lazy, lazy[:0]):
        with pytest.raises(ValueError, match="only one pixel is a number"):
            int(several)


def test_chunks_follow_the_selection() -> None:
    lazy = LazyArray(FrameSource((7, 3, 40, 50), "u1", lambda i: None))
    assert lazy.chunks == (1, 1, 40, 50)
    assert lazy[2].chunks == (1, 40, 50)
    assert lazy[:, 0, 5:15].chunks == (1, 10, 50)
    assert LazyArray(MemorySource(numbered((2, 2)))).chunks is None


class TestOneFrame:
    """A view of one whole frame takes the short way, with the same result."""

    SHAPE = (3, 2, 4, 5)
    FULL = (slice(None), slice(0, 4), slice(0, None, 1), slice(-9, 99), slice(None, 5))

    def lazy(self, *, growing: bool = False, frame_ndim: int = 2) -> LazyArray:
        class Frames(FrameSource):
            def read(self, block: tuple[slice, ...]) -> Array:
                raise AssertionError("this is no block")

        array = numbered(self.SHAPE)
        return LazyArray(
            Frames(
                (lambda: self.SHAPE) if growing else self.SHAPE,
                "i4",
                lambda index: array[index].copy(),
                frame_ndim=frame_ndim,
            )
        )

    @pytest.mark.parametrize("growing", [False, True])
    @pytest.mark.parametrize("y", FULL)
    def test_by_integers_in_one_step_or_many(self, y: slice, *, growing: bool) -> None:
        lazy, expected = self.lazy(growing=growing), numbered(self.SHAPE)[2, 1]
        views = [
            lazy[2, 1],
            lazy[-1, np.int64(1)],
            lazy[2][1],
            lazy[2, 1, y],
            lazy[(2, 1, y, slice(None))],
            lazy[..., y, :][2, 1],
            lazy[:, 1][2, :, 0:5],
            lazy[1:][1, -1, ...],
            lazy[2, 1, y][:, :],
        ]
        for view in views:
            assert view.shape == (4, 5)
            np.testing.assert_array_equal(np.asarray(view), expected)

    def test_with_samples_or_without_leading_axes(self) -> None:
        array = numbered(self.SHAPE)
        np.testing.assert_array_equal(self.lazy(frame_ndim=3)[2], array[2])
        np.testing.assert_array_equal(self.lazy(frame_ndim=4), array)

    @pytest.mark.parametrize("key", [(0,), (0, 0, 1), (0, 0, slice(1, None)), ()])
    def test_anything_else_is_a_block(self, key: tuple[Any, ...]) -> None:
        with pytest.raises(AssertionError, match="no block"):
            np.asarray(self.lazy()[key])

    @pytest.mark.parametrize("key", [(0, 0, slice(None, None, -1)), (0, 0, 0, 0)])
    def test_a_turned_frame_is_turned(self, key: tuple[Any, ...]) -> None:
        array = numbered(self.SHAPE)
        lazy = LazyArray(FrameSource(self.SHAPE, "i4", lambda i: array[i].copy()))
        np.testing.assert_array_equal(np.asarray(lazy[key]), array[key])

    def test_conversion_and_copy_are_numpys(self) -> None:
        view = self.lazy()[0, 0]
        assert np.asarray(view, "f8").dtype == np.float64
        assert view.__array__(np.dtype("f8")).dtype == np.float64
        assert np.array(view, copy=True).flags.owndata
        with pytest.raises(ValueError, match="copy"):
            np.asarray(view, copy=False)

    def test_a_covering_slice_does_not_grow(self) -> None:
        self.rows = 4
        lazy = LazyArray(
            FrameSource(
                lambda: (2, self.rows, 5),
                "i4",
                lambda i: np.full((self.rows, 5), self.rows),
            )
        )
        whole, part = lazy[1], lazy[1, 0:4]
        assert (whole.shape, part.shape) == ((4, 5), (4, 5))
        self.rows = 6
        assert np.asarray(whole).shape == (6, 5)
        assert np.asarray(part).shape == part.shape == (4, 5)


class TestOwnership:
    def test_a_new_frame_is_passed_on_as_it_is(self) -> None:
        made: list[Array] = []

        def frame(index: tuple[int, ...]) -> Array:
            made.append(np.ones((4, 5), "u2"))
            return made[-1]

        lazy = LazyArray(FrameSource((3, 4, 5), "u2", frame, new_frames=True))
        assert np.asarray(lazy[1]) is made[0]
        assert np.shares_memory(np.asarray(lazy[1:2]), made[1])
        lazy = LazyArray(FrameSource((3, 4, 5), "u2", frame))
        assert not np.shares_memory(np.asarray(lazy[1]), made[2])

    @pytest.mark.parametrize("key", [0, slice(0, 1), slice(0, 2), (0, slice(1, 3))])
    @pytest.mark.parametrize(
        "kind", ["kept", "view", "read-only", "other type", "big-endian"]
    )
    def test_a_frame_of_somebody_is_copied(self, key: Any, kind: str) -> None:
        array = numbered((2, 4, 5)).astype(">i4" if kind == "big-endian" else "i4")
        dtype = "i8" if kind == "other type" else "i4"
        kept = [array[0], array[1]] if kind == "view" else [f.copy() for f in array]
        if kind == "read-only":
            for frame in kept:
                frame.flags.writeable = False
        lazy = LazyArray(
            FrameSource(
                (2, 4, 5), dtype, lambda i: kept[i[0]], new_frames=kind != "kept"
            )
        )
        pixels = np.asarray(lazy[key])
        assert pixels.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(pixels, array[key])
        pixels[...] = -1
        np.testing.assert_array_equal(kept, numbered((2, 4, 5)))

    def test_a_source_over_read_only_memory_gives_writable_pixels(self) -> None:
        class ReadOnly(MemorySource):
            def read(self, block: tuple[slice, ...]) -> Array:
                pixels = super().read(block).copy()
                pixels.flags.writeable = False
                return pixels

        np.asarray(LazyArray(ReadOnly(numbered((2, 3)))))[...] = 0

    @pytest.mark.parametrize("key", [0, slice(0, 1), slice(None)])
    @pytest.mark.parametrize("shape", [(4, 4), (6, 5), (1, 5), (5,), (4, 5, 1)])
    def test_a_frame_of_another_shape_is_an_error(
        self, key: Any, shape: tuple[int, ...]
    ) -> None:
        lazy = LazyArray(FrameSource((2, 4, 5), "u1", lambda i: np.ones(shape, "u1")))
        with pytest.raises(FormatError, match=r"frame at \(0,\) .* expected \(4, 5\)"):
            np.asarray(lazy[key])


class Bulk:
    """Frames that can be read many at once, all but the first plane of each time."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.single: list[tuple[int, ...]] = []
        self.bulk: list[list[tuple[int, ...]]] = []
        self.filled: list[Array] = []

    def read_frame(self, index: tuple[int, ...]) -> Array | None:
        self.single.append(index)
        return None if index[-1] == 0 else self.array[index]

    def read_into(self, indices: Sequence[tuple[int, ...]], out: Array) -> None:
        assert out.flags.c_contiguous
        assert not out.any()
        assert out.shape == (len(indices), *self.array.shape[-2:])
        self.bulk.append(list(indices))
        self.filled.append(out)
        for place, index in zip(out, indices, strict=True):
            if index[-1] != 0:
                place[...] = self.array[index]

    def lazy(self) -> LazyArray:
        return LazyArray(
            FrameSource(
                self.array.shape,
                self.array.dtype,
                self.read_frame,
                read_frames_into=self.read_into,
            )
        )


@settings(max_examples=150, deadline=None)
@given(data=st.data(), shape=hnp.array_shapes(min_dims=3, max_dims=5, max_side=4))
def test_many_whole_frames_are_read_at_once(
    data: st.DataObject, shape: tuple[int, ...]
) -> None:
    frames = Bulk(numbered(shape) + 1)
    expected = frames.array.copy()
    expected[..., 0, :, :] = 0
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=False))
    pixels = np.asarray(frames.lazy()[key])
    np.testing.assert_array_equal(pixels, expected[key])
    asked = frames.single + [index for call in frames.bulk for index in call]
    assert len(set(asked)) == len(asked)
    assert len(frames.bulk) <= 1
    if frames.bulk:
        assert not frames.single
        assert len(frames.bulk[0]) > 1
        assert np.shares_memory(pixels, frames.filled[0])
    elif len(asked) > 1:
        height, width = expected[(0,) * (len(shape) - 2)].shape
        seen = math.prod(np.asarray(frames.lazy()[key]).shape) / len(asked)
        assert seen < height * width, "whole frames are read in bulk"


def sevens(index: tuple[int, ...]) -> Array:
    return np.full((2, 3), 7 * index[0], "u1")


def sevens_into(indices: Sequence[tuple[int, ...]], out: Array) -> None:
    for place, index in zip(out, indices, strict=True):
        place[...] = sevens(index)


def growing_shape() -> tuple[int, ...]:
    return (4, 2, 3)


class TestPickling:
    @pytest.mark.parametrize("key", [(), 1, (slice(3, None, -2), 0), slice(1, None)])
    @pytest.mark.parametrize(
        "source",
        [
            MemorySource(numbered((4, 2, 3))),
            FrameSource((4, 2, 3), "u1", sevens),
            FrameSource(growing_shape, "u1", sevens, read_frames_into=sevens_into),
        ],
    )
    def test_arrays_come_back_as_they_were(self, source: Any, key: Any) -> None:
        view = LazyArray(source)[key]
        again = pickle.loads(pickle.dumps(view))
        assert (again.shape, again.dtype) == (view.shape, view.dtype)
        assert again.selection == view.selection
        np.testing.assert_array_equal(np.asarray(again), np.asarray(view))

    @pytest.mark.parametrize("part", ["shape", "read_frame", "read_frames_into"])
    def test_a_function_without_a_name_is_named(self, part: str) -> None:
        parts: dict[str, Any] = {"shape": (4, 2, 3), "read_frame": sevens}
        source = FrameSource(dtype="u1", **(parts | {part: lambda *_: None}))
        with pytest.raises(
            pickle.PicklingError,
            match=rf"FrameSource of uint8 .* its {part} is .*<lambda>",
        ):
            pickle.dumps(LazyArray(source))


def test_what_is_seen_of_the_source_is_told() -> None:
    lazy = LazyArray(MemorySource(numbered((4, 5, 6, 7))))
    assert lazy.selection == (None,) * 4
    assert lazy[1, :, 2:, ::-1].selection == (1, None, range(2, 6), range(6, -1, -1))
    assert lazy[:, 1][-1, 0:6].selection == (3, 1, range(6), None)
