from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from napari_scope.formats.msi import MSIReader, open_msi
from napari_scope.formats.msi.imzml.writer import ImzMLWriter
from napari_scope.formats.msi.resting_file import RestingFile, rest, wake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "a.bin"
    found.write_bytes(bytes(range(100)))
    return found


@pytest.fixture
def file(path: Path) -> Iterator[RestingFile]:
    with RestingFile(path) as found:
        assert isinstance(found, RestingFile)
        yield found


def test_it_is_open_for_a_call_while_it_rests(file: RestingFile) -> None:
    assert file._file is not None
    file.rest()
    assert file._file is None
    assert file.read_at(10, 2) == b"\x0a\x0b"
    assert file.read_pieces([3, 5], 1) == [b"\x03", b"\x05"]
    assert file.size() == 100
    assert file._file is None
    file.wake()
    file.read_at(0, 1)
    assert file._file is not None


def test_a_call_that_is_under_way_is_completed(
    file: RestingFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = file._file
    assert inner is not None
    begun, go_on, read = threading.Event(), threading.Event(), type(inner).read_into

    def slow(self: object, offset: int, target: memoryview) -> int:
        begun.set()
        assert go_on.wait(30)
        return read(inner, offset, target)

    monkeypatch.setattr(type(inner), "read_into", slow)
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(file.read_at(7, 1)))
    thread.start()
    assert begun.wait(30)
    file.rest()
    assert file._file is inner
    go_on.set()
    thread.join(30)
    assert got == [b"\x07"]
    assert file._file is None


def test_another_file_of_the_same_name_is_refused(
    file: RestingFile, path: Path
) -> None:
    file.rest()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        file.read_at(0, 1)
    path.write_bytes(b"something else")
    with pytest.raises(OSError, match="was changed"):
        file.read_at(0, 1)
    assert file._file is None


def test_closed_for_good(file: RestingFile) -> None:
    file.rest()
    file.close()
    file.close()
    for call in (file.size, lambda: file.read_at(0, 1), lambda: file.truncate(1)):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_it_is_not_written(file: RestingFile, path: Path) -> None:
    with pytest.raises(OSError, match="for reading"):
        file.write_at(0, b"x")
    assert path.read_bytes()[0] == 0


def test_the_files_of_a_folder_rest_and_are_read(tmp_path: Path) -> None:
    for name in "ab":
        with ImzMLWriter(tmp_path / f"{name}.imzML") as writer:
            writer.write(0, 0, [100.0, 200.0], [1.0, 2.0])
    with open_msi(tmp_path) as reader:
        files = reader.resting_files  # type: ignore[attr-defined]
        assert len(files) == 2
        rest(reader)
        assert [file._file for file in files] == [None, None]
        assert reader.whole(1).spectrum_at(0, 0).intensities.tolist() == [1, 2]
        assert files[1]._file is None
        # Nobody has it open, so it can be moved, on Windows, too.
        os.rename(tmp_path / "b.ibd", tmp_path / "c.ibd")
        os.rename(tmp_path / "c.ibd", tmp_path / "b.ibd")
        wake(reader)
        reader.whole(1).spectrum_at(0, 0)
        assert files[1]._file is not None


def test_readers_that_know_nothing_of_it_are_left_alone() -> None:
    class Plain(MSIReader, listed=False):
        @classmethod
        def is_valid_dataset(cls, name: object) -> bool:
            return False

        def _open(self) -> list[object]:  # type: ignore[override]
            return []

    reader = Plain("nothing")
    rest(reader)
    wake(reader)
