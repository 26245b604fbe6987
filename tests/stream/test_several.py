"""Several outputs of one stream, each stored in its own way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tests.stream.streams import all_images, frame_of, journal_of

from napari_scope.errors import DiskSpaceError, OutputExistsError, SettingsError
from napari_scope.formats import open_dataset
from napari_scope.stream import (
    AcquisitionSettings,
    create_stream,
    dims_from_standard_axes,
    read_journal,
)
from napari_scope.stream import create as create_module
from napari_scope.stream import stream as stream_module
from napari_scope.stream.outputs import RESERVE_BYTES
from napari_scope.stream.several import also_stored

if TYPE_CHECKING:
    from pathlib import Path


def run(root: Path, **more: Any) -> AcquisitionSettings:
    axes = {"t": more.pop("t", 4), "c": 2, "y": 16, "x": 24}
    chunks = {"y": 8} if root.suffix == ".zarr" else None
    dimensions = dims_from_standard_axes(axes, chunk_shapes=chunks)
    return AcquisitionSettings(
        root_path=root, dtype="uint16", dimensions=dimensions, **more
    )


def pixels(path: Path) -> Any:
    if path.name.endswith(".tiff"):
        return tifffile.imread(path)
    (image,) = open_dataset(path).images
    return np.asarray(image.levels[0])


FRAMES = np.array([frame_of(n) for n in range(8)]).reshape(4, 2, 16, 24)


def feed(stream: Any, first: int = 0, last: int = 8) -> None:
    for number in range(first, last):
        stream.append(frame_of(number), {"n": number})


@pytest.mark.parametrize("count", [4, None])
def test_three_formats_at_once(tmp_path: Path, count: int | None) -> None:
    first = run(tmp_path / "a.ome.zarr", t=count, compression="blosc-lz4")
    also = [
        tmp_path / "b.ome.tiff",
        {"root_path": str(tmp_path / "c"), "format": "ndtiff"},
        {"root_path": tmp_path / "d.ome.zarr", "compression": "zstd"},
        {"format": "memory"},
    ]
    with create_stream(first, also=also, levels=1) as stream:
        feed(stream)
        assert np.array_equal(all_images(stream)[0], FRAMES)
    formats = [sink.format for sink in stream.sinks]
    assert formats == ["ome-zarr", "ome-tiff", "ndtiff", "ome-zarr", "memory"]
    paths = [sink.path for sink in stream.sinks if sink.path is not None]
    assert [path.name for path in paths] == [
        "a.ome.zarr",
        "b.ome.tiff",
        "c.ndtiff",
        "d.ome.zarr",
    ]
    for path in paths:
        assert np.array_equal(pixels(path), FRAMES), path
        assert len(read_journal(journal_of(path)).frames) == 8
    codecs = []
    for path in paths[0], paths[3]:
        text = json.dumps(json.loads((path / "0" / "zarr.json").read_bytes()))
        codecs.append(("blosc" in text, '"zstd"' in text))
    assert codecs[0][0]
    assert codecs[1] == (False, True)
    assert len(list(paths[2].glob("c_NDTiffStack.tif"))) == 1


def test_all_of_them_go_on(tmp_path: Path) -> None:
    def stream() -> Any:
        first = run(tmp_path / "a.ndtiff", t=None)
        return create_stream(first, also=[tmp_path / "b.ndtiff"], resume=True)

    for part in ((0, 3), (3, 8)):
        with stream() as opened:
            feed(opened, *part)
    for name in "ab":
        assert np.array_equal(pixels(tmp_path / f"{name}.ndtiff"), FRAMES)


def test_what_is_stored_must_be_the_same(tmp_path: Path) -> None:
    first = run(tmp_path / "a.ome.zarr")
    for other, words in (
        (run(tmp_path / "b.ndtiff", t=5), "other lengths"),
        (run(tmp_path / "b.ndtiff", t=None), "do not store the same"),
        ({"root_path": tmp_path / "b.ndtiff", "dtype": "uint8"}, "type of the pixels"),
    ):
        with pytest.raises(SettingsError, match=words):
            create_stream(first, also=[other])
    with pytest.raises(SettingsError, match="same path"):
        create_stream(first, also=[tmp_path / "a.ome.zarr"])
    for within in ("a.ome.zarr/b.ndtiff", "a.ome.zarr/c/b.ome.zarr"):
        with pytest.raises(SettingsError, match="in the store of another"):
            create_stream(first, also=[tmp_path / within])
    with pytest.raises(SettingsError, match="is not a path"):
        create_stream(first, also=[{"root_path": 7}])
    with pytest.raises(ValueError, match="zstd"):
        create_stream(
            first, also=[{"root_path": tmp_path / "b.ome.tiff", "compression": "zstd"}]
        )
    assert list(tmp_path.iterdir()) == []


def test_codec_and_order_are_taken_over_in_the_same_format_only(
    tmp_path: Path,
) -> None:
    first = run(
        tmp_path / "a.ome.zarr", compression="zstd", storage_order="acquisition"
    )
    same = also_stored(first, tmp_path / "b.ome.zarr")
    assert (same.compression, same.storage_order) == ("zstd", "acquisition")
    other = also_stored(first, {"root_path": tmp_path / "b", "format": "ome-tiff"})
    assert (other.compression, other.storage_order) == (None, "ome")
    assert other.output_path.name == "b.ome.tiff"
    assert also_stored(first, other) == other


def test_all_are_replaced_or_none(tmp_path: Path) -> None:
    first = run(tmp_path / "a.ndtiff", overwrite=True)
    also = [tmp_path / "b.ndtiff"]
    for value in range(2):
        with create_stream(first, also=also) as stream:
            feed(stream, value, 8)
    assert len(open_dataset(tmp_path / "b.ndtiff").images) == 1
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / "b.ndtiff" / "mine.txt").write_text("x")
    with pytest.raises(OutputExistsError):
        create_stream(first, also=also)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ndtiff", "b.ndtiff"]
    assert pixels(tmp_path / "a.ndtiff").shape[:2] == (4, 2)


def test_the_room_of_all_old_stores_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(tmp_path / "a.ndtiff", overwrite=True)
    also = [tmp_path / "b.ndtiff"]
    with create_stream(first, also=also) as stream:
        feed(stream)

    def free(path: object) -> int:
        there = sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file())
        return RESERVE_BYTES + room - there

    for module in (create_module, stream_module):
        monkeypatch.setattr(module, "free_bytes", free)
    room = 8 * 768  # for one of them
    with pytest.raises(DiskSpaceError):
        create_stream(first, also=also)
    assert np.array_equal(pixels(tmp_path / "b.ndtiff"), FRAMES)
    room = 2 * 8 * 768 + 100
    with create_stream(first, also=also) as stream:
        feed(stream)
    assert np.array_equal(pixels(tmp_path / "b.ndtiff"), FRAMES)
