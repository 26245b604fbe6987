"""Numbers in words, as the docks show them.

Examples
--------
>>> size_text(1_500_000), duration_text(75), duration_text(0.25), duration_text(7261)
('1.5 MB', '1:15 min', '0.2 s', '2:01 h')
"""

from __future__ import annotations

import time

__all__ = ["clock", "duration_text", "size_text"]


def size_text(size: float) -> str:
    """Return a number of bytes in decimal units, as disks are sold."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    if unit == "bytes":
        return f"{size:.0f} bytes"
    return f"{size:.1f} {unit}" if size < 100 else f"{size:.0f} {unit}"


def duration_text(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    minutes = whole // 60
    if minutes < 48 * 60:
        return f"{minutes // 60}:{minutes % 60:02d} h"
    return f"{seconds / 86400:.1f} days"


def clock() -> str:
    """Return the time of day."""
    return time.strftime("%H:%M:%S")
