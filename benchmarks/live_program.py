"""One live view in a window of napari, in a process of its own; see `benchmarks.live`.

Prints its numbers as one line of JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.gui import Ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari
    from pymmcore_plus import CMMCorePlus

_PATIENCE_S = 60.0
_SETTLE_S = 1.5


class _Program(Protocol):
    """A program with a live view."""

    core: CMMCorePlus

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def shown(self) -> int: ...

    def run(self, n: int) -> None: ...

    def close(self) -> None: ...


def main(arguments: dict[str, Any]) -> dict[str, float]:
    """Show the live view and return how free the GUI was."""
    import napari

    logging.getLogger("pymmcore-plus").setLevel(logging.WARNING)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    program: _Program = _Ours(viewer) if arguments["who"] == "ours" else _Peer(viewer)
    _set_up(program.core, arguments["size"])
    _wait(_SETTLE_S)
    found = _live(program, arguments["seconds"])
    if arguments["frames"]:
        program.run(arguments["frames"])
        after = _live(program, arguments["seconds"])
        found |= {f"after_{name}": value for name, value in after.items()}
    program.close()
    return found


def _set_up(core: CMMCorePlus, size: int) -> None:
    core.loadSystemConfiguration("MMConfig_demo.cfg")
    for name, value in (
        ("PixelType", "16bit"),
        ("OnCameraCCDXSize", str(size)),
        ("OnCameraCCDYSize", str(size)),
        ("FastImage", "1"),
    ):
        core.setProperty("Camera", name, value)
    core.setExposure(1)


def _live(program: _Program, seconds: float) -> dict[str, float]:
    ticks = Ticks()
    program.start()
    _until(lambda: program.shown() > 2)
    _wait(_SETTLE_S)
    before, begun, work = program.shown(), time.perf_counter(), time.thread_time()
    ticks.start()
    _wait(seconds)
    found = ticks.stop()
    took, worked = time.perf_counter() - begun, time.thread_time() - work
    shown = program.shown() - before
    found["shown_fps"] = shown / took
    found["image_work_ms"] = 1000 * worked / max(1, shown)
    program.stop()
    return found


def _wait(seconds: float) -> None:
    """Let the GUI live for a while, as napari would."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(int(1000 * seconds), loop.quit)
    loop.exec()


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        _wait(0.05)


class _Ours:
    def __init__(self, viewer: napari.Viewer) -> None:
        from pymmcore_plus import CMMCorePlus

        from napari_scope.acquire import CoreOwner
        from napari_scope.widgets.acquiring.live_layers import LiveLayers
        from napari_scope.widgets.common.microscope import Microscope
        from napari_scope.widgets.devices.live_strip import LiveStrip

        self.core = CMMCorePlus.instance()
        self._owner = CoreOwner(self.core)
        self._microscope = Microscope(self._owner)
        self._strip = LiveStrip(self._microscope, viewer)
        viewer.window.add_dock_widget(self._strip, name="Live", area="right")
        self._run_layers = LiveLayers(viewer, self._strip)
        self._shown = 0
        self._strip.view.shown.connect(self._count)

    def _count(self) -> None:
        self._shown += 1

    def start(self) -> None:
        self._strip.set_live(True)

    def stop(self) -> None:
        self._strip.set_live(False)
        _until(lambda: not self._microscope.live.running)

    def shown(self) -> int:
        return self._shown

    def run(self, n: int) -> None:
        import useq

        from napari_scope.acquire import Output, Run, output_path

        # The run saves, as the peer's viewer does to a temporary store.
        with tempfile.TemporaryDirectory() as folder:
            output = Output(output_path(folder, "a", "ome-zarr"), "ome-zarr")
            plan = useq.MDASequence(time_plan={"interval": 0, "loops": n})
            run = Run(self._owner, plan, [output]).start()
            self._run_layers.start(
                lambda: run.stream.view() if run.stream is not None else None, ("t",)
            )
            _until(lambda: run.done)
            self._run_layers.finish()
            _until(lambda: not self._run_layers.active)
            _until(lambda: not self._microscope.lock_reason)

    def close(self) -> None:
        self._strip.shut_down()
        self._owner.close()


class _Peer:
    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        # In the way its users open it; it makes a core of its own.
        _, window = viewer.window.add_plugin_dock_widget("napari-micromanager")
        self.core: CMMCorePlus = window.core
        self._shown = 0
        self._watched: object = None

    def start(self) -> None:
        self.core.startContinuousSequenceAcquisition(0)

    def stop(self) -> None:
        self.core.stopSequenceAcquisition()
        _wait(0.5)

    def shown(self) -> int:
        if "preview" in self._viewer.layers:
            layer = self._viewer.layers["preview"]
            if layer is not self._watched:
                self._watched = layer
                layer.events.data.connect(self._count)
        return self._shown

    def _count(self, _event: object = None) -> None:
        self._shown += 1

    def run(self, n: int) -> None:
        import useq

        plan = useq.MDASequence(time_plan={"interval": 0, "loops": n})
        thread = self.core.run_mda(plan)
        _until(lambda: not thread.is_alive())
        _wait(1.0)

    def close(self) -> None:
        """Leave it to the end of the process."""


if __name__ == "__main__":
    numbers = main(json.loads(sys.argv[1]))
    print(json.dumps(numbers), flush=True)
    # What was measured is told; Qt and the core may be destroyed in any order.
    os._exit(0)
