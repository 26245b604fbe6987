"""The command that opens napari: with the docks of the microscope, or with data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_scope.cli.picture import has_display
from napari_scope.cli.running import import_pymmcore_plus
from napari_scope.errors import ConfigurationError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["open_window"]

_DEMO = "demo"


def open_window(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONFIG | DATA...",
            help="A Micro-Manager .cfg file to load, or 'demo'; or data sets to look "
            "at: folders, files or addresses, also of mass spectra. A folder that is "
            "none itself is listed. By default the configuration that the preferences "
            "say.",
        ),
    ] = None,
) -> None:
    """Open napari with the docks of the microscope, or with data sets."""
    places = list(paths or ())
    if not places or (len(places) == 1 and _is_configuration(places[0])):
        _open_microscope(places[0] if places else None)
    else:
        _open_data(places)


def _is_configuration(place: str) -> bool:
    return place == _DEMO or Path(place).suffix.lower() == ".cfg"


def _need_display(hint: str) -> None:
    if not has_display():
        raise SettingsError("napari needs a display", hint=hint)


def _open_microscope(config: str | None) -> None:
    path = None if config in (None, _DEMO) else Path(str(config)).expanduser()
    if path is not None and not path.is_file():
        raise ConfigurationError(
            "the hardware configuration does not exist",
            path=path,
            hint="choose a Micro-Manager .cfg file, or 'demo'",
        )
    _need_display("`napari-scope acquire` runs a plan without one")
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


def _open_data(given: Sequence[str]) -> None:
    places = [_checked(place) for place in given]
    _need_display("`napari-scope info` says what is in data without one")
    import napari

    from napari_scope.widgets.workspace import make_room_for_image, open_dock

    viewer = napari.Viewer()
    dock: Any = open_dock(viewer, "Browse data")
    make_room_for_image(viewer, dock)
    dock.open_places(places)
    napari.run()


def _checked(place: str) -> str:
    """Return the path or address of a data set, or of a folder.

    Raises
    ------
    FormatError
        If it is neither.
    """
    from napari_scope.formats import detect, open_dataset
    from napari_scope.formats.addresses import is_address

    if is_address(place):
        return place
    path = os.path.abspath(os.path.expanduser(place))
    if not os.path.isdir(path) and detect(path) is None:
        open_dataset(path)  # says what was looked for
    return path
