from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.stream.streams import (
    FORMATS,
    GatedSink,
    all_images,
    frame_of,
    growing_spec,
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
from napari_scope.stream import stream as stream_module

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("implementation")


@pytest.fixture(name="format", params=[*FORMATS, "memory"])
def each_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def journal(tmp_path: Path) -> Callable[[str], Any]:
    def read(format: str) -> Any:
        folder = tmp_path / "out"
        name = "acquisition/frames.jsonl" if format == "ome-zarr" else "frames.jsonl"
        return read_journal(folder / name)

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
            for index in ({"time": 5}, {"time": -1}, {"t": 0}, {"time": 0.5}, {}):
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
        reserve = stream_module.RESERVE_BYTES
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
