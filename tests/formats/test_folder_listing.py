"""Data sets below a folder: found, in order, bounded, and not detected twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.formats.msi_folder import ENTRIES, write_imzml, write_mixed
from tests.formats.ngff.ngff_stores import pixels, write_image, write_plate

from napari_scope.formats import folder_listing
from napari_scope.formats.folder_listing import find_data_sets
from napari_scope.formats.ndtiff.writer import NDTiffWriter

if TYPE_CHECKING:
    from pathlib import Path


def ndtiff(folder: Path) -> None:
    with NDTiffWriter(folder) as writer:
        writer.put({"time": 0}, np.zeros((4, 4), "u2"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_image(tmp_path / "b.zarr", "cyx", pixels((2, 12, 16)))
    write_plate(tmp_path / "day 1" / "plate.zarr", {"A/1": ["0"]})
    ndtiff(tmp_path / "day 1" / "deep" / "run")
    ndtiff(tmp_path / "1" / "2" / "3" / "4" / "run")
    ndtiff(tmp_path / ".hidden")
    (tmp_path / "notes.txt").write_text("no data")
    (tmp_path / "picture.tif").write_bytes(b"II*\0no picture")
    return tmp_path


def names(folder: Path, depth: int = 3) -> list[tuple[str, str]]:
    return [(one.name, one.format) for one in find_data_sets(folder, depth=depth)]


def test_stores_are_found_and_not_entered(folder: Path) -> None:
    assert names(folder) == [
        ("b.zarr", "ome-zarr"),
        ("day 1/plate.zarr", "ome-zarr"),
        ("day 1/deep/run", "ndtiff"),
    ]
    assert names(folder, 0) == [("b.zarr", "ome-zarr")]
    assert names(folder, 4)[-1] == ("1/2/3/4/run", "ndtiff")


def test_a_data_set_is_its_own_list(folder: Path) -> None:
    (one,) = find_data_sets(folder / "b.zarr")
    assert (one.name, one.place) == ("b.zarr", str(folder / "b.zarr"))


def test_what_is_known_is_not_detected_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {one.place: one for one in find_data_sets(folder)}
    asked: list[str] = []
    detect = folder_listing.detect

    def listen(place: str) -> object:
        asked.append(os.path.relpath(place, folder))
        return detect(place)

    monkeypatch.setattr(folder_listing, "detect", listen)
    again = {one.place: one for one in find_data_sets(folder, known=known)}
    assert all(again[place] is known[place] for place in known)
    assert "b.zarr" not in asked
    document = folder / "b.zarr" / "zarr.json"
    document.write_text(document.read_text() + " ")
    changed = {one.place: one for one in find_data_sets(folder, known=known)}
    assert "b.zarr" in asked
    place = str(folder / "b.zarr")
    assert changed[place].stamp != known[place].stamp


def test_chunks_are_not_walked(folder: Path) -> None:
    array = folder / "array"
    (array / "c" / "0").mkdir(parents=True)
    (array / "zarr.json").write_text('{"node_type": "array"}')
    ndtiff(array / "c" / "0" / "run")
    assert names(folder)[0] == ("b.zarr", "ome-zarr") and len(names(folder)) == 3


def test_it_can_be_cancelled(folder: Path) -> None:
    found = find_data_sets(folder, cancelled=lambda: True)
    assert list(found) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        list(find_data_sets(tmp_path / "nowhere"))


def test_a_link_to_a_folder_above_is_not_followed(folder: Path) -> None:
    try:
        (folder / "day 1" / "loop").symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("this system makes no links")
    assert len(names(folder)) == 3


def test_each_acquisition_of_mass_spectra_is_found_once(tmp_path: Path) -> None:
    folder = write_mixed(tmp_path / "mixed")
    found = list(find_data_sets(folder))
    assert {one.name: one.format for one in found} == ENTRIES
    # Of a folder of spots nothing but the folder is looked at, if it is the root, too.
    (spots,) = find_data_sets(folder / "loose")
    assert (spots.format, spots.place) == ("msi", str(folder / "loose"))


def test_a_file_beside_it_changes_the_stamp(tmp_path: Path) -> None:
    path = write_imzml(tmp_path / "a.imzML")
    (before,) = find_data_sets(tmp_path)
    assert list(find_data_sets(tmp_path, known={before.place: before})) == [before]
    os.utime(path.with_suffix(".ibd"), (9e9, 9e9))
    (after,) = find_data_sets(tmp_path, known={before.place: before})
    assert after.stamp != before.stamp and after.modified_s == 9e9


def test_foreign_hdf5_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    asked: list[str] = []
    real = folder_listing.detect
    monkeypatch.setattr(
        folder_listing, "detect", lambda place: asked.append(place) or real(place)
    )
    for _ in range(3):
        assert list(find_data_sets(tmp_path)) == []
    assert asked.count(str(tmp_path / "a.h5")) == 1
    os.utime(tmp_path / "a.h5", (9e9, 9e9))
    assert list(find_data_sets(tmp_path)) == []
    assert asked.count(str(tmp_path / "a.h5")) == 2
