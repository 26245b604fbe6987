"""Spectra and regions as CSV, for a spreadsheet or a script.

Examples
--------
>>> trace = Trace("mean", Spectrum(np.array([100.5]), np.array([7.0])))
>>> print(spectra_csv([trace]), end="")
mz,mean
100.5,7
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.errors import CancelledError
from napari_scope.formats.msi import Spectrum
from napari_scope.widgets.spectrum.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_scope.formats.msi import MSIData

__all__ = ["Spectrum", "Trace", "regions_csv", "spectra_csv"]

_ROWS: Final = 4096  # after so many it is looked whether to go on


def spectra_csv(
    traces: Sequence[Trace], cancelled: Callable[[], bool] = lambda: False
) -> str:
    """Return spectra as a table: one row for each m/z, one column for each spectrum.

    Where a spectrum has no value at an m/z of another one its cell is empty; where it
    has several at one m/z there is their sum.

    Raises
    ------
    CancelledError
        If it was cancelled.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["mz", *(trace.name for trace in traces)])
    if not traces:
        return out.getvalue()
    mz = np.unique(np.concatenate([trace.mz for trace in traces]))
    columns = []
    for trace in traces:
        own, places = np.unique(trace.mz, return_inverse=True)
        sums = np.bincount(places, trace.intensities, len(own))
        cells = np.full(len(mz), "", dtype=object)
        cells[np.searchsorted(mz, own)] = [f"{v:.9g}" for v in sums.tolist()]
        columns.append(cells)
    for place, value in enumerate(mz.tolist()):
        _look(place, cancelled)
        writer.writerow([f"{value:.10g}", *(cells[place] for cells in columns)])
    return out.getvalue()


def regions_csv(data: MSIData, cancelled: Callable[[], bool] = lambda: False) -> str:
    """Return the spectra of a data set as a table of places and regions.

    Raises
    ------
    CancelledError
        If it was cancelled.
    """
    table = data.pixels
    names = {region.index: region.name for region in table.regions}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["spectrum", "x", "y", "z", "region", "name"])
    columns = (table.x, table.y, table.z, table.region)
    for number, row in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        _look(number, cancelled)
        writer.writerow([number, *row, names.get(row[3], "")])
    return out.getvalue()


def _look(row: int, cancelled: Callable[[], bool]) -> None:
    if row % _ROWS == 0 and cancelled():
        raise CancelledError("the table was cancelled")
