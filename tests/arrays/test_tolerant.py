"""Arrays that a viewer shows although a part of them cannot be read."""

from __future__ import annotations

import gc
import pickle
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_scope.arrays import LazyArray, MemorySource
from napari_scope.arrays.sources import Block, FrameSource
from napari_scope.arrays.tolerant import strict, tolerant
from napari_scope.errors import FormatError

PIXELS = np.arange(1, 1 + 4 * 6 * 9, dtype="<u2").reshape(4, 6, 9)


def quiet(sentence: str) -> None:
    """Tell nobody."""


class Damaged:
    """Pixels of which some chunks cannot be read."""

    def __init__(
        self, damage: set[tuple[int, ...]], chunks: tuple[int, ...] | None = (1, 2, 3)
    ) -> None:
        self.damage = damage
        self.chunks = chunks
        self.shape = PIXELS.shape
        self.dtype = PIXELS.dtype
        self.reads = 0

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        self.reads += 1
        for chunk in self.damage:
            if all(
                any(i // size == place for i in range(s.start, s.stop, s.step or 1))
                for s, size, place in zip(block, (1, 2, 3), chunk, strict=True)
            ):
                raise FormatError(f"chunk {chunk} is damaged")
        return PIXELS[block]


def expected(damage: set[tuple[int, ...]]) -> npt.NDArray[np.uint16]:
    left = PIXELS.copy()
    for t, y, x in damage:
        left[t, 2 * y : 2 * y + 2, 3 * x : 3 * x + 3] = 0
    return left


@pytest.mark.parametrize(
    "key",
    [
        (...,),
        (1,),
        (slice(None), slice(1, 6, 2), slice(None, None, 4)),
        (slice(None, None, -1), 3, slice(7, 0, -3)),
        (0, slice(2, 2)),
    ],
)
def test_only_damaged_chunks_are_zero(key: tuple[Any, ...]) -> None:
    damage = {(1, 0, 0), (1, 1, 2), (3, 2, 1)}
    heard: list[str] = []
    shown = tolerant(LazyArray(Damaged(damage)), heard.append)
    assert np.array_equal(np.asarray(shown[key]), expected(damage)[key])
    assert len(heard) <= 1


def test_what_is_whole_is_read_at_once_and_nothing_told() -> None:
    source = Damaged(set())
    heard: list[str] = []
    shown = tolerant(LazyArray(source), heard.append)
    assert np.array_equal(np.asarray(shown), PIXELS)
    assert (source.reads, heard) == (1, [])


def test_arrays_of_one_source_tell_a_thing_once() -> None:
    array = LazyArray(Damaged({(0, 0, 0)}))
    heard: list[str] = []
    for view in (array, array[0], array[:, 1:]):
        shown = tolerant(view, heard.append)
        np.asarray(shown)
        np.asarray(shown)
    assert heard == ["chunk (0, 0, 0) is damaged"]


def test_a_broken_disk_does_not_fill_the_screen() -> None:
    everything = {(t, y, x) for t in range(4) for y in range(3) for x in range(3)}
    heard: list[str] = []
    shown = tolerant(LazyArray(Damaged(everything)), heard.append)
    for t, y, x in sorted(everything):
        assert not np.asarray(shown[t, 2 * y, 3 * x]).any()
    assert len(heard) == 3


def test_without_chunks_the_whole_block_is_zero() -> None:
    source = Damaged({(0, 0, 0)}, chunks=None)
    shown = tolerant(LazyArray(source), quiet)
    assert not np.asarray(shown).any()
    assert source.reads == 1


def test_a_source_that_fails_slowly_is_not_asked_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter(range(0, 10_000, 20))
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    source = Damaged({(1, 0, 0)})
    assert not np.asarray(tolerant(LazyArray(source), quiet)).any()
    assert source.reads == 1


def test_zeros_that_would_fill_the_memory_are_refused() -> None:
    class Huge(Damaged):
        def __init__(self) -> None:
            super().__init__(set())
            self.shape = (1, 2**20, 2**20)

        def read(self, block: Block) -> npt.NDArray[np.generic]:
            raise FormatError("more than the memory")

    with pytest.raises(FormatError, match="more than the memory"):
        np.asarray(tolerant(LazyArray(Huge()), quiet))


def test_frames_are_tolerant_too_and_still_frames() -> None:
    def read_frame(index: tuple[int, ...]) -> npt.NDArray[np.generic]:
        if index == (1,):
            raise OSError("gone")
        return np.full((2, 3), 9, "u1")

    heard: list[str] = []
    shown = tolerant(LazyArray(FrameSource((3, 2, 3), "u1", read_frame)), heard.append)
    assert np.asarray(shown[0]).tolist() == [[9] * 3] * 2
    assert np.asarray(shown[1]).tolist() == [[0] * 3] * 2
    assert heard == ["gone"]


def test_errors_of_the_program_are_not_hidden() -> None:
    def read_frame(index: tuple[int, ...]) -> npt.NDArray[np.generic]:
        raise ZeroDivisionError

    shown = tolerant(LazyArray(FrameSource((3, 2, 3), "u1", read_frame)), quiet)
    with pytest.raises(ZeroDivisionError):
        np.asarray(shown)


def test_the_array_that_raises_can_be_had_back() -> None:
    shown = tolerant(LazyArray(Damaged({(0, 0, 0)})), quiet)
    again = tolerant(shown, quiet)
    assert again is shown
    back = strict(shown[0])
    with pytest.raises(FormatError, match="damaged"):
        np.asarray(back)
    assert strict(PIXELS) is PIXELS


def test_memory_stays_as_it_is_and_nothing_is_kept_alive() -> None:
    memory = LazyArray(MemorySource(PIXELS))
    assert tolerant(memory, print) is memory
    source = Damaged(set())
    gone = weakref.ref(source)
    shown = tolerant(LazyArray(source), print)
    copied = pickle.loads(pickle.dumps(strict(shown)))
    assert np.array_equal(np.asarray(copied), PIXELS)
    assert np.array_equal(np.asarray(pickle.loads(pickle.dumps(shown))), PIXELS)
    del source, shown
    gc.collect()
    assert gone() is None
