"""Names of the images of NDTiff versions 0 and 1: from numbers to axes.

The "channel" number of an index map stands for all axes that have no column of their
own. What it means is said by a file beside the folders, or by the metadata of images;
tiles get their row and column from there, too.

Examples
--------
>>> parse_super_channel("Axis_laser_2Axis_channel_1")
{'laser': 2, 'channel': 1}
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.limits import is_axis_value
from napari_scope.formats.ndtiff.v1_files import headers, read_json_at, read_map

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_scope.formats.ndtiff.record import Header
    from napari_scope.formats.ndtiff.v1_files import V1Frame

    Axes: TypeAlias = dict[str, int | str]
    Facts: TypeAlias = dict[str, object]

__all__ = [
    "AXES_FILE",
    "ImageNames",
    "parse_super_channel",
    "read_table",
    "used_by_full_resolution",
]

AXES_FILE = "Axes_metedata"
"""File beside the level folders that says which axes a "channel" number stands for."""

_MAX_AXES_FILE = 2**30
_MAX_EXTRA_AXES = 32
_MAX_NAME = 256

_OWN_AXES = ("position", "time", "z")  # those with a column of their own
# Names under which writers put the axes of an image, the typo of one of them included.
_AXES_KEYS = ("Axes", "ImageStorageAxesPositions", "ImagrStorageAxesPositions")
_SUPER_CHANNEL_KEY = "StorageSuperChannelName"


def parse_super_channel(text: str) -> Axes | None:
    """Return the axes that a channel number stands for, or None if it is no such text.

    Parameters
    ----------
    text : str
        Axes as the writer joins them, ``Axis_channel_1Axis_laser_2``.
    """
    before, *parts = text.split("Axis_")
    axes: Axes = {}
    for part in parts:
        name, _, value = part.rpartition("_")
        if not re.fullmatch(r"-?[0-9]{1,10}", value):
            return None
        axes[name] = int(value)
    return None if before else _checked(axes)


def _checked(axes: object) -> Axes | None:
    """Return axes that an index can hold, or None."""
    if not isinstance(axes, dict) or not 0 < len(axes) <= _MAX_EXTRA_AXES:
        return None
    for name, value in axes.items():
        if not 0 < len(name) <= _MAX_NAME or not is_axis_value(value):
            return None
        if isinstance(value, str) and len(value) > _MAX_NAME:
            return None
    return axes


def _without_own(axes: Axes) -> Axes:
    """Return the axes that have no column in the index map."""
    return {name: axes[name] for name in axes if name not in _OWN_AXES}


def read_table(root: FilePool, order: str, problems: list[str]) -> dict[int, Axes]:
    """Return the axes of each channel number, as far as a file has them."""
    try:
        if not (root.folder / AXES_FILE).exists():
            return {}
        with root.use(AXES_FILE) as file:
            data = file.read_at(0, min(file.size(), _MAX_AXES_FILE))
    except (FormatError, OSError) as error:
        problems.append(f"{AXES_FILE} was ignored: {error}")
        return {}
    table: dict[int, Axes] = {}
    parsed: dict[bytes, Axes | None] = {}
    read: Callable[[bytes, int], tuple[int, int]] = struct.Struct(
        f"{order}ii"
    ).unpack_from
    place = 0
    while len(data) - place >= 8:
        number, length = read(data, place)
        start = place + 8
        if number == -1:
            # The name of a channel, which images have in their metadata as well.
            if len(data) - place < 12:
                break
            _, length = read(data, place + 4)
            start = place + 12
        if length < 0 or start + length > len(data):
            break
        if number >= 0:
            # Each image has an entry, so that most are repeated.
            text = data[start : start + length]
            if text not in parsed:
                parsed[text] = parse_super_channel(text.decode("latin-1"))
            axes = parsed[text]
            if axes is None:
                break
            table[number] = _without_own(axes)
        elif number != -1:
            break
        place = start + length
    # Zeros are room that a writer took ahead and did not live to give back.
    if data.count(0, place) < len(data) - place:
        problems.append(
            f"{AXES_FILE} makes no sense from byte {place} on: "
            f"the {len(data) - place} bytes behind it were ignored"
        )
    return table


class ImageNames:
    """Gives the images of a folder their axes.

    Parameters
    ----------
    pool : FilePool
        The folder.
    files : list
        Name, header and length of its files.
    table : dict
        The axes of channel numbers that are known; others are read from metadata.
    frames : list of V1Frame
        The images.
    """

    def __init__(
        self,
        pool: FilePool,
        files: list[tuple[str, Header, int]],
        table: dict[int, Axes],
        frames: list[V1Frame],
    ) -> None:
        #: Names of the axes that say something.
        self.used: set[str] = set()
        self.problems: list[str] = []
        self._pool = pool
        self._level = _level(pool.folder)
        self._table = dict(table)
        #: Row and column of each position; None where a tile does not say.
        self._tiles: dict[int | str, tuple[int, int] | None] = {}
        self._learn_channels(frames)
        #: Axes of each image, or None for one that cannot be named.
        self.axes = [self._axes_of(frame) for frame in frames]
        if self._is_tiled(files):
            for frame, axes in zip(frames, self.axes, strict=True):
                if axes is not None and axes["position"] not in self._tiles:
                    self._learn_tile(frame, axes["position"])
            self._place_tiles()
        self._name_the_rest()
        for axes in [*self.axes, *table.values()]:
            self.used |= {name for name, value in (axes or {}).items() if value != 0}
        if any(axes and "row" in axes for axes in self.axes):
            self.used |= {"row", "column"}

    def _facts(self, frame: V1Frame) -> Facts:
        if frame.facts is not None:
            return frame.facts
        try:
            with self._pool.use(frame.file) as file:
                return read_json_at(file, *frame.image[4:6]) or {}
        except (FormatError, OSError):
            return {}

    def _learn_channels(self, frames: list[V1Frame]) -> None:
        """Read what the table does not say from the metadata of images."""
        bare: set[int] = set()  # numbers whose images state no axes
        damaged: set[int] = set()
        for frame in frames:
            number = None if frame.key is None else frame.key[0]
            if number is None or number in self._table or number in bare:
                continue
            facts = self._facts(frame)
            axes = _axes_of_metadata(facts)
            if axes is not None:
                self._table[number] = _without_own(axes)
            elif facts:
                bare.add(number)
            else:
                damaged.add(number)
        named = [{"channel": 0, **axes} for axes in self._table.values()]
        for number in sorted(bare | damaged - self._table.keys()):
            # Version 0 knows no other axes: there it is the channel. It must not
            # take the place of one that has a name.
            if {"channel": number} not in named:
                self._table[number] = {"channel": number}

    def _is_tiled(self, files: list[tuple[str, Header, int]]) -> bool:
        for name, header, _ in files:
            try:
                with self._pool.use(name) as file:
                    summary = read_json_at(
                        file, header.summary_offset, header.summary_length
                    )
            except (FormatError, OSError):
                continue
            if summary is not None:
                # Writers of untiled stores state an overlap too, and that it means
                # nothing.
                tiled = summary.get("TiledImageStorage") is not False
                return tiled and "GridPixelOverlapX" in summary
        self.problems.append("the summary metadata are damaged in all files")
        return True

    def _axes_of(self, frame: V1Frame) -> Axes | None:
        """Return all axes of an image, ``position`` included."""
        if frame.key is None:
            extra = _axes_of_metadata(frame.facts or {})
            own = {name: (extra or {}).get(name, 0) for name in _OWN_AXES}
        else:
            c, z, t, p = frame.key
            own = {"position": p, "time": t, "z": z}
            extra = self._table.get(c)
        if extra is None:
            return None
        return {"channel": 0, **extra, **own}

    def _learn_tile(self, frame: V1Frame, position: int | str) -> None:
        facts = self._facts(frame)
        if not facts:
            return  # damaged: another image of this position may say it
        place = _checked(
            {name: facts.get(f"Grid{name}Index") for name in ("Row", "Column")}
        )
        tile = None
        if place is not None:
            row, column = place["Row"], place["Column"]
            if isinstance(row, int) and isinstance(column, int):
                # Coarser levels keep the metadata of the first tile they are made of.
                tile = row >> self._level, column >> self._level
        self._tiles[position] = tile

    def _place_tiles(self) -> None:
        """Replace positions by rows and columns, where tiles say them."""
        placed = [tile for tile in self._tiles.values() if tile is not None]
        if not placed:
            return
        if len(set(placed)) < len(placed):
            self.problems.append(
                "several positions have the same row and column: they were not "
                "taken for tiles"
            )
            return
        positions = {axes["position"] for axes in self.axes if axes}
        if len(placed) < len(positions):
            self.problems.append(
                f"{len(positions) - len(placed)} positions do not say their row and "
                "column: they stand beside the tiles"
            )
        for axes in self.axes:
            tile = self._tiles.get(axes["position"]) if axes else None
            if axes and tile:
                del axes["position"]
                axes["row"], axes["column"] = tile

    def _name_the_rest(self) -> None:
        """Give images without any axes a running number, if all are like that."""
        unnamed = self.axes.count(None)
        if unnamed and unnamed == len(self.axes):
            self.axes = [{"image": number} for number in range(unnamed)]
            self.problems.append("the images do not say their axes: they were numbered")
        elif unnamed:
            self.problems.append(
                f"{unnamed} images do not say their axes: they were left out"
            )


def _axes_of_metadata(facts: Facts) -> Axes | None:
    """Return the axes that the metadata of an image state, or None."""
    for key in _AXES_KEYS:
        axes = _checked(facts.get(key))
        if axes is not None:
            return dict(axes)
    text = facts.get(_SUPER_CHANNEL_KEY)
    return parse_super_channel(text) if isinstance(text, str) else None


def _level(folder: Path) -> int:
    match = re.fullmatch(r"Downsampled_x([0-9]{1,10})", folder.name)
    return max(int(match[1]).bit_length() - 1, 0) if match else 0


def used_by_full_resolution(folder: Path) -> set[str]:
    """Return which axes with a column vary in level 0: all levels keep the same."""
    full = folder.parent / "Full resolution"
    used: set[str] = set()
    if folder.name == full.name or not full.is_dir():
        return used
    pool = FilePool(full)
    try:
        for name, header, size in headers(pool, []):
            with pool.use(name) as file:
                rows, _ = read_map(file, header, size)
            for key, axis in ((1, "z"), (2, "time"), (3, "position")):
                if any(row[key] for row in rows):
                    used.add(axis)
    except (FormatError, OSError):
        pass
    finally:
        pool.close()
    return used
