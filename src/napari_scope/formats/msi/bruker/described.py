"""What the parameters of a spot mean, as far as it is known.

Examples
--------
>>> described({"DW": 2, "XY": 1})["DW"].unit, described({"DW": 2, "XY": 1})["XY"].unit
('ns', '')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_scope.formats.msi.spectra import MetadataValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["INSTRUMENT", "METHOD", "described"]

INSTRUMENT: Final = (
    "INSTRUM", "InstrID", "InstTyp", "SPECTROMETER/DATASYSTEM", ".SPECTROMETER TYPE",
    ".INLET", ".IONIZATION MODE", "AQOP_m", "FCVer", "TgIDS", "TgSer", "TgTyp",
)  # fmt: skip
"""Parameters of the instrument."""

METHOD: Final = (
    "ACQMETH", "AXMeth", "AQ_DATE", "AQ_mod", "NoSHOTS", "REPHZ", "ATTEN", "OpId",
    "PATCHNO", "SPOTNO", "CHIPNO", "CMT1", "CMT2", "CMT3", "CMT4", "PATH",
)  # fmt: skip
"""Parameters of the sample and how it was measured."""

_MEANING: Final = {
    "TD": ("number of points", ""),
    "DELAY": ("time of the first point", "ns"),
    "DW": ("distance of the points", "ns"),
    "BYTORDA": ("order of the bytes: 0 little, 1 big endian", ""),
    "ML1": ("first constant of the calibration", ""),
    "ML2": ("second constant of the calibration", ""),
    "ML3": ("third constant of the calibration", ""),
    "HPClUse": ("whether high precision calibration is in use", ""),
    "HPClBLo": ("lowest m/z of high precision calibration", ""),
    "HPClBHi": ("highest m/z of high precision calibration", ""),
    "AQOP_m": ("0 linear, 1 reflector", ""),
    "AQ_DATE": ("when it was measured", ""),
    "NoSHOTS": ("number of laser shots", ""),
    "REPHZ": ("laser shots per second", "Hz"),
}


def described(
    acqu: Mapping[str, Any], keys: Iterable[str] | None = None
) -> dict[str, MetadataValue]:
    """Return parameters with units and meanings.

    Parameters
    ----------
    acqu : mapping
        The parameters.
    keys : iterable of str, optional
        Which ones; all if not given. Empty texts are left out.
    """
    wanted = acqu if keys is None else [key for key in keys if key in acqu]
    found = {}
    for key in wanted:
        meaning, unit = _MEANING.get(key, ("", ""))
        if keys is None or acqu[key] != "":
            found[key] = MetadataValue(acqu[key], unit, meaning)
    return found
