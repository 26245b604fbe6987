"""Frames compressed in shares and ahead of writing are what they would be otherwise."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.test_ngff_writers import Array
from tests.threads import Thread

from napari_scope.formats.ngff.writing import codecs, encoding
from napari_scope.formats.ngff.writing.chunks import plan_chunks
from napari_scope.formats.ngff.writing.codecs import CODECS, Helpers, make_codec
from napari_scope.formats.ngff.writing.encoding import FrameEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20


@pytest.fixture
def helpers() -> Iterator[Helpers]:
    made = Helpers(2)
    yield made
    made.close()


def contents(kind: str, count: int, dtype: str) -> Any:
    """Return pixels that compress well, badly, or one part well and the next badly."""
    random = np.random.default_rng(count)
    noise = np.frombuffer(random.bytes(count * np.dtype(dtype).itemsize), dtype)
    camera = random.poisson(100, count).astype(dtype)
    if kind == "both":
        return np.concatenate([camera[: count // 2], noise[count // 2 :]])
    return {"noise": noise, "camera": camera, "zero": np.zeros(count, dtype)}[kind]


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("kind", ["camera", "noise", "both", "zero"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f8"])
@pytest.mark.parametrize("size", [8, MIB + 8, 4 * MIB, 4 * MIB + 4096])
def test_shares_make_the_chunk_that_they_are_shares_of(
    name: str, kind: str, dtype: str, size: int
) -> None:
    item = np.dtype(dtype).itemsize
    data = contents(kind, size // item, dtype)
    codec = make_codec(name, item)
    assert codec is not None
    target = memoryview(bytearray(codec.bound(size)))
    length = codec.encode_into(data, target)
    assert codec.decode(bytes(target[:length])) == data.tobytes()
    whole = len(codec.encode(data))
    assert length == whole
    shares = codec.shares(size, 3)
    assert [a for a, _ in shares[1:]] == [b for _, b in shares[:-1]]
    assert (shares[0][0], shares[-1][1]) == (0, size)
    assert len(shares) == (2 if "blosc" in name and size >= 4 * MIB else 1)
    parts = [codec.encode(data[a // item : b // item]) for a, b in shares]
    joined = codec.join(parts)
    if joined is None:
        assert kind in ("noise", "both"), "only what does not compress is in the way"
    else:
        assert codec.decode(b"".join(joined)) == data.tobytes()
        assert sum(map(len, joined)) == whole


@pytest.mark.parametrize("compression", CODECS)
def test_frames_begun_before_are_written_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str
) -> None:
    monkeypatch.setattr(encoding, "LEAST_BYTES_AHEAD", 1)
    monkeypatch.setattr(codecs.os, "cpu_count", lambda: 2)
    array = Array(tmp_path, (9,), compression=compression, chunks={"y": 4, "x": 7})
    assert array.writer.ahead >= 4 * 6 * 10 * 2
    threads: list[str] = []
    for number in (0, 1, 3, 4):
        array.writer.prepare(
            (number,),
            array.pixels(number),
            lambda: threads.append(threading.current_thread().name),
        )
    assert array.writer.prepared((3,), wait=True)
    assert array.writer.prepared((2,), wait=False), "nobody began with it"
    array.write((0,), (1,), (2,), (3,))
    array.check()
    assert len(threads) == 4
    assert all("encoder" in name for name in threads)
    array.write((5,), (4,))
    array.check()
    array.check_own()
    array.finish()
    array.check()


def test_what_is_begun_is_not_ready_before_it_is_done(helpers: Helpers) -> None:
    encoder = make_encoder(helpers)
    gate = threading.Event()
    encoder.begin((0,), np.ones((512, 512), "u2"), gate.wait)
    assert not encoder.ready((0,), wait=False)
    gate.set()
    assert encoder.ready((0,), wait=True)
    (encoded,) = encoder.encode([((0,), np.zeros((512, 512), "u2"))])
    assert decoded(encoded).all(), "what was begun, not what came now"


def test_an_error_comes_when_the_frame_is_needed(helpers: Helpers) -> None:
    encoder = make_encoder(helpers)

    def fail() -> None:
        raise OSError(5, "Input/output error")

    encoder.begin((0,), np.ones((512, 512), "u2"), fail)
    assert encoder.ready((0,), wait=True)
    with pytest.raises(OSError, match="Input/output"):
        encoder.encode([((0,), np.ones((512, 512), "u2"))])


def test_memory_is_used_again(helpers: Helpers) -> None:
    encoder = make_encoder(helpers)
    for number in range(20):
        frames = [((2 * number + n,), np.full((512, 512), n, "u2")) for n in (0, 1)]
        encoder.begin(*frames[0], lambda: None)
        found = encoder.encode(frames)
        assert [int(decoded(one)[0]) for one in found] == [0, 1]
        encoder.give_back(found)
    assert len(encoder._spare) == 2


def test_a_frame_that_one_thread_can_do_no_faster_is_not_begun_before() -> None:
    one = Helpers(1)
    assert make_encoder(one).ahead == 0
    two = Helpers(2)
    assert make_encoder(two).ahead == 16 * MIB
    assert make_encoder(two, 4096).ahead == 4 * 4096 * 4096 * 2
    assert make_encoder(two, 64).ahead == 0, "it takes no time"


def make_encoder(helpers: Helpers, size: int = 512) -> FrameEncoder:
    codec = make_codec("blosc-lz4", 2)
    assert codec is not None
    plan = plan_chunks(("time",), (100,), (size, size), 2)
    return FrameEncoder(plan, np.dtype("<u2"), codec, helpers)


def decoded(encoded: encoding.EncodedFrame) -> Any:
    codec = make_codec("blosc-lz4", 2)
    assert codec is not None
    (chunk,) = encoded.chunks
    return np.frombuffer(codec.decode(b"".join(chunk)), "<u2")


def test_frames_of_one_thread_are_compressed_while_another_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "LEAST_BYTES_AHEAD", 1)
    monkeypatch.setattr(codecs.os, "cpu_count", lambda: 2)
    array = Array(tmp_path, (60,), compression="blosc-lz4")
    committed, wrong = [0], []

    def read() -> None:
        while committed[0] < 60:
            for number in range(committed[0]):
                found = array.writer.read((number,))
                if found is None or not np.array_equal(found, array.pixels(number)):
                    wrong.append(number)

    reader = Thread(target=read)
    reader.start()
    for number in range(0, 60, 3):
        three = [(number + n,) for n in range(3)]
        for index in three:
            array.writer.prepare(index, array.pixels(index[0]), lambda: None)
        array.write(*three)
        committed[0] = number + 3
    reader.join()
    assert not wrong
    array.finish()
    array.check()
