"""The fields of the wells of a plate, read when they are needed, many at a time.

`PlateFields` knows for each well that was asked for which fields it has, where they
lie in its cell and what kind they are, and hands out the arrays of their levels. It
reads attributes of many groups in one go and each only once; any thread may ask.

A well or field that cannot be read is reported and left blank. How pixels become part
of the plane is not known here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import ome_block
from napari_scope.formats.ngff.pixels import ZarrSource
from napari_scope.formats.ngff.plate.kinds import position_of, read_kind, signature
from napari_scope.formats.ngff.plate.listing import read_well

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from napari_scope.formats.ngff.plate.kinds import Factor, FieldKind, Grid
    from napari_scope.formats.ngff.plate.layout import CellLayout, Place
    from napari_scope.formats.ngff.plate.listing import PlateWell, WellField
    from napari_scope.formats.ngff.store import ArrayInfo, Store

    Json = Mapping[str, object]
    Report = Callable[[str], None]

__all__ = ["PlacedField", "PlateFields", "WellLists", "joined"]


@dataclass(slots=True, eq=False)
class PlacedField:
    """A field that lies in the plane.

    Parameters
    ----------
    well : PlateWell
        Its well.
    name : str
        Its path below the well.
    path : str
        Path of its image in the store.
    kind : FieldKind
        What it is like.
    place : (int, int)
        Where it begins in the cell.
    arrays : dict
        Number of a level to its array, None where there is none; as far as known.
    """

    well: PlateWell
    name: str
    path: str
    kind: FieldKind
    place: Place
    arrays: dict[int, ZarrSource | None] = field(default_factory=dict)


class WellLists:
    """The lists of fields of the wells of a plate.

    Parameters
    ----------
    store : Store
        The plate.
    report : callable
        Takes a sentence on what cannot be read.
    """

    def __init__(self, store: Store, report: Report) -> None:
        self._store = store
        self._report = report
        self._lists: dict[str, tuple[WellField, ...]] = {}
        self._lock = threading.Lock()

    def of(self, wells: Sequence[PlateWell]) -> list[tuple[WellField, ...]]:
        """Return the fields of wells; none for a well that cannot be read."""
        with self._lock:
            new = [well for well in wells if well.path not in self._lists]
            found = attributes_of_many(self._store, [well.path for well in new])
            for well, attributes in zip(new, found, strict=True):
                self._lists[well.path] = self._understood(well, attributes)
            return [self._lists[well.path] for well in wells]

    def _understood(
        self, well: PlateWell, attributes: Json | FormatError
    ) -> tuple[WellField, ...]:
        if isinstance(attributes, FormatError):
            self._report(f"well {well.path} is blank: {attributes}")
            return ()
        listed = read_well(ome_block(attributes))
        if listed is None:
            self._report(f"well {well.path} is blank: it has no well metadata")
            return ()
        return tuple(listed)


class PlateFields:
    """The fields of one mosaic.

    Parameters
    ----------
    store : Store
        The plate.
    list_fields : callable
        Returns the fields of wells that belong to the mosaic.
    cell : CellLayout
        What the cells look like.
    first : FieldKind
        The kind of the field that was looked at.
    grid : Grid
        The pixels of the mosaic.
    report : callable
        Takes a sentence on what cannot be read.
    label : str
        Path below a field of what is meant instead of the field: a segmentation, which
        fields may lack.
    base : PlateFields, optional
        The fields themselves, beside which segmentations lie.
    """

    def __init__(
        self,
        store: Store,
        list_fields: Callable[[Sequence[PlateWell]], list[Sequence[WellField]]],
        cell: CellLayout,
        first: FieldKind,
        grid: Grid,
        report: Report,
        *,
        label: str = "",
        base: PlateFields | None = None,
    ) -> None:
        self._store = store
        self._list_fields = list_fields
        self._label = label
        self._base = base
        self._cell = cell
        self._grid = grid
        self._report = report
        self._kinds = [first]
        self._placed: dict[str, tuple[PlacedField, ...]] = {}
        self._lock = threading.RLock()

    def known(self, well: PlateWell) -> tuple[PlacedField, ...] | None:
        """Return the fields of a well if they were read; nothing is read here."""
        return self._placed.get(well.path)

    def of(self, wells: Sequence[PlateWell]) -> list[PlacedField]:
        """Return the fields of wells, which are read if they were not before."""
        with self._lock:
            new = [well for well in wells if well.path not in self._placed]
            if new and self._base is not None:
                self._read_beside(self._base, new)
            elif new:
                self._read(new)
            return [one for well in wells for one in self._placed[well.path]]

    def _read(self, wells: Sequence[PlateWell]) -> None:
        lists = self._list_fields(wells)
        paths = [
            joined(well.path, one.path)
            for well, listed in zip(wells, lists, strict=True)
            for one in listed
        ]
        attributes = iter(attributes_of_many(self._store, paths))
        for well, listed in zip(wells, lists, strict=True):
            members = [
                (one, self._understood(well, one, next(attributes))) for one in listed
            ]
            self._placed[well.path] = tuple(self._put(well, members))

    def _read_beside(self, base: PlateFields, wells: Sequence[PlateWell]) -> None:
        """Read the segmentations of fields; a field without one is no problem."""
        fields = base.of(wells)
        paths = [joined(one.path, self._label) for one in fields]
        there: dict[str, list[PlacedField]] = {well.path: [] for well in wells}
        for one, path, attributes in zip(
            fields, paths, attributes_of_many(self._store, paths), strict=True
        ):
            if isinstance(attributes, FormatError):
                continue
            try:
                kind = self._kind_of(path, attributes)
            except FormatError as error:
                self._report(f"labels {path} are blank: {error}")
                continue
            there[one.well.path].append(
                PlacedField(one.well, one.name, path, kind, one.place)
            )
        for well in wells:
            self._placed[well.path] = tuple(there[well.path])

    def _understood(
        self, well: PlateWell, one: WellField, attributes: Json | FormatError
    ) -> tuple[FieldKind, tuple[float, float] | None] | None:
        path = joined(well.path, one.path)
        try:
            if isinstance(attributes, FormatError):
                raise attributes
            kind = self._kind_of(path, attributes)
            return kind, pixels_from(position_of(attributes, kind), self._grid)
        except FormatError as error:
            self._report(f"field {path} is blank: {error}")
            return None

    def _kind_of(self, path: str, attributes: Json) -> FieldKind:
        says = signature(attributes)
        if says is not None:
            for kind in self._kinds:
                if kind.signature == says:
                    return kind
        kind, _, problems = read_kind(self._store, path, attributes, self._grid)
        for problem in problems:
            self._report(problem)
        self._kinds.append(kind)
        return kind

    def _put(
        self,
        well: PlateWell,
        members: Sequence[
            tuple[WellField, tuple[FieldKind, tuple[float, float] | None] | None]
        ],
    ) -> Iterable[PlacedField]:
        good = [(one, known) for one, known in members if known is not None]
        places = self._cell.fit(
            [one.path for one, _ in good], [position for _, (_, position) in good]
        )
        crowded = []
        for (one, (kind, _)), place in zip(good, places, strict=True):
            if place is None:
                crowded.append(one.path)
                continue
            yield PlacedField(well, one.path, joined(well.path, one.path), kind, place)
        if crowded:
            self._report(
                f"fields {', '.join(crowded[:8])} of well {well.path} are not shown: "
                f"a cell has room for {len(self._cell.slots)}"
            )

    def arrays(
        self, fields: Sequence[PlacedField], factor: Factor
    ) -> list[tuple[int, ZarrSource] | None]:
        """Return for each field the number and array of the level for a factor.

        None where not one level can be read.
        """
        with self._lock:
            order = {one.kind: one.kind.levels_for(factor) for one in fields}
            waiting = list(fields)
            while waiting:
                asked = []
                for one in waiting:
                    level = _next_level(one, order[one.kind])
                    if level is not None and level not in one.arrays:
                        asked.append((one, level))
                self._look_at(asked)
                waiting = [one for one, level in asked if one.arrays[level] is None]
            chosen: list[tuple[int, ZarrSource] | None] = []
            for one in fields:
                level = _next_level(one, order[one.kind])
                source = None if level is None else one.arrays[level]
                chosen.append(
                    None if level is None or source is None else (level, source)
                )
            return chosen

    def _look_at(self, asked: Sequence[tuple[PlacedField, int]]) -> None:
        paths = [joined(one.path, one.kind.levels[level].path) for one, level in asked]
        for (one, level), info in zip(
            asked, infos_of_many(self._store, paths), strict=True
        ):
            name = one.kind.levels[level].path
            if isinstance(info, FormatError):
                one.arrays[level] = None
                self._report(f"level {name} of field {one.path} is left out: {info}")
            elif len(info.shape) != len(one.kind.axes) or 0 in info.shape:
                one.arrays[level] = None
                self._report(
                    f"level {name} of field {one.path} is left out: its shape "
                    f"{info.shape} does not fit the axes {', '.join(one.kind.axes)}"
                )
            else:
                one.arrays[level] = ZarrSource(info)


def _next_level(one: PlacedField, order: Sequence[int]) -> int | None:
    """Return the best level that is not known to be missing."""
    return next((n for n in order if one.arrays.get(n, one) is not None), None)


def joined(*parts: str) -> str:
    """Return a path of parts, of which some may be empty."""
    return "/".join(part for part in parts if part)


def pixels_from(
    position: tuple[float, float] | None, grid: Grid
) -> tuple[float, float] | None:
    """Return a position in pixels of the mosaic."""
    if position is None or 0 in grid.scale:
        return None
    return position[0] / grid.scale[0], position[1] / grid.scale[1]


def attributes_of_many(store: Store, paths: Sequence[str]) -> list[Json | FormatError]:
    """Return the attributes of groups, or why they cannot be read."""
    found: list[Json | FormatError] = list(store.many(paths)) if paths else []
    return found


def infos_of_many(store: Store, paths: Sequence[str]) -> list[ArrayInfo | FormatError]:
    """Return what the JSON of arrays says, or why it cannot be read."""
    found: list[ArrayInfo | FormatError] = list(store.arrays(paths)) if paths else []
    return found
