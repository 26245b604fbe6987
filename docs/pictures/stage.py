"""The stage for the pictures of the docs: a window, a microscope, a camera for both.

What every script of this folder needs: napari with docks at a size and in a theme, the
demo microscope, waiting while the window lives, and pictures that are small enough for
a repository. Nothing of the user is read or changed: settings, preferences, caches and
data go to a temporary folder, which goes with the program.

Examples
--------
>>> with demo_microscope() as microscope, window() as viewer:  # doctest: +SKIP
...     dock = docked(viewer, LogDock(viewer, microscope), "Log")
...     shoot(viewer, Path("log.png"), theme="light")
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL import Image
    from qtpy.QtWidgets import QWidget

    from napari_scope.widgets.common.microscope import Microscope

__all__ = [
    "LARGE",
    "SMALL",
    "THEMES",
    "Theme",
    "broken",
    "demo_microscope",
    "docked",
    "keep_away",
    "rest",
    "save",
    "save_widget",
    "shoot",
    "to_front",
    "until",
    "window",
]

Theme: TypeAlias = Literal["dark", "light"]

LARGE: Final = (1600, 1000)
SMALL: Final = (1280, 800)
THEMES: Final[tuple[Theme, ...]] = ("dark", "light")

_PATIENCE_S: Final = 90.0
_SETTLED_S: Final = 0.8
_COLORS: Final = (200, 128, 80, 48, 32)
_MOST_BYTES: Final = 420_000


# ---- the user's things


@cache
def keep_away() -> Path:
    """Let nothing of the user be read or changed; return the folder used instead.

    To be called before napari is imported: it reads some of it only then.
    """
    folder = Path(tempfile.mkdtemp(prefix="scope-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if "napari" not in sys.modules:  # it is in two minds if they change later
        os.environ["HOME"] = os.environ["USERPROFILE"] = str(folder)
        os.environ["NAPARI_CONFIG"] = str(folder / "napari.yaml")
    os.environ["NAPARI_SCOPE_CONFIG_DIR"] = str(folder / "preferences")
    os.environ["NAPARI_SCOPE_CACHE_DIR"] = str(folder / "cache")
    from qtpy.QtCore import QSettings

    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder)
    )
    return folder


# ---- the program


@contextlib.contextmanager
def demo_microscope(**properties: str | float) -> Iterator[Microscope]:
    """Give the demo microscope, before a sample of fluorescent beads.

    Parameters
    ----------
    **properties : str or float
        Properties of devices to set, as ``Camera_PixelType="16bit"``.
    """
    keep_away()
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire import CoreOwner
    from napari_scope.widgets.common.microscope import Microscope

    with CoreOwner(CMMCorePlus()) as owner:
        owner.load()
        # Beads look more like a sample than the waves that the camera starts with.
        owner.core.setProperty("Camera", "Mode", "Fluorescent Beads")
        for name, value in properties.items():
            device, _, of = name.partition("_")
            owner.core.setProperty(device, of, value)
        microscope = Microscope(owner)
        try:
            yield microscope
        finally:
            microscope.close()


@contextlib.contextmanager
def window(
    *, size: tuple[int, int] = LARGE, theme: Theme = "dark"
) -> Iterator[Any]:  # napari publishes no types
    """Give a window of napari; its docks are shut down with it."""
    keep_away()
    import napari

    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.theme = theme
    viewer.window.resize(*size)
    rest(0.2)
    docks = viewer.window._wrapped_dock_widgets
    try:
        yield viewer
    finally:
        for dock in list(docks.values()):
            inner = dock.inner_widget()
            if hasattr(inner, "shut_down"):
                inner.shut_down()
        viewer.close()
        rest(0.2)


def docked(viewer: Any, widget: Any, name: str) -> Any:
    """Put a widget into a dock at the right; return the widget."""
    viewer.window.add_dock_widget(widget, name=name, area="right")
    return widget


def to_front(viewer: Any, widget: Any) -> None:
    """Bring the tab of a dock to the front."""
    for dock in viewer.window._wrapped_dock_widgets.values():
        if dock.inner_widget() is widget:
            dock.raise_()
    until(lambda: not widget.visibleRegion().isEmpty())


@contextlib.contextmanager
def broken(core: Any, call: str, message: str) -> Iterator[None]:
    """Let a call of the core fail, as with a device whose cable is loose."""

    def fail(*_: object) -> None:
        raise RuntimeError(message)

    setattr(core, call, fail)
    try:
        yield
    finally:
        delattr(core, call)


# ---- waiting


def until(condition: Callable[[], object], *, seconds: float = _PATIENCE_S) -> None:
    """Let the window live until something is so."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the program did not get there")
        QApplication.processEvents()
        time.sleep(0.005)


def rest(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end, seconds=seconds + _PATIENCE_S)


# ---- pictures


def shoot(
    viewer: Any,
    path: Path,
    *,
    theme: Theme | None = None,
    size: tuple[int, int] | None = None,
) -> Path:
    """Take a picture of a window once it has settled, and save it.

    Parameters
    ----------
    viewer : napari.Viewer
        Of the window.
    path : Path
        Of the picture.
    theme : {"dark", "light"}, optional
        The theme of the picture; by default the window's.
    size : tuple of int, optional
        Width and height of the window in the picture.

    Returns
    -------
    Path
        Of the picture.
    """
    from PIL import Image

    if theme is not None:
        viewer.theme = theme
    if size is not None:
        viewer.window.resize(*size)
    rest(_SETTLED_S)
    return save(
        Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)), path
    )


def save_widget(widget: QWidget, path: Path) -> Path:
    """Take a picture of a widget that needs no window around it, and save it."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    widget.grab().save(str(path))
    with Image.open(path) as opened:
        opened.load()
    return save(opened, path)


def save(picture: Image.Image, path: Path) -> Path:
    """Save a picture with so few colours that it is small enough for a repository."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    plain = picture.convert("RGB")
    for colors in _COLORS:  # nobody sees the difference beside the text
        plain.quantize(colors, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= _MOST_BYTES:
            break
    return path
