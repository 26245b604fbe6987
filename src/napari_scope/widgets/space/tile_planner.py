"""Tiles from drawn shapes: outlines in the viewer become a grid on the stage.

The shapes are a layer of napari like any other, drawn with napari's own tools; moving,
turning and scaling them counts. Tiles are worked out in a thread, because an outline
can stand for a million of them. What becomes of the tiles is for others: signals offer
them to be explored, to be put into a plan, or into the list of positions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_scope.acquire.regions import (
    ORDERS,
    TilePlan,
    laid_over,
    overlap_in_pixels,
    tiles_of,
)
from napari_scope.errors import ScopeError
from napari_scope.layers.helping import helping_metadata
from napari_scope.widgets.common.background import BackgroundCall
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.narrow import keep_narrow
from napari_scope.widgets.common.wording import duration_text, size_text
from napari_scope.widgets.space.world import outlines_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari.viewer

    from napari_scope.acquire.regions import Outline
    from napari_scope.acquire.stage_moves import StageFacts
    from napari_scope.acquire.tiling import TileGrid

__all__ = ["PLAN_LAYER", "TilePlanner"]

PLAN_LAYER: Final = "Tile plan"
_PATIENCE_MS: Final = 150
_OVERLAP_PERCENT: Final = 10.0
_DRAW: Final = (
    ("rectangle", "Draw rectangles around what is to be tiled"),
    ("polygon", "Draw polygons: click the corners, double click ends"),
    ("ellipse", "Draw ellipses around what is to be tiled"),
)
_SHAPE_EVENTS: Final = ("data", "set_data", "scale", "translate", "rotate", "affine")


class TilePlanner(QWidget):
    """Lays tiles over the shapes of a layer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer with the shapes.
    parent : QWidget, optional
        Owner.

    Attributes
    ----------
    changed : Signal
        Other tiles: a `TilePlan`, or None.
    explore_requested, offered, listed : Signal
        The tiles are to be taken now, to be put into a plan, or into the list of
        positions: a `TilePlan`.
    failed : Signal
        An exception, and what did not happen.
    """

    changed = Signal(object)
    explore_requested = Signal(object)
    offered = Signal(object)
    listed = Signal(object)
    failed = Signal(object, str)

    def __init__(
        self, viewer: napari.viewer.Viewer, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._facts: StageFacts | None = None
        self._fixed: TileGrid | None = None
        self._images_per_tile = 1
        self._takeable = True
        self._layer: Any = None
        self._ours: Any = None
        self._plan: TilePlan | None = None
        self._stale = False
        self._counter = BackgroundCall(self, abandon=True)
        self._counter.finished.connect(self._on_counted)
        self._counter.failed.connect(self._on_not_counted)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self._count)
        self._build()
        events = viewer.layers.events
        events.inserted.connect(self._list_layers)
        events.removed.connect(self._list_layers)
        self._list_layers()

    # ---- what others may ask and say

    @property
    def plan(self) -> TilePlan | None:
        """The tiles as they are shown."""
        return self._plan

    @property
    def layer(self) -> Any:
        """The layer with the outlines; None without one."""
        return self._layer

    def overlap_px(self, image_px: tuple[int, int]) -> tuple[int, int]:
        """Return the overlap in pixels; raises SettingsError if it is too much."""
        percent = self.unit.currentText() == "%"
        return overlap_in_pixels(image_px, self.overlap.value(), percent=percent)

    def set_facts(self, facts: StageFacts) -> None:
        """Say what the camera sees."""
        self._facts = facts
        self._patience.start()

    def set_fixed_grid(self, grid: TileGrid | None) -> None:
        """Use the grid of an exploration that goes on, or one of its own again."""
        self._fixed = grid
        for widget in (self.overlap, self.unit):
            widget.setEnabled(grid is None)
        self._patience.start()

    def set_takeable(self, takeable: bool) -> None:
        """Say whether tiles can be taken now."""
        self._takeable = takeable
        self._show()

    def set_images_per_tile(self, count: int) -> None:
        """Say how many images are taken of each tile, for the estimate."""
        self._images_per_tile = count
        self._show()

    def draw(self, kind: str) -> None:
        """Let the user draw shapes of a kind: rectangle, polygon or ellipse."""
        if self._layer is None:
            selected = self._viewer.add_shapes(
                name=PLAN_LAYER,
                ndim=2,
                edge_color="#40adfa",
                face_color="#40adfa22",
                edge_width=1,
                units=("micrometer", "micrometer"),
                axis_labels=("y", "x"),
                metadata=helping_metadata(),
            )
            self._ours = selected
            self._choose(selected)
        layer = self._layer
        zoom = float(self._viewer.scene.camera.zoom) or 1.0
        layer.current_edge_width = max(1e-3, 2.0 / zoom)
        layer.visible = True
        self._viewer.layers.selection.active = layer
        layer.mode = f"add_{kind}"

    def state(self) -> dict[str, Any]:
        """Return what is to be remembered."""
        return {
            "overlap": self.overlap.value(),
            "unit": self.unit.currentText(),
            "order": self.order.currentText(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.unit.setCurrentText(str(state.get("unit", "%")))
        self.order.setCurrentText(str(state.get("order", ORDERS[0])))
        value = state.get("overlap", _OVERLAP_PERCENT)
        if isinstance(value, int | float):
            self.overlap.setValue(float(value))

    def close_down(self) -> None:
        """Stop timers and threads and let go of the layers; idempotent."""
        self._patience.stop()
        self._counter.close()
        self._choose(None)
        events = self._viewer.layers.events
        events.inserted.disconnect(self._list_layers)
        events.removed.disconnect(self._list_layers)

    # ---- the layer of outlines

    def _list_layers(self, _event: object = None) -> None:
        shapes = [
            layer for layer in self._viewer.layers if layer._type_string == "shapes"
        ]
        chosen = self._layer if self._layer in shapes else None
        if chosen is None:
            chosen = self._ours if self._ours in shapes else None
        if chosen is None and shapes:
            chosen = shapes[-1]
        self.source.blockSignals(True)
        self.source.clear()
        for layer in shapes:
            self.source.addItem(layer.name, layer)
        self.source.setCurrentIndex(shapes.index(chosen) if chosen in shapes else -1)
        self.source.blockSignals(False)
        self.source.setVisible(len(shapes) > 1)
        self._choose(chosen)

    def _on_source(self, index: int) -> None:
        self._choose(self.source.itemData(index))

    def _choose(self, layer: Any) -> None:
        if layer is self._layer:
            return
        if self._layer is not None:
            for name in _SHAPE_EVENTS:
                getattr(self._layer.events, name).disconnect(self._on_shapes)
        self._layer = layer
        if layer is not None:
            for name in _SHAPE_EVENTS:
                getattr(layer.events, name).connect(self._on_shapes)
        self._patience.start()

    def _on_shapes(self, _event: object = None) -> None:
        self._patience.start()

    # ---- counting

    def _count(self) -> None:
        if self._counter.busy:
            self._stale = True
            return
        self._stale = False
        facts, layer = self._facts, self._layer
        outlines = [] if layer is None else outlines_of(self._viewer, layer)
        if facts is None or facts.grid is None or not outlines:
            self._take(None)
            return
        grid, fixed, order = facts.grid, self._fixed, self.order.currentText()
        try:
            overlap = self.overlap_px(grid.image_px)
        except ScopeError as error:
            self._take(None)
            self.summary.setText(error.message)
            return
        self._counter.start(
            lambda: _planned(grid, fixed, overlap, outlines, order),
            "napari-scope tiles",
        )

    def _on_counted(self, plan: object) -> None:
        if self._stale:
            self._patience.start()
        self._take(plan if isinstance(plan, TilePlan) else None)

    def _on_not_counted(self, error: object) -> None:
        self._take(None)
        self.failed.emit(error, "The outlines cannot be tiled")

    def _take(self, plan: TilePlan | None) -> None:
        before, self._plan = self._plan, plan
        self._show()
        if plan != before:
            self.changed.emit(plan)

    def _show(self) -> None:
        plan, facts = self._plan, self._facts
        for button in (self.explore_button, self.offer_button, self.list_button):
            button.setEnabled(plan is not None)
        self.explore_button.setEnabled(plan is not None and self._takeable)
        if facts is not None and facts.grid is None:
            self.summary.setText(f"No tiles can be laid out: {facts.why_not}")
        elif plan is None or facts is None:
            self.summary.setText("Draw what is to be tiled.")
        else:
            width, height = (side / 1000 for side in plan.size_um())
            images = self._images_per_tile
            size = plan.n_bytes(images, facts.bytes_per_pixel)
            seconds = len(plan.tiles) * images * facts.exposure_ms / 1000
            count = len(plan.tiles)
            each = f" x {images} images" if images > 1 else ""
            self.summary.setText(
                f"{count} {'tile' if count == 1 else 'tiles'}{each}, "
                f"{width:.2f} x {height:.2f} mm, {size_text(size)}, "
                f"{duration_text(seconds)} of exposure"
            )

    # ---- layout

    def _build(self) -> None:
        self.draw_buttons: dict[str, QToolButton] = {}
        tools = QHBoxLayout()
        tools.addWidget(QLabel("Draw"))
        for kind, tip in _DRAW:
            tool = QToolButton()
            tool.setIcon(icon(f"draw-{kind}"))
            tool.setToolTip(tip)
            tool.setAccessibleName(f"Draw {kind}")
            tool.clicked.connect(lambda _=False, kind=kind: self.draw(kind))
            self.draw_buttons[kind] = tool
            tools.addWidget(tool)
        self.source = QComboBox()
        self.source.setToolTip("Which layer of shapes is tiled")
        self.source.setAccessibleName("Layer of outlines")
        self.source.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.source.setMinimumContentsLength(8)
        self.source.activated.connect(self._on_source)
        tools.addWidget(self.source, 1)
        tools.addStretch()

        self.overlap = QDoubleSpinBox()
        self.overlap.setRange(0, 10_000)
        self.overlap.setDecimals(1)
        self.overlap.setValue(_OVERLAP_PERCENT)
        self.overlap.setToolTip("What neighbouring tiles share")
        self.overlap.setAccessibleName("Overlap")
        keep_narrow(self.overlap, "--- 100.0 +++")
        self.unit = QComboBox()
        self.unit.addItems(["%", "px"])
        self.unit.setToolTip("Percent of the image, or pixels")
        self.unit.setAccessibleName("Unit of the overlap")
        self.order = QComboBox()
        self.order.addItems(ORDERS)
        self.order.setToolTip("In which order the tiles of each outline are taken")
        self.order.setAccessibleName("Order of the tiles")
        self.overlap.valueChanged.connect(self._patience.start)
        self.unit.currentTextChanged.connect(self._on_shapes)
        self.order.currentTextChanged.connect(self._on_shapes)
        form = QGridLayout()
        form.addWidget(QLabel("Overlap"), 0, 0)
        form.addWidget(self.overlap, 0, 1)
        form.addWidget(self.unit, 0, 2)
        form.addWidget(QLabel("Order"), 1, 0)
        form.addWidget(self.order, 1, 1, 1, 2)
        form.setColumnStretch(1, 1)

        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.explore_button = QPushButton("Take these tiles")
        self.explore_button.setToolTip(
            "Take all tiles now, into the mosaic of the exploration; it begins if none "
            "goes on"
        )
        self.offer_button = QPushButton("Into the plan")
        self.offer_button.setToolTip(
            "Put the tiles as positions into the plan of the Acquire dock"
        )
        self.list_button = QPushButton("Into the list")
        self.list_button.setToolTip("Add the tiles to the list of positions")
        for button, signal in (
            (self.explore_button, self.explore_requested),
            (self.offer_button, self.offered),
            (self.list_button, self.listed),
        ):
            button.setEnabled(False)
            button.clicked.connect(lambda _=False, s=signal: self._offer(s))
        others = QHBoxLayout()
        others.addWidget(self.offer_button)
        others.addWidget(self.list_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(tools)
        layout.addLayout(form)
        layout.addWidget(self.summary)
        layout.addWidget(self.explore_button)
        layout.addLayout(others)

    def _offer(self, signal: Any) -> None:
        if self._plan is not None:
            signal.emit(self._plan)


def _planned(
    grid: TileGrid,
    fixed: TileGrid | None,
    overlap: tuple[int, int],
    outlines: Sequence[Outline],
    order: Any,
) -> TilePlan | None:
    """Work the tiles out, in a thread."""
    grid = fixed or laid_over(replace(grid, overlap_px=overlap), outlines)
    tiles = tiles_of(grid, outlines, order)
    return TilePlan(grid, tuple(tiles)) if tiles else None
