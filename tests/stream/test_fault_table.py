"""Every operation on the disk fails once, in every way: nothing is lost in silence.

A small acquisition is run again and again, and its first, second, third, ... operation
on the disk fails, until a run has no further operation. After each run the error has
reached the caller, or everything is there; and whatever was committed can be read by
libraries that are not ours, and recovered.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.stream.fault_layer import FAULTS, Fault, FaultyDisk
from tests.stream.kinds import KINDS, Kind, feed, frames_by_others
from tests.stream.streams import FORMATS, frame_of

from napari_scope.errors import DiskSpaceError, FormatError, ScopeError, StreamError
from napari_scope.fileio import portable_io
from napari_scope.formats.opening import open_dataset
from napari_scope.stream import Stream, read_journal
from napari_scope.stream.recovery import recover
from napari_scope.stream.recovery_journal import find_journal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# These fail in every way. The others differ from them in how pixels are written, or
# where they are, not in the rest; they fail in the ways that are hard, and of their
# hundreds of operations some of those that are alike.
WHOLE = ["ome-zarr", "ome-zarr-unknown", "ome-tiff", "ndtiff"]
HARD = ("full-torn", "broken-lasting", "short")
VARIANTS = {
    "ome-zarr-lz4": HARD,
    "ome-zarr-deep": HARD,
    "ome-zarr-0.4": HARD,
    "ome-zarr-shards": HARD,
    "ome-zarr-plate": HARD[:1],
    "ome-zarr-positions": HARD[1:2],
    "ome-tiff-zlib": HARD,
    "ome-tiff-positions": HARD[:2],
    "two-at-once": HARD[:2],
}
MOST_OPERATIONS = 500
# Of operations of a kind on files alike, so many at the beginning, then one in so many.
FIRST, STEP = 2, 5


def times_of(kind: Kind, frames: int) -> int:
    """Return how many time points make so few frames."""
    return 1 if kind.several else frames


@pytest.fixture(autouse=True)
def a_quick_medium(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real medium would only take its time."""
    monkeypatch.setattr(os, "fdatasync", lambda _: None, raising=False)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@dataclass
class Outcome:
    """What a caller sees of a run."""

    error: ScopeError | None = None
    made: bool = False
    committed: int = 0
    synced: bool = False


def small_run(folder: Path, kind: Kind) -> Outcome:
    """Run an acquisition; any error but those of a stream is an error of the test."""
    seen = Outcome()
    times = times_of(kind, 3)
    try:
        stream = Stream(kind.spec(times), kind.sinks(folder), sync_interval_s=3600)
    except ScopeError as error:
        seen.error = error
        return seen
    seen.made = True
    try:
        for number in range(len(kind.axes(times))):
            feed(stream, kind, number)
            stream.flush()
            seen.committed += 1
        stream.flush(sync=True)
        seen.synced = True
    except StreamError as error:
        seen.error = error
    try:
        stream.close()
    except StreamError as error:
        seen.error = seen.error or error
    else:
        assert seen.error is None, "an error that was raised once is raised at close"
    with contextlib.suppress(StreamError):
        stream.close()
    assert stream.stats().ring_used == 0
    return seen


def lines_of(path: Path) -> Sequence[Mapping[str, Any]]:
    """Return the lines of the frames; none without a journal."""
    journal = find_journal(path)
    if journal is None:
        return []
    try:
        return list(read_journal(journal).frames)
    except FormatError:
        return []


def check(path: Path, format: str, kind: Kind, seen: Outcome, reader: int) -> None:
    """Compare one output with what the caller was told."""
    lines = lines_of(path)
    planned = kind.axes(times_of(kind, 3))
    assert len(lines) >= (seen.committed if seen.error else len(planned))
    assert [line["axes"] for line in lines] == planned[: len(lines)]
    if lines:
        compare(path, format, kind, lines, reader)
    if seen.error is None:
        closed = closed_of(path)
        count = len(planned)
        assert closed == {"closed": True, "saved": count, "skipped": 0, "dropped": 0}
        return
    if not lines:
        return
    if (closed := closed_of(path)) is not None:
        # It was another output that failed, perhaps when this one was finished.
        assert len(kind.formats) > 1
        assert closed["saved"] == len(lines)
        assert "failed" in closed or len(lines) == len(planned)
        return
    report = recover(path)
    assert (report.saved, report.lost) == (len(lines), ())
    assert report.missing == (
        0 if report.planned is None else len(planned[len(lines) :])
    )
    assert recover(path).was_closed
    compare(path, format, kind, lines, reader)


def closed_of(path: Path) -> Mapping[str, Any] | None:
    journal = find_journal(path)
    assert journal is not None
    return read_journal(journal).closed


def compare(
    path: Path,
    format: str,
    kind: Kind,
    lines: Sequence[Mapping[str, Any]],
    reader: int,
) -> None:
    try:
        readers = frames_by_others(path, format, kind, lines, some=reader)
    except struct.error:
        # A disk that fails for good leaves half a record of the index, which the
        # reference library does not bear; ours does.
        assert format == "ndtiff"
        (image,) = open_dataset(path).images
        array = np.asarray(image.levels[0])
        readers = {
            "ours": {(0, (number,)): array[number] for number in range(len(lines))}
        }
    for name, frames in readers.items():
        for number, line in enumerate(lines):
            found = frames[line["image"], tuple(line["index"])]
            np.testing.assert_array_equal(found, frame_of(number), err_msg=name)


@dataclass
class Table:
    """What happened, for the one who reads the output of the tests."""

    told: int = 0
    repaired: int = 0
    operations: set[str] = field(default_factory=set)


def passed_over(operations: Sequence[tuple[str, str]]) -> set[int]:
    """Return the numbers of operations that are like those that are tried anyway."""
    known: Counter[tuple[str, int, str]] = Counter()
    found = set()
    for number, (kind, path) in enumerate(operations):
        *folders, name = path.split(os.sep)
        alike = kind, len(folders), re.sub(r"\d+", "#", name)
        if known[alike] >= FIRST and (known[alike] - FIRST) % STEP != STEP - 1:
            found.add(number)
        known[alike] += 1
    return found


def all_operations(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    fault: Fault,
    some: bool = False,
) -> Table:
    kind = KINDS[name]
    table = Table()
    left_out: set[int] = set()
    if some:
        (tmp_path / "sound").mkdir()
        disk = FaultyDisk(tmp_path / "sound", None)
        with disk.installed(monkeypatch):
            small_run(tmp_path / "sound", kind)
        left_out = passed_over(disk.seen)
    for at in range(MOST_OPERATIONS):
        if at in left_out:
            continue
        folder = tmp_path / str(at)
        folder.mkdir()
        disk = FaultyDisk(folder, at, fault)
        with disk.installed(monkeypatch):
            seen = small_run(folder, kind)
        try:
            for path, written in zip(kind.paths(folder), kind.formats, strict=True):
                check(path, written, kind, seen, at)
            if fault.number == 0 or disk.fired is None:
                assert seen.error is None, "nothing failed, or not for good"
            if seen.error is not None and fault.name.startswith("full"):
                assert isinstance(seen.error, DiskSpaceError)
            if fault.lasting and not fault.names and disk.fired:
                assert seen.error is not None
        except BaseException as error:
            error.add_note(f"operation {at}: {disk.fired}; the caller saw {seen}")
            raise
        if disk.fired:
            table.operations.add(disk.fired.split()[0])
            table.told += seen.error is not None
            table.repaired += seen.error is None
        if disk.count <= at:
            assert disk.fired is None
            return table
    raise AssertionError("the runs have no end")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param(name, fault, id=f"{name}-{fault.name}")
        for name in (*WHOLE, *VARIANTS)
        for fault in FAULTS
        if fault.name in VARIANTS.get(name, [fault.name])
    ],
)
def test_every_operation_fails_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fault: Fault
) -> None:
    table = all_operations(tmp_path, monkeypatch, name, fault, some=name in VARIANTS)
    if fault.names:
        assert table.operations <= {"rename", "replace", "unlink", "rmdir"}
    elif fault.number:
        assert {"create", "write", "sync"} <= table.operations
        assert table.told > 10
    else:
        assert table.operations == {"write"}
        assert table.told == 0


@pytest.mark.parametrize("name", WHOLE)
def test_the_portable_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with portable_io():
        table = all_operations(tmp_path, monkeypatch, name, FAULTS[1])
    assert table.told > 10


def test_what_is_like_others_is_tried_now_and_then() -> None:
    writes = [("write", os.path.join("c", str(n))) for n in range(13)]
    others = [("sync", os.path.join("c", "0")), ("write", "0"), ("write", "a.json")]
    tried = set(range(16)) - passed_over([*writes, *others])
    assert tried == {0, 1, 6, 11, 13, 14, 15}


def test_all_formats_are_in_the_table() -> None:
    assert {f for name in WHOLE for f in KINDS[name].formats} >= set(FORMATS)
    assert {fault.name for fault in FAULTS} >= set(HARD)
