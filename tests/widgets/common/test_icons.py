from __future__ import annotations

import re
from importlib.resources import files
from xml.etree import ElementTree

import pytest

from napari_scope.widgets.common.icons import (
    NEUTRAL,
    icon,
    icon_file,
    serve_shipped_icons,
    shipped_names,
)

pytestmark = pytest.mark.gui

# The parts of pymmcore-widgets that the docks show.
_SHOWN = ("useq_widgets", "mda", "hcs")


def _asked_for() -> set[str]:
    """Find the icon keys in the source of the tables that are shown."""
    package = files("pymmcore_widgets")
    text = ""
    for folder in _SHOWN:
        for file in (package / folder).iterdir():
            # The run buttons of pymmcore-widgets are not used; ours are.
            if file.name.endswith(".py") and file.name != "_core_mda.py":
                lines = file.read_text(encoding="utf-8").splitlines()
                text += "\n".join(x for x in lines if not x.strip().startswith("#"))
    return set(re.findall(r"""["']mdi:([a-z0-9-]+)["']""", text))


def test_every_icon_of_the_tables_is_shipped() -> None:
    asked = _asked_for()
    assert len(asked) > 20
    assert asked <= shipped_names()


@pytest.mark.parametrize("name", sorted(shipped_names()))
def test_icon_is_drawn(name: str, qapp: object) -> None:
    ElementTree.parse(icon_file(name))
    image = icon(name, "#ff0000").pixmap(24, 24).toImage()
    colors = {
        image.pixelColor(x, y).name()
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).alpha() == 255
    }
    assert "#ff0000" in colors


def test_icon_file_is_made_once_for_each_colour() -> None:
    assert icon_file("run", "#112233") == icon_file("run", "#112233")
    assert icon_file("run", "#112233") != icon_file("run", "#445566")


def test_dark_and_odd_colours_become_neutral() -> None:
    for color in (None, "#666", 'red" onload="x'):
        text = icon_file("run", color).read_text(encoding="utf-8")
        assert NEUTRAL in text and "onload" not in text


def test_unknown_icon_is_an_error() -> None:
    with pytest.raises(KeyError):
        icon_file("no-such-icon")


def test_superqt_takes_shipped_icons_without_the_network(
    qapp: object, no_network: None
) -> None:
    from superqt.iconify import QIconifyIcon

    serve_shipped_icons()
    serve_shipped_icons()
    assert not QIconifyIcon("mdi:plus-thick", color="#3A3").isNull()
    # A line on the left and on top, dots on the right and below.
    plain = QIconifyIcon("mdi:border-style").pixmap(24, 24).toImage()
    flipped = QIconifyIcon("mdi:border-style", flip="horizontal").pixmap(24, 24)
    image = flipped.toImage()
    assert plain.pixelColor(4, 10).alpha() > 200 > plain.pixelColor(20, 10).alpha()
    assert image.pixelColor(4, 10).alpha() < 200 < image.pixelColor(20, 10).alpha()


def test_other_icons_still_go_their_own_way(qapp: object, no_network: None) -> None:
    from superqt.iconify import QIconifyIcon

    serve_shipped_icons()
    with pytest.raises(AssertionError, match="over the network"):
        QIconifyIcon("bi:bell", dir="/nowhere")
