"""Where in the .ibd file the arrays of each spectrum lie, checked against its size.

Wild files are met as they are: offsets that a program wrote with 32 bits, lengths that
are left out, files that were not copied whole. What can be told apart is put right and
told in words; a spectrum whose arrays do not lie in the file is empty, the others open.

Examples
--------
>>> layout = lay_out(document, size_of_ibd, "brain.imzML")  # doctest: +SKIP
>>> layout.mz.offset[:2], layout.is_common  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml.document import MISSING
from napari_scope.formats.msi.pixels import PixelTable

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

    from napari_scope.formats.msi.imzml.document import Document
    from napari_scope.formats.msi.imzml.entry import ArrayForm
    from napari_scope.formats.msi.imzml.terms import Compression

    Integers = npt.NDArray[np.int64]

__all__ = ["Arrays", "Layout", "lay_out"]

_WRAP: Final = 1 << 32


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
    def all_the_same(self) -> bool:
        """Whether all spectra share one array."""
        columns = (self.offset, self.length)
        return len(self.offset) > 0 and all((c == c[0]).all() for c in columns)


@dataclass(frozen=True, eq=False)
class Layout:
    """All spectra that can be read.

    Parameters
    ----------
    pixels : PixelTable
        Where they lie in the image.
    mz, intensity : Arrays
        Where their values lie in the file.
    total : ndarray of float64, (spectra,)
        Sums of all intensities as the file has them; NaN where it does not.
    form : ndarray of int64, (spectra,)
        Numbers of their forms.
    problems : tuple of str
        What was wrong, in words.
    """

    pixels: PixelTable
    mz: Arrays
    intensity: Arrays
    total: npt.NDArray[np.float64]
    form: Integers
    problems: tuple[str, ...]


def lay_out(document: Document, ibd_size: int, path: str | os.PathLike[str]) -> Layout:
    """Say where the arrays lie.

    Parameters
    ----------
    document : Document
        What the XML says.
    ibd_size : int
        Bytes of the .ibd file.
    path : str or PathLike
        What error messages name.

    Raises
    ------
    FormatError
        If no spectrum has a place and arrays of a known type.
    """
    problems: list[str] = []
    placed = (document.columns["x"] != MISSING) & (document.columns["y"] != MISSING)
    if not placed.all():
        problems.append(
            f"{_count(~placed)} of {len(placed)} spectra have no position and are left "
            f"out, the first is number {int(np.flatnonzero(~placed)[0])}"
        )
    if not placed.any():
        raise FormatError(
            f"none of the {len(placed)} spectra has a position (IMS:1000050, "
            "IMS:1000051)",
            path=path,
            hint="a file of mzML that is no image has none; it is opened as .mzML",
        )
    columns = {name: values[placed] for name, values in document.columns.items()}
    form = document.form[placed]
    for number in np.unique(form).tolist():
        problems += document.forms[number].oddities
    mz, intensity = _same_length(
        _arrays("mz", columns, document, form, ibd_size, problems, path),
        _arrays("intensity", columns, document, form, ibd_size, problems, path),
        problems,
    )
    z = np.where(columns["z"] == MISSING, 1, columns["z"])
    # Positions count from 1.
    pixels = PixelTable.of(columns["x"] - 1, columns["y"] - 1, z - 1)
    if pixels.duplicates:
        problems.append(
            f"{pixels.duplicates} pixels have several spectra: the last one is shown"
        )
    return Layout(pixels, mz, intensity, columns["total"], form, tuple(problems))


def _arrays(
    kind: str,
    columns: dict[str, npt.NDArray[Any]],
    document: Document,
    form: Integers,
    ibd_size: int,
    problems: list[str],
    path: str | os.PathLike[str],
) -> Arrays:
    """Return where one kind of arrays lies, empty where it is not in the file."""
    stored = _array_form(kind, document, form, path)
    assert stored.dtype is not None
    words = "m/z" if kind == "mz" else "intensity"
    offset, length, size = (
        columns[f"{kind}_{part}"].copy() for part in ("offset", "length", "encoded")
    )
    offset = _unwrapped(offset, words, problems)
    width = stored.dtype.itemsize
    if stored.compression == "none":
        unknown = (length == MISSING) & (size != MISSING)
        if unknown.any():
            length[unknown] = size[unknown] // width
            problems.append(f"the {words} arrays have no length; their bytes tell it")
        told = (size != MISSING) & (length != MISSING)
        odd = told & (size != length * width)
        if odd.any():
            first = int(np.flatnonzero(odd)[0])
            problems.append(
                f"{_count(odd)} {words} arrays have a wrong number of bytes: spectrum "
                f"{first} has {int(size[first])} for {int(length[first])} values of "
                f"{width}; the values count"
            )
        size = np.where(length == MISSING, MISSING, length * width)
    missing = (offset == MISSING) | (length == MISSING) | (size == MISSING)
    outside = ~missing & (
        (offset < 0) | (length < 0) | (size < 0) | (offset + size > ibd_size)
    )
    for bad, what in (
        (missing, "do not say where they lie"),
        (outside, f"do not lie in the .ibd file of {ibd_size:,} bytes"),
    ):
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            place = "" if bad is missing else f", at byte {int(offset[first]):,}"
            problems.append(
                f"{_count(bad)} of {len(bad)} {words} arrays {what}; these spectra are "
                f"empty, the first is number {first}{place}"
            )
    if (missing | outside).all() and len(missing):
        raise FormatError(
            f"no {words} array lies in the .ibd file of {ibd_size:,} bytes",
            path=path,
            hint="it belongs to another .imzML file, or was not copied whole",
        )
    good = ~(missing | outside)
    return Arrays(
        np.where(good, offset, 0),
        np.where(good, size, 0),
        np.where(good, length, 0),
        stored.dtype,
        stored.compression,
    )


def _array_form(
    kind: str, document: Document, form: Integers, path: str | os.PathLike[str]
) -> ArrayForm:
    """Return how all arrays of one kind are stored."""
    words = "m/z" if kind == "mz" else "intensity"
    stored = {
        getattr(document.forms[number], kind) for number in np.unique(form).tolist()
    }
    if len(stored) > 1:
        raise FormatError(
            f"the {words} arrays are of {len(stored)} kinds: "
            + ", ".join(sorted(str(one) for one in stored)),
            path=path,
            hint="files with one type and compression for all spectra are read",
        )
    one: ArrayForm = stored.pop()
    if one.dtype is None:
        raise FormatError(f"the type of the {words} arrays is not told", path=path)
    if one.compression == "unknown":
        raise FormatError(
            f"the {words} arrays are compressed in a way that is not known", path=path,
            hint="; ".join(document.forms[int(form[0])].oddities),
        )  # fmt: skip
    return one


def _unwrapped(offset: Integers, words: str, problems: list[str]) -> Integers:
    """Return offsets of which a program kept 32 bits, with a sign, only.

    Examples
    --------
    >>> wrapped = np.array([2**31 - 8, -(2**31), -8, 0])
    >>> _unwrapped(wrapped, "m/z", []).tolist() == [2**31 - 8, 2**31, 2**32 - 8, 2**32]
    True
    """
    told = offset != MISSING
    if not (offset[told] < 0).any():
        return offset
    problems.append(
        f"offsets of {words} arrays were written with 32 bits; they are taken as "
        "ascending"
    )
    unwrapped = offset.copy()
    values = offset[told] % _WRAP
    # Each step back of more than half the range is a wrap.
    wraps = np.cumsum(np.diff(values, prepend=values[:1]) < -(_WRAP // 2))
    unwrapped[told] = values + wraps * _WRAP
    return unwrapped


def _same_length(
    mz: Arrays, intensity: Arrays, problems: list[str]
) -> tuple[Arrays, Arrays]:
    """Return the arrays, shortened where a spectrum has more of one than the other."""
    odd = mz.length != intensity.length
    if not odd.any():
        return mz, intensity
    # Both arrays of a spectrum are there, or it is empty already.
    length = np.minimum(mz.length, intensity.length)
    unequal = odd & (length > 0)
    if unequal.any():
        first = int(np.flatnonzero(unequal)[0])
        problems.append(
            f"{_count(unequal)} spectra have more of one array than of the other; "
            f"spectrum {first} has {int(mz.length[first])} m/z values and "
            f"{int(intensity.length[first])} intensities"
        )
    return _cut(mz, length), _cut(intensity, length)


def _cut(arrays: Arrays, length: Integers) -> Arrays:
    size = arrays.size
    if arrays.compression == "none":
        size = length * arrays.dtype.itemsize
    size = np.where(length == 0, 0, size)
    return Arrays(arrays.offset, size, length, arrays.dtype, arrays.compression)


def _count(flags: npt.NDArray[np.bool_]) -> int:
    return int(flags.sum())
