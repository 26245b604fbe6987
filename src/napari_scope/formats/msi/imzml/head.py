"""What the head of an imzML file says: terms, size of a pixel.

Examples
--------
>>> pixel_size(terms_of(document.root))  # doctest: +SKIP
PixelSize(x_um=100.0, y_um=100.0, z_um=1.0, left_um=0.0, top_um=0.0, front_um=0.0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.msi.imzml import terms
from napari_scope.formats.msi.spectra import PixelSize

if TYPE_CHECKING:
    from napari_scope.formats.msi.xml_nodes import Node

__all__ = ["pixel_size", "terms_of", "units_not_known"]

_SIZES = ("IMS:1000046", "IMS:1000047")
_EXTENTS = ("IMS:1000044", "IMS:1000045")
_PLACES = ("IMS:1000053", "IMS:1000054")


def terms_of(root: Node) -> dict[str, Node]:
    """Return the terms of the head of the document by their accessions."""
    found: dict[str, Node] = {}
    for node in root.all("cvParam"):
        found.setdefault(node.get("accession"), node)
    return found


def pixel_size(found: dict[str, Node]) -> PixelSize | None:
    """Return the size of a pixel and where the first one lies, if the file says so."""

    def length(accession: str) -> float | None:
        node = found.get(accession)
        try:
            value = float(node.get("value")) if node is not None else np.nan
        except ValueError:
            return None
        um = value * (_unit_um(node) or 1.0) if node is not None else np.nan
        return um if np.isfinite(um) else None

    def count(accession: str) -> float | None:
        node = found.get(accession)
        text = "" if node is None else node.get("value")
        return float(text) if text.isdigit() and int(text) else None

    sizes: list[float | None] = []
    for size, extent, pixels in (
        (_SIZES[0], _EXTENTS[0], "IMS:1000042"),
        (_SIZES[1], _EXTENTS[1], "IMS:1000043"),
    ):
        one, whole, n = length(size), length(extent), count(pixels)
        if one is None and whole is not None and n is not None:
            one = whole / n
        sizes.append(one if one and one > 0 else None)
    x, y = sizes[0] or sizes[1], sizes[1] or sizes[0]
    if x is None or y is None:
        return None
    left, top = (length(place) or 0.0 for place in _PLACES)
    return PixelSize(x, y, left_um=left, top_um=top)


def units_not_known(found: dict[str, Node]) -> list[str]:
    """Return what is told in units that are no lengths, in words."""
    problems = []
    for accession in (*_SIZES, *_EXTENTS, *_PLACES):
        node = found.get(accession)
        if node is not None and _unit_um(node) is None:
            unit = node.get("unitName") or node.get("unitAccession")
            problems.append(
                f"{node.get('name') or accession} is {node.get('value')} {unit}, a "
                "unit that is no length; micrometers are taken"
            )
    return problems


def _unit_um(node: Node) -> float | None:
    return terms.unit_um(node.get("unitAccession"), node.get("unitName"))
