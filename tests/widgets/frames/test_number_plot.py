from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QImage

from napari_scope.widgets.frames.number_plot import Curve, NumberPlot

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


def curve(name: str, y: list[float], unit: str = "") -> Curve:
    values = np.array(y, float)
    frames = np.arange(len(y), dtype=np.int64) * 10
    return Curve(name, np.arange(len(y), dtype=float), values, unit, frames)


@pytest.fixture
def plot(qtbot: QtBot) -> NumberPlot:
    made = NumberPlot()
    qtbot.addWidget(made)
    made.resize(500, 500)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_curves_of_a_unit_share_a_panel(plot: NumberPlot) -> None:
    plot.show_curves(
        [curve("x", [1, 2], "µm"), curve("y", [3, 4], "µm"), curve("t", [5, 6], "ms")],
        "frame",
    )
    assert len(plot.panels) == 2
    assert [len(panel.listDataItems()) for panel in plot.panels] == [2, 1]
    x, y = plot.panels[0].listDataItems()[1].getData()
    assert x.tolist() == [0, 1] and y.tolist() == [3, 4]


def test_a_click_on_a_point_tells_its_frame(plot: NumberPlot, qtbot: QtBot) -> None:
    plot.show_curves([curve("a", [1, float("nan"), 3, 2])], "frame")
    panel = plot.panels[0]
    qtbot.wait(50)

    def scene(x: float, y: float) -> QPointF:
        return panel.vb.mapViewToScene(QPointF(x, y))

    assert plot.frame_near(scene(2, 3)) == 20
    assert plot.frame_near(scene(1, 1.2)) is None
    view = plot._view
    with qtbot.waitSignal(plot.frame_clicked) as told:
        where = view.mapFromScene(scene(3, 2))
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert told.args == [30]


def test_what_was_zoomed_into_stays_when_numbers_come(plot: NumberPlot) -> None:
    plot.show_curves([curve("a", [1, 2, 3])], "frame")
    plot.panels[0].setXRange(0.5, 1.5, padding=0)
    plot.show_curves([curve("a", [1, 2, 3, 4, 5])], "frame")
    assert plot.panels[0].viewRange()[0] == [0.5, 1.5]
    plot.show_all()
    assert all(plot.panels[0].vb.state["autoRange"])
    plot.show_curves([curve("b", [1, 2])], "frame")
    assert all(plot.panels[0].vb.state["autoRange"])


def test_names_from_files_are_no_markup(plot: NumberPlot) -> None:
    plot.show_curves([curve("<b>x</b>", [1, 2])], "a <i>")
    assert "&lt;b&gt;" in plot.panels[0].getAxis("left").labelText


def test_it_follows_the_theme_and_can_be_saved(
    plot: NumberPlot, tmp_path: Path
) -> None:
    plot.show_curves([curve("a", [1, 2])], "frame")
    plot.set_marker(1.0)
    plot.set_colors(QColor("#ffffff"), QColor("#000000"))
    assert len(plot.panels) == 1 and plot._markers[0].value() == 1.0
    assert plot.save_picture(tmp_path / "a.png")
    picture = QImage(str(tmp_path / "a.png"))
    assert picture.pixelColor(3, 3) == QColor("#ffffff")
    assert not plot.save_picture(tmp_path / "absent" / "a.png")
    plot.set_marker(None)
    assert plot._markers == []


def test_very_many_points_are_thinned_and_all_there(
    plot: NumberPlot, qtbot: QtBot
) -> None:
    y = np.sin(np.arange(100_000) / 100).tolist()
    plot.show_curves([curve("a", y)], "frame")
    (item,) = plot.panels[0].listDataItems()
    assert len(item.xData) == 100_000
    qtbot.waitUntil(lambda: len(item.getData()[0]) < 100_000)
