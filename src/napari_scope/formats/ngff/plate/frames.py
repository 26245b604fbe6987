"""What is known of the point of a plate: its well, its field, where that is stored.

It answers from what was read already, so it may be asked in a GUI thread; only
`PlateFrames.metadata` may read the list of fields of a well that was never shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.model.axes import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.ngff.plate.fields import PlacedField
    from napari_scope.formats.ngff.plate.listing import Acquisition, PlateWell
    from napari_scope.formats.ngff.plate.pixels import PlatePixels
    from napari_scope.model import Axes

__all__ = ["PlateFrames"]


class PlateFrames:
    """A `napari_scope.model.FrameTable` of a plate.

    Parameters
    ----------
    pixels : PlatePixels
        The mosaic.
    acquisition : Acquisition, optional
        The one that is shown, where there are several.
    """

    def __init__(
        self, pixels: PlatePixels, acquisition: Acquisition | None = None
    ) -> None:
        self._pixels = pixels
        self._acquisition = acquisition

    def well(self, y: int, x: int) -> PlateWell | None:
        """Return the well at a pixel, None beside the wells that the plate lists."""
        cell = self._pixels.plane.cell_at(y, x)
        return None if cell is None else self._pixels.wells.get(cell[:2])

    def field(self, y: int, x: int, *, read: bool = False) -> PlacedField | None:
        """Return the field at a pixel, as far as known.

        Parameters
        ----------
        y, x : int
            The pixel.
        read : bool
            Whether files may be read to find out.
        """
        cell = self._pixels.plane.cell_at(y, x)
        well = None if cell is None else self._pixels.wells.get(cell[:2])
        if cell is None or well is None:
            return None
        fields = self._pixels.fields
        known = fields.of([well]) if read else fields.known(well)
        # The one painted last is on top.
        for one in reversed(known or ()):
            inside = [p - o for p, o in zip(cell[2:], one.place, strict=True)]
            if all(0 <= p < n for p, n in zip(inside, one.kind.shape, strict=True)):
                return one
        return None

    def exists(self, index: Mapping[str, int]) -> bool:
        """Return whether there is a field; where a well was never shown, its well."""
        y, x = index.get("y", 0), index.get("x", 0)
        well = self.well(y, x)
        if well is None or self._pixels.fields.known(well) is None:
            return well is not None
        return self.field(y, x) is not None

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        """Return row, column and field by name, and the place on other axes."""
        y, x = index.get("y", 0), index.get("x", 0)
        well = self.well(y, x)
        if well is None:
            return None
        found: dict[str, int | str] = {"row": well.row, "column": well.column}
        if not well.row and not well.column:
            found = {}
        one = self.field(y, x)
        if one is not None:
            found["field"] = one.name
        for name, _ in self._pixels.lead:
            found[canonical(name)] = index.get(name, 0)
        return found

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        """Return facts on the field: where it is stored, its shape and pixel."""
        y, x = index.get("y", 0), index.get("x", 0)
        well = self.well(y, x)
        if well is None:
            return None
        facts: dict[str, object] = {
            "well": {"row": well.row, "column": well.column, "path": well.path}
        }
        if self._acquisition is not None:
            facts["acquisition"] = {
                "id": self._acquisition.id,
                "name": self._acquisition.name,
            }
        one = self.field(y, x, read=True)
        if one is None:
            return facts
        image = one.kind.image
        facts["field"] = {"name": one.name, "path": one.path, "title": image.name}
        facts["image"] = {
            "axes": list(one.kind.axes),
            "levels": [level.path for level in one.kind.levels],
            "channels": [channel.name for channel in image.channels],
            "type": image.levels[0].dtype.name,
            "pixel": {
                axis.name: f"{axis.scale:g} {axis.unit or 'pixel'}"
                for axis in image.axes
                if axis.name in ("z", "y", "x")
            },
        }
        return facts
