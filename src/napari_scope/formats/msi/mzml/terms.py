"""The terms of the controlled vocabularies that mzML with images uses.

Accessions are those of psi-ms.obo; the places of pixels are those of imagingMS.obo.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

__all__ = ["CODINGS", "TYPES", "Coding"]


class Coding(NamedTuple):
    """How the bytes of an array were made smaller, the last step first.

    ``packed`` is empty, zlib or zstd; ``order`` is empty, or how the bytes were put in
    another order before that, shuffled or dictionary; ``numpress`` is empty or one of
    linear, pic, slof; ``unknown`` names what cannot be decoded here.
    """

    packed: str = ""
    order: str = ""
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
LIGHT: Final = ("MS:1000617", "MS:1000804", "MS:1000805", "MS:1000806")
"""An array of wavelengths, and what spectra of light are called."""

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
    "MS:1000574": Coding("zlib"),
    # What was cut off of the values before is lost, and needs no decoding.
    "MS:1003088": Coding("zlib"),
    "MS:1002312": Coding(numpress="linear"),
    "MS:1002313": Coding(numpress="pic"),
    "MS:1002314": Coding(numpress="slof"),
    "MS:1002746": Coding("zlib", numpress="linear"),
    "MS:1002747": Coding("zlib", numpress="pic"),
    "MS:1002748": Coding("zlib", numpress="slof"),
    "MS:1003780": Coding("zstd"),
    "MS:1003781": Coding("zstd", "shuffled"),
    "MS:1003782": Coding("zstd", "dictionary"),
    "MS:1003783": Coding("zstd", numpress="linear"),
    "MS:1003784": Coding("zstd", numpress="pic"),
    "MS:1003785": Coding("zstd", numpress="slof"),
}
