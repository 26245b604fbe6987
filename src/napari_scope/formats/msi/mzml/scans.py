"""All scans of a file as columns: where each one lies, and what it says of itself.

Two ways lead here: `napari_scope.formats.msi.mzml.fast` and
`napari_scope.formats.msi.mzml.strict`. Neither decodes an array.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.formats.msi.mzml.entry import FIELDS, KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi.mzml.entry import Form
    from napari_scope.formats.msi.xml_nodes import Node

    Integers = npt.NDArray[np.int64]

__all__ = [
    "EMPTY_AXIS",
    "NO_AXIS",
    "Axes",
    "Collector",
    "Document",
    "Scans",
    "numbers_of",
]

NO_AXIS: Final = -1
"""Number of an axis that no other spectrum was found to have."""
EMPTY_AXIS: Final = -2
"""Number of the axis of a spectrum without values."""

_MOST_AXES: Final = 8
_NOWHERE: Final = (-1, -1)
_MOST_AXIS_BYTES: Final = 64 << 20
_MOST_SAME: Final = 4096  # texts that are kept once, however many scans have them


@dataclass(frozen=True, eq=False)
class Scans:
    """The scans of a file, in its order.

    Parameters
    ----------
    texts : mapping of str to sequence of str
        What each one says, by the names in `FIELDS`; empty where it says nothing.
    form : ndarray of int64, (scans,)
        Which of the forms each one has.
    forms : tuple of Form
        The forms.
    begin : ndarray of int64, (scans,)
        First byte of its element.
    place : mapping of str to ndarray of int64, (scans, 2)
        First byte and length of the text of each array, by the names in `KINDS`; -1
        where that is no plain text, or there is no array.
    axis : ndarray of int64, (scans,)
        Scans with the same number have the same m/z values; see also `NO_AXIS`.
    """

    texts: Mapping[str, Sequence[str]]
    form: Integers
    forms: tuple[Form, ...]
    begin: Integers
    place: Mapping[str, Integers]
    axis: Integers

    def __len__(self) -> int:
        return len(self.form)


@dataclass(frozen=True, eq=False)
class Document:
    """What an mzML file says.

    Parameters
    ----------
    root : Node
        The tree without the spectra.
    scans : Scans
        The spectra.
    opening : bytes
        What an element needs before it to be read by itself: the declaration of the
        document, with its encoding, and a tag.
    problems : tuple of str
        What was wrong, in words.
    """

    root: Node
    scans: Scans
    opening: bytes
    problems: tuple[str, ...] = ()


class Axes:
    """Finds arrays of m/z values that are the same, from their texts alone."""

    def __init__(self) -> None:
        self._texts: list[tuple[object, bytes]] = []
        self._last = 0
        self._bytes = 0

    def number(self, form: object, text: bytes | bytearray, at: int, size: int) -> int:
        """Return the number of the axis whose text is ``text[at:at + size]``."""
        if not size:
            return EMPTY_AXIS
        known = self._texts
        for k in range(len(known)):
            which = (self._last + k) % len(known)
            of, other = known[which]
            if len(other) == size and of == form and text.startswith(other, at):
                self._last = which
                return which
        if len(known) >= _MOST_AXES or self._bytes + size > _MOST_AXIS_BYTES:
            return NO_AXIS
        self._bytes += size
        known.append((form, bytes(text[at : at + size])))
        self._last = len(known) - 1
        return self._last


class Collector:
    """Collects scans one by one."""

    def __init__(self) -> None:
        # A million of scans is a few gigabytes as objects of their own.
        self._texts: dict[str, list[str]] = {field: [] for field in FIELDS}
        self._same: dict[str, str] = {}
        self._forms: dict[Form, int] = {}
        self._form = array("q")
        self._begin = array("q")
        self._axis = array("q")
        self._place = {kind: array("q") for kind in KINDS}

    def __len__(self) -> int:
        return len(self._form)

    def form_number(self, form: Form) -> int:
        """Return the number of a form; a new one gets the next number."""
        return self._forms.setdefault(form, len(self._forms))

    def add(
        self,
        form: Form,
        texts: Mapping[str, str],
        begin: int,
        place: Mapping[str, tuple[int, int]],
        axis: int,
    ) -> None:
        """Add a scan."""
        same = self._same
        for field, values in self._texts.items():
            text = texts.get(field, "")
            kept = same.get(text)
            if kept is None:
                kept = text
                if len(same) < _MOST_SAME:
                    same[text] = text
            values.append(kept)
        for kind, places in self._place.items():
            places.extend(place.get(kind, _NOWHERE))
        self._form.append(self.form_number(form))
        self._begin.append(begin)
        self._axis.append(axis)

    def scans(self) -> Scans:
        """Return all that was collected."""
        return Scans(
            self._texts,
            np.array(self._form, np.int64),
            tuple(self._forms),
            np.array(self._begin, np.int64),
            {
                kind: np.array(places, np.int64).reshape(-1, 2)
                for kind, places in self._place.items()
            },
            np.array(self._axis, np.int64),
        )


def numbers_of(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return texts as numbers, NaN where they are none.

    Examples
    --------
    >>> numbers_of(["1.5", "", "x"]).tolist()
    [1.5, nan, nan]
    """
    try:
        return np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return np.array([_number(text) for text in texts])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
