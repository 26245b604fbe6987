"""Make the screenshots of the docs from the real program.

Run it with a display of at least 1600 x 1000, for example::

    xvfb-run -a -s '-screen 0 1600x1000x24' python docs/make_screenshots.py

It writes ``docs/images/acquire-{before,during,after}.png``, from a run of the demo
microscope, ``docs/images/browse.png``, and ``docs/images/browse-tree.png``,
``docs/images/plate.png``, ``docs/images/labels.png`` and ``docs/images/collection.png``
from stores of `picture_data`, and the pictures of each module in ``docs/pictures``, and
leaves no other trace: settings and data go to a temporary folder. With names as
arguments (``acquire``, ``browse``, ``tree``, ``plate``, ``labels``, ``collection``, or
``pictures/devices`` and the like) it makes only those.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import napari
    import numpy as np
    from qtpy.QtCore import QModelIndex

    from napari_scope.widgets.browsing.browse_dock import BrowseDock

IMAGES = Path(__file__).parent / "images"
SIZE = (1600, 1000)
MOST_BYTES = 280_000


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


def _shoot(viewer: napari.Viewer, name: str) -> None:
    _rest(0.8)
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    _shrink(path)


def _shrink(path: Path) -> None:
    """Take colours away until a picture is small enough for a repository."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    for colors in (200, 128, 80, 48, 32):  # nobody sees the difference beside the text
        if path.stat().st_size > MOST_BYTES:
            picture.quantize(colors, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, path.stat().st_size)


def _pictures(module: Path) -> None:
    """Make the pictures of one page, in a process of its own: it has its own core."""
    program = (
        f"import sys; sys.path[:0] = {[str(module.parent), str(IMAGES.parent)]!r}; "
        f"from pathlib import Path; import {module.stem} as page; "
        f"[print(path) for path in page.pictures(Path({str(IMAGES)!r}))]"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], check=True, text=True, stdout=subprocess.PIPE
    )
    for line in said.stdout.splitlines():
        if line.endswith(".png"):
            _shrink(Path(line))


def acquire(temporary: Path) -> None:
    """Drive the Acquire dock through one run and take a picture at each stage."""
    import napari
    import useq
    from qtpy.QtCore import QSettings

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets import AcquireDock

    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(temporary)
    )
    owner = CoreOwner()
    owner.load()
    # Beads look more like a sample than the waves that the demo camera starts with.
    owner.core.setProperty("Camera", "Mode", "Fluorescent Beads")

    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(*SIZE)
    dock = AcquireDock(viewer, owner)
    viewer.window.add_dock_widget(dock, name="Acquire", area="right")
    dock.save_box.folder_edit.setText("~/data")
    dock.save_box.name_edit.setText("beads")
    dock.save_box.format_boxes["ndtiff"].setChecked(True)
    dock.editor.setValue(
        useq.MDASequence(
            axis_order="tpzc",
            time_plan={"interval": 2, "loops": 4},
            stage_positions=[(0, 0, 0), (540, 0, 0)],
            z_plan={"range": 8, "step": 2},
            channels=[
                {"config": "DAPI", "exposure": 40},
                {"config": "FITC", "exposure": 60},
            ],
        )
    )
    dock.editor.tab_wdg.setCurrentWidget(dock.editor.channels)

    _shoot(viewer, "acquire-before")
    _pump(dock.run_bar.run_button.isEnabled)
    dock.start()
    _pump(lambda: dock.run is not None or dock.errors.error is not None)
    run = dock.run
    if run is None:
        raise RuntimeError(str(dock.errors.error))
    _pump(lambda: run.progress().saved >= 48)
    _shoot(viewer, "acquire-during")
    _pump(lambda: not dock.running)
    _shoot(viewer, "acquire-after")
    viewer.close()
    owner.close()
    if run.error is not None:
        raise run.error


def browse(temporary: Path) -> None:
    """Open a store that is being written and show the metadata of a frame."""
    import napari
    import numpy as np

    from napari_scope.formats.ndtiff.writer import NDTiffWriter
    from napari_scope.widgets.browsing.browse_dock import BrowseDock

    random = np.random.default_rng(1)
    y, x = np.mgrid[:512, :512]
    cells = [(*random.uniform(40, 470, 2), random.uniform(9, 16)) for _ in range(40)]

    def picture(time: int, channel: str) -> np.ndarray:
        """Return nuclei, or the cells around them, drifting to the right."""
        width = 1.0 if channel == "DAPI" else 2.2
        image = random.normal(120, 8, (512, 512))
        for cy, cx, r in cells:
            far = (y - cy) ** 2 + (x - cx - 3 * time) ** 2
            image += 1500 / width * np.exp(-far / (width * r) ** 2)
        return image.astype("u2")

    stage = [(0.0, 0.0), (360.0, 0.0)]
    summary = {"Prefix": "cells", "PixelSize_um": 0.65, "Operator": "Maria"}
    writer = NDTiffWriter(temporary / "cells_001", summary=summary)
    for time_point in range(6):
        for position, (x_um, y_um) in enumerate(stage):
            for channel, exposure in (("DAPI", 20.0), ("FITC", 80.0)):
                writer.put(
                    {"position": position, "time": time_point, "channel": channel},
                    picture(time_point, channel),
                    {
                        "ElapsedTime-ms": 30_000.0 * time_point,
                        "Exposure": exposure,
                        "XPositionUm": x_um,
                        "YPositionUm": y_um,
                        "ZPositionUm": 1204.5,
                        "Camera": {"Name": "Zyla 4.2", "Gain": 2, "Binning": "1x1"},
                        "Objective": {"Label": "Nikon 10X", "NA": 0.45},
                        "Autofocus": {"Name": "PFS", "Score": 0.93, "On": True},
                        "Light": {"Source": "Spectra X", "Power-%": 12},
                    },
                )
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(*SIZE)
    dock = BrowseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Browse data", area="right")
    dock.open_path(str(temporary / "cells_001"))
    _pump(lambda: bool(dock.frame_view.rows))
    viewer.layers.selection.active = viewer.layers[0]
    viewer.dims.set_current_step(0, 4)
    dock.path_edit.setText("/data/cells_001")
    _shoot(viewer, "browse")
    viewer.close()
    dock.shut_down()
    writer.close()


@contextmanager
def _browsing(store: Path) -> Iterator[tuple[napari.Viewer, BrowseDock]]:
    """Show a store in the tree of the Browse dock."""
    import napari

    from napari_scope.widgets.browsing.browse_dock import BrowseDock

    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(*SIZE)
    dock = BrowseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Browse data", area="right")
    dock.tree.show_place(str(store))
    _pump(lambda: dock.tree.root is not None)
    yield viewer, dock
    dock.shut_down()
    viewer.close()


def _unfold(dock: BrowseDock, *names: str) -> QModelIndex:
    """Unfold the tree down to a node and return its index."""
    tree = dock.tree
    index = tree.filtered.index(0, 0)
    for name in names:
        tree.view.expand(index)
        _pump(lambda above=index: tree.filtered.rowCount(above) > 0)
        rows = range(tree.filtered.rowCount(index))
        index = next(
            found
            for row in rows
            if (found := tree.filtered.index(row, 0, index)).data() == name
        )
    return index


def _open(viewer: napari.Viewer, dock: BrowseDock, *indexes: QModelIndex) -> None:
    """Select nodes, open them, and wait for their layers."""
    from qtpy.QtCore import QItemSelectionModel

    flag = QItemSelectionModel.SelectionFlag
    model = dock.tree.view.selectionModel()
    model.clear()
    for index in indexes:
        model.setCurrentIndex(index, flag.Select | flag.Rows)
    dock.tree.open_selected()
    _pump(lambda: bool(viewer.layers) and not dock._opener.busy)
    _rest(1.5)
    shown = f"/data/{Path(dock.tree.place_field.place).name}"
    dock.tree.place_field.show_place(shown)
    dock.path_edit.setText(shown)


def tree(temporary: Path) -> None:
    """Unfold a plate and open one of its fields from the tree."""
    with _browsing(_store(temporary, "plate")) as (viewer, dock):
        _unfold(dock, "B", "B05", "field 2", "level 0")
        field = _unfold(dock, "B", "B05", "field 2")
        _open(viewer, dock, field)
        _shoot(viewer, "browse-tree")


def plate(temporary: Path) -> None:
    """Open a plate as a mosaic."""
    with _browsing(_store(temporary, "plate")) as (viewer, dock):
        _open(viewer, dock, _unfold(dock))
        viewer.layers.selection.active = [x for x in viewer.layers if x.visible][-1]
        _shoot(viewer, "plate")


def labels(temporary: Path) -> None:
    """Open an image with its segmentations."""
    with _browsing(_store(temporary, "cells")) as (viewer, dock):
        _open(viewer, dock, _unfold(dock, "labels", "nuclei"))
        for layer in viewer.layers:
            layer.opacity = 0.55 if layer.name.endswith("nuclei") else layer.opacity
        viewer.scene.camera.zoom *= 2.2
        _shoot(viewer, "labels")


def collection(temporary: Path) -> None:
    """Open all images of a collection, where they lie on the slide."""
    with _browsing(_store(temporary, "slide")) as (viewer, dock):
        _open(viewer, dock, _unfold(dock))
        _shoot(viewer, "collection")


def _store(temporary: Path, name: str) -> Path:
    """Return a store of `picture_data`, written when it is first asked for."""
    from picture_data import write_collection, write_plate, write_segmented

    makers = {"plate": write_plate, "cells": write_segmented, "slide": write_collection}
    path = temporary / f"{name}.ome.zarr"
    if not path.exists():
        makers[name](path)
    return path


def main(temporary: Path, wanted: Sequence[str] = ()) -> None:
    """Make the pictures that are wanted, by default all."""
    for make in (acquire, browse, tree, plate, labels, collection):
        if not wanted or make.__name__ in wanted:
            make(temporary)
    for module in sorted((IMAGES.parent / "pictures").glob("*.py")):
        if not wanted or f"pictures/{module.stem}" in wanted:
            _pictures(module)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        # napari reads this once, when it is imported.
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        os.environ["NAPARI_SCOPE_CONFIG_DIR"] = folder
        os.environ["HOME"] = os.environ["USERPROFILE"] = folder
        main(Path(folder), sys.argv[1:])
    sys.exit(0)
