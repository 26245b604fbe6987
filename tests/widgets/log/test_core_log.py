from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.widgets.common.log_book import LogBook
from napari_scope.widgets.log import core_log
from napari_scope.widgets.log.core_log import CoreLogTail, parse_core_line

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = "2026-11-21T15:34:27.123456 tid0x7f1"


def _texts(book: LogBook) -> list[str]:
    return [line.text for line in book.since(0)[0]]


@pytest.mark.parametrize(
    ("text", "level", "source"),
    [
        ("[IFO,Core] hello", 20, "Core"),
        ("[dbg,Core:dev:Camera] hello", 10, "Core:dev:Camera"),
        ("[WRN,Core] hello", 30, "Core"),
        ("[ERR,App] hello", 40, "App"),
        ("[INFO,pymmcore-plus] hello", 20, "pymmcore-plus"),
        ("[???,Core] hello", 20, None),
    ],
)
def test_lines(text: str, level: int, source: str | None) -> None:
    line = parse_core_line(f"{_HEAD} {text}")
    if source is None:
        assert line is None
        return
    assert line is not None
    assert (line.level, line.source, line.text) == (level, source, "hello")
    assert line.clock == "15:34:27.123"


@given(st.text(max_size=80))
def test_any_text_is_no_error(text: str) -> None:
    parse_core_line(text)
    parse_core_line(f"{_HEAD} [{text}")


def test_what_is_new_is_read(tmp_path: Path) -> None:
    path, book = tmp_path / "core.log", LogBook()
    path.write_text(f"{_HEAD} [IFO,Core] before\n")
    tail = CoreLogTail(lambda: str(path), book)
    tail.look()
    with path.open("a") as file:
        file.write(f"{_HEAD} [ERR,Core] it broke\n    at the\n    lamp\n")
        file.write(f"{_HEAD} [INFO,pymmcore-plus] known\n  of Python\n")
        file.write(f"{_HEAD} [IFO,Core] half a ")
    tail.look()
    assert _texts(book) == ["before", "it broke\nat the\nlamp"]
    with path.open("a") as file:
        file.write("line\n")
    tail.look()
    assert _texts(book)[-1] == "half a line"


def test_who_follows_again_reads_nothing_twice(tmp_path: Path) -> None:
    path, book = tmp_path / "core.log", LogBook()
    path.write_text(f"{_HEAD} [IFO,Core] once\n{_HEAD} [IFO,Core] hal")
    CoreLogTail(lambda: str(path), book).look()
    with path.open("a") as file:
        file.write("f\n")
    CoreLogTail(lambda: str(path), book).look()
    assert _texts(book) == ["once", "half"]


def test_a_file_begun_anew_and_another_file(tmp_path: Path) -> None:
    first, second, book = tmp_path / "1.log", tmp_path / "2.log", LogBook()
    now = [first]
    tail = CoreLogTail(lambda: str(now[0]), book)
    with pytest.raises(OSError, match=r"1\.log"):
        tail.look()
    first.write_text(f"{_HEAD} [IFO,Core] a long first line\n")
    tail.look()
    first.write_text(f"{_HEAD} [IFO,Core] anew\n")
    tail.look()
    second.write_text(f"{_HEAD} [IFO,Core] other\n")
    now[0] = second
    tail.look()
    assert _texts(book) == ["a long first line", "anew", "other"]


def test_of_a_flood_the_end_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_log, "_AT_ONCE", 1000)
    monkeypatch.setattr(core_log, "_AT_START", 200)
    path, book = tmp_path / "core.log", LogBook()
    lines = [f"{_HEAD} [IFO,Core] line {number}\n" for number in range(1000)]
    path.write_text("".join(lines[:500]))
    tail = CoreLogTail(lambda: str(path), book)
    tail.look()
    assert 0 < len(_texts(book)) < 5 and _texts(book)[-1] == "line 499"
    with path.open("a") as file:
        file.write("".join(lines[500:]))
    tail.look()
    assert _texts(book)[-1] == "line 999" and len(_texts(book)) < 30


def test_it_follows_in_a_thread_and_ends(tmp_path: Path) -> None:
    path, book = tmp_path / "core.log", LogBook()
    tail = CoreLogTail(lambda: str(path), book)
    tail.start()
    tail.start()
    path.write_text(f"{_HEAD} [IFO,Core] hello\n")
    end = time.monotonic() + 30
    while not _texts(book):
        assert time.monotonic() < end
        time.sleep(0.01)
    tail.stop()
    tail.stop()
    assert "napari-scope core log" not in {t.name for t in threading.enumerate()}
