"""The rows of a folder's list: what is known of each data set, sorted and filtered.

Plain values and functions: no Qt, no files, but for `look` and `state_of`, which read
and are called in threads.

Examples
--------
>>> from napari_scope.formats.folder_listing import FoundDataSet
>>> rows = [
...     FolderRow(FoundDataSet(f"/d/{n}", n, "ndtiff", 0.0, ())) for n in ("b", "A")
... ]
>>> [row.found.name for row in arranged(rows, "name")]
['A', 'b']
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from napari_scope.formats.tree_node import size_words
from napari_scope.layers.overview import Overview, look_into
from napari_scope.stream.run_state import StoredRun, run_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.folder_listing import FoundDataSet
    from napari_scope.layers.overview_cache import OverviewCache

__all__ = [
    "STATES",
    "FolderRow",
    "Looked",
    "SortBy",
    "State",
    "arranged",
    "info_text",
    "look",
    "short_date",
    "state_of",
    "summary",
]

State: TypeAlias = Literal["", "finished", "being written", "interrupted", "damaged"]
"""What became of a data set; empty as long as it was not looked into."""

SortBy: TypeAlias = Literal["name", "state", "shape", "size", "date", "format"]

STATES: Final[tuple[State, ...]] = (
    "finished",
    "being written",
    "interrupted",
    "damaged",
)
_FORMATS: Final = {
    "ndtiff": "NDTiff",
    "ome-zarr": "OME-Zarr",
    "ome-tiff": "OME-TIFF",
    "msi": "mass spectra",
}
_NUMBER: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What a look into a data set has found."""

    overview: Overview
    pixels: npt.NDArray[np.uint8] | None
    state: State


@dataclass(slots=True, eq=False)
class FolderRow:
    """A data set of the list.

    Parameters
    ----------
    found : FoundDataSet
        As it was found last.
    looked : Looked, optional
        What is in it; None as long as nobody has looked.
    picture : object
        The picture as the view wants it.
    """

    found: FoundDataSet
    looked: Looked | None = None
    picture: object = None

    @property
    def state(self) -> State:
        """What became of it."""
        return "" if self.looked is None else self.looked.state

    @property
    def overview(self) -> Overview:
        """What is known of it."""
        return Overview() if self.looked is None else self.looked.overview

    @property
    def format(self) -> str:
        """Format, with the version once that is known."""
        return self.overview.version or _FORMATS[self.found.format]

    def text(self, column: SortBy) -> str:
        """Return what a column shows."""
        if column == "name":
            return self.found.name
        if column == "state":
            return self.state or "…"
        if column == "shape":
            return self.overview.shape or self.overview.problem
        if column == "size":
            nbytes = self.overview.nbytes
            about = "≈ " if self.overview.about else ""
            return f"{about}{size_words(nbytes)}" if nbytes else ""
        if column == "date":
            return short_date(self.found.modified_s)
        return self.format


def look(found: FoundDataSet, cache: OverviewCache | None) -> Looked:
    """Look into a data set, or take what is kept of an earlier look; for threads."""
    kept = None if cache is None else cache.get(found.place, found.stamp)
    if kept is None:
        kept = look_into(found.place)
        # What cannot be read now may be readable the next time. That a file of mass
        # spectra is odd does not change.
        usable = not kept[0].problem or (found.format == "msi" and kept[0].shape)
        if cache is not None and usable:
            cache.put(found.place, found.stamp, *kept)
    overview, pixels = kept
    return Looked(overview, pixels, state_of(found.place, overview))


def state_of(place: str, overview: Overview) -> State:
    """Return what became of a data set; it reads the end of the journal."""
    try:
        run = run_state(place)
    except OSError:
        run = StoredRun.NONE
    if run is StoredRun.INTERRUPTED:
        return "interrupted"
    if run is StoredRun.WRITTEN:
        return "being written"
    if overview.problem and not overview.shape:
        return "damaged"
    if run is StoredRun.CLOSED or overview.finished:
        return "finished"
    return "being written"


def arranged(
    rows: Iterable[FolderRow],
    by: SortBy,
    *,
    descending: bool = False,
    text: str = "",
    state: State = "",
) -> list[FolderRow]:
    """Return the rows that are wanted, in the order that is wanted.

    Parameters
    ----------
    rows : iterable of FolderRow
        All rows.
    by : str
        Column to sort by. Names sort numbers in them by their value.
    descending : bool
        The last first.
    text : str
        Words that must all be in the name, the format, the shape or a channel.
    state : str
        Only data sets of this state; of all where it is empty.
    """
    words = text.casefold().split()
    wanted = [row for row in rows if _is_wanted(row, words, state)]
    wanted.sort(key=lambda row: _natural(row.found.name))
    if by == "name":
        if descending:
            wanted.reverse()
    elif by == "date":
        wanted.sort(key=lambda row: row.found.modified_s, reverse=descending)
    elif by == "size":
        wanted.sort(key=lambda row: row.overview.nbytes, reverse=descending)
    else:
        wanted.sort(key=lambda row: row.text(by).casefold(), reverse=descending)
    return wanted


def summary(row: FolderRow) -> str:
    """Return the line below the name in the view with icons."""
    if row.looked is None:
        return "…"
    if row.state == "finished":
        shape = row.text("shape")
        # There is no room for the range of the m/z.
        return shape.partition(",")[0] if row.found.format == "msi" else shape
    return row.state


def info_text(row: FolderRow) -> str:
    """Return all that is known as lines of text, to be copied."""
    overview = row.overview
    lines = [
        ("Path", row.found.place),
        ("Format", row.format),
        ("State", row.state),
        ("Shape", overview.shape),
        ("Type", overview.dtype),
        ("Size", f"{row.text('size')} {_size_is(row)}" if overview.nbytes else ""),
        ("Pixel", overview.pixel),
        (_parts_are(row), ", ".join(overview.channels)),
        ("Changed", short_date(row.found.modified_s)),
        ("Problem", overview.problem),
    ]
    return "\n".join(f"{name}: {value}" for name, value in lines if value)


def short_date(seconds: float) -> str:
    """Return a date with minutes, as it is sorted."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (OverflowError, OSError, ValueError):
        return ""


def _size_is(row: FolderRow) -> str:
    return "of spectra" if row.found.format == "msi" else "uncompressed"


def _parts_are(row: FolderRow) -> str:
    return "Data sets" if row.found.format == "msi" else "Channels"


def _is_wanted(row: FolderRow, words: list[str], state: State) -> bool:
    if state and row.state != state:
        return False
    if not words:
        return True
    overview = row.overview
    text = " ".join(
        (row.found.name, row.format, overview.shape, *overview.channels)
    ).casefold()
    return all(word in text for word in words)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which ``run_2`` stands before ``run_10``."""
    return [
        (int(part), "") if part.isdigit() and part.isascii() else (-1, part)
        for part in _NUMBER.split(name.casefold())
    ]
