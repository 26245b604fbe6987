from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import struct
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.ndtiff.v1_stores import (
    V1Image,
    axes_file_bytes,
    file_bytes,
    frame,
    metadata_of,
    record_bytes,
    summary_of,
    write_store,
)

from napari_scope.errors import FormatError
from napari_scope.formats.detect import detect
from napari_scope.formats.ndtiff import open_ndtiff
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.index import encode_record, parse_index
from napari_scope.formats.ndtiff.record import (
    HEADER_BYTES,
    encode_header,
    parse_header,
)
from napari_scope.formats.ndtiff.v1 import v1_index
from napari_scope.formats.ndtiff.v1_names import AXES_FILE, parse_super_channel

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL = "Full resolution"
FILE = "NDTiffStack.tif"
Found = dict[frozenset[tuple[str, int | str]], tuple[np.ndarray, object]]


def _read(folder: Path, problems: list[str] | None = None) -> Found:
    """Return pixels and metadata of all images; of two of a name the later."""
    index, notes = v1_index(folder)
    if problems is None:
        assert notes == []
    else:
        problems += notes
    table = parse_index(index)
    assert table.problems == () and table.consumed == len(index)
    pool = FilePool(folder)
    found: Found = {}
    for row in range(len(table)):
        place = table.location(row)
        with pool.use(place.file) as file:
            order = parse_header(file.read_at(0, HEADER_BYTES), file.size()).order
            text = file.read_at(place.metadata_offset, place.metadata_length)
        try:
            metadata = json.loads(text)
        except (ValueError, RecursionError):
            metadata = None
        pixels = pool.read_frame(place, order=order)
        found[frozenset(table.axes(row).items())] = pixels, metadata
    pool.close()
    return found


def _axes(found: Found) -> list[dict[str, int | str]]:
    return [dict(axes) for axes in found]


def _agree(found: Found, images: list[V1Image], *names: str) -> None:
    """Check that what was found is what was written, named by some of its axes."""
    expected = {
        frozenset((name, image.axes.get(name, 0)) for name in names): image
        for image in images
    }
    assert found.keys() == expected.keys()
    for axes, (pixels, metadata) in found.items():
        assert pixels.dtype == expected[axes].pixels.dtype
        assert np.array_equal(pixels, expected[axes].pixels)
        assert metadata == metadata_of(expected[axes])


@contextlib.contextmanager
def _reference(root: Path) -> Iterator[object]:
    """Open a store with the reference library, which prints and leaves files open."""
    from ndstorage import Dataset
    from ndstorage.file_io import NDTiffFileIO

    # It lists files as if they were folders, which fails beside the file of axes.
    tolerant = NDTiffFileIO(
        listdir_function=lambda path: os.listdir(path) if os.path.isdir(path) else []
    )
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = Dataset(str(root), file_io=tolerant)
    try:
        yield dataset
    finally:
        for level in dataset.res_levels.values():
            level.close()


def _same_as_reference(root: Path) -> None:
    folder = root / FULL
    found = _read(folder)
    table = parse_index(v1_index(folder)[0])
    with _reference(root) as reference:
        theirs = {name: set(map(int, v)) for name, v in reference.axes.items() if v}
        assert {name: set(table.values[name]) for name in table.names} == theirs
        for axes, (pixels, metadata) in found.items():
            other = reference.read_image(**dict(axes))
            assert other.dtype == pixels.dtype
            assert np.array_equal(other, pixels)
            assert reference.read_metadata(**dict(axes)) == metadata


_LITTLE = pytest.mark.skipif(
    sys.byteorder != "little", reason="the reference reads the order of this machine"
)


def _grid(**sizes: int) -> list[V1Image]:
    places = np.ndindex(*sizes.values())
    return [
        V1Image(dict(zip(sizes, place, strict=True)), frame(number))
        for number, place in enumerate(places)
    ]


# The reference library


@_LITTLE
@pytest.mark.parametrize("axes_file", [True, False])
@pytest.mark.parametrize(
    "sizes",
    [
        {"time": 3},
        {"time": 2, "channel": 2, "z": 3},
        {"position": 3, "channel": 2},
        {"laser": 2, "time": 2, "channel": 3},
        {"camera": 2, "laser": 3, "channel": 2, "position": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("files", [1, 3])
def test_the_reference_reads_the_same(
    tmp_path: Path, sizes: dict[str, int], axes_file: bool, files: int
) -> None:
    images = _grid(**sizes)
    folder = write_store(tmp_path, images, axes_file=axes_file, files=files)
    # Without the file of axes it takes the number of a super channel that equals an
    # index of a channel for known, and loses its images.
    if axes_file or sizes.keys() <= {"time", "z", "position", "channel"}:
        _same_as_reference(tmp_path)
    _agree(_read(folder), images, *sizes)


@_LITTLE
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_axes_are_those_of_the_reference(data: st.DataObject) -> None:
    names = ["time", "z", "position", "channel", "laser"]
    value = st.integers(-3, 3)
    places = data.draw(
        st.lists(st.tuples(*[value] * len(names)), min_size=2, max_size=12)
    )
    # Where an axis has one value, the reference forgets which and finds no image.
    ends = [(-1,) * len(names), (1,) * len(names)]
    dtype = data.draw(st.sampled_from(["u1", "u2"]))
    images = [
        V1Image(dict(zip(names, place, strict=True)), frame(number, dtype=dtype))
        for number, place in enumerate([*places, *ends])
    ]
    with tempfile.TemporaryDirectory() as root:
        folder = write_store(
            Path(root),
            images,
            room=data.draw(st.sampled_from([None, 20])),
        )
        _same_as_reference(Path(root))
        _agree(_read(folder), images, *names)


@_LITTLE
def test_colour_is_read_where_the_directory_says_it_is(tmp_path: Path) -> None:
    images = [V1Image({"time": t}, frame(t, (4, 6, 3), "u1")) for t in range(2)]
    folder = write_store(tmp_path, images)
    _agree(_read(folder), images, "time")
    # The reference takes the bits per sample for the first two pixels.
    with _reference(tmp_path) as reference:
        other = reference.read_image(time=1)
    assert other.ravel()[:6].tobytes() == struct.pack("<3H", 8, 8, 8)
    assert np.array_equal(other.ravel()[6:], images[1].pixels.ravel()[:-6])


# What is made of a store


def test_the_records_are_those_of_the_layout(tmp_path: Path) -> None:
    images = [V1Image({"time": t}, frame(t)) for t in (0, 1)]
    folder = write_store(tmp_path, images)
    data = (folder / FILE).read_bytes()
    (first,) = struct.unpack_from("<I", data, 4)
    text = json.dumps(metadata_of(images[0])).encode() + b" "
    pixels = first + 2 + 13 * 12 + 4
    metadata = pixels + 4 * 6 * 2 + 16
    assert data[metadata : metadata + len(text)] == text
    record = encode_record(
        b'{"time":0}', FILE.encode(), pixels, 6, 4, 1, metadata, len(text)
    )
    assert v1_index(folder)[0].startswith(record)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((4, 6), "u1"), ((4, 6), "u2"), ((4, 6, 3), "u1")]
)
@pytest.mark.parametrize("axes_file", [True, False])
@pytest.mark.usefixtures("any_io")
def test_the_byte_order_makes_no_difference(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, axes_file: bool
) -> None:
    images = [
        V1Image({"z": z, "laser": -z}, frame(z % 9, shape, dtype)) for z in (-1, 70_000)
    ]
    for order in "<>":
        folder = write_store(tmp_path / order, images, order=order, axes_file=axes_file)
        _agree(_read(folder), images, "z", "laser")


def test_an_axis_that_is_always_0_is_left_out(tmp_path: Path) -> None:
    images = [V1Image({"time": 0, "z": 3, "laser": 1}, frame(0))]
    assert _axes(_read(write_store(tmp_path, images))) == [{"z": 3, "laser": 1}]
    images = [V1Image({"time": 0}, frame(0))]
    assert _axes(_read(write_store(tmp_path / "one", images))) == [{}]


def test_all_levels_have_the_axes_of_full_resolution(tmp_path: Path) -> None:
    images = _grid(time=2, laser=2)
    write_store(tmp_path, images)
    small = [V1Image(images[0].axes, frame(9, (2, 3)))]
    numbers = write_store(tmp_path, small, level="Downsampled_x2", axes_file=False)
    # The summary of a coarser level is that of the first one: its size is wrong.
    data = (numbers / FILE).read_bytes()
    (numbers / FILE).write_bytes(data.replace(b'"Width": 3', b'"Width": 6'))
    ((axes, (pixels, _)),) = _read(numbers).items()
    assert dict(axes) == {"time": 0, "laser": 0}
    assert np.array_equal(pixels, small[0].pixels)


def test_an_image_that_was_overwritten_is_the_last_one(tmp_path: Path) -> None:
    images = [V1Image({"time": number % 11}, frame(number)) for number in range(22)]
    folder = write_store(tmp_path, images, files=11)
    assert (folder / "NDTiffStack_10.tif").exists()
    _agree(_read(folder), images, "time")


def test_axes_with_underscores_and_signs() -> None:
    text = "Axis_filter_wheel_-2Axis_channel_1"
    assert parse_super_channel(text) == {"filter_wheel": -2, "channel": 1}
    for nonsense in ["", "channel_1", "Axis_channel_", "Axis__1", "Axis_a_1.5"]:
        assert parse_super_channel(nonsense) is None
    assert parse_super_channel("Axis_a_3000000000") is None


# Tiles


def _tiles(*places: tuple[int, int], **axes: int) -> list[V1Image]:
    return [
        V1Image(
            {"position": number, **axes},
            frame(number),
            {"GridRowIndex": row, "GridColumnIndex": column},
        )
        for number, (row, column) in enumerate(places)
    ]


_TILED = {"GridPixelOverlapX": 2, "GridPixelOverlapY": 1}


@pytest.mark.parametrize("flag", [{}, {"TiledImageStorage": True}])
def test_tiles_have_rows_and_columns(tmp_path: Path, flag: dict[str, object]) -> None:
    places = [(0, 0), (0, 1), (-3, 1)]
    images = _tiles(*places, time=0) + _tiles(*places, time=1)
    found = _read(write_store(tmp_path, images, summary={**_TILED, **flag}))
    assert _axes(found) == [
        {"row": row, "column": column, "time": time}
        for time in (0, 1)
        for row, column in places
    ]
    pixels, _ = found[frozenset({"row": -3, "column": 1, "time": 1}.items())]
    assert np.array_equal(pixels, images[-1].pixels)


@_LITTLE
def test_the_reference_knows_the_same_tiles(tmp_path: Path) -> None:
    images = _tiles((0, 0), (2, 1), (1, 1))
    for image in images:
        image.metadata |= {"XPosition_um_Intended": 0, "YPosition_um_Intended": 0}
    found = _read(write_store(tmp_path, images, summary=_TILED))
    with _reference(tmp_path) as reference:
        theirs = [tuple(map(int, tile)) for tile in reference.row_col_array]
    assert [(a["row"], a["column"]) for a in _axes(found)] == theirs


def test_a_single_tile_is_one(tmp_path: Path) -> None:
    found = _read(write_store(tmp_path, _tiles((0, 0)), summary=_TILED))
    assert _axes(found) == [{"row": 0, "column": 0}]


def test_a_tile_is_placed_by_any_of_its_images(tmp_path: Path) -> None:
    places = [(0, 0), (0, 1)]
    images = _tiles(*places, time=0) + _tiles(*places, time=1)
    folder = write_store(tmp_path, images, summary=_TILED)
    data = (folder / FILE).read_bytes()
    text = json.dumps(metadata_of(images[1])).encode()
    (folder / FILE).write_bytes(data.replace(text, bytes(len(text))))
    assert [a["column"] for a in _axes(_read(folder))] == [0, 1, 0, 1]


@pytest.mark.parametrize(("factor", "tile"), [(2, (-2, 2)), (4, (-1, 1)), (8, (-1, 0))])
def test_coarser_levels_have_coarser_rows(
    tmp_path: Path, factor: int, tile: tuple[int, int]
) -> None:
    # Their metadata are those of a tile of full resolution.
    images = _tiles((-3, 5))
    write_store(tmp_path, images, summary=_TILED)
    level = f"Downsampled_x{factor}"
    found = _read(write_store(tmp_path, images, summary=_TILED, level=level))
    assert _axes(found) == [{"row": tile[0], "column": tile[1]}]


@pytest.mark.parametrize(
    "summary", [{}, {**_TILED, "TiledImageStorage": False}], ids=["none", "said"]
)
def test_positions_without_a_mosaic_stay(
    tmp_path: Path, summary: dict[str, object]
) -> None:
    images = _tiles((0, 0), (0, 1))
    found = _read(write_store(tmp_path, images, summary=summary))
    assert _axes(found) == [{"position": 0}, {"position": 1}]


def test_positions_that_are_no_tiles_stay(tmp_path: Path) -> None:
    images = _grid(position=3)
    found = _read(write_store(tmp_path / "none", images, summary=_TILED))
    assert _axes(found) == [{"position": p} for p in range(3)]

    problems: list[str] = []
    images = _tiles((0, 0), (0, 1), (0, 0))
    found = _read(write_store(tmp_path / "twice", images, summary=_TILED), problems)
    assert _axes(found) == [{"position": p} for p in range(3)]
    assert "several positions have the same row and column" in problems.pop()

    images = _tiles((0, 0), (0, 1), (1, 1))
    images[1].metadata = {"GridRowIndex": "0", "GridColumnIndex": 1.5}
    found = _read(write_store(tmp_path / "some", images, summary=_TILED), problems)
    assert _axes(found) == [
        {"row": 0, "column": 0},
        {"position": 1},
        {"row": 1, "column": 1},
    ]
    assert "1 positions do not say their row and column" in problems.pop()


# Writers that were stopped, and older ones


def test_a_store_that_was_not_closed(tmp_path: Path) -> None:
    images = _grid(time=3, laser=2)
    folder = write_store(tmp_path, images, room=9000, finished=False)
    # Writers take room ahead: 4 GiB for a file, 25 MiB for the axes.
    with open(folder / FILE, "r+b") as file:
        file.truncate(2**32 - 1)
    with open(tmp_path / AXES_FILE, "ab") as file:
        file.truncate(25 * 2**20)
    problems: list[str] = []
    _agree(_read(folder, problems), images, "time", "laser")
    assert problems == [f"{FILE}: it was not closed by its writer"]


def _without_map(
    data: bytes, *, mark: bool = False, rows: slice = slice(None)
) -> bytes:
    """Return a file with some rows of its index map, or its mark, set to zero."""
    offset, count = struct.unpack_from("<I", data, 12)[0], 0
    count = struct.unpack_from("<I", data, offset + 4)[0]
    changed = bytearray(data)
    for row in range(count)[rows]:
        start = offset + 8 + 20 * row
        changed[start : start + 20] = bytes(20)
    if mark:
        changed[offset : offset + 4] = bytes(4)
    return bytes(changed)


@pytest.mark.parametrize(
    ("damage", "lost", "reason"),
    [
        ({"rows": slice(None)}, 6, "it was not closed by its writer"),
        ({"rows": slice(4, None)}, 2, "it was not closed by its writer"),
        ({"rows": slice(1, 4)}, 3, "it was not closed by its writer"),
        # The first image, which was overwritten by the last.
        ({"rows": slice(1)}, 1, "it was not closed by its writer"),
        ({"rows": slice(0), "mark": True}, 6, "it has no index map"),
    ],
    ids=str,
)
def test_images_that_the_map_lacks_are_found(
    tmp_path: Path, damage: dict[str, object], lost: int, reason: str
) -> None:
    images = [*_grid(time=5), V1Image({"time": 0}, frame(9))]
    folder = write_store(tmp_path, images, axes_file=False)
    data = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(_without_map(data, **damage))  # type: ignore[arg-type]
    problems: list[str] = []
    _agree(_read(folder, problems), images, "time")
    assert problems == [
        f"{FILE}: {reason}",
        f"{FILE}: {lost} images that its index map lacks were found",
    ]


def test_version_0_has_channels_only(tmp_path: Path) -> None:
    folder = tmp_path / FULL
    folder.mkdir()
    shots = [((c, 0, t, 0), frame(c + 2 * t), {"x": 1}) for t in (0, 1) for c in (0, 1)]
    data = file_bytes(summary_of(shots[0][1]), shots, version=0)
    (folder / FILE).write_bytes(data)
    found = _read(folder)
    assert _axes(found) == [{"time": t, "channel": c} for t in (0, 1) for c in (0, 1)]
    assert np.array_equal(list(found.values())[3][0], shots[3][1])

    problems: list[str] = []
    (folder / FILE).write_bytes(_without_map(data))
    found = _read(folder, problems)
    assert _axes(found) == [{"image": number} for number in range(4)]
    assert "the images do not say their axes: they were numbered" in problems

    (folder / FILE).write_bytes(_without_map(data, rows=slice(3, None)))
    found = _read(folder, problems)
    assert len(found) == 3
    assert "1 images do not say their axes: they were left out" in problems


@pytest.mark.parametrize(
    "key", ["ImageStorageAxesPositions", "ImagrStorageAxesPositions"]
)
def test_older_names_of_the_axes(tmp_path: Path, key: str) -> None:
    folder = tmp_path / FULL
    folder.mkdir()
    shots = [
        ((c, 0, 0, 0), frame(c), {key: {"laser": 5 * c, "time": 0}}) for c in (0, 1)
    ]
    (folder / FILE).write_bytes(file_bytes(summary_of(shots[0][1]), shots))
    assert _axes(_read(folder)) == [{"laser": 0}, {"laser": 5}]
    shots = [(k, p, {"StorageSuperChannelName": f"Axis_a_{k[0]}"}) for k, p, _ in shots]
    # Who does not state a channel means the first.
    more = ((2, 0, 0, 0), frame(2), {"Axes": {"channel": 2}})
    (folder / FILE).write_bytes(file_bytes(summary_of(more[1]), [shots[1], more]))
    assert _axes(_read(folder)) == [{"a": 1, "channel": 0}, {"channel": 2}]
    (folder / FILE).write_bytes(file_bytes(summary_of(shots[0][1]), shots))
    assert _axes(_read(folder)) == [{"a": 0}, {"a": 1}]


def test_a_channel_is_named_by_any_of_its_images(tmp_path: Path) -> None:
    images = _grid(laser=2, time=3)
    folder = write_store(tmp_path, images, axes_file=False)
    data = (folder / FILE).read_bytes()
    text = json.dumps(metadata_of(images[3])).encode()
    (folder / FILE).write_bytes(data.replace(text, bytes(len(text))))
    assert _axes(_read(folder)) == [image.axes for image in images]


def test_no_channel_takes_the_place_of_another(tmp_path: Path) -> None:
    folder = tmp_path / FULL
    folder.mkdir()
    said = [{"Axes": {"channel": 1, "time": 0}}, {"nothing": 0}, {"nothing": 0}]
    shots = [((c, 0, 0, 0), frame(c), facts) for c, facts in enumerate(said)]
    (folder / FILE).write_bytes(file_bytes(summary_of(shots[0][1]), shots))
    problems: list[str] = []
    found = _read(folder, problems)
    assert _axes(found) == [{"channel": 1}, {"channel": 2}]
    assert np.array_equal(found[frozenset({("channel", 1)})][0], shots[0][1])
    assert problems == ["1 images do not say their axes: they were left out"]


# Damage


def test_other_files_of_the_folder_are_named_and_ignored(tmp_path: Path) -> None:
    images = _grid(time=2)
    folder = write_store(tmp_path, images)
    (folder / "empty.tif").write_bytes(b"")
    (folder / "v3.tif").write_bytes(encode_header(b"{}", first_ifd=0))
    (folder / "folder.tif").mkdir()
    (folder / "notes.txt").write_text("II*")
    problems: list[str] = []
    _agree(_read(folder, problems), images, "time")
    assert problems == [
        "empty.tif was ignored: not a TIFF file",
        "folder.tif was ignored: not a regular file",
        "v3.tif was ignored: it is of version 3",
    ]


def test_a_name_that_is_no_text_is_ignored(tmp_path: Path) -> None:
    folder = write_store(tmp_path, _grid(time=2))
    odd = os.fsdecode(b"\xff.tif")
    try:
        (folder / odd).write_bytes((folder / FILE).read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such names")
    problems: list[str] = []
    assert len(_read(folder, problems)) == 2
    assert "'\\udcff.tif' was ignored" in problems[0]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no file of NDTiff version 1"):
        v1_index(tmp_path)
    with pytest.raises(FormatError, match="cannot be read"):
        v1_index(tmp_path / "absent")
    (tmp_path / "a.tif").write_bytes(b"")
    with pytest.raises(FormatError, match=r"a\.tif was ignored: not a TIFF file"):
        v1_index(tmp_path)


def test_a_file_cut_at_any_byte_gives_what_is_whole(tmp_path: Path) -> None:
    images = _grid(time=3, laser=2)
    folder = write_store(tmp_path, images, axes_file=False)
    data = (folder / FILE).read_bytes()
    table = parse_index(v1_index(folder)[0])
    places = [table.location(row) for row in range(len(table))]
    last = [place.metadata_offset + place.metadata_length for place in places]
    for length in range(len(data)):
        (folder / FILE).write_bytes(data[:length])
        whole = sum(place.pixel_offset + 6 * 4 * 2 <= length for place in places)
        try:
            problems: list[str] = []
            found = _read(folder, problems)
        except FormatError:
            assert whole == 0
            continue
        # An image whose metadata were cut can be named if others say its channel.
        complete = sum(end <= length for end in last)
        assert complete <= len(found) <= whole
        assert bool(problems) == (length < last[-1])
        for axes, (pixels, _) in found.items():
            if len(found) >= 2 and len(axes) == 2:
                (image,) = (i for i in images if i.axes == dict(axes))
                assert np.array_equal(pixels, image.pixels)


def test_the_file_of_axes_cut_at_any_byte_is_replaced_by_metadata(
    tmp_path: Path,
) -> None:
    images = _grid(laser=3, channel=2)
    folder = write_store(tmp_path, images)
    data = axes_file_bytes(images)
    for length in range(len(data)):
        (tmp_path / AXES_FILE).write_bytes(data[:length])
        problems: list[str] = []
        _agree(_read(folder, problems), images, "laser", "channel")
        assert all(text.startswith(f"{AXES_FILE} makes no sense") for text in problems)
    (tmp_path / AXES_FILE).unlink()
    (tmp_path / AXES_FILE).mkdir()
    _agree(_read(folder, problems := []), images, "laser", "channel")
    assert "Axes_metedata was ignored: not a regular file" in problems[0]


@pytest.mark.parametrize(
    "entry",
    [(0, -1), (0, 2**31 - 1), (-1, 0, -5), (-1, 0, 2**31 - 1), (-7, 1), (0, 3, 0)],
    ids=str,
)
def test_hostile_lengths_in_the_file_of_axes(
    tmp_path: Path, entry: tuple[int, ...]
) -> None:
    images = _grid(laser=2, channel=2)
    folder = write_store(tmp_path, images)
    (tmp_path / AXES_FILE).write_bytes(struct.pack(f"<{len(entry)}i", *entry))
    problems: list[str] = []
    _agree(_read(folder, problems), images, "laser", "channel")
    assert len(problems) == 1


def _directory_change(tag: int, count: int | None, value: int | None) -> bytes:
    """Return a file whose second image has a changed entry."""
    images = _grid(time=3)
    shots = [((0, 0, i.axes["time"], 0), i.pixels, metadata_of(i)) for i in images]
    data = bytearray(file_bytes(summary_of(images[0].pixels), shots))
    (offset,) = struct.unpack_from("<I", data, 12)
    (start,) = struct.unpack_from("<I", data, offset + 8 + 20 + 16)
    for entry in range(start + 2, start + 2 + 13 * 12, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            if count is not None:
                struct.pack_into("<I", data, entry + 4, count)
            if value is not None:
                struct.pack_into("<I", data, entry + 8, value)
    return bytes(data)


@pytest.mark.parametrize(
    ("tag", "count", "value"),
    [
        (256, None, 0),
        (256, None, 2**32 - 1),
        (257, None, 2**31),
        (259, None, 5),
        (273, 2, None),
        (273, None, 2**32 - 1),
        (277, None, 3),
        (279, None, 0),
        (279, None, 2**32 - 1),
        (279, None, 4 * 6 * 4),
    ],
)
def test_a_damaged_directory_costs_one_image(
    tmp_path: Path, tag: int, count: int | None, value: int | None
) -> None:
    (tmp_path / FILE).write_bytes(_directory_change(tag, count, value))
    problems: list[str] = []
    assert _axes(_read(tmp_path, problems)) == [{"time": 0}, {"time": 2}]
    assert problems == [
        f"{FILE}: 1 images of its index map are damaged or lie beyond its end: "
        "they were left out"
    ]


def test_metadata_beyond_the_file_do_not_cost_the_image(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(_directory_change(51123, None, 2**32 - 1))
    problems: list[str] = []
    assert len(_read(tmp_path, problems)) == 3
    assert problems == [f"{FILE} ends before the metadata of 1 images"]


@pytest.mark.parametrize("count", [2**32 - 1, 2**31, 4])
def test_a_map_longer_than_the_file(tmp_path: Path, count: int) -> None:
    images = _grid(time=3)
    folder = write_store(tmp_path, images)
    data = bytearray((folder / FILE).read_bytes())
    (offset,) = struct.unpack_from("<I", data, 12)
    struct.pack_into("<I", data, offset + 4, count)
    (folder / FILE).write_bytes(data)
    problems: list[str] = []
    _agree(_read(folder, problems), images, "time")
    assert problems


def test_a_map_that_names_one_image_over_and_over(tmp_path: Path) -> None:
    images = _grid(time=3)
    folder = write_store(tmp_path, images, room=9000, axes_file=False)
    data = bytearray((folder / FILE).read_bytes())
    (offset,) = struct.unpack_from("<I", data, 12)
    row = data[offset + 8 : offset + 28]
    struct.pack_into("<I", data, offset + 4, 9000)
    data[offset + 8 : offset + 8 + 9000 * 20] = row * 9000
    (folder / FILE).write_bytes(data)
    problems: list[str] = []
    _agree(_read(folder, problems), images, "time")
    assert problems[0] == (
        f"{FILE}: its index map names more images than the file can hold"
    )


def test_images_beyond_2_gib(tmp_path: Path) -> None:
    images = _grid(time=2)
    folder = write_store(tmp_path, images[:1], room=2, finished=False)
    start = 3 * 2**30
    record = record_bytes(start, images[1].pixels, metadata_of(images[1]), last=True)
    with open(folder / FILE, "r+b") as file:
        (offset,) = struct.unpack("<I", file.read(16)[12:])
        file.seek(offset + 8 + 20)
        file.write(struct.pack("<4iI", 0, 0, 1, 0, start))
        file.seek(start)
        file.write(record)
    _agree(_read(folder), images, "time")


def test_directories_that_link_in_a_circle(tmp_path: Path) -> None:
    images = _grid(time=3)
    folder = write_store(tmp_path, images, axes_file=False)
    data = bytearray(_without_map((folder / FILE).read_bytes()))
    (first,) = struct.unpack_from("<I", data, 4)
    (second,) = struct.unpack_from("<I", data, first + 2 + 13 * 12)
    struct.pack_into("<I", data, second + 2 + 13 * 12, first)
    (folder / FILE).write_bytes(data)
    assert _axes(_read(folder, [])) == [{"time": 0}, {"time": 1}]


def test_hostile_axes_are_not_taken(tmp_path: Path) -> None:
    folder = tmp_path / FULL
    folder.mkdir()
    for axes in (
        {"a": True},
        {"a": 2**31},
        {"a": None},
        {"a": [1]},
        {"": 1},
        {"a" * 300: 1},
        {"a": "b" * 300},
        {str(number): 0 for number in range(40)},
        [],
    ):
        shot = ((3, 0, 0, 0), frame(0), {"Axes": axes})
        (folder / FILE).write_bytes(file_bytes(summary_of(shot[1]), [shot]))
        assert _axes(_read(folder)) == [{"channel": 3}]
    deep = b'{"Axes":' + b"[" * 5000
    shot = ((3, 0, 0, 0), frame(0), {"x": "y" * len(deep)})
    data = file_bytes(summary_of(shot[1]), [shot])
    (folder / FILE).write_bytes(
        data.replace(b'{"x": "' + b"y" * len(deep), deep + b" " * 7)
    )
    assert _axes(_read(folder)) == [{"channel": 3}]


_STORE = _tiles((0, 0), (0, 1), laser=0) + _tiles((0, 0), (0, 1), laser=1)


def _fuzz_store() -> tuple[bytes, bytes, bytes]:
    with tempfile.TemporaryDirectory() as root:
        files = []
        for order in "<>":
            folder = write_store(Path(root), _STORE, summary=_TILED, order=order)
            files.append((folder / FILE).read_bytes())
        return (*files, axes_file_bytes(_STORE))


_FUZZ = _fuzz_store()
_BYTES = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\x80"]),
)


def _mutated(data: st.DataObject, original: bytes) -> bytes:
    changed = bytearray(original)
    # Most bytes are pixels and text; the numbers are in front and in directories.
    places = st.integers(0, len(original) - 1) | st.integers(0, 500)
    for place, new in data.draw(st.lists(st.tuples(places, _BYTES), max_size=6)):
        changed[place : place + len(new)] = new
    return bytes(changed[: data.draw(st.none() | st.integers(0, len(changed)))])


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_bytes_do_harm(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder = root / FULL
        folder.mkdir()
        original = data.draw(st.sampled_from(_FUZZ[:2]))
        (folder / FILE).write_bytes(_mutated(data, original))
        (root / AXES_FILE).write_bytes(_mutated(data, _FUZZ[2]))
        try:
            index, problems = v1_index(folder)
        except FormatError:
            return
        assert all(isinstance(text, str) for text in problems)
        table = parse_index(index)
        assert table.problems == ()
        size = (folder / FILE).stat().st_size
        with FilePool(folder).use(FILE) as file:
            order = parse_header(file.read_at(0, HEADER_BYTES), size).order
        pool = FilePool(folder)
        for row in range(len(table)):
            # Every image that is promised can be read.
            pool.read_frame(table.location(row), order=order)
        pool.close()


# Headers


def test_headers_of_version_1() -> None:
    for order in "<>":
        for version in (0, 1):
            data = file_bytes({"a": "b"}, [], order=order, version=version)
            header = parse_header(data, len(data))
            assert header == (order, (1, 0), 40, 10)
            for length in range(HEADER_BYTES):
                with pytest.raises(FormatError):
                    parse_header(data[:length], length)
            with pytest.raises(FormatError, match="summary metadata"):
                parse_header(data[:49], 49)
            parse_header(data[:50], 50)


def test_a_version_that_is_not_known_is_refused() -> None:
    data = bytearray(file_bytes({}, []))
    struct.pack_into("<I", data, 28, 2)
    with pytest.raises(FormatError, match="version 2 is not known"):
        parse_header(bytes(data), len(data))


@pytest.mark.parametrize("length", range(12))
def test_small_files_of_later_versions_need_no_more_bytes(length: int) -> None:
    summary = b"{" + b" " * (length - 2) + b"}" if length > 1 else b" " * length
    data = encode_header(summary, first_ifd=0)[: 28 + length]
    assert parse_header(data, len(data)) == ("<", (3, 3), 28, length)
    second = struct.pack("<2sHIIIII", b"II", 42, 0, 483729, 2, 2355492, 4 + length)
    data = second + b"    " + summary
    assert parse_header(data, len(data)) == ("<", (2, 0), 24, 4 + length)


# Through the reader


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_store_opens_like_any_other(tmp_path: Path, order: str) -> None:
    images = _grid(time=3, z=2, laser=2)
    write_store(tmp_path / "run", images, order=order)
    assert detect(tmp_path / "run") == "ndtiff"
    dataset = open_ndtiff(tmp_path / "run")
    assert dataset.format_version == "1.0"
    assert dataset.problems == ()
    assert dataset.finished
    (image,) = dataset.images
    assert image.axis_names == ("t", "laser", "z", "y", "x")
    level = image.levels[0]
    for one in images:
        place = one.axes["time"], one.axes["laser"], one.axes["z"]
        np.testing.assert_array_equal(level[place], one.pixels)
    assert image.frames is not None
    about = image.frames.metadata({"t": 2, "laser": 1})
    assert about == metadata_of(images[-3])
    copy = pickle.loads(pickle.dumps(level[1]))
    np.testing.assert_array_equal(copy, np.asarray(level)[1])


def test_image_stacks_of_micro_manager_are_not_taken(tmp_path: Path) -> None:
    write_store(tmp_path / "run", _grid(time=2))
    (tmp_path / "run" / FULL).rename(tmp_path / "plain")
    assert detect(tmp_path / "plain") is None
    with pytest.raises(FormatError, match="no NDTiff file"):
        open_ndtiff(tmp_path / "plain")
