"""How a pyramid is computed piece by piece: passes, blocks and pieces.

A *pass* reads one level and makes the next ones from it, as many as fit the memory. It
goes *block* by block; a block holds whole chunks (whole shards) of all levels that are
made, so each is written once and by one thread, in any order. A block is read in
*pieces*, which hold whole chunks of the level that is read where that is possible.
Where the last levels of a large image do not fit, a further pass starts from the
last level of the one before, which is a small part of the image by then.

Pure arithmetic over shapes; see `napari_scope.formats.ngff.pyramid.fill` for the work.

Examples
--------
>>> levels = [LevelGrid((4096, 4096), (512, 512), (512, 512))]
>>> for side in (2048, 1024, 512):
...     levels.append(LevelGrid((side, side), (512, 512), (512, 512)))
>>> [(one.targets, one.block) for one in plan_passes(levels, 2, memory=8 << 20)]
[((1, 2), (2048, 2048)), ((3,), (1024, 1024))]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    _Fits = Callable[[Sequence[int]], bool]

__all__ = ["Block", "LevelGrid", "Pass", "plan_passes", "step_factors"]

Block = tuple[slice, ...]

_LARGE = 8 << 20  # bytes: larger blocks save no more time


@dataclass(frozen=True, slots=True)
class LevelGrid:
    """How one level is cut.

    Parameters
    ----------
    shape : tuple of int
        Length of each axis.
    read : tuple of int
        Chunk, or inner chunk of a sharded array: what is decoded at once.
    write : tuple of int
        Chunk or shard: what is written at once.
    """

    shape: tuple[int, ...]
    read: tuple[int, ...]
    write: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """Levels that are made from one that is there.

    Parameters
    ----------
    source : int
        The level that is read.
    targets : tuple of int
        The levels that are made, finest first.
    steps : tuple of tuple of int
        For each target, by how much each axis of the level before is reduced.
    shapes : tuple of tuple of int
        Shapes of the source and of the targets.
    block, piece : tuple of int
        Size of a block and of a piece, in pixels of the source.
    nbytes : int
        Memory of the pixels of one block while it is worked on.
    """

    source: int
    targets: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    shapes: tuple[tuple[int, ...], ...]
    block: tuple[int, ...]
    piece: tuple[int, ...]
    nbytes: int

    @property
    def count(self) -> int:
        """Number of blocks."""
        pairs = zip(self.shapes[0], self.block, strict=True)
        return math.prod(-(-n // b) for n, b in pairs)

    def blocks(self) -> Iterator[Block]:
        """Return the blocks of the source, in the order of its pixels."""
        yield from _cuts([slice(0, n) for n in self.shapes[0]], self.block)

    def pieces(self, block: Block) -> Iterator[Block]:
        """Return the pieces of a block."""
        yield from _cuts(block, self.piece)

    def region(self, number: int, block: Block) -> Block:
        """Return what a block becomes in target ``number``, counted from 0."""
        region = []
        for axis, part in enumerate(block):
            factor = math.prod(step[axis] for step in self.steps[: number + 1])
            end = self.shapes[number + 1][axis]
            start = min(part.start // factor, end)
            region.append(slice(start, min(-(-part.stop // factor), end)))
        return tuple(region)


def step_factors(fine: Sequence[int], coarse: Sequence[int]) -> tuple[int, ...]:
    """Return by how much each axis is reduced from a level to the next.

    Odd lengths may be rounded up, as ours are, or down, as some writers do.

    Raises
    ------
    SettingsError
        If an axis is neither kept nor halved.
    """
    factors = []
    for n, m in zip(fine, coarse, strict=True):
        if n == m:
            factors.append(1)
        elif m in (n // 2, -(-n // 2)) and m > 0:
            factors.append(2)
        else:
            raise SettingsError(
                f"a level of shape {tuple(coarse)} is not half of {tuple(fine)}: each "
                "axis has to be kept or halved",
                hint="delete the pyramid and make a new one",
            )
    return tuple(factors)


def plan_passes(
    levels: Sequence[LevelGrid],
    itemsize: int,
    *,
    memory: int,
    workers: int = 1,
) -> list[Pass]:
    """Return the passes that make all levels from the first.

    Parameters
    ----------
    levels : sequence of LevelGrid
        Full resolution and the levels to make.
    itemsize : int
        Bytes of a pixel.
    memory : int
        Bytes that one block may take. One that holds a single chunk of the next level
        may take more, if chunks are that large.
    workers : int
        How many blocks are worked on at the same time; there are some for each.
    """
    passes: list[Pass] = []
    source = 0
    while source < len(levels) - 1:
        best = _plan(levels, source, source + 1, itemsize, memory, workers)
        for last in range(source + 2, len(levels)):
            longer = _plan(levels, source, last, itemsize, memory, workers)
            if longer.nbytes > memory:
                break
            best = longer
        passes.append(best)
        source = best.targets[-1]
    return passes


def _plan(
    levels: Sequence[LevelGrid],
    source: int,
    last: int,
    itemsize: int,
    memory: int,
    workers: int,
) -> Pass:
    targets = range(source + 1, last + 1)
    shape = levels[source].shape
    steps = [step_factors(levels[t - 1].shape, levels[t].shape) for t in targets]
    total = [1] * len(shape)
    unit = [1] * len(shape)
    for target, step in zip(targets, steps, strict=True):
        total = [f * s for f, s in zip(total, step, strict=True)]
        grid = levels[target]
        for axis, factor in enumerate(total):
            # A chunk may be larger than its array.
            span = max(1, min(grid.write[axis], grid.shape[axis])) * factor
            unit[axis] = math.lcm(unit[axis], span)
    unit = [max(1, min(u, n)) for u, n in zip(unit, shape, strict=True)]
    least = [
        _piece(max(1, min(c, n)), f, u)
        for c, n, f, u in zip(levels[source].read, shape, total, unit, strict=True)
    ]

    def cost(block: Sequence[int], piece: Sequence[int]) -> int:
        return itemsize * _pixels(block, piece, steps)

    block = _grown(
        unit,
        shape,
        lambda b: (
            itemsize * math.prod(b) <= _LARGE
            and cost(b, b) <= memory
            and math.prod(-(-n // s) for n, s in zip(shape, b, strict=True))
            >= 2 * workers
        ),
    )
    # Read at once what may be; else, in pieces that leave room for what is made.
    piece = _grown(least, block, lambda p: cost(block, p) <= memory)
    return Pass(
        source,
        tuple(targets),
        tuple(steps),
        tuple(levels[n].shape for n in range(source, last + 1)),
        tuple(block),
        tuple(piece),
        cost(block, piece),
    )


def _piece(chunk: int, factor: int, block: int) -> int:
    """Return the least length of a piece: whole chunks and whole coarse pixels."""
    both = math.lcm(chunk, factor)
    if both > 2 * chunk:
        # Chunks of an odd length: some are read twice rather than many at once.
        both = -(-chunk // factor) * factor
    return min(both, block)


def _grown(size: Sequence[int], limit: Sequence[int], fits: _Fits) -> list[int]:
    """Return a size, doubled on axis after axis, the last first, while it fits."""
    grown = list(size)
    for axis in reversed(range(len(grown))):
        while grown[axis] < limit[axis]:
            longer = min(2 * grown[axis], limit[axis])
            trial = [*grown[:axis], longer, *grown[axis + 1 :]]
            if not fits(trial):
                break
            grown = trial
    return grown


def _pixels(
    block: Sequence[int], piece: Sequence[int], steps: Sequence[Sequence[int]]
) -> int:
    """Return the pixels held at once: a piece, its coarse ones and all results."""
    held = math.prod(piece)
    for step in steps:
        block = [-(-n // s) for n, s in zip(block, step, strict=True)]
        piece = [-(-n // s) for n, s in zip(piece, step, strict=True)]
        held += math.prod(block) + math.prod(piece)
    return held


def _cuts(
    whole: Sequence[slice], size: Sequence[int], axis: int = 0
) -> Iterator[Block]:
    """Cut a block; nothing is listed beforehand, so a shape may claim anything."""
    if axis == len(whole):
        yield ()
        return
    part, length = whole[axis], size[axis]
    for start in range(part.start, part.stop, length):
        first = slice(start, min(start + length, part.stop))
        for rest in _cuts(whole, size, axis + 1):
            yield (first, *rest)
