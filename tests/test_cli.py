"""The command line: real processes, exit codes, and one clear line for each error."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.cli.in_process import run_here
from tests.stream.streams import frame_of, make_sink, make_spec

from napari_scope.cli import main
from napari_scope.formats import open_dataset
from napari_scope.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAN = """
time_plan: {interval: 0, loops: 3}
channels: [{config: DAPI, exposure: 1}, {config: FITC, exposure: 1}]
"""


def scope(
    *arguments: object, cwd: Path, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "napari_scope.cli", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", "PYTHONWARNINGS": "error", **env},
    )


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Let Ctrl+C reach the programs: background jobs of a shell ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


def test_demo_verifies_every_frame(tmp_path: Path) -> None:
    done = scope("demo", "--headless", "--out", "d", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("80 of 80 (all)") == 2
    for name in ("demo_001.ome.zarr", "demo_001.ndtiff"):
        images = open_dataset(tmp_path / "d" / name).images
        assert [i.levels[0].shape for i in images] == [(4, 2, 5, 512, 512)] * 2
    again = scope("demo", "--headless", "--out", "d", cwd=tmp_path)
    assert again.returncode == 0
    assert "demo_002.ome.zarr" in again.stdout


def test_demo_fails_on_a_wrong_frame(tmp_path: Path) -> None:
    """One changed bit on disk must make the demonstration fail."""
    code = """
import sys
from napari_scope.formats.ngff.writing.shards import ShardWriter
real = ShardWriter.write
def wrong(self, index, frame):
    frame = frame.copy()
    if index == (1, 0, 2):
        frame[3, 4] ^= 1
    real(self, index, frame)
ShardWriter.write = wrong
sys.argv = ["napari-scope", "demo", "--headless", "--out", "d"]
from napari_scope.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 1
    assert "78 of 80 (no)" in done.stdout
    assert "80 of 80 (all)" in done.stdout
    assert "differs or is missing: channel=DAPI, position=Pos0, time=1, z=2" in (
        done.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        (["--out", "a/run"], ["a/run.ome.zarr"]),
        (["--out", "run.ome.zarr"], ["run.ome.zarr"]),
        (["--out", "run.zarr"], ["run.zarr"]),
        (["--out", "./new/run.OME.Zarr/"], ["new/run.OME.Zarr"]),
        (["--out", "run.ndtiff"], ["run.ndtiff"]),
        (
            ["--out", "run.zarr", "--format", "both"],
            ["run.zarr", "run.ndtiff"],
        ),
        (["--out", "run", "--format", "ndtiff"], ["run.ndtiff"]),
        (["--out", "run", "--format", "both"], ["run.ome.zarr", "run.ndtiff"]),
        (
            ["--out", "run", "--compression", "zstd", "--zarr-version", "0.4"],
            ["run.ome.zarr"],
        ),
    ],
)
def test_acquire(
    tmp_path: Path, plan: Path, arguments: list[str], paths: list[str]
) -> None:
    done = scope("acquire", plan, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 of 6 frames saved" in done.stdout
    for path in paths:
        assert f": {path}\n" in done.stdout
        (image,) = open_dataset(tmp_path / path).images
        assert np.asarray(image.levels[0]).reshape(6, -1).any(axis=1).all()


def test_acquire_packed_in_two_formats(tmp_path: Path, plan: Path) -> None:
    import zarr
    from tifffile import TiffFile

    formats = ["--format", "ome-zarr", "--format", "ome-tiff"]
    codecs = ["--compression", "blosc-lz4", "--compression", "zlib"]
    done = run_here(
        "acquire", plan, "--out", "r", *formats, *codecs, "--chunk", 256, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    array = zarr.open_array(tmp_path / "r.ome.zarr" / "0", mode="r")
    assert array.chunks[-2:] == (256, 256)
    with TiffFile(tmp_path / "r.ome.tiff") as file:
        assert file.pages.first.compression.name == "ADOBE_DEFLATE"
        assert (file.asarray() == array[:]).all()


def test_positions_of_ome_tiff_are_a_folder(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("stage_positions: [{x: 0, y: 0}, {x: 600, y: 0}]\n")
    done = run_here("acquire", plan, "--out", "r.ome.tiff", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "  ome-tiff: r\n" in done.stdout
    assert len([*(tmp_path / "r").glob("*.tiff")]) == 2
    done = run_here("acquire", plan, "--out", "r.ome.tiff", cwd=tmp_path)
    assert done.returncode == 1
    assert "exists already" in done.stderr


def test_info(tmp_path: Path, plan: Path) -> None:
    run_here("acquire", plan, "--out", "run", "--format", "both", cwd=tmp_path)
    for name, version in [("run.ome.zarr", "0.5"), ("run.ndtiff", "3.3")]:
        done = run_here("info", name, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        facts = json.loads(done.stdout)
        assert facts["format_version"] == version
        assert facts["images"][0]["shape"] == [3, 2, 512, 512]
        assert facts["images"][0]["channels"] == ["DAPI", "FITC"]
        assert facts["journal"] == {
            "planned": 6,
            "saved": 6,
            "skipped": 0,
            "dropped": 0,
            "closed": True,
        }
        table = run_here("info", name, cwd=tmp_path)
        assert "3 x 2 x 512 x 512" in table.stdout
        assert "6 of 6 frames" in table.stdout


def test_info_of_a_store_that_is_being_written(tmp_path: Path) -> None:
    from napari_scope.formats.ndtiff import NDTiffWriter

    with NDTiffWriter(tmp_path / "run.ndtiff") as writer:
        writer.put({"time": 0}, np.zeros((4, 4), "u2"))
        done = scope("info", "run.ndtiff", cwd=tmp_path)
        assert "1 frames" in done.stdout
        assert "being written" in done.stdout
        facts = json.loads(scope("info", "run.ndtiff", "--json", cwd=tmp_path).stdout)
        assert (facts["frames"], facts["finished"]) == (1, False)
    done = run_here("info", "run.ndtiff", cwd=tmp_path)
    assert "being written" not in done.stdout


def test_info_of_names_that_are_commands_to_a_terminal(tmp_path: Path) -> None:
    from napari_scope.formats.ndtiff import NDTiffWriter

    clear = "\x1b[2J\x07\x9b1m\u202e"
    shown = r"\x1b[2J\x07\x9b1m\u202e"
    with NDTiffWriter(tmp_path / "run", summary={}) as writer:
        for t in range(3):
            axes = {"time": t, "position": f"[red]A{clear}", f"q{clear}": 0}
            writer.put({**axes, "channel": f"c{clear}"}, np.zeros((4, 4), "u2"))
    index = tmp_path / "run" / "NDTiff.index"
    data = bytearray(index.read_bytes())
    data[-16] = 5  # a frame that cannot be read, for a problem with its axes
    index.write_bytes(data)
    done = run_here("info", "run", cwd=tmp_path, COLUMNS="400")
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, done.stderr):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)
    assert f"[red]A{shown}" in done.stdout
    assert f"c{shown}" in done.stdout
    assert f"position=[red]A{shown}" in done.stderr
    failed = run_here("info", f"no{clear}where", cwd=tmp_path)
    assert failed.returncode == 1
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(failed.stderr)
    assert f"no{shown}where" in failed.stderr


def few_frames(path: Path, count: int = 4, **more: Any) -> None:
    """Write a small NDTiff store."""
    from napari_scope.formats.ndtiff import NDTiffWriter

    with NDTiffWriter(path, summary={"PixelSize_um": 0.5}) as writer:
        for t in range(count):
            for channel in ("DAPI", "FITC"):
                frame = np.full((8, 9), 10 * t + len(channel), "u2")
                writer.put({"time": t, "channel": channel}, frame, **more)


def test_convert_there_and_back(tmp_path: Path) -> None:
    few_frames(tmp_path / "a")
    done = run_here("convert", "a", "b.ome.zarr", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "finished: 8 of 8 frames converted" in done.stdout
    assert "  ome-zarr: b.ome.zarr\n" in done.stdout
    assert "8 of 8 frames read back and the same" in done.stdout
    command = ["convert", "b.ome.zarr", "c", "--format", "ndtiff", "--no-verify"]
    done = run_here(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "read back" not in done.stdout
    first, last = (open_dataset(tmp_path / name).images[0] for name in "ac")
    assert np.array_equal(np.asarray(first.levels[0]), np.asarray(last.levels[0]))
    assert [c.name for c in last.channels] == ["DAPI", "FITC"]


def test_convert_says_what_is_missing_or_different(tmp_path: Path) -> None:
    from napari_scope.formats.ndtiff import NDTiffWriter

    with NDTiffWriter(tmp_path / "a") as writer:
        for t, channel in [(0, "A"), (1, "A"), (1, "B")]:
            axes = {"time": t, "channel": channel, "position": "P"}
            writer.put(axes, np.ones((8, 9, 3), "u1"))
        writer.put({"position": "Q"}, np.ones((8, 9), "u2"))
    done = run_here("convert", "a", "b.zarr", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "finished: 10 of 10 frames" in done.stdout
    assert "3 frames are missing in the source and marked as such" in done.stdout
    assert "note: P" in done.stdout
    assert "the colours become the channels" in done.stdout
    done = run_here("convert", "a", "c.ndtiff", cwd=tmp_path)
    assert done.returncode == 1
    assert "--image" in done.stderr
    name = open_dataset(tmp_path / "a").images[1].name
    done = run_here("convert", "a", "c.ndtiff", "--image", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "finished: 1 of 1 frames" in done.stdout


def test_convert_fails_on_a_wrong_frame(tmp_path: Path) -> None:
    few_frames(tmp_path / "a")
    code = """
import sys
from napari_scope.formats.ngff.writing.shards import ShardWriter
real = ShardWriter.write
def wrong(self, index, frame):
    frame = frame.copy()
    if index == (1, 0):
        frame[3, 4] ^= 1
    real(self, index, frame)
ShardWriter.write = wrong
sys.argv = ["napari-scope", "convert", "a", "b.zarr"]
from napari_scope.cli import main
main()
"""
    done = run_code(code, tmp_path)
    assert done.returncode == 1
    assert "7 of 8 frames read back and the same" in done.stdout
    assert "differs: time=1, channel=DAPI" in done.stdout


def run_code(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_convert_with_a_frame_that_cannot_be_read(tmp_path: Path) -> None:
    few_frames(tmp_path / "a")
    code = """
import sys
from napari_scope.errors import FormatError
from napari_scope.stream.conversion.source import Plane, SourceImage
from napari_scope.stream.conversion import source as convert_source
convert_source._GROUP_BYTES = 0
real = SourceImage._read_one
def broken(self, index):
    if index == {"t": 2, "c": 1}:
        return Plane(index, None, error=FormatError("the file is cut", path="a.tif"))
    return real(self, index)
SourceImage._read_one = broken
sys.argv = ["napari-scope", "convert", "a", *sys.argv[1:]]
from napari_scope.cli import main
main()
"""
    stop = run_code(code.replace("*sys.argv[1:]", "'b.zarr'"), tmp_path)
    assert stop.returncode == 1
    (line,) = stop.stderr.strip().splitlines()
    assert line.startswith("error: the frame time=2, channel=FITC cannot be read")
    assert "5 of 8 frames were converted" in line
    arguments = "'c.zarr', '--on-error', 'skip'"
    skip = run_code(code.replace("*sys.argv[1:]", arguments), tmp_path)
    assert skip.returncode == 0, skip.stderr
    assert "7 of 8 frames converted" in skip.stdout
    text = "not readable, skipped time=2, channel=FITC: the file is cut (a.tif)"
    assert text in skip.stdout
    facts = run_here("info", "c.zarr", cwd=tmp_path).stdout
    assert "1 skipped" in facts


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_cancels_a_conversion(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    few_frames(tmp_path / "a", 100)
    program = """
import sys, time
from napari_scope.stream.conversion.source import SourceImage
from napari_scope.stream.conversion import source as convert_source
convert_source._GROUP_BYTES = 0
real = SourceImage._read_one
def slow(self, index):
    time.sleep(0.02)
    return real(self, index)
SourceImage._read_one = slow
sys.argv = ["napari-scope", "convert", "a", "b.zarr"]
from napari_scope.cli import main
main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = tmp_path / "b.zarr" / "acquisition" / "frames.jsonl"
    end = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert "cancelled: " in out
    assert "of 200 frames converted" in out
    assert "closed as interrupted; what was written can be opened" in out
    assert "Traceback" not in errors
    facts = json.loads(run_here("info", "b.zarr", "--json", cwd=tmp_path).stdout)
    assert not facts["journal"]["closed"]
    assert 4 <= facts["journal"]["saved"] < 200


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_third_signal_ends_a_conversion(tmp_path: Path) -> None:
    few_frames(tmp_path / "a")
    program = """
import os, signal, sys, time
from napari_scope.stream.conversion.source import SourceImage
from napari_scope.stream.conversion import source as convert_source
convert_source._GROUP_BYTES = 0
def hang(self, index):
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
    time.sleep(3600)
SourceImage._read_one = hang
sys.argv = ["napari-scope", "convert", "a", "b.zarr"]
from napari_scope.cli import main
main()
"""
    done = run_code(program, tmp_path)
    assert done.returncode == 143
    text = "cancelled while converting: 0 of 8 frames done, the files were not closed"
    assert text in done.stdout
    assert "  b.zarr" in done.stdout


def test_recover(tmp_path: Path) -> None:
    few_frames(tmp_path / "a")
    done = run_here("recover", "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a: 8 frames kept, 0 recovered, 0 dropped" in done.stdout
    assert not (tmp_path / "a" / "NDTiff.index.recovered").exists()
    (tmp_path / "a" / "NDTiff.index").unlink()
    done = run_here("recover", "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a: 0 frames kept, 8 recovered, 0 dropped" in done.stdout
    assert "written: NDTiff.index.recovered" in done.stdout
    (tmp_path / "a" / "NDTiff.index.recovered").rename(tmp_path / "a" / "NDTiff.index")
    (image,) = open_dataset(tmp_path / "a").images
    assert np.asarray(image.levels[0])[3, 1].max() == 34


@pytest.mark.parametrize("left", ["index", "tif"])
def test_recover_finds_nothing(tmp_path: Path, left: str) -> None:
    few_frames(tmp_path / "a")
    for path in (tmp_path / "a").glob("*.tif" if left == "index" else "NDTiff.index"):
        path.unlink()
    for path in (tmp_path / "a").glob("*.tif"):
        os.truncate(path, 200)
    done = run_here("recover", "a", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert "no frame was found: nothing was written" in line
    assert not list((tmp_path / "a").glob("*.recovered*"))


def test_recover_ome_tiff(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with Stream(make_spec(n_frames=5), [make_sink("ome-tiff", tmp_path / "a")]) as s:
        s.append(frame_of(0))
        s.flush()
        for path in tmp_path.glob("a*"):
            shutil.copy(path, tmp_path / "copy")
    done = run_here("recover", "copy/a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("copy/a: recovered, 1 of 5 frames saved, 4 missing")
    done = run_here("recover", "copy/a", cwd=tmp_path)
    assert done.stdout.startswith("copy/a: nothing to do, 1 of 5 frames saved")


@pytest.mark.parametrize("format", ["ome-zarr", "ndtiff"])
def test_recover_a_run(tmp_path: Path, format: str) -> None:
    spec = make_spec({"time": 6}, n_frames=6)
    with Stream(spec, [make_sink(format, tmp_path / "alive")]) as stream:
        for number in range(4):
            stream.append(frame_of(number))
        done = scope("recover", "alive", cwd=tmp_path)
        assert done.returncode == 1
        assert "still being written" in done.stderr
        stream.flush()
        shutil.copytree(tmp_path / "alive", tmp_path / "killed")  # as a kill leaves it
    done = run_here("recover", "killed", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == "killed: recovered, 4 of 6 frames saved, 2 missing"
    assert "  missing time=5" in rest
    done = run_here("recover", "killed", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("killed: nothing to do, 4 of 6 frames saved")
    if format == "ndtiff":
        assert "killed: 4 frames kept, 0 recovered, 0 dropped" in done.stdout
        (tmp_path / "killed" / "frames.jsonl").write_bytes(bytes(100))
        (tmp_path / "killed" / "NDTiff.index").unlink()
        done = run_here("recover", "killed", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "no frame of the run is known" in done.stdout
        assert "killed: 0 frames kept, 4 recovered, 0 dropped" in done.stdout


def test_errors_are_one_line(
    tmp_path: Path,
    plan: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the commands raise, in this process: each start of Python takes a second."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "taken.ndtiff").mkdir()
    (tmp_path / "broken.cfg").write_text("Device,Foo,DemoCamera,Nope\n")
    (tmp_path / "typo.yaml").write_text("time_plann: {interval: 0, loops: 3}\n")
    (tmp_path / "preset.yaml").write_text("channels: [{config: NOPE}]\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "taken.d" / "p.png").mkdir(parents=True)
    deep = "[" * 900 + "]" * 900
    (tmp_path / "deep.json").write_text(f'{{"metadata": {{"a": {deep}}}}}')
    for arguments, text in [
        (["acquire", "nope.yaml", "--out", "r"], "nope.yaml"),
        (["acquire", "typo.yaml", "--out", "r"], "unknown key 'time_plann'"),
        (["acquire", "list.yaml", "--out", "r"], "list.yaml"),
        (["acquire", "preset.yaml", "--out", "r"], "has no preset 'NOPE'"),
        (["acquire", plan, "--out", "taken.ndtiff"], "exists already"),
        (["acquire", plan, "--out", "file/r"], "cannot be created"),
        (["acquire", plan, "--out", "."], "the output is a folder"),
        (["acquire", plan, "--out", ".."], "the output is a folder"),
        (["acquire", plan, "--out", "sub/.."], "the output is a folder"),
        (["acquire", plan, "--out", "taken.d/"], "such as taken.d/run"),
        (["acquire", plan, "--out", ".zarr"], "no name"),
        (["acquire", "deep.json", "--out", "r"], "deep"),
        (["acquire", "list.yaml/plan", "--out", "r"], "list.yaml/plan"),
        (["demo", "--headless", "--out", "file"], "file"),
        (["demo", "--headless", "--screenshot", "file/x.png"], "screenshot"),
        (["demo", "--headless", "--screenshot", "x.nope"], "'.nope'"),
        (["demo", "--headless", "--screenshot", "taken.d/p.png"], "a folder"),
        (["acquire", plan, "--out", "r.ndtiff", "--format", "ome-zarr"], "suffix"),
        (["acquire", plan, "--out", "r", "--compression", "lzw"], "'lzw'"),
        (["acquire", plan, "--out", "r.tif", "--chunk", "64"], "ome-zarr"),
        (["acquire", plan, "--out", "r", "--config", "nope.cfg"], "nope.cfg"),
        (["acquire", plan, "--out", "r", "--config", "broken.cfg"], "Nope"),
        (["convert", "nowhere", "r.zarr"], "nowhere"),
        (["convert", "plan.yaml", "r.zarr"], "plan.yaml"),
        (["convert", "plan.yaml", "taken.ndtiff"], "exists already"),
        (["convert", "plan.yaml", "r"], "suffix"),
        (["convert", "plan.yaml", "r.zarr", "--format", "ndtiff"], "suffix"),
        (["recover", "nowhere"], "nowhere"),
        (["recover", "taken.d"], "taken.d"),
        (["info", "plan.yaml"], "plan.yaml"),
        (["info", "nowhere"], "nowhere"),
    ]:
        monkeypatch.setattr(sys, "argv", ["napari-scope", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1, arguments
        stderr = capsys.readouterr().err
        last = stderr.strip().splitlines()[-1]
        assert last.startswith("error: "), stderr
        assert text in last, stderr
        assert "Traceback" not in stderr
    # The same from a process of its own.
    done = scope("acquire", plan, "--out", "r", "--config", "broken.cfg", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.zarr"))
    assert not list((tmp_path / "taken.ndtiff").iterdir())
    # A screenshot that cannot be saved is found out before the run.
    assert not (tmp_path / "napari-scope-demo").exists()


def test_a_home_folder_that_cannot_be_written(tmp_path: Path, plan: Path) -> None:
    """pymmcore-plus makes a log file there while it is imported."""
    home = tmp_path / "home"
    home.write_text("not a folder")
    places = dict.fromkeys(("HOME", "XDG_DATA_HOME", "USERPROFILE"), str(home))
    places |= dict.fromkeys(("LOCALAPPDATA", "APPDATA"), str(home))
    temp = tmp_path / "temp"
    temp.mkdir()
    places |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temp))
    places["PYMM_LOG_FILE"] = ""
    done = scope("acquire", plan, "--out", "run", cwd=tmp_path, **places)
    assert done.returncode == 0, done.stderr
    assert "6 of 6 frames saved" in done.stdout
    if sys.platform != "win32":  # there the log file is open to the end
        assert not list(temp.glob("napari-scope*"))


def test_an_error_of_the_system_is_one_line(tmp_path: Path) -> None:
    """Also one that nobody has foreseen."""
    code = """
import sys
import napari_scope.formats.opening
def full(path):
    raise OSError(28, "No space left on device", "the file")
napari_scope.formats.opening.open_dataset = full
sys.argv = ["napari-scope", "info", "x"]
from napari_scope.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device (the file)\n"


def test_too_little_room(tmp_path: Path) -> None:
    plan = tmp_path / "huge.yaml"
    plan.write_text("time_plan: {interval: 0, loops: 2000000}\n")
    done = scope("acquire", plan, "--out", "r", cwd=tmp_path)
    assert done.returncode == 1
    assert "MB of room" in done.stderr
    assert not (tmp_path / "r.ome.zarr").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_cancels_and_closes(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    plan = tmp_path / "slow.yaml"
    plan.write_text("time_plan: {interval: 0.05, loops: 1000}\n")
    command = [sys.executable, "-m", "napari_scope.cli", "acquire", str(plan)]
    process = subprocess.Popen(
        [*command, "--out", "r"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    journal = tmp_path / "r.ome.zarr" / "acquisition" / "frames.jsonl"
    end = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert "cancelled" in out
    assert "ome-zarr: r.ome.zarr" in out
    facts = json.loads(run_here("info", "r.ome.zarr", "--json", cwd=tmp_path).stdout)
    assert facts["journal"]["closed"]
    assert 4 <= facts["journal"]["saved"] < 1000


def slow_to_close(folder: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a run that says ``closing`` and then takes its time."""
    plan = folder / "slow.yaml"
    plan.write_text("time_plan: {interval: 0.05, loops: 1000}\n")
    code = f"""
import sys, time
from napari_scope.stream import Stream
real = Stream.close
def close(self):
    print("closing", flush=True)
    time.sleep({seconds})
    real(self)
Stream.close = close
sys.argv = ["napari-scope", "acquire", "slow.yaml", "--out", "r"]
from napari_scope.cli import main
main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = folder / "r.ome.zarr" / "acquisition" / "frames.jsonl"
    end = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "closing\n"
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_second_signal_does_not_keep_files_from_being_closed(tmp_path: Path) -> None:
    process = slow_to_close(tmp_path, 1.5)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "closing the files" in errors
    assert "cancelled" in out
    assert "ome-zarr: r.ome.zarr" in out
    facts = json.loads(run_here("info", "r.ome.zarr", "--json", cwd=tmp_path).stdout)
    assert facts["journal"]["closed"]


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_third_signal_ends_the_program_and_says_where_the_data_are(
    tmp_path: Path,
) -> None:
    process = slow_to_close(tmp_path, 3600)
    while process.poll() is None:  # two at the same moment may arrive as one
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "of 1000 frames saved so far, the files were not closed" in out
    assert "ome-zarr: r.ome.zarr" in out
    facts = json.loads(run_here("info", "r.ome.zarr", "--json", cwd=tmp_path).stdout)
    assert not facts["journal"]["closed"]
    assert facts["journal"]["saved"] >= 4


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path, plan: Path) -> None:
    """As a shell has it for programs in the background."""
    code = f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from napari_scope.acquire import Run
real = Run.start
def start(self):
    os.kill(os.getpid(), signal.SIGINT)
    return real(self)
Run.start = start
sys.argv = ["napari-scope", "acquire", {str(plan)!r}, "--out", "r"]
from napari_scope.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "6 of 6 frames saved" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_a_signal_while_the_hardware_is_loaded_ends_the_program(
    tmp_path: Path, plan: Path
) -> None:
    code = f"""
import os, signal, sys
from napari_scope.acquire import CoreOwner
CoreOwner.load = lambda *_: os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["napari-scope", "acquire", {str(plan)!r}, "--out", "r"]
from napari_scope.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r.ome.zarr").exists()


def test_screenshot_without_display(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("every other system has a display")
    done = scope(
        "demo", "--headless", "--screenshot", "s.png", cwd=tmp_path, DISPLAY="",
        WAYLAND_DISPLAY="",
    )  # fmt: skip
    assert done.returncode == 1
    assert "needs a display" in done.stderr
    assert not (tmp_path / "napari-scope-demo").exists()
