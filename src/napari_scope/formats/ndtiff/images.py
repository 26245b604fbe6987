"""From the frames of a store to images: axes, levels, channels and what is missing.

What is left of the axes of the frames of an image (time, custom axes, channel, z) are
its axes, before y and x. Tiles are laid out as one image with all its resolutions.
Scale, units and places come from the metadata of the first frame of each image. No
pixel is read.

Which frames form an image is up to `grouping`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.arrays import LazyArray
from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.channels import StoreChannels, shown_name
from napari_scope.formats.ndtiff.display import read_settings
from napari_scope.formats.ndtiff.frames import FrameGrid, GridSource
from napari_scope.formats.ndtiff.mosaic import (
    GRID_AXES,
    Mosaic,
    TileTable,
    build_mosaic,
    tile_place,
)
from napari_scope.formats.ndtiff.placing import (
    frame_axes,
    lead_axis,
    mosaic_affine,
    mosaic_axes,
)
from napari_scope.formats.ndtiff.record import PIXEL_TYPES
from napari_scope.model import Axis, Image, axis_kind, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.reader import NDTiffReader
    from napari_scope.model import FrameTable

__all__ = ["ImageBuilder"]

_MOST_NAMED = 3  # frames of an image that cannot be read


class ImageBuilder:
    """Makes the images of one store, and notes what is wrong with them.

    Parameters
    ----------
    readers : sequence of NDTiffReader
        All resolutions, the full one first.
    overlap : (float, float) or None
        Pixels by which tiles overlap along x and y.
    finished : bool
        Whether the store was closed by its writer.

    Attributes
    ----------
    problems : list of str
        What is wrong with metadata, and where frames are hidden.
    incomplete : list of str
        One line for each image of which frames are missing.
    """

    def __init__(
        self,
        readers: Sequence[NDTiffReader],
        overlap: tuple[float, float] | None,
        *,
        finished: bool,
    ) -> None:
        self._reader = reader = readers[0]
        self._catalogs = [reader.catalog for reader in readers]
        self._catalog = self._catalogs[0]
        self._table = self._catalog.table
        self._overlap = overlap
        self._finished = finished
        self.problems: list[str] = []
        self.incomplete: list[str] = []
        folders = reader.folder, *reader.layout.levels.values()
        self._channels = StoreChannels(
            self._catalog,
            reader.summary,
            read_settings(*folders[:2]),
            self._metadata,
        )

    def image(
        self, rows: npt.NDArray[np.int32], *, several_kinds: bool, tiled: bool
    ) -> Image:
        """Return the image of some frames.

        Parameters
        ----------
        rows : ndarray of int
            Rows of the index; at least one can be read, and those are of one kind.
        several_kinds : bool
            Whether the store has others, so that the name has to tell them apart.
        tiled : bool
            Whether they are tiles.
        """
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
        turned = mosaic_affine(reader.summary, about) if tiled else None
        names = [axis.name for axis in axes]
        if tiled:
            mosaic = self._mosaic(rows, lead, place)
            levels = mosaic.levels
            frames = TileTable(mosaic.tiles, names, mosaic.tile_shape)
            frame = mosaic_axes(
                reader.summary,
                about,
                tile_place(table.axes(first)),
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
            channels = tuple(
                self._channels.channel(lead[i][0], code) for code in lead[i][1]
            )
            axes[i] = replace(axes[i], labels=tuple(c.name for c in channels))
        else:
            channels = (self._channels.only_channel(about),)
        bits = facts.bit_depth(about, kind.bits) if kind.bits in (8, 16) else kind.bits
        return Image(
            name=shown_name(name),
            axes=_unique_names(axes, [*frame, *([Axis("rgb")] if samples else [])]),
            levels=levels,
            channels=channels,
            rgb=bool(samples),
            bit_depth=bits,
            metadata=notes,
            frames=frames,
            affine=None
            if turned is None
            else _affine(len(axes), turned, bool(samples)),
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
            self.problems.append(str(error))
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
                self.problems.append(
                    f"{name}: {shown} {what}; they are shown at its first value"
                )
            if hidden := int((lacking & ~placed).sum()):
                self.problems.append(
                    f"{name}: {hidden} {what} and are hidden by others"
                )
        here = int((placed & readable).sum())
        expected = math.prod(len(codes) for _, codes in lead)
        if here < expected and self._finished:
            self.incomplete.append(
                f"{name}: {here} of {expected} frames are here, the others are zeros"
                + self._lost(rows[placed])
            )
        elif not readable.all():
            self._note_lost(name, rows[placed])

    def _note_lost(self, name: str, rows: npt.NDArray[np.int32]) -> None:
        lost = self._lost(rows)
        if lost:
            self.incomplete.append(f"{name}: frames are zeros{lost}")

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


def _affine(
    lead: int, turned: tuple[tuple[float, ...], tuple[float, ...]], rgb: bool
) -> tuple[tuple[float, ...], ...]:
    """Return the affine over y and x as one over all axes of an image."""
    size = lead + 2 + rgb
    matrix = np.eye(size + 1)
    for row, numbers in zip((lead, lead + 1), turned, strict=True):
        matrix[row, [lead, lead + 1, size]] = numbers
    return tuple(tuple(float(number) for number in row) for row in matrix)


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


def _unique_names(lead: Sequence[Axis], frame: Sequence[Axis]) -> tuple[Axis, ...]:
    """Return all axes with names that differ: a custom axis may be called ``x``.

    ``rgb`` is the axis of colours, which an image has or has not.
    """
    taken = {"rgb", *(axis.name for axis in frame)}
    named = []
    for axis in lead:
        name = shown_name(axis.name)
        while name in taken:
            name += "_"
        taken.add(name)
        labels = tuple(shown_name(label) for label in axis.labels)
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
