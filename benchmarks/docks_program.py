"""One run in a process of its own, with or without a window; see `benchmarks.docks`.

Prints its numbers as one line of JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.gui import Ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    import useq
    from pymmcore_plus import CMMCorePlus

_PATIENCE_S = 120.0
_SETTLE_S = 2.0


def main(arguments: dict[str, Any], folder: Path) -> dict[str, float]:
    """Run the plan twice, and return what it took and how free the GUI was."""
    logging.getLogger("pymmcore-plus").setLevel(logging.WARNING)
    programs = {"ours": _ours, "peer": _peer, "headless": _headless, "floor": _floor}
    return programs[arguments["who"]](_plan(arguments["frames"]), folder)


def _plan(n: int) -> useq.MDASequence:
    import useq

    return useq.MDASequence(
        time_plan={"interval": 0, "loops": n},
        channels=[{"config": "DAPI", "exposure": 1}],
    )


def _set_up(core: CMMCorePlus) -> None:
    for name, value in (("PixelType", "16bit"), ("Binning", "1"), ("FastImage", "1")):
        core.setProperty("Camera", name, value)


def _headless(plan: useq.MDASequence, folder: Path) -> dict[str, float]:
    from napari_scope.acquire import CoreOwner, Output, Run, output_path

    owner = CoreOwner()
    owner.load()
    _set_up(owner.core)
    took = 0.0
    for name in ("warm", "a"):
        begun = time.perf_counter()
        output = Output(output_path(folder, name, "ome-zarr"), "ome-zarr")
        report = Run(owner, plan, [output]).start().wait()
        took = time.perf_counter() - begun
        _check(report.saved, plan)
    return {"run_s": took}


class _FirstFrame:
    """When the first frame of the next run came, to whoever drives the camera."""

    def __init__(self, core: CMMCorePlus) -> None:
        self._signal: Any = core.mda.events.frameReady
        self.at: float | None = None

    def expect(self) -> None:
        """Wait for the next one."""
        from psygnal import SignalInstance
        from qtpy.QtCore import Qt

        self.at = None
        # In the thread of the run, whoever makes the signals of the core.
        if isinstance(self._signal, SignalInstance):
            self._signal.connect(self._note)
        else:
            self._signal.connect(self._note, Qt.ConnectionType.DirectConnection)

    def _note(self, *_: object) -> None:
        if self.at is None:
            self.at = time.perf_counter()
            self._signal.disconnect(self._note)


def _floor(plan: useq.MDASequence, _folder: Path) -> dict[str, float]:
    """Add an array as large as the run's to a viewer that does nothing else."""
    import gc

    import napari
    import numpy as np

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1600, 1000)
    _wait(_SETTLE_S)
    # All that napari loads for the first image of a session, and the search for unused
    # objects that this brings near, are not a part of adding a layer.
    napari.layers.Image(np.zeros((2, 8, 8), np.uint16), contrast_limits=(0, 4095))
    gc.collect()
    frames = np.random.default_rng(1).integers(
        0, 4095, (plan.sizes["t"], 512, 512), dtype=np.uint16
    )
    found: dict[str, float] = {}
    ticks = Ticks()
    for prefix in ("", "again_"):
        _wait(_SETTLE_S)
        ticks.start()
        _wait(0.1)
        viewer.add_image(frames, contrast_limits=(0, 4095))
        _wait(1.0)
        found |= {prefix + name: value for name, value in ticks.stop().items()}
    return found


def _ours(plan: useq.MDASequence, folder: Path) -> dict[str, float]:
    import napari

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.acquiring import acquire_dock, plan_box
    from napari_scope.widgets.common.icons import serve_shipped_icons

    assert plan_box  # the imports of a dock are not a part of opening it
    serve_shipped_icons()
    owner = CoreOwner()
    owner.load()
    _set_up(owner.core)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1600, 1000)
    _wait(_SETTLE_S)
    begun, work = time.perf_counter(), time.thread_time()
    dock = acquire_dock.AcquireDock(viewer, owner)
    viewer.window.add_dock_widget(dock, name="Acquire", area="right")
    _wait(0)
    found = _opened(begun, work)
    dock.save_box.folder_edit.setText(str(folder))
    dock.plan_box.setValue(plan)
    _wait(_SETTLE_S)
    _until(dock.run_bar.run_button.isEnabled)
    ticks, first = Ticks(), _FirstFrame(owner.core)
    for prefix in ("", "again_"):
        first.expect()
        ticks.start()
        begun = time.perf_counter()
        dock.run_bar.run_button.click()
        _until(lambda: dock.run is not None and not dock.running)
        took = time.perf_counter() - begun
        _until(lambda: not dock.live.active)
        measured = ticks.stop(first.at)
        found |= {prefix + name: value for name, value in measured.items()}
        found[f"{prefix}run_s"] = took
        _check(dock.run.report.saved, plan)
        _wait(_SETTLE_S)
    return found


def _peer(plan: useq.MDASequence, folder: Path) -> dict[str, float]:
    import napari

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1600, 1000)
    _wait(_SETTLE_S)
    begun, work = time.perf_counter(), time.thread_time()
    _, window = viewer.window.add_plugin_dock_widget("napari-micromanager")
    _wait(0)
    found = _opened(begun, work)
    core = window.core
    core.loadSystemConfiguration("MMConfig_demo.cfg")
    _set_up(core)
    _wait(_SETTLE_S)
    ticks, first = Ticks(), _FirstFrame(core)
    for prefix in ("", "again_"):
        first.expect()
        ticks.start()
        begun = time.perf_counter()
        thread = core.run_mda(plan)
        _until(lambda t=thread: not t.is_alive())
        found[f"{prefix}run_s"] = time.perf_counter() - begun
        # Its handler writes what is left on the GUI thread when the run has ended.
        _wait(1.0)
        measured = ticks.stop(first.at)
        found |= {prefix + name: value for name, value in measured.items()}
        _wait(_SETTLE_S)
    return found


def _opened(begun: float, work: float) -> dict[str, float]:
    return {
        "open_s": time.perf_counter() - begun,
        "open_work_s": time.thread_time() - work,
    }


def _check(saved: int, plan: useq.MDASequence) -> None:
    planned = plan.sizes["t"]
    if saved != planned:
        raise ValueError(f"{saved} of {planned} frames were saved")


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
        _wait(0.005)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-dock-") as scratch:
        # What the docks remember must neither be read nor changed.
        os.environ["NAPARI_CONFIG"] = str(Path(scratch) / "napari.yaml")
        from qtpy.QtCore import QSettings

        QSettings.setPath(
            QSettings.Format.IniFormat, QSettings.Scope.UserScope, scratch
        )
        numbers = main(json.loads(sys.argv[1]), Path(scratch))
    print(json.dumps(numbers), flush=True)
    # What was measured is told; Qt and the core may be destroyed in any order.
    os._exit(0)
