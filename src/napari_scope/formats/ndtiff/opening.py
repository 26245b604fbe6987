"""Opening an NDTiff store as a data set: one image for each position and tile.

Frames are grouped by their position axes (position, grid, row, column); what is left
(time, custom axes, channel, z) are the axes of the image. Frames of another size or
type than others of their position become an image of their own. Scale, units and
places come from the metadata of the first frame of each image. No pixel is read.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays import FrameSource, LazyArray
from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.columns import HEIGHT, PIXEL_TYPE, WIDTH
from napari_scope.formats.ndtiff.display import read_settings
from napari_scope.formats.ndtiff.frames import ImageFrames
from napari_scope.formats.ndtiff.placing import frame_axes, lead_axis
from napari_scope.formats.ndtiff.reader import FULL_RESOLUTION, NDTiffReader
from napari_scope.formats.ndtiff.record import PIXEL_TYPES
from napari_scope.model import Axis, Channel, Dataset, Image, axis_kind, canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["open_ndtiff"]

_MOST_NOTES = 20  # lines on incomplete images; a plate would bury the other problems


def open_ndtiff(path: str | PathLike[str]) -> Dataset:
    """Open an NDTiff store of version 2 or 3.

    Parameters
    ----------
    path : str or PathLike
        The folder of the store, or its ``NDTiff.index``.

    Returns
    -------
    Dataset
        One image for each position, grid place and tile, each with one level and
        the axes t, custom axes, c, z, y, x (and rgb), as far as they are there. What
        is damaged or missing is in its ``problems`` and reads as zeros.

    Raises
    ------
    FormatError
        It is no such store, or none of its frames can be read.
    """
    # A data set that is only looked at holds no files open; reading pixels opens them.
    with NDTiffReader(path) as reader:
        return _Opening(reader).dataset()


class _Opening:
    """The steps of opening one store, and what they share."""

    def __init__(self, reader: NDTiffReader) -> None:
        self._reader = reader
        self._table = reader.table
        self._problems = list(reader.problems)
        self._incomplete: list[str] = []
        self._settings = read_settings(reader.folder, reader.folder / FULL_RESOLUTION)
        self._channels: dict[int | str, Channel] = {}
        self._image_of_row = np.full(len(self._table), -1, np.int32)

    def dataset(self) -> Dataset:
        reader = self._reader
        rows = reader.rows()
        rows = rows[reader.readable[rows]]
        if not len(rows):
            raise FormatError(
                "no frame of this NDTiff store can be read",
                path=reader.folder,
                hint="; ".join(self._problems[:3]) or "its index is empty",
            )
        kinds = self._kinds(rows)
        several_kinds = bool(_group(kinds).any())
        names = self._table.names
        places = [i for i, n in enumerate(names) if axis_kind(n) == "position"]
        groups = _group([*(self._table.codes[rows, i] for i in places), *kinds])
        by_group = np.argsort(groups, kind="stable")
        borders = np.flatnonzero(np.diff(groups[by_group])) + 1
        images = []
        for number, members in enumerate(np.split(rows[by_group], borders)):
            self._image_of_row[members] = number
            images.append(self._image(number, members, several_kinds=several_kinds))
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
        )

    def _kinds(self, rows: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int64]]:
        """Return height, width and kind of pixels of some rows."""
        fields = self._table.fields[rows].astype(np.int64)
        # Depths of 10 to 16 bits are all the same type in memory.
        same = np.zeros(max(PIXEL_TYPES) + 1, np.int64)
        for kind in PIXEL_TYPES.values():
            same[kind.code] = kind.nbytes
        return [fields[:, HEIGHT], fields[:, WIDTH], same[fields[:, PIXEL_TYPE]]]

    def _image(
        self, number: int, rows: npt.NDArray[np.int32], *, several_kinds: bool
    ) -> Image:
        reader, table = self._reader, self._table
        first = int(rows[0])
        location = table.location(first)
        height, width = location.height, location.width
        kind = PIXEL_TYPES[location.pixel_type]
        about = self._metadata(first)
        place = {
            canonical(name): value
            for name, value in table.axes(first).items()
            if axis_kind(name) == "position"
        }
        name = _image_name(place, about) or _store_name(reader.folder)
        if several_kinds:
            name += f" ({width} x {height} {kind.dtype})"

        lead = self._lead(rows)
        frames = ImageFrames(reader, self._image_of_row, number, rows, lead)
        lengths = tuple(len(codes) for _, codes in lead)
        samples = (kind.samples,) if kind.samples > 1 else ()
        source = FrameSource(
            (*lengths, height, width, *samples),
            kind.dtype,
            frames,
            frame_ndim=2 + len(samples),
        )
        self._note_gaps(name, rows, math.prod(lengths), frames.optional)

        axes = [lead_axis(reader, axis, codes, first, about) for axis, codes in lead]
        frame = [*frame_axes(reader.summary, about, place, height, width)]
        if samples:
            frame.append(Axis("rgb"))
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
            axes=_unique_names(axes, frame),
            levels=(LazyArray(source),),
            channels=channels,
            rgb=bool(samples),
            bit_depth=bits,
            metadata=_notes(place, about),
        )

    def _metadata(self, row: int) -> Mapping[str, object]:
        try:
            return self._reader.metadata_of_row(row)
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
        expected: int,
        optional: Iterable[int],
    ) -> None:
        for axis in optional:
            count = int((self._table.codes[rows, axis] < 0).sum())
            self._problems.append(
                f"{name}: {count} frames have no axis {self._table.names[axis]!r}; "
                "they are shown at its first value"
            )
        if len(rows) < expected:
            self._incomplete.append(
                f"{name}: {len(rows)} of {expected} frames are here, "
                "the others are zeros"
            )

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
        row = int(np.argmax(with_code & self._reader.readable))
        return facts.channel_name(self._metadata(row)) or f"Channel {value}"

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
    """Return all axes with names that differ: a custom axis may be called ``x``."""
    taken = {axis.name for axis in frame}
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
