"""Spectra of which the XML is that of another one but for their numbers.

Programs write one spectrum like the other. Once one of them has been looked at closely,
it is known which of its attributes are numbers that are wanted, and which mean nothing
(ids, indices). A spectrum in which everything else is equal means the same: its numbers
are taken from where they stand.

Examples
--------
>>> alike = Alike(flat, entry, form)  # doctest: +SKIP
>>> alike.numbers(another)  # doctest: +SKIP
([12, 7, 1, 16, 300, 2400, 2416, 300, 1200], 51734.2)
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from napari_scope.formats.msi.imzml import terms
from napari_scope.formats.msi.imzml.entry import (
    FREE,
    INTEGERS,
    LARGEST,
    integer_of,
    real_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_scope.formats.msi.imzml.entry import Entry
    from napari_scope.formats.msi.xml_tree import Flat

    Row = tuple[list[int], float]

__all__ = ["Alike"]

_TERMS: Final = ("cvParam", "userParam")


class _Attribute(NamedTuple):
    """Where the value of an attribute stands in a list."""

    element: int
    tag: str
    accession: str
    name: str
    at: int


class Alike:
    """Finds the numbers of spectra that are like one that is known.

    Parameters
    ----------
    flat : list
        The XML of that one, see `xml_tree`.
    entry : Entry
        What it means; ``Number.at`` is where the element begins in the list.
    form : int
        Number of its form, kept for the caller.

    Raises
    ------
    ValueError
        If one of its numbers is none.
    """

    def __init__(self, flat: Flat, entry: Entry, form: int) -> None:
        self.form = form
        # Numbers that stand in a group are those of all.
        self._row = [integer_of(entry, field) for field in INTEGERS]
        self._total = real_of(entry)
        wanted = {
            number.at: field
            for field, number in entry.numbers.items()
            if number.at >= 0
        }
        attributes = list(_attributes(flat))
        places = {
            wanted[one.element]: one.at
            for one in attributes
            if one.name == "value" and one.element in wanted
        }
        if len(places) < len(wanted):
            raise ValueError("a number has no value")
        self._total_at = places.pop("total", None)
        self._slots = [INTEGERS.index(field) for field in places]
        self._texts: Callable[[Flat], tuple[str, ...]] = _getter(places.values())
        # Those that are wanted are values of terms, too.
        passed = {one.at for one in attributes if _is_free(one)}
        self._fixed = _getter(k for k in range(len(flat)) if k not in passed)
        self._length = len(flat)
        self._expected = self._fixed(flat)

    def numbers(self, flat: Flat) -> Row | None:
        """Return the integers of a spectrum, in the order of `INTEGERS`, and its total.

        None if it is not like the one that is known, or one of them is no plain number.
        """
        if len(flat) != self._length or self._fixed(flat) != self._expected:
            return None
        total = self._total
        try:
            values = [int(text) for text in self._texts(flat)]
            if self._total_at is not None:
                total = float(flat[self._total_at])
        except ValueError:
            return None
        if max(map(abs, values), default=0) > LARGEST:
            return None
        row = self._row.copy()
        for slot, value in zip(self._slots, values, strict=True):
            row[slot] = value
        return row, total


def _attributes(flat: Flat) -> Iterator[_Attribute]:
    at = 0
    while at < len(flat):
        if flat[at] is None:
            at += 1
            continue
        element, tag = at, flat[at].rpartition(":")[2]
        at += 2
        end = at + 2 * flat[element + 1]
        said = dict(zip(flat[at:end:2], flat[at + 1 : end : 2], strict=True))
        for k in range(at, end, 2):
            accession = said.get("accession", "")
            yield _Attribute(element, tag, accession, flat[k], k + 1)
        at = end


def _is_free(one: _Attribute) -> bool:
    """Return whether the value of an attribute decides nothing."""
    if one.tag in _TERMS:
        return one.name == "value" and one.accession != terms.LEVEL
    return one.name in FREE


def _getter(places: Iterable[int]) -> Callable[[Flat], tuple[Any, ...]]:
    chosen = list(places)
    if len(chosen) > 1:
        return itemgetter(*chosen)
    return lambda flat: tuple(flat[k] for k in chosen)
