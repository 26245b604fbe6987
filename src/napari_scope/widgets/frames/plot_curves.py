"""Which curves are drawn of a table of frames, and the same numbers as CSV. No widgets.

Examples
--------
>>> from napari_scope.formats.frame_columns import FrameColumns
>>> from napari_scope.formats.frame_records import ListRecords
>>> from napari_scope.formats.frame_table import FrameSheet
>>> entries = [{"axes": {"c": n % 2}, "gain": n} for n in range(4)]
>>> columns = FrameColumns(FrameSheet(ListRecords(entries)))
>>> _ = columns.update()
>>> numbers = TableNumbers(columns)
>>> [c.y.tolist() for c in numbers.curves(["gain"], over="frame", split="axes.c")]
[[0.0, 2.0], [1.0, 3.0]]
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.formats.frame_columns import INTERVAL
from napari_scope.formats.frame_intensity import INTENSITIES
from napari_scope.formats.frame_records import unit_of
from napari_scope.widgets.frames.number_plot import Curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_scope.formats.frame_columns import FrameColumns
    from napari_scope.formats.frame_intensity import IntensityScan

__all__ = ["BY_NUMBER", "BY_TIME", "TITLES", "TableNumbers"]

BY_NUMBER: Final = "frame"
BY_TIME: Final = "elapsed_ms"
TITLES: Final = {
    INTERVAL: "Interval",
    "mean": "Mean intensity",
    "min": "Least intensity",
    "max": "Largest intensity",
}
"""Names of the values that no store has."""

_MOST_GROUPS: Final = 12


class TableNumbers:
    """The numbers of a table of frames, as far as it was read.

    Parameters
    ----------
    columns : FrameColumns
        The columns.
    intensities : IntensityScan, optional
        The intensities, if they were computed.
    """

    def __init__(
        self, columns: FrameColumns, intensities: IntensityScan | None = None
    ) -> None:
        self.columns = columns
        self.intensities = intensities
        self.count = columns.count

    def numbers(self, name: str) -> npt.NDArray[np.float64] | None:
        """Return the numbers of a column or an intensity, None where there are none."""
        if name in INTENSITIES:
            if self.intensities is None:
                return None
            found = self.intensities.numbers(name)
        else:
            try:
                found = self.columns.numbers(name)
            except KeyError:
                return None
        numbers = np.full(self.count, np.nan)
        numbers[: len(found)] = found[: self.count]
        return numbers

    def x(self, over: str) -> tuple[npt.NDArray[np.float64], str]:
        """Return what curves are drawn over, and its title.

        Parameters
        ----------
        over : str
            `BY_NUMBER`, `BY_TIME`, or a column of numbers.
        """
        found = None if over == BY_NUMBER else self.numbers(over)
        if found is None:
            return np.arange(self.count, dtype=np.float64), "frame number"
        if over == BY_TIME:
            return found / 1000, "time (s)"
        return found, over.removeprefix("axes.")

    def curves(self, names: Sequence[str], *, over: str, split: str) -> list[Curve]:
        """Return the curves of some values.

        Parameters
        ----------
        names : sequence of str
            Columns and intensities; those without numbers are left out.
        over : str
            As in `x`.
        split : str
            Column of an axis: a curve for each of its values, unless they are very
            many. Empty for one curve.
        """
        x, _ = self.x(over)
        frames = np.arange(self.count, dtype=np.int64)
        codes, values = self.columns.groups(split) if split else (None, ())
        curves = []
        for name in names:
            y = self.numbers(name)
            if y is None:
                continue
            unit, title = unit_of(name), TITLES.get(name, name)
            panel = "Intensity" if name in INTENSITIES else title
            if codes is None or not 1 < len(values) <= _MOST_GROUPS:
                curves.append(Curve(title, x, y, unit, frames, panel))
                continue
            for code, value in enumerate(values):
                own = np.flatnonzero(codes[: self.count] == code)
                label = f"{title}, {value}"
                curves.append(
                    Curve(label, x[own], y[own], unit, frames[own], panel, str(value))
                )
        return curves

    def as_csv(self, names: Sequence[str], *, over: str) -> str:
        """Return the numbers as CSV, one line for each frame."""
        x, title = self.x(over)
        found = {"frame": np.arange(self.count), title: x}
        for name in names:
            numbers = self.numbers(name)
            if numbers is not None:
                found[name] = numbers
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(found)
        for row in zip(*(values.tolist() for values in found.values()), strict=True):
            writer.writerow(["" if value != value else value for value in row])
        return out.getvalue()
