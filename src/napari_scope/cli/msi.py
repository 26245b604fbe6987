"""What ``convert`` does with mass-spectrometry images, and what they are."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from napari_scope.cli.printing import err_console, harmless
from napari_scope.errors import CancelledError, FormatError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress

    from napari_scope.cli.running import Interrupts
    from napari_scope.formats.msi.convert import Ion, MSIConversion, MSIKind
    from napari_scope.formats.msi.windows import ToleranceUnit

__all__ = [
    "Normalise", "ToleranceIn", "convert_images", "is_msi", "msi_kind", "msi_lines",
    "wanted_ions",
]  # fmt: skip

_POLL_S = 0.1


class Normalise(StrEnum):
    """What ion images are scaled by."""

    NONE = "none"
    TIC = "tic"
    RMS = "rms"
    MEDIAN = "median"


class ToleranceIn(StrEnum):
    """Unit of a tolerance."""

    DA = "Da"
    PPM = "ppm"


def is_msi(path: str) -> bool:
    """Return whether a path holds mass-spectrometry images.

    Raises
    ------
    FormatError
        If they are of a kind that is known, but not read here.
    """
    from napari_scope.formats.addresses import is_address
    from napari_scope.formats.detect import detect
    from napari_scope.formats.msi import format_of
    from napari_scope.formats.msi_unread import why_not

    if is_address(path) or "://" in path or not Path(path).exists():
        return False
    if detect(path) not in (None, "msi"):
        return False
    if format_of(path) is not None:
        return True
    said = why_not(path)
    if said is not None:
        raise FormatError(said, path=path)
    return False


def msi_kind(target: Path, chosen: str | None) -> MSIKind:
    """Return what a target is to be: as chosen, or else as its suffix says.

    Raises
    ------
    SettingsError
        If mass-spectrometry images are not converted to it.
    """
    from napari_scope.formats.msi.convert import kind_of_target

    kinds: tuple[MSIKind, ...] = ("imzml", "openmsi", "ome-zarr")
    kind = chosen or kind_of_target(target)
    found = next((one for one in kinds if one == kind), None)
    if found is None:
        why = f"mass-spectrometry images are not converted to {kind}"
        raise SettingsError(
            why
            if kind
            else "the name of the target does not say what to make of "
            "mass-spectrometry images",
            path=target,
            hint="use .imzML, .h5 (OpenMSI) or .ome.zarr (ion images)",
        )
    return found


def wanted_ions(
    mz: Sequence[float], table: Path | None, tolerance: float, unit: ToleranceIn
) -> list[Ion]:
    """Return the ions that the options ask for: those of the list last."""
    from napari_scope.formats.msi.convert import Ion, read_ions

    plain: ToleranceUnit = "ppm" if unit is ToleranceIn.PPM else "Da"
    ions = [Ion(one, tolerance, plain) for one in mz]
    if table is not None:
        ions += read_ions(table, tolerance=tolerance, unit=plain)
    return ions


def convert_images(
    source: str,
    target: Path,
    kind: MSIKind,
    bar: Progress,
    interrupts: Interrupts,
    **settings: Any,
) -> MSIConversion:
    """Convert, show how far it is, and end at the first signal.

    Parameters
    ----------
    source : str
        File or folder.
    target : Path
        What to make.
    kind : {"imzml", "openmsi", "ome-zarr"}
        See `napari_scope.formats.msi.convert.convert_msi`, as for ``settings``.
    bar : Progress
        Where to show it.
    interrupts : Interrupts
        Signals.

    Raises
    ------
    Exit
        If it was cancelled, with the code of the signal.
    """
    from napari_scope.formats.msi.convert import convert_msi

    task = bar.add_task("converting", total=1000, rate="")
    shown = [0.0]

    def show(done: float) -> None:
        now = time.monotonic()
        if now >= shown[0]:
            shown[0] = now + _POLL_S
            bar.update(task, completed=int(1000 * done))

    interrupts.watch(lambda: ["cancelled: nothing is complete", f"  {target}"])
    try:
        return convert_msi(
            source,
            target,
            kind,
            progress=show,
            cancelled=lambda: interrupts.count > 0,
            **settings,
        )
    except CancelledError as error:
        bar.stop()
        line = harmless(f"cancelled: nothing was made or changed ({target})")
        err_console.print(line, markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(interrupts.exit_code) from error


def msi_lines(report: MSIConversion) -> list[str]:
    """Return what became of a conversion."""
    lines = [f"finished: {report.spectra:,} spectra converted"]
    lines += [f"  {report.kind}: {target}" for target in report.targets]
    if report.channels:
        lines.append(f"  channels: {', '.join(report.channels)}")
    if report.compared is not None:
        lines.append(f"  {report.compared:,} spectra read back and the same")
    lines += [f"  note: {note}" for note in report.notes]
    return [harmless(line) for line in lines]
