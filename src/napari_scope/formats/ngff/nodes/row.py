"""A row of a plate: the group between the plate and its wells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.formats.ngff.nodes.hierarchy import Place, join
from napari_scope.formats.ngff.nodes.node import NGFFNode
from napari_scope.formats.ngff.nodes.well import Well

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Row"]


class Row(NGFFNode):
    """A row of a plate; it has no metadata of its own."""

    _columns: list[str] | None = None

    def _member_names(self) -> list[str]:
        return self.group_keys() if self._columns is None else self._columns

    def _member(self, name: str) -> Well:
        well = Well(Place(self._tree, join(self._path, name)), **self._handed_down())
        well._parent = self
        return well

    def wells(self) -> Iterator[tuple[str, Well]]:
        """Iterate over names and wells, in the order of the columns of the plate."""
        yield from self.iteritems()
