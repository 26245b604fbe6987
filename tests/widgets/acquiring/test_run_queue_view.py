"""The queue as a list: what its buttons and keys do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import useq
from qtpy.QtCore import Qt

from napari_scope.acquire.run_queue import PlannedRun, RunQueue
from napari_scope.widgets.acquiring.run_queue_view import RunQueueView, entry_words

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import CoreOwner

pytestmark = pytest.mark.gui

PLAN = useq.MDASequence(channels=[{"config": "DAPI", "exposure": 1}])


def _names(queue: RunQueue) -> list[str]:
    return [entry.planned.name for entry in queue.entries]


@pytest.fixture
def queue() -> RunQueue:
    made = RunQueue(cast("CoreOwner", None))  # nothing is run
    for name in "abc":
        made.add(PlannedRun(PLAN, name, Path("x"), frames=1, size=10, duration_s=2))
    return made


@pytest.fixture
def view(queue: RunQueue, qtbot: QtBot) -> RunQueueView:
    made = RunQueueView(queue)
    qtbot.addWidget(made)
    yield made
    made.close_down()


def test_entries_are_described(queue: RunQueue) -> None:
    assert entry_words(queue.entries[0]) == (
        "a  (memory only)\nwaiting · 1 frame · at least 2.0 s · 10 bytes"
    )
    assert "running" not in entry_words(queue.entries[0], 0.5)
    assert "waiting, 50%" in entry_words(queue.entries[0], 0.5)


def test_plans_are_moved_doubled_edited_and_removed(
    view: RunQueueView, queue: RunQueue, qtbot: QtBot
) -> None:
    assert not view.edit_button.isEnabled()
    view.list.setCurrentRow(1)
    view.up_button.click()
    assert _names(queue) == ["b", "a", "c"]
    assert view.selected is queue.entries[0]  # it stays selected
    view.down_button.click()
    view.down_button.click()
    assert _names(queue) == ["a", "c", "b"]
    view.duplicate_button.click()
    assert _names(queue) == ["a", "c", "b", "b"]
    with qtbot.waitSignal(view.edit_requested) as caught:
        view.edit_button.click()
    assert caught.args == [queue.entries[2].planned]
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert _names(queue) == ["a", "c", "b"]
    view.list.setCurrentRow(0)
    view.remove_button.click()
    assert _names(queue) == ["c", "b"]


def test_what_is_dragged_is_run_in_the_new_order(
    view: RunQueueView, queue: RunQueue
) -> None:
    item = view.list.takeItem(2)
    view.list.insertItem(0, item)
    view._on_dragged()
    assert _names(queue) == ["c", "a", "b"]


def test_changes_from_elsewhere_are_shown_and_counted(
    view: RunQueueView, queue: RunQueue, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(view.count_changed) as caught:
        queue.add(PlannedRun(PLAN, "d", Path("x")))
    assert caught.args == [4]
    assert view.list.count() == 4
    for entry in queue.entries:
        queue.remove(entry.number)
    qtbot.waitUntil(lambda: not view.empty_label.isHidden())
    assert not view.start_button.isEnabled()


def test_options_are_those_of_the_queue(view: RunQueueView, queue: RunQueue) -> None:
    view.pause_box.click()
    view.go_on_box.click()
    assert queue.pause_between and queue.go_on_after_failure
    view.look()
    assert view.pause_box.isChecked() and view.go_on_box.isChecked()
    queue.pause_between = False
    queue.version += 1
    view.look()
    assert not view.pause_box.isChecked()
