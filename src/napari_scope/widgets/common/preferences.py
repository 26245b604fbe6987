"""The preferences of the docks: read from napari's own preferences, never trusted.

The manifest contributes them to napari's preferences dialog (page napari-scope); here
they become one frozen object. What is missing, damaged or out of range is its default,
so a dock never fails because of a preference.

Examples
--------
>>> preferences().live_fps
30
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

__all__ = ["Preferences", "preferences", "set_preference"]

_PLUGIN = "napari-scope"
_KEYS = ("microscope", "display", "messages")


@dataclass(frozen=True, slots=True)
class Preferences:
    """How the docks behave.

    Parameters
    ----------
    startup_configuration : {"demo", "last", "none"}
        What is loaded when the first dock opens and no devices are loaded.
    live_after_run : bool
        Whether a live view that a run has ended goes on after it.
    poll_stage_ms : int
        How often the position of the stage is asked for, in milliseconds.
    snap_after_move : bool
        Whether an image is snapped when a click has moved the stage.
    live_fps : int
        How many live frames are shown in a second at most.
    show_other_runs : bool
        Whether runs that a script or the console starts are shown in the viewer.
    quiet : tuple of str
        Keys of the messages that the user does not want to see again.
    """

    startup_configuration: str = "demo"
    live_after_run: bool = False
    poll_stage_ms: int = 100
    snap_after_move: bool = False
    live_fps: int = 30
    show_other_runs: bool = True
    quiet: tuple[str, ...] = ()


_LIMITS = {"poll_stage_ms": (20, 10_000), "live_fps": (1, 60)}
_CHOICES = {"startup_configuration": ("demo", "last", "none")}


def preferences() -> Preferences:
    """Return the preferences as they are now; cheap."""
    default = Preferences()
    stored = _stored()
    found: dict[str, Any] = {}
    for field in fields(Preferences):
        value = stored.get(field.name, getattr(default, field.name))
        found[field.name] = _usable(field.name, value, getattr(default, field.name))
    return Preferences(**found)


def set_preference(name: str, value: object) -> None:
    """Store one preference; nothing happens where napari keeps none."""
    for group in _groups():
        if hasattr(group, name):
            # A manifest knows no lists: they are texts with commas.
            stored = ", ".join(value) if isinstance(value, tuple) else value
            setattr(group, name, stored)


def _usable(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, tuple):
        known = value.split(",") if isinstance(value, str) else ()
        return tuple(item.strip() for item in known if item.strip())
    if type(value) is not type(default):
        return default
    if name in _LIMITS:
        low, high = _LIMITS[name]
        return min(high, max(low, value))
    if name in _CHOICES and value not in _CHOICES[name]:
        return default
    return value


def _groups() -> list[Any]:
    try:
        from napari.settings import get_plugin_settings

        settings = get_plugin_settings(_PLUGIN)
    except (ImportError, KeyError, AttributeError, ValueError):
        return []  # an older napari, or the plugin is not installed but imported
    return [getattr(settings, key) for key in _KEYS if hasattr(settings, key)]


def _stored() -> dict[str, Any]:
    return {
        field.name: getattr(group, field.name)
        for group in _groups()
        for field in fields(Preferences)
        if hasattr(group, field.name)
    }
