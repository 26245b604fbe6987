"""Kinds of scans: what a filter string says, and which scans belong together.

Instruments take several kinds of spectra at each place of an image: full ones, and
spectra of the pieces of some ions. Scans of one kind make one data set. What they have
in common is their filter string; where there is none, it is made of their level,
polarity, precursor and window.

Examples
--------
>>> kind = parse_filter("ITMS + p MALDI Z ms2 907.73@cid60.00 [500.00-700.00]")
>>> kind.level, kind.precursor_mz, kind.dissociation, kind.energy, kind.window
(2, 907.73, 'cid', 60.0, (500.0, 700.0))
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.formats.msi.mzml.scans import numbers_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.msi.mzml.entry import Form
    from napari_scope.formats.msi.mzml.scans import Scans

__all__ = ["ScanType", "find_types", "parse_filter"]

_MOST_TYPES: Final = 200
# Ions that were chosen while the instrument ran, each of them a few times, are no data
# sets of their own.
_MOST_RARE: Final = 24
_RARE: Final = 10
_ANALYSER: Final = re.compile(r"^\s*([A-Z]+MS)\b")
_POLARITY: Final = re.compile(r"(?:^|\s)([+-])(?=\s)")
_LEVEL: Final = re.compile(r"\bms([0-9]{0,2})\b")
_LONGEST: Final = 1000  # letters of a filter string that are looked at
_DIGITS: Final = re.compile(r"[0-9]{1,2}")
_PRECURSOR: Final = re.compile(r"(?<!\d)(\d+(?:\.\d+)?)@([A-Za-z]+)(\d+(?:\.\d+)?)?")
_WINDOW: Final = re.compile(r"\[\s*(\d[\d.]*)\s*-(?:[^\]]*-)?\s*(\d[\d.]*)\s*\]")


@dataclass(frozen=True, slots=True)
class ScanType:
    """A kind of scan.

    Parameters
    ----------
    name : str
        Its filter string, or what stands for it.
    level : int
        1 for full spectra, 2 for those of the pieces of an ion, and so on.
    polarity : {"positive", "negative", ""}
        Of the ions.
    analyser : str
        As the filter string has it, ``FTMS`` for example.
    precursor_mz : float, optional
        m/z of the ion that was broken.
    dissociation : str
        How, ``cid`` for example.
    energy : float, optional
        With which energy.
    window : tuple of float, optional
        Lowest and highest m/z of the scan.
    has_filter : bool
        Whether the file has a filter string.
    """

    name: str
    level: int = 1
    polarity: str = ""
    analyser: str = ""
    precursor_mz: float | None = None
    dissociation: str = ""
    energy: float | None = None
    window: tuple[float, float] | None = None
    has_filter: bool = True

    @property
    def rest(self) -> str:
        """What distinguishes it from others of its level."""
        return (
            self.name.split(" ms", 1)[-1]
            .lstrip("0123456789")
            .replace("[ ", "[")
            .strip()
        )


def parse_filter(text: str) -> ScanType:
    """Read a filter string; what it does not say is empty."""
    name, text = " ".join(text.split()), text[:_LONGEST]
    analyser, polarity = _ANALYSER.search(text), _POLARITY.search(text)
    level, window = _LEVEL.search(text), _WINDOW.search(text)
    # The last of several is the ion whose pieces are seen.
    precursors = _PRECURSOR.findall(text)
    mz, how, energy = precursors[-1] if precursors else ("", "", "")
    return ScanType(
        name,
        int(level.group(1) or 1) if level else 1,
        "" if polarity is None else {"+": "positive", "-": "negative"}[polarity[1]],
        analyser.group(1) if analyser else "",
        float(mz) if mz else None,
        how.lower(),
        float(energy) if energy else None,
        (_real(window[1]), _real(window[2])) if window else None,
    )


def _real(text: str) -> float:
    found = re.match(r"\d+(?:\.\d+)?", text)
    return float(found.group()) if found else 0.0


def find_types(
    scans: Scans,
) -> tuple[tuple[ScanType, ...], npt.NDArray[np.int64], list[str]]:
    """Return the kinds of scans in the order in which they appear.

    Returns
    -------
    tuple of ScanType
        The kinds.
    ndarray of int64, (scans,)
        Which of them each scan is.
    list of str
        What was wrong, in words.
    """
    columns = [
        scans.texts[name] for name in ("filter", "low", "high", "precursor", "energy")
    ]
    known: dict[tuple[int | str, ...], int] = {}
    types: dict[str, ScanType] = {}
    order: dict[str, int] = {}
    number = np.zeros(len(scans), np.int64)
    for n, key in enumerate(zip(scans.form.tolist(), *columns, strict=True)):
        which = known.get(key)
        if which is None:
            one = _type_of(scans.forms[key[0]], key[1:])
            types.setdefault(one.name, one)
            which = known[key] = order.setdefault(one.name, len(order))
        number[n] = which
    found = tuple(types.values())
    groups = _groups_to_merge(found, number)
    if not groups:
        return found, number, []
    merged, number = _merged(found, number, groups)
    told = [f"there are {len(found)} kinds of scans"]
    for one in groups:
        n = sum(_common(kind) == one for kind in found)
        told.append(f"the {n} like {_name_of(one)!r} make one data set")
    return merged, number, ["; ".join(told)]


def _type_of(form: Form, texts: tuple[str, ...]) -> ScanType:
    """Return the kind of a scan from its filter string and its terms."""
    low, high, precursor, energy = (
        float(value) if np.isfinite(value) else None for value in numbers_of(texts[1:])
    )
    window = (low, high) if low is not None and high is not None else None
    told = _DIGITS.fullmatch(form.level) is not None
    said = ScanType(
        "",
        int(form.level) if told else (2 if precursor else 1),
        form.polarity,
        "",
        precursor,
        form.dissociation,
        energy,
        window,
        has_filter=False,
    )
    if not texts[0].strip():
        return replace(said, name=_name_of(said))
    kind = parse_filter(texts[0])
    return replace(
        kind,
        level=said.level if told else kind.level,
        polarity=kind.polarity or said.polarity,
        precursor_mz=kind.precursor_mz or said.precursor_mz,
        dissociation=kind.dissociation or said.dissociation,
        energy=said.energy if kind.energy is None else kind.energy,
        window=kind.window or said.window,
    )


def _name_of(kind: ScanType) -> str:
    words = [f"MS{kind.level}"]
    if kind.polarity:
        words.append(kind.polarity)
    if kind.precursor_mz is not None and kind.level > 1:
        energy = "" if kind.energy is None else f"{kind.energy:g}"
        broken = f"@{kind.dissociation}{energy}" if kind.dissociation else ""
        words.append(f"{kind.precursor_mz:g}{broken}")
    if kind.window is not None:
        words.append(f"[{kind.window[0]:g}-{kind.window[1]:g}]")
    if kind.analyser:
        words.append(kind.analyser)
    return " ".join(words)


def _common(kind: ScanType) -> ScanType:
    """Return what a kind has in common with those of other precursors and windows."""
    return ScanType("", kind.level, kind.polarity, kind.analyser, has_filter=False)


def _groups_to_merge(
    types: tuple[ScanType, ...], number: npt.NDArray[np.int64]
) -> list[ScanType]:
    """Return what those kinds have in common that are too many to be data sets."""
    counts = np.bincount(number, minlength=len(types)).tolist()
    groups: dict[ScanType, list[int]] = {}
    for kind, count in zip(types, counts, strict=True):
        groups.setdefault(_common(kind), []).append(count)
    return [
        common
        for common, scans in groups.items()
        if len(scans) > _MOST_TYPES
        or (
            common.level > 1
            and len(scans) > _MOST_RARE
            and sum(scans) < _RARE * len(scans)
        )
    ]


def _merged(
    types: tuple[ScanType, ...],
    number: npt.NDArray[np.int64],
    groups: list[ScanType],
) -> tuple[tuple[ScanType, ...], npt.NDArray[np.int64]]:
    """Put the kinds of each group together; they are where its first one was."""
    order: dict[ScanType, int] = {}
    which = []
    for kind in types:
        common = _common(kind)
        one = kind
        if common in groups:
            one = replace(common, name=_name_of(common))
        which.append(order.setdefault(one, len(order)))
    return tuple(order), np.array(which)[number]
