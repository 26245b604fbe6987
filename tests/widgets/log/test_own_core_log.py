from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.widgets.common.log_book import LogBook
from napari_scope.widgets.log import own_core_log
from napari_scope.widgets.log.core_log import CoreLogTail
from napari_scope.widgets.log.own_core_log import OwnCoreLog, lines_of_threads

if TYPE_CHECKING:
    import pytest

    from napari_scope.acquire import CoreOwner

_MOMENT = "2026-11-21T15:34:27.123456"


class FakeCore:
    """A core that writes what it is told to."""

    def __init__(self, common: Path) -> None:
        self.common = common
        self.files: dict[int, Path] = {}
        self.ended: list[int] = []

    def getPrimaryLogFile(self) -> str:
        return str(self.common)

    def debugLogEnabled(self) -> bool:
        return False

    def startSecondaryLogFile(
        self, name: str, debug: bool, truncate: bool, synchronous: bool
    ) -> int:
        self.files[len(self.files)] = Path(name)
        return len(self.files) - 1

    def stopSecondaryLogFile(self, handle: int) -> None:
        self.ended.append(handle)


def _texts(book: LogBook) -> list[str]:
    return [line.text for line in book.since(0)[0]]


def test_only_what_this_process_wrote_before(tmp_path: Path) -> None:
    common, ours = tmp_path / "common.log", threading.get_ident()
    common.write_text(
        f"{_MOMENT} tid{ours} [IFO,Core] mine\n  and more\n"
        f"{_MOMENT} tid{ours + 1} [ERR,Core] of another program\n  and its more\n"
        f"{_MOMENT} tid{ours} [IFO,Core] mine too\n"
    )
    book, log = LogBook(), OwnCoreLog(FakeCore(common))
    CoreLogTail(log.path, book, log.before).look()
    assert _texts(book) == ["mine\nand more", "mine too"]
    # Who opens the dock again has read that already.
    again = OwnCoreLog(FakeCore(common))
    CoreLogTail(again.path, book, again.before).look()
    assert len(_texts(book)) == 2
    for one in (log, again):
        one.close()


def test_a_large_file_is_begun_anew_and_none_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_core_log, "_LARGEST", 100)
    core = FakeCore(tmp_path / "none.log")
    log = OwnCoreLog(core)
    first = Path(log.path())
    assert log.path() == str(first) and log.before() == ""
    first.write_text("x" * 200)
    second = Path(log.path())
    assert second != first and core.ended == [0] and not first.exists()
    second.unlink()
    third = Path(log.path())
    log.close()
    log.close()
    assert core.ended == [0, 1, 2] and not third.exists()


def test_lines_without_a_head_belong_to_the_one_before() -> None:
    log = b"rest\n" + f"{_MOMENT} tid7 [IFO,Core] a\n\n b\n".encode()
    assert lines_of_threads(log, {"7"}).endswith("a\n b")
    assert lines_of_threads(log, {"8"}) == ""


def test_a_real_core_writes_it_alone(empty_owner: CoreOwner) -> None:
    from pymmcore_plus import CMMCorePlus

    core, other, book = empty_owner.core, CMMCorePlus(), LogBook()
    log = OwnCoreLog(core)
    tail = CoreLogTail(log.path, book, log.before)
    tail.look()
    other.logMessage("of the other core")
    core.logMessage("of this core")
    end = time.monotonic() + 30
    while "of this core" not in _texts(book):
        assert time.monotonic() < end
        tail.look()
    assert "of the other core" not in _texts(book)
    path = log.path()
    log.close()
    assert not Path(path).exists()
