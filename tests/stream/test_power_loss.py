"""The power goes off at any moment: every frame that was synced is there.

A small run is recorded, operation by operation. Then the files are made as they may be
found after a loss of power at many moments: what was synced is there, of the rest some
operations are, in any order, in part, or not at all.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorstore
import tifffile
from tests.stream.fault_layer import PowerLoss
from tests.stream.kinds import FIELDS, KINDS, Kind, feed, frames_by_others
from tests.stream.streams import frame_of
from tests.stream.test_fault_table import times_of

from napari_scope.stream import Stream
from napari_scope.stream.journal import scan_journal
from napari_scope.stream.recovery import recover
from napari_scope.stream.recovery_journal import find_journal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Lines = Sequence[Mapping[str, Any]]

FRAMES = 6
CUTS = 50
CASES = [
    "ome-zarr",
    "ome-zarr-unknown",
    "ome-zarr-lz4",
    "ome-zarr-deep",
    "ome-zarr-shards",
    "ome-zarr-0.4",
    "ome-zarr-plate",
    "ome-tiff",
    "ome-tiff-positions",
    "ndtiff",
    "two-at-once",
]


def recorded(
    root: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> tuple[PowerLoss, list[tuple[int, int]]]:
    """Run; return the record, and at what time how many frames were synced."""
    disk = PowerLoss(root)
    promises = [(0, 0)]
    with disk.installed(monkeypatch):
        spec = kind.spec(times_of(kind, FRAMES))
        with Stream(spec, kind.sinks(root), sync_interval_s=3600) as stream:
            for number in range(FRAMES):
                feed(stream, kind, number)
                stream.flush(sync=number % 2 == 1)
                if number % 2:
                    promises.append((disk.time, number + 1))
        promises.append((disk.time, FRAMES))
    return disk, promises


@pytest.mark.parametrize("case", CASES)
def test_every_synced_frame_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    kind = KINDS[case]
    monkeypatch.setattr(os, "fdatasync", lambda _: None, raising=False)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    root = tmp_path / "run"
    root.mkdir()
    disk, promises = recorded(root, monkeypatch, kind)
    rng = random.Random(case)
    times = [time for time, _ in promises]
    spread = [rng.randint(times[1], times[-1]) for _ in range(CUTS - len(times))]
    for number, cut in enumerate(sorted([*times[1:], *spread])):
        target = tmp_path / str(number)
        disk.state_at(cut, target, rng)
        synced = max(count for time, count in promises if time <= cut)
        try:
            for path, written in zip(kind.paths(target), kind.formats, strict=True):
                check(path, written, kind, synced)
        except BaseException as error:
            error.add_note(f"the power went off at {cut} of {times}, {target}")
            raise


def one_frame(path: Path, format: str, kind: Kind, lines: Lines, number: int) -> Any:
    """Return a frame that was synced, beside others that may be broken."""
    image, index = lines[number]["image"], tuple(lines[number]["index"])
    if format == "ndtiff":
        return None  # the reference library bears no torn end of an index
    if format == "ome-tiff":
        file = path / f"{'abc'[image]}.ome.tiff" if kind.several else path
        before = [line for line in lines[:number] if line["image"] == image]
        with tifffile.TiffFile(file) as tif:
            return tif.pages[len(before)].asarray()
    folder = path
    if kind.several:
        folder /= FIELDS[image] if kind.layout == "plate" else str(image)
    driver = "zarr" if (folder / "0" / ".zarray").is_file() else "zarr3"
    kvstore = {"driver": "file", "path": f"{folder / '0'}/"}
    array = tensorstore.open({"driver": driver, "kvstore": kvstore}).result()
    return array[index].read().result()


def check(path: Path, format: str, kind: Kind, synced: int) -> None:
    journal = find_journal(path)
    assert journal is not None
    lines = scan_journal(journal).content.frames
    known = {line["n"]: line for line in lines}
    assert set(range(synced)) <= set(known)
    for number in range(synced):
        frame = one_frame(path, format, kind, lines, number)
        if frame is not None:
            np.testing.assert_array_equal(frame, frame_of(number))
    report = recover(path)
    assert report.saved >= synced
    assert report.saved + len(report.lost) == len(lines)
    lost = [sorted(axes.items()) for axes, _ in report.lost]
    there = [line for line in lines if sorted(line["axes"].items()) not in lost]
    assert all(known[number] in there for number in range(synced))
    assert recover(path).was_closed
    if format == "ome-tiff":
        there = there[:synced]  # its frames are in the order of the file
    synced_lines = [line for line in there if line["n"] < synced]
    frames_by_others(path, format, kind, synced_lines)  # with their metadata
    readers = frames_by_others(path, format, kind, there, some=0, metadata=False)
    for frames in readers.values():
        for line in there:
            np.testing.assert_array_equal(
                frames[line["image"], tuple(line["index"])], frame_of(line["n"])
            )
