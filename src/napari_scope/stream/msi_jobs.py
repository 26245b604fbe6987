"""The conversion of mass-spectrometry images as a job, and names for its targets.

See `napari_scope.stream.jobs` for what a job is, and
`napari_scope.formats.msi.convert.convert_msi` for the conversion.

Examples
--------
>>> job = msi_convert_job("brain.mzML", "brain.imzML", MSIOptions("imzml"))
>>> job.title
'Convert to brain.imzML'
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.errors import CancelledError
from napari_scope.formats.msi_tree import FORMATS
from napari_scope.stream.jobs import Job, JobResult

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from napari_scope.formats.msi.convert import Ion, MSIConversion, MSIKind
    from napari_scope.formats.msi.normalise import Normalisation
    from napari_scope.stream.jobs import Cancelled, Tell

__all__ = ["SUFFIXES", "MSIOptions", "free_msi_target", "msi_convert_job", "msi_target"]

SUFFIXES: Final[dict[MSIKind, str]] = {
    "ome-zarr": ".ome.zarr",
    "imzml": ".imzML",
    "openmsi": ".h5",
}
"""What the names of targets end with."""

_SPOT_LIST: Final = " spot list"
_FILES: Final = (".imzml", ".mzml", ".img", ".h5", ".hdf5", ".omsi", ".txt")
_MOST_NAMES: Final = 1000


@dataclass(frozen=True, slots=True)
class MSIOptions:
    """What is made of mass-spectrometry images; see `convert_msi`.

    Parameters
    ----------
    kind : {"ome-zarr", "imzml", "openmsi"}
        Ion images, or whole spectra.
    ions : tuple of Ion
        Channels of OME-Zarr; the sum of all intensities without any.
    normalise, compression, version
        As there; None leaves the choice to the conversion.
    verify : bool
        Whether spectra are read back and compared.
    """

    kind: MSIKind = "ome-zarr"
    ions: tuple[Ion, ...] = ()
    normalise: Normalisation = "none"
    compression: str | None = None
    version: str | None = None
    verify: bool = True


def msi_convert_job(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    options: MSIOptions | None = None,
    *,
    dataset: int | None = None,
    regions: Sequence[int] | None = None,
) -> Job:
    """Return the job that converts mass-spectrometry images, or a part of them.

    Parameters
    ----------
    source, target : str or PathLike
        From where, to where. The source is only read, a target is never overwritten.
    options : MSIOptions, optional
        What is made.
    dataset : int, optional
        Number of a data set; all by default.
    regions : sequence of int, optional
        Numbers of regions of each data set; all by default.
    """
    how = options or MSIOptions()

    def run(tell: Tell, cancelled: Cancelled) -> JobResult:
        from napari_scope.formats.msi.convert import convert_msi

        try:
            made = convert_msi(
                source,
                target,
                how.kind,
                ions=how.ions,
                normalise=how.normalise,
                compression=how.compression,
                version=how.version,
                verify=how.verify,
                dataset=dataset,
                regions=regions,
                cancelled=cancelled,
                progress=lambda part: tell("percent", round(100 * part), 100),
            )
        except CancelledError:
            return JobResult("cancelled; nothing is left of it", (), "cancelled")
        return JobResult(_words(made), made.notes, made=made.targets[0])

    part = dataset is not None or regions is not None
    verb = "Export to" if part else "Convert to"
    return Job(f"{verb} {Path(target).name}", os.fspath(source), run)


def msi_target(source: str, kind: MSIKind, *, part: bool = False) -> Path:
    """Return a name beside a file of mass spectra, whether it is taken or not.

    Examples
    --------
    >>> msi_target("/data/brain Spot List.txt", "imzml").name
    'brain.imzML'
    """
    place = Path(source)
    stem = place.stem if place.suffix.lower() in _FILES else place.name
    if stem.lower().endswith(_SPOT_LIST):
        stem = stem[: -len(_SPOT_LIST)]
    return place.with_name(f"{stem}{'_part' if part else ''}{SUFFIXES[kind]}")


def free_msi_target(
    source: str, kind: MSIKind, *, part: bool = False, taken: Collection[Path] = ()
) -> Path:
    """Return a name beside a file that is not taken, as far as can be seen.

    It looks at the disk: call it outside of the GUI thread.
    """
    plain = made = msi_target(source, kind, part=part)
    suffix = SUFFIXES[kind]
    stem = plain.name.removesuffix(suffix)
    number = 2
    while number < _MOST_NAMES and (
        made in taken
        or os.path.lexists(made)
        or (kind == "imzml" and os.path.lexists(made.with_suffix(".ibd")))
    ):
        made = plain.with_name(f"{stem}_{number}{suffix}")
        number += 1
    return made


def _words(made: MSIConversion) -> str:
    count = f"{made.spectra:,} spectra"
    if made.kind == "ome-zarr":
        images = len(made.channels)
        return f"{images:,} ion image{'' if images == 1 else 's'} of {count}"
    same = "" if made.compared is None else ", read back and the same"
    return f"{count} converted to {FORMATS[made.kind]}{same}"
