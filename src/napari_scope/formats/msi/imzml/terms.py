"""The terms of the controlled vocabularies that imzML uses.

Accessions are those of psi-ms.obo and imagingMS.obo (imzML 1.1). Names are looked at
only where files in the wild have terms without a usable accession.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np

__all__ = ["COMPRESSIONS", "TYPES", "Compression", "length_um"]

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
    "UO:0000008": 1e6,  # meter
    "UO:0000015": 1e4,  # centimeter
    "UO:0000016": 1e3,  # millimeter
    "UO:0000017": 1.0,  # micrometer
    "UO:0000018": 1e-3,  # nanometer
}


def length_um(value: float, unit_accession: str) -> float:
    """Return a length in micrometers; one without a unit is meant so.

    Examples
    --------
    >>> length_um(0.1, "UO:0000016"), length_um(50, "")
    (100.0, 50.0)
    """
    return value * _LENGTHS.get(unit_accession, 1.0)
