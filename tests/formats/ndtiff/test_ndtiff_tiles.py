"""Tiled stores: levels equal to those of Java, right after every tile, after kills."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.threads import Thread

from napari_scope.arrays import halve
from napari_scope.errors import (
    DiskSpaceError,
    FrameError,
    OutputExistsError,
    SettingsError,
    StreamClosedError,
)
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff import FrameItem, NDTiffReader
from napari_scope.formats.ndtiff import levels as level_folders
from napari_scope.formats.ndtiff.layout import WRITING_NAME, level_name
from napari_scope.formats.ndtiff.tiles import TiledNDTiffWriter
from napari_scope.model import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.fileio import Buffer

    Frame = npt.NDArray[np.generic]
    Tiles = dict[frozenset[tuple[str, int | str]], Frame]


def _noise(*shape: int, dtype: str = "u2", seed: int = 0) -> Frame:
    high = np.iinfo(dtype).max + 1
    return np.random.default_rng(seed).integers(0, high, shape, dtype)


def _level(root: Path, level: int) -> Tiles:
    with NDTiffReader(root, level=level) as reader:
        assert reader.problems == []
        return {
            frozenset(reader.table.axes(row).items()): reader.read_row(row)
            for row in range(len(reader.table))
        }


def _levels(root: Path) -> dict[int, Tiles]:
    names = {p.name for p in root.iterdir() if p.is_dir()}
    found = {
        level: _level(root, level) for level in range(8) if level_name(level) in names
    }
    assert len(found) == len(names)
    return found


def _expected(
    level0: Mapping[tuple[int, int], Frame], overlap: tuple[int, int], level: int
) -> dict[tuple[int, int], Frame]:
    """Compute a level from the whole plane at once, by numpy alone. Even sizes only."""
    (y, x), some = overlap, next(iter(level0.values()))
    height, width = some.shape[0] - y, some.shape[1] - x
    top = min(row for row, _ in level0) >> level << level
    left = min(column for _, column in level0) >> level << level
    rows = ((max(r for r, _ in level0) >> level) + 1 << level) - top
    columns = ((max(c for _, c in level0) >> level) + 1 << level) - left
    plane = np.zeros((rows * height, columns * width, *some.shape[2:]), np.uint32)
    for (row, column), frame in level0.items():
        cut = frame[y // 2 : y // 2 + height, x // 2 : x // 2 + width]
        r, c = (row - top) * height, (column - left) * width
        plane[r : r + height, c : c + width] = cut
    for _ in range(level):
        plane = (
            plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]
        ) // 4
    return {
        (r, c): plane[
            (r - (top >> level)) * height : (r - (top >> level) + 1) * height,
            (c - (left >> level)) * width : (c - (left >> level) + 1) * width,
        ]
        for r, c in {(row >> level, column >> level) for row, column in level0}
    }


def _check(
    root: Path,
    level0: Mapping[tuple[int, int], Frame],
    overlap: tuple[int, int],
    n: int,
) -> None:
    """Check all levels of a store whose only axes are row and column."""
    levels = _levels(root)
    assert sorted(levels) == list(range(n))
    for level, found in levels.items():
        if level == 0:
            expected = dict(level0)
        else:
            expected = _expected(level0, overlap, level)
        assert set(found) == {
            frozenset({"row": r, "column": c}.items()) for r, c in expected
        }
        for (row, column), tile in expected.items():
            key = frozenset({"row": row, "column": column}.items())
            np.testing.assert_array_equal(found[key], tile)


@pytest.mark.parametrize(
    ("name", "overlap"),
    [
        ("no_magellan_explore_multi_channel", 0),
        ("ndtiffv3.0_stitched_test", 4),
        ("ndtiff3.2_magellan_explore_rgb", 1),
    ],
)
@pytest.mark.usefixtures("any_io")
def test_levels_are_those_of_java(
    tmp_path: Path, real_stores: Path, name: str, overlap: int
) -> None:
    """Write the tiles of a real store anew: all levels must hold the same pixels."""
    source = real_stores / "v3" / name
    theirs = _levels(source)
    with TiledNDTiffWriter(
        tmp_path / "run", tile_overlap=overlap, max_multi_res_index=max(theirs)
    ) as writer:
        for key, frame in theirs[0].items():
            writer.put(dict(key), frame)
    _compare(theirs, _levels(tmp_path / "run"))
    # Levels that are added while the grid grows end up the same.
    with TiledNDTiffWriter(tmp_path / "grown", tile_overlap=overlap) as writer:
        for key, frame in theirs[0].items():
            writer.put(dict(key), frame)
        levels = writer.levels
    assert levels > 1
    _compare({n: theirs[n] for n in range(levels)}, _levels(tmp_path / "grown"))


def _compare(theirs: dict[int, Tiles], ours: dict[int, Tiles]) -> None:
    """Compare levels; a ghost in theirs is excused.

    While the viewer zooms out, Java may carry the tile that arrives into a level twice,
    once to a wrong place: such a tile has no image below it. It goes on into the levels
    above, where it covers what nobody acquired.
    """
    assert set(ours) == set(theirs)
    haunted: set[frozenset[tuple[str, int | str]]] = set()
    compared = 0
    for level, expected in theirs.items():
        assert set(ours[level]) <= set(expected)
        haunted |= {_plane(key) for key in set(expected) - set(ours[level])}
        for key, tile in ours[level].items():
            assert tile.dtype == expected[key].dtype
            if _plane(key) in haunted:
                different = tile != expected[key]
                assert not tile[different].any()
            else:
                np.testing.assert_array_equal(tile, expected[key])
                compared += 1
    assert compared >= len(theirs[0])
    assert len(haunted) <= 1


def _plane(key: frozenset[tuple[str, int | str]]) -> frozenset[tuple[str, int | str]]:
    return frozenset(item for item in key if item[0] not in ("row", "column"))


@pytest.mark.parametrize(
    ("shape", "dtype", "overlap", "given"),
    [
        ((12, 16), "u2", (0, 0), 0),
        ((12, 16), "u1", (2, 4), (4, 2)),
        ((14, 20, 3), "u1", (4, 6), (6, 4)),
        ((13, 17), "u2", (3, 1), (1, 3)),  # odd overlap, even tiles
        ((7, 7), "u2", (1, 5), (5, 1)),
    ],
)
@pytest.mark.usefixtures("any_io")
def test_all_levels_are_right_after_every_tile(
    tmp_path: Path,
    shape: tuple[int, ...],
    dtype: str,
    overlap: tuple[int, int],
    given: int | tuple[int, int],
) -> None:
    root = tmp_path / "run"
    grid = [(r, c) for r in range(-2, 3) for c in range(-3, 2)]
    random.Random(3).shuffle(grid)
    # Some tiles come twice: the second must replace the first in all levels.
    grid += grid[:4]
    level0: dict[tuple[int, int], Frame] = {}
    with TiledNDTiffWriter(root, tile_overlap=given) as writer:
        for number, (row, column) in enumerate(grid):
            frame = _noise(*shape, dtype=dtype, seed=number)
            writer.put({"row": row, "column": column}, frame)
            level0[row, column] = frame
            rows, columns = zip(*level0, strict=True)
            longest = 1 + max(max(rows) - min(rows), max(columns) - min(columns))
            levels = 1 + (longest - 1).bit_length()
            assert writer.levels == levels
            _check(root, level0, overlap, levels)
    _check(root, level0, overlap, 4)


@pytest.mark.parametrize("overlap", [(0, 0), (1, 0), (3, 2), (2, 5)])
def test_odd_tiles_are_halved_pixel_by_pixel_as_in_java(
    tmp_path: Path, overlap: tuple[int, int]
) -> None:
    """With odd sizes neighbours share a row, and the order of tiles matters."""
    height, width, n = 5, 7, 3
    (y, x), shape = overlap, (5 + overlap[0], 7 + overlap[1])
    expected: list[dict[tuple[int, int], Frame]] = [{} for _ in range(n + 1)]
    grid = [(r, c) for r in range(-1, 3) for c in range(-2, 2)]
    random.Random(1).shuffle(grid)
    with TiledNDTiffWriter(
        tmp_path / "run", tile_overlap=(x, y), max_multi_res_index=n
    ) as writer:
        for number, (row, column) in enumerate(grid + grid[3:7]):
            frame = _noise(*shape, seed=number)
            writer.put({"row": row, "column": column}, frame)
            expected[0][row, column] = before = frame
            for level in range(1, n + 1):
                up, left = (y // 2, x // 2) if level == 1 else (0, 0)
                key = row >> 1, column >> 1
                tile = expected[level].setdefault(key, np.zeros((height, width), "u2"))
                for i in range(0, height, 2):
                    for j in range(0, width, 2):
                        block = before[up + i : up + i + 2, left + j : left + j + 2]
                        at = (i + row % 2 * height) // 2, (j + column % 2 * width) // 2
                        tile[at] = int(block.sum(dtype=np.int64)) // block.size
                row, column, before = *key, tile
    for level, found in _levels(tmp_path / "run").items():
        assert len(found) == len(expected[level])
        for (row, column), tile in expected[level].items():
            key = frozenset({"row": row, "column": column}.items())
            np.testing.assert_array_equal(found[key], tile)


def test_the_other_axes_make_planes_of_their_own(tmp_path: Path) -> None:
    root = tmp_path / "run"
    planes: dict[tuple[str, int], dict[tuple[int, int], Frame]] = {}
    items = []
    for row in range(2):
        for column in range(3):
            for channel in ("DAPI", "GFP"):
                for z in (-1, 0):
                    frame = _noise(8, 8, seed=len(items))
                    axes = {"z": z, "row": row, "channel": channel, "column": column}
                    items.append(FrameItem(axes, frame, {"n": len(items)}, 12))
                    planes.setdefault((channel, z), {})[row, column] = frame
    with TiledNDTiffWriter(root, tile_overlap=0, max_multi_res_index=2) as writer:
        writer.put_many(items[:7])
        writer.put_many(items[7:])
        assert writer.put_many([]) == []
        for level in (1, 2):
            for (channel, z), plane in planes.items():
                for (row, column), tile in _expected(plane, (0, 0), level).items():
                    axes = {"row": row, "column": column, "channel": channel, "z": z}
                    found = writer.read_frame(axes, level=level)
                    np.testing.assert_array_equal(found, tile)  # type: ignore[arg-type]
        assert writer.read_frame(axes, level=9) is None
        assert writer.read_frame({**axes, "row": 9}, level=1) is None
    with NDTiffReader(root, level=1) as reader:
        for row in range(len(reader.table)):
            axes = dict(reader.table.axes(row))
            about = reader.metadata_of_row(row)
            _check_origin(about, axes, 1)
            assert items[about["n"]].axes["channel"] == axes["channel"]  # type: ignore[index]
            assert reader.table.location(row).pixel_type == 4


def _check_origin(
    about: dict[str, object], axes: Mapping[str, int | str], level: int
) -> None:
    """The metadata of a level are those of the first tile of full resolution in it."""
    origin = dict(about["Axes"])  # type: ignore[call-overload]
    for name in ("row", "column"):
        origin[name] >>= level
    assert origin == axes


def test_many_planes_do_not_stay_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(level_folders, "_CACHE_BYTES", 1000)
    level0: dict[tuple[int, int], Frame] = {}
    with TiledNDTiffWriter(tmp_path / "run", tile_overlap=0) as writer:
        for number in range(20):
            row, column = number % 5 + 3, number % 4 + 5
            level0[row, column] = _noise(8, 8, seed=number)
            writer.put({"row": row, "column": column}, level0[row, column])
            assert writer._levels._cache._nbytes <= 1000
    _check(tmp_path / "run", level0, (0, 0), 4)
    # Also levels that were made from stored tiles.
    for level in (1, 2, 3):
        with NDTiffReader(tmp_path / "run", level=level) as reader:
            for row in range(len(reader.table)):
                about = reader.metadata_of_row(row)
                _check_origin(about, reader.table.axes(row), level)


def test_levels_roll_over_to_further_files(tmp_path: Path) -> None:
    root = tmp_path / "run"
    level0 = {
        (r, c): _noise(10, 10, seed=10 * r + c) for r in range(4) for c in range(4)
    }
    with TiledNDTiffWriter(root, tile_overlap=2, max_file_bytes=1200) as writer:
        for (row, column), frame in level0.items():
            writer.put({"row": row, "column": column}, frame)
        writer.sync()
        # Overwrites a tile in a file that is full.
        level0[0, 0] = _noise(10, 10, seed=99)
        writer.put({"row": 0, "column": 0}, level0[0, 0])
        writer.sync()
    assert len(list((root / level_name(1)).glob("*.tif"))) > 1
    _check(root, level0, (2, 2), 3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("overlap", [(0, 0), (4, 2), (4, 4)])
def test_the_reference_library_opens_the_pyramid(
    tmp_path: Path, overlap: tuple[int, int]
) -> None:
    ndstorage = pytest.importorskip("ndstorage", reason="the reference reader")
    root = tmp_path / "run"
    y, x = overlap
    level0 = {
        (r, c): _noise(36, 36, seed=9 * r + c) for r in range(3) for c in range(3)
    }
    del level0[1, 2]
    writer = TiledNDTiffWriter(root, tile_overlap=(x, y), summary={"a": 1})
    for (row, column), frame in level0.items():
        writer.put({"row": row, "column": column}, frame)
        if len(level0) % 3 == 0:
            ndstorage.Dataset(str(root))
    for finished in (False, True):
        assert (root / WRITING_NAME).exists() is not finished
        dataset = ndstorage.Dataset(str(root))
        assert dataset.summary_metadata["a"] == 1
        assert dataset.summary_metadata["GridPixelOverlapX"] == x
        assert dataset.summary_metadata["GridPixelOverlapY"] == y
        assert dataset.summary_metadata["TiledImageStorage"] is True
        assert sorted(dataset.res_levels) == [0, 1, 2]
        for (row, column), frame in level0.items():
            np.testing.assert_array_equal(
                dataset.read_image(row=row, column=column), frame
            )
        if y:  # without it the reference ends with an empty slice
            height, width = 36 - y, 36 - x
            whole = np.zeros((3 * height, 3 * width), "u2")
            for (row, column), frame in level0.items():
                whole[row * height :, column * width :][:height, :width] = frame[
                    y // 2 : y // 2 + height, x // 2 : x // 2 + width
                ]
            stitched = dataset.as_array(stitched=True)
            if x == y:  # with two overlaps the reference computes wrong shapes
                np.testing.assert_array_equal(np.asarray(stitched[0]), whole)
                half = np.asarray(stitched[1])
                np.testing.assert_array_equal(
                    half, halve(whole, cut=True)[: half.shape[0], : half.shape[1]]
                )
        for level in dataset.res_levels.values():
            level.close()
        writer.finish()


def test_settings_and_marker_are_in_the_root(tmp_path: Path) -> None:
    root = tmp_path / "run"
    channels = [Channel("DAPI", "#0000FF")]
    with TiledNDTiffWriter(
        root, tile_overlap=0, prefix="p", channels=channels
    ) as writer:
        assert {p.name for p in root.iterdir()} == {
            WRITING_NAME,
            "display_settings.txt",
            "Full resolution",
        }
        writer.put({"row": 0, "column": 0}, _noise(4, 4), bit_depth=12)
    assert b'"BitDepth":12' in (root / "display_settings.txt").read_bytes()
    assert not (root / WRITING_NAME).exists()
    assert {p.name for p in (root / "Full resolution").iterdir()} == {
        "NDTiff.index",
        "p_NDTiffStack.tif",
    }


@pytest.mark.parametrize(
    ("axes", "shape", "dtype", "message"),
    [
        ({"row": 0}, (8, 8), "u2", "no place"),
        ({"row": 0, "column": "a"}, (8, 8), "u2", "no place"),
        ({"row": 0, "column": 1}, (8, 9), "u2", "does not go with"),
        ({"row": 0, "column": 1}, (8, 8), "u1", "does not go with"),
        ({"row": 0, "column": 1, "z": 1.5}, (8, 8), "u2", "expected an integer"),
    ],
)
def test_what_is_no_tile_is_refused(
    tmp_path: Path,
    axes: dict[str, int | str],
    shape: tuple[int, int],
    dtype: str,
    message: str,
) -> None:
    level0 = {(0, 0): _noise(8, 8), (0, 1): _noise(8, 8, seed=1)}
    with TiledNDTiffWriter(tmp_path / "run", tile_overlap=2) as writer:
        with pytest.raises(FrameError, match="not larger than the overlap"):
            writer.put({"row": 0, "column": 0}, _noise(2, 8))
        writer.put({"row": 0, "column": 0}, level0[0, 0])
        with pytest.raises(FrameError, match=message):
            writer.put(axes, _noise(*shape, dtype=dtype))
        with pytest.raises(FrameError, match=message):
            good = FrameItem({"row": 5, "column": 5}, _noise(8, 8))
            writer.put_many([good, FrameItem(axes, _noise(*shape, dtype=dtype))])
        writer.put({"row": 0, "column": 1}, level0[0, 1])
    _check(tmp_path / "run", level0, (2, 2), 2)


@pytest.mark.parametrize("overlap", [-1, True, (1,), (1, 2, 3), (1.5, 2), "ab"])
def test_an_impossible_overlap_is_refused(tmp_path: Path, overlap: object) -> None:
    with pytest.raises(SettingsError):
        TiledNDTiffWriter(tmp_path / "run", tile_overlap=overlap)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("level", [-1, 99])
def test_an_impossible_level_is_refused(tmp_path: Path, level: int) -> None:
    with pytest.raises(SettingsError):
        TiledNDTiffWriter(tmp_path / "run", tile_overlap=0, max_multi_res_index=level)


def test_an_existing_store_is_left_alone_and_a_closed_one_refuses(
    tmp_path: Path,
) -> None:
    writer = TiledNDTiffWriter(tmp_path / "run", tile_overlap=0)
    writer.put({"row": 0, "column": 0}, _noise(4, 4))
    with pytest.raises(OutputExistsError):
        TiledNDTiffWriter(tmp_path / "run", tile_overlap=0)
    writer.close()
    writer.close()
    writer.flush()
    writer.sync()
    with pytest.raises(StreamClosedError):
        writer.put({"row": 0, "column": 0}, _noise(4, 4))
    with pytest.raises(OutputExistsError):
        TiledNDTiffWriter(tmp_path / "run", tile_overlap=0)
    _check(tmp_path / "run", {(0, 0): _noise(4, 4)}, (0, 0), 1)


@pytest.mark.parametrize("writes", range(14))
@pytest.mark.usefixtures("any_io")
def test_a_disk_that_fails_anywhere_leaves_levels_that_are_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """The disk refuses one write of a put that also adds a level."""
    root = tmp_path / "run"
    level0 = {(0, c): _noise(8, 8, seed=c) for c in range(4)}
    with DataFile.open(__file__) as file:
        kind = type(file)
    real, left = kind.write_at, [-1]

    def write_at(file: DataFile, offset: int, *buffers: Buffer) -> int:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, offset, *buffers)

    monkeypatch.setattr(kind, "write_at", write_at)
    with TiledNDTiffWriter(root, tile_overlap=0) as writer:
        writer.put({"row": 0, "column": 0}, level0[0, 0])
        writer.put({"row": 0, "column": 1}, level0[0, 1])
        left[0] = writes + 1
        try:
            writer.put({"row": 0, "column": 2}, level0[0, 2])
        except DiskSpaceError:
            pass
        left[0] = -1
        if writer.read_frame({"row": 0, "column": 2}) is None:
            del level0[0, 2]
        writer.put({"row": 0, "column": 3}, level0[0, 3])
    _check(root, level0, (0, 0), 3)
    assert not list(root.glob("*/*.new"))
    assert not (root / WRITING_NAME).exists()


def test_tiles_from_many_threads(tmp_path: Path) -> None:
    root = tmp_path / "run"
    level0 = {(r, c): _noise(8, 8, seed=8 * r + c) for r in range(6) for c in range(6)}
    errors: list[BaseException] = []

    def work(rest: int) -> None:
        try:
            for number, ((row, column), frame) in enumerate(level0.items()):
                if number % 4 == rest:
                    place = writer.put({"row": row, "column": column}, frame)
                    np.testing.assert_array_equal(writer.read(place), frame)
                    if number % 9 == 0:
                        writer.sync()
        except BaseException as error:
            errors.append(error)

    with TiledNDTiffWriter(root, tile_overlap=0) as writer:
        threads = [Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors
    _check(root, level0, (0, 0), 4)


_ENDLESS = """
import itertools, sys
import numpy as np
from napari_scope.formats.ndtiff.tiles import TiledNDTiffWriter

writer = TiledNDTiffWriter(sys.argv[1], tile_overlap=4, max_file_bytes=60_000)
for number in itertools.count():
    side = int(number**0.5)
    rest = number - side * side
    row, column = (rest, side) if rest < side else (side, 2 * side - rest)
    frame = np.random.default_rng(number).integers(0, 65535, (36, 36), "u2")
    writer.put({"row": row, "column": column}, frame, {"number": number})
    sys.stdout.write(f"{row},{column}\\n")
    sys.stdout.flush()
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_leaves_all_levels(tmp_path: Path, seed: int) -> None:
    ndstorage = pytest.importorskip("ndstorage", reason="the reference reader")
    tifffile = pytest.importorskip("tifffile")
    root = tmp_path / "run"
    paths = os.pathsep.join(p for p in sys.path if p)
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(root)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(random.Random(seed).randint(1, 60)):
            process.stdout.readline()
        process.kill()
        announced = process.stdout.read().rpartition("\n")[0].split("\n")
    assert (root / WRITING_NAME).exists()
    levels = _levels(root)
    for line in filter(None, announced):
        row, column = map(int, line.split(","))
        assert frozenset({"row": row, "column": column}.items()) in levels[0]
    for tile in levels[0]:
        axes = dict(tile)
        for level in range(1, len(levels)):
            above = {name: int(axes[name]) >> level for name in axes}
            # Only the tile of the last moment may not have got there.
            if frozenset(above.items()) not in levels[level]:
                assert axes == dict(list(levels[0])[-1])
    dataset = ndstorage.Dataset(str(root))
    assert sorted(dataset.res_levels) == sorted(levels)
    assert len(dataset.get_index_keys()) == len(levels[0])
    for level in dataset.res_levels.values():
        level.close()
    for path in root.glob("*/*.tif"):
        with tifffile.TiffFile(path) as tiff:
            assert all(page.asarray().ndim == 2 for page in tiff.pages)


def test_all_levels_are_found_again_without_an_index(tmp_path: Path) -> None:
    places = [(row, column) for row in (-2, 0, 1) for column in (3, 4, 5)]
    with TiledNDTiffWriter(tmp_path / "run", tile_overlap=2) as writer:
        for number, (row, column) in enumerate(places):
            axes = {"row": row, "column": column, "channel": "a"}
            writer.put(axes, _noise(18, 18, seed=number))
    before = {}
    for level in (0, 1, 2):
        with NDTiffReader(tmp_path / "run", level=level) as reader:
            for row in reader.rows().tolist():
                key = level, *sorted(reader.table.axes(row).items())
                before[key] = reader.read_row(row)
    for index in (tmp_path / "run").rglob("NDTiff.index"):
        index.unlink()
    for level in (0, 1, 2):
        with NDTiffReader(tmp_path / "run", level=level) as reader:
            for row in reader.rows().tolist():
                key = level, *sorted(reader.table.axes(row).items())
                np.testing.assert_array_equal(before.pop(key), reader.read_row(row))
    assert not before
