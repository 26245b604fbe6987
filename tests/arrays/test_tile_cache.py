from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.threads import Thread, wait_until

from napari_scope.arrays.tile_cache import TileCache

if TYPE_CHECKING:
    import numpy.typing as npt


def tile(size: int) -> npt.NDArray[Any]:
    return np.zeros(size, "u1")


@given(
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=40),
)
def test_it_never_holds_more_than_it_may_and_keeps_what_was_used_last(
    bound: int, uses: list[tuple[int, int]]
) -> None:
    cache = TileCache(bound)
    order: list[int] = []
    sizes: dict[int, int] = {}
    for key, size in uses:
        size = sizes.get(key, size) if key in order else size
        assert cache.get(key, lambda n=size: tile(n)).size == size
        if key in order:
            order.remove(key)
        if size <= bound:
            order.append(key)
            sizes[key] = size
        while sum(sizes[k] for k in order) > bound:
            order.pop(0)
        assert cache.nbytes == sum(sizes[k] for k in order) <= bound
        assert len(cache) == len(order)
    assert all(cache.peek(key) is not None for key in order)


def test_a_tile_is_loaded_once_and_cannot_be_written_to() -> None:
    cache = TileCache(100)
    loads: list[int] = []

    def load() -> npt.NDArray[Any]:
        loads.append(1)
        return tile(10)

    first = cache.get("a", load)
    assert cache.get("a", load) is first
    assert loads == [1]
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_threads_that_want_the_same_tile_wait_for_one_load() -> None:
    cache = TileCache(100)
    may_go = threading.Event()
    loads: list[int] = []
    found: list[Any] = []

    def load() -> npt.NDArray[Any]:
        loads.append(1)
        may_go.wait(60)
        return tile(10)

    threads = [Thread(lambda: found.append(cache.get("a", load))) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: loads)
    may_go.set()
    for thread in threads:
        thread.join()
    assert loads == [1]
    assert all(one is found[0] for one in found)
    assert len(found) == 4


def test_a_load_that_fails_is_tried_again() -> None:
    cache = TileCache(100)

    def fail() -> npt.NDArray[Any]:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        cache.get("a", fail)
    assert cache.get("a", lambda: tile(3)).size == 3


def test_it_forgets_and_is_pickled_empty() -> None:
    cache = TileCache(100)
    cache.get("a", lambda: tile(10))
    copy = pickle.loads(pickle.dumps(cache))
    assert (len(copy), copy.nbytes, copy.max_bytes) == (0, 0, 100)
    cache.clear()
    assert (len(cache), cache.nbytes, cache.peek("a")) == (0, 0, None)
