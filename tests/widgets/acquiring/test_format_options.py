from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_scope.stream import COMPRESSIONS, Output
from napari_scope.widgets.acquiring.format_options import FormatOptions, Packing

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QComboBox

pytestmark = pytest.mark.gui


@pytest.fixture
def options(qtbot: QtBot) -> FormatOptions:
    made = FormatOptions()
    qtbot.addWidget(made)
    made.show_formats(["ome-zarr", "ome-tiff"])
    return made


def choose(box: QComboBox, value: object) -> None:
    place = box.findData(value)
    assert place >= 0, value
    box.setCurrentIndex(place)


def test_nothing_is_packed_at_first(options: FormatOptions) -> None:
    for name in ("ome-zarr", "ome-tiff", "ndtiff"):
        assert options.choices(name) == Packing()
    assert options.unfold_button.text() == "Advanced"


def test_each_choice_is_one_that_the_format_has(
    options: FormatOptions, tmp_path: Path
) -> None:
    for name, box in options.compression_boxes.items():
        offered = [box.itemData(i) for i in range(box.count())]
        assert offered == [None, *COMPRESSIONS[name]]
    for box in (options.version_box, options.chunk_box):
        for i in range(box.count()):
            box.setCurrentIndex(i)
            packing = options.choices("ome-zarr")
            Output(
                tmp_path / "a",
                "ome-zarr",
                version=packing.version,
                chunk_px=packing.chunk_px,
            )


def test_choices_are_told_and_belong_to_their_format(
    options: FormatOptions, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(options.valueChanged, timeout=1000):
        choose(options.compression_boxes["ome-zarr"], "blosc-lz4")
    choose(options.chunk_box, 512)
    choose(options.version_box, "0.4")
    choose(options.compression_boxes["ome-tiff"], "zlib")
    assert options.choices("ome-zarr") == Packing("blosc-lz4", "0.4", 512)
    assert options.choices("ome-tiff") == Packing("zlib")
    assert options.choices("ndtiff") == Packing()


def test_folded_in_it_says_what_is_not_usual(options: FormatOptions) -> None:
    options.unfold_button.click()
    choose(options.compression_boxes["ome-zarr"], "zstd")
    choose(options.compression_boxes["ome-tiff"], "lzw")
    assert options.unfold_button.text() == "Advanced"
    options.unfold_button.click()
    text = options.unfold_button.text()
    assert text == "Advanced: OME-Zarr zstd; OME-TIFF lzw"
    options.show_formats(["ome-tiff"])
    assert options.unfold_button.text() == "Advanced: OME-TIFF lzw"


def test_only_choices_that_matter_are_shown(options: FormatOptions) -> None:
    options.show()
    options.unfold_button.click()
    options.show_formats(["ome-tiff"])
    assert options.compression_boxes["ome-tiff"].isVisible()
    assert not options.compression_boxes["ome-zarr"].isVisible()
    assert not options.chunk_box.isVisible()
    options.show_formats(["ndtiff"])
    assert options.durable_box.isVisible()
    assert not options.compression_boxes["ome-tiff"].isVisible()
    options.show_formats([])
    assert not options.isVisible()


def test_pyramids_and_single_files_are_those_of_their_format(
    options: FormatOptions, tmp_path: Path
) -> None:
    choose(options.level_boxes["ome-zarr"], 1)
    choose(options.level_boxes["ome-tiff"], 4)
    options.single_box.click()
    assert options.choices("ome-zarr") == Packing(levels=1)
    assert options.choices("ome-tiff") == Packing(levels=4, single_file=True)
    assert options.choices("ndtiff") == Packing()
    words = options.unfold_button.text()
    assert "OME-Zarr no pyramid" in words and "OME-TIFF 4 levels, one file" in words
    for name in ("ome-zarr", "ome-tiff"):
        Output(tmp_path / "a", name, levels=options.choices(name).levels)


def test_safety_against_power_loss_is_chosen(options: FormatOptions) -> None:
    assert options.durable_s() == 1.0
    choose(options.durable_box, None)
    assert options.durable_s() is None
    assert "safe when the system likes" in options.unfold_button.text()


def test_choices_are_restored(options: FormatOptions, qtbot: QtBot) -> None:
    choose(options.compression_boxes["ome-zarr"], "zstd")
    choose(options.chunk_box, 1024)
    choose(options.durable_box, None)
    options.single_box.click()
    other = FormatOptions()
    qtbot.addWidget(other)
    other.restore({**options.state(), "Version of OME-Zarr": "9.9"})
    assert other.state() == options.state()
