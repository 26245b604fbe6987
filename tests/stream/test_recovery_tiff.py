"""OME-TIFF runs of several files or images that are killed, recovered and continued."""

from __future__ import annotations

import contextlib
import itertools
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ometiff.tiffs import pages, series, validate, xml_of
from tests.stream.streams import frame_of, journal_of, make_spec
from tests.stream.test_stream_kill import killed_at

from napari_scope.errors import FormatError, SettingsError
from napari_scope.fileio import portable_io
from napari_scope.formats.ometiff import repair_tiff
from napari_scope.formats.ometiff.names import companion_of, tiff_files
from napari_scope.stream import ImageSpec, Stream, read_journal
from napari_scope.stream.recovery import recover
from napari_scope.stream.sinks.ometiff import OmeTiffSink
from napari_scope.stream.spec import PlateSpec, StorageSpec, StoreSpec

if TYPE_CHECKING:
    from pathlib import Path

both_implementations = pytest.mark.usefixtures("implementation")

TIMES = 300
PLACES = ("left", "right", "far")


def several(kind: str, times: int = TIMES, **more: Any) -> StoreSpec:
    """Return the description of a run of several positions, two channels each."""
    wells = [("A", "1"), ("A", "1"), ("B", "2")] if kind == "plate" else [None] * 3
    images = tuple(
        ImageSpec(name, {"position": name}, {"time": times, "channel": 2}, well=well)
        for name, well in zip(PLACES, wells, strict=True)
    )
    plate = PlateSpec("p", ("A", "B"), ("1", "2")) if kind == "plate" else None
    if kind == "one":
        images = (ImageSpec("run", sizes={"time": times, "channel": 2}),)
    order = ("time", "channel") if kind == "one" else ("time", "position", "channel")
    return make_spec(
        order=order,
        labels={"channel": ("DAPI", "FITC")},
        images=images,
        plate=plate,
        n_frames=times * 2 * len(images),
        **more,
    )


def sink_of(kind: str, path: Path, **more: Any) -> OmeTiffSink:
    return OmeTiffSink(path, single_file=kind == "single", **more)


def all_frames(spec: StoreSpec) -> list[tuple[int, int, int]]:
    """Return time, image and channel of all frames in the order of acquisition."""
    times = spec.images[0].sizes["time"]
    return list(itertools.product(range(times), range(len(spec.images)), range(2)))


def name_of(kind: str) -> str:
    return "run" if kind in ("folder", "plate") else "run.ome.tiff"


def by_tifffile(path: Path, kind: str, image: int) -> Any:
    if path.is_dir():
        return series(path / f"{PLACES[image]}.ome.tiff")
    return series(path, image)


def expect(path: Path, kind: str, spec: StoreSpec, count: int) -> None:
    """Check that tifffile finds so many frames, and nothing else."""
    frames = all_frames(spec)[:count]
    for image in range(len(spec.images)):
        mine = [(t, c, n) for n, (t, i, c) in enumerate(frames) if i == image]
        if not mine:
            continue
        found = by_tifffile(path, kind, image)
        expected = np.zeros_like(found)
        for t, c, number in mine:
            expected[t, c, 0] = frame_of(number)
        np.testing.assert_array_equal(found, expected)


WRITER = """
import sys
from pathlib import Path
from napari_scope.stream import Stream
from napari_scope.stream.spec import StorageSpec
from tests.stream.streams import frame_of
from tests.stream.test_recovery_tiff import several, sink_of

kind, path, levels, compression = sys.argv[1:]
storage = StorageSpec(compression=compression if compression != "none" else None)
spec = several(kind, storage=storage)
sink = sink_of(kind, Path(path), levels=int(levels))
stream = Stream(spec, [sink], ring_bytes=1 << 20, resume=True)
start = sink._journal.summary()["saved"]
print(start, flush=True)
for number in range(start, spec.n_frames):
    stream.append(frame_of(number), {"n": number, "elapsed_ms": number})
    if number % 5 == 4:
        stream.flush()
        print(number + 1, flush=True)
"""


def facts_of(path: Path) -> list[str]:
    """Return the fact ``n`` of all frames, as the XML of the files has it."""
    return [
        note.value["n"]
        for file in (tiff_files(path) if path.is_dir() else [path])
        for note in validate(xml_of(file)).structured_annotations.map_annotations
        if note.namespace == "napari-scope/frame"
    ]


@pytest.mark.parametrize(
    ("kind", "levels", "compression"),
    [
        ("folder", "1", "none"),
        ("plate", "2", "none"),
        ("single", "1", "zlib"),
        ("one", "2", "none"),
    ],
)
def test_a_killed_run_is_recovered_and_goes_on(
    tmp_path: Path, kind: str, levels: str, compression: str
) -> None:
    """Killed at a random frame, recovered, continued and killed again."""
    with portable_io(kind in ("plate", "single")):
        kill_and_go_on(tmp_path, kind, levels, compression)


def kill_and_go_on(tmp_path: Path, kind: str, levels: str, compression: str) -> None:
    path = tmp_path / name_of(kind)
    spec = several(kind)
    rng = random.Random()
    least, told = 0, 0
    for attempt in range(3):
        least = rng.randint(told + 1, told + 150)
        arguments = (kind, str(path), levels, compression)
        told = killed_at(WRITER, least, *arguments)
        content = read_journal(journal_of(path))
        lines = list(content.frames)
        assert content.closed is None
        assert len(content.resumed) == attempt
        assert len(lines) >= told >= least
        assert [line["metadata"]["n"] for line in lines] == list(range(len(lines)))
        if attempt == 1:
            continue  # the next writer recovers it by itself
        report = recover(path)
        assert (report.saved, report.lost) == (len(lines), ())
        assert report.missing == (spec.n_frames or 0) - len(lines)
        absent = sorted(all_frames(spec)[len(lines) :], key=lambda f: (f[1], f))
        for axes, (t, image, c) in zip(report.missing_axes, absent, strict=False):
            place = {} if kind == "one" else {"position": PLACES[image]}
            assert axes == {**place, "time": t, "channel": ("DAPI", "FITC")[c]}
        assert len(report.missing_axes) == min(1000, len(absent))
        data = {p: p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()}
        assert recover(path).was_closed
        assert data == {p: p.read_bytes() for p in data}
        frames = len(lines)
        facts = facts_of(path)
        # A frame may be in the file whose line did not come to be written.
        assert set(facts) >= {str(n) for n in range(frames)}
        expect(path, kind, spec, len(facts))
    if path.is_dir():
        ome = validate(xml_of(companion_of(path)))
        assert [i.name for i in ome.images] == list(PLACES)
        assert sum(len(i.pixels.planes) for i in ome.images) == len(facts)
        assert (kind == "plate") == bool(ome.plates)


@both_implementations
@pytest.mark.parametrize("kind", ["folder", "plate", "single", "one"])
@pytest.mark.parametrize("more", [{}, {"levels": 3}])
def test_a_run_that_goes_on_is_as_one_that_never_stopped(
    tmp_path: Path, kind: str, more: dict[str, int]
) -> None:
    spec = several(kind, 6)
    path, whole = tmp_path / name_of(kind), tmp_path / "whole" / name_of(kind)
    count = spec.n_frames or 0
    with Stream(spec, [sink_of(kind, whole, **more)]) as stream:
        for number in range(count):
            stream.append(frame_of(number), {"n": number})
    for number in range(count):
        if number % 5 == 0:
            if number:
                stream.close()
                expect(path, kind, spec, number)
            sink = sink_of(kind, path, **(more if not number else {}))
            stream = Stream(spec, [sink], resume=True)
        stream.append(frame_of(number), {"n": number})
        stream.flush()
        if kind != "single":  # its XML is brought up to date now and then only
            expect(path, kind, spec, number + 1)
    stream.close()
    for image in range(len(spec.images)):
        np.testing.assert_array_equal(
            by_tifffile(path, kind, image), by_tifffile(whole, kind, image)
        )
    assert facts_of(path) == facts_of(whole)
    files = tiff_files(path) if path.is_dir() else [path]
    for file in files:
        notes = validate(xml_of(file)).structured_annotations.map_annotations
        (run,) = [n.value for n in notes if n.namespace == "napari-scope/run"]
        assert len(run["resumed"].split()) == (count - 1) // 5
    assert repair_tiff(path) == []
    assert read_journal(journal_of(path)).closed is not None


@both_implementations
def test_an_unbounded_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.ome.tiff"
    spec = make_spec({"time": 1, "channel": 2}, growing=True, growing_axes=("time",))
    for round_ in range(3):
        with Stream(spec, [OmeTiffSink(path)], resume=True) as stream:
            for number in range(7 * round_, 7 * round_ + 7):
                stream.append(frame_of(number))
                stream.flush()
                found = series(path)
                for other in range(number + 1):
                    np.testing.assert_array_equal(
                        found[other // 2, other % 2, 0], frame_of(other)
                    )
    assert series(path).shape[:3] == (11, 2, 1)
    assert len(validate(xml_of(path)).images[0].pixels.planes) == 21


@both_implementations
def test_a_run_that_never_had_a_frame_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.ome.tiff"
    spec = make_spec({"time": 3})
    Stream(spec, [OmeTiffSink(path, levels=2)]).close()
    with Stream(spec, [OmeTiffSink(path, levels=2)], resume=True) as stream:
        for number in range(3):
            stream.append(frame_of(number))
    assert len(pages(path)) == 3
    np.testing.assert_array_equal(series(path)[2, 0, 0], frame_of(2))


@both_implementations
def test_a_first_plane_that_was_skipped_may_still_come(tmp_path: Path) -> None:
    """Until then a black image stands for it behind the frames."""
    path = tmp_path / "run.ome.tiff"
    spec = make_spec({"time": 4})
    with Stream(spec, [OmeTiffSink(path)]) as stream:
        stream.append(frame_of(1), index={"time": 1})
    np.testing.assert_array_equal(series(path)[1, 0, 0], frame_of(1))
    assert not series(path)[0].any()
    with Stream(spec, [OmeTiffSink(path)], resume=True) as stream:
        stream.append(frame_of(3), index={"time": 3})
        stream.append(frame_of(0), index={"time": 0})
    found = series(path)[:, 0, 0]
    np.testing.assert_array_equal(found[[0, 1, 3]], [frame_of(n) for n in (0, 1, 3)])
    assert [len(pages(path)), found[2].any()] == [3, False]


@both_implementations
def test_a_frame_that_has_no_line_may_come_again(tmp_path: Path) -> None:
    """Killed between the pixels of a frame and its line."""
    path = tmp_path / "run.ome.tiff"
    spec = make_spec({"time": 9})
    with Stream(spec, [OmeTiffSink(path)]) as stream:
        for number in range(4):
            stream.append(frame_of(number), {"n": number})
    journal = journal_of(path)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-2]))  # the last frame, and the end
    with Stream(spec, [OmeTiffSink(path)], resume=True) as stream:
        for number in (13, 14):  # other pixels, this time
            stream.append(frame_of(number), {"n": number})
            stream.flush()
            found = series(path)[:, 0, 0]
            np.testing.assert_array_equal(found[number - 10], frame_of(number))
    found = series(path)[:, 0, 0]
    for time, number in enumerate((0, 1, 2, 13, 14)):
        np.testing.assert_array_equal(found[time], frame_of(number))
    assert facts_of(path) == ["0", "1", "2", "13", "14"]
    # A kill later on does not bring the old one back.
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))
    assert recover(path).lost == ()


@both_implementations
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"storage": StorageSpec(compression="zlib")}, "compression"),
        ({"dtype": np.dtype("u1")}, "type"),
        ({"frame_shape": (8, 8)}, "shape"),
    ],
)
def test_what_was_begun_otherwise_is_refused_and_stays(
    tmp_path: Path, change: dict[str, Any], what: str
) -> None:
    path = tmp_path / "run.ome.tiff"
    spec = make_spec({"time": 4})
    with Stream(spec, [OmeTiffSink(path)]) as stream:
        stream.append(frame_of(0))
    before = path.read_bytes()
    fields = {"frame_shape": spec.frame_shape, "dtype": spec.dtype, **change}
    other = StoreSpec(
        spec.name,
        order=spec.order,
        images=spec.images,
        **fields,  # type: ignore[arg-type]
    )
    with pytest.raises(SettingsError, match=what):
        Stream(other, [OmeTiffSink(path)], resume=True)
    assert path.read_bytes() == before


@both_implementations
def test_other_levels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.ome.tiff"
    spec = make_spec({"time": 4})
    with Stream(spec, [OmeTiffSink(path, levels=2)]) as stream:
        stream.append(frame_of(0))
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="coarse levels"):
        Stream(spec, [OmeTiffSink(path, levels=3)], resume=True)
    assert path.read_bytes() == before
    with Stream(spec, [OmeTiffSink(path)], resume=True) as stream:
        stream.append(frame_of(1))
    np.testing.assert_array_equal(series(path)[1, 0, 0], frame_of(1))


@both_implementations
@pytest.mark.parametrize("kind", ["folder", "single"])
def test_pixels_that_are_not_those_of_their_line_are_reported(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / name_of(kind)
    spec = several(kind, 4)
    stream = Stream(spec, [sink_of(kind, path)])
    for number in range(12):
        stream.append(frame_of(number))
    stream._fail(stream.sinks[0], OSError(5, "Input/output error"))
    with contextlib.suppress(Exception):
        stream.close()
    file = path / "right.ome.tiff" if kind == "folder" else path
    data = bytearray(file.read_bytes())
    start = data.index(frame_of(3).tobytes())  # time 0, the second image, FITC
    data[start : start + 64] = bytes(64)
    file.write_bytes(data)
    report = recover(path)
    assert [axes for axes, _ in report.lost] == [
        {"time": 0, "position": "right", "channel": "FITC"}
    ]
    assert report.saved == 11


@both_implementations
def test_a_folder_without_the_file_of_an_image_is_not_continued(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run"
    spec = several("folder", 2)
    Stream(spec, [OmeTiffSink(path)]).close()
    (path / "right.ome.tiff").unlink()
    with pytest.raises(FormatError, match="'right'"):
        Stream(spec, [OmeTiffSink(path)], resume=True)
