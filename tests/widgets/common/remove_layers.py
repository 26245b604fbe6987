"""A window in a process of its own: layers of all kinds are drawn and removed, often.

Started by test_drawing_context.py.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_place = Path(tempfile.mkdtemp(prefix="napari-scope-remove-"))
os.environ["NAPARI_CONFIG"] = str(_place / "settings.yaml")


def main() -> None:
    import napari
    import numpy as np
    from qtpy.QtWidgets import QApplication

    from napari_scope.widgets.common.drawing_context import finish_in_own_context

    random = np.random.default_rng(0)
    viewer = napari.Viewer()
    assert finish_in_own_context(viewer)

    def draw(times: int = 2) -> None:
        for _ in range(times):
            QApplication.processEvents()

    def mesh(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        corners = random.random((4 * count, 2)) * 300
        faces = np.arange(4 * count).reshape(-1, 4)[:, :3]
        return corners, faces, np.ones(len(corners))

    def all_kinds() -> list[object]:
        return [
            viewer.add_surface(mesh(300)),
            viewer.add_image(random.random((200, 200))),
            viewer.add_points(random.random((40, 2)) * 300),
            viewer.add_labels(random.integers(0, 9, (200, 200))),
            viewer.add_shapes(random.random((9, 3, 2)) * 300, shape_type="polygon"),
        ]

    below = viewer.add_image(random.random((256, 256)))
    draw(10)
    for turn in range(6):
        made = all_kinds()
        draw()
        below.data = random.random((256, 256))
        if turn == 2:  # as the user does
            viewer.layers.selection = set(made)
            viewer.layers.remove_selected()
        elif turn == 4:
            viewer.layers.clear()
            draw()
            below = viewer.add_image(random.random((256, 256)))
        else:
            for layer in made:
                viewer.layers.remove(layer)
        del made
        draw()
        print("turn", turn, flush=True)
    picture = viewer.screenshot(canvas_only=True)
    viewer.close()
    print("drawn", picture.max() > 0, flush=True)


if __name__ == "__main__":
    main()
