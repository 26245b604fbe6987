from __future__ import annotations

import json
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import tensorstore
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.ngff.ngff_stores import pixels

from napari_scope.arrays import LazyArray
from napari_scope.errors import FormatError
from napari_scope.fileio import replace_file
from napari_scope.formats.ngff import pixels as pixels_module
from napari_scope.formats.ngff.chunk_reader import ChunkReader
from napari_scope.formats.ngff.pixels import ZarrSource
from napari_scope.formats.ngff.store import Store


def source_of(folder: Path) -> ZarrSource:
    return ZarrSource(Store(folder).array(""))


def whole(source: ZarrSource) -> Any:
    return source.read(tuple(slice(0, n) for n in source.shape))


CASES: dict[str, dict[str, Any]] = {
    "v3": {"zarr_format": 3},
    "v2": {"zarr_format": 2},
    "v2 slash": {
        "zarr_format": 2,
        "chunk_key_encoding": {"name": "v2", "separator": "/"},
    },
    "v2 fortran": {"zarr_format": 2, "order": "F"},
    "v2 blosc": {"zarr_format": 2, "compressors": numcodecs.Blosc("lz4")},
    "v2 delta (zarr-python)": {
        "zarr_format": 2,
        "filters": [numcodecs.Delta("<u2")],
    },
    "v3 sharded": {"zarr_format": 3, "shards": (2, 8, 10), "chunks": (1, 8, 5)},
    "v3 uncompressed": {"zarr_format": 3, "compressors": None},
}


@pytest.mark.parametrize("case", CASES)
def test_pixels_are_what_zarr_python_wrote(tmp_path: Path, case: str) -> None:
    data = pixels((4, 8, 10))
    options = {"chunks": (2, 3, 7), **CASES[case]}
    zarr.create_array(str(tmp_path), data=data, **options)
    source = source_of(tmp_path)
    np.testing.assert_array_equal(whole(source), data)
    assert source.dtype == data.dtype
    inside = (slice(1, 4, 2), slice(2, 7), slice(0, 10, 3))
    np.testing.assert_array_equal(source.read(inside), data[inside])


@pytest.mark.parametrize("filters", [None, [numcodecs.Delta(">u2")]])
def test_big_endian_pixels_come_in_the_order_of_this_machine(
    tmp_path: Path, filters: Any
) -> None:
    data = pixels((5, 6), ">u2")
    zarr.create_array(str(tmp_path), data=data, zarr_format=2, filters=filters)
    read = whole(source_of(tmp_path))
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, data)


def test_missing_chunks_are_the_fill_value(tmp_path: Path) -> None:
    zarr.create_array(
        str(tmp_path), shape=(4, 6), dtype="uint8", chunks=(2, 3), fill_value=7
    )
    np.testing.assert_array_equal(whole(source_of(tmp_path)), np.full((4, 6), 7))


@pytest.fixture
def by_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a library read all arrays, as it does those that are not plain."""
    monkeypatch.setattr(ChunkReader, "of", lambda info: None)


def test_few_chunks_of_a_plain_array_are_read_without_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pixels((20, 6))
    zarr.create_array(str(tmp_path), data=data, chunks=(1, 6))
    opened: list[object] = []
    original = tensorstore.open

    def counting(*args: Any, **kwargs: Any) -> Any:
        opened.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(tensorstore, "open", counting)
    source = source_of(tmp_path)
    found = source.read((slice(2, 4), slice(1, 6)))
    np.testing.assert_array_equal(found, data[2:4, 1:6])
    assert not opened
    np.testing.assert_array_equal(whole(source), data)
    np.testing.assert_array_equal(whole(source), data)
    assert len(opened) == 1


def test_nothing_is_opened_before_the_first_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_library: None
) -> None:
    zarr.create_array(str(tmp_path), data=pixels((4, 6)))
    opened: list[object] = []
    original = tensorstore.open

    def counting(*args: Any, **kwargs: Any) -> Any:
        opened.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(tensorstore, "open", counting)
    source = source_of(tmp_path)
    lazy = LazyArray(source)[1:3]
    assert (source.shape, source.chunks, lazy.shape) == ((4, 6), (4, 6), (2, 6))
    assert source.read((slice(2, 2), slice(0, 6))).shape == (0, 6)
    assert not opened
    np.asarray(lazy)
    np.asarray(lazy)
    assert len(opened) == 1


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_slices_of_lazy_levels_are_slices_of_numpy(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder, array = _kept(tmp_path_factory)
    lazy = LazyArray(source_of(folder))
    for _ in range(data.draw(st.integers(1, 2))):
        key = tuple(
            data.draw(st.integers(-n, n - 1) if n and data.draw(st.booleans())
                      else st.slices(n))
            for n in array.shape
        )  # fmt: skip
        lazy, array = lazy[key], array[key]
    assert lazy.shape == np.shape(array)
    np.testing.assert_array_equal(np.asarray(lazy), array)


_made: list[tuple[Path, Any]] = []


def _kept(factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    if not _made:
        folder = factory.mktemp("kept")
        array = pixels((3, 7, 9))
        zarr.create_array(str(folder), data=array, chunks=(1, 2, 3), shards=(3, 4, 6))
        _made.append((folder, array))
    return _made[0]


def test_many_threads_read_one_source(tmp_path: Path) -> None:
    data = pixels((16, 32, 32))
    zarr.create_array(str(tmp_path), data=data, chunks=(1, 32, 32))
    source = source_of(tmp_path)
    start = threading.Barrier(8)

    def work(seed: int) -> None:
        start.wait()
        for i in np.random.default_rng(seed).permutation(16):
            block = (slice(i, i + 1), slice(0, 32), slice(0, 32))
            np.testing.assert_array_equal(source.read(block)[0], data[i])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


@pytest.mark.parametrize("sharded", [True, False])
def test_an_open_level_sees_frames_written_later(tmp_path: Path, sharded: bool) -> None:
    shards = {"shards": (4, 8, 8)} if sharded else {}
    array = zarr.create_array(
        str(tmp_path), shape=(12, 8, 8), dtype="uint16", chunks=(1, 8, 8), **shards
    )
    source = source_of(tmp_path)
    # Everything has been looked at while it was empty.
    assert not whole(source).any()
    for t in range(12):
        frame = pixels((8, 8), seed=t) + 1
        array[t] = frame
        block = (slice(t, t + 1), slice(0, 8), slice(0, 8))
        np.testing.assert_array_equal(source.read(block)[0], frame)


def test_frames_written_in_place_of_a_file_are_seen_at_once(tmp_path: Path) -> None:
    """One positional write for each frame, as our own writer does it."""
    from napari_scope.formats.ngff.metadata import array_metadata, encode
    from napari_scope.formats.ngff.writing.shards import ShardGrid, ShardWriter

    document = array_metadata(
        (64, 8, 8), "uint16", chunk=(1, 8, 8), shard=(32, 8, 8), names="tyx"
    )
    (tmp_path / "zarr.json").write_bytes(encode(document))
    writer = ShardWriter(tmp_path, ShardGrid((64,), (32,), 128), (8, 8), np.uint16)
    source = source_of(tmp_path)
    for t in range(64):
        block = (slice(t, t + 1), slice(0, 8), slice(0, 8))
        assert not source.read(block).any()
        frame = pixels((8, 8), seed=t) + 1
        writer.write((t,), frame)
        np.testing.assert_array_equal(source.read(block)[0], frame)
    writer.close()


def test_two_changes_within_one_tick_of_the_clock_are_both_seen(
    tmp_path: Path,
) -> None:
    """File systems stamp files a few milliseconds coarse; frames come faster."""
    array = zarr.create_array(
        str(tmp_path), shape=(4, 8), dtype="u1", chunks=(4, 8), compressors=None
    )
    array[:] = 1
    chunk = tmp_path / "c" / "0" / "0"
    status = chunk.stat()
    source = source_of(tmp_path)
    assert (whole(source) == 1).all()
    with open(chunk, "r+b") as file:
        file.write(bytes([2]) * 32)
    os.utime(chunk, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (whole(source) == 2).all()


def sharded(folder: Path, data: Any, location: str) -> None:
    zarr.create_array(
        str(folder),
        shape=data.shape,
        dtype=data.dtype,
        chunks=data.shape,
        serializer=zarr.codecs.ShardingCodec(
            chunk_shape=(1, *data.shape[1:]), index_location=location
        ),
        compressors=None,
    )[:] = data


def test_a_store_finished_while_open_is_opened_anew(tmp_path: Path) -> None:
    """The index of the shards moves and zarr.json is replaced under an open level."""
    data = pixels((4, 8, 8)) + 1
    growing, finished = tmp_path / "growing", tmp_path / "finished"
    sharded(growing, data, "start")
    sharded(finished, data + 1000, "end")
    source = source_of(growing)
    np.testing.assert_array_equal(whole(source), data)
    shard = Path("c/0/0/0")
    (growing / shard).write_bytes((finished / shard).read_bytes())
    replace_file(growing / "zarr.json", (finished / "zarr.json").read_bytes())
    np.testing.assert_array_equal(whole(source), data + 1000)


def test_a_failed_read_is_tried_once_more_with_a_new_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_library: None
) -> None:
    data = pixels((4, 8))
    zarr.create_array(str(tmp_path), data=data)
    source = source_of(tmp_path)
    np.testing.assert_array_equal(whole(source), data)
    fails = iter([True, False])
    asked: list[object] = []
    original = pixels_module._TensorStoreReader.read

    def sometimes(self: Any, block: Any) -> Any:
        asked.append(self)
        if next(fails):
            raise ValueError("CRC-32C checksum verification failed")
        return original(self, block)

    monkeypatch.setattr(pixels_module._TensorStoreReader, "read", sometimes)
    np.testing.assert_array_equal(whole(source), data)
    assert len(asked) == 2
    assert asked[0] is not asked[1]


def test_a_damaged_chunk_is_a_format_error(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path), data=pixels((4, 8)), chunks=(2, 8))
    (tmp_path / "c" / "1" / "0").write_bytes(b"no zstd")
    source = source_of(tmp_path)
    assert source.read((slice(0, 2), slice(0, 8))).any()
    with pytest.raises(FormatError, match="pixels cannot be read") as caught:
        whole(source)
    assert caught.value.path == str(tmp_path)


def test_an_array_that_vanished_is_a_format_error(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path), data=pixels((4, 8)))
    source = source_of(tmp_path)
    whole(source)
    (tmp_path / "zarr.json").unlink()
    with pytest.raises(FormatError, match="array is gone"):
        whole(source)


def test_an_array_that_shrank_asks_to_be_opened_again(tmp_path: Path) -> None:
    array = zarr.create_array(str(tmp_path), data=pixels((4, 8)), chunks=(1, 8))
    source = source_of(tmp_path)
    whole(source)
    array.resize((2, 8))
    with pytest.raises(FormatError, match="open the data set again"):
        whole(source)


def test_an_array_that_grew_is_read_as_before(tmp_path: Path) -> None:
    data = pixels((4, 8))
    array = zarr.create_array(str(tmp_path), data=data, chunks=(1, 8))
    source = source_of(tmp_path)
    whole(source)
    array.resize((9, 8))
    array[8] = 5
    np.testing.assert_array_equal(whole(source), data)


def test_a_codec_nobody_knows_names_both_libraries(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path), data=pixels((4, 8)))
    path = tmp_path / "zarr.json"
    document = json.loads(path.read_text())
    document["codecs"].append({"name": "from_the_future", "configuration": {}})
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match=r"neither by tensorstore .* nor by zarr"):
        whole(source_of(tmp_path))


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_a_truncated_shard_is_a_format_error(
    tmp_path: Path, location: str, keep: float
) -> None:
    data = pixels((4, 8, 8)) + 1
    sharded(tmp_path, data, location)
    shard = tmp_path / "c" / "0" / "0" / "0"
    content = shard.read_bytes()
    shard.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(FormatError, match="pixels cannot be read") as caught:
        whole(source_of(tmp_path))
    assert caught.value.path == str(tmp_path)


def test_more_than_the_memory_is_not_even_asked_for(tmp_path: Path) -> None:
    zarr.create_array(
        str(tmp_path), shape=(2**24, 2**24), chunks=(1024, 1024), dtype="u1"
    )
    source = source_of(tmp_path)
    assert source.read((slice(0, 2), slice(2**23, 2**23 + 2))).shape == (2, 2)
    with pytest.raises(FormatError, match="more than the memory") as caught:
        whole(source)
    assert caught.value.path == str(tmp_path)


@given(data=st.data())
def test_the_parts_of_a_block_are_the_block(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=3)))
    chunks = tuple(data.draw(st.integers(1, 12)) for _ in shape)
    block = []
    for n in shape:
        start = data.draw(st.integers(0, n - 1))
        stop = data.draw(st.integers(start + 1, n))
        block.append(slice(start, stop, data.draw(st.sampled_from([None, 1, 2]))))
    array = np.arange(np.prod(shape)).reshape(shape)
    axis, parts = pixels_module._parts(tuple(block), chunks)
    joined = np.concatenate([array[part] for part in parts], axis=axis)
    np.testing.assert_array_equal(joined, array[tuple(block)])
    for part in parts[1:]:
        assert part[axis].start % chunks[axis] == 0


def test_a_long_block_has_a_bounded_number_of_parts() -> None:
    _, parts = pixels_module._parts((slice(1, 10_000), slice(0, 2)), (3, 2))
    assert 100 < len(parts) <= 258


def test_a_source_pickles(tmp_path: Path) -> None:
    data = pixels((4, 8))
    zarr.create_array(str(tmp_path), data=data)
    source = source_of(tmp_path)
    np.testing.assert_array_equal(whole(source), data)
    again = pickle.loads(pickle.dumps(LazyArray(source)[1:3]))
    np.testing.assert_array_equal(np.asarray(again), data[1:3])


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr")
def test_a_codec_that_only_zarr_python_knows(tmp_path: Path) -> None:
    from zarr.codecs.numcodecs import Delta

    data = pixels((4, 8))
    zarr.create_array(str(tmp_path), data=data, filters=[Delta(dtype="<u2")])
    source = source_of(tmp_path)
    np.testing.assert_array_equal(whole(source), data)
    assert isinstance(source._reader(), pixels_module._ZarrReader)
