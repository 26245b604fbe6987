from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.formats import frame_journal
from napari_scope.formats.frame_journal import (
    JournalFrames,
    JournalRecords,
    find_journal,
)
from napari_scope.formats.frame_records import Place

if TYPE_CHECKING:
    from pathlib import Path

HEADER: dict[str, Any] = {
    "journal": 1,
    "frames": 4,
    "plan": {"order": ["position", "time", "channel"], "images": [{}, {}]},
}


def line(image: int, t: int, c: int, **more: object) -> dict[str, Any]:
    axes = {"position": image, "time": t, "channel": c}
    known = {"image": image, "index": [t, c], "axes": axes, "status": "saved"}
    return {"n": 0, **known, "metadata": {"z_um": t + c / 10}, **more}


def write(path: Path, *entries: dict[str, Any]) -> Path:
    text = "".join(json.dumps(e, separators=(",", ":")) + "\n" for e in entries)
    path.write_text(text)
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "frames.jsonl"
    skipped = line(1, 1, 0, status="skipped", reason="no light", metadata={})
    return write(path, HEADER, line(0, 0, 0), line(1, 0, 1), skipped, {"closed": True})


def test_lines_are_records_with_places(journal: Path) -> None:
    records = JournalRecords(journal)
    assert len(records) == 3 and records.closed
    assert records.record(1).facts == {"z_um": 0.1}
    assert records.record(2).status == "skipped"
    assert records.record(2).reason == "no light"
    assert [records.place(n) for n in range(3)] == [
        Place(0, {"t": 0, "c": 0}),
        Place(1, {"t": 0, "c": 1}),
        Place(1, {"t": 1, "c": 0}),
    ]
    assert records.number_at(1, {"t": 0, "c": 1}) == 1
    assert records.number_at(0, {"t": 5}) is None
    assert pickle.loads(pickle.dumps(records)) == records


def test_one_image_of_a_run_counts_alone(journal: Path) -> None:
    records = JournalRecords(journal, only=1)
    assert len(records) == 2
    assert records.place(0) == Place(0, {"t": 0, "c": 1})
    assert records.number_at(0, {"t": 1}) == 1
    assert records != JournalRecords(journal)


def test_a_journal_that_grows_is_followed_line_by_line(journal: Path) -> None:
    records = JournalRecords(journal)
    assert records.refresh() == 3
    more = json.dumps(line(0, 2, 0)).encode()
    with journal.open("ab") as file:
        file.write(more[:30])
        file.flush()
        assert records.refresh() == 3
        file.write(more[30:] + b"\n")
    assert records.refresh() == 4
    assert records.record(3).axes == {"position": 0, "time": 2, "channel": 0}
    assert records.number_at(0, {"t": 2}) == 3 and not records.closed


def test_damage_is_of_one_frame_only(journal: Path) -> None:
    records = JournalRecords(journal)
    assert len(records) == 3
    text = journal.read_bytes()
    journal.write_bytes(text.replace(b'"z_um":0.1', b'"z_um":0,1'))
    assert "damaged" in records.record(1).problem
    assert records.record(0).facts and records.record(2).reason
    # The place of it is in the same line.
    assert records.place(1) is None
    with pytest.raises(FormatError, match="damaged"):
        JournalFrames(records, 1).metadata({"t": 0, "c": 1})
    journal.unlink()
    assert "cannot be read" in records.record(0).problem
    with pytest.raises(FormatError, match="cannot be read"):
        records.refresh()


def test_lines_that_are_none_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "frames.jsonl", HEADER, line(0, 0, 0))
    with path.open("ab") as file:
        file.write(b'\0\0\0\n{"torn\n[1,2]\n"text"\n{"resumed":true}\n\n')
        file.write(json.dumps(line(0, 1, 0)).encode() + b"\n" + b"[" * 100_000 + b"\n")
    records = JournalRecords(path)
    assert [records.record(n).axes["time"] for n in range(len(records))] == [0, 1]


@given(st.binary(max_size=200))
def test_any_bytes_are_no_crash(tmp_path_factory: Any, data: bytes) -> None:
    path = tmp_path_factory.mktemp("j") / "frames.jsonl"
    path.write_bytes(b'{"journal":1}\n' + data)
    records = JournalRecords(path)
    for number in range(len(records)):
        records.record(number)
        records.place(number)
    path.write_bytes(data)
    try:
        len(JournalRecords(path))
    except FormatError:
        pass


def test_the_last_line_of_a_frame_counts(tmp_path: Path) -> None:
    again = line(0, 0, 0, metadata={"z_um": 9.0})
    path = write(tmp_path / "frames.jsonl", HEADER, line(0, 0, 0), again)
    frames = JournalFrames(JournalRecords(path), 0)
    assert frames.exists({"t": 3})  # nothing was read yet
    assert frames.axes({"t": 0}) is None
    assert frames.metadata({"t": 0, "c": 0}) == {"z_um": 9.0}
    assert not frames.exists({"t": 3}) and frames.metadata({"t": 3}) is None
    assert frames.axes({"t": 0}) == {"position": 0, "time": 0, "channel": 0}
    assert frames == JournalFrames(JournalRecords(path), 0)
    assert frames != JournalFrames(JournalRecords(path), 1)


def test_each_format_s_journal_is_found(tmp_path: Path) -> None:
    for name in ("nd", "a.ome.zarr/acquisition", "tif"):
        (tmp_path / name).mkdir(parents=True)
        write(tmp_path / name / "frames.jsonl", HEADER)
    write(tmp_path / "one.frames.jsonl", HEADER)
    zarr = tmp_path / "a.ome.zarr" / "acquisition" / "frames.jsonl"
    assert find_journal(tmp_path / "nd") == tmp_path / "nd" / "frames.jsonl"
    assert find_journal(tmp_path / "a.ome.zarr") == zarr
    assert find_journal(tmp_path / "a.ome.zarr" / "1") == zarr
    assert find_journal(tmp_path / "one.ome.tiff") == tmp_path / "one.frames.jsonl"
    assert find_journal(tmp_path / "tif" / "a.ome.tif") is not None
    assert find_journal(tmp_path) is None and find_journal("\0") is None


def test_many_records_are_the_same_as_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "frames.jsonl"
    lines = ['{"journal":1}']
    for n in range(40):
        text = "x" * (400 if n == 20 else n)
        lines.append(
            f'{{"n":{n},"image":0,"index":[{n}],"axes":{{"time":{n}}},'
            f'"status":"saved","metadata":{{"text":"{text}"}}}}'
        )
        if n == 7:
            lines[-1] = lines[-1][:-9]  # damaged
        if n == 9:
            lines.append("torn")  # no record
    path.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(frame_journal, "_BLOCK", 300)
    records = JournalRecords(path)
    one_by_one = [records.record(n) for n in range(len(records))]
    assert list(records.records(0, len(records))) == one_by_one
    assert list(records.records(5, 9)) == one_by_one[5:9]
    path.unlink()
    assert all(r.problem for r in records.records(0, 3))
