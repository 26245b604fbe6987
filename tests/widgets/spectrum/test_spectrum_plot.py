"""The plot: what is painted anew, what stays where it is, keys and the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QColor, QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_scope.formats.msi import Spectrum
from napari_scope.widgets.spectrum.spectrum_plot import SpectrumPlot
from napari_scope.widgets.spectrum.trace import Trace

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui


@pytest.fixture
def plot(qtbot: QtBot) -> SpectrumPlot:
    made = SpectrumPlot()
    qtbot.addWidget(made)
    made.resize(700, 300)
    made.show()
    qtbot.waitExposed(made)
    return made


def trace(peaks: dict[float, float], name: str = "a", color: str = "#ff0000") -> Trace:
    mz, values = np.array(list(peaks)), np.array(list(peaks.values()))
    return Trace.of(name, Spectrum(mz, values), color)


MEAN = trace({100.0: 10.0, 200.0: 100.0, 300.0: 40.0, 400.0: 80.0})


def height(plot: SpectrumPlot) -> float:
    return float(plot.box.viewRange()[1][1])


@pytest.mark.parametrize("log", [False, True])
def test_only_the_spectrum_under_the_mouse_is_fed(
    plot: SpectrumPlot, monkeypatch: pytest.MonkeyPatch, log: bool
) -> None:
    plot.set_log(log)
    other = trace({150.0: 30.0}, "b")
    plot.show_traces([MEAN, other], trace({120.0: 90.0}))
    fed: list[int] = []
    thinned: list[object] = []
    written: list[object] = []
    feed, write = plot.curves.feed, plot.labels.write
    from napari_scope.widgets.spectrum import trace_curves

    thin = trace_curves.thin_sticks
    monkeypatch.setattr(plot.curves, "feed", lambda *a: fed.append(feed(*a)))
    monkeypatch.setattr(plot.labels, "write", lambda *a: written.append(write(*a)))
    monkeypatch.setattr(
        trace_curves, "thin_sticks", lambda *a: thinned.append(a) or thin(*a)
    )
    before, top = plot.labels.texts, height(plot)
    for n in range(5):
        plot.show_traces([MEAN, other], trace({130.0 + n: 60.0 + n}))
    assert fed == [1] * 5 and len(thinned) == 5
    assert not written and plot.labels.texts == before
    assert height(plot) == top  # and the axis is not drawn anew
    x, _ = plot.curves.items[2].getData()
    assert set(x) == {134.0}
    # What is much higher or lower moves the height nevertheless.
    plot.show_traces([MEAN, other], trace({130.0: 1e4}))
    assert height(plot) > top
    plot.show_traces([MEAN, other], trace({130.0: 1.0}))
    assert height(plot) == pytest.approx(top)


def test_the_one_that_passes_is_behind(plot: SpectrumPlot) -> None:
    plot.show_traces([MEAN], trace({120.0: 90.0}))
    kept, passing = plot.curves.items
    assert passing.zValue() < kept.zValue()
    plot.show_traces([MEAN, trace({120.0: 90.0}, "kept")])
    kept, other = plot.curves.items
    assert other.zValue() > kept.zValue()
    plot.show_traces([], MEAN)
    assert plot.labels.texts == ["200.00", "400.00", "300.00", "100.00"]
    plot.show_traces([])
    assert not plot.curves.items and not plot.labels.texts


def test_another_colour_is_painted(plot: SpectrumPlot) -> None:
    plot.show_traces([MEAN])
    assert plot.curves.items[0].opts["pen"].color() == QColor("#ff0000")
    plot.show_traces([trace({100.0: 1.0}, color="#00ff00")])
    assert plot.curves.items[0].opts["pen"].color() == QColor("#00ff00")


def test_labels_stay_in_the_picture(plot: SpectrumPlot, qtbot: QtBot) -> None:
    plot.show_traces([MEAN])
    plot.show_range(199.9, 400.1)
    plot.draw()
    anchors = {
        item.toPlainText(): item.anchor[0]
        for item in plot.labels.items
        if item.isVisible()
    }
    assert anchors == {"200.00": 0.0, "400.00": 1.0, "300.00": 0.5}
    qtbot.wait(20)  # pyqtgraph places texts when it paints
    for item in plot.labels.items:
        if item.isVisible():
            inside = plot.box.sceneBoundingRect().adjusted(-1, -1, 1, 1)
            assert inside.contains(item.mapRectToScene(item.boundingRect()))


def test_a_low_plot_has_no_titles(plot: SpectrumPlot, qtbot: QtBot) -> None:
    left = plot.item.getAxis("left")
    assert left.label.isVisible() and left.labelText == "Intensity"
    plot.set_relative(True)
    assert left.labelText == "% of highest"
    wide = left.fixedWidth
    plot.resize(700, 90)
    qtbot.waitUntil(lambda: not left.label.isVisible())
    assert not plot.item.getAxis("bottom").label.isVisible()
    assert left.fixedWidth < wide


def test_keys(plot: SpectrumPlot, qtbot: QtBot) -> None:
    plot.show_traces([MEAN])
    whole = plot.shown_range
    plot.show_range(150.0, 250.0)
    view = plot.view
    for key, expected in (
        (Qt.Key.Key_Right, (170, 270)),
        (Qt.Key.Key_Left, (150, 250)),
        (Qt.Key.Key_Down, (125, 275)),
        (Qt.Key.Key_Up, (150, 250)),
        (Qt.Key.Key_Minus, (125, 275)),
        (Qt.Key.Key_Plus, (150, 250)),
    ):
        qtbot.keyClick(view, key)
        assert plot.shown_range == pytest.approx(expected), key
    plot.set_marker(160.0, 1.0)
    qtbot.keyClick(view, Qt.Key.Key_Down)  # around the marker
    assert plot.shown_range == pytest.approx((145, 295))
    qtbot.keyClick(view, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    assert plot.shown_range == pytest.approx((145, 295))
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert plot.shown_range == pytest.approx(whole)

    picked: list[float] = []
    plot.picked.connect(picked.append)
    plot.picked.connect(lambda mz: plot.set_marker(mz, 0.1))
    plot.show_range(350.0, 450.0)
    qtbot.keyClick(view, Qt.Key.Key_PageDown)
    qtbot.keyClick(view, Qt.Key.Key_PageUp)
    assert picked == [400.0, 300.0]
    low, high = plot.shown_range
    assert low < 300 < high
    for _ in range(4):
        qtbot.keyClick(view, Qt.Key.Key_PageUp)
    assert picked == [400.0, 300.0, 200.0, 100.0]


def drag(
    qtbot: QtBot, plot: SpectrumPlot, low: float, high: float, keys: Qt.KeyboardModifier
) -> None:
    port = plot.view.viewport()

    def at(mz: float) -> QPoint:
        middle = sum(plot.box.viewRange()[1]) / 2
        return plot.view.mapFromScene(plot.box.mapViewToScene(QPointF(mz, middle)))

    begin, end = at(low), at(high)
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    steps = [begin + (end - begin) * k / 8 for k in range(9)]
    kinds = [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * 8]
    for kind, place in [
        *zip(kinds, steps, strict=True),
        (QEvent.Type.MouseButtonRelease, end),
    ]:
        button = none if kind == QEvent.Type.MouseMove else left
        held = none if kind == QEvent.Type.MouseButtonRelease else left
        place_f = QPointF(place)
        event = QMouseEvent(
            kind, place_f, QPointF(port.mapToGlobal(place)), button, held, keys
        )
        QApplication.sendEvent(port, event)
        qtbot.wait(15)  # pyqtgraph leaves out moves that come too fast


def test_a_drag_moves_and_with_shift_it_zooms(plot: SpectrumPlot, qtbot: QtBot) -> None:
    plot.show_traces([MEAN])
    plot.show_range(100.0, 400.0)
    plot.draw()
    drag(qtbot, plot, 200.0, 300.0, Qt.KeyboardModifier.NoModifier)
    low, high = plot.shown_range
    assert high - low == pytest.approx(300, abs=0.1)
    assert low == pytest.approx(0, abs=15)
    plot.show_range(100.0, 400.0)
    plot.draw()
    drag(qtbot, plot, 150.0, 250.0, Qt.KeyboardModifier.ShiftModifier)
    assert plot.shown_range == pytest.approx((150, 250), abs=3)
    plot.draw()
    assert height(plot) < 130  # of what is in sight
    drag(
        qtbot, plot, 160.0, 170.0, Qt.KeyboardModifier.NoModifier
    )  # and it moves again
    low, high = plot.shown_range
    assert high - low == pytest.approx(100, abs=6)
