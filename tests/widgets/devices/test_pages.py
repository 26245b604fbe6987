from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from qtpy.QtWidgets import QLabel, QWidget

from napari_scope.widgets.devices.pages import Page, PageTabs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

pytestmark = pytest.mark.gui


class _Page(Page):
    made = 0
    locked: str | None = None
    problem: Exception | None = None

    def make_body(self) -> QWidget:
        if self.problem is not None:
            raise self.problem
        self.made += 1
        return QLabel("body")

    def set_locked(self, reason: str) -> None:
        self.locked = reason


class _Other(_Page):
    title = "Other"


@pytest.fixture
def tabs(
    microscope: Microscope,
    table_core: TableCore,
    qtbot: QtBot,
    settle: Callable[[], None],
) -> Iterator[PageTabs]:
    made = PageTabs(
        microscope, [_Page(microscope, table_core), _Other(microscope, table_core)]
    )
    qtbot.addWidget(made)
    made.show()
    settle()
    yield made
    made.close_down()
    made.close_down()


def _made(tabs: PageTabs) -> list[int]:
    return [page.made for page in tabs.pages if isinstance(page, _Page)]


def test_a_page_is_built_when_it_is_seen(tabs: PageTabs, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: _made(tabs) == [1, 0], timeout=5000)
    tabs.setCurrentIndex(1)
    qtbot.waitUntil(lambda: _made(tabs) == [1, 1], timeout=5000)
    tabs.setCurrentIndex(0)
    qtbot.wait(30)
    assert _made(tabs) == [1, 1]


def test_pages_are_built_anew_for_other_devices(
    tabs: PageTabs, microscope: Microscope, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: _made(tabs) == [1, 0], timeout=5000)
    with qtbot.waitSignal(microscope.loaded, timeout=20_000):
        microscope.load()
        assert "being loaded" in tabs.page.findChildren(QLabel)[0].text()
    qtbot.waitUntil(lambda: _made(tabs) == [2, 0], timeout=5000)


def test_a_page_waits_for_a_device_that_is_busy(
    tabs: PageTabs, microscope: Microscope, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: _made(tabs) == [1, 0], timeout=5000)
    goes_on = threading.Event()
    microscope.do("turn the wheel", lambda: goes_on.wait(10))
    qtbot.waitUntil(lambda: microscope.calls.now == "turn the wheel", timeout=5000)
    tabs.setCurrentIndex(1)
    qtbot.waitUntil(
        lambda: "turn the wheel" in tabs.page.findChildren(QLabel)[0].text(),
        timeout=5000,
    )
    assert _made(tabs) == [1, 0]
    goes_on.set()
    qtbot.waitUntil(lambda: _made(tabs) == [1, 1], timeout=5000)


def test_a_page_that_cannot_be_built_says_so(tabs: PageTabs, qtbot: QtBot) -> None:
    other = tabs.pages[1]
    assert isinstance(other, _Page)
    other.problem = RuntimeError("no answer")
    tabs.setCurrentIndex(1)
    qtbot.waitUntil(lambda: other.built, timeout=5000)
    assert other.findChildren(QLabel)[0].text() == "This cannot be shown: no answer"
    tabs.show_truth()


def test_only_built_pages_hear_of_the_lock(
    tabs: PageTabs, microscope: Microscope, qtbot: QtBot
) -> None:
    from napari_scope.acquire.registry import loading

    first, second = tabs.pages
    assert isinstance(first, _Page) and isinstance(second, _Page)
    qtbot.waitUntil(lambda: first.built, timeout=5000)
    with loading(microscope.real_core):
        qtbot.waitUntil(lambda: bool(first.locked), timeout=5000)
        tabs.setCurrentIndex(1)
        qtbot.waitUntil(lambda: bool(second.locked), timeout=5000)
    qtbot.waitUntil(lambda: first.locked == second.locked == "", timeout=5000)


def test_without_devices_there_is_a_hint(
    tabs: PageTabs, microscope: Microscope, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: tabs.page.built, timeout=5000)
    microscope.real_core.unloadAllDevices()
    tabs.renew()
    qtbot.waitUntil(
        lambda: "Load a configuration" in tabs.page.findChildren(QLabel)[0].text(),
        timeout=5000,
    )
