"""NDTiff holds one image of frames; what it cannot hold is refused, not lost."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.errors import (
    CancelledError,
    DiskSpaceError,
    OutputExistsError,
    SettingsError,
)
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff.writer import NDTiffWriter
from napari_scope.layers.saving import save_layers

if TYPE_CHECKING:
    from pathlib import Path

LayerData = tuple[Any, dict[str, Any], str]
SPACE = {"units": ("um", "um"), "scale": (0.5, 0.5)}


def layer(
    name: str, shape: tuple[int, ...] = (20, 30), dtype: str = "u2", **more: Any
) -> LayerData:
    count = int(np.prod(shape))
    pixels = np.arange(count).reshape(shape).astype(dtype)
    return pixels, {"name": name, **more}, "image"


def test_frames_in_the_reference_library(tmp_path: Path) -> None:
    ndstorage = pytest.importorskip("ndstorage")
    more = {
        "axis_labels": ("t", "z", "y", "x"),
        "units": ("min", "nm", "um", "um"),
        "scale": (2, 500, 0.25, 0.25),
        "translate": (4, -1000, 7, 9),
    }
    layers = [layer(name, (3, 5, 20, 30), **more) for name in ("DAPI", "GFP")]
    path = save_layers(tmp_path / "run.ndtiff", layers)
    stored = ndstorage.Dataset(str(path))
    try:
        assert {name: list(v) for name, v in stored.axes.items()} == {
            "time": [2, 3, 4],
            "channel": ["DAPI", "GFP"],
            "z": [-2, -1, 0, 1, 2],
        }
        frame = stored.read_image(time=3, z=-2, channel="GFP")
        np.testing.assert_array_equal(frame, layers[1][0][1, 0])
        about = stored.read_metadata(time=3, z=-2, channel="GFP")
        assert about["PixelSizeUm"] == 0.25
        assert about["ZPositionUm"] == -1.0
        assert stored.summary_metadata["Interval_ms"] == 120_000
        assert stored.summary_metadata["z-step_um"] == 0.5
    finally:
        stored.close()
    (image,) = open_dataset(path).images
    assert [
        (a.name, a.unit, a.scale, a.translation) for a in image.axes if a.name != "c"
    ] == [
        ("t", "second", 120.0, 240.0),
        ("z", "micrometer", 0.5, -1.0),
        ("y", "micrometer", 0.25, 7.0),
        ("x", "micrometer", 0.25, 9.0),
    ]


def test_colours(tmp_path: Path) -> None:
    data = layer("photo", (2, 20, 30, 3), "u1", rgb=True)
    path = save_layers(tmp_path / "run.ndtiff", [data])
    (image,) = open_dataset(path).images
    assert image.rgb
    found = np.asarray(image.levels[0])
    np.testing.assert_array_equal(found.reshape(data[0].shape), data[0])


def test_a_layer_that_has_channels_itself(tmp_path: Path) -> None:
    data = layer("a", (3, 20, 30), axis_labels=("c", "y", "x"))
    (image,) = open_dataset(save_layers(tmp_path / "run.ndtiff", [data])).images
    assert [channel.name for channel in image.channels] == ["a 0", "a 1", "a 2"]
    np.testing.assert_array_equal(np.asarray(image.levels[0]), data[0])


def test_custom_axes(tmp_path: Path) -> None:
    data = layer("a", (3, 2, 20, 30), axis_labels=("angle", "p", "y", "x"))
    images = open_dataset(save_layers(tmp_path / "run.ndtiff", [data])).images
    assert len(images) == 2  # one for each position
    found = np.stack([np.asarray(i.levels[0]).reshape(3, 20, 30) for i in images], 1)
    np.testing.assert_array_equal(found, data[0])


def labels() -> LayerData:
    return layer("cells")[0], {"name": "cells"}, "labels"


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ([layer("a"), labels()], r"'cells'.*no place for labels"),
        ([layer("a"), layer("b", (9, 9))], "2 grids"),
        ([layer("a", dtype="f4")], r"'a'.*float32"),
        ([layer("a", (20, 30, 3), "u2", rgb=True)], "8 bit colour"),
        ([layer("a", (20, 30, 4), "u1", rgb=True)], "transparency"),
        ([layer("a", scale=(2, 2))], "needs a unit"),
        ([layer("a", scale=(2, 1), units=("um", "um"))], "square pixels"),
        ([layer("a", units=("um", "pixel"))], "'x' has no unit"),
        ([layer("a", (3, 20, 30), scale=(2, 1, 1))], "'z' without a unit"),
        (
            [
                layer(
                    "a",
                    (3, 20, 30),
                    scale=(2, 1, 1),
                    translate=(1, 0, 0),
                    units=("um", "um", "um"),
                )
            ],
            "begins at 1",
        ),
        (
            [layer("a", (3, 9, 9), scale=(2, 1, 1), axis_labels=("angle", "y", "x"))],
            "'angle'",
        ),
    ],
)
def test_what_cannot_be_held_is_refused(
    tmp_path: Path, layers: list[LayerData], match: str
) -> None:
    with pytest.raises(SettingsError, match=match):
        save_layers(tmp_path / "run.ndtiff", layers)
    assert not list(tmp_path.iterdir())


def test_data_are_never_replaced(tmp_path: Path) -> None:
    path = save_layers(tmp_path / "run.ndtiff", [layer("a")])
    with pytest.raises(OutputExistsError):
        save_layers(path, [layer("b")], overwrite=True)
    assert open_dataset(path).images[0].channels[0].name == "a"


def test_cancelled(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with pytest.raises(CancelledError, match="nothing was changed"):
        save_layers(
            tmp_path / "run.ndtiff",
            [layer("a", (9, 20, 30))],
            progress=lambda done, whole: told.append((done, whole)),
            cancelled=lambda: len(told) == 3,
        )
    assert told == [(1200 * n, 9 * 1200) for n in (1, 2, 3)]
    assert not list(tmp_path.iterdir())


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(NDTiffWriter, "put", fail)
    with pytest.raises(DiskSpaceError, match="full"):
        save_layers(tmp_path / "run.ndtiff", [layer("a")])
    assert not list(tmp_path.iterdir())


def test_a_block_of_the_source_is_read_once(tmp_path: Path) -> None:
    keys: list[tuple[slice, ...]] = []

    class Blocks:
        shape, dtype, chunks = (8, 20, 30), np.dtype("u2"), (4, 20, 30)

        def __getitem__(self, key: Any) -> np.ndarray:
            keys.append(key)
            return np.zeros([part.stop - part.start for part in key], "u2")

    save_layers(tmp_path / "run.ndtiff", [(Blocks(), {"name": "a"}, "image")])
    assert [(key[0].start, key[0].stop) for key in keys] == [(0, 4), (4, 8)]
