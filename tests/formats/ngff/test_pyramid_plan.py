"""Levels and blocks of pyramids: pure arithmetic."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.errors import SettingsError
from napari_scope.formats.ngff.pyramid.blocks import (
    LevelGrid,
    plan_passes,
    step_factors,
)
from napari_scope.formats.ngff.pyramid.plan import plan_levels


def test_levels_are_added_until_a_side_is_small() -> None:
    levels = plan_levels((2, 3000, 700), ("c", "Y", "X"), (1, 1, 1), (0, 0, 0))
    assert [level.shape[1:] for level in levels] == [
        (3000, 700),
        (1500, 350),
        (750, 175),
        (375, 88),
    ]
    assert [level.path for level in levels] == ["0", "1", "2", "3"]
    small = plan_levels((512, 512), "yx", (1, 1), (0, 0))
    assert len(small) == 1
    deep = plan_levels((2000, 9, 9), "zyx", (1, 1, 1), (0, 0, 0), dims=("z",))
    assert [level.shape for level in deep] == [(2000, 9, 9), (1000, 9, 9), (500, 9, 9)]


@given(
    st.lists(st.integers(1, 3000), min_size=3, max_size=3),
    st.lists(st.floats(0.01, 100), min_size=3, max_size=3),
    st.integers(1, 8),
    st.sampled_from([("y", "x"), ("z", "y", "x"), ("x",), ("z",)]),
)
def test_the_pixels_of_a_level_lie_in_the_middle_of_those_they_stand_for(
    shape: list[int], scale: list[float], count: int, dims: tuple[str, ...]
) -> None:
    offset = (5.0, -3.0, 0.0)
    for level in plan_levels(shape, "zyx", scale, offset, count, dims):
        for axis, name in enumerate("zyx"):
            factor = level.factor[axis]
            assert factor == 1 or name in dims
            assert level.shape[axis] == math.ceil(shape[axis] / factor)
            places = offset[axis] + scale[axis] * np.arange(factor)
            assert level.translation[axis] == pytest.approx(places.mean())
            assert level.scale[axis] == pytest.approx(scale[axis] * factor)


def test_an_axis_of_one_pixel_stays_as_it_is() -> None:
    levels = plan_levels((1, 8, 1), "zyx", (2, 1, 1), (7, 0, 0), 6, ("z", "y", "x"))
    assert [level.shape for level in levels] == [
        (1, 8, 1),
        (1, 4, 1),
        (1, 2, 1),
        (1,) * 3,
    ]
    assert {level.scale[0] for level in levels} == {2}
    assert {level.translation[0] for level in levels} == {7}


@pytest.mark.parametrize(
    ("names", "dims", "count"),
    [
        ("tyx", ("t", "y"), 2),
        ("tyx", ("z",), 2),
        ("tyx", (), 2),
        ("tyx", ("y",), 0),
        ("tyx", ("y",), 65),
        ("yx", ("y",), 2),
    ],
)
def test_what_makes_no_sense_is_refused(
    names: str, dims: tuple[str, ...], count: int
) -> None:
    with pytest.raises(SettingsError):
        plan_levels((3, 8, 8), names, (1, 1, 1), (0, 0, 0), count, dims)


def test_steps_may_be_rounded_down_but_nothing_else() -> None:
    assert step_factors((5, 4, 3), (5, 2, 1)) == (1, 2, 2)
    assert step_factors((5, 1), (3, 1)) == (2, 1)
    for coarse in ((1, 4), (5, 0), (6, 4)):
        with pytest.raises(SettingsError):
            step_factors((5, 4), coarse)


@st.composite
def grids(draw: st.DrawFn) -> list[LevelGrid]:
    ndim = draw(st.integers(2, 4))
    shape = tuple(draw(st.integers(1, 90)) for _ in range(ndim))
    reduced = [False] * (ndim - 2) + [True, True]
    if ndim > 2:
        reduced[-3] = draw(st.booleans())
    chunk = [draw(st.integers(1, 40)) for _ in range(ndim)]
    shard = [c * draw(st.integers(1, 3)) for c in chunk]
    halve_chunks = draw(st.booleans())  # as iohub does
    down = draw(st.booleans())
    levels = []
    for _ in range(draw(st.integers(2, 5))):
        levels.append(LevelGrid(shape, tuple(chunk), tuple(shard)))
        shape = tuple(
            max(1, n // 2 if down else -(-n // 2)) if r else n
            for n, r in zip(shape, reduced, strict=True)
        )
        if halve_chunks:
            shard = chunk = [-(-c // 2) for c in chunk]
    return levels


@settings(max_examples=60)
@given(grids(), st.integers(1, 40_000), st.integers(1, 4))
def test_every_chunk_is_written_once_and_whole(
    levels: list[LevelGrid], memory: int, workers: int
) -> None:
    passes = plan_passes(levels, 2, memory=memory, workers=workers)
    assert [t for one in passes for t in one.targets] == list(range(1, len(levels)))
    for one in passes:
        written = [np.zeros(levels[t].shape, int) for t in one.targets]
        read = np.zeros(levels[one.source].shape, int)
        blocks = list(one.blocks())
        assert len(blocks) == one.count
        for block in blocks:
            pieces = list(one.pieces(block))
            for piece in pieces:
                read[piece] += 1
            for number, target in enumerate(one.targets):
                grid = levels[target]
                region = one.region(number, block)
                written[number][region] += 1
                for part, chunk, length in zip(
                    region, grid.write, grid.shape, strict=True
                ):
                    empty = part.start == part.stop
                    assert empty or part.start % chunk == 0
                    assert empty or part.stop % chunk == 0 or part.stop == length
                # The pieces make up the region.
                parts = np.zeros(grid.shape, int)
                for piece in pieces:
                    parts[one.region(number, piece)] += 1
                assert (parts[region] == 1).all()
        assert (read == 1).all()
        assert all((w == 1).all() for w in written)


@settings(max_examples=200, deadline=None)
@given(grids(), st.integers(1, 40_000))
def test_the_memory_of_a_block_is_bounded(levels: list[LevelGrid], memory: int) -> None:
    for one in plan_passes(levels, 2, memory=memory):
        if one.nbytes <= memory:
            continue
        # Chunks of this size leave no choice: one of the next level, and what is read.
        assert len(one.targets) == 1
        source, target = levels[one.source], levels[one.targets[0]]
        for axis, step in enumerate(one.steps[0]):
            span = min(target.write[axis], target.shape[axis]) * step
            assert one.block[axis] <= span
            assert one.piece[axis] <= max(2 * source.read[axis], step)


def test_a_large_image_takes_few_passes_over_little() -> None:
    shape = (100_000, 100_000)
    levels = []
    while not levels or max(levels[-1].shape) > 512:
        levels.append(LevelGrid(shape, (1024, 1024), (1024, 1024)))
        shape = (-(-shape[0] // 2), -(-shape[1] // 2))
    passes = plan_passes(levels, 2, memory=64 << 20, workers=4)
    assert [one.targets for one in passes] == [(1, 2, 3), (4, 5, 6), (7, 8)]
    assert max(one.nbytes for one in passes) <= 64 << 20
    for before, after in itertools.pairwise(passes):
        assert before.targets[-1] == after.source


def test_small_chunks_are_read_many_at_once() -> None:
    levels = [LevelGrid((4096 >> n, 4096 >> n), (32, 32), (32, 32)) for n in range(3)]
    (one,) = plan_passes(levels, 2, memory=64 << 20, workers=2)
    assert math.prod(one.block) >= 1 << 20
    assert one.count >= 4
