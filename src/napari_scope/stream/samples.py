"""What the samples of a dimension are: channels, positions, wells of a plate.

Examples
--------
>>> plate = Plate.from_standard_wells(6)
>>> plate.row_names, plate.column_names
(('A', 'B'), ('1', '2', '3'))
>>> Position(name="fov0", plate_row="A", plate_column="1").well
('A', '1')
>>> image_names(
...     [
...         Position(name="fov0", plate_row="A", plate_column="1"),
...         Position(name="fov0", plate_row="B", plate_column="1"),
...     ]
... )
('A1_fov0', 'B1_fov0')
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

__all__ = [
    "STRICT",
    "Channel",
    "Name",
    "Place",
    "Plate",
    "Position",
    "image_names",
    "row_name",
]

_COLORS = {
    "red": "#FF0000", "green": "#00FF00", "blue": "#0000FF", "cyan": "#00FFFF",
    "magenta": "#FF00FF", "yellow": "#FFFF00", "white": "#FFFFFF", "gray": "#808080",
    "grey": "#808080", "orange": "#FFA500", "lime": "#00FF00", "black": "#000000",
}  # fmt: skip

_STANDARD_PLATES = {
    6: (2, 3), 12: (3, 4), 24: (4, 6), 48: (6, 8), 96: (8, 12), 384: (16, 24),
    1536: (32, 48),
}  # fmt: skip


STRICT = ConfigDict(frozen=True, extra="forbid")
"""Settings do not change, and a field that is not known is an error."""


def _storable(name: str) -> str:
    if not name.strip():
        raise ValueError("a name must not be empty")
    if not all(c.isprintable() for c in name):
        raise ValueError(
            f"the name {name!r} has characters that cannot be stored; use letters, "
            "digits and signs that can be seen"
        )
    return name


Name = Annotated[str, AfterValidator(_storable)]
"""A name that every format can store."""

Place = Annotated[float, Field(allow_inf_nan=False)]
"""A finite number."""

Wavelength = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Nanometers."""


class Channel(BaseModel):
    """A channel.

    Parameters
    ----------
    name : str
        Its name.
    color : str or sequence of int, optional
        ``#RRGGBB``, ``#RGB``, a common name (``"red"``), or red, green and blue from
        0 to 255.
    excitation_wavelength_nm, emission_wavelength_nm : float, optional
        In nanometers.
    fluorophore : str, optional
        Name of the dye.
    """

    model_config = STRICT

    name: Name
    color: str | None = None
    excitation_wavelength_nm: Wavelength | None = None
    emission_wavelength_nm: Wavelength | None = None
    fluorophore: str | None = None

    @field_validator("color", mode="before")
    @classmethod
    def _hex(cls, value: object) -> str | None:
        if value is None:
            return None
        if isinstance(value, Sequence) and not isinstance(value, str):
            parts = [*value][:3]
            if len(value) in (3, 4) and all(
                isinstance(p, int) and 0 <= p <= 255 for p in parts
            ):
                return "#" + "".join(f"{p:02X}" for p in parts)
        if isinstance(value, str):
            known = _COLORS.get(value.lower(), value)
            if re.fullmatch(r"#[0-9a-fA-F]{3}", known):
                known = "#" + "".join(2 * digit for digit in known[1:])
            if re.fullmatch(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?", known):
                return known[:7].upper()
        raise ValueError(
            f"{value!r} is not a colour that is known; write it as '#RRGGBB'"
        )


class Position(BaseModel):
    """A position of the stage; each becomes an image of its own.

    Parameters
    ----------
    name : str
        Its name, unique in its well and grid cell.
    plate_row, plate_column : str, optional
        Names of the row and column of its well.
    grid_row, grid_column : int, optional
        Place in a grid of tiles.
    x_coord, y_coord, z_coord : float, optional
        Stage position, in the unit of the dimension ``x``, ``y`` or ``z``
        (micrometers if that has none): the centre of the image in x and y, the first
        plane in z.
    sizes : mapping, optional
        Number of samples on the dimensions on which this position has fewer than
        ``count``: ``{"z": 1}`` where no stack is taken.
    """

    model_config = STRICT

    name: Name
    plate_row: str | None = None
    plate_column: str | None = None
    grid_row: int | None = None
    grid_column: int | None = None
    x_coord: Place | None = None
    y_coord: Place | None = None
    z_coord: Place | None = None
    sizes: Mapping[str, Annotated[int, Field(ge=1)]] | None = None

    @model_validator(mode="after")
    def _pairs(self) -> Position:
        for kind in ("plate", "grid"):
            row, column = (
                getattr(self, f"{kind}_{axis}") is None for axis in ("row", "column")
            )
            if row is not column:
                raise ValueError(
                    f"position {self.name!r} has only one of {kind}_row and "
                    f"{kind}_column; give both or none"
                )
        return self

    @property
    def well(self) -> tuple[str, str] | None:
        """Row and column of the well, if it is in one."""
        if self.plate_row is None or self.plate_column is None:
            return None
        return self.plate_row, self.plate_column

    @property
    def cell(self) -> tuple[int, int] | None:
        """Row and column in the grid, if it is a tile of one."""
        if self.grid_row is None or self.grid_column is None:
            return None
        return self.grid_row, self.grid_column


class Plate(BaseModel):
    """A multi-well plate; the positions say which of its wells are used.

    Parameters
    ----------
    row_names, column_names : list of str
        Names of all rows and columns, letters and digits only.
    name : str, optional
        Its name.
    """

    model_config = STRICT

    row_names: tuple[str, ...] = Field(min_length=1)
    column_names: tuple[str, ...] = Field(min_length=1)
    name: Name | None = None

    @field_validator("row_names", "column_names")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            # They become folders; OME-NGFF allows nothing else.
            if not re.fullmatch(r"[A-Za-z0-9]+", name):
                raise ValueError(
                    f"rows and columns of a plate are named with letters and digits "
                    f"only, found {name!r}"
                )
        if len({name.lower() for name in names}) < len(names):
            raise ValueError(
                f"two rows or columns of the plate have the same name: "
                f"{', '.join(names)}"
            )
        return names

    @classmethod
    def from_standard_wells(cls, wells: int | tuple[int, int]) -> Plate:
        """Return a plate of a standard size, or of so many rows and columns.

        Parameters
        ----------
        wells : int or (int, int)
            6, 12, 24, 48, 96, 384 or 1536; or the numbers of rows and columns. Rows
            are named A to Z, then AA, AB, ...
        """
        shape = _STANDARD_PLATES.get(wells) if isinstance(wells, int) else wells
        if shape is None or len(shape) != 2 or min(shape) < 1:
            raise ValueError(
                f"there is no standard plate of {wells} wells; give one of "
                f"{', '.join(map(str, _STANDARD_PLATES))}, or (rows, columns)"
            )
        rows, columns = shape
        return cls(
            row_names=tuple(map(row_name, range(rows))),
            column_names=tuple(str(i + 1) for i in range(columns)),
        )


def row_name(number: int) -> str:
    """Return the letters of a row of a plate.

    >>> row_name(0), row_name(25), row_name(26), row_name(31)
    ('A', 'Z', 'AA', 'AF')
    """
    letters = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


def image_names(positions: Sequence[Position]) -> tuple[str, ...]:
    """Return a name for the image of each position, no two alike.

    The names of the positions themselves, where they differ; otherwise with the well
    before and the grid cell behind.
    """
    names = [position.name for position in positions]
    if len(set(names)) == len(names):
        return tuple(names)
    result: dict[str, None] = {}
    for position in positions:
        well, cell = position.well, position.cell
        stem = name = "_".join(
            [
                *(["".join(well)] if well else []),
                position.name,
                *(map(str, cell) if cell else []),
            ]
        )
        number = 1
        while name in result:
            number += 1
            name = f"{stem}_{number}"
        result[name] = None
    return tuple(result)
