"""One door for mass-spectrometry images: a path goes in, a reader comes out.

Examples
--------
>>> with open_msi("brain.imzML") as reader:  # doctest: +SKIP
...     image = reader.data.ion_image(885.55, 10, "ppm")
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.msi.reader import available_formats
from napari_scope.formats.msi_unread import why_not

if TYPE_CHECKING:
    from napari_scope.formats.msi.reader import MSIReader

    Path = str | os.PathLike[str]

__all__ = ["format_of", "open_msi"]


def format_of(path: Path) -> type[MSIReader] | None:
    """Return the reader of a path, or None if no format knows it."""
    for name, reader in available_formats().items():
        # Anything may be wrong with the reader of somebody else.
        try:
            if reader.is_valid_dataset(path):
                return reader
        except Exception as error:
            warnings.warn(
                f"the format {name!r} cannot tell whether {path} is its own: {error}",
                stacklevel=2,
            )
    return None


def open_msi(path: Path, format: str | None = None) -> MSIReader:
    """Open mass-spectrometry images.

    Parameters
    ----------
    path : str or PathLike
        A file or a folder.
    format : str, optional
        Name of the format (see `available_formats`); found out if not given.

    Returns
    -------
    MSIReader
        To be closed, or used in a ``with`` statement. Nothing but what says where the
        spectra lie has been read.

    Raises
    ------
    FormatError
        If no format knows the path, or the data are damaged beyond use.
    """
    formats = available_formats()
    if format is not None:
        if format not in formats:
            raise FormatError(
                f"no format {format!r}", path=path, hint=f"there are {sorted(formats)}"
            )
        return formats[format](path)
    reader = format_of(path)
    if reader is None:
        if not os.path.exists(path):
            raise FormatError("no such file or folder", path=path)
        said = why_not(path)
        if said is not None:
            raise FormatError(said, path=path)
        raise FormatError(
            "no mass-spectrometry images of a known format", path=path,
            hint=_hint_of(path) or f"the formats are {', '.join(sorted(formats))}",
        )  # fmt: skip
    return reader(path)


def _hint_of(path: Path) -> str:
    """Return what may be wrong with a file that is called like one of ours."""
    name = os.fspath(path).lower()
    if not os.path.isfile(path):
        return ""
    if name.endswith((".hdr", ".img")):
        return (
            "Analyze images with spectra are three files of one name, side by side: "
            ".hdr, .img and .t2m"
        )
    if name.endswith((".imzml", ".mzml")):
        if not os.path.getsize(path):
            return "the file is empty"
        return "the file does not begin like mzML; was it copied whole?"
    return ""
