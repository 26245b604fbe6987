"""The benchmarks run, in a size that takes no time; no test looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks import demo_run, stream
from benchmarks.harness import Benchmark, Case, Result, Target, Times, measure
from benchmarks.machine import Machine
from benchmarks.report import markdown, write_json

ROOT = Path(__file__).parents[1]


def naps(log: list[str]) -> Benchmark:
    def prepare(name: str) -> Case:
        def work(folder: Path) -> None:
            assert not list(folder.iterdir()), "each case starts with an empty folder"
            (folder / "data").write_text(name)
            log.append(name)

        return Case(
            name,
            "ours" if name == "a" else "peer",
            "nothing",
            lambda folder: lambda: work(folder),
            lambda folder: log.append(f"check {(folder / 'data').read_text()}"),
        )

    cases = [prepare(name) for name in "abc"]
    return Benchmark("nap", "A text.", "naps/s", 2, 4, 10, cases, [Target("a", "b", 2)])


def test_cases_take_turns_in_another_order_each_round(tmp_path: Path) -> None:
    log: list[str] = []
    result = measure(naps(log), tmp_path, rounds=6, seed=1)
    done = [entry for entry in log if len(entry) == 1]
    rounds = [done[i : i + 3] for i in range(0, len(done), 3)]
    assert len(rounds) == 7, "one warms up"
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert len({tuple(order) for order in rounds}) > 1
    assert sorted(entry for entry in log if len(entry) > 1) == [
        "check a",
        "check b",
        "check c",
    ]
    assert all(len(times.wall) == 6 for times in result.times.values())
    assert not list(tmp_path.iterdir())
    again: list[str] = []
    measure(naps(again), tmp_path, rounds=6, seed=1)
    assert again == log, "the seed decides"


def test_a_case_that_fails_leaves_no_data(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("no")

    case = Case("a", "ours", "", lambda folder: fail)
    with pytest.raises(ValueError, match="no"):
        measure(Benchmark("", "", "", 1, 1, 1, [case]), tmp_path, rounds=1, seed=0)
    assert not list(tmp_path.iterdir())


def test_rates_and_ratios_are_of_medians() -> None:
    benchmark = naps([])
    times = {
        "a": Times([1.0, 2.0, 10.0], [0.4, 0.8, 0.1]),
        "b": Times([8.0, 4.0, 5.0], [1.0, 1.0, 1.0]),
        "c": Times([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]),
    }
    result = Result(benchmark, times)
    assert result.rate("a") == 1.0
    assert result.best("a") == 2.0
    assert result.ratio("a", "b") == 2.5
    assert result.ratio_of_bests("a", "b") == 4.0
    assert result.cpu_ms("a") == 100.0
    assert (result.first("peer"), result.first("limit")) == ("b", None)


@pytest.mark.parametrize("size", [16, 64])
def test_streaming(tmp_path: Path, size: int) -> None:
    benchmark = stream.streaming(size, 3, over_peer=1, over_limit=1)
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    assert set(result.times) == {case.name for case in benchmark.cases}
    assert not list(tmp_path.iterdir())


def test_the_check_of_streaming_sees_a_wrong_pixel(tmp_path: Path) -> None:
    (case, *_) = stream.streaming(16, 3, over_peer=1, over_limit=1).cases
    case.prepare(tmp_path)()
    assert case.check is not None
    case.check(tmp_path)
    (shard,) = [path for path in tmp_path.rglob("c/*/0/0") if path.is_file()]
    data = bytearray(shard.read_bytes())
    data[600] ^= 1
    shard.write_bytes(data)
    with pytest.raises(ValueError, match="frame 1"):
        case.check(tmp_path)


def test_camera_frames_differ_and_have_noise() -> None:
    frames = stream.camera_frames(6, 64)
    assert all(frame.dtype == np.uint16 and frame.std() > 5 for frame in frames)
    assert not any(np.array_equal(frames[0], frame) for frame in frames[1:])
    assert not any(np.shares_memory(frames[0], frame) for frame in frames[1:])


def test_the_demo_microscope(tmp_path: Path) -> None:
    pytest.importorskip("mm_test_adapters", reason="the demo microscope is missing")
    benchmark = demo_run.demo_run(5)
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    assert set(result.times) == {case.name for case in benchmark.cases}


def test_reports(tmp_path: Path) -> None:
    result = measure(naps([]), tmp_path, rounds=2, seed=0)
    machine = Machine.look(tmp_path).at_the_end()
    write_json(tmp_path / "a" / "out.json", machine, [result], rounds=2, seed=0)
    document = json.loads((tmp_path / "a" / "out.json").read_text())
    assert document["machine"]["cores"] == machine.cores
    (written,) = document["benchmarks"]
    assert [case["name"] for case in written["cases"]] == ["a", "b", "c"]
    assert written["cases"][0]["wall"] == result.times["a"].wall
    assert written["targets"][0]["reached"] == result.ratio("a", "b")
    text = markdown(machine, [result], rounds=2)
    assert "## nap" in text
    assert text.count("\n| a | nothing |") == 1
    assert "of 2 rounds" in text


def test_the_command(tmp_path: Path) -> None:
    code = (
        "from benchmarks import __main__ as m, stream\n"
        "m.BENCHMARKS = {'stream': lambda: "
        "[stream.streaming(16, 2, over_peer=1, over_limit=1)]}\n"
        "import typer\n"
        "typer.run(m.main)\n"
    )
    command = [sys.executable, "-c", code, "stream", "--rounds", "1"]
    command += ["--folder", str(tmp_path / "data"), "--json", str(tmp_path / "o.json")]
    command += ["--markdown", str(tmp_path / "o.md")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Stream 16 x 16" in done.stdout
    assert json.loads((tmp_path / "o.json").read_text())["rounds"] == 1
    assert (tmp_path / "o.md").read_text().startswith("# Benchmarks")
    assert not list((tmp_path / "data").iterdir())


def test_an_unknown_name_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nonsense"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "demo_run" in done.stderr
