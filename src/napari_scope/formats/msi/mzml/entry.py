"""What the XML of mzML says of one spectrum: texts, and a form that many share.

Terms may stand in the element itself or in a group it refers to. The form is
everything that decides how the spectrum is read and what kind of scan it is, but for
numbers; files have a few of them.

Examples
--------
>>> entry = read_entry(node, groups)  # doctest: +SKIP
>>> entry.fields["filter"].value, entry.form.mz.dtype  # doctest: +SKIP
('FTMS + p MALDI Full ms [850.00-1000.00]', dtype('<f8'))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from napari_scope.formats.msi.mzml import terms
from napari_scope.formats.msi.xml_terms import params

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from napari_scope.formats.msi.xml_nodes import Node

    Groups = Mapping[str, "Node"]

__all__ = ["FIELDS", "KINDS", "ArrayForm", "Entry", "Field", "Form", "read_entry"]

KINDS: Final = ("mz", "intensity")
"""The arrays that are read."""

_ATTRIBUTES: Final = {
    "id": "id",
    "spot": "spotID",
    "source": "sourceFileRef",
    "length": "defaultArrayLength",
}
FIELDS: Final = (
    *_ATTRIBUTES, "ref", "precursor", "energy", *terms.FIELDS.values(),
    *(f"{kind}_length" for kind in KINDS),
)  # fmt: skip
"""The texts of a spectrum."""


@dataclass(frozen=True, slots=True)
class ArrayForm:
    """How the values of an array are stored; the type is None if it is not told."""

    dtype: np.dtype[Any] | None
    coding: terms.Coding


@dataclass(frozen=True, slots=True)
class Form:
    """What many spectra have in common.

    Parameters
    ----------
    level : str
        MS level; empty if it is not told.
    polarity : {"positive", "negative", ""}
        Of the scan.
    is_profile : bool, optional
        Profile or peaks, where the spectrum says so.
    dissociation : str
        How precursors were broken, ``cid`` for example; empty if that is not told.
    mz, intensity : ArrayForm, optional
        How the arrays are stored; None if there is none.
    is_light : bool
        Whether it is a spectrum of light, which detectors beside the instrument add.
    """

    level: str
    polarity: str
    is_profile: bool | None
    dissociation: str
    mz: ArrayForm | None
    intensity: ArrayForm | None
    is_light: bool = False


class Field(NamedTuple):
    """A text, where its tag begins (-1 in a group), and in which attribute it is."""

    value: str
    at: int
    attribute: str


class Entry(NamedTuple):
    """One spectrum.

    ``binaries`` are the elements with the texts of the arrays, by the names in `KINDS`.
    """

    form: Form
    fields: dict[str, Field]
    binaries: dict[str, Node]


def read_entry(node: Node, groups: Groups) -> Entry:
    """Read a ``spectrum`` element.

    Parameters
    ----------
    node : Node
        The element.
    groups : mapping of str to Node
        The ``referenceableParamGroup`` elements by their ids.
    """
    fields: dict[str, Field] = {}
    for field, name in _ATTRIBUTES.items():
        if name in node.attributes:
            fields[field] = Field(node.get(name), node.at, name)
    level, polarity, is_profile, is_light = "", "", None, False
    for owner in (node, *node.all("scan", "scanWindow")):
        for one, shared in params(owner, groups):
            accession = one.get("accession")
            if accession in terms.FIELDS:
                _set(fields, terms.FIELDS[accession], one, shared)
            elif accession in (terms.CENTROID, terms.PROFILE):
                is_profile = accession == terms.PROFILE
            elif accession in (terms.POSITIVE, terms.NEGATIVE):
                polarity = "positive" if accession == terms.POSITIVE else "negative"
            elif accession == terms.LEVEL:
                level = one.get("value").strip()
            elif accession == terms.MS1:
                level = level or "1"
            elif accession in terms.LIGHT:
                is_light = True
        for one in owner.children:
            if one.tag == "userParam" and one.get("name") in terms.POSITIONS:
                _set(fields, terms.POSITIONS[one.get("name")], one, False)
    dissociation = _read_precursor(node, groups, fields)
    arrays: dict[str, ArrayForm] = {}
    binaries: dict[str, Node] = {}
    for array in node.all("binaryDataArray"):
        is_light |= _read_array(array, groups, fields, arrays, binaries)
    form = Form(
        level,
        polarity,
        is_profile,
        dissociation,
        arrays.get("mz"),
        arrays.get("intensity"),
        is_light,
    )
    return Entry(form, fields, binaries)


def _set(fields: dict[str, Field], field: str, node: Node, shared: bool) -> None:
    # The first one counts, as with other readers.
    if field not in fields:
        fields[field] = Field(node.get("value"), -1 if shared else node.at, "value")


def _read_precursor(node: Node, groups: Groups, fields: dict[str, Field]) -> str:
    """Read where the ions of a spectrum come from; returns how they were broken."""
    precursor = node.first("precursor")
    if precursor is None:
        return ""
    if "spectrumRef" in precursor.attributes:
        fields["ref"] = Field(precursor.get("spectrumRef"), precursor.at, "spectrumRef")
    dissociation = ""
    parts = ("selectedIon", "isolationWindow", "activation")
    # What was aimed at is the same in all scans of a kind; the ion that was found there
    # may be another in each.
    for wanted in (terms.TARGET, terms.SELECTED):
        for owner in precursor.all(*parts):
            for one, shared in params(owner, groups):
                accession = one.get("accession")
                if accession == wanted:
                    _set(fields, "precursor", one, shared)
                elif accession == terms.ENERGY:
                    _set(fields, "energy", one, shared)
                elif accession in terms.DISSOCIATIONS:
                    dissociation = dissociation or terms.DISSOCIATIONS[accession]
    return dissociation


def _read_array(
    array: Node,
    groups: Groups,
    fields: dict[str, Field],
    arrays: dict[str, ArrayForm],
    binaries: dict[str, Node],
) -> bool:
    """Read an array if it is one of `KINDS`; returns whether it is of wavelengths."""
    kind = ""
    dtype: np.dtype[Any] | None = None
    coding = terms.Coding()
    for one, _ in params(array, groups):
        accession, name = one.get("accession"), one.get("name")
        if accession in (terms.MZ_ARRAY, terms.INTENSITY_ARRAY):
            kind = "mz" if accession == terms.MZ_ARRAY else "intensity"
        elif accession in terms.TYPES:
            dtype = terms.TYPES[accession]
        elif accession in terms.CODINGS:
            more = terms.CODINGS[accession]
            # Older files have the steps as terms of their own.
            coding = coding._replace(
                packed=coding.packed or more.packed,
                order=coding.order or more.order,
                numpress=coding.numpress or more.numpress,
            )
        elif "compression" in name.lower() or "numpress" in name.lower():
            coding = coding._replace(unknown=f"{name} ({accession})")
    binary = array.first("binary")
    if not kind or kind in arrays or binary is None:
        return any(
            one.get("accession") in terms.LIGHT for one, _ in params(array, groups)
        )
    arrays[kind] = ArrayForm(dtype, coding)
    binaries[kind] = binary
    if "arrayLength" in array.attributes:
        fields[f"{kind}_length"] = Field(
            array.get("arrayLength"), array.at, "arrayLength"
        )
    return False
