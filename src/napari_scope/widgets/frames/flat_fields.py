"""Nested values as one list of dotted names and texts: to be searched, and compared.

It knows neither widgets nor files.

Examples
--------
>>> flattened({"Camera": {"Gain": 2, "ROI": [0, 0, 512, 512]}, "Stage": None})
[('Camera.Gain', '2'), ('Camera.ROI', '[0, 0, 512, 512]'), ('Stage', '')]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from napari_scope.widgets.frames.field_model import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["flattened"]

_MOST_ROWS: Final = 10_000


def flattened(
    metadata: Mapping[str, object], *, most: int = _MOST_ROWS
) -> list[tuple[str, str]]:
    """Return names and values of metadata in their order.

    Mappings within mappings get dotted names; of lists only those that hold such
    mappings are taken apart, with numbers for names.

    Parameters
    ----------
    metadata : mapping
        JSON-able values, nested however deep.
    most : int
        Rows beyond this are left out; one more row says so.
    """
    rows: list[tuple[str, str]] = []
    # A stack of our own: the depth of a foreign file is not bounded by Python's.
    stack: list[Iterator[tuple[str, object]]] = [_parts("", metadata)]
    while stack:
        part = next(stack[-1], None)
        if part is None:
            stack.pop()
            continue
        name, value = part
        if len(rows) == most:
            rows.append(("…", f"more than {most:,} values"))
            break
        if isinstance(value, Mapping) and value:
            stack.append(_parts(f"{name}.", value))
        elif isinstance(value, list) and any(isinstance(v, Mapping) for v in value):
            stack.append(_parts(f"{name}.", dict(enumerate(value))))
        else:
            rows.append((name, text_of(value)))
    return rows


def _parts(prefix: str, value: Mapping[Any, object]) -> Iterator[tuple[str, object]]:
    return ((f"{prefix}{key}", part) for key, part in value.items())
