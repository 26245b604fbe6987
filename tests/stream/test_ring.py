from __future__ import annotations

import numpy as np
import pytest
from tests.threads import Thread, wait_until

from napari_scope.stream import ring as ring_module
from napari_scope.stream.ring import Ring, default_ring_bytes

U2 = np.dtype("u2")


def test_buffers_have_the_shape_asked_for_and_are_page_aligned() -> None:
    ring = Ring((5, 7, 3), np.dtype("u1"), limit_bytes=0)
    buffer = ring.acquire()
    assert buffer is not None
    assert (buffer.shape, buffer.dtype) == ((5, 7, 3), np.uint8)
    assert buffer.flags.writeable
    assert buffer.flags.c_contiguous
    assert buffer.ctypes.data % 4096 == 0


def test_the_number_of_buffers_follows_the_limit_but_is_at_least_eight() -> None:
    assert Ring((10, 10), U2, limit_bytes=200 * 20).slots == 20
    assert Ring((10, 10), U2, limit_bytes=1).slots == 8
    assert Ring((1, 1), U2).slots == default_ring_bytes() // 2
    assert 0 < default_ring_bytes() <= 512 * 2**20


def test_never_more_than_the_limit_are_out() -> None:
    ring = Ring((2, 2), U2, limit_bytes=0)
    out = [ring.acquire(wait=False) for _ in range(8)]
    assert all(b is not None for b in out)
    assert len({b.ctypes.data for b in out if b is not None}) == 8
    assert ring.used == 8
    assert ring.acquire(wait=False) is None
    assert out[3] is not None
    ring.release(out[3])
    assert ring.used == 7
    assert ring.acquire(wait=False) is out[3], "the one whose pages are warm"


def test_memory_is_made_when_first_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = ring_module.mmap.mmap
    monkeypatch.setattr(
        ring_module.mmap,
        "mmap",
        lambda *a, **more: made.append(a[1]) or real(*a, **more),
    )
    ring = Ring((2, 2), U2, limit_bytes=0)
    for _ in range(5):
        buffer = ring.acquire()
        assert buffer is not None
        ring.release(buffer)
    assert made == [8 * ring_module.mmap.PAGESIZE], "room for all of them, not used yet"


def test_buffers_that_share_memory_do_not_overlap() -> None:
    ring = Ring((700, 1000), U2, limit_bytes=30 * 1_400_000)
    out = [ring.acquire() for _ in range(ring.slots)]
    for number, buffer in enumerate(out):
        assert buffer is not None
        assert buffer.ctypes.data % 4096 == 0
        buffer[...] = number
    for number, buffer in enumerate(out):
        assert buffer is not None
        assert (buffer == number).all()


def test_waiting_ends_with_a_buffer_and_is_counted() -> None:
    ring = Ring((2, 2), U2, limit_bytes=0)
    out = [ring.acquire() for _ in range(8)]
    got: list[object] = []
    thread = Thread(target=lambda: got.append(ring.acquire()))
    thread.start()
    wait_until(lambda: ring._changed._waiters)  # type: ignore[attr-defined]
    assert got == []
    assert out[0] is not None
    ring.release(out[0])
    thread.join()
    assert got[0] is out[0]
    assert ring.waited_s > 0


def test_breaking_wakes_everybody_with_nothing() -> None:
    ring = Ring((2, 2), U2, limit_bytes=0)
    for _ in range(8):
        ring.acquire()
    got: list[object] = []
    threads = [Thread(target=lambda: got.append(ring.acquire())) for _ in range(3)]
    for thread in threads:
        thread.start()
    ring.break_()
    for thread in threads:
        thread.join()
    assert got == [None] * 3
    assert ring.acquire(wait=False) is None


def test_a_machine_without_memory_loses_no_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ring = Ring((2, 2), U2, limit_bytes=0)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(ring_module.mmap, "mmap", refuse)
        for _ in range(20):
            with pytest.raises(OSError, match="memory"):
                ring.acquire(wait=False)
    assert ring.used == 0
    assert all(ring.acquire(wait=False) is not None for _ in range(8))


def test_closing_lets_go_of_the_memory() -> None:
    ring = Ring((2, 2), U2, limit_bytes=0)
    held, other = ring.acquire(), ring.acquire()
    assert held is not None
    assert other is not None
    ring.release(other)
    ring.close()
    assert ring.used == 1
    assert not ring._free
    ring.release(held)
    assert ring.used == 0
    assert not ring._free
    assert ring.acquire(wait=False) is None
