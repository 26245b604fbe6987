"""The pictures of the page of the Metadata dock, from the real program."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

__all__ = ["pictures"]

_LARGE, _SMALL = (1600, 1000), (1280, 800)
_COLORS = 200


def pictures(folder: Path) -> list[Path]:
    """Make the pictures.

    Parameters
    ----------
    folder : Path
        Where they are written.

    Returns
    -------
    list of Path
        What was written.
    """
    import napari
    from pymmcore_plus import CMMCorePlus
    from qtpy.QtCore import QSettings

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.frames.metadata_dock import MetadataDock

    temporary = Path(tempfile.mkdtemp(prefix="napari-scope-pictures-"))
    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(temporary)
    )
    owner = CoreOwner(CMMCorePlus())
    owner.load()
    store = _run(owner, temporary / "beads.ome.zarr")
    microscope = Microscope(owner)
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    dock = MetadataDock(viewer, microscope)
    viewer.window.add_dock_widget(dock, name="Metadata", area="right")

    def shoot(name: str, size: tuple[int, int], theme: str = "dark") -> Path:
        viewer.theme = theme
        viewer.window.resize(*size)
        _rest(0.5)
        _pump(lambda: not dock.busy)
        _rest(0.5)
        return _shoot(viewer, folder / f"{name}.png")

    made: list[Path] = []
    try:
        viewer.open(str(store), plugin="napari-scope")
        _rest(0.5)
        dock.frame_tab.view.set_pins(["Frame.exposure_ms", "Frame.z_um"])
        for step in (3, 4):
            viewer.dims.set_current_step(0, step)
            _rest(0.5)
        made.append(shoot("metadata", _LARGE))
        dock.tabs.setCurrentWidget(dock.store_view)
        made.append(shoot("metadata-store-light", _SMALL, "light"))
        dock.tabs.setCurrentWidget(dock.plots_tab)
        _pump(lambda: dock.plots_tab.sheet is not None)
        dock.plots_tab.set_chosen(["interval_ms", "z_um", "mean"])
        made.append(shoot("metadata-plots", _LARGE))
    finally:
        dock.shut_down()
        viewer.close()
        microscope.close()
        owner.close()
    return made


def _run(owner: object, path: Path) -> Path:
    """Take a short run with the demo microscope."""
    import useq

    from napari_scope.acquire import CoreOwner, Run
    from napari_scope.stream import Output

    assert isinstance(owner, CoreOwner)
    # Beads look more like a sample than the waves that the demo camera starts with.
    owner.core.setProperty("Camera", "Mode", "Fluorescent Beads")
    plan = useq.MDASequence.model_validate(
        {
            "axis_order": "tpzc",
            "time_plan": {"interval": 0.4, "loops": 8},
            "z_plan": {"range": 4, "step": 2},
            "channels": [
                {"config": "DAPI", "exposure": 5},
                {"config": "FITC", "exposure": 15},
            ],
        }
    )
    Run(owner, plan, [Output(path, "ome-zarr")], name="beads").start().wait()
    return path


def _pump(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Keep the program alive until a condition is met."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the program did not get there")
        QApplication.processEvents()
        time.sleep(0.005)


def _rest(seconds: float) -> None:
    end = time.monotonic() + seconds
    _pump(lambda: time.monotonic() > end)


def _shoot(viewer: napari.Viewer, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    # Nobody sees the difference beside the text.
    picture.quantize(_COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path
