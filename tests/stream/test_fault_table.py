"""Every operation on the disk fails once, in every way: nothing is lost in silence.

A small acquisition is run again and again, and its first, second, third, ... operation
on the disk fails, until a run has no further operation. After each run the error has
reached the caller, or everything is there; and whatever was committed can be read by
libraries that are not ours, and recovered.
"""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import zarr
from tests.formats.ngff.oracles import READERS
from tests.stream.fault_layer import FAULTS, Fault, FaultyDisk
from tests.stream.streams import FORMATS, frame_of, growing_spec, make_sink, make_spec
from tests.stream.test_stream_kill import ndtiff_frames

from napari_scope.errors import DiskSpaceError, FormatError, ScopeError, StreamError
from napari_scope.fileio import portable_io
from napari_scope.formats.opening import open_dataset
from napari_scope.stream import StoreSpec, Stream, read_journal
from napari_scope.stream.recovery import recover
from napari_scope.stream.recovery_journal import find_journal
from napari_scope.stream.sinks.ometiff import OmeTiffSink
from napari_scope.stream.spec import StorageSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_scope.stream import Sink

FRAMES = 3
PACKED = StorageSpec(compression="blosc-lz4")
DEEP = StorageSpec(chunks={"time": 2, "y": 8, "x": 8}, compression="zstd")
OLD = StorageSpec(version="0.4")
CASES: dict[str, tuple[str, StoreSpec, dict[str, Any]]] = {
    "ome-zarr": ("ome-zarr", make_spec({"time": FRAMES}), {"levels": 2}),
    "ome-zarr-growing": ("ome-zarr", growing_spec(), {"levels": 1}),
    "ome-zarr-packed": ("ome-zarr", make_spec({"time": FRAMES}, storage=PACKED), {}),
    "ome-zarr-deep": ("ome-zarr", make_spec({"time": FRAMES}, storage=DEEP), {}),
    "ome-zarr-0.4": ("ome-zarr", make_spec({"time": FRAMES}, storage=OLD), {}),
    "ome-tiff": ("ome-tiff", make_spec({"time": FRAMES}), {}),
    "ndtiff": ("ndtiff", make_spec({"time": FRAMES}), {}),
}
NAMES = {"ome-tiff": "out.ome.tiff"}
MOST_OPERATIONS = 500


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


def any_sink(kind: str, path: Path, **more: Any) -> Sink:
    return OmeTiffSink(path) if kind == "ome-tiff" else make_sink(kind, path, **more)


def small_run(path: Path, kind: str, spec: StoreSpec, **more: Any) -> Outcome:
    """Run an acquisition; any error but those of a stream is an error of the test."""
    seen = Outcome()
    try:
        sink = any_sink(kind, path, **more)
        stream = Stream(spec, [sink], sync_interval_s=3600)
    except ScopeError as error:
        seen.error = error
        return seen
    seen.made = True
    try:
        for number in range(FRAMES):
            stream.append(frame_of(number), {"n": number}, index={"time": number})
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


def frames_by_others(path: Path, kind: str, reader: str) -> Mapping[int, Any]:
    """Return the frames of a store as an independent library reads them."""
    if kind == "ndtiff":
        return ndtiff_frames(path)
    if kind == "ome-tiff":
        with tifffile.TiffFile(path) as file:
            return dict(enumerate(page.asarray() for page in file.pages))
    if kind == "ome-zarr" and (path / "0" / ".zarray").is_file():
        return dict(enumerate(zarr.open_array(path / "0", mode="r")[...]))
    array = READERS[reader](path / "0")
    return dict(enumerate(array))


def lines_of(path: Path) -> list[int]:
    """Return the numbers of the frames that have a line; none without a journal."""
    journal = find_journal(path)
    if journal is None:
        return []
    try:
        return [line["index"][0] for line in read_journal(journal).frames]
    except FormatError:
        return []


def check(path: Path, kind: str, seen: Outcome, reader: str) -> None:
    lines = lines_of(path)
    assert lines[: seen.committed] == list(range(seen.committed))
    if seen.error is None:
        assert lines == list(range(FRAMES))
    if lines:
        try:
            found = frames_by_others(path, kind, reader)
        except struct.error:
            # A disk that fails for good leaves half a record of the index, which the
            # reference library does not bear; ours does.
            assert kind == "ndtiff"
            (image,) = open_dataset(path).images
            found = dict(enumerate(np.asarray(image.levels[0])))
        for number in lines:
            np.testing.assert_array_equal(found[number], frame_of(number))
    if seen.error is None:
        journal = find_journal(path)
        assert journal is not None
        closed = read_journal(journal).closed
        assert closed == {"closed": True, "saved": FRAMES, "skipped": 0, "dropped": 0}
    elif lines:
        report = recover(path)
        assert (report.saved, report.lost) == (len(lines), ())
        assert recover(path).was_closed
        found = frames_by_others(path, kind, reader)
        for number in lines:
            np.testing.assert_array_equal(found[number], frame_of(number))


@dataclass
class Table:
    """What happened, for the one who reads the output of the tests."""

    told: int = 0
    repaired: int = 0
    operations: set[str] = field(default_factory=set)


def all_operations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, fault: Fault
) -> Table:
    kind, spec, more = CASES[case]
    table = Table()
    readers = sorted(READERS)
    for at in range(MOST_OPERATIONS):
        folder = tmp_path / str(at)
        folder.mkdir()
        disk = FaultyDisk(folder, at, fault)
        with disk.installed(monkeypatch):
            seen = small_run(folder / NAMES.get(kind, "out"), kind, spec, **more)
        try:
            check(
                folder / NAMES.get(kind, "out"), kind, seen, readers[at % len(readers)]
            )
            if fault.number == 0 or disk.fired is None:
                assert seen.error is None, "nothing failed, or not for good"
            if seen.error is not None and fault.name.startswith("full"):
                assert isinstance(seen.error, DiskSpaceError)
            if fault.lasting and disk.fired:
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


# The variants of OME-Zarr differ from it in how pixels are written, not in the rest.
VARIANTS = {"ome-zarr-packed", "ome-zarr-deep", "ome-zarr-0.4"}
HARD = {"full-torn", "broken-lasting", "short"}


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        pytest.param(case, fault, id=f"{case}-{fault.name}")
        for case in CASES
        for fault in FAULTS
        if case not in VARIANTS or fault.name in HARD
    ],
)
def test_every_operation_fails_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, fault: Fault
) -> None:
    table = all_operations(tmp_path, monkeypatch, case, fault)
    if fault.number:
        assert {"create", "write", "sync"} <= table.operations
        assert table.told > 10
    else:
        assert table.operations == {"write"}
        assert table.told == 0


@pytest.mark.parametrize("case", [case for case in CASES if case not in VARIANTS])
def test_the_portable_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    with portable_io():
        table = all_operations(tmp_path, monkeypatch, case, FAULTS[1])
    assert table.told > 10


def test_all_formats_are_in_the_table() -> None:
    assert {kind for kind, _, _ in CASES.values()} >= set(FORMATS)
