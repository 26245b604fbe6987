"""The reader on damaged and hostile stores."""

from __future__ import annotations

import os
import pickle
import struct
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import (
    Dataset,
    NDTiffReader,
    NDTiffWriter,
    open_ndtiff,
)
from napari_scope.formats.ndtiff.files import FilePool, is_plain_name
from napari_scope.formats.ndtiff.index import encode_record
from napari_scope.formats.ndtiff.recovery import recover

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("any_io")


def _frame(number: int) -> np.ndarray:
    return np.full((20, 30), number, "u2")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Eight frames in four files of two."""
    folder = tmp_path / "run"
    with NDTiffWriter(folder, summary={"a": 1}, max_file_bytes=3100) as writer:
        for time in range(8):
            writer.put({"time": time}, _frame(time), {"PixelSizeUm": 0.5})
    assert len(list(folder.glob("*.tif"))) == 4
    return folder


def _expect(folder: Path, lost: list[int], *problems: str) -> None:
    """Check that the lost frames keep their places, and that problems are named."""
    with NDTiffReader(folder) as reader:
        found = reader.problems
        assert len(found) == len(problems), found
        assert reader.finished
        for problem, part in zip(found, problems, strict=True):
            assert part in problem
    dataset = open_ndtiff(folder)
    (image,) = dataset.images
    (axis,) = (axis for axis in image.axes if axis.name == "t")
    level = np.asarray(image.levels[0])
    assert len(level) == 8
    assert (axis.name, axis.labels) == ("t", ())
    assert image.frames is not None
    for number, frame in enumerate(level):
        expected = _frame(0 if number in lost else number)
        np.testing.assert_array_equal(frame, expected)
        np.testing.assert_array_equal(image.levels[0][number], expected)
        np.testing.assert_array_equal(image.levels[0][number, 3:5], expected[3:5])
        assert image.frames.exists({"t": number}) is (number not in lost)
        assert image.frames.axes({"t": number}) == {"time": number}
    if lost:
        assert dataset.problems[-1].endswith(
            f"run: {8 - len(lost)} of 8 frames are here, the others are zeros; "
            f"{len(lost)} cannot be read: "
            + ", ".join(f"time={number}" for number in lost[:3])
            + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        )
    assert all(problem in dataset.problems for problem in found)


def test_a_healthy_store(store: Path) -> None:
    _expect(store, [])
    with NDTiffReader(store) as reader:
        assert len(reader) == 8
        assert reader.version == (3, 3)
        assert reader.summary == {"a": 1}
        assert reader.axes == {"time": list(range(8))}
        for wrong in ({}, {"time": 8}, {"time": "0"}, {"time": 0, "z": 0}, {"z": 0}):
            assert not reader.has(wrong)  # type: ignore[arg-type]
            assert reader.read_frame(wrong) is None  # type: ignore[arg-type]
            assert reader.read_metadata(wrong) is None  # type: ignore[arg-type]


def test_a_missing_file(store: Path) -> None:
    (store / "NDTiffStack_1.tif").unlink()
    _expect(
        store,
        [2, 3],
        "NDTiffStack_1.tif: cannot be opened",
        "NDTiffStack_1.tif: 2 frames are missing",
    )
    with NDTiffReader(store) as reader, pytest.raises(FormatError, match=r"_1\.tif"):
        reader.read_frame({"time": 2})


def test_the_first_file_is_missing(store: Path) -> None:
    (store / "NDTiffStack.tif").unlink()
    with NDTiffReader(store) as reader:
        assert reader.summary == {"a": 1}
    _expect(store, [0, 1], "cannot be opened", "2 frames are missing")


@pytest.mark.parametrize("content", [b"", b"II*\0" + bytes(100), b"no tiff at all" * 9])
def test_a_file_that_is_no_ndtiff(store: Path, content: bytes) -> None:
    (store / "NDTiffStack_3.tif").write_bytes(content)
    _expect(store, [6, 7], "NDTiffStack_3.tif: ", "2 frames are missing")
    (store / "NDTiffStack_1.tif").write_bytes(content)
    _expect(
        store,
        [2, 3, 6, 7],
        "NDTiffStack_1.tif: ",
        "NDTiffStack_3.tif: ",
        "NDTiffStack_1.tif: 2 frames are missing",
        "NDTiffStack_3.tif: 2 frames are missing",
    )


def test_foreign_files_in_the_folder_do_not_matter(store: Path) -> None:
    (store / "empty.tif").write_bytes(b"")
    (store / "A.tif").write_bytes(b"something else")
    (store / "notes").mkdir()
    _expect(store, [])


def test_a_file_that_was_cut(store: Path) -> None:
    path = store / "NDTiffStack_2.tif"
    os.truncate(path, path.stat().st_size - 100)
    _expect(
        store,
        [5],
        "NDTiffStack_2.tif: 1 frames lie behind the end of the file",
    )
    with NDTiffReader(store) as reader, pytest.raises(FormatError, match="ends at"):
        reader.read_frame({"time": 5})


def test_metadata_that_were_cut(store: Path) -> None:
    path = store / "NDTiffStack_3.tif"
    os.truncate(path, path.stat().st_size - 10)
    _expect(store, [], "NDTiffStack_3.tif: the frame at byte 1452 is not")
    with NDTiffReader(store) as reader, pytest.raises(FormatError, match="metadata"):
        reader.read_metadata({"time": 7})


def test_a_file_that_is_cut_while_it_is_open(store: Path) -> None:
    with NDTiffReader(store) as reader:
        os.truncate(store / "NDTiffStack.tif", 500)
        with pytest.raises(FormatError, match="ends at byte 500"):
            reader.read_frame({"time": 0})


def test_a_file_that_java_allocated_ahead(store: Path) -> None:
    with open(store / "NDTiffStack_3.tif", "r+b") as file:
        file.truncate(2**32)
    with open(store / "NDTiff.index", "ab") as file:
        file.write(bytes(25 * 2**20))
    with NDTiffReader(store) as reader:
        assert not reader.finished
        assert reader.problems == ["the index was not closed by its writer"]
    (image,) = open_ndtiff(store).images
    assert np.asarray(image.levels[0])[:, 0, 0].tolist() == list(range(8))


@pytest.mark.parametrize("missing", range(1, 80, 7))
def test_an_index_that_was_cut(store: Path, missing: int) -> None:
    index = store / "NDTiff.index"
    size = index.stat().st_size
    record = size // 8 - 1
    os.truncate(index, size - missing)
    lost = 1 + missing // record
    # The frames are in the files, with their names in their metadata.
    _expect(store, [], "the index ends inside", f"{lost} frames are in the")


def test_an_empty_index_and_none(store: Path) -> None:
    (store / "NDTiff.index").write_bytes(b"")
    _expect(store, [], "8 frames are in the files but not in the index")
    (store / "NDTiff.index").unlink()
    _expect(store, [], "the index is missing: 8 frames were found")
    recover(store)
    _expect(store, [], "NDTiff.index.recovered is used")
    for path in store.glob("*.tif"):
        path.write_bytes(b"")
    with pytest.raises(FormatError, match="no frame of this NDTiff store"):
        open_ndtiff(store)
    (store / "NDTiff.index.recovered").unlink()
    with pytest.raises(FormatError, match=r"no NDTiff\.index and no NDTiff file"):
        open_ndtiff(store)
    with pytest.raises(FormatError, match=r"no NDTiff\.index and no TIFF file"):
        open_ndtiff(store / "nothing here")


def test_an_empty_index_in_an_empty_store(tmp_path: Path) -> None:
    NDTiffWriter(tmp_path / "run").close()
    with NDTiffReader(tmp_path / "run") as reader:
        assert len(reader) == 0
        assert reader.axes == {}
        assert not reader.has({})
        assert reader.finished
    with pytest.raises(FormatError, match="its index is empty"):
        open_ndtiff(tmp_path / "run")


def test_big_endian_store(tmp_path: Path) -> None:
    summary = b'{"a":1}'
    frame = np.arange(12, dtype=">u2").reshape(3, 4)
    start = 28 + len(summary) + 1
    header = struct.pack(
        ">2sHIIIIII", b"MM", 42, start, 483729, 3, 3, 2355492, len(summary)
    )
    (tmp_path / "x.tif").write_bytes(
        header + summary + bytes(1) + frame.tobytes() + b'{"b":2}'
    )
    numbers = (start, 4, 3, 1, 0, start + 24, 7, 0)
    (tmp_path / "NDTiff.index").write_bytes(
        struct.pack(">I7sI5s8I", 7, b'{"z":1}', 5, b"x.tif", *numbers)
    )
    with NDTiffReader(tmp_path) as reader:
        found = reader.read_frame({"z": 1})
        np.testing.assert_array_equal(found, frame)  # type: ignore[arg-type]
        assert found is not None
        assert found.dtype.isnative
        assert reader.read_metadata({"z": 1}) == {"b": 2}
    np.testing.assert_array_equal(open_ndtiff(tmp_path).images[0].levels[0][0], frame)


@pytest.mark.parametrize(
    "name",
    ["../secret.tif", "/etc/passwd", "..", "sub/x.tif", "..\\x.tif", "a\0b"],
)
def test_an_index_cannot_name_files_outside_the_store(
    tmp_path: Path, store: Path, name: str
) -> None:
    (store / "NDTiffStack.tif").rename(tmp_path / "secret.tif")
    (store / "sub").mkdir()
    (store / "sub" / "x.tif").write_bytes((tmp_path / "secret.tif").read_bytes())
    record = encode_record(b'{"time":9}', name.encode(), 300, 30, 20, 1, 1500, 10)
    with open(store / "NDTiff.index", "ab") as file:
        file.write(record)
    with NDTiffReader(store) as reader:
        assert any("outside the store" in problem for problem in reader.problems)
        with pytest.raises(FormatError, match="names a file outside the store"):
            reader.read_frame({"time": 9})
        with pytest.raises(FormatError, match="names a file outside the store"):
            reader.read_metadata({"time": 9})
    with (
        Dataset(store) as dataset,
        pytest.raises(FormatError, match="names a file outside the store"),
    ):
        dataset.read_image(time=9, memmapped=True)
    image = open_ndtiff(store).images[0]
    values = np.asarray(image.levels[0])[:, 0, 0].tolist()
    assert values == [0, 0, 2, 3, 4, 5, 6, 7, 0]
    assert not is_plain_name(name)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are POSIX")
def test_a_pipe_in_place_of_a_file_does_not_hang(store: Path) -> None:
    (store / "NDTiffStack_1.tif").unlink()
    os.mkfifo(store / "NDTiffStack_1.tif")
    _expect(store, [2, 3], "not a regular file", "2 frames are missing")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_to_another_disk_is_followed(tmp_path: Path, store: Path) -> None:
    (store / "NDTiffStack_1.tif").rename(tmp_path / "far.tif")
    (store / "NDTiffStack_1.tif").symlink_to(tmp_path / "far.tif")
    _expect(store, [])
    os.unlink(tmp_path / "far.tif")
    os.mkfifo(tmp_path / "far.tif")
    _expect(store, [2, 3], "not a regular file", "2 frames are missing")


@pytest.mark.parametrize(
    "numbers",
    [
        (2**32 - 1, 30, 20, 1, 0, 10),
        (0, 2**32 - 1, 2**32 - 1, 1, 0, 10),
        (0, 2**31, 2, 0, 0, 10),
        (0, 30, 20, 99, 0, 10),
        (0, 0, 20, 1, 0, 10),
        (200, 30, 20, 1, 2**32 - 1, 2**32 - 1),
    ],
)
def test_huge_offsets_and_sizes_are_refused_without_memory(
    store: Path, numbers: tuple[int, ...]
) -> None:
    offset, width, height, kind, about, length = numbers
    with open(store / "NDTiff.index", "ab") as file:
        file.write(
            encode_record(
                b'{"time":9}',
                b"NDTiffStack.tif",
                offset,
                width,
                height,
                kind,
                about,
                length,
            )
        )
    readable = numbers[0] == 200
    with NDTiffReader(store) as reader:
        if not readable:
            assert "NDTiffStack.tif: 1 frames" in reader.problems[0]
        with pytest.raises(FormatError):
            reader.read_metadata({"time": 9})
        if kind == 99 or (offset + width * height > 3100):
            with pytest.raises(FormatError):
                reader.read_frame({"time": 9})
    # The frame was saved, as far as anybody knows.
    (image,) = open_ndtiff(store).images
    assert image.levels[0].shape[0] == 9
    assert image.frames is not None
    assert image.frames.exists({"t": 8}) is readable


def test_a_frame_larger_than_the_format_can_be(store: Path) -> None:
    # Sparse, so that the file is as long as its index says.
    width, height = 1_000_000, 900_000
    os.truncate(store / "NDTiffStack.tif", 2**41)
    with open(store / "NDTiff.index", "ab") as file:
        file.write(
            encode_record(
                b'{"time":9}', b"NDTiffStack.tif", 300, width, height, 1, 99, 2
            )
        )
    with NDTiffReader(store) as reader:
        beyond = "1 frames reach beyond 4 GiB"
        assert any(beyond in problem for problem in reader.problems)
        with pytest.raises(FormatError, match="beyond 4 GiB"):
            reader.read_frame({"time": 9})
    with Dataset(store) as dataset:
        for mapped in (False, True):
            with pytest.raises(FormatError, match="beyond 4 GiB"):
                dataset.read_image(time=9, memmapped=mapped)
    (image,) = open_ndtiff(store).images
    assert image.levels[0].shape == (9, 20, 30)
    assert not np.asarray(image.levels[0][8]).any()


def test_a_frame_that_is_lost_after_opening_is_an_error(store: Path) -> None:
    (image,) = open_ndtiff(store).images
    level = image.levels[0]
    sent = pickle.dumps(level)
    os.truncate(store / "NDTiffStack_1.tif", 500)
    for array in (level, pickle.loads(sent)):
        assert int(np.asarray(array[1, 0, 0])) == 1
        for key in (2, slice(1, 4), (slice(None), 3)):
            with pytest.raises(FormatError, match="ends at byte 500"):
                np.asarray(array[key])
    assert open_ndtiff(store).images[0].levels[0].shape == (8, 20, 30)


def test_a_compressed_frame_is_not_shown_as_noise(store: Path) -> None:
    index = store / "NDTiff.index"
    data = bytearray(index.read_bytes())
    data[-16:-12] = struct.pack("<I", 5)
    index.write_bytes(data)
    _expect(store, [7], "1 frames have a pixel type, a compression")
    with NDTiffReader(store) as reader, pytest.raises(FormatError, match="compressed"):
        reader.read_frame({"time": 7})


@pytest.mark.parametrize(
    "text", [b"[1, 2]", b"{" * 18, b'{"a": "\xff\xff\xff\xff\xff"']
)
def test_metadata_that_are_no_object(store: Path, text: bytes) -> None:
    with NDTiffReader(store) as reader:
        row = reader.row({"time": 0})
        assert row is not None
        place = reader.table.location(row)
    with open(store / place.file, "r+b") as file:
        file.seek(place.metadata_offset)
        file.write(text.ljust(place.metadata_length))
    with NDTiffReader(store) as reader, pytest.raises(FormatError):
        reader.read_metadata({"time": 0})
    # The image still opens; only what its metadata would have told is lost.
    dataset = open_ndtiff(store)
    assert dataset.images[0].axes[-1].unit is None
    assert len(dataset.problems) == 1


def test_damaged_summary(store: Path) -> None:
    for path in store.glob("*.tif"):
        with open(path, "r+b") as file:
            file.seek(28)
            file.write(b"#")
    _expect(store, [], "summary metadata")


def test_threads_share_a_pool_with_few_files(store: Path) -> None:
    with NDTiffReader(store) as reader:
        reader._pool._limit = 1
        wrong: list[object] = []

        def work(seed: int) -> None:
            rng = np.random.default_rng(seed)
            for time in rng.integers(0, 8, 300):
                frame = reader.read_frame({"time": int(time)})
                if frame is None or not (frame == time).all():
                    wrong.append(time)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert len(reader._pool._entries) <= 1


def test_a_pool_closes_idle_files_only(store: Path) -> None:
    pool = FilePool(store, limit=1)
    with pool.use("NDTiffStack.tif") as first:
        with pool.use("NDTiffStack_1.tif") as second:
            pool.close()
            assert first.read_at(0, 2) == second.read_at(0, 2) == b"II"
        with pytest.raises(ValueError, match="closed"):
            second.fileno()
        assert first.read_at(0, 2) == b"II"
    pool.close()
    pool.close()
    with pytest.raises(ValueError, match="closed"):
        first.fileno()


def _file(path: Path, version: int, frames: dict[int, np.ndarray]) -> None:
    """Write a file of some version with frames (and no directories) at some places."""
    summary = b'{"GridPixelOverlapX":2,"GridPixelOverlapY":4}'
    fields = (483729, 2) if version == 2 else (483729, 3, 0)
    head = struct.pack(
        f"<2sHI{len(fields) + 2}I", b"II", 42, 0, *fields, 2355492, len(summary)
    )
    with open(path, "wb") as file:
        file.write(head + summary)
        for place, frame in frames.items():
            file.seek(place)
            file.write(frame.tobytes() + b"{}")


def test_a_tiled_store_of_version_2(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tiles = {c: rng.integers(0, 99, (24, 22)).astype("u2") for c in (-1, 0)}
    plane = np.concatenate([tile[2:22, 1:21] for tile in tiles.values()], axis=1)
    coarse = sum(plane[y::2, x::2].astype(int) for y in (0, 1) for x in (0, 1)) // 4
    for folder, frames in (
        ("Full resolution", tiles),
        (
            "Downsampled_x2",
            {
                -1: np.pad(coarse[:, :10], ((0, 10), (10, 0))),
                0: np.pad(coarse[:, 10:], ((0, 10), (0, 10))),
            },
        ),
    ):
        (tmp_path / folder).mkdir()
        where = {500 + 4000 * i: f.astype("u2") for i, f in enumerate(frames.values())}
        _file(tmp_path / folder / "a_NDTiffStack.tif", 2, where)
        records = [
            encode_record(
                b'{"row":0,"column":%d}' % column,
                b"a_NDTiffStack.tif",
                place,
                frame.shape[1],
                frame.shape[0],
                1,
                place + frame.nbytes,
                2,
            )
            for column, (place, frame) in zip(frames, where.items(), strict=True)
        ]
        (tmp_path / folder / "NDTiff.index").write_bytes(b"".join(records))
    dataset = open_ndtiff(tmp_path)
    assert dataset.format_version == "2.0"
    (image,) = dataset.images
    np.testing.assert_array_equal(image.levels[0], plane)
    assert image.levels[0].shape == (20, 40)
    with NDTiffReader(tmp_path, level=1) as reader:
        assert reader.version == (2, 0)
        frame = reader.read_frame({"row": 0, "column": 0})
        np.testing.assert_array_equal(frame[:10, :10], coarse[:, 10:])  # type: ignore[index]


def test_files_of_four_gibibytes(tmp_path: Path) -> None:
    """Offsets are unsigned; several files; sparse, so that it costs no room."""
    places = [1000, 2**31 - 2000, 2**31 + 7, 2**32 - 5_000_000]
    frames = [_frame(i) for i in range(8)]
    records = []
    for number in range(2):
        name = f"NDTiffStack{'_1' if number else ''}.tif"
        own = dict(zip(places, frames[4 * number : 4 * number + 4], strict=True))
        _file(tmp_path / name, 3, own)
        for i, place in enumerate(places):
            axes = b'{"time":%d}' % (4 * number + i)
            end = place + frames[0].nbytes
            records.append(encode_record(axes, name.encode(), place, 30, 20, 1, end, 2))
    (tmp_path / "NDTiff.index").write_bytes(b"".join(records))
    with NDTiffReader(tmp_path) as reader:
        assert reader.problems == []
        assert len(reader) == 8
        assert reader.read_metadata({"time": 7}) == {}
    (image,) = open_ndtiff(tmp_path).images
    np.testing.assert_array_equal(image.levels[0], frames)
    np.testing.assert_array_equal(image.levels[0][5], frames[5])
