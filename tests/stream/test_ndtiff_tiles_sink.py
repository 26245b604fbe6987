"""Tiles in a stream: one mosaic with its levels, also after a kill."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.stream.streams import frame_of, growing_spec

from napari_scope.errors import FormatError, FrameError, SettingsError, StreamError
from napari_scope.fileio import uses_portable_io
from napari_scope.formats.ndtiff import Dataset, NDTiffWriter, open_ndtiff
from napari_scope.stream import NDTiffSink, Stream, read_journal, recover
from napari_scope.stream.sinks.ndtiff_tiles import TiledNDTiffSink

if TYPE_CHECKING:
    import numpy.typing as npt

    Tiles = dict[tuple[int, int], npt.NDArray[Any]]

SHAPE = (16, 24)
OVERLAP = (4, 2)  # x, y


def tiled(path: Path, levels: int | None = None, **more: Any) -> Stream:
    spec = growing_spec(loose=True, pixel_um=0.5, **more)
    return Stream(spec, [TiledNDTiffSink(path, OVERLAP, levels)])


def mosaics(tiles: Tiles, count: int) -> list[npt.NDArray[Any]]:
    """Lay out tiles by numpy alone, at so many resolutions."""
    x, y = OVERLAP
    height, width = SHAPE[0] - y, SHAPE[1] - x
    rows, columns = zip(*tiles, strict=True)
    # Levels begin at whole tiles: room for the coarsest on each side.
    unit = 2 ** (count - 1)
    top, left = min(rows) // unit * unit, min(columns) // unit * unit
    below, right = -(-(max(rows) + 1) // unit), -(-(max(columns) + 1) // unit)
    plane = np.zeros(
        ((below * unit - top) * height, (right * unit - left) * width), "u2"
    )
    for (row, column), tile in tiles.items():
        at = (row - top) * height, (column - left) * width
        plane[at[0] : at[0] + height, at[1] : at[1] + width] = tile[
            y // 2 : y // 2 + height, x // 2 : x // 2 + width
        ]
    found = []
    for level in range(count):
        low = (min(rows) * height) >> level, (min(columns) * width) >> level
        high = (
            ((max(rows) + 1) * height) >> level,
            ((max(columns) + 1) * width) >> level,
        )
        corner = (top * height) >> level, (left * width) >> level
        found.append(
            plane[
                low[0] - corner[0] : high[0] - corner[0],
                low[1] - corner[1] : high[1] - corner[1],
            ]
        )
        four = plane.reshape(plane.shape[0] // 2, 2, plane.shape[1] // 2, 2)
        plane = (four.astype("u4").sum((1, 3)) // 4).astype("u2")
    return found


def check_levels(path: Path, tiles: Tiles) -> None:
    (image,) = open_ndtiff(path).images
    stored = sum(name.startswith("Downsampled") for name in os.listdir(path))
    for level, expected in zip(
        image.levels, mosaics(tiles, len(image.levels)), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(level), expected)
    assert len(image.levels) <= stored + 1


def check_stored_tiles(path: Path, tiles: Tiles) -> None:
    """Compare the tiles of all levels on disk, as another program reads them."""
    from ndstorage import Dataset

    dataset = Dataset(str(path))
    x, y = OVERLAP
    height, width = SHAPE[0] - y, SHAPE[1] - x
    now = {
        place: tile[y // 2 : y // 2 + height, x // 2 : x // 2 + width]
        for place, tile in tiles.items()
    }
    level = 0
    while (path / f"Downsampled_x{2 ** (level + 1)}").is_dir():
        level += 1
        coarser: Tiles = {}
        for (row, column), tile in now.items():
            big = coarser.setdefault(
                (row >> 1, column >> 1), np.zeros((2 * height, 2 * width), "u2")
            )
            at = (row & 1) * height, (column & 1) * width
            big[at[0] : at[0] + height, at[1] : at[1] + width] = tile
        now = {
            place: (
                big.reshape(height, 2, width, 2).astype("u4").sum((1, 3)) // 4
            ).astype("u2")
            for place, big in coarser.items()
        }
        for (row, column), expected in now.items():
            found = dataset.read_image(row=row, column=column, resolution_level=level)
            np.testing.assert_array_equal(found, expected)


PLACES = [(0, 0), (0, 1), (-1, 0), (2, 3), (-3, -2), (1, 1)]


@pytest.mark.parametrize("levels", [None, 0, 1, 3])
@pytest.mark.filterwarnings("ignore")  # of ndstorage
def test_tiles_make_a_mosaic_with_its_levels(
    tmp_path: Path, levels: int | None
) -> None:
    tiles = {place: frame_of(n) for n, place in enumerate(PLACES)}
    path = tmp_path / "run"
    with tiled(path, levels) as stream:
        for (row, column), tile in tiles.items():
            stream.append(tile, index={"row": row, "column": column})
    check_levels(path, tiles)
    check_stored_tiles(path, tiles)
    names = sorted(name for name in os.listdir(path) if name.startswith("Down"))
    # The longer side of the grid has 6 tiles: 8 times reduced it fits one.
    count = 3 if levels is None else levels
    assert names == sorted(f"Downsampled_x{2**n}" for n in range(1, count + 1))
    with Dataset(path) as dataset:
        for (row, column), tile in tiles.items():
            found = dataset.read_image(row=row, column=column)
            np.testing.assert_array_equal(found, tile)


def test_other_axes_have_mosaics_of_their_own(tmp_path: Path) -> None:
    path, tiles = tmp_path / "run", {}
    with tiled(path) as stream:
        for number in range(12):
            place, more = divmod(number, 4)
            axes = {"channel": "AB"[more % 2], "z": more // 2}
            tiles[place, more] = frame_of(number)
            index = {"row": 0, "column": place, **axes}
            stream.append(frame_of(number), index=index)
    (image,) = open_ndtiff(path).images
    assert image.axis_names == ("c", "z", "y", "x")
    for c in range(2):
        for z in range(2):
            more = z * 2 + c
            own = {(0, n): tiles[n, more] for n in range(3)}
            for level, expected in zip(
                image.levels, mosaics(own, len(image.levels)), strict=True
            ):
                np.testing.assert_array_equal(np.asarray(level[c, z]), expected)


def test_each_position_is_a_mosaic_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with tiled(path) as stream:
        for number, (name, x) in enumerate((("a", 100.0), ("b", -50.0))):
            for column in (2, 3):
                stage = {"x_um_intended": x + column * 10, "y_um_intended": 7.0}
                index = {"position": name, "row": 1, "column": column}
                stream.append(frame_of(number), stage, index=index)
    images = {image.name: image for image in open_ndtiff(path).images}
    assert list(images) == ["a", "b"]
    for name, x in (("a", 120.0), ("b", -30.0)):
        y_axis, x_axis = images[name].axes
        # Centre of 24 x 16 pixels of 0.5 um; 2 and 1 of them are cut off.
        assert x_axis.translation == x - 11.5 * 0.5 + 1
        assert y_axis.translation == 7 - 7.5 * 0.5 + 0.5


def test_a_mosaic_stays_where_it_is_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "run"
    step = (SHAPE[0] - OVERLAP[1], SHAPE[1] - OVERLAP[0])
    with tiled(path) as stream:
        for row, column in [(0, 0), (0, 1), (-2, 1), (-2, -3)]:
            stage = {
                "x_um": 5.0 + column * step[1] * 0.5,
                "y_um": row * step[0] * 0.5,
            }
            index = {"row": row, "column": column}
            stream.append(frame_of(0), stage, index=index)
            stream.flush()
            (image,) = open_ndtiff(path).images
            y, x = (axis.translation for axis in image.axes)
            rows, columns = (
                size // n for size, n in zip(image.levels[0].shape, step, strict=True)
            )
            first = image.metadata["first_tile"]
            assert (y, x) == (
                -7.5 * 0.5 + 0.5 + first[0] * step[0] * 0.5,  # type: ignore[index]
                5 - 11.5 * 0.5 + 1 + first[1] * step[1] * 0.5,  # type: ignore[index]
            )
            assert rows * columns >= 1


def test_a_frame_without_a_place_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises((FrameError, StreamError), match="has no place"):
        with tiled(tmp_path / "run") as stream:
            stream.append(frame_of(0), index={"row": 0, "column": 0})
            stream.append(frame_of(1), index={"time": 0})
    (image,) = open_ndtiff(tmp_path / "run").images
    assert image.levels[0].shape == (14, 20)


def goes_on(path: Path, overlap: tuple[int, int] = OVERLAP, **more: Any) -> Stream:
    spec = growing_spec(**{"loose": True, "pixel_um": 0.5, **more})
    return Stream(spec, [TiledNDTiffSink(path, overlap)], resume=True)


@pytest.mark.filterwarnings("ignore")  # of ndstorage
def test_a_mosaic_goes_on(tmp_path: Path) -> None:
    path, tiles = tmp_path / "run", {}
    number = 0
    # The grid becomes larger to all sides, and worth one more level each time.
    for begin, places in (
        (tiled, [(0, 0), (0, 1)]),
        (goes_on, [(0, 3), (-1, 0)]),
        (goes_on, [(1, 1), (-3, -2)]),
        (goes_on, []),
        (goes_on, [(5, 9)]),
    ):
        with begin(path) as stream:
            for row, column in places:
                tiles[row, column] = frame_of(number)
                index = {"row": row, "column": column}
                stream.append(frame_of(number), {"n": number}, index=index)
                number += 1
        check_levels(path, tiles)
        check_stored_tiles(path, tiles)
        with Dataset(path) as dataset:
            assert dataset.is_finished()
            assert [k["row"] for k in dataset.get_index_keys()] == [r for r, _ in tiles]
            for (row, column), tile in tiles.items():
                found = dataset.read_image(row=row, column=column)
                np.testing.assert_array_equal(found, tile)
    journal = read_journal(path / "frames.jsonl")
    assert [line["after"] for line in journal.resumed] == [2, 4, 6, 6]
    # 12 columns, of which the last session took one.
    assert sum(name.startswith("Downsampled") for name in os.listdir(path)) == 4
    assert journal.closed is not None


def test_a_mosaic_with_other_axes_goes_on(tmp_path: Path) -> None:
    path, tiles = tmp_path / "run", {}
    for first, begin in ((0, tiled), (8, goes_on)):
        with begin(path) as stream:
            for number in range(first, first + 8):
                place, more = divmod(number, 4)
                axes = {"channel": "AB"[more % 2], "z": more // 2}
                tiles[place, more] = frame_of(number)
                index = {"row": 0, "column": place, **axes}
                stream.append(frame_of(number), index=index)
            with pytest.raises(FrameError, match="already appended"):
                stream.append(frame_of(0), index={**index, "column": 1})
    (image,) = open_ndtiff(path).images
    for c, z in ((c, z) for c in range(2) for z in range(2)):
        own = {(0, n): tiles[n, z * 2 + c] for n in range(4)}
        for level, expected in zip(
            image.levels, mosaics(own, len(image.levels)), strict=True
        ):
            np.testing.assert_array_equal(np.asarray(level[c, z]), expected)


def test_another_grid_does_not_go_on(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with tiled(path) as stream:
        stream.append(frame_of(0), index={"row": 0, "column": 0})
    with pytest.raises(SettingsError, match="4 pixels in x and 2 in y there, by 2 and"):
        goes_on(path, (2, 2))
    with pytest.raises(SettingsError, match="the size of a pixel"):
        goes_on(path, pixel_um=0.25)
    with pytest.raises(SettingsError, match="the shape of a frame"):
        goes_on(path, frame_shape=(8, 8))
    plain = tmp_path / "plain"
    with Stream(growing_spec(loose=True, pixel_um=0.5), [NDTiffSink(plain)]) as stream:
        stream.append(frame_of(0), index={"row": 0, "column": 0})
    with pytest.raises(FormatError, match="no tiled store"):
        goes_on(plain)
    assert recover(path).was_closed  # nothing was changed
    check_levels(path, {(0, 0): frame_of(0)})


# ------------------------------------------------------------------ killed

WRITER = """
import os, sys
from pathlib import Path
from napari_scope.formats.ndtiff import levels
from tests.stream.streams import frame_of
from tests.stream.test_ndtiff_tiles_sink import place_of, tiled

path, where, end = sys.argv[1:]
name, _, call = where.partition(":")
if name:  # end in the middle of carrying a tile on, or of making a level
    old, calls = getattr(levels.LevelFolders, name), []
    def dies(self, *args):
        calls.append(1)
        if len(calls) == int(call):
            if name != "add_level":
                os._exit(9)
            self._merge = lambda *args: os._exit(9)
        return old(self, *args)
    setattr(levels.LevelFolders, name, dies)
stream = tiled(Path(path))
for number in range(int(end)):
    row, column = place_of(number)
    stream.append(frame_of(number), {"n": number}, index={"row": row, "column": column})
    stream.flush()
    print(stream.stats().saved, flush=True)
"""


def place_of(number: int) -> tuple[int, int]:
    """Return places that go round in a spiral, as an explorer does."""
    row = column = 0
    down, right, left, length = 0, 1, 1, 1
    turned = 0
    for _ in range(number):
        row, column, left = row + down, column + right, left - 1
        if not left:
            down, right = right, -down
            turned += 1
            length += turned % 2 == 0
            left = length
    return row, column


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NAPARI_SCOPE_PORTABLE_IO": str(int(uses_portable_io()))},
        cwd=Path(__file__).parents[2],
    )


def check_recovered(path: Path, least: int) -> int:
    report = recover(path)
    assert not report.was_closed
    assert report.lost == ()
    assert report.saved >= least
    journal = read_journal(path / "frames.jsonl")
    assert len(journal.frames) == report.saved
    assert journal.closed is not None
    for number, entry in enumerate(journal.frames):
        assert (entry["axes"]["row"], entry["axes"]["column"]) == place_of(number)
    dataset = open_ndtiff(path)
    assert dataset.finished
    assert dataset.problems == ()
    # A frame that was killed before it had a line in the journal is there, too.
    count = dataset.images[0].metadata["tiles"]
    assert count in (report.saved, report.saved + 1)
    tiles = {place_of(n): frame_of(n) for n in range(count)}  # type: ignore[call-overload]
    check_levels(path, tiles)
    check_stored_tiles(path, tiles)
    assert not list(path.rglob("*.new"))
    assert not list(path.rglob("*.recovered"))
    assert recover(path).was_closed
    return report.saved


@pytest.mark.filterwarnings("ignore")  # of ndstorage
@pytest.mark.parametrize("seed", range(4))
def test_a_killed_run_is_recovered_with_its_levels(tmp_path: Path, seed: int) -> None:
    process = start(str(tmp_path / "run"), "", "5000")
    assert process.stdout is not None
    least = random.Random(seed).randint(1, 60)
    saved = 0
    with process:
        while saved < least:
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            saved = int(line)
        process.kill()
    check_recovered(tmp_path / "run", saved)


@pytest.mark.filterwarnings("ignore")  # of ndstorage
@pytest.mark.parametrize(
    "where", ["add_image:3", "add_image:7", "_merge:5", "_merge:12", "add_level:2"]
)
def test_a_kill_between_two_levels(tmp_path: Path, where: str) -> None:
    process = start(str(tmp_path / "run"), where, "40")
    out, error = process.communicate(timeout=120)
    assert process.returncode == 9, error
    saved = check_recovered(tmp_path / "run", int(out.split()[-1]))
    # It goes on behind the kill, also over a tile that was killed without a line.
    tiles = {place_of(n): frame_of(n) for n in range(saved + 9)}
    with goes_on(tmp_path / "run") as stream:
        for row, column in list(tiles)[saved:]:
            tile = tiles[row, column]
            stream.append(tile, index={"row": row, "column": column})
    check_levels(tmp_path / "run", tiles)
    check_stored_tiles(tmp_path / "run", tiles)


@pytest.mark.filterwarnings("ignore")  # of ndstorage
def test_a_torn_index_of_a_level_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = start(str(path), "add_image:30", "60")
    process.communicate(timeout=120)
    for level in ("Full resolution", "Downsampled_x2"):
        index = path / level / "NDTiff.index"
        index.write_bytes(index.read_bytes()[:-11])
    # Pixels of a level that a loss of power took.
    with (path / "Downsampled_x2" / "run_NDTiffStack.tif").open("r+b") as file:
        file.seek(900)
        file.write(bytes(200))
    report = recover(path)
    assert any("torn end" in note for note in report.notes)
    assert any("Full resolution" in note for note in report.notes)
    assert report.lost == ()
    # The 30th frame had no line, its record is the torn one: its pixels still count.
    tiles = {place_of(n): frame_of(n) for n in range(30)}
    check_levels(path, tiles)
    check_stored_tiles(path, tiles)


def test_a_damaged_level_is_no_reason_to_leave_the_frames(tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = start(str(path), "add_image:30", "60")
    process.communicate(timeout=120)
    # A level of tiles of another size.
    level = path / "Downsampled_x4"
    shutil.rmtree(level)
    with NDTiffWriter(level, prefix="run") as writer:
        for row, column in ((0, 0), (-1, 0), (0, -1), (-1, -1)):
            writer.put({"row": row, "column": column}, frame_of(0, (5, 5)))
    report = recover(path)
    assert report.lost == ()
    assert report.saved == 29
    (note,) = (note for note in report.notes if "brought up to date" in note)
    assert "another size" in note
    with Dataset(path) as dataset:
        for number in range(29):
            row, column = place_of(number)
            tile = dataset.read_image(row=row, column=column)
            np.testing.assert_array_equal(tile, frame_of(number))
