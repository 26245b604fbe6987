"""The pictures of the page on browsing, made from the real program.

Run it with a display, for example::

    xvfb-run -a -s '-screen 0 1600x1000x24' python docs/pictures/browsing.py

Settings, cache and data go to a temporary folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

IMAGES = Path(__file__).parents[1] / "images"
SIZE = (1600, 1000)

sys.path.insert(0, str(Path(__file__).parents[1]))


def pictures(folder: Path) -> list[Path]:
    """Make the pictures in a folder and return their paths."""
    made: list[Path] = []
    with tempfile.TemporaryDirectory() as temporary:
        _keep_away(Path(temporary))
        data = _data(Path(temporary) / "data")
        for theme in ("dark", "light"):
            made += _of_theme(folder, data, theme)
    return made


def _keep_away(temporary: Path) -> None:
    """Let nothing of the user be read or changed."""
    from qtpy.QtCore import QSettings

    os.environ["NAPARI_SCOPE_CONFIG_DIR"] = str(temporary / "preferences")
    os.environ["NAPARI_SCOPE_CACHE_DIR"] = str(temporary / "cache")
    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(temporary)
    )


def _data(folder: Path) -> Path:
    from picture_data import write_collection, write_plate, write_segmented

    write_plate(folder / "screen.ome.zarr")
    write_segmented(folder / "segmented.ome.zarr")
    write_collection(folder / "slide.ome.zarr")
    for day in ("monday", "tuesday"):
        subprocess.run(
            ["napari-scope", "demo", "--headless", "--out", str(folder / day)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    damaged = folder / "copy.ome.zarr"
    damaged.mkdir()
    (damaged / "zarr.json").write_text('{"attributes": {"ome": {"multiscales": [')
    return folder


def _of_theme(folder: Path, data: Path, theme: str) -> list[Path]:
    import napari

    from napari_scope.widgets.browsing.browse_dock import BrowseDock
    from napari_scope.widgets.browsing.store_menu import StoreTarget, StoreWish

    viewer = napari.Viewer(show=True)
    viewer.theme = theme
    viewer.window.resize(*SIZE)
    dock = BrowseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Browse data", area="right")
    ending = "" if theme == "dark" else f"-{theme}"
    made = []
    try:
        dock.show_folder(str(data))
        page = dock.folder_page
        _until(lambda: page.model.count >= 8)
        _until(lambda: all(row.looked for row in page.model.rows))
        dock.open_path(str(data / "segmented.ome.zarr"))
        _until(lambda: bool(viewer.layers) and not dock._care.busy)
        dock.show_folder(str(data))
        _until(lambda: page.model.count >= 8)
        _until(lambda: all(row.looked for row in page.model.rows))
        made.append(_shoot(viewer, folder / f"browse-folder{ending}.png"))
        if theme == "dark":
            zarr = StoreTarget(str(data / "slide.ome.zarr"), "ome-zarr")
            damaged = StoreTarget(str(data / "copy.ome.zarr"), "ome-zarr")
            run = str(data / "monday" / "demo_001.ndtiff")
            dock.activity.watched.watch(run)
            dock.activity.do(StoreWish("validate", (zarr,)))
            dock.activity.do(StoreWish("pyramid", (zarr,)))
            dock.activity.do(StoreWish("validate", (damaged,)))
            _until(lambda: not dock.activity.queue.busy)
            made.append(_shoot(viewer, folder / "browse-jobs.png"))
    finally:
        viewer.close()
    return made


def _until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the program did not get there")
        QApplication.processEvents()
        time.sleep(0.005)


def _shoot(viewer: napari.Viewer, path: Path) -> Path:
    from PIL import Image

    end = time.monotonic() + 1
    _until(lambda: time.monotonic() > end)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


if __name__ == "__main__":
    for made in pictures(IMAGES):
        print(made, made.stat().st_size)
