"""The terms of the controlled vocabularies that mzML with images uses.

Accessions are those of psi-ms.obo; the places of pixels are those of imagingMS.obo.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

__all__ = ["CODINGS", "TYPES", "Coding"]


class Coding(NamedTuple):
    """How the bytes of an array were made smaller, the last step first.

    ``numpress`` is empty or one of linear, pic, slof; ``unknown`` names what cannot be
    decoded here.
    """

    zlib: bool = False
    numpress: str = ""
    unknown: str = ""


MZ_ARRAY: Final = "MS:1000514"
INTENSITY_ARRAY: Final = "MS:1000515"
CENTROID: Final = "MS:1000127"
PROFILE: Final = "MS:1000128"
NEGATIVE: Final = "MS:1000129"
POSITIVE: Final = "MS:1000130"
LEVEL: Final = "MS:1000511"
MS1: Final = "MS:1000579"
ENERGY: Final = "MS:1000045"
SELECTED: Final = "MS:1000744"
TARGET: Final = "MS:1000827"

FIELDS: Final = {
    "MS:1000512": "filter",
    "MS:1000285": "total",
    "MS:1000528": "seen_low",
    "MS:1000527": "seen_high",
    "MS:1000501": "low",
    "MS:1000500": "high",
    "IMS:1000050": "x",
    "IMS:1000051": "y",
    "IMS:1000052": "z",
}
"""Numbers and texts of a spectrum, its scan and its window."""

POSITIONS: Final = {"position x": "x", "position y": "y", "position z": "z"}
"""Names of user parameters of the same meaning."""

DISSOCIATIONS: Final = {
    "MS:1000133": "cid",
    "MS:1000422": "hcd",
    "MS:1000598": "etd",
    "MS:1000250": "ecd",
    "MS:1000599": "pqd",
    "MS:1000435": "mpd",
    "MS:1000262": "irmpd",
    "MS:1000135": "psd",
    "MS:1000242": "bird",
    "MS:1000282": "sori",
    "MS:1003246": "uvpd",
    "MS:1002631": "ethcd",
}
"""Ways of dissociation, by the names that filter strings have for them."""

TYPES: Final[dict[str, np.dtype[np.generic]]] = {
    "MS:1000520": np.dtype("<f2"),
    "MS:1000521": np.dtype("<f4"),
    "MS:1000523": np.dtype("<f8"),
    "MS:1000519": np.dtype("<i4"),
    "MS:1000522": np.dtype("<i8"),
}
CODINGS: Final[dict[str, Coding]] = {
    "MS:1000576": Coding(),
    "MS:1000574": Coding(zlib=True),
    "MS:1002312": Coding(numpress="linear"),
    "MS:1002313": Coding(numpress="pic"),
    "MS:1002314": Coding(numpress="slof"),
    "MS:1002746": Coding(zlib=True, numpress="linear"),
    "MS:1002747": Coding(zlib=True, numpress="pic"),
    "MS:1002748": Coding(zlib=True, numpress="slof"),
}
