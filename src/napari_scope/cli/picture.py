"""The viewer at the end of the demonstration, and a picture of it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from napari_scope.cli.printing import out_console
from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.stream import Output

__all__ = ["check_screenshot", "has_display", "show_output"]

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def has_display() -> bool:
    """Return whether there is a display to open a window on."""
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def check_screenshot(path: Path) -> None:
    """Find out before the run whether a screenshot can be taken and saved."""
    if path.suffix.lower() not in _PICTURES:
        raise SettingsError(
            f"a screenshot is saved as one of {', '.join(_PICTURES)}, found "
            f"{path.suffix!r}",
            path=path,
        )
    if path.is_dir():
        raise SettingsError("the screenshot would replace a folder", path=path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"the folder of the screenshot cannot be made, {error.strerror}",
            path=path.parent,
        ) from error
    if not has_display():
        raise SettingsError(
            "a screenshot needs a display",
            hint="run it under 'xvfb-run -a -s \"-screen 0 1600x1000x24\"'",
        )


def show_output(output: Output, screenshot: Path | None, *, stay: bool) -> None:
    """Open an output in napari, save a picture of that, and leave it open or not."""
    import napari
    from napari.qt import get_qapp

    events = get_qapp()
    viewer = napari.Viewer(title="napari-scope demo")
    viewer.open(output.path, plugin="napari-scope")
    viewer.window.resize(1600, 1000)
    for _ in range(20):  # lets the canvas be laid out and painted
        events.processEvents()
        time.sleep(0.05)
    viewer.reset_view()
    if screenshot is not None:
        events.processEvents()
        viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
        out_console.print(f"screenshot: {screenshot}", highlight=False)
    if stay:
        napari.run()
    else:
        viewer.close()
