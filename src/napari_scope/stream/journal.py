"""The journal: one line of JSON for each frame, written after its pixels.

It says which frames are real, with time, exposure and place, and survives a killed
process as the pixels do. The first line describes the journal, the last one says that
the store was closed; without it the run was interrupted.

Lines of one batch are written with one call. A torn last line, as a loss of power may
leave, is ignored when reading.

Examples
--------
>>> import tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "frames.jsonl"
>>> journal = Journal.create(path, {"format": "memory"})
>>> journal.write([{"n": 0, "axes": {"time": 0}, "status": "saved"}])
>>> journal.close({"saved": 1})
>>> [entry["axes"] for entry in read_journal(path).frames]
[{'time': 0}]
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

__all__ = ["JOURNAL_NAME", "Journal", "JournalContent", "jsonable", "read_journal"]

JOURNAL_NAME = "frames.jsonl"

_VERSION = 1


def jsonable(value: object) -> Any:
    """Return a value as JSON can hold it: numpy scalars, arrays, paths, sets too."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(v) for v in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_unset=True)
    if hasattr(value, "items"):
        return {str(k): jsonable(v) for k, v in value.items()}
    return str(value)


class Journal:
    """An open journal; used by one writer thread.

    Use `Journal.create`.
    """

    def __init__(self, file: DataFile) -> None:
        self._file = file
        self._end = 0
        self._closed = False

    @classmethod
    def create(cls, path: str | PathLike[str], header: Mapping[str, object]) -> Journal:
        """Create the journal and write its first line."""
        journal = cls(DataFile.create(path))
        journal.write([{"journal": _VERSION, **header}])
        return journal

    def write(self, entries: Iterable[Mapping[str, object]]) -> None:
        """Append one line for each entry, all with one call."""
        data = b"".join(_line(entry) for entry in entries)
        self._end += self._file.write_at(self._end, data)

    def sync(self) -> None:
        """Wait until the lines survive a loss of power."""
        if not self._closed:
            self._file.sync()

    def close(self, totals: Mapping[str, object] | None = None) -> None:
        """Write the last line, unless the run was interrupted, and close."""
        if self._closed:
            return
        self._closed = True
        try:
            if totals is not None:
                self.write([{"closed": True, **totals}])
        finally:
            self._file.close()


def _line(entry: Mapping[str, object]) -> bytes:
    try:
        text = _ENCODER.encode(entry)
    except (TypeError, ValueError):
        # Numbers that JSON has no word for (NaN), keys that are no strings.
        text = _ENCODER.encode(jsonable(entry))
    return text.encode() + b"\n"


_ENCODER = json.JSONEncoder(
    separators=(",", ":"), default=jsonable, allow_nan=False, check_circular=False
)


@dataclass(frozen=True, slots=True)
class JournalContent:
    """What a journal says.

    Parameters
    ----------
    header : mapping
        The first line.
    frames : sequence of mapping
        One entry for each frame that was saved or skipped, in order.
    closed : mapping, optional
        The last line; None when the run was interrupted.
    """

    header: Mapping[str, Any]
    frames: Sequence[Mapping[str, Any]]
    closed: Mapping[str, Any] | None


def read_journal(path: str | PathLike[str]) -> JournalContent:
    """Read a journal, also while it is being written.

    Raises
    ------
    FormatError
        If the first line is not that of a journal, or a line in the middle is broken.
    """
    lines = Path(path).read_bytes().split(b"\n")
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        if not line:
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines) - 1:
                break  # torn by a loss of power, or being written at this moment
            raise FormatError(
                f"line {number + 1} of the journal is not JSON, {error}", path=path
            ) from error
        if not isinstance(entry, dict):
            raise FormatError(
                f"line {number + 1} of the journal should be an object, found "
                f"{type(entry).__name__}",
                path=path,
            )
        entries.append(entry)
    if not entries or "journal" not in entries[0]:
        raise FormatError("the file does not begin like a journal of frames", path=path)
    header, *frames = entries
    closed = frames.pop() if frames and "closed" in frames[-1] else None
    return JournalContent(header, frames, closed)
