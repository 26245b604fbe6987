from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.plate_stores import PlateStore, field_pixels
from tests.threads import Thread

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.plate.view import PlateView, open_plate
from napari_scope.formats.ngff.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    Pixels = npt.NDArray[Any]


@pytest.fixture
def store(tmp_path: Path) -> PlateStore:
    return PlateStore(tmp_path / "p.zarr")


def mosaic(view: PlateView, **options: Any) -> Any:
    return view.mosaics(**options)[0]


def levels(view: PlateView, **options: Any) -> list[Pixels]:
    return [np.asarray(level) for level in mosaic(view, **options).image.levels]


def cut(view: PlateView, level: Pixels, row: int, column: int, slot: int) -> Pixels:
    """Return what a plane of full resolution shows at the slot of a well."""
    plane = mosaic(view).plane
    y, x = np.add(plane.origin(row, column), plane.cell.slots[slot])
    height, width = plane.cell.limit
    return level[..., y : y + height, x : x + width]


def expected_plane(
    view: PlateView, parts: dict[tuple[int, int, int], Pixels], lead: Sequence[int]
) -> Pixels:
    plane = mosaic(view).plane
    out = np.zeros((*lead, *plane.shape), next(iter(parts.values())).dtype)
    for (row, column, slot), pixels in parts.items():
        cut(view, out, row, column, slot)[...] = pixels
    return out


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_all_fields_of_all_wells_are_one_plane(
    tmp_path: Path, zarr_format: int
) -> None:
    store = PlateStore(tmp_path / "p.zarr", zarr_format=zarr_format)
    parts = {}
    for path, cell in (("A/1", (0, 0)), ("A/3", (0, 2)), ("B/2", (1, 1))):
        for slot, data in enumerate(store.add_well(path, ["0", "1", "2"])):
            parts[(*cell, slot)] = data
    view = open_plate(store.root)
    assert (view.rows, view.columns) == (("A", "B"), ("1", "2", "3"))
    image = mosaic(view).image
    assert image.axis_names == ("c", "y", "x")
    assert [axis.scale for axis in image.axes] == [1, 0.5, 0.5]
    assert image.axes[1].unit == "micrometer"
    assert [channel.name for channel in image.channels] == ["DAPI", "GFP"]
    full, half = levels(view)
    assert np.array_equal(full, expected_plane(view, parts, (2,)))
    assert half.shape == (2, full.shape[1] // 2, full.shape[2] // 2)
    # The level that is stored, not one made of the finer.
    y, x = mosaic(view).plane.origin(1, 1)
    stored = parts[1, 1, 0][:, ::2, ::2]
    assert np.array_equal(half[:, y // 2 : y // 2 + 4, x // 2 : x // 2 + 6], stored)
    assert view.problems == ()


def test_opening_reads_one_field_only(
    store: PlateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.formats.ngff.plate.pixels._KEPT_PLANE", 0)
    store.more["field_count"] = 2
    for path in ("A/1", "A/2", "A/3", "B/1", "B/2", "B/3"):
        store.add_well(path, ["0", "1"])
    read: list[str] = []
    attributes, array = Store.attributes, Store.array
    monkeypatch.setattr(
        Store, "attributes", lambda s, p="": (read.append(p), attributes(s, p))[1]
    )
    monkeypatch.setattr(Store, "array", lambda s, p: (read.append(p), array(s, p))[1])
    view = open_plate(store.root)
    mosaic(view)
    wells = {"/".join(p.split("/")[:2]) for p in read if p}
    assert wells <= {"A/1", "B/1", "B/2", "B/3"}  # three are asked for labels
    assert sum(p.startswith("A/1/0/") for p in read) <= 8
    read.clear()
    np.asarray(mosaic(view).image.levels[0][0, :4, :4])
    assert {p.split("/")[1] for p in read if p} == {"1"}
    read.clear()
    np.asarray(mosaic(view).image.levels[0][0, :4, :4])
    assert read == []


def test_any_part_of_any_level_is_the_same_as_of_the_whole(store: PlateStore) -> None:
    for path in ("A/1", "A/2", "B/3"):
        store.add_well(path, ["0", "1"], n_levels=3)
    view = open_plate(store.root)
    rng = np.random.default_rng(1)
    for level, whole in zip(mosaic(view).image.levels, levels(view), strict=True):
        for kept in (True, False):
            level.source._kept = kept
            for _ in range(20):
                key = tuple(
                    slice(*sorted(rng.integers(0, n + 1, 2)), rng.integers(1, 4))
                    for n in whole.shape
                )
                assert np.array_equal(np.asarray(level[key]), whole[key])


def test_tiles_of_large_fields_are_parts(
    store: PlateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.formats.ngff.plate.tiles._SIDE", 5)
    monkeypatch.setattr("napari_scope.formats.ngff.plate.pixels._KEPT_PLANE", 0)
    parts = {
        (0, n, 0): store.add_well(path)[0] for n, path in enumerate(("A/1", "A/2"))
    }
    view = open_plate(store.root)
    expected = expected_plane(view, parts, (2,))
    level = mosaic(view).image.levels[0]
    assert np.array_equal(np.asarray(level), expected)
    assert np.array_equal(np.asarray(level[1, 3:7, 2:20]), expected[1, 3:7, 2:20])
    assert len(view._reading.tiles) == 2 * 2 * 2 * 3


def test_levels_below_those_of_the_fields_are_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scope.formats.ngff.plate.mosaic._COARSEST", 32)
    store = PlateStore(tmp_path / "p.zarr")
    data = store.add_well("A/1", data=field_pixels(1, (2, 32, 32)))[0]
    store.add_well("B/3", data=np.full((2, 32, 32), 100, "u2"))
    for small in (64, 0):  # made of the finer plane, or of the fields
        monkeypatch.setattr(
            "napari_scope.formats.ngff.plate.pixels._SMALL_PLANE", small * 2**20
        )
        view = open_plate(store.root)
        found = levels(view)
        assert [level.shape[-1] for level in found] == [
            found[0].shape[-1] // 2**n for n in range(len(found))
        ]
        assert max(found[-1].shape) <= 32
        stored = data[:, ::2, ::2].astype(int)
        mean = (stored.reshape(2, 8, 2, 8, 2).sum((2, 4)) + 2) // 4
        assert np.array_equal(found[2][:, :8, :8], mean)


def test_a_well_or_field_that_is_missing_is_blank_and_reported_once(
    store: PlateStore,
) -> None:
    parts = {(0, 0, 0): store.add_well("A/1", ["0", "1"])[0]}
    store.add_well("A/2", ["0", "1"])
    parts[0, 2, 1] = store.add_well("A/3", ["0", "1"])[1]
    shutil.rmtree(store.root / "A/1/1")
    shutil.rmtree(store.root / "A/2")
    (store.root / "A/3/0/zarr.json").write_text("{")
    view = open_plate(store.root)
    told: list[tuple[str, ...]] = []
    view.listen_for_problems(told.append)
    for _ in range(2):
        view.forget()
        full, _ = levels(view)
        assert np.array_equal(full, expected_plane(view, parts, (2,)))
    (problems,) = told
    assert [p.split(":")[0] for p in problems] == [
        "well A/2 is blank", "field A/1/1 is blank", "field A/3/0 is blank",
    ]  # fmt: skip
    assert view.problems == problems


def test_a_chunk_that_cannot_be_read_is_blank_and_the_rest_is_shown(
    store: PlateStore,
) -> None:
    parts = {}
    for n, path in enumerate(("A/1", "A/2")):
        parts[0, n, 0] = store.add_well(path)[0]
    for chunk in (store.root / "A/2/0/0/c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"no pixels")
    parts[0, 1, 0] = np.zeros_like(parts[0, 1, 0])
    view = open_plate(store.root)
    full, _ = levels(view)
    assert np.array_equal(full, expected_plane(view, parts, (2,)))
    assert any("A/2/0" in problem for problem in view.problems)


def test_missing_chunks_are_no_problem(store: PlateStore) -> None:
    store.add_well("A/1")
    store.add_well("A/2")
    shutil.rmtree(store.root / "A/2/0/0/c")
    view = open_plate(store.root)
    assert cut(view, levels(view)[0], 0, 1, 0).max() == 0
    assert view.problems == ()


def test_fields_of_other_kinds(store: PlateStore) -> None:
    """Other names, counts, sizes, types, channel orders, axes and levels."""
    first = store.add_well("A/1", ["0", "1"])
    smaller = field_pixels(50, (2, 6, 10))
    larger = field_pixels(51, (2, 10, 16))
    store.add_well("A/2", ["x"], data=smaller)
    store.add_well("A/3", data=larger)
    (swapped,) = store.add_well("B/1", channels=("GFP", "DAPI"))
    wide = np.array([-5.0, 70_000, 3.6, np.nan], "f4").repeat(48).reshape(2, 8, 12)
    store.add_well("B/2", data=wide, n_levels=1)
    one = field_pixels(52, (8, 12), "uint8")
    store.add_well("B/3", names="yx", data=one, channels=("GFP",))
    view = open_plate(store.root)
    full, half = levels(view)
    assert full.dtype == np.uint16
    assert np.array_equal(cut(view, full, 0, 0, 1), first[1])
    found = cut(view, full, 0, 1, 0)
    assert np.array_equal(found[:, :6, :10], smaller)
    assert found[:, 6:].max() == found[..., 10:].max() == 0
    assert np.array_equal(cut(view, full, 0, 2, 0), larger[:, :8, :12])
    assert np.array_equal(cut(view, full, 1, 0, 0), swapped[::-1])
    converted = np.clip(np.rint(np.nan_to_num(wide)), 0, 65535).astype("u2")
    assert np.array_equal(cut(view, full, 1, 1, 0), converted)
    assert cut(view, full, 1, 2, 0)[0].max() == 0
    assert np.array_equal(cut(view, full, 1, 2, 0)[1], one)
    # The field without a second level is made smaller for it.
    y, x = (n // 2 for n in mosaic(view).plane.origin(1, 1))
    exact = converted.reshape(2, 4, 2, 6, 2).astype(float)
    near = half[:, y : y + 4, x : x + 6]
    assert exact.min((2, 4)).min() <= near.min()
    assert near.max() == 65535
    assert [p for p in view.problems if "is cut" in p] == [
        "field A/3/0 is larger than its place and is cut"
    ]


def test_a_level_that_one_field_lacks_is_made_of_its_nearest(store: PlateStore) -> None:
    store.add_well("A/1", n_levels=3)
    store.add_well("A/2", n_levels=3, data=np.full((2, 8, 12), 77, "u2"))
    store.add_well("A/3", n_levels=3, data=np.full((2, 8, 12), 88, "u2"))
    shutil.rmtree(store.root / "A/2/0/1")
    shutil.rmtree(store.root / "A/3/0/0")
    view = open_plate(store.root)
    plane = mosaic(view).plane
    for number, level in enumerate(levels(view)):
        for column, value in ((1, 77), (2, 88)):
            y, x = (n >> number for n in plane.origin(0, column))
            part = level[:, y : y + (8 >> number), x : x + (12 >> number)]
            assert (part == value).all(), (number, column)
    assert sum("is left out" in problem for problem in view.problems) == 2


def test_fields_lie_where_their_translations_say(store: PlateStore) -> None:
    def well(path: str, y: float, x: float) -> list[Pixels]:
        store.add_well(path, ["0", "1"], written=False)
        return [
            store.add_field(f"{path}/{n}", translation=[0, y, x + 5 * n])
            for n in range(2)
        ]

    a = well("A/1", 100, 200)
    b = well("B/3", 500.5, 3000)
    view = open_plate(store.root)
    cell = mosaic(view).plane.cell
    assert cell.as_on_stage
    assert cell.slots == ((0, 0), (0, 10))  # of 0.5 micrometers
    full, _ = levels(view)
    for pixels, place in ((a, (0, 0)), (b, (1, 2))):
        y, x = mosaic(view).plane.origin(*place)
        expected = np.zeros((2, 8, 22), "u2")
        expected[..., :12] = pixels[0]
        expected[..., 10:] = pixels[1]  # the later one is on top
        assert np.array_equal(full[:, y : y + 8, x : x + 22], expected)
    # Also where only the upper one was kept.
    level = mosaic(view).image.levels[0]
    level.source._kept = False
    assert np.array_equal(np.asarray(level[:, :8, 15:22]), full[:, :8, 15:22])
    assert np.array_equal(np.asarray(level[:, :8, :22]), full[:, :8, :22])


def test_room_for_wells_with_more_fields(store: PlateStore) -> None:
    store.add_well("A/1", ["0"])
    many = store.add_well("B/3", ["0", "1", "2"])
    view = open_plate(store.root)
    assert len(mosaic(view).plane.cell.slots) == 4
    assert np.array_equal(cut(view, levels(view)[0], 1, 2, 2), many[2])
    store.more["field_count"] = 2  # which is wrong
    store._set("", {"plate": store._plate()})
    view = open_plate(store.root)
    levels(view)
    assert any("fields 2 of well B/3 are not shown" in p for p in view.problems)


def test_acquisitions_are_images_of_their_own(store: PlateStore) -> None:
    store.more["acquisitions"] = [
        {"id": 2, "name": "day 1"},
        {"id": 5, "name": "day 2"},
    ]
    fields = store.add_well("A/1", list("0123"), acquisitions=[2, 2, 5, None])
    store.add_well("A/2", ["0"], acquisitions=[5])
    view = open_plate(store.root)
    day_1, day_2 = view.mosaics()
    assert [m.image.name for m in (day_1, day_2)] == ["day 1", "day 2"]
    assert [len(m.plane.cell.names) for m in (day_1, day_2)] == [3, 1]
    assert view.mosaics(5) == [day_2]
    assert np.array_equal(np.asarray(day_2.image.levels[0])[:, :8, :12], fields[2])
    assert np.array_equal(np.asarray(day_1.image.levels[0])[:, :8, :12], fields[0])
    with pytest.raises(KeyError, match=r"no acquisition 7, it has \[2, 5\]"):
        view.mosaics(7)


def test_some_wells_only(store: PlateStore) -> None:
    pixels = {path: store.add_well(path)[0] for path in ("A/1", "A/3", "B/1", "B/2")}
    view = open_plate(store.root)
    wanted = [("A", "3"), ("B", "1")]
    (some,) = view.mosaics(wells=wanted)
    assert (some.rows, some.columns) == (("A", "B"), ("1", "3"))
    full = np.asarray(some.image.levels[0])
    for path, cell in (("A/3", (0, 1)), ("B/1", (1, 0))):
        y, x = some.plane.origin(*cell)
        assert np.array_equal(full[:, y : y + 8, x : x + 12], pixels[path])
    assert np.count_nonzero(full) == 2 * pixels["A/3"].size
    with pytest.raises(KeyError, match="no well in row 'B', column '3'"):
        view.mosaics(wells=[("B", "3")])


def test_time_and_depth_stay_axes(store: PlateStore) -> None:
    shape = (3, 2, 2, 8, 12)
    data = [
        store.add_well(p, names="tczyx", data=field_pixels(n, shape))[0]
        for n, p in enumerate(("A/1", "A/2"))
    ]
    short = store.add_well("A/3", names="czyx", data=field_pixels(9, shape[1:]))[0]
    view = open_plate(store.root)
    image = mosaic(view).image
    assert image.axis_names == ("t", "c", "z", "y", "x")
    assert image.levels[0].shape[:3] == (3, 2, 2)
    full = np.asarray(image.levels[0])
    assert np.array_equal(cut(view, full, 0, 1, 0), data[1])
    assert np.array_equal(cut(view, full, 0, 2, 0)[0], short)
    assert cut(view, full, 0, 2, 0)[1:].max() == 0


def test_labels_are_mosaics_too(store: PlateStore) -> None:
    for path in ("A/1", "A/2", "B/3"):
        store.add_well(path)
    ids = np.arange(96, dtype="u4").reshape(8, 12) * 1000
    store.add_labels("A/2/0", "nuclei", ids[:4, :6])  # smaller than the field
    store.add_labels("B/3/0", "nuclei", ids)
    view = open_plate(store.root)
    image = mosaic(view).image
    (labels,) = image.labels
    assert (labels.name, labels.axis_names) == ("nuclei", ("y", "x"))
    assert [x.shape for x in labels.levels] == [x.shape[1:] for x in image.levels]
    full, half = (np.asarray(level) for level in labels.levels)
    assert full.dtype == np.uint32
    assert np.array_equal(cut(view, full, 1, 2, 0), ids)
    assert np.array_equal(cut(view, full, 0, 1, 0)[:4, :6], ids[:4, :6])
    assert cut(view, full, 0, 0, 0).max() == 0
    assert set(np.unique(half)) <= {0, *ids.ravel().tolist()}
    assert half.any()
    assert view.problems == ()


def test_frames_tell_well_and_field(store: PlateStore) -> None:
    store.add_well("A/1", ["0", "1"])
    store.add_well("B/2", ["f0"])
    view = open_plate(store.root)
    image, plane = mosaic(view).image, mosaic(view).plane
    frames = image.frames
    y, x = plane.origin(1, 1)
    index = {"y": y + 1, "x": x + 1, "c": 1}
    # Before anything was read.
    assert frames.axes(index) == {"row": "B", "column": "2", "channel": 1}
    assert frames.exists(index)
    metadata = frames.metadata(index)
    assert metadata is not None
    assert json.loads(json.dumps(metadata))["field"]["path"] == "B/2/f0"
    assert frames.axes(index)["field"] == "f0"
    free = {"y": y + 1, "x": x + plane.cell.slots[1][1] + 1}
    assert not frames.exists(free)
    assert frames.axes(free) == {"row": "B", "column": "2", "channel": 0}
    for nowhere in ({"y": y + 1, "x": 1}, {"y": plane.cell.shape[0], "x": 1}):
        assert frames.axes(nowhere) is None
        assert not frames.exists(nowhere)
        assert frames.metadata(nowhere) is None


def test_wells_and_fields_by_name(store: PlateStore) -> None:
    store.add_well("A/1", ["0", "7"])
    view = open_plate(store.root)
    well = view.well("A", "1")
    assert [one.path for one in view.fields(well)] == ["0", "7"]
    for name in ("7", 1, -1):
        image = view.field_image("A", "1", name)
        assert image.levels[0].shape == (2, 8, 12)
        assert image.metadata["path"] == "A/1/7"
    for wrong in ("8", 2):
        with pytest.raises(KeyError, match="has no field"):
            view.field_image("A", "1", wrong)
    with pytest.raises(KeyError, match="no well"):
        view.well("A", "9")


def test_a_well_opens_as_a_plate_of_its_own(store: PlateStore) -> None:
    fields = store.add_well("A/1", ["0", "1"])
    view = open_plate(store.root / "A/1")
    assert [w.path for w in view.wells] == [""]
    full, _ = levels(view)
    assert np.array_equal(full[:, :8, :12], fields[0])
    assert np.array_equal(cut(view, full, 0, 0, 1), fields[1])
    assert mosaic(view).image.frames.axes({"y": 1, "x": 1}) == {
        "field": "0", "channel": 0,
    }  # fmt: skip


def test_what_is_no_plate_or_has_no_field_is_refused(store: PlateStore) -> None:
    store.add_well("A/1")
    with pytest.raises(FormatError, match="no plate"):
        open_plate(store.root / "A/1/0")
    shutil.rmtree(store.root / "A/1/0")
    with pytest.raises(FormatError, match=r"no field of the plate can be read: .*A/1"):
        open_plate(store.root).dataset()


def test_paths_do_not_leave_the_plate(store: PlateStore, tmp_path: Path) -> None:
    store.add_well("A/1")
    store.add_well("A/2", ["../../../secret"], written=False)
    other = PlateStore(tmp_path)
    other.add_field("secret")
    view = open_plate(store.root)
    assert cut(view, levels(view)[0], 0, 1, 0).max() == 0
    assert any("A/2" in problem for problem in view.problems)


def test_without_memory_changes_are_seen(store: PlateStore) -> None:
    store.add_well("A/1")
    for keep in (True, False):
        view = open_plate(store.root, keep=keep)
        before = levels(view)[0]
        assert before.max() > 0
        shutil.move(store.root / "A/1/0/0/c", store.root / "away")
        assert bool(levels(view)[0].any()) is keep
        shutil.move(store.root / "away", store.root / "A/1/0/0/c")


def test_many_threads_see_the_same(store: PlateStore) -> None:
    for path in ("A/1", "A/2", "A/3", "B/1", "B/2", "B/3"):
        store.add_well(path, ["0", "1"])
    expected = levels(open_plate(store.root))
    view = open_plate(store.root)
    found: list[list[Pixels]] = []
    threads = [Thread(lambda: found.append(levels(view))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    for one in found:
        assert all(np.array_equal(a, b) for a, b in zip(one, expected, strict=True))
