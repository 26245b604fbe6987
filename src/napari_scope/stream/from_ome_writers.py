"""From ``ome_writers.AcquisitionSettings`` to the fields of our own.

The object is read by its attributes; ome-writers itself is not needed. The fields have
the same names, so little is translated: formats and their options, and colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from napari_scope.errors import SettingsError

__all__ = ["converted"]

# Options without a counterpart: OME-XML is complete in every file, and memory has a
# limit.
_LAYOUT = (
    "multi_file_metadata",
    "companion_file",
)


class _Model(Protocol):
    """What is used of a pydantic model."""

    def model_dump(self) -> dict[str, Any]:
        """Return the fields."""


def converted(source: object) -> dict[str, object]:
    """Return the fields of `AcquisitionSettings` from those of ome-writers.

    Raises
    ------
    SettingsError
        If dimensions or pixel type are not set yet.
    """
    fields = _dumped(source)
    for name in ("dimensions", "dtype"):
        if not fields.get(name):
            raise SettingsError(
                f"the settings have no {name} yet", hint=f"set {name} before"
            )
    fields["format"] = _format(fields.get("format"))
    fields["dimensions"] = [_dimension(d) for d in fields["dimensions"]]
    return fields


def _dumped(source: object) -> dict[str, Any]:
    if not hasattr(source, "model_dump"):
        raise SettingsError(f"a {type(source).__name__} has no fields to convert")
    model: _Model = source
    return {k: v for k, v in model.model_dump().items() if v is not None}


def _format(format: object) -> object:
    """Return the format without the options that our writers do not need."""
    if not isinstance(format, Mapping):
        return format or "auto"
    fields = {k: v for k, v in format.items() if k not in _LAYOUT}
    if fields.get("prefer_single_file") == "never":
        fields["prefer_single_file"] = "auto"  # one image is one file here
    if format.get("name") == "scratch":
        fields["backend"] = "scratch"
    return fields


def _dimension(dimension: Mapping[str, Any]) -> dict[str, Any]:
    fields = {k: v for k, v in dimension.items() if v is not None}
    if "coords" in fields:
        fields["coords"] = [_sample(c) for c in fields["coords"]]
    return fields


def _sample(sample: object) -> object:
    """Return a channel or position without empty fields, its colour in plain form."""
    if not isinstance(sample, Mapping):
        return sample
    fields = {k: v for k, v in sample.items() if v is not None}
    color = fields.get("color")
    if color is not None and hasattr(color, "as_hex"):
        fields["color"] = color.as_hex(format="long")
    return fields
