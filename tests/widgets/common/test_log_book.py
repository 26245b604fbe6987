from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import useq

from napari_scope.widgets.common import log_book, notices
from napari_scope.widgets.common.log_book import LogBook, LogLine

if TYPE_CHECKING:
    import pytest


def _line(text: str, level: int = 20, source: str = "test") -> LogLine:
    return LogLine(0.25, level, source, text)


def test_what_was_written_since() -> None:
    book = LogBook(most_lines=3)
    assert book.since(0) == ([], 0)
    for number in range(2):
        book.add(_line(str(number)))
    lines, number = book.since(0)
    assert [line.text for line in lines] == ["0", "1"] and number == 2
    assert book.since(number) == ([], 2)
    book.add(_line("2"))
    assert [line.text for line in book.since(number)[0]] == ["2"]
    for more in range(10):
        book.add(_line(f"more {more}"))
    lines, number = book.since(2)
    assert [line.text for line in lines] == ["more 7", "more 8", "more 9"]
    assert number == 13


def test_a_line_in_words() -> None:
    line = _line("hello\nworld", logging.WARNING, "Core")
    assert line.level_name == "Warning"
    assert line.clock.endswith(":00.250")
    assert line.as_text().endswith("Warning [Core] hello\nworld")
    names = [_line("", level).level_name for level in (5, 10, 20, 25, 30, 40, 50)]
    assert names == ["Debug", "Debug", "Info", "Info", "Warning", "Error", "Error"]


def test_a_dump_is_cut() -> None:
    book = LogBook()
    book.add(_line("x" * 100_000))
    assert len(book.since(0)[0][0].text) < 9000


def test_loggers_write_into_the_book_of_the_process() -> None:
    book = LogBook.shared()
    assert LogBook.shared() is book
    begin = book.since(0)[1]
    logging.getLogger("napari_scope.acquire.x").info("set %s to %d", "Gain", 3)
    logging.getLogger("napari_scope").warning("slow")
    try:
        raise KeyError("no such device")
    except KeyError:
        logging.getLogger("pymmcore-plus").exception("it failed")
    logging.getLogger("pymmcore-plus").info("%s", useq.MDAEvent())
    logging.getLogger("another").error("of no concern")
    lines = book.since(begin)[0]
    assert [(line.source, line.level_name) for line in lines] == [
        ("x", "Info"),
        ("napari_scope", "Warning"),
        ("pymmcore-plus", "Error"),
    ]
    assert lines[0].text == "set Gain to 3" and lines[1].text == "slow"
    assert "KeyError: 'no such device'" in lines[2].text


def test_a_message_that_cannot_be_made_is_written_as_it_is() -> None:
    book = LogBook()
    record = logging.LogRecord("x", 30, "", 1, "bad %d", ("format",), None)
    log_book._Writer(book).emit(record)
    assert [line.text for line in book.since(0)[0]] == ["bad %d"]


def test_threads_write_at_once() -> None:
    book = LogBook(most_lines=10_000)
    threads = [
        threading.Thread(target=lambda: [book.add(_line("x")) for _ in range(1000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    seen, number = 0, 0
    while any(thread.is_alive() for thread in threads):
        lines, number = book.since(number)
        seen += len(lines)
    seen += len(book.since(number)[0])
    assert seen == 4000


def test_a_notice_that_is_silenced_is_still_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari.utils import notifications

    shown: list[str] = []
    monkeypatch.setattr(
        notifications.notification_manager,
        "dispatch",
        lambda notice: shown.append(notice.message),
    )
    monkeypatch.setattr(notices, "is_silenced", lambda key: key == "quiet")
    begin = LogBook.shared().since(0)[1]
    notices.notify("the lamp is old", "warning", key="quiet")
    notices.notify("the lamp is dead", "warning", key="loud")
    assert shown == ["the lamp is dead"]
    lines = LogBook.shared().since(begin)[0]
    assert [line.text for line in lines] == ["the lamp is old", "the lamp is dead"]
