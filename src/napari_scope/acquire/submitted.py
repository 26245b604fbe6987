"""Events as callers give them, and the places that callers name: small conversions."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from useq import MDAEvent

from napari_scope.errors import PlanError
from napari_scope.stream import Output

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["TemporaryFolder", "free_place", "listed", "with_open_shutter"]


class TemporaryFolder:
    """A folder that goes with the last one who holds this."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="napari-scope-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def free_place(directory: str | PathLike[str], name: str) -> Output:
    """Return where to save: the first free ``name_1``, ``name_2``, ... ."""
    folder = Path(directory).expanduser()
    number = 1
    while (path := folder / f"{name}_{number}").exists():
        number += 1
    return Output(path, "ndtiff")


def listed(events: object) -> list[Any]:
    """Return several events as a list.

    Raises
    ------
    PlanError
        If these are no events.
    """
    if isinstance(events, Iterable) and not isinstance(events, str | bytes):
        return list(events)
    raise PlanError(
        "events are a dictionary, a useq.MDAEvent, a list or generator of these, or a "
        f"useq.MDASequence, found {type(events).__name__}"
    )


def with_open_shutter(events: Any) -> Any:
    """Return the events with the shutter left open, where they do not say."""
    if isinstance(events, Mapping):
        return {"keep_shutter_open": True, **events}
    if isinstance(events, MDAEvent):
        return events.model_copy(update={"keep_shutter_open": True})
    if isinstance(events, Iterator):
        return (with_open_shutter(item) for item in events)
    return [with_open_shutter(item) for item in events]
