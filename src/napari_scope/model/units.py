"""Units of length and time by name: of settings, of files, of images to compare.

The standard names are those of OME-NGFF (UDUNITS spelling), which napari's unit library
also knows. The signs of OME-XML (``µm``, ``um``) and other spellings that people and
files use are understood. Names longer than two letters are found in any case; ``Mm``
and ``mm`` differ. What is not known is no unit at all, because napari refuses to open a
layer with a unit it cannot parse.

Examples
--------
>>> standard_unit("um"), standard_unit("Seconds"), standard_unit("furlong")
('micrometer', 'second', None)
>>> unit_kind("millisecond"), unit_factor("millisecond")
('time', 0.001)
>>> factor("nanometer", "micrometer"), factor("nanometer", "second")
(0.001, None)
"""

from __future__ import annotations

from typing import Literal

__all__ = ["factor", "standard_unit", "unit_factor", "unit_kind"]

# Prefix -> (sign, power of ten).
_PREFIXES = {
    "yotta": ("Y", 24), "zetta": ("Z", 21), "exa": ("E", 18), "peta": ("P", 15),
    "tera": ("T", 12), "giga": ("G", 9), "mega": ("M", 6), "kilo": ("k", 3),
    "hecto": ("h", 2), "": ("", 0), "deci": ("d", -1), "centi": ("c", -2),
    "milli": ("m", -3), "micro": ("µ", -6), "nano": ("n", -9), "pico": ("p", -12),
    "femto": ("f", -15), "atto": ("a", -18), "zepto": ("z", -21), "yocto": ("y", -24),
}  # fmt: skip

# Standard name -> (what it measures, size in metres or seconds: value, power of ten).
_UNITS: dict[str, tuple[Literal["space", "time"], float, int]] = {
    **{f"{p}meter": ("space", 1.0, power) for p, (_, power) in _PREFIXES.items()},
    **{f"{p}second": ("time", 1.0, power) for p, (_, power) in _PREFIXES.items()},
    "angstrom": ("space", 1.0, -10),
    "inch": ("space", 0.0254, 0),
    "foot": ("space", 0.3048, 0),
    "yard": ("space", 0.9144, 0),
    "mile": ("space", 1609.344, 0),
    "parsec": ("space", 3.0856775814913673e16, 0),
    "minute": ("time", 60.0, 0),
    "hour": ("time", 3600.0, 0),
    "day": ("time", 86400.0, 0),
}

_SIGNS = {
    **{f"{sign}m": f"{prefix}meter" for prefix, (sign, _) in _PREFIXES.items()},
    **{f"{sign}s": f"{prefix}second" for prefix, (sign, _) in _PREFIXES.items()},
    "um": "micrometer", "μm": "micrometer", "u": "micrometer", "micron": "micrometer",
    "us": "microsecond", "μs": "microsecond", "usec": "microsecond",
    "µsec": "microsecond", "msec": "millisecond", "sec": "second",
    "Å": "angstrom", "A": "angstrom", "in": "inch", "ft": "foot", "yd": "yard",
    "mi": "mile", "pc": "parsec", "min": "minute", "h": "hour", "d": "day",
}  # fmt: skip

# Where no unit is written like this, capitals do not matter: UM, Nm of some files.
_LOOSE = {sign.lower(): name for sign, name in reversed(_SIGNS.items())}
_LOOSE.update({sign: name for sign, name in _SIGNS.items() if sign == sign.lower()})


def standard_unit(unit: str | None) -> str | None:
    """Return the standard name of a unit of length or time, or None."""
    if unit is None:
        return None
    name = unit.strip()
    if len(name) > 2:
        name = name.lower().replace("metre", "meter")
    for candidate in (name, name.removesuffix("s") if len(name) > 3 else name):
        found = _SIGNS.get(candidate, candidate)
        if found in _UNITS:
            return found
    return _LOOSE.get(name.lower())


def unit_kind(unit: str) -> Literal["space", "time"]:
    """Return what a unit with a standard name measures."""
    return _UNITS[unit][0]


def unit_factor(unit: str) -> float:
    """Return the size of a unit with a standard name, in micrometers or seconds."""
    found = factor(unit, "micrometer" if unit_kind(unit) == "space" else "second")
    assert found is not None  # both are of one kind
    return found


def factor(unit: str, target: str) -> float | None:
    """Return by what values in ``unit`` are multiplied to be in ``target``.

    None if one is a length and the other a time. Both are standard names.
    """
    kind, value, power = _UNITS[unit]
    target_kind, target_value, target_power = _UNITS[target]
    if kind != target_kind:
        return None
    # Powers of ten are subtracted, not divided: nanometer to micrometer is 0.001
    # exactly as written, not 0.0010000000000000002.
    return value / target_value * float(f"1e{power - target_power}")
