"""Layers that help and are no data: the map of the stage, outlines of tiles.

They carry a mark in their metadata. Whoever saves all layers leaves them out.

Examples
--------
>>> is_helping(helping_metadata()), is_helping({"napari_scope": {"image": "cells"}})
(True, False)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["helping_metadata", "is_helping"]

_ROLE: Final = "stage map"


def helping_metadata() -> dict[str, dict[str, str]]:
    """Return the metadata that mark a layer as no data."""
    return {"napari_scope": {"role": _ROLE}}


def is_helping(metadata: object) -> bool:
    """Return whether the metadata of a layer mark it as no data."""
    facts = metadata.get("napari_scope") if isinstance(metadata, Mapping) else None
    return isinstance(facts, Mapping) and facts.get("role") == _ROLE
