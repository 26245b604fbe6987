"""A plate as it is looked at: one large image of all fields of all wells.

`open_plate` reads the document of the plate, one well and its first field, which takes
milliseconds however large the plate is. Everything else is read by the first look at
it: the lists of fields, what the fields say of themselves, their arrays and pixels.

What is shown is a `Dataset` with one image for each acquisition, whose levels are lazy
mosaics. The arrangement is in `plate_layout`, the reading in `plate_fields` and
`plate_pixels`; here is what is looked at first, and what follows from it for all.

Examples
--------
>>> view = open_plate("screen.ome.zarr")  # doctest: +SKIP
>>> view.rows, len(view.wells)  # doctest: +SKIP
(('A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'), 96)
>>> (image,) = view.dataset().images  # doctest: +SKIP
>>> [level.shape for level in image.levels]  # doctest: +SKIP
[(1, 3, 1, 8960, 13440), (1, 3, 1, 4480, 6720), (1, 3, 1, 2240, 3360)]
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_scope.arrays.tile_cache import TileCache
from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import ome_block, read_image
from napari_scope.formats.ngff.label_images import read_labels
from napari_scope.formats.ngff.plate.fields import WellLists, joined
from napari_scope.formats.ngff.plate.listing import read_listing
from napari_scope.formats.ngff.plate.mosaic import PlateMosaic
from napari_scope.formats.ngff.plate.pixels import Reading
from napari_scope.formats.ngff.plate.problems import PlateProblems
from napari_scope.formats.ngff.store import Store
from napari_scope.model import Dataset

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Sequence

    from napari_scope.formats.ngff.plate.listing import (
        Acquisition,
        PlateListing,
        PlateWell,
        WellField,
    )
    from napari_scope.model import Image

__all__ = ["PlateView", "is_plate", "open_plate"]

_TILE_BYTES = 512 * 2**20
_PLANE_BYTES = 256 * 2**20
_LOCAL_THREADS = 4  # more only wait for each other
_REMOTE_THREADS = 16  # each waits for the network most of the time
_SUFFIXES = (".ozx", ".zip", ".zarr", ".ome")


def is_plate(store: Store) -> bool:
    """Return whether the root of a store is a plate."""
    return isinstance(ome_block(store.attributes()).get("plate"), dict)


def open_plate(path: str | os.PathLike[str] | Store, *, keep: bool = True) -> PlateView:
    """Open a plate, or one well as a plate of its own.

    Parameters
    ----------
    path : str, PathLike or Store
        The root of the plate, or the group of a well: a folder, an address, or an
        opened store.
    keep : bool
        Whether tiles are kept in memory; not so for a plate that is being written.

    Returns
    -------
    PlateView
        Nothing but the document of the plate was read for it.

    Raises
    ------
    FormatError
        If it is neither a plate nor a well.
    """
    store = path if isinstance(path, Store) else Store(path)
    listing = read_listing(ome_block(store.attributes()))
    if listing is None:
        raise FormatError(
            "no plate: plate or well was expected in the attributes",
            path=store.place(),
        )
    return PlateView(store, listing, keep=keep)


class PlateView:
    """A plate that was opened; see `open_plate`.

    Parameters
    ----------
    store : Store
        The plate.
    listing : PlateListing
        What its document lists.
    keep : bool
        Whether tiles are kept in memory.
    """

    def __init__(
        self, store: Store, listing: PlateListing, *, keep: bool = True
    ) -> None:
        self._store = store
        self._listing = listing
        self._keep = keep
        self._problems = PlateProblems(listing.problems)
        self._lists = WellLists(store, self._problems.add)
        workers = _LOCAL_THREADS if store.local else _REMOTE_THREADS
        # Its threads end when the view is gone: the pool only knows of their work.
        self._reading = Reading(
            ThreadPoolExecutor(workers, "napari-scope plate"),
            workers,
            TileCache(_TILE_BYTES if keep else 0),
            TileCache(_PLANE_BYTES if keep else 0),
            self._problems.add,
            self._problems.tell,
        )
        self._mosaics: dict[object, PlateMosaic] = {}
        self._lock = threading.RLock()

    # ---- what the document of the plate says

    @property
    def path(self) -> str:
        """Folder or address of the plate, by which it can be opened again."""
        return self._store.address

    @property
    def place(self) -> str:
        """Folder or address as messages show it, without what is secret in it."""
        return self._store.place()

    @property
    def name(self) -> str:
        """Name of the plate, or of its folder."""
        if self._listing.name:
            return self._listing.name
        name = self._store.title
        for suffix in _SUFFIXES:
            name = name.removesuffix(suffix)
        return name or "plate"

    @property
    def version(self) -> str:
        """Version of OME-Zarr."""
        return self._listing.version

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of all rows."""
        return self._listing.rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return self._listing.columns

    @property
    def wells(self) -> tuple[PlateWell, ...]:
        """The wells that the plate has."""
        return self._listing.wells

    @property
    def acquisitions(self) -> tuple[Acquisition, ...]:
        """The runs over the plate, as far as they are listed."""
        return self._listing.acquisitions

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read so far."""
        return self._problems.all

    def listen_for_problems(self, listener: Callable[[tuple[str, ...]], None]) -> None:
        """Have what cannot be read from now on told to a function.

        It is called in the thread that reads, with all that was found in one go.
        """
        self._problems.listen(listener)

    # ---- wells and fields

    def well(self, row: str, column: str) -> PlateWell:
        """Return a well by the names of its row and column.

        Raises
        ------
        KeyError
            If the plate has no such well.
        """
        for well in self.wells:
            if (well.row, well.column) == (row, column):
                return well
        raise KeyError(f"the plate has no well in row {row!r}, column {column!r}")

    def fields(self, well: PlateWell) -> tuple[WellField, ...]:
        """Return the fields of a well; none if it cannot be read."""
        return self._lists.of([well])[0]

    def fields_of(self, wells: Sequence[PlateWell]) -> list[tuple[WellField, ...]]:
        """Return the fields of many wells, which are read in one go."""
        return self._lists.of(wells)

    def field_image(self, row: str, column: str, field: str | int) -> Image:
        """Return one field as an image of its own.

        Parameters
        ----------
        row, column : str
            Names of row and column.
        field : str or int
            Path of the field below the well, or its place in the list of the well.

        Raises
        ------
        KeyError
            If there is no such well or field.
        FormatError
            If the field cannot be read.
        """
        well = self.well(row, column)
        names = [one.path for one in self.fields(well)]
        if isinstance(field, int) and -len(names) <= field < len(names):
            field = names[field]
        if field not in names:
            raise KeyError(f"well {well.path} has no field {field!r}: {names}")
        path = joined(well.path, str(field))
        read = read_image(self._store, path)
        labels, _ = read_labels(self._store, path, read.attributes)
        return replace(read.image, labels=labels)

    # ---- what is shown

    def dataset(
        self,
        acquisition: int | None = None,
        wells: Collection[tuple[str, str]] | None = None,
    ) -> Dataset:
        """Return the plate as images that can be shown.

        Parameters
        ----------
        acquisition : int, optional
            Identity of the only one wanted; by default there is an image for each.
        wells : collection of (str, str), optional
            Rows and columns of the wells that are wanted, by name; by default all, and
            room for those that the plate lacks.

        Raises
        ------
        KeyError
            If the plate has no such acquisition or wells.
        FormatError
            If not one field can be read.
        """
        mosaics = self.mosaics(acquisition, wells)
        return Dataset(
            path=self.path,
            format="ome-zarr",
            format_version=self.version,
            images=tuple(mosaic.image for mosaic in mosaics),
            problems=self.problems,
            metadata={
                "layout": "plate" if self.rows != ("",) else "well",
                "plate": self.name,
                "rows": len(self.rows),
                "columns": len(self.columns),
                "wells": len(self.wells),
            },
        )

    def mosaics(
        self,
        acquisition: int | None = None,
        wells: Collection[tuple[str, str]] | None = None,
    ) -> list[PlateMosaic]:
        """Return the mosaics behind the images of `dataset`."""
        chosen = self._chosen(wells)
        several = len(self.acquisitions) > 1
        known = {one.id: one for one in self.acquisitions}
        if acquisition is not None and acquisition not in known:
            raise KeyError(
                f"the plate has no acquisition {acquisition}, it has {list(known)}"
            )
        wanted: list[Acquisition | None] = [None]
        if several:
            ids = known if acquisition is None else (acquisition,)
            wanted = [known[key] for key in ids]
        found: list[PlateMosaic] = []
        errors: list[FormatError] = []
        for one in wanted:
            try:
                found.append(self._mosaic(one, chosen))
            except FormatError as error:
                errors.append(error)
                if len(wanted) > 1 and one is not None:
                    self._problems.add(f"acquisition {one.name} is left out: {error}")
        if not found:
            raise errors[0]
        return found

    def _chosen(
        self, wells: Collection[tuple[str, str]] | None
    ) -> tuple[PlateWell, ...] | None:
        if wells is None:
            return None
        return tuple(self.well(*names) for names in dict.fromkeys(wells))

    def _mosaic(
        self, acquisition: Acquisition | None, wells: tuple[PlateWell, ...] | None
    ) -> PlateMosaic:
        with self._lock:
            key = acquisition, wells
            if key not in self._mosaics:
                self._mosaics[key] = PlateMosaic(
                    self._store,
                    self._listing,
                    self._lists,
                    self._reading,
                    name=self.name,
                    acquisition=acquisition,
                    wells=wells,
                )
            return self._mosaics[key]

    # ---- threads and memory

    def forget(self) -> None:
        """Give back the memory of all tiles."""
        self._reading.tiles.clear()
        self._reading.planes.clear()

    def __repr__(self) -> str:
        """Name the plate and its size."""
        return f"<PlateView {self.name!r}: {len(self.wells)} wells, {self.place}>"
