"""OME-Zarr stores that are gone on with: every cut and codec, every layout, kills."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.ngff.test_ngff_writers import read_by_all
from tests.stream.streams import frame_of, growing_spec, make_spec
from tests.stream.test_omezarr_sink import (
    CUTS,
    PLATE_PATHS,
    attributes,
    check_committed,
    fill,
    plate_spec,
    validate,
)

from napari_scope import fileio
from napari_scope.arrays import halve
from napari_scope.errors import FormatError, ScopeError, SettingsError
from napari_scope.fileio import portable_io, uses_portable_io
from napari_scope.formats.ngff.writing.codecs import CODECS
from napari_scope.formats.opening import open_dataset
from napari_scope.stream import (
    Address,
    OmeZarrSink,
    StoreSpec,
    Stream,
    read_journal,
)
from napari_scope.stream.recovery import recover
from napari_scope.stream.spec import StorageSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

FRAME = (20, 28)
# Its chunks may have a single pixel: as many files as a disk can do in a moment.
LITTLE = (6, 9)


@pytest.fixture(autouse=True)
def a_quick_medium(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real medium would only take its time."""
    monkeypatch.setattr(os, "fdatasync", lambda _: None, raising=False)
    monkeypatch.setattr(os, "fsync", lambda _: None)


def time_spec(count: int | None, **more: Any) -> StoreSpec:
    """Return a time lapse of so many frames, or one without an end."""
    if count is None:
        more = {"growing": True, "growing_axes": ("time",), **more}
    return make_spec({"time": count or 1}, frame=FRAME, **more)


def go_on(path: Path, spec: StoreSpec, **more: Any) -> Stream:
    return Stream(spec, [OmeZarrSink(path, **more)], ring_bytes=1 << 16, resume=True)


def frames(numbers: Iterable[int]) -> Any:
    return np.stack([frame_of(n, FRAME) for n in numbers])


def killed(path: Path, copy: Path) -> Path:
    """Return what a kill would leave of a store that is open."""
    shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".*.new", ".z*.*.*"))
    return copy


# ---------------------------------------------------------------- any store at all


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a store, and the parts in which its frames come."""
    inner = draw(st.dictionaries(st.sampled_from("cz"), st.integers(1, 3), max_size=2))
    inner = {{"c": "channel", "z": "z"}[name]: n for name, n in inner.items()}
    version = draw(st.sampled_from(["0.4", "0.5"]))
    cut = st.dictionaries(
        st.sampled_from(["time", *inner, "y", "x"]), st.integers(1, 7)
    )
    shards = st.dictionaries(
        st.sampled_from(["time", *inner, "y", "x"]), st.integers(1, 3)
    )
    later = draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    lengths = [draw(st.integers(1, 4)), *later]
    return {
        "inner": inner,
        "storage": StorageSpec(
            chunks=draw(cut),
            shards=draw(shards) if version == "0.5" else {},
            compression=draw(st.sampled_from([None, *CODECS])),
            version=version,
        ),
        "lengths": lengths,
        "kills": draw(st.tuples(*[st.booleans()] * 4)),
        "open": draw(st.tuples(*[st.booleans()] * 4)),
        "skip": draw(st.sets(st.integers(0, 30), max_size=4)),
        "seed": draw(st.integers(0, 99)),
        "portable": draw(st.booleans()),
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(run=runs())
def test_any_store_goes_on(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    path = folder / "0"
    inner, storage = run["inner"], run["storage"]
    shape = tuple(inner[name] for name in ("channel", "z") if name in inner)
    names = ["time", *(name for name in ("channel", "z") if name in inner)]
    model: dict[tuple[int, ...], Any] = {}
    rng = np.random.default_rng(run["seed"])
    ends = list(itertools.accumulate(run["lengths"]))
    number = length = planned = 0

    def compare(level: int, *, exact: bool) -> None:
        expected = np.zeros(
            (max(1, planned if exact else ends[-1] + 9), *shape, *LITTLE)
        )
        for index, pixels in model.items():
            expected[index] = pixels
        if level:
            halved = [halve(f.astype("u2")) for f in expected.reshape(-1, *LITTLE)]
            expected = np.stack(halved).reshape(*expected.shape[:-2], *halved[0].shape)
        for name, found in read_by_all(path / str(level)).items():
            if exact:
                assert found.shape == expected.shape, name
            count = min(len(found), len(expected))
            assert not expected[count:].any()
            np.testing.assert_array_equal(
                found[:count], expected[:count], err_msg=f"{name}, {level}"
            )

    with portable_io(run["portable"]):
        for part, end in enumerate(ends):
            grows = run["open"][part]
            length = max(length, end, 1)
            sizes = {"time": 1 if grows else length, **inner}
            more = {"growing": True, "growing_axes": ("time",)} if grows else {}
            spec = make_spec(sizes, frame=LITTLE, storage=storage, **more)
            with Stream(
                spec, [OmeZarrSink(path, levels=2)], ring_bytes=1, resume=True
            ) as stream:
                begin = 0 if part == 0 else ends[part - 1]
                places = itertools.product(range(begin, end), *map(range, shape))
                for index in rng.permutation(list(places)).tolist():
                    axes = dict(zip(names, index, strict=True))
                    number += 1
                    if number in run["skip"]:
                        stream.skip(index=axes)
                        continue
                    pixels = frame_of(number, LITTLE)
                    stream.append(pixels, index=axes)
                    model[tuple(index)] = pixels
                stream.flush()
                compare(0, exact=False)
                for place, pixels in model.items():
                    found = stream.sinks[0].read(Address(0, place))
                    np.testing.assert_array_equal(found, pixels)
                alive = path
                if run["kills"][part]:
                    path = killed(path, folder / str(part + 1))
            if run["kills"][part]:
                shutil.rmtree(alive)
                compare(0, exact=False)
                recover(path)
            reached = max([i[0] + 1 for i in model], default=1)
            lines = read_journal(path / "acquisition" / "frames.jsonl").frames
            reached = max([line["index"][0] + 1 for line in lines], default=reached)
            planned = reached if grows else length
            length = reached
            compare(0, exact=True)
            compare(1, exact=True)
            validate(path)
    told = attributes(path / "acquisition")["frames"]
    assert told["saved"] == len(model)
    assert len(told["resumed"]) == len(ends) - 1


# ---------------------------------------------------------------- layouts


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("compression", [None, "blosc-lz4"])
def test_a_plate_goes_on(tmp_path: Path, version: str, compression: str | None) -> None:
    path = tmp_path / "plate.ome.zarr"
    storage = {"compression": compression, "chunks": {"time": 2, "z": 2}}
    spec = plate_spec(version, storage=storage)
    with Stream(spec, [OmeZarrSink(path, levels=2)]) as stream:
        fill(stream, 29)
    longer = replace(
        spec,
        images=tuple(replace(i, sizes={**i.sizes, "time": 3}) for i in spec.images),
        n_frames=72,
    )
    with go_on(path, longer) as stream:
        for image in PLATE_PATHS:
            assert len(attributes(path / image)["multiscales"][0]["datasets"]) == 1
        for number in range(29, 72):
            stream.append(frame_of(number))
    validate(path)
    taken = np.stack([frame_of(n) for n in range(72)]).reshape(3, 4, 2, 3, 16, 24)
    for number, image in enumerate(PLATE_PATHS):
        for reader, found in read_by_all(path / image / "0").items():
            np.testing.assert_array_equal(found, taken[:, number], err_msg=reader)
        for found in read_by_all(path / image / "1").values():
            np.testing.assert_array_equal(found[2, 1, 1], halve(taken[2, number, 1, 1]))
        assert len(attributes(path / image)["multiscales"][0]["datasets"]) == 2


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_a_collection_of_which_nothing_was_known_goes_on(
    tmp_path: Path, compression: str | None
) -> None:
    path = tmp_path / "out"
    storage = StorageSpec(compression=compression, chunks={"time": 2})
    spec = growing_spec(storage=storage)
    with Stream(spec, [OmeZarrSink(path)]) as stream:
        for number in range(3):
            stream.append(frame_of(number), index={"time": number, "position": "A"})
    shutil.copytree(path / "0", path / "1")  # a kill before its first frame
    with go_on(path, spec) as stream:
        for number in range(3, 6):
            for place in "AB":
                stream.append(
                    frame_of(number), index={"time": number, "position": place}
                )
    validate(path)
    assert attributes(path / "OME")["series"] == ["0", "1"]
    names = [image.name for image in open_dataset(path).images]
    for number, (found, first) in enumerate(zip("01", (0, 3), strict=True)):
        expected = np.zeros((6, 16, 24), "u2")
        expected[first:] = [frame_of(n) for n in range(first, 6)]
        for array in read_by_all(path / found / "0").values():
            np.testing.assert_array_equal(array, expected)
        assert names[number].endswith("AB"[number])


def test_what_others_noted_in_the_metadata_stays(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with Stream(time_spec(2), [OmeZarrSink(path, levels=2)]) as stream:
        fill(stream, 2, FRAME)
    for name in ("zarr.json", "0/zarr.json"):
        document = json.loads((path / name).read_text())
        document["attributes"]["theirs"] = {"a": 1}
        if name == "zarr.json":
            window = document["attributes"]["ome"]["omero"]["channels"][0]["window"]
            window["start"], window["end"] = 11, 222
        (path / name).write_text(json.dumps(document))
    with go_on(path, time_spec(4)) as stream:
        stream.append(frame_of(2, FRAME))
    for name in ("", "0"):
        assert attributes(path / name)["theirs"] == {"a": 1}
    (channel,) = attributes(path)["omero"]["channels"]
    assert (channel["window"]["start"], channel["window"]["end"]) == (11, 222)


def test_files_are_not_written_again_without_need(tmp_path: Path) -> None:
    for cut, storage in enumerate([StorageSpec(), *CUTS]):
        path = tmp_path / str(cut)
        spec = time_spec(4, storage=storage)
        with Stream(spec, [OmeZarrSink(path, levels=2)]) as stream:
            fill(stream, 3, FRAME)
        before = {p: p.stat().st_ino for p in path.rglob("c/**/*") if p.is_file()}
        with go_on(path, spec):
            pass
        after = {p: p.stat().st_ino for p in path.rglob("c/**/*") if p.is_file()}
        assert after == before


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_frames_that_came_before_count_for_their_chunk(
    tmp_path: Path, version: str
) -> None:
    path = tmp_path / "out"
    storage = StorageSpec(compression="zstd", chunks={"time": 2}, version=version)
    with Stream(time_spec(2, storage=storage), [OmeZarrSink(path)]) as stream:
        stream.append(frame_of(0, FRAME))
    with go_on(path, time_spec(2, storage=storage)) as stream:
        stream.append(frame_of(1, FRAME))
        stream.flush()
        (file,) = (p for p in (path / "0").rglob("0") if p.is_file())
        assert file.stat().st_size < 2 * 20 * 28 * 2, "compressed, nothing is awaited"


# ---------------------------------------------------------------- what is refused


def test_levels_are_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with Stream(time_spec(3), [OmeZarrSink(path, levels=2)]) as stream:
        fill(stream, 1, FRAME)
    with pytest.raises(SettingsError, match="has 2 levels, not 3"):
        go_on(path, time_spec(3), levels=3)
    with go_on(path, time_spec(3)) as stream:
        stream.append(frame_of(1, FRAME))
    for found in read_by_all(path / "1").values():
        np.testing.assert_array_equal(found[1], halve(frame_of(1, FRAME)))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(shape=[3, 20, 27]),
        lambda d: d.update(shape="all"),
        lambda d: d.update(data_type="int16"),
        lambda d: d["chunk_grid"]["configuration"].update(chunk_shape=[0, 20, 28]),
        lambda d: d.update(codecs=[]),
        lambda d: d.clear(),
    ],
)
def test_an_array_that_is_another_is_left_alone(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "out"
    with Stream(time_spec(3), [OmeZarrSink(path)]) as stream:
        fill(stream, 1, FRAME)
    document = json.loads((path / "0" / "zarr.json").read_text())
    change(document)
    (path / "0" / "zarr.json").write_text(json.dumps(document))
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    with pytest.raises(FormatError, match="array"):
        go_on(path, time_spec(3))
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("compression", [None, "blosc-lz4"])
@pytest.mark.parametrize("end", [-1, -30])
def test_a_damaged_shard_is_named(
    tmp_path: Path, compression: str | None, end: int
) -> None:
    path = tmp_path / "out"
    storage = StorageSpec(compression=compression)
    with Stream(time_spec(3, storage=storage), [OmeZarrSink(path)]) as stream:
        fill(stream, 2, FRAME)
    (shard,) = (p for p in (path / "0" / "c").rglob("*") if p.is_file())
    data = bytearray(shard.read_bytes())
    data[end] ^= 255
    shard.write_bytes(data)
    with pytest.raises(FormatError, match="no index at its end") as caught:
        go_on(path, time_spec(3, storage=storage))
    assert caught.value.path == str(shard)
    assert shard.read_bytes() == data


# ---------------------------------------------------------------- killed and broken

WRITER = """
import sys
from pathlib import Path
from tests.stream.streams import frame_of, make_spec
from tests.stream.test_omezarr_sink import CUTS
from napari_scope.stream import OmeZarrSink, Stream

path, cut, growing = sys.argv[1:]
more = {"growing": True, "growing_axes": ("time",)} if growing == "True" else {}
spec = make_spec({"time": 1 if more else 3000}, storage=CUTS[int(cut)], **more)
stream = Stream(spec, [OmeZarrSink(Path(path), levels=2)], ring_bytes=1 << 16,
                resume=True)
before = stream.stats().earlier
print("begun", flush=True)
for number in range(before, 3000):
    stream.append(frame_of(number))
    if number % 7 == 6:
        stream.flush()
        print(number + 1, flush=True)
"""


@pytest.mark.parametrize("cut", range(len(CUTS)))
def test_one_that_is_killed_again_and_again_loses_nothing(
    tmp_path: Path, cut: int
) -> None:
    path = tmp_path / "out"
    rng = np.random.default_rng()
    growing = bool(rng.random() < 0.5)
    committed = 0
    for _ in range(2):
        least = committed + int(rng.integers(0, 40))
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(WRITER),
                *map(str, (path, cut, growing)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "NAPARI_SCOPE_PORTABLE_IO": str(int(uses_portable_io())),
            },
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        for line in process.stdout:
            if line == "begun\n":
                # A run without an end makes its files with its first frame.
                there = (path / "acquisition" / "frames.jsonl").exists()
                if there and rng.random() < 0.2:
                    break
            elif int(line) > least:
                committed = int(line)
                break
        process.kill()
        _, errors = process.communicate()
        assert not errors, errors
        check_committed(path, committed)
    report = recover(path)
    assert not report.lost
    check_committed(path, committed)
    validate(path)
    count = report.saved
    halves = [halve(frame_of(n)) for n in range(count)]
    for found in read_by_all(path / "1").values():
        np.testing.assert_array_equal(list(found[:count]), halves)


class _Killed(BaseException):
    """A kill: nothing of the program runs any more."""


LENGTHS = [(4, 4), (4, 9), (None, 5), (4, None)]


@pytest.mark.parametrize("recovered", [False, True])
@pytest.mark.parametrize("cut", range(len(CUTS) + 1))
def test_a_kill_while_files_are_taken_over_loses_nothing(
    tmp_path: Path, cut: int, recovered: bool
) -> None:
    """Stop at some operation on files, from opening to the first frames."""
    storage = [StorageSpec(shards={"time": 3}), *CUTS][cut]
    rng = np.random.default_rng()
    for number, lengths in enumerate(LENGTHS):
        origin = tmp_path / f"origin {number}"
        first, second = (time_spec(n, storage=storage) for n in lengths)
        with Stream(first, [OmeZarrSink(origin, levels=2)]) as stream:
            fill(stream, 3, FRAME)
            stream.flush()
            if recovered:
                origin = killed(origin, tmp_path / f"killed {number}")
        if recovered:
            recover(origin)  # an independent library made the coarse levels
        operations = stopped_at(None, origin, tmp_path / f"all {number}", second)
        assert operations > 10
        for at in rng.choice(operations, 3, replace=False).tolist():
            path = tmp_path / f"{number} {at}"
            stopped_at(at, origin, path, second)
            for found in read_by_all(path / "0").values():
                np.testing.assert_array_equal(found[:3], frames(range(3)))
            recover(path)
            lines = read_journal(path / "acquisition" / "frames.jsonl").frames
            expected = frames(range(len(lines)))
            for found in read_by_all(path / "0").values():
                np.testing.assert_array_equal(found[: len(lines)], expected)
            expected = np.stack([halve(f) for f in expected])
            for found in read_by_all(path / "1").values():
                np.testing.assert_array_equal(found[: len(lines)], expected)
            validate(path)
            with go_on(path, second) as stream:
                if len(lines) == 3:
                    stream.append(frame_of(3, FRAME))
            for found in read_by_all(path / "0").values():
                np.testing.assert_array_equal(found[:4], frames(range(4)))


def stopped_at(at: int | None, origin: Path, path: Path, spec: StoreSpec) -> int:
    """Go on with a copy of a store, in a process that ends at an operation on files.

    Returns
    -------
    int
        How many operations were done.
    """
    shutil.copytree(origin, path)
    count = 0
    stopped = False

    def counted(real: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal count, stopped
            stopped |= at is not None and count >= at
            if stopped:
                raise _Killed
            count += 1
            return real(*arguments, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for kind in (fileio._PosixFile, fileio._PortableFile):
            patch.setattr(kind, "write_at", counted(kind.write_at))
        patch.setattr(os, "truncate", counted(os.truncate))
        patch.setattr(os, "replace", counted(os.replace))
        patch.setattr(Path, "rename", counted(Path.rename))
        try:
            with go_on(path, spec) as stream:
                stream.append(frame_of(3, FRAME))
                stream.flush()
        except (_Killed, ScopeError):
            assert stopped
    return count
