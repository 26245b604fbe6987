"""Mass-spectrometry images made from others: imzML, OpenMSI HDF5, OME-Zarr of ions.

Whatever is read can be written: all data sets or one, all regions or some. Nothing is
replaced unasked, what was cancelled or failed leaves nothing, and spectra that were
written are read back and compared.

Examples
--------
>>> convert_msi(
...     "brain.imzML", "brain.ome.zarr", ions=[Ion(885.55, 10, "ppm")]
... )  # doctest: +SKIP
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from napari_scope.errors import SettingsError
from napari_scope.formats.msi.convert_ions import Ion, parse_ions, read_ions
from napari_scope.formats.msi.convert_job import Job, MSIConversion, MSIKind
from napari_scope.formats.msi.opening import open_msi
from napari_scope.formats.msi.passes import never, silent
from napari_scope.formats.msi.reader import MSIReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.formats.msi.blocks import How
    from napari_scope.formats.msi.normalise import Normalisation
    from napari_scope.formats.msi.passes import Cancelled, Progress

    PathLike = str | os.PathLike[str]

__all__ = [
    "Ion", "MSIConversion", "MSIKind", "convert_msi", "kind_of_target", "parse_ions",
    "read_ions",
]  # fmt: skip

_SUFFIXES: dict[str, MSIKind] = {
    ".imzml": "imzml", ".h5": "openmsi", ".hdf5": "openmsi", ".zarr": "ome-zarr",
}  # fmt: skip
_COMPRESSIONS = {"imzml": ("none", "zlib"), "openmsi": ("none", "gzip"), "ome-zarr": ()}


def kind_of_target(target: PathLike) -> MSIKind | None:
    """Return what the suffix of a path means; None if it means nothing.

    Examples
    --------
    >>> kind_of_target("a.imzML"), kind_of_target("a.ome.zarr"), kind_of_target("a.tif")
    ('imzml', 'ome-zarr', None)
    """
    return _SUFFIXES.get(Path(target).suffix.lower())


def convert_msi(
    source: PathLike | MSIReader,
    target: PathLike,
    kind: MSIKind | None = None,
    *,
    ions: Sequence[Ion] = (),
    how: How = "sum",
    normalise: Normalisation = "none",
    hotspot: float | None = None,
    dataset: int | None = None,
    regions: Sequence[int] | None = None,
    compression: str | None = None,
    version: str | None = None,
    verify: bool = True,
    overwrite: bool = False,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> MSIConversion:
    """Convert mass-spectrometry images.

    Parameters
    ----------
    source : str, PathLike or MSIReader
        A file or folder of any format, or a reader, which stays open.
    target : str or PathLike
        What to make. As imzML each data set is a file of its own: with several data
        sets their names are added.
    kind : {"imzml", "openmsi", "ome-zarr"}, optional
        What to make; the suffix of the target says if it is not given.
    ions : sequence of Ion
        Channels of OME-Zarr; without any the sum of all intensities (TIC).
    how, normalise, hotspot
        How ion images are made, see `MSIData.ion_image`.
    dataset : int, optional
        Number of a data set; all if not given.
    regions : sequence of int, optional
        Numbers of regions, of each data set that is converted; all if not given.
    compression : str, optional
        ``"none"``, or ``"zlib"`` for imzML, ``"gzip"`` for OpenMSI.
    version : {"0.5", "0.4"}, optional
        Version of OME-Zarr.
    verify : bool
        Read spectra back and compare them.
    overwrite : bool
        Replace what exists.
    cancelled, progress : callable
        Asked whether to end, told what part is done, from 0 to 1.

    Raises
    ------
    SettingsError
        If the settings do not fit the target or the source; nothing was written.
    OutputExistsError
        If the target exists.
    FormatError
        If the source cannot be read, or does not come back as it was.
    CancelledError
        If it was cancelled; nothing is left of the target.
    """
    kind = _checked_kind(target, kind)
    if compression is not None and compression not in _COMPRESSIONS[kind]:
        known = ", ".join(_COMPRESSIONS[kind]) or "none of its own"
        raise SettingsError(
            f"no compression {compression!r} for {kind}", hint=f"it has {known}"
        )
    if kind != "ome-zarr" and (ions or normalise != "none" or hotspot is not None):
        raise SettingsError(
            f"ions are chosen for OME-Zarr; {kind} keeps whole spectra as they are",
            hint="leave ions and normalisation out, or choose a target .ome.zarr",
        )
    if not ions and (normalise != "none" or hotspot is not None):
        raise SettingsError(
            "the sum of all intensities is neither normalised nor clipped",
            hint="choose ions, or leave normalisation and clipping out",
        )
    if isinstance(source, MSIReader):
        reader, owned = source, False
    else:
        reader, owned = open_msi(source), True
    try:
        _refuse_itself(reader, Path(target))
        job = Job(reader, Path(target), dataset, regions, overwrite, cancelled)
        if kind == "ome-zarr":
            return job.to_zarr(ions, how, normalise, hotspot, version, progress)
        return job.to_spectra(kind, compression or "none", verify, progress)
    finally:
        if owned:
            reader.close_file()


def _checked_kind(target: PathLike, kind: MSIKind | None) -> MSIKind:
    found = kind or kind_of_target(target)
    if found is None:
        raise SettingsError(
            "the suffix of the target means no format of mass-spectrometry images",
            path=target,
            hint="use .imzML, .h5 (OpenMSI) or .ome.zarr (ion images)",
        )
    if found not in get_args(MSIKind):
        raise SettingsError(f"mass-spectrometry images do not become {found!r}")
    return found


def _refuse_itself(reader: MSIReader, target: Path) -> None:
    source = Path(os.path.realpath(reader.basename))
    place = Path(os.path.realpath(target))
    if _files(place) & _files(source) or source in place.parents:
        raise SettingsError(
            "the target is, or lies in, what is converted",
            path=target,
            hint="choose another name",
        )


def _files(path: Path) -> set[Path]:
    """Return a file, and the one that belongs to it."""
    if path.suffix.lower() not in (".imzml", ".ibd"):
        return {path}
    return {path.with_suffix(suffix) for suffix in (".imzML", ".ibd")} | {path}
