"""The offset index at the end of mzML: checked, not used.

Programs that change a file often leave the index as it was. Where the spectra lie is
found out without it.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["index_problems"]

_INDEX: Final = re.compile(rb"<indexList[\s>].*?</indexList\s*>", re.S)
_SPECTRA: Final = re.compile(
    rb"""<index\s[^<>]*name\s*=\s*["']spectrum["'][^<>]*>(.*?)</index\s*>""", re.S
)
_OFFSET: Final = re.compile(rb"<offset[\s>][^<>]*>?\s*(\d+)\s*</offset\s*>")


def index_problems(tail: bytes, begins: list[int]) -> tuple[bytes, list[str]]:
    """Compare the index with where the spectra lie.

    Parameters
    ----------
    tail : bytes
        What follows the spectra in the file.
    begins : list of int
        First byte of each spectrum.

    Returns
    -------
    bytes
        The tail without the index.
    list of str
        What is wrong with the index, in words.
    """
    index = _INDEX.search(tail)
    if index is None:
        return tail, []
    rest = tail[: index.start()] + tail[index.end() :]
    spectra = _SPECTRA.search(index.group())
    if spectra is None:
        return rest, []
    offsets = [int(text) for text in _OFFSET.findall(spectra.group(1))]
    if offsets == begins:
        return rest, []
    right = len(set(begins) & set(offsets))
    return rest, [
        f"the offset index of the file names {len(offsets)} places and "
        f"{right} of the {len(begins)} spectra; it is not used"
    ]
