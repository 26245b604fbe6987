"""Make the pictures of the page on the Acquire dock, from the real program."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["pictures"]

_SIZE = (1600, 1000)
_COLORS = 200
_SHOWN = {
    ("before", "dark"),
    ("waiting", "dark"),
    ("queue", "dark"),
    ("error", "dark"),
    ("before", "light"),
    ("waiting", "light"),
    ("error", "light"),
    ("after", "light"),
}
_LONGEST_S = 60.0


def pictures(folder: Path) -> list[Path]:
    """Drive the dock through its states, in both themes; return the pictures."""
    from qtpy.QtCore import QSettings

    QSettings.setPath(
        QSettings.Format.IniFormat,
        QSettings.Scope.UserScope,
        tempfile.mkdtemp(prefix="napari-scope-pictures-"),
    )
    made: list[Path] = []
    for theme in ("dark", "light"):
        with tempfile.TemporaryDirectory() as place, _dock(theme) as (viewer, dock):
            made += _one_theme(viewer, dock, theme, Path(place), folder)
    return made


def _one_theme(
    viewer: Any, dock: Any, theme: str, place: Path, folder: Path
) -> list[Path]:
    made: list[Path] = []

    def shoot(name: str) -> None:
        if (name, theme) not in _SHOWN:
            return
        _pump_for(0.8)
        path = folder / f"acquire-dock-{name}-{theme}.png"
        viewer.screenshot(str(path), canvas_only=False, flash=False)
        with Image.open(path) as opened:
            picture = opened.convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE)
        picture.save(path, optimize=True)
        made.append(path)

    core = dock.microscope.real_core
    dock.save_box.folder_edit.setText(str(place))
    dock.save_box.name_edit.setText("beads")
    dock.plan_box.setValue(_plan())
    _pump(dock.run_bar.run_button.isEnabled)
    _pump_for(1)
    shoot("before")
    dock.run_bar.run_button.click()
    _pump(lambda: dock.run is not None and dock.run.state.value == "waiting")
    shoot("waiting")
    dock.enqueue()
    dock.save_box.name_edit.setText("control")
    dock.enqueue()
    dock.tabs.setCurrentWidget(dock.queue_view)
    shoot("queue")
    dock.run_bar.finish_actions["t"].trigger()
    _pump(lambda: not dock.running and not dock.live.active)
    dock.tabs.setCurrentWidget(dock.reports)
    shoot("after")
    dock.tabs.setCurrentIndex(0)
    with _broken_camera(core):
        dock.run_bar.run_button.click()
        _pump(lambda: dock.errors.error is not None and not dock.running)
    shoot("error")
    for entry in dock.queue.entries:
        dock.queue.remove(entry.number)
    return made


def _plan() -> Any:
    import useq

    return useq.MDASequence(
        axis_order="tpzc",
        time_plan={"interval": 20, "loops": 6},
        stage_positions=[(0, 0, 0), (540, 0, 0)],
        z_plan={"range": 4, "step": 2},
        channels=[
            {"config": "DAPI", "exposure": 40},
            {"config": "FITC", "exposure": 60},
        ],
    )


@contextlib.contextmanager
def _dock(theme: str) -> Iterator[tuple[Any, Any]]:
    import napari
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.acquiring.acquire_dock import AcquireDock

    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        # Beads look more like a sample than the waves that the demo camera starts with.
        owner.core.setProperty("Camera", "Mode", "Fluorescent Beads")
        viewer = napari.Viewer(show=True, show_welcome_screen=False)
        viewer.theme = theme
        viewer.window.resize(*_SIZE)
        dock = AcquireDock(viewer, owner)
        viewer.window.add_dock_widget(dock, name="Acquire", area="right")
        try:
            yield viewer, dock
        finally:
            dock.shut_down()
            viewer.close()


@contextlib.contextmanager
def _broken_camera(core: Any) -> Iterator[None]:
    """Let the camera fail as one does whose cable is loose."""

    def fail() -> None:
        raise RuntimeError("Error in device 'Camera': no answer (cable loose?)")

    core.snapImage = fail
    try:
        yield
    finally:
        del core.snapImage


def _pump(condition: Callable[[], object]) -> None:
    """Let the window live until something is so."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + _LONGEST_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        QApplication.processEvents()
        time.sleep(0.01)


def _pump_for(seconds: float) -> None:
    end = time.monotonic() + seconds
    _pump(lambda: time.monotonic() > end)
