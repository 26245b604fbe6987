"""A stream that goes on with a run: every frame of before and of now is there."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tests.stream.streams import (
    all_images,
    frame_of,
    growing_spec,
    journal_of,
    make_sink,
    make_spec,
)
from tests.stream.test_stream_kill import killed_at, ndtiff_frames, start

from napari_scope.errors import (
    FormatError,
    FrameError,
    OutputExistsError,
    SettingsError,
    StreamError,
)
from napari_scope.fileio import DataFile, uses_portable_io
from napari_scope.formats.opening import open_dataset
from napari_scope.stream import (
    AcquisitionSettings,
    Address,
    Dimension,
    Gap,
    ImageSpec,
    MemorySink,
    Position,
    Sink,
    Stream,
    create_stream,
    read_journal,
)
from napari_scope.stream import resume as resume_module
from napari_scope.stream.catch_up import united
from napari_scope.stream.journal import Journal, plan_header
from napari_scope.stream.lock import Held, hold
from napari_scope.stream.recovery import recover
from napari_scope.stream.recovery_journal import OpenJournal
from napari_scope.stream.recovery_plan import FrameLine
from napari_scope.stream.resume import load
from napari_scope.stream.resume_plan import differences, plan_of
from napari_scope.stream.resumption import Resumption

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_scope.stream import StoreSpec

pytestmark = pytest.mark.usefixtures("implementation")

SUFFIXES = {"ome-zarr": ".ome.zarr", "ndtiff": ".ndtiff", "ome-tiff": ".ome.tiff"}


def goes_on(format: str, path: Any = "x") -> bool:
    return type(make_sink(format, path)).resume is not Sink.resume


FORMATS = list(filter(goes_on, SUFFIXES))


def settings(path: Path, *lead: Dimension, **more: Any) -> AcquisitionSettings:
    return AcquisitionSettings(
        root_path=path,
        dtype="uint16",
        dimensions=[
            *lead,
            Dimension(name="y", count=16),
            Dimension(name="x", count=24),
        ],
        **more,
    )


def over(path: Path, count: int | None = None, **more: Any) -> AcquisitionSettings:
    """Return the settings of a run of two channels over time."""
    lead = Dimension(name="t", count=count), Dimension(name="c", coords=["A", "B"])
    return settings(path, *lead, **more)


def feed(stream: Stream, numbers: Sequence[int]) -> None:
    for number in numbers:
        stream.append(frame_of(number), {"n": number})


def expected(count: int, total: int) -> Any:
    """Return so many frames and zeros behind them, two for each time point."""
    frames = [frame_of(n) if n < count else frame_of(0) * 0 for n in range(total)]
    return np.array(frames).reshape(-1, 2, 16, 24)


def pixels(path: Path) -> Any:
    if path.name.endswith(".tiff"):
        found = tifffile.imread(path)  # axes of length 1 are left out
        return found.reshape(-1, 2, 16, 24) if "run." in path.name else found
    (image,) = open_dataset(path).images
    return np.asarray(image.levels[0])


@pytest.fixture(autouse=True)
def a_quick_medium(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real medium would only take its time."""
    monkeypatch.setattr(os, "fdatasync", lambda _: None, raising=False)
    monkeypatch.setattr(os, "fsync", lambda _: None)


def interrupted(found: AcquisitionSettings, numbers: Sequence[int]) -> None:
    """Leave a store as a kill would: a copy of one that is still open."""
    path = found.output_path
    copy = path.with_name("copy")
    journal = copy.with_name("copy.jsonl")
    with create_stream(found) as stream:
        feed(stream, numbers)
        stream.flush()
        if path.is_dir():
            shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".*.new"))
        else:
            shutil.copy(path, copy)
            shutil.copy(journal_of(path), journal)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        shutil.copy(journal, journal_of(path))
        path.unlink()
    copy.rename(path)


@pytest.mark.parametrize("format", FORMATS)
class TestGoingOn:
    def test_with_a_closed_run_at_the_next_frame(
        self, tmp_path: Path, format: str
    ) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        with create_stream(over(path), resume=True) as stream:  # nothing is there
            feed(stream, range(3))
        with create_stream(over(path), resume=True) as stream:
            feed(stream, range(3, 7))
        # Once more, and in the middle of a time point again.
        with create_stream(over(path), resume=True) as stream:
            feed(stream, range(7, 9))
        assert np.array_equal(pixels(path), expected(9, 10))
        journal = read_journal(journal_of(path))
        assert [entry["n"] for entry in journal.frames] == list(range(9))
        assert [entry["metadata"]["n"] for entry in journal.frames] == list(range(9))
        assert [entry["after"] for entry in journal.resumed] == [3, 7]
        assert all(entry["time"].endswith("+00:00") for entry in journal.resumed)
        assert journal.closed is not None
        assert journal.closed["saved"] == 9
        assert list(journal.starts) == [0, 3, 7]
        assert recover(path).was_closed

    def test_after_a_kill(self, tmp_path: Path, format: str) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        interrupted(over(path), range(5))
        with create_stream(over(path), resume=True) as stream:
            feed(stream, range(5, 8))
        assert np.array_equal(pixels(path), expected(8, 8))
        interrupted_again = read_journal(journal_of(path))
        assert interrupted_again.endings[0]["recovered"] is True

    def test_after_a_kill_before_the_first_frame(
        self, tmp_path: Path, format: str
    ) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        interrupted(over(path, 3), [])
        with create_stream(over(path, 3), resume=True) as stream:
            assert stream.stats().earlier == 0
            feed(stream, range(2))
        assert np.array_equal(pixels(path)[:1], expected(2, 2))

    def test_after_a_kill_of_what_went_on(self, tmp_path: Path, format: str) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        with create_stream(over(path)) as stream:
            feed(stream, range(3))
        for count in (0, 2):
            with create_stream(over(path), resume=True) as stream:
                feed(stream, range(3, 3 + count))
                stream.flush()
                target = tmp_path / str(count) / path.name
                target.parent.mkdir()
                if path.is_dir():
                    shutil.copytree(path, target)
                else:
                    shutil.copy(path, target)
                    shutil.copy(journal_of(path), target.parent)
            assert read_journal(journal_of(target)).closed is None
            report = recover(target)
            assert (report.was_closed, report.saved) == (False, 3 + count)
            assert not report.lost
            assert np.array_equal(
                pixels(target).reshape(-1, 16, 24)[: 3 + count],
                expected(3 + count, 6).reshape(-1, 16, 24)[: 3 + count],
            )
            with create_stream(over(target), resume=True) as stream:
                feed(stream, range(3 + count, 8))
            assert np.array_equal(pixels(target), expected(8, 8))

    def test_a_bounded_run_is_completed_and_made_longer(
        self, tmp_path: Path, format: str
    ) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        interrupted(over(path, 3), range(4))
        with create_stream(over(path, 3), resume=True) as stream:
            assert stream.view().images[0].levels[0].shape == (3, 2, 16, 24)
            feed(stream, range(4, 6))
            with pytest.raises(FrameError, match="all 6 frames"):
                feed(stream, [6])
        with create_stream(over(path, 5), resume=True) as stream:
            feed(stream, range(6, 8))
        found = pixels(path)
        assert np.array_equal(found[:4], expected(8, 8))
        report = recover(path)
        assert (report.planned, report.saved, report.missing) == (10, 8, 2)
        with create_stream(over(path), resume=True) as stream:
            feed(stream, range(8, 12))
        assert np.array_equal(pixels(path), expected(12, 12))
        with create_stream(over(path, 6), resume=True) as stream:
            assert np.array_equal(all_images(stream)[0], expected(12, 12))

    def test_the_view_shows_old_and_new(self, tmp_path: Path, format: str) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        with create_stream(over(path)) as stream:
            feed(stream, range(4))
        with create_stream(over(path), resume=True) as stream:
            view = stream.view()
            assert np.array_equal(all_images(stream)[0], expected(4, 4))
            newest = view.newest()
            assert newest is not None
            assert newest.index == {"t": 1, "c": 1}
            feed(stream, [4])
            assert np.array_equal(all_images(stream)[0], expected(5, 6))
            after = view.newest()
            assert after is not None
            assert after.number > newest.number
            stream.flush()
            stats = stream.stats()
            assert (stats.appended, stats.saved, stats.earlier) == (1, 1, 4)
            assert stream.has({"t": 2, "c": "A"})
            assert not stream.has({"t": 2, "c": "B"})

    def test_positions_and_skips(self, tmp_path: Path, format: str) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        found = settings(
            path,
            Dimension(name="t", count=None),
            Dimension(name="p", coords=["left", Position(name="right")]),
            Dimension(name="z", count=2),
        )
        with create_stream(found) as stream:
            feed(stream, [0, 1])
            stream.skip(reason="no focus")
        with create_stream(found, resume=True) as stream:
            feed(stream, [3, 4])
            stream.skip(3)
        with create_stream(found, resume=True) as stream:
            feed(stream, [8])
            assert stream.spec.images[0].sizes["time"] == 3
            shown = all_images(stream)
        numbers = [[[0, 1], [4, None], [8, None]], [[None, 3], [None, None]]]
        for image, (stored, mine) in enumerate(zip(shown, numbers, strict=True)):
            for t, planes in enumerate(mine):
                for z, number in enumerate(planes):
                    wanted = frame_of(0) * 0 if number is None else frame_of(number)
                    assert np.array_equal(stored[t, z], wanted), (image, t, z)
        report = recover(found.output_path)
        assert (report.saved, report.skipped) == (5, 4)

    def test_holes_stay_and_can_be_filled_by_their_axes(
        self, tmp_path: Path, format: str
    ) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        with create_stream(over(path)) as stream:
            stream.append(frame_of(0), index={"t": 0, "c": "A"})
            stream.append(frame_of(4), index={"t": 2, "c": "A"})
        with create_stream(over(path), resume=True) as stream:
            feed(stream, [5, 6])
            stream.append(frame_of(1), index={"t": 0, "c": "B"})
            with pytest.raises(FrameError, match="already"):
                stream.append(frame_of(9), index={"t": 2, "c": "A"})
        # NDTiff's readers have no place for a time point without any frame.
        found = all_images(stream)[0].reshape(-1, 16, 24)
        for number in (0, 1, 4, 5, 6):
            assert np.array_equal(found[number], frame_of(number)), number
        assert not found[2].any()
        assert not found[3].any()

    def test_gaps_of_the_settings_are_noted_once(
        self, tmp_path: Path, format: str
    ) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        gaps = [Gap(index={"c": [1], "t": [1, 3]}, reason="every other")]
        interrupted(over(path, 4, gaps=gaps), [0, 1])
        with create_stream(over(path, 4, gaps=gaps), resume=True) as stream:
            feed(stream, [2])
        gaps = [Gap(index={"c": [1], "t": [1, 3, 5]}, reason="every other")]
        with create_stream(over(path, 6, gaps=gaps), resume=True) as stream:
            feed(stream, [4, 5, 6, 8])
        report = recover(path)
        assert (report.saved, report.skipped, report.missing) == (7, 3, 2)
        found = pixels(path).reshape(-1, 16, 24)
        for number in (0, 1, 2, 4, 5, 6, 8):
            assert np.array_equal(found[number], frame_of(number)), number

    def test_a_run_that_takes_whatever_comes(self, tmp_path: Path, format: str) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"

        def some(first: int, **axes: Any) -> None:
            sinks = [make_sink(format, path)]
            with Stream(growing_spec(), sinks, resume=True) as stream:
                for n in range(first, first + 2):
                    stream.append(frame_of(n), index={"time": n, **axes})

        some(0, channel="A")
        some(2, channel="B")
        some(4, channel="A")
        found = pixels(path)
        assert found.shape[:2] == (6, 2)
        for n, c in enumerate((0, 0, 1, 1, 0, 0)):
            assert np.array_equal(found[n, c], frame_of(n))

    def test_what_is_being_written_is_left_alone(
        self, tmp_path: Path, format: str
    ) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        with create_stream(over(path)) as stream:
            feed(stream, [0])
            stream.flush()
            with pytest.raises(StreamError, match="still being written"):
                create_stream(over(path), resume=True)
            feed(stream, [1])
        with create_stream(over(path), resume=True) as stream:
            with pytest.raises(StreamError, match="still being written"):
                create_stream(over(path), resume=True)
            with pytest.raises(OutputExistsError):
                create_stream(over(path))
        assert np.array_equal(pixels(path), expected(2, 2))

    def test_two_stores_of_one_run(self, tmp_path: Path, format: str) -> None:
        paths = [tmp_path / f"{name}{SUFFIXES[format]}" for name in "ab"]
        spec = make_spec({"time": 6})

        def sinks() -> list[Any]:
            return [make_sink(format, path) for path in paths]

        with Stream(spec, sinks()) as stream:
            feed(stream, [0, 1])
            stream.flush()
        with Stream(spec, sinks(), resume=True) as stream:
            feed(stream, [2])
        for path in paths:
            assert np.array_equal(pixels(path)[:3], [frame_of(n) for n in range(3)])

    def test_what_one_store_lacks_is_copied(self, tmp_path: Path, format: str) -> None:
        paths = [tmp_path / f"{name}{SUFFIXES[format]}" for name in "ab"]
        spec = make_spec({"time": 6})
        for path, numbers in zip(paths, ([0, 1], [0, 1, 2, 3]), strict=True):
            with Stream(spec, [make_sink(format, path)]) as stream:
                feed(stream, numbers)
                if len(numbers) > 2:
                    stream.skip(reason="no focus")
        sinks = [make_sink(format, path) for path in paths]
        with Stream(spec, sinks, resume=True) as stream:
            assert stream.stats().earlier == 4
            feed(stream, [5])
        for path, sink in zip(paths, sinks, strict=True):
            for n in (0, 1, 2, 3, 5):
                assert np.array_equal(sink.read(Address(0, (n,))), frame_of(n))
            lines = read_journal(journal_of(path))
            assert sorted(entry["n"] for entry in lines.frames) == list(range(6))
            metadata = {entry["n"]: entry.get("metadata") for entry in lines.frames}
            assert metadata[3] == {"n": 3}
            assert [e.get("reason") for e in lines.frames if e["n"] == 4] == [
                "no focus"
            ]
            assert lines.closed is not None
            assert (lines.closed["saved"], lines.closed["skipped"]) == (5, 1)

    def test_a_frame_that_was_lost_can_come_again(
        self, tmp_path: Path, format: str
    ) -> None:
        path = tmp_path / f"run{SUFFIXES[format]}"
        interrupted(over(path), range(4))
        recover(path)
        # As if a loss of power had taken a frame: recovery notes it in its last line.
        place = journal_of(path)
        lines = place.read_text().splitlines()
        lost = '"lost":[{"axes":{"time":0,"channel":"B"},"reason":"gone"}]'
        assert '"lost":[]' in lines[-1]
        lines[-1] = lines[-1].replace('"lost":[]', lost)
        place.write_text("\n".join(lines) + "\n")
        assert recover(path).lost == (({"time": 0, "channel": "B"}, "gone"),)
        with create_stream(over(path), resume=True) as stream:
            feed(stream, [4])
            assert stream.stats().earlier == 3
            stream.append(frame_of(700), index={"t": 0, "c": "B"})
        report = recover(path)
        assert (report.saved, report.lost) == (5, ())
        closed = read_journal(journal_of(path)).closed
        assert closed is not None
        assert closed["saved"] == 5
        assert np.array_equal(pixels(path)[0, 1], frame_of(700))


class TestRefused:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "run.ndtiff"
        with create_stream(over(path, 4)) as stream:
            feed(stream, range(5))
        return path

    def refused(self, found: AcquisitionSettings, *words: str) -> None:
        before = journal_of(found.output_path).read_bytes()
        with pytest.raises(SettingsError) as caught:
            create_stream(found, resume=True)
        assert all(word in str(caught.value) for word in words), caught.value
        assert journal_of(found.output_path).read_bytes() == before

    def test_other_plans_by_name(self, path: Path) -> None:
        t, c = Dimension(name="t", count=4), Dimension(name="c", coords=["A", "B"])
        self.refused(settings(path, c, t), "order of the axes", "(channel, time)")
        self.refused(settings(path, t), "order of the axes")
        other = Dimension(name="c", coords=["A", "C"])
        self.refused(settings(path, t, other), "axis channel", "(A, B)", "(A, C)")
        self.refused(over(path, 3), "axis time has the length 4 there and 3 here")
        scaled = Dimension(name="t", count=4, scale=2, unit="s")
        self.refused(settings(path, scaled, c), "interval in seconds", "2.0 here")
        wide = AcquisitionSettings(
            root_path=path,
            dtype="uint8",
            dimensions=[
                t,
                c,
                Dimension(name="y", count=16),
                Dimension(name="x", count=9),
            ],
        )
        self.refused(
            wide, "shape of a frame is (16, 24) there and (16, 9) here", "uint8"
        )

    def test_a_plan_without_room(self, tmp_path: Path) -> None:
        path = tmp_path / "run.ndtiff"
        with create_stream(over(path)) as stream:
            feed(stream, range(6))
        self.refused(over(path, 2), "3 of it are there")

    def test_another_format(self, path: Path, tmp_path: Path) -> None:
        other = tmp_path / "run.ome.zarr"
        path.rename(other)
        self.refused(over(other, 4), "ndtiff", "not as ome-zarr")

    def test_overwrite(self, path: Path) -> None:
        self.refused(over(path, 4, overwrite=True), "both continued and overwritten")

    def test_memory(self, path: Path) -> None:
        spec = make_spec()
        with pytest.raises(SettingsError, match="gone with their stream"):
            Stream(spec, [MemorySink()], resume=True)
        with pytest.raises(SettingsError, match="memory cannot be continued"):
            MemorySink().resume(spec, load(path, "ndtiff", over(path, 4).to_spec()))

    def test_an_output_that_the_run_did_not_have(
        self, path: Path, tmp_path: Path
    ) -> None:
        spec = over(path, 4).to_spec()
        sinks = [make_sink("ndtiff", path), make_sink("ndtiff", tmp_path / "new")]
        with pytest.raises(SettingsError, match="nothing here"):
            Stream(spec, sinks, resume=True)
        assert not (tmp_path / "new").exists()

    def test_what_no_stream_wrote(self, path: Path) -> None:
        (path / "frames.jsonl").unlink()
        with pytest.raises(FormatError, match="no journal"):
            create_stream(over(path, 4), resume=True)

    def test_a_journal_that_does_not_say_what_was_planned(self, path: Path) -> None:
        place = path / "frames.jsonl"
        lines = place.read_text().splitlines()
        place.write_text("\n".join(['{"journal":1,"format":"ndtiff"}', *lines[1:]]))
        with pytest.raises(FormatError, match="what was planned"):
            create_stream(over(path, 4), resume=True)

    def test_lines_that_are_none(self, path: Path) -> None:
        place = path / "frames.jsonl"
        lines = place.read_text().splitlines()
        place.write_text("\n".join([lines[0], '{"n":0}', *lines[1:]]) + "\n")
        with pytest.raises(FormatError, match="1 lines of the journal"):
            create_stream(over(path, 4), resume=True)

    def test_lines_that_lie_elsewhere(self, path: Path) -> None:
        place = path / "frames.jsonl"
        text = place.read_text().replace('"index":[1,1]', '"index":[3,1]')
        place.write_text(text)
        with pytest.raises(SettingsError, match=r"lies at \(3, 1\)"):
            create_stream(over(path, 4), resume=True)

    def test_where_nobody_can_tell_it_has_to_be_said(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resume_module, "hold", lambda _: Held.UNKNOWN)
        with pytest.raises(StreamError, match="does not tell"):
            create_stream(over(path, 4), resume=True)
        with create_stream(over(path, 4), resume="force") as stream:
            feed(stream, [5])
        assert np.array_equal(pixels(path)[:3], expected(6, 6))

    def test_a_journal_that_nobody_may_write(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(DataFile, "open", refuse)
        with pytest.raises(StreamError, match="permission to write"):
            create_stream(over(path, 4), resume=True)

    def test_a_store_that_cannot_be_opened_leaves_the_other_finished(
        self, path: Path, tmp_path: Path
    ) -> None:
        class Refusing(MemorySink):
            def resume(self, spec: StoreSpec, resumption: Any) -> None:
                raise OSError(5, "Input/output error")

        spec = over(path, 4).to_spec()
        other = tmp_path / "other"
        shutil.copytree(path, other)
        bad = Refusing()
        bad.path, bad.format = other, "ndtiff"
        with pytest.raises(StreamError, match="Input/output error"):
            Stream(spec, [make_sink("ndtiff", path), bad], resume=True)
        journal = read_journal(journal_of(path))
        assert len(journal.resumed) == 1
        assert journal.closed == {
            "closed": True,
            "saved": 5,
            "skipped": 0,
            "dropped": 0,
        }
        assert not (path / "NDTiff.writing").exists()
        with create_stream(over(path, 4), resume=True) as stream:
            feed(stream, [5])
        assert np.array_equal(pixels(path)[:3], expected(6, 6))


class TestJournal:
    def test_somebody_else_was_faster(self, tmp_path: Path) -> None:
        path = tmp_path / "frames.jsonl"
        journal = Journal.create(path, {"format": "ndtiff"})
        journal.write([{"n": 0, "status": "saved"}])
        journal.close({})
        before = path.read_bytes()
        with pytest.raises(StreamError, match="another program went on"):
            Journal.reopen(path, {}, after=0)
        with DataFile.open(path, writable=True) as file:
            assert hold(file) is Held.YES
            with pytest.raises(StreamError, match="still being written"):
                Journal.reopen(path, {}, after=1)
        assert path.read_bytes() == before
        again = Journal.reopen(path, {"frames": 7, "name": "x"}, after=1)
        with pytest.raises(StreamError, match="still being written"):
            OpenJournal(path)
        again.write([{"n": 1, "status": "skipped", "axes": {"time": 1}}])
        assert again.summary()["saved"] == 1
        assert again.summary()["skipped"] == 1
        assert read_journal(path).closed is None
        again.close({"saved": 1})
        content = read_journal(path)
        assert [entry["n"] for entry in content.frames] == [0, 1]
        assert content.header == {"journal": 1, "format": "ndtiff", "frames": 7}
        assert content.closed == {"closed": True, "saved": 1}
        assert [len(content.resumed), len(content.endings)] == [1, 2]

    @pytest.mark.parametrize(
        "tail", [b"", b"\n", b'\n{"res', b"\n\0\0\0", b"\n" + bytes(999)]
    )
    def test_the_end_of_the_file_does_not_matter(
        self, tmp_path: Path, tail: bytes
    ) -> None:
        path = tmp_path / "frames.jsonl"
        path.write_bytes(b'{"journal":1}\n{"n":0}\n{"closed":true}' + tail)
        Journal.reopen(path, {}, after=1).close()
        lines = path.read_bytes().splitlines()
        assert lines[:3] == [b'{"journal":1}', b'{"n":0}', b'{"closed":true}']
        assert b'"resumed":true' in lines[3]
        assert len(lines) == 4


class TestDifferences:
    def test_the_plan_of_a_journal_is_the_plan_of_its_spec(self) -> None:
        for spec in (make_spec(), growing_spec(), make_spec({"time": 2, "channel": 1})):
            assert differences(plan_of(spec), plan_of(spec)) == []
            assert "storage" in plan_header(spec, "ndtiff")["plan"]

    def test_positions(self) -> None:
        def spec(*names: str, **sizes: int) -> StoreSpec:
            images = tuple(
                ImageSpec(n, {"position": n}, {"time": 3, "z": 2, **sizes})
                for n in names
            )
            order = ("time", "position", "z")
            return make_spec({}, order=order, images=images)

        there = plan_of(spec("a", "b"))
        assert differences(there, plan_of(spec("a", "b", time=9))) == []
        assert differences(there, plan_of(spec("a", "c"))) == [
            "a position is b there and c here"
        ]
        assert differences(there, plan_of(spec("a"))) == [
            "there are 2 positions there and 1 here"
        ]
        assert differences(there, plan_of(spec("a", "b", z=3))) == [
            "the axis z has the length 2 there and 3 here"
        ]

    def test_storage(self, tmp_path: Path) -> None:
        def plan(**more: Any) -> Any:
            lead = Dimension(name="t", count=4, chunk_size=more.pop("time", 1))
            return plan_of(
                AcquisitionSettings(
                    root_path=tmp_path / "a.ome.zarr",
                    dtype="uint16",
                    dimensions=[
                        lead,
                        Dimension(name="y", count=16, chunk_size=more.pop("rows", 8)),
                        Dimension(name="x", count=16),
                    ],
                    **more,
                ).to_spec()
            )

        assert differences(plan(), plan()) == []
        assert differences(plan(), plan(compression="zstd")) == [
            "the compression is nothing there and zstd here"
        ]
        assert differences(plan(), plan(rows=16)) == [
            "the size of chunks along y is 8 there and 16 here"
        ]
        # What an older journal does not say is not compared.
        old = plan()
        del old["storage"], old["scale"]
        assert (
            differences(old, plan(compression="zstd", rows=16))
            == ["the size of chunks along y is nothing there and 16 here"]
            or differences(old, plan(compression="zstd", rows=16)) == []
        )

    def test_bounded_by_whatever_comes(self) -> None:
        found = differences(plan_of(growing_spec()), plan_of(make_spec()))
        assert found == ["the run takes whatever comes there and was planned here"]


def test_a_frame_that_any_store_has_is_a_saved_one(tmp_path: Path) -> None:
    def found(*lines: tuple[int, str]) -> Resumption:
        made = tuple(
            FrameLine(0, (n,), {"time": n}, status, None, n) for n, status in lines
        )
        return Resumption(tmp_path, made, len(lines), 9, None)

    lines = united(
        [found((0, "saved"), (2, "dropped")), found((1, "saved"), (2, "saved"))]
    )
    assert [(line.number, line.status) for line in lines] == [
        (0, "saved"),
        (1, "saved"),
        (2, "saved"),
    ]


WRITER = """
import sys
from pathlib import Path
from napari_scope.stream import Stream
from tests.stream.streams import frame_of, growing_spec, make_sink

format, path, first = sys.argv[1:]
sinks = [make_sink(format, Path(path))]
stream = Stream(growing_spec(), sinks, ring_bytes=1 << 20, resume=True)
before = stream.stats().earlier
assert before >= int(first), (before, first)
for number in range(before, before + 5000):
    stream.append(frame_of(number), {"n": number}, index={"time": number})
    if number % 7 == 6:
        stream.flush()
        print(before + stream.stats().saved, flush=True)
"""


@pytest.mark.parametrize("format", FORMATS)
def test_killed_again_and_again(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"grown{SUFFIXES[format]}"
    told = 0
    for _ in range(3):
        told = killed_at(WRITER, told + 20, format, str(path), str(told))
    report = recover(path)
    assert report.saved >= told
    assert not report.lost
    assert len(read_journal(journal_of(path)).resumed) == 2
    found = pixels(path)
    for number in range(report.saved):
        assert np.array_equal(found[number], frame_of(number)), number
    if format == "ndtiff":
        others = ndtiff_frames(path)
        # Some may have come into the store without their lines of the journal.
        assert list(others) == list(range(len(others)))
        assert len(others) >= report.saved
        assert all(np.array_equal(others[n], frame_of(n)) for n in others)


DYING = """
import os, shutil, sys
from pathlib import Path
from napari_scope.stream import Stream
from tests.stream.streams import growing_spec, make_sink

format, path = sys.argv[1], Path(sys.argv[2])

def dying(of):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os._exit(7)
        return of(*args, **kwargs)
    return call

for number in range(60):
    folder = path.parent / str(number)
    folder.mkdir()
    for file in path.parent.glob("grown*"):
        (shutil.copytree if file.is_dir() else shutil.copy)(file, folder / file.name)
    child = os.fork()
    if not child:
        left = number
        for name in ("pwrite", "pwritev", "truncate", "replace", "unlink"):
            setattr(os, name, dying(getattr(os, name)))
        Stream(growing_spec(), [make_sink(format, folder / path.name)], resume=True)
        os._exit(8)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code)
    if code != 7:
        break
"""


@pytest.mark.parametrize("format", FORMATS)
def test_killed_while_it_opens(tmp_path: Path, format: str) -> None:
    if uses_portable_io() or not hasattr(os, "fork"):
        pytest.skip("many processes; the order of operations is the same")
    path = tmp_path / f"grown{SUFFIXES[format]}"
    with Stream(growing_spec(), [make_sink(format, path)]) as stream:
        for n in range(5):
            stream.append(frame_of(n), index={"time": n})
    process = start(DYING, format, str(path))
    told, errors = process.communicate()
    assert not errors
    ends = [int(code) for code in told.split()]
    # After each of the first operations on files, until it comes to its end.
    assert ends == [*[7] * (len(ends) - 1), 8]
    assert len(ends) > 2
    for left in range(len(ends)):
        copy = tmp_path / str(left) / path.name
        report = recover(copy)
        assert report.saved == 5, left
        assert not report.lost, left
        assert np.array_equal(pixels(copy), [frame_of(n) for n in range(5)]), left
        if format == "ndtiff":
            assert len(ndtiff_frames(copy)) == 5


def test_the_frames_of_ndtiff_are_in_files_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "run.ndtiff"
    for numbers in ([0, 1], [2], [], [3]):
        with create_stream(over(path), resume=True) as stream:
            feed(stream, numbers)
            assert (path / "NDTiff.writing").exists()
    names = sorted(file.name for file in path.glob("*.tif"))
    stem = "run_NDTiffStack"
    assert names == [f"{stem}.tif", f"{stem}_1.tif", f"{stem}_2.tif"]
    assert not (path / "NDTiff.writing").exists()


def test_display_settings_of_ndtiff_stay(tmp_path: Path) -> None:
    path = tmp_path / "run"

    def some(**axes: Any) -> None:
        with Stream(growing_spec(), [make_sink("ndtiff", path)], resume=True) as stream:
            stream.append(frame_of(0), index=axes)

    some(time=0, channel="A")
    settings_file = path / "display_settings.txt"
    text = settings_file.read_text().replace('"Max":65535', '"Max":1234')
    settings_file.write_text(text)
    some(time=1, channel="A")
    assert settings_file.read_text() == text
    some(time=1, channel="B")
    channels = open_dataset(path).images[0].channels
    assert [c.name for c in channels] == ["A", "B"]
    assert channels[0].contrast_limits == (0.0, 1234.0)
    assert Address(0, (1, 1)) == load(path, "ndtiff", growing_spec()).last
