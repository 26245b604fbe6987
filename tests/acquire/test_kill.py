"""A killed acquisition: every frame with a line in a journal is on disk, and right.

The process is the real command, killed with SIGKILL (TerminateProcess on Windows) when
a random number of frames is in its journal. The readers are independent ones.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from crc32c import crc32c

from napari_scope.formats import open_dataset
from napari_scope.stream import read_journal

if TYPE_CHECKING:
    from pathlib import Path

# Each starts a program, which takes seconds: more of them by hand.
KILLS = int(os.environ.get("NAPARI_SCOPE_KILLS", 6))

# Small frames, so that many are on their way at once; two positions, so that there are
# several files; both hardware sequences and single events.
PLAN = """
axis_order: [p, c, t]
setup:
  properties:
    - [Camera, OnCameraCCDXSize, 128]
    - [Camera, OnCameraCCDYSize, 96]
time_plan: {interval: 0, loops: 100}
stage_positions:
  - {x: 0, y: 0, name: here}
  - {x: 50, y: 0, name: there}
channels:
  - {config: DAPI, exposure: 2}
  - {config: FITC, exposure: 1}
"""


def lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def checksum(frame: Any) -> int:
    return crc32c(np.ascontiguousarray(frame).data.cast("B"))


def start_and_kill(folder: Path, after: int) -> None:
    plan = folder / "plan.yaml"
    plan.write_text(PLAN)
    command = [sys.executable, "-m", "napari_scope.cli", "acquire", str(plan)]
    command += ["--out", str(folder / "r"), "--format", "both"]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        journal = folder / "r.ome.zarr" / "acquisition" / "frames.jsonl"
        end = time.monotonic() + 60
        while lines(journal) < after + 1:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.001)
        process.kill()
        process.wait()


def check_ome_zarr(path: Path) -> int:
    journal = read_journal(path / "acquisition" / "frames.jsonl")
    assert journal.closed is None
    root = zarr.open_group(path, mode="r")
    for entry in journal.frames:
        array = root[f"{entry['image']}/0"]
        frame = array[tuple(entry["index"])]
        assert checksum(frame) == entry["crc32c"], entry["axes"]
        assert entry["metadata"]["exposure_ms"] in (1, 2)
    return len(journal.frames)


@pytest.mark.filterwarnings("ignore")
def check_ndtiff(path: Path) -> int:
    from ndstorage import Dataset

    journal = read_journal(path / "frames.jsonl")
    assert journal.closed is None
    if not journal.frames:
        return 0
    dataset = Dataset(str(path))
    for entry in journal.frames:
        frame = dataset.read_image(**entry["axes"])
        assert checksum(frame) == entry["crc32c"], entry["axes"]
        metadata = dataset.read_metadata(**entry["axes"])
        assert metadata["Axes"] == entry["axes"]
    dataset.close()
    return len(journal.frames)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(KILLS))
def test_every_journaled_frame_survives(tmp_path: Path, seed: int) -> None:
    after = random.Random(seed).randint(1, 250)
    start_and_kill(tmp_path, after)
    assert check_ome_zarr(tmp_path / "r.ome.zarr") >= after
    check_ndtiff(tmp_path / "r.ndtiff")
    # Our own reader opens both, and says that the run was interrupted.
    here, *_ = open_dataset(tmp_path / "r.ome.zarr").images
    assert here.name == "here"
    open_dataset(tmp_path / "r.ndtiff")
