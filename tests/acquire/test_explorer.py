"""Exploring on demand: what is taken, when, and what can be seen of it."""

from __future__ import annotations

import threading
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.acquire import Acquisition, ExploreChannel, Explorer, Output
from napari_scope.errors import AcquisitionError, PlanError, ScopeError, SettingsError
from napari_scope.formats.ndtiff import open_ndtiff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.acquire import CoreOwner

SIZE, OVERLAP = 64, 8
STEP = SIZE - OVERLAP
BLOCK = [(r, c) for r in range(2) for c in range(2)]


class Stage:
    """A stage that is there at once, and a camera that can be held up."""

    def __init__(self, owner: CoreOwner) -> None:
        self.owner = owner
        core = owner.core
        core.setProperty("Camera", "OnCameraCCDXSize", SIZE)
        core.setProperty("Camera", "OnCameraCCDYSize", SIZE)
        core.setProperty("Camera", "Mode", "Noise")  # no two images are the same
        core.setProperty("XY", "Velocity", 1000)
        core.setExposure(1)
        self.gate = threading.Event()
        self.gate.set()
        self.snaps = 0
        self.fails_at = -1
        self.reached: Callable[[int], None] = lambda number: None
        self._snap = core.snapImage
        core.snapImage = self._snap_image  # type: ignore[method-assign]

    def _snap_image(self) -> None:
        assert self.gate.wait(30)
        self.snaps += 1
        if self.snaps == self.fails_at:
            raise RuntimeError("the camera is gone")
        self.reached(self.snaps)
        self._snap()


@pytest.fixture
def stage(owner: CoreOwner) -> Iterator[Stage]:
    stage = Stage(owner)
    yield stage
    stage.gate.set()


def explorer(stage: Stage, folder: Path, **options: Any) -> Explorer:
    options = {"tile_overlap": OVERLAP, **options}
    return Explorer(folder, "a", core=stage.owner, **options)


def wait(future: Any, **more: Any) -> None:
    future.await_image_saved(return_image=False, timeout=60, **more)


def check(explored: Explorer, index: tuple[int, ...] = (), **axes: int | str) -> None:
    """Compare the mosaic and its levels with the tiles that are stored."""
    image = explored.mosaic()
    plane = np.asarray(image.levels[0][index])
    top, left = image.metadata["first_tile"]  # type: ignore[misc]
    expected = np.zeros_like(plane)
    dataset = explored.acquisition.get_dataset()
    for row, column in explored.tiles():
        key = {"row": row, "column": column, **axes}
        if dataset.has_image(**key):
            tile = dataset.read_image(**key)[4 : 4 + STEP, 4 : 4 + STEP]
            y, x = (row - top) * STEP, (column - left) * STEP
            expected[y : y + STEP, x : x + STEP] = tile
    np.testing.assert_array_equal(plane, expected)
    if top % 8 or left % 8:
        return  # coarser levels begin in the middle of a tile
    for level in image.levels[1:]:
        height, width = (n // 2 * 2 for n in expected.shape)
        four = expected[:height, :width].reshape(height // 2, 2, width // 2, 2)
        expected = (four.astype("u4").sum((1, 3)) // 4).astype("u2")
        np.testing.assert_array_equal(np.asarray(level[index]), expected)


# ------------------------------------------------------------------ on demand


def test_tiles_are_taken_on_demand(stage: Stage, tmp_path: Path) -> None:
    with explorer(stage, tmp_path) as explored:
        assert explored.tiles() == set()
        with pytest.raises(AcquisitionError, match="no tile yet"):
            explored.mosaic()
        wait(explored.acquire([(0, 0)]))
        assert explored.tiles() == {(0, 0)}
        assert explored.mosaic().levels[0].shape == (STEP, STEP)
        wait(explored.acquire_at(-STEP, 2 * STEP + 20.0))
        assert explored.tiles() == {(0, 0), (2, -1)}
        wait(explored.acquire_region((0, STEP), (STEP, 0)))
        assert explored.tiles() == {(2, -1), *BLOCK}
        check(explored)
        assert explored.grid.nearest(0, 0) == (0, 0)
    # The path is that of a data set like any other.
    (image,) = open_ndtiff(explored.path).images
    assert image.levels[0].shape == (3 * STEP, 3 * STEP)
    assert explored.acquisition.report is not None
    assert explored.acquisition.report.saved == 5


def test_no_tile_is_taken_twice(stage: Stage, tmp_path: Path) -> None:
    with explorer(stage, tmp_path) as explored:
        first = explored.acquire([*BLOCK, *BLOCK, (np.int64(0), np.int8(1))])
        second = explored.acquire([(1, 1), (1, 2)])
        wait(second)
        again = explored.acquire(BLOCK)
        wait(again)
        again.await_execution(timeout=60)
        wait(first)
        assert {(a["row"], a["column"]) for a in second.axes} == {(1, 1), (1, 2)}
        image = again.await_image_saved({"row": 1, "column": 1}, timeout=60)
        assert image.shape == (SIZE, SIZE)
        with pytest.raises(PlanError, match="no tiles"):
            explored.acquire([])
    assert stage.snaps == 5


def test_many_threads_ask(stage: Stage, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            for row in range(5):
                wait(explored.acquire([(row, c) for c in range(number - 2, number)]))
        except BaseException as error:
            failures.append(error)

    with explorer(stage, tmp_path) as explored:
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert explored.tiles() == set(product(range(5), range(-2, 4)))
        check(explored)
    assert stage.snaps == 30


def test_a_second_region_while_the_first_is_taken(stage: Stage, tmp_path: Path) -> None:
    with explorer(stage, tmp_path) as explored:
        stage.gate.clear()
        first = explored.acquire_region((0, 2 * STEP), (0, STEP))
        second = explored.acquire_region((-STEP, STEP), (-STEP, 0))
        third = explored.acquire(BLOCK)  # are waited for, though others asked first
        stage.gate.set()
        wait(third)
        assert explored.tiles() >= set(BLOCK)
        wait(second)
        wait(first)
        assert len(explored.tiles()) == 6 + 4
        check(explored)
        keys = explored.acquisition.get_dataset().get_index_keys()
        rows = [key["row"] for key in keys]
        assert rows[:6] == [0, 0, 0, 1, 1, 1]


# ------------------------------------------------------------------ heights, channels


def test_heights(stage: Stage, tmp_path: Path) -> None:
    stage.owner.core.setZPosition(30.0)
    with explorer(stage, tmp_path, z_step_um=2.5, z_below=2) as explored:
        wait(explored.acquire([(0, 0)], z=range(-2, 2)))
        wait(explored.acquire([(0, 1)]))
        wait(explored.acquire([(0, 1)], z=-1))
        dataset = explored.acquisition.get_dataset()
        for z in range(-2, 2):
            about = dataset.read_metadata(row=0, column=0, z=z + 2)
            assert about["ZPosition_um_Intended"] == 30 + z * 2.5
        (z_axis, _, _) = explored.mosaic().axes
        assert (z_axis.name, z_axis.scale) == ("z", 2.5)
        for z in range(4):
            check(explored, (z,), z=z)
        with pytest.raises(PlanError, match="no level -3") as error:
            explored.acquire([(0, 0)], z=[0, -3])
        assert "z_below=3" in str(error.value)
        with pytest.raises(PlanError, match="whole number"):
            explored.acquire([(0, 0)], z=[0.5])  # type: ignore[list-item]
    assert stage.snaps == 6


def test_channels(stage: Stage, tmp_path: Path) -> None:
    channels = ["DAPI", ExploreChannel("FITC", 3.0)]
    with explorer(stage, tmp_path, channels=channels) as explored:
        wait(explored.acquire([(0, 0), (0, 1)]))
        wait(explored.acquire([(0, 2)], channels=["FITC"]))
        wait(explored.acquire([(0, 2)]))
        image = explored.mosaic()
        assert [c.name for c in image.channels] == ["DAPI", "FITC"]
        check(explored, (0,), channel="DAPI")
        check(explored, (1,), channel="FITC")
        about = explored.acquisition.get_dataset().read_metadata(
            row=0, column=2, channel="FITC"
        )
        assert about["Exposure"] == 3.0
        with pytest.raises(PlanError, match="no channel 'Cy5'"):
            explored.acquire([(0, 0)], channels=["Cy5"])
    assert stage.snaps == 6


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"channels": ["DAPI", "DAPI"]}, "named twice"),
        ({"z_step_um": 0}, "not zero"),
        ({"z_step_um": float("nan")}, "not zero"),
        ({"z_below": 1}, "levels below"),
        ({"z_step_um": 1, "z_below": -1}, "levels below"),
        ({"tile_overlap": SIZE}, "cannot overlap"),
        ({"outputs": [Output("a.zarr", "ome-zarr")]}, "needs an output of NDTiff"),  # type: ignore[arg-type]
    ],
)
def test_what_makes_no_sense(
    stage: Stage, tmp_path: Path, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(SettingsError, match=text):
        explorer(stage, tmp_path, **options)
    with Acquisition(core=stage.owner):  # nothing of it is running
        pass


def test_a_microscope_without_a_focus_drive(stage: Stage, tmp_path: Path) -> None:
    stage.owner.core.setFocusDevice("")
    with pytest.raises(SettingsError, match="no focus drive"):
        explorer(stage, tmp_path, z_step_um=1)
    with explorer(stage, tmp_path) as explored:
        with pytest.raises(PlanError, match="one level in height only"):
            explored.acquire([(0, 0)], z=1)
        with pytest.raises(PlanError, match="the row of a tile is a whole number"):
            explored.acquire([(0.5, 0)])  # type: ignore[list-item]
        wait(explored.acquire([(0, 0)]))


# ------------------------------------------------------------------ endings


def test_what_was_cleared_is_not_taken_but_may_be_asked_for_again(
    stage: Stage, tmp_path: Path
) -> None:
    with explorer(stage, tmp_path) as explored:
        held = threading.Event()
        go_on = threading.Event()

        def hold(number: int) -> None:
            if number == 2:
                held.set()
                assert go_on.wait(30)

        stage.reached = hold
        future = explored.acquire([(0, c) for c in range(50)])
        other = explored.acquire([(1, c) for c in range(50)])
        assert held.wait(30)
        explored.clear()
        # The second is being taken: asked for again it must not come twice.
        again = explored.acquire([(0, 0), (0, 1), (0, 10)])
        go_on.set()
        wait(again)
        wait(future)
        wait(other)
        assert explored.tiles() == {(0, 0), (0, 1), (0, 10)}
        check(explored)
    assert stage.snaps == 3


def test_close_takes_what_was_asked_for(stage: Stage, tmp_path: Path) -> None:
    explored = explorer(stage, tmp_path)
    explored.acquire([(0, c) for c in range(8)])
    explored.close()
    assert len(explored.tiles()) == 8
    with pytest.raises(AcquisitionError):
        explored.acquire([(5, 5)])
    check(explored)
    explored.close()


def test_abort_leaves_the_rest(stage: Stage, tmp_path: Path) -> None:
    explored = explorer(stage, tmp_path)
    future = explored.acquire([(0, c) for c in range(500)])
    wait(future, axes={"row": 0, "column": 2})
    explored.abort()
    count = len(explored.tiles())
    assert 3 <= count < 500
    check(explored)
    report = explored.acquisition.report
    assert report is not None
    assert (str(report.state), report.saved) == ("cancelled", count)
    with pytest.raises(AcquisitionError):
        wait(future)


def test_an_error_in_the_block_aborts(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="mine"), explorer(stage, tmp_path) as explored:
        explored.acquire([(0, c) for c in range(500)])
        raise KeyError("mine")
    assert len(explored.tiles()) < 500


def test_a_camera_that_fails_ends_it(stage: Stage, tmp_path: Path) -> None:
    stage.fails_at = 4
    explored = explorer(stage, tmp_path)
    future = explored.acquire([(0, c) for c in range(8)])
    with pytest.raises(ScopeError, match="the camera is gone"):
        wait(future)
    with pytest.raises(ScopeError, match="the camera is gone"):
        explored.close()
    with pytest.raises(ScopeError):
        explored.acquire([(0, 7)])
    assert explored.tiles() == {(0, 0), (0, 1), (0, 2)}
    check(explored)
    dataset = open_ndtiff(explored.path)
    assert dataset.finished
    assert dataset.problems == ()


def test_a_tile_that_failed_or_was_dropped_does_not_come(
    stage: Stage, tmp_path: Path
) -> None:
    def drop(event: dict[str, Any]) -> dict[str, Any] | None:
        return None if event["axes"]["column"] == 4 else event

    stage.fails_at = 2
    options = {"on_error": "skip", "event_generation_hook_fn": drop}
    with explorer(stage, tmp_path, **options) as explored:
        for _ in range(2):
            future = explored.acquire([(0, c) for c in range(6)])
            wait(future)  # for those that come
            for column in (1, 4):
                with pytest.raises(AcquisitionError, match="will not come"):
                    wait(future, axes={"row": 0, "column": column})
            assert explored.tiles() == {(0, 0), (0, 2), (0, 3), (0, 5)}
        check(explored)
    report = explored.acquisition.report
    assert report is not None
    assert (report.saved, len(report.skipped)) == (4, 1)


def test_an_explorer_that_never_took_a_tile(stage: Stage, tmp_path: Path) -> None:
    with explorer(stage, tmp_path) as explored:
        explored.clear()
    assert explored.tiles() == set()


# ------------------------------------------------------------------ looking


def test_the_mosaic_grows_in_a_viewer(stage: Stage, tmp_path: Path) -> None:
    from napari.components import ViewerModel

    from napari_scope.layers import dataset_to_layers, origin_of
    from napari_scope.layers.growing import grown

    viewer = ViewerModel()
    stage.owner.core.setXYPosition(200, 100)
    stage.owner.core.waitForSystem()

    def check_shown() -> None:
        """Each tile is in the world where the stage was for it."""
        (layer,) = viewer.layers
        data = layer.data[0] if layer.multiscale else layer.data
        plane: npt.NDArray[Any] = np.asarray(data).reshape(data.shape[-2:])
        dataset = explored.acquisition.get_dataset()
        for row, column in explored.tiles():
            about = dataset.read_metadata(row=row, column=column)
            centre = about["YPositionUm"], about["XPositionUm"]
            y, x = layer.world_to_data([0] * (layer.ndim - 2) + [*centre])[-2:]
            # The centre of 64 pixels lies between two of them.
            top, left = (round(v + 0.5 - STEP / 2) for v in (y, x))
            tile = dataset.read_image(row=row, column=column)
            np.testing.assert_array_equal(
                plane[top : top + STEP, left : left + STEP],
                tile[4 : 4 + STEP, 4 : 4 + STEP],
            )
        np.testing.assert_allclose(
            layer.extent.data[1][-2:] + 1, np.array(plane.shape), atol=1
        )

    with explorer(stage, tmp_path) as explored:
        wait(explored.acquire([(0, 0)]))
        now = open_ndtiff(explored.path)
        assert not now.finished
        for data, arguments, _ in dataset_to_layers(now):
            viewer.add_image(data, **arguments)
        check_shown()
        for tiles in ([(0, 1)], [(1, 0), (2, 2)], [(-1, 0)], [(-2, -5), (4, 4)]):
            wait(explored.acquire(tiles))
            (layer,) = viewer.layers
            assert now.reload is not None
            now = now.reload()
            origin = origin_of(layer.metadata)
            assert origin is not None
            (change,) = grown([origin], now).changes
            data, arguments, _ = change.after
            # As the widgets do it, which tests of theirs are about.
            if layer.multiscale != arguments["multiscale"]:
                viewer.layers.remove(layer)
                viewer.add_image(data, **arguments)
            else:
                layer.translate = arguments["translate"]
                layer.metadata = arguments["metadata"]
                layer.data = data
            check_shown()
        (layer,) = viewer.layers
        assert layer.multiscale
        assert [np.shape(level) for level in layer.data][:2] == [
            (7 * STEP, 10 * STEP),
            (7 * STEP // 2, 10 * STEP // 2),
        ]


@pytest.mark.slow
def test_hundreds_of_tiles(stage: Stage, tmp_path: Path) -> None:
    with explorer(stage, tmp_path) as explored:
        wait(explored.acquire_region((0, 24 * STEP), (0, 11 * STEP)))
        assert len(explored.tiles()) == 300
        assert len(explored.mosaic().levels) == 6
        check(explored)


def test_how_far_it_is(stage: Stage, tmp_path: Path) -> None:
    with explorer(stage, tmp_path, channels=["DAPI", "FITC"]) as explored:
        about = explored.explored()
        assert (about.taken, about.waiting, about.now) == (frozenset(), (), None)
        stage.gate.clear()
        future = explored.acquire([(0, 0), (0, 1), (2, 2)])
        explored.acquire([(0, 1), (5, 5)])
        while explored.explored().now is None:
            pass
        about = explored.explored()
        assert about.now == (0, 0)
        assert about.waiting == ((0, 0), (0, 1), (2, 2), (5, 5))
        stage.gate.set()
        wait(future)
        explored.clear()
    about = explored.explored()
    assert about.taken >= {(0, 0), (0, 1), (2, 2)}
    assert about.waiting == ()
    assert str(about.state) == "finished"
    assert about.saved >= 6
    assert about.error is None


def test_a_grid_that_begins_elsewhere(stage: Stage, tmp_path: Path) -> None:
    with explorer(stage, tmp_path, origin_um=(500.0, -200.0)) as explored:
        wait(explored.acquire([(0, 0), (1, 2)]))
        assert explored.grid.stage(0, 0) == (500.0, -200.0)
        dataset = explored.acquisition.get_dataset()
        about = dataset.read_metadata(row=1, column=2)
        assert about["XPosition_um_Intended"] == 500 + 2 * STEP
        assert about["YPositionUm"] == pytest.approx(-200 + STEP, abs=0.1)
        y, x = explored.mosaic().axes
        # Half the overlap of the first tile is cut off.
        assert x.translation == 500 - (SIZE - 1) / 2 + OVERLAP / 2
        assert y.translation == -200 - (SIZE - 1) / 2 + OVERLAP / 2
