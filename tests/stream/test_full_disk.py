"""A real disk that is full: a small file system that is made for the test.

It is mounted where only the process of the test sees it, so nothing is left behind
whatever happens. Who may not do that (most users outside of a container, and systems
other than Linux) skips; the same faults are injected in `test_fault_table`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.stream.kinds import KINDS

MIB = 1 << 20

# What all of these tests do in the process that sees the file system.
BEGIN = """
import json, sys
from pathlib import Path
from napari_scope.errors import DiskSpaceError
from napari_scope.stream import Stream, read_journal
from napari_scope.stream import disk, keeper, outputs, stream as stream_module
from napari_scope.stream.recovery import recover
from tests.stream.kinds import KINDS, feed
from tests.stream.streams import journal_of
from tests.stream.test_stream_kill import compare

kind, folder = KINDS[sys.argv[1]], Path(sys.argv[2])
told = {"append": None, "close": None}


def run(stream, count):
    for number in range(count):
        try:
            feed(stream, kind, number)
        except DiskSpaceError as error:
            told["append"] = str(error)
            break
    try:
        stream.close()
    except DiskSpaceError as error:
        told["close"] = str(error)


def look():
    (path,), (written,) = kind.paths(folder), kind.formats
    lines = list(read_journal(journal_of(path)).frames)
    compare(path, written, kind, lines)
    told["lines"] = told.get("lines", []) + [len(lines)]
    return path
"""

# Nobody looks at the room: the disk itself says no, at whatever operation it happens.
FULL = """
stream_module.free_bytes = lambda _: 1 << 40
ballast = folder / "ballast"
ballast.write_bytes(bytes(13 << 18))
stream = Stream(kind.spec(300 if kind.several else 1800), kind.sinks(folder))
run(stream, 1800)
told["saved"] = stream.stats().saved
told["appended"] = stream.stats().appended
path = look()
ballast.unlink()
told["recovered"] = recover(path).saved
told["again"] = recover(path).was_closed
look()
print(json.dumps(told))
"""

# Another program takes the room; the stream stops while its files can be closed.
RESERVE = """
import threading
outputs.RESERVE_BYTES = disk.RESERVE_BYTES = 2 << 20
disk.STOP_BYTES, keeper._LOOK_S = 1 << 20, 0.01
try:
    Stream(kind.spec(4000), kind.sinks(folder))
except DiskSpaceError as error:
    told["before"] = str(error)
told["made"] = [p.name for p in folder.iterdir()]
stream = Stream(kind.spec(500), kind.sinks(folder))
for number in range(5):
    feed(stream, kind, number)
stream.flush()
(folder / "ballast").write_bytes(bytes(13 << 18))
stopped = threading.Event()
stream.events.failed.connect(lambda error: stopped.set())
if stream._failure.error is None:
    assert stopped.wait(30)
try:
    feed(stream, kind, 5)
except DiskSpaceError as error:
    told["append"] = str(error)
try:
    stream.close()
except DiskSpaceError as error:
    told["close"] = str(error)
path = look()
told["closed"] = read_journal(journal_of(path)).closed
told["again"] = recover(path).was_closed
print(json.dumps(told))
"""


@cache
def mounting() -> str | None:
    """Return why no file system can be mounted here, None if one can."""
    if sys.platform != "linux" or not shutil.which("unshare"):
        return "needs Linux and the command unshare"
    with tempfile.TemporaryDirectory() as folder:
        done = on_small_disk("print('mounted')", Path(folder), MIB)
    if done.stdout.strip() != "mounted":
        return f"this user may not mount a file system: {done.stderr.strip()[-200:]}"
    return None


def on_small_disk(
    code: str, folder: Path, size: int, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run Python where ``folder`` is a file system of so many bytes."""
    user = ["--user", "--map-root-user"] if os.getuid() else []
    script = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'
    return subprocess.run(
        [
            *("unshare", *user, "--mount", "--"),
            *("sh", "-c", script, str(size), str(folder)),
            *(sys.executable, "-c", textwrap.dedent(code), *arguments),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
        check=False,
    )


def outcome(code: str, tmp_path: Path, name: str) -> dict[str, Any]:
    if (reason := mounting()) is not None:
        pytest.skip(reason)
    disk = tmp_path / "disk"
    disk.mkdir()
    done = on_small_disk(BEGIN + code, disk, 4 * MIB, name, str(disk))
    assert done.returncode == 0, done.stderr
    assert not list(disk.iterdir()), "it was a file system of its own"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


NAMES = ["ome-zarr", "ome-zarr-0.4", "ome-zarr-plate", "ome-tiff-positions", "ndtiff"]


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_is_full(tmp_path: Path, name: str) -> None:
    """The error comes, what has a line is there, with more room it is completed."""
    assert len(KINDS[name].formats) == 1
    told = outcome(FULL, tmp_path, name)
    # If the buffer takes all frames that are left the error comes at the end.
    assert told["append"] or told["saved"] < told["appended"]
    assert "frames are saved" in told["close"]
    first, last = told["lines"]
    # The frame that met the full disk is not counted where `append` itself told.
    assert 0 < told["saved"] <= first == last == told["recovered"] <= told["appended"]
    assert told["again"]


@pytest.mark.parametrize("name", ["ome-zarr", "ome-tiff", "ndtiff"])
def test_the_reserve_of_a_real_disk(tmp_path: Path, name: str) -> None:
    """Too much is refused before anything is made; a disk that fills stops the run."""
    told = outcome(RESERVE, tmp_path, name)
    assert "the run needs" in told["before"]
    assert told["made"] == []
    for call in ("append", "close"):
        assert "the disk is nearly full" in told[call]
    assert told["lines"] == [5]
    # Nothing is left to repair: the files were closed like those of any run.
    assert told["closed"]["saved"] == 5
    assert "nearly full" in told["closed"]["failed"]
    assert told["again"]
