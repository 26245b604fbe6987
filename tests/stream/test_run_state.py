"""What became of the run of a store, from the end of its journal and its lock."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.stream.streams import FORMATS, frame_of, make_sink, make_spec

from napari_scope.stream import Stream
from napari_scope.stream.recovery import recover
from napari_scope.stream.recovery_journal import find_journal
from napari_scope.stream.run_state import StoredRun, run_state

if TYPE_CHECKING:
    from pathlib import Path


def copied(path: Path, target: Path) -> Path:
    """Copy a store and its journal, as a kill would leave them."""
    target.mkdir()
    for one in path.parent.glob(f"{path.name}*"):
        copy = shutil.copytree if one.is_dir() else shutil.copy
        copy(one, target / one.name)
    return target / path.name


@pytest.mark.parametrize("format", FORMATS)
def test_written_interrupted_recovered(tmp_path: Path, format: str) -> None:
    path = tmp_path / "out"
    with Stream(make_spec(n_frames=5), [make_sink(format, path)]) as stream:
        stream.append(frame_of(0))
        stream.flush()
        assert run_state(path) is StoredRun.WRITTEN
        stream.append(frame_of(1))  # the look has not disturbed the writer
        stream.flush()
        killed = copied(path, tmp_path / "killed")
    assert run_state(path) is StoredRun.CLOSED
    assert run_state(killed) is StoredRun.INTERRUPTED
    assert run_state(killed) is StoredRun.INTERRUPTED
    seen: list[tuple[int, int]] = []
    report = recover(killed, progress=lambda done, total: seen.append((done, total)))
    assert (report.format, report.saved, report.missing) == (format, 2, 3)
    assert seen == [(1, 2), (2, 2)]
    assert run_state(killed) is StoredRun.CLOSED


def test_a_store_of_others_has_no_run(tmp_path: Path) -> None:
    assert run_state(tmp_path) is StoredRun.NONE
    assert run_state(tmp_path / "nowhere") is StoredRun.NONE


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    with Stream(make_spec(), [make_sink("ndtiff", tmp_path / "out")]) as stream:
        stream.append(frame_of(0))
    found = find_journal(tmp_path / "out")
    assert found is not None
    return found


def test_a_last_line_of_any_length_is_read(journal: Path) -> None:
    head = journal.read_bytes().splitlines(keepends=True)[:-1]
    last = {"closed": True, "missing_axes": [{"time": n} for n in range(100_000)]}
    journal.write_bytes(b"".join(head) + json.dumps(last).encode() + b"\n")
    assert journal.stat().st_size > 1 << 20
    assert run_state(journal.parent) is StoredRun.CLOSED


@pytest.mark.parametrize(
    "end", [b"", b'{"closed', b'{"closed": true}\n{"resumed": true}\n', b"[" * 100_000]
)
def test_what_does_not_end_like_a_closed_run(journal: Path, end: bytes) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + end)
    assert run_state(journal.parent) is StoredRun.INTERRUPTED


def test_padding_after_the_end_does_no_harm(journal: Path) -> None:
    with journal.open("ab") as file:
        file.write(b"\0\0   \n")
    assert run_state(journal.parent) is StoredRun.CLOSED


def test_an_empty_journal_is_that_of_no_closed_run(journal: Path) -> None:
    journal.write_bytes(b"")
    assert run_state(journal.parent) is StoredRun.INTERRUPTED
