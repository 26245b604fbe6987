"""Disks that are full, slow or broken: nothing is lost in silence."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.oracles import READERS
from tests.formats.ometiff.tiffs import validate, xml_of
from tests.stream.kinds import KINDS
from tests.stream.streams import (
    FORMATS,
    FailingSink,
    GatedSink,
    all_images,
    frame_of,
    growing_spec,
    journal_of,
    make_sink,
    make_spec,
    writer_threads,
)
from tests.stream.test_stream_kill import compare, start
from tests.threads import Thread, wait_until

from napari_scope import fileio
from napari_scope.errors import DiskSpaceError, OutputExistsError, StreamError
from napari_scope.fileio import DataFile, portable_io, uses_portable_io
from napari_scope.formats import open_dataset
from napari_scope.stream import Address, MemorySink, Stream, read_journal
from napari_scope.stream import stream as stream_module
from napari_scope.stream.sinks.base import checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_scope.stream import StoreSpec
    from napari_scope.stream.sinks import FrameItem

pytestmark = pytest.mark.usefixtures("implementation")

SMALL = 8 * 16 * 24 * 2  # a buffer of eight frames


def break_writes(
    monkeypatch: pytest.MonkeyPatch,
    *,
    after: int,
    error: OSError,
    only: Callable[[Path], bool] = lambda _: True,
) -> threading.Event:
    """Let writes fail after some; the last one before gets half of its bytes out."""
    broken = threading.Event()
    count = 0

    def wrap(kind: Any) -> Any:
        real = kind.write_at

        def write_at(file: DataFile, offset: int, *buffers: Any) -> int:
            nonlocal count
            if only(file.path):
                count += 1
                if count > after:
                    broken.set()
                    data = b"".join(bytes(memoryview(b).cast("B")) for b in buffers)
                    real(file, offset, data[: len(data) // 2])
                    raise error
            return int(real(file, offset, *buffers))

        return write_at

    for kind in (fileio._PosixFile, fileio._PortableFile):
        monkeypatch.setattr(kind, "write_at", wrap(kind))
    return broken


def appends_until_it_fails(stream: Stream, limit: int) -> tuple[int, StreamError]:
    """Append until an error comes; return how many were taken, and the error."""
    for number in range(limit):
        try:
            stream.append(frame_of(number))
        except StreamError as error:
            return number, error
    raise AssertionError(f"no error in {limit} frames")


def frames_with_a_line(path: Path) -> list[Mapping[str, Any]]:
    content = read_journal(journal_of(path))
    assert content.closed is None, "an interrupted run is never called closed"
    return list(content.frames)


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
BROKEN = OSError(errno.EIO, os.strerror(errno.EIO))


class TestFailingDisk:
    @pytest.mark.parametrize("format", FORMATS)
    @pytest.mark.parametrize(
        ("error", "kind"), [(FULL, DiskSpaceError), (BROKEN, StreamError)]
    )
    def test_the_error_comes_within_one_buffer_and_at_close(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        format: str,
        error: OSError,
        kind: type,
    ) -> None:
        path = tmp_path / "out"
        spec = make_spec({"time": 500})
        stream = Stream(spec, [make_sink(format, path)], ring_bytes=SMALL)
        break_writes(monkeypatch, after=40, error=error)
        taken, first = appends_until_it_fails(stream, 500)
        saved = len(frames_with_a_line(path))
        assert taken <= saved + 2 * 8 + 2, "within the buffer"
        assert type(first) is kind
        assert first.path == str(path) or str(path) in str(first)
        assert "frames are saved" in str(first)
        for call in (
            lambda: stream.append(frame_of(0)),
            stream.skip,
            stream.flush,
            stream.close,
        ):
            with pytest.raises(kind):
                call()
        assert not list(writer_threads())
        monkeypatch.undo()
        stats = stream.stats()
        lines = frames_with_a_line(path)
        assert stats.saved <= len(lines) <= stats.appended
        assert stats.ring_used == 0
        for line in lines:
            (number,) = line["index"]
            assert line["crc32c"] == checksum(frame_of(number))
            found = stream.read(Address(0, (number,)))
            np.testing.assert_array_equal(found, frame_of(number))
        if format == "ome-zarr":
            for read in READERS.values():
                array = read(path / "0")
                for line in lines:
                    (number,) = line["index"]
                    np.testing.assert_array_equal(array[number], frame_of(number))

    @pytest.mark.parametrize("format", FORMATS)
    def test_a_failing_journal_is_a_failing_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
    ) -> None:
        path = tmp_path / "out"
        stream = Stream(
            make_spec({"time": 500}), [make_sink(format, path)], ring_bytes=SMALL
        )
        break_writes(
            monkeypatch,
            after=3,
            error=FULL,
            only=lambda p: p.name.endswith("frames.jsonl"),
        )
        appends_until_it_fails(stream, 500)
        with pytest.raises(DiskSpaceError):
            stream.close()
        monkeypatch.undo()
        lines = frames_with_a_line(path)
        assert stream.stats().saved <= len(lines) < stream.stats().appended
        for line in lines:
            found = stream.read(Address(0, tuple(line["index"])))
            np.testing.assert_array_equal(found, frame_of(line["index"][0]))

    @pytest.mark.parametrize("format", FORMATS)
    def test_a_failing_sync_is_a_failing_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
    ) -> None:
        for interval in (None, 0.01):
            stream = Stream(
                make_spec(),
                [make_sink(format, tmp_path / f"out{interval}")],
                sync_interval_s=interval,
            )
            stream.append(frame_of(0))
            stream.flush()

            def fail(_: DataFile) -> None:
                raise BROKEN

            with monkeypatch.context() as patch:
                patch.setattr(DataFile, "sync", fail)
                with pytest.raises(StreamError, match=r"error.* 1 frames are saved"):
                    stream.flush(sync=True)
                with pytest.raises(StreamError):
                    stream.close()

    @pytest.mark.parametrize("format", FORMATS)
    def test_a_disk_that_fails_at_the_very_end_is_no_success(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
    ) -> None:
        path = tmp_path / "out"
        stream = Stream(make_spec(), [make_sink(format, path)])
        for number in range(5):
            stream.append(frame_of(number))
        stream.flush()
        break_writes(monkeypatch, after=0, error=FULL)
        with pytest.raises(DiskSpaceError, match="5 frames are saved"):
            stream.close()
        monkeypatch.undo()
        assert len(frames_with_a_line(path)) == 5
        assert stream.closed

    def test_the_levels_are_part_of_the_success(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "out"
        stream = Stream(make_spec(), [make_sink("ome-zarr", path, levels=2)])
        break_writes(
            monkeypatch,
            after=2,
            error=FULL,
            only=lambda p: p.is_relative_to(path / "1"),
        )
        with pytest.raises(DiskSpaceError):
            for number in range(5):
                stream.append(frame_of(number))
            stream.close()
        with pytest.raises((DiskSpaceError, StreamError)):
            stream.append(frame_of(0))
        try:
            stream.close()
        except StreamError:
            pass
        monkeypatch.undo()
        frames_with_a_line(path)

    def test_a_disk_without_room_for_the_file_itself(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = Stream(make_spec(), [make_sink("ome-zarr", tmp_path / "out")])

        def refuse(*_: object) -> None:
            raise FULL

        monkeypatch.setattr(DataFile, "truncate", refuse)
        with pytest.raises(DiskSpaceError):
            for number in range(5):
                stream.append(frame_of(number))
            stream.flush()
        with pytest.raises(DiskSpaceError, match=r"0 frames are saved"):
            stream.close()
        assert not list((tmp_path / "out" / "0").rglob("*.new"))
        assert not all_images(stream)[0].any()

    def test_a_growing_store_fails_the_same_way(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = Stream(growing_spec(), [make_sink("ome-zarr", tmp_path / "out")])
        stream.append(frame_of(0), index={"time": 0})
        stream.flush()

        def refuse(*_: object) -> None:
            raise FULL

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(DiskSpaceError):
            for number in range(1, 100):
                stream.append(frame_of(number), index={"time": number})
            stream.flush()
        with pytest.raises(DiskSpaceError):
            stream.close()
        monkeypatch.undo()
        for read in READERS.values():
            np.testing.assert_array_equal(read(tmp_path / "out" / "0")[0], frame_of(0))


class TestFailingSink:
    @pytest.mark.parametrize("error", [OSError(5, "no"), KeyError("x"), MemoryError()])
    def test_any_error_stops_the_stream(self, error: BaseException) -> None:
        sink = FailingSink(3, error)
        stream = Stream(make_spec({"time": 500}), [sink], ring_bytes=SMALL)
        taken, first = appends_until_it_fails(stream, 500)
        assert first.__cause__ is error
        assert taken <= 3 + 8 + 1
        with pytest.raises(StreamError, match="frames are saved") as caught:
            stream.close()
        assert caught.value.__cause__ is error
        assert sink.totals is None
        assert sink.closed == 1
        assert sink.calls_after == 0, "what failed is not asked again"
        stats = stream.stats()
        # A batch that failed counts as lost as a whole.
        assert stats.saved <= 3
        assert stats.appended == taken

    def test_a_caller_that_waits_for_the_buffer_is_woken(self) -> None:
        sink = FailingSink(0)
        sink.gate.clear()
        stream = Stream(make_spec({"time": 500}), [sink], ring_bytes=SMALL)
        for number in range(8):
            stream.append(frame_of(number))
        errors: list[BaseException] = []

        def more() -> None:
            try:
                stream.append(frame_of(8))
            except BaseException as error:
                errors.append(error)

        thread = Thread(target=more)
        thread.start()
        wait_until(lambda: stream._ring._changed._waiters)  # type: ignore[attr-defined]
        sink.gate.set()
        thread.join()
        assert isinstance(errors[0], StreamError)
        with pytest.raises(StreamError, match="8 that were appended are not"):
            stream.close()

    def test_a_caller_that_waits_is_woken_though_the_disk_hangs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sink = GatedSink(tmp_path / "out")
        spec = make_spec({"time": 500})
        stream = Stream(spec, [sink], ring_bytes=SMALL, sync_interval_s=0.01)
        for number in range(8):
            stream.append(frame_of(number))
        errors: list[BaseException] = []

        def more() -> None:
            try:
                stream.append(frame_of(8))
            except BaseException as error:
                errors.append(error)

        thread = Thread(target=more)
        thread.start()
        wait_until(lambda: stream._ring._changed._waiters)  # type: ignore[attr-defined]
        monkeypatch.setattr(stream_module, "free_bytes", lambda _: 1000)
        thread.join()
        assert isinstance(errors[0], DiskSpaceError)
        sink.gate.set()
        with pytest.raises(DiskSpaceError, match="8 frames are saved"):
            stream.close()
        # The sink itself was well: its store is finished.
        assert sink.totals is not None
        assert sink.totals["saved"] == 8
        assert "nearly full" in str(sink.totals["failed"])

    def test_who_waits_in_flush_is_told(self) -> None:
        sink = FailingSink(0)
        sink.gate.clear()
        stream = Stream(make_spec(), [sink])
        stream.append(frame_of(0))
        errors: list[BaseException] = []

        def flush() -> None:
            try:
                stream.flush()
            except BaseException as error:
                errors.append(error)

        thread = Thread(target=flush)
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
        sink.gate.set()
        thread.join()
        assert isinstance(errors[0], StreamError)
        with pytest.raises(StreamError):
            stream.close()

    def test_beside_a_failing_output_the_other_keeps_what_was_appended(
        self, tmp_path: Path
    ) -> None:
        bad = FailingSink(10)
        good = make_sink("ome-zarr", tmp_path / "out", levels=2)
        stream = Stream(make_spec({"time": 500}), [bad, good], ring_bytes=SMALL)
        taken, _ = appends_until_it_fails(stream, 500)
        with pytest.raises(StreamError, match="frames are saved"):
            stream.close()
        assert stream.stats().saved <= 10, "saved means in every output"
        (journal,) = (tmp_path / "out").rglob("frames.jsonl")
        content = read_journal(journal)
        assert len(content.frames) == taken, "all that was appended"
        # It is finished for what it has, and says why there is no more.
        assert content.closed is not None
        assert content.closed["saved"] == taken
        assert "Input/output error" in content.closed["failed"]
        text = (tmp_path / "out" / "zarr.json").read_text()
        levels = json.loads(text)["attributes"]["ome"]["multiscales"][0]["datasets"]
        assert len(levels) == 2
        for read in READERS.values():
            np.testing.assert_array_equal(
                read(tmp_path / "out" / "0")[:taken],
                [frame_of(n) for n in range(taken)],
            )

    def test_an_output_that_fails_to_close_does_not_keep_the_others_open(
        self,
    ) -> None:
        class Bad(GatedSink):
            def close(self, *_: Any) -> None:
                raise RuntimeError("cannot")

        bad, good = Bad(), GatedSink()
        bad.gate.set()
        good.gate.set()
        stream = Stream(make_spec(), [bad, good])
        stream.append(frame_of(0))
        with pytest.raises(StreamError, match="cannot"):
            stream.close()
        assert good.closed == 1

    def test_if_one_output_cannot_be_opened_the_others_are_closed(self) -> None:
        class Bad(GatedSink):
            def open(self, spec: StoreSpec) -> None:
                raise PermissionError(13, "Permission denied")

        good = GatedSink()
        with pytest.raises(StreamError, match="cannot be created, Permission denied"):
            Stream(make_spec(), [good, Bad()])
        assert good.closed == 1
        assert good.totals is None
        assert not list(writer_threads())


class TestSlowDisk:
    def fill(self, stream: Stream, sink: GatedSink) -> int:
        """Append as many frames as the buffer takes."""
        for number in range(stream.stats().ring_slots):
            stream.append(frame_of(number))
        return stream.stats().ring_slots

    def test_block_waits_in_bounded_memory_and_keeps_the_order(self) -> None:
        sink = GatedSink()
        stream = Stream(make_spec({"time": 100}), [sink], ring_bytes=SMALL)
        count = self.fill(stream, sink)
        assert count == 8

        def more() -> None:
            for number in range(count, 100):
                stream.append(frame_of(number))

        thread = Thread(target=more)
        thread.start()
        wait_until(lambda: stream._ring._changed._waiters)  # type: ignore[attr-defined]
        assert stream.stats().ring_fill == 1
        assert stream.stats().appended == count
        sink.gate.set()
        thread.join()
        stream.close()
        assert sink.order == list(range(100))
        assert stream.stats().waited_s > 0
        np.testing.assert_array_equal(
            all_images(stream)[0], [frame_of(n) for n in range(100)]
        )

    def test_raise_tells_and_the_frame_may_come_again(self) -> None:
        sink = GatedSink()
        spec = make_spec({"time": 100})
        stream = Stream(spec, [sink], ring_bytes=SMALL, overflow="raise")
        count = self.fill(stream, sink)
        for _ in range(2):
            with pytest.raises(StreamError, match="buffer of 8 frames is full"):
                stream.append(frame_of(count))
        sink.gate.set()
        stream.flush()
        stream.append(frame_of(count))
        stream.close()
        np.testing.assert_array_equal(all_images(stream)[0][count], frame_of(count))
        stats = stream.stats()
        assert (stats.saved, stats.dropped) == (count + 1, 0)

    def test_raise_leaves_no_trace_in_a_growing_store(self) -> None:
        sink = GatedSink()
        spec = growing_spec()
        stream = Stream(spec, [sink], ring_bytes=SMALL, overflow="raise")
        for number in range(8):
            stream.append(frame_of(number), index={"position": "A", "time": number})
        with pytest.raises(StreamError, match="full"):
            stream.append(frame_of(9), index={"position": "B", "time": 9})
        sink.gate.set()
        stream.close()
        assert [i.shape for i in all_images(stream)] == [(8, 16, 24)]

    def test_drop_is_recorded_and_keeps_the_index(self, tmp_path: Path) -> None:
        gate, path = GatedSink(), tmp_path / "out"
        disk = make_sink("ome-zarr", path)
        spec = make_spec({"time": 100})
        stream = Stream(spec, [gate, disk], ring_bytes=SMALL, overflow="drop")
        count = self.fill(stream, gate)
        stream.append(frame_of(count))
        stream.append(frame_of(count + 1), index={"time": 50})
        gate.gate.set()
        stream.flush()
        stream.append(frame_of(count + 2))
        stream.close()
        stats = stream.stats()
        assert (stats.saved, stats.dropped, stats.skipped) == (count + 1, 2, 0)
        (journal,) = path.rglob("frames.jsonl")
        content = read_journal(journal)
        assert content.closed == {
            "closed": True,
            "saved": count + 1,
            "skipped": 0,
            "dropped": 2,
        }
        dropped = [f for f in content.frames if f["status"] == "dropped"]
        assert [f["axes"]["time"] for f in dropped] == [count, 50]
        assert all(f["reason"] == "the buffer was full" for f in dropped)
        (image,) = all_images(stream)
        assert not image[[count, 50]].any()
        np.testing.assert_array_equal(image[count + 1], frame_of(count + 2))

    def test_lines_that_wait_for_a_slow_journal_are_bounded_too(self) -> None:
        """Pixels may be written at once, ahead of their lines."""

        class QuickPixels(GatedSink):
            def write_at_once(
                self, item: FrameItem, pixels: Any, spec: StoreSpec
            ) -> bool:
                self._frames[item.address] = pixels.copy()
                return True

            def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
                assert self.gate.wait(30)
                MemorySink.write(self, items, spec)

        sink = QuickPixels()
        spec = make_spec({"time": 5000})
        stream = Stream(spec, [sink], ring_bytes=SMALL, overflow="raise")
        taken, _ = appends_until_it_fails(stream, 5000)
        assert taken < 1000
        sink.gate.set()
        stream.close()
        assert stream.stats().saved == taken


def test_many_threads_may_append(tmp_path: Path) -> None:
    sinks = [make_sink(f, tmp_path / f) for f in FORMATS]
    stream = Stream(make_spec({"time": 120}), sinks, ring_bytes=SMALL)

    def feed(first: int) -> None:
        for number in range(first, 120, 3):
            stream.append(frame_of(number), index={"time": number})

    threads = [Thread(target=feed, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream.close()
    np.testing.assert_array_equal(
        all_images(stream)[0], [frame_of(n) for n in range(120)]
    )
    assert stream.stats().saved == 120


class TestTwoStreamsOnOnePath:
    @pytest.mark.parametrize("format", FORMATS)
    @pytest.mark.parametrize("second", FORMATS)
    def test_the_second_is_refused_and_the_first_undisturbed(
        self, tmp_path: Path, format: str, second: str
    ) -> None:
        path = tmp_path / "out"
        with Stream(make_spec(), [make_sink(format, path)]) as stream:
            stream.append(frame_of(0))
            for spec in (make_spec(), growing_spec()):
                with pytest.raises(OutputExistsError):
                    Stream(spec, [make_sink(second, path)])
            stream.append(frame_of(1))
        np.testing.assert_array_equal(all_images(stream)[0][1], frame_of(1))

    @pytest.mark.parametrize("format", FORMATS)
    def test_only_one_of_two_that_begin_at_the_same_moment(
        self, tmp_path: Path, format: str
    ) -> None:
        """Both looked before either had made anything."""
        path = tmp_path / "out"
        streams = [Stream(growing_spec(), [make_sink(format, path)]) for _ in "ab"]
        errors: list[StreamError] = []
        start = threading.Barrier(2)

        def feed(stream: Stream) -> None:
            start.wait(30)
            try:
                for number in range(5):
                    stream.append(frame_of(number), index={"time": number})
            except (StreamError, OutputExistsError) as error:
                errors.append(error)  # type: ignore[arg-type]

        threads = [Thread(target=feed, args=(s,)) for s in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for stream in streams:
            try:
                stream.close()
            except StreamError as error:
                found = str(error)
                said = ("exists", "another program", "journal of another run")
                assert any(words in found for words in said), found
        assert len(errors) == 1
        content = read_journal(journal_of(path))
        assert content.closed is not None
        assert len(content.frames) == 5
        (winner,) = [s for s in streams if s.stats().saved]
        np.testing.assert_array_equal(
            all_images(winner)[0], [frame_of(n) for n in range(5)]
        )


RACED = """
import sys, time
from pathlib import Path
from napari_scope.stream import Stream
from tests.stream.kinds import KINDS, feed

kind, folder = KINDS[sys.argv[1]], Path(sys.argv[2])
with Stream(kind.spec(60 if kind.several else 360), kind.sinks(folder)) as stream:
    for number in range(360):
        feed(stream, kind, number)
        if number % 12 == 11:
            stream.flush()
            print(number + 1, flush=True)
            time.sleep(0.005)
"""
RACES = ["ome-zarr-positions", "ome-zarr-unknown", "ome-zarr-0.4"]
RACES += ["ome-tiff-positions", "ome-tiff-unbounded", "ndtiff"]


@pytest.mark.parametrize("name", RACES)
def test_other_processes_read_what_is_committed_while_it_grows(
    tmp_path: Path, name: str
) -> None:
    """No lock, no torn metadata, no zeros where a frame was committed."""
    kind = KINDS[name]
    ((path,), (written,)) = kind.paths(tmp_path), kind.formats
    writer = start(RACED, name, str(tmp_path))
    looks = 0
    with writer:  # waits, and closes the pipe
        assert writer.stdout is not None
        for line in writer.stdout:
            told = int(line)
            if looks and told % 72:
                continue
            looks += 1
            # Without their last lines: those may not be complete yet.
            lines = read_journal(journal_of(path)).frames[:told]
            assert len(lines) == told
            compare(path, written, kind, lines)
            check_metadata(path, written)
    assert writer.returncode == 0
    assert looks >= 3


def check_metadata(path: Path, format: str) -> None:
    """Read the metadata as others do; they may change at any moment."""
    if format == "ome-zarr":
        from yaozarrs import validate_zarr_store

        validate_zarr_store(str(path))
    elif format == "ome-tiff":
        for file in sorted(path.glob("*.ome.tiff")) if path.is_dir() else [path]:
            validate(xml_of(file))
    else:
        dataset = open_dataset(path)
        assert dataset.problems == ()


SLOW = """
import resource, sys, time
from pathlib import Path
import numpy as np
from napari_scope import fileio
from napari_scope.stream import Stream
from tests.stream.streams import make_sink, make_spec

MB = 1 << 20
kind = fileio._PortableFile if fileio.uses_portable_io() else fileio._PosixFile
real = kind.write_at

def slow(file, offset, *buffers):
    size = real(file, offset, *buffers)
    time.sleep(size / (20 * MB))  # a disk of 20 MB/s
    return size

format, path = sys.argv[1], Path(sys.argv[2])
spec = make_spec({"time": 32}, frame=(512, 1024))
frame = np.ones((512, 1024), "u2")
stream = Stream(spec, [make_sink(format, path)], ring_bytes=8 * MB)
stream.append(frame)
stream.flush()
kind.write_at = slow
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
most = 0
for number in range(1, 32):
    frame[...] = number + 1
    stream.append(frame)  # as fast as it goes
    most = max(most, stream.stats().ring_used)
stream.close()
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
assert stream.stats().saved == 32, stream.stats()
assert stream.stats().waited_s > 0
array = np.asarray(stream.view().images[0].levels[0][:, 0, 0])
assert array.tolist() == list(range(1, 33)), array
print(most, stream.stats().ring_slots, grown)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in kilobytes")
@pytest.mark.parametrize("format", FORMATS)
def test_a_disk_of_20_mb_a_second_and_a_faster_camera(
    tmp_path: Path, format: str
) -> None:
    """The memory stays within the buffer, no frame is lost, the buffer is reused."""
    done = run_python(SLOW, format, str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    most, slots, grown = done.stdout.split()
    assert int(most) <= int(slots) == 8
    assert float(grown) < 8 + 8, "the buffer, and what Python takes for itself"


# ---------------------------------------------------------------- real limits


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "NAPARI_SCOPE_PORTABLE_IO": str(int(uses_portable_io())),
    }
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        cwd=Path(__file__).parents[2],
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX has limits of file sizes")
@pytest.mark.parametrize("format", FORMATS)
def test_a_real_limit_of_the_system(tmp_path: Path, format: str) -> None:
    """The limit on the size of files acts like a disk that fills up."""
    done = run_python(
        """
        import resource, sys
        from pathlib import Path
        from napari_scope.errors import DiskSpaceError
        from napari_scope.stream import Stream
        from tests.stream.streams import frame_of, make_sink, make_spec

        format, path = sys.argv[1], Path(sys.argv[2])
        # 40 frames of 768 bytes; a shard of all frames would not even be made.
        stream = Stream(make_spec({"time": 100}), [make_sink(format, path)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        taken = 0
        try:
            for number in range(100):
                stream.append(frame_of(number))
                taken += 1
                stream.flush()
        except DiskSpaceError as error:
            print("append:", error)
        try:
            stream.close()
        except DiskSpaceError as error:
            print("close:", error)
        print(taken, stream.stats().saved)
        """,
        format,
        str(tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    append, close, numbers = done.stdout.splitlines()
    assert append.startswith("append: ")
    assert close.startswith("close: ")
    taken, saved = map(int, numbers.split())
    assert saved <= taken < 100
    assert len(frames_with_a_line(tmp_path / "out")) == saved


@pytest.mark.skipif(
    sys.platform == "win32", reason="folders are writable to their owner"
)
@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_that_may_not_be_written(tmp_path: Path, format: str) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(above.stat().st_mode | 0o055)
    done = run_python(
        """
        import os, sys
        from pathlib import Path
        from napari_scope.errors import StreamError
        from napari_scope.stream import Stream
        from tests.stream.streams import growing_spec, make_sink, make_spec, frame_of
        import napari_scope.formats.ngff, napari_scope.formats.ndtiff

        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        format, path = sys.argv[1], Path(sys.argv[2])
        for spec in (make_spec(), growing_spec()):
            try:
                stream = Stream(spec, [make_sink(format, path / "out")])
                stream.append(frame_of(0), index={"time": 0})
            except StreamError as error:
                print(error)
        """,
        format,
        str(folder),
    )
    folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    for text in (first, second):
        assert "Permission denied" in text
        assert str(folder / "out") in text
    assert not list(folder.iterdir())


def test_forced_portable_files_are_used_by_both_formats(tmp_path: Path) -> None:
    """The parametrisation of these tests would be void otherwise."""
    with portable_io():
        for name in FORMATS:
            with Stream(make_spec(), [make_sink(name, tmp_path / name)]) as stream:
                stream.append(frame_of(0))
                journal: Any = stream.sinks[0]._journal  # type: ignore[attr-defined]
                assert type(journal._file).__name__ == "_PortableFile"
