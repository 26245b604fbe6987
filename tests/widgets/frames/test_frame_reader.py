from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import QObject
from tests.layers.stores import Frames, make_dataset, make_image

from napari_scope.layers import LayerOrigin
from napari_scope.widgets.frames.frame_reader import FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.frames.frame_document import FrameDocument

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


class Held(Frames):
    """Frames of a store that does not answer before its gate is open."""

    gate = threading.Event()

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        assert self.gate.wait(20)
        if index["t"] == 1:
            raise MemoryError("a surprise")
        return super().metadata(index)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    Held.gate.clear()
    yield Held.gate
    Held.gate.set()


@pytest.fixture
def reader(qapp: object) -> Iterator[FrameReader]:
    owner = QObject()
    made = FrameReader(owner)
    yield made
    made.close()


def origin(frames: object = None) -> LayerOrigin:
    image = make_image(frames=frames or Frames("cells", "tyx"))
    return LayerOrigin(make_dataset(image), (0,), 0, "tyx")


def test_a_slow_store_is_said_and_the_newest_frame_wins(
    reader: FrameReader, gate: threading.Event, qtbot: QtBot
) -> None:
    read: list[FrameDocument] = []
    reader.read.connect(read.append)
    slow = origin(Held("cells", "tyx"))
    with qtbot.waitSignal(reader.slow):
        reader.look(slow, (0, 0, 0))
    for t in (1, 0, 2):
        reader.look(slow, (t, 0, 0))
    gate.set()
    qtbot.waitUntil(lambda: not reader.busy)
    assert [found.title for found in read] == ["t 0", "t 2"]


def test_a_quick_store_is_not_said_to_be_slow(
    reader: FrameReader, qtbot: QtBot
) -> None:
    told: list[object] = []
    reader.slow.connect(lambda: told.append(1))
    with qtbot.waitSignal(reader.read):
        reader.look(origin(), (0, 0, 0))
    qtbot.wait(400)
    assert told == []


def test_another_layer_is_read_while_one_hangs(
    reader: FrameReader, gate: threading.Event, qtbot: QtBot
) -> None:
    read: list[FrameDocument] = []
    reader.read.connect(read.append)
    reader.look(origin(Held("far", "tyx")), (0, 0, 0))
    reader.look(origin(), (2, 0, 0))
    qtbot.waitUntil(lambda: [found.title for found in read] == ["t 2"])
    reader.look(origin(Held("far", "tyx")), (0, 0, 0))
    reader.forget()
    gate.set()
    qtbot.waitUntil(lambda: not reader.busy)
    assert len(read) == 1


def test_what_nobody_foresaw_is_a_sentence(
    reader: FrameReader, gate: threading.Event, qtbot: QtBot
) -> None:
    gate.set()
    with qtbot.waitSignal(reader.read) as told:
        reader.look(origin(Held("cells", "tyx")), (1, 0, 0))
    (found,) = told.args
    assert "a surprise" in found.why_empty and not found.document
