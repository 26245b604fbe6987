"""The colour a channel is shown in when nothing else says so.

The name decides where it is that of a known dye, protein or wavelength, otherwise the
place of the channel does. Readers that find no colour, the layers and the writers of
metadata all ask here, so a data set looks the same live, saved and reopened.

Examples
--------
>>> default_color("DAPI", 0, 2), default_color("GFP", 1, 2), default_color("BF", 0, 1)
('#0000FF', '#00FF00', '#FFFFFF')
"""

from __future__ import annotations

import re

__all__ = ["default_color"]

_WHITE = "#FFFFFF"
_BLUE = "#0000FF"
_CYAN = "#00FFFF"
_GREEN = "#00FF00"
_YELLOW = "#FFFF00"
_ORANGE = "#FF8000"
_RED = "#FF0000"
_MAGENTA = "#FF00FF"

_CYCLE = (_CYAN, _MAGENTA, _YELLOW, _RED, _GREEN, _BLUE)
"""For names that say nothing; distinct from each other also for colour-blind eyes."""

# The first pattern that is found in the lower-case name wins, so the special (a
# far-red iRFP, a TagBFP) stands before the general (RFP). ``(?<![a-z])`` is the start
# of a word where letters count and digits do not ("3FITC").
_NAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?<![a-z])(?:{pattern})"), color)
    for pattern, color in (
        (r"irfp|mirfp|far[ _-]?red|cy[ _-]?5|cy[ _-]?7|draq|sir(?![a-z])", _MAGENTA),
        (r"dapi|hoechst|(?:tag|e|m)?bfp|blue|pacific[ _-]?blue", _BLUE),
        (r"m?cerulean|m?turquoise|[em]?cfp|cyan", _CYAN),
        (r"[a-z]{0,2}gfp|fitc|gcamp|m?neon|m?clover|green|cy[ _-]?2(?!\d)", _GREEN),
        (r"[em]?yfp|m?venus|m?citrine|yellow", _YELLOW),
        (r"cy[ _-]?3|tritc|td[ _-]?tomato|m?orange|m?ko2?(?![a-z])", _ORANGE),
        (r"m?cherry|m?scarlet|(?:tag|ds|m)?rfp|dsred|rhodamine|tx[ _-]?red", _RED),
        (r"texas[ _-]?red|m?kate|m?ruby|red(?![a-z])", _RED),
        (r"magenta", _MAGENTA),
        (r"bright[ _-]?field|phase|dic(?![a-z])|bf(?![a-z])|trans|white", _WHITE),
    )
)

# Excitation in nanometres (a laser line or the number of an Alexa dye): upper end of
# each band and the colour of what it excites.
_BANDS: tuple[tuple[int, str], ...] = (
    (425, _BLUE),
    (469, _CYAN),
    (510, _GREEN),
    (545, _YELLOW),
    (570, _ORANGE),
    (615, _RED),
    (850, _MAGENTA),
)
_WAVELENGTH = re.compile(r"(?<!\d)([3-8]\d{2})(?!\d)")


def default_color(name: str, index: int, count: int) -> str:
    """Return the colour of a channel as ``#RRGGBB``.

    Parameters
    ----------
    name : str
        Name of the channel; it may be empty.
    index : int
        Place of the channel among its neighbours, from 0.
    count : int
        Number of channels. A channel alone is white, that is shown in grey levels,
        whatever its name: colour would only cost contrast.
    """
    if count <= 1:
        return _WHITE
    lowered = name.casefold()
    for pattern, color in _NAMES:
        if pattern.search(lowered):
            return color
    found = _WAVELENGTH.search(lowered)
    if found:
        nanometres = int(found.group(1))
        for upper, color in _BANDS:
            if 340 <= nanometres <= upper:
                return color
    return _CYCLE[index % len(_CYCLE)]
