"""Mass-spectrometry images that no reader here can open: what can be done.

A file may lie without those that belong to it. Newer instruments of Bruker write files
that only Bruker's own library reads, or that are described nowhere. Nothing of them is
claimed, another plugin may read them: here they are recognised from names alone, and
whoever has to say that a path cannot be opened says why.

Examples
--------
>>> why_not("/data/holiday.jpg") is None
True
"""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import Final

__all__ = ["why_not"]

_ANALYSIS: Final = re.compile(r"analysis\.(?:tsf|tdf|baf)(?:_bin|_idx)?")
_CONTAINERS: Final = (".mcf", ".mcf_idx")  # of a folder .d only
_POSITIONS: Final = "_poslog.txt"
_RAPIFLEX: Final = (".dat", ".mis", _POSITIONS)
_EXPORT: Final = "export them as imzML from SCiLS Lab or flexImaging, and open that"
# Suffixes that nobody else uses for images, and what has to lie beside them.
_PARTNERS: Final = {".ibd": (".imzML",), ".t2m": (".hdr", ".img")}
_MOST_NAMES: Final = 2000  # of a folder that are looked at


def why_not(path: str | os.PathLike[str]) -> str | None:
    """Return why a path cannot be read, and what can be done.

    It is raw data of Bruker that nobody here reads, or the files beside it are missing.

    None for everything else. Such paths are never claimed: another plugin may read
    them.

    Parameters
    ----------
    path : str or PathLike
        The folder ``.d`` of a timsTOF, or a file in it; the ``.dat`` or ``.mis`` file
        of a rapifleX image, or the folder with them; an ``.ibd`` or ``.t2m`` file.
    """
    folder, is_file = os.path.abspath(path), os.path.isfile(path)
    name = os.path.basename(folder).lower()
    if is_file:
        folder = os.path.dirname(folder)
        stem, suffix = os.path.splitext(name)
        if suffix in _PARTNERS:
            return _missing(stem, suffix, _names_in(folder))
        if not (_ANALYSIS.fullmatch(name) or name.endswith((*_CONTAINERS, *_RAPIFLEX))):
            return None
    names = _names_in(folder)
    asked = [name] if is_file else names
    if any(map(_ANALYSIS.fullmatch, asked)) or (
        folder.lower().endswith(".d")
        and any(one.endswith(_CONTAINERS) for one in asked)
    ):
        return (
            f"{os.path.basename(folder)} holds raw data (analysis.tsf, .tdf, .baf or "
            f".mcf) that only Bruker's own library reads: {_EXPORT}"
        )
    stems = {one.removesuffix(_POSITIONS) for one in names if one.endswith(_POSITIONS)}
    with_spectra = tuple(stem for stem in stems if f"{stem}.dat" in names)
    if with_spectra and (not is_file or name.startswith(with_spectra)):
        return (
            "the spectra of a rapifleX (.dat with _poslog.txt) are not read here: "
            f"{_EXPORT}"
        )
    return None


def _missing(stem: str, suffix: str, names: list[str]) -> str | None:
    gone = [one for one in _PARTNERS[suffix] if stem + one.lower() not in names]
    if not gone or len(names) == _MOST_NAMES:
        return None
    return (
        f"the {' and '.join(gone)} file of the same name is missing: it has to lie "
        f"beside the {suffix} file"
    )


def _names_in(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [one.name.lower() for one in islice(entries, _MOST_NAMES)]
    except (OSError, ValueError):
        return []
