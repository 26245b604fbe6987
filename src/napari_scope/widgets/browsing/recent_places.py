"""The places that were looked at last, remembered from one session to the next.

A small JSON file beside the preferences (`napari_scope.layers.preferences`). One that
is missing or damaged counts as empty, and one that cannot be written is let go: losing
the list must never keep anybody from opening data.

Examples
--------
>>> with_first(["/a", "/b"], "/b")
['/b', '/a']
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Final

from napari_scope.fileio import replace_file
from napari_scope.formats.addresses import is_address, shown
from napari_scope.layers.preferences import preferences_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["load_places", "recent_file", "remember_place", "with_first"]

_MOST: Final = 12
_MOST_BYTES: Final = 2**18
_one_at_a_time = threading.Lock()


def recent_file() -> Path:
    """Return where the places are kept."""
    return preferences_file().with_name("recent.json")


def load_places(file: Path | None = None) -> list[str]:
    """Return the places, the last one first; it reads the file."""
    try:
        with (file or recent_file()).open("rb") as listed_in:
            stored = json.loads(listed_in.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return []
    listed = stored if isinstance(stored, list) else []
    return [place for place in listed if isinstance(place, str) and place][:_MOST]


def remember_place(place: str, file: Path | None = None) -> list[str]:
    """Put a place first and return all; nothing happens where it cannot be kept.

    It waits for the disk: call it outside of the GUI thread.

    Passwords and tokens in an address are not kept.
    """
    with _one_at_a_time:
        known = load_places(file)
        places = with_first(known, shown(place) if is_address(place) else place)
        file = file or recent_file()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, json.dumps(places, indent=2).encode())
        except OSError:
            pass  # the list of this session is still right
    return places


def with_first(places: Sequence[str], place: str) -> list[str]:
    """Return places with one moved or put to the front; old ones fall off the end."""
    return [place, *(other for other in places if other != place)][:_MOST]
