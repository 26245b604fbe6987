"""A field of view: one multiscale image with named channels, and its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.formats.ngff.nodes import channels, multiscale
from napari_scope.formats.ngff.nodes.failures import (
    ArgumentError,
)
from napari_scope.formats.ngff.nodes.label_nodes import LabelMethods
from napari_scope.formats.ngff.nodes.levels import PyramidMethods
from napari_scope.formats.ngff.nodes.placed import PlacedImage

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    from napari_scope.formats.ngff.nodes.meta import WindowDict

__all__ = ["Position"]


class Position(LabelMethods, PyramidMethods, PlacedImage):
    """A field of view, as `NGFFNode` is made, with channels, levels and labels."""

    # Channels

    def append_channel(self, chan_name: str, resize_arrays: bool = True) -> None:
        """Add a channel after the others, filled with zeros.

        Parameters
        ----------
        chan_name : str
            Its name.
        resize_arrays : bool, optional
            Whether the arrays get room for it, by default they do.

        Raises
        ------
        ArgumentError
            If the name is taken (a ValueError), or the image has no channel axis.
        """
        place = self._channel_axis()
        if place is None:
            raise ArgumentError(
                "the image has no channel axis", path=self.folder, hint="rewrite it"
            )
        known = self._channels_now()
        channels.check_new_name(chan_name, known)
        if multiscale.find_multiscale(self._ome) is None:
            self._name_channels([*known, chan_name])
            return
        # Arrays first: a channel that is named has pixels at every moment.
        if resize_arrays:
            for _, array in self.images():
                if len(array.shape) == len(self.axes):
                    shape = list(array.shape)
                    shape[place] += 1
                    array.resize(tuple(shape))
        self._change(lambda block: channels.append(block, chan_name, known))

    def rename_channel(self, old: str, new: str) -> None:
        """Give a channel another name.

        Raises
        ------
        ArgumentError
            If there is no channel ``old``, or ``new`` is taken (a ValueError).
        """
        known = self._channels_now()
        index = self._index_of(old, known)
        channels.check_new_name(new, [*known[:index], *known[index + 1 :]])
        if multiscale.find_multiscale(self._ome) is None:
            self._name_channels([*known[:index], new, *known[index + 1 :]])
            return
        self._change(lambda block: channels.rename(block, index, new, known))

    def _name_channels(self, names: list[str]) -> None:
        """Name the channels of an image that is not there yet."""
        self._given_channels, self._is_new = names, True

    def _channels_now(self) -> list[str]:
        """Return the names as they are on disk at this moment."""
        self._forget()
        return self.channel_names

    def update_channel(self, chan_name: str, target: str, data: npt.ArrayLike) -> None:
        """Write one channel of an array: its pixels at all times and planes.

        Parameters
        ----------
        chan_name : str
            The channel.
        target : str
            Name of the array.
        data : ArrayLike
            Its pixels, in the shape of the array without the channel axis.

        Raises
        ------
        ArgumentError
            If there is no such channel, or the shape differs (a ValueError).
        """
        array = self[target]
        index = self.get_channel_index(chan_name)
        place = self._channel_axis()
        if place is None:
            raise ArgumentError("the image has no channel axis", path=self.folder)
        if index >= array.shape[place]:
            raise ArgumentError(
                f"{target!r} has {array.shape[place]} channels, {chan_name!r} would be "
                f"number {index}",
                path=self.folder,
            )
        pixels = np.asarray(data)
        wanted = array.shape[:place] + array.shape[place + 1 :]
        if pixels.shape != wanted:
            raise ArgumentError(
                f"data of shape {pixels.shape} for a channel of {wanted}",
                path=self.folder,
            )
        selection: list[int | slice] = [slice(None)] * len(array.shape)
        selection[place] = index
        array[tuple(selection)] = pixels

    def set_contrast_limits(self, channel_name: str, window: WindowDict) -> None:
        """Set what of a channel is shown, from ``start`` to ``end``.

        Parameters
        ----------
        channel_name : str
            The channel.
        window : WindowDict
            ``start``, ``end``, and the ``min`` and ``max`` of what can be chosen.

        Raises
        ------
        ArgumentError
            If there is no such channel, or the limits are incomplete or out of order.
        """
        self._check_image()
        known = self._channels_now()
        index = self._index_of(channel_name, known)
        self._change(lambda block: channels.set_window(block, index, window, known))

    # Labelled arrays

    def to_xarray(self) -> xr.DataArray:
        """Return full resolution as a labelled array of t, c, z, y and x; lazy.

        Channels are labelled by name, the other axes by where their pixels are. Units
        are attributes of the coordinates (``array.z.attrs["units"]``), as the CF
        conventions want it; attributes of the array are what `write_xarray` was given.
        Axes that the image does not have are of length 1.
        """
        from napari_scope.formats.ngff.nodes.xarray_io import to_xarray

        return to_xarray(self)

    def write_xarray(self, data_array: xr.DataArray, image: str = "0") -> None:
        """Write a labelled array, or some channels and times of one.

        The first call makes the array and says where its pixels are; later ones write
        into it and say so anew. Times later than there are make it longer; what is not
        written is zero. Coarser levels get longer, too, but keep their pixels: call
        `compute_pyramid` when all is written.

        Parameters
        ----------
        data_array : xr.DataArray
            Of the dimensions t, c, z, y, x, with coordinates along each. Those along c
            are names of channels, those along t tell which time points they are.
        image : str, optional
            Name of the array.

        Raises
        ------
        ArgumentError
            If dimensions, channels, sizes or times do not fit (a ValueError).
        """
        from napari_scope.formats.ngff.nodes.xarray_io import write_xarray

        write_xarray(self, data_array, image)
