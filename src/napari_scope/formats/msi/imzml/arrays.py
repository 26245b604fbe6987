"""Where the arrays of one kind (m/z, intensity) lie, checked against the .ibd file.

What can be told apart is put right and told in words, what cannot be read is empty. No
number of the file is multiplied or added before it is known to be small enough.

Examples
--------
>>> checked = check_arrays(
...     "mz", columns, document, form, ibd_size, problems, path
... )  # doctest: +SKIP
>>> checked.offset[:2], checked.kinds  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml.entry import MISSING

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

    from napari_scope.formats.msi.imzml.document import Document
    from napari_scope.formats.msi.imzml.entry import ArrayForm
    from napari_scope.formats.msi.imzml.terms import Compression

    Integers = npt.NDArray[np.int64]

__all__ = ["Arrays", "CheckedArrays", "check_arrays"]

_ZLIB_MOST: Final = 1040  # zlib makes data at most 1,032 times as small
_WORDS: Final = {"mz": "m/z", "intensity": "intensity"}


@dataclass(frozen=True, eq=False)
class Arrays:
    """One array of each spectrum.

    Parameters
    ----------
    offset, size : ndarray of int64, (spectra,)
        First byte in the file, and number of bytes.
    length : ndarray of int64, (spectra,)
        Number of values.
    dtype : dtype
        Their type.
    compression : {"none", "zlib"}
        How they are packed.
    """

    offset: Integers
    size: Integers
    length: Integers
    dtype: np.dtype[Any]
    compression: Compression

    @property
    def shared(self) -> int | None:
        """A spectrum whose array is that of all that are not empty, or None."""
        filled = np.flatnonzero(self.length)
        if not len(filled):
            return None
        columns = (self.offset[filled], self.length[filled])
        same = all((column == column[0]).all() for column in columns)
        return int(filled[0]) if same else None


class CheckedArrays(NamedTuple):
    """Arrays of one kind in all spectra, and of which type each of them is."""

    offset: Integers
    size: Integers
    length: Integers
    kind: Integers
    kinds: list[ArrayForm]


def check_arrays(
    kind: str,
    columns: dict[str, npt.NDArray[Any]],
    document: Document,
    form: Integers,
    ibd_size: int,
    problems: list[str],
    path: str | os.PathLike[str],
) -> CheckedArrays:
    """Return where one kind of arrays lies, empty where it is not in the file.

    Parameters
    ----------
    kind : {"mz", "intensity"}
        Which kind.
    columns : dict of str to ndarray, (spectra,)
        The numbers of the spectra, see `entry.FIELDS`.
    document : Document
        What the XML says.
    form : ndarray of int64, (spectra,)
        Which of its forms each spectrum has.
    ibd_size : int
        Bytes of the .ibd file.
    problems : list of str
        What was wrong is appended here, in words.
    path : str or PathLike
        What error messages name.

    Raises
    ------
    FormatError
        If no array can be read.
    """
    words = _WORDS[kind]
    offset, length, size = (
        columns[f"{kind}_{part}"].copy() for part in ("offset", "length", "encoded")
    )
    which, kinds = _kinds(kind, document, form)
    unreadable = np.array([bool(_unreadable(one)) for one in kinds])[which]
    absent = (offset == MISSING) & (length == MISSING) & (size == MISSING)
    _tell_unreadable(kind, which, kinds, unreadable, absent, problems, path)
    width = np.array([one.dtype.itemsize if one.dtype else 1 for one in kinds])[which]
    plain = np.array([one.compression == "none" for one in kinds])[which]
    unknown = plain & (length == MISSING) & (size != MISSING)
    if unknown.any():
        length[unknown] = size[unknown] // width[unknown]
        problems.append(f"the {words} arrays have no length; their bytes tell it")
    # Numbers beyond the file are not multiplied: they might leave 64 bits.
    most = np.where(plain, ibd_size, ibd_size * _ZLIB_MOST)
    # Of arrays that are not packed the bytes are not needed if the length is told.
    needed = ~plain | (length == MISSING)
    huge = (length > most) | (needed & (size > ibd_size)) | (offset > ibd_size)
    told = plain & (size != MISSING) & (length != MISSING) & ~huge
    odd = told & (size != np.where(told, length, 0) * width)
    if odd.any():
        first = int(np.flatnonzero(odd)[0])
        problems.append(
            f"{_count(odd)} {words} arrays have a wrong number of bytes: spectrum "
            f"{first} has {int(size[first])} for {int(length[first])} values of "
            f"{int(width[first])}; the values count"
        )
    size = np.where(plain & (length != MISSING) & ~huge, length * width, size)
    missing = (offset == MISSING) | (length == MISSING) | (size == MISSING)
    missing &= ~unreadable
    negative = (offset < 0) | (length < 0) | (size < 0)
    outside = huge | negative | (np.where(huge, 0, offset + size) > ibd_size)
    outside &= ~missing & ~unreadable
    bomb = ~plain & ~outside & ~missing & ~unreadable
    bomb &= np.where(bomb, length * width > size * _ZLIB_MOST + 64, False)
    bad = missing | outside | unreadable | bomb
    for these, what in (
        (missing, "do not say where they lie"),
        (outside, f"do not lie in the .ibd file of {ibd_size:,} bytes"),
        (bomb, "cannot have as many values in as few bytes"),
    ):
        if these.any():
            first = int(np.flatnonzero(these)[0])
            place = "" if these is missing else f", at byte {int(offset[first]):,}"
            problems.append(
                f"{_count(these)} of {len(these)} {words} arrays {what}; these spectra "
                f"are empty, the first is number {first}{place}"
            )
    if bad.all() and len(bad):
        raise FormatError(
            f"no {words} array lies in the .ibd file of {ibd_size:,} bytes: "
            f"{problems[-1]}",
            path=path,
            hint="it belongs to another .imzML file, or was not copied whole",
        )
    return CheckedArrays(
        np.where(bad, 0, offset),
        np.where(bad, 0, size),
        np.where(bad, 0, length),
        which,
        kinds,
    )


def _kinds(
    kind: str, document: Document, form: Integers
) -> tuple[Integers, list[ArrayForm]]:
    """Return how arrays are stored, and which of these ways each spectrum has."""
    used = np.unique(form)
    kinds: dict[ArrayForm, int] = {}
    of_form = np.zeros(len(document.forms), np.int64)
    for number in used.tolist():
        stored: ArrayForm = getattr(document.forms[number], kind)
        of_form[number] = kinds.setdefault(stored, len(kinds))
    return of_form[form], list(kinds)


def _unreadable(stored: ArrayForm) -> str:
    """Return why arrays cannot be read; empty if they can."""
    if stored.dtype is None:
        return "are of a type that is not told"
    if stored.compression == "unknown":
        return "are compressed in a way that is not known"
    return ""


def _tell_unreadable(
    kind: str,
    which: Integers,
    kinds: list[ArrayForm],
    unreadable: npt.NDArray[np.bool_],
    absent: npt.NDArray[np.bool_],
    problems: list[str],
    path: str | os.PathLike[str],
) -> None:
    for number, stored in enumerate(kinds):
        why = _unreadable(stored)
        if not why:
            continue
        if unreadable.all():
            raise FormatError(
                f"the {_WORDS[kind]} arrays {why}", path=path,
                hint="; ".join(dict.fromkeys(problems)) or None,
            )  # fmt: skip
        # A spectrum without arrays is empty, and nothing is wrong with it.
        these = (which == number) & ~absent
        if these.any():
            problems.append(
                f"{_count(these)} of {len(these)} {_WORDS[kind]} arrays {why}; these "
                f"spectra are empty, the first is number "
                f"{int(np.flatnonzero(these)[0])}"
            )


def _count(flags: npt.NDArray[np.bool_]) -> int:
    return int(flags.sum())
