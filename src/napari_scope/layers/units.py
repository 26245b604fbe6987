"""Units of length and time by name, so that images of one data set can be compared.

The names are those OME-NGFF allows (UDUNITS spelling), which napari's unit library
also knows. Other spellings that are found in files are translated; what is not known
is no unit at all, because napari refuses to open a layer with a unit it cannot parse.

Examples
--------
>>> known_unit("µm"), known_unit("furlong"), factor("nanometer", "micrometer")
('micrometer', None, 0.001)
"""

from __future__ import annotations

__all__ = ["factor", "known_unit"]

_PREFIXES = {
    "yotta": 24, "zetta": 21, "exa": 18, "peta": 15, "tera": 12, "giga": 9, "mega": 6,
    "kilo": 3, "hecto": 2, "": 0, "deci": -1, "centi": -2, "milli": -3, "micro": -6,
    "nano": -9, "pico": -12, "femto": -15, "atto": -18, "zepto": -21, "yocto": -24,
}  # fmt: skip

# name -> (dimension, size in metres or seconds as value and power of ten)
_UNITS: dict[str, tuple[str, float, int]] = {
    **{f"{prefix}meter": ("length", 1.0, power) for prefix, power in _PREFIXES.items()},
    **{f"{prefix}second": ("time", 1.0, power) for prefix, power in _PREFIXES.items()},
    "angstrom": ("length", 1.0, -10),
    "inch": ("length", 0.0254, 0),
    "foot": ("length", 0.3048, 0),
    "yard": ("length", 0.9144, 0),
    "mile": ("length", 1609.344, 0),
    "parsec": ("length", 3.0856775814913673e16, 0),
    "minute": ("time", 60.0, 0),
    "hour": ("time", 3600.0, 0),
    "day": ("time", 86400.0, 0),
}

_SPELLINGS = {
    "m": "meter", "mm": "millimeter", "um": "micrometer", "µm": "micrometer",
    "μm": "micrometer", "micron": "micrometer", "microns": "micrometer",
    "nm": "nanometer", "pm": "picometer", "å": "angstrom", "cm": "centimeter",
    "s": "second", "sec": "second", "secs": "second", "ms": "millisecond",
    "us": "microsecond", "µs": "microsecond", "μs": "microsecond", "ns": "nanosecond",
    "min": "minute", "h": "hour", "d": "day",
}  # fmt: skip


def known_unit(unit: str | None) -> str | None:
    """Return the standard name of a unit, or None if it is not known."""
    if unit is None:
        return None
    name = unit.strip().lower()
    name = _SPELLINGS.get(name, name)
    for candidate in (name, name.removesuffix("s"), name.replace("metre", "meter")):
        if candidate in _UNITS:
            return candidate
    plain = name.replace("metre", "meter").removesuffix("s")
    return plain if plain in _UNITS else None


def factor(unit: str, target: str) -> float | None:
    """Return by what values in ``unit`` are multiplied to be in ``target``.

    None if one is a length and the other a time. Both are names that `known_unit`
    returned.
    """
    dimension, value, power = _UNITS[unit]
    target_dimension, target_value, target_power = _UNITS[target]
    if dimension != target_dimension:
        return None
    # Powers of ten are subtracted, not divided: nanometer to micrometer is 0.001
    # exactly as written, not 0.0010000000000000002.
    return value / target_value * float(f"1e{power - target_power}")
