"""The map: where the camera looks, what was visited and what is planned, in the viewer.

Two layers of napari draw it, both meshes: all tiles are one, the field of view is the
other and follows the stage by its translation alone. As rectangles of a shapes layer
2,500 tiles take longer to add and ten times as long to change (0.6 s); points
and labels are slower to draw, vectors have no filling (``benchmarks/explorer.py``).

The layers lie in the viewer's world: micrometers of the stage, y downwards. They are
hidden by one call, come back after the user has removed them only when asked for, and
carry a mark by which whoever saves all layers can leave them out.

Examples
--------
>>> stage_map = StageMap(viewer)  # doctest: +SKIP
>>> stage_map.set_shape(corners)  # doctest: +SKIP
>>> stage_map.set_field(100.0, 50.0)  # doctest: +SKIP
>>> stage_map.set_tiles("planned", [(0.0, 0.0), (480.0, 0.0)])  # doctest: +SKIP
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.layers.helping import helping_metadata
from napari_scope.widgets.space.map_geometry import Mesh, frames, joined, moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari.viewer
    import numpy.typing as npt

__all__ = ["StageMap", "TileKind"]

TileKind: TypeAlias = Literal["taken", "position", "planned", "waiting"]

_KINDS: Final[tuple[TileKind, ...]] = get_args(TileKind)
# Seen on dark and light tissue alike; frame and filling of each kind, then the field.
_COLORS: Final = {
    "taken": ((0.30, 0.75, 0.42, 0.55), None),
    "position": ((0.93, 0.36, 0.83, 1.0), None),
    "planned": ((0.25, 0.68, 0.98, 1.0), (0.25, 0.68, 0.98, 0.13)),
    "waiting": ((0.98, 0.68, 0.15, 1.0), (0.98, 0.68, 0.15, 0.20)),
}
# A yellow that is seen on a white canvas, too.
_FIELD_COLOR: Final = (0.94, 0.78, 0.0, 1.0)
_LINE_PX: Final = 1.6
_FIELD_PX: Final = 2.5
_REDRAW_MS: Final = 120
_MUCH: Final = 1.5  # the zoom changes by so much before lines are made anew


class StageMap(QObject):
    """Draws the map of a stage.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where.
    parent : QObject, optional
        Owner.

    Attributes
    ----------
    removed : Signal
        The user has removed a layer of the map; it is hidden now.
    """

    removed = Signal()

    def __init__(
        self, viewer: napari.viewer.Viewer, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._corners: npt.NDArray[np.float64] | None = None
        self._tiles: dict[TileKind, npt.NDArray[np.float64]] = {}
        self._place: tuple[float, float] | None = None
        self._field: Any = None
        self._map: Any = None
        self._visible = True
        self._drawn_zoom = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REDRAW_MS)
        self._timer.timeout.connect(self.redraw)
        self._raiser = QTimer(self)
        self._raiser.setSingleShot(True)
        self._raiser.setInterval(0)
        self._raiser.timeout.connect(self._raise)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.scene.camera.events.zoom.connect(self._on_zoom)

    # ---- what is shown

    @property
    def visible(self) -> bool:
        """Whether the map is shown."""
        return self._visible

    @property
    def layers(self) -> list[Any]:
        """The layers of the map that are in the viewer."""
        return [layer for layer in (self._map, self._field) if layer is not None]

    def set_visible(self, visible: bool) -> None:
        """Show the map or hide it."""
        self._visible = visible
        if visible:
            self.redraw()
        for layer in self.layers:
            layer.visible = visible

    def set_shape(self, corners_um: Sequence[tuple[float, float]] | None) -> None:
        """Say what the camera sees around the place of the stage.

        Parameters
        ----------
        corners_um : sequence of (x, y), optional
            Four corners around 0, 0; None where it is not known: nothing is drawn.
        """
        if corners_um is None:
            self._corners = None
        else:
            self._corners = np.asarray(corners_um, float)[:, ::-1].copy()
        self.redraw()

    def set_field(self, x_um: float, y_um: float) -> None:
        """Say where the stage is."""
        self._place = (x_um, y_um)
        if self._field is None:
            self._draw_field()
        else:
            self._field.translate = (y_um, x_um)

    def set_tiles(
        self, kind: TileKind, places_um: Sequence[tuple[float, float]]
    ) -> None:
        """Say where tiles of a kind are: stage positions, x and y; drawn soon."""
        places = np.asarray(places_um, float).reshape(-1, 2)[:, ::-1]
        known = self._tiles.get(kind)
        if known is not None and np.array_equal(known, places):
            return
        self._tiles[kind] = places
        self._timer.start(0 if self._map is None else _REDRAW_MS)

    def places(self, kind: TileKind) -> npt.NDArray[np.float64]:
        """Return the places of a kind, (n, 2) in y and x."""
        return self._tiles.get(kind, np.empty((0, 2)))

    def close(self) -> None:
        """Take the map out of the viewer; idempotent."""
        self._timer.stop()
        self._raiser.stop()
        events = self._viewer.layers.events
        events.inserted.disconnect(self._on_inserted)
        events.removed.disconnect(self._on_removed)
        self._viewer.scene.camera.events.zoom.disconnect(self._on_zoom)
        layers, self._field, self._map = self.layers, None, None
        for layer in layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    # ---- drawing

    def redraw(self) -> None:
        """Draw what is known, with lines that suit the zoom."""
        self._timer.stop()
        if not self._visible or self._corners is None:
            for layer in self.layers:
                layer.visible = False
            return
        self._drawn_zoom = float(self._viewer.scene.camera.zoom)
        # napari takes no notice of the size of what a hidden layer gets.
        for layer in self.layers:
            layer.visible = True
        self._draw_tiles()
        self._draw_field()

    def _draw_tiles(self) -> None:
        if (
            not any(len(places) for places in self._tiles.values())
            and self._map is None
        ):
            return
        mesh = self.mesh()
        if self._map is None:
            self._map = self._add(mesh, "Stage map", _colors(), 2 * len(_KINDS) - 1)
        else:
            self._map.data = mesh

    def mesh(self) -> Mesh:
        """Return all tiles as one mesh."""
        assert self._corners is not None
        width = _LINE_PX / self._zoom()
        parts = []
        for number, kind in enumerate(_KINDS):
            filled = _COLORS[kind][1] is not None
            parts.append(
                frames(
                    moved(self._corners, self.places(kind)),
                    width,
                    2 * number,
                    2 * number + 1 if filled else None,
                )
            )
        return joined(parts)

    def _draw_field(self) -> None:
        if self._corners is None or self._place is None or not self._visible:
            return
        mesh = frames(self._corners[None], _FIELD_PX / self._zoom(), 0)
        x, y = self._place
        if self._field is None:
            self._field = self._add(mesh, "Field of view", [_FIELD_COLOR] * 2, 1)
        else:
            self._field.data = mesh
        self._field.translate = (y, x)

    def _zoom(self) -> float:
        zoom = float(self._viewer.scene.camera.zoom)
        return zoom if math.isfinite(zoom) and zoom > 0 else 1.0

    def _add(
        self,
        mesh: Mesh,
        name: str,
        colors: Sequence[tuple[float, ...]],
        highest: int,
    ) -> Any:
        """Add a layer and leave selection and view as they are."""
        from napari.utils import Colormap

        layers = self._viewer.layers
        selected, active = set(layers.selection), layers.selection.active
        had_layers = len(layers) > 0
        layer = self._viewer.add_surface(
            mesh,
            name=name,
            colormap=Colormap(colors, name=name, interpolation="zero"),
            contrast_limits=(-0.5, highest + 0.5),
            shading="none",
            blending="translucent_no_depth",
            units=("micrometer", "micrometer"),
            axis_labels=("y", "x"),
            metadata=helping_metadata(),
        )
        if had_layers:
            layers.selection = selected
            layers.selection.active = active
        return layer

    # ---- what the viewer tells

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        if layer is not self._map and layer is not self._field:
            return
        if layer is self._map:
            self._map = None
        else:
            self._field = None
        self._visible = False
        for other in self.layers:
            other.visible = False
        self.removed.emit()

    def _on_inserted(self, event: Any) -> None:
        if self.layers and event.value not in self.layers:
            self._raiser.start()

    def _raise(self) -> None:
        """Put the map above what was added: a mosaic would hide it."""
        layers = self._viewer.layers
        for layer in self.layers:
            if layer in layers and layers.index(layer) < len(layers) - 1:
                layers.move(layers.index(layer), len(layers))

    def _on_zoom(self, _event: object) -> None:
        if not self._drawn_zoom or not self._visible:
            return
        ratio = self._zoom() / self._drawn_zoom
        if max(ratio, 1 / ratio) > _MUCH and not self._timer.isActive():
            self._timer.start(_REDRAW_MS)


def _colors() -> list[tuple[float, ...]]:
    """Return the colour of each kind and of its filling."""
    found: list[tuple[float, ...]] = []
    for kind in _KINDS:
        frame, filling = _COLORS[kind]
        found += [frame, filling or (0.0, 0.0, 0.0, 0.0)]
    return found
