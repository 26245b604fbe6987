"""The Devices dock: everything of the microscope that is set by hand.

On top is what is used every minute: the configuration, snap and live, channel,
objective and shutter. Below are tabs for the rest. The dock puts its parts together and
moves facts between them; it asks no device and sets none by itself.

Examples
--------
>>> import napari
>>> viewer = napari.Viewer()  # doctest: +SKIP
>>> viewer.window.add_dock_widget(DevicesDock(viewer))  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import QVBoxLayout

from napari_scope.widgets.common.dock import ScopeDock
from napari_scope.widgets.common.error_panel import ErrorPanel
from napari_scope.widgets.common.icons import serve_shipped_icons
from napari_scope.widgets.common.microscope import Microscope
from napari_scope.widgets.common.warm_up import LayerWarmUp
from napari_scope.widgets.devices.configuration_box import (
    ConfigurationBox,
    dropped_configuration,
)
from napari_scope.widgets.devices.live_strip import LiveStrip

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_scope.widgets.devices.pages import Page
    from napari_scope.widgets.devices.table_core import TableCore

__all__ = ["DevicesDock"]

_WIDTH_CHARS = 62
_HEIGHT_LINES = 46


class DevicesDock(ScopeDock):
    """Sets the microscope by hand.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; napari passes it.
    microscope : Microscope, optional
        The microscope; by default the one that all docks share.
    """

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        microscope: Microscope | None = None,
    ) -> None:
        super().__init__(napari_viewer, "devices")
        self.microscope = Microscope.shared() if microscope is None else microscope
        self.microscope.hold(self)
        # Before the widgets of pymmcore-widgets are imported, which ask for icons.
        serve_shipped_icons()
        from napari_scope.widgets.devices.pages import PageTabs
        from napari_scope.widgets.devices.quick_box import QuickBox
        from napari_scope.widgets.devices.table_core import TableCore

        self.setAcceptDrops(True)
        self.table_core = TableCore(self.microscope.core)
        self.errors = ErrorPanel()
        self.configuration = ConfigurationBox(self.microscope)
        self.live = LiveStrip(self.microscope, napari_viewer)
        self.quick = QuickBox(self.microscope, self.table_core)
        self.tabs = PageTabs(self.microscope, _pages(self.microscope, self.table_core))
        self._lay_out()

        # Devices are asked while no call is under way; see `_renew`.
        self._renewal = QTimer(self)
        self._renewal.setSingleShot(True)
        self._renewal.timeout.connect(self._renew)
        # The first image of a session is often one that is snapped here.
        self._warm_up = LayerWarmUp(self, lambda: not self.microscope.running)
        self._warm_up.start()
        self._top_is_stale = True
        self._tool_error: BaseException | None = None
        for signal, slot in self._connections():
            signal.connect(slot)
        for page in self.tabs.pages:
            failed = getattr(page, "failed", None)
            if failed is not None:
                failed.connect(self._on_tool_failed)
        self._on_lock_changed(self.microscope.lock_reason)
        self.restore_remembered()
        self.microscope.load_at_start()
        self._renewal.start()

    def page(self, title: str) -> Page:
        """Return the page with a title."""
        return next(page for page in self.tabs.pages if page.title == title)

    def show_page(self, title: str) -> None:
        """Bring a page to the front."""
        self.tabs.setCurrentWidget(self.page(title))

    # ---- what ScopeDock asks

    def state(self) -> dict[str, Any]:
        """Return the tab and what the parts remember."""
        return {
            "tab": self.tabs.page.title,
            "live": self.live.state(),
            "pages": {page.title: page.state() for page in self.tabs.pages},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take it up."""
        titles = [page.title for page in self.tabs.pages]
        if state.get("tab") in titles:
            self.show_page(state["tab"])
        self.live.restore(state.get("live", {}))
        for page in self.tabs.pages:
            kept = state.get("pages", {}).get(page.title)
            if kept:
                page.restore(kept)

    def on_shut_down(self) -> None:
        """Stop everything and let go of the microscope."""
        self._renewal.stop()
        self._warm_up.close()
        for signal, slot in self._connections():
            signal.disconnect(slot)
        self.tabs.close_down()
        self.quick.close_down()
        self.live.shut_down()
        self.configuration.close_down()
        self.table_core.close()
        self.microscope.release(self)

    # ---- drag and drop

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept one configuration file, anywhere on the dock."""
        if event is not None and dropped_configuration(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Load it."""
        self.configuration.dropEvent(event)

    # ---- inside

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        # The image needs the width more than the edges of a dock do.
        layout.setContentsMargins(4, 4, 4, 4)
        for widget in (
            self.errors,
            self.configuration,
            self.live,
            self.quick,
        ):
            layout.addWidget(widget)
        layout.addWidget(self.tabs, 1)

    def sizeHint(self) -> QSize:
        """Return the size at which nothing of the dock is cut off."""
        metrics = self.fontMetrics()
        return QSize(
            metrics.averageCharWidth() * _WIDTH_CHARS, metrics.height() * _HEIGHT_LINES
        )

    def _connections(self) -> list[tuple[Any, Any]]:
        microscope = self.microscope
        return [
            (microscope.loading, self._on_loading),
            (microscope.loaded, self._on_loaded),
            (microscope.load_failed, self._on_load_failed),
            (microscope.lock_changed, self._on_lock_changed),
            (microscope.call_failed, self._on_call_failed),
            (microscope.busy_changed, self._renew_soon),
        ]

    def _on_loading(self) -> None:
        # What a tool has said is about what is loaded after it.
        if self.errors.error is not self._tool_error:
            self.errors.clear()
        self.quick.discard()

    def _on_loaded(self) -> None:
        self._top_is_stale = True
        self._renewal.start()

    def _on_load_failed(self, error: BaseException) -> None:
        self.errors.show_error(error, "The configuration was not loaded")
        self._on_loaded()

    def _on_call_failed(self, error: BaseException, what: str) -> None:
        # An error of a device says itself what was being done.
        place = (getattr(error, "device", ""), getattr(error, "property", ""))
        title = " ".join(part for part in place if part)
        self.errors.show_error(error, title or f"Could not {what}")
        self.quick.show_truth()
        self.tabs.show_truth()

    def _on_tool_failed(self, error: BaseException) -> None:
        self._tool_error = error
        self.errors.show_error(error, "Setting up the microscope")

    def _on_lock_changed(self, reason: str) -> None:
        self.quick.set_locked(reason)

    def _renew_soon(self, _busy: bool) -> None:
        if self._top_is_stale:
            self._renewal.start()

    def _renew(self) -> None:
        """Build what is on top for the present devices, once nothing is under way."""
        microscope = self.microscope
        if self.is_shut_down or not self._top_is_stale:
            return
        if microscope.is_loading or microscope.calls.busy:
            return  # told again when it ends
        self._top_is_stale = False
        self.quick.discard()
        if microscope.owner.has_devices:
            self.quick.rebuild()


def _pages(microscope: Microscope, core: TableCore) -> list[Page]:
    from napari_scope.widgets.devices.camera_page import CameraPage
    from napari_scope.widgets.devices.light_page import LightPage
    from napari_scope.widgets.devices.more_page import MorePage
    from napari_scope.widgets.devices.pixel_page import PixelPage
    from napari_scope.widgets.devices.presets_page import PresetsPage
    from napari_scope.widgets.devices.properties_page import PropertiesPage

    kinds = (
        *(PresetsPage, LightPage, PropertiesPage, CameraPage),
        *(PixelPage, MorePage),
    )
    return [kind(microscope, core) for kind in kinds]
