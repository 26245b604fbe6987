"""A multi-well plate: rows, wells and positions, made, walked through and renamed."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError, OutputExistsError
from napari_scope.formats.ngff.nodes import plate_metadata
from napari_scope.formats.ngff.nodes.copying import checked_positions, copy_group
from napari_scope.formats.ngff.nodes.failures import MissingChannelsError
from napari_scope.formats.ngff.nodes.hierarchy import Hierarchy, Place, join
from napari_scope.formats.ngff.nodes.meta import AcquisitionMeta
from napari_scope.formats.ngff.nodes.node import NGFFNode
from napari_scope.formats.ngff.nodes.position_specs import plan_positions, well_spec
from napari_scope.formats.ngff.nodes.renaming import rename_well
from napari_scope.formats.ngff.nodes.row import Row
from napari_scope.formats.ngff.nodes.well import Well

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import zarr

    from napari_scope.formats.ngff.nodes.meta import AxisMeta, PositionSpec
    from napari_scope.formats.ngff.nodes.plate_metadata import WellSpec
    from napari_scope.formats.ngff.nodes.position import Position

__all__ = ["Plate"]

_LOOKED_AT = 16
"""Positions that are asked for channel names and axes; the first one has them."""


class Plate(NGFFNode):
    """A multi-well plate.

    Parameters
    ----------
    group : zarr.Group or Place
        Its group.
    parse_meta : bool, optional
        Whether it has metadata to read; False for a new one.
    channel_names, axes
        Channels and axes of new positions.
    overwriting_creation : bool, optional
        Whether what exists is replaced by what is made, by default an error.
    name : str, optional
        Name of a new plate; that of its folder by default.
    acquisitions : list[AcquisitionMeta], optional
        Runs over a new plate; one with the id 0 by default.
    version : str, optional
        Version of OME-Zarr of a new one.
    """

    def __init__(
        self,
        group: zarr.Group | Place,
        parse_meta: bool = True,
        channel_names: Sequence[str] | None = None,
        axes: Sequence[AxisMeta] | None = None,
        overwriting_creation: bool = False,
        *,
        name: str | None = None,
        acquisitions: Sequence[AcquisitionMeta] | None = None,
        version: str = "0.4",
    ) -> None:
        super().__init__(
            group,
            parse_meta,
            channel_names,
            axes,
            overwriting_creation,
            version=version,
        )
        self._name = name
        self._acquisitions = list(acquisitions or [AcquisitionMeta(0)])
        self._example: Position | None = None

    @classmethod
    def from_positions(
        cls, store_path: str | Path, positions: dict[str, Position]
    ) -> Plate:
        """Make a plate of copies of positions of other stores.

        All arrays, levels and labels are copied file by file, as they are.

        Parameters
        ----------
        store_path : str | Path
            The new store.
        positions : dict[str, Position]
            Positions by the paths they get: row, column and name, as "A/1/0".

        Raises
        ------
        ArgumentError
            If a path is none of a position, or channel names, axes or versions of
            OME-Zarr differ (a ValueError).
        OutputExistsError
            If the store exists, or two paths are the same (a FileExistsError).
        """
        sources = checked_positions(positions)
        root = Path(store_path).expanduser().absolute()
        if root.exists() or root.is_symlink():
            raise OutputExistsError("there is something already", path=root)
        first = next(iter(sources.values()))
        version = first._write_version
        root.mkdir(parents=True)
        tree = Hierarchy(root, writable=True)
        specs: Any = [tuple(name.split("/")) for name in sources]
        try:
            tree.make_group("", version)
            plate = cls(
                Place(tree, ""),
                parse_meta=False,
                channel_names=first.channel_names,
                axes=first.axes,
                version=version,
            )
            plate.create_positions(specs)
            for name, source in sources.items():
                copy_group(source.folder, tree.folder(name))
        except BaseException:
            # Half a plate looks like a whole one.
            shutil.rmtree(root, ignore_errors=True)
            raise
        return cls(Place(tree, ""), version=version)

    # What it says

    def _first_image(self) -> Position | None:
        """Return the first position that has an image, of the first ones."""
        if self._example is None:
            for number, (_, position) in enumerate(self.positions()):
                try:
                    found = "multiscales" in position._ome
                except FormatError:
                    found = False
                if found:
                    self._example = position
                if found or number + 1 == _LOOKED_AT:
                    break
        return self._example

    @property
    def channel_names(self) -> list[str]:
        """Channel names of the first position that has an image."""
        first = self._first_image()
        return super().channel_names if first is None else first.channel_names

    @property
    def axes(self) -> list[AxisMeta]:
        """Axes metadata of the first position that has an image."""
        first = self._first_image()
        return super().axes if first is None else first.axes

    def dump_meta(self, field_count: bool = False) -> None:
        """Write the parts of `metadata` that were changed since they were read.

        Parameters
        ----------
        field_count : bool, optional
            Also count the positions of all wells and write ``field_count``, which
            OME-Zarr defines as the most of one well; every well is read for it.
        """
        super().dump_meta()
        if field_count:
            most = max((len(well) for _, well in self.wells()), default=0)

            def change(block: dict[str, Any]) -> None:
                plate = block.get("plate")
                if isinstance(plate, dict) and most:
                    plate["field_count"] = most

            self._change(change)

    def _plate(self) -> dict[str, Any]:
        plate = self._ome.get("plate")
        return plate if isinstance(plate, dict) else {}

    def _columns_of_rows(self) -> dict[str, list[str]]:
        rows: dict[str, list[str]] = {}
        for path in plate_metadata.well_paths(self._plate()):
            row, _, column = path.partition("/")
            if row and column:
                rows.setdefault(row, []).append(column)
        return rows

    # What is in it

    def _member_names(self) -> list[str]:
        return list(self._columns_of_rows())

    def _member(self, name: str) -> Row:
        return self._row(name, self._columns_of_rows().get(name))

    def _row(self, name: str, columns: list[str] | None) -> Row:
        row = Row(Place(self._tree, join(self._path, name)), **self._handed_down())
        row._parent = self
        row._columns = columns
        return row

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Iterate over names and rows, in the order of the metadata."""
        for name, columns in self._columns_of_rows().items():
            if self._there(name):
                yield name, self._row(name, columns)

    def wells(self) -> Iterator[tuple[str, Well]]:
        """Iterate over paths and wells, along rows and columns of the metadata."""
        for _, row in self.rows():
            for _, well in row.wells():
                yield well.path, well

    def positions(self) -> Iterator[tuple[str, Position]]:
        """Iterate over paths and positions, well by well as `wells` does.

        What is listed and missing is left out and logged.
        """
        for _, well in self.wells():
            try:
                yield from ((field.path, field) for _, field in well.positions())
            except FormatError as error:
                self._left_out(well.path, error)

    # What is added to it

    def create_well(
        self,
        row_name: str,
        col_name: str,
        row_index: int | None = None,
        col_index: int | None = None,
    ) -> Well:
        """Make a well, an empty group, and list it.

        Parameters
        ----------
        row_name, col_name : str
            Names of its row and column, letters and digits.
        row_index, col_index : int, optional
            Their places in the plate; new ones stand last by default.

        Raises
        ------
        ArgumentError
            If a name is none, or an index is that of another row or column (a
            ValueError).
        OutputExistsError
            If there is such a well (a FileExistsError).
        """
        well = well_spec(row_name, col_name, row_index, col_index)
        if self._tree.has(well.path):
            if not self._overwrite:
                raise OutputExistsError(
                    f"Well {well.path!r} already exists.", path=self.folder
                )
            self._tree.remove(well.path)
        self._check_plate([well])
        self._tree.make_group(well.path, self._write_version)
        self._list([well], {0})
        return self._wells_to_fill([well.path], new=True)[0]

    def create_positions(self, positions: Iterable[PositionSpec]) -> list[Position]:
        """Make many positions at once.

        Groups are made first. Then each well is written once, and the plate once, so
        the time is proportional to the number of positions.

        Parameters
        ----------
        positions : list[PositionSpec]
            Tuples of three to six elements: names of row, column and position, index
            of the row and of the column (None for the next one), and number of the
            acquisition (0 by default).

        Returns
        -------
        list[Position]
            In the order of the tuples.

        Raises
        ------
        ArgumentError
            If a name, an index or the number of elements is wrong (a ValueError).
        OutputExistsError
            If there is such a position (a FileExistsError). Nothing is made then.
        """
        planned = plan_positions(positions)
        if not planned.order:
            return []
        wells = dict(
            zip(planned.wells, self._wells_to_fill(planned.wells), strict=True)
        )
        for path, inside in planned.fields.items():
            wells[path]._check_new(inside)
        self._check_plate(planned.wells.values())
        made = {
            path: wells[path]._make_positions(inside)
            for path, inside in planned.fields.items()
        }
        ids = {number for inside in planned.fields.values() for _, number in inside}
        self._list(planned.wells.values(), ids)
        return [made[path][number] for path, number in planned.order]

    def create_position(
        self,
        row_name: str,
        col_name: str,
        pos_name: str,
        row_index: int | None = None,
        col_index: int | None = None,
        acq_index: int = 0,
    ) -> Position:
        """Make one position; see `create_positions` for many.

        Parameters
        ----------
        row_name, col_name, pos_name : str
            Names of row, column and position, letters and digits.
        row_index, col_index : int, optional
            Places of row and column in the plate; new ones stand last by default.
        acq_index : int, optional
            Number of the acquisition that it belongs to.

        Raises as `create_positions` does.
        """
        spec = (row_name, col_name, pos_name, row_index, col_index, acq_index)
        return self.create_positions([spec])[0]

    def rename_well(self, old: str, new: str) -> None:
        """Give a well another name, on disk and in the metadata; the others stay.

        Parameters
        ----------
        old, new : str
            Its path before and after, as "A/1" and "B/2".

        Raises
        ------
        MissingStoreError
            If there is no such well (a FileNotFoundError).
        OutputExistsError
            If there is a well of the new name already (a FileExistsError).
        ArgumentError
            If the new name is none of a well (a ValueError).
        """
        rename_well(self.folder, old, new, self._tree)
        self._forget()

    def _forget(self) -> None:
        super()._forget()
        self._example = None

    def _wells_to_fill(self, paths: Iterable[str], *, new: bool = False) -> list[Well]:
        """Return nodes of wells, those that are not there included."""
        handed = self._handed_down()
        with contextlib.suppress(MissingChannelsError):
            handed["channel_names"] = self.channel_names
        handed["axes"] = self.axes
        wells = []
        for path in paths:
            named = handed["channel_names"] is not None
            fresh = named and (new or not self._tree.has(path))
            well = Well(Place(self._tree, path), parse_meta=not fresh, **handed)
            well._parent = None if named else self
            wells.append(well)
        return wells

    def _check_plate(self, wells: Iterable[WellSpec]) -> None:
        """Refuse wells that the plate cannot list, before anything is made."""
        self._block = None if self._block else self._block
        trial = {key: self._plate().get(key) for key in ("rows", "columns", "wells")}
        plate_metadata.add_wells(trial, wells)

    def _list(self, wells: Iterable[WellSpec], acquisitions: Iterable[int]) -> None:
        specs, version = list(wells), self._write_version

        def change(block: dict[str, Any]) -> None:
            plate = block.get("plate")
            if not isinstance(plate, dict):
                plate = block["plate"] = {"name": self._name or self.folder.stem}
                if version == "0.4":
                    plate["version"] = version
                plate["acquisitions"] = [run.to_json() for run in self._acquisitions]
            plate_metadata.add_wells(plate, specs)
            plate_metadata.add_acquisitions(plate, acquisitions)

        self._change(change)
