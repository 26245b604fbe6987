"""What an NDTiff store says of itself: axes, sizes, metadata, keys, channels.

The first part of `napari_scope.formats.ndtiff.Dataset`; it reads no pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.formats.ndtiff import metadata as facts
from napari_scope.formats.ndtiff.columns import HEIGHT, PIXEL_TYPE, WIDTH
from napari_scope.formats.ndtiff.record import PIXEL_TYPES

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from napari_scope.formats.ndtiff.dataset_axes import FrameAddresses
    from napari_scope.formats.ndtiff.dataset_levels import Levels
    from napari_scope.formats.ndtiff.record import PixelType

__all__ = ["StoreFacts"]


class StoreFacts:
    """What is known of a store; still there after it is closed.

    Parameters
    ----------
    levels : Levels
        The store.
    """

    def __init__(self, levels: Levels) -> None:
        self._levels = levels

    @property
    def path(self) -> Path:
        """Folder of the store."""
        return self._levels.folder

    @property
    def axes(self) -> dict[str, list[int | str]]:
        """Values of each axis.

        Integers are sorted, names stand in order of appearance. The axes have the order
        of `as_array`: row, column, position, time, channel, other axes in the order of
        the first image, z. Not every combination need have an image: see
        `get_index_keys` and `image_mask`.
        """
        addresses = self._levels.newest
        return {name: list(addresses.values[name]) for name in addresses.names}

    @property
    def axes_types(self) -> dict[str, type]:
        """Type of the values of each axis: int or str; object where both occur."""
        found: dict[str, type] = {}
        for name, values in self.axes.items():
            types = set(map(type, values))
            found[name] = types.pop() if len(types) == 1 else object
        return found

    @property
    def summary_metadata(self) -> dict[str, object]:
        """Metadata of the whole store."""
        return dict(self._levels.summary)

    @property
    def version(self) -> tuple[int, int] | None:
        """Version of the format, (3, 3) for instance; None if no file is here."""
        return self._levels.reader.version

    @property
    def res_levels(self) -> dict[int, Path]:
        """Folder of each resolution level; level n is downsampled by 2^n."""
        return dict(self._levels.layout.levels)

    @property
    def overlap(self) -> tuple[int, int] | None:
        """Pixels by which tiles overlap along (y, x); None where there are no tiles."""
        found = facts.tile_overlap(self._levels.summary)
        if found is None:
            return (0, 0) if len(self._levels.layout.levels) > 1 else None
        x, y = found
        return int(y), int(x)

    @property
    def image_height(self) -> int | None:
        """Height of the first image in pixels; None while there is none."""
        return self._first_field(HEIGHT)

    @property
    def image_width(self) -> int | None:
        """Width of the first image in pixels; None while there is none."""
        return self._first_field(WIDTH)

    @property
    def dtype(self) -> np.dtype[np.generic] | None:
        """Type of the pixels of the first image; None while there is none."""
        kind = self._first_kind()
        return None if kind is None else kind.dtype

    @property
    def bytes_per_pixel(self) -> int | None:
        """1, 2, or 3 for RGB, of the first image; None while there is none."""
        kind = self._first_kind()
        return None if kind is None else kind.nbytes

    @property
    def problems(self) -> list[str]:
        """What is damaged or missing, in sentences."""
        return self._levels.problems

    def _first_field(self, column: int) -> int | None:
        table = self._levels.newest.catalog.table
        return int(table.fields[0, column]) if len(table) else None

    def _first_kind(self) -> PixelType | None:
        code = self._first_field(PIXEL_TYPE)
        return None if code is None else PIXEL_TYPES.get(code)

    def get_index_keys(self, res_level: int = 0) -> list[dict[str, int | str]]:
        """Return the axes of every image, in the order of the index.

        Parameters
        ----------
        res_level : int
            Resolution level.

        Returns
        -------
        list of dict
            Each can be given to `read_image` as ``**axes``.
        """
        return self._addresses(res_level).keys()

    def get_image_coordinates_list(self) -> list[dict[str, int | str]]:
        """Return `get_index_keys` of full resolution; the name of newer scripts."""
        return self.get_index_keys()

    def get_channel_names(self) -> list[str]:
        """Return the names of the channels, in the order of ``axes["channel"]``.

        A channel that is a number has its name from the summary metadata, or from the
        metadata of its first image. Empty if there is no such axis.
        """
        return list(self._levels.newest.channels)

    def _addresses(self, level: int) -> FrameAddresses:
        return self._levels.level(level) if level else self._levels.newest
