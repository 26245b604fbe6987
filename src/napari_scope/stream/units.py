"""Units of length and time as settings name them.

Both spellings of the field are known: the names of OME-NGFF (``micrometer``) and the
signs of OME-XML (``µm``, ``um``). Names longer than two letters are found in any case;
``Mm`` and ``mm`` differ.

Examples
--------
>>> standard_unit("um"), standard_unit("Seconds"), standard_unit("furlong")
('micrometer', 'second', None)
>>> unit_kind("millisecond"), unit_factor("millisecond")
('time', 0.001)
"""

from __future__ import annotations

from typing import Literal

__all__ = ["standard_unit", "unit_factor", "unit_kind"]

# Prefix -> (sign, power of ten).
_PREFIXES = {
    "yotta": ("Y", 24), "zetta": ("Z", 21), "exa": ("E", 18), "peta": ("P", 15),
    "tera": ("T", 12), "giga": ("G", 9), "mega": ("M", 6), "kilo": ("k", 3),
    "hecto": ("h", 2), "": ("", 0), "deci": ("d", -1), "centi": ("c", -2),
    "milli": ("m", -3), "micro": ("µ", -6), "nano": ("n", -9), "pico": ("p", -12),
    "femto": ("f", -15), "atto": ("a", -18), "zepto": ("z", -21), "yocto": ("y", -24),
}  # fmt: skip

# Standard name -> (what it measures, size in micrometers or seconds). Written as
# decimal numbers: 10.0 ** -9 is not 1e-9.
_UNITS: dict[str, tuple[Literal["space", "time"], float]] = {
    **{f"{p}meter": ("space", float(f"1e{n + 6}")) for p, (_, n) in _PREFIXES.items()},
    **{f"{p}second": ("time", float(f"1e{n}")) for p, (_, n) in _PREFIXES.items()},
    "angstrom": ("space", 1e-4),
    "inch": ("space", 25_400.0),
    "foot": ("space", 304_800.0),
    "yard": ("space", 914_400.0),
    "mile": ("space", 1_609_344_000.0),
    "parsec": ("space", 3.0856775814913673e22),
    "minute": ("time", 60.0),
    "hour": ("time", 3600.0),
    "day": ("time", 86_400.0),
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


def standard_unit(unit: str) -> str | None:
    """Return the OME-NGFF name of a unit of length or time, or None."""
    name = unit.strip()
    if len(name) > 2:
        name = name.lower().replace("metre", "meter")
    for candidate in (name, name.removesuffix("s") if len(name) > 3 else name):
        found = _SIGNS.get(candidate, candidate)
        if found in _UNITS:
            return found
    return None


def unit_kind(unit: str) -> Literal["space", "time"]:
    """Return what a unit with a standard name measures."""
    return _UNITS[unit][0]


def unit_factor(unit: str) -> float:
    """Return the size of a unit with a standard name, in micrometers or seconds."""
    return _UNITS[unit][1]
