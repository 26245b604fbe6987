"""Tabs whose pages are built when they are first seen, and again for new devices.

A page is built while no call is under way: building asks the core for names and limits,
and the core answers nothing about a device that is in the middle of something. A page
that cannot be built says so and the others still are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from napari_scope.widgets.devices.shielding import GONE

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["Page", "PageTabs", "scrolling"]


class Page(QWidget):
    """One tab. A page derives from it and implements what it needs.

    Parameters
    ----------
    microscope : Microscope
        The microscope.
    core : TableCore
        Its core, as tables may read it.
    """

    title = ""
    tip = ""

    def __init__(self, microscope: Microscope, core: TableCore) -> None:
        super().__init__()
        self.microscope = microscope
        self.core = core
        self.built = False
        self._body: QWidget | None = None
        self._layout = QVBoxLayout(self)
        margins = self._layout.contentsMargins()
        self._layout.setContentsMargins(0, margins.top(), 0, 0)
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._layout.addWidget(self._note)

    # ---- for the pages

    def make_body(self) -> QWidget:
        """Return what the page shows of the devices that are loaded now."""
        raise NotImplementedError

    def set_locked(self, reason: str) -> None:
        """Let nothing be changed, or let it again; only called while built."""

    def show_truth(self) -> None:
        """Show what is set after a call has failed; only called while built."""

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take it up; the page may not be built yet."""

    def close_down(self) -> None:
        """Stop timers and close windows; idempotent."""

    # ---- for the tabs

    def rebuild(self) -> None:
        """Throw away what is shown and build it for the present devices."""
        self.discard()
        try:
            body = self.make_body()
        except GONE as error:
            self.note(f"This cannot be shown: {' '.join(str(error).split())}")
        else:
            self._body = body
            self._note.hide()
            self._layout.addWidget(body, 1)
            self.set_locked(self.microscope.lock_reason)
        self.built = True

    def discard(self) -> None:
        """Throw away what is shown: its devices are gone."""
        self.built = False
        body, self._body = self._body, None
        if body is not None:
            self._layout.removeWidget(body)
            body.hide()
            body.deleteLater()

    def note(self, text: str) -> None:
        """Show a sentence instead of the page."""
        self._note.setText(text)
        self._note.show()


def scrolling(widget: QWidget) -> QScrollArea:
    """Return a widget that scrolls in height."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(widget)
    return area


class PageTabs(QTabWidget):
    """Shows pages and builds the one that is seen.

    Parameters
    ----------
    microscope : Microscope
        Tells when devices were loaded, are busy or locked.
    pages : list of Page
        The pages.
    """

    def __init__(self, microscope: Microscope, pages: list[Page]) -> None:
        super().__init__()
        self._microscope = microscope
        self.pages = pages
        self.setDocumentMode(True)
        self.setUsesScrollButtons(True)
        self._closed = False
        for page in pages:
            self.setTabToolTip(self.addTab(page, page.title), page.tip)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._look)
        self.currentChanged.connect(self._look_soon)
        microscope.loading.connect(self._on_loading)
        microscope.loaded.connect(self.renew)
        microscope.load_failed.connect(self.renew)
        microscope.busy_changed.connect(self._look_soon)
        microscope.lock_changed.connect(self._on_lock_changed)

    @property
    def page(self) -> Page:
        """The page that is seen."""
        return self.pages[self.currentIndex()]

    def show_truth(self) -> None:
        """Let all pages show what is set."""
        for page in self.pages:
            if page.built:
                page.show_truth()

    def renew(self, _error: object = None) -> None:
        """Build the pages anew, each when it is seen: the devices are others."""
        for page in self.pages:
            page.discard()
        self._look_soon()

    def close_down(self) -> None:
        """Listen no longer; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._soon.stop()
        microscope = self._microscope
        microscope.loading.disconnect(self._on_loading)
        microscope.loaded.disconnect(self.renew)
        microscope.load_failed.disconnect(self.renew)
        microscope.busy_changed.disconnect(self._look_soon)
        microscope.lock_changed.disconnect(self._on_lock_changed)
        for page in self.pages:
            page.close_down()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Build what is seen now."""
        super().showEvent(event)
        self._look_soon()

    def _look_soon(self, _: object = None) -> None:
        # The tab is drawn first, then its page is built.
        if not self._closed and not self.page.built:
            self._soon.start()

    def _look(self) -> None:
        page = self.page
        if self._closed or page.built or not self.isVisible():
            return
        if self._microscope.is_loading:
            page.note("The microscope is being loaded …")
        elif not self._microscope.owner.has_devices:
            page.note("Load a configuration to see its devices.")
        elif self._microscope.calls.busy:
            what = self._microscope.calls.now
            page.note(f"Waiting for the microscope: {what} …" if what else "Waiting …")
        else:
            page.rebuild()

    def _on_loading(self) -> None:
        for page in self.pages:
            page.discard()
            page.note("The microscope is being loaded …")

    def _on_lock_changed(self, reason: str) -> None:
        for page in self.pages:
            if page.built:
                page.set_locked(reason)
