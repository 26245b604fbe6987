"""Opening an NDTiff store as a data set: one image for each position, or one mosaic.

Frames are grouped by their position axes (position, grid, row, column); what is left
(time, custom axes, channel, z) are the axes of the image. Tiles of a tiled store are
laid out as one image with all its resolutions. Frames of another size or type than
others of their position become an image of their own. Scale, units and places come
from the metadata of the first frame of each image. No pixel is read.

A frame that cannot be read is zeros, and keeps its place: a time point that is lost
must not make a later one look like it. A position of which nothing can be read is left
out.
"""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays import LazyArray
from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.columns import HEIGHT, PIXEL_TYPE, WIDTH
from napari_scope.formats.ndtiff.display import read_settings
from napari_scope.formats.ndtiff.frames import FrameGrid, GridSource
from napari_scope.formats.ndtiff.layout import find_store, level_name
from napari_scope.formats.ndtiff.mosaic import (
    GRID_AXES,
    Mosaic,
    TileTable,
    build_mosaic,
)
from napari_scope.formats.ndtiff.placing import frame_axes, lead_axis, mosaic_axes
from napari_scope.formats.ndtiff.reader import NDTiffReader
from napari_scope.formats.ndtiff.record import PIXEL_TYPES
from napari_scope.model import Axis, Channel, Dataset, Image, axis_kind, canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.catalog import Catalog
    from napari_scope.model import FrameTable

    # Catalogs are never changed: another one is other contents.
    _State = tuple[list[Catalog], bool]

__all__ = ["open_ndtiff"]

_MOST_TILES = 1 << 20  # along one side of a mosaic
_MOST_NAMED = 3  # frames of an image that cannot be read
_MOST_NOTES = 20  # lines on incomplete images; a plate would bury the other problems


def open_ndtiff(path: str | PathLike[str]) -> Dataset:
    """Open an NDTiff store of any version.

    Parameters
    ----------
    path : str or PathLike
        The folder of the store, or its ``NDTiff.index``.

    Returns
    -------
    Dataset
        One image for each position and grid place, or one mosaic of all tiles, with
        the axes t, custom axes, c, z, y, x (and rgb), as far as they are there. What
        is damaged or missing is in its ``problems`` and reads as zeros.

    Raises
    ------
    FormatError
        It is no such store, or none of its frames can be read.
    """
    return _Store(path).dataset()


class _Store:
    """A store that may grow, in frames and in resolution levels."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self._readers = [NDTiffReader(path)]
        self._notes: dict[int, str] = {}
        self._lock = threading.Lock()
        self._open_levels()

    def _open_levels(self) -> None:
        """Open the levels that are there and were not opened, up to a gap or damage."""
        root = self._readers[0].folder
        levels = find_store(root).levels
        while (level := len(self._readers)) in levels:
            try:
                self._readers.append(NDTiffReader(root, level=level))
            except FormatError as error:
                self._notes[level] = f"{level_name(level)} cannot be used: {error}"
                return
            self._notes.pop(level, None)

    def dataset(self) -> Dataset:
        """Return the data set; it holds no files open, reading pixels opens them."""
        state = self._state()
        opening = _Opening(self._readers, list(self._notes.values()), state[1])
        try:
            return opening.dataset(partial(self.reload, state))
        finally:
            for reader in self._readers:
                reader.close()

    def reload(self, seen: _State) -> Dataset | None:
        """Return the data set anew if it is not as it was ``seen``, or None."""
        with self._lock:
            for reader in self._readers:
                reader.refresh()
            if self._readers[0].layout.has_level_folders:
                self._open_levels()
            return None if self._state() == seen else self.dataset()

    def _state(self) -> _State:
        # In this order: to ask whether it is finished may bring frames.
        finished = self._readers[0].finished
        return [reader.catalog for reader in self._readers], finished


class _Opening:
    """The steps of opening one store, and what they share."""

    def __init__(
        self, readers: Sequence[NDTiffReader], notes: Sequence[str], finished: bool
    ) -> None:
        self._reader = reader = readers[0]
        self._catalogs = [reader.catalog for reader in readers]
        self._catalog = self._catalogs[0]
        self._table = self._catalog.table
        self._finished = finished
        self._problems = [*reader.problems, *notes]
        self._incomplete: list[str] = []
        folders = reader.folder, *reader.layout.levels.values()
        self._settings = read_settings(*folders[:2])
        self._channels: dict[int | str, Channel] = {}
        overlap = facts.tile_overlap(reader.summary)
        if overlap is None and len(readers) > 1:
            overlap = (0.0, 0.0)
        self._overlap = overlap

    def dataset(self, reload: Callable[[], Dataset | None]) -> Dataset:
        reader = self._reader
        every = self._catalog.rows()
        rows = every[self._catalog.readable[every]]
        if not len(rows):
            raise FormatError(
                "no frame of this NDTiff store can be read",
                path=reader.folder,
                hint="; ".join(self._problems[:3]) or "its index is empty",
            )
        several_kinds = bool(_group(self._kinds(rows)).any())
        tiled = self._is_tiled(rows)
        images = [
            self._image(members, several_kinds=several_kinds, tiled=tiled)
            for members in self._members(every, tiled=tiled)
        ]
        if len(self._incomplete) > _MOST_NOTES:
            more = len(self._incomplete) - _MOST_NOTES
            self._incomplete[_MOST_NOTES:] = [f"{more} more images are incomplete"]
        version = reader.version or (0, 0)
        return Dataset(
            path=str(reader.folder),
            format="ndtiff",
            format_version=f"{version[0]}.{version[1]}",
            images=tuple(images),
            problems=(*self._problems, *self._incomplete),
            metadata={
                "frames": len(rows),
                "files": len(self._table.files),
                "summary": reader.summary,
            },
            finished=self._finished,
            reload=reload,
        )

    def _members(
        self, rows: npt.NDArray[np.int32], *, tiled: bool
    ) -> list[npt.NDArray[np.int32]]:
        """Return the rows of each image, with those that cannot be read.

        Those are of the images of their position. What the index says of their size and
        type may be the damage, so it counts only where there is such an image.
        """
        table = self._table
        if tiled:
            columns = [table.names.index(name) for name in GRID_AXES]
            rows = rows[(table.codes[rows][:, columns] >= 0).all(axis=1)]
        readable = self._catalog.readable[rows]
        kinds = _group(self._kinds(rows))
        n_kinds = int(kinds.max()) + 1
        places = _group(
            [
                np.zeros(len(rows), np.int64),
                *(
                    table.codes[rows, i]
                    for i, name in enumerate(table.names)
                    if axis_kind(name) == "position"
                    and not (tiled and name in GRID_AXES)
                ),
            ]
        )
        groups = places * n_kinds + kinds
        images = np.unique(groups[readable])
        astray = ~np.isin(groups, images)
        if astray.any():
            own, first, count = np.unique(
                images // n_kinds, return_index=True, return_counts=True
            )
            only_image = np.full(int(places.max()) + 1, -1)
            only_image[own] = np.where(count == 1, images[first], -1)
            groups[astray] = only_image[places[astray]]
            if left_out := int((groups < 0).sum()):
                self._problems.append(
                    f"{left_out} frames that cannot be read are in no image: nothing "
                    "of their position can be read, or it has images of several sizes"
                )
        by_group = np.argsort(groups, kind="stable")
        by_group = by_group[groups[by_group] >= 0]
        borders = np.flatnonzero(np.diff(groups[by_group])) + 1
        return np.split(rows[by_group], borders)

    def _is_tiled(self, rows: npt.NDArray[np.int32]) -> bool:
        """Return whether all frames are tiles that lie on one grid."""
        table = self._table
        if self._overlap is None or any(name not in table.names for name in GRID_AXES):
            return False
        if any(
            isinstance(value, str) for name in GRID_AXES for value in table.values[name]
        ):
            return False
        columns = [table.names.index(name) for name in GRID_AXES]
        sizes = table.fields[rows][:, [HEIGHT, WIDTH]]
        # An absurd grid, or an overlap that leaves nothing, is shown frame by frame.
        extent = [
            max(table.values[name]) - min(table.values[name])  # type: ignore[operator]
            for name in GRID_AXES
        ]
        x, y = self._overlap
        return bool(
            (table.codes[rows][:, columns] >= 0).all()
            and max(extent) < _MOST_TILES
            and 0 <= y < sizes[:, 0].min()
            and 0 <= x < sizes[:, 1].min()
        )

    def _kinds(self, rows: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int64]]:
        """Return height, width and kind of pixels of some rows."""
        fields = self._table.fields[rows].astype(np.int64)
        # Depths of 10 to 16 bits are all the same type in memory.
        same = np.zeros(max(PIXEL_TYPES) + 2, np.int64)
        for kind in PIXEL_TYPES.values():
            same[kind.code] = kind.nbytes
        codes = np.minimum(fields[:, PIXEL_TYPE], len(same) - 1)
        return [fields[:, HEIGHT], fields[:, WIDTH], same[codes]]

    def _image(
        self, rows: npt.NDArray[np.int32], *, several_kinds: bool, tiled: bool
    ) -> Image:
        reader, table = self._reader, self._table
        first = int(rows[self._catalog.readable[rows]][0])
        location = table.location(first)
        height, width = location.height, location.width
        kind = PIXEL_TYPES[location.pixel_type]
        about = self._metadata(first)
        place = {
            canonical(name): value
            for name, value in table.axes(first).items()
            if axis_kind(name) == "position" and not (tiled and name in GRID_AXES)
        }
        name = _image_name(place, about) or _store_name(reader.folder)
        if several_kinds:
            name += f" ({width} x {height} {kind.dtype})"

        lead = self._lead(rows)
        samples = (kind.samples,) if kind.samples > 1 else ()
        axes = [
            lead_axis(self._catalog, reader.summary, axis, codes, first, about)
            for axis, codes in lead
        ]
        notes = _notes(place, about)
        levels: tuple[LazyArray, ...]
        frames: FrameTable
        names = [axis.name for axis in axes]
        if tiled:
            mosaic = self._mosaic(rows, lead, place)
            levels = mosaic.levels
            frames = TileTable(mosaic.tiles, names, mosaic.tile_shape)
            frame = mosaic_axes(
                reader.summary,
                about,
                mosaic.tiles.first,
                mosaic.tile_shape,
                (height, width),
            )
            self._note_lost(name, rows)
            notes |= {
                "tiles": len(rows) // max(1, math.prod(len(c) for _, c in lead)),
                "tile_shape": list(mosaic.tile_shape),
                "first_tile": list(mosaic.tiles.first),
            }
        else:
            readable = self._catalog.readable
            grid = FrameGrid.over(table.codes, rows, lead, readable)
            frames = GridSource(
                self._catalog, grid, names, (height, width, *samples), kind.dtype
            )
            levels = (LazyArray(frames),)
            frame = frame_axes(reader.summary, about, place, height, width)
            self._note_gaps(name, rows, lead, grid)
        kinds = [axis.kind for axis in axes]
        if "channel" in kinds:
            i = kinds.index("channel")
            channels = tuple(self._channel(lead[i][0], code) for code in lead[i][1])
            axes[i] = replace(axes[i], labels=tuple(c.name for c in channels))
        else:
            channels = (self._only_channel(about),)
        bits = facts.bit_depth(about, kind.bits) if kind.bits in (8, 16) else kind.bits
        return Image(
            name=_clean(name),
            axes=_unique_names(axes, [*frame, *([Axis("rgb")] if samples else [])]),
            levels=levels,
            channels=channels,
            rgb=bool(samples),
            bit_depth=bits,
            metadata=notes,
            frames=frames,
        )

    def _mosaic(
        self,
        rows: npt.NDArray[np.int32],
        lead: Sequence[tuple[int, Sequence[int]]],
        place: Mapping[str, int | str],
    ) -> Mosaic:
        table = self._table
        axes = {
            table.names[axis]: [table.values[table.names[axis]][code] for code in codes]
            for axis, codes in lead
        }
        fixed = {
            name: place[canonical(name)]
            for name in table.names
            if canonical(name) in place
        }
        x, y = self._overlap or (0.0, 0.0)
        return build_mosaic(self._catalogs, rows, axes, fixed, (int(y), int(x)))

    def _metadata(self, row: int) -> Mapping[str, object]:
        try:
            return self._catalog.metadata_of_row(row)
        except FormatError as error:
            self._problems.append(str(error))
            return {}

    def _lead(self, rows: npt.NDArray[np.int32]) -> list[tuple[int, list[int]]]:
        """Return the axes before y and x, each with the codes that occur in rows."""
        lead = []
        for axis, name in enumerate(self._table.names):
            if axis_kind(name) != "position":
                codes = np.unique(self._table.codes[rows, axis])
                if codes[-1] >= 0:
                    lead.append((axis, codes[codes >= 0].tolist()))
        return lead

    def _note_gaps(
        self,
        name: str,
        rows: npt.NDArray[np.int32],
        lead: Sequence[tuple[int, Sequence[int]]],
        grid: FrameGrid,
    ) -> None:
        placed = np.isin(rows, grid.placed())
        readable = self._catalog.readable[rows]
        # Micro-Manager writes a channel without z stack without the axis z.
        for axis, _ in lead:
            lacking = readable & (self._table.codes[rows, axis] < 0)
            what = f"frames have no axis {self._table.names[axis]!r}"
            if shown := int((lacking & placed).sum()):
                self._problems.append(
                    f"{name}: {shown} {what}; they are shown at its first value"
                )
            if hidden := int((lacking & ~placed).sum()):
                self._problems.append(
                    f"{name}: {hidden} {what} and are hidden by others"
                )
        here = int((placed & readable).sum())
        expected = math.prod(len(codes) for _, codes in lead)
        if here < expected and self._finished:
            self._incomplete.append(
                f"{name}: {here} of {expected} frames are here, the others are zeros"
                + self._lost(rows[placed])
            )
        elif not readable.all():
            self._note_lost(name, rows[placed])

    def _note_lost(self, name: str, rows: npt.NDArray[np.int32]) -> None:
        lost = self._lost(rows)
        if lost:
            self._incomplete.append(f"{name}: frames are zeros{lost}")

    def _lost(self, rows: npt.NDArray[np.int32]) -> str:
        """Return which frames cannot be read, as the end of a sentence."""
        lost = rows[~self._catalog.readable[rows]]
        if not len(lost):
            return ""
        named = [
            " ".join(f"{axis}={v}" for axis, v in self._table.axes(row).items())
            for row in lost[:_MOST_NAMED].tolist()
        ]
        more = len(lost) - len(named)
        text = ", ".join(named) + (f" and {more} more" if more else "")
        return f"; {len(lost)} cannot be read: {text}"

    def _channel(self, axis: int, code: int) -> Channel:
        value = self._table.values[self._table.names[axis]][code]
        if value not in self._channels:
            if isinstance(value, str):
                name = value
            else:
                name = self._name_of_number(axis, code, value)
            found = self._settings.get(name, Channel(name))
            self._channels[value] = replace(found, name=_clean(name))
        return self._channels[value]

    def _name_of_number(self, axis: int, code: int, value: int) -> str:
        names = facts.channel_names(self._reader.summary)
        if 0 <= value < len(names):
            return names[value]
        with_code = self._table.codes[:, axis] == code
        readable = np.flatnonzero(with_code & self._catalog.readable)
        about = self._metadata(int(readable[0])) if len(readable) else {}
        return facts.channel_name(about) or f"Channel {value}"

    def _only_channel(self, about: Mapping[str, object]) -> Channel:
        name = facts.channel_name(about) or ""
        found = self._settings.get(name) or self._settings.get("")
        if found is None and len(self._settings) == 1:
            (found,) = self._settings.values()
        return replace(found or Channel(name), name=_clean(name))


def _group(columns: Sequence[npt.NDArray[np.integer]]) -> npt.NDArray[np.int64]:
    """Return one number for each different row of some columns, in sort order."""
    groups = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values, codes = np.unique(column, return_inverse=True)
        _, groups = np.unique(groups * len(values) + codes, return_inverse=True)
    return groups


def _image_name(place: Mapping[str, int | str], about: Mapping[str, object]) -> str:
    parts = []
    for name, value in place.items():
        if name != "position":
            parts.append(f"{name} {value}")
        elif isinstance(value, str):
            parts.append(value)
        else:
            parts.append(facts.text(about, "PositionName") or f"Pos{value}")
    return " ".join(parts)


def _store_name(folder: Path) -> str:
    return folder.resolve().name.removesuffix(".ndtiff") or str(folder)


def _clean(name: str) -> str:
    """Return a name that can be shown: half surrogates of bad JSON cannot."""
    return name.encode("utf-8", "replace").decode()


def _unique_names(lead: Sequence[Axis], frame: Sequence[Axis]) -> tuple[Axis, ...]:
    """Return all axes with names that differ: a custom axis may be called ``x``.

    ``rgb`` is the axis of colours, which an image has or has not.
    """
    taken = {"rgb", *(axis.name for axis in frame)}
    named = []
    for axis in lead:
        name = _clean(axis.name)
        while name in taken:
            name += "_"
        taken.add(name)
        labels = tuple(_clean(label) for label in axis.labels)
        named.append(replace(axis, name=name, labels=labels))
    return (*named, *frame)


def _notes(
    place: Mapping[str, int | str], about: Mapping[str, object]
) -> dict[str, object]:
    """Return the few facts of an image worth showing."""
    notes: dict[str, object] = dict(place)
    for note, name in (
        ("camera", "Core-Camera"),
        ("exposure_ms", "Exposure"),
        ("time", "Time"),
    ):
        if name in about:
            notes[note] = about[name]
    stage = facts.stage_um(about)
    if stage is not None:
        notes["stage_um"] = list(stage)
    z = facts.z_um(about)
    if z is not None:
        notes["z_um"] = z
    return notes
