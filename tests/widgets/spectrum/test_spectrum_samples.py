"""The Spectra dock over real files, where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_scope.formats.msi import open_msi
from napari_scope.layers.msi_build import reader_to_layers
from napari_scope.widgets.spectrum.spectrum_dock import SpectrumDock

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "msi"
NAMES = (
    "imzml/Example_Continuous.imzML",
    "imzml/Example_Processed.imzML",
    "imzml/simple_imzml.imzML",
    "imzml/iontof_sparse.imzML",
    "analyze/Analyze75.hdr",
    "mzml/tiny.pwiz.1.1.mzML",
)


@pytest.mark.parametrize("name", NAMES)
def test_real_files_are_looked_at(name: str, qtbot: QtBot) -> None:
    if not (SAMPLES / name).exists():
        pytest.skip(f"the sample {name} is not beside the repository")
    viewer: Any = ViewerModel()
    dock = SpectrumDock(viewer)
    qtbot.addWidget(dock)
    reader = open_msi(SAMPLES / name)
    for layer in reader_to_layers(reader):
        viewer.add_layer(Layer.create(*layer))
    viewer.layers.selection.active = viewer.layers[0]
    qtbot.waitUntil(lambda: not dock.busy)
    assert dock.error_panel.error is None
    traces = dock.pages.traces.traces
    assert [trace.name for trace in traces] == ["Mean"]
    mean = traces[0]
    data = dock.looked_at.origin.data
    table = data.pixels
    place = tuple(int(c[0] - o) for c, o in zip(
        (table.x, table.y, table.z), table.origin, strict=True
    ))  # fmt: skip
    dock.spectra.watch.clicked.emit(place, False)
    qtbot.waitUntil(lambda: not dock.busy)
    clicked = dock.pages.traces.traces[-1]
    assert len(clicked.mz) == len(data.spectrum_at(*place).mz)
    above = mean.mz > 0  # one of the samples has toy spectra that begin at 0
    if above.any():
        highest = float(mean.mz[above][np.argmax(mean.intensities[above])])
        dock.plot.picked.emit(highest)
        qtbot.waitUntil(lambda: not dock.busy)
        image = dock.ions.layers.preview.data
        assert image.shape == viewer.layers[0].data.shape
        assert image.max() > 0
    assert dock.error_panel.error is None
    dock.shut_down()
