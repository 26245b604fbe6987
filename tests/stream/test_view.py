from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.stream.streams import (
    FORMATS,
    FailingSink,
    GatedSink,
    frame_of,
    growing_spec,
    make_sink,
    make_spec,
)
from tests.threads import Thread

from napari_scope.stream import Address, ImageSpec, MemorySink, Stream

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.model import Image

pytestmark = pytest.mark.usefixtures("implementation")


def pixels(image: Image) -> Any:
    return np.asarray(image.levels[0])


def test_the_whole_shape_is_there_before_the_first_frame() -> None:
    spec = make_spec(
        {"time": 3, "channel": 2},
        labels={"channel": ("A", "B")},
        bit_depth=12,
        pixel_um=0.5,
    )
    with Stream(spec, [MemorySink()]) as stream:
        view = stream.view()
        (image,) = view.images
        assert image.axis_names == ("t", "c", "y", "x")
        assert image.levels[0].shape == (3, 2, 16, 24)
        assert [c.name for c in image.channels] == ["A", "B"]
        assert image.bit_depth == 12
        assert image.axes[-1].scale == 0.5
        assert view.newest() is None
        assert not pixels(image).any()
        assert view.images[0] is image


def test_a_frame_is_seen_while_it_waits_for_the_disk() -> None:
    sink = GatedSink()
    with Stream(make_spec({"time": 5}), [sink]) as stream:
        view = stream.view()
        for number in range(5):
            stream.append(frame_of(number))
            np.testing.assert_array_equal(
                pixels(view.images[0])[number], frame_of(number)
            )
            newest = view.newest()
            assert newest is not None
            assert (newest.image, newest.index) == (0, {"t": number})
            assert newest.number == number + 1
        assert stream.stats().saved == 0
        sink.gate.set()


def test_newest_counts_frames_not_places() -> None:
    spec = make_spec(
        order=("position", "z"),
        images=tuple(ImageSpec(n, {"position": n}, {"z": 3}) for n in "AB"),
    )
    with Stream(spec, [MemorySink()]) as stream:
        view = stream.view()
        stream.append(frame_of(0), index={"position": "B", "z": 2})
        stream.skip(index={"position": "A", "z": 0})
        newest = view.newest()
        assert newest is not None
        assert (newest.image, newest.index, newest.number) == (1, {"z": 2}, 1)


@pytest.mark.parametrize("format", [*FORMATS, "memory"])
@pytest.mark.parametrize("seed", range(2))
def test_no_appended_frame_is_ever_read_as_zeros(
    tmp_path: Path, format: str, seed: int
) -> None:
    """Readers hammer frames that were just appended, in memory, between, on disk."""
    count = 300
    spec = make_spec({"time": count})
    sink = make_sink(format, tmp_path / "out")
    stream = Stream(spec, [sink], ring_bytes=16 * 24 * 2 * 16, sync_interval_s=0.01)
    array = stream.view().images[0].levels[0]
    rng = np.random.default_rng(seed)
    order = [int(n) for n in rng.permutation(count)]
    done = 0
    over = threading.Event()
    wrong: list[Any] = []

    def look(seed: int) -> None:
        mine = np.random.default_rng(seed)
        while not over.is_set():
            if not (last := done):
                continue
            # Mostly the newest ones: they are the ones on their way.
            back = int(mine.geometric(0.2))
            number = order[max(0, last - back)]
            found = np.asarray(array[number])
            if not np.array_equal(found, frame_of(number)):
                wrong.append((number, found.any()))
                return

    threads = [Thread(target=look, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for place, number in enumerate(order):
        stream.append(frame_of(number), index={"time": number})
        done = place + 1
    stream.close()
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong
    np.testing.assert_array_equal(array, [frame_of(n) for n in range(count)])
    assert stream.stats().saved == count, "readers do not change what is counted"


def test_a_reader_that_holds_a_frame_does_not_keep_it_from_being_counted() -> None:
    """`close` once counted a frame less while somebody looked at it."""
    sink = GatedSink()
    stream = Stream(make_spec({"time": 1}), [sink])
    stream.append(frame_of(0))
    copying, go = threading.Event(), threading.Event()

    class Slow(np.ndarray[Any, Any]):
        def copy(self, order: Any = "C") -> Any:
            if threading.current_thread() is reader:
                copying.set()
                assert go.wait(30)
            return np.array(self)

    (item,) = stream._ledger.under_way.values()
    assert item.frame is not None
    buffer = item.frame
    item.frame = buffer.view(Slow)
    found: list[Any] = []
    reader = Thread(target=lambda: found.append(stream.read(Address(0, (0,)))))
    reader.start()
    assert copying.wait(10)
    sink.gate.set()
    stream.close()
    assert stream.stats().saved == 1
    assert sink.totals == {"saved": 1, "skipped": 0, "dropped": 0}
    assert stream.stats().ring_used == 1, "its memory is not given away meanwhile"
    go.set()
    reader.join()
    np.testing.assert_array_equal(found[0], frame_of(0))
    assert stream.stats().ring_used == 0


def test_what_is_read_is_a_copy(tmp_path: Path) -> None:
    sink = GatedSink()
    stream = Stream(make_spec({"time": 2}), [sink])
    stream.append(frame_of(0))
    array = stream.view().images[0].levels[0]
    np.asarray(array[0])[...] = 0
    np.testing.assert_array_equal(array[0], frame_of(0))
    sink.gate.set()
    stream.close()
    np.asarray(array[0])[...] = 0
    np.testing.assert_array_equal(array[0], frame_of(0))


@pytest.mark.parametrize("format", FORMATS)
def test_reading_goes_on_after_close(tmp_path: Path, format: str) -> None:
    with Stream(make_spec(), [make_sink(format, tmp_path / "out")]) as stream:
        view = stream.view()
        stream.append(frame_of(3), index={"time": 3})
    np.testing.assert_array_equal(pixels(view.images[0])[3], frame_of(3))
    np.testing.assert_array_equal(pixels(stream.view().images[0])[3], frame_of(3))


def test_places_outside_are_nothing() -> None:
    with Stream(make_spec(), [MemorySink()]) as stream:
        stream.append(frame_of(0))
        assert stream.read(Address(0, (1,))) is None
        assert stream.read(Address(0, (99,))) is None
        assert stream.read(Address(7, (0,))) is None


def test_colour(tmp_path: Path) -> None:
    spec = make_spec({"time": 2}, frame=(8, 6, 3), dtype="u1")
    with Stream(spec, [make_sink("ndtiff", tmp_path / "out")]) as stream:
        (image,) = stream.view().images
        assert image.rgb
        assert image.axis_names == ("t", "y", "x", "rgb")
        for number in range(2):
            stream.append(frame_of(number, (8, 6, 3), "u1"))
    expected = [frame_of(n, (8, 6, 3), "u1") for n in range(2)]
    np.testing.assert_array_equal(pixels(image), expected)


class TestGrowing:
    def test_arrays_keep_their_identity_and_grow(self) -> None:
        with Stream(growing_spec(), [MemorySink()]) as stream:
            view = stream.view()
            stream.append(frame_of(0), index={"time": 0, "channel": "A"})
            grown = view.grown
            array = view.images[0].levels[0]
            stream.append(frame_of(1), index={"time": 4, "channel": "B"})
            assert view.grown != grown
            assert view.images[0].levels[0] is array
            assert array.shape == (5, 2, 16, 24)
            np.testing.assert_array_equal(array[4, 1], frame_of(1))
            grown = view.grown
            stream.append(frame_of(2), index={"time": 3, "channel": "A"})
            assert view.grown == grown

    def test_nobody_misses_what_grows_while_looking(self) -> None:
        """A view that asks in the wrong order keeps an old shape for good."""
        with Stream(growing_spec(frame_shape=(2, 2)), [MemorySink()]) as stream:
            view = stream.view()
            over = threading.Event()
            ranks: list[int] = []

            def look() -> None:
                while not over.is_set():
                    ranks.append(len(view.images))

            threads = [Thread(target=look) for _ in range(2)]
            for thread in threads:
                thread.start()
            for number in range(300):
                stream.append(
                    np.full((2, 2), 1, "u2"), index={"position": number, "time": 0}
                )
                assert len(view.images) == number + 1
            over.set()
            for thread in threads:
                thread.join()
            assert len({id(i.levels[0]) for i in view.images}) == 300


def test_after_one_of_two_outputs_failed_the_other_is_shown() -> None:
    class Holed(FailingSink):
        """Has zeros where nothing was written, as files of images do."""

        def read(self, address: Address) -> Any:
            found = super().read(address)
            return np.zeros((16, 24), "u2") if found is None else found

    bad, good = Holed(at=2), GatedSink()
    good.gate.set()
    stream = Stream(make_spec({"time": 6}), [bad, good])
    bad.gate.clear()
    for number in range(4):
        stream.append(frame_of(number))
    bad.gate.set()
    with pytest.raises(Exception, match="Input/output"):
        stream.close()
    found = pixels(stream.view().images[0])
    np.testing.assert_array_equal(found[:4], [frame_of(n) for n in range(4)])
