"""The benchmarks run, in a size that takes no time; no test looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks import (
    demo_run,
    ndtiff,
    ndtiff_view,
    ndtiff_write,
    recording,
    stream,
    stream_layouts,
)
from benchmarks.goals import MemoryTarget, SizeTarget, Target, TimeTarget
from benchmarks.harness import Benchmark, Case, Result, Times, measure, missing
from benchmarks.machine import Machine
from benchmarks.memory import growth
from benchmarks.ndtiff_store import Frames, Tiles
from benchmarks.recording import Recording
from benchmarks.report import markdown, write_json
from benchmarks.sheets import sheet
from benchmarks.writers import Ours, Raw

from napari_scope.formats.ndtiff.index import INDEX_NAME, parse_index

if TYPE_CHECKING:
    from collections.abc import Callable

# ndstorage leaves a file open that it has written.
LEAKS = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)

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


def test_cases_that_share_data_are_prepared_once(tmp_path: Path) -> None:
    log: list[str] = []

    def make(folder: Path) -> None:
        assert not list(folder.iterdir())
        (folder / "data").write_text("pixels")
        log.append("data")

    def case(name: str) -> Case:
        def prepare(folder: Path) -> Callable[[], str]:
            log.append(f"prepare {name}")
            return lambda: name + (folder / "data").read_text()

        def memory(folder: Path) -> int:
            log.append(f"memory {name}")
            return len((folder / "data").read_text())

        return Case(
            name,
            "ours",
            "",
            prepare,
            verify=lambda found: log.append(f"verify {found}"),
            memory=memory if name == "a" else None,
        )

    benchmark = Benchmark("", "", "", 1, 1, 0, [case("a"), case("b")], data=make)
    result = measure(benchmark, tmp_path, rounds=5, seed=0)
    assert log[:3] == ["data", "prepare a", "prepare b"]
    assert sorted(log[3:5]) == ["verify apixels", "verify bpixels"]
    assert log[5:] == ["memory a"] * 3
    assert result.times["a"].memory == [6, 6, 6]
    assert (result.memory("a"), result.memory("b")) == (6, None)
    with pytest.raises(ValueError, match="not measured"):
        result.memory_ratio("a", "b")
    assert not list(tmp_path.iterdir())


def test_a_result_that_is_wrong_stops_the_benchmark(tmp_path: Path) -> None:
    def refuse(found: object) -> None:
        raise ValueError(f"{found} is wrong")

    case = Case("a", "ours", "", lambda folder: lambda: 7, verify=refuse)
    benchmark = Benchmark("", "", "", 1, 1, 1, [case], data=lambda folder: None)
    with pytest.raises(ValueError, match="7 is wrong"):
        measure(benchmark, tmp_path, rounds=1, seed=0)
    assert not list(tmp_path.iterdir())


def test_growth_is_of_the_large_one(tmp_path: Path) -> None:
    for name, size in ("small", 1), ("large", 64 << 20):
        (tmp_path / name).write_bytes(b"1" * size)
    found = growth(Path.read_bytes, tmp_path / "small", tmp_path / "large")
    assert 63 << 20 < found < 80 << 20


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
    assert (result.frame_ms("b"), result.best_frame_ms("b")) == (1250, 1000)


@pytest.mark.parametrize("size", [16, 64])
def test_streaming(tmp_path: Path, size: int) -> None:
    benchmark = stream.streaming(size, 3, over_peer=1, over_limit=1, pyramid=True)
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    cases = result.benchmark.cases
    assert set(result.times) == {case.name for case in cases}
    assert {case.role for case in cases} == {"ours", "peer", "limit"}
    assert not list(tmp_path.iterdir())


LAYOUTS: dict[str, Callable[[], Benchmark]] = {
    "shards": lambda: stream_layouts.time_shards(16, 4, 2),
    "lz4": lambda: stream_layouts.packed("blosc-lz4", 16, 3, 16, over_peer=1),
    "lz4 chunks": lambda: stream_layouts.packed("blosc-lz4", 16, 3, 8, over_peer=1),
    "zstd": lambda: stream_layouts.packed("blosc-zstd", 16, 3, 16, over_peer=1),
    "deep": lambda: stream_layouts.deep_chunks(16, 4, 2),
    "chunks": lambda: stream_layouts.small_chunks(16, 3, 8),
    "tiff": lambda: stream_layouts.ome_tiff(16, 3),
    "ndtiff": lambda: stream_layouts.ndtiff(16, 3),
    "positions": lambda: stream_layouts.places(16, 2, 4, plate=False),
    "plate": lambda: stream_layouts.places(16, 2, 4, plate=True),
    "permuted": lambda: stream_layouts.permuted(16, 2, 3, 2),
}


@LEAKS
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(tmp_path: Path, name: str) -> None:
    benchmark = LAYOUTS[name]()
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    first, *_ = result.benchmark.cases
    assert first.role == "ours"
    sized = result.times[first.name].size
    assert (sized is not None) == (name in ("lz4", "lz4 chunks", "zstd", "deep"))
    assert sized is None or sized > 0
    assert "| case |" in markdown(Machine.look(tmp_path), [sheet(result)], rounds=1)
    assert not list(tmp_path.iterdir())


@LEAKS
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_wrong_frame_in_a_layout_is_seen(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writer gets other frames than those that its store is compared with."""
    cases = LAYOUTS[name]().cases
    absent = missing(cases)
    for number, case in enumerate(cases):
        if case in absent:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        case.prepare(folder)()
        assert case.check is not None
        case.check(folder)

        def others(n: int, size: int) -> recording.Frames:
            *same, last = recording.camera_frames(n, size)
            return [*same, last + 1]

        with monkeypatch.context() as patch:
            patch.setattr(stream, "_cached_frames", others)
            with pytest.raises(ValueError, match=r"not what was written|is wrong"):
                case.check(folder)


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


def test_frames_that_are_missing_are_seen(tmp_path: Path) -> None:
    few, all_of_them = Recording(16, (("t", 2),)), Recording(16, (("t", 3),))
    frames = recording.camera_frames(3, 16)
    for number, writer in enumerate((Ours(), Ours("ome-tiff"), Ours("ndtiff"), Raw())):
        folder = tmp_path / str(number)
        folder.mkdir()
        opened = writer.open(few, folder)
        for frame in frames[:2]:
            opened.append(frame)
        opened.close()
        writer.check(few, folder, frames)
        with pytest.raises((ValueError, IndexError)):
            writer.check(all_of_them, folder, frames)


def test_a_case_whose_module_is_missing_is_left_out(tmp_path: Path) -> None:
    def case(name: str, needs: str | None) -> Case:
        return Case(name, "ours", "", lambda folder: lambda: None, needs=needs)

    cases = [case("a", None), case("b", "no_such_module"), case("c", "json")]
    targets = [Target("a", "b", 2), Target("a", "c", 2)]
    benchmark = Benchmark("", "", "", 1, 1, 0, cases, targets)
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    assert list(result.times) == ["a", "c"]
    assert result.benchmark.targets == targets[1:]
    assert sheet(result).lines[-1] == "b is left out: no_such_module is not installed"


def test_the_size_on_disk_is_of_what_was_stored(tmp_path: Path) -> None:
    def work(folder: Path, size: int) -> None:
        (folder / "deep").mkdir()
        (folder / "deep" / "data").write_bytes(b"1" * size)

    cases = [
        Case(
            name,
            role,
            "",
            lambda folder, size=size: lambda: work(folder, size),
            size=recording.stored_bytes,
        )
        for name, role, size in (("a", "ours", 1 << 20), ("b", "peer", 4 << 20))
    ]
    targets = [SizeTarget("a", "b", 1), SizeTarget("a", "b", 0.1)]
    benchmark = Benchmark("", "", "MB/s", 1, 1, 0, cases, targets)
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    assert (result.size("a"), result.size("b")) == (1 << 20, 4 << 20)
    found = sheet(result)
    assert found.rows[0][found.head.index("on disk, MB")] == "1.0"
    assert found.lines == [
        "a: 0.25 x the bytes on disk of b; target at most 1: met",
        "a: 0.25 x the bytes on disk of b; target at most 0.1: missed",
    ]


def test_camera_frames_differ_and_have_noise() -> None:
    frames = recording.camera_frames(6, 64)
    assert all(frame.dtype == np.uint16 and frame.std() > 5 for frame in frames)
    assert not any(np.array_equal(frames[0], frame) for frame in frames[1:])
    assert not any(np.shares_memory(frames[0], frame) for frame in frames[1:])


def test_the_demo_microscope(tmp_path: Path) -> None:
    pytest.importorskip("mm_test_adapters", reason="the demo microscope is missing")
    benchmark = demo_run.demo_run(5)
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    assert set(result.times) == {case.name for case in benchmark.cases}


FEW = Frames(3, 2, 16)
FEW_TILES = Tiles(4, 40, 8)

READING: dict[str, Callable[[], Benchmark]] = {
    "planes": lambda: ndtiff.reading_planes(FEW, 5),
    "images": lambda: ndtiff.reading_images(FEW, 5),
    "all": lambda: ndtiff.reading_all(FEW, over_peer=1),
    "slider": lambda: ndtiff_view.slider(FEW, 4),
    "windows": lambda: ndtiff_view.windows(FEW_TILES, 30, 3),
    "overview": lambda: ndtiff_view.overview(FEW_TILES, 1, 2),
}


@pytest.mark.parametrize("name", READING)
def test_reading_ndtiff(tmp_path: Path, name: str) -> None:
    pytest.importorskip("ndstorage", reason="the reference library")
    benchmark = READING[name]()
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    assert {case.role for case in benchmark.cases} == {"ours", "peer", "limit"}
    assert set(result.times) == {case.name for case in benchmark.cases}
    assert not list(tmp_path.iterdir())
    assert "| case |" in markdown(Machine.look(tmp_path), [sheet(result)], rounds=1)


def spoil(folder: Path) -> None:
    """Change one bit of each pixel of a store."""
    for index in folder.rglob(INDEX_NAME):
        table = parse_index(index.read_bytes())
        for place in map(table.location, range(len(table))):
            path = index.parent / place.file
            data = np.fromfile(path, np.uint8)
            end = place.pixel_offset + place.width * place.height * 2
            data[place.pixel_offset : end : 2] ^= 1
            data.tofile(path)


@pytest.mark.parametrize("name", READING)
def test_a_wrong_pixel_in_ndtiff_is_seen(tmp_path: Path, name: str) -> None:
    pytest.importorskip("ndstorage", reason="the reference library")
    benchmark = READING[name]()
    write = benchmark.data
    assert write is not None

    def write_wrong(folder: Path) -> None:
        write(folder)
        spoil(folder)

    for case in benchmark.cases:
        if case.role == "limit":
            continue
        wrong = replace(benchmark, cases=[case], data=write_wrong)
        with pytest.raises(ValueError, match=r"not what is stored|is shown at"):
            measure(wrong, tmp_path, rounds=1, seed=0)


def test_opening_ndtiff(tmp_path: Path) -> None:
    pytest.importorskip("ndstorage", reason="the reference library")
    result = measure(ndtiff.opening(FEW), tmp_path, rounds=1, seed=0)
    *others, limit = result.benchmark.cases
    assert all(result.memory(case.name) is not None for case in others)
    assert result.memory(limit.name) is None
    assert not list(tmp_path.iterdir())


def test_opening_ndtiff_sees_a_frame_that_is_missing(tmp_path: Path) -> None:
    pytest.importorskip("ndstorage", reason="the reference library")
    benchmark = ndtiff.opening(FEW)

    def write_fewer(folder: Path) -> None:
        for name in "store", "few":
            (folder / name).mkdir()
            replace(FEW, times=2).write(folder / name)

    for case in benchmark.cases[:-1]:
        wrong = replace(benchmark, cases=[case], data=write_fewer)
        with pytest.raises(ValueError, match="expected"):
            measure(wrong, tmp_path, rounds=1, seed=0)


def test_tiles_are_the_mean_of_four_pixels() -> None:
    tiles = replace(FEW_TILES, side=2)
    plane = tiles.plane()
    assert plane.shape == (64, 64)
    assert plane[31, 32] == tiles.pixels()[0, 1, 4 + 31, 4]
    assert tiles.plane(1)[0, 31] == plane[:2, 62:].sum() // 4


@LEAKS
@pytest.mark.parametrize("batches", [False, True])
def test_writing_ndtiff(tmp_path: Path, batches: bool) -> None:
    pytest.importorskip("ndstorage", reason="the reference library")
    benchmark = ndtiff_write.writing(16, 5, batches=batches)
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    assert len(result.times) == (4 if batches else 3)
    assert not list(tmp_path.iterdir())


@LEAKS
def test_the_check_of_writing_ndtiff_sees_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("ndstorage", reason="the reference library")
    cases = ndtiff_write.writing(16, 5, batches=True).cases
    for number, case in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        case.prepare(folder)()
        assert case.check is not None
        case.check(folder)
        if case.role == "limit":
            (folder / "raw").write_bytes(b"short")
        else:
            spoil(folder)
        with pytest.raises(ValueError, match=r"not what was written|5 bytes"):
            case.check(folder)


def test_reports(tmp_path: Path) -> None:
    result = measure(naps([]), tmp_path, rounds=2, seed=0)
    machine = Machine.look(tmp_path).at_the_end()
    write_json(tmp_path / "a" / "out.json", machine, [sheet(result)], rounds=2, seed=0)
    document = json.loads((tmp_path / "a" / "out.json").read_text())
    assert document["machine"]["cores"] == machine.cores
    (written,) = document["benchmarks"]
    assert [case["name"] for case in written["cases"]] == ["a", "b", "c"]
    assert written["cases"][0]["wall"] == result.times["a"].wall
    assert written["targets"][0]["reached"] == result.ratio("a", "b")
    text = markdown(machine, [sheet(result)], rounds=2)
    assert "## nap" in text
    assert text.count("\n| a | nothing |") == 1
    assert "of 2 rounds" in text


def test_reports_of_memory_and_of_time_for_one_frame(tmp_path: Path) -> None:
    cases = [
        Case(name, role, "", lambda folder: lambda: None)
        for name, role in (("a", "ours"), ("b", "peer"))
    ]
    targets = [
        MemoryTarget("a", "b", 4),
        MemoryTarget("a", "b", 6),
        TimeTarget("a", 5),
        TimeTarget("a", 4),
    ]
    benchmark = Benchmark("open", "", "frames/s", 8, 2, 0, cases, targets)
    times = {
        "a": Times([0.01, 0.008, 0.02], [0.001] * 3, [2_000_000]),
        "b": Times([1.0, 1.0, 1.0], [0.001] * 3, [10_000_000, 9_000_000, 11_000_000]),
    }
    result = Result(benchmark, times)
    machine = Machine.look(tmp_path)
    text = markdown(machine, [sheet(result)], rounds=3)
    head = "| case | frames/s, median | best | CPU us/frame | memory, MB | x peer |"
    assert head in text
    assert "| --- | --: | --: | --: | --: | --: |" in text
    assert "| a | 800 | 1,000 | 500.00 | 2.0 | 100 |" in text
    assert "| b | 8.00 | 8.00 | 500.00 | 10.0 | 1.00 |" in text
    assert "a: 5.00 x less memory than b; target 4: met" in text
    assert "a: 5.00 x less memory than b; target 6: missed" in text
    assert "a: 5.00 ms for each (best round 4.00); target at most 5: met" in text
    assert "target at most 4: missed" in text
    write_json(tmp_path / "out.json", machine, [sheet(result)], rounds=3, seed=0)
    (written,) = json.loads((tmp_path / "out.json").read_text())["benchmarks"]
    assert [case["memory"] for case in written["cases"]] == [
        times["a"].memory,
        times["b"].memory,
    ]
    assert [target["reached"] for target in written["targets"]] == [5, 5, 5, 5]
    assert written["targets"][2]["at_most_ms"] == 5


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
