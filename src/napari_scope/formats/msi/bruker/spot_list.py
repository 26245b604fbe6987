"""The spot list that flexImaging writes: which pixel lies where on the target.

Lines of four columns, position x, position y, name of the spot and number of the
region, or what somebody called it; what follows ``#`` is a comment. The name counts
regions from 0, the last column from 1. Lines that say something else are told and left
out. No folder is looked at.

Examples
--------
>>> listed, problems = parse_spot_list("10 20 R00X001Y002 1  # the first one")
>>> listed[0].name, listed[0].xpos, listed[0].region, problems
('R00X001Y002', 10, 1, [])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.msi.bruker.names import SpotName, parse_spot

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ListedSpot", "few", "looks_like_list", "parse_spot_list", "read_spot_list"]

_MOST_BYTES: Final = 256 << 20
_HEAD: Final = 4096
_MOST_NAME: Final = 100  # characters of the name of a region


@dataclass(frozen=True, slots=True)
class ListedSpot:
    """A line of a spot list.

    Parameters
    ----------
    name : str
        The spot as the list calls it.
    spot : SpotName
        What the name says.
    xpos, ypos : int or float
        Its position.
    region : int or None
        Its region, from 1; None if the list has no such column, or a name there.
    region_name : str
        The name of its region, empty without one.
    """

    name: str
    spot: SpotName
    xpos: float
    ypos: float
    region: int | None
    region_name: str = ""


def few(names: list[str]) -> str:
    """Return the first names of many.

    Examples
    --------
    >>> few(["a", "b"]), few(["a", "b", "c", "d"])
    ('a, b', 'a, b, c, ...')
    """
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def parse_spot_list(text: str) -> tuple[list[ListedSpot], list[str]]:
    """Return the spots of a list, and what was wrong with it in words."""
    listed: dict[SpotName, ListedSpot] = {}
    odd: list[str] = []
    twice: list[str] = []
    differing: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        one = _parse_line(words)
        if one is None:
            odd.append(f"line {number}")
        elif one.spot in listed:
            twice.append(f"{one.name} in line {number}")
        else:
            listed[one.spot] = one
            if one.region is not None and one.region != one.spot.region + 1:
                differing.append(f"{one.name} in region {one.region}")
    problems = []
    for what, which in (
        ("lines of the spot list that are no spots of an image", odd),
        ("spots that are in the list again; their first line is used", twice),
        (
            "spots whose names, which count regions from 0, and whose lines, which "
            "count from 1, say different regions; the names are used",
            differing,
        ),
    ):
        if which:
            problems.append(f"{what}: {len(which)} ({few(which)})")
    return list(listed.values()), problems


def _parse_line(words: list[str]) -> ListedSpot | None:
    if len(words) < 3:
        return None
    spot = parse_spot(words[2])
    try:
        xpos, ypos = (_number(word) for word in words[:2])
    except ValueError:
        return None
    if spot is None:
        return None
    named = " ".join(words[3:])[:_MOST_NAME]
    if words[3:] and words[3].isdecimal() and len(words[3]) < 10:
        return ListedSpot(words[2], spot, xpos, ypos, int(words[3]))
    return ListedSpot(words[2], spot, xpos, ypos, None, named)


def _number(word: str) -> float:
    """Return an integer where a word is one, a finite number otherwise.

    Raises
    ------
    ValueError
        If it is none.
    """
    if len(word) > 32:
        raise ValueError("too long for a position")
    try:
        return int(word)
    except ValueError:
        value = float(word.replace(",", "."))
    if not abs(value) < 1e300:
        raise ValueError("not finite")
    return value


def read_spot_list(path: Path) -> tuple[list[ListedSpot], list[str]]:
    """Return the spots of a file, and what was wrong with it in words.

    Raises
    ------
    FormatError
        If the file cannot be read.
    """
    return parse_spot_list(_text(path, _MOST_BYTES))


def looks_like_list(path: Path) -> bool:
    """Return whether a file begins as a spot list does."""
    try:
        text = _text(path, _HEAD, whole=False)
    except FormatError:
        return False
    # The last line of a head may be cut.
    listed, _ = parse_spot_list(text)
    return bool(listed)


def _text(path: Path, most: int, whole: bool = True) -> str:
    try:
        with DataFile.open(path) as file:
            size = file.size()
            data = file.read_at(0, min(size, most))
    except OSError as error:
        raise FormatError(
            f"the spot list cannot be read: {error.strerror}", path=path
        ) from error
    if whole and size > most:
        raise FormatError(f"a spot list of {size:,} bytes is not read", path=path)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return data.decode("latin-1").removeprefix("\xef\xbb\xbf")
