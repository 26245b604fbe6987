r"""A list of m/z values that somebody looks for: from a CSV file, from a paste, to CSV.

A line has a name, an m/z and a tolerance, in any order that its heading names. Without
a heading the first number is the m/z, the next one the tolerance, and text the name.
Tabs, commas and semicolons separate; with semicolons or tabs a decimal comma is read.

Examples
--------
>>> targets, skipped = parse_targets("PI 38:4, 885.55\nheme; 616,18; 5 ppm")
>>> [(t.name, t.mz, t.tolerance, t.unit) for t in targets], skipped
([('PI 38:4', 885.55, None, 'ppm'), ('heme', 616.18, 5.0, 'ppm')], ())
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_scope.formats.msi import ToleranceUnit

__all__ = ["MOST_TARGETS", "MzTarget", "parse_targets", "targets_csv"]

MOST_TARGETS: Final = 10_000
_NUMBER: Final = re.compile(
    r"^\s*([+-]?[\d.,]+(?:[eE][+-]?\d+)?)\s*(ppm|Da|mDa|u)?\s*$"
)
_NAMES: Final = {"name", "label", "compound", "molecule", "ion", "formula"}
_MZ: Final = {"mz", "m/z", "mass", "m_z", "mz_value"}
_TOLERANCES: Final = {"tolerance", "tol", "ppm", "window", "±", "da", "interval width"}
_REMARK: Final = re.compile(r"[(\[]")  # of a heading: "m/z [Da]"


@dataclass(frozen=True, slots=True)
class MzTarget:
    """An ion that is looked for.

    Parameters
    ----------
    name : str
        What it is called; may be empty.
    mz : float
        Its m/z.
    tolerance : float, optional
        Half of the width of its window; that of the dock if None.
    unit : {"Da", "ppm"}
        Unit of the tolerance.
    """

    name: str
    mz: float
    tolerance: float | None = None
    unit: ToleranceUnit = "ppm"


def _number(text: str, comma: bool) -> tuple[float, str] | None:
    found = _NUMBER.match(text)
    if found is None:
        return None
    digits = found[1].replace(",", ".") if comma else found[1].replace(",", "")
    try:
        value = float(digits)
    except ValueError:
        return None
    return (value, found[2] or "") if math.isfinite(value) else None


def parse_targets(text: str) -> tuple[tuple[MzTarget, ...], tuple[str, ...]]:
    """Read a list.

    Parameters
    ----------
    text : str
        The list, as a file or the clipboard has it.

    Returns
    -------
    targets : tuple of MzTarget
        What was understood.
    skipped : tuple of str
        The lines that were not, each with its number.
    """
    found: list[MzTarget] = []
    skipped: list[str] = []
    columns: dict[str, int] | None = None
    separator = ","
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not columns:  # with a heading, all lines are separated as that is
            separator = next((s for s in "\t;" if s in line), ",")
        try:
            cells = [c.strip() for c in next(csv.reader([line], delimiter=separator))]
        except (csv.Error, StopIteration):
            skipped.append(f"line {number}: {line[:60]}")
            continue
        if not found and columns is None:
            columns = _heading(cells)
            if columns:
                continue
        target = _target(cells, columns or {}, comma=separator != ",")
        if target is None or len(found) >= MOST_TARGETS:
            skipped.append(f"line {number}: {line[:60]}")
        else:
            found.append(target)
    return tuple(found), tuple(skipped)


def _heading(cells: list[str]) -> dict[str, int]:
    """Return which column is which, empty if a line is no heading."""
    columns: dict[str, int] = {}
    for place, cell in enumerate(cells):
        word = cell.strip().casefold()
        plain, *rest = (part.strip(" )]") for part in _REMARK.split(word))
        if plain in _MZ:
            columns.setdefault("mz", place)
        elif plain in _NAMES:
            columns.setdefault("name", place)
        elif plain in _TOLERANCES:
            columns.setdefault("tolerance", place)
            unit = (rest or [plain])[-1].split()[-1:]
            if unit in (["da"], ["u"], ["mda"]):
                columns["in mDa" if unit == ["mda"] else "in Da"] = place
        elif plain == "unit":
            columns.setdefault("unit", place)
    return columns if "mz" in columns else {}


def _target(
    cells: list[str], columns: dict[str, int], *, comma: bool
) -> MzTarget | None:
    def cell(name: str) -> str:
        place = columns.get(name, -1)
        return cells[place] if 0 <= place < len(cells) else ""

    if columns:
        mz = _number(cell("mz"), comma)
        tolerance, name = _number(cell("tolerance"), comma), cell("name")
        default = next((u for u in ("Da", "mDa") if f"in {u}" in columns), "ppm")
        unit = cell("unit") or (tolerance[1] if tolerance else "") or default
    else:
        numbers = [n for c in cells if (n := _number(c, comma)) is not None]
        words = [c for c in cells if c and _number(c, comma) is None]
        units = [w for w in words if w in ("Da", "ppm")]
        mz = numbers[0] if numbers else None
        tolerance = numbers[1] if len(numbers) > 1 else None
        name = next((w for w in words if w not in ("Da", "ppm")), "")
        unit = (tolerance[1] if tolerance else "") or (units or ["ppm"])[0]
    if mz is None or mz[0] <= 0:
        return None
    width = tolerance[0] if tolerance is not None and tolerance[0] >= 0 else None
    if unit == "mDa" and width is not None:
        width, unit = width / 1000, "Da"
    return MzTarget(name, mz[0], width, "Da" if unit in ("Da", "u") else "ppm")


def targets_csv(targets: Iterable[MzTarget]) -> str:
    """Return a list as CSV, which `parse_targets` reads again."""
    out = io.StringIO()
    # Quoted, a name is no remark and no heading, whatever it is.
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["name", "mz", "tolerance", "unit"])
    for target in targets:
        own: tuple[float | str, str] = "", ""
        if target.tolerance is not None:
            own = target.tolerance, target.unit
        writer.writerow([target.name, target.mz, *own])
    return out.getvalue()
