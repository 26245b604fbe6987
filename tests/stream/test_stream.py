from __future__ import annotations

import gc
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
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
from tests.threads import Thread, wait_until

from napari_scope.errors import (
    DiskSpaceError,
    FrameError,
    OutputExistsError,
    SettingsError,
    StreamClosedError,
    StreamError,
)
from napari_scope.stream import Address, ImageSpec, MemorySink, Stream, read_journal
from napari_scope.stream import keeper as keeper_module
from napari_scope.stream import stream as stream_module
from napari_scope.stream import telling as telling_module
from napari_scope.stream.disk import STOP_BYTES
from napari_scope.stream.outputs import RESERVE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.stream.events import FrameEvent

pytestmark = pytest.mark.usefixtures("implementation")


@pytest.fixture(name="format", params=[*FORMATS, "memory"])
def each_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def journal(tmp_path: Path) -> Callable[[str], Any]:
    def read(format: str) -> Any:
        return read_journal(journal_of(tmp_path / "out"))

    return read


def test_what_comes_in_is_what_is_stored(tmp_path: Path, format: str) -> None:
    spec = make_spec({"time": 3, "channel": 2, "z": 2})
    with Stream(spec, [make_sink(format, tmp_path / "out")]) as stream:
        for number in range(12):
            stream.append(frame_of(number), {"n": number})
    (image,) = all_images(stream)
    expected = np.stack([frame_of(n) for n in range(12)]).reshape(3, 2, 2, 16, 24)
    np.testing.assert_array_equal(image, expected)
    stats = stream.stats()
    assert (stats.appended, stats.saved, stats.skipped, stats.dropped) == (12, 12, 0, 0)
    assert stats.saved_bytes == expected.nbytes
    assert stream.closed
    assert not list(writer_threads())


def test_frames_in_any_order(tmp_path: Path, format: str) -> None:
    spec = make_spec({"time": 4, "z": 3})
    order = np.random.default_rng(0).permutation(12)
    with Stream(spec, [make_sink(format, tmp_path / "out")]) as stream:
        for number in order:
            t, z = divmod(int(number), 3)
            # numpy's numbers, as they come from arrays of positions
            stream.append(
                frame_of(number), index={"time": np.int64(t), "z": np.uint8(z)}
            )
    (image,) = all_images(stream)
    for number in range(12):
        np.testing.assert_array_equal(image[divmod(number, 3)], frame_of(number))


def test_the_caller_may_reuse_its_buffer_at_once(tmp_path: Path, format: str) -> None:
    count = 60
    buffer = np.empty((16, 24), "u2")
    spec = make_spec({"time": count})
    with Stream(spec, [make_sink(format, tmp_path / "out")]) as stream:
        for number in range(count):
            buffer[...] = frame_of(number)
            stream.append(buffer)
            buffer[...] = 0
    (image,) = all_images(stream)
    np.testing.assert_array_equal(image, [frame_of(n) for n in range(count)])


def test_frames_that_lie_otherwise_in_memory(tmp_path: Path, format: str) -> None:
    wide = np.stack([frame_of(n, (32, 48)) for n in range(3)])
    views = [wide[0][::2, ::2], wide[1][::-2, 1::2], wide[2].T[:16, :24]]
    with Stream(make_spec({"time": 3}), [make_sink(format, tmp_path / "o")]) as stream:
        for view in views:
            stream.append(view)
    np.testing.assert_array_equal(all_images(stream)[0], np.stack(views))


def test_several_images(tmp_path: Path, format: str) -> None:
    spec = make_spec(
        order=("time", "position"),
        images=tuple(ImageSpec(n, {"position": n}, {"time": 2}) for n in ("A", "B")),
    )
    with Stream(spec, [make_sink(format, tmp_path / "out")]) as stream:
        for number in range(4):
            stream.append(frame_of(number))
    first, second = all_images(stream)
    np.testing.assert_array_equal(first, [frame_of(0), frame_of(2)])
    np.testing.assert_array_equal(second, [frame_of(1), frame_of(3)])


def test_a_position_with_a_stack_beside_one_without(
    tmp_path: Path, format: str
) -> None:
    spec = make_spec(
        order=("position", "z"),
        images=(
            ImageSpec("A", {"position": "A"}, {}),
            ImageSpec("B", {"position": "B"}, {"z": 2}),
        ),
    )
    with Stream(spec, [make_sink(format, tmp_path / "out")]) as stream:
        stream.append(frame_of(0), index={"position": "A"})
        stream.append(frame_of(1), index={"position": "B", "z": 0})
        stream.append(frame_of(2), index={"position": "B", "z": 1})
    flat, deep = all_images(stream)
    np.testing.assert_array_equal(flat, [frame_of(0)])
    np.testing.assert_array_equal(deep, [frame_of(1), frame_of(2)])


def test_a_skipped_frame_keeps_its_index(
    tmp_path: Path, format: str, journal: Callable[[str], Any]
) -> None:
    with Stream(
        make_spec({"time": 5}), [make_sink(format, tmp_path / "out")]
    ) as stream:
        stream.append(frame_of(0))
        stream.skip(2, reason="autofocus failed")
        stream.append(frame_of(3))
        stream.skip(index={"time": 4}, reason="stage")
    (image,) = all_images(stream)
    np.testing.assert_array_equal(image[3], frame_of(3))
    assert not image[[1, 2, 4]].any()
    stats = stream.stats()
    assert (stats.saved, stats.skipped) == (2, 3)
    if format == "memory":
        return
    content = journal(format)
    assert [f["status"] for f in content.frames] == [
        "saved",
        "skipped",
        "skipped",
        "saved",
        "skipped",
    ]
    assert content.frames[1]["reason"] == "autofocus failed"
    assert content.frames[1]["axes"] == {"time": 1}
    assert content.closed == {"closed": True, "saved": 2, "skipped": 3, "dropped": 0}


class TestRefusals:
    def test_a_frame_twice(self, tmp_path: Path, format: str) -> None:
        with Stream(make_spec(), [make_sink(format, tmp_path / "out")]) as stream:
            stream.append(frame_of(0))
            for call in (
                lambda: stream.append(frame_of(9), index={"time": 0}),
                lambda: stream.skip(index={"time": 0}),
            ):
                with pytest.raises(FrameError, match="already"):
                    call()
            stream.skip()
            with pytest.raises(FrameError, match="already"):
                stream.append(frame_of(9), index={"time": 1})
            stream.append(frame_of(2))
        (image,) = all_images(stream)
        np.testing.assert_array_equal(image[0], frame_of(0))
        assert not image[1].any()
        assert stream.stats().appended == 2
        assert stream.stats().ring_used == 0

    @pytest.mark.parametrize(
        "frame",
        [
            np.zeros((16, 23), "u2"),
            np.zeros((16, 24), "u1"),
            np.zeros((16, 24), ">u2"),
            np.zeros((1, 16, 24), "u2"),
            np.zeros((24, 16), "u2"),
            5,
            [[1, 2], [3, 4]],
        ],
    )
    def test_another_shape_or_type(self, frame: Any) -> None:
        with Stream(make_spec(), [MemorySink()]) as stream:
            with pytest.raises(FrameError, match="stores frames of shape"):
                stream.append(frame)
            stream.append(frame_of(0))
            assert stream.stats().appended == 1

    def test_too_many(self) -> None:
        with Stream(make_spec({"time": 2}), [MemorySink()]) as stream:
            stream.append(frame_of(0))
            stream.append(frame_of(1))
            for call in (stream.skip, lambda: stream.append(frame_of(2))):
                with pytest.raises(FrameError, match="already appended"):
                    call()
        assert stream.stats().saved == 2

    def test_axes_that_are_not_there(self) -> None:
        with Stream(make_spec(), [MemorySink()]) as stream:
            for index in ({"time": 5}, {"time": -1}, {"z": 0}, {"time": 0.5}, {}):
                with pytest.raises(FrameError):
                    stream.append(frame_of(0), index=index)  # type: ignore[arg-type]
            assert stream.stats().ring_used == 0

    def test_an_existing_path_is_refused_and_untouched(
        self, tmp_path: Path, format: str
    ) -> None:
        if format == "memory":
            pytest.skip("memory has no path")
        path = tmp_path / "out"
        path.mkdir()
        (path / "precious").write_bytes(b"data")
        for spec in (make_spec(), growing_spec()):
            with pytest.raises(OutputExistsError) as caught:
                Stream(spec, [make_sink(format, path)])
            assert caught.value.path == str(path)
        path.joinpath("precious").rename(tmp_path / "file")
        path.rmdir()
        (tmp_path / "file").rename(path)
        with pytest.raises(OutputExistsError):
            Stream(make_spec(), [make_sink(format, path)])
        assert path.read_bytes() == b"data"
        assert not list(writer_threads())

    def test_one_taken_path_keeps_the_other_output_from_being_made(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "b").mkdir()
        sinks = [
            make_sink("ome-zarr", tmp_path / "a"),
            make_sink("ndtiff", tmp_path / "b"),
        ]
        with pytest.raises(OutputExistsError):
            Stream(make_spec(), sinks)
        assert not (tmp_path / "a").exists()

    def test_what_is_no_stream(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="at least one"):
            Stream(make_spec(), [])
        with pytest.raises(SettingsError, match="'blok'"):
            Stream(make_spec(), [MemorySink()], overflow="blok")  # type: ignore[arg-type]
        twice = [make_sink(f, tmp_path / "out") for f in FORMATS]
        with pytest.raises(SettingsError, match="same path"):
            Stream(make_spec(), twice)
        assert not (tmp_path / "out").exists()


class TestGrowing:
    def test_shapes_are_exact_after_close(self, tmp_path: Path, format: str) -> None:
        with Stream(growing_spec(), [make_sink(format, tmp_path / "out")]) as stream:
            view = stream.view()
            assert view.images == ()
            for number in range(7):
                for channel in ("DAPI", "FITC")[: 1 + (number > 2)]:
                    stream.append(
                        frame_of(number), index={"time": number, "channel": channel}
                    )
        (image,) = all_images(stream)
        assert image.shape == (7, 2, 16, 24)
        for number in range(7):
            np.testing.assert_array_equal(image[number, 0], frame_of(number))
            assert image[number, 1].any() == (number > 2)
        assert [c.name for c in view.images[0].channels] == ["DAPI", "FITC"]
        if format == "ome-zarr":
            import tensorstore

            path = str(tmp_path / "out" / "0")
            kvstore = {"driver": "file", "path": path}
            array = tensorstore.open({"driver": "zarr3", "kvstore": kvstore}).result()
            assert array.shape == (7, 2, 16, 24)
            np.testing.assert_array_equal(array.read().result(), image)

    def test_images_come_as_they_are_named(self, tmp_path: Path, format: str) -> None:
        with Stream(growing_spec(), [make_sink(format, tmp_path / "out")]) as stream:
            view = stream.view()
            for number, place in enumerate("ABA"):
                stream.append(
                    frame_of(number), index={"position": place, "time": number}
                )
                assert [i.name for i in view.images] == ["A", "B"][: 1 + (number > 0)]
        assert [i.levels[0].shape[0] for i in view.images] == [3, 2]

    def test_nothing_ever_came(self, tmp_path: Path, format: str) -> None:
        for number, spec in enumerate(
            (growing_spec(), make_spec(growing=True, growing_axes=("time",)))
        ):
            path = tmp_path / f"out{number}"
            stream = Stream(spec, [make_sink(format, path)])
            stream.flush(sync=True)
            stream.close()
            stream.close()
            assert stream.stats().saved == 0
            assert not path.exists()
            for image in all_images(stream):
                assert not image.any()

    def test_only_skipped_frames_came(
        self, tmp_path: Path, format: str, journal: Callable[[str], Any]
    ) -> None:
        with Stream(growing_spec(), [make_sink(format, tmp_path / "out")]) as stream:
            stream.skip(index={"time": 2}, reason="no focus")
        assert all_images(stream)[0].shape == (3, 16, 24)
        if format != "memory":
            assert journal(format).closed["skipped"] == 1

    def test_a_refused_frame_makes_nothing_larger(
        self, tmp_path: Path, format: str
    ) -> None:
        with Stream(growing_spec(), [make_sink(format, tmp_path / "out")]) as stream:
            stream.append(frame_of(0), index={"position": "A", "time": 0})
            for wrong in (
                {"position": "B", "time": -1},
                {"position": "A", "time": 0},
                {"position": "B"},
            ):
                with pytest.raises(FrameError):
                    stream.append(frame_of(1), index=wrong)
        assert [i.shape for i in all_images(stream)] == [(1, 16, 24)]

    def test_an_output_that_cannot_be_opened_ends_the_stream(
        self, tmp_path: Path
    ) -> None:
        stream = Stream(growing_spec(), [make_sink("ome-zarr", tmp_path / "out")])
        (tmp_path / "out").mkdir()
        with pytest.raises(OutputExistsError):
            stream.append(frame_of(0), index={"time": 0})
        for call in (
            lambda: stream.append(frame_of(1), index={"time": 1}),
            stream.flush,
            stream.close,
        ):
            with pytest.raises(StreamError, match="exists"):
                call()
        assert not list((tmp_path / "out").iterdir())


class TestEnding:
    def test_after_close_nothing_is_taken(self, tmp_path: Path, format: str) -> None:
        stream = Stream(make_spec(), [make_sink(format, tmp_path / "out")])
        stream.append(frame_of(0))
        stream.close()
        for call in (lambda: stream.append(frame_of(1)), stream.skip):
            with pytest.raises(StreamClosedError):
                call()
        stream.close()
        assert stream.stats().appended == 1

    def test_flush_after_close_returns(self, tmp_path: Path, format: str) -> None:
        stream = Stream(make_spec(), [make_sink(format, tmp_path / "out")])
        stream.append(frame_of(0))
        stream.close()
        for sync in (False, True):
            thread = Thread(target=lambda sync=sync: stream.flush(sync=sync))
            thread.start()
            thread.join()

    def test_flush_means_committed(
        self, tmp_path: Path, format: str, journal: Callable[[str], Any]
    ) -> None:
        with Stream(make_spec(), [make_sink(format, tmp_path / "out")]) as stream:
            for number in range(3):
                stream.append(frame_of(number))
                stream.flush(sync=bool(number))
                assert stream.stats().saved == number + 1
                if format != "memory":
                    assert len(journal(format).frames) == number + 1
                    assert journal(format).closed is None

    def test_an_error_of_the_block_counts_but_the_frames_are_saved(
        self, tmp_path: Path, format: str
    ) -> None:
        with (
            pytest.raises(KeyError),
            Stream(make_spec(), [make_sink(format, tmp_path / "out")]) as stream,
        ):
            stream.append(frame_of(0))
            raise KeyError
        assert stream.closed
        assert stream.stats().saved == 1

    def test_close_waits_for_a_slow_disk_and_whoever_closes_second_for_the_first(
        self,
    ) -> None:
        sink = GatedSink()
        stream = Stream(make_spec(), [sink])
        stream.append(frame_of(0))
        ended: list[int] = []
        threads = [
            Thread(target=lambda: (stream.close(), ended.append(sink.closed)))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(0.05)
            assert thread.is_alive()
        sink.gate.set()
        for thread in threads:
            thread.join()
        assert ended == [1, 1, 1]
        assert sink.totals == {"saved": 1, "skipped": 0, "dropped": 0}

    def test_frames_that_race_with_close_are_saved_or_refused(self) -> None:
        for _ in range(30):
            sink = MemorySink(1 << 30)
            stream = Stream(make_spec({"time": 400}, frame=(2, 2)), [sink])
            taken: list[int] = []

            def feed(
                first: int, stream: Stream = stream, taken: list[int] = taken
            ) -> None:
                for number in range(first, first + 200):
                    try:
                        stream.append(
                            np.full((2, 2), number + 1, "u2"), index={"time": number}
                        )
                    except StreamClosedError:
                        return
                    taken.append(number)

            threads = [Thread(target=feed, args=(n,)) for n in (0, 200)]
            for thread in threads:
                thread.start()
            wait_until(lambda taken=taken: len(taken) >= 20)
            stream.close()
            for thread in threads:
                thread.join()
            assert stream.stats().saved == stream.stats().appended == len(taken)
            for number in taken:
                found = stream.read(Address(0, (number,)))
                assert found is not None
                assert (found == number + 1).all()

    def test_memory_is_given_back(self) -> None:
        stream = Stream(make_spec(), [MemorySink()])
        for number in range(5):
            stream.append(frame_of(number))
        stream.close()
        assert stream._ring._made == 0
        assert not stream._ring._free

    def test_data_are_made_safe_once_in_a_while(self) -> None:
        sink = GatedSink()
        sink.gate.set()
        with Stream(make_spec(), [sink], sync_interval_s=0.01):
            wait_until(lambda: sink.synced >= 3)

    def test_and_not_if_unwanted(self) -> None:
        sink = GatedSink()
        sink.gate.set()
        with Stream(make_spec(), [sink], sync_interval_s=None) as stream:
            stream.append(frame_of(0))
            stream.flush()
            assert sink.synced == 0
            stream.flush(sync=True)
            assert sink.synced == 1


class TestRoom:
    def test_a_disk_without_room_is_told_before_anything_is_made(
        self, tmp_path: Path, format: str
    ) -> None:
        huge = make_spec({"time": 10**12}, n_frames=10**12)
        if format == "memory":
            with pytest.raises(StreamError, match="do not fit"):
                Stream(make_spec(n_frames=5), [MemorySink(100)])
            return
        huge = make_spec({"time": 3}, n_frames=10**12)
        with pytest.raises(DiskSpaceError, match="needs"):
            Stream(huge, [make_sink(format, tmp_path / "deep" / "out")])
        assert not list(tmp_path.iterdir())

    def test_outputs_on_one_disk_share_its_room(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reserve = RESERVE_BYTES
        free = iter(range(reserve + 30_000_000, 0, -2_000_000))
        monkeypatch.setattr(stream_module, "free_bytes", lambda _: next(free))
        # 15 MB each; between the two looks another program took 2 MB.
        spec = make_spec({"time": 3}, n_frames=15_000_000 // (16 * 24 * 2))
        one, two = (make_sink("ndtiff", tmp_path / n) for n in "ab")
        with pytest.raises(DiskSpaceError, match="the run needs"):
            Stream(spec, [one, two])
        monkeypatch.setattr(stream_module, "disk_of", lambda path: str(path))
        free = iter([reserve + 16_000_000] * 9)
        Stream(spec, [one, two]).close()

    def test_an_unbounded_run_wants_the_reserve(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stream_module, "free_bytes", lambda _: RESERVE_BYTES - 1)
        with pytest.raises(DiskSpaceError, match="in reserve"):
            Stream(growing_spec(), [make_sink("ndtiff", tmp_path / "out")])
        assert not list(tmp_path.iterdir())
        Stream(growing_spec(), [MemorySink()]).close()

    def test_the_room_is_looked_at_each_second_whatever_the_syncs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keeper_module, "_LOOK_S", 0.01)
        for interval in (None, 3600):
            stream = Stream(
                make_spec(),
                [make_sink("ndtiff", tmp_path / str(interval))],
                sync_interval_s=interval,
            )
            with monkeypatch.context() as patch:
                patch.setattr(stream_module, "free_bytes", lambda _: 1000)
                wait_until(lambda stream=stream: stream._failure.error)
            with pytest.raises(DiskSpaceError, match="nearly full"):
                stream.close()

    def test_frames_under_way_count_as_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sink = GatedSink(tmp_path / "out")
        stream = Stream(make_spec({"time": 20}), [sink], sync_interval_s=0.01)
        for number in range(4):
            stream.append(frame_of(number))
        room = STOP_BYTES + 4 * 16 * 24 * 2
        monkeypatch.setattr(stream_module, "free_bytes", lambda _: room)
        synced = sink.synced
        wait_until(lambda: sink.synced > synced + 3)
        assert stream._failure.error is None
        stream.append(frame_of(4))
        wait_until(lambda: stream._failure.error)
        sink.gate.set()
        with pytest.raises(DiskSpaceError, match="5 frames are saved"):
            stream.close()

    def test_a_disk_that_fills_stops_the_stream_while_files_can_be_closed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = Stream(
            make_spec(), [make_sink("ndtiff", tmp_path / "out")], sync_interval_s=0.01
        )
        stream.append(frame_of(0))
        stream.flush()
        monkeypatch.setattr(stream_module, "free_bytes", lambda _: 1000)
        with pytest.raises(DiskSpaceError, match=r"nearly full.* 1 frames are saved"):
            for _ in range(10_000):
                stream.flush()
                time.sleep(0.001)
        with pytest.raises(DiskSpaceError):
            stream.append(frame_of(1))
        with pytest.raises(DiskSpaceError):
            stream.close()
        closed = read_journal(tmp_path / "out" / "frames.jsonl").closed
        assert closed is not None, "its files were finished"
        assert closed["saved"] == 1
        assert "nearly full" in closed["failed"]


def test_metadata_may_be_anything(
    tmp_path: Path, format: str, journal: Callable[[str], Any]
) -> None:
    facts = {
        "exposure_ms": np.float32(2.5),
        "bad": float("nan"),
        "array": np.arange(3),
        "path": Path("a"),
        "nested": {"deep": {1: (2, 3)}},
    }
    with Stream(
        make_spec({"time": 1}), [make_sink(format, tmp_path / "out")]
    ) as stream:
        stream.append(frame_of(0), facts, frame_metadata={"more": True})
    if format != "memory":
        (frame,) = journal(format).frames
        found = frame["metadata"]
        assert found["exposure_ms"] == 2.5
        assert found["array"] == [0, 1, 2]
        assert found["nested"] == {"deep": {"1": [2, 3]}}
        assert found["more"] is True


def test_metadata_belong_to_the_stream_at_once(
    tmp_path: Path, format: str, journal: Callable[[str], Any]
) -> None:
    """The caller goes on with the same nested lists for the next frame."""
    facts: dict[str, Any] = {
        "stage": {"xy": [0, 0]},
        "tags": ["a"],
        "array": np.zeros(2, int),
    }
    count = 20
    with Stream(
        make_spec({"time": count}), [make_sink(format, tmp_path / "out")]
    ) as stream:
        for number in range(count):
            facts["stage"]["xy"][0] = number
            facts["tags"][0] = str(number)
            facts["array"][:] = number
            stream.append(frame_of(number), facts)
        facts["stage"]["xy"][0] = -1
    if format != "memory":
        for number, frame in enumerate(journal(format).frames):
            assert frame["metadata"] == {
                "stage": {"xy": [number, 0]},
                "tags": [str(number)],
                "array": [number, number],
            }


def test_metadata_that_cannot_be_are_refused(tmp_path: Path) -> None:
    endless: list[Any] = []
    endless.append(endless)

    class Odd:
        def items(self) -> Any:
            return [("me", self)]

    with Stream(make_spec(), [MemorySink()]) as stream:
        for wrong in ({"a": endless}, {"a": {"b": Odd()}}, ["no", "mapping"], 5):
            with pytest.raises(FrameError, match="metadata"):
                stream.append(frame_of(0), wrong)  # type: ignore[arg-type]
        stream.append(frame_of(0), {"deep": [[[[1]]]]})
        stream.flush()
        assert stream.stats().appended == 1
        assert stream.stats().ring_used == 0


def test_axes_may_have_their_short_names(tmp_path: Path) -> None:
    labels = {"channel": ("DAPI", "FITC")}
    spec = make_spec({"time": 2, "channel": 2}, labels=labels)
    with Stream(spec, [MemorySink()]) as stream:
        stream.append(frame_of(0), index={"t": 1, "c": "FITC"})
        stream.skip(index={"t": 0, "channel": "DAPI"})
        with pytest.raises(FrameError, match="already"):
            stream.append(frame_of(0), index={"time": 1, "channel": 1})
    np.testing.assert_array_equal(all_images(stream)[0][1, 1], frame_of(0))


def test_numbers_of_frames_to_skip() -> None:
    with Stream(make_spec(), [MemorySink()]) as stream:
        for wrong in (-1, 1.5, "two", None):
            with pytest.raises(FrameError, match="cannot be skipped"):
                stream.skip(wrong)  # type: ignore[arg-type]
        with pytest.raises(FrameError, match="cannot be skipped"):
            stream.skip(2, index={"time": 1})
        stream.skip(0)
        stream.skip(np.int64(2))  # type: ignore[arg-type]
        stream.skip(frames=1, reason="x")
        assert stream.stats().skipped == 3


class TestEvents:
    def test_what_is_told(self, tmp_path: Path, format: str) -> None:
        stream = Stream(make_spec(), [make_sink(format, tmp_path / "out")])
        saved: list[Any] = []
        skipped: list[Any] = []
        closed: list[Any] = []
        threads: set[str] = set()

        @stream.events.frame_saved.connect
        def _(event: FrameEvent) -> None:
            threads.add(threading.current_thread().name)
            saved.append(event)

        stream.events.frame_skipped.connect(skipped.append)
        stream.events.closed.connect(closed.append)
        for number in range(3):
            stream.append(frame_of(number))
        stream.skip(reason="no focus")
        stream.close()
        assert [e.axes for e in saved] == [{"time": n} for n in range(3)]
        assert [(e.image, e.index, e.number, e.status) for e in saved] == [
            (0, (n,), n, "saved") for n in range(3)
        ]
        assert [(e.index, e.status, e.reason) for e in skipped] == [
            ((3,), "skipped", "no focus")
        ]
        assert [c.saved for c in closed] == [3]
        assert threads == {"napari-scope news"}
        assert not list(writer_threads())

    def test_saved_means_committed(self) -> None:
        sink = GatedSink()
        stream = Stream(make_spec(), [sink])
        saved: list[Any] = []
        stream.events.frame_saved.connect(saved.append)
        stream.append(frame_of(0))
        assert sink.entered.wait(10)
        assert not saved
        sink.gate.set()
        wait_until(lambda: saved)
        stream.close()

    def test_a_failure(self) -> None:
        stream = Stream(make_spec({"time": 50}), [FailingSink(2)])
        failed: list[Any] = []
        saved: list[Any] = []
        stream.events.failed.connect(failed.append)
        stream.events.frame_saved.connect(saved.append)
        with pytest.raises(StreamError):
            for number in range(50):
                stream.append(frame_of(number))
                stream.flush()
        with pytest.raises(StreamError):
            stream.close()
        assert [type(error) for error in failed] == [StreamError]
        assert len(saved) == 2

    def test_listeners_that_are_slow_or_broken_harm_nobody(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(telling_module, "_MOST_NEWS", 10)
        monkeypatch.setattr(telling_module, "_PATIENCE_S", 0.01)
        stream = Stream(make_spec({"time": 100}), [MemorySink()])
        go = threading.Event()
        heard: list[int] = []

        @stream.events.frame_saved.connect
        def _(event: FrameEvent) -> None:
            heard.append(event.number)
            if event.number == 0:
                assert go.wait(30)
            raise KeyError(event.number)

        stream.append(frame_of(0))
        wait_until(lambda: heard == [0])
        for number in range(1, 100):
            stream.append(frame_of(number))
        stream.flush()
        stream.close()
        assert stream.stats().saved == 100
        assert heard == [0]
        assert stream.events.missed == 89
        go.set()
        wait_until(lambda: len(heard) == 11)
        assert heard[1:] == list(range(90, 100))
        wait_until(lambda: not list(writer_threads()))
        # The first with its traceback; of the others it is said how many there were.
        assert [record.levelname for record in caplog.records] == ["ERROR"] * 2
        assert "a listener failed" in caplog.text
        assert "listeners of 'frame_saved' failed 11 times" in caplog.text

    def test_a_listener_may_close_the_stream(self) -> None:
        stream = Stream(make_spec(), [MemorySink()])
        ended = threading.Event()

        @stream.events.frame_saved.connect
        def _(_: FrameEvent) -> None:
            stream.close()
            ended.set()

        stream.append(frame_of(0))
        assert ended.wait(30)
        assert stream.closed


def test_a_stream_without_any_axis_has_one_frame() -> None:
    with Stream(make_spec({}), [MemorySink()]) as stream:
        stream.append(frame_of(0))
        with pytest.raises(FrameError):
            stream.append(frame_of(0))
    np.testing.assert_array_equal(all_images(stream)[0], frame_of(0))


def test_nothing_is_left_of_a_closed_stream() -> None:
    import weakref

    stream = Stream(make_spec(), [MemorySink()])
    stream.append(frame_of(0))
    stream.close()
    gone = weakref.ref(stream)
    del stream
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("index", [(0, 0), 3, "t"])
def test_an_index_names_its_axes(index: Any) -> None:
    with Stream(make_spec({"time": 2}), [MemorySink()]) as stream:
        for call in (
            lambda: stream.append(frame_of(1), index=index),
            lambda: stream.skip(index=index),
            lambda: stream.has(index),
        ):
            with pytest.raises(FrameError, match="does not name the axes") as caught:
                call()
            assert "mapping" in str(caught.value)
    assert stream.stats().appended == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked on Windows")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_leaves_the_stream_to_its_parent(
    tmp_path: Path, format: str
) -> None:
    if format == "memory":
        pytest.skip("nothing is shared")
    sink = make_sink(format, tmp_path / "out")
    stream = Stream(make_spec({"time": 20}), [sink])
    for number in range(10):
        stream.append(frame_of(number))
    child = os.fork()
    if not child:
        code = 1
        signal.alarm(20)  # rather dead than waiting for a thread that is not there
        try:
            stream.flush()
            with pytest.raises(StreamClosedError, match="forked"):
                stream.append(frame_of(99))
            stream.close()
            stream_module._close_all()  # as when a process ends
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for number in range(10, 20):
        stream.append(frame_of(number))
    stream.close()
    content = read_journal(journal_of(tmp_path / "out"))
    assert [line["n"] for line in content.frames] == list(range(20))
    assert content.closed is not None


def test_an_index_that_names_an_axis_twice_is_refused() -> None:
    with Stream(make_spec(), [MemorySink()]) as stream:
        with pytest.raises(FrameError, match="names an axis twice"):
            stream.append(frame_of(0), index={"t": 0, "time": 2})
        assert stream.stats().appended == 0
