"""How far runs of other processes are, and what became of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.stream.streams import FORMATS, frame_of, make_sink, make_spec

from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.stream import Stream
from napari_scope.stream.recovery import recover
from napari_scope.stream.run_state import StoredRun
from napari_scope.stream.run_watch import RunWatch

WRITER = """
import sys, time
from pathlib import Path
from napari_scope.stream import Stream
from tests.stream.streams import frame_of, make_sink, make_spec

sink = make_sink(sys.argv[1], Path(sys.argv[2]))
stream = Stream(make_spec({"time": 50}, n_frames=50), [sink])
for number in range(7):
    stream.append(frame_of(number))
stream.flush()
print("saved", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("format", FORMATS)
def test_a_writer_that_is_killed(tmp_path: Path, format: str) -> None:
    path = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, format, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "saved\n"
        watch = RunWatch(path)
        now = watch.look()
        assert (now.frames, now.planned) == (7, 50)
        assert now.state is StoredRun.WRITTEN and not now.ended
    finally:
        process.kill()
        process.communicate()
    now = watch.look()
    assert now.state is StoredRun.INTERRUPTED and now.ended and now.frames == 7
    recover(path)
    assert RunWatch(path).look().state is StoredRun.CLOSED


def test_frames_are_counted_once_and_timed(tmp_path: Path) -> None:
    clock = [1000.0]
    path = tmp_path / "out"
    with Stream(make_spec({"time": 20}), [make_sink("ndtiff", path)]) as stream:
        watch = RunWatch(path, clock=lambda: clock[0])
        assert watch.look().frames == 0 and watch.look().idle_s is None
        for number in range(12):
            stream.append(frame_of(number))
            if number % 4 == 3:
                stream.flush()
                clock[0] += 2.0
                assert watch.look().frames == number + 1
        assert watch.look().rate == pytest.approx(2.0)
        clock[0] += 60
        watch.look()
        clock[0] += 60
        assert watch.look().rate == 0.0
    assert watch.look().state is StoredRun.CLOSED


def test_a_store_of_others_is_quiet_after_a_while(tmp_path: Path) -> None:
    writer = NDTiffWriter(tmp_path / "run")
    for t in range(3):
        writer.put({"time": t}, np.zeros((4, 4), "u2"))
    changed = (tmp_path / "run" / "NDTiff.index").stat().st_mtime
    clock = [changed + 1.5]
    watch = RunWatch(tmp_path / "run", clock=lambda: clock[0])
    now = watch.look()
    assert (now.frames, now.planned, now.state) == (3, None, StoredRun.UNKNOWN)
    assert now.idle_s == pytest.approx(1.5)
    clock[0] += 100
    assert watch.look().state is StoredRun.NONE
    writer.put({"time": 3}, np.zeros((4, 4), "u2"))
    assert watch.look().frames == 4
    writer.close()


def test_a_torn_line_is_counted_when_it_is_whole(tmp_path: Path) -> None:
    line = b'{"n":0,"status":"saved"}\n'
    journal = tmp_path / "frames.jsonl"
    journal.write_bytes(b'{"journal":1,"frames":9}\n' + line + line[:10])
    watch = RunWatch(tmp_path)
    assert (watch.look().frames, watch.look().planned) == (1, 9)
    with journal.open("ab") as file:
        file.write(line[10:] + b'{"n":2,"status":"skipped"}\n')
    assert watch.look().frames == 2


def test_nothing_is_there(tmp_path: Path) -> None:
    now = RunWatch(tmp_path / "nowhere").look()
    assert (now.frames, now.state) == (0, StoredRun.NONE)
