r"""Records of frames from the journal of a run, one line each, read where they lie.

Every run that this package saves has a journal, ``frames.jsonl``, whatever the format:
it grows with the run and has the frames that did not come, too. Here only the places of
its lines are kept; a line is parsed when its record is asked for. Lines of a run that
was continued, torn and damaged ones are passed over, each for itself.

It reads the file of another program or thread while that writes: a line counts when its
newline is there.

Examples
--------
>>> import tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "frames.jsonl"
>>> line = '{"n":0,"image":0,"index":[2],"axes":{"time":2},"status":"saved"}'
>>> _ = path.write_text('{"journal":1}\n' + line + "\n")
>>> records = JournalRecords(path)
>>> len(records), records.record(0).axes
(1, {'time': 2})
"""

from __future__ import annotations

import json
import re
import threading
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.frame_records import FrameRecord, Place, checked_axes
from napari_scope.model import Axes, axis_kind, short, sort_names

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["JournalFrames", "JournalRecords", "find_journal"]

_NAME: Final = "frames.jsonl"
_BLOCK: Final = 1 << 20
_LONGEST: Final = 1 << 24  # of a line; what is longer is no line of a journal
_WHERE: Final = re.compile(rb'"image":(\d{1,9}),"index":\[([\d,]{0,200})\]')


def find_journal(path: str | os.PathLike[str]) -> Path | None:
    """Return the journal of a store, or None if it has none.

    Parameters
    ----------
    path : str or PathLike
        A store of any format, or an image by its number within an OME-Zarr store.
    """
    place = Path(path)
    candidates = [place / _NAME, place / "acquisition" / _NAME]
    if place.name.isdigit():
        candidates.append(place.parent / "acquisition" / _NAME)
    for suffix in (".ome.tiff", ".ome.tif", ".tiff", ".tif"):
        if place.name.lower().endswith(suffix):
            stem = place.name[: -len(suffix)]
            candidates.append(place.with_name(f"{stem}.{_NAME}"))
            candidates.append(place.parent / _NAME)
            break
    try:
        return next((found for found in candidates if found.is_file()), None)
    except (OSError, ValueError):
        return None


class JournalRecords:
    """The records of a journal (a `RecordSource`). Thread safe.

    Nothing is read before it is needed. The file is open only while it is read.

    Parameters
    ----------
    path : str or PathLike
        The journal.
    only : int, optional
        Number of the image whose frames count; it is image 0 then. By default all.
    """

    def __init__(self, path: str | os.PathLike[str], only: int | None = None) -> None:
        self.path = Path(path)
        self._only = only
        self._lock = threading.RLock()
        self._header: Mapping[str, Any] = {}
        self._starts = array("q")
        self._lengths = array("q")
        self._end = 0
        self._seen: dict[bytes, int] = {}
        self._begun = False
        self.closed = False

    def __eq__(self, other: object) -> bool:
        """Return whether it is the same journal."""
        return (
            isinstance(other, JournalRecords)
            and other.path == self.path
            and other._only == self._only
        )

    def __hash__(self) -> int:
        """Return a hash that goes with equality."""
        return hash((self.path, self._only))

    def __reduce__(self) -> tuple[type[JournalRecords], tuple[Path, int | None]]:
        """Send the path only."""
        return JournalRecords, (self.path, self._only)

    def __len__(self) -> int:
        """Return the number of records."""
        if not self._begun:
            self.refresh()
        return len(self._starts)

    @property
    def header(self) -> Mapping[str, Any]:
        """The first line: what was planned."""
        if not self._begun:
            self.refresh()
        return self._header

    @property
    def is_read(self) -> bool:
        """Whether the lines were looked at, so that look-ups read nothing."""
        return self._begun

    def refresh(self) -> int:
        """Take in the lines that were added; returns how many records there are.

        Raises
        ------
        FormatError
            The file is gone, cannot be read, or is no journal.
        """
        with self._lock:
            try:
                self._take_in()
            except OSError as error:
                raise FormatError(
                    f"the journal cannot be read: {error.strerror or error}",
                    path=self.path,
                ) from error
            self._begun = True
            return len(self._starts)

    def _take_in(self) -> None:
        with open(self.path, "rb") as file:
            file.seek(self._end)
            rest = b""
            while block := file.read(_BLOCK):
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    self._take(line)
                if len(rest) > _LONGEST:
                    raise FormatError("a line has no end", path=self.path)

    def _take(self, line: bytes) -> None:
        start, self._end = self._end, self._end + len(line) + 1
        if not start:
            header = _parsed(line)
            if header is None or "journal" not in header:
                self._end = 0
                raise FormatError(
                    "the file does not begin like a journal of frames", path=self.path
                )
            self._header = header
            return
        found = _WHERE.search(line, 0, 400)
        if found is None:
            entry = _parsed(line)
            if entry is None:
                return
            self.closed = "closed" in entry
            if "axes" not in entry:
                return
            key = _key(entry.get("image"), entry.get("index"))
        else:
            self.closed = False
            key = b"%s:%s" % found.groups()
        if self._only is not None:
            if key is None or key.partition(b":")[0] != b"%d" % self._only:
                return
            key = b"0" + key[key.index(b":") :]
        if key is not None:
            self._seen[key] = len(self._starts)
        self._starts.append(start)
        self._lengths.append(len(line))

    def record(self, number: int) -> FrameRecord:
        """Return a record; one whose line is damaged says so."""
        try:
            entry = self._entry(number)
        except FormatError as error:
            return FrameRecord(number, {}, problem=error.message)
        return _record(number, entry)

    def records(self, start: int, stop: int) -> Iterator[FrameRecord]:
        """Iterate over records that lie one after the other, with few reads."""
        while start < stop:
            first, end = self._starts[start], start
            while (
                end < stop and self._starts[end] + self._lengths[end] - first <= _BLOCK
            ):
                end += 1
            lines = self._lines(start, end)
            if lines is None:  # one that is very long, or a file that is gone
                yield self.record(start)
                start += 1
                continue
            for number, line in zip(range(start, end), lines, strict=True):
                entry = _parsed(line)
                yield self.record(number) if entry is None else _record(number, entry)
            start = end

    def _lines(self, start: int, end: int) -> list[bytes] | None:
        """Return lines by one read, None where that cannot be done."""
        if start == end:
            return None
        first = self._starts[start]
        length = self._starts[end - 1] + self._lengths[end - 1] - first
        try:
            with DataFile.open(self.path) as file:
                block = file.read_at(first, length)
        except OSError:
            return None
        return [
            block[self._starts[n] - first : self._starts[n] - first + self._lengths[n]]
            for n in range(start, end)
        ]

    def _entry(self, number: int) -> dict[str, Any]:
        start, length = self._starts[number], self._lengths[number]
        try:
            with DataFile.open(self.path) as file:
                line = file.read_at(start, length)
        except OSError as error:
            raise FormatError(
                f"the journal cannot be read: {error.strerror or error}",
                path=self.path,
            ) from error
        entry = _parsed(line)
        if entry is None:
            raise FormatError(
                f"line of frame {number} is damaged (byte {start} of the journal)",
                path=self.path,
            )
        return entry

    # ---- places

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Short names of the index axes, in the order of ``index`` in the lines."""
        plan = self.header.get("plan")
        order = plan.get("order") if isinstance(plan, Mapping) else None
        names = [n for n in order if isinstance(n, str)] if order else []
        own = [name for name in names if axis_kind(name) != "position"]
        return tuple(short(name) for name in sort_names(own))

    def place(self, number: int) -> Place | None:
        """Return where the pixels of a frame are."""
        try:
            entry = self._entry(number)
        except FormatError:
            return None
        image, index = entry.get("image"), entry.get("index")
        if type(image) is not int or not isinstance(index, list):
            return None
        names = self.axis_names
        if len(names) != len(index) or {*map(type, index)} - {int}:
            return None
        return Place(
            0 if self._only is not None else image, dict(zip(names, index, strict=True))
        )

    def number_at(self, image: int, index: Mapping[str, int]) -> int | None:
        """Return the record of the frame at a place: the last line that is on it."""
        places = ",".join(str(index.get(name, 0)) for name in self.axis_names)
        with self._lock:
            return self._seen.get(b"%d:%s" % (image, places.encode()))


class JournalFrames:
    """What a journal says of the frames of one image (a `model.FrameTable`).

    Parameters
    ----------
    records : JournalRecords
        The journal.
    image : int
        Number of the image in it.
    """

    def __init__(self, records: JournalRecords, image: int) -> None:
        self.records = records
        self.image = image

    def __eq__(self, other: object) -> bool:
        """Return whether it tells of the same image."""
        return (
            isinstance(other, JournalFrames)
            and self.image == other.image
            and self.records == other.records
        )

    def __hash__(self) -> int:
        """Return a hash that goes with equality."""
        return hash((self.records, self.image))

    def exists(self, index: Mapping[str, int]) -> bool:
        """Return whether the frame was saved, as far as is known without reading."""
        if not self.records.is_read:
            return True
        number = self.records.number_at(self.image, index)
        return number is not None and self.records.record(number).status == "saved"

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        """Return the identity of a frame, as far as is known without reading."""
        record = self._record(index) if self.records.is_read else None
        return None if record is None else record.axes

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        """Return what was noted of a frame, or None; it reads the journal.

        Raises
        ------
        FormatError
            The journal is gone, or its line is damaged.
        """
        if self.records.number_at(self.image, index) is None:
            self.records.refresh()
        record = self._record(index)
        if record is None:
            return None
        if record.problem:
            raise FormatError(record.problem, path=self.records.path)
        if record.status != "saved":
            return {"status": record.status, "reason": record.reason, **record.facts}
        return record.facts

    def _record(self, index: Mapping[str, int]) -> FrameRecord | None:
        number = self.records.number_at(self.image, index)
        return None if number is None else self.records.record(number)


def _record(number: int, entry: Mapping[str, Any]) -> FrameRecord:
    facts = entry.get("metadata")
    return FrameRecord(
        number,
        checked_axes(entry.get("axes")),
        facts if isinstance(facts, Mapping) else {},
        status=str(entry.get("status", "saved")),
        reason=str(entry.get("reason", "")),
    )


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return the object of a line, None where it is none."""
    try:
        entry = json.loads(line.lstrip(b"\0 ") or b"null")
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _key(image: object, index: object) -> bytes | None:
    if type(image) is not int or not isinstance(index, list):
        return None
    return b"%d:%s" % (image, ",".join(map(str, index)).encode())
