"""A group that holds a multiscale image: its axes, channels and arrays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.nodes import channels, multiscale
from napari_scope.formats.ngff.nodes.creation import create_array, fill
from napari_scope.formats.ngff.nodes.failures import ArgumentError, MissingNodeError
from napari_scope.formats.ngff.nodes.hierarchy import Place, join, names_in_order
from napari_scope.formats.ngff.nodes.image_array import ImageArray
from napari_scope.formats.ngff.nodes.meta import AxisMeta, check_axes
from napari_scope.formats.ngff.nodes.node import NGFFNode, log

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from napari_scope.formats.ngff.nodes.meta import TransformationMeta

__all__ = ["ImageNode"]

_NAME = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_\-. ]*")


class ImageNode(NGFFNode):
    """A group with the arrays of one image, from fine to coarse."""

    _array_class: ClassVar[type[ImageArray]] = ImageArray

    # What it is

    @property
    def axes(self) -> list[AxisMeta]:
        """Axes of the image: its own, else those given, else T, C, Z, Y, X."""
        found = multiscale.image_axes(self._ome)
        if found is None and multiscale.find_multiscale(self._ome) is not None:
            # Versions 0.1 and 0.2 do not name them; they are the last of these.
            ndim = len(self[multiscale.level_paths(self._ome)[0]].shape)
            found = tuple(AxisMeta(name) for name in "tczyx"[-ndim:])
        return super().axes if found is None else list(found)

    @property
    def channel_names(self) -> list[str]:
        """Names of the channels; ``Channel 0`` and so on where the file has none."""
        if multiscale.find_multiscale(self._ome) is None:
            return super().channel_names
        return channels.names(self._ome, self._channel_count())

    def _channel_count(self) -> int:
        """Return the number of channels of the finest array that is there."""
        place = self._channel_axis()
        if place is None:
            return 1
        for path in multiscale.level_paths(self._ome):
            try:
                shape = self._tree.info(join(self._path, path)).shape
            except FormatError:
                continue
            return shape[place] if place < len(shape) else 1
        return 0

    def _channel_axis(self) -> int | None:
        for number, axis in enumerate(self.axes):
            if axis.type == "channel":
                return number
        return None

    @property
    def axis_names(self) -> list[str]:
        """Names of the axes in lower case, whatever the file writes."""
        return [axis.name.lower() for axis in self.axes]

    def get_axis_index(self, axis_name: str) -> int:
        """Return the place of an axis in the shape of the arrays.

        Parameters
        ----------
        axis_name : str
            Its name, in any case.

        Raises
        ------
        ArgumentError
            If there is no such axis.
        """
        names = self.axis_names
        if axis_name.lower() not in names:
            raise ArgumentError(
                f"there is no axis {axis_name!r}",
                path=self.folder,
                hint=f"the axes are {', '.join(names)}",
            )
        return names.index(axis_name.lower())

    # Its arrays

    def _member_names(self) -> list[str]:
        return names_in_order(multiscale.level_paths(self._ome), self.array_keys())

    def _member(self, name: str) -> Any:
        return self[name]

    def __getitem__(self, key: int | str) -> Any:
        """Return an array of the image, or a node below it.

        Parameters
        ----------
        key : int | str
            Its name or path: 0 and ``"0"`` are the same, ``labels/cells/0`` is an
            array of a label image and ``labels/cells`` the node of that.

        Raises
        ------
        MissingNodeError
            If there is no such array (a KeyError).
        """
        path = "/".join(part for part in str(key).split("/") if part)
        full = join(self._path, path)
        try:
            info = self._tree.info(full) if path else None
        except FormatError:
            info = None
        if info is not None:
            names = self._ome_axis_names if "/" not in path else None
            return self._array_class.at(Place(self._tree, full), info.shape, names)
        if path and self._tree.is_array(full):
            # What only zarr-python can read (complex numbers, say).
            return self._array_class.at(Place(self._tree, full))
        if path and self._tree.has(full):
            return self._group_member(path)
        raise MissingNodeError(
            f"there is no array {key!r}",
            path=self.folder,
            hint=f"there are {', '.join(self._some_names()) or 'none'}",
        )

    def _group_member(self, path: str) -> NGFFNode:
        """Return the node of a group below this one."""
        node = NGFFNode(
            Place(self._tree, join(self._path, path)), **self._handed_down()
        )
        return self._as_image(node) if "multiscales" in node.metadata else node

    def _as_image(self, node: NGFFNode) -> NGFFNode:
        return ImageNode(Place(self._tree, node.path), **self._handed_down())

    def _ome_axis_names(self) -> list[str] | None:
        found = multiscale.image_axes(self._ome) or self._given_axes
        return [axis.name.lower() for axis in found] if found else None

    def __setitem__(self, key: int | str, value: npt.NDArray[Any]) -> None:
        """Store a NumPy array under a new name, as `create_image` does."""
        if not isinstance(value, np.ndarray):
            raise TypeError(
                f"an image is a NumPy array, not {type(value).__name__}; create_image "
                "takes lazy ones"
            )
        self.create_image(str(key).strip("/"), value)

    @property
    def data(self) -> ImageArray:
        """The array named ``0``, by custom the finest level.

        OME-Zarr leaves names free, so a script that reads the files of others asks
        `metadata` for the path of the first level instead.

        Raises
        ------
        MissingNodeError
            If no array is named ``0`` (a KeyError).
        """
        array: ImageArray = self["0"]
        return array

    def images(self) -> Iterator[tuple[str, ImageArray]]:
        """Iterate over names and arrays, the levels of the image first."""
        yield from self.iteritems()

    # New arrays

    def create_image(
        self,
        name: str,
        data: npt.NDArray[Any],
        chunks: tuple[int, ...] | None = None,
        shards_ratio: tuple[int, ...] | None = None,
        transform: list[TransformationMeta] | None = None,
        check_shape: bool = True,
    ) -> ImageArray:
        """Store pixels as a new array of the image and list it.

        Parameters
        ----------
        name : str
            Name of the new array; ``0`` for the first one.
        data : NDArray
            The pixels. A lazy array (dask, Zarr) is written block by block.
        chunks : tuple[int, ...], optional
            Size of a chunk; a whole stack of z, y and x by default.
        shards_ratio : tuple[int, ...], optional
            How many chunks a shard has along each axis; no shards by default.
        transform : list[TransformationMeta], optional
            Where its pixels are; needed for levels coarser than the first.
        check_shape : bool, optional
            Refuse arrays that do not fit the axes and channels of the image.

        Raises
        ------
        ArgumentError
            If shape, chunks or transformations do not fit (a ValueError).
        OutputExistsError
            If there is an array of that name (a FileExistsError).
        """
        if not hasattr(data, "shape") or not hasattr(data, "dtype"):
            data = np.asarray(data)
        transformations = self._new_transformations(len(data.shape), transform)
        array = self._new_array(
            name, data.shape, data.dtype, chunks, shards_ratio, check_shape
        )
        fill(array, data)
        # Listed when it is whole: a reader sees the image, or none.
        self._list_array(name, array.dtype, len(array.shape), transformations)
        return array

    def create_zeros(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        chunks: tuple[int, ...] | None = None,
        shards_ratio: tuple[int, ...] | None = None,
        transform: list[TransformationMeta] | None = None,
        check_shape: bool = True,
    ) -> ImageArray:
        """Make a new array of zeros and list it; no pixels are written.

        For images larger than memory and for processes that write chunks side by side.

        Parameters
        ----------
        name : str
            Name of the new array; ``0`` for the first one.
        shape : tuple[int, ...]
            Length of each axis.
        dtype : DTypeLike
            Type of the pixels.
        chunks : tuple[int, ...], optional
            Size of a chunk; a whole stack of z, y and x by default.
        shards_ratio : tuple[int, ...], optional
            How many chunks a shard has along each axis; no shards by default.
        transform : list[TransformationMeta], optional
            Where its pixels are; needed for levels coarser than the first.
        check_shape : bool, optional
            Refuse arrays that do not fit the axes and channels of the image. One that
            has another number of axes is stored but not listed as a level.

        Raises as `create_image` does.
        """
        transformations = self._new_transformations(len(shape), transform)
        array = self._new_array(name, shape, dtype, chunks, shards_ratio, check_shape)
        self._list_array(name, array.dtype, len(array.shape), transformations)
        return array

    def _new_transformations(
        self, ndim: int, transform: Sequence[object] | None
    ) -> list[dict[str, Any]]:
        count = len(self.axes)
        return multiscale.canonical(count if ndim != count else ndim, transform or ())

    def _new_array(
        self,
        name: str,
        shape: Sequence[int],
        dtype: npt.DTypeLike,
        chunks: Sequence[int] | None,
        shards_ratio: Sequence[int] | None,
        check_shape: bool,
    ) -> ImageArray:
        name = str(name)
        if not _NAME.fullmatch(name):
            raise ArgumentError(
                f"{name!r} is no name of an array",
                path=self.folder,
                hint="use letters, digits and _-. only; create_label makes labels",
            )
        axes = check_axes(self.axes)
        if check_shape:
            self._check_shape(shape)
        names = [axis.name for axis in axes]
        array = create_array(
            Place(self._tree, join(self._path, name)),
            shape=shape,
            dtype=dtype,
            chunks=chunks,
            shards_ratio=shards_ratio,
            names=names if len(names) == len(shape) else None,
            zarr_format=self._tree.zarr_format(self._path),
            overwrite=self._overwrite,
        )
        return self._array_class.from_zarr_array(array, self.axis_names)

    def _check_shape(self, shape: Sequence[int]) -> None:
        axes = self.axes
        if len(shape) != len(axes):
            raise ArgumentError(
                f"an array of {len(shape)} dimensions for an image of {len(axes)}",
                path=self.folder,
            )
        place = self._channel_axis()
        if place is None:
            return
        count = len(self.channel_names)
        text = f"{shape[place]} channels for an image of {count}"
        if shape[place] > count:
            raise ArgumentError(
                text, path=self.folder, hint="name the others with append_channel"
            )
        if shape[place] < count:
            log.warning("%s: %s", self.folder, text)

    def _list_array(
        self,
        name: str,
        dtype: np.dtype[np.generic],
        ndim: int,
        transformations: list[dict[str, Any]],
    ) -> None:
        """Name the array in the metadata of the image, which are made if need be."""
        axes = self.axes
        if ndim != len(axes):
            return
        version = self._write_version
        described = self._describes_itself(dtype, version)

        def change(block: dict[str, Any]) -> None:
            if multiscale.find_multiscale(block) is None:
                title = self._path.rpartition("/")[2] or self.folder.stem
                block.update(multiscale.new_image(title, axes, version))
                block.update(described)
            multiscale.add_level(block, name, transformations)

        self._change(change)

    def _describes_itself(
        self, dtype: np.dtype[np.generic], version: str
    ) -> dict[str, Any]:
        """Return what a new image says beside its levels."""
        return {"omero": channels.omero_block(self.channel_names, dtype, version)}
