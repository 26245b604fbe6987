"""Stores that grow while they are read, and views that leave the process."""

from __future__ import annotations

import os
import pickle
import shutil
import struct
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import (
    Dataset,
    FrameItem,
    NDTiffReader,
    NDTiffWriter,
    TiledNDTiffWriter,
    open_ndtiff,
)
from napari_scope.formats.ndtiff.index import IndexParser, parse_index
from napari_scope.formats.ndtiff.layout import WRITING_NAME

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


def _frame(number: int, side: int = 16) -> npt.NDArray[np.uint16]:
    """Return a frame whose every pixel tells its number and its place."""
    pixels = np.arange(side * side) + 257 * int(number)
    return (pixels % 65536).astype("u2").reshape(side, side)


@pytest.mark.usefixtures("any_io")
def test_refresh_reads_the_tail(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0, "channel": "b"}, _frame(0))
        with NDTiffReader(tmp_path / "run") as reader:
            assert not reader.finished
            before = reader.catalog
            assert reader.refresh() == 0
            assert reader.catalog is before
            for time in range(1, 5):
                writer.put({"time": time, "channel": "a"}, _frame(time))
            assert reader.read_frame({"time": 4, "channel": "a"}) is None
            assert reader.refresh() == 4
            assert reader.axes == {"time": [0, 1, 2, 3, 4], "channel": ["b", "a"]}
            frame = reader.read_frame({"time": 4, "channel": "a"})
            np.testing.assert_array_equal(frame, _frame(4))  # type: ignore[arg-type]
            assert before.axes == {"time": [0], "channel": ["b"]}
            writer.close()
            assert reader.finished
            assert reader.problems == []


def test_an_index_is_read_as_it_comes(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for time in range(4):
            writer.put({"time": time}, _frame(time))
    whole = (tmp_path / "run" / "NDTiff.index").read_bytes()
    for step in (1, 7, 50, 100):
        parser = IndexParser()
        for end in range(step, len(whole) + step, step):
            parser.feed(whole[parser.consumed : end])
        assert parser.reason is None
        assert parser.consumed == len(whole)
        np.testing.assert_array_equal(parser.table().fields, parse_index(whole).fields)


def test_a_java_index_grows_into_its_zeros(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for time in range(4):
            writer.put({"time": time}, _frame(time))
    index = tmp_path / "run" / "NDTiff.index"
    whole = index.read_bytes()
    half = len(whole) // 2
    index.write_bytes(whole[:half] + bytes(3 * 2**20))
    with NDTiffReader(tmp_path / "run") as reader:
        assert len(reader) == 4  # the others are in the file
        assert not reader.finished
        with open(index, "r+b") as file:
            file.write(whole)
        assert reader.problems != []
        assert reader.refresh() == 0  # they were known
        assert len(reader) == len(reader.table) == 4
        assert reader.problems == ["the index was not closed by its writer"]
        assert not reader.finished
        os.truncate(index, len(whole))
        assert reader.finished
        assert reader.refresh() == 0


def test_an_index_that_is_gone_or_another(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for time in range(4):
            writer.put({"time": time}, _frame(time))
    with NDTiffReader(tmp_path / "run") as reader:
        index = tmp_path / "run" / "NDTiff.index"
        index.write_bytes(index.read_bytes()[:50])
        with pytest.raises(FormatError, match="was replaced"):
            reader.refresh()
        index.unlink()
        with pytest.raises(FormatError, match="moved or deleted"):
            reader.refresh()


@pytest.mark.parametrize("known", [0, 2])
def test_an_index_that_comes_after_the_store_was_opened(
    tmp_path: Path, known: int
) -> None:
    """A writer makes the first file before the index; somebody looks in between."""
    with NDTiffWriter(tmp_path / "run") as writer:
        if not known:
            # The head of the file is there, no frame yet.
            writer.put({"time": 0}, _frame(0))
            (file,) = (tmp_path / "run").glob("*.tif")
            head = shutil.copytree(tmp_path / "run", tmp_path / "early") / file.name
            os.truncate(head, 40)
            (tmp_path / "early" / "NDTiff.index").unlink()
        for time in range(1 - bool(known), 4):
            if time == known and known:
                shutil.copytree(tmp_path / "run", tmp_path / "early")
                (tmp_path / "early" / "NDTiff.index").unlink()
            writer.put({"time": time}, _frame(time))
        with Dataset(tmp_path / "early") as dataset:
            assert len(dataset.get_index_keys()) == known
            for path in (tmp_path / "run").iterdir():
                shutil.copy(path, tmp_path / "early" / path.name)
            dataset.refresh()
            keys = dataset.get_index_keys()
            assert keys == [{"time": time} for time in range(4)]
            for time in range(4):
                np.testing.assert_array_equal(
                    dataset.read_image(time=time), _frame(time)
                )


def test_what_a_killed_writer_leaves_is_not_finished(tmp_path: Path) -> None:
    writer = NDTiffWriter(tmp_path / "run")
    writer.put({"time": 0}, _frame(0))
    shutil.copytree(tmp_path / "run", tmp_path / "killed")
    writer.close()
    assert not (tmp_path / "run" / WRITING_NAME).exists()
    assert open_ndtiff(tmp_path / "run").finished
    dataset = open_ndtiff(tmp_path / "killed")
    assert not dataset.finished
    assert dataset.problems == ()
    assert dataset.reload is not None
    assert dataset.reload() is None


def test_a_data_set_is_reloaded_as_it_grows(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0, "position": "a"}, _frame(0))
        first = open_ndtiff(tmp_path / "run")
        assert first.reload is not None
        assert first.reload() is None
        writer.put({"time": 1, "position": "a"}, _frame(1))
        writer.put({"time": 0, "position": "b"}, _frame(2))
        second = first.reload()
        assert second is not None
        assert [image.name for image in second.images] == ["a", "b"]
        assert second.images[0].levels[0].shape == (2, 16, 16)
        # Frames that are still to come are no problem; the old view stays as it is.
        assert second.problems == ()
        assert first.images[0].levels[0].shape == (1, 16, 16)
        np.testing.assert_array_equal(first.images[0].levels[0][0], _frame(0))
        writer.close()
        third = first.reload()
        assert third is not None
        assert third.finished
        assert third.reload is not None
        assert third.reload() is None


def test_two_who_look_at_one_store_both_hear_of_it(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0, "position": "a"}, _frame(0))
        first = open_ndtiff(tmp_path / "run")
        writer.put({"time": 0, "position": "b"}, _frame(1))
        assert first.reload is not None
        for _ in range(2):
            second = first.reload()
            assert second is not None
            assert len(second.images) == 2
        # What did not grow is known to be as it was.
        assert second.images[0].frames == first.images[0].frames
        assert second.images[1].frames != first.images[0].frames
        writer.put({"time": 0, "position": "a"}, _frame(5))
        assert second.reload is not None
        third = second.reload()
        assert third is not None
        assert third.images[0].frames != first.images[0].frames
        assert third.images[1].frames == second.images[1].frames


@pytest.mark.usefixtures("any_io")
def test_never_a_wrong_pixel_while_writing(tmp_path: Path) -> None:
    """Read frames as soon as the index has them, some 10,000 times."""
    total, side = 400, 24
    halt = threading.Event()
    wrong: list[object] = []
    reads = [0, 0]

    def read(number: int) -> None:
        rng = np.random.default_rng(number)
        with NDTiffReader(tmp_path / "run") as reader:
            while reads[number] < 5000 and not halt.is_set():
                reader.refresh()
                count = len(reader.table)
                newest = range(max(0, count - 3), count)
                for time in (*newest, *rng.integers(0, max(1, count), 10)):
                    if not count:
                        continue
                    frame = reader.read_frame({"time": int(time)})
                    about = reader.read_metadata({"time": int(time)})
                    good = frame is not None and (frame == _frame(time, side)).all()
                    if not good or about is None or about["number"] != time:
                        wrong.append(int(time))
                    reads[number] += 1

    with NDTiffWriter(tmp_path / "run", max_file_bytes=200_000) as writer:
        threads = [threading.Thread(target=read, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        for time in range(0, total, 2):
            writer.put({"time": time}, _frame(time, side), {"number": time})
            item = FrameItem(
                {"time": time + 1}, _frame(time + 1, side), {"number": time + 1}
            )
            writer.put_many([item])
    for thread in threads:
        thread.join(120)
    halt.set()
    assert wrong == []
    assert sum(reads) >= 10_000


def _sum(array: object) -> int:
    return int(np.asarray(array).sum())


def test_views_go_to_other_processes(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for time in range(3):
            writer.put({"time": time, "channel": "b"}, _frame(time))
        dataset = open_ndtiff(tmp_path / "run")
        level = dataset.images[0].levels[0]
        # The store grows before the view arrives, and its codes change.
        writer.put({"time": -1, "channel": "a"}, _frame(9))
        copy = pickle.loads(pickle.dumps(level[1:]))
        np.testing.assert_array_equal(copy, np.asarray(level)[1:])
        context = get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as processes:
            assert processes.submit(_sum, level).result() == _sum(level)
    assert len(pickle.dumps(level)) < 20_000


def test_a_store_that_changed_is_not_mistaken_for_the_old(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for time in range(3):
            writer.put({"time": time}, _frame(time))
    level = open_ndtiff(tmp_path / "run").images[0].levels[0]
    sent = pickle.dumps(level)
    shutil.rmtree(tmp_path / "run")
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, _frame(7))
    with pytest.raises(FormatError, match="not the one that this view was made of"):
        pickle.loads(sent)


@pytest.mark.usefixtures("any_io")
def test_many_frames_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    axes = [{"time": t, "z": z} for t in range(12) for z in range(-2, 3)]
    chosen = [axes[i] for i in rng.permutation(len(axes))[:50]]
    expected = np.zeros((12, 5, 16, 16), "u2")
    with NDTiffWriter(tmp_path / "run", max_file_bytes=30_000) as writer:
        for number, key in enumerate(chosen):
            writer.put(key, _frame(number), {"x": "y" * int(rng.integers(0, 900))})
            expected[key["time"], key["z"] + 2] = _frame(number)
    (image,) = open_ndtiff(tmp_path / "run").images
    level = image.levels[0]
    np.testing.assert_array_equal(level, expected)
    np.testing.assert_array_equal(level[3:9:2, ::-1], expected[3:9:2, ::-1])
    np.testing.assert_array_equal(level[:, 1, 3:9, ::3], expected[:, 1, 3:9, ::3])
    np.testing.assert_array_equal(level[4], expected[4])
    assert image.frames is not None
    for key in axes:
        index = {"t": key["time"], "z": key["z"] + 2}
        assert image.frames.exists(index) == (key in chosen)
        assert image.frames.axes(index) == (key if key in chosen else None)
        assert (image.frames.metadata(index) is None) == (key not in chosen)


@pytest.mark.parametrize("order", ["<", ">"])
def test_many_frames_of_either_byte_order(tmp_path: Path, order: str) -> None:
    summary = b'{"a":1}'
    start = 36
    mark = b"II" if order == "<" else b"MM"
    header = struct.pack(
        f"{order}2sHIIIIII", mark, 42, 0, 483729, 3, 3, 2355492, len(summary)
    )
    frames = [_frame(i).astype(f"{order}u2") for i in range(5)]
    pixels = b"".join(frame.tobytes() for frame in frames)
    (tmp_path / "x.tif").write_bytes(header + summary + bytes(1) + pixels + b"{}")
    records = b""
    for i in range(5):
        numbers = (start + 512 * i, 16, 16, 1, 0, start + 5 * 512, 2, 0)
        axes = b'{"z":%d}' % i
        records += struct.pack(f"{order}I7sI5s8I", 7, axes, 5, b"x.tif", *numbers)
    (tmp_path / "NDTiff.index").write_bytes(records)
    (image,) = open_ndtiff(tmp_path).images
    np.testing.assert_array_equal(image.levels[0], frames)
    np.testing.assert_array_equal(image.levels[0][::-2], frames[::-2])
    np.testing.assert_array_equal(image.levels[0][2, 3:5], frames[2][3:5])


def test_a_cut_file_among_many_frames(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for time in range(6):
            writer.put({"time": time}, _frame(time))
    (image,) = open_ndtiff(tmp_path / "run").images
    path = tmp_path / "run" / "NDTiffStack.tif"
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)
    # Cut after opening: an error, never a signal, never zeros.
    with pytest.raises(FormatError, match="the file ends at byte"):
        np.asarray(image.levels[0])
    dataset = open_ndtiff(tmp_path / "run")
    (image,) = dataset.images
    assert image.frames is not None
    there = [image.frames.exists({"t": time}) for time in range(6)]
    assert there == sorted(there, reverse=True)
    assert 0 < sum(there) < 6
    for time, exists in enumerate(there):
        expected = _frame(time) if exists else np.zeros((16, 16))
        np.testing.assert_array_equal(image.levels[0][time], expected)
    assert dataset.problems != ()


# What has grown must be what opening it anew would show.

_STEPS = st.lists(
    st.sampled_from(["put", "put", "burst", "look", "keep", "index late"]),
    min_size=2,
    max_size=14,
)


@given(steps=_STEPS, tiled=st.booleans(), finish=st.booleans())
@settings(max_examples=40, deadline=None)
def test_what_has_grown_is_like_what_is_opened_anew(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[str],
    tiled: bool,
    finish: bool,
) -> None:
    folder = tmp_path_factory.mktemp("live") / "run"
    index = folder / ("Full resolution" if tiled else ".") / "NDTiff.index"
    writer = (
        TiledNDTiffWriter(folder, tile_overlap=2, max_file_bytes=4000)
        if tiled
        else NDTiffWriter(folder, max_file_bytes=4000)
    )
    count = 0
    kept: list[tuple[bytes, object]] = []

    def put() -> None:
        nonlocal count
        axes: dict[str, int | str] = {"time": count, "channel": "ab"[count % 2]}
        if tiled:
            axes = {"row": count // 3, "column": -(count % 3)}
        writer.put(axes, _frame(count, 18), {"n": count})
        count += 1

    put()
    grown = Dataset(folder)
    opened = open_ndtiff(folder)
    for step in steps:
        if step == "put":
            put()
        elif step == "burst":
            for _ in range(7):
                put()
        elif step == "look":
            grown.refresh()
            assert opened.reload is not None
            opened = opened.reload() or opened
        elif step == "keep":
            array = grown.as_array()
            kept.append((pickle.dumps(array), array.compute()))
        elif not (folder / "NDTiff.index").is_symlink():
            # A reader may come while the index is behind the files.
            whole = index.read_bytes()
            os.truncate(index, max(0, len(whole) - 70))
            grown.close()
            (folder / WRITING_NAME).rename(folder.parent / "mark")
            grown = Dataset(folder)
            opened = open_ndtiff(folder)
            kept.clear()
            (folder.parent / "mark").rename(folder / WRITING_NAME)
            with open(index, "r+b") as file:
                file.write(whole)
    if finish:
        writer.close()
    grown.refresh()
    assert opened.reload is not None
    opened = opened.reload() or opened
    fresh = Dataset(folder)
    assert grown.problems == fresh.problems
    assert grown.is_finished() == fresh.is_finished() == finish
    assert len(grown.get_index_keys()) == count
    np.testing.assert_array_equal(grown.image_mask(), fresh.image_mask())
    expected = fresh.as_array().compute()
    np.testing.assert_array_equal(grown.as_array().compute(), expected)
    sent = pickle.loads(pickle.dumps(grown.as_array()))
    np.testing.assert_array_equal(sent.compute(), expected)
    for data, pixels in kept:
        np.testing.assert_array_equal(pickle.loads(data).compute(), pixels)
    anew = open_ndtiff(folder)
    assert opened.problems == anew.problems
    assert opened.finished == anew.finished
    assert sorted(grown.res_levels) == sorted(fresh.res_levels)
    for image, other in zip(opened.images, anew.images, strict=True):
        assert len(image.levels) == len(other.levels)
        for level, same in zip(image.levels, other.levels, strict=True):
            np.testing.assert_array_equal(level, same)
    if tiled:
        for level, same in zip(grown.as_pyramid(), fresh.as_pyramid(), strict=True):
            np.testing.assert_array_equal(level.compute(), same.compute())
    grown.close()
    fresh.close()
    writer.close()


def test_a_file_that_becomes_whole_is_seen(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run", max_file_bytes=3000) as writer:
        for time in range(12):
            writer.put({"time": time}, _frame(time))
    first, last = sorted((tmp_path / "run").glob("*.tif"))[:2]
    whole = last.read_bytes()
    os.truncate(last, len(whole) // 2)
    first.rename(tmp_path / "away")
    with NDTiffReader(tmp_path / "run") as reader:
        problems = reader.problems
        assert not reader.readable.all()
        assert reader.refresh() == 0
        assert reader.problems == problems
        (tmp_path / "away").rename(first)
        last.write_bytes(whole)
        reader.refresh()
        assert reader.readable.all()
        assert reader.problems == []
        for time in range(12):
            frame = reader.read_frame({"time": time})
            np.testing.assert_array_equal(frame, _frame(time))  # type: ignore[arg-type]


def test_a_file_that_was_allocated_ahead_is_finished_when_cut(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, _frame(0))
    path = tmp_path / "run" / "NDTiffStack.tif"
    size = path.stat().st_size
    os.truncate(path, 2**32)
    with Dataset(tmp_path / "run") as dataset:
        opened = open_ndtiff(tmp_path / "run")
        assert not dataset.is_finished()
        assert not opened.finished
        os.truncate(path, size)
        assert dataset.is_finished()
        assert dataset.block_until_finished(5)
        assert opened.reload is not None
        again = opened.reload()
        assert again is not None
        assert again.finished


def test_another_store_in_the_same_place_is_noticed(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, _frame(0))
    reader = NDTiffReader(tmp_path / "run")
    level = open_ndtiff(tmp_path / "run").images[0].levels[0]
    sent = pickle.dumps(level)
    pickle.loads(sent)
    # Moved and not removed: its number is not given to the new index.
    (tmp_path / "run").rename(tmp_path / "old")
    with NDTiffWriter(tmp_path / "run") as writer:
        for time in range(5):
            writer.put({"time": time, "z": 0}, _frame(9))
    with pytest.raises(FormatError, match="replaced by another"):
        reader.refresh()
    with pytest.raises(FormatError, match="not the one"):
        pickle.loads(sent)
