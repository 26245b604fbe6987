"""The pictures of stored data in the Browse dock: jobs, trees, plates, labels.

The stores are those of `picture_data`, and one that a program writes to.
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

__all__ = ["pictures"]


def pictures(folder: Path) -> list[Path]:
    """Make the pictures of the pages on stored data."""
    from picture_data import write_collection, write_plate, write_segmented

    data = stage.keep_away() / "data"
    plate, cells, slide = (
        data / f"{name}.ome.zarr" for name in ("plate", "cells", "slide")
    )
    write_plate(plate)
    write_segmented(cells)
    write_collection(slide)
    return [
        _growing(data, folder / "browse.png"),
        _tree(plate, folder / "browse-tree.png"),
        _plate(plate, folder / "plate.png"),
        _labels(cells, folder / "labels.png"),
        _collection(slide, folder / "collection.png"),
        _jobs(data, folder / "browse-jobs.png"),
    ]


@contextlib.contextmanager
def _browsing(store: Path | None = None) -> Iterator[tuple[Any, Any]]:
    """Give a window with the Browse dock, and a store in its tree."""
    with stage.window() as viewer:
        from napari_scope.widgets.browsing.browse_dock import BrowseDock

        dock = stage.docked(viewer, BrowseDock(viewer), "Browse data")
        if store is not None:
            dock.tabs.setCurrentWidget(dock.tree)
            dock.tree.show_place(str(store))
            stage.until(lambda: dock.tree.root is not None)
        yield viewer, dock


def _unfold(dock: Any, *names: str) -> Any:
    """Unfold the tree down to a node and return its index."""
    tree = dock.tree
    index = tree.filtered.index(0, 0)
    for name in names:
        tree.view.expand(index)
        stage.until(lambda above=index: tree.filtered.rowCount(above) > 0)
        rows = range(tree.filtered.rowCount(index))
        index = next(
            found
            for row in rows
            if (found := tree.filtered.index(row, 0, index)).data() == name
        )
    return index


def _open(viewer: Any, dock: Any, index: Any) -> None:
    """Select a node, open it, and wait for its layers."""
    from qtpy.QtCore import QItemSelectionModel

    flag = QItemSelectionModel.SelectionFlag
    model = dock.tree.view.selectionModel()
    model.clear()
    model.setCurrentIndex(index, flag.Select | flag.Rows)
    dock.tree.open_selected()
    stage.until(lambda: bool(viewer.layers) and not dock._opener.busy)
    stage.rest(1)
    shown = f"/data/{Path(dock.tree.place_field.place).name}"
    dock.tree.place_field.show_place(shown)
    dock.path_edit.setText(shown)


def _tree(store: Path, path: Path) -> Path:
    """Unfold a plate and open one of its fields."""
    with _browsing(store) as (viewer, dock):
        _unfold(dock, "B", "B05", "field 2", "level 0")
        _open(viewer, dock, _unfold(dock, "B", "B05", "field 2"))
        return stage.shoot(viewer, path)


def _plate(store: Path, path: Path) -> Path:
    """Open a plate as a mosaic."""
    with _browsing(store) as (viewer, dock):
        _open(viewer, dock, _unfold(dock))
        viewer.layers.selection.active = [x for x in viewer.layers if x.visible][-1]
        return stage.shoot(viewer, path)


def _labels(store: Path, path: Path) -> Path:
    """Open an image with its segmentations."""
    with _browsing(store) as (viewer, dock):
        _open(viewer, dock, _unfold(dock, "labels", "nuclei"))
        for layer in viewer.layers:
            layer.opacity = 0.55 if layer.name.endswith("nuclei") else layer.opacity
        viewer.scene.camera.zoom *= 2.2
        return stage.shoot(viewer, path)


def _collection(store: Path, path: Path) -> Path:
    """Open all images of a collection, where they lie on the slide."""
    with _browsing(store) as (viewer, dock):
        _open(viewer, dock, _unfold(dock))
        return stage.shoot(viewer, path)


def _jobs(data: Path, path: Path) -> Path:
    """Let jobs end well and badly, and watch a run."""
    damaged = data / "copy.ome.zarr"
    damaged.mkdir()
    (damaged / "zarr.json").write_text('{"attributes": {"ome": {"multiscales": [')
    command = ["napari-scope", "demo", "--headless", "--out", str(data / "monday")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with _browsing() as (viewer, dock):
        from napari_scope.widgets.browsing.store_menu import StoreTarget, StoreWish

        zarr = StoreTarget(str(data / "slide.ome.zarr"), "ome-zarr")
        dock.open_path(zarr.place)
        stage.until(lambda: bool(viewer.layers) and not dock._care.busy)
        dock.path_edit.setText("/data/slide.ome.zarr")
        dock.activity.watched.watch(str(data / "monday" / "demo_001.ndtiff"))
        dock.activity.do(StoreWish("validate", (zarr,)))
        dock.activity.do(StoreWish("pyramid", (zarr,)))
        dock.activity.do(StoreWish("validate", (StoreTarget(str(damaged), ""),)))
        stage.until(lambda: not dock.activity.queue.busy)
        return stage.shoot(viewer, path)


def _growing(data: Path, path: Path) -> Path:
    """Open a store that is being written and show the metadata of a frame."""
    from napari_scope.formats.ndtiff.writer import NDTiffWriter

    summary = {"Prefix": "cells", "PixelSize_um": 0.65, "Operator": "Maria"}
    writer = NDTiffWriter(data / "cells_001", summary=summary)
    for frame in range(6):
        for position, (x_um, y_um) in enumerate([(0.0, 0.0), (360.0, 0.0)]):
            for channel, exposure in (("DAPI", 20.0), ("FITC", 80.0)):
                writer.put(
                    {"position": position, "time": frame, "channel": channel},
                    _drifting(frame, 1.0 if channel == "DAPI" else 2.2),
                    {
                        "ElapsedTime-ms": 30_000.0 * frame,
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
    try:
        with _browsing() as (viewer, dock):
            dock.open_path(str(data / "cells_001"))
            stage.until(lambda: bool(dock.frame_view.rows))
            viewer.layers.selection.active = viewer.layers[0]
            viewer.dims.set_current_step(0, 4)
            dock.tabs.setCurrentWidget(dock.frame_tab)
            dock.path_edit.setText("/data/cells_001")
            return stage.shoot(viewer, path)
    finally:
        writer.close()


def _drifting(frame: int, width: float) -> np.ndarray:
    """Return nuclei, or wider the cells around them, that drift to the right."""
    import numpy as np

    random = np.random.default_rng(1)
    y, x = np.mgrid[:512, :512]
    cells = [(*random.uniform(40, 470, 2), random.uniform(9, 16)) for _ in range(40)]
    image = random.normal(120, 8, (512, 512))
    for cy, cx, radius in cells:
        far = (y - cy) ** 2 + (x - cx - 3 * frame) ** 2
        image += 1500 / width * np.exp(-far / (width * radius) ** 2)
    return image.astype("u2")
