from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor

from napari_scope.widgets.frames.number_plot import Curve, NumberPlot

if TYPE_CHECKING:
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


def shown_x(plot: NumberPlot) -> list[list[float]]:
    return [panel.viewRange()[0] for panel in plot.panels]


def test_the_x_axis_follows_a_run_to_its_end(plot: NumberPlot, qtbot: QtBot) -> None:
    def both(count: int) -> list[Curve]:
        y = [float(n % 5) for n in range(count)]
        return [curve("a", y, "ms"), curve("b", y, "µm")]

    plot.show_curves(both(3), "frame")
    items = [panel.listDataItems()[0] for panel in plot.panels]
    for count in (10, 40, 900):
        plot.show_curves(both(count), "frame")
        qtbot.wait(20)
        for low, high in shown_x(plot):
            assert low <= 0 and count - 1 <= high <= 1.1 * count
        assert [len(item.xData) for item in items] == [count, count]
    plot.show_curves(both(4), "frame")  # fewer again, of a store that was recovered
    assert all(high < 5 for _, high in shown_x(plot))


def test_what_was_zoomed_into_stays_when_numbers_come(
    plot: NumberPlot, qtbot: QtBot
) -> None:
    plot.show_curves([curve("a", [1, 2, 3], "s"), curve("b", [1, 2], "m")], "frame")
    qtbot.wait(20)
    box = plot.panels[1].vb  # any panel: they move together
    box.setXRange(0.5, 1.5, padding=0)
    for values in ([1, 2, 3, 4], [1, 2, 3, 4, 5]):
        plot.show_curves([curve("a", values, "s"), curve("b", values, "m")], "frame")
        assert box.viewRange()[0] == pytest.approx([0.5, 1.5])
    plot.show_curves([curve("c", [1, 2])], "frame")
    assert shown_x(plot)[0] == pytest.approx([0.5, 1.5])
    plot.set_colors(QColor("#ffffff"), QColor("#000000"))
    plot.show_curves([curve("c", [1, 2, 9])], "frame")
    assert shown_x(plot)[0] == pytest.approx([0.5, 1.5])
    plot.show_all()
    plot.show_curves([curve("c", [1, 2, 9, 4, 5, 6])], "frame")
    assert shown_x(plot)[0][1] > 5
    plot.panels[0].setXRange(0.5, 1.5, padding=0)
    plot.show_curves([curve("c", [1, 2])], "time (s)")
    assert shown_x(plot)[0] == pytest.approx([-0.02, 1.02])


def test_names_from_files_are_no_markup(plot: NumberPlot) -> None:
    plot.show_curves([curve("<b>x</b>", [1, 2])], "a <i>")
    assert "&lt;b&gt;" in plot.panels[0].getAxis("left").labelText


def test_it_follows_the_theme_and_is_a_picture(plot: NumberPlot) -> None:
    plot.show_curves([curve("a", [1, 2])], "frame")
    plot.set_marker(1.0)
    plot.set_colors(QColor("#ffffff"), QColor("#000000"))
    assert len(plot.panels) == 1 and plot.marker == 1.0
    assert plot.picture().pixelColor(3, 3) == QColor("#ffffff")
    plot.set_marker(None)
    assert plot.marker is None


def test_very_many_points_are_thinned_and_all_there(
    plot: NumberPlot, qtbot: QtBot
) -> None:
    y = np.sin(np.arange(100_000) / 100).tolist()
    plot.show_curves([curve("a", y)], "frame")
    (item,) = plot.panels[0].listDataItems()
    assert len(item.xData) == 100_000
    qtbot.waitUntil(lambda: len(item.getData()[0]) < 100_000)
