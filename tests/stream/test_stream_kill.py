"""A killed process leaves every committed frame, readable by others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tests.formats.ngff.oracles import READERS
from tests.stream.kinds import KINDS, Kind, frames_by_others
from tests.stream.streams import FORMATS, frame_of, journal_of

from napari_scope.fileio import uses_portable_io
from napari_scope.formats import open_dataset
from napari_scope.stream import read_journal
from napari_scope.stream.recovery import recover
from napari_scope.stream.sinks.base import checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


def tiff_frames(path: Path) -> dict[int, Any]:
    with tifffile.TiffFile(path) as file:
        return dict(enumerate(page.asarray() for page in file.pages))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("growing", [False, True])
def test_every_frame_with_a_line_is_there(
    tmp_path: Path, format: str, growing: bool
) -> None:
    path = tmp_path / "out"
    least = int(np.random.default_rng().integers(1, 400))
    told = killed_at(WRITER, least, format, str(path), str(growing), "5000")
    content = read_journal(journal_of(path))
    assert content.closed is None
    lines = list(content.frames)
    assert len(lines) >= told >= least, "what was committed has its line"
    assert [line["n"] for line in lines] == list(range(len(lines)))
    for line in lines:
        assert line["crc32c"] == checksum(frame_of(line["n"]))
        assert line["metadata"] == {"n": line["n"]}
    expected = np.stack([frame_of(line["n"]) for line in lines])
    if format in ("ndtiff", "ome-tiff"):
        found = ndtiff_frames(path) if format == "ndtiff" else tiff_frames(path)
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
import os, random, signal, sys
from pathlib import Path
from napari_scope.stream import Stream
from tests.stream.kinds import KINDS, feed

folder = Path(sys.argv[1])
rng = random.Random()


def write(kind, path, out):
    times = 60 if kind.several else 240
    stream = Stream(kind.spec(times), kind.sinks(path))
    count = len(kind.axes(times))
    for number in range(count):
        feed(stream, kind, number)
        if number % 3 == 2:
            stream.flush()
            os.write(out, bytes([0]))  # three more are committed
    os.write(out, bytes([1]))
    signal.pause()


for name, kind in [*KINDS.items(), *KINDS.items()]:
    path = folder / f"{name} {len(list(folder.iterdir()))}"
    path.mkdir()
    source, target = os.pipe()
    child = os.fork()
    if not child:
        os.close(source)
        try:
            write(kind, path, target)
        finally:
            os._exit(3)
    os.close(target)
    least, told = rng.randint(1, 60), 0
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
    print(name, 3 * told, path, sep="\\t", flush=True)
"""


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Any]]:
    """Return a function that returns the runs of a kind, which were killed.

    For each the folder, and how many frames were committed. All are killed in one go:
    what takes its time is to start a process.
    """
    known: dict[bool, list[list[str]]] = {}

    def get(name: str) -> list[Any]:
        portable = uses_portable_io()
        if portable not in known:
            process = start(KILLS, str(tmp_path_factory.mktemp("kills")))
            output, errors = process.communicate(timeout=200)
            assert process.returncode == 0, errors
            known[portable] = [line.split("\t") for line in output.splitlines()]
            assert len(known[portable]) == 2 * len(KINDS)
        return [(Path(p), int(n)) for kind, n, p in known[portable] if kind == name]

    return get


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("name", KINDS)
def test_many_kills(kills: Callable[[str], list[Any]], name: str) -> None:
    """At random frames: what was committed is there, with metadata; more than fifty."""
    kind = KINDS[name]
    assert len(KINDS) * 2 * 2 > 50
    runs = kills(name)
    assert len(runs) == 2
    for folder, count in runs:
        for written, path in zip(kind.formats, kind.paths(folder), strict=True):
            try:
                check_killed(path, written, kind, count)
            except BaseException as error:
                error.add_note(f"{path}, {count} frames were committed")
                raise


def check_killed(path: Path, format: str, kind: Kind, told: int) -> None:
    content = read_journal(journal_of(path))
    assert content.closed is None
    lines = list(content.frames)
    planned = kind.axes(60 if kind.several else 240)
    assert told <= len(lines) <= len(planned)
    for number, line in enumerate(lines):
        facts = {"n": number, "stage": {"x_um": number / 2}}
        assert (line["metadata"], line["axes"]) == (facts, planned[number])
    compare(path, format, kind, lines)
    report = recover(path)
    assert (report.saved, report.lost) == (len(lines), ())
    if kind.layout not in ("unbounded", "unknown"):
        # It was known what would come.
        missing = planned[len(lines) :]
        assert (report.planned, report.missing) == (len(planned), len(missing))
        listed = [sorted(axes.items()) for axes in report.missing_axes]
        assert sorted(listed) == sorted(sorted(axes.items()) for axes in missing)
    else:
        assert not report.missing
    compare(path, format, kind, lines)
    before = contents(path)
    again = recover(path)
    assert again.was_closed
    assert (again.saved, again.missing_axes) == (report.saved, report.missing_axes)
    assert contents(path) == before, "twice is harmless"
    if format == "ome-zarr":
        from yaozarrs import validate_zarr_store

        validate_zarr_store(str(path))
    if format != "ome-tiff":
        # A finished NDTiff store says how many frames are missing in it.
        problems = open_dataset(path).problems
        assert [text for text in problems if " frames are here" not in text] == []


def compare(
    path: Path, format: str, kind: Kind, lines: Sequence[Mapping[str, Any]]
) -> None:
    """Compare what has a line with what libraries find that are not ours."""
    readers = frames_by_others(path, format, kind, lines)
    assert readers or not lines
    for reader, frames in readers.items():
        for number, line in enumerate(lines):
            np.testing.assert_array_equal(
                frames[line["image"], tuple(line["index"])],
                frame_of(number),
                err_msg=f"{reader}, {line['axes']}",
            )


def contents(path: Path) -> dict[Path, bytes]:
    files = path.rglob("*") if path.is_dir() else (path, journal_of(path))
    return {file: file.read_bytes() for file in sorted(files) if file.is_file()}


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


def test_forgotten_streams_that_pack_their_frames(tmp_path: Path) -> None:
    """Their helpers are threads, too, which must not have ended before."""
    names = ["ome-zarr-lz4", "ome-zarr-deep", "ome-tiff-zlib"]
    code = """
    import sys
    from pathlib import Path
    from napari_scope.stream import Stream
    from tests.stream.kinds import KINDS, feed

    streams = []
    for name in sys.argv[2:]:
        folder = Path(sys.argv[1]) / name
        folder.mkdir()
        streams.append(Stream(KINDS[name].spec(300), KINDS[name].sinks(folder)))
        for number in range(300):
            feed(streams[-1], KINDS[name], number)
    """
    process = start(code, str(tmp_path), *names)
    assert process.communicate(timeout=60) == ("", "")
    for name in names:
        kind = KINDS[name]
        (path,), (written,) = kind.paths(tmp_path / name), kind.formats
        content = read_journal(journal_of(path))
        assert content.closed is not None
        assert content.closed["saved"] == 300
        compare(path, written, kind, list(content.frames))


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
