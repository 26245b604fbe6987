"""Tests of `napari_scope.formats.ngff.chunk_reader`, against zarr-python."""

from __future__ import annotations

import itertools
import json
import os
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.chunk_reader import ChunkReader
from napari_scope.formats.ngff.pixels import ZarrSource
from napari_scope.formats.ngff.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

_DTYPES = ("uint8", "uint16", "int16", "uint32", "float32", "float64", "int64")


class Stored(NamedTuple):
    """How an array is written."""

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    per_shard: tuple[int, ...] | None
    zarr_format: int
    dtype: str
    big: bool
    compressor: str
    checked: bool
    index_at: str
    separator: str
    fill: int


@st.composite
def _stored(draw: st.DrawFn) -> Stored:
    ndim = draw(st.integers(1, 3))
    shape, chunk, per_shard = (
        tuple(draw(st.lists(st.integers(1, most), min_size=ndim, max_size=ndim)))
        for most in (9, 5, 3)
    )
    zarr_format = draw(st.sampled_from((2, 3)))
    sharded = zarr_format == 3 and draw(st.booleans())
    packed = ("", "blosc", "zstd", "gzip", *(["zlib"] if zarr_format == 2 else []))
    return Stored(
        shape,
        chunk,
        per_shard if sharded else None,
        zarr_format,
        draw(st.sampled_from(_DTYPES)),
        draw(st.booleans()),
        draw(st.sampled_from(packed)),
        zarr_format == 3 and draw(st.booleans()),
        draw(st.sampled_from(("start", "end"))),
        draw(st.sampled_from((".", "/"))),
        draw(st.sampled_from((0, 7))),
    )


def _made(folder: Path, how: Stored) -> zarr.Array[Any]:
    if how.zarr_format == 2:
        import numcodecs

        codec = {
            "": None,
            "blosc": numcodecs.Blosc("zstd", 1, numcodecs.Blosc.BITSHUFFLE),
            "zstd": numcodecs.Zstd(1),
            "gzip": numcodecs.GZip(1),
            "zlib": numcodecs.Zlib(1),
        }[how.compressor]
        return zarr.create_array(
            str(folder),
            shape=how.shape,
            chunks=how.chunk,
            dtype=np.dtype(how.dtype).newbyteorder(">" if how.big else "<"),
            zarr_format=2,
            compressors=codec,
            filters=None,
            fill_value=how.fill,
            chunk_key_encoding={"name": "v2", "separator": how.separator},
        )
    from zarr import codecs
    from zarr.codecs import ShardingCodec

    inner: list[Any] = [codecs.BytesCodec(endian="big" if how.big else "little")]
    if how.compressor:
        inner.append(
            {
                "blosc": codecs.BloscCodec(cname="lz4", clevel=1, typesize=2),
                "zstd": codecs.ZstdCodec(level=1),
                "gzip": codecs.GzipCodec(level=1),
            }[how.compressor]
        )
    if how.checked:
        inner.append(codecs.Crc32cCodec())
    file = how.chunk
    if how.per_shard is not None:
        file = tuple(c * n for c, n in zip(how.chunk, how.per_shard, strict=True))
        inner = [
            ShardingCodec(
                chunk_shape=how.chunk, codecs=inner, index_location=how.index_at
            )
        ]
    array: zarr.Array[Any] = zarr.create(
        store=str(folder),
        shape=how.shape,
        chunks=file,
        dtype=how.dtype,
        zarr_format=3,
        codecs=inner,
        fill_value=how.fill,
        chunk_key_encoding=("default", how.separator),
    )
    return array


def _reader(folder: Path) -> ChunkReader | None:
    return ChunkReader.of(Store(folder).array(""))


def _blocks(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[slice, ...]:
    block = []
    for length in shape:
        start = draw(st.integers(0, length - 1))
        stop = draw(st.integers(start + 1, length))
        block.append(slice(start, stop, draw(st.integers(1, 3))))
    return tuple(block)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(how=_stored(), data=st.data())
def test_blocks_are_those_of_zarr(
    tmp_path_factory: pytest.TempPathFactory, how: Stored, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("zarr") / "a"
    array = _made(folder, how)
    rng = np.random.default_rng(1)
    for _ in range(data.draw(st.integers(0, 2))):  # so that some chunks are missing
        part = data.draw(st.composite(_blocks)(how.shape))
        array[part] = rng.integers(1, 99, array[part].shape).astype(how.dtype)
    reader = _reader(folder)
    assert reader is not None
    assert reader.shape == how.shape
    block = data.draw(st.composite(_blocks)(how.shape))
    pixels = reader.read(block)
    count = 1
    for one, chunk in zip(block, how.chunk, strict=True):
        count *= (one.stop - 1) // chunk - one.start // chunk + 1
    assert (pixels is None) == (count > 8)
    if pixels is not None:
        assert pixels.dtype == np.dtype(how.dtype)
        np.testing.assert_array_equal(pixels, array[block])
    np.testing.assert_array_equal(
        ZarrSource(Store(folder).array("")).read(block), array[block]
    )


_KINDS = [
    Stored((8, 8), (4, 4), shard, 3, "uint16", False, codec, crc, at, "/", 0)
    for shard, codec, crc, at in itertools.product(
        (None, (2, 2)), ("", "blosc", "zstd", "gzip"), (False, True), ("start", "end")
    )
]


def _file(folder: Path) -> Path:
    return folder / "c" / "0" / "0"


def _written(folder: Path, how: Stored) -> npt.NDArray[np.uint16]:
    pixels = np.random.default_rng(3).integers(0, 9, how.shape).astype(np.uint16)
    _made(folder, how)[...] = pixels
    return pixels


@pytest.mark.parametrize("how", _KINDS)
def test_what_is_cut_short_or_has_more_is_left_to_a_library(
    tmp_path: Path, how: Stored
) -> None:
    _written(tmp_path / "a", how)
    file = _file(tmp_path / "a")
    whole = file.read_bytes()
    reader = _reader(tmp_path / "a")
    assert reader is not None
    block = (slice(0, 8 if how.per_shard else 4, 1),) * 2
    assert reader.read(block) is not None
    for length in (0, 1, 3, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert reader.read(block) is None
        with pytest.raises(FormatError, match="cannot be read"):
            ZarrSource(Store(tmp_path / "a").array("")).read(block)
    if how.per_shard is None:
        file.write_bytes(whole + b"\0")
        assert reader.read(block) is None


@pytest.mark.parametrize("how", _KINDS[::2])
def test_no_damage_raises_anything_else(tmp_path: Path, how: Stored) -> None:
    pixels = _written(tmp_path / "a", how)
    file = _file(tmp_path / "a")
    whole = file.read_bytes()
    rng = np.random.default_rng(5)
    reader = _reader(tmp_path / "a")
    assert reader is not None
    block = (slice(0, 4, 1), slice(0, 4, 1))
    for at in rng.permutation(len(whole))[:60]:
        damaged = bytearray(whole)
        damaged[at] ^= int(rng.integers(1, 256))
        file.write_bytes(damaged)
        found = reader.read(block)
        assert found is None or found.shape == (4, 4)
        if how.checked and found is not None:
            np.testing.assert_array_equal(found, pixels[:4, :4])


@pytest.mark.parametrize("codec", ["blosc", "zstd"])
def test_a_header_that_claims_much_is_not_believed(tmp_path: Path, codec: str) -> None:
    how = Stored((4, 4), (4, 4), None, 3, "uint16", False, codec, False, "end", "/", 0)
    _written(tmp_path / "a", how)
    file = _file(tmp_path / "a")
    data = bytearray(file.read_bytes())
    if codec == "blosc":
        struct.pack_into("<I", data, 4, 2**31 - 20)
    else:
        data = bytearray(b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**50) + data[6:])
    file.write_bytes(data)
    reader = _reader(tmp_path / "a")
    assert reader is not None
    assert reader.read((slice(0, 4, 1), slice(0, 4, 1))) is None


def test_the_lengths_of_an_index_are_not_believed(tmp_path: Path) -> None:
    how = Stored((4, 4), (2, 2), (2, 2), 3, "uint16", False, "", False, "end", "/", 0)
    _written(tmp_path / "a", how)
    document = tmp_path / "a" / "zarr.json"
    said = json.loads(document.read_text())
    said["codecs"][0]["configuration"]["index_codecs"].pop()  # no checksum
    document.write_text(json.dumps(said))
    file = _file(tmp_path / "a")
    body = file.read_bytes()[:-68]
    for entry in ((0, 2**63), (2**63, 8), (len(body) + 70, 8), (0, 9), (0, 7)):
        table = struct.pack("<2Q", *entry) * 4
        file.write_bytes(body + table)
        reader = _reader(tmp_path / "a")
        assert reader is not None
        assert reader.read((slice(0, 2, 1), slice(0, 2, 1))) is None, entry


def test_an_index_with_another_checksum_is_not_believed(tmp_path: Path) -> None:
    how = Stored((4, 4), (2, 2), (2, 2), 3, "uint16", False, "", False, "end", "/", 0)
    _written(tmp_path / "a", how)
    file = _file(tmp_path / "a")
    data = file.read_bytes()
    first, second = data[-68:-52], data[-52:-36]
    file.write_bytes(data[:-68] + second + first + data[-36:])
    reader = _reader(tmp_path / "a")
    assert reader is not None
    assert reader.read((slice(0, 2, 1), slice(0, 2, 1))) is None


def test_a_file_that_is_much_too_long_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _written(tmp_path / "a", _KINDS[0])
    reader = _reader(tmp_path / "a")
    assert reader is not None
    with open(_file(tmp_path / "a"), "r+b") as file:
        file.truncate(2**30)
    asked: list[int] = []
    monkeypatch.setattr(os, "read", lambda file, length: asked.append(length) or b"")
    assert reader.read((slice(0, 4, 1), slice(0, 4, 1))) is None
    assert not asked


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX")
def test_a_pipe_in_place_of_a_chunk_does_not_block(tmp_path: Path) -> None:
    _written(tmp_path / "a", _KINDS[0])
    file = _file(tmp_path / "a")
    file.unlink()
    os.mkfifo(file)
    reader = _reader(tmp_path / "a")
    assert reader is not None
    assert reader.read((slice(0, 4, 1), slice(0, 4, 1))) is None


@pytest.mark.parametrize(
    "change",
    [
        {"codecs": []},
        {"codecs": [{"name": "transpose", "configuration": {"order": [1, 0]}}]},
        {"codecs": [{"name": "bytes"}]},
        {"codecs": ["bytes"]},
        {"fill_value": "0x01"},
        {"fill_value": 1e300},
        {"fill_value": 70000},
        {"fill_value": True},
        {"data_type": "<u2"},
        {"data_type": "bool"},
        {"shape": [8, 8, 8]},
        {"chunk_grid": {"name": "rectilinear"}},
        {"chunk_key_encoding": {"name": "odd"}},
        {
            "chunk_key_encoding": {
                "name": "default",
                "configuration": {"separator": "/../"},
            }
        },
        {"storage_transformers": [{"name": "odd"}]},
        {"extension": {"must_understand": True}},
    ],
)
def test_arrays_of_other_kinds_are_left_to_a_library(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    _written(tmp_path / "a", _KINDS[0])
    info = Store(tmp_path / "a").array("")
    assert ChunkReader.of(info) is not None
    document = tmp_path / "a" / "zarr.json"
    document.write_text(json.dumps({**json.loads(document.read_text()), **change}))
    assert ChunkReader.of(info) is None


def test_large_blocks_are_left_to_a_library(tmp_path: Path) -> None:
    how = Stored(
        (4096, 2048), (2048, 2048), None, 3, "uint8", False, "", False, "end", "/", 0
    )
    _made(tmp_path / "a", how)
    reader = _reader(tmp_path / "a")
    assert reader is not None
    assert reader.read((slice(0, 1, 1), slice(0, 1, 1))) is not None
    assert reader.read((slice(2047, 2049, 1), slice(0, 1, 1))) is None
    assert reader.read((slice(0, 1, 1),)) is None
    assert reader.read((slice(0, 1, 1), slice(2000, 2049, 1))) is None


def test_a_frame_written_meanwhile_is_seen(tmp_path: Path) -> None:
    array = _made(tmp_path / "a", _KINDS[0])
    source = ZarrSource(Store(tmp_path / "a").array(""))
    block = (slice(0, 4, 1), slice(0, 4, 1))
    assert not source.read(block).any()
    array[:4, :4] = 5
    assert (source.read(block) == 5).all()
