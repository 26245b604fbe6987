from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import useq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.stream import read_journal
from napari_scope.stream.journal import Journal, Summary, jsonable

pytestmark = pytest.mark.usefixtures("implementation")

ENTRIES = [{"n": i, "axes": {"time": i}, "status": "saved"} for i in range(5)]


def make(path: Path, entries: list[dict[str, Any]], close: bool = True) -> None:
    journal = Journal.create(path, {"format": "memory"})
    journal.write(entries)
    if close:
        journal.close({"saved": len(entries)})
    else:
        journal.close()


def test_there_and_back(tmp_path: Path) -> None:
    make(tmp_path / "f", ENTRIES)
    content = read_journal(tmp_path / "f")
    assert content.header == {"journal": 1, "format": "memory"}
    assert list(content.frames) == ENTRIES
    assert content.closed == {"closed": True, "saved": 5}


def test_one_line_for_each_frame_at_once_readable(tmp_path: Path) -> None:
    path = tmp_path / "f"
    journal = Journal.create(path, {})
    for number, entry in enumerate(ENTRIES):
        journal.write([entry])
        lines = path.read_bytes().splitlines()
        assert len(lines) == number + 2
        assert len(read_journal(path).frames) == number + 1
        assert read_journal(path).closed is None
    journal.sync()
    journal.close({})
    journal.close({})
    journal.sync()
    assert len(path.read_bytes().splitlines()) == 7


def test_an_interrupted_run_has_no_last_line(tmp_path: Path) -> None:
    make(tmp_path / "f", ENTRIES, close=False)
    assert read_journal(tmp_path / "f").closed is None


def test_an_existing_journal_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "f", ENTRIES)
    before = (tmp_path / "f").read_bytes()
    with pytest.raises(FileExistsError):
        Journal.create(tmp_path / "f", {})
    assert (tmp_path / "f").read_bytes() == before


def test_every_torn_end_is_read_up_to_the_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "f"
    make(path, ENTRIES)
    data = path.read_bytes()
    first = data.index(b"\n")
    for end in range(first + 1, len(data)):
        path.write_bytes(data[:end])
        content = read_journal(path)
        whole = data[:end].count(b"\n")
        frames = [e for e in ENTRIES if e["n"] < max(whole - 1, 0)]
        # A line that only lacks its newline is whole, too.
        assert list(content.frames)[: len(frames)] == frames
        assert len(content.frames) - len(frames) in (0, 1)
        path.write_bytes(data[:end] + bytes(100))
        assert list(read_journal(path).frames)[: len(frames)] == frames


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"{}",
        b"5\n",
        b'"journal"\n',
        b"[1]\n",
        b"not json",
        b'{"n": 0}\n',
        b'{"journal": 1}\n{"n": 0\n{"n": 1}\n',
        b'{"journal": 1}\n7\n{"n": 1}\n',
        b'{"journal": 1}\n\xff\xfe\n{"n": 1}\n',
        b'{"journal": 1}\n' + b"[" * 100_000 + b"\n{}\n",
    ],
)
def test_what_is_no_journal_is_one_error_that_names_it(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "f"
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        read_journal(path)
    assert caught.value.path == str(path)


class Odd:
    def __str__(self) -> str:
        return "odd"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(5), 5),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.array([np.nan, 1.0]), ["nan", 1.0]),
        ({1: {2}, (1, 2): "a"}, {"1": [2], "(1, 2)": "a"}),
        ((1, None, "x"), [1, None, "x"]),
        (Path("a"), "a"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (Odd(), "odd"),
        (useq.Channel(config="DAPI"), {"config": "DAPI"}),
    ],
)
def test_anything_becomes_json(tmp_path: Path, value: Any, expected: Any) -> None:
    assert jsonable(value) == expected
    entry = {"n": 0, "metadata": {"deep": [value]}}
    make(tmp_path / "f", [entry])
    (found,) = read_journal(tmp_path / "f").frames
    assert found["metadata"]["deep"] == [expected]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.floats().map(np.float64)
    | st.integers(0, 100).map(np.int16),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.dictionaries(st.text(), JSON))
def test_any_metadata_is_a_single_strict_line(
    tmp_path: Path, metadata: dict[str, Any]
) -> None:
    path = tmp_path / "f"
    path.unlink(missing_ok=True)
    make(path, [{"n": 0, "metadata": metadata}])
    lines = path.read_bytes().split(b"\n")
    assert len(lines) == 4

    def refuse(word: str) -> None:
        raise AssertionError(word)

    for line in lines[:3]:
        json.loads(line, parse_constant=refuse)
    (frame,) = read_journal(path).frames
    assert frame["metadata"].keys() == metadata.keys()


def test_the_table_has_the_metadata_of_what_was_saved() -> None:
    summary = Summary()
    summary.add({"axes": {"time": 0}, "status": "saved", "metadata": {"exposure": 5}})
    summary.add({"axes": {"time": 1}, "status": "skipped", "reason": "dark"})
    summary.add({"axes": {"time": 2}, "status": "saved"})
    assert summary.table() == {
        "frame_metadata": [
            {"axes": {"time": 0}, "exposure": 5},
            {"axes": {"time": 2}},
        ]
    }


def test_the_table_is_bounded() -> None:
    summary = Summary()
    for number in range(5001):
        summary.add({"axes": {"time": number}, "status": "saved"})
        if number == 4999:
            assert len(summary.table()["frame_metadata"]) == 5000  # type: ignore[arg-type]
    assert summary.table() == {"frame_metadata_in": "frames.jsonl"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="tests the lock of POSIX")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_closed_journal_is_free_though_a_forked_process_lives(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    journal = Journal.create(path, {})
    ended, end = os.pipe()
    child = os.fork()
    if not child:
        os.close(end)
        os.read(ended, 1)  # until the parent has closed its end
        os._exit(0)
    try:
        journal.close({})
        Journal.reopen(path, {}, after=0).close({})
    finally:
        os.close(end)
        os.close(ended)
        os.waitpid(child, 0)
