"""Offsets of which a program kept 32 bits only, in .ibd files beyond 2 or 4 GB.

With a sign they become negative beyond 2 GB. Without one they begin again at 0 beyond
4 GB, which cannot be seen of one of them: they are put right only where the arrays,
as they are told, would lie upon each other or leave the end of the file out, and do
neither when the offsets are taken as ascending.

Examples
--------
>>> ascending(np.array([2**32 - 8, 0, 8, 2**32 - 16, 0])) // 2**32
array([0, 1, 1, 1, 2])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from napari_scope.formats.msi.imzml.entry import MISSING

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.formats.msi.imzml.document import Document

    Integers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

__all__ = ["ascending", "unwrapped"]

_WRAP: Final = 1 << 32
_KINDS: Final = {"mz": "m/z", "intensity": "intensity"}


class _Places(NamedTuple):
    """Offsets and bytes of the arrays of one kind, and which of them hold anything."""

    offset: Integers
    size: Integers
    filled: Flags


def unwrapped(
    columns: dict[str, npt.NDArray[Any]],
    document: Document,
    form: Integers,
    ibd_size: int,
    problems: list[str],
) -> dict[str, npt.NDArray[Any]]:
    """Return the columns with offsets as they were meant.

    Parameters
    ----------
    columns : dict of str to ndarray, (spectra,)
        The numbers of the spectra, see `entry.FIELDS`.
    document : Document
        What the XML says.
    form : ndarray of int64, (spectra,)
        Which of its forms each spectrum has.
    ibd_size : int
        Bytes of the .ibd file.
    problems : list of str
        What was put right is appended here, in words.
    """
    places = {kind: _places(kind, columns, document, form, ibd_size) for kind in _KINDS}
    found: dict[str, Integers] = {}
    for kind, words in _KINDS.items():
        offset = _with_sign(places[kind], ibd_size)
        if offset is not None:
            found[kind] = offset
            problems.append(
                f"offsets of {words} arrays were written with 32 bits; they are taken "
                "as ascending"
            )
    if not found and (both := _without_sign(places, ibd_size)) is not None:
        found = both
        first = min(
            int(np.flatnonzero(offset != places[kind].offset)[0])
            for kind, offset in both.items()
        )
        problems.append(
            "offsets were written with 32 bits and begin again at 0 beyond 4 GB, from "
            f"spectrum {first} on; they are taken as ascending"
        )
    return columns | {f"{kind}_offset": offset for kind, offset in found.items()}


def ascending(offset: Integers) -> Integers:
    """Return offsets in which each step back of more than 2 GB is one of 4 GB on."""
    wraps = np.cumsum(np.diff(offset, prepend=offset[:1]) < -(_WRAP // 2))
    return offset + wraps * _WRAP


def _places(
    kind: str,
    columns: dict[str, npt.NDArray[Any]],
    document: Document,
    form: Integers,
    ibd_size: int,
) -> _Places:
    offset, length, encoded = (
        columns[f"{kind}_{part}"] for part in ("offset", "length", "encoded")
    )
    stored = [getattr(one, kind) for one in document.forms]
    width = np.array([one.dtype.itemsize if one.dtype else 1 for one in stored])[form]
    plain = np.array([one.compression == "none" for one in stored])[form]
    # Numbers that cannot be are not multiplied.
    size = np.where(
        plain & (length != MISSING), np.clip(length, 0, ibd_size) * width, encoded
    )
    return _Places(offset, size, (offset != MISSING) & (size > 0) & (length != 0))


def _with_sign(places: _Places, ibd_size: int) -> Integers | None:
    """Return the offsets if some are negative and all fit 32 bits, otherwise None."""
    told = places.offset[places.filled]
    inside = (told >= -(_WRAP // 2)) & (told < _WRAP // 2)
    # In a smaller file a negative offset is an error.
    if ibd_size <= _WRAP // 2 or not inside.all() or not (told < 0).any():
        return None
    offset = places.offset.copy()
    values = told % _WRAP
    # Below 4 GB nothing has to be known of the order.
    offset[places.filled] = values if ibd_size <= _WRAP else ascending(values)
    return offset


def _without_sign(
    places: dict[str, _Places], ibd_size: int
) -> dict[str, Integers] | None:
    """Return the offsets if it is proven that they begin again at 0, otherwise None."""
    found: dict[str, Integers] = {}
    for kind, (offset, _, filled) in places.items():
        told = offset[filled]
        if (told < 0).any() or (told >= _WRAP).any():
            return None
        meant = ascending(told)
        if (meant != told).any():
            found[kind] = offset.copy()
            found[kind][filled] = meant
    if not found:
        return None
    meant_places = {
        kind: one._replace(offset=found.get(kind, one.offset))
        for kind, one in places.items()
    }
    apart, end = _apart(meant_places)
    if not apart:
        return None
    return found if end == ibd_size or not _apart(places)[0] else None


def _apart(places: dict[str, _Places]) -> tuple[bool, int]:
    """Return whether no array lies upon another, and where the last one ends.

    Several spectra may have the same array.
    """
    rows = np.concatenate(
        [
            np.stack([one.offset[one.filled], one.size[one.filled]], axis=1)
            for one in places.values()
        ]
    )
    rows = np.unique(rows, axis=0)
    ends = rows.sum(axis=1)
    return bool((rows[1:, 0] >= ends[:-1]).all()), int(ends.max(initial=0))
