"""How many bins the spectra of an image have, where its files contradict each other.

The header counts as long as the image is large enough for it: what lies behind is left
of an older, larger file. It has 16 bits for the number of bins; what is beyond them is
told by the m/z axis and the size of the image. An image that is too short was cut:
what is missing is 0.

Examples
--------
>>> bins_of(stated=100, room=100, values=100), bins_of(stated=0, room=70, values=70)
((100, []), (70, ['the header says 0 bins, the m/z axis has 70; that counts']))
"""

from __future__ import annotations

from typing import Final

__all__ = ["bins_of"]

# Where a number of bins ends up that has no room in 16 bits, with or without a sign.
_ENDS: Final = (0, 0x7FFF, 0x8000, 0xFFFF)
_WRAP: Final = 1 << 16

_CUT: Final = "the header says {} bins, the image ends before; what is missing is 0"


def bins_of(
    *, stated: int, room: int, values: int | None, left: int = 0
) -> tuple[int | None, list[str]]:
    """Return the number of bins, None if there is none that fits, and what was wrong.

    Parameters
    ----------
    stated : int
        What the header says.
    room : int
        Bins that the image has room for.
    values : int or None
        Values of the m/z axis, None without one.
    left : int
        Bytes of the image behind these bins.
    """
    problems: list[str] = []
    if values is None:
        told = room >= _WRAP and not left and stated in (room % _WRAP, *_ENDS)
        bins = room if told or stated == 0 else stated
        if stated != bins:
            problems.append(f"the header says {stated} bins, the image has {bins}")
        elif stated > room:
            problems.append(_CUT.format(stated))
        return bins or None, problems
    overflown = values >= _WRAP and stated in (values % _WRAP, *_ENDS)
    clipped = values == room and stated in _ENDS and not left
    other = stated > room or stated == 0 or overflown or clipped
    if 0 < values <= room and other:
        if values != stated:
            problems.append(
                f"the header says {stated} bins, the m/z axis has {values}; that counts"
            )
        return values, problems
    if stated > room:
        if values < stated:
            return None, []
        problems.append(_CUT.format(stated))
    elif stated == 0 or values < stated:
        return None, []
    if values != stated:
        problems.append(
            f"the header says {stated} bins, the m/z axis has {values} values; the "
            f"first {stated} are used"
        )
    elif room > stated:
        problems.append(
            f"the image has room for {room} bins, the header says {stated}; the rest "
            "is passed over"
        )
    return stated, problems
