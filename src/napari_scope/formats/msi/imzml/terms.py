"""The terms of the controlled vocabularies that imzML uses.

Accessions are those of psi-ms.obo and imagingMS.obo (imzML 1.1). Names are looked at
only where files in the wild have terms without a usable accession.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np

__all__ = ["COMPRESSIONS", "TYPES", "Compression", "unit_um"]

Compression: TypeAlias = Literal["none", "zlib", "unknown"]

MZ_ARRAY: Final = "MS:1000514"
INTENSITY_ARRAY: Final = "MS:1000515"
CENTROID: Final = "MS:1000127"
PROFILE: Final = "MS:1000128"
NEGATIVE: Final = "MS:1000129"
POSITIVE: Final = "MS:1000130"
TOTAL: Final = "MS:1000285"
LEVEL: Final = "MS:1000511"
X, Y, Z = "IMS:1000050", "IMS:1000051", "IMS:1000052"
OFFSET: Final = "IMS:1000102"
LENGTH: Final = "IMS:1000103"
ENCODED: Final = "IMS:1000104"
CONTINUOUS: Final = "IMS:1000030"
PROCESSED: Final = "IMS:1000031"
UUID: Final = "IMS:1000080"
CHECKSUMS: Final = {
    "IMS:1000090": "md5",
    "IMS:1000091": "sha1",
    "IMS:1000092": "sha256",
}

# All numbers of an .ibd file are little endian.
TYPES: Final[dict[str, np.dtype[np.generic]]] = {
    "MS:1000521": np.dtype("<f4"),
    "MS:1000523": np.dtype("<f8"),
    "MS:1000519": np.dtype("<i4"),
    "MS:1000522": np.dtype("<i8"),
    "IMS:1100000": np.dtype("i1"),
    "IMS:1100001": np.dtype("<i2"),
    "IMS:1000141": np.dtype("<i4"),
    "IMS:1000142": np.dtype("<i8"),
}
TYPE_NAMES: Final[dict[str, np.dtype[np.generic]]] = {
    "32-bit float": np.dtype("<f4"),
    "64-bit float": np.dtype("<f8"),
    "8-bit integer": np.dtype("i1"),
    "16-bit integer": np.dtype("<i2"),
    "32-bit integer": np.dtype("<i4"),
    "64-bit integer": np.dtype("<i8"),
}
COMPRESSIONS: Final[dict[str, Compression]] = {
    "MS:1000576": "none",
    "MS:1000574": "zlib",
}

_LENGTHS: Final = {
    "UO:0000008": 1e6,
    "UO:0000015": 1e4,
    "UO:0000016": 1e3,
    "UO:0000017": 1.0,
    "UO:0000018": 1e-3,
}
_LENGTH_NAMES: Final = {
    "meter": 1e6, "metre": 1e6, "m": 1e6,
    "centimeter": 1e4, "centimetre": 1e4, "cm": 1e4,
    "millimeter": 1e3, "millimetre": 1e3, "mm": 1e3,
    "micrometer": 1.0, "micrometre": 1.0, "micron": 1.0, "um": 1.0, "µm": 1.0,
    "\N{GREEK SMALL LETTER MU}m": 1.0,
    "nanometer": 1e-3, "nanometre": 1e-3, "nm": 1e-3,
}  # fmt: skip


def unit_um(accession: str, name: str = "") -> float | None:
    """Return a unit of length in micrometers; None if it is not known.

    One that is not told is the micrometer. The name decides where the accession is
    none of a length.

    Examples
    --------
    >>> unit_um("UO:0000016"), unit_um("", "mm"), unit_um(""), unit_um("UO:1", "inch")
    (1000.0, 1000.0, 1.0, None)
    """
    if accession in _LENGTHS:
        return _LENGTHS[accession]
    plain = name.strip().lower().removesuffix("s") if len(name) > 2 else name
    if plain in _LENGTH_NAMES:
        return _LENGTH_NAMES[plain]
    return None if accession or name else 1.0
