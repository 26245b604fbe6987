"""What the live strip says of the camera, in words.

Examples
--------
>>> rate_text("Camera", 286.6, 29.4, running=True)
'Camera · 287 frames/s, 29 shown'
>>> rate_text("Camera", 9.96, 9.9, running=True)
'Camera · 10.0 frames/s, all shown'
>>> rate_text("Camera", 0.0, 0.0, running=False)
'Camera'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_scope.acquire.live_frame import PixelRange

__all__ = ["brightness_text", "rate_text", "saturation_text"]

_ALL = 0.93  # rates are measured at different moments
_SMALL = 0.0001


def rate_text(names: str, fps: float, shown_fps: float, *, running: bool) -> str:
    """Return how many frames come and how many are shown.

    Parameters
    ----------
    names : str
        The cameras.
    fps, shown_fps : float
        Frames in a second.
    running : bool
        Whether the camera runs.
    """
    if not running:
        return names
    if not fps:
        return f"{names} · waiting for a frame" if names else "Waiting for a frame"
    shown = "all" if shown_fps >= _ALL * fps else _number(shown_fps)
    return f"{names} · {_number(fps)} frames/s, {shown} shown"


def brightness_text(ranges: Sequence[tuple[PixelRange | None, int | None]]) -> str:
    """Return the darkest and brightest pixel of each camera, with its bit depth."""
    parts = []
    for found, bits in ranges:
        if found is None:
            continue
        text = f"{found.low:,.6g} to {found.high:,.6g}"
        parts.append(f"{text} of {2**bits - 1:,}" if bits else text)
    return "; ".join(parts)


def saturation_text(ranges: Iterable[PixelRange | None], color: str) -> str:
    """Return how many pixels are saturated, as rich text; empty if none is.

    Examples
    --------
    >>> from napari_scope.acquire.live_frame import PixelRange
    >>> saturation_text([PixelRange(0, 255, 0.02)], "red")
    '<b style="color:red">2.0 % saturated</b>'
    """
    most = max((found.saturated or 0.0 for found in ranges if found), default=0.0)
    if not most:
        return ""
    share = "under 0.01 %" if most < _SMALL else f"{100 * most:.2g} %"
    if most >= 0.01:
        share = f"{100 * most:.1f} %"
    return f'<b style="color:{color}">{share} saturated</b>'


def _number(fps: float) -> str:
    return f"{fps:.0f}" if fps >= 20 else f"{fps:.1f}" if fps >= 1 else f"{fps:.2f}"
