"""The journal: one line of JSON for each frame, written after its pixels.

It says which frames are real, with time, exposure and place, and survives a killed
process as the pixels do. The first line describes the journal, the last one says that
the store was closed; without it the run was interrupted.

A run that was continued has both in the middle, too: the line of its former end, and
then one that says ``resumed``, when, and what was planned from then on. A line
``closed`` that others follow is history.

Lines of one batch are written with one call. A torn last line, as a loss of power may
leave, is ignored when reading. As long as the journal is open its file is locked (see
`lock`): that tells a run that goes on from one that was killed.

What a reader of the format should know without this file is `Journal.summary` (how many
frames are saved, which are not) and `Journal.table` (the metadata of each frame, unless
there are very many); a format that has no place for them by itself takes them into its
metadata at close.

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

import dataclasses
import datetime
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.errors import FormatError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.stream.lock import Held, hold, release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from napari_scope.stream.spec import StoreSpec

__all__ = [
    "JOURNAL_NAME",
    "Journal",
    "JournalContent",
    "JournalScan",
    "Summary",
    "encode_line",
    "jsonable",
    "plan_header",
    "read_journal",
    "scan_journal",
]

JOURNAL_NAME = "frames.jsonl"

_VERSION = 1
_PLANNED = ("frames", "plan")  # what of the first line a resumption may change
_MOST_LISTED = 1000  # frames that are not there, in a summary
_MOST_IN_TABLE = 5000  # saved frames whose metadata are repeated in a format's own


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


def plan_header(spec: StoreSpec, format: str) -> dict[str, object]:
    """Return the first line of the journal of a run: what was planned.

    From it `recover` knows which frames are missing, also when nothing else is left.
    """
    return {
        "format": format,
        "name": spec.name,
        "frames": spec.n_frames,
        "plan": {
            "shape": spec.frame_shape,
            "dtype": spec.dtype.name,
            "order": spec.order,
            "labels": spec.labels,
            "growing": spec.growing,
            "growing_axes": spec.growing_axes,
            "loose": spec.loose,
            "images": [
                {"name": image.name, "place": image.place, "sizes": image.sizes}
                for image in spec.images
            ],
            "scale": {
                "pixel_um": spec.pixel_um,
                "z_um": spec.z_um,
                "interval_s": spec.interval_s,
            },
            "storage": dataclasses.asdict(spec.storage),
        },
    }


class Summary:
    """Counts the lines of a journal and remembers which frames are not there."""

    def __init__(self) -> None:
        self._counts = {"saved": 0, "skipped": 0, "dropped": 0}
        self._not_saved: list[dict[str, object]] = []
        self._saved: list[tuple[object, object]] = []

    def add(self, entry: Mapping[str, object]) -> None:
        """Count a line."""
        status = entry.get("status")
        if status == "saved":  # all lines, as a rule
            self._counts["saved"] += 1
            if len(self._saved) <= _MOST_IN_TABLE:
                self._saved.append((entry.get("axes"), entry.get("metadata")))
        elif isinstance(status, str) and status in self._counts:
            self._counts[status] += 1
            if len(self._not_saved) < _MOST_LISTED:
                kept = ("axes", "status", "reason")
                self._not_saved.append({k: entry[k] for k in kept if k in entry})

    def document(self) -> dict[str, object]:
        """Return the numbers and the frames that are not there, for a format.

        At most a thousand frames are listed, so that metadata stay quick to read; the
        journal has them all.
        """
        return {**self._counts, "not_saved": jsonable(self._not_saved)}

    def table(self) -> dict[str, object]:
        """Return axes and metadata of the saved frames, for a format.

        A run of very many frames has them in the journal only: metadata that every
        reader goes through must stay quick to read.
        """
        if len(self._saved) > _MOST_IN_TABLE:
            return {"frame_metadata_in": JOURNAL_NAME}
        rows = [
            {"axes": axes, **(facts if isinstance(facts, dict) else {})}
            for axes, facts in self._saved
        ]
        return {"frame_metadata": jsonable(rows)}


class Journal:
    """An open journal; used by one writer thread.

    Use `Journal.create` or `Journal.reopen`.
    """

    def __init__(self, file: DataFile) -> None:
        self._file = file
        self._end = 0
        self._closed = False
        self._summary = Summary()

    @classmethod
    def create(cls, path: str | PathLike[str], header: Mapping[str, object]) -> Journal:
        """Create the journal, lock it and write its first line."""
        journal = cls(DataFile.create(path))
        # Where a file system has no locks, `recover` cannot have one either and asks.
        hold(journal._file)
        try:
            journal.write([{"journal": _VERSION, **header}])
        except BaseException:
            journal._file.close()
            raise
        return journal

    @classmethod
    def reopen(
        cls,
        path: str | PathLike[str],
        header: Mapping[str, object],
        *,
        after: int,
    ) -> Journal:
        """Open the journal of a finished run to go on with it, lock it and say so.

        The line that says so is on the medium when this returns: from then on the
        store counts as one that is being written, whatever happens to it next.

        Parameters
        ----------
        path : str or PathLike
            The journal.
        header : mapping
            What is planned from now on, as `plan_header` returns it.
        after : int
            How many lines of frames it is known to have.

        Raises
        ------
        StreamError
            If somebody else writes to it, or has done so since they were counted.
        FormatError
            If it is no journal.
        """
        path = Path(path)
        journal = cls(DataFile.open(path, writable=True))
        try:
            if hold(journal._file) is Held.TAKEN:
                raise StreamError(
                    "the run is still being written, or recovered",
                    path=path,
                    hint="wait until it ends; nothing was changed",
                )
            scan = scan_journal(path)
            count = len(scan.content.frames)
            if count != after or scan.content.closed is None:
                raise StreamError(
                    "another program went on with the run at this moment",
                    path=path,
                    hint="wait until it ends, then try again; nothing was changed",
                )
            for entry in _last_lines(scan.content.frames):
                journal._summary.add(entry)
            journal._end = scan.end
            journal._file.truncate(scan.end)
            if journal._file.read_at(scan.end - 1, 1) != b"\n":
                journal._end += journal._file.write_at(scan.end, b"\n")
            journal.write([_resumed(header, after)])
            journal.sync()
        except BaseException:
            journal._file.close()
            raise
        return journal

    def write(self, entries: Iterable[Mapping[str, object]]) -> None:
        """Append one line for each entry, all with one call."""
        entries = list(entries)
        data = b"".join(encode_line(entry) for entry in entries)
        self._end += self._file.write_at(self._end, data)
        for entry in entries:
            self._summary.add(entry)

    def summary(self) -> dict[str, object]:
        """Return what the lines so far say, for the metadata of the format."""
        return self._summary.document()

    def table(self) -> dict[str, object]:
        """Return what the lines so far say of each frame; see `Summary.table`."""
        return self._summary.table()

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
            release(self._file)
            self._file.close()


def _resumed(header: Mapping[str, object], after: int) -> dict[str, object]:
    """Return the line that says that a run was continued."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    kept = {key: header[key] for key in _PLANNED if key in header}
    return {"resumed": True, "time": now, "after": after, **kept}


def _last_lines(entries: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Return the last line of each frame: what is lost may come a second time."""
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        found[f"{entry.get('image')} {entry.get('index')}"] = entry
    return found.values()


def encode_line(entry: Mapping[str, object]) -> bytes:
    """Return an entry as a line."""
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
        The first line; of a run that was continued, with what is planned now.
    frames : sequence of mapping
        One entry for each frame that was saved or skipped, in order.
    closed : mapping, optional
        The last line; None when the run was interrupted, or goes on.
    resumed : sequence of mapping
        The lines that say that the run was continued, in order.
    starts : sequence of int
        Numbers, in ``frames``, of the first frame of the run and of each time that it
        was continued.
    endings : sequence of mapping
        All lines that say that the run was closed, with that of ``closed``; the n-th
        stands before the n-th resumption.
    """

    header: Mapping[str, Any]
    frames: Sequence[Mapping[str, Any]]
    closed: Mapping[str, Any] | None
    resumed: Sequence[Mapping[str, Any]] = ()
    starts: Sequence[int] = (0,)
    endings: Sequence[Mapping[str, Any]] = ()


def read_journal(path: str | PathLike[str]) -> JournalContent:
    """Read a journal, also while it is being written.

    Raises
    ------
    FormatError
        If the first line is not that of a journal, or a line in the middle is broken.
    """
    found = scan_journal(path)
    for broken in found.broken:
        if not broken.last:
            raise FormatError(
                f"line {broken.number} of the journal is {broken.what}",
                path=path,
                hint="`napari-scope recover` leaves such lines out",
            )
    return found.content


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that is none.

    Parameters
    ----------
    number : int
        Its number, from 1 on.
    start, end : int
        Its bytes, without the newline.
    last : bool
        Whether it is the last and has no newline: it is being written at this moment,
        or was torn.
    what : str
        What is wrong with it.
    """

    number: int
    start: int
    end: int
    last: bool
    what: str


@dataclass(frozen=True, slots=True)
class JournalScan:
    """All that can be read of a journal, and what cannot.

    Parameters
    ----------
    content : JournalContent
        The whole lines.
    broken : sequence of BrokenLine
        The others, in order.
    end : int
        Where the last whole line ends, with its newline.
    """

    content: JournalContent
    broken: Sequence[BrokenLine]
    end: int


def scan_journal(path: str | PathLike[str]) -> JournalScan:
    """Read what can be read of a journal that a loss of power may have damaged.

    Blocks that never reached the medium read as zeros; zeros before a line are passed
    over. A last line that only lacks its newline is whole.

    Raises
    ------
    FormatError
        If the first line is not that of a journal.
    """
    entries: list[dict[str, Any]] = []
    broken: list[BrokenLine] = []
    start = end = 0
    lines = Path(path).read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        last = number == len(lines)
        entry, what = _entry(line)
        if entry is not None:
            entries.append(entry)
            end = start + len(line) + (not last)
        elif what:
            stop = start + len(line)
            broken.append(BrokenLine(number, start, stop, last, what))
        if not entries and number > 1:
            break  # whatever it is, it may be long
        start += len(line) + 1
    if not entries or "journal" not in entries[0]:
        raise FormatError("the file does not begin like a journal of frames", path=path)
    return JournalScan(_content(entries), broken, end)


def _content(entries: Sequence[dict[str, Any]]) -> JournalContent:
    """Sort the lines into those of frames and those about the run."""
    header, *rest = entries
    frames: list[Mapping[str, Any]] = []
    resumed: list[Mapping[str, Any]] = []
    endings: list[Mapping[str, Any]] = []
    starts = [0]
    for entry in rest:
        if "closed" in entry:
            endings.append(entry)
        elif "resumed" in entry:
            resumed.append(entry)
            starts.append(len(frames))
            header = {**header, **{k: entry[k] for k in _PLANNED if k in entry}}
        else:
            frames.append(entry)
    closed = rest[-1] if rest and "closed" in rest[-1] else None
    return JournalContent(header, frames, closed, resumed, starts, endings)


def _entry(line: bytes) -> tuple[dict[str, Any] | None, str]:
    """Return the object of a line, or None and what is wrong (nothing if blank)."""
    text = line.lstrip(b"\0 ")
    if not text:
        return None, "empty" if b"\0" in line else ""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError) as error:
        return None, f"not JSON, {error}"
    if not isinstance(entry, dict):
        return None, f"no object, but {type(entry).__name__}"
    return entry, ""
