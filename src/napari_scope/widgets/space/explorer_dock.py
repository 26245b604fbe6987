"""The Stage and explorer dock: move the stage, see where it is, take tiles on demand.

The dock puts its parts together: the stage by hand, the map in the viewer, clicks in
the canvas, tiles over drawn shapes, the exploration, the list of positions. Each part
speaks by signals; here is who hears whom.

Examples
--------
>>> import napari
>>> viewer = napari.Viewer()  # doctest: +SKIP
>>> dock = ExplorerDock(viewer)  # doctest: +SKIP
>>> viewer.window.add_dock_widget(dock, name="Stage and explorer")  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QGroupBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire.regions import TilePlan, footprint
from napari_scope.errors import ScopeError
from napari_scope.widgets.common.dock import ScopeDock
from napari_scope.widgets.common.error_panel import ErrorPanel
from napari_scope.widgets.common.microscope import Microscope
from napari_scope.widgets.common.notices import notify
from napari_scope.widgets.common.preferences import preferences
from napari_scope.widgets.common.window_keys import window_key
from napari_scope.widgets.space.canvas_clicks import CanvasClicks
from napari_scope.widgets.space.explore_box import ExploreBox
from napari_scope.widgets.space.explore_session import ExploreSession
from napari_scope.widgets.space.map_contents import show_on_map
from napari_scope.widgets.space.position_box import PositionBox
from napari_scope.widgets.space.stage_box import StageBox, mode_button
from napari_scope.widgets.space.stage_control import StageControl
from napari_scope.widgets.space.stage_driver import StageDriver
from napari_scope.widgets.space.stage_map import StageMap
from napari_scope.widgets.space.tall_area import TallArea, narrow
from napari_scope.widgets.space.tile_planner import TilePlanner

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari.viewer
    import useq

    from napari_scope.acquire.explore_parts import Explored
    from napari_scope.acquire.stage_moves import StageFacts
    from napari_scope.acquire.stage_watch import StagePlace
    from napari_scope.acquire.tiling import TileGrid

__all__ = ["SHORTCUTS", "ExplorerDock"]

SHORTCUTS: Final = ("F7", "F8", "F9")
"""Click to move, map, take tiles: in the whole window."""

_WITHOUT_DEVICES = "No microscope is loaded"


class ExplorerDock(ScopeDock):
    """Drives the stage and explores a sample.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer; napari passes it.
    microscope : Microscope, optional
        The microscope; the one that all docks share by default.

    Attributes
    ----------
    plan_made : Signal
        Positions for the plan of the Acquire dock: a ``useq.MDASequence``.
    """

    plan_made = Signal(object)

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        microscope: Microscope | None = None,
    ) -> None:
        super().__init__(napari_viewer, "explorer")
        self.microscope = Microscope.shared() if microscope is None else microscope
        self.microscope.hold(self)
        self._after_begin: TilePlan | None = None
        self._explored: Explored | None = None
        self._grid: TileGrid | None = None
        self._snap_next = False
        self.driver = StageDriver(self.microscope, self)
        self.control = StageControl(self.driver, self.microscope)
        self.map = StageMap(napari_viewer, self)
        self.clicks = CanvasClicks(napari_viewer, self)
        self.planner = TilePlanner(napari_viewer)
        self.explore = ExploreBox(self.remembered.folder)
        self.session = ExploreSession(napari_viewer, self.microscope, self)
        self.positions = PositionBox(napari_viewer)
        self.errors = ErrorPanel()
        self._lay_out()
        self._connect()
        self.restore_remembered()
        self._show_exploration()

    # ---- what a script may do

    def offer_positions(self, positions: Sequence[useq.AbsolutePosition]) -> None:
        """Hand positions to the plan of the Acquire dock."""
        import useq

        self.plan_made.emit(useq.MDASequence(stage_positions=tuple(positions)))
        try:
            from napari_scope.widgets.acquiring.plan_inbox import PlanInbox
        except ImportError:
            return  # whoever listens to the signal has it
        PlanInbox.of(self.microscope).offer_positions(tuple(positions))
        notify(f"{len(positions)} positions are in the plan of the Acquire dock.")

    def start_exploring(self, plan: TilePlan | None = None) -> None:
        """Begin a mosaic; an error goes to the error panel.

        Parameters
        ----------
        plan : TilePlan, optional
            Tiles to begin with, which lay out the grid; else it begins at the stage.
        """
        facts = self.driver.facts
        if self.session.busy or facts.grid is None:
            return
        try:
            wish = self.explore.wish(self.planner.overlap_px(facts.grid.image_px))
            if plan is not None:
                origin = plan.grid.origin_um
                wish = replace(wish, overlap_px=plan.grid.overlap_px, origin_um=origin)
        except ScopeError as error:
            self._fail(error, "The exploration could not begin")
            return
        self.errors.clear()
        self._explored = None
        self._after_begin = plan
        self.remembered.folder = Path(wish.folder)
        self.session.start(wish)
        self._show_exploration()

    def resume_exploring(self, path: str | Path) -> None:
        """Go on with a mosaic that is there; an error goes to the error panel."""
        if self.session.busy or self.driver.facts.grid is None:
            return
        self.errors.clear()
        self._explored = None
        self._after_begin = None
        self.session.resume(Path(path))
        self._show_exploration()

    # ---- life

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        return {
            "control": self.control.state(),
            "planner": self.planner.state(),
            "explore": self.explore.state(),
            "positions": self.positions.state(),
            "map": self.map_button.isChecked(),
            "snap": self.snap_box.isChecked(),
            "tab": self.tabs.currentIndex(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.control.restore(state.get("control", {}))
        self.planner.restore(state.get("planner", {}))
        self.explore.restore(state.get("explore", {}))
        self.positions.restore(state.get("positions", {}))
        self.map_button.setChecked(bool(state.get("map", True)))
        self.snap_box.setChecked(bool(state.get("snap", preferences().snap_after_move)))
        self.tabs.setCurrentIndex(int(state.get("tab", 0)))

    def on_shut_down(self) -> None:
        """End what goes on."""
        self.clicks.close()
        self.session.close()
        self.driver.close()
        self.planner.close_down()
        self.positions.close_down()
        self.map.close()
        self.microscope.release(self)

    # ---- layout

    def _lay_out(self) -> None:
        stage = StageBox(self.control)
        self.move_button, self.map_button = stage.move_button, stage.map_button
        self.snap_box = stage.snap_box
        self.take_button = mode_button(
            "Click and drag to take tiles",
            "stage-paint",
            "A double click in the viewer takes the tile there; dragging takes all "
            "tiles under the mouse (F9)",
        )
        tiles = QWidget()
        column = QVBoxLayout(tiles)
        column.setContentsMargins(0, 4, 0, 4)
        for title, part in (("Outlines", self.planner), ("Mosaic", self.explore)):
            box = QGroupBox(title)
            narrow(QVBoxLayout(box)).addWidget(part)
            column.addWidget(box)
            if part is self.explore and (inner := box.layout()) is not None:
                inner.addWidget(self.take_button)
        column.addStretch()
        positions = QWidget()
        narrow(QVBoxLayout(positions)).addWidget(self.positions)
        self.tabs = QTabWidget()
        self.tabs.addTab(tiles, "T&iles")
        self.tabs.addTab(positions, "Positio&ns")

        inner_widget = QWidget()
        column = QVBoxLayout(inner_widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(stage)
        column.addWidget(self.tabs, 1)
        layout = QVBoxLayout(self)
        # The image needs the width more than the edges of a dock do.
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(TallArea(inner_widget), 1)
        layout.addWidget(self.errors)

    def _connect(self) -> None:
        modes = (self.move_button, self.map_button, self.take_button)
        for keys, button in zip(SHORTCUTS, modes, strict=True):
            window_key(self, self.viewer, keys, button.click)
        self.driver.place_changed.connect(self._on_place)
        self.driver.facts_changed.connect(self._on_facts)
        self.driver.arrived.connect(self._on_arrived)
        self.map.removed.connect(lambda: self.map_button.setChecked(False))
        self.map_button.toggled.connect(self.map.set_visible)
        self.move_button.toggled.connect(lambda on: self._set_mode("move", on))
        self.take_button.toggled.connect(lambda on: self._set_mode("explore", on))
        self.clicks.pointed.connect(self._on_pointed)
        self.clicks.painted.connect(self.session.take_at)
        self.clicks.stepped.connect(self.control.step)
        self.planner.changed.connect(self._show_tiles)
        self.planner.explore_requested.connect(self._on_take)
        self.planner.offered.connect(self._on_offered)
        self.planner.listed.connect(self._on_listed)
        self.explore.start_requested.connect(lambda: self.start_exploring())
        self.explore.resume_requested.connect(self.resume_exploring)
        self.explore.finish_requested.connect(self._on_finish)
        self.explore.clear_requested.connect(self.session.clear)
        self.explore.pause_requested.connect(self.session.set_paused)
        self.explore.wish_changed.connect(self.planner.set_images_per_tile)
        self.session.began.connect(self._on_began)
        self.session.progressed.connect(self._on_progress)
        self.session.ended.connect(self._on_ended)
        self.positions.changed.connect(self._show_tiles)
        self.positions.go_requested.connect(self._go_to)
        self.positions.offered.connect(self.offer_positions)
        self.microscope.lock_changed.connect(self._show_exploration)
        for part in (self.driver, self.planner, self.session, self.positions):
            part.failed.connect(self._fail)

    # ---- the stage

    def _on_place(self, place: StagePlace) -> None:
        if place.x_um is not None and place.y_um is not None:
            self.map.set_field(place.x_um, place.y_um)
        self.positions.set_place(place)

    def _on_facts(self, facts: StageFacts) -> None:
        corners = None if facts.grid is None else footprint(facts.grid, 0.0, 0.0)
        self.map.set_shape(corners)
        self.planner.set_facts(facts)
        self.explore.set_channels(facts.channels)
        self.positions.set_devices(facts.xy_device, facts.focus_device)
        self._show_exploration()

    def _set_mode(self, mode: str, on: bool) -> None:
        if on:
            other = self.take_button if mode == "move" else self.move_button
            other.setChecked(False)
            self.clicks.set_mode("move" if mode == "move" else "explore")
        elif self.clicks.mode == mode:
            self.clicks.set_mode("")

    def _on_pointed(self, x_um: float, y_um: float) -> None:
        if self.clicks.mode == "explore":
            self.session.take_at([(x_um, y_um)])
        elif self._may_move():
            self._snap_next = self.snap_box.isChecked()
            self.driver.move_to(x_um, y_um)

    def _may_move(self) -> bool:
        reason = self.microscope.lock_reason
        if reason:
            notify(f"{reason}: the stage stays where it is.")
        return not reason

    def _on_arrived(self) -> None:
        snap, self._snap_next = self._snap_next, False
        if snap:
            self.microscope.live.snap()

    def _go_to(self, position: useq.AbsolutePosition) -> None:
        if self._may_move():
            self.driver.move_to(position.x, position.y, position.z)

    # ---- tiles

    def _on_take(self, plan: TilePlan) -> None:
        if self.session.running:
            self.session.take(plan.tiles)
        else:
            self.start_exploring(plan)

    def _on_offered(self, plan: TilePlan) -> None:
        self.offer_positions(plan.positions())

    def _on_listed(self, plan: TilePlan) -> None:
        self.positions.model.add(plan.positions())
        self.tabs.setCurrentIndex(1)

    def _show_tiles(self, _what: object = None) -> None:
        self._grid = self.session.grid or self._grid
        show_on_map(
            self.map,
            self.planner.plan,
            self._explored,
            self._grid,
            self.positions.positions,
            running=self.session.running,
        )

    # ---- exploring

    def _on_began(self) -> None:
        self.explore.show_wish(self.session.wish)
        self.explore.latest = str(self.session.path or "")
        self.planner.set_fixed_grid(self.session.grid)
        self.take_button.setChecked(True)
        plan, self._after_begin = self._after_begin, None
        if plan is not None:
            self.session.take(plan.tiles)
        self._show_exploration()

    def _on_progress(self, explored: Explored) -> None:
        before, self._explored = self._explored, explored
        if before != explored:
            self._show_tiles()
        self._show_exploration()

    def _on_finish(self) -> None:
        self.session.finish()
        self._show_exploration()

    def _on_ended(self, explored: Explored | None) -> None:
        self._explored = explored
        self._after_begin = None
        self.explore.show_wish(None)
        self.take_button.setChecked(False)
        self.planner.set_fixed_grid(None)
        self._show_tiles()
        if self.driver.place is not None:
            self._on_place(self.driver.place)  # no longer at the last tile
        self._show_exploration()

    def _show_exploration(self, _reason: str = "") -> None:
        session, facts = self.session, self.driver.facts
        why = self.microscope.lock_reason
        if not why and facts.grid is None:
            why = facts.why_not or _WITHOUT_DEVICES
        self.explore.show_state(
            self._explored, running=session.running, ending=session.ending, why=why
        )
        self.take_button.setEnabled(session.running)
        self.planner.set_takeable(session.running or (not why and not session.busy))

    def _fail(self, error: object, what: str) -> None:
        self._after_begin = None
        self._snap_next = False
        if isinstance(error, BaseException):
            self.errors.show_error(error, what)
        self._show_exploration()
