"""What the XML of imzML says of one spectrum: numbers, and a form that many share.

Terms may stand in the element itself or in a group it refers to; ids mean nothing. The
form is everything but the numbers: types, compression, polarity. Files have one or two.

Examples
--------
>>> entry = read_entry(node, groups)  # doctest: +SKIP
>>> entry.numbers["x"].value, entry.form.mz.dtype  # doctest: +SKIP
('12', dtype('<f8'))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from napari_scope.formats.msi.imzml import terms
from napari_scope.formats.msi.xml_terms import params

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.msi.imzml.terms import Compression
    from napari_scope.formats.msi.xml_nodes import Node

    Groups = Mapping[str, "Node"]

__all__ = [
    "FIELDS", "FREE", "INTEGERS", "LARGEST", "MISSING", "ArrayForm", "Entry", "Form",
    "Number", "integer_of", "read_entry", "real_of",
]  # fmt: skip

FIELDS: Final = (
    "x", "y", "z", "total",
    "mz_offset", "mz_length", "mz_encoded",
    "intensity_offset", "intensity_length", "intensity_encoded",
)  # fmt: skip
"""The numbers of a spectrum; all but the total are integers."""

INTEGERS: Final = tuple(field for field in FIELDS if field != "total")

MISSING: Final = int(np.iinfo(np.int64).min)
"""What stands for an integer that a spectrum does not have; a total is NaN then."""

LARGEST: Final = (1 << 62) - 1
"""Larger integers, and smaller ones than its negative, are errors of the file."""

FREE: Final = frozenset(
    {
        "id", "index", "defaultArrayLength", "encodedLength", "arrayLength", "spotID",
        "nativeID", "scanNumber", "spectrumRef", "spectrumID", "externalSpectrumID",
        "externalNativeID", "sourceFileRef",
    }
)  # fmt: skip
"""Attributes that decide nothing, in elements that are no terms."""

_PLACES: Final = {terms.X: "x", terms.Y: "y", terms.Z: "z"}
_PARTS: Final = {
    terms.OFFSET: "offset",
    terms.LENGTH: "length",
    terms.ENCODED: "encoded",
}


@dataclass(frozen=True, slots=True)
class ArrayForm:
    """How the values of an array are stored; the type is None if it is not told."""

    dtype: np.dtype[Any] | None
    compression: Compression


@dataclass(frozen=True, slots=True)
class Form:
    """What many spectra have in common.

    Parameters
    ----------
    mz, intensity : ArrayForm
        How the arrays are stored.
    is_profile : bool, optional
        Profile or peaks, where the spectrum says so.
    polarity : {"positive", "negative", ""}
        Of the scan.
    level : str
        MS level.
    oddities : tuple of str
        What is not as the standard has it, in words.
    """

    mz: ArrayForm
    intensity: ArrayForm
    is_profile: bool | None
    polarity: str
    level: str
    oddities: tuple[str, ...]


class Number(NamedTuple):
    """A number as text, and where its tag begins; -1 in a group."""

    value: str
    at: int


class Entry(NamedTuple):
    """One spectrum: its form and its numbers, by the names in `FIELDS`."""

    form: Form
    numbers: dict[str, Number]


def read_entry(node: Node, groups: Groups) -> Entry:
    """Read a ``spectrum`` element.

    Parameters
    ----------
    node : Node
        The element.
    groups : mapping of str to Node
        The ``referenceableParamGroup`` elements by their ids.
    """
    numbers: dict[str, Number] = {}
    oddities: list[str] = []
    is_profile, polarity, level = None, "", ""
    for owner in (node, *node.all("scan")):
        for one, shared in params(owner, groups):
            accession = one.get("accession")
            if accession in _PLACES:
                _set(numbers, _PLACES[accession], one, shared)
            elif accession == terms.TOTAL:
                _set(numbers, "total", one, shared)
            elif accession in (terms.CENTROID, terms.PROFILE):
                is_profile = accession == terms.PROFILE
                if one.get("name").startswith("profile" if not is_profile else "cent"):
                    oddities.append(f"{accession} is called {one.get('name')!r}")
            elif accession in (terms.POSITIVE, terms.NEGATIVE):
                polarity = "positive" if accession == terms.POSITIVE else "negative"
            elif accession == terms.LEVEL:
                level = one.get("value")
    forms: dict[str, ArrayForm] = {}
    for place, array in enumerate(node.all("binaryDataArray")):
        _read_array(array, place, groups, numbers, forms, oddities)
    unknown = ArrayForm(None, "none")
    form = Form(
        forms.get("mz", unknown),
        forms.get("intensity", unknown),
        is_profile,
        polarity,
        level,
        tuple(oddities),
    )
    return Entry(form, numbers)


def integer_of(entry: Entry, field: str) -> int:
    """Return an integer of a spectrum, also of a text like ``12.0``; or `MISSING`.

    Raises
    ------
    ValueError
        If it is none, or larger than any file can need.
    """
    number = entry.numbers.get(field)
    if number is None:
        return MISSING
    try:
        value = int(number.value)
    except ValueError:
        real = float(number.value)
        if not real.is_integer():
            raise
        value = int(real)
    if abs(value) > LARGEST:
        raise ValueError(f"{number.value} is out of range")
    return value


def real_of(entry: Entry, field: str = "total") -> float:
    """Return a number of a spectrum; NaN if it is none."""
    number = entry.numbers.get(field)
    try:
        return float("nan" if number is None else number.value)
    except ValueError:
        return float("nan")


def _set(numbers: dict[str, Number], field: str, node: Node, shared: bool) -> None:
    # The first one counts, as with other readers.
    if field not in numbers:
        numbers[field] = Number(node.get("value").strip(), -1 if shared else node.at)


def _read_array(
    array: Node,
    place: int,
    groups: Groups,
    numbers: dict[str, Number],
    forms: dict[str, ArrayForm],
    oddities: list[str],
) -> None:
    kind = ""
    dtype: np.dtype[Any] | None = None
    compression: Compression = "none"
    found: dict[str, Number] = {}
    for one, shared in params(array, groups):
        accession, name = one.get("accession"), one.get("name")
        if accession in _PARTS:
            _set(found, _PARTS[accession], one, shared)
        elif accession in (terms.MZ_ARRAY, terms.INTENSITY_ARRAY):
            kind = "mz" if accession == terms.MZ_ARRAY else "intensity"
        elif accession in terms.TYPES:
            dtype = terms.TYPES[accession]
            said = terms.TYPE_NAMES.get(name)
            if said is not None and said != dtype:
                oddities.append(f"{accession} is called {name!r}")
        elif accession in terms.COMPRESSIONS:
            compression = terms.COMPRESSIONS[accession]
        elif "compression" in name or "Numpress" in name:
            compression = "unknown"
            oddities.append(f"the compression {name!r} ({accession}) is not known")
        elif dtype is None and name in terms.TYPE_NAMES:
            dtype = terms.TYPE_NAMES[name]
            oddities.append(f"{name!r} has the accession {accession!r}")
    if not kind:
        kind = ("mz", "intensity")[place] if place < 2 else ""
        oddities.append(f"array {place} is neither called m/z nor intensity array")
    if not kind or kind in forms:
        return
    forms[kind] = ArrayForm(dtype, compression)
    numbers.update({f"{kind}_{part}": number for part, number in found.items()})
