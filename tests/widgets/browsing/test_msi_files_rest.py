from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.layers.msi_readers import memory_reader, over_one_axis

from napari_scope.formats.msi import open_msi
from napari_scope.formats.msi.imzml.writer import ImzMLWriter
from napari_scope.layers.msi import msi_of
from napari_scope.layers.msi_build import reader_to_layers
from napari_scope.widgets.browsing.msi_painter import MSIPainter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "a.imzML"
    with ImzMLWriter(found, mz=np.arange(100.0, 110.0)) as writer:
        for x in range(4):
            writer.write(x, 0, None, np.arange(10.0) * (x + 1))
    return found


@pytest.fixture
def viewer(qtbot: QtBot) -> Iterator[ViewerModel]:
    from qtpy.QtWidgets import QWidget

    window = QWidget()
    qtbot.addWidget(window)
    made: Any = ViewerModel()
    painter = MSIPainter(made, window)
    yield made
    painter.stop()


def _show(viewer: Any, path: Path) -> Any:
    for data, arguments, kind in reader_to_layers(open_msi(path)):
        viewer._add_layer_from_data(data, arguments, kind)
    tic, stack = viewer.layers
    origin = msi_of(tic.metadata)
    assert origin is not None
    return tic, stack, origin.reader.resting_files[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["clear", "remove_selected", "pop"])
def test_the_file_is_closed_with_the_last_layer(
    viewer: ViewerModel, path: Path, how: str
) -> None:
    viewer.add_image(np.zeros((4, 4)), name="other")
    other = viewer.layers.pop()
    # Somebody still has both layers: a console, a dock, an exception.
    tic, stack, file = _show(viewer, path)
    gc.disable()
    try:
        viewer.layers.append(other)
        assert file._file is not None
        if how == "clear":
            viewer.layers.clear()
        elif how == "remove_selected":
            viewer.layers.selection = {tic, stack}
            viewer.layers.remove_selected()
        else:
            viewer.layers.pop(0)
            assert file._file is not None, "the stack needs it"
            viewer.layers.pop(0)
        assert file._file is None
    finally:
        gc.enable()
    # Both are put back, or shown elsewhere.
    assert np.asarray(stack.data[3]).tolist() == [[3, 6, 9, 12]]
    assert file._file is None
    viewer.layers.append(stack)
    assert stack.data.source.origin.data.spectrum_at(1, 0).intensities[5] == 10
    assert file._file is not None
    viewer.layers.clear()


def test_napari_does_not_remember_the_last_layer(
    viewer: ViewerModel, path: Path
) -> None:
    for data, arguments, kind in reader_to_layers(memory_reader(over_one_axis())):
        viewer._add_layer_from_data(data, arguments, kind)
    while viewer.layers:
        layer = viewer.layers[-1]
        viewer.layers.selection._current = layer
        viewer.layers.remove(layer)
        assert viewer.layers.selection._current is not layer
