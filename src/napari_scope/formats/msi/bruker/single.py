"""One spectrum, or one spot, that somebody picked out of a measurement.

A path may be the ``fid`` file or its parameters, the folder of these (``1SLin``), the
folder with the number of the measurement, or that of the spot. Spectra that were copied
out of their folders are found, too. What the parameters mean is not known here, but
that they are those of a time-of-flight instrument: ``fid`` and ``acqus`` are also what
Bruker's NMR instruments write.

Examples
--------
>>> find_single("0_A1/1/1SLin/fid")  # doctest: +SKIP
SingleSpot(folder=PosixPath('/data/0_A1'), below=('1/1SLin',))
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from napari_scope.errors import FormatError
from napari_scope.formats.msi.bruker.calibrations import acqu_of
from napari_scope.formats.msi.bruker.names import has_spots, repeats_of

__all__ = ["SingleSpot", "find_single"]

_FILES: Final = ("fid", "acqu", "acqus")
_OF_FLEX: Final = (b"##$ML1=", b"##$DELAY=", b"##$DW=")


@dataclass(frozen=True, slots=True)
class SingleSpot:
    """A spot and which of its measurements are meant.

    Parameters
    ----------
    folder : Path
        The folder of the spot.
    below : tuple of str
        Where the files of each measurement lie in it, ``1/1SLin`` for example; empty
        for the folder itself.
    """

    folder: Path
    below: tuple[str, ...]

    @property
    def is_flex(self) -> bool:
        """Whether the parameters of the first measurement are of a flex instrument."""
        try:
            _, data = acqu_of(os.path.join(self.folder, self.below[0]))
        except FormatError:
            return False
        return all(key in data for key in _OF_FLEX)


def find_single(path: str | os.PathLike[str]) -> SingleSpot | None:
    """Return the spot that a path stands for, None if it is something else."""
    whole = Path(os.path.abspath(path))
    if whole.is_file():
        if whole.name.lower() not in _FILES:
            return None
        whole = whole.parent
    elif has_spots(whole):
        return None
    if (whole / "fid").is_file():
        if whole.parent.name.isdecimal():
            return SingleSpot(whole.parents[1], (f"{whole.parent.name}/{whole.name}",))
        return SingleSpot(whole, ("",))
    if whole.name.isdecimal():
        inside = [
            below
            for below in repeats_of(str(whole.parent))
            if below.startswith(f"{whole.name}/")
        ]
        if inside:
            return SingleSpot(whole.parent, tuple(inside))
    below = tuple(repeats_of(str(whole)))
    return SingleSpot(whole, below) if below else None
