"""Watches a store that is being written: its layers grow while they are looked at.

A timer asks the data set in a thread what was added (`Dataset.reload`), and
`napari_scope.layers.growing` says what becomes of the layers. They are changed one by
one in the GUI thread, so that the viewer stays alive. Contrast, colours and sliders
stay as the user has put them; only a time slider that stands at the newest plane moves
on with it.

A watcher is a child of the viewer's window and ends with it. It ends by itself when
the store is finished, when its layers are gone, and when the store cannot be read any
more, which is said once.

Examples
--------
>>> window = viewer.window.main_menu.window()  # doctest: +SKIP
>>> StoreWatcher(viewer, dataset, window).start()  # doctest: +SKIP
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QEvent, QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QWidget

from napari_scope.layers import MAX_LAYERS, origin_of
from napari_scope.layers.growing import Growth, grown, new_look
from napari_scope.layers.live import view_is_compact
from napari_scope.widgets.background import BackgroundCall
from napari_scope.widgets.error_panel import explain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import napari.viewer

    from napari_scope.layers import LayerData, LayerOrigin
    from napari_scope.layers.growing import LayerChange
    from napari_scope.model import Dataset

__all__ = ["StoreWatcher", "follow_in_current_viewer", "watchers_in"]

_INTERVAL_MS: Final = 1000
_SLOWEST_MS: Final = 5000
_LOOKS_FOR_LAYERS: Final = 20
_NEWEST_OF: Final = 50  # time points that are searched for one that is complete


class StoreWatcher(QObject):
    """Lets the layers of one data set grow.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer with the layers.
    dataset : Dataset
        The data set, as its layers know it.
    window : QWidget
        The viewer's window, which becomes the parent.
    once : bool
        Look once and end, also at a store that is finished.
    interval_ms : int
        Time between two looks; it grows five-fold while nothing is added.

    Attributes
    ----------
    grown : Signal
        The layers show what was added; carries the data set as it is now.
    ended : Signal
        No more is looked for; carries the reason, empty if all went well.
    """

    grown = Signal(object)
    ended = Signal(str)

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        dataset: Dataset,
        window: QWidget,
        *,
        once: bool = False,
        interval_ms: int = _INTERVAL_MS,
    ) -> None:
        super().__init__(window)
        self._viewer: Any = viewer
        self._dataset = dataset
        self._window = window
        self._once = once
        self._stopped = False
        self._interval_ms = interval_ms
        self._seen_layers = False
        self._looks = 0
        self._told = False
        self._follows = False
        self._camera: tuple[float, ...] | None = None
        self._growth: Growth | None = None
        self._pending: deque[LayerChange | LayerData] = deque()
        self._places: list[tuple[Any, dict[str, int]]] = []
        self._timer = QTimer(self)
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self.look)
        self._apply_timer = QTimer(self)
        self._apply_timer.setInterval(0)
        self._apply_timer.timeout.connect(self._apply_next)
        self._close_timer = QTimer(self)
        self._close_timer.setSingleShot(True)
        self._close_timer.timeout.connect(self._stop_if_closed)
        self._call = BackgroundCall(self)
        self._call.finished.connect(self._on_looked)
        self._call.failed.connect(self._on_failed)
        window.installEventFilter(self)

    @property
    def dataset(self) -> Dataset:
        """The data set as it was found last."""
        return self._dataset

    @property
    def active(self) -> bool:
        """Whether more is looked for."""
        return not self._stopped

    @property
    def once(self) -> bool:
        """Whether it ends after the next look."""
        return self._once

    @property
    def layers(self) -> list[Any]:
        """The layers of the data set in the viewer."""
        return [
            layer
            for layer in self._viewer.layers
            if (origin := origin_of(layer.metadata)) is not None
            and origin.dataset is self._dataset
        ]

    def start(self) -> None:
        """Begin to look: at once when asked for one look, else after the interval."""
        if self._once:
            self.look()
        elif not self._stopped:
            self._timer.start()

    def set_following(self, following: bool) -> None:
        """Go on looking, or end once what was found last is shown.

        What a look has found is never dropped by this: a store says only once that it
        has grown.
        """
        self._once = not following
        if self._stopped:
            return
        if following:
            self._timer.start()
            return
        self._timer.stop()
        if not self._call.busy and not self._pending:
            self.stop()

    def stop(self, reason: str = "") -> None:
        """End; waits for a look that is under way; idempotent."""
        if self._stopped:
            return
        self._stopped = True
        self._timer.stop()
        self._apply_timer.stop()
        self._close_timer.stop()
        self._pending.clear()
        self._call.close()
        self._window.removeEventFilter(self)
        self.ended.emit(reason)
        self.deleteLater()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stop when the window closes, unless somebody keeps it open."""
        if event is not None and event.type() == QEvent.Type.Close:
            if self._window.isVisible():
                self._close_timer.start(0)
            else:
                self.stop()
        return False

    def _stop_if_closed(self) -> None:
        if not self._window.isVisible():
            self.stop()

    # ---- looking

    def look(self) -> None:
        """Look now whether something was added."""
        if self._stopped or self._call.busy or self._pending:
            return
        layers = self.layers
        self._looks += 1
        if not layers:
            # A reader starts the watcher before napari has made the layers.
            if self._seen_layers or self._looks > _LOOKS_FOR_LAYERS or self._once:
                self.stop()
            return
        if not self._seen_layers:
            self._seen_layers = True
            self._camera = self._camera_now()
        dataset = self._dataset
        origins = [origin_of(layer.metadata) for layer in layers]
        known = list({id(o): o for o in origins if o is not None}.values())
        self._call.start(lambda: _look(dataset, known), "napari-scope store watcher")

    def _on_looked(self, growth: Growth | None) -> None:
        if growth is None:
            slower = self._timer.interval() * 3 // 2
            self._timer.setInterval(min(slower, 5 * self._interval_ms, _SLOWEST_MS))
            if self._once or self._dataset.finished:
                self.stop()
            return
        self._timer.setInterval(self._interval_ms)
        self._growth = growth
        layers = self.layers
        self._follows = self._is_at_newest(layers)
        self._places = [(layer, self._place(layer)) for layer in layers]
        self._pending.extend(growth.changes)
        self._pending.extend(growth.added)
        if growth.left_out and not self._told:
            self._told = True
            _warn(
                f"{growth.left_out} more layers would be made of "
                f"{growth.dataset.path}, but more than {MAX_LAYERS} slow down napari. "
                "Open it again to see all positions on a slider."
            )
        self._apply_timer.start()

    def _on_failed(self, error: BaseException) -> None:
        words = explain(error)
        reason = f"{words.message} ({words.hint})" if words.hint else words.message
        _warn(f"{self._dataset.path} is not followed any more: {reason}")
        self.stop(reason)

    # ---- changing layers, one in each turn of the event loop

    def _apply_next(self) -> None:
        if self._pending:
            step = self._pending.popleft()
            if isinstance(step, tuple):
                self._add(step)
            else:
                for layer in self._layers_of(step.before):
                    self._change(layer, step)
        if not self._pending:
            self._apply_timer.stop()
            self._end_of_growth()

    def _end_of_growth(self) -> None:
        growth, self._growth = self._growth, None
        if growth is None:
            return
        self._dataset = growth.dataset
        self._place_sliders()
        self.grown.emit(growth.dataset)
        if self._once or growth.dataset.finished or growth.dataset.reload is None:
            self.stop()

    def _layers_of(self, origin: LayerOrigin) -> list[Any]:
        return [
            layer
            for layer in self._viewer.layers
            if origin_of(layer.metadata) is origin
        ]

    def _change(self, layer: Any, change: LayerChange) -> None:
        data, _, _ = change.after
        if _needs_another_layer(layer, change):
            self._replace(layer, change)
            return
        old: Mapping[str, Any] = change.before.look
        new: Mapping[str, Any] = _origin(change.after).look
        if new["scale"] != old["scale"]:
            layer.scale = new["scale"]
        if new["translate"] != old["translate"]:
            # A mosaic that grows to the left. Where the user put it, it stays put.
            layer.translate = layer.translate + np.subtract(
                new["translate"], old["translate"]
            )
        # Set, not updated: docks hear of it.
        layer.metadata = layer.metadata | _metadata(change.after)
        for name, value in new_look(
            change.before, change.after, _shown(layer, change.before)
        ).items():
            setattr(layer, name, value)
        if change.redraw:
            layer.data = data

    def _replace(self, layer: Any, change: LayerChange) -> None:
        """Put a new layer in the place of one that cannot take the data."""
        data, arguments, kind = change.after
        look = new_look(change.before, change.after, _shown(layer, change.before))
        _, state, _ = layer.as_layer_data_tuple()
        if layer.ndim != len(_origin(change.after).axes):
            # These have a number for each axis; the plugin never sets them.
            for name in ("affine", "rotate", "shear", "plane"):
                state.pop(name, None)
            state.pop("experimental_clipping_planes", None)
        for name in ("scale", "translate", "units", "axis_labels", "multiscale", "rgb"):
            state[name] = arguments[name]
        state["metadata"] = layer.metadata | _metadata(change.after)
        name = state["name"] = str(look.pop("name", layer.name))
        layers = self._viewer.layers
        selected, active = set(layers.selection), layers.selection.active
        new = type(layer).create(data, {**state, **look}, kind)
        # Before the old one goes: a viewer without layers forgets sliders and camera.
        layers.insert(layers.index(layer), new)
        layers.remove(layer)
        new.name = name
        layers.selection = {new if one is layer else one for one in selected}
        layers.selection.active = new if active is layer else active
        self._places = [
            (new if one is layer else one, place) for one, place in self._places
        ]

    def _add(self, layer: LayerData) -> None:
        data, arguments, _ = layer
        layers = self._viewer.layers
        selected, active = set(layers.selection), layers.selection.active
        like = self._layer_like(_metadata(layer))
        untouched = self._camera == self._camera_now()
        new = self._viewer.add_image(data, **arguments)
        if like is not None and not new.rgb:
            for name in ("contrast_limits", "colormap", "gamma", "visible"):
                setattr(new, name, getattr(like, name))
        layers.selection = selected
        layers.selection.active = active
        if untouched and view_is_compact([_box(one) for one in layers]):
            self._viewer.reset_view()
            self._camera = self._camera_now()

    def _camera_now(self) -> tuple[float, ...]:
        camera = self._viewer.scene.camera
        return (*camera.center, camera.zoom)

    def _layer_like(self, metadata: dict[str, Any]) -> Any | None:
        """Return a layer of the store that shows the same channel elsewhere."""
        channel = metadata["napari_scope"]["channel"]
        for layer in self._viewer.layers:
            origin = origin_of(layer.metadata)
            facts = layer.metadata.get("napari_scope", {})
            if (
                origin is not None
                and origin.dataset.path == self._dataset.path
                and facts.get("channel") == channel
                and not layer.rgb
            ):
                return layer
        return None

    # ---- sliders

    def _place(self, layer: Any) -> dict[str, int]:
        """Return the index on each axis of a layer at which the sliders stand."""
        origin = origin_of(layer.metadata)
        point = layer.world_to_data(self._viewer.dims.point)
        names = () if origin is None else origin.axes
        return {n: round(float(x)) for n, x in zip(names, point, strict=False)}

    def _is_at_newest(self, layers: Sequence[Any]) -> bool:
        newest = self._newest(layers)
        if newest is None:
            return False
        layer, time = newest
        return self._place(layer)["t"] >= time

    def _newest(self, layers: Sequence[Any]) -> tuple[Any, int] | None:
        """Return a layer with a time axis and the newest time that all layers have.

        A time that not every visible layer has been given yet would be shown with
        black parts.
        """
        timed: list[tuple[int, Any, LayerOrigin, dict[str, int]]] = []
        for layer in layers:
            origin = origin_of(layer.metadata)
            if origin is not None and "t" in origin.axes and layer.visible:
                array = layer.data[0] if layer.multiscale else layer.data
                length = array.shape[origin.axes.index("t")]
                timed.append((length, layer, origin, self._place(layer)))
        if not timed:
            return None
        longest, of_layer, *_ = max(timed, key=lambda one: one[0])
        for time in range(longest - 1, max(-1, longest - 1 - _NEWEST_OF), -1):
            if all(
                origin.frame_exists([*{**place, "t": time}.values()])
                for _, _, origin, place in timed
            ):
                return of_layer, time
        return of_layer, longest - 1

    def _place_sliders(self) -> None:
        """Put the sliders where they stood, or the time at the newest plane."""
        alive = [(v, p) for v, p in self._places if v in self._viewer.layers]
        self._places = []
        newest = self._newest(self.layers) if self._follows else None
        dims = self._viewer.dims
        targets: dict[int, float] = {}
        wanted = alive[:1]
        if newest is not None:
            wanted.append((newest[0], {"t": newest[1]}))
        for layer, place in wanted:
            origin = origin_of(layer.metadata)
            for axis, name in enumerate(() if origin is None else origin.axes):
                if name in place:
                    point = place[name] * layer.scale[axis] + layer.translate[axis]
                    targets[dims.ndim - layer.ndim + axis] = float(point)
        shown = set(dims.displayed)
        moves = {
            axis: point
            for axis, point in targets.items()
            if axis not in shown and not np.isclose(dims.point[axis], point)
        }
        if moves:
            dims.set_point(list(moves), list(moves.values()))


def watchers_in(window: QWidget | None) -> list[StoreWatcher]:
    """Return the watchers of a viewer's window that still look for more."""
    if window is None:
        return []
    return [w for w in window.findChildren(StoreWatcher) if w.active]


def follow_in_current_viewer(dataset: Dataset) -> StoreWatcher | None:
    """Watch a data set whose layers are about to be added to the current viewer.

    Returns
    -------
    StoreWatcher or None
        None without a viewer with a window.
    """
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return None
    window = viewer.window.main_menu.window()
    if not isinstance(window, QWidget):
        return None
    watcher = StoreWatcher(viewer, dataset, window)
    watcher.start()
    return watcher


def _look(dataset: Dataset, origins: Sequence[LayerOrigin]) -> Growth | None:
    found = None if dataset.reload is None else dataset.reload()
    return None if found is None else grown(origins, found)


def _warn(message: str) -> None:
    from napari.utils import notifications

    notifications.show_warning(message)


def _metadata(layer: LayerData) -> dict[str, Any]:
    metadata = layer[1]["metadata"]
    return dict(metadata) if isinstance(metadata, dict) else {}


def _origin(layer: LayerData) -> LayerOrigin:
    origin = origin_of(_metadata(layer))
    if origin is None:
        raise TypeError("a layer that was not made from a data set")
    return origin


def _needs_another_layer(layer: Any, change: LayerChange) -> bool:
    """Return whether napari cannot give a layer these data."""
    data: Any
    data, arguments, _ = change.after
    first = data[0] if arguments["multiscale"] else data
    now = layer.data[0] if layer.multiscale else layer.data
    return bool(
        layer.multiscale != arguments["multiscale"]
        or layer.rgb != arguments["rgb"]
        or now.dtype != first.dtype
        or change.before.axes != _origin(change.after).axes
    )


def _box(layer: Any) -> tuple[float, float, float, float]:
    low, high = layer.extent.world
    return float(low[-2]), float(low[-1]), float(high[-2]), float(high[-1])


def _shown(layer: Any, before: LayerOrigin) -> dict[str, object]:
    """Return how a layer looks, in the words in which it was told."""
    from napari.utils.colormaps import ensure_colormap

    shown: dict[str, object] = {"name": layer.name}
    if layer.rgb:
        return shown
    shown["contrast_limits"] = tuple(float(x) for x in layer.contrast_limits)
    blending = str(layer.blending)
    # What napari takes when it is told nothing.
    if "blending" in before.look or not blending.startswith("translucent"):
        shown["blending"] = blending
    told = before.look.get("colormap")
    if told is not None:
        colors = ensure_colormap(told).colors
        same = np.array_equal(colors, layer.colormap.colors)
        shown["colormap"] = told if same else layer.colormap
    return shown
