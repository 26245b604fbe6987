"""Frames that an index does not know, and the index that is written for them."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.errors import DiskSpaceError, FormatError, ScopeError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff import recovery
from napari_scope.formats.ndtiff.files import FilePool, FrameLocation
from napari_scope.formats.ndtiff.index import encode_record, parse_index
from napari_scope.formats.ndtiff.lost import lost_records, rebuilt_index
from napari_scope.formats.ndtiff.reader import NDTiffReader
from napari_scope.formats.ndtiff.recovery import recover
from napari_scope.formats.ndtiff.writer import NDTiffWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.formats.ndtiff.columns import IndexTable

    Frames: TypeAlias = list[tuple[dict[str, int | str], FrameLocation]]

_STORES = [
    "v2/ndtiffv2.0_test",
    "v3/12_bit_pycromanager_mda",
    "v3/labeled_positions_1",
    "v3/ndtiff3.2_magellan_explore_rgb",
    "v3/ndtiff3.2_monochrome",
    "v3/ndtiffv3.0_stitched_test",
    "v3/ndtiffv3.0_test",
    "v3/no_magellan_explore_multi_channel",
]

# When Micro-Manager adds a level it writes the first tile under the key that the tile
# has in the level after, then once more under the right one. Row 0 of these levels.
_STRAY = {
    ("ndtiff3.2_magellan_explore_rgb", "Downsampled_x4"),
    ("ndtiff3.2_magellan_explore_rgb", "Downsampled_x8"),
    ("no_magellan_explore_multi_channel", "Downsampled_x4"),
}


def _frames(table: IndexTable) -> Frames:
    return [(table.axes(row), table.location(row)) for row in range(len(table))]


def _table(folder: Path, name: str = "NDTiff.index") -> IndexTable:
    return parse_index((folder / name).read_bytes())


def _contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def _store(
    folder: Path, count: int = 6, *, per_file: int = 1000, named: bool = True
) -> Frames:
    """Write frames of 3 x 5 pixels, some to each file; unnamed ones lack their axes."""
    with NDTiffWriter(folder, max_file_bytes=30 + per_file * 230) as writer:
        for i in range(count):
            writer.put({"time": i}, np.full((3, 5), i, "u2"))
    if not named:
        _say_other_axes(folder)
    return _frames(_table(folder))


def _say_other_axes(folder: Path) -> None:
    """Give frames the axes that their metadata have as "Axed", or none: ours do not."""
    for path in folder.glob("*.tif"):
        data = path.read_bytes().replace(b'"Axes":', b'"Were":')
        path.write_bytes(data.replace(b'"Axed":', b'"Axes":'))


def _cut_index(folder: Path, keep: int) -> IndexTable:
    """Leave the first records of an index only."""
    index = folder / "NDTiff.index"
    records = [
        encode_record(json.dumps(axes).encode(), place.file.encode(), *place[1:])
        for axes, place in _frames(_table(folder))[:keep]
    ]
    index.write_bytes(b"".join(records))
    return _table(folder)


def _as_found(folder: Path) -> Frames:
    """Return the frames of a real index as their metadata name them."""
    frames = _frames(_table(folder))
    if (folder.parent.name, folder.name) in _STRAY:
        assert frames[0][0] != frames[1][0]
        frames[0] = frames[1][0], frames[0][1]
    return frames


def _tifs(folder: Path) -> int:
    return len(list(folder.glob("*.tif")))


# ---------------------------------------------------------------- real stores


@pytest.fixture(params=_STORES)
def real_copy(
    request: pytest.FixtureRequest, real_stores: Path, tmp_path: Path
) -> Path:
    copy = tmp_path / Path(request.param).name
    # Not copytree: the mode of the originals may be read-only.
    for path in (real_stores / request.param).rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(real_stores / request.param)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return copy


@pytest.mark.usefixtures("any_io")
def test_real_stores_are_rebuilt_as_they_were(real_copy: Path) -> None:
    indexes = list(real_copy.rglob("NDTiff.index"))
    originals = {index.parent: _as_found(index.parent) for index in indexes}
    for folder, frames in originals.items():
        assert lost_records(folder, _table(folder)) == (b"", 0, [], [])
        found = rebuilt_index(folder)
        assert _frames(parse_index(found.records)) == frames
        stray = (folder.parent.name, folder.name) in _STRAY
        notes = ["1 frame shares its axes with a later one, which replaces it"]
        assert (found.frames, found.notes) == (len(frames), notes[: int(stray)])
    before = _contents(real_copy)
    report = recover(real_copy)
    assert [level.written for level in report.levels] == [None] * len(indexes)
    assert [level.kept for level in report.levels] == [
        len(originals[level.folder]) for level in report.levels
    ]
    assert _contents(real_copy) == before

    for index in indexes:
        index.unlink()
    report = recover(real_copy)
    assert {level.folder for level in report.levels} == originals.keys()
    for level in report.levels:
        assert level.written == level.folder / "NDTiff.index.recovered"
        assert (
            _frames(_table(level.folder, "NDTiff.index.recovered"))
            == (originals[level.folder])
        )
        assert (level.kept, level.dropped) == (0, 0)
    after = _contents(real_copy)
    for index in indexes:
        del before[str(index.relative_to(real_copy))]
        del after[f"{index.relative_to(real_copy)}.recovered"]
    assert after == before


def test_overwritten_frames_keep_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with NDTiffWriter(folder) as writer:
        for i in (0, 1, 0, 2, 1):
            writer.put({"time": i}, np.full((3, 5), i, "u2"))
    before = _frames(_table(folder))
    assert _frames(parse_index(rebuilt_index(folder).records)) == before
    table = _cut_index(folder, 2)
    lost = parse_index(lost_records(folder, table).records)
    assert _frames(lost) == before[2:]


def test_frames_that_share_their_axes_are_counted(tmp_path: Path) -> None:
    """As where the metadata of one frame were copied to all."""
    folder = tmp_path / "run"
    with NDTiffWriter(folder) as writer:
        for i in range(6):
            copied = {"Axed": {"time": 0, "z": 1} if i < 4 else {"z": i, "time": 0}}
            writer.put({"time": 0, "z": i}, np.full((3, 5), i, "u2"), copied)
    _say_other_axes(folder)
    table = _cut_index(folder, 2)
    # Behind frames 0 and 1: two times z = 1, then 4 and 5.
    notes = ["2 frames share their axes with a later one, which replaces them"]
    assert lost_records(folder, table).notes == notes
    (level,) = recover(folder).levels
    assert (level.kept, level.recovered) == (2, 4)
    assert level.notes == tuple(notes)
    (folder / "NDTiff.index").unlink()
    (folder / "NDTiff.index.recovered").unlink()
    notes = ["3 frames share their axes with a later one, which replaces them"]
    assert rebuilt_index(folder).notes == notes
    (level,) = recover(folder).levels
    assert level.notes == tuple(notes)


def test_a_frame_that_replaces_one_of_no_use_shares_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder)
    index = folder / "NDTiff.index"
    data = index.read_bytes()
    offset = struct.pack("<I", frames[2][1].pixel_offset)
    assert data.count(offset) == 1
    index.write_bytes(data.replace(offset, b"\xff\xff\xff\xff"))
    (level,) = recover(folder).levels
    assert (level.kept, level.recovered, level.dropped) == (5, 1, 1)
    assert not any("share" in note for note in level.notes)


# ---------------------------------------------- a damaged record inside the index


def _starts(folder: Path) -> list[int]:
    """Return where the records of an index start."""
    sizes = [
        len(encode_record(_axes_text(axes), place.file.encode(), *place[1:]))
        for axes, place in _frames(_table(folder))
    ]
    return [sum(sizes[:i]) for i in range(len(sizes))]


def _axes_text(axes: dict[str, int | str]) -> bytes:
    return json.dumps(axes, separators=(",", ":")).encode()


_AXES_AT = 4
_NAME_AT = 4 + len('{"time":0}')
_PLACE_AT = _NAME_AT + 4 + len("NDTiffStack.tif")

_DAMAGE = {
    "JSON": (_AXES_AT, b"[[[[[[[[[["),
    "a value": (_AXES_AT, b'{"time":[}'),
    "a value that is no place on an axis": (_AXES_AT, b'{"tim":.1}'),
    "a value of another kind": (_AXES_AT, b'{"ti":0.5}'),
    "zeros": (0, bytes(14)),
    "a length, too small": (0, b"\x09"),
    "a length, too large": (0, b"\x0b"),
    "a length, absurd": (3, b"\xff"),
    "the length of the name, too small": (_NAME_AT, b"\x0e"),
    "the length of the name, too large": (_NAME_AT, b"\x10"),
    "the name": (_NAME_AT + 4, b"XDTiffStack.tif"),
    "the end of the name": (_PLACE_AT - 1, b"X"),
    "where pixels are, beyond the end": (_PLACE_AT + 3, b"\xff"),
    "where pixels are, elsewhere": (_PLACE_AT, b"\x03\x00"),
    "a size": (_PLACE_AT + 4, b"\xff\xff\xff"),
    "the pixel type": (_PLACE_AT + 12, b"\x63"),
}


_PASSED = {"a value of another kind", "the name", "the end of the name"}


@pytest.mark.parametrize("damage", _DAMAGE)
@pytest.mark.parametrize("number", [0, 3, 5])
@pytest.mark.parametrize("per_file", [1000, 2])
def test_the_frame_of_a_damaged_record_is_found_again(
    tmp_path: Path, damage: str, number: int, per_file: int
) -> None:
    folder = tmp_path / "run"
    expected = _store(folder, per_file=per_file)
    index = folder / "NDTiff.index"
    data = bytearray(index.read_bytes())
    at, text = _DAMAGE[damage]
    if per_file == 2 and number > 1 and at >= _PLACE_AT - 1:
        at += 2  # the name has a number: "_1"
    at += _starts(folder)[number]
    data[at : at + len(text)] = text
    index.write_bytes(data)
    (level,) = recover(folder).levels
    assert level.written is not None
    table = _table(folder, level.written.name)
    found = {json.dumps(axes): place for axes, place in _frames(table)}
    for axes, place in expected:
        assert found.get(json.dumps(axes)) == place
    index.unlink()
    with NDTiffReader(folder) as reader:
        for i in range(6):
            frame = reader.read_frame({"time": i})
            assert frame is not None
            assert (frame == i).all()


@pytest.mark.parametrize(
    "damage", [name for name in _DAMAGE if "size" not in name and "pixel" not in name]
)
@pytest.mark.parametrize("number", [0, 3, 5])
@pytest.mark.parametrize("per_file", [1000, 2])
def test_frames_behind_a_damaged_record_are_there_on_opening(
    tmp_path: Path, damage: str, number: int, per_file: int
) -> None:
    """Reading stops at the record; what lies behind the last good one is looked for."""
    folder = tmp_path / "run"
    _store(folder, per_file=per_file)
    index = folder / "NDTiff.index"
    data = bytearray(index.read_bytes())
    at, text = _DAMAGE[damage]
    if per_file == 2 and number > 1 and at >= _PLACE_AT - 1:
        at += 2
    at += _starts(folder)[number]
    data[at : at + len(text)] = text
    index.write_bytes(data)
    missing = []
    with NDTiffReader(folder) as reader:
        assert reader.problems
        for i in range(6):
            try:
                frame = reader.read_frame({"time": i})
            except FormatError:  # no such file
                frame = None
            if frame is None:
                missing.append(i)
            else:
                assert (frame == i).all()
    # Records that make sense do not stop the reader: only `recover` looks behind them.
    passed = damage in _PASSED and number < 5
    assert missing == ([number] if passed else [])


# ------------------------------------------------------ writers that were killed

_REFERENCE = """
import sys
import numpy as np
from ndstorage import NDTiffDataset

store = NDTiffDataset(sys.argv[1], summary_metadata={}, name="run", writable=True)
for number in range(100_000):
    axes = {"time": number, "channel": "DAPI"}
    frame = np.full((16, 24), number, sys.argv[2])
    store.put_image(axes, frame, {"Axes": axes} if sys.argv[3] == "named" else {})
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""

_OURS = """
import sys
import numpy as np
from napari_scope.formats.ndtiff.writer import NDTiffWriter

writer = NDTiffWriter(sys.argv[1], max_file_bytes=100_000)
for number in range(100_000):
    axes = {"time": number, "channel": "DAPI"}
    writer.put(axes, np.full((16, 24), number, sys.argv[2]))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def _killed(script: str, *arguments: object, after: int) -> int:
    """Run a writer, kill it after some frames; returns the last that it announced."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(after):
            process.stdout.readline()
        process.kill()
        rest = process.stdout.read().rstrip("\n").rpartition("\n")[2]
    return int(rest) if rest else after - 1


def _expect_frames(folder: Path, frames: Frames, last: int, axis: str) -> None:
    assert len(frames) > last
    pool = FilePool(folder)
    for number, (axes, place) in enumerate(frames):
        assert axes[axis] == number
        frame = pool.read_frame(place)
        np.testing.assert_array_equal(frame, np.full_like(frame, number))
    pool.close()


@pytest.mark.parametrize(("seed", "dtype"), [(0, "u2"), (1, "u1"), (2, "u2")])
def test_no_frame_of_a_killed_reference_writer_is_lost(
    tmp_path: Path, seed: int, dtype: str
) -> None:
    pytest.importorskip("ndstorage", reason="the reference writer")
    after = random.Random(seed).randint(1, 240)
    last = _killed(_REFERENCE, tmp_path / "all", dtype, "named", after=after)
    folder = tmp_path / "all" / "run_1"
    assert (folder / "run_NDTiffStack.tif").stat().st_size > 2**31
    table = _table(folder)
    lost = lost_records(folder, table)
    frames = _frames(table) + _frames(parse_index(lost.records))
    assert lost.frames
    _expect_frames(folder, frames, last, "time")
    assert _frames(parse_index(rebuilt_index(folder).records)) == frames
    (level,) = recover(folder).levels
    assert (level.kept, level.recovered, level.dropped) == (len(table), lost.frames, 0)
    assert _frames(_table(folder, "NDTiff.index.recovered")) == frames


def test_frames_of_the_reference_writer_without_axes(tmp_path: Path) -> None:
    pytest.importorskip("ndstorage", reason="the reference writer")
    last = _killed(_REFERENCE, tmp_path / "all", "u2", "unnamed", after=100)
    folder = tmp_path / "all" / "run_1"
    table = _table(folder)
    lost = lost_records(folder, table)
    assert (lost.records, lost.frames) == (b"", 0)
    assert int(lost.notes[0].split()[0]) > last - len(table)
    frames = _frames(parse_index(rebuilt_index(folder).records))
    _expect_frames(folder, frames, last, "image")


@pytest.mark.parametrize("seed", range(2))
def test_no_frame_of_our_killed_writer_needs_an_index(
    tmp_path: Path, seed: int
) -> None:
    folder = tmp_path / "run"
    after = random.Random(seed).randint(50, 400)
    last = _killed(_OURS, folder, "u2", after=after)
    table = _table(folder)
    found = rebuilt_index(folder)
    frames = _frames(parse_index(found.records))
    _expect_frames(folder, frames, last, "time")
    assert frames[: len(table)] == _frames(table)
    # A frame that was written and not yet in the index is found as well.
    assert len(table) + lost_records(folder, table).frames == len(frames)


# ------------------------------------------------------------- damage by the byte


def test_an_index_that_is_cut_at_any_byte(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 5)
    index = folder / "NDTiff.index"
    whole = index.read_bytes()
    for size in range(len(whole)):
        index.write_bytes(whole[:size])
        table = _table(folder)
        lost = lost_records(folder, table)
        assert _frames(table) + _frames(parse_index(lost.records)) == frames
        assert lost.notes == []
        (level,) = recover(folder).levels
        assert (level.kept, level.recovered) == (len(table), 5 - len(table))
        assert level.written is not None
        assert parse_index(level.written.read_bytes()).problems == ()
        assert _frames(_table(folder, level.written.name)) == frames
        assert index.read_bytes() == whole[:size]
        level.written.unlink()


def test_a_file_that_is_cut_at_any_byte(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 4)
    path = folder / "NDTiffStack.tif"
    whole = path.read_bytes()
    places = [place for _, place in frames]
    for size in range(places[2].pixel_offset - 180, len(whole)):
        path.write_bytes(whole[:size])
        pixels = sum(place.pixel_offset + 30 <= size for place in places)
        records = sum(p.metadata_offset + p.metadata_length <= size for p in places)
        # With an index the pixels count, without one the whole record.
        lost = lost_records(folder, _table(folder))
        assert (lost.frames, lost.records) == (0, b"")
        assert _frames(parse_index(rebuilt_index(folder).records)) == frames[:records]
        (level,) = recover(folder).levels
        assert (level.kept, level.recovered, level.dropped) == (pixels, 0, 4 - pixels)
        if level.written is None:
            assert pixels == 4
            continue
        assert "frames lie behind the end of the file" in "".join(level.notes)
        assert _frames(_table(folder, level.written.name)) == frames[:pixels]
        level.written.unlink()


@pytest.mark.parametrize("row", range(6))
@pytest.mark.parametrize(("field", "value"), [(-32, 2**31), (-20, 99)])
def test_a_damaged_record_of_the_index_costs_no_frame(
    tmp_path: Path, row: int, field: int, value: int
) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 6, per_file=4)
    index = folder / "NDTiff.index"
    whole = bytearray(index.read_bytes())
    ends = [0]
    for i in range(1, 7):
        ends.append(_end_of_record(bytes(whole), ends[-1]))
        assert len(parse_index(bytes(whole[: ends[i]]))) == i
    # Pixels beyond the file or of no known type, as after a flipped bit.
    struct.pack_into("<I", whole, ends[row + 1] + field, value)
    index.write_bytes(whole)
    (level,) = recover(folder).levels
    assert (level.kept, level.recovered, level.dropped) == (5, 1, 1)
    assert level.written is not None
    expected = [*frames[:row], *frames[row + 1 :], frames[row]]
    assert _frames(parse_index(level.written.read_bytes())) == expected
    # Nonsense in the middle hides what follows, in this file and in the next.
    struct.pack_into("<I", whole, ends[row], 2**30)
    index.write_bytes(whole)
    table = _table(folder)
    lost = lost_records(folder, table)
    assert _frames(table) + _frames(parse_index(lost.records)) == frames
    assert len(table) == row


def test_damage_of_index_and_file_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 6)
    _cut_index(folder, 5)
    index = bytearray((folder / "NDTiff.index").read_bytes())
    end = _end_of_record(bytes(index), _end_of_record(bytes(index), 0))
    struct.pack_into("<I", index, end - 32, 2**31)
    (folder / "NDTiff.index").write_bytes(index)
    with DataFile.open(folder / "NDTiffStack.tif", writable=True) as file:
        file.write_at(frames[2][1].pixel_offset - 178, b"\0\0")
    # One is found from the start of the file on, the other from the end of the index.
    (level,) = recover(folder).levels
    assert (level.kept, level.recovered, level.dropped) == (4, 2, 1)
    assert level.written is not None
    times = [axes["time"] for axes, _ in _frames(_table(folder, level.written.name))]
    assert times == [0, 2, 3, 4, 1, 5]


def test_a_record_with_metadata_beyond_the_file_is_no_start(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 6)
    _cut_index(folder, 3)
    index = bytearray((folder / "NDTiff.index").read_bytes())
    struct.pack_into("<I", index, len(index) - 8, 2**31)
    (folder / "NDTiff.index").write_bytes(index)
    lost = lost_records(folder, _table(folder))
    assert _frames(parse_index(lost.records)) == frames[2:]


def _end_of_record(data: bytes, start: int) -> int:
    for _ in range(2):
        start += 4 + int.from_bytes(data[start : start + 4], "little")
    return start + 32


def test_an_index_that_was_allocated_ahead(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder)
    with open(folder / "NDTiff.index", "r+b") as file:
        file.truncate(25 * 2**20)
    assert lost_records(folder, _table(folder)).frames == 0
    (level,) = recover(folder).levels
    assert level.written is not None
    assert _frames(parse_index(level.written.read_bytes())) == frames
    assert parse_index(level.written.read_bytes()).problems == ()
    assert level.notes == ("the index was not closed by its writer",)


def test_big_endian_stores(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 4)
    path = folder / "NDTiffStack.tif"
    data = bytearray(path.read_bytes())
    data[:2] = b"MM"
    _swap(data, "H6I", 2)
    for _, place in frames:
        _swap(data, f"H{'HHII' * 13}5I", place.pixel_offset - 178)
        _swap(data, "15H", place.pixel_offset)
    path.write_bytes(data)
    assert _frames(parse_index(rebuilt_index(folder).records)) == frames
    path.write_bytes(data[:-5])
    last = frames[3][1].pixel_offset - 178
    assert rebuilt_index(folder).notes == [
        f"NDTiffStack.tif: the frame at byte {last} is not whole"
    ]
    path.write_bytes(data)
    index = folder / "NDTiff.index"
    swapped = bytearray(index.read_bytes())
    start = 0
    while start < len(swapped):
        end = _end_of_record(bytes(swapped), start)
        (length,) = struct.unpack_from("<I", swapped, start)
        _swap(swapped, "I", start)
        _swap(swapped, "I", start + 4 + length)
        _swap(swapped, "8I", end - 32)
        start = end
    index.write_bytes(swapped[:-1])
    assert lost_records(folder, _table(folder)).frames == 1
    (level,) = recover(folder).levels
    assert level.written is not None
    assert _frames(parse_index(level.written.read_bytes())) == frames


def _swap(data: bytearray, form: str, offset: int) -> None:
    struct.pack_into(
        ">" + form, data, offset, *struct.unpack_from("<" + form, data, offset)
    )


# ------------------------------------------------------------------ which files


def test_files_are_taken_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 25, per_file=2)
    assert _tifs(folder) == 13
    assert _frames(parse_index(rebuilt_index(folder).records)) == frames
    for keep in (1, 2, 3, 19, 20, 24, 25):
        table = _cut_index(folder, keep)
        lost = lost_records(folder, table)
        assert _frames(table) + _frames(parse_index(lost.records)) == frames
        for line in recover(folder).levels:
            assert line.recovered == 25 - keep
        _cut_index(folder, 0)
        (folder / "NDTiff.index").write_bytes(
            b"".join(
                encode_record(json.dumps(axes).encode(), p.file.encode(), *p[1:])
                for axes, p in frames
            )
        )


def test_only_the_last_file_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    _store(folder, 30, per_file=2)
    opened: list[str] = []
    real = DataFile.open

    def spy(path: Path, **options: bool) -> DataFile:
        opened.append(Path(path).name)
        return real(path, **options)

    monkeypatch.setattr(DataFile, "open", staticmethod(spy))
    assert lost_records(folder, _table(folder)).frames == 0
    assert opened == ["NDTiffStack_14.tif"]
    opened.clear()
    # Where a file is not in the index, the one before may have lost frames as well.
    table = _cut_index(folder, 20)
    assert lost_records(folder, table).frames == 10
    assert opened == [f"NDTiffStack_{number}.tif" for number in range(9, 15)]


def test_a_gap_between_the_files_of_an_index(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 8, per_file=2)
    with open(folder / "NDTiff.index", "wb") as file:
        for number in (0, 1, 2, 6):
            axes, place = frames[number]
            file.write(
                encode_record(
                    json.dumps(axes).encode(), place.file.encode(), *place[1:]
                )
            )
    lost = lost_records(folder, _table(folder))
    assert [axes["time"] for axes, _ in _frames(parse_index(lost.records))] == [
        3,
        4,
        5,
        7,
    ]


def _foreign_files(folder: Path) -> None:
    (folder / "empty.tif").write_bytes(b"")
    (folder / "NDTiffStack_7.tif").write_bytes(b"")
    (folder / "NDTiffStack_8.tif").write_bytes(
        b"not a TIFF file at all, but long enough"
    )
    (folder / "plain.tif").write_bytes(struct.pack("<2sHI", b"II", 42, 8) + bytes(40))
    (folder / "folder.tif").mkdir()
    (folder / "dangling.tif").symlink_to(folder / "nothing")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "NDTiffStack_9.tif")


@pytest.mark.skipif(sys.platform == "win32", reason="makes symlinks")
def test_foreign_files_are_named_and_harm_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder)
    _foreign_files(folder)
    found = rebuilt_index(folder)
    assert _frames(parse_index(found.records)) == frames
    notes = "\n".join(found.notes)
    for name in ("empty", "NDTiffStack_7", "NDTiffStack_8", "plain"):
        assert f"{name}.tif: " in notes
    assert "empty.tif: the file is empty" in notes
    table = _cut_index(folder, 2)
    lost = lost_records(folder, table)
    assert _frames(table) + _frames(parse_index(lost.records)) == frames
    assert lost.notes == [
        "NDTiffStack_7.tif: the file is empty",
        "NDTiffStack_8.tif: not a TIFF file",
    ]
    assert lost.foreign == ["empty.tif", "plain.tif"]
    (level,) = recover(folder).levels
    assert "of no use here: empty.tif, plain.tif" in level.notes
    assert (level.kept, level.recovered) == (2, 4)


def test_notes_about_a_thousand_foreign_files_stay_short(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    _store(folder)
    for number in range(1000):
        (folder / f"scan{number}.tif").write_bytes(b"")
    found = rebuilt_index(folder)
    assert found.frames == 6
    assert len(found.notes) == 20
    assert found.notes[-1] == "and 981 more"
    assert lost_records(folder, _table(folder)).notes == []
    (level,) = recover(folder).levels
    assert sum(map(len, level.notes)) < 1000


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux")
def test_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder)
    shutil.copy(
        folder / "NDTiffStack.tif", os.fsencode(folder) + b"/NDTiffStack\xff.tif"
    )
    found = rebuilt_index(folder)
    assert _frames(parse_index(found.records)) == frames
    (note,) = found.notes
    assert note.isascii()


def test_files_of_two_stores_in_one_folder_are_not_mixed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 6, per_file=4)
    _store(tmp_path / "other", 3)
    shutil.copy(tmp_path / "other" / "NDTiffStack.tif", folder / "A_NDTiffStack.tif")
    lost = lost_records(folder, _cut_index(folder, 5))
    assert lost.frames == 1
    assert lost.foreign == ["A_NDTiffStack.tif"]
    found = rebuilt_index(folder)
    assert _frames(parse_index(found.records)) == frames
    (note,) = found.notes
    assert note.startswith("A_NDTiffStack.tif: its 3 frames are of another store")


def test_hostile_names_of_an_index_are_never_opened(tmp_path: Path) -> None:
    _store(tmp_path / "other", 3)
    folder = tmp_path / "run"
    frames = _store(folder, 3)
    record = encode_record(
        b'{"time":9}', b"../other/NDTiffStack.tif", 208, 5, 3, 1, 238, 4
    )
    index = folder / "NDTiff.index"
    index.write_bytes(index.read_bytes() + record)
    assert lost_records(folder, _table(folder)).frames == 0
    (level,) = recover(folder).levels
    assert (level.kept, level.recovered, level.dropped) == (3, 0, 1)
    assert any("outside the store" in note for note in level.notes)
    assert level.written is not None
    assert _frames(parse_index(level.written.read_bytes())) == frames


def test_a_file_that_cannot_be_read_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 6, per_file=2)
    with DataFile.open(folder / "NDTiffStack.tif") as file:
        kind = type(file)
    real = kind.read_into

    def read_into(file: DataFile, offset: int, target: memoryview) -> int:
        if file.path.name == "NDTiffStack_1.tif" and offset:
            raise OSError(errno.EIO, "Input/output error")
        return real(file, offset, target)

    monkeypatch.setattr(kind, "read_into", read_into)
    found = rebuilt_index(folder)
    assert _frames(parse_index(found.records)) == [*frames[:2], *frames[4:]]
    assert found.notes == ["NDTiffStack_1.tif: cannot be read: Input/output error"]


def test_what_stands_behind_the_frames_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 3)
    path = folder / "NDTiffStack.tif"
    whole = path.read_bytes()
    end = len(whole) + len(whole) % 2
    third = frames[2][1].pixel_offset - 178
    for data, note in (
        (whole, None),
        (whole.ljust(end + 5000, b"\0"), None),
        (
            whole.ljust(end, b"\0") + b"hello",
            f"what stands from byte {end} on is no frame",
        ),
        (whole[: third + 100], f"the frame at byte {third} is not whole"),
        (whole[:10].ljust(third, b"\0") + b"x", None),
    ):
        path.write_bytes(data)
        if note is not None:
            assert rebuilt_index(folder).notes == [f"NDTiffStack.tif: {note}"]
        elif data.startswith(whole):
            assert rebuilt_index(folder).notes == []
    first = frames[0][1].pixel_offset - 178
    path.write_bytes(whole[: first + 50])
    assert rebuilt_index(folder).notes == [
        f"NDTiffStack.tif: the frame at byte {first} is not whole"
    ]


def test_a_first_frame_that_is_not_whole_is_named(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run", summary={"a": 1}) as writer:  # of odd length
        place = writer.put({"time": 0}, np.ones((3, 5), "u2"))
    with DataFile.open(tmp_path / "run" / "NDTiffStack.tif", writable=True) as file:
        file.truncate(place.pixel_offset)
    assert rebuilt_index(tmp_path / "run").notes == [
        f"NDTiffStack.tif: the frame at byte {place.pixel_offset - 178} is not whole"
    ]


def test_files_of_version_1_are_left_to_others(tmp_path: Path) -> None:
    head = struct.pack("<2sHI", b"II", 42, 44)
    head += struct.pack("<8I", 54773648, 0, 483765892, 0, 483729, 1, 2355492, 2) + b"{}"
    (tmp_path / "NDTiffStack.tif").write_bytes(head + bytes(500))
    assert rebuilt_index(tmp_path).frames == 0
    (level,) = recover(tmp_path).levels
    assert level.written is None
    assert "version 1" in "".join(level.notes)


# ------------------------------------------------------------ frames without axes


def test_frames_without_axes_are_counted_where_there_is_no_name_at_all(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 5, per_file=2, named=False)
    (folder / "NDTiff.index").unlink()
    found = rebuilt_index(folder)
    expected = [({"image": i}, place) for i, (_, place) in enumerate(frames)]
    assert _frames(parse_index(found.records)) == expected
    assert found.notes == ["no frame holds its axes: the axis 'image' counts them"]
    (level,) = recover(folder).levels
    assert _frames(_table(folder, "NDTiff.index.recovered")) == expected
    assert level.recovered == 5


def test_frames_without_axes_have_no_name_behind_an_index(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 5, named=False)
    table = _cut_index(folder, 3)
    lost = lost_records(folder, table)
    assert (lost.records, lost.frames) == (b"", 0)
    assert lost.notes[0].startswith("2 frames are in the files but not in the index")
    (level,) = recover(folder).levels
    assert (level.kept, level.recovered, level.written) == (3, 0, None)
    assert lost.notes[0] in level.notes
    # An index that was not written yet is no name, but may come: see a live store.
    table = _cut_index(folder, 0)
    assert lost_records(folder, table).frames == 0
    (level,) = recover(folder).levels
    assert level.recovered == 5
    assert [axes for axes, _ in _frames(_table(folder, "NDTiff.index.recovered"))] == [
        {"image": i} for i in range(5)
    ]
    assert frames[0][0] == {"time": 0}


def test_frames_without_axes_among_others_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with NDTiffWriter(folder) as writer:
        for i in range(5):
            about = {"Axed": None if i in (1, 2) else {"time": i}}
            writer.put({"time": i}, np.full((3, 5), i, "u2"), about)
    _say_other_axes(folder)
    found = rebuilt_index(folder)
    assert [axes["time"] for axes, _ in _frames(parse_index(found.records))] == [
        0,
        3,
        4,
    ]
    assert found.notes[0].startswith("2 frames")


@pytest.mark.parametrize("level", [1, 3])
def test_tiles_of_a_level_get_its_rows_and_columns(tmp_path: Path, level: int) -> None:
    folder = tmp_path / f"Downsampled_x{2**level}"
    with NDTiffWriter(folder) as writer:
        for axes in (
            {"row": -1, "column": 9},
            {"row": -9, "z": 5},
            {"row": "A", "column": 0},
        ):
            writer.put({"a": 0}, np.ones((3, 5), "u2"), {"Axed": axes})
    _say_other_axes(folder)
    table = parse_index(rebuilt_index(folder).records)
    assert [axes for axes, _ in _frames(table)] == [
        {"row": -1, "column": 9 // 2**level},
        {"row": -9 // 2**level, "z": 5},
        {"row": "A", "column": 0},
    ]


# -------------------------------------------------------------- the written index


def _damaged(folder: Path) -> None:
    _store(folder)
    index = folder / "NDTiff.index"
    index.write_bytes(index.read_bytes()[:-5])


@pytest.mark.usefixtures("any_io")
def test_an_existing_index_is_never_touched(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    _damaged(folder)
    before = _contents(folder)
    names = [recover(folder).levels[0].written for _ in range(3)]
    assert [path.name for path in names if path] == [
        "NDTiff.index.recovered",
        "NDTiff.index.recovered_1",
        "NDTiff.index.recovered_2",
    ]
    after = _contents(folder)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 3


@pytest.mark.parametrize("given_as", ["folder", "index", "missing index", "text"])
def test_a_store_may_be_named_by_folder_or_index(tmp_path: Path, given_as: str) -> None:
    folder = tmp_path / "run"
    _damaged(folder)
    path: Path | str = folder / "NDTiff.index" if "index" in given_as else folder
    if given_as == "missing index":
        (folder / "NDTiff.index").unlink()
    report = recover(str(path) if given_as == "text" else path)
    assert report.root == folder
    assert report.levels[0].kept + report.levels[0].recovered == 6


def _pyramid(root: Path) -> None:
    for name in ("Full resolution", "Downsampled_x2", "Downsampled_x4"):
        _damaged(root / name)


@pytest.mark.parametrize("part", ["", "Full resolution", "Downsampled_x4"])
def test_all_levels_of_a_store_are_recovered(tmp_path: Path, part: str) -> None:
    root = tmp_path / "run"
    _pyramid(root)
    report = recover(root / part)
    assert report.root == root
    assert [level.folder.name for level in report.levels] == [
        "Full resolution",
        "Downsampled_x2",
        "Downsampled_x4",
    ]
    assert report.lines() == [
        line
        for level in report.levels
        for line in (
            f"{level.folder.name}: 5 frames kept, 1 recovered, 0 dropped",
            "  written: NDTiff.index.recovered",
            f"  {level.notes[0]}",
        )
    ]
    assert "ends inside a record" in report.levels[0].notes[0]


def test_a_recovered_index_is_the_base_where_the_original_is_gone(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    frames = _store(folder, 5, named=False)
    (folder / "NDTiff.index").rename(folder / "NDTiff.index.recovered_3")
    (level,) = recover(folder).levels
    assert (level.kept, level.recovered, level.written) == (5, 0, None)
    assert level.notes == ("NDTiff.index.recovered_3 is whole: nothing was written",)
    assert _frames(_table(folder, "NDTiff.index.recovered_3")) == frames


def test_nothing_is_written_where_nothing_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    _store(folder)
    (folder / "NDTiffStack.tif").unlink()
    (level,) = recover(folder).levels
    assert (level.kept, level.dropped, level.written) == (0, 6, None)
    assert "no frame was found: nothing was written" in level.notes


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.EROFS, StreamError),
        (errno.EACCES, StreamError),
        (errno.ENOSPC, DiskSpaceError),
    ],
)
@pytest.mark.parametrize("step", ["_reserve", "replace_file"])
@pytest.mark.parametrize("level", range(3))
def test_a_medium_that_cannot_be_written_is_left_as_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type[ScopeError],
    step: str,
    level: int,
) -> None:
    root = tmp_path / "run"
    _pyramid(root)
    before = _contents(root)
    real: Callable[..., object] = getattr(recovery, step)
    left = [level]

    def refuse(*arguments: object) -> object:
        left[0] -= 1
        if left[0] >= 0:
            return real(*arguments)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(recovery, step, refuse)
    with pytest.raises(kind, match=os.strerror(code)) as caught:
        recover(root)
    assert "nothing was changed" in str(caught.value)
    assert _contents(root) == before


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for path in (tmp_path, tmp_path / "notes.txt", tmp_path / "nowhere"):
        with pytest.raises(FormatError, match="no NDTiff store"):
            recover(path)


def test_an_absurd_index_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    _store(folder)
    with open(folder / "NDTiff.index", "r+b") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(FormatError, match="too large"):
        recover(folder)


# ------------------------------------------------------------------------- fuzz


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_store_is_too_broken_to_be_looked_at(
    tmp_path_factory: pytest.TempPathFactory, real_stores: Path, data: st.DataObject
) -> None:
    source = real_stores / "v3/12_bit_pycromanager_mda"
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("NDTiff.index", "12_bit_pycromanager_mda_NDTiffStack.tif"):
        content = bytearray((source / name).read_bytes())
        content = content[: len(content) - data.draw(st.integers(0, len(content) // 2))]
        edits = st.tuples(
            st.integers(0, len(content) - 1), st.binary(min_size=1, max_size=6)
        )
        for at, part in data.draw(st.lists(edits, max_size=5)):
            content[at : at + len(part)] = part
        (folder / name).write_bytes(content)
    before = _contents(folder)
    table = _table(folder)
    lost = lost_records(folder, table)
    assert len(parse_index(lost.records)) == lost.frames
    rebuilt_index(folder)
    try:
        (level,) = recover(folder).levels
    except ScopeError:
        level = None
    if level is not None and level.written is not None:
        new = parse_index(level.written.read_bytes())
        assert len(new) == level.kept + level.recovered
        assert level.kept + level.dropped == len(table)
        level.written.unlink()
    assert _contents(folder) == before
