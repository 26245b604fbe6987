"""`Dataset`: an NDTiff store as pycro-manager documents it.

Scripts written for ``pycromanager.Dataset`` (and ``ndstorage.Dataset``) run with the
import changed, with the old names of arguments as well as the new ones. Where the
documents and the reference library differ, this follows the documents; a request that
fits no image or several is an error, never a wrong image or silent zeros.

The class comes in three parts: what a store says of itself is in `dataset_facts`,
single images in `dataset_images`, arrays and life here. All of them only translate:
frames are found by `dataset_axes`, arrays are made by `dataset_arrays`, resolutions and
waiting are in `dataset_levels`.

Examples
--------
>>> import tempfile, numpy as np
>>> from napari_scope.formats.ndtiff import NDTiffWriter
>>> folder = tempfile.mkdtemp()
>>> with NDTiffWriter(folder, summary={}) as writer:
...     for z in range(3):
...         for channel in ("DAPI", "FITC"):
...             axes = {"z": z, "channel": channel}
...             _ = writer.put(axes, np.full((4, 5), z, "u2"))
>>> with Dataset(folder) as dataset:
...     print(dataset.axes)
...     print(dataset.read_image(z=2, channel_name="FITC").max())
...     print(dataset.as_array().shape)
{'channel': ['DAPI', 'FITC'], 'z': [0, 1, 2]}
2
(2, 3, 4, 5)
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.dataset_axes import CHANNEL
from napari_scope.formats.ndtiff.dataset_images import ImageAccess
from napari_scope.formats.ndtiff.dataset_levels import Levels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt
    from dask.array import Array

    from napari_scope.formats.ndtiff.dataset_choice import Choice

__all__ = ["Dataset"]

_log = logging.getLogger(__name__)


class Dataset(ImageAccess):
    """An NDTiff store, finished or still being written. Thread safe.

    It opens every version of the format, plain or tiled, and takes the path of the
    store's folder, of one of its level folders, or of an index. Images are addressed by
    their axes, see `read_image`. A data set can be used in a ``with`` block, and be
    pickled: another process opens the store anew.

    Parameters
    ----------
    dataset_path : str or PathLike
        The store. ``path`` is another name of this argument.
    full_res_only : bool
        If False all resolution levels are opened at once, so that an error in one is
        raised here; by default each is opened when it is first asked for. What can be
        read is the same.
    remote_storage_monitor : object, optional
        Has no effect: a store that is being written is followed by its index, whoever
        writes it (see `await_new_image`).
    summary_metadata : mapping, optional
        Summary metadata in place of those in the store.
    file_io : object, optional
        Has no effect: only files that the system can open are read. It is there for
        scripts that give the default of the reference library.
    path : str or PathLike, optional
        The store, if it is given by this name.

    Raises
    ------
    FormatError
        It is no NDTiff store, or it cannot be read.
    TypeError
        No path is given, or two.

    Notes
    -----
    What is damaged or missing is listed in ``problems``; the rest can be read. Errors
    are of classes in `napari_scope.errors`: `MissingImageError` (also a KeyError) for
    an image that is not there, `FormatError` for one that cannot be read, and
    `DatasetClosedError` (also a ValueError) after `close`.
    """

    def __init__(
        self,
        dataset_path: str | os.PathLike[str] | None = None,
        full_res_only: bool = True,
        remote_storage_monitor: object = None,
        *,
        summary_metadata: Mapping[str, object] | None = None,
        file_io: object = None,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        if (dataset_path is None) == (path is None):
            raise TypeError("Dataset takes one path, as dataset_path or as path")
        given = path if dataset_path is None else dataset_path
        assert given is not None
        self._full_res_only = full_res_only
        self._given_summary = None if summary_metadata is None else {**summary_metadata}
        try:
            levels = Levels(given, self._given_summary)
        except FormatError as error:
            if file_io is None:
                raise
            raise FormatError(
                error.message,
                path=error.path,
                hint="file_io is not used: only files of this computer are read",
            ) from error
        super().__init__(levels)
        if not full_res_only:
            for level in self._levels.layout.levels:
                self._levels.level(level)

    # ------------------------------------------------------------ all images

    def as_array(
        self,
        axes: Sequence[str] | None = None,
        stitched: bool = False,
        verbose: bool = True,
        res_level: int = 0,
        *,
        resolution_level: int | None = None,
        **slices: object,
    ) -> Array:
        """Return all images as one dask array; no pixel is read.

        ``numpy.asarray(array)`` reads it all, slices read what they show. It computes
        on threads, in processes and on a distributed scheduler, also after `close`.
        What is added to the store later is not in it.

        Parameters
        ----------
        axes : sequence of str, optional
            The axes before y and x in the order of the array; by default all that are
            not sliced, in the order of ``axes``. An axis that is neither named nor
            sliced must have one value. A single string is one name.
        stitched : bool
            Lay tiles out by row and column, without their overlap, to one image. Only
            the tiles that are touched are read.
        verbose : bool
            Log the shape (level INFO of the logger ``napari_scope``); nothing is
            printed.
        res_level : int
            Resolution level, as it is stored: a coarser level may cover a little more
            than the images do, see `as_pyramid`.
        resolution_level : int, optional
            The same as ``res_level``.
        **slices : int, str or list of them
            For an axis one value, which drops it (``z=0``), or several
            (``z=[0, 2]``, ``z=range(5)``), which keep it with these. On an axis of
            names integers count them. ``channel_name`` and ``col`` are understood.

        Returns
        -------
        dask.array.Array
            Shape (*axes, y, x), or (*axes, y, x, 3) of RGB. Zeros where no image was
            saved or none can be read: see `image_mask`. An image that lacks an axis
            stands at the first value of it, and is hidden if another image is saved
            there; `read_image` finds it.

        Raises
        ------
        MissingImageError
            There is no such axis or value, or an axis with several values is left out.
        FormatError
            The images differ in size or type (it says how to slice them apart), none
            can be read, or they cannot be stitched.
        ValueError
            An axis is named twice, or named and dropped.
        DatasetClosedError
            After `close`.
        """
        from napari_scope.formats.ndtiff.dataset_arrays import frame_array, tile_arrays

        level = res_level if resolution_level is None else resolution_level
        choice = self._choice(axes, slices, level, stitched=stitched)
        if stitched:
            (array,) = tile_arrays(
                choice,
                [choice.addresses.catalog],
                self._overlap(level),
                self._token(f"level {level}", live=level == 0),
            )
        else:
            array = frame_array(choice, self._token(f"level {level}", live=level == 0))
        if verbose:
            axes = [*choice.left, "y", "x"]
            axes += ["rgb"] * (array.ndim - len(axes))
            _log.info("%s: array of %s, %s", self.path, array.shape, ", ".join(axes))
        return array

    def as_pyramid(
        self, axes: Sequence[str] | None = None, **slices: object
    ) -> list[Array]:
        """Return stitched arrays of all resolutions, which all cover the same area.

        Parameters
        ----------
        axes : sequence of str, optional
            As in `as_array`.
        **slices : int, str or list of them
            As in `as_array`.

        Returns
        -------
        list of dask.array.Array
            The finest first; each is half as high and wide as the one before. Levels
            below 16 pixels are left out. A store without tiles has one.

        Raises
        ------
        MissingImageError, FormatError, ValueError, DatasetClosedError
            As `as_array`.
        """
        from napari_scope.formats.ndtiff.dataset_arrays import frame_array, tile_arrays

        tiled = {"row", "column"} <= self._levels.newest.values.keys()
        choice = self._choice(axes, slices, 0, stitched=tiled)
        if not tiled:
            return [frame_array(choice, self._token("level 0"))]
        catalogs = [choice.addresses.catalog]
        catalogs += [addresses.catalog for addresses in self._levels.pyramid()[1:]]
        token = self._token("pyramid", live=False)
        return tile_arrays(choice, catalogs, self._overlap(0), token)

    def image_mask(
        self,
        axes: Sequence[str] | None = None,
        stitched: bool = False,
        res_level: int = 0,
        *,
        resolution_level: int | None = None,
        **slices: object,
    ) -> npt.NDArray[np.bool_]:
        """Return which images of `as_array` are there; the others are zeros.

        Parameters
        ----------
        axes : sequence of str, optional
            As in `as_array`.
        stitched : bool
            As in `as_array`.
        res_level : int
            Resolution level.
        resolution_level : int, optional
            The same as ``res_level``.
        **slices : int, str or list of them
            As in `as_array`.

        Returns
        -------
        ndarray of bool
            Shape (*axes). Of stitched tiles (*axes, rows, columns): one value for each
            place in the grid, from the smallest row and column to the largest. Images
            that cannot be read are False.

        Raises
        ------
        MissingImageError, FormatError, ValueError, DatasetClosedError
            As `as_array`; images of different sizes are no error unless stitched. A
            mask of more than 256 MiB is one (FormatError): a few images may lie far
            apart on several axes.
        """
        from napari_scope.formats.ndtiff.dataset_arrays import frame_mask, tile_mask

        level = res_level if resolution_level is None else resolution_level
        choice = self._choice(axes, slices, level, stitched=stitched)
        if stitched:
            return tile_mask(choice, self._overlap(level))
        return frame_mask(choice)

    def _choice(
        self,
        axes: Sequence[str] | None,
        slices: Mapping[str, object],
        level: int,
        *,
        stitched: bool,
    ) -> Choice:
        from napari_scope.formats.ndtiff.dataset_choice import choose

        addresses = self._levels.level(level)
        own = addresses.values
        named = {}
        for name, value in slices.items():
            if name == "col" and name not in own:
                name = "column"
            elif name == "channel_name" and name not in own:
                if value is None:
                    continue
                name, value = CHANNEL, addresses.channel_of(value)
            elif name == CHANNEL and name not in own and value == 0:
                continue
            named[name] = value
        if isinstance(axes, str):
            axes = [axes]
        if axes is not None:
            axes = ["column" if n == "col" and n not in own else n for n in axes]
        return choose(addresses, axes, named, stitched=stitched)

    def _overlap(self, level: int) -> tuple[int, int]:
        # Coarser tiles are stored without overlap.
        return (self.overlap or (0, 0)) if level == 0 else (0, 0)

    def _token(self, what: str, *, live: bool = True) -> str | None:
        """Return a name of pixels that are what they are, or None.

        Coarser tiles (not ``live``) are filled in place while a store grows.
        """
        if not live and not self.is_finished():
            return None
        levels = self._levels
        try:
            changed = max(
                entry.stat().st_mtime_ns
                for folder in levels.layout.levels.values()
                for entry in os.scandir(folder)
            )
        except (OSError, ValueError):
            return None
        return f"ndtiff {levels.folder} {what} {levels.count} {changed}"

    # ------------------------------------------------------------ while it grows

    def refresh(self) -> int:
        """Take in the images that were added to the store; returns how many.

        Only the end of the index is read. An image that is asked for and is not there
        makes a store that is being written look for itself, too.

        Raises
        ------
        FormatError
            The index is gone, or was replaced by a shorter one.
        DatasetClosedError
            After `close`.
        """
        return self._levels.refresh()

    def has_new_image(self) -> bool:
        """Return whether images came since this was last asked, or since opening."""
        return self._levels.has_new()

    def await_new_image(self, timeout: float | None = None) -> bool:
        """Wait until an image comes.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; by default until the store is finished. A writer
            that was killed never finishes its store.

        Returns
        -------
        bool
            True if images came since `has_new_image` or this was last asked, or since
            opening; False if the time is over or the store is finished.
        """
        return self._levels.wait_for_new(timeout)

    def is_finished(self) -> bool:
        """Return whether the store was closed by its writer.

        False while it is written, and for ever if its writer was killed.
        """
        return self._levels.reader.finished

    def block_until_finished(self, timeout: float | None = None) -> bool:
        """Wait until the store was closed by its writer.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most.

        Returns
        -------
        bool
            Whether it is finished; all its images are known then.
        """
        return self._levels.wait_for_end(timeout)

    # ------------------------------------------------------------ the end

    def close(self) -> None:
        """Close the files; again is harmless.

        Reading then raises `DatasetClosedError`. Arrays that were made before still
        work, and open the files again; what is known of the store stays.
        """
        self._levels.close()
        self._lane = None

    def __enter__(self) -> Dataset:
        """Return the data set itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        # Another process opens the store, open or closed as it may be here.
        arguments = str(self.path), self._full_res_only, self._given_summary
        return _opened, arguments

    def __repr__(self) -> str:
        """Show path, axes and type."""
        addresses = self._levels.newest
        axes = ", ".join(f"{n}: {len(addresses.values[n])}" for n in addresses.names)
        size = f"{self.image_height} x {self.image_width} {self.dtype}"
        closed = "" if self._levels.full else ", closed"
        return (
            f"<Dataset {str(self.path)!r}, {len(addresses.catalog)} images of {size}, "
            f"axes {{{axes}}}{closed}>"
        )


def _opened(
    path: str, full_res_only: bool, summary: Mapping[str, object] | None
) -> Dataset:
    return Dataset(path, full_res_only, summary_metadata=summary)
