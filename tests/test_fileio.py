"""Both implementations of files, with every promise of `DataFile`."""

from __future__ import annotations

import errno
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.threads import Thread

from napari_scope import fileio
from napari_scope.fileio import (
    DataFile,
    disk_of,
    free_bytes,
    portable_io,
    replace_file,
    sync_folder,
    uses_portable_io,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=[False, True], ids=["posix", "portable"], autouse=True)
def implementation(request: pytest.FixtureRequest) -> Iterator[None]:
    with portable_io(request.param):
        yield


def test_portable_io_is_forced_only_inside_the_block() -> None:
    before = uses_portable_io()
    with portable_io():
        assert uses_portable_io()
    assert uses_portable_io() is before


def test_create_refuses_what_exists_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        DataFile.create(path)
    assert path.read_bytes() == b"mine"


def test_open_wants_a_file_and_writes_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DataFile.open(tmp_path / "none", writable=True)
    path = tmp_path / "a"
    path.write_bytes(b"mine")
    with DataFile.open(path) as file:
        with pytest.raises(OSError):
            file.write_at(0, b"yours")
        assert file.read_at(0, 10) == b"mine"
    with DataFile.open(path, writable=True) as file:
        file.write_at(1, b"o")
    assert path.read_bytes() == b"mone"


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    writes=st.lists(
        st.tuples(st.integers(0, 300), st.lists(st.binary(max_size=40), max_size=5)),
        max_size=8,
    ),
    offset=st.integers(0, 400),
    size=st.integers(0, 400),
)
def test_writes_and_reads_like_a_bytearray(
    tmp_path: Path, writes: list[tuple[int, list[bytes]]], offset: int, size: int
) -> None:
    expected = bytearray()
    path = tmp_path / "a"
    path.unlink(missing_ok=True)
    with DataFile.create(path) as file:
        for start, buffers in writes:
            data = b"".join(buffers)
            assert file.write_at(start, *buffers) == len(data)
            if data:
                expected.extend(bytes(max(0, start - len(expected))))
                expected[start : start + len(data)] = data
        assert file.size() == len(expected)
        assert file.read_at(offset, size) == expected[offset : offset + size]
        target = bytearray(size)
        count = file.read_into(offset, memoryview(target))
        assert target[:count] == expected[offset : offset + size]
    assert path.read_bytes() == expected


def test_more_buffers_than_the_system_takes_at_once(tmp_path: Path) -> None:
    parts = [bytes([i % 251]) * (i % 3) for i in range(3000)]
    with DataFile.create(tmp_path / "a") as file:
        file.write_at(5, *parts)
        assert file.read_at(5, 10_000) == b"".join(parts)


def test_arrays_of_any_shape_are_written_as_they_lie(tmp_path: Path) -> None:
    frame = np.arange(24, dtype="<u2").reshape(2, 3, 4)
    with DataFile.create(tmp_path / "a") as file:
        file.write_at(0, frame, np.empty((0, 3)), np.float32(1).reshape(()))
        back = np.empty_like(frame)
        assert file.read_into(0, back.data) == frame.nbytes
    np.testing.assert_array_equal(back, frame)


def test_a_short_write_of_one_buffer_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if uses_portable_io():
        pytest.skip("only pwrite is replaced here")
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda d, data, at: real(d, data[:3], at))
    with DataFile.create(tmp_path / "a") as file:
        assert file.write_at(1, b"onetwo") == 6
        assert file.write_at(7, np.arange(5, dtype="u1")) == 5
        assert file.write_at(7) == file.write_at(7, b"") == 0
    assert (tmp_path / "a").read_bytes() == b"\0onetwo\0\1\2\3\4"


def test_a_short_read_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if uses_portable_io():
        pytest.skip("only preadv is replaced here")
    (tmp_path / "a").write_bytes(b"0123456789")
    real = os.preadv
    monkeypatch.setattr(
        os, "preadv", lambda d, views, at: real(d, [memoryview(views[0])[:3]], at)
    )
    with DataFile.open(tmp_path / "a") as file:
        assert file.read_at(1, 8) == b"12345678"
        assert file.read_at(8, 8) == b"89"
        assert file.read_at(20, 8) == file.read_at(2, 0) == b""


def test_pieces_are_what_single_reads_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not uses_portable_io():
        real = os.pread
        # Every other read of the system is short.
        monkeypatch.setattr(
            os, "pread", lambda d, n, at: real(d, n - (at % 2 and n > 2), at)
        )
    with DataFile.create(tmp_path / "a") as file:
        file.write_at(0, bytes(range(100)))
        offsets = [3, 90, 0, 98, 200, 3]
        pieces = file.read_pieces(offsets, 7)
        assert pieces == [bytes(range(100))[o : o + 7] for o in offsets]
        assert file.read_pieces([], 7) == []
    with pytest.raises(ValueError, match="closed"):
        file.read_pieces([0], 1)


def test_pieces_that_lie_apart_are_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if uses_portable_io() or not hasattr(os, "posix_fadvise"):
        pytest.skip("only some systems can be told")
    told: list[int] = []

    def advise(descriptor: int, offset: int, size: int, how: int) -> None:
        assert (size, how) == (2, os.POSIX_FADV_WILLNEED)
        told.append(offset)

    def refuse(*_: object) -> None:
        raise OSError("not here")

    with DataFile.create(tmp_path / "a") as file:
        file.write_at(0, b"ab")
        file.write_at(9_000_000, b"cd")
        monkeypatch.setattr(os, "posix_fadvise", advise)
        near = [k * 8192 for k in range(600)]
        assert file.read_pieces(near, 2) == [b"ab"] + [b"\0\0"] * 599
        assert told == []
        for far in ([k * 10_000 for k in range(901)],
                    [k * 10_000 for k in reversed(range(901))]):  # fmt: skip
            pieces = dict(zip(far, file.read_pieces(far, 2), strict=True))
            assert told == far
            assert (pieces[0], pieces[9_000_000], pieces[10_000]) == (
                b"ab", b"cd", b"\0\0",
            )  # fmt: skip
            told.clear()
        monkeypatch.setattr(os, "posix_fadvise", refuse)
        assert file.read_pieces([0, 9_000_000], 2) == [b"ab", b"cd"]
        monkeypatch.delattr(os, "posix_fadvise")
        assert file.read_pieces([0, 9_000_000], 2) == [b"ab", b"cd"]


def test_short_writes_are_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if uses_portable_io():
        pytest.skip("only pwritev is replaced here")
    real = os.pwritev

    def stingy(descriptor: int, buffers: Any, offset: int) -> int:
        first = memoryview(buffers[0])
        return real(descriptor, [first[:3]], offset)

    monkeypatch.setattr(os, "pwritev", stingy)
    with DataFile.create(tmp_path / "a") as file:
        assert file.write_at(1, b"one", b"twothree", b"4") == 12
    assert (tmp_path / "a").read_bytes() == b"\0onetwothree4"


def test_a_disk_that_takes_nothing_is_an_error_not_a_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if uses_portable_io():
        pytest.skip("only pwritev is replaced here")
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    monkeypatch.setattr(os, "pwritev", lambda *_: 0)
    with DataFile.create(tmp_path / "a") as file:
        for parts in ((b"x",), (b"x", b"y"), (b"x",) * 600):
            with pytest.raises(OSError):
                file.write_at(0, *parts)


def test_truncate_makes_a_hole_of_zeros(tmp_path: Path) -> None:
    path = tmp_path / "a"
    size = 64 * 1024 * 1024
    with DataFile.create(path) as file:
        file.write_at(0, b"abc")
        file.truncate(size)
        assert file.size() == size
        assert file.read_at(0, 5) == b"abc\0\0"
        assert file.read_at(size - 3, 10) == bytes(3)
        file.write_at(size - 1, b"z")
        file.sync()
        if hasattr(os.stat_result, "st_blocks"):
            assert path.stat().st_blocks * 512 < size // 4
        file.truncate(2)
        assert file.read_at(0, 10) == b"ab"


def test_close_is_idempotent_and_final(tmp_path: Path) -> None:
    file = DataFile.create(tmp_path / "a")
    file.close()
    file.close()
    for call in (file.size, file.sync, file.fileno, lambda: file.read_at(0, 1)):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_close_lets_a_call_under_way_finish_with_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A descriptor that is closed too early gets its number reused: wrong file."""
    entered, go = threading.Event(), threading.Event()
    path = tmp_path / "a"
    file = DataFile.create(path)
    name = "fdatasync" if hasattr(os, "fdatasync") else "fsync"

    def slow(descriptor: int) -> None:
        entered.set()
        go.wait(10)
        states.append(os.fstat(descriptor).st_ino)

    states: list[int] = []
    monkeypatch.setattr(os, name, slow)
    thread = Thread(target=file.sync)
    thread.start()
    assert entered.wait(10)
    inode = path.stat().st_ino
    file.close()
    others = [DataFile.create(tmp_path / f"b{i}") for i in range(5)]
    go.set()
    thread.join()
    assert states == [inode]
    for other in others:
        other.close()
    with pytest.raises(ValueError, match="closed"):
        file.fileno()


def test_many_threads_write_and_read_without_mixing(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            block = bytes([number]) * 1000
            for turn in range(50):
                place = (turn * 8 + number) * 1000
                file.write_at(place, block[:400], block[400:])
                assert file.read_at(place, 1000) == block
        except BaseException as error:
            errors.append(error)

    with DataFile.create(tmp_path / "a") as file:
        threads = [Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert file.size() == 400_000


def test_replace_file_is_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "zarr.json"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["zarr.json"]

    def broken(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="no"):
        replace_file(path, b"three")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["zarr.json"]


def test_readers_never_see_a_part(tmp_path: Path) -> None:
    path = tmp_path / "zarr.json"
    texts = [bytes([n]) * (1000 + 5000 * n) for n in range(4)]
    replace_file(path, texts[0])
    stop = threading.Event()

    def write() -> None:
        for turn in range(200):
            replace_file(path, texts[turn % 4])
        stop.set()

    thread = Thread(target=write)
    thread.start()
    while not stop.is_set():
        assert path.read_bytes() in texts
    thread.join()


def test_space_and_disk_of_a_path_that_does_not_exist_yet(tmp_path: Path) -> None:
    deep = tmp_path / "not" / "there" / "yet"
    assert free_bytes(deep) > 0
    assert disk_of(deep) == disk_of(tmp_path) == os.stat(tmp_path).st_dev


def test_without_positional_calls_the_portable_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fileio, "_HAS_POSITIONAL", False)
    with portable_io(False):
        assert uses_portable_io()


def test_a_file_that_is_closed_under_way_is_closed_once(tmp_path: Path) -> None:
    """Whoever is last closes the descriptor: not earlier, not never, not twice."""
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    closed = 0
    for turn in range(60):
        file = DataFile.create(tmp_path / f"a{turn}")
        failures: list[BaseException] = []

        def work(
            file: DataFile = file, failures: list[BaseException] = failures
        ) -> None:
            nonlocal closed
            try:
                for place in range(200):
                    file.write_at(8 * place, b"12345678")
            except ValueError:
                closed += 1
            except BaseException as error:
                failures.append(error)

        threads = [Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        file.close()
        for thread in threads:
            thread.join()
        assert not failures
        size = (tmp_path / f"a{turn}").stat().st_size
        assert (tmp_path / f"a{turn}").read_bytes() == b"12345678" * (size // 8)
    assert closed
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before + 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
def test_names_are_made_durable_where_the_system_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "none")

    def refuse(number: int) -> None:
        def fsync(_: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)

    refuse(errno.EINVAL)  # folders of some network file systems
    sync_folder(tmp_path)
    refuse(errno.EIO)
    with pytest.raises(OSError):
        sync_folder(tmp_path)
