"""What a conversion does not take along: what OME-Zarr has no words for.

Tables, meshes and flat fields that lie beside the images of an OME-Zarr store have no
form that all versions share, so they stay where they are. Nobody shall find that out
when the source is gone: a note says what is left out.

Of a store that is no folder the names in it are not listed; there the usual ones are
asked for.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import level_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_scope.formats.ngff.store import Store

__all__ = ["left_out"]

_DOCUMENTS = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zarray", ".zmetadata"})
_USUAL = ("tables", "points", "shapes", "regions")
_ASKED = 16  # groups of a store that cannot be listed
_MOST_NAMES = 10_000  # of a folder
_TOLD = 5


def left_out(store: Store, images: Iterable[str]) -> str:
    """Return a note on what is in a store beside its images, empty if nothing is.

    Parameters
    ----------
    store : Store
        The source.
    images : iterable of str
        Paths of the images that are known, also of those that were not chosen.
    """
    known = _known(store, images)
    found: list[str] = []
    groups = list(known) if store.local else list(islice(known, _ASKED))
    for group in groups:
        names = _names(store, group)
        found += [_joined(group, name) for name in names if name not in known[group]]
    if not found:
        return ""
    told = ", ".join(sorted(found)[:_TOLD])
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return (
        f"no part of an image, and not in the target: {told}{more}; copy by hand what "
        "is needed"
    )


def _known(store: Store, images: Iterable[str]) -> Mapping[str, set[str]]:
    """Return the groups on the way to the images, and the members that each has."""
    known: dict[str, set[str]] = {"": {"OME", "acquisition"}}
    for image in images:
        parts = image.split("/") if image else []
        for depth, name in enumerate(parts):
            known.setdefault("/".join(parts[:depth]), set()).add(name)
        members = known.setdefault(image, set())
        members.add("labels")
        try:
            levels = level_paths(store.attributes(image))
        except FormatError:
            continue
        members.update(level.strip("/").partition("/")[0] for level in levels)
    return known


def _names(store: Store, group: str) -> list[str]:
    """Return the members and files of a group, without its own documents."""
    if not store.local:
        return [name for name in _USUAL if _exists(store, _joined(group, name))]
    try:
        with os.scandir(store.folder(group)) as entries:
            return [
                entry.name
                for entry in islice(entries, _MOST_NAMES)
                if entry.name not in _DOCUMENTS
                # Hidden ones are what systems and killed programs leave.
                and not entry.name.startswith(".")
            ]
    except (OSError, FormatError):
        return []


def _exists(store: Store, path: str) -> bool:
    try:
        return store.exists(path)
    except FormatError:
        return False


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)
