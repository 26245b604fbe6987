"""Whole spectra written as one of the formats, and read back.

Who calls this gives the names of new files; what they become later is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import FormatError, ScopeError
from napari_scope.formats.msi.convert_compare import compare_spectra
from napari_scope.formats.msi.convert_subset import Subset
from napari_scope.formats.msi.opening import open_msi
from napari_scope.formats.msi.passes import part_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_scope.formats.msi.openmsi.content import Content
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["read_back", "write_as_imzml", "write_as_openmsi"]


def write_as_openmsi(
    content: Content,
    made: Sequence[Path],
    compression: str,
    cancelled: Cancelled,
    progress: Progress,
) -> list[str]:
    """Write all data sets into one file.

    Parameters
    ----------
    content : Content
        What to write.
    made : sequence of Path
        The new file.
    compression : {"none", "gzip"}
        How arrays are packed.
    cancelled, progress : callable
        See `napari_scope.formats.msi.passes`.

    Returns
    -------
    list of str
        What is otherwise in the file.
    """
    from napari_scope.formats.msi.openmsi.writer import write_openmsi

    write_openmsi(
        content,
        made[0],
        compression="gzip" if compression == "gzip" else "none",
        cancelled=cancelled,
        progress=progress,
    )
    return [
        f"{_called(one)}: {one.pixels.duplicates} spectra lie where a later one lies, "
        "too, and were left out"
        for one in content.sets
        if one.common_mz is None and one.pixels.duplicates
    ]


def write_as_imzml(
    content: Content,
    made: Sequence[Path],
    compression: str,
    cancelled: Cancelled,
    progress: Progress,
) -> list[str]:
    """Write each data set as a pair of files; see `write_as_openmsi`.

    Raises
    ------
    FormatError
        If imzML cannot hold a data set, or a spectrum cannot be read.
    """
    from napari_scope.formats.msi.imzml.writer import write_imzml

    count = len(made)
    for k, (spectra, path) in enumerate(zip(content.sets, made, strict=True)):
        try:
            write_imzml(
                _widened(spectra),
                path,
                compression="zlib" if compression == "zlib" else "none",
                instrument=content.instrument[k],
                sample=content.methods[k],
                cancelled=cancelled,
                progress=part_of(progress, k / count, (k + 1) / count),
            )
        except (FormatError, ValueError) as error:
            if isinstance(error, ScopeError) and error.path:
                raise  # it says what is wrong with the source
            raise FormatError(
                f"it does not become imzML: {error}",
                path=path,
                hint="choose a target .h5 (OpenMSI)",
            ) from error
    return [
        f"{_called(one)}: imzML has no regions; that there are "
        f"{len(one.pixels.regions)} is not kept"
        for one in content.sets
        if len(one.pixels.regions) > 1
    ]


def read_back(
    chosen: Sequence[Spectra],
    made: Sequence[Path],
    cancelled: Cancelled,
    progress: Progress,
) -> int:
    """Read all spectra back; return how many there are.

    Parameters
    ----------
    chosen : sequence of Spectra
        What was written.
    made : sequence of Path
        The file with all of them, or one for each.
    cancelled, progress : callable
        See `napari_scope.formats.msi.passes`.

    Raises
    ------
    FormatError
        If one differs.
    """
    done = 0
    for k, spectra in enumerate(chosen):
        single = len(made) == 1
        with open_msi(made[0 if single else k]) as written:
            other = written.data_sets[k if single else 0]
            share = part_of(progress, k / len(chosen), (k + 1) / len(chosen))
            try:
                done += compare_spectra(spectra, other, cancelled, share)
            except FormatError as error:
                raise FormatError(
                    f"it does not come back as it was written: {error.message}",
                    path=written.basename,
                ) from error
    return done


def _called(spectra: Spectra) -> str:
    return spectra.name or "the data set"


def _widened(spectra: Spectra) -> Spectra:
    """Return spectra that are written with integers of 32 bits instead of fewer.

    imzML knows shorter ones, but few programs read them (pyimzML 1.5.5 does not).
    """
    dtype = spectra.intensity_dtype
    if dtype.kind not in "iu" or dtype.itemsize > 2:
        return spectra
    wide = Subset(spectra, np.arange(len(spectra)))
    wide.intensity_dtype = np.dtype(np.int32)
    return wide
