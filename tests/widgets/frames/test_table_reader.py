from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QObject

from napari_scope.formats.frame_records import FrameRecord, ListRecords
from napari_scope.formats.frame_table import FrameSheet
from napari_scope.widgets.frames.table_reader import TableReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


class Slow(ListRecords):
    """Records of which one waits for a gate."""

    def __init__(self, count: int, at: int, gate: threading.Event) -> None:
        super().__init__([{"axes": {"time": n}, "gain": n} for n in range(count)])
        self._at, self._gate = at, gate

    def record(self, number: int) -> FrameRecord:
        if number == self._at:
            assert self._gate.wait(20)
        return super().record(number)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


@pytest.fixture
def reader(qapp: object) -> Iterator[TableReader]:
    owner = QObject()
    made = TableReader(owner)
    yield made
    made.close()


def opened(source: Any) -> Any:
    return lambda: (FrameSheet(source), [])


def test_what_there_is_can_be_seen_while_the_rest_is_read(
    reader: TableReader, gate: threading.Event, qtbot: QtBot
) -> None:
    reader.set_source("a", opened(Slow(600, 400, gate)))
    assert reader.so_far is None
    reader.read(grown=False, intensities=False)
    qtbot.waitUntil(lambda: reader.progress == (256, 600))
    so_far = reader.so_far
    assert reader.table is None and so_far is not None
    assert so_far.columns.numbers("gain").tolist() == list(range(256))
    gate.set()
    qtbot.waitUntil(lambda: not reader.busy)
    assert reader.so_far is reader.table is not None
    assert reader.table.columns.count == 600


def test_another_table_does_not_wait_for_one_that_hangs(
    reader: TableReader, gate: threading.Event, qtbot: QtBot
) -> None:
    told: list[int] = []
    reader.finished.connect(lambda: told.append(1))
    reader.set_source("far", opened(Slow(2, 0, gate)))
    reader.read(grown=False, intensities=False)
    qtbot.waitUntil(lambda: reader.so_far is not None)
    reader.set_source("near", opened(Slow(3, -1, gate)))
    assert reader.so_far is None and not reader.busy
    reader.read(grown=False, intensities=False)
    qtbot.waitUntil(lambda: reader.table is not None)
    gate.set()
    qtbot.wait(60)
    assert told == [1] and len(reader.table.sheet) == 3  # type: ignore[union-attr]


def test_a_table_that_cannot_be_read_is_told_once(
    reader: TableReader, qtbot: QtBot
) -> None:
    def opener() -> Any:
        raise OSError("the disk is gone")

    told: list[object] = []
    reader.failed.connect(told.append)
    reader.set_source("gone", opener)
    reader.read(grown=False, intensities=False)
    qtbot.waitUntil(lambda: len(told) == 1)
    assert "the disk is gone" in str(told[0])
    reader.read(grown=True, intensities=False)  # not again by itself
    assert not reader.busy and reader.table is None
