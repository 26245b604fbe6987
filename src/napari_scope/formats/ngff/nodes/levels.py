"""The pyramid of an image: made, computed anew, removed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.nodes import multiscale
from napari_scope.formats.ngff.nodes.failures import ArgumentError, LayoutError
from napari_scope.formats.ngff.nodes.image_node import ImageNode
from napari_scope.formats.ngff.pyramid import build as pyramids

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["PyramidMethods"]

_DIMS = ("z", "y", "x")


class PyramidMethods(ImageNode):
    """What an image node does with its coarser levels."""

    _methods: tuple[str, ...] = ("mean", "median", "mode", "min", "max", "stride")

    def initialize_pyramid(
        self, levels: int, dims: Collection[str] | None = None
    ) -> None:
        """Make the arrays of a pyramid, each half of the one before, without pixels.

        Odd lengths round up. Scales and translations are written: a coarse pixel lies
        in the middle of those it stands for. Chunks, shards and codecs are those of
        full resolution.

        Parameters
        ----------
        levels : int
            Number of levels, full resolution counted, so 1 does nothing. There are
            fewer where every axis is down to one pixel.
        dims : collection of str, optional
            Axes to scale down (``{"y", "x"}`` for planes), by default those of z, y
            and x that the image has.

        Raises
        ------
        ArgumentError
            If there is no such axis, or there are levels already (a ValueError).
        LayoutError
            If there is no array to start from (a ValueError).
        """
        chosen = self._chosen(dims)
        there = len(self._levels_now())
        if there > 1 and there != levels:
            raise self._other_count(there, levels)
        self._check_count(levels)
        self._tree.check_writable()
        with self._as_layout_error():
            pyramids.initialize_pyramid(self.folder, levels, chosen)
        self._forget()

    def compute_pyramid(
        self,
        levels: int | None = None,
        method: str = "mean",
        dims: Collection[str] | None = None,
        *,
        client: object | None = None,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Compute the coarser levels, each from the one before.

        Levels that are not there are made. Memory is bounded, and threads share the
        work.

        Parameters
        ----------
        levels : int, optional
            Number of levels, full resolution counted; by default those that are there.
        method : str
            "mean" (rounded for integers), "median", "mode", "min", "max" or "stride".
        dims : collection of str, optional
            Axes to scale down where there is no pyramid yet, as in
            `initialize_pyramid`.
        client : distributed.Client, optional
            A dask cluster whose workers compute; they have to see the same folder.
        workers : int, optional
            Number of threads.
        progress : callable, optional
            Called with what is done and what there is to do.
        cancelled : callable, optional
            Returns whether to give up; the image is then as it was.

        Raises
        ------
        LayoutError, ArgumentError
            If there is no full resolution, the pyramid is damaged, or it has another
            number of levels (ValueErrors).

        Examples
        --------
        Create and compute a pyramid with 4 levels, compute it anew, make another one:

        >>> position.compute_pyramid(levels=4, method="mean")  # doctest: +SKIP
        >>> position.compute_pyramid(method="median")  # doctest: +SKIP
        >>> position.delete_pyramid()  # doctest: +SKIP
        >>> position.compute_pyramid(levels=3, method="mean")  # doctest: +SKIP
        """
        if method not in self._methods:
            raise ArgumentError(
                f"the method {method!r} is not known",
                path=self.folder,
                hint=f"use {', '.join(self._methods)}",
            )
        chosen = self._chosen(dims)
        there = len(self._levels_now())
        if levels is None and there == 1:
            raise ArgumentError(
                "there is no pyramid yet",
                path=self.folder,
                hint="say how many levels it shall have: levels=4",
            )
        if levels is not None:
            self._check_count(levels)
            if there > 1 and levels != there:
                raise self._other_count(there, levels)
        self._tree.check_writable()
        with self._as_layout_error():
            pyramids.build_pyramid(
                self.folder,
                levels=levels,
                method=method,
                dims=chosen,
                client=client,
                workers=workers,
                progress=progress,
                cancelled=cancelled,
            )
        self._forget()

    def delete_pyramid(self) -> None:
        """Remove all levels but full resolution, arrays and metadata.

        Then `compute_pyramid` can make another number of them.
        """
        self._tree.check_writable()
        if len(self._levels_now()) > 1:
            pyramids.delete_pyramid(self.folder)
            self._forget()

    @contextmanager
    def _as_layout_error(self) -> Iterator[None]:
        """Raise what is wrong with the levels as the ValueError that scripts expect."""
        try:
            yield
        except FormatError as error:
            text, place, hint = error.message, error.path, error.hint
            raise LayoutError(text, path=place, hint=hint) from error

    def _levels_now(self) -> list[str]:
        """Return the levels as they are on disk at this moment; there is one."""
        self._forget()
        paths = multiscale.level_paths(self._ome)
        if not paths or not self._tree.is_array(f"{self._path}/{paths[0]}".strip("/")):
            raise LayoutError(
                "there is no full resolution",
                path=self.folder,
                hint="create the image before its pyramid",
            )
        return paths

    def _chosen(self, dims: Collection[str] | None) -> list[str]:
        names = self.axis_names
        if dims is None:
            return [name for name in _DIMS if name in names]
        if isinstance(dims, str) or not dims or not set(dims) <= set(names):
            raise ArgumentError(
                f"the axes {sorted(dims)} are not axes of the image",
                path=self.folder,
                hint=f"choose of {', '.join(n for n in names if n in _DIMS)}",
            )
        return sorted(dims, key=names.index)

    def _check_count(self, levels: int) -> None:
        if type(levels) is not int or not 1 <= levels <= 64:
            raise ArgumentError(f"a pyramid of {levels!r} levels", path=self.folder)

    def _other_count(self, there: int, wanted: int) -> ArgumentError:
        return ArgumentError(
            f"the pyramid has {there} levels, not {wanted}",
            path=self.folder,
            hint="call delete_pyramid() first",
        )
