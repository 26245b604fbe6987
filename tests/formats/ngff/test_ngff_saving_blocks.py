"""Chunks, files and blocks: bounded, whole, and none of a file shared."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.ngff.saving.blocks import (
    block_shape,
    blocks,
    count_blocks,
    cut_array,
)

NAMES = ("yx", "zyx", "tzyx", "cyx", "tczyx", "lyx")
MIB = 2**20


@st.composite
def arrays(draw: st.DrawFn) -> tuple[tuple[int, ...], str, int, bool]:
    names = draw(st.sampled_from(NAMES))
    length = st.one_of(st.integers(1, 20), st.integers(1, 10**6))
    shape = tuple(draw(length) for _ in names)
    return shape, names, draw(st.sampled_from([1, 2, 4, 8])), draw(st.booleans())


def pieces_of(data: st.DataObject, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    piece = st.integers(1, 10**6)
    found: tuple[int, ...] | None = data.draw(
        st.none() | st.tuples(*(piece | st.integers(1, 50) for _ in shape))
    )
    return found


@given(arrays(), st.data())
def test_a_file_holds_whole_chunks_and_is_bounded(
    array: tuple[tuple[int, ...], str, int, bool], data: st.DataObject
) -> None:
    shape, names, itemsize, shards = array
    pieces = pieces_of(data, shape)
    cut = cut_array(shape, names, itemsize, shards=shards, pieces=pieces)
    for name, n, chunk, shard in zip(names, shape, cut.chunk, cut.shard, strict=True):
        assert 1 <= chunk <= n
        assert shard % chunk == 0
        assert shard < n + chunk
        if name in "cl":
            assert shard == 1
    assert math.prod(cut.chunk) * itemsize <= 18 * MIB
    assert math.prod(cut.shard) * itemsize <= 64 * MIB
    if not shards:
        assert cut.shard == cut.chunk


@given(arrays(), st.data())
def test_blocks_are_bounded_and_share_no_file(
    array: tuple[tuple[int, ...], str, int, bool], data: st.DataObject
) -> None:
    shape, names, itemsize, shards = array
    shard = cut_array(shape, names, itemsize, shards=shards).shard
    pieces = pieces_of(data, shape)
    step = block_shape(shape, shard, pieces, itemsize)
    assert all(b % s == 0 for b, s in zip(step, shard, strict=True))
    read = math.prod(min(b, n) for b, n in zip(step, shape, strict=True)) * itemsize
    assert read <= 128 * MIB


def test_a_source_of_larger_pieces_is_read_by_them() -> None:
    # 16 planes are in a file, 48 in a piece of the source: it is computed once.
    assert block_shape((100, 1024, 1024), (16, 1024, 1024), (48, 1024, 1024), 2) == (
        48,
        1024,
        1024,
    )
    # One of 2 GiB is not read at once.
    assert block_shape((1000, 1024, 1024), (16, 1024, 1024), (1000, 1024, 1024), 2) == (
        16,
        1024,
        1024,
    )


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 12)), min_size=1, max_size=4)
)
def test_blocks_cover_each_pixel_once(axes: list[tuple[int, int]]) -> None:
    shape, step = tuple(n for n, _ in axes), tuple(s for _, s in axes)
    seen = np.zeros(shape, int)
    found = list(blocks(shape, step))
    for block in found:
        seen[block] += 1
    assert (seen == 1).all()
    assert len(found) == count_blocks(shape, step)


def test_blocks_are_not_listed_ahead() -> None:
    # 100,000 planes of one pixel: asking for the first ones is cheap.
    some = list(itertools.islice(blocks((10**5, 10**5, 1), (1, 1, 1)), 3))
    assert [block[1].start for block in some] == [0, 1, 2]


@pytest.mark.parametrize(
    ("shape", "names", "chunk", "shard"),
    [
        ((2048, 2048), "yx", (1024, 1024), (2048, 2048)),
        ((1000, 64, 64), "tyx", (8, 64, 64), (1000, 64, 64)),
        ((100_000, 100_000), "yx", (1024, 1024), (4096, 8192)),
        ((3, 5000, 6000), "cyx", (1, 1024, 1024), (1, 5120, 6144)),
        ((20, 30), "yx", (20, 30), (20, 30)),
    ],
)
def test_cuts_as_documented(
    shape: tuple[int, ...],
    names: str,
    chunk: tuple[int, ...],
    shard: tuple[int, ...],
) -> None:
    cut = cut_array(shape, names, 2)
    assert (cut.chunk, cut.shard) == (chunk, shard)


@pytest.mark.parametrize(
    ("shape", "pieces", "chunk", "shard"),
    [
        # 8 planes would fill a file: 5 and 6 are parts of what the source is made of.
        ((60, 2048, 2048), (10, 2048, 2048), (1, 1024, 1024), (5, 2048, 2048)),
        ((60, 2048, 2048), (3, 2048, 2048), (1, 1024, 1024), (6, 2048, 2048)),
        ((60, 2048, 2048), (11, 2048, 2048), (1, 1024, 1024), (8, 2048, 2048)),
        ((60, 2048, 2048), (1, 512, 700), (1, 512, 700), (7, 2048, 2100)),
        ((60, 2048, 2048), (1, 100, 2000), (1, 1024, 1024), (8, 2048, 2048)),
    ],
)
def test_cuts_go_along_those_of_the_source(
    shape: tuple[int, ...],
    pieces: tuple[int, ...],
    chunk: tuple[int, ...],
    shard: tuple[int, ...],
) -> None:
    cut = cut_array(shape, "zyx", 2, pieces=pieces)
    assert (cut.chunk, cut.shard) == (chunk, shard)
