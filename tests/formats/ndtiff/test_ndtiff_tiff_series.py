from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.errors import SettingsError
from napari_scope.formats.ndtiff.encoding import encode_frame
from napari_scope.formats.ndtiff.tiff_series import (
    MAX_FILE_BYTES,
    TiffSeries,
    check_file_size,
    file_stem,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_scope.formats.ndtiff.encoding import PendingFrame


@pytest.fixture
def series(tmp_path: Path) -> Iterator[TiffSeries]:
    made = TiffSeries(
        tmp_path, stem="run", summary=b"{}", resolution=0, max_file_bytes=2000
    )
    yield made
    made.close()


def frames(*times: int) -> list[PendingFrame]:
    return [encode_frame({"time": t}, np.full((16, 16), t, "u2")) for t in times]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_cut_was_never_there(series: TiffSeries, tmp_path: Path) -> None:
    first = series.mark
    (kept,) = series.append(frames(0), [], first)
    series.current.flush()
    before = contents(tmp_path)
    mark = series.mark
    places = series.append(frames(1, 2, 3, 4, 5), [], mark)
    assert {place.file for place in places} == {"run.tif", "run_1.tif", "run_2.tif"}
    assert len(mark.begun) == 2
    series.cut(mark)
    assert contents(tmp_path) == before
    assert kept.file == series.current.name == "run.tif"
    # The names are free again.
    mark = series.mark
    again = series.append(frames(1, 2, 3, 4, 5), [], mark)
    assert again == places


def test_names_that_are_not_yet_kept(series: TiffSeries) -> None:
    assert series.take_unsynced() == ([], True)
    assert series.take_unsynced() == ([], False)
    mark = series.mark
    places = series.append(frames(0, 1, 2, 3, 4), [], mark)
    series.settle(mark)
    assert series.take_unsynced() == (["run.tif", "run_1.tif"], True)
    series.give_back(["run.tif"], True)
    for place in places:
        series.overwrite(place.file, place.pixel_offset, b"1234")
    assert series.take_unsynced() == (["run.tif", "run_1.tif"], True)


def test_a_series_that_moves_goes_on(series: TiffSeries, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    series.append(frames(0), [], series.mark)
    series.close()
    (tmp_path / "run.tif").rename(moved / "run.tif")
    series.moved(moved)
    series.reopen()
    mark = series.mark
    series.append(frames(1, 2, 3), [], mark)
    series.settle(mark)
    assert sorted(contents(moved)) == ["run.tif", "run_1.tif"]
    series.close()
    series.delete()
    assert contents(moved) == {}


def test_names_and_sizes_that_are_refused() -> None:
    assert file_stem("a b", "run") == "a b_NDTiffStack"
    for prefix in ("a/b", "a:b", "a\0"):
        with pytest.raises(SettingsError, match="file name"):
            file_stem(prefix, "run")
    for size in (1, MAX_FILE_BYTES):
        check_file_size(size)
    for size in (0, MAX_FILE_BYTES + 1):
        with pytest.raises(SettingsError, match="impossible"):
            check_file_size(size)
