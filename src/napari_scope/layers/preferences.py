"""How the user wants data sets to be opened, remembered from one session to the next.

A small JSON file in the user's configuration folder. A file that is missing, damaged
or from another version never keeps a data set from opening: what cannot be used is
replaced by its default.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

__all__ = [
    "CONFIG_VARIABLE",
    "BrowsePreferences",
    "Positions",
    "load_preferences",
    "preferences_file",
    "save_preferences",
]

Positions: TypeAlias = Literal["auto", "tiles", "slider"]
"""Positions as tiles at their stage places, on a slider, or by their number."""

CONFIG_VARIABLE: Final = "NAPARI_SCOPE_CONFIG_DIR"
"""Environment variable that names another folder for the preferences."""

_MOST_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class BrowsePreferences:
    """How data sets are opened.

    Parameters
    ----------
    positions : {"auto", "tiles", "slider"}
        How the positions of a data set are shown (see `layers.dataset_to_layers`).
    follow : bool
        Whether the layers of a store grow while it is being written.
    """

    positions: Positions = "auto"
    follow: bool = True


def preferences_file() -> Path:
    """Return where the preferences are kept; the file need not exist."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named) / "browse.json"
    import platformdirs

    return platformdirs.user_config_path("napari-scope", appauthor=False) / (
        "browse.json"
    )


def load_preferences() -> BrowsePreferences:
    """Return the preferences; defaults where none are kept or they are damaged."""
    try:
        with preferences_file().open("rb") as file:
            stored = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return BrowsePreferences()
    if not isinstance(stored, dict):
        return BrowsePreferences()
    default = BrowsePreferences()
    wanted, follow = stored.get("positions"), stored.get("follow")
    known: tuple[Positions, ...] = get_args(Positions)
    return BrowsePreferences(
        positions=next((name for name in known if name == wanted), default.positions),
        follow=follow if isinstance(follow, bool) else default.follow,
    )


def save_preferences(preferences: BrowsePreferences) -> None:
    """Keep the preferences; the former file is replaced in one step.

    Raises
    ------
    OSError
        The folder cannot be written to.
    """
    path = preferences_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: two programs may save at the same time.
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".json.part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(preferences), file, indent=2)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
