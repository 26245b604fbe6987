"""Overviews and pictures of data sets, and how they are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.formats.ngff.ngff_stores import pixels, write_image, write_plate
from tests.layers.stores import make_image

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.layers.overview import Overview, look_into, picture_of, thumbnail
from napari_scope.layers.overview_cache import OverviewCache

STORES = Path(__file__).parents[2] / ".." / "shared" / "data" / "ndtiff" / "v3"


def test_an_image(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", "cyx", pixels((2, 12, 16)))
    overview, picture = look_into(tmp_path / "a.zarr", 5)
    assert overview.version.startswith("OME-Zarr") and overview.kind == "image"
    assert "x" in overview.shape and overview.nbytes > 0 and not overview.problem
    assert picture is not None and picture.dtype == np.uint8 and picture.shape[2] == 3
    assert max(picture.shape[:2]) <= 5
    np.testing.assert_array_equal(picture, thumbnail(tmp_path / "a.zarr", 5))


def test_of_a_plate_one_field_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wells = {f"A/{n}": ["0", "1"] for n in range(1, 7)}
    write_plate(tmp_path / "p.zarr", wells)
    overview, picture = look_into(tmp_path / "p.zarr")
    assert overview.kind == "plate"
    assert overview.shape.startswith("6 wells × 2 fields of ")
    field, _ = look_into(tmp_path / "p.zarr" / "A" / "1" / "0")
    assert overview.images == 12 and overview.nbytes == 12 * field.nbytes > 0
    assert overview.about and not field.about
    assert picture is not None and picture.max() > 0


def test_it_shows_the_middle_in_the_colours_of_the_channels() -> None:
    image = make_image(names="tcyx", shape=(3, 2, 8, 8), channels=("DAPI", "GFP"))
    picture = picture_of(image)
    assert picture.shape == (8, 8, 3)
    assert picture[0, 0, 0] == 0 and picture[0, 0, 1:].min() > 0  # green and blue
    flat = picture_of(make_image(names="yx", shape=(8, 8)))
    assert len(np.unique(flat)) == 1 and 0 < flat[0, 0, 0] < 255


def test_a_range_that_hides_the_picture_is_not_believed() -> None:
    def frame(dark: bool) -> np.ndarray:  # type: ignore[type-arg]
        image = make_image(names="yx", shape=(8, 8), bit_depth=12)
        values = np.arange(64).reshape(8, 8) + 100
        level = (values if dark else values * 60).astype("u2")
        from dataclasses import replace

        from napari_scope.arrays import LazyArray, MemorySource

        return picture_of(replace(image, levels=(LazyArray(MemorySource(level)),)))

    assert frame(dark=True).max() == 255  # of 4095 nothing would be seen
    assert frame(dark=False).max() >= 254


@pytest.mark.parametrize("bit_depth", [None, 16])
def test_a_few_bright_spots_on_black_are_not_flat(bit_depth: int | None) -> None:
    from dataclasses import replace

    from napari_scope.arrays import LazyArray, MemorySource

    values = np.zeros((64, 64), "u2")
    values[3, 5] = 200
    image = make_image(names="yx", shape=(64, 64), bit_depth=bit_depth)
    picture = picture_of(replace(image, levels=(LazyArray(MemorySource(values)),)))
    assert np.median(picture) == 0
    assert picture.max() == 255


def test_a_damaged_one_says_why(tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    store.mkdir()
    (store / "zarr.json").write_text('{"attributes": {"ome": {"multiscales": [')
    overview, picture = look_into(store)
    assert "damaged" in overview.problem and picture is None and not overview.finished
    with pytest.raises(FormatError):
        thumbnail(store)


def test_a_run_that_is_not_closed(tmp_path: Path) -> None:
    writer = NDTiffWriter(tmp_path / "run")
    writer.put({"time": 0}, np.ones((4, 4), "u2"))
    overview, picture = look_into(tmp_path / "run")
    assert not overview.finished and picture is not None
    writer.close()
    assert look_into(tmp_path / "run")[0].finished


@pytest.mark.skipif(not STORES.is_dir(), reason=f"{STORES} is absent")
def test_real_stores_have_pictures() -> None:
    for store in sorted(STORES.iterdir()):
        assert thumbnail(store).max() > 0, store


# ---- kept on disk


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    cache = OverviewCache(tmp_path)
    pixels = np.arange(4 * 5 * 3, dtype="u1").reshape(4, 5, 3)
    overview = Overview("NDTiff 3.3", "data set", "y 4", channels=("Ä", "b"), nbytes=9)
    assert cache.get("/d/a", (1, 2)) is None
    cache.put("/d/a", (1, 2), overview, pixels)
    found = cache.get("/d/a", (1, 2))
    assert found is not None and found[0] == overview
    np.testing.assert_array_equal(found[1], pixels)  # type: ignore[arg-type]
    assert cache.get("/d/a", (1, 3)) is None and cache.get("/d/b", (1, 2)) is None
    cache.put("/d/b", (1,), overview, None)
    assert cache.get("/d/b", (1,)) == (overview, None)


@pytest.mark.parametrize(
    "junk", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 99]
)
def test_a_damaged_file_counts_as_not_there(tmp_path: Path, junk: bytes) -> None:
    cache = OverviewCache(tmp_path)
    cache.put("/d/a", (1,), Overview(), None)
    (file,) = tmp_path.iterdir()
    file.write_bytes(junk)
    assert cache.get("/d/a", (1,)) is None


def test_the_oldest_go(tmp_path: Path) -> None:
    import os

    cache = OverviewCache(tmp_path, most_files=10)
    for number in range(12):
        cache.put(f"/d/{number}", (1,), Overview(), None)
        os.utime(cache._path(f"/d/{number}", (1,), 128), (number, number))
    cache.tidy()
    kept = [n for n in range(12) if cache.get(f"/d/{n}", (1,)) is not None]
    assert kept == list(range(3, 12))


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = OverviewCache(tmp_path / "file")
    cache.put("/d/a", (1,), Overview(), None)
    assert cache.get("/d/a", (1,)) is None
    cache.tidy()
