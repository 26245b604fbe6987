"""By how much a new process grows."""

from __future__ import annotations

import gc
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["growth"]


def growth(make: Callable[[Path], object], small: Path, large: Path) -> int:
    """Return the bytes of memory that keeping something takes, in a new process.

    Parameters
    ----------
    make : callable
        Makes it; a function that a new process can import.
    small, large : Path
        Given to it one after the other. What is imported and allocated for the small
        one is not counted.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(_growth, make, small, large).result()


def _growth(make: Callable[[Path], object], small: Path, large: Path) -> int:
    make(small)
    before = _resident()
    made = make(large)
    after = _resident()
    del made
    return after - before


def _resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)
