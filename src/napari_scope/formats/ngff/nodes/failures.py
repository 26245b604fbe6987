"""Errors of the node API: ours, and the built-in ones that its documentation names.

Scripts written for iohub catch ``KeyError``, ``ValueError``, ``FileNotFoundError``;
each of these classes is one of them and a `ScopeError` that says where and what to do.
A store or node that exists already is an `OutputExistsError`, a ``FileExistsError``.
"""

from __future__ import annotations

from napari_scope.errors import FormatError, ScopeError

__all__ = [
    "ArgumentError",
    "LayoutError",
    "MissingChannelsError",
    "MissingNodeError",
    "MissingStoreError",
    "ReadOnlyError",
    "TileRangeError",
]


class ArgumentError(ScopeError, ValueError):
    """A value does not fit the store or the node it is meant for."""


class LayoutError(FormatError, ValueError):
    """A store is not of the layout, or not in the state, that was asked for."""


class MissingStoreError(FormatError, FileNotFoundError):
    """There is no store, or no well, of that name."""

    # OSError would show nothing of the text.
    __str__ = Exception.__str__


class MissingNodeError(FormatError, KeyError):
    """A group has no member of that name."""

    # KeyError would show the quoted repr of the text.
    __str__ = Exception.__str__


class MissingChannelsError(FormatError, AttributeError):
    """Nothing tells the names of the channels."""


class ReadOnlyError(ScopeError, PermissionError, ValueError):
    """A store that is open for reading was to be changed."""

    __str__ = Exception.__str__


class TileRangeError(ScopeError, IndexError):
    """A tile or an index is outside of the array."""
