"""A well of a plate and the positions in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_scope.errors import OutputExistsError
from napari_scope.formats.ngff.nodes import plate_metadata
from napari_scope.formats.ngff.nodes.failures import ArgumentError
from napari_scope.formats.ngff.nodes.hierarchy import Place, join
from napari_scope.formats.ngff.nodes.node import NGFFNode
from napari_scope.formats.ngff.nodes.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_scope.formats.ngff.nodes.meta import AxisMeta

__all__ = ["Well"]


class Well(NGFFNode):
    """A well of a plate: a group with a group for each position."""

    def _member_names(self) -> list[str]:
        well = self._ome.get("well")
        if isinstance(well, dict):
            return plate_metadata.field_names(well)
        return self.group_keys()

    def _member(self, name: str) -> Position:
        position = Position(
            Place(self._tree, join(self._path, name)), **self._handed_down()
        )
        position._parent = self
        return position

    def create_position(self, name: str, acquisition: int = 0) -> Position:
        """Make a position, an empty group, and list it.

        Parameters
        ----------
        name : str
            Its name, letters and digits.
        acquisition : int, optional
            Number of the acquisition that it belongs to.

        Raises
        ------
        ArgumentError
            If the name is none of a position (a ValueError).
        OutputExistsError
            If there is a position of that name (a FileExistsError).
        """
        if type(acquisition) is not int or acquisition < 0:
            raise ArgumentError(f"{acquisition!r} is no number of an acquisition")
        fields = [(plate_metadata.checked_name(name, "position"), acquisition)]
        self._check_new(fields)
        return self._make_positions(fields)[0]

    def _make_positions(self, fields: Sequence[tuple[str, int]]) -> list[Position]:
        """Make groups of checked names, then list them with one change."""
        version = self._write_version
        names = [name for name, _ in fields]
        if not self._tree.has(self._path):
            well: dict[str, Any] = {}
            plate_metadata.add_fields(well, fields)
            attributes = {"ome": {"version": "0.5", "well": well}}
            self._tree.make_members(self._path, version, names, attributes)
            self._block = None
            return self._new_positions(names)
        for name in names:
            if self._tree.has(join(self._path, name)):
                self._tree.remove(join(self._path, name))
        self._tree.make_members(self._path, version, names, None)

        def change(block: dict[str, Any]) -> None:
            well = block.get("well")
            if not isinstance(well, dict):
                well = block["well"] = {}
                if version == "0.4":
                    well["version"] = version
            plate_metadata.add_fields(well, fields)

        self._change(change)
        return self._new_positions(names)

    def _check_new(self, fields: Sequence[tuple[str, int]]) -> None:
        """Refuse names that are taken, here or among themselves."""
        seen: set[str] = set()
        for name, _ in fields:
            taken = not self._overwrite and self._tree.has(join(self._path, name))
            if taken or name in seen:
                raise OutputExistsError(
                    f"there is a position {name!r} already", path=self.folder
                )
            seen.add(name)

    def _new_positions(self, names: Sequence[str]) -> list[Position]:
        # Asked for once: who has no names of its own looks for them in the plate.
        channels, axes = self.channel_names, self.axes
        return [self._new_position(name, channels, axes) for name in names]

    def _new_position(
        self, name: str, channels: Sequence[str], axes: Sequence[AxisMeta]
    ) -> Position:
        position = Position(
            Place(self._tree, join(self._path, name)),
            parse_meta=False,
            **{**self._handed_down(), "channel_names": channels, "axes": axes},
        )
        position._parent = self
        return position

    def positions(self) -> Iterator[tuple[str, Position]]:
        """Iterate over names and positions, in the order of the metadata."""
        yield from self.iteritems()
