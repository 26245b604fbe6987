"""The benchmarks with a camera run, in a size that takes no time, and count right."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks import __main__ as command
from benchmarks import pace
from benchmarks.camera import (
    AtMost,
    Camera,
    CameraCase,
    CameraResult,
    Unavailable,
    watch,
)
from benchmarks.feed import Fed, Feed, feed, run
from benchmarks.recording import Recording
from benchmarks.report import markdown
from benchmarks.sheets import sheet
from benchmarks.writers import KILL, Opened, Ours, Raw
from typer import BadParameter

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.harness import Role
    from benchmarks.recording import Frame, Frames

FEW = Recording(64, (("t", 5),))


@dataclass(frozen=True)
class Keeper:
    """Holds frames in memory until the end, and may lose one."""

    lose: bool = False
    role: Role = "peer"
    name: str = "keeper"
    survives: str = KILL
    needs: str = "os"

    def open(self, recording: Recording, folder: Path) -> Opened:
        frames: list[Frame] = []

        def close() -> None:
            end = -1 if self.lose else None
            np.concatenate(frames[:end]).tofile(folder / "raw")

        return Opened(frames.append, close)

    def check(self, recording: Recording, folder: Path, frames: Frames) -> None:
        recording.check_raw(folder / "raw", frames)


def case_of(name: str, runs: list[Fed]) -> CameraResult:
    case = CameraCase(name, Feed(Raw(), Recording(1000, (("t", 4),))))
    return CameraResult(Camera("Cam", "A text.", [case], parts=2), {name: runs})


def test_each_frame_is_given_once_and_compared(tmp_path: Path) -> None:
    for number, writer in enumerate((Raw(), Ours(), Ours("ndtiff"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        fed = run(Feed(writer, FEW, interval_s=0.001), folder)
        assert fed.fault is None
        assert len(fed.append_s) == len(fed.at_s) == 5
        assert fed.at_s == sorted(fed.at_s)
        assert [path.name for path in folder.iterdir()] == ["store"]


def test_a_frame_that_was_lost_is_told(tmp_path: Path) -> None:
    fed = run(Feed(Keeper(lose=True), FEW), tmp_path)
    assert fed.fault is not None
    assert "bytes" in fed.fault


def test_memory_is_of_what_the_writer_keeps(tmp_path: Path) -> None:
    """120 frames of 2 MB that are kept, and the camera's own that are not.

    In new processes: this one has room left over from before.
    """
    recording = Recording(1024, (("t", 120),))
    for name in "kept", "raw":
        (tmp_path / name).mkdir()
    kept = feed(Feed(Keeper(), recording), tmp_path / "kept", check=False)
    raw = feed(Feed(Raw(), recording), tmp_path / "raw", check=False)
    # Drawing the frames leaves a new process some room, too.
    assert kept.memory > 60 * 2**21
    assert raw.memory < 20 * 2**21


def test_numbers_of_several_runs() -> None:
    one = Fed([0.001] * 98 + [0.002, 0.2], [1.0, 2.0, 4.0, 6.0], 2.0, 0.4, 7_000_000)
    two = Fed([0.003] * 99 + [0.1], [1.0, 2.0, 3.0, 4.0], 4.0, 0.8, 9_000_000)
    result = case_of("a", [one, two, two])
    assert result.value("a", "p50_ms") == 3
    assert result.value("a", "p99_ms") == 100
    assert result.value("a", "max_ms") == 200
    assert result.value("a", "memory_mb") == 9
    assert result.value("a", "close_s") == 4
    assert result.rate("a") == 1  # 8 MB in 8 s
    assert result.rates("a", 2) == [2, 1]  # of the first run
    assert result.cpu_ms("a") == 200
    goals = [AtMost("a", "memory_mb", 9), AtMost("a", "max_ms", 150)]
    benchmark = replace(result.benchmark, targets=goals)
    found = sheet(replace(result, benchmark=benchmark))
    assert found.rows == [
        ["a", KILL, "1.00", "3.00", "100.00", "200.0", "9.0", "4.00", "200.00", "all"]
    ]
    assert found.lines == [
        "a: 9.0 MB of memory; target at most 9: met",
        "a: 200.0 ms of append (longest); target at most 150: missed",
        "a: 2, 1 MB/s in 2 equal parts",
    ]
    assert found.document["cases"][0]["runs"][1]["memory"] == 9_000_000
    assert found.document["targets"][1]["reached"] == 200


def test_what_was_lost_is_in_the_table() -> None:
    lost = Fed([0.1], [1.0, 2.0, 3.0, 4.0], 0.0, 0.0, 0, "ValueError: frame 3")
    found = sheet(case_of("a", [lost]))
    assert found.rows[0][-1] == "not all"
    assert "a, without an error: frames are not there or wrong" in found.lines


def test_cases_run_in_processes_of_their_own(tmp_path: Path) -> None:
    def case(name: str, needs: str = "os") -> CameraCase:
        return CameraCase(name, Feed(replace(Raw(), needs=needs), FEW))

    benchmark = Camera("Cam", "A text.", [case("a"), case("b", needs="nowhere")])
    result = watch(benchmark, tmp_path, rounds=1, seed=0)
    assert list(result.runs) == ["a"]
    assert len(result.runs["a"]) == 1
    found = sheet(result)
    assert found.lines == ["b is left out: nowhere is not installed"]
    assert not list(tmp_path.iterdir())
    assert "| case | survives | MB/s |" in markdown_of(tmp_path, result)


def markdown_of(folder: Path, result: CameraResult) -> str:
    from benchmarks.machine import Machine

    return markdown(Machine.look(folder), [sheet(result)], rounds=1)


def test_without_room_nothing_is_run(tmp_path: Path) -> None:
    case = CameraCase("a", Feed(Raw(), FEW))
    benchmark = Camera("Cam", "", [case], room=10**18)
    with pytest.raises(Unavailable, match=r"1000000000\.0 GB have to be free"):
        watch(benchmark, tmp_path, rounds=1, seed=0)


@pytest.mark.skipif(sys.platform != "linux", reason="preloads a library")
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_slow_disk_stores_the_same_bytes() -> None:
    """Every way to write is there; how long it takes is not looked at."""
    code = """
import os, sys, tempfile
path = os.path.join(tempfile.mkdtemp(), "a")
with open(path, "wb", buffering=0) as file:
    done = [
        file.write(b"one "),
        os.writev(file.fileno(), [b"tw", b"o "]),
        os.pwrite(file.fileno(), b"three ", 8),
        os.pwritev(file.fileno(), [b"fo", b"ur"], 14),
    ]
print(open(path).read(), done, "slow_disk" in open("/proc/self/maps").read())
"""
    with pace.slow_writes() as environment:
        assert float(environment["BENCHMARK_DISK_BYTES_PER_S"]) > 0
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "one two three four [4, 4, 6, 4] True\n"


def test_a_slow_disk_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match="C compiler"), pace.slow_writes():
        pass


@pytest.mark.parametrize("made", [*pace.benchmarks(), *pace.sustained_benchmarks()])
def test_the_targets_are_of_ours(made: Camera) -> None:
    ours = {case.name for case in made.cases if case.role == "ours"}
    assert {target.case for target in made.targets} == ours
    assert len({case.name for case in made.cases}) == len(made.cases)


def test_the_long_one_takes_more_than_8_gb_and_says_so() -> None:
    (long,) = pace.sustained_benchmarks()
    nbytes = [case.feed.recording.nbytes for case in long.cases]
    assert min(nbytes) > 8e9
    assert long.room > max(nbytes)


def test_the_long_one_runs_only_when_named() -> None:
    every = command.chosen_names(["all"])
    assert "sustained" not in every
    assert {*every, *command.ON_DEMAND} == set(command.BENCHMARKS)
    assert command.chosen_names(["all", "sustained"]) == [*every, "sustained"]
    assert command.chosen_names(["stream", "stream"]) == ["stream"]
    with pytest.raises(BadParameter, match="nonsense"):
        command.chosen_names(["stream", "nonsense"])
