"""The benchmarks with a window run their programs in turns, and count right."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks import docks, explorer, gui, live
from benchmarks.gui import Column, GuiBenchmark, GuiCase, GuiTarget, measure_gui

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import json, os, sys
from pathlib import Path
arguments = json.loads(sys.argv[1])
if "fail" in arguments:
    raise SystemExit("some words:\\nit is broken")
file = Path(arguments["file"])
n = len(file.read_text()) if file.exists() else 0
file.write_text("x" * (n + 1))
if n in arguments.get("falls", ()):
    raise SystemExit("some words:\\nit fell")
print("some words")
print(json.dumps({"gap": arguments["gap"] * (n + 1), "longest": arguments["gap"] + n}))
os._exit(arguments.get("code", 0))
"""
COLUMNS = (Column("gap", "gap ms"), Column("longest", "longest", worst=True))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "one_program.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(gui, "_display", list)
    return "one_program"


def test_turns_medians_and_targets(program: str, tmp_path: Path) -> None:
    def case(name: str, gap: float, **more: Any) -> GuiCase:
        arguments = {"gap": gap, "file": str(tmp_path / name), **more}
        return GuiCase(name, "ours", program, arguments)

    absent = GuiCase("absent", "peer", program, {}, needs="no_such_module")
    benchmark = GuiBenchmark(
        "windows",
        "text",
        [case("fast", 2), case("slow", 10, code=1), absent],
        COLUMNS,
        [
            GuiTarget("fast", "gap", 4),
            GuiTarget("fast", "gap", 0.1, against="slow"),
            GuiTarget("fast", "gap", 1, against="absent"),
        ],
    )
    steps: list[int] = []
    sheet = measure_gui(benchmark, rounds=3, seed=1, step=lambda: steps.append(1))
    assert len(steps) == 6
    assert sheet.head == ["case", "gap ms", "longest"]
    assert sheet.rows == [["fast", "4.0", "4.0"], ["slow", "20.0", "12.0"]]
    assert len(sheet.lines) == 3
    assert sheet.lines[0].endswith("at most 4: met")
    assert "0.20 x gap ms of slow; target at most 0.1: missed" in sheet.lines[1]
    assert sheet.lines[2] == "absent is left out: no_such_module is not installed"
    document = json.loads(json.dumps(sheet.document))
    assert len(document["cases"][0]["runs"]) == 3
    assert document["targets"][1]["reached"] == 0.2


def test_program_that_fails_is_told(program: str) -> None:
    benchmark = GuiBenchmark(
        "windows", "", [GuiCase("bad", "ours", program, {"fail": 1})], COLUMNS
    )
    with pytest.raises(
        ValueError, match=r"bad ended with 1: some words:\nit is broken"
    ):
        measure_gui(benchmark, rounds=1, seed=1)


def test_peer_that_falls_is_tried_again_or_left_out(
    program: str, tmp_path: Path
) -> None:
    def case(name: str, **arguments: Any) -> GuiCase:
        return GuiCase(name, "peer", program, {"gap": 1, **arguments})

    benchmark = GuiBenchmark(
        "windows",
        "",
        [
            case("shaky", file=str(tmp_path / "shaky"), falls=[0, 2]),
            case("broken", fail=1),
        ],
        (*COLUMNS[:1], Column("unknown", "not measured")),
        [GuiTarget("shaky", "gap", 4), GuiTarget("shaky", "gap", 1, against="broken")],
    )
    sheet = measure_gui(benchmark, rounds=2, seed=1)
    assert sheet.rows == [["shaky", "3.0", "-"]]
    assert sheet.lines == [
        "shaky: gap ms 3.0; target at most 4: met",
        "shaky fell 2 times, without its numbers: shaky ended with 1: it fell",
        "broken is left out: it fell 3 times, without its numbers: "
        "broken ended with 1: it is broken",
    ]


def test_program_that_never_ends(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, timeout: float, **__: object) -> None:
        raise subprocess.TimeoutExpired("x", timeout)

    monkeypatch.setattr(gui.subprocess, "run", never)
    case = GuiCase("slow", "peer", program)
    sheet = measure_gui(GuiBenchmark("", "", [case], COLUMNS), rounds=1, seed=1)
    assert sheet.rows == []
    assert sheet.lines[0].endswith("not done after 240 s")


def test_peer_in_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    case = GuiCase("x", "peer", "m", needs="a_peer", path_variable="A_PEER_PATH")
    assert case.why_not() == (
        "a_peer is not installed; A_PEER_PATH may name a folder with it"
    )
    (tmp_path / "a_peer").mkdir()
    monkeypatch.setenv("A_PEER_PATH", str(tmp_path))
    assert case.why_not() is None


@pytest.mark.gui
def test_ticks(qtbot: Any) -> None:
    ticks = gui.Ticks()
    ticks.start()
    qtbot.wait(100)
    found = ticks.stop()
    assert 0 < found["median_ms"] <= found["p95_ms"] <= found["max_ms"]
    assert 0 < found["work_ms"] < found["max_ms"] + 1
    ticks.start()
    with pytest.raises(ValueError, match="never came"):
        ticks.stop()


def test_ticks_are_parted_by_a_moment() -> None:
    ticks = object.__new__(gui.Ticks)
    ticks._gaps_ms, ticks._ends = [5.0, 100.0, 40.0], [1.0, 1.1, 1.14]
    assert ticks._parted(1.03) == pytest.approx({"before_ms": 30, "after_ms": 70})
    assert ticks._parted(0.9) == pytest.approx({"before_ms": 0, "after_ms": 100})
    assert ticks._parted(2.0) == pytest.approx({"before_ms": 100, "after_ms": 0})


def test_targets_name_cases_and_columns() -> None:
    found = [*live.benchmarks(), *docks.benchmarks(), *explorer.benchmarks()]
    for benchmark in found:
        keys = {column.key for column in benchmark.columns}
        names = {case.name for case in benchmark.cases}
        for target in benchmark.targets:
            assert target.case in names
            assert target.key in keys
            assert (target.against_key or target.key) in keys
