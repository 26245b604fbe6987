from __future__ import annotations

import itertools
import json
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.ngff.oracles import READERS
from tests.threads import Thread

from napari_scope.fileio import DataFile, portable_io
from napari_scope.formats.ngff.metadata import array_metadata, encode
from napari_scope.formats.ngff.writing import shards
from napari_scope.formats.ngff.writing.shards import (
    ShardGrid,
    ShardWriter,
    choose_shard,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Index = tuple[int, ...]


@pytest.fixture(params=[False, True], ids=["posix", "portable"])
def implementation(request: pytest.FixtureRequest) -> Iterator[None]:
    with portable_io(request.param):
        yield


def make(
    folder: Path,
    shape: Index,
    span: Index,
    frame: tuple[int, int] = (3, 5),
    dtype: str = "uint16",
    grows: bool = False,
) -> ShardWriter:
    """Make an array with complete metadata and no frame."""
    folder.mkdir(parents=True, exist_ok=True)
    document = array_metadata(
        shape + frame,
        dtype,
        chunk=(1,) * len(shape) + frame,
        shard=span + frame,
        names=[f"a{i}" for i in range(len(shape))] + ["y", "x"],
    )
    (folder / "zarr.json").write_bytes(encode(document))
    sizes = (0, *shape[1:]) if grows else shape
    grid = ShardGrid(sizes, span, math.prod(frame) * np.dtype(dtype).itemsize)
    return ShardWriter(folder, grid, frame, dtype)


def pixels(number: int, frame: tuple[int, int] = (3, 5), dtype: str = "u2") -> Any:
    return np.full(frame, number, dtype) + np.arange(frame[1], dtype=dtype)


# ---------------------------------------------------------------- arithmetic


@given(
    st.lists(st.integers(1, 5000), max_size=4),
    st.integers(1, 1 << 24),
    st.integers(1, 1 << 31),
)
def test_a_shard_is_as_large_as_allowed_and_fills_fast_axes_first(
    shape: list[int], frame_bytes: int, limit: int
) -> None:
    span = choose_shard(tuple(shape), frame_bytes, limit=limit)
    assert len(span) == len(shape)
    assert all(1 <= n <= size for n, size in zip(span, shape, strict=True))
    assert math.prod(span) == 1 or math.prod(span) * frame_bytes <= limit
    assert math.prod(span) <= 4096
    for axis in range(1, len(shape)):
        assert span[axis - 1] == 1 or span[axis] == shape[axis]


def test_an_axis_that_grows_takes_what_room_there_is() -> None:
    assert choose_shard((0,), 1 << 20, limit=1 << 24) == (16,)
    assert choose_shard((0, 3), 1 << 20, limit=1 << 24) == (5, 3)
    assert choose_shard((), 5) == ()


GRIDS = st.lists(
    st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))),
    max_size=4,
)


@given(GRIDS, st.integers(1, 100))
def test_every_frame_has_a_place_of_its_own(
    sizes: list[tuple[int, int]], frame_bytes: int
) -> None:
    shape = tuple(n for n, _ in sizes)
    span = tuple(s for _, s in sizes)
    grid = ShardGrid(shape, span, frame_bytes)
    places: dict[Index, list[int]] = {}
    for index in itertools.product(*map(range, shape)):
        shard, offset = grid.locate(index)
        places.setdefault(shard, []).append(offset)
    for shard, offsets in places.items():
        expected = list(range(0, grid.data_bytes(shard), frame_bytes))
        assert sorted(offsets) == expected, "no gap, no overlap"
        assert len(grid.index(shard)) == 16 * math.prod(span) + 4


# ---------------------------------------------------------------- the files


@settings(max_examples=25, deadline=None)
@given(
    sizes=GRIDS,
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from(["uint8", "uint16", "int32", "float32", "uint64"]),
)
def test_every_reader_is_right_after_every_frame_in_any_order(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[tuple[int, int]],
    seed: int,
    dtype: str,
) -> None:
    shape = tuple(n for n, _ in sizes)
    span = tuple(s for _, s in sizes)
    folder = tmp_path_factory.mktemp("array")
    writer = make(folder, shape, span, dtype=dtype)
    expected = np.zeros((*shape, 3, 5), dtype)
    order = list(itertools.product(*map(range, shape)))
    np.random.default_rng(seed).shuffle(order)
    order = [tuple(map(int, index)) for index in order]
    # Not after each of hundreds: the first, the last and some between.
    looks = {0, len(order) - 1, *range(0, len(order), max(1, len(order) // 3))}
    for name, read in READERS.items():
        np.testing.assert_array_equal(read(folder), expected, err_msg=name)
    for number, index in enumerate(order):
        frame = pixels(number % 200 + 1, dtype=dtype)  # fits into 8 bits, never zero
        writer.write(index, frame)
        expected[index] = frame
        np.testing.assert_array_equal(writer.read(index), frame)
        if number in looks:
            for name, read in READERS.items():
                np.testing.assert_array_equal(read(folder), expected, err_msg=name)
    writer.close()
    for name, read in READERS.items():
        np.testing.assert_array_equal(read(folder), expected, err_msg=name)


@pytest.mark.usefixtures("implementation")
def test_after_each_single_frame_all_readers_see_it(tmp_path: Path) -> None:
    shape, span = (5, 2), (2, 2)
    writer = make(tmp_path, shape, span)
    expected = np.zeros((*shape, 3, 5), "u2")
    order = [(3, 1), (0, 0), (4, 0), (3, 0), (1, 1), (4, 1), (2, 0)]
    for number, index in enumerate(order):
        writer.write(index, pixels(number + 1))
        expected[index] = pixels(number + 1)
        for name, read in READERS.items():
            np.testing.assert_array_equal(read(tmp_path), expected, err_msg=name)
    writer.close()


def test_a_growing_array_is_read_at_any_declared_length(tmp_path: Path) -> None:
    span = choose_shard((0, 2), 30, limit=200)
    assert span == (3, 2)
    writer = make(tmp_path, (1, 2), span, grows=True)
    for length in (1, 2, 3, 4, 8):
        writer.write((length - 1, 1), pixels(length))
        document = json.loads((tmp_path / "zarr.json").read_text())
        document["shape"][0] = length
        (tmp_path / "zarr.json").write_text(json.dumps(document))
        for name, read in READERS.items():
            found = read(tmp_path)
            assert found.shape == (length, 2, 3, 5)
            np.testing.assert_array_equal(found[-1, 1], pixels(length), err_msg=name)
            assert not found[:, 0].any()
    writer.close()


def test_a_new_shard_takes_no_room_but_has_its_full_length(tmp_path: Path) -> None:
    writer = make(tmp_path, (64,), (64,), frame=(512, 512))
    writer.write((40,), np.ones((512, 512), "u2"))
    path = writer.path((0,))
    assert path.stat().st_size == 64 * 512 * 512 * 2 + 64 * 16 + 4
    if hasattr(os.stat_result, "st_blocks"):
        assert path.stat().st_blocks * 512 < 4 * 512 * 512 * 2
    writer.close()


def test_a_shard_appears_under_its_name_only_when_it_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make(tmp_path, (4,), (4,))
    seen: list[bool] = []
    real = DataFile.truncate

    def spying(file: DataFile, size: int) -> None:
        real(file, size)
        seen.append(writer.path((0,)).exists())

    monkeypatch.setattr(DataFile, "truncate", spying)
    writer.write((0,), pixels(1))
    assert seen == [False]
    assert os.listdir(writer.path((0,)).parent) == ["0"]
    writer.close()


def test_a_disk_that_refuses_the_shard_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make(tmp_path, (4,), (2,))
    writer.write((0,), pixels(1))

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(DataFile, "truncate", refuse)
        with pytest.raises(OSError, match="No space"):
            writer.write((2,), pixels(2))
    assert not list(writer.path((1,)).parent.iterdir())
    assert writer.read((2,)) is None
    assert writer.written_shards() == [(0,)]
    writer.write((2,), pixels(2))  # once there is room again
    np.testing.assert_array_equal(writer.read((2,)), pixels(2))
    writer.close()


def test_unwritten_frames_and_shards_are_told_apart(tmp_path: Path) -> None:
    writer = make(tmp_path, (4,), (2,))
    writer.write((0,), pixels(1))
    other = writer.read((1,))
    assert other is not None
    assert not other.any()
    assert writer.read((2,)) is None


def test_other_layouts_in_memory_are_written_right(tmp_path: Path) -> None:
    writer = make(tmp_path, (3,), (3,))
    base = np.arange(60, dtype="u2").reshape(6, 10)
    frames = [base[::2, ::2], base[:3, :5].astype(">u2"), base[:5, :3].T]
    for number, frame in enumerate(frames):
        writer.write((number,), frame)
    writer.close()
    for read in READERS.values():
        np.testing.assert_array_equal(read(tmp_path), np.stack(frames))


@pytest.mark.usefixtures("implementation")
def test_few_files_are_open_and_all_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "OPEN_FILES", 4)
    writer = make(tmp_path, (30,), (1,))
    synced: list[str] = []
    real = DataFile.sync

    def spying(file: DataFile) -> None:
        real(file)
        synced.append(file.path.parent.parent.name)

    monkeypatch.setattr(DataFile, "sync", spying)
    for number in range(30):
        writer.write((number,), pixels(number))
        assert len(writer._files) <= 4
    assert not synced, "writing does not wait for the disk"
    writer.sync()
    assert sorted(synced, key=int) == [str(n) for n in range(30)]
    writer.sync()
    assert len(synced) == 30, "nothing is synced twice"
    writer.write((7,), pixels(1))
    writer.sync()
    assert synced[30:] == ["7"]
    writer.close()


def test_a_sync_that_failed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make(tmp_path, (3,), (1,))
    for number in range(3):
        writer.write((number,), pixels(number))

    def refuse(_: DataFile) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(DataFile, "sync", refuse)
        for _ in range(2):
            with pytest.raises(OSError, match="Input/output"):
                writer.sync()
    synced: list[DataFile] = []
    monkeypatch.setattr(DataFile, "sync", lambda file: synced.append(file))
    writer.sync()
    assert len(synced) == 3
    writer.close()


@pytest.mark.usefixtures("implementation")
def test_threads_read_while_another_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "OPEN_FILES", 3)
    writer = make(tmp_path, (200,), (4,), frame=(32, 32))
    committed = -1
    errors: list[BaseException] = []

    def look() -> None:
        rng = np.random.default_rng()
        try:
            while committed < 199:
                if (last := committed) >= 0:
                    number = int(rng.integers(0, last + 1))
                    found = writer.read((number,))
                    assert found is not None
                    assert (found == pixels(number + 1, (32, 32))).all()
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(200):
        writer.write((number,), pixels(number + 1, (32, 32)))
        committed = number
        if number == 150:
            writer.sync()
    for thread in threads:
        thread.join()
    assert not errors
    writer.close()


def test_close_is_idempotent_and_reading_goes_on(tmp_path: Path) -> None:
    writer = make(tmp_path, (6,), (2,))
    for number in range(6):
        writer.write((number,), pixels(number))
    writer.close()
    writer.close()
    for number in range(6):
        np.testing.assert_array_equal(writer.read((number,)), pixels(number))
    assert not writer._files, "and leaves no file open"
    writer.sync()
