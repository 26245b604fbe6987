"""Frames that are written by the thread that brings them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.stream.streams import all_images, frame_of, growing_spec, make_spec

from napari_scope.stream import Address, OmeZarrSink, Stream, read_journal
from napari_scope.stream import shortcut as module
from napari_scope.stream.shortcut import Shortcut
from napari_scope.stream.sinks.base import FrameItem, checksum

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.stream import StoreSpec

    Pixels = npt.NDArray[np.generic]

pytestmark = pytest.mark.usefixtures("implementation")


class Watched(OmeZarrSink):
    """Tells which frames came at once, and does something before each."""

    def __init__(self, path: Path, before: Callable[[FrameItem], Any]) -> None:
        super().__init__(path, levels=1)
        self.before = before
        self.at_once: list[int] = []

    def write_at_once(self, item: FrameItem, pixels: Pixels, spec: StoreSpec) -> bool:
        self.before(item)
        written = super().write_at_once(item, pixels, spec)
        if written:
            self.at_once.append(item.address.index[0])
        return written


def nothing(_: FrameItem) -> None:
    pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time as the shortcut sees it: it goes on only where a test says so."""
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize("shape", [(16, 24), (1024, 1100)])
def test_the_caller_may_change_its_array_at_once(
    tmp_path: Path, clock: list[float], shape: tuple[int, int]
) -> None:
    sink = Watched(tmp_path / "a", nothing)
    stream = Stream(make_spec(frame=shape), [sink])
    frames = [frame_of(number, shape) for number in range(5)]
    for frame in frames:
        mine = frame.copy()
        stream.append(mine)
        mine[:] = 0
    stream.close()
    assert sink.at_once == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(all_images(stream)[0], frames)
    lines = read_journal(tmp_path / "a" / "acquisition" / "frames.jsonl").frames
    assert [line["index"] for line in lines] == [[n] for n in range(5)]
    assert [line["crc32c"] for line in lines] == [checksum(f) for f in frames]
    assert [line["status"] for line in lines] == ["saved"] * 5
    assert (stream.stats().saved, stream.stats().ring_slots > 0) == (5, True)
    assert stream.stats().saved_bytes == sum(frame.nbytes for frame in frames)


def test_a_checksum_that_nobody_began_is_made_here(tmp_path: Path) -> None:
    shape = (1024, 1100)
    sink = Watched(tmp_path / "a", nothing)
    stream = Stream(make_spec(frame=shape), [sink])
    stream.append(frame_of(0, shape))
    helper = stream._intake.shortcut._helper
    assert helper is not None
    gate = threading.Event()
    helper.submit(gate.wait)
    try:
        stream.append(frame_of(1, shape))
    finally:
        gate.set()
    stream.close()
    lines = read_journal(tmp_path / "a" / "acquisition" / "frames.jsonl").frames
    assert lines[1]["crc32c"] == checksum(frame_of(1, shape))


def test_after_two_slow_writes_frames_go_through_the_buffer(
    tmp_path: Path, clock: list[float]
) -> None:
    took = {0: 5.0, 1: 0.0, 2: 5.0, 3: 5.0}

    def slow(item: FrameItem) -> None:
        clock[0] += took.get(item.address.index[0], 0.0)

    sink = Watched(tmp_path / "a", slow)
    stream = Stream(make_spec({"time": 8}), [sink])
    for number in range(6):
        stream.append(frame_of(number))
    assert sink.at_once == [0, 1, 2, 3], "a single slow one does not count"
    stream.flush()
    clock[0] += 39
    stream.append(frame_of(6))
    assert 6 not in sink.at_once
    stream.flush()
    clock[0] += 2
    stream.append(frame_of(7))
    assert sink.at_once == [0, 1, 2, 3, 7]
    stream.close()
    expected = [frame_of(number) for number in range(8)]
    np.testing.assert_array_equal(all_images(stream)[0], expected)
    assert stream.stats().saved == 8


def test_a_write_that_fails_is_tried_again_through_the_buffer(tmp_path: Path) -> None:
    def fail(item: FrameItem) -> None:
        if item.address.index == (1,):
            raise OSError(5, "no")

    sink = Watched(tmp_path / "a", fail)
    stream = Stream(make_spec(), [sink])
    for number in range(5):
        stream.append(frame_of(number))
    stream.close()
    assert 1 not in sink.at_once
    expected = [frame_of(number) for number in range(5)]
    np.testing.assert_array_equal(all_images(stream)[0], expected)
    lines = read_journal(tmp_path / "a" / "acquisition" / "frames.jsonl").frames
    assert [line["crc32c"] for line in lines] == [checksum(f) for f in expected]


def test_a_frame_that_was_interrupted_is_not_called_saved(tmp_path: Path) -> None:
    def interrupt(item: FrameItem) -> None:
        if item.address.index == (1,):
            raise KeyboardInterrupt

    stream = Stream(make_spec(), [Watched(tmp_path / "a", interrupt)])
    stream.append(frame_of(0))
    with pytest.raises(KeyboardInterrupt):
        stream.append(frame_of(1))
    stream.append(frame_of(2))
    stream.close()
    lines = read_journal(tmp_path / "a" / "acquisition" / "frames.jsonl").frames
    assert [line["status"] for line in lines] == ["saved", "dropped", "saved"]
    assert (stream.stats().saved, stream.stats().dropped) == (2, 1)


def test_what_is_not_contiguous_or_grows_goes_through_the_buffer(
    tmp_path: Path,
) -> None:
    sink = Watched(tmp_path / "a", nothing)
    with Stream(make_spec(), [sink]) as stream:
        stream.append(frame_of(0)[::-1])
        stream.flush()
        stream.append(frame_of(1))
    assert sink.at_once == [1]
    np.testing.assert_array_equal(all_images(stream)[0][0], frame_of(0)[::-1])
    growing = Watched(tmp_path / "b", nothing)
    with Stream(growing_spec(), [growing]) as stream:
        for number in range(3):
            stream.append(frame_of(number), index={"time": number})
            stream.flush()
    assert not growing.at_once


def test_two_outputs_share_the_buffer(tmp_path: Path) -> None:
    sinks = [Watched(tmp_path / name, nothing) for name in "ab"]
    with Stream(make_spec(), sinks) as stream:
        stream.append(frame_of(0))
    assert not sinks[0].at_once
    assert not sinks[1].at_once


def test_while_a_frame_is_written_others_look_but_do_not_see_it(
    tmp_path: Path,
) -> None:
    entered, gate = threading.Event(), threading.Event()

    def wait(item: FrameItem) -> None:
        if item.address.index == (1,):
            entered.set()
            assert gate.wait(30)

    stream = Stream(make_spec(), [Watched(tmp_path / "a", wait)])
    stream.append(frame_of(0))
    thread = threading.Thread(target=lambda: stream.append(frame_of(1)))
    thread.start()
    assert entered.wait(30)
    # None of these waits for the disk.
    assert stream.read(Address(0, (1,))) is None
    np.testing.assert_array_equal(stream.read(Address(0, (0,))), frame_of(0))
    newest = stream.view().newest()
    assert newest is not None
    assert newest.index == {"t": 0}
    assert stream.stats().appended == 1
    closing = threading.Thread(target=stream.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive(), "close waits for the frame"
    gate.set()
    thread.join()
    closing.join()
    assert stream.stats().saved == 2
    np.testing.assert_array_equal(stream.read(Address(0, (1,))), frame_of(1))


def test_flush_does_not_wait_for_more_lines(tmp_path: Path) -> None:
    stream = Stream(make_spec({"time": 100}), [Watched(tmp_path / "a", nothing)])
    path = tmp_path / "a" / "acquisition" / "frames.jsonl"
    for number in range(100):
        stream.append(frame_of(number))
        if number % 10 == 9:
            stream.flush()
            assert len(read_journal(path).frames) == number + 1
    stream.close()


def test_the_line_of_a_frame_comes_by_itself(tmp_path: Path) -> None:
    stream = Stream(make_spec(), [Watched(tmp_path / "a", nothing)])
    stream.append(frame_of(0))
    path = tmp_path / "a" / "acquisition" / "frames.jsonl"
    pause = threading.Event()
    for _ in range(1000):
        if read_journal(path).frames:
            break
        pause.wait(0.01)
    assert len(read_journal(path).frames) == 1
    stream.close()


def test_the_helper_ends_with_the_stream() -> None:
    shortcut = Shortcut(1 << 24)
    shortcut.close()
    shortcut.close()
    assert shortcut.open
