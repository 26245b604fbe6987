"""Single images of an NDTiff store by their axes: pixels, metadata, existence.

The second part of `napari_scope.formats.ndtiff.Dataset`, with the arguments that
pycro-manager documents. Which frame a request means is up to `dataset_axes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError, MissingImageError
from napari_scope.formats.ndtiff.dataset_axes import CHANNEL
from napari_scope.formats.ndtiff.dataset_facts import StoreFacts
from napari_scope.formats.ndtiff.dataset_lane import FastLane
from napari_scope.formats.ndtiff.files import NATIVE_ORDER, is_plain_name
from napari_scope.formats.ndtiff.record import PIXEL_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from napari_scope.formats.ndtiff.dataset_axes import FrameAddresses, Place
    from napari_scope.formats.ndtiff.dataset_levels import Levels

__all__ = ["ImageAccess"]

_MANY_READS = 32  # of one state of the store, after which a table of offsets pays


class _DefaultChannel(int):
    """A 0 that is told from the 0 of a caller, and looks like it in signatures."""


_CHANNEL_0 = _DefaultChannel(0)


class ImageAccess(StoreFacts):
    """Reads single images.

    Parameters
    ----------
    levels : Levels
        The store.
    """

    def __init__(self, levels: Levels) -> None:
        super().__init__(levels)
        self._lane: FastLane | None = None
        self._reads: tuple[FrameAddresses | None, int] = (None, 0)

    def read_image(
        self,
        /,
        channel: Place = _CHANNEL_0,
        z: Place = None,
        time: Place = None,
        position: Place = None,
        row: Place = None,
        col: Place = None,
        channel_name: str | None = None,
        resolution_level: int = 0,
        memmapped: bool = False,
        *,
        column: Place = None,
        res_level: int | None = None,
        **axes: Place,
    ) -> npt.NDArray[np.generic]:
        """Read the pixels of one image.

        The axes that are given must tell the image from all others. An axis may be left
        out where it has one value, and where the image itself has no such axis. On an
        axis of names an integer counts them in order of appearance.

        Parameters
        ----------
        channel : int or str
            Channel, 0 by default. In a store without the axis 0 is ignored, and any
            other is an error. With None it is left out as any other axis.
        z, time, position, row, col : int or str, optional
            Focus plane, time point, position, and row and column of a tile.
        channel_name : str, optional
            Name of the channel, in place of ``channel``.
        resolution_level : int
            0 is full resolution, n is downsampled by 2^n.
        memmapped : bool
            Return a read-only array over the file, whose pixels are read when they are
            used. The file must not be cut while the array is in use: the system ends a
            program that touches pixels that are gone.
        column : int or str, optional
            The same as ``col``.
        res_level : int, optional
            The same as ``resolution_level``.
        **axes : int or str
            Values of any other axes.

        Returns
        -------
        ndarray
            Shape (height, width), uint8 or uint16, or (height, width, 3), uint8. It is
            new and belongs to the caller, unless it is memory-mapped.

        Raises
        ------
        MissingImageError
            No image fits, or several do; it says what there is.
        FormatError
            The image is in the index, but its file is missing, cut or damaged.
        DatasetClosedError
            After `close`.
        """
        default = channel is _CHANNEL_0
        if default:
            channel = None
        level = resolution_level if res_level is None else res_level
        lane = self._lane
        if lane is not None and not (level or memmapped or channel_name is not None):
            # Only while it leads to what the store has now, and the store is open.
            if lane.addresses is self._levels.full:
                frame = lane.read(
                    channel, z, time, position, row, col, column, axes, default
                )
                if frame is not None:
                    return frame
        request = self._request(axes, z, time, position, row, col, column)
        if channel_name is None and channel is not None:
            request[CHANNEL] = channel
        addresses, found = self._search(request, default, channel_name, level)
        if memmapped:
            return self._mapped(addresses, found, level)
        if not level:
            self._count_read(addresses)
        return addresses.catalog.read_row(found)

    def read_metadata(
        self,
        /,
        channel: Place = _CHANNEL_0,
        z: Place = None,
        time: Place = None,
        position: Place = None,
        channel_name: str | None = None,
        row: Place = None,
        col: Place = None,
        resolution_level: int = 0,
        *,
        column: Place = None,
        res_level: int | None = None,
        **axes: Place,
    ) -> dict[str, object]:
        """Read the metadata of one image, without its pixels.

        Parameters
        ----------
        channel, z, time, position, channel_name, row, col, resolution_level, column, \
res_level, **axes
            Which image: see `read_image`.

        Returns
        -------
        dict
            The metadata as they were saved.

        Raises
        ------
        MissingImageError
            No image fits, or several do; it says what there is.
        FormatError
            The metadata are missing or damaged.
        DatasetClosedError
            After `close`.
        """
        request = self._request(axes, z, time, position, row, col, column)
        level = resolution_level if res_level is None else res_level
        default = channel is _CHANNEL_0
        if channel_name is None and not default and channel is not None:
            request[CHANNEL] = channel
        addresses, found = self._search(request, default, channel_name, level)
        return addresses.catalog.metadata_of_row(found)

    def has_image(
        self,
        /,
        channel: Place = _CHANNEL_0,
        z: Place = None,
        time: Place = None,
        position: Place = None,
        channel_name: str | None = None,
        resolution_level: int = 0,
        row: Place = None,
        col: Place = None,
        *,
        column: Place = None,
        res_level: int | None = None,
        **axes: Place,
    ) -> bool:
        """Return whether `read_image` would find an image.

        Parameters
        ----------
        channel, z, time, position, channel_name, resolution_level, row, col, column, \
res_level, **axes
            Which image: see `read_image`.

        Returns
        -------
        bool
            True if the index has just one image that fits; its file may be damaged.

        Raises
        ------
        DatasetClosedError
            After `close`.
        """
        request = self._request(axes, z, time, position, row, col, column)
        level = resolution_level if res_level is None else res_level
        default = channel is _CHANNEL_0
        if channel_name is None and not default and channel is not None:
            request[CHANNEL] = channel
        try:
            addresses = self._levels.level(level)
            if _has(addresses, request, default, channel_name):
                return True
            newer = self._levels.newer(level, addresses)
            return newer is not addresses and _has(
                newer, request, default, channel_name
            )
        except MissingImageError:
            return False

    def _search(
        self,
        request: dict[str, Place],
        default: bool,
        channel_name: str | None,
        level: int,
    ) -> tuple[FrameAddresses, int]:
        """Return the frame of a request; a store that grows is looked at once more."""
        addresses = self._levels.level(level)
        try:
            return addresses, _row(addresses, request, default, channel_name)
        except MissingImageError:
            newer = self._levels.newer(level, addresses)
            if newer is addresses:
                raise
        return newer, _row(newer, request, default, channel_name)

    def _count_read(self, addresses: FrameAddresses) -> None:
        """Make the short way for the next reads once there were some."""
        # No lock: a lane that is made twice is made for nothing, and that is all.
        counted, reads = self._reads
        reads = reads + 1 if counted is addresses else 1
        self._reads = addresses, reads
        if reads == _MANY_READS:
            try:
                lane = FastLane(addresses, self._levels.layout.levels[0])
            except (ValueError, OSError):
                return  # the long way does, and says what is wrong
            self._lane = lane
            if self._levels.full is None:
                self._lane = None  # closed meanwhile

    def _request(
        self,
        axes: Mapping[str, Place],
        z: Place,
        time: Place,
        position: Place,
        row: Place,
        col: Place,
        column: Place,
    ) -> dict[str, Place]:
        """Return the axes that are given."""
        named = {**axes, "z": z, "time": time, "position": position, "row": row}
        request: dict[str, Place] = {
            name: value for name, value in named.items() if value is not None
        }
        self._add_column(request, col, column)
        return request

    def _add_column(self, request: dict[str, Place], col: Place, column: Place) -> None:
        """Add the column of tiles, which has two names."""
        if col is not None:
            # Unless that is what the axis is called.
            name = "col" if "col" in self._levels.newest.values else "column"
            if name == "column" and column is not None:
                raise TypeError("give col or column, which mean the same")
            request[name] = col
        if column is not None:
            request["column"] = column

    def _mapped(
        self, addresses: FrameAddresses, row: int, level: int
    ) -> npt.NDArray[np.generic]:
        """Return an image as a memory map, after a look at the length of its file."""
        catalog = addresses.catalog
        location = catalog.table.location(row)
        path = self._levels.layout.levels[level] / location.file
        if not catalog.readable[row] or not is_plain_name(location.file):
            catalog.read_row(row)  # says what is wrong with it, or reads it after all
        kind = PIXEL_TYPES[location.pixel_type]
        order = catalog.files[catalog.table.file_ids[row]].order
        shape: tuple[int, ...] = (location.height, location.width)
        if kind.samples > 1:
            shape = (*shape, kind.samples)
        dtype = kind.dtype if order == NATIVE_ORDER else kind.dtype.newbyteorder(order)
        try:
            return np.memmap(path, dtype, "r", location.pixel_offset, shape)
        except (OSError, ValueError) as error:
            raise FormatError(
                f"the image cannot be mapped: {error}",
                path=path,
                hint="the file was cut or moved; read it without memmapped=True",
            ) from error


def _has(
    addresses: FrameAddresses,
    request: Mapping[str, Place],
    default: bool,
    channel_name: str | None,
) -> bool:
    if channel_name is not None:
        request = {**request, CHANNEL: addresses.channel_of(channel_name)}
    return addresses.find(request, default=default) is not None


def _row(
    addresses: FrameAddresses,
    request: Mapping[str, Place],
    default: bool,
    channel_name: str | None,
) -> int:
    if channel_name is not None:
        request = {**request, CHANNEL: addresses.channel_of(channel_name)}
    return addresses.row(request, default=default)
