"""The XML of an imzML file: everything but the spectra as a tree, these as columns.

`read_strictly` goes through all of it with an XML parser. `napari_scope.formats.msi.
imzml.fast` gets the same from most files in a fraction of the time, and gives up on the
others. Both are made of the same parts: what a spectrum means is decided in `entry`
only, what a column is, here.

Examples
--------
>>> document = read_strictly("brain.imzML")  # doctest: +SKIP
>>> document.columns["x"][:3], document.forms[0].mz  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml.alike import Alike
from napari_scope.formats.msi.imzml.entry import (
    FIELDS,
    INTEGERS,
    Form,
    integer_of,
    read_entry,
    real_of,
)
from napari_scope.formats.msi.xml_nodes import Node, NodeParser, XMLCutError
from napari_scope.formats.msi.xml_terms import groups_of
from napari_scope.formats.msi.xml_tree import nodes_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy.typing as npt

    from napari_scope.formats.msi.imzml.entry import Entry, Groups
    from napari_scope.formats.msi.xml_tree import Flat

    PathLike = str | os.PathLike[str]

__all__ = ["PASSED", "Document", "read_strictly"]

PASSED: Final = {"offset": lambda node: None, "chromatogram": lambda node: None}
"""Elements that tell nothing of images; there may be one of each spectrum."""

_HANDED: Final = frozenset({"spectrum", *PASSED})
_PIECE: Final = 1 << 20
_MOST_KNOWN: Final = 24


@dataclass(frozen=True, eq=False)
class Document:
    """What the XML says.

    Parameters
    ----------
    root : Node
        The tree without the spectra.
    columns : mapping of str to ndarray, (spectra,)
        The numbers of each spectrum by the names in `FIELDS`.
    form : ndarray of int64, (spectra,)
        Which of the forms each spectrum has.
    forms : tuple of Form
        The forms.
    problems : tuple of str
        What was wrong, in words.
    """

    root: Node
    columns: Mapping[str, npt.NDArray[Any]]
    form: npt.NDArray[np.int64]
    forms: tuple[Form, ...]
    problems: tuple[str, ...] = ()


class Columns:
    """Collects the numbers of spectra.

    Parameters
    ----------
    path : str or PathLike
        What error messages name.
    """

    def __init__(self, path: PathLike) -> None:
        self._path = path
        self._integers = array("q")
        self._totals = array("d")
        self._form = array("q")
        self._forms: dict[Form, int] = {}
        self._known: list[Alike] = []

    def __len__(self) -> int:
        return len(self._form)

    def add(self, flat: Flat, groups: Groups) -> None:
        """Add a spectrum.

        Parameters
        ----------
        flat : list
            Its XML, see `xml_tree`.
        groups : mapping of str to Node
            The groups of terms by their ids.

        Raises
        ------
        FormatError
            If one of its numbers is no number.
        """
        for known in self._known:
            row = known.numbers(flat)
            if row is not None:
                self._put(*row, known.form)
                return
        nodes = [node for node in nodes_of(flat, _HANDED) if node.tag == "spectrum"]
        for node in nodes:
            entry = read_entry(node, groups)
            form = self._forms.setdefault(entry.form, len(self._forms))
            self._put(self._integers_of(entry), real_of(entry), form)
        # One that has others in it means more than its own numbers.
        if len(nodes) == 1 and len(self._known) < _MOST_KNOWN:
            with contextlib.suppress(ValueError):
                self._known.append(Alike(flat, entry, form))

    def _integers_of(self, entry: Entry) -> list[int]:
        row = []
        for field in INTEGERS:
            try:
                row.append(integer_of(entry, field))
            except ValueError as error:
                raise FormatError(
                    f"spectrum {len(self)}: {field.replace('_', ' ')} is "
                    f"{entry.numbers[field].value!r}, not an integer",
                    path=self._path,
                ) from error
        return row

    def _put(self, integers: list[int], total: float, form: int) -> None:
        self._integers.extend(integers)
        self._totals.append(total)
        self._form.append(form)

    def document(self, root: Node, problems: tuple[str, ...] = ()) -> Document:
        """Return all that was collected."""
        integers = np.array(self._integers, np.int64).reshape(-1, len(INTEGERS))
        found: dict[str, npt.NDArray[Any]] = {
            field: np.ascontiguousarray(integers[:, k])
            for k, field in enumerate(INTEGERS)
        }
        found["total"] = np.array(self._totals, np.float64)
        columns = {field: found[field] for field in FIELDS}
        form = np.array(self._form, np.int64)
        return Document(root, columns, form, tuple(self._forms), problems)


def read_strictly(path: PathLike) -> Document:
    """Read the XML of an imzML file with an XML parser.

    Of a file that ends too early the spectra before the end are read.

    Raises
    ------
    FormatError
        If it cannot be read as XML, or a number is none.
    """
    columns = Columns(path)
    groups: dict[str, Node] | None = None

    def take(flat: Flat) -> None:
        nonlocal groups
        if groups is None:
            groups = groups_of(parser.root)
        columns.add(flat, groups)

    parser = NodeParser(path, PASSED, flat={"spectrum": take})
    problems: tuple[str, ...] = ()
    try:
        with Path(path).open("rb") as file:
            while piece := file.read(_PIECE):
                parser.feed(piece)
        root: Node | None = parser.close()
    except OSError as error:
        raise FormatError(
            f"the file cannot be read: {error.strerror}", path=path
        ) from error
    except XMLCutError as error:
        root = parser.root
        problems = (error.message,)
    assert root is not None  # a cut document has begun
    return columns.document(root, problems)
