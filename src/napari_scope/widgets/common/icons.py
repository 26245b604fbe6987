"""The icons of the docks: drawn for this project, shipped with it, never fetched.

`icon` gives the docks' own icons. The tables of pymmcore-widgets ask superqt for
icons by an iconify key, and superqt asks a web service; on a microscope's computer
without a network that leaves question marks and warnings. `serve_shipped_icons` lets
superqt find the keys that are drawn here (the file ``plus-thick.svg`` answers
``mdi:plus-thick``); every other key goes its usual way.

Examples
--------
>>> sorted(shipped_names())[:2]
['arrow-bottom-left-thick', 'arrow-bottom-right-thick']
"""

from __future__ import annotations

import atexit
import functools
import re
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QIcon, QIconEngine, QPainter, QPixmap

from napari_scope.widgets.common.tones import AMBER, GREEN, NEUTRAL, RED, toned

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AMBER",
    "GREEN",
    "NEUTRAL",
    "RED",
    "icon",
    "icon_file",
    "serve_shipped_icons",
    "shipped_names",
]

_COLOR = re.compile(r"#[0-9a-fA-F]{3,8}|[a-zA-Z]+")
# The collections of icons whose keys the docks' widgets ask for.
_SERVED = {"mdi", "fa6-solid", "fluent", "mynaui", "carbon", "ph", "ic"}
# The greys of pymmcore-widgets vanish on a dark background.
_TOO_DARK = {"#666", "black", "currentColor"}
_TONES = {**dict.fromkeys(_TOO_DARK, NEUTRAL), "#3A3": GREEN, "#C33": RED}


@functools.cache
def shipped_names() -> frozenset[str]:
    """Return the names of all icons that are shipped."""
    folder = files("napari_scope.widgets") / "icons"
    return frozenset(
        entry.name.removesuffix(".svg")
        for entry in folder.iterdir()
        if entry.name.endswith(".svg")
    )


@functools.cache
def _folder() -> Path:
    # Qt reads an icon from its file each time it needs another size, so the coloured
    # copies must stay for as long as the program runs.
    folder = Path(tempfile.mkdtemp(prefix="napari-scope-icons-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def icon_file(name: str, color: str | None = None, transform: str = "") -> Path:
    """Return the path of an icon in one colour.

    Parameters
    ----------
    name : str
        Name of the drawing, without suffix.
    color : str, optional
        A colour that SVG knows; the neutral one when None.
    transform : str
        An SVG transform of the drawing in its field of 24 by 24.

    Raises
    ------
    KeyError
        If there is no such drawing.
    """
    if name not in shipped_names():
        raise KeyError(name)
    if color is None or color in _TOO_DARK or not _COLOR.fullmatch(color):
        color = NEUTRAL
    drawing = files("napari_scope.widgets") / "icons" / f"{name}.svg"
    text = drawing.read_text(encoding="utf-8").replace("currentColor", color)
    if transform:
        start = text.index(">") + 1
        end = text.rindex("</svg>")
        text = f'{text[:start]}<g transform="{transform}">{text[start:end]}</g></svg>'
    digest = f"{abs(hash((name, color, transform))):x}"
    path = _folder() / f"{name}-{digest}.svg"
    path.write_text(text, encoding="utf-8")
    return path


def icon(name: str, color: str | None = None) -> QIcon:
    """Return a shipped icon.

    Parameters
    ----------
    name : str
        Name of the drawing, without suffix.
    color : str, optional
        Its colour; a neutral one when None. Tones follow the theme of the viewer.
    """
    return QIcon(_TonedIcon(name, color or NEUTRAL))


@functools.cache
def _drawn(name: str, color: str) -> QIcon:
    return QIcon(str(icon_file(name, color)))


class _TonedIcon(QIconEngine):
    """Draws an icon in the colour that its tone has at that moment."""

    def __init__(self, name: str, color: str) -> None:
        super().__init__()
        self._name, self._color = name, color
        icon_file(name, color)  # an unknown name is told here, not while painting

    def paint(
        self,
        painter: QPainter | None,
        rect: QRect,
        mode: QIcon.Mode,
        state: QIcon.State,
    ) -> None:
        """Paint it."""
        self._icon().paint(painter, rect, Qt.AlignmentFlag.AlignCenter, mode, state)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """Return it as pixels."""
        return self._icon().pixmap(size, mode, state)

    def clone(self) -> QIconEngine:
        """Return a copy."""
        return _TonedIcon(self._name, self._color)

    def _icon(self) -> QIcon:
        return _drawn(self._name, toned(self._color))


def serve_shipped_icons() -> None:
    """Let superqt take the icons that are shipped here instead of fetching them."""
    import superqt.iconify

    # The name is superqt's import of pyconify's function, not a part of its API.
    module: Any = superqt.iconify
    if not getattr(module.svg_path, "_serves_shipped_icons", False):
        module.svg_path = _shipped_first(module.svg_path)


def _shipped_first(fetch: Callable[..., Path]) -> Callable[..., Path]:
    """Wrap superqt's source of icon files."""

    @functools.wraps(fetch)
    def svg_path(
        *key: str,
        color: str | None = None,
        flip: str | None = None,
        rotate: str | int | None = None,
        **others: object,
    ) -> Path:
        prefix, _, name = ":".join(key).partition(":")
        if prefix in _SERVED and name in shipped_names():
            tone = _TONES.get(color or "", NEUTRAL if color is None else color)
            return icon_file(name, toned(tone), _transform(flip, rotate))
        return fetch(*key, color=color, flip=flip, rotate=rotate, **others)

    svg_path._serves_shipped_icons = True  # type: ignore[attr-defined]
    return svg_path


def _transform(flip: str | None, rotate: str | int | None) -> str:
    """Return iconify's flip and rotation as an SVG transform."""
    steps: list[str] = []
    if rotate:
        degrees = int(rotate)
        degrees = degrees * 90 if abs(degrees) < 4 else degrees
        steps.append(f"rotate({degrees} 12 12)")
    if flip and "horizontal" in flip:
        steps.append("matrix(-1 0 0 1 24 0)")
    if flip and "vertical" in flip:
        steps.append("matrix(1 0 0 -1 0 24)")
    return " ".join(steps)
