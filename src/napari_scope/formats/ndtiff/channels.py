"""The channels of a store: their names, colours and contrast.

A channel that has a number is called what the summary says, or the metadata of its
first frame, or by its number. Colours and contrast are those of the display settings
under that name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.model import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_scope.formats.ndtiff.catalog import Catalog

__all__ = ["StoreChannels", "shown_name"]


def shown_name(name: str) -> str:
    """Return a name that can be shown: half surrogates of bad JSON cannot."""
    return name.encode("utf-8", "replace").decode()


class StoreChannels:
    """The channels of a store, each looked up once.

    Parameters
    ----------
    catalog : Catalog
        The frames.
    summary : mapping
        Summary metadata.
    settings : mapping of str to Channel
        Display settings by name.
    metadata : callable
        Returns the metadata of a row, empty ones where they are damaged.
    """

    def __init__(
        self,
        catalog: Catalog,
        summary: Mapping[str, object],
        settings: Mapping[str, Channel],
        metadata: Callable[[int], Mapping[str, object]],
    ) -> None:
        self._catalog = catalog
        self._table = catalog.table
        self._summary = summary
        self._settings = settings
        self._metadata = metadata
        self._channels: dict[int | str, Channel] = {}

    def channel(self, axis: int, code: int) -> Channel:
        """Return a channel by the number of its axis in the index and its code."""
        value = self._table.values[self._table.names[axis]][code]
        if value not in self._channels:
            if isinstance(value, str):
                name = value
            else:
                name = self._name_of_number(axis, code, value)
            found = self._settings.get(name, Channel(name))
            self._channels[value] = replace(found, name=shown_name(name))
        return self._channels[value]

    def _name_of_number(self, axis: int, code: int, value: int) -> str:
        names = facts.channel_names(self._summary)
        if 0 <= value < len(names):
            return names[value]
        with_code = self._table.codes[:, axis] == code
        readable = np.flatnonzero(with_code & self._catalog.readable)
        about = self._metadata(int(readable[0])) if len(readable) else {}
        return facts.channel_name(about) or f"Channel {value}"

    def only_channel(self, about: Mapping[str, object]) -> Channel:
        """Return the channel of an image without such an axis, by its metadata."""
        name = facts.channel_name(about) or ""
        found = self._settings.get(name) or self._settings.get("")
        if found is None and len(self._settings) == 1:
            (found,) = self._settings.values()
        return replace(found or Channel(name), name=shown_name(name))
