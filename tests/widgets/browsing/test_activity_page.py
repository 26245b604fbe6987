"""Jobs and watched runs, as a user asks for them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtWidgets import QMenu, QMessageBox
from tests.formats.ngff.ngff_stores import pixels, write_image
from tests.stream.test_run_watch import WRITER

from napari_scope.errors import StreamError
from napari_scope.formats import open_dataset
from napari_scope.formats.image_parts import Parts
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.formats.tree import open_tree
from napari_scope.formats.tree_node import Facts
from napari_scope.stream.jobs import Job, JobResult
from napari_scope.stream.run_state import StoredRun
from napari_scope.widgets.browsing.activity_page import ActivityPage
from napari_scope.widgets.browsing.convert_form import free_target
from napari_scope.widgets.browsing.job_queue import JobQueue
from napari_scope.widgets.browsing.part_chooser import PartChooser, part_words
from napari_scope.widgets.browsing.store_menu import (
    StoreTarget,
    StoreWish,
    add_store_actions,
    targets_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("no_thread_is_left")]


@pytest.fixture
def page(qtbot: QtBot) -> Iterator[ActivityPage]:
    page = ActivityPage()
    qtbot.addWidget(page)
    page.resize(440, 700)
    page.show()
    yield page
    page.close_down()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with NDTiffWriter(tmp_path / "a") as writer:
        for t in range(3):
            for channel in ("A", "B"):
                frame = np.full((8, 8), 10 * t + ord(channel), "u2")
                writer.put({"time": t, "channel": channel}, frame)
    return tmp_path / "a"


def gated(gate: threading.Event, *, can_cancel: bool = True) -> Job:
    def run(tell: Any, cancelled: Any) -> JobResult:
        tell("converting", 1, 2)
        while not gate.wait(0.01):
            if cancelled():
                return JobResult("cancelled", (), "cancelled")
        return JobResult("done", ("a line",))

    return Job("Wait", "/d/a", run, can_cancel=can_cancel)


def test_a_data_set_is_converted(page: ActivityPage, store: Path, qtbot: QtBot) -> None:
    target = StoreTarget(str(store), "ndtiff", "finished")
    page.do(StoreWish("convert", (target,), "ome-zarr"))
    assert page.form.isVisible() and not page.splitter.isVisible()
    assert page.form.target_edit.text() == str(store.with_name("a.ome.zarr"))
    page.form.format_box.setCurrentIndex(page.form.format_box.findData("ome-tiff"))
    assert page.form.target_edit.text().endswith("a.ome.tiff")
    assert not page.form.version_box.isVisible()
    page.form.format_box.setCurrentIndex(page.form.format_box.findData("ome-zarr"))
    page.form.compression_box.setCurrentText("zstd")
    page.form.start_button.click()
    assert not page.form.isVisible()
    qtbot.waitUntil(lambda: not page.queue.busy, timeout=20_000)
    (job,) = page.queue.jobs
    assert job.state == "finished" and job.text == "6 frames converted and compared"
    assert len(open_dataset(store.with_name("a.ome.zarr")).images) == 1
    with qtbot.waitSignal(page.open_wanted) as opened:
        page.jobs.open_button.click()
    assert opened.args == [str(store.with_name("a.ome.zarr"))]


def test_a_part_is_exported(page: ActivityPage, store: Path, qtbot: QtBot) -> None:
    root = open_tree(store)
    (target,) = targets_of(root, root.children()[:1], Parts((1,), (1, 3)))
    assert target.format == "ndtiff" and "B, t 1 to 2" in target.words
    page.do(StoreWish("convert", (target,), "ndtiff"))
    assert "B, t 1 to 2" in page.form.source_label.text()
    page.form.start_button.click()
    qtbot.waitUntil(lambda: not page.queue.busy, timeout=20_000)
    made = page.queue.jobs[0].result
    assert made is not None and made.made is not None
    (image,) = open_dataset(made.made).images
    found = np.asarray(image.levels[0])[..., 0, 0].ravel()
    assert found.tolist() == [10 + ord("B"), 20 + ord("B")]


def test_several_wait_are_cancelled_and_forgotten(
    page: ActivityPage, qtbot: QtBot
) -> None:
    gate = threading.Event()
    first, second, third = (page.queue.add(gated(gate)) for _ in range(3))
    qtbot.waitUntil(lambda: first.progress == ("converting", 1, 2))
    assert [one.state for one in (first, second)] == ["running", "waiting"]
    page.jobs.view.setCurrentItem(page.jobs.view.topLevelItem(1))
    page.jobs.cancel_button.click()
    assert second.state == "cancelled" and page.queue.writing
    page.jobs.view.setCurrentItem(page.jobs.view.topLevelItem(0))
    page.jobs.cancel_button.click()
    qtbot.waitUntil(lambda: first.state == "cancelled" and third.state == "running")
    gate.set()
    qtbot.waitUntil(lambda: third.state == "finished")
    assert "a line" in third.details and not page.queue.busy
    page.jobs.clear_button.click()
    assert page.jobs.view.topLevelItemCount() == 0


def test_an_error_stays_with_its_job(page: ActivityPage, qtbot: QtBot) -> None:
    def run(tell: Any, cancelled: Any) -> JobResult:
        raise StreamError("the disk is gone", path="/d/a", hint="plug it in")

    queued = page.queue.add(Job("Convert", "/d/a", run, writes=False))
    assert not page.queue.writing
    qtbot.waitUntil(lambda: queued.state == "failed")
    qtbot.waitUntil(lambda: "plug it in" in page.jobs.details_label.text())
    assert "the disk is gone" in queued.text


def test_closing_cancels_and_waits(qtbot: QtBot) -> None:
    from qtpy.QtCore import QObject

    parent = QObject()
    queue = JobQueue(parent)
    gate = threading.Event()
    first, second = queue.add(gated(gate)), queue.add(gated(gate))
    queue.close()
    queue.close()
    assert (first.state, second.state, queue.busy) == ("cancelled", "cancelled", False)


def test_a_store_is_checked_and_gets_levels(
    page: ActivityPage, tmp_path: Path, qtbot: QtBot
) -> None:
    write_image(tmp_path / "a.zarr", "cyx", pixels((1, 1100, 8)))
    target = StoreTarget(str(tmp_path / "a.zarr"), "ome-zarr")
    page.do(StoreWish("pyramid", (target,)))
    page.do(StoreWish("validate", (target,)))
    qtbot.waitUntil(lambda: not page.queue.busy, timeout=20_000)
    assert [job.text for job in page.queue.jobs] == [
        "1 of 1 images have levels",
        "valid",
    ]
    assert len(open_dataset(tmp_path / "a.zarr").images[0].levels) > 1


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_the_trash_is_asked_about(
    page: ActivityPage, store: Path, qtbot: QtBot, monkeypatch: Any, answer: str
) -> None:
    from napari_scope.widgets.browsing import activity_page

    moved: list[str] = []

    class File:
        def __init__(self, place: str) -> None:
            self.place = place

        def moveToTrash(self) -> bool:
            moved.append(self.place)
            return False

    monkeypatch.setattr(activity_page, "QFile", File)
    button = getattr(QMessageBox.StandardButton, answer)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: button)
    page.do(StoreWish("trash", (StoreTarget(str(store), "ndtiff"),)))
    qtbot.waitUntil(lambda: not page.queue.busy)
    assert moved == ([str(store)] if answer == "Yes" else []) and store.is_dir()
    assert [job.state for job in page.queue.jobs] == ["failed"] * len(moved)


@pytest.mark.parametrize("format", ["ome-zarr", "ndtiff", "ome-tiff"])
def test_a_run_whose_writer_is_killed_is_recovered(
    page: ActivityPage, tmp_path: Path, qtbot: QtBot, format: str
) -> None:
    path = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, format, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        cwd=Path(__file__).parents[3],
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "saved\n"
        page.watched.watch(str(path))
        page.watched.watch(str(path))
        item: Any = page.watched.view.topLevelItem(0)
        qtbot.waitUntil(lambda: item.text(1) == "being written")
        assert item.text(2) == "7 of 50" and page.watched.view.topLevelItemCount() == 1
        assert not page.watched.recover_button.isEnabled()
    finally:
        process.kill()
        process.communicate()
    qtbot.waitUntil(lambda: item.text(1) == "interrupted")
    page.watched.recover_button.click()
    qtbot.waitUntil(lambda: not page.queue.busy, timeout=20_000)
    assert page.queue.jobs[0].text.startswith("7 frames recovered")
    qtbot.waitUntil(lambda: item.text(1) == "finished")
    assert page.watched.progress[str(path)].state is StoredRun.CLOSED
    page.watched.stop_button.click()
    assert page.watched.view.topLevelItemCount() == 0


# ---- menus and choices


def titles(targets: list[StoreTarget], **more: Any) -> list[str]:
    menu = QMenu()
    add_store_actions(menu, targets, lambda _: None, **more)
    return [a.text().replace("&", "") for a in menu.actions() if a.text()]


def test_a_menu_offers_what_makes_sense(qtbot: QtBot) -> None:
    zarr = StoreTarget("/d/a.zarr", "ome-zarr", "finished")
    assert titles([zarr]) == [
        "Convert to", "Make pyramid", "Validate", "Show in file manager",
    ]  # fmt: skip
    part = StoreTarget("/d/a", "ndtiff", "interrupted", words="Pos1")
    assert titles([part], trash=True) == [
        "Export this to", "Recover", "Show in file manager", "Move to trash …",
    ]  # fmt: skip
    live = StoreTarget("/d/a", "ndtiff", "being written")
    assert titles([live], trash=True) == ["Convert to", "Watch", "Show in file manager"]
    remote = StoreTarget("https://example.org/a.zarr", "ome-zarr")
    assert titles([remote], trash=True) == ["Convert to", "Validate"]
    assert titles([]) == []


def test_parts_are_chosen(qtbot: QtBot) -> None:
    chooser = PartChooser()
    qtbot.addWidget(chooser)
    assert not chooser.isVisibleTo(None) and chooser.parts == Parts()
    facts = Facts(
        axes=("t", "c", "y", "x"), shape=(5, 3, 8, 8), channels=("A", "B", "C")
    )
    chooser.show_facts(facts)
    chooser.show()
    assert chooser.parts == Parts() and chooser.channel_button.text() == "All channels"
    chooser.channel_menu.actions()[1].trigger()
    chooser.times.first.setValue(2)
    assert chooser.parts == Parts((0, 2), (2, 5))
    assert chooser.channel_button.text() == "A, C" and chooser.planes.isHidden()
    chooser.times.last.setValue(1)
    assert chooser.parts.times == (1, 2)
    chooser.show_facts(
        Facts(axes=facts.axes, shape=facts.shape, channels=facts.channels)
    )
    assert chooser.parts == Parts((0, 2), (1, 2))  # the same thing again
    chooser.show_facts(facts, mosaic=True)
    assert chooser.times.isHidden()
    assert part_words(Parts((0, 7), None, (1, 2)), ("A",)) == "A, channel 7, z 1 to 1"


def test_a_name_that_is_free(tmp_path: Path) -> None:
    source = str(tmp_path / "a.ndtiff")
    assert free_target(source, "ome-zarr") == tmp_path / "a.ome.zarr"
    (tmp_path / "a.ome.zarr").mkdir()
    assert free_target(source, "ome-zarr") == tmp_path / "a_2.ome.zarr"
    taken = {tmp_path / "a_2.ome.zarr"}
    assert free_target(source, "ome-zarr", taken=taken) == tmp_path / "a_3.ome.zarr"
    assert free_target(source, "ndtiff", part=True) == tmp_path / "a_part.ndtiff"
    assert free_target("https://x.org/b.zarr", "ndtiff").name == "b.ndtiff"
