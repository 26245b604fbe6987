from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QDoubleSpinBox, QTabWidget, QWidget

from napari_scope.widgets.acquiring.tight_tabs import TightTitles
from napari_scope.widgets.common import tones
from napari_scope.widgets.common.icons import icon
from napari_scope.widgets.common.narrow import keep_narrow
from napari_scope.widgets.common.tones import AMBER, BLUE, GREEN, NEUTRAL, RED, toned

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.gui

_TONES = (NEUTRAL, GREEN, AMBER, RED, BLUE)


def _luminance(color: str) -> float:
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["dark", "light"])
@pytest.mark.parametrize("tone", _TONES)
def test_tones_are_readable_in_both_themes(tone: str, name: str) -> None:
    from napari.utils.theme import get_theme

    theme = get_theme(name)
    color = toned(tone, dark=name == "dark")
    assert _contrast(color, theme.background.as_hex("long")) >= 4.5
    assert _contrast(color, theme.foreground.as_hex("long")) >= 4.5
    assert _contrast(color, theme.primary.as_hex("long")) >= 3  # buttons


def test_icons_follow_the_theme(qapp: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> set[str]:
        image = sign.pixmap(QSize(24, 24)).toImage()
        points = [image.pixelColor(x, y) for x in range(24) for y in range(24)]
        return {point.name() for point in points if point.alpha() == 255}

    sign = icon("run", GREEN)
    for dark in (True, False, True):
        monkeypatch.setattr(tones, "is_dark", lambda dark=dark: dark)
        assert drawn() == {toned(GREEN, dark=dark)}


def test_a_box_is_as_wide_as_a_sample_in_any_font(qtbot: QtBot) -> None:
    box = QDoubleSpinBox()
    qtbot.addWidget(box)
    box.setRange(-1e9, 1e9)
    usual = box.minimumSizeHint().width()
    keep_narrow(box, "-000.0")
    assert 0 < box.minimumWidth() < usual
    before = box.minimumWidth()
    font = box.font()
    font.setPointSizeF(font.pointSizeF() * 2)
    box.setFont(font)
    assert box.minimumWidth() > before * 1.5


def test_titles_become_shorter_and_longer_again(qtbot: QtBot) -> None:
    tabs = QTabWidget()
    qtbot.addWidget(tabs)
    for title in ("", "Z"):
        tabs.addTab(QWidget(), title)
    titles = TightTitles(tabs, {0: ("Positions", "Pos.")})
    tabs.show()
    titles.fit(1000)
    least = titles.least_width()
    assert tabs.tabText(0) == tabs.tabToolTip(0) == "Positions"
    titles.fit(least)
    assert tabs.tabText(0) == "Pos." and tabs.tabToolTip(0) == "Positions"
    assert abs(titles.least_width() - least) <= 1, "the same, whatever is shown"
    titles.fit(1000)
    assert tabs.tabText(0) == "Positions"
