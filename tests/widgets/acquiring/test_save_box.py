from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_scope.acquire import save_wish
from napari_scope.errors import SettingsError
from napari_scope.events import Estimate
from napari_scope.stream import room_needed
from napari_scope.stream.outputs import RESERVE_BYTES
from napari_scope.widgets.acquiring.save_box import SaveBox
from napari_scope.widgets.common.icons import RED
from napari_scope.widgets.common.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from napari_scope.acquire import FormatName

pytestmark = pytest.mark.gui


@pytest.fixture
def box(qtbot: QtBot, tmp_path: Path) -> Iterator[SaveBox]:
    made = SaveBox()
    qtbot.addWidget(made)
    made.folder_edit.setText(str(tmp_path))
    made.name_edit.setText("cells")
    yield made
    made.close_down()


def look(box: SaveBox, qtbot: QtBot) -> None:
    """Let the box look at the disk, and wait for what it has seen."""
    qtbot.waitUntil(lambda: not box._looker.busy)
    box.refresh()
    qtbot.waitUntil(lambda: not box._looker.busy)


def test_ome_zarr_is_the_first_choice(
    box: SaveBox, tmp_path: Path, qtbot: QtBot
) -> None:
    look(box, qtbot)
    (output,) = box.outputs()
    assert output.format == "ome-zarr"
    assert output.path == tmp_path / "cells_001.ome.zarr"
    assert "<b>cells_001.ome.zarr</b>" in box.path_label.text()


def test_both_formats_share_a_name_that_is_free_in_both(
    box: SaveBox, tmp_path: Path
) -> None:
    (tmp_path / "cells_001.ndtiff").mkdir()
    box.format_boxes["ndtiff"].click()
    assert [output.path.name for output in box.outputs()] == [
        "cells_002.ome.zarr",
        "cells_002.ndtiff",
    ]


def test_ome_tiff_counts_up_past_its_folder_and_its_journal(
    box: SaveBox, tmp_path: Path
) -> None:
    box.format_boxes["ome-zarr"].click()
    box.format_boxes["ome-tiff"].click()
    (tmp_path / "cells_001").mkdir()  # the folder of several positions
    (tmp_path / "cells_002.frames.jsonl").touch()
    (output,) = box.outputs()
    assert output.path == tmp_path / "cells_003.ome.tiff"


def test_outputs_are_packed_as_chosen(box: SaveBox) -> None:
    box.format_boxes["ome-tiff"].click()
    zarr, tiff = (box.options.compression_boxes[n] for n in ("ome-zarr", "ome-tiff"))
    zarr.setCurrentIndex(zarr.findData("blosc-zstd"))
    tiff.setCurrentIndex(tiff.findData("zlib"))
    box.options.chunk_box.setCurrentIndex(box.options.chunk_box.findData(256))
    first, second = box.outputs()
    assert (first.compression, first.chunk_px) == ("blosc-zstd", 256)
    assert (second.compression, second.chunk_px) == ("zlib", None)


def test_the_size_of_packed_files_is_an_upper_bound(
    box: SaveBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(save_wish, "free_bytes", lambda path: 10**12)
    box.set_estimate(Estimate(frames=1200, bytes=900_000, duration_s=75))
    assert "at most" not in box.estimate_label.text()
    codecs = box.options.compression_boxes["ome-zarr"]
    codecs.setCurrentIndex(codecs.findData("zstd"))
    assert "at most 1.2 MB" in box.estimate_label.text()
    box.format_boxes["ome-zarr"].click()
    box.format_boxes["ndtiff"].click()  # which is not compressed
    assert "at most" not in box.estimate_label.text()


def test_the_name_counts_up(box: SaveBox, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (output,) = box.outputs()
        assert output.path.name == f"cells_{number:03d}.ome.zarr"
        output.path.mkdir()


def test_no_format_means_memory_and_says_so(box: SaveBox) -> None:
    assert box.memory_label.isHidden()
    box.format_boxes["ome-zarr"].click()
    assert box.outputs() == ()
    assert not box.memory_label.isHidden()
    assert "memory" in box.memory_label.text()
    assert not box.folder_edit.isEnabled()


@pytest.mark.parametrize("name", ["", "  ", "a/b", "..", "c:d", 'q"'])
def test_a_name_that_is_none_is_refused(name: str, box: SaveBox, qtbot: QtBot) -> None:
    box.name_edit.setText(name)
    with pytest.raises(SettingsError):
        box.outputs()
    look(box, qtbot)
    assert box.problem
    assert RED in box.path_label.text()


def test_no_folder_is_refused(box: SaveBox) -> None:
    box.folder_edit.setText(" ")
    with pytest.raises(SettingsError, match="no folder"):
        box.outputs()


def test_a_home_folder_is_understood(box: SaveBox) -> None:
    box.folder_edit.setText("~/data")
    assert box.folder == Path.home() / "data"


def test_typing_is_followed_after_a_moment(box: SaveBox, qtbot: QtBot) -> None:
    with qtbot.waitSignal(box.valueChanged, timeout=2000):
        box.name_edit.setText("tissue")
    qtbot.waitUntil(lambda: "tissue_001" in box.path_label.text())


def test_the_estimate_is_shown_against_the_free_space(
    box: SaveBox, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    free = RESERVE_BYTES + 2_000_000
    monkeypatch.setattr(save_wish, "free_bytes", lambda path: free)
    look(box, qtbot)
    box.set_estimate(Estimate(frames=1200, bytes=900_000, duration_s=75))
    text = box.estimate_label.text()
    assert text == "1,200 frames · at least 1:15 min · 1.2 MB · 270 MB free"
    # The reserve is named, for nobody would understand the limit without it.
    assert "268 MB more must stay free" in box.estimate_label.toolTip()
    box.format_boxes["ndtiff"].click()
    text = box.estimate_label.text()
    assert "2.1 MB" in text and RED in text and "only 270 MB free" in text
    for format_box in box.format_boxes.values():
        format_box.setChecked(False)
    assert box.estimate_label.text().endswith("900 kB")
    assert box.estimate_label.toolTip() == ""


@pytest.mark.parametrize(
    "formats", [("ndtiff",), ("ome-zarr",), ("ome-zarr", "ndtiff")]
)
@pytest.mark.parametrize("short_of", [0, 1])
def test_what_fits_here_fits_the_stream(
    short_of: int,
    formats: tuple[FormatName, ...],
    box: SaveBox,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    free = room_needed(100, 512 * 512 * 2, formats) - short_of
    monkeypatch.setattr(save_wish, "free_bytes", lambda path: free)
    for name, format_box in box.format_boxes.items():
        format_box.setChecked(name in formats)
    look(box, qtbot)
    box.set_estimate(Estimate(frames=100, bytes=100 * 512 * 512 * 2, duration_s=1))
    assert ("only" in box.estimate_label.text()) == bool(short_of)


def test_an_open_end_is_no_estimate(box: SaveBox, qtbot: QtBot) -> None:
    look(box, qtbot)
    box.set_estimate(Estimate(None, None, None))
    assert box.estimate_label.text().endswith("free")
    assert "not known before" in box.estimate_label.text()
    box.set_estimate(None, "the plan is odd")
    assert "the plan is odd" in box.estimate_label.text()
    box.set_estimate(None)
    assert box.estimate_label.text() == ""


def test_a_disk_that_cannot_be_looked_at_is_named(
    box: SaveBox, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    def refuse(path: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(save_wish, "free_bytes", refuse)
    look(box, qtbot)
    assert "Permission denied" in box.path_label.text()
    assert "Permission denied" in box.problem


def test_the_folder_is_chosen_and_remembered(
    box: SaveBox, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = tmp_path / "chosen"
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *args, **kwargs: str(chosen)
    )
    box.browse_button.click()
    assert box.folder == chosen
    assert Remembered().folder != chosen  # a run must have gone there first
    box.remember()
    other = SaveBox()
    qtbot.addWidget(other)
    assert other.folder == chosen
    other.close_down()


def test_a_folder_that_cannot_be_written_to_is_told(
    box: SaveBox, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "file").touch()
    box.folder_edit.setText(str(tmp_path / "file" / "deeper"))
    look(box, qtbot)
    assert "is a file" in box.path_label.text()


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="only where /proc is")
def test_a_read_only_place_is_told(box: SaveBox, qtbot: QtBot) -> None:
    box.folder_edit.setText("/proc/sys/new")
    look(box, qtbot)
    assert box.problem


def test_a_folder_that_does_not_answer_holds_up_nothing(
    box: SaveBox, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    before = save_wish.next_free_name

    def slow(*args: Any) -> str:
        assert answer.wait(20)
        return before(*args)

    qtbot.waitUntil(lambda: not box._looker.busy)
    monkeypatch.setattr(save_wish, "next_free_name", slow)
    box.folder_edit.setText(box.folder_edit.text() + "/net")
    box.refresh()
    assert "Looking at the folder" in box.path_label.text()
    box.name_edit.setText("later")
    box.refresh()  # while the first look still hangs
    answer.set()
    qtbot.waitUntil(lambda: "later_001" in box.path_label.text())


def test_what_is_chosen_is_restored(
    box: SaveBox, qtbot: QtBot, no_thread_is_left: None
) -> None:
    box.format_boxes["ndtiff"].click()
    box.options.single_box.click()
    other = SaveBox()
    qtbot.addWidget(other)
    other.restore(box.state())
    assert other.state() == box.state()
    other.restore({"formats": 3, "name": None, "options": []})
    assert other.state() == box.state()
    other.close_down()
    box.close_down()
