"""Moving the view over 2,500 tiles, in a process of its own; see `benchmarks.explorer`.

Prints its numbers as one line of JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Program = tuple[Callable[[float], None], Callable[[int], None]]

_STEPS = 60
_CHANGES = 8
_TILE = 64
_OVERLAP = 8
_CORNERS = [(-32.0, -32.0), (32.0, -32.0), (32.0, 32.0), (-32.0, 32.0)]


def main(arguments: dict[str, Any]) -> dict[str, float]:
    """Show the tiles and return what a step of the view costs."""
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    side = int(arguments["side"])
    with tempfile.TemporaryDirectory() as folder:
        programs = {"ours": _ours, "shapes": _shapes, "widgets": _widgets}
        show: Callable[[int, Path], Program] = programs[str(arguments["who"])]
        start = time.perf_counter()
        pan, change = show(side, Path(folder))
        _rest(application)
        added = time.perf_counter() - start
        walls, works = [], []
        for number in range(_STEPS):
            sign = 1 if number // 15 % 2 == 0 else -1
            wall, work = time.perf_counter(), time.thread_time()
            pan(sign * 25.0)
            application.processEvents()
            walls.append(1000 * (time.perf_counter() - wall))
            works.append(1000 * (time.thread_time() - work))
            time.sleep(0.005)
        changes = []
        for number in range(_CHANGES):
            work = time.thread_time()
            change(number)
            application.processEvents()
            changes.append(1000 * (time.thread_time() - work))
    return {
        "change_ms": statistics.median(changes),
        "step_ms": statistics.median(works),
        "longest_ms": max(works),
        "wall_ms": statistics.median(walls),
        "added_s": added,
    }


def _rest(application: Any) -> None:
    for _ in range(30):
        application.processEvents()
        time.sleep(0.01)


def _places(side: int) -> list[tuple[float, float]]:
    step = _TILE - _OVERLAP
    return [
        (column * step, row * step) for row in range(side) for column in range(side)
    ]


def _viewer() -> Any:
    import napari

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    return viewer


def _mosaic(viewer: Any, side: int, folder: Path) -> None:
    """Show a store with so many tiles, as the reader does."""
    from napari_scope.formats import open_dataset
    from napari_scope.formats.ndtiff import TiledNDTiffWriter
    from napari_scope.layers import dataset_to_layers

    random = np.random.default_rng(1)
    path = folder / "tiles"
    facts = {"PixelSizeUm": 1.0, "XPositionUm": 0.0, "YPositionUm": 0.0}
    with TiledNDTiffWriter(path, tile_overlap=_OVERLAP) as writer:
        for row in range(side):
            for column in range(side):
                pixels = random.integers(0, 4000, (_TILE, _TILE), dtype="u2")
                writer.put({"row": row, "column": column}, pixels, facts)
    for data, given, _ in dataset_to_layers(open_dataset(path)):
        viewer.add_image(data, **given)


def _panned(viewer: Any) -> Callable[[float], None]:
    def pan(by: float) -> None:
        camera = viewer.scene.camera
        z, y, x = camera.center
        camera.center = (z, y + by, x + by)

    return pan


def _ours(side: int, folder: Path) -> Program:
    from napari_scope.widgets.space.stage_map import StageMap

    viewer = _viewer()
    _mosaic(viewer, side, folder)
    stage_map = StageMap(viewer, viewer.window.main_menu.window())
    stage_map.set_shape(_CORNERS)
    places = _places(side)
    stage_map.set_tiles("taken", places[: len(places) // 2])
    stage_map.set_tiles("planned", places[len(places) // 2 :])
    stage_map.set_field(*places[0])
    viewer.reset_view()

    def change(number: int) -> None:
        half = len(places) // 2 + number
        stage_map.set_tiles("taken", places[:half])
        stage_map.set_tiles("planned", places[half:])
        stage_map.redraw()

    return _panned(viewer), change


def _shapes(side: int, folder: Path) -> Program:
    viewer = _viewer()
    _mosaic(viewer, side, folder)
    corners = np.array(_CORNERS)[:, ::-1]
    tiles = [corners + np.array([y, x]) for x, y in _places(side)]
    layer = viewer.add_shapes(
        tiles,
        shape_type="rectangle",
        edge_width=2,
        edge_color="yellow",
        face_color="#ffff0022",
        units=("micrometer", "micrometer"),
    )
    viewer.reset_view()

    def change(number: int) -> None:
        layer.data = tiles[: len(tiles) - number]

    return _panned(viewer), change


def _widgets(side: int, folder: Path) -> Program:
    from pymmcore_plus import CMMCorePlus
    from pymmcore_widgets import StageExplorer

    core = CMMCorePlus.instance()
    core.loadSystemConfiguration("MMConfig_demo.cfg")
    explorer = StageExplorer(mmcore=core)
    explorer.resize(1280, 800)
    explorer.show()
    random = np.random.default_rng(1)
    for x, y in _places(side):
        pixels = random.integers(0, 4000, (_TILE, _TILE), dtype="u2")
        explorer.add_image(pixels, x, y)
    viewer = explorer._stage_viewer
    viewer.zoom_to_fit()

    def pan(by: float) -> None:
        viewer.view.camera.pan((by, by))
        viewer.canvas.update()

    def change(number: int) -> None:
        explorer.add_image(pixels, x + 100.0 * number, y)

    return pan, change


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as settings:
        os.environ["NAPARI_CONFIG"] = str(Path(settings) / "napari.yaml")
        print(json.dumps(main(json.loads(sys.argv[1]))), flush=True)
    os._exit(0)  # devices and windows of three programs go with the process
