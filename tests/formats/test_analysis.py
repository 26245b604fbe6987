"""Lazy arrays as dask arrays: the same pixels, read block by block."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.arrays import FrameSource, LazyArray, MemorySource, MosaicSource
from napari_scope.formats import to_dask
from napari_scope.formats.analysis import BLOCK_BYTES, _grouped

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = np.arange(4 * 3 * 6 * 5, dtype=np.uint16).reshape(4, 3, 6, 5)


def frame(index: tuple[int, ...]) -> np.ndarray:
    return DATA[index]


def tile(
    index: tuple[int, ...], row: int, column: int, part: tuple[slice, slice]
) -> np.ndarray:
    return np.full((8, 8), 10 * row + column, np.uint8)[part]


def lazy(read: list[tuple[int, ...]]) -> LazyArray:
    def frame(index: tuple[int, ...]) -> np.ndarray:
        read.append(index)
        return DATA[index]

    return LazyArray(FrameSource(DATA.shape, DATA.dtype, frame))


@pytest.mark.parametrize("chunks", ["auto", "frame", None, (2, 3, 4, 5)])
def test_same_pixels_and_arithmetic(chunks: Any) -> None:
    array = to_dask(lazy([]), chunks=chunks)
    assert array.dtype == DATA.dtype
    np.testing.assert_array_equal(array.compute(), DATA)
    np.testing.assert_array_equal(array.max(axis=1).compute(), DATA.max(axis=1))
    np.testing.assert_array_equal(
        (array[1:, ::2, 2:] * 2).compute(), DATA[1:, ::2, 2:] * 2
    )
    np.testing.assert_array_equal(array[::-2, [2, 0]].compute(), DATA[::-2][:, [2, 0]])


def test_blocks_are_frames_or_groups_of_frames() -> None:
    assert to_dask(lazy([])).chunksize == DATA.shape
    for chunks in ("frame", None):
        assert to_dask(lazy([]), chunks=chunks).chunksize == (1, 1, 6, 5)
    assert to_dask(lazy([]), chunks=(2, 3, 4, -1)).chunksize == (2, 3, 4, 5)
    many = LazyArray(FrameSource((500, 4, 50, 16, 16), "u2", frame))
    assert to_dask(many).npartitions == 13
    assert to_dask(many, chunks="frame").npartitions == 100_000
    assert to_dask(LazyArray(MemorySource(DATA)), chunks="frame").shape == DATA.shape
    with pytest.raises(ValueError, match="chunks must be"):
        to_dask(lazy([]), chunks="frames")


@given(
    axes=st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 300)), max_size=5),
    itemsize=st.sampled_from([1, 2, 8]),
)
def test_groups_are_whole_chunks_within_the_limit(
    axes: list[tuple[int, int]], itemsize: int
) -> None:
    shape = [n for n, _ in axes]
    chunks = [max(1, min(chunk, n)) for n, chunk in axes]
    blocks = _grouped(shape, chunks, itemsize)
    chunk_bytes = math.prod(chunks) * itemsize
    assert math.prod(blocks) * itemsize <= max(BLOCK_BYTES, chunk_bytes)
    for n, chunk, block in zip(shape, chunks, blocks, strict=True):
        assert block % chunk == 0 or block == n
    # The next frame goes along the last axis that is not full: a block is one run.
    grown = [i for i, block in enumerate(blocks) if block > chunks[i]]
    for i in range(min(grown, default=len(axes)) + 1, len(axes)):
        assert blocks[i] >= shape[i]


def test_nothing_is_read_before_and_only_what_is_asked() -> None:
    read: list[tuple[int, ...]] = []
    array = to_dask(lazy(read))
    assert array.npartitions == 1
    assert read == []
    cases: list[tuple[Callable[[], Any], list[tuple[int, ...]]]] = [
        (lambda: array[2, 1], [(2, 1)]),
        (lambda: array[2, 1] + 1, [(2, 1)]),
        (lambda: array[2, 1, 2:4].sum(), [(2, 1)]),
        (lambda: array[1:3, 2], [(1, 2), (2, 2)]),
        (lambda: array[::2, 0].astype(float).mean(axis=0), [(0, 0), (2, 0)]),
    ]
    for make, frames in cases:
        read.clear()
        make().compute(scheduler="synchronous")
        assert sorted(read) == frames


def sources() -> list[Any]:
    return [
        LazyArray(FrameSource(DATA.shape, DATA.dtype, frame))[1:, :, ::-1],
        LazyArray(MosaicSource((2,), (2, 3), (8, 8), "u1", tile)),
        LazyArray(MemorySource(DATA)),
    ]


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_every_scheduler(scheduler: str) -> None:
    levels = sources()
    arrays = [to_dask(level, chunks="frame") for level in levels]
    with dask.config.set(
        {
            "scheduler": scheduler,
            "multiprocessing.context": "spawn",
            "num_workers": 2,
        }
    ):
        for level, pixels in zip(levels, dask.compute(*arrays), strict=True):
            np.testing.assert_array_equal(pixels, np.asarray(level))


def test_a_dask_array_pickles_as_for_a_distributed_scheduler() -> None:
    for level in sources():
        again = pickle.loads(pickle.dumps(to_dask(level, chunks="frame")))
        np.testing.assert_array_equal(again.compute(), np.asarray(level))


class TestNames:
    def test_without_a_name_each_array_has_its_own(self) -> None:
        level = sources()[0]
        assert to_dask(level).name != to_dask(level).name

    def test_the_same_view_of_the_same_store_has_the_same(self) -> None:
        first, second = sources()[0], sources()[0]
        assert to_dask(first, name="s").name == to_dask(second, name="s").name
        assert to_dask(first[1], name="s").name == to_dask(second[1], name="s").name
        assert to_dask(first, name="s").name.startswith("s-")

    def test_anything_else_has_another(self) -> None:
        level = LazyArray(MemorySource(DATA))
        frames = LazyArray(FrameSource(DATA.shape, DATA.dtype, frame))
        other = LazyArray(MemorySource(DATA.astype("i2")))
        arrays = [
            to_dask(level, name="a"),
            to_dask(level, name="b"),
            to_dask(level, name="a", chunks=(1, 1, 6, 5)),
            to_dask(frames, name="c"),
            to_dask(frames, name="c", chunks="frame"),
            to_dask(other, name="a"),
            *(to_dask(level[i], name="a") for i in range(4)),
            to_dask(level[::-1], name="a"),
            to_dask(level[:, 1], name="a"),
        ]
        assert len({array.name for array in arrays}) == len(arrays)

    def test_it_is_the_same_in_every_process(self) -> None:
        script = textwrap.dedent(
            """
            from napari_scope.arrays import FrameSource, LazyArray
            from napari_scope.formats import to_dask
            level = LazyArray(FrameSource((4, 3, 6, 5), "u2", print))
            print(to_dask(level[1:], name="store").name)
            """
        )
        found = {
            subprocess.run(
                [sys.executable, "-c", script],
                env=dict(os.environ, PYTHONHASHSEED=seed),
                capture_output=True,
                check=True,
                text=True,
            ).stdout
            for seed in ("1", "2")
        }
        assert len(found) == 1
        assert found.pop().startswith("store-")
