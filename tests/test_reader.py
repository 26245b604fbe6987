from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.ngff_stores import pixels, write_image, write_plate

from napari_scope._reader import napari_get_reader, read
from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.layers.preferences import (
    CONFIG_VARIABLE,
    BrowsePreferences,
    save_preferences,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's own preferences out of the tests."""
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "preferences"))


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", messages.append)
    return messages


def test_foreign_paths_are_declined(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", "yx", pixels((4, 4)))
    foreign: list[Any] = [
        tmp_path, str(tmp_path), tmp_path / "gone", [], [tmp_path],
        [tmp_path / "a.zarr", tmp_path],
    ]  # fmt: skip
    for path in foreign:
        assert napari_get_reader(path) is None


def test_layers_of_what_is_ours(tmp_path: Path, warned: list[str]) -> None:
    data = pixels((2, 4, 4))
    path = tmp_path / "a.zarr"
    write_image(path, "cyx", data)
    for given in (path, str(path), [str(path)]):
        reader = napari_get_reader(given)
        assert reader is not None
        layers = reader(given)
        assert [np.asarray(layer[0]).tolist() for layer in layers] == data.tolist()
    assert warned == []


def test_several_paths_are_opened_together(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        write_image(tmp_path / name, "yx", pixels((4, 4)))
        paths.append(str(tmp_path / name))
    reader = napari_get_reader(paths)
    assert reader is not None
    assert [layer[1]["name"] for layer in reader(paths)] == ["a", "b"]


def test_what_was_left_out_is_one_short_warning(
    tmp_path: Path, warned: list[str]
) -> None:
    wells = {f"A/{i}": ["0"] for i in range(1, 10)}
    write_plate(tmp_path, wells)
    for i in range(1, 9):
        shutil.rmtree(tmp_path / "A" / str(i))
    assert read(tmp_path)
    (message,) = warned
    assert str(tmp_path) in message
    assert "well A/1" in message
    assert "well A/6" not in message
    assert "... and 3 more" in message


def test_a_damaged_store_raises_our_error(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((4, 4)))
    shutil.rmtree(tmp_path / "0")
    reader = napari_get_reader(tmp_path)
    assert reader is not None
    with pytest.raises(FormatError, match="no level can be read"):
        reader(tmp_path)


def test_positions_are_shown_as_the_user_prefers(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for p in range(3):
            writer.put({"position": p}, np.full((4, 5), p, "u2"))
    for positions, shapes in (
        ("auto", [(4, 5)] * 3), ("tiles", [(4, 5)] * 3), ("slider", [(3, 4, 5)]),
    ):  # fmt: skip
        save_preferences(BrowsePreferences(positions))  # type: ignore[arg-type]
        assert [np.shape(layer[0]) for layer in read(tmp_path / "run")] == shapes


@pytest.mark.parametrize("name", ["", "NDTiff.index"])
def test_a_store_opens_by_its_folder_and_by_its_index(
    tmp_path: Path, name: str
) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, np.ones((4, 5), "u2"))
    reader = napari_get_reader(str(tmp_path / "run" / name))
    assert reader is not None
    (layer,) = reader(str(tmp_path / "run" / name))
    assert np.shape(layer[0]) == (1, 1, 4, 5)


def test_without_a_window_an_unfinished_store_just_opens(tmp_path: Path) -> None:
    """Read where Qt was never imported, in a process of its own."""
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, np.ones((4, 5), "u2"))
        code = (
            "import sys\n"
            "from napari_scope._reader import read\n"
            f"(layer,) = read({str(tmp_path / 'run')!r})\n"
            "origin = layer[1]['metadata']['napari_scope_origin']\n"
            "assert not origin.dataset.finished\n"
            "assert 'napari_scope.widgets' not in sys.modules\n"
            "assert 'qtpy' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plate_is_one_mosaic_and_tells_what_it_meets_once(
    tmp_path: Path, warned: list[str]
) -> None:
    path = tmp_path / "plate.zarr"
    pixels_of = write_plate(path, {f"A/{i}": ["0"] for i in range(1, 10)})
    for i in range(2, 9):
        shutil.rmtree(path / "A" / str(i))
    reader = napari_get_reader(str(path))
    assert reader is not None
    names, *channels = reader(str(path))
    assert (names[2], [layer[2] for layer in channels]) == ("points", ["image"] * 2)
    warned.clear()
    for _ in range(2):
        for number, (data, _, _) in enumerate(channels):
            found = np.asarray(data)
            assert np.array_equal(found[:6, :8], pixels_of["A/1/0"][number])
            assert np.array_equal(found[:6, 72:80], pixels_of["A/9/0"][number])
    assert len(warned) <= 1
    assert all(str(path) in message for message in warned)


def test_a_plate_goes_on_a_slider_where_that_is_preferred(tmp_path: Path) -> None:
    path = tmp_path / "plate.zarr"
    write_plate(path, {"A/1": ["0", "1"], "B/2": ["0"]})
    save_preferences(BrowsePreferences("slider"))
    assert [np.shape(layer[0]) for layer in read(path)] == [(3, 6, 8)] * 2


def test_tiles_of_a_plate_that_is_being_written_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope.stream.run_state import StoredRun

    path = tmp_path / "plate.zarr"
    write_plate(path, {"A/1": ["0"]})
    (path / "frames.jsonl").write_text("")
    for state, kept in ((StoredRun.WRITTEN, False), (StoredRun.CLOSED, True)):
        monkeypatch.setattr(
            "napari_scope.stream.run_state.run_state", lambda _, state=state: state
        )
        data: Any = read(path)[1][0]
        assert np.asarray(data).any()
        shutil.move(path / "A/1/0/0/c", tmp_path / "away")
        assert bool(np.asarray(data).any()) is kept
        shutil.move(tmp_path / "away", path / "A/1/0/0/c")


def test_damage_of_one_channel_leaves_the_others(
    tmp_path: Path, warned: list[str]
) -> None:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_scope.layers.saving import save_layers

    data = pixels((3, 8, 8))
    path = tmp_path / "a.zarr"
    write_image(path, "cyx", data, options={"chunks": (1, 8, 8)})
    # One file for each channel; that of the first is cut off.
    file = path / "0" / "c" / "0" / "0" / "0"
    file.write_bytes(file.read_bytes()[:-3])
    viewer = ViewerModel()
    for layer in read(path):
        viewer.add_layer(Layer.create(*layer))
    shown = np.stack([np.asarray(layer.data) for layer in viewer.layers])
    assert not shown[0].any()
    assert np.array_equal(shown[1:], data[1:])
    assert len(warned) == 1
    assert "What cannot be read is black: pixels cannot be read" in warned[0]
    # Saved black, the damage would be hidden.
    with pytest.raises(FormatError, match="pixels cannot be read"):
        save_layers(tmp_path / "b.zarr", viewer.layers)
    assert not (tmp_path / "b.zarr").exists()
