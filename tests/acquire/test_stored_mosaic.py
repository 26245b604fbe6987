"""Mosaics that are gone on with: of an ended program, of a killed one, of others."""

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
from tests.acquire.test_explorer import OVERLAP, SIZE, STEP, Stage, explorer, wait

from napari_scope.acquire import Acquisition, Explorer
from napari_scope.acquire.stored_mosaic import stored_mosaic
from napari_scope.errors import FormatError, HardwareError, SettingsError, StreamError
from napari_scope.fileio import uses_portable_io
from napari_scope.stream import Output, read_journal, recover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_scope.acquire import CoreOwner

CHANNELS = ("DAPI", "FITC")


def stamped(image: Any, metadata: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Write into an image which it is, so that readers tell where they found it."""
    axes = metadata["Axes"]
    image[:] = stamp(axes["row"], axes["column"], axes.get("channel"), axes.get("z", 0))
    return image, metadata


def stamp(row: int, column: int, channel: str | None = None, z: int = 0) -> int:
    number = CHANNELS.index(channel) if channel else 0
    return 1000 + 40 * (row + 20) + column + 20 + 5000 * number + 10000 * z


def check_by_ndstorage(path: Path, wanted: dict[tuple[int, int], int]) -> None:
    """Read all tiles and all levels with the reference library."""
    from ndstorage import Dataset

    dataset = Dataset(str(path))
    found = {(k["row"], k["column"]) for k in dataset.get_index_keys()}
    assert found == set(wanted)
    now: dict[tuple[int, int], Any] = {}
    for (row, column), value in wanted.items():
        tile = dataset.read_image(row=row, column=column)
        np.testing.assert_array_equal(tile, np.full((SIZE, SIZE), value))
        now[row, column] = np.full((STEP, STEP), value)
    level = 0
    while (path / f"Downsampled_x{2 ** (level + 1)}").is_dir():
        level += 1
        coarser: dict[tuple[int, int], Any] = {}
        for (row, column), tile in now.items():
            big = coarser.setdefault(
                (row >> 1, column >> 1), np.zeros((2 * STEP, 2 * STEP), "u4")
            )
            y, x = (row & 1) * STEP, (column & 1) * STEP
            big[y : y + STEP, x : x + STEP] = tile
        now = {
            place: big.reshape(STEP, 2, STEP, 2).sum((1, 3)) // 4
            for place, big in coarser.items()
        }
        for (row, column), tile in now.items():
            there = dataset.read_image(row=row, column=column, resolution_level=level)
            np.testing.assert_array_equal(there, tile)
    extent = [max(p[i] for p in wanted) - min(p[i] for p in wanted) for i in (0, 1)]
    assert level == max(extent).bit_length()
    for files in dataset.res_levels.values():  # its own way to close fails
        files.close()


@pytest.fixture
def stage(owner: CoreOwner) -> Iterator[Stage]:
    stage = Stage(owner)
    yield stage
    stage.gate.set()


@pytest.mark.filterwarnings("ignore")  # of ndstorage
def test_a_mosaic_goes_on_where_it_was(stage: Stage, tmp_path: Path) -> None:
    core = stage.owner.core
    core.setXYPosition(100, -50)
    with explorer(stage, tmp_path, image_process_fn=stamped) as explored:
        grid = explored.grid
        wait(explored.acquire([(0, 0), (0, 1)]))
    core.setXYPosition(2000, 3000)
    with Explorer.resume(
        explored.path, core=stage.owner, image_process_fn=stamped
    ) as again:
        assert again.grid == grid
        assert again.path == explored.path
        assert again.tiles() == {(0, 0), (0, 1)}
        assert again.mosaic().levels[0].shape == (STEP, 2 * STEP)
        snaps = stage.snaps
        wait(again.acquire([(0, 0), (0, 1)]))  # they are there
        assert stage.snaps == snaps
        wait(again.acquire([(0, 1), (-2, 3), (1, -1)]))
        assert stage.snaps == snaps + 2
        wanted = [(0, 0), (0, 1), (-2, 3), (1, -1)]
        assert again.tiles() == set(wanted)
        about = again.acquisition.get_dataset().read_metadata(row=-2, column=3)
        assert (about["XPosition_um_Intended"], about["YPosition_um_Intended"]) == (
            grid.stage(-2, 3)
        )
    assert again.acquisition.report is not None
    assert again.acquisition.report.saved == 2
    check_by_ndstorage(again.path, {p: stamp(*p) for p in wanted})
    # Once more, and nothing is taken.
    with Explorer.resume(again.path, core=stage.owner):
        pass
    assert recover(again.path).was_closed
    check_by_ndstorage(again.path, {p: stamp(*p) for p in wanted})


def test_channels_and_heights_go_on(stage: Stage, tmp_path: Path) -> None:
    core = stage.owner.core
    core.setZPosition(40)
    options = {"channels": CHANNELS, "z_step_um": 2.5, "z_below": 2}
    with explorer(stage, tmp_path, image_process_fn=stamped, **options) as explored:
        wait(explored.acquire([(0, 0)], z=[-1, 0, 1]))
    assert stored_mosaic(explored.path).levels == range(-1, 2)
    core.setZPosition(0)
    path = explored.path / "Full resolution"  # as somebody may choose it
    with Explorer.resume(path, core=stage.owner, image_process_fn=stamped) as again:
        wait(again.acquire([(0, 1)], z=[-1, 0, 1]))
        wait(again.acquire([(0, 0)], z=-2, channels=["FITC"]))
        dataset = again.acquisition.get_dataset()
        about = dataset.read_metadata(row=0, column=1, channel="FITC", z=1)
        assert about["ZPosition_um_Intended"] == 37.5
        mosaic = again.mosaic()
        assert mosaic.levels[0].shape == (2, 4, STEP, 2 * STEP)
        for axes in dataset.get_index_keys():
            value = stamp(axes["row"], axes["column"], axes["channel"], axes["z"])
            index = CHANNELS.index(axes["channel"]), axes["z"]
            plane = np.asarray(mosaic.levels[0][index])
            x = axes["column"] * STEP
            assert (plane[:, x : x + STEP] == value).all()


def changed_binning(core: Any) -> None:
    core.setProperty("Camera", "Binning", "2")


def changed_region(core: Any) -> None:
    core.setROI(0, 0, 32, 64)


def moved_region(core: Any) -> None:
    core.setROI(8, 0, 64, 64)


def changed_pixels(core: Any) -> None:
    core.setProperty("Camera", "PixelType", "8bit")


def changed_turn(core: Any) -> None:
    core.setPixelSizeAffine("Res10x", [0.5, 0.5, 0, -0.5, 0.5, 0])


def changed_camera(core: Any) -> None:
    core.loadDevice("Other", "DemoCamera", "DCam")
    core.initializeDevice("Other")
    for name in ("OnCameraCCDXSize", "OnCameraCCDYSize"):
        core.setProperty("Other", name, SIZE)
    core.setProperty("Other", "PixelType", "16bit")
    core.setCameraDevice("Other")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            changed_binning,
            ["image is 64 x 64 there and 32 x 32", "1 µm there and 2 µm here"],
        ),
        (changed_region, ["the image is 64 x 64 there and 32 x 64 here"]),
        (
            moved_region,
            [
                "the region of the camera is [0, 0, 64, 64] there and "
                "[8, 0, 64, 64] here"
            ],
        ),
        (changed_pixels, ["the type of the pixels is uint16 there and uint8 here"]),
        (changed_turn, ["a pixel is 1 µm there and", "turned by -45 degrees"]),
        (changed_camera, ["the camera is Camera there and Other here"]),
    ],
)
def test_another_microscope_is_refused(
    stage: Stage, tmp_path: Path, change: Callable[[Any], None], words: list[str]
) -> None:
    with explorer(stage, tmp_path) as explored:
        wait(explored.acquire([(0, 0)]))
    change(stage.owner.core)
    with pytest.raises(SettingsError, match="would not fit") as error:
        Explorer.resume(explored.path, core=stage.owner)
    for part in words:
        assert part in str(error.value)
    assert recover(explored.path).was_closed  # it was left alone


def test_what_is_no_mosaic_is_refused(stage: Stage, tmp_path: Path) -> None:
    event = {"axes": {"row": 0, "column": 0}}
    for name, more in (
        ("ome", {"outputs": [Output(tmp_path / "ome.zarr", "ome-zarr")]}),
        ("plain", {}),
        ("tiled", {"tile_overlap": OVERLAP}),
    ):
        folder = None if "outputs" in more else tmp_path
        with Acquisition(folder, name, core=stage.owner, **more) as acquisition:  # type: ignore[arg-type]
            acquisition.acquire(event)
        with pytest.raises(FormatError) as error:
            Explorer.resume(acquisition.path, core=stage.owner)
        assert "mosaic" in str(error.value)
    with pytest.raises(FormatError, match="no mosaic of an explorer"):
        stored_mosaic(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("tiles", "origin_um", [0, "here"]),
        ("tiles", "image_px", [64]),
        ("tiles", "overlap_px", [64, 64]),
        ("tiles", "affine", [1, 0, 0, float("nan")]),
        ("explorer", "z_below", -1),
        ("explorer", "channels", [{"config": "DAPI"}]),
        ("explorer", "channels", 3),
    ],
)
def test_facts_that_make_no_sense_are_refused(
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    name: str,
    value: object,
) -> None:
    with explorer(stage, tmp_path) as explored:
        wait(explored.acquire([(0, 0)]))
    from napari_scope.formats.ndtiff.resume import StoredFolder

    facts = stored_mosaic_facts(explored.path)
    facts["napari_scope"][part][name] = value
    monkeypatch.setattr(StoredFolder, "facts", lambda self: facts)
    with pytest.raises(FormatError, match="does not say how its tiles were taken"):
        stored_mosaic(explored.path)


def stored_mosaic_facts(path: Path) -> Any:
    from napari_scope.formats.ndtiff.resume import stored_folder

    return json.loads(stored_folder(path / "Full resolution").summary)


def test_a_mosaic_that_grows_is_left_to_its_explorer(
    stage: Stage, tmp_path: Path
) -> None:
    with explorer(stage, tmp_path) as explored:
        wait(explored.acquire([(0, 0)]))
        with pytest.raises(StreamError, match="still being written"):
            Explorer.resume(explored.path, core=stage.owner)


def test_without_a_microscope(owner: CoreOwner, stage: Stage, tmp_path: Path) -> None:
    with explorer(stage, tmp_path) as explored:
        wait(explored.acquire([(0, 0)]))
    owner.core.unloadAllDevices()
    with pytest.raises(HardwareError, match="no microscope"):
        Explorer.resume(explored.path, core=owner)


def test_a_tile_that_failed_is_not_tried_again(stage: Stage, tmp_path: Path) -> None:
    stage.fails_at = 2
    with explorer(stage, tmp_path, on_error="skip") as explored:
        wait(explored.acquire([(0, 0)]))
        explored.acquire([(0, 1)])
    with Explorer.resume(explored.path, core=stage.owner) as again:
        wait(again.acquire([(0, 1), (0, 2)]))
        assert again.tiles() == {(0, 0), (0, 2)}


KILLED = """
import sys, time
from tests.acquire.test_explorer import OVERLAP, Stage
from tests.acquire.test_stored_mosaic import stamped
from napari_scope.acquire import CoreOwner, Explorer

with CoreOwner() as owner:
    owner.load()
    Stage(owner)
    explorer = Explorer(
        sys.argv[1], "a", tile_overlap=OVERLAP, core=owner, image_process_fn=stamped
    )
    explorer.acquire_region((-280, 280), (-280, 280))
    while True:
        print(len(explorer.tiles()), flush=True)
        time.sleep(0.005)
"""


@pytest.mark.filterwarnings("ignore")  # of ndstorage
def test_a_killed_mosaic_goes_on(stage: Stage, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NAPARI_SCOPE_PORTABLE_IO": str(int(uses_portable_io()))},
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    with process:
        taken = 0
        while taken < 17:
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            taken = int(line)
        process.kill()
    path = tmp_path / "a_1"
    assert read_journal(path / "frames.jsonl").closed is None
    index = path / "Full resolution" / "NDTiff.index"
    index.write_bytes(index.read_bytes()[:-11])  # a disk that was torn away, too
    with Explorer.resume(path, core=stage.owner, image_process_fn=stamped) as again:
        before = again.tiles()
        assert 17 <= len(before) < 121
        wait(again.acquire_region((-280, 280), (-280, 280)))
        wait(again.acquire([(7, -6)]))
        assert stage.snaps == 122 - len(before)
        tiles = again.tiles()
        assert len(tiles) == 122
    check_by_ndstorage(path, {p: stamp(*p) for p in tiles})
    assert recover(path).was_closed
