"""Tiles: where they are on the stage, what is stored of them, and where it is shown."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scope.acquire import Acquisition, Output, TileGrid
from napari_scope.acquire.tiling import as_seen, tiled_sinks
from napari_scope.errors import HardwareError, PlanError, ScopeError, SettingsError
from napari_scope.formats import open_dataset
from napari_scope.stream import ImageSpec, StoreSpec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire import CoreOwner
    from napari_scope.model import Image

    Frames = dict[frozenset[tuple[str, int | str]], npt.NDArray[Any]]

WIDTH, HEIGHT = 64, 48
OVERLAP = (8, 6)
STEP = (WIDTH - OVERLAP[0], HEIGHT - OVERLAP[1])
TURNED = {
    "mirrored": [-1.0, 0, 0, 0, 1.0, 0],
    "rotated": [0, -1.0, 0, 1.0, 0, 0],
    "askew": [0.99, 0.1, 0, -0.1, 0.99, 0],
    "sheared": [1.0, 0.3, 0, 0, 1.0, 0],
}


@pytest.fixture
def small(owner: CoreOwner) -> CoreOwner:
    """A microscope with small images, whose stage is soon where it should be."""
    core = owner.core
    core.setProperty("Camera", "OnCameraCCDXSize", WIDTH)
    core.setProperty("Camera", "OnCameraCCDYSize", HEIGHT)
    core.setProperty("Camera", "Mode", "Noise")  # no two images are the same
    core.setExposure(1)
    return owner


# ------------------------------------------------------------------ the grid


def matrices() -> st.SearchStrategy[tuple[float, float, float, float]]:
    """Turned, mirrored and sheared cameras with pixels that are not square."""

    def matrix(
        angle: float, mirrored: bool, x: float, y: float, shear: float
    ) -> tuple[float, float, float, float]:
        turn = np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        found = turn @ np.diag([-x if mirrored else x, y]) @ [[1, shear], [0, 1]]
        return tuple(float(v) for v in found.ravel())  # type: ignore[return-value]

    size = st.floats(0.02, 20)
    return st.builds(
        matrix, st.floats(0, 2 * math.pi), st.booleans(), size, size, st.floats(-1, 1)
    )


grids = st.builds(
    TileGrid,
    st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)),
    st.tuples(st.integers(64, 5000), st.integers(64, 5000)),
    st.tuples(st.integers(0, 63), st.integers(0, 63)),
    matrices(),
)
places = st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000))


@given(grids, places)
@settings(deadline=None)
def test_the_tile_nearest_to_a_tile_is_itself(
    grid: TileGrid, place: tuple[int, int]
) -> None:
    assert grid.nearest(*grid.stage(*place)) == place


@given(grids, places, st.tuples(st.floats(-0.49, 0.49), st.floats(-0.49, 0.49)))
@settings(deadline=None)
def test_a_place_within_a_tile_belongs_to_it(
    grid: TileGrid, place: tuple[int, int], off: tuple[float, float]
) -> None:
    a, b, d, e = grid.affine
    right, down = off[0] * grid.step_px[0], off[1] * grid.step_px[1]
    x, y = grid.stage(*place)
    assert grid.nearest(x + a * right + b * down, y + d * right + e * down) == place


@given(
    grids,
    st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
    st.tuples(st.floats(0, 8), st.floats(0, 8)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
@settings(deadline=None, max_examples=60)
def test_tiles_cover_a_region(
    grid: TileGrid,
    corner: tuple[float, float],
    size: tuple[float, float],
    inside: tuple[float, float],
) -> None:
    unit = max(abs(v) for v in grid.affine) * max(grid.step_px) / 2
    if max(map(abs, grid.nearest(*(o + 20 * unit for o in grid.origin_um)))) > 300:
        return  # flat pixels: more tiles than a test should lay out
    x, y = (o + c * unit for o, c in zip(grid.origin_um, corner, strict=True))
    wide, high = (s * unit for s in size)
    tiles = grid.covering((x, x + wide), (y + high, y))
    assert len(set(tiles)) == len(tiles)
    assert grid.nearest(x + inside[0] * wide, y + inside[1] * high) in tiles
    for (r, c), (row, column) in pairwise(tiles):
        assert abs(row - r) + abs(column - c) == 1  # a snake


def test_rows_go_down_the_image_and_columns_to_its_right() -> None:
    grid = TileGrid((10, 20), (100, 80), (20, 10), (0.5, 0, 0, 0.5))
    assert grid.stage(0, 0) == (10, 20)
    assert grid.stage(0, 1) == (50, 20)
    assert grid.stage(1, 0) == (10, 55)
    assert grid.stage(-1, -2) == (-70, -15)
    # A camera that is turned by 90 degrees: its right is the stage's y.
    turned = TileGrid((0, 0), (100, 80), (20, 10), (0, -0.5, 0.5, 0))
    assert turned.stage(0, 1) == (0, 40)
    assert turned.stage(1, 0) == (-35, 0)
    assert grid.at(1, 2).stage(0, 1) == (41, 2)


@pytest.mark.parametrize(
    ("overlap", "affine", "text"),
    [
        ((100, 0), (1, 0, 0, 1), "cannot overlap"),
        ((0, 80), (1, 0, 0, 1), "cannot overlap"),
        ((0, 0), (1, 2, 2, 4), "one line"),
        ((0, 0), (0, 0, 0, 0), "one line"),
        ((0, 0), (math.nan, 0, 0, 1), "one line"),
        ((0, 0), (math.inf, 0, 0, 1), "one line"),
    ],
)
def test_impossible_grids(overlap: Any, affine: Any, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        TileGrid((0, 0), (100, 80), overlap, affine)


def test_impossible_places() -> None:
    grid = TileGrid((0, 0), (100, 80), (0, 0), (0.1, 0, 0, 0.1))
    with pytest.raises(PlanError, match="no place"):
        grid.nearest(math.nan, 0)
    with pytest.raises(PlanError, match=r"rows and \d+ columns"):
        grid.covering((0, 1e6), (0, 1e6))


# ------------------------------------------------------------------ of a microscope


def test_the_grid_of_a_microscope(small: CoreOwner) -> None:
    core = small.core
    core.setXYPosition(30, -12)
    core.waitForSystem()
    grid = TileGrid.of(core, OVERLAP)
    assert grid.origin_um == pytest.approx((30, -12), abs=0.02)
    assert (grid.image_px, grid.overlap_px) == ((WIDTH, HEIGHT), OVERLAP)
    assert grid.affine == (1, 0, 0, 1)
    assert TileGrid.of(core, 4).overlap_px == (4, 4)
    assert TileGrid.of(core, np.int64(4)).overlap_px == (4, 4)  # type: ignore[arg-type]


def test_a_transform_that_was_never_calibrated(core: CMMCorePlus) -> None:
    # Micro-Manager has the identity then, whatever the size of a pixel.
    core.setConfig("Objective", "20X")
    core.waitForSystem()
    assert core.getPixelSizeUm() == 0.5
    assert tuple(core.getPixelSizeAffine(True)) == (1, 0, 0, 0, 1, 0)
    assert TileGrid.of(core, 0).affine == (0.5, 0, 0, 0.5)
    core.setProperty("Camera", "Binning", 2)
    assert TileGrid.of(core, 0).affine == (1, 0, 0, 1)


def test_a_calibrated_transform_goes_with_the_binning(core: CMMCorePlus) -> None:
    core.setPixelSizeAffine("Res10x", [-1.0, 0.1, 7, 0.1, 1.0, 9])
    assert TileGrid.of(core, 0).affine == (-1.0, 0.1, 0.1, 1.0)
    core.setProperty("Camera", "Binning", 2)
    assert TileGrid.of(core, 0).affine == (-2.0, 0.2, 0.2, 2.0)


def test_a_microscope_without_what_tiles_need(core: CMMCorePlus) -> None:
    for overlap in (-1, 512, (1, 2, 3), 1.5, True, "32", (1, None)):
        with pytest.raises(SettingsError, match="overlap"):
            TileGrid.of(core, overlap)  # type: ignore[arg-type]
    core.deletePixelSizeConfig("Res10x")
    with pytest.raises(HardwareError, match="size of a pixel is not known"):
        TileGrid.of(core, 0)
    core.setXYStageDevice("")
    with pytest.raises(HardwareError, match="XY stage"):
        TileGrid.of(core, 0)


def test_a_level_that_cannot_be_is_refused_before_the_run(
    small: CoreOwner, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="coarsest level of -1"):
        Acquisition(tmp_path, "a", tile_overlap=8, max_multi_res_index=-1, core=small)
    with Acquisition(tmp_path, "a", core=small) as acquisition:  # none is running
        acquisition.acquire({"axes": {"time": 0}})


# ------------------------------------------------------------------ events


GRID = TileGrid((0, 0), (100, 80), (0, 0), (1, 0, 0, 1))


@pytest.mark.parametrize(
    "event",
    [
        {"axes": {}, "row": 2, "col": -1},
        {"axes": {}, "row": 2, "column": -1},
        {"axes": {"row": 2, "column": -1}},
        {"axes": {"row": 2, "col": -1, "z": 4}},
        {"axes": {"row": np.int32(2)}, "col": np.uint8(255).astype(np.int8)},
        {"axes": {"row": 2, "column": -1}, "row": 2, "col": -1},
    ],
)
def test_an_event_with_a_row_and_a_column_gets_its_place(event: dict[str, Any]) -> None:
    before = {**event}
    placed = GRID.placed(event)
    assert (placed.pop("x"), placed.pop("y")) == (-100, 160)
    assert placed == event == before


@pytest.mark.parametrize(
    "event",
    [
        {"axes": {"row": 2, "column": 1}, "x": 5.0, "y": 7.0},
        {"axes": {"row": 2, "column": 1}, "x": 5.0},
        {"axes": {"row": 2}},
        {"axes": {"time": 0}},
        {"axes": {"row": "A", "column": 1}},
        {"axes": {"row": True, "column": 1}},
        {"axes": ["row"]},
        {"z": 4},
        {"channel": {"group": "Channel", "config": "DAPI"}},
    ],
)
def test_other_events_stay_as_they_are(event: dict[str, Any]) -> None:
    assert GRID.placed(event) == event


# ------------------------------------------------------------------ stored


def witnessed(
    owner: CoreOwner, events: Any, outputs: Iterable[Output], **options: Any
) -> tuple[Acquisition, Frames]:
    """Run events with tiles; returns the frames as the camera gave them."""
    frames: Frames = {}

    def witness(image: Any, metadata: Any) -> Any:
        frames[frozenset(metadata["Axes"].items())] = image.copy()
        return image, metadata

    options = {"tile_overlap": OVERLAP, "image_process_fn": witness, **options}
    with Acquisition(core=owner, outputs=list(outputs), **options) as acquisition:
        acquisition.acquire(events)
    assert len({frame.tobytes() for frame in frames.values()}) == len(frames)
    return acquisition, frames


def both(folder: Path) -> list[Output]:
    return [
        Output(folder / "a.ndtiff", "ndtiff"),
        Output(folder / "a.ome.zarr", "ome-zarr"),
    ]


def tiles(*places: tuple[int, int], **more: Any) -> list[dict[str, Any]]:
    return [{"axes": {"row": r, "column": c}, **more} for r, c in places]


def cut(frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
    x, y = OVERLAP
    return frame[y // 2 : y // 2 + STEP[1], x // 2 : x // 2 + STEP[0]]


def check_mosaic(
    image: Image, frames: Frames, index: tuple[int, ...] = (), **axes: int | str
) -> int:
    """Compare the tiles of a mosaic with the frames; returns how many there are."""
    plane = np.asarray(image.levels[0][index])
    left = np.ones(plane.shape, bool)
    top, first = image.metadata["first_tile"]  # type: ignore[misc]
    count = 0
    for key, frame in frames.items():
        own: Any = dict(key)
        row, column = own.pop("row"), own.pop("column")
        if own != axes:
            continue
        y, x = (row - top) * STEP[1], (column - first) * STEP[0]
        part = np.s_[y : y + STEP[1], x : x + STEP[0]]
        np.testing.assert_array_equal(plane[part], cut(frame))
        left[part] = False
        count += 1
    assert not plane[left].any()
    return count


def check_over_each_other(folder: Path) -> None:
    """Every tile image shows what the mosaic shows at the same place in the world."""
    (mosaic,) = open_dataset(folder / "a.ndtiff").images
    plane = np.asarray(mosaic.levels[0])
    images = open_dataset(folder / "a.ome.zarr").images
    corner = [axis.translation for axis in mosaic.axes]
    scale = [axis.scale for axis in mosaic.axes]
    assert {axis.unit for axis in mosaic.axes} == {"micrometer"}
    for image in images:
        assert [axis.scale for axis in image.axes] == scale
        place = [
            (axis.translation - start) / axis.scale
            for axis, start in zip(image.axes, corner, strict=True)
        ]
        y, x = (round(p) for p in place)
        # The stage measures where it is in steps of 0.015 um.
        assert (y, x) == pytest.approx(place, abs=0.1)
        y, x = y + OVERLAP[1] // 2, x + OVERLAP[0] // 2
        part = plane[y : y + STEP[1], x : x + STEP[0]]
        np.testing.assert_array_equal(part, cut(np.asarray(image.levels[0])))


def test_tiles_are_stored_where_the_camera_saw_them(
    small: CoreOwner, tmp_path: Path
) -> None:
    small.core.setXYPosition(100, 50)
    small.core.waitForSystem()
    events = [
        {"axes": {"row": 0, "column": 0}},
        {"axes": {"row": np.int64(0)}, "col": 1},
        {"axes": {}, "row": 1, "column": np.int16(0)},
        {"axes": {}, "row": -1, "col": -2},
    ]
    acquisition, frames = witnessed(small, events, both(tmp_path))
    assert len(frames) == 4
    (image,) = open_dataset(tmp_path / "a.ndtiff").images
    assert check_mosaic(image, frames) == 4
    assert len(image.levels) == 3
    check_over_each_other(tmp_path)
    dataset = acquisition.get_dataset()
    for row, column in ((0, 0), (0, 1), (1, 0), (-1, -2)):
        key = frozenset({"row": row, "column": column}.items())
        image_there = dataset.read_image(row=row, col=column)
        np.testing.assert_array_equal(image_there, frames[key])
        about = dataset.read_metadata(row=row, column=column)
        where = about["XPosition_um_Intended"], about["YPosition_um_Intended"]
        expected = (100 + column * STEP[0], 50 + row * STEP[1])
        assert where == pytest.approx(expected, abs=0.02)
        measured = about["XPositionUm"], about["YPositionUm"]
        assert measured == pytest.approx(expected, abs=0.02)
    # Row 0 and column 0 are where the stage was: the centre of their image.
    assert [a.translation for a in image.axes] == pytest.approx(
        [
            50 - STEP[1] - (HEIGHT - 1) / 2 + OVERLAP[1] // 2,
            100 - 2 * STEP[0] - (WIDTH - 1) / 2 + OVERLAP[0] // 2,
        ],
        abs=0.02,
    )


@pytest.mark.parametrize("kind", TURNED)
def test_tiles_of_a_turned_camera_fit_together(
    small: CoreOwner, tmp_path: Path, kind: str
) -> None:
    small.core.setPixelSizeAffine("Res10x", TURNED[kind])
    a, b, _, d, e, _ = TURNED[kind]
    places = [(0, 0), (0, 1), (1, 1), (-1, 0)]
    acquisition, frames = witnessed(small, tiles(*places), both(tmp_path))
    (image,) = open_dataset(tmp_path / "a.ndtiff").images
    assert check_mosaic(image, frames) == 4
    check_over_each_other(tmp_path)
    dataset = acquisition.get_dataset()
    for row, column in places:
        about = dataset.read_metadata(row=row, column=column)
        right, down = column * STEP[0], row * STEP[1]
        where = about["XPositionUm"], about["YPositionUm"]
        expected = (a * right + b * down, d * right + e * down)
        assert where == pytest.approx(expected, abs=0.02)


def test_both_formats_lie_over_each_other_in_napari(
    small: CoreOwner, tmp_path: Path
) -> None:
    from napari.components import ViewerModel

    from napari_scope.layers import dataset_to_layers

    small.core.setXYPosition(-70, 300)
    small.core.waitForSystem()
    places = [(r, c) for r in range(-1, 2) for c in range(2)]
    witnessed(small, tiles(*places), both(tmp_path))
    boxes = []
    for output in both(tmp_path):
        viewer = ViewerModel()
        for data, arguments, _ in dataset_to_layers(open_dataset(output.path), "tiles"):
            viewer.add_image(data, **arguments)
        worlds = [layer.extent.world[:, -2:] for layer in viewer.layers]
        assert len(worlds) == (1 if output.format == "ndtiff" else 6)
        boxes.append(
            [np.min([w[0] for w in worlds], 0), np.max([w[1] for w in worlds], 0)]
        )
    mosaic, images = boxes
    # The mosaic lacks half the overlap all around.
    edge = OVERLAP[1] // 2, OVERLAP[0] // 2
    np.testing.assert_allclose(mosaic[0], images[0] + edge, atol=0.05)
    np.testing.assert_allclose(mosaic[1], images[1] - edge, atol=0.05)


@pytest.mark.parametrize("kind", TURNED)
def test_a_mosaic_of_a_turned_camera_lies_on_the_stage(
    small: CoreOwner, tmp_path: Path, kind: str
) -> None:
    from napari.components import ViewerModel

    from napari_scope.layers import dataset_to_layers

    small.core.setPixelSizeAffine("Res10x", TURNED[kind])
    small.core.setXYPosition(-70, 300)
    small.core.waitForSystem()
    a, b, _, d, e, _ = TURNED[kind]
    places = [(0, 1), (-1, 0), (1, 1)]
    outputs = [Output(tmp_path / "a.ndtiff", "ndtiff")]
    acquisition, _ = witnessed(small, tiles(*places), outputs)
    dataset = open_dataset(tmp_path / "a.ndtiff")
    top, left = -1, 0
    viewer = ViewerModel()
    ((data, arguments, _),) = dataset_to_layers(dataset)
    layer = viewer.add_image(data, **arguments)
    for row, column in places:
        middle = [
            (row - top) * STEP[1] + (STEP[1] - 1) / 2,
            (column - left) * STEP[0] + (STEP[0] - 1) / 2,
        ]
        y, x = layer.data_to_world(middle)
        about = acquisition.get_dataset().read_metadata(row=row, column=column)
        assert (x, y) == pytest.approx(
            (about["XPosition_um_Intended"], about["YPosition_um_Intended"])
        )
    # One pixel to the right and one down are where the camera sees them.
    corners = np.array([layer.data_to_world(p) for p in ([0, 0], [0, 1], [1, 0])])
    np.testing.assert_allclose(corners[1] - corners[0], (d, a), atol=1e-6)
    np.testing.assert_allclose(corners[2] - corners[0], (e, b), atol=1e-6)


def test_an_event_that_says_where_it_is_stays_there(
    small: CoreOwner, tmp_path: Path
) -> None:
    events = tiles((0, 0), (0, 1), x=20.0, y=-4.0) + tiles((1, 0))
    acquisition, _ = witnessed(small, events, both(tmp_path))
    dataset = acquisition.get_dataset()
    found = [
        (about["XPosition_um_Intended"], about["YPosition_um_Intended"])
        for about in (
            dataset.read_metadata(row=r, column=c) for r, c in ((0, 0), (0, 1), (1, 0))
        )
    ]
    assert found == [(20, -4), (20, -4), (0, STEP[1])]


@pytest.mark.parametrize("levels", [0, 1, None, 4])
def test_as_many_levels_as_were_asked_for(
    small: CoreOwner, tmp_path: Path, levels: int | None
) -> None:
    events = tiles((0, 0), (2, 4))
    outputs = [Output(tmp_path / "a.ndtiff", "ndtiff")]
    _, frames = witnessed(small, events, outputs, max_multi_res_index=levels)
    folders = {p.name for p in (tmp_path / "a.ndtiff").iterdir() if p.is_dir()}
    # 5 columns: 8 times reduced they are no longer than a tile.
    count = 3 if levels is None else levels
    made = {f"Downsampled_x{2**n}" for n in range(1, count + 1)}
    assert folders == {"Full resolution"} | made
    (image,) = open_dataset(tmp_path / "a.ndtiff").images
    plane = np.zeros((3 * STEP[1], 5 * STEP[0]), "u2")
    for key, frame in frames.items():
        own: Any = dict(key)
        y, x = own["row"] * STEP[1], own["column"] * STEP[0]
        plane[y : y + STEP[1], x : x + STEP[0]] = cut(frame)
    for level in image.levels:
        height, width = level.shape
        np.testing.assert_array_equal(np.asarray(level), plane[:height, :width])
        high, wide = (n + n % 2 for n in plane.shape)
        grown = np.zeros((high, wide), "u4")
        grown[: plane.shape[0], : plane.shape[1]] = plane
        four = grown.reshape(high // 2, 2, wide // 2, 2).sum((1, 3))
        plane = (four // 4).astype("u2")


def test_channels_heights_and_times_in_any_order(
    small: CoreOwner, tmp_path: Path
) -> None:
    events = [
        {
            "axes": {"time": t, "z": z, "row": r, "column": c},
            "z": z * 2.0,
            "channel": {"group": "Channel", "config": name},
            "exposure": 1,
        }
        for c in range(2)  # the fastest last: times, at one place after the other
        for r in range(2)
        for name in ("DAPI", "FITC")
        for z in range(2)
        for t in range(2)
    ]
    _, frames = witnessed(small, events, both(tmp_path))
    assert len(frames) == 32
    (image,) = open_dataset(tmp_path / "a.ndtiff").images
    assert image.axis_names == ("t", "c", "z", "y", "x")
    assert [c.name for c in image.channels] == ["DAPI", "FITC"]
    for t in range(2):
        for number, name in enumerate(("DAPI", "FITC")):
            for z in range(2):
                axes = {"time": t, "channel": name, "z": z}
                assert check_mosaic(image, frames, (t, number, z), **axes) == 4
    images = open_dataset(tmp_path / "a.ome.zarr").images
    assert len(images) == 4
    for one in images:
        row, column = int(one.name[3:6]), int(one.name[-3:])
        for key, frame in frames.items():
            own: Any = dict(key)
            if (own["row"], own["column"]) == (row, column):
                c = ("DAPI", "FITC").index(own["channel"])
                stored = one.levels[0][own["time"], c, own["z"]]
                np.testing.assert_array_equal(np.asarray(stored), frame)


def test_grids_at_several_positions(small: CoreOwner, tmp_path: Path) -> None:
    grid = TileGrid.of(small.core, OVERLAP)
    events = []
    for name, at in (("left", (-500.0, 30.0)), ("right", (400.0, 0.0))):
        for r in range(2):
            for c in range(2):
                x, y = grid.at(*at).stage(r, c)
                axes = {"position": name, "row": r, "column": c}
                events.append({"axes": axes, "x": x, "y": y})
    _, frames = witnessed(small, events, both(tmp_path))
    images = {i.name: i for i in open_dataset(tmp_path / "a.ndtiff").images}
    assert list(images) == ["left", "right"]
    for name, at in (("left", (-500.0, 30.0)), ("right", (400.0, 0.0))):
        assert check_mosaic(images[name], frames, position=name) == 4
        y, x = (axis.translation for axis in images[name].axes)
        assert x == pytest.approx(at[0] - (WIDTH - 1) / 2 + OVERLAP[0] // 2, abs=0.02)
        assert y == pytest.approx(at[1] - (HEIGHT - 1) / 2 + OVERLAP[1] // 2, abs=0.02)
    names = {i.name for i in open_dataset(tmp_path / "a.ome.zarr").images}
    assert "left_row000_column001" in names
    assert len(names) == 8


def test_the_zarr_store_is_valid_and_can_be_read_while_it_grows(
    small: CoreOwner, tmp_path: Path
) -> None:
    yaozarrs = pytest.importorskip("yaozarrs")
    path = tmp_path / "a.ome.zarr"
    seen: list[int] = []
    with Acquisition(
        core=small, tile_overlap=OVERLAP, outputs=both(tmp_path)
    ) as acquisition:
        for number, event in enumerate(tiles((0, 0), (0, 1), (-1, 1))):
            future = acquisition.acquire(event)
            assert future is not None
            image = future.await_image_saved(dict(event["axes"]), timeout=60)
            images = open_dataset(path).images
            seen.append(len(images))
            np.testing.assert_array_equal(np.asarray(images[number].levels[0]), image)
    assert seen == [1, 2, 3]
    yaozarrs.validate_zarr_store(str(path))


def test_frames_without_a_place_end_the_run(small: CoreOwner, tmp_path: Path) -> None:
    outputs = [Output(tmp_path / "a.ndtiff", "ndtiff")]
    acquisition = Acquisition(core=small, tile_overlap=8, outputs=outputs)
    acquisition.acquire(tiles((0, 0)))
    acquisition.acquire({"axes": {"time": 0}})
    acquisition.mark_finished()
    with pytest.raises(ScopeError, match="has no place"):
        acquisition.await_completion()
    assert open_dataset(tmp_path / "a.ndtiff").images[0].metadata["tiles"] == 1


# ------------------------------------------------------------------ in the world


def spec(*images: ImageSpec, pixel_um: float | None = 0.5) -> StoreSpec:
    order = ("row", "column")
    return StoreSpec(
        "a", (80, 100), np.dtype("u2"), order, images=images, pixel_um=pixel_um
    )


def tile(row: int, column: int, x: float | None = None, **place: Any) -> ImageSpec:
    place = {**place, "row": row, "column": column}
    return ImageSpec(f"{row} {column}", place, x_um=x, y_um=x)


def test_tiles_follow_the_first_one_as_the_camera_sees_them() -> None:
    grid = TileGrid((0, 0), (100, 80), (20, 10), (-0.5, 0, 0, 0.5))
    found = as_seen(
        spec(tile(2, 3, 10.0), tile(2, 4, 99.0), tile(1, 3, 99.0), tile(5, 5)), grid
    ).images
    assert [(i.x_um, i.y_um) for i in found] == [
        (10, 10),
        (10 + 80 * 0.5, 10),
        (10, 10 - 70 * 0.5),
        (None, None),
    ]
    # Each position has a first tile of its own.
    found = as_seen(
        spec(tile(0, 0, 10.0, position=0), tile(0, 1, 50.0, position=1)), grid
    ).images
    assert [i.x_um for i in found] == [10, 50]
    unknown = spec(tile(0, 0, 1.0), tile(0, 1, 2.0), pixel_um=None)
    assert as_seen(unknown, grid) is unknown


def test_only_tiles_of_a_turned_camera_are_put_elsewhere(tmp_path: Path) -> None:
    for affine, moved in (((0.5, 0, 0, 0.5), False), ((-0.5, 0, 0, 0.5), True)):
        grid = TileGrid((0, 0), (100, 80), (20, 10), affine)
        ndtiff, zarr = tiled_sinks(both(tmp_path), grid, None)(spec())
        assert ndtiff.arranged is not None  # it tells how the tiles lie
        assert (zarr.arranged is not None) == moved
