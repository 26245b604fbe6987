"""Arrays of an image: `zarr.Array` with the sizes by name, opened when needed.

The shape comes from the JSON of the array; the rest (pixels, codecs, attributes) is
zarr-python's, which opens the array at the first question that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from napari_scope.formats.ngff.nodes.failures import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Self

    import dask.array as da
    import numpy.typing as npt
    import tensorstore as ts
    from zarr.core.array import AsyncArray

    from napari_scope.formats.ngff.nodes.hierarchy import Place

__all__ = ["ImageArray"]

_ORDER = "tczyx"


class ImageArray(zarr.Array[Any]):
    """An array of an image: a `zarr.Array` that knows which axis is which."""

    _opened: AsyncArray[Any] | None = None
    _opener: Callable[[], AsyncArray[Any]] | None = None
    _known_shape: tuple[int, ...] | None = None
    _axis_names: Sequence[str] | Callable[[], Sequence[str] | None] | None = None

    @classmethod
    def from_zarr_array(
        cls, array: zarr.Array[Any], axis_names: Sequence[str] | None = None
    ) -> Self:
        """Return an array that was opened with zarr-python as one of this class."""
        made = cls(array.async_array)
        made._axis_names = axis_names
        return made

    @classmethod
    def at(
        cls,
        place: Place,
        shape: tuple[int, ...] | None = None,
        axis_names: Callable[[], Sequence[str] | None] | None = None,
    ) -> Self:
        """Return the array at a place of a store; it is opened when needed.

        Parameters
        ----------
        place : Place
            The store and the path of the array.
        shape : tuple of int, optional
            What the JSON says.
        axis_names : callable, optional
            Returns the lower-case names of the axes.
        """
        made = cls.__new__(cls)
        made._opener = lambda: _open(place)
        made._known_shape = shape
        made._axis_names = axis_names
        return made

    # zarr.Array keeps all it has here; that is what makes it possible to open late.
    @property
    def _async_array(self) -> AsyncArray[Any]:
        if self._opened is None:
            assert self._opener is not None
            self._opened = self._opener()
        return self._opened

    @_async_array.setter
    def _async_array(self, array: AsyncArray[Any]) -> None:
        self._opened = array

    def __reduce__(self) -> tuple[object, ...]:
        # For workers in other processes; what opens the array is not to be sent.
        return _rebuild, (type(self), self._async_array, self._names())

    def _names(self) -> Sequence[str] | None:
        names = self._axis_names
        return names() if callable(names) else names

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis; assign to it or use ``resize`` to change it."""
        if self._opened is None and self._known_shape is not None:
            return self._known_shape
        shape: tuple[int, ...] = self._async_array.shape
        return shape

    @shape.setter
    def shape(self, value: tuple[int, ...]) -> None:
        self.resize(value)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def frames(self) -> int:
        """Number of time points."""
        return self._length("t")

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._length("c")

    @property
    def slices(self) -> int:
        """Number of planes in z."""
        return self._length("z")

    @property
    def height(self) -> int:
        """Number of pixels in y."""
        return self._length("y")

    @property
    def width(self) -> int:
        """Number of pixels in x."""
        return self._length("x")

    def _length(self, name: str) -> int:
        shape = self.shape
        names = self._names()
        if names is None or len(names) != len(shape) or not set(names) <= set(_ORDER):
            names = _ORDER[-len(shape) :]
        lengths = dict(zip(names, shape, strict=False))
        return lengths.get(name, 1)

    @property
    def folder(self) -> Path:
        """Folder of the array."""
        from pathlib import Path

        root: Path = Path(self.store.root)  # type: ignore[attr-defined]
        return root / self.path

    def numpy(self) -> npt.NDArray[Any]:
        """Read all of it into memory."""
        return np.asarray(self[...])

    def dask_array(self) -> da.Array:
        """Return a dask array, one block for each chunk; nothing is read yet."""
        import dask.array as da

        lazy: da.Array = da.from_zarr(self)  # type: ignore[no-untyped-call]
        return lazy

    def tensorstore(self, **kwargs: Any) -> ts.TensorStore:
        """Open the array with tensorstore, writable if the store is.

        Parameters
        ----------
        **kwargs : dict, optional
            What else ``tensorstore.open`` shall know.

        Raises
        ------
        ArgumentError
            If ``read`` or ``write`` are among them.
        """
        import tensorstore as ts

        if "read" in kwargs or "write" in kwargs:
            raise ArgumentError(
                "the mode of the store decides whether an array can be written",
                path=self.folder,
                hint="open the store with mode='r' or 'r+' instead",
            )
        spec = {
            "driver": "zarr" if self.metadata.zarr_format == 2 else "zarr3",
            "kvstore": {"driver": "file", "path": f"{self.folder.as_posix()}/"},
        }
        # A store for reading has no write mode; False would be refused beside others.
        return ts.open(
            spec, open=True, read=True, write=not self.read_only, **kwargs
        ).result()


def _open(place: Place) -> AsyncArray[Any]:
    from zarr.storage import LocalStore

    tree = place.tree
    array = zarr.open_array(
        LocalStore(tree.root, read_only=not tree.writable),
        path=place.path,
        mode="r+" if tree.writable else "r",
    )
    opened: AsyncArray[Any] = array.async_array
    return opened


def _rebuild(
    kind: type[ImageArray], array: AsyncArray[Any], names: Sequence[str] | None
) -> ImageArray:
    made = kind(array)
    made._axis_names = names
    return made
