"""How large the parts of a store may be, and what the value of an axis is.

Readers refuse what is larger, since a file may be damaged or hostile; writers refuse it
too, so that everything that was written can be read. Real stores stay far below: they
have up to ten axes, a hundred bytes of them, and some kilobytes of metadata.

Examples
--------
>>> is_axis_value("DAPI"), is_axis_value(-1), is_axis_value(True), is_axis_value(2**31)
(True, True, False, False)
"""

from __future__ import annotations

from typing import Final

__all__ = ["INT32", "MAX_AXES", "MAX_AXES_BYTES", "MAX_JSON_BYTES", "is_axis_value"]

MAX_AXES: Final = 64
"""Axes of a store, those of all its frames together."""

MAX_AXES_BYTES: Final = 65536
"""Bytes of the axes of one frame, JSON."""

MAX_JSON_BYTES: Final = 16 * 2**20
"""Bytes of the metadata of one frame, or of the summary.

Decoded, JSON takes up to thirty times as much memory (``[],[],``).
"""

INT32: Final = range(-(2**31), 2**31)
"""Numbers that are values of an axis."""


def is_axis_value(value: object) -> bool:
    """Return whether an index can hold a value: text, or an integer of 32 bits."""
    # A bool is an int for Python, but not a place on an axis.
    return type(value) is str or (type(value) is int and value in INT32)
