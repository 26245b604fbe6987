"""The command that opens napari with the docks of the microscope."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_scope.cli.picture import has_display
from napari_scope.cli.running import import_pymmcore_plus
from napari_scope.errors import ConfigurationError, SettingsError

__all__ = ["open_window"]

_DEMO = "demo"


def open_window(
    config: Annotated[
        str | None,
        typer.Argument(
            help="A Micro-Manager .cfg file to load, or 'demo'. By default what the "
            "preferences say."
        ),
    ] = None,
) -> None:
    """Open napari with the docks of the microscope."""
    path = None if config in (None, _DEMO) else Path(str(config)).expanduser()
    if path is not None and not path.is_file():
        raise ConfigurationError(
            "the hardware configuration does not exist",
            path=path,
            hint="choose a Micro-Manager .cfg file, or 'demo'",
        )
    if not has_display():
        raise SettingsError(
            "napari needs a display",
            hint="`napari-scope acquire` runs a plan without one",
        )
    import_pymmcore_plus()
    import napari

    from napari_scope.widgets.common.microscope import Microscope
    from napari_scope.widgets.workspace import open_workspace

    viewer = napari.Viewer()
    if config is not None:
        # Before the docks, which would load what the preferences say.
        Microscope.shared().load(path)
    open_workspace(viewer)
    napari.run()
