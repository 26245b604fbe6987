"""Where the spectra of a data set lie: the table of pixels.

Files count pixels from 0, from 1, or as the stage counted them; readers hand over
numbers that start at 0 where the format counts from 1, and are otherwise as the file
has them. Here everything is seen from the corner of the smallest box that holds all
pixels; where that corner lies is kept as the origin, so that nothing is moved. Not
every place of the box has a spectrum, and some have several: the last one counts.

This module knows no file, no spectrum and no unit.

Examples
--------
>>> table = PixelTable.of([5, 6, 6], [2, 2, 3])
>>> table.shape, table.origin, table.image(np.array([1.0, 2.0, 3.0])).tolist()
((2, 2, 1), (5, 2, 0), [[1.0, 2.0], [0.0, 3.0]])
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

__all__ = ["PixelTable", "Region"]

Value = TypeVar("Value", bound=np.generic)

# A damaged number must not make us reserve a map of the whole world.
_MOST_PLACES = 1 << 28


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a data set that was imaged on its own, with the box around it.

    Parameters
    ----------
    index : int
        Its number, from 0.
    name : str
        What the file calls it.
    origin : tuple of int
        Smallest x, y and z, as the file counts.
    shape : tuple of int
        Width, height and depth of the box, in pixels.
    count : int
        How many spectra it has.
    """

    index: int
    name: str
    origin: tuple[int, int, int]
    shape: tuple[int, int, int]
    count: int


@dataclass(frozen=True, eq=False)
class PixelTable:
    """Place and region of each spectrum, in the order of the file.

    Parameters
    ----------
    x, y, z : ndarray of int64, (spectra,)
        Place of each spectrum. x grows to the right, y downwards.
    region : ndarray of int64, (spectra,)
        Number of the region of each spectrum, from 0.
    names : tuple of str
        Names of the regions; one without a name is called by its number.
    """

    x: Integers
    y: Integers
    z: Integers
    region: Integers
    names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        z: npt.ArrayLike | None = None,
        region: npt.ArrayLike | None = None,
        names: Iterable[str] = (),
    ) -> PixelTable:
        """Make a table from sequences; z and region are 0 if they are not given.

        Raises
        ------
        FormatError
            If the sequences differ in length, or the pixels lie so far apart that the
            box around them has more than 2**28 places.
        """
        columns = [
            np.zeros(len(np.atleast_1d(x)), np.int64)
            if values is None
            else np.atleast_1d(np.asarray(values)).astype(np.int64)
            for values in (x, y, z, region)
        ]
        if len({len(column) for column in columns}) > 1:
            raise FormatError(
                "the coordinates of the pixels differ in number: "
                + ", ".join(str(len(column)) for column in columns)
            )
        table = cls(columns[0], columns[1], columns[2], columns[3], tuple(names))
        places = int(np.prod([float(n) for n in table.shape]))
        if places > _MOST_PLACES:
            raise FormatError(
                f"{len(table):,} pixels lie in a box of {table.shape} places",
                hint="a coordinate is probably damaged",
            )
        return table

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def origin(self) -> tuple[int, int, int]:
        """Smallest x, y and z; zeros of an empty table."""
        if not len(self):
            return (0, 0, 0)
        return int(self.x.min()), int(self.y.min()), int(self.z.min())

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Width, height and depth of the box around all pixels."""
        if not len(self):
            return (0, 0, 0)
        ends = (int(column.max()) + 1 for column in (self.x, self.y, self.z))
        width, height, depth = (
            end - start for end, start in zip(ends, self.origin, strict=True)
        )
        return width, height, depth

    @cached_property
    def places(self) -> Integers:
        """Place of each spectrum in the flat image of axes (z, y, x)."""
        width, height, _ = self.shape
        x0, y0, z0 = self.origin
        return ((self.z - z0) * height + (self.y - y0)) * width + (self.x - x0)

    @cached_property
    def grid(self) -> Integers:
        """Number of the spectrum at each place, -1 where there is none: (z, y, x)."""
        width, height, depth = self.shape
        flat = np.full(width * height * depth, -1, np.int64)
        flat[self.places] = np.arange(len(self))
        return flat.reshape(depth, height, width)

    @cached_property
    def duplicates(self) -> int:
        """How many spectra lie where a later one lies, too."""
        return len(self) - int((self.grid >= 0).sum())

    @property
    def is_volume(self) -> bool:
        """Whether there is more than one z."""
        return self.shape[2] > 1

    def number_at(self, x: int, y: int, z: int = 0) -> int | None:
        """Return the number of the spectrum at a place of the box, or None.

        Raises
        ------
        IndexError
            If the place lies outside of the box.
        """
        width, height, depth = self.shape
        inside = 0 <= x < width and 0 <= y < height and 0 <= z < depth
        if not inside:
            raise IndexError(
                f"({x}, {y}, {z}) lies outside of the {width} x {height} x {depth} "
                "pixels"
            )
        number = int(self.grid[z, y, x])
        return None if number < 0 else number

    def image(self, values: npt.NDArray[Value], fill: float = 0) -> npt.NDArray[Value]:
        """Lay one value a spectrum out as an image, (y, x) or (z, y, x).

        Parameters
        ----------
        values : ndarray, (spectra,)
            The values.
        fill : float
            What stands where there is no spectrum.
        """
        width, height, depth = self.shape
        flat = np.full(width * height * depth, fill, values.dtype)
        flat[self.places] = values
        image = flat.reshape(depth, height, width)
        return image if depth > 1 else image.reshape(height, width)

    def numbers_in(self, mask: npt.NDArray[np.bool_]) -> Integers:
        """Return the numbers of the spectra that a mask of the image covers.

        Parameters
        ----------
        mask : ndarray of bool, (y, x) or (z, y, x)
            True where a pixel belongs to it.

        Raises
        ------
        ValueError
            If the mask has another shape than the image.
        """
        width, height, depth = self.shape
        if mask.size != width * height * depth:
            raise ValueError(
                f"a mask of {height} x {width} pixels was expected, not {mask.shape}"
            )
        return np.flatnonzero(np.asarray(mask, bool).reshape(-1)[self.places])

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The regions that have spectra, by number."""
        found = []
        for index in np.unique(self.region).tolist():
            inside = self.region == index
            columns = [c[inside] for c in (self.x, self.y, self.z)]
            low = [int(c.min()) for c in columns]
            size = [int(c.max()) + 1 - n for c, n in zip(columns, low, strict=True)]
            name = self.names[index] if 0 <= index < len(self.names) else ""
            found.append(
                Region(
                    index,
                    name or f"region {index}",
                    (low[0], low[1], low[2]),
                    (size[0], size[1], size[2]),
                    int(inside.sum()),
                )
            )
        return tuple(found)

    def numbers_of(self, regions: Iterable[int]) -> Integers:
        """Return the numbers of the spectra of some regions, in the order of the file.

        Raises
        ------
        ValueError
            If there is no such region.
        """
        wanted = sorted(set(regions))
        known = [region.index for region in self.regions]
        unknown = [index for index in wanted if index not in known]
        if unknown:
            raise ValueError(f"no region {unknown[0]}; there are {known}")
        return np.flatnonzero(np.isin(self.region, wanted))

    def only(self, numbers: npt.NDArray[np.int64]) -> PixelTable:
        """Return the table of some spectra."""
        return PixelTable(
            self.x[numbers],
            self.y[numbers],
            self.z[numbers],
            self.region[numbers],
            self.names,
        )
