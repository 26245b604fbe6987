"""The layers of a run while it goes on: pulled from the stream, never pushed.

One timer, at most thirty times a second, asks the stream for its newest frame and does
what `napari_scope.layers.live` finds due: make a layer, move the sliders, redraw one
layer. The layers that come first are made while the hardware is still being set up, so
that the viewer stands still before the first frame and not while frames come. How
often is looked depends on what a look costs and on whether the run keeps up
(`napari_scope.layers.live_pace`). More than `MAX_LAYERS` layers are never made.

The pixels are read by napari from the stream's view, which stays valid after the run;
there is no second copy. If the GUI is slow, frames are passed over here and nowhere
else. Layers are made by `run_layers`, the camera is moved by `run_camera`.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_scope.layers import MAX_LAYERS
from napari_scope.layers.live import LiveState
from napari_scope.layers.live_pace import SHORTEST_MS, pause_ms
from napari_scope.layers.live_sliders import Follower, plane_index, plane_point
from napari_scope.widgets.acquiring.run_camera import RunCamera
from napari_scope.widgets.acquiring.run_layers import RunLayers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import napari.layers
    import napari.viewer

    from napari_scope.layers.live import LayerKey, Plane
    from napari_scope.stream import StreamView

__all__ = ["LiveLayers"]

_FIND_MS: Final = 5  # until there is something to look at
_GROW_INTERVAL_S: Final = 0.25
_NOTE: Final = (
    f"Only the first {MAX_LAYERS} layers are shown, more would slow down napari. "
    "All frames are acquired."
)


class LiveLayers(QObject):
    """Shows one run at a time in a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer.
    parent : QObject
        Owner; the timer stops with it.
    clock : callable
        Seconds on a steady clock.

    Attributes
    ----------
    following_changed : Signal
        The newest frame is followed from now on, or not any more.
    note_changed : Signal
        What the user should know about the layers; empty when there is nothing.
    """

    following_changed = Signal(bool)
    note_changed = Signal(str)

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        parent: QObject | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._viewer: Any = viewer
        self._clock = clock
        self._timer = QTimer(self)
        self._timer.setInterval(SHORTEST_MS)
        self._timer.timeout.connect(self._on_timer)
        self._find_view: Callable[[], StreamView | None] = lambda: None
        self._eased: Callable[[], AbstractContextManager[None]] = nullcontext
        self._lagging: Callable[[], bool] = lambda: False
        self._easing = ExitStack()
        self._earlier: list[napari.layers.Image] = []
        self._painted = QTimer(self)
        self._painted.setSingleShot(True)
        self._painted.setInterval(0)
        self._painted.timeout.connect(self._on_painted)
        self._begun = 0.0
        self._made = False
        self._reset(())

    def _reset(self, order: tuple[str, ...]) -> None:
        self._view: StreamView | None = None
        self._state = LiveState(order)
        self._follower = Follower()
        self._shown: RunLayers | None = None
        self._camera = RunCamera(self._viewer)
        self._ending = False
        self._note = ""
        self._grown = 0
        self._grown_at = -_GROW_INTERVAL_S
        self.redraws = 0

    @property
    def viewer(self) -> napari.viewer.Viewer:
        """The viewer."""
        return self._viewer

    # ---- a run

    @property
    def active(self) -> bool:
        """Whether a run is being shown, or its last layers are being made."""
        return self._timer.isActive()

    @property
    def note(self) -> str:
        """What the user should know about the layers; often nothing."""
        return self._note

    @property
    def layers(self) -> dict[LayerKey, napari.layers.Image]:
        """The layers of the latest run, as long as the user has not removed them."""
        return {} if self._shown is None else self._shown.present

    def start(
        self,
        find_view: Callable[[], StreamView | None],
        order: Sequence[str] = (),
        *,
        eased: Callable[[], AbstractContextManager[None]] = nullcontext,
        lagging: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin to show a run.

        Parameters
        ----------
        find_view : callable
            Returns the view of the run's stream, None while there is none.
        order : sequence of str
            Axes from slowest to fastest (see `layers.live.fill_order`).
        eased : callable
            Makes a context in which the run leaves the processor to the viewer.
        lagging : callable
            Whether frames wait for the run: then it needs the processor itself.
        """
        earlier = [*self._earlier, *self.layers.values()]
        following = self._follower.on
        self._reset(tuple(order))
        self._follower.on = following
        self._earlier = earlier
        self._find_view = find_view
        self._eased = eased
        self._lagging = lagging
        self.note_changed.emit("")
        self._timer.setInterval(_FIND_MS)
        self._timer.start()

    def finish(self) -> None:
        """Show what came last; the layers stay.

        Layers that are still to be made are made one by one, so the GUI stays alive.
        The timer stops after the last of them.
        """
        if not self._timer.isActive() or self._ending:
            return
        self._look()
        self._state.finish()
        self._ending = True
        self.tick()

    def stop(self) -> None:
        """Stop at once; idempotent."""
        self._timer.stop()
        self._painted.stop()
        self._easing.close()

    # ---- following

    @property
    def following(self) -> bool:
        """Whether the newest frame is shown."""
        return self._follower.on

    def set_following(self, on: bool) -> None:
        """Follow the newest frame, or not."""
        if on:
            self._follower.resume()
            self._camera.take_back()
            self._follow()
        else:
            self._follower.on = False

    # ---- one look

    def _on_timer(self) -> None:
        if self._painted.isActive():
            return  # the last look is still to be seen
        self._begun = time.perf_counter()
        self._made = self.tick()
        # Its turn comes when napari has painted what is new.
        self._painted.start()

    def _on_painted(self) -> None:
        if self._made and self._makes_ahead():
            return  # the next layer at once
        self._easing.close()
        if self._shown is None:
            return
        # Making a layer says nothing about what the next look costs.
        spent_s = 0.0 if self._made else time.perf_counter() - self._begun
        pause = pause_ms(1000 * spent_s, lagging=self._lagging())
        self._timer.setInterval(pause)

    def tick(self) -> bool:
        """Do what is due; returns whether a layer was made."""
        news = self._look()
        made = self._make_next_layer()
        self._take_growth()
        if news or made or self._ending:
            self._follow()
        elif self._follower.on:
            self._notice_user()
        self._redraw()
        if self._ending and not made:
            self._end()
        return made

    def _end(self) -> None:
        self.stop()
        if self._shown is not None:
            self._shown.drop_empty()
            self._shown.set_last_contrasts()
        for layer in self.layers.values():
            if layer.visible:
                layer.refresh(extent=False, highlight=False)

    def _look(self) -> bool:
        if self._shown is None:
            self._view = self._find_view()
            if self._view is None:
                return False
            self._grown = self._view.grown
            self._shown = RunLayers(self._viewer, self._view, self._state)
            if not self._shown.in_order:
                self._state.order = ()
        return self._shown.look()

    def _makes_ahead(self) -> bool:
        """Whether layers are still to be made before the first frame."""
        return self._state.newest is None and bool(
            self._state.layers_to_make(ahead=not self._ending)
        )

    def _make_next_layer(self) -> bool:
        """Make one layer; more in one go would hold up the GUI."""
        if self._shown is None:
            return False
        # Without an order frames that came between two looks were not seen.
        wanted = self._state.layers_to_make(
            all_of_them=self._ending and not self._state.order,
            ahead=not self._ending,
        )
        if not wanted:
            return False
        if self._shown.count >= MAX_LAYERS:
            self._say(_NOTE)
            return False
        key = wanted[0]
        self._state.made(key)
        # napari clips the sliders to the extent of the layers, so look first whether
        # the user has moved one.
        self._notice_user()
        self._add_layer(self._shown, key)
        self._remember_sliders()
        return True

    def _add_layer(self, shown: RunLayers, key: LayerKey) -> None:
        # Until it is painted, and the others that come first with it.
        self._easing.enter_context(self._eased())
        # Two runs of the same place would shine through each other. Not before: the
        # viewer would have to paint once more.
        while self._earlier:
            self._earlier.pop().visible = False
        layer = shown.make(key)
        self._state.sliced(key, self._plane_shown(key, layer))
        if self._follower.on:
            self._camera.show_new(key.image, shown.boxes)

    def _say(self, note: str) -> None:
        if note != self._note:
            self._note = note
            self.note_changed.emit(note)

    def _take_growth(self) -> None:
        """Tell napari that arrays have grown, not more than four times a second."""
        if self._view is None or self._view.grown == self._grown:
            return
        now = self._clock()
        if not self._ending and now - self._grown_at < _GROW_INTERVAL_S:
            return
        self._notice_user()
        self._grown = self._view.grown
        self._grown_at = now
        for layer in self.layers.values():
            layer.data = layer.data
        self._remember_sliders()

    # ---- sliders

    def _axes(self, layer: Any) -> tuple[list[int], list[str]]:
        """Return which sliders belong to a layer, and their names."""
        names = list(layer.axis_labels)[:-2]
        offset = self._viewer.dims.ndim - layer.ndim
        return [offset + i for i in range(len(names))], names

    def _follow(self) -> None:
        target = self._state.target
        if target is None or not self._notice_user():
            return
        layer = next(
            (v for k, v in self.layers.items() if k.image == target.image), None
        )
        if layer is None:
            return
        axes, names = self._axes(layer)
        n = len(names)
        point = plane_point(target, names, layer.scale[:n], layer.translate[:n])
        before = self._sliders()
        if axes:
            self._viewer.dims.set_point(axes, point)
        self._remember_sliders()
        if self._sliders() != before:
            # Only then napari has read the planes again.
            for key, shown in self.layers.items():
                self._state.sliced(key, self._plane_shown(key, shown))
        if self._shown is not None:
            self._camera.go_to(target.image, self._shown.boxes)

    def _notice_user(self) -> bool:
        """Return whether to go on following; says so when that has just ended."""
        was_on = self._follower.on
        going_on = self._follower.check(self._sliders())
        if was_on and not going_on:
            self.following_changed.emit(False)
        return going_on

    def _remember_sliders(self) -> None:
        if self._follower.on:
            self._follower.placed(self._sliders())

    def _sliders(self) -> tuple[float, ...]:
        # y and x are never moved by a slider while they are displayed.
        return tuple(self._viewer.dims.point[:-2])

    def _plane_shown(self, key: LayerKey, layer: Any) -> Plane:
        axes, names = self._axes(layer)
        n = len(names)
        point = [self._viewer.dims.point[axis] for axis in axes]
        return plane_index(
            point, key.image, names, layer.scale[:n], layer.translate[:n]
        )

    def _redraw(self) -> None:
        """Redraw the layers whose shown plane has just been written."""
        if self._shown is None:
            return
        now = self._clock()
        for key, layer in self.layers.items():
            plane = self._plane_shown(key, layer)
            if self._shown.holds(key, plane) and self._state.due(key, plane, now):
                layer.refresh(thumbnail=False, extent=False, highlight=False)
                self.redraws += 1
            self._shown.set_contrast(key, plane)
