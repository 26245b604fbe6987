"""The documents of many images at once, for stores where each costs a round trip.

`ReadAhead` looks like the store it reads from. It has asked for the documents that
opening its images will ask for, many at the same time, and hands them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import level_paths
from napari_scope.formats.ngff.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.formats.ngff.store import ArrayInfo

    Json = Mapping[str, object]

__all__ = ["ReadAhead", "read_ahead"]

_ABSENT = "no Zarr node"  # what `Store.attributes` says where there is nothing


class ReadAhead(Store):
    """A store of which the documents of some images have been read.

    Parameters
    ----------
    store : Store
        Where they are read from.
    paths : sequence of str
        Paths of the image groups.
    """

    def __init__(self, store: Store, paths: Sequence[str]) -> None:
        # The same place, with what it has understood already: not opened again.
        vars(self).update(vars(store))
        labels = [f"{path}/labels" if path else "labels" for path in paths]
        wanted = [*paths, *labels]
        self._groups = dict(zip(wanted, store.many(wanted), strict=True))
        levels: list[str] = []
        for path in paths:
            group = self._groups[path]
            if not isinstance(group, FormatError):
                levels += level_paths(group, path)
        levels = list(dict.fromkeys(levels))
        self._arrays = dict(zip(levels, store.arrays(levels), strict=True))

    def attributes(self, path: str = "") -> Json:
        """Return the attributes of a group."""
        found = self._groups.get(path)
        if found is None:
            return super().attributes(path)
        if isinstance(found, FormatError):
            raise found
        return found

    def exists(self, path: str) -> bool:
        """Return whether there is a node; one that is damaged is there."""
        found = self._groups.get(path)
        if found is None:
            return super().exists(path)
        return not isinstance(found, FormatError) or _ABSENT not in found.message

    def arrays(self, paths: Sequence[str]) -> list[ArrayInfo | FormatError]:
        """Return what the JSON of many arrays says."""
        missing = [path for path in paths if path not in self._arrays]
        more = dict(zip(missing, super().arrays(missing), strict=True))
        return [self._arrays.get(path) or more[path] for path in paths]


def read_ahead(store: Store, paths: Sequence[str]) -> Store:
    """Return a store that has the documents of many images, where that pays."""
    return store if store.local or len(paths) < 2 else ReadAhead(store, paths)
