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
from tests.stream.streams import frame_of
from tests.stream.test_fault_table import (
    CASES,
    NAMES,
    any_sink,
    frames_by_others,
)

from napari_scope.stream import Stream
from napari_scope.stream.journal import scan_journal
from napari_scope.stream.recovery import recover
from napari_scope.stream.recovery_journal import find_journal

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = 6
CUTS = 50


def recorded(
    root: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> tuple[PowerLoss, list[tuple[int, int]]]:
    """Run; return the record, and at what time how many frames were synced."""
    kind, spec, more = CASES[case]
    if not spec.growing:
        sizes = {"time": FRAMES}
        images = tuple(
            type(i)(i.name, i.place, sizes, axes=i.axes) for i in spec.images
        )
        spec = type(spec)(
            spec.name,
            spec.frame_shape,
            spec.dtype,
            order=spec.order,
            images=images,
            storage=spec.storage,
            n_frames=FRAMES,
        )
    disk = PowerLoss(root)
    promises = [(0, 0)]
    with disk.installed(monkeypatch):
        sink = any_sink(kind, root / NAMES.get(kind, "out"), **more)
        with Stream(spec, [sink], sync_interval_s=3600) as stream:
            for number in range(FRAMES):
                stream.append(frame_of(number), {"n": number}, index={"time": number})
                stream.flush(sync=number % 2 == 1)
                if number % 2:
                    promises.append((disk.time, number + 1))
        promises.append((disk.time, FRAMES))
    return disk, promises


@pytest.mark.parametrize("case", CASES)
def test_every_synced_frame_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    kind = CASES[case][0]
    monkeypatch.setattr(os, "fdatasync", lambda _: None, raising=False)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    root = tmp_path / "run"
    root.mkdir()
    disk, promises = recorded(root, monkeypatch, case)
    rng = random.Random(case)
    times = [time for time, _ in promises]
    spread = [rng.randint(times[1], times[-1]) for _ in range(CUTS - len(times))]
    for number, cut in enumerate(sorted([*times[1:], *spread])):
        target = tmp_path / str(number)
        disk.state_at(cut, target, rng)
        synced = max(count for time, count in promises if time <= cut)
        path = target / NAMES.get(kind, "out")
        try:
            check(path, kind, synced)
        except BaseException as error:
            error.add_note(f"the power went off at {cut} of {times}, {target}")
            raise


def one_frame(path: Path, kind: str, number: int) -> Any:
    """Return a frame that was synced, beside others that may be broken."""
    if kind == "ndtiff":
        return None  # the reference library bears no torn end of an index
    if kind == "ome-tiff":
        with tifffile.TiffFile(path) as file:
            return file.pages[number].asarray()
    driver = "zarr" if (path / "0" / ".zarray").is_file() else "zarr3"
    kvstore = {"driver": "file", "path": f"{path / '0'}/"}
    array = tensorstore.open({"driver": driver, "kvstore": kvstore}).result()
    return array[number].read().result()


def check(path: Path, kind: str, synced: int) -> None:
    journal = find_journal(path)
    assert journal is not None
    lines = [line["index"][0] for line in scan_journal(journal).content.frames]
    assert set(range(synced)) <= set(lines)
    for number in range(synced):
        frame = one_frame(path, kind, number)
        if frame is not None:
            np.testing.assert_array_equal(frame, frame_of(number))
    report = recover(path)
    assert report.saved >= synced
    assert report.saved + len(report.lost) == len(lines)
    lost = {axes["time"] for axes, _ in report.lost}
    assert not lost & set(range(synced))
    assert recover(path).was_closed
    found = frames_by_others(path, kind, "zarr-python")
    for number in set(lines) - lost:
        if kind in ("ome-tiff",) and number >= synced:
            continue  # its frames are in the order of the file
        np.testing.assert_array_equal(found[number], frame_of(number))
