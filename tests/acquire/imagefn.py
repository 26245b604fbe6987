"""Image functions that a process can import by name."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np


def invert(image: Any, tags: Any) -> Any:
    tags["pid"] = os.getpid()
    return image.max() - image, tags


def fan_out(image: Any, tags: Any) -> Any:
    raw = {**tags, "Axes": {**tags["Axes"], "kind": "raw"}}
    doubled = {**tags, "Axes": {**tags["Axes"], "kind": "doubled"}}
    return [(image, raw), (image * 2, doubled)]


def crop_to_bytes(image: Any, tags: Any) -> Any:
    return (image[:10, :12] // 256).astype("u1"), tags


def pixels_alone(image: Any, tags: Any) -> Any:
    return np.full_like(image, 7)


def drop_odd(image: Any, tags: Any) -> Any:
    return None if tags["Axes"]["time"] % 2 else (image, tags)


def raise_at_two(image: Any, tags: Any) -> Any:
    if tags["Axes"]["time"] == 2:
        raise ValueError("no twos")
    return image, tags


def text(image: Any, tags: Any) -> Any:
    return "an image"


def no_axes(image: Any, tags: Any) -> Any:
    del tags["Axes"]
    return image, tags


def no_pickle(image: Any, tags: Any) -> Any:
    tags["f"] = lambda: None
    return image, tags


def die(image: Any, tags: Any) -> Any:
    os._exit(3)


def interrupted(image: Any, tags: Any) -> Any:
    """As Ctrl-C in a terminal, which reaches all processes of it."""
    if hasattr(signal, "pthread_kill"):
        os.kill(os.getpid(), signal.SIGINT)
    return image, tags


def larger(image: Any, tags: Any) -> Any:
    return np.tile(image, (3, 3)), tags
