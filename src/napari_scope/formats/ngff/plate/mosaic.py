"""One acquisition of a plate as an image: what its first field says holds for all.

The first well with a field that can be read decides on the axes, channels, type, size
of a pixel, levels and the layout of cells; other fields are brought to that. So that a
cell has room for wells with more fields than this one, the plate's own count is
believed, and without one a few wells are asked.

Segmentations of the fields become mosaics, too, on the same grid. They are found by
the first field; where it has none, by that of a well in the middle and of the last.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_scope.arrays import LazyArray
from napari_scope.errors import FormatError
from napari_scope.formats.ngff.label_images import read_labels
from napari_scope.formats.ngff.plate.fields import PlateFields, joined, pixels_from
from napari_scope.formats.ngff.plate.frames import PlateFrames
from napari_scope.formats.ngff.plate.kinds import position_of, read_kind
from napari_scope.formats.ngff.plate.layout import (
    CellLayout,
    PlaneLayout,
    grid_cell,
    placed_cell,
)
from napari_scope.formats.ngff.plate.pixels import PlatePixels, PlateSource
from napari_scope.model import Axis, Image, Labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_scope.formats.ngff.plate.fields import WellLists
    from napari_scope.formats.ngff.plate.kinds import FieldKind, Grid
    from napari_scope.formats.ngff.plate.layout import Place
    from napari_scope.formats.ngff.plate.listing import (
        Acquisition,
        PlateListing,
        PlateWell,
        WellField,
    )
    from napari_scope.formats.ngff.plate.pixels import Reading
    from napari_scope.formats.ngff.store import Store

__all__ = ["PlateMosaic"]

_COARSEST = 1024  # longest side of the coarsest level
_TRIED = 64  # wells that are asked for a field that can be read
_ASKED = 16  # wells that are asked for their number of fields
_MOST_PLACED = 1024  # fields of the first well whose positions are read
_GREATEST_FACTOR = 2**20


class PlateMosaic:
    """The fields of one acquisition in one plane.

    Parameters
    ----------
    store : Store
        The plate.
    listing : PlateListing
        Its document.
    lists : WellLists
        The fields of wells.
    reading : Reading
        Threads and caches.
    name : str
        Name of the plate.
    acquisition : Acquisition, optional
        The one wanted, if the plate has several.
    wells : tuple of PlateWell, optional
        The wells wanted; rows and columns without any of them are left out then.

    Raises
    ------
    FormatError
        If not one field can be read.
    """

    def __init__(
        self,
        store: Store,
        listing: PlateListing,
        lists: WellLists,
        reading: Reading,
        *,
        name: str,
        acquisition: Acquisition | None = None,
        wells: tuple[PlateWell, ...] | None = None,
    ) -> None:
        self._store = store
        self._listing = listing
        self._lists = lists
        self._reading = reading
        self.acquisition = acquisition
        self.wells = listing.wells if wells is None else wells
        rows: Sequence[int] = range(len(listing.rows))
        columns: Sequence[int] = range(len(listing.columns))
        if wells is not None:
            rows = sorted({well.row_index for well in wells})
            columns = sorted({well.column_index for well in wells})
        self.rows = tuple(listing.rows[n] for n in rows)
        self.columns = tuple(listing.columns[n] for n in columns)
        self._row_of = {index: n for n, index in enumerate(rows)}
        self._column_of = {index: n for n, index in enumerate(columns)}
        well, field, kind, self.grid = self._first_field()
        self.first = kind
        cell = self._cell(well, field, kind)
        steps = list(_factors(kind, cell, len(self.rows), len(self.columns)))
        self.plane = PlaneLayout(
            len(self.rows),
            len(self.columns),
            cell,
            math.lcm(*(n for s in steps for n in s)),
        )
        pixels = self._pixels(kind, "")
        self.pixels = pixels
        frames = PlateFrames(pixels, acquisition)
        self.image = Image(
            name=name if acquisition is None else acquisition.name,
            axes=_axes(kind, self.grid),
            levels=_levels(pixels, kind, steps),
            channels=kind.image.channels,
            bit_depth=kind.image.bit_depth,
            metadata={"plate": name},
            frames=frames,
            labels=tuple(self._labels(well, field, steps)),
        )

    @property
    def layout_facts(self) -> dict[str, object]:
        """How fields and wells lie, fit for JSON; lengths in pixels."""
        cell = self.plane.cell
        return {
            "fields": "as on the stage" if cell.as_on_stage else "in a grid",
            "well": list(cell.shape),
            "distance_of_wells": list(self.plane.pitch),
        }

    def fields_of(self, wells: Sequence[PlateWell]) -> list[Sequence[WellField]]:
        """Return the fields of wells that belong to the acquisition."""
        found: list[Sequence[WellField]] = list(self._lists.of(wells))
        if self.acquisition is None:
            return found
        first = self._listing.acquisitions[0]
        others = {one.id for one in self._listing.acquisitions}
        own = {self.acquisition.id}
        # Fields that name no acquisition of the plate belong to the first one.
        lost = self.acquisition == first
        return [
            [
                one
                for one in listed
                if one.acquisition in own or (lost and one.acquisition not in others)
            ]
            for listed in found
        ]

    # ---- what is looked at first

    def _first_field(self) -> tuple[PlateWell, WellField, FieldKind, Grid]:
        reasons: list[str] = []
        for well in self.wells[:_TRIED]:
            (listed,) = self.fields_of([well])
            for one in listed[:4]:
                path = joined(well.path, one.path)
                try:
                    attributes = self._store.attributes(path)
                    kind, grid, problems = read_kind(self._store, path, attributes)
                except FormatError as error:
                    reasons.append(str(error))
                    continue
                for problem in problems:
                    self._reading.report(problem)
                return well, one, kind, grid
        raise FormatError(
            "no field of the plate can be read: "
            + ("; ".join(reasons[:3]) or "its wells list none"),
            path=self._store.place(),
        )

    def _cell(self, well: PlateWell, field: WellField, kind: FieldKind) -> CellLayout:
        (listed,) = self.fields_of([well])
        names = [one.path for one in listed]
        if 2 <= len(names) <= _MOST_PLACED:
            placed = placed_cell(names, self._positions(well, names, kind), kind.shape)
            if placed is not None:
                return placed
        return grid_cell(names, self._field_count(), kind.shape)

    def _positions(
        self, well: PlateWell, names: Sequence[str], kind: FieldKind
    ) -> list[tuple[float, float] | None]:
        """Return where the fields of a well begin, in pixels; as far as it is said."""
        found: list[tuple[float, float] | None] = []
        # Where the first two do not say, none does.
        for some in (names[:2], names[2:]):
            for attributes in self._store.many([joined(well.path, n) for n in some]):
                position = None
                if not isinstance(attributes, FormatError):
                    try:
                        position = position_of(attributes, kind)
                    except (KeyError, IndexError, TypeError, AttributeError):
                        position = None  # another kind of image
                found.append(pixels_from(position, self.grid))
            if not any(p is not None for p in found):
                break
        return found

    def _field_count(self) -> int:
        """Return for how many fields a cell should have room."""
        told = self._listing.field_count
        if self.acquisition is not None and self.acquisition.most_fields:
            told = self.acquisition.most_fields
        if told:
            return told
        step = max(1, len(self.wells) // _ASKED)
        return max(len(listed) for listed in self.fields_of(self.wells[::step]))

    # ---- what follows from it

    def _pixels(self, kind: FieldKind, label: str) -> PlatePixels:
        first = kind.image.levels[0]
        lengths = dict(zip(kind.axes, _stored_shape(kind), strict=True))
        if "c" in lengths and not label:
            lengths["c"] = len(self.grid.channels)
        fields = PlateFields(
            self._store,
            self.fields_of,
            self.plane.cell,
            kind,
            self.grid,
            self._reading.report,
            label=label,
            base=self.pixels.fields if label else None,
        )
        cells = {
            (self._row_of[well.row_index], self._column_of[well.column_index]): well
            for well in self.wells
        }
        return PlatePixels(
            fields,
            cells,
            self.plane,
            [(name, n) for name, n in lengths.items() if name not in ("y", "x")],
            first.dtype,
            self._reading,
            blend=not label,
        )

    def _labels(
        self, well: PlateWell, field: WellField, steps: Sequence[Place]
    ) -> Iterator[Labels]:
        place, found = self._first_labels(well, field)
        for one, below in found:
            path = joined(place, below)
            try:
                attributes = self._store.attributes(path)
                kind, _, _ = read_kind(self._store, path, attributes, self.grid)
            except FormatError as error:
                self._reading.report(f"labels {one.name} are left out: {error}")
                continue
            yield replace(
                one,
                axes=_axes(kind, self.grid),
                levels=_levels(self._pixels(kind, below), kind, steps),
                affine=None,
            )

    def _first_labels(
        self, well: PlateWell, field: WellField
    ) -> tuple[str, list[tuple[Labels, str]]]:
        """Return the path of a field that has labels; these, and their paths in it."""
        others = [*dict.fromkeys((self.wells[len(self.wells) // 2], self.wells[-1]))]
        candidates = [joined(well.path, field.path)]
        for other, listed in zip(others, self.fields_of(others), strict=True):
            candidates += [joined(other.path, one.path) for one in listed[:1]]
        for path in dict.fromkeys(candidates):
            found, problems = read_labels(self._store, path)
            for problem in problems:
                self._reading.report(problem)
            if found:
                return path, [(one, f"labels/{one.name}") for one in found]
        return "", []


def _levels(
    pixels: PlatePixels, kind: FieldKind, steps: Sequence[Place]
) -> tuple[LazyArray, ...]:
    stored = {level.factor for level in kind.levels}
    levels: list[LazyArray] = []
    finer: PlateSource | None = None
    for step in steps:
        finer = PlateSource(pixels, step, None if step in stored else finer)
        levels.append(LazyArray(finer))
    return tuple(levels)


def _stored_shape(kind: FieldKind) -> tuple[int, ...]:
    """Return the shape of the first level with the axes in the order of the arrays."""
    image = kind.image
    lengths = dict(zip(image.axis_names, image.levels[0].shape, strict=True))
    return tuple(lengths["rgb" if n not in lengths else n] for n in kind.axes)


def _axes(kind: FieldKind, grid: Grid) -> tuple[Axis, ...]:
    """Return the axes of the mosaic: those of the field, y and x last and from 0."""
    own = {axis.name: axis for axis in kind.image.axes}
    lead = [
        own.get(n) or Axis("c", "channel") for n in kind.axes if n not in ("y", "x")
    ]
    plane = [
        replace(own[name], unit=unit, scale=abs(scale) or 1.0, translation=0.0)
        for name, scale, unit in zip("yx", grid.scale, grid.units, strict=True)
    ]
    return (*lead, *plane)


def _factors(
    kind: FieldKind, cell: CellLayout, rows: int, columns: int
) -> Iterator[Place]:
    """Yield the factors of the levels of the plane, finest first.

    Those of the fields as far as they are whole numbers, then twice as coarse each,
    until the plane is small.
    """
    last = (1, 1)
    yield last
    for level in kind.levels[1:]:
        y, x = (round(f) for f in level.factor)
        whole = (y, x) == level.factor and y % last[0] == 0 and x % last[1] == 0
        if whole and (y, x) != last and max(y, x) <= _GREATEST_FACTOR:
            last = y, x
            yield last
    while (
        max(rows * cell.shape[0] / last[0], columns * cell.shape[1] / last[1])
        > _COARSEST
        and min(cell.shape[0] // last[0], cell.shape[1] // last[1]) > 4
    ):
        last = last[0] * 2, last[1] * 2
        yield last
