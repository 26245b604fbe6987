"""Every way of cutting and compressing an array, as independent readers see it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.ngff.oracles import by_tensorstore, by_zarr_python, by_zarrs
from tests.threads import Thread

from napari_scope import fileio
from napari_scope.errors import SettingsError
from napari_scope.fileio import portable_io
from napari_scope.formats.ngff.metadata import encode
from napari_scope.formats.ngff.writing import deep, packed
from napari_scope.formats.ngff.writing.chunks import plan_chunks
from napari_scope.formats.ngff.writing.codecs import CODECS, Helpers, make_codec
from napari_scope.formats.ngff.writing.deep import DeepWriter
from napari_scope.formats.ngff.writing.shards import ShardWriter
from napari_scope.formats.ngff.writing.tiles import TileWriter
from napari_scope.formats.ngff.writing.writers import ArrayFormat, Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_scope.formats.ngff.writing.chunks import ChunkPlan
    from napari_scope.formats.ngff.writing.shards import ChunkStore

Index = tuple[int, ...]
NAMES = ("time", "channel", "z")


@pytest.fixture(params=[False, True], ids=["posix", "portable"])
def implementation(request: pytest.FixtureRequest) -> Iterator[None]:
    with portable_io(request.param):
        yield


def by_tensorstore_v2(path: Path) -> Any:
    import tensorstore

    spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": f"{path}/"}}
    return np.asarray(
        tensorstore.open(spec, open=True, read=True).result().read().result()
    )


def read_by_all(folder: Path) -> dict[str, Any]:
    """Return what each independent reader finds."""
    found = {"zarr-python": by_zarr_python(folder)}
    if (folder / ".zarray").exists():
        found["tensorstore"] = by_tensorstore_v2(folder)
        return found
    found["tensorstore"] = by_tensorstore(folder)
    try:
        import zarrs  # noqa: F401
    except ImportError:
        return found
    return {**found, "zarrs": by_zarrs(folder)}


class Array:
    """An array on disk, the writer under test, and what should be in it."""

    def __init__(
        self,
        folder: Path,
        shape: Index,
        frame: tuple[int, int] = (6, 10),
        *,
        dtype: str = "uint16",
        compression: str | None = None,
        version: int = 3,
        grows: bool = False,
        **cut: Mapping[str, int],
    ) -> None:
        self.folder = folder
        self.shape = shape
        self.frame = frame
        self.dtype = np.dtype(dtype)
        fixed = (0, *shape[1:]) if grows else shape
        names = NAMES[: len(shape)]
        self.plan: ChunkPlan = plan_chunks(
            names, fixed, frame, self.dtype.itemsize, sharded=version == 3, **cut
        )
        self.format = ArrayFormat(self.dtype, compression, version)
        self.workshop = Workshop(self.format)
        self.writer: ChunkStore = self.workshop.writer(folder, self.plan)
        self.expected = np.zeros(shape + frame, dtype)
        self.describe(finished=False)

    def describe(self, *, finished: bool) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name, document = self.format.document(
            self.plan, self.expected.shape, "tcz"[: len(self.shape)] + "yx", finished
        )
        (self.folder / name).write_bytes(encode(document))

    def pixels(self, number: int) -> Any:
        ramp = np.arange(self.frame[0] * self.frame[1]).reshape(self.frame)
        return (ramp * 3 % 101 + number % 100 + 1).astype(self.dtype)

    def write(self, *indices: Index) -> None:
        frames = []
        for index in indices:
            number = int(np.ravel_multi_index(index, self.shape)) if index else 0
            self.expected[index] = self.pixels(number)
            frames.append((index, self.pixels(number)))
        self.writer.write_all(frames)

    def check(self) -> None:
        for name, found in read_by_all(self.folder).items():
            np.testing.assert_array_equal(found, self.expected, err_msg=name)

    def check_own(self) -> None:
        for index in np.ndindex(self.shape):
            found = self.writer.read(index)
            if found is None:
                assert not self.expected[index].any()
            else:
                np.testing.assert_array_equal(found, self.expected[index])

    def finish(self) -> None:
        if self.writer.finish():
            self.describe(finished=True)
        self.writer.close()
        self.workshop.close()


KINDS = [
    (compression, version) for compression in (None, *CODECS) for version in (2, 3)
]


@st.composite
def cuts(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a shape and any way of cutting it, also larger than the array."""
    shape = tuple(draw(st.lists(st.integers(1, 5), max_size=3)))
    frame = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    axes = [*NAMES[: len(shape)], "y", "x"]
    sizes = st.dictionaries(st.sampled_from(axes), st.integers(1, 6))
    version = draw(st.sampled_from([2, 3]))
    return {
        "shape": shape,
        "frame": frame,
        "chunks": draw(sizes),
        "shards": draw(sizes) if version == 3 else {},
        "version": version,
        "grows": draw(st.booleans()) and bool(shape),
        "compression": draw(st.sampled_from([None, *CODECS])),
        "dtype": draw(st.sampled_from(["uint8", "uint16", "int32", "float64"])),
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cuts(), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_every_reader_is_right_at_any_time_in_any_order(
    tmp_path_factory: pytest.TempPathFactory,
    cut: dict[str, Any],
    seed: int,
    share: float,
) -> None:
    rng = np.random.default_rng(seed)
    array = Array(tmp_path_factory.mktemp("array"), **cut)
    order = list(itertools.product(*map(range, array.shape)))
    rng.shuffle(order)
    order = [tuple(map(int, index)) for index in order]
    array.check()
    looks = {0, len(order) // 2, len(order) - 1}
    number = 0
    while number < len(order):
        batch = order[number : number + int(rng.integers(1, 4))]
        kept = [index for index in batch if rng.random() <= share]
        array.write(*kept)
        for index in set(batch) - set(kept):
            array.writer.skip(index)
        if looks & set(range(number, number + len(batch))):
            array.check()
            array.check_own()
        number += len(batch)
    array.finish()
    array.check()
    array.check_own()


# ---------------------------------------------------------------- the stored form


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(CODECS),
    st.lists(st.integers(1, 200_000), min_size=1, max_size=5),
    st.sampled_from([1, 2, 4]),
)
def test_the_stored_form_is_decoded_like_any_other(
    name: str, parts: list[int], itemsize: int
) -> None:
    codec = make_codec(name, itemsize)
    assert codec is not None
    parts = [part * itemsize for part in parts]
    size = sum(parts)
    contents = np.random.default_rng(size).integers(0, 256, size, "u1").tobytes()
    file = bytearray(codec.stored_size(size))
    for offset, data in codec.stored_head(size):
        file[offset : offset + len(data)] = data
    assert codec.decode(bytes(file)) == bytes(size), "empty, it is all zero"
    starts = [0, *itertools.accumulate(parts)]
    for start, end in reversed(list(itertools.pairwise(starts))):
        piece = memoryview(contents)[start:end]
        data = b"".join(codec.stored_buffers(size, start, piece))
        offset = codec.stored_offset(start)
        file[offset : offset + len(data)] = data
        found = codec.stored_contents(start, memoryview(data))
        assert bytes(found) == contents[start:end]
    assert len(file) == codec.stored_size(size)
    assert codec.decode(bytes(file)) == contents
    packed_ = codec.encode(np.frombuffer(contents, f"u{itemsize}"))
    assert len(packed_) <= codec.bound(size), "noise does not compress"
    assert codec.decode(packed_) == contents


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize(("compression", "version"), KINDS)
def test_a_large_chunk_is_read_while_its_frames_come(
    tmp_path: Path, compression: str | None, version: int
) -> None:
    """Larger than the blocks of Zstandard and Blosc, which have headers between."""
    array = Array(
        tmp_path,
        (5, 3),
        (300, 401),
        compression=compression,
        version=version,
        chunks={"time": 3, "channel": 2, "x": 256},
    )
    array.check()
    for number, index in enumerate([(4, 1), (0, 0), (1, 0), (2, 1), (0, 2)]):
        array.write(index)
        if number in (1, 3):
            array.check()
        array.check_own()
    for index in [(0, 1), (1, 1), (2, 0)]:
        array.write(index)
    array.check()
    array.check_own()
    array.finish()
    array.check()
    array.check_own()
    left = [p.name for p in tmp_path.rglob(".*") if p.is_file()]
    assert left == [".zarray"] * (version == 2), "nothing half done"


# ---------------------------------------------------------------- files


def test_a_finished_shard_has_no_dead_room_and_ends_with_its_index(
    tmp_path: Path,
) -> None:
    array = Array(
        tmp_path, (6, 4), (64, 64), compression="blosc-lz4", chunks={"channel": 2}
    )
    for index in np.ndindex(6, 4):
        array.write(index)
    array.finish()
    (path,) = (p for p in tmp_path.rglob("0") if p.is_file())
    data = path.read_bytes()
    size = 12 * 16
    assert data[:size] == data[-size - 4 : -4], "both indexes say the same"
    table = np.frombuffer(data[:size], "<u8").reshape(-1, 2)
    spans = sorted(map(tuple, table.tolist()))
    assert spans[0][0] == size
    ends = [offset + length for offset, length in spans]
    assert [offset for offset, _ in spans[1:]] == ends[:-1], "no gap, no overlap"
    assert len(data) == ends[-1] + size + 4


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("came", [True, False])
def test_deep_chunks_give_their_room_back_while_frames_come(
    tmp_path: Path, version: int, came: bool
) -> None:
    array = Array(
        tmp_path,
        (64,),
        (64, 64),
        compression="zstd",
        version=version,
        chunks={"time": 4},
    )
    for number in range(64):
        if came or number % 4 < 3:
            array.write((number,))
        else:
            array.writer.skip((number,))
        if number % 4 == 3:
            files = [p for p in tmp_path.rglob("0") if p.is_file()]
            size = sum(path.stat().st_size for path in files)
            assert size < (number + 1) // 4 * 3 * 64 * 64 * 2
    array.check()
    array.finish()
    array.check()


def test_a_reader_with_the_old_metadata_is_right_after_the_end(tmp_path: Path) -> None:
    array = Array(tmp_path, (4,), compression="blosc-lz4")
    array.write((0,), (2,))
    array.finish()
    array.describe(finished=False)
    array.check()


def test_unsplit_uncompressed_frames_take_the_shortest_way(tmp_path: Path) -> None:
    assert type(Array(tmp_path / "a", (4,)).writer) is ShardWriter
    sub = Array(tmp_path / "b", (4,), chunks={"x": 5})
    assert type(sub.writer) is TileWriter
    blocks = Array(tmp_path / "c", (4,), compression="zstd", chunks={"time": 2})
    assert type(blocks.writer) is DeepWriter
    assert sub.writer.at_once
    assert not blocks.writer.at_once


@pytest.mark.parametrize("compression", [None, "blosc-lz4"])
def test_shards_have_the_size_that_was_asked_for(
    tmp_path: Path, compression: str | None
) -> None:
    array = Array(
        tmp_path,
        (7, 4),
        compression=compression,
        chunks={"channel": 2, "y": 2, "x": 4},
        shards={"time": 3, "channel": 1, "y": 2},
    )
    assert array.plan.chunk == (1, 2, 2, 4)
    assert array.plan.shard == (3, 2, 4, 12)
    for index in np.ndindex(7, 4):
        array.write(index)
    array.finish()
    array.check()
    files = {
        str(p.relative_to(tmp_path)) for p in tmp_path.rglob("c/**/*") if p.is_file()
    }
    assert len(files) == 3 * 2 * 2 * 1


def test_what_cannot_be_stored_is_refused() -> None:
    with pytest.raises(SettingsError, match="MB"):
        plan_chunks(("time",), (4000,), (1024, 1024), 2, chunks={"time": 2000})
    with pytest.raises(SettingsError, match="shard"):
        plan_chunks(("time",), (0,), (8, 8), 2, shards={"time": 1 << 21})
    with pytest.raises(SettingsError, match="gzip"):
        make_codec("gzip", 2)


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("depth", [1, 4])
def test_threads_read_while_chunks_are_compressed(
    tmp_path: Path, depth: int, version: int
) -> None:
    array = Array(
        tmp_path,
        (120,),
        (40, 40),
        compression="blosc-lz4",
        version=version,
        chunks={"time": depth, "x": 20},
    )
    committed = -1
    errors: list[BaseException] = []

    def look() -> None:
        rng = np.random.default_rng()
        try:
            while committed < 119:
                if (last := committed) >= 0:
                    number = max(0, last - int(rng.integers(0, 6)))
                    found = array.writer.read((number,))
                    assert found is not None
                    assert (found == array.pixels(number)).all()
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(120):
            array.write((number,))
            committed = number
            if number == 60:
                array.writer.sync()
    finally:
        committed = 119
        for thread in threads:
            thread.join()
    assert not errors
    array.finish()
    array.check()


def test_frames_of_one_batch_are_appended_with_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope.fileio import DataFile

    array = Array(tmp_path, (9,), compression="blosc-lz4", chunks={"y": 3, "x": 5})
    array.write((0,))
    writes: list[int] = []
    for kind in DataFile.__subclasses__():
        real: Any = kind.write_at

        def spying(file: Any, offset: int, *data: Any, real: Any = real) -> int:
            writes.append(len(data))
            return int(real(file, offset, *data))

        monkeypatch.setattr(kind, "write_at", spying)
    array.write((1,), (2,), (3,))
    assert writes == [3 * 4, 1], "all chunks, then all their entries"
    writes.clear()
    array.write((8,), (4,))
    assert writes == [2 * 4, 1, 1]
    monkeypatch.undo()
    array.check()
    array.finish()


def test_frames_are_compressed_in_parts_that_bound_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "_AT_ONCE_BYTES", 300)
    array = Array(tmp_path, (9,), compression="zstd")
    array.write(*((n,) for n in range(9)))
    array.check()
    array.finish()


@pytest.mark.parametrize("compression", CODECS)
def test_chunks_that_come_at_once_are_never_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str
) -> None:
    monkeypatch.setattr(deep, "_AT_ONCE_BYTES", 2 * 3 * 4 * 10 * 2)  # two blocks
    cut = {"chunks": {"time": 3, "x": 4}, "shards": {"time": 2}}
    array = Array(tmp_path, (9,), compression=compression, **cut)
    stored: list[Index] = []
    real = DeepWriter._store

    def store(self: DeepWriter, index: Index, pixels: Any) -> None:
        stored.append(index)
        real(self, index, pixels)

    monkeypatch.setattr(DeepWriter, "_store", store)
    array.write(*((n,) for n in range(6)))
    array.check()
    assert stored == []
    array.write((7,))
    array.check()
    array.write((6,), (8,))
    array.check()
    array.check_own()
    assert stored == [(7,)], "the others were in hand when the chunk was complete"
    array.finish()
    array.check()


@pytest.mark.parametrize("synced", [False, True])
def test_what_was_made_safe_stays_safe_when_its_chunk_is_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: bool
) -> None:
    array = Array(tmp_path, (4,), compression="zstd", chunks={"time": 2})
    array.write((0,))
    if synced:
        array.writer.sync()
    done: list[str] = []
    for name in ("write_at", "truncate", "sync"):
        for kind in (fileio._PosixFile, fileio._PortableFile):
            real = getattr(kind, name)

            def call(*a: Any, name: str = name, real: Any = real) -> Any:
                done.append(name)
                return real(*a)

            monkeypatch.setattr(kind, name, call)
    array.write((1,))
    between = ["sync"] if synced else []
    assert done == ["write_at", *between, "write_at", *between, "truncate"]
    done.clear()
    array.write((2,), (3,))
    assert done == ["write_at", "write_at"], "nothing of these was stored"
    array.check()
    array.finish()


def test_beyond_the_edge_of_a_frame_chunks_are_zero() -> None:
    plan = plan_chunks((), (), (3, 5), 2, chunks={"y": 2, "x": 4})
    frame = np.arange(1, 16, dtype="u2").reshape(3, 5)
    dirty = bytearray(b"\xff" * 100)
    found = plan.cut(frame, (1, 1), lambda size: memoryview(dirty)[:size])
    np.testing.assert_array_equal(found, [[15, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(plan.cut(frame, (1, 1)), found)


def test_what_grows_in_several_ways_gets_a_file_for_each_block() -> None:
    plan = plan_chunks(("time", "z"), (0, 0), (8, 8), 2, chunks={"z": 4})
    assert plan.span == (1, 1)
    asked = plan_chunks(("time", "z"), (0, 0), (8, 8), 2, shards={"z": 5})
    assert asked.span == (1, 5)


@pytest.mark.parametrize("name", ["blosc-lz4", "blosc-zstd"])
def test_bits_are_shuffled_as_the_metadata_say(name: str) -> None:
    codec = make_codec(name, 2)
    assert codec is not None
    data = codec.encode(np.arange(100_000, dtype="u2"))
    assert data[2] & 0b100, "bit shuffle"
    assert data[3] == 2, "type size"
    configuration = codec.v3()["configuration"]
    assert (configuration["shuffle"], configuration["typesize"]) == ("bitshuffle", 2)
    assert codec.v2()["shuffle"] == 2
    assert configuration["cname"] == codec.v2()["cname"] == name.split("-")[1]


def test_helpers_are_few_and_give_back_what_was_asked_in_order() -> None:
    import threading

    helpers = Helpers(3)
    names: set[str] = set()

    def task(number: int) -> bytes:
        names.add(threading.current_thread().name)
        return bytes([number])

    for count in (0, 1, 2, 7, 50):
        assert helpers.map(task, range(count)) == [bytes([n]) for n in range(count)]
    assert not names & {threading.main_thread().name}, "Blosc is slow there"
    assert len(names) <= 3

    def fail(number: int) -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        helpers.map(fail, range(5))
    helpers.close()
    helpers.close()
    assert not [t for t in threading.enumerate() if "encoder" in t.name]
