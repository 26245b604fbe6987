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

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml.entry import FIELDS, Form, read_entry
from napari_scope.formats.msi.xml_nodes import Node, NodeParser, XMLCutError
from napari_scope.formats.msi.xml_terms import groups_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy.typing as npt

    from napari_scope.formats.msi.imzml.entry import Entry

    PathLike = str | os.PathLike[str]

__all__ = ["MISSING", "PASSED", "Columns", "Document", "read_strictly"]

MISSING: Final = np.iinfo(np.int64).min
"""What stands for an integer that a spectrum does not have; a total is NaN then."""

PASSED: Final = {"offset": lambda node: None, "chromatogram": lambda node: None}
"""Elements that tell nothing of images; there may be one of each spectrum."""

_PIECE: Final = 1 << 20


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
        self._values: dict[str, list[float]] = {field: [] for field in FIELDS}
        self._form: list[int] = []
        self._forms: dict[Form, int] = {}

    def __len__(self) -> int:
        return len(self._form)

    def form_number(self, form: Form) -> int:
        """Return the number of a form; a new one gets the next number."""
        return self._forms.setdefault(form, len(self._forms))

    def add(self, entry: Entry) -> None:
        """Add a spectrum.

        Raises
        ------
        FormatError
            If one of its numbers is no number.
        """
        for field, values in self._values.items():
            number = entry.numbers.get(field)
            text = "" if number is None else number.value
            if field == "total":
                values.append(_real(text))
                continue
            try:
                values.append(_integer(text) if number is not None else MISSING)
            except ValueError as error:
                raise FormatError(
                    f"spectrum {len(self)}: {field.replace('_', ' ')} is {text!r}, "
                    "not an integer",
                    path=self._path,
                ) from error
        self._form.append(self.form_number(entry.form))

    def document(self, root: Node, problems: tuple[str, ...] = ()) -> Document:
        """Return all that was collected."""
        columns = {
            field: np.array(values, np.float64 if field == "total" else np.int64)
            for field, values in self._values.items()
        }
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

    def take(node: Node) -> None:
        nonlocal groups
        if groups is None:
            groups = groups_of(parser.root)
        columns.add(read_entry(node, groups))

    parser = NodeParser(path, {"spectrum": take, **PASSED})
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


def _integer(text: str) -> int:
    """Return an integer, also of a text like ``12.0``.

    Examples
    --------
    >>> _integer("12"), _integer("-3"), _integer("12.0")
    (12, -3, 12)
    """
    try:
        value = int(text)
    except ValueError:
        real = float(text)
        if not real.is_integer():
            raise
        value = int(real)
    if abs(value) >= 1 << 62:
        raise ValueError(f"{text} is out of range")
    return value


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
