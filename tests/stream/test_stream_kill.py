"""A killed process leaves every committed frame, readable by others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.formats.ngff.oracles import READERS
from tests.stream.streams import FORMATS, frame_of

from napari_scope.fileio import uses_portable_io
from napari_scope.stream import read_journal
from napari_scope.stream.recovery import recover
from napari_scope.stream.recovery_journal import find_journal
from napari_scope.stream.sinks.base import checksum

pytestmark = pytest.mark.usefixtures("implementation")

WRITER = """
import sys
from pathlib import Path
from napari_scope.stream import Stream
from tests.stream.streams import frame_of, growing_spec, make_sink, make_spec

format, path, growing, end = sys.argv[1:]
spec = growing_spec() if growing == "True" else make_spec({"time": 5000})
stream = Stream(spec, [make_sink(format, Path(path))], ring_bytes=1 << 20)
for number in range(int(end)):
    stream.append(frame_of(number), {"n": number}, index={"time": number})
    if number % 7 == 6:
        stream.flush()
        print(stream.stats().saved, flush=True)
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NAPARI_SCOPE_PORTABLE_IO": str(int(uses_portable_io()))},
        cwd=Path(__file__).parents[2],
    )


def killed_at(code: str, least: int, *arguments: str) -> int:
    """Run a writer, kill it once it committed so many; return what it told."""
    process = start(code, *arguments)
    assert process.stdout is not None
    told = 0
    for line in process.stdout:
        told = int(line)
        if told >= least:
            break
    process.kill()
    # Lines that were on their way when it died are promises, too.
    rest, errors = process.communicate()
    assert not errors, errors
    return max([told, *(int(line) for line in rest.split("\n")[:-1])])


def ndtiff_frames(path: Path) -> dict[int, Any]:
    from ndstorage import Dataset

    dataset = Dataset(str(path))
    try:
        return {
            axes["time"]: dataset.read_image(**axes)
            for axes in dataset.get_image_coordinates_list()
        }
    finally:
        dataset.close()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("growing", [False, True])
def test_every_frame_with_a_line_is_there(
    tmp_path: Path, format: str, growing: bool
) -> None:
    path = tmp_path / "out"
    least = int(np.random.default_rng().integers(1, 400))
    told = killed_at(WRITER, least, format, str(path), str(growing), "5000")
    (journal,) = path.rglob("frames.jsonl")
    content = read_journal(journal)
    assert content.closed is None
    lines = list(content.frames)
    assert len(lines) >= told >= least, "what was committed has its line"
    assert [line["n"] for line in lines] == list(range(len(lines)))
    for line in lines:
        assert line["crc32c"] == checksum(frame_of(line["n"]))
        assert line["metadata"] == {"n": line["n"]}
    expected = np.stack([frame_of(line["n"]) for line in lines])
    if format == "ndtiff":
        found = ndtiff_frames(path)
        assert len(found) >= len(lines)
        for line in lines:
            np.testing.assert_array_equal(found[line["n"]], expected[line["n"]])
        return
    from yaozarrs import validate_zarr_store

    validate_zarr_store(str(path))
    for name, read in READERS.items():
        np.testing.assert_array_equal(
            read(path / "0")[: len(lines)], expected, err_msg=name
        )


KILLS = """
import os, signal, sys
from pathlib import Path
import random
from napari_scope.stream import Stream
from napari_scope.stream.spec import StorageSpec
from tests.stream.streams import frame_of, make_spec
from tests.stream.test_fault_table import NAMES, any_sink

folder, count = Path(sys.argv[1]), int(sys.argv[2])
rng = random.Random()
kinds = ["ome-zarr", "ndtiff", "ome-tiff", "packed"]


def write(kind, path, out):
    storage = StorageSpec(compression="blosc-lz4" if kind == "packed" else None)
    kind = "ome-zarr" if kind == "packed" else kind
    spec = make_spec({"time": 400}, n_frames=400, storage=storage)
    stream = Stream(spec, [any_sink(kind, path)])
    for number in range(400):
        stream.append(frame_of(number), {"n": number})
        if number % 3 == 2:
            stream.flush()
            os.write(out, bytes([0]))  # three more are committed
    os.write(out, bytes([1]))
    signal.pause()


for number in range(count):
    kind = kinds[number % len(kinds)]
    path = folder / str(number) / NAMES.get(kind, "out")
    path.parent.mkdir()
    source, target = os.pipe()
    child = os.fork()
    if not child:
        os.close(source)
        try:
            write(kind, path, target)
        finally:
            os._exit(3)
    os.close(target)
    least, told = rng.randint(1, 130), 0
    while told < least:
        piece = os.read(source, 1)
        assert piece, "the writer failed"
        if piece == b"\\x01":
            break
        told += 1
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while piece := os.read(source, 100):
        told += piece.count(0)
    os.close(source)
    print(kind, path, 3 * told, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_many_kills(tmp_path: Path) -> None:
    """Sixty at random frames: all that was committed is there, with metadata."""
    process = start(KILLS, str(tmp_path), "30")  # and as many with portable files
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    told = [line.split() for line in output.splitlines()]
    assert len(told) == 30
    for kind, path, count in told:
        check_killed(kind, Path(path), int(count))


def check_killed(kind: str, path: Path, told: int) -> None:
    journal = find_journal(path)
    assert journal is not None
    content = read_journal(journal)
    assert content.closed is None
    lines = list(content.frames)
    assert len(lines) >= told
    assert [line["metadata"]["n"] for line in lines] == list(range(len(lines)))
    expected = [frame_of(n) for n in range(len(lines))]
    for recovered in (False, True):
        if recovered:
            report = recover(path)
            assert (report.saved, report.lost) == (len(lines), ())
            assert report.missing == 400 - len(lines)
        if kind == "ndtiff":
            found: Any = ndtiff_frames(path)
        elif kind == "ome-tiff":
            with tifffile.TiffFile(path) as file:
                found = [page.asarray() for page in file.pages]
            assert len(found) >= len(lines)
        else:
            found = READERS["tensorstore"](path / "0")
        for number, frame in enumerate(expected):
            np.testing.assert_array_equal(found[number], frame)


FORGOTTEN = """
import sys
from pathlib import Path
from napari_scope.stream import Stream
from tests.stream.streams import frame_of, make_sink, make_spec

paths = [Path(p) for p in sys.argv[1:]]
streams = [
    Stream(make_spec({"time": 50}), [make_sink(f, p)])
    for f, p in zip(["ome-zarr", "ndtiff"], paths)
]
for number in range(50):
    for stream in streams:
        stream.append(frame_of(number))
if len(paths) > 2:
    for stream in streams:
        stream._fail(stream.sinks[0], OSError(5, "Input/output error"))
"""


@pytest.mark.parametrize("named", [True, False])
def test_forgotten_streams_are_closed_when_the_process_ends(
    tmp_path: Path, named: bool
) -> None:
    code = FORGOTTEN if named else FORGOTTEN + "del stream, streams\n"
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    process = start(code, *paths)
    output = process.communicate(timeout=60)
    assert output == ("", "")
    assert process.returncode == 0
    for path in paths:
        (journal,) = Path(path).rglob("frames.jsonl")
        content = read_journal(journal)
        assert content.closed == {
            "closed": True,
            "saved": 50,
            "skipped": 0,
            "dropped": 0,
        }
    for read in READERS.values():
        np.testing.assert_array_equal(
            read(tmp_path / "a" / "0"), [frame_of(n) for n in range(50)]
        )
    assert len(ndtiff_frames(tmp_path / "b")) == 50


def test_a_forgotten_stream_that_failed_does_not_end_in_silence(tmp_path: Path) -> None:
    process = start(FORGOTTEN, str(tmp_path / "a"), str(tmp_path / "b"), "fail")
    _, errors = process.communicate(timeout=60)
    assert errors.count("Input/output error") == 2
    for name in "ab":
        (journal,) = (tmp_path / name).rglob("frames.jsonl")
        assert read_journal(journal).closed is None


def test_a_thread_that_still_appends_at_the_end_does_no_harm(tmp_path: Path) -> None:
    """The process ends while a camera thread goes on."""
    code = """
    import sys, threading, time
    from pathlib import Path
    from napari_scope.errors import StreamClosedError
    from napari_scope.stream import Stream
    from tests.stream.streams import frame_of, make_sink, make_spec

    sink = make_sink("ome-zarr", Path(sys.argv[1]))
    stream = Stream(make_spec({"time": 100_000}), [sink])
    ready = threading.Event()

    def camera():
        try:
            for number in range(100_000):
                stream.append(frame_of(number))
                if number == 100:
                    ready.set()
        except StreamClosedError:
            pass

    threading.Thread(target=camera, daemon=True).start()
    ready.wait()
    """
    process = start(code, str(tmp_path / "out"))
    assert process.communicate(timeout=60) == ("", "")
    (journal,) = (tmp_path / "out").rglob("frames.jsonl")
    content = read_journal(journal)
    assert content.closed is not None
    assert content.closed["saved"] == len(content.frames) > 100
    text = (tmp_path / "out" / "zarr.json").read_text()
    assert json.loads(text)["attributes"]["ome"]["multiscales"]
