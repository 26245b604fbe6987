r"""Lists of ions: an m/z with a tolerance and a name, as a table of text has them.

The table (CSV, separated by commas, semicolons or tabs) has the columns ``mz``, and if
wanted ``name``, ``tolerance`` and ``unit`` (Da or ppm), in any order, named in its
first line; so is a unit there, as in "tolerance (mDa)". Without names of columns the
first one is the m/z, a second one the name.

Examples
--------
>>> parse_ions("name;mz;tolerance;unit\nPI 38:4;885,55;10;ppm")
[Ion(mz=885.55, tolerance=10.0, unit='ppm', name='PI 38:4')]
>>> parse_ions("301.2\n885.55, PI 38:4", tolerance=0.1)[1]
Ion(mz=885.55, tolerance=0.1, unit='Da', name='PI 38:4')
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError, SettingsError

if TYPE_CHECKING:
    from napari_scope.formats.msi.windows import ToleranceUnit

    PathLike = str | os.PathLike[str]

__all__ = ["Ion", "decoded", "parse_ions", "read_ions"]

_MOST_BYTES = 1 << 24
_REMARK = re.compile(r"\s*[(\[]\s*([^)\]]*)")  # of a heading: "m/z [Da]"
_UNITS: dict[str, tuple[ToleranceUnit, float]] = {
    "da": ("Da", 1), "ppm": ("ppm", 1), "u": ("Da", 1), "m/z": ("Da", 1),
    "th": ("Da", 1), "mda": ("Da", 0.001),
}  # fmt: skip
_COLUMNS = {
    "mz": ("mz", "m/z", "mass", "mz value"),
    "name": ("name", "label", "ion", "compound"),
    "tolerance": ("tolerance", "tol", "width", "window", "±", "ppm", "da", "mda"),
    "unit": ("unit", "tolerance unit", "units"),
}


@dataclass(frozen=True, slots=True)
class Ion:
    """An ion whose image is wanted.

    Parameters
    ----------
    mz : float
        Its m/z.
    tolerance : float
        Half of the width of the window.
    unit : {"Da", "ppm"}
        Unit of the tolerance.
    name : str
        Its name; told by the m/z if it is empty.
    """

    mz: float
    tolerance: float = 0.25
    unit: ToleranceUnit = "Da"
    name: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mz) and self.mz > 0):
            raise SettingsError(f"{self.mz} is no m/z")
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise SettingsError(f"{self.tolerance} is no tolerance")
        if self.unit not in ("Da", "ppm"):
            raise SettingsError(
                f"the unit of a tolerance is Da or ppm, not {self.unit!r}"
            )

    @property
    def title(self) -> str:
        """What the image is called.

        Examples
        --------
        >>> Ion(885.55, 10, "ppm").title, Ion(885.55, name="PI").title
        ('m/z 885.55 ± 10 ppm', 'PI')
        """
        return self.name or f"m/z {self.mz:.10g} ± {self.tolerance:g} {self.unit}"


def read_ions(
    path: PathLike, *, tolerance: float = 0.25, unit: ToleranceUnit = "Da"
) -> list[Ion]:
    """Read a list of ions.

    Parameters
    ----------
    path : str or PathLike
        A text file; see `decoded`.
    tolerance : float
        Of ions for which the table has none.
    unit : {"Da", "ppm"}
        Of ions for which the table has none.

    Raises
    ------
    FormatError
        If it is no such table, with the line.
    """
    try:
        if os.path.getsize(path) > _MOST_BYTES:
            raise FormatError("the file is too large for a list of ions", path=path)
        text = decoded(Path(path).read_bytes())
    except OSError as error:
        raise FormatError(
            f"the list of ions cannot be read, {error.strerror or error}", path=path
        ) from error
    try:
        return parse_ions(text, tolerance=tolerance, unit=unit)
    except FormatError as error:
        raise FormatError(error.message, path=path, hint=error.hint) from error


def decoded(data: bytes) -> str:
    """Return the text of a file: UTF-8, UTF-16 with its mark, or an older Windows's."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def parse_ions(
    text: str, *, tolerance: float = 0.25, unit: ToleranceUnit = "Da"
) -> list[Ion]:
    """Return the ions of a table; see `read_ions`."""
    rows = csv.reader(io.StringIO(text), delimiter=_mark(text))
    columns: dict[str, int] | None = None
    most, is_headed, headed = 2, False, ""
    ions = []
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if columns is None:
                columns = _columns(cells)
                if columns is None:
                    columns = {"mz": 0, "name": 1}
                else:
                    most, is_headed = len(cells), True
                    headed = _unit_of(cells, columns)
                    continue
            if len(cells) > most or (not is_headed and _is_split(cells)):
                raise FormatError(
                    f"line {rows.line_num} has more columns than there are names of, "
                    "or a comma in a number",
                    hint="separate columns by semicolons, or write 885.55",
                )
            ions.append(_ion(cells, columns, (tolerance, unit, headed), rows.line_num))
    except csv.Error as error:
        raise FormatError(f"line {rows.line_num} is no table, {error}") from error
    if not ions:
        raise FormatError(
            "there is no ion in the list",
            hint="it has a column mz, and a line for each",
        )
    return ions


def _mark(text: str) -> str:
    """Return what separates columns: told by the first line that has any."""
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            for mark in "\t;,":
                if mark in line:
                    return mark
    return ","


def _is_split(cells: list[str]) -> bool:
    """Return whether a comma probably cut a number in two: a name of digits only."""
    return len(cells) == 2 and cells[1].isdecimal()


def _columns(cells: list[str]) -> dict[str, int] | None:
    """Return where the columns are, if this is the line of their names."""
    words = [_REMARK.split(cell.lower())[0].strip() for cell in cells]
    found = {
        column: words.index(name)
        for column, names in _COLUMNS.items()
        for name in names
        if name in words
    }
    return found if "mz" in found else None


def _unit_of(cells: list[str], columns: dict[str, int]) -> str:
    """Return the unit that the heading of the tolerances names, if any."""
    if "tolerance" not in columns:
        return ""
    words = [part.strip() for part in _REMARK.split(cells[columns["tolerance"]])]
    return next((word for word in reversed(words) if word.lower() in _UNITS), "")


def _ion(
    cells: list[str],
    columns: dict[str, int],
    default: tuple[float, ToleranceUnit, str],
    line: int,
) -> Ion:
    """Return the ion of a line; `default` ends with the unit of the heading."""

    def cell(column: str) -> str:
        index = columns.get(column, len(cells))
        return cells[index] if index < len(cells) else ""

    tolerance, unit, headed = default
    own = cell("unit") or (headed if cell("tolerance") else "")
    if own and own.lower() not in _UNITS:
        raise FormatError(f"line {line}: the unit is Da or ppm, not {own!r}")
    unit, factor = _UNITS[own.lower()] if own else (unit, 1)
    try:
        if cell("tolerance"):
            tolerance = _number(cell("tolerance")) * factor
        return Ion(_number(cell("mz")), tolerance, unit, cell("name"))
    except ValueError as error:
        words = error.message if isinstance(error, SettingsError) else str(error)
        raise FormatError(f"line {line}: {words}") from error


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise ValueError(f"{text!r} is no number") from error
