"""The order of names as people count.

Examples
--------
>>> sorted(["a10", "a2", "B1"], key=natural)
['a2', 'a10', 'B1']
"""

from __future__ import annotations

import re

__all__ = ["natural"]

_DIGITS = re.compile(r"(\d{1,18})")


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts ``A2`` before ``A10``, and small letters as capitals."""
    parts = _DIGITS.split(name.lower())
    return [(1, int(p), "") if p.isdecimal() else (0, 0, p) for p in parts]
