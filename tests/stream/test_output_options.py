"""What an output can be asked for, and what becomes of it on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from tests.stream.streams import frame_of, make_spec
from tifffile import TiffFile

from napari_scope.errors import OutputExistsError, SettingsError
from napari_scope.formats import open_dataset
from napari_scope.stream import COMPRESSIONS, ImageSpec, Output, Stream, next_free_name
from napari_scope.stream.outputs import VERSIONS, taken_place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("format", "options", "words"),
    [
        ("ndtiff", {"compression": "zlib"}, "ndtiff has no compression 'zlib'"),
        ("ome-tiff", {"compression": "blosc-lz4"}, "zlib, lzw"),
        ("ome-zarr", {"compression": "lzw"}, "blosc-lz4, blosc-zstd, zstd"),
        ("ome-zarr", {"version": "0.3"}, "0.5, 0.4"),
        ("ome-tiff", {"version": "0.5"}, "leave the version out"),
        ("ndtiff", {"chunk_px": 64}, "not cut into chunks"),
        ("ome-zarr", {"chunk_px": 0}, "sizes count from 1"),
        ("ome-zarr", {"single_file": True}, "ome-tiff only"),
        ("png", {}, "there is no format 'png'"),
    ],
)
def test_what_a_format_does_not_have_is_refused(
    tmp_path: Path, format: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Output(tmp_path / "a", format, **options)
    assert words in str(caught.value)


def test_none_is_no_compression(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert Output(path, "ndtiff", compression="none") == Output(path, "ndtiff")


def saved(*outputs: Output) -> None:
    sinks = [output.sink() for output in outputs]
    with Stream(make_spec(frame=(48, 64)), sinks) as stream:
        for number in range(5):
            stream.append(np.full((48, 64), number, "u2"))


@pytest.mark.parametrize("version", VERSIONS["ome-zarr"])
@pytest.mark.parametrize("codec", [None, *COMPRESSIONS["ome-zarr"]])
def test_ome_zarr_is_packed_as_asked(
    tmp_path: Path, codec: str | None, version: str
) -> None:
    path = tmp_path / "a.ome.zarr"
    saved(Output(path, "ome-zarr", compression=codec, version=version, chunk_px=32))
    (image,) = open_dataset(path).images
    assert open_dataset(path).format_version == version
    array = zarr.open_array(path / "0", mode="r")
    assert array.chunks[-2:] == (32, 32)
    assert array.metadata.zarr_format == {"0.5": 3, "0.4": 2}[version]
    found = np.asarray(image.levels[0])
    assert (found == np.arange(5)[:, None, None]).all()
    assert np.array_equal(array[:], found)
    assert (array.nbytes_stored() < array.nbytes) == (codec is not None)


@pytest.mark.parametrize("codec", [None, *COMPRESSIONS["ome-tiff"]])
def test_ome_tiff_is_packed_as_asked(tmp_path: Path, codec: str | None) -> None:
    path = tmp_path / "a.ome.tiff"
    saved(Output(path, "ome-tiff", compression=codec))
    names = {None: "NONE", "zlib": "ADOBE_DEFLATE", "lzw": "LZW"}
    with TiffFile(path) as file:
        assert file.is_ome
        assert {page.compression.name for page in file.pages} == {names[codec]}


def test_two_outputs_of_one_stream_are_packed_differently(tmp_path: Path) -> None:
    one = Output(tmp_path / "a.ome.zarr", "ome-zarr", compression="zstd", chunk_px=9999)
    two = Output(tmp_path / "b.ome.zarr", "ome-zarr", version="0.4")
    three = Output(tmp_path / "c.ome.tiff", "ome-tiff", compression="zlib")
    saved(one, two, three)
    first, second = (zarr.open_array(o.path / "0", mode="r") for o in (one, two))
    assert first.chunks == (1, 48, 64)  # no chunk is larger than a frame
    assert first.nbytes_stored() < first.nbytes <= second.nbytes_stored()
    assert (first.metadata.zarr_format, second.metadata.zarr_format) == (3, 2)
    with TiffFile(three.path) as file:
        assert file.pages.first.compression.name == "ADOBE_DEFLATE"


def test_several_positions_of_ome_tiff_are_a_folder(tmp_path: Path) -> None:
    output = Output(tmp_path / "a.ome.tiff", "ome-tiff")
    assert output.placed(1) == output
    placed = output.placed(2)
    assert placed.path == tmp_path / "a"
    images = tuple(ImageSpec(n, {"position": n}, {"time": 1}) for n in "LR")
    spec = make_spec({"time": 1}, order=("position", "time"), images=images)
    with Stream(spec, [placed.sink()]) as stream:
        stream.append(frame_of(0))
        stream.append(frame_of(1))
    assert len([*placed.path.glob("*.ome.tif*")]) == 2
    single = Output(tmp_path / "b.ome.tiff", "ome-tiff", single_file=True)
    assert single.placed(2) == single
    with Stream(spec, [single.sink()]) as stream:
        stream.append(frame_of(0))
    assert single.path.is_file()


@pytest.mark.parametrize("taken", ["a.ome.tiff", "a", "a.frames.jsonl"])
def test_what_is_in_the_way_of_ome_tiff(tmp_path: Path, taken: str) -> None:
    output = Output(tmp_path / "a.ome.tiff", "ome-tiff")
    assert not output.exists()
    (tmp_path / taken).touch()
    assert output.exists()
    assert taken_place(output.path, "ome-tiff") == tmp_path / taken


def test_names_count_up_past_whatever_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "cells_001").mkdir()
    (tmp_path / "cells_002.frames.jsonl").touch()
    assert next_free_name(tmp_path, "cells", ["ome-zarr"]) == "cells_001"
    assert next_free_name(tmp_path, "cells", ["ome-tiff"]) == "cells_003"
    (tmp_path / "cells_003.ome.zarr").mkdir()
    assert next_free_name(tmp_path, "cells", ["ome-tiff", "ome-zarr"]) == "cells_004"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    output = Output(tmp_path / "a.ome.zarr", "ome-zarr", compression="zstd")
    saved(output)
    with pytest.raises(OutputExistsError):
        saved(output)
