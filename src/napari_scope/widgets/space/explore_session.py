"""One exploration from the dock: it begins, is asked for tiles, is shown, and ends.

An `Explorer` of `napari_scope.acquire` does the work, of a new mosaic or of one that is
gone on with. Making it, asking how far it is,
opening its mosaic and closing it take time and happen in threads; here is when. The
mosaic becomes layers of the viewer when the first tile is saved, and grows like every
store that is being written (`StoreWatcher`).

Examples
--------
>>> session = ExploreSession(viewer, microscope, dock)  # doctest: +SKIP
>>> session.start(ExploreWish("/data", "slide", (32, 32)))  # doctest: +SKIP
>>> session.take([(0, 0), (0, 1)])  # doctest: +SKIP
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_scope.acquire.regions import under_path
from napari_scope.errors import ScopeError
from napari_scope.widgets.browsing.store_watcher import StoreWatcher
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.closing import ClosingGuard, main_window_of
from napari_scope.widgets.space.explore_wish import ExploreWish, begun, resumed
from napari_scope.widgets.space.mosaic_layers import show_mosaic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import napari.viewer

    from napari_scope.acquire import Explorer
    from napari_scope.acquire.explore_parts import Explored
    from napari_scope.acquire.tiling import TileGrid
    from napari_scope.layers import LayerData
    from napari_scope.model import Dataset
    from napari_scope.widgets.common.microscope import Microscope

__all__ = ["ExploreSession"]

_POLL_MS: Final = 300
_WATCH_MS: Final = 500
_LAST_WAIT_S: Final = 10.0


class ExploreSession(QObject):
    """Explores once at a time.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where the mosaic is shown.
    microscope : Microscope
        The microscope.
    dock : QWidget
        Owner.

    Attributes
    ----------
    began : Signal
        Tiles can be asked for.
    progressed : Signal
        How far it is: an `Explored`.
    shown : Signal
        The mosaic has layers in the viewer: a list.
    ended : Signal
        All files are closed; carries the last `Explored`.
    failed : Signal
        An exception, and what did not happen.
    """

    began = Signal()
    progressed = Signal(object)
    shown = Signal(object)
    ended = Signal(object)
    failed = Signal(object, str)

    def __init__(
        self, viewer: napari.viewer.Viewer, microscope: Microscope, dock: QWidget
    ) -> None:
        super().__init__(dock)
        self._viewer: Any = viewer
        self._dock = dock
        self._microscope = microscope
        self._explorer: Explorer | None = None
        self._wish = ExploreWish("", "", (0, 0))
        self._latest: Explored | None = None
        self._has_layers = False
        self._watcher: StoreWatcher | None = None
        self._starter = BackgroundCall(self)
        self._starter.finished.connect(self._on_started)
        self._starter.failed.connect(self._on_not_started)
        self._asker = BackgroundCall(self)
        self._asker.finished.connect(self._on_progress)
        self._asker.failed.connect(self._on_no_progress)
        self._opener = BackgroundCall(self)
        self._opener.finished.connect(self._on_opened)
        self._opener.failed.connect(self._on_not_opened)
        self._closer = BackgroundCall(self, abandon=True)
        self._closer.finished.connect(self._on_closed)
        self._closer.failed.connect(self._on_closed_badly)
        # What was asked for is not to be lost by closing the window.
        self._guard = ClosingGuard(self, self._would_be_lost, self._abort_soon)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._ask)

    # ---- facts

    @property
    def running(self) -> bool:
        """Whether tiles can be asked for."""
        return self._explorer is not None and not self._closer.busy

    @property
    def busy(self) -> bool:
        """Whether it begins, goes on or ends."""
        return self._explorer is not None or self._starter.busy

    @property
    def ending(self) -> bool:
        """Whether it ends."""
        return self._closer.busy

    @property
    def grid(self) -> TileGrid | None:
        """The grid of the exploration that goes on."""
        return None if self._explorer is None else self._explorer.grid

    @property
    def path(self) -> Path | None:
        """Where the mosaic is saved."""
        return None if self._explorer is None else self._explorer.path

    @property
    def wish(self) -> ExploreWish:
        """How it explores."""
        return self._wish

    # ---- what can be asked for

    def start(self, wish: ExploreWish) -> None:
        """Begin; `began` or `failed` tells."""
        if self.busy:
            return
        owner = self._microscope.owner
        self._starter.start(lambda: begun(owner, wish), "napari-scope explorer")

    def resume(self, path: Path) -> None:
        """Go on with a mosaic, as it was begun; `began` or `failed` tells."""
        if self.busy:
            return
        owner = self._microscope.owner
        self._starter.start(lambda: resumed(owner, path), "napari-scope explorer")

    def take(self, tiles: Sequence[tuple[int, int]]) -> None:
        """Ask for tiles, in all channels and heights of the wish."""
        explorer = self._explorer
        if explorer is None or not self.running or not tiles:
            return
        try:
            explorer.acquire(tiles, z=range(-self._wish.below, self._wish.above + 1))
        except (ScopeError, RuntimeError) as error:
            self.failed.emit(error, "The tiles cannot be taken")
        self._ask()

    def take_at(self, places_um: Sequence[tuple[float, float]]) -> None:
        """Ask for the tiles under a path of places, x and y in micrometers.

        A mouse that is moved quickly is not told of at every tile.
        """
        grid = self.grid
        if grid is None:
            return
        try:
            self.take(under_path(grid, places_um))
        except ScopeError as error:
            self.failed.emit(error, "The tiles cannot be taken")

    def clear(self) -> None:
        """Forget the tiles that were not taken yet."""
        if self._explorer is not None:
            self._explorer.clear()
            self._ask()

    def set_paused(self, paused: bool) -> None:
        """Rest after the tile that is being taken, or go on."""
        if self._explorer is not None:
            self._explorer.acquisition.set_paused(paused)

    def finish(self) -> None:
        """Take what was asked for, close the files."""
        explorer = self._explorer
        if explorer is not None and not self._closer.busy:
            explorer.acquisition.set_paused(False)
            self._closer.start(lambda: _closed(explorer), "napari-scope explorer ends")

    def close(self) -> None:
        """End at once; what was taken is saved. Waits, but not for a dead camera."""
        self._timer.stop()
        self._guard.watch(None)
        self._starter.close()
        self._asker.close()
        self._opener.close()
        self._watcher = None
        explorer, self._explorer = self._explorer, None
        if explorer is not None:
            ending = threading.Thread(
                target=_abort, args=(explorer,), name="napari-scope explorer ends"
            )
            ending.daemon = True
            ending.start()
            ending.join(_LAST_WAIT_S)
        self._closer.close()

    # ---- what happens

    def _on_started(self, begun: tuple[Explorer, ExploreWish]) -> None:
        self._explorer, self._wish = begun
        self._latest = None
        self._has_layers = False
        self._timer.start()
        self.began.emit()

    def _on_not_started(self, error: object) -> None:
        self.failed.emit(error, "The exploration could not begin")

    def _would_be_lost(self) -> bool:
        """Return whether tiles wait that closing the window would forget."""
        explorer, latest = self._explorer, self._latest
        if explorer is None or latest is None or explorer.acquisition.run.done:
            return False
        return bool(latest.waiting) or self._closer.busy

    def _abort_soon(self) -> None:
        explorer = self._explorer
        if explorer is not None:
            threading.Thread(
                target=_abort,
                args=(explorer,),
                name="napari-scope explorer ends",
                daemon=True,
            ).start()

    def _ask(self) -> None:
        self._guard.watch(main_window_of(self._dock))
        explorer = self._explorer
        if explorer is not None and not self._asker.busy:
            self._asker.start(explorer.explored, "napari-scope explored")

    def _on_progress(self, explored: Explored) -> None:
        before, self._latest = self._latest, explored
        self.progressed.emit(explored)
        explorer = self._explorer
        if explorer is None:
            return
        new = before is not None and explored.saved > before.saved
        if new and not explored.waiting and self._watcher is not None:
            self._watcher.look()  # it looks less often while nothing comes
        if explored.taken and not self._has_layers and not self._opener.busy:
            path = explorer.path
            self._opener.start(lambda: _opened(path), "napari-scope mosaic")
        if explored.state.is_final and not self._closer.busy:
            # It failed, or somebody else has cancelled the run.
            self._closer.start(lambda: _closed(explorer), "napari-scope explorer ends")

    def _on_no_progress(self, error: object) -> None:
        self.failed.emit(error, "The state of the exploration is not known")

    def _on_opened(self, found: tuple[Dataset, list[LayerData]]) -> None:
        dataset, layers = found
        self._has_layers = True
        window = self._viewer.window.main_menu.window()
        made = show_mosaic(self._viewer, dataset, layers)
        if isinstance(window, QWidget) and not dataset.finished:
            watcher = StoreWatcher(self._viewer, dataset, window, interval_ms=_WATCH_MS)
            watcher.ended.connect(self._on_unwatched)
            watcher.start()
            self._watcher = watcher
        self.shown.emit(made)

    def _on_unwatched(self, _reason: str) -> None:
        self._watcher = None

    def _on_not_opened(self, error: object) -> None:
        self._has_layers = True  # not again every third of a second
        self.failed.emit(error, "The mosaic cannot be shown")

    def _on_closed(self, ended: tuple[Explored, Exception | None]) -> None:
        self._latest, error = ended  # tiles may have come since it was asked last
        self._end(error)

    def _on_closed_badly(self, error: object) -> None:
        self._end(error)

    def _end(self, error: object) -> None:
        explorer, self._explorer = self._explorer, None
        self._timer.stop()
        if explorer is None:
            return
        if error is not None:
            count = len(self._latest.taken) if self._latest is not None else 0
            self.failed.emit(
                error, f"The exploration has ended; {count} tiles are saved"
            )
        self.ended.emit(self._latest)


def _opened(path: Path) -> tuple[Dataset, list[LayerData]]:
    from napari_scope.formats import open_dataset
    from napari_scope.layers import dataset_to_layers

    dataset = open_dataset(path)
    return dataset, dataset_to_layers(dataset)


def _closed(explorer: Explorer) -> tuple[Explored, Exception | None]:
    """Close the files; returns what there is in the end, and what went wrong."""
    error: Exception | None = None
    try:
        explorer.close()
    except (ScopeError, RuntimeError, OSError) as raised:
        error = raised
    return explorer.explored(), error


def _abort(explorer: Explorer) -> None:
    try:
        explorer.abort()
    except (ScopeError, RuntimeError, OSError):
        pass  # the run tells it; the dock is gone
