"""A killed acquisition becomes a finished one, and stays it."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.oracles import READERS
from tests.stream.streams import frame_of, growing_spec, make_sink, make_spec
from tests.stream.test_stream_kill import WRITER, killed_at, ndtiff_frames

from napari_scope.arrays import halve
from napari_scope.errors import FormatError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff import NDTiffReader
from napari_scope.formats.opening import open_dataset
from napari_scope.stream import (
    AcquisitionSettings,
    ImageSpec,
    StoreSpec,
    Stream,
    create_stream,
    dims_from_standard_axes,
    read_journal,
)
from napari_scope.stream import recovery_journal as recovery_journal_module
from napari_scope.stream.journal import Journal, JournalContent, scan_journal
from napari_scope.stream.lock import Held
from napari_scope.stream.recovery import RecoveryReport, recover
from napari_scope.stream.recovery_plan import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("implementation")

FORMATS = ["ome-zarr", "ndtiff"]


def killed(
    tmp_path: Path,
    format: str,
    spec: StoreSpec,
    feed: Callable[[Stream], object],
    **more: Any,
) -> Path:
    """Return a store as a kill would leave it: a copy of one that is still open."""
    path = tmp_path / "alive"
    copy = tmp_path / "killed"
    with Stream(spec, [make_sink(format, path, **more)]) as stream:
        feed(stream)
        stream.flush()
        # Files that have no name yet come and go: coarse levels are being made.
        shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".*.new"))
    return copy


@pytest.fixture(autouse=True)
def a_quick_medium(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real medium would only take its time."""
    monkeypatch.setattr(os, "fdatasync", lambda _: None, raising=False)
    monkeypatch.setattr(os, "fsync", lambda _: None)


def some_frames(stream: Stream) -> None:
    for number in (0, 1, 3):
        stream.append(frame_of(number), {"n": number}, index={"time": number})
    stream.skip(index={"time": 4}, reason="no focus")


def contents(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def journal_of(path: Path) -> Path:
    (found,) = path.rglob("frames.jsonl")
    return found


@pytest.mark.parametrize("format", FORMATS)
class TestRecover:
    def test_what_was_saved_what_was_skipped_and_what_is_missing(
        self, tmp_path: Path, format: str
    ) -> None:
        spec = make_spec({"time": 6}, n_frames=6)
        path = killed(tmp_path, format, spec, some_frames)
        report = recover(path)
        assert (report.was_closed, report.format, report.path) == (False, format, path)
        assert (report.planned, report.saved, report.skipped) == (6, 3, 1)
        assert report.missing == 2
        if format == "ndtiff":
            assert report.missing_axes == ({"time": 2}, {"time": 5})
        assert not report.lost
        assert "recovered, 3 of 6 frames saved, 1 skipped, 2 missing" in "\n".join(
            report.lines()
        )
        closed = read_journal(journal_of(path)).closed
        assert closed is not None
        assert (closed["saved"], closed["missing"]) == (3, 2)
        if format == "ndtiff":
            found: Any = ndtiff_frames(path)
        else:
            found = np.asarray(open_dataset(path).images[0].levels[0])
        for number in (0, 1, 3):
            np.testing.assert_array_equal(found[number], frame_of(number))

    def test_again_changes_nothing(self, tmp_path: Path, format: str) -> None:
        path = killed(tmp_path, format, make_spec({"time": 6}, n_frames=6), some_frames)
        first = recover(path)
        before = contents(path)
        second = recover(path)
        assert contents(path) == before
        assert second.was_closed
        for name in ("saved", "skipped", "dropped", "missing", "missing_axes", "lost"):
            assert getattr(second, name) == getattr(first, name)
        assert "nothing to do" in second.lines()[0]

    def test_a_run_that_ended_is_left_as_it_is(
        self, tmp_path: Path, format: str
    ) -> None:
        path = tmp_path / "out"
        with Stream(make_spec(), [make_sink(format, path)]) as stream:
            some_frames(stream)
        before = contents(path)
        report = recover(path)
        assert report.was_closed
        assert report.saved == 3
        assert contents(path) == before

    def test_a_run_that_goes_on_is_left_alone(
        self, tmp_path: Path, format: str
    ) -> None:
        path = tmp_path / "out"
        with Stream(make_spec(), [make_sink(format, path)]) as stream:
            some_frames(stream)
            stream.flush(sync=True)
            before = contents(path)
            # Reading the journal in the process that writes it must not unlock it.
            assert len(read_journal(journal_of(path)).frames) == 4
            for force in (False, True):
                with pytest.raises(StreamError, match="still being written"):
                    recover(path, force=force)
            assert contents(path) == before
            stream.append(frame_of(2), index={"time": 2})
        assert recover(path).was_closed

    def test_two_recoveries_at_once(
        self, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = killed(tmp_path, format, make_spec(), some_frames)
        with recovery_journal_module.OpenJournal(journal_of(path)):
            with pytest.raises(StreamError, match="or recovered"):
                recover(path)
        assert recover(path).saved == 3

    def test_a_file_system_without_locks(
        self, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = killed(tmp_path, format, make_spec(), some_frames)
        monkeypatch.setattr(recovery_journal_module, "hold", lambda _: Held.UNKNOWN)
        with pytest.raises(StreamError, match="does not tell"):
            recover(path)
        assert recover(path, force=True).saved == 3

    def test_the_torn_end_and_broken_lines_of_the_journal_go(
        self, tmp_path: Path, format: str
    ) -> None:
        path = killed(tmp_path, format, make_spec({"time": 6}, n_frames=6), some_frames)
        journal = journal_of(path)
        header, *lines = journal.read_bytes().splitlines(keepends=True)
        # Power was lost: blocks of zeros, half a line, and one that lost its end.
        damaged = [header, lines[0], b"\0" * 50, lines[1], b'{"n": 2, "a\n', lines[3]]
        journal.write_bytes(b"".join(damaged) + b'{"n":7,' + b"x" * 3000)
        with pytest.raises(FormatError, match=r"line .* recover"):
            read_journal(journal)
        report = recover(path)
        assert (report.saved, report.skipped, report.missing) == (2, 1, 3)
        assert [f["n"] for f in read_journal(journal).frames] == [0, 1, 3]
        for line in journal.read_bytes().splitlines():
            assert not line.strip() or json.loads(line)
        assert recover(path).was_closed

    def test_an_interrupted_recovery_is_done_again(
        self, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = killed(tmp_path, format, make_spec({"time": 6}, n_frames=6), some_frames)
        with open(journal_of(path), "ab") as file:
            file.write(b"{torn")

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(recovery_journal_module.OpenJournal, "close_run", fail)
            with pytest.raises(StreamError, match="No space left"):
                recover(path)
        assert read_journal(journal_of(path)).closed is None
        report = recover(path)
        assert not report.was_closed
        assert report.saved == 3

    def test_a_frame_that_lost_its_pixels_is_told(
        self, tmp_path: Path, format: str
    ) -> None:
        spec = make_spec({"time": 6}, n_frames=6)
        path = killed(tmp_path, format, spec, some_frames)
        needle = frame_of(1).tobytes()
        for file in path.rglob("*"):
            if file.is_file() and needle in (data := file.read_bytes()):
                file.write_bytes(data.replace(needle, bytes(len(needle))))
        report = recover(path)
        assert report.saved == 2
        assert [axes for axes, _ in report.lost] == [{"time": 1}]
        assert "not those that were saved" in report.lost[0][1]
        assert recover(path).lost == report.lost

    def test_a_growing_run(self, tmp_path: Path, format: str) -> None:
        def feed(stream: Stream) -> None:
            for number in range(5):
                for channel in ("A", "B")[: 1 + (number < 3)]:
                    index = {"time": number, "channel": channel}
                    stream.append(frame_of(number), index=index)

        path = killed(tmp_path, format, growing_spec(), feed)
        report = recover(path)
        assert (report.saved, report.planned) == (8, None)
        (image,) = open_dataset(path).images
        array = np.asarray(image.levels[0])
        assert array.shape == (5, 2, 16, 24)
        for number in range(5):
            np.testing.assert_array_equal(array[number, 0], frame_of(number))
        assert report.missing == 2
        assert report.missing_axes == tuple(
            {"time": n, "channel": 1} for n in (3, 4)
        ) or report.missing_axes == tuple({"time": n, "channel": "B"} for n in (3, 4))

    def test_after_a_real_kill(self, tmp_path: Path, format: str) -> None:
        path = tmp_path / "out"
        told = killed_at(WRITER, 60, format, str(path), "True", "5000")
        report = recover(path)
        assert report.saved >= told
        assert not report.lost
        (image,) = open_dataset(path).images
        array = np.asarray(image.levels[0])
        assert len(array) == report.saved
        np.testing.assert_array_equal(array, [frame_of(n) for n in range(len(array))])
        if format == "ndtiff":
            assert len(ndtiff_frames(path)) >= report.saved
        else:
            from yaozarrs import validate_zarr_store

            validate_zarr_store(str(path))
            for read in READERS.values():
                np.testing.assert_array_equal(read(path / "0"), array)

    def test_a_store_that_may_not_be_written(
        self, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = killed(tmp_path, format, make_spec(), some_frames)

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(recovery_journal_module.DataFile, "open", refuse)
        with pytest.raises(StreamError, match="permission to do so"):
            recover(path)


class TestOmeZarr:
    def test_levels_and_metadata_are_completed(self, tmp_path: Path) -> None:
        def feed(stream: Stream) -> None:
            for number in range(4):
                stream.append(frame_of(number, (40, 30)))

        spec = make_spec({"time": 3, "channel": 2}, frame=(40, 30), pixel_um=0.5)
        path = killed(tmp_path, "ome-zarr", spec, feed, levels=3)
        before = json.loads((path / "zarr.json").read_text())["attributes"]["ome"]
        assert len(before["multiscales"][0]["datasets"]) == 1
        shutil.rmtree(path / "1" / "c", ignore_errors=True)
        (path / ".zarr.json.12.345").write_text("{")
        (path / "0" / "c" / "0" / "0" / ".0.new").write_bytes(b"x")
        report = recover(path)
        assert report.saved == 4
        assert not list(path.rglob(".*"))
        from yaozarrs import validate_zarr_store

        validate_zarr_store(str(path))
        (image,) = open_dataset(path).images
        assert len(image.levels) == 3
        for number in range(4):
            frame = frame_of(number, (40, 30))
            for level in image.levels:
                found = np.asarray(level)[divmod(number, 2)]
                np.testing.assert_array_equal(found, frame)
                frame = halve(frame)
        # As a run that was closed describes itself.
        whole = json.loads((tmp_path / "alive" / "zarr.json").read_text())
        mine = json.loads((path / "zarr.json").read_text())
        assert mine["attributes"]["ome"] == whole["attributes"]["ome"]
        summary = json.loads((path / "acquisition" / "zarr.json").read_text())
        frames = summary["attributes"]["frames"]
        assert (frames["saved"], frames["recovered"]) == (4, True)

    def test_a_collection(self, tmp_path: Path) -> None:
        spec = make_spec(
            order=("position", "z"),
            images=tuple(ImageSpec(n, {"position": n}, {"z": 3}) for n in ("A", "B")),
            n_frames=6,
        )

        def feed(stream: Stream) -> None:
            for number in range(4):
                stream.append(frame_of(number))

        path = killed(tmp_path, "ome-zarr", spec, feed, levels=2)
        report = recover(path)
        assert (report.saved, report.missing) == (4, 2)
        images = open_dataset(path).images
        assert [len(image.levels) for image in images] == [2, 2]
        np.testing.assert_array_equal(np.asarray(images[1].levels[0])[0], frame_of(3))

    def test_a_growing_collection_knows_its_sizes(self, tmp_path: Path) -> None:
        def feed(stream: Stream) -> None:
            for number in range(5):
                for place in "AB"[: 1 + (number < 3)]:
                    index = {"position": place, "time": number}
                    stream.append(frame_of(number), index=index)

        path = killed(tmp_path, "ome-zarr", growing_spec(), feed)
        recover(path)
        shapes = [i.levels[0].shape for i in open_dataset(path).images]
        assert shapes == [(5, 16, 24), (3, 16, 24)]
        whole = (tmp_path / "alive" / "OME" / "METADATA.ome.xml").read_text()
        mine = (path / "OME" / "METADATA.ome.xml").read_text()
        assert 'SizeT="5"' in mine
        assert 'SizeT="3"' in mine
        assert mine.count("SizeT") == whole.count("SizeT")


def test_half_a_record_at_the_end_of_an_index_goes(tmp_path: Path) -> None:
    """The reference library does not open a store that has one."""
    spec = make_spec({"time": 6}, n_frames=6)
    path = killed(tmp_path, "ndtiff", spec, some_frames)
    whole = (path / "NDTiff.index").read_bytes()
    for length in (2, 10, 30, len(whole) // 3 - 1):
        copy = tmp_path / str(length)
        shutil.copytree(path, copy)
        with open(copy / "NDTiff.index", "ab") as file:
            file.write(whole[:length])
        assert recover(copy).saved == 3
        assert (copy / "NDTiff.index").read_bytes() == whole
        assert set(ndtiff_frames(copy)) == {0, 1, 3}


class TestRefusals:
    def test_what_is_no_run(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="nothing"):
            recover(tmp_path / "nowhere")
        with pytest.raises(FormatError, match="no journal"):
            recover(tmp_path)
        (tmp_path / "frames.jsonl").write_bytes(bytes(1000))
        with pytest.raises(FormatError, match="no frame of the run is known"):
            recover(tmp_path)
        (tmp_path / "frames.jsonl").write_text('{"journal": 1, "format": "x"}\n')
        with pytest.raises(FormatError, match="'x', which cannot be recovered"):
            recover(tmp_path)

    @pytest.mark.parametrize(
        "damage",
        [
            {"attributes": {}},
            {"attributes": {"ome": {"multiscales": []}}},
            {"attributes": {"ome": {"multiscales": [{"axes": [], "datasets": []}]}}},
            {"attributes": {"ome": {"multiscales": 5}}},
            [],
        ],
    )
    def test_metadata_that_are_damaged_are_one_error(
        self, tmp_path: Path, damage: Any
    ) -> None:
        path = killed(tmp_path, "ome-zarr", make_spec(), some_frames)
        (path / "zarr.json").write_text(json.dumps(damage))
        with pytest.raises(FormatError) as caught:
            recover(path)
        assert str(path) in str(caught.value)
        assert read_journal(journal_of(path)).closed is None


HEADER = {
    "journal": 1,
    "frames": 4,
    "plan": {
        "order": ["position", "time", "channel"],
        "labels": {"channel": ["A", "B"]},
        "growing": False,
        "images": [
            {
                "name": "p",
                "place": {"position": "p"},
                "sizes": {"time": 1, "channel": 2},
            },
            {
                "name": "q",
                "place": {"position": "q"},
                "sizes": {"time": 1, "channel": 2},
            },
        ],
    },
}


def line(image: Any, index: Any, status: Any = "saved") -> dict[str, Any]:
    axes = {"position": "pq"[image] if image in (0, 1) else "r", "time": 0}
    return {"image": image, "index": index, "axes": axes, "status": status}


class TestRunRecord:
    def test_missing_frames_are_named_as_they_were_planned(self) -> None:
        lines = [line(0, [0, 1]), line(1, [0, 0], "skipped")]
        run = RunRecord(JournalContent(HEADER, lines, None))
        missing = run.missing()
        assert missing.count == 2
        assert missing.frames == (
            {"position": "p", "time": 0, "channel": "A"},
            {"position": "q", "time": 0, "channel": "B"},
        )
        assert run.storage_order(("c", "t")) == (1, 0)
        assert run.storage_order(("c", "z")) is None

    def test_lines_that_make_no_sense_are_counted(self) -> None:
        wrong = [
            line(-1, [0, 0]),
            line("0", [0, 0]),
            line(0, [0]),
            line(0, [0, -1]),
            line(0, [0, True]),
            line(0, 0),
            line(0, [0, 0], "eaten"),
            {"axes": []},
        ]
        run = RunRecord(JournalContent(HEADER, [*wrong, line(0, [0, 0])], None))
        assert run.senseless == len(wrong)
        assert len(run.lines) == 1
        assert run.missing().count == 3

    @pytest.mark.parametrize(
        "plan",
        [
            None,
            5,
            {"order": 5, "images": 5, "labels": 5},
            {"order": ["time"], "images": [5, {"sizes": {"time": "x"}}]},
            {"order": ["time"], "images": [{"sizes": {"time": 10**12}}]},
            {"order": ["time"], "images": [{"sizes": {"time": 10**6}}] * 1000},
        ],
    )
    def test_a_hostile_plan_costs_nothing(self, plan: Any) -> None:
        header = {"journal": 1, "frames": 10**12, "plan": plan}
        content = JournalContent(header, [{**line(0, [0]), "axes": {"time": 0}}], None)
        count = RunRecord(content).missing().count
        assert count in (10**12, 10**12 - 1)
        for frames in (-1, "x", None, True):
            run = RunRecord(JournalContent({**header, "frames": frames}, [], None))
            assert run.planned is None
            run.missing()


def test_a_whole_last_line_without_its_newline_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    journal = Journal.create(path, {"format": "ndtiff"})
    journal.write([{"n": 0}])
    journal.close()
    path.write_bytes(path.read_bytes()[:-1])
    scan = scan_journal(path)
    assert len(scan.content.frames) == 1
    with recovery_journal_module.OpenJournal(path) as opened:
        opened.mend()
        opened.close_run({"saved": 1})
    assert read_journal(path).closed == {"closed": True, "saved": 1}
    assert len(read_journal(path).frames) == 1


def test_a_journal_is_locked_as_long_as_it_is_open(tmp_path: Path) -> None:
    from napari_scope.stream.lock import hold

    journal = Journal.create(tmp_path / "f", {})
    other = DataFile.open(tmp_path / "f", writable=True)
    assert hold(other) is Held.TAKEN
    journal.close()
    assert hold(other) is Held.YES
    other.close()


def test_the_report_is_bounded(tmp_path: Path) -> None:
    axes = tuple({"time": n} for n in range(1000))
    lost = tuple((a, "x") for a in axes)
    report = RecoveryReport(
        tmp_path,
        "ndtiff",
        False,
        5000,
        1,
        0,
        0,
        4999,
        axes,
        lost,
    )
    lines = report.lines()
    assert len(lines) < 50
    assert lines[-1].strip() == "and 4979 more"


def test_the_summary_of_a_journal_is_bounded(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "f", {})
    skipped = [
        {"axes": {"t": n}, "status": "skipped", "reason": "x"} for n in range(3000)
    ]
    journal.write([{"n": 0, "status": "saved"}, *skipped])
    summary = journal.summary()
    journal.close()
    assert (summary["saved"], summary["skipped"]) == (1, 3000)
    assert len(summary["not_saved"]) == 1000  # type: ignore[arg-type]


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_frames_of_ome_tiff_are_found_whatever_packs_them(
    tmp_path: Path, compression: str | None
) -> None:
    settings = AcquisitionSettings(
        root_path=tmp_path / "run.ome.tiff",
        dtype="uint16",
        compression=compression,
        dimensions=dims_from_standard_axes({"t": 6, "y": 40, "x": 30}),
    )
    noise = np.random.default_rng(0).integers(0, 999, (4, 40, 30), "uint16")
    with create_stream(settings) as stream:
        for frame in noise:
            stream.append(frame)
        stream.flush()
        killed = tmp_path / "killed"
        files = [path for path in tmp_path.iterdir() if path.is_file()]
        killed.mkdir()
        for path in files:
            shutil.copy(path, killed)
    report = recover(killed / "run.ome.tiff")
    assert (report.saved, report.missing, len(report.lost)) == (4, 2, 0)


def test_metadata_that_a_loss_of_power_took_are_written_anew(tmp_path: Path) -> None:
    def feed(stream: Stream) -> None:
        for number in range(4):
            facts = {"exposure_ms": 20, "note": "x" * 50}
            stream.append(frame_of(number), facts, index={"time": number})

    path = killed(tmp_path, "ndtiff", make_spec({"time": 4}), feed)
    with NDTiffReader(path) as reader:
        before = [reader.read_metadata({"time": n}) for n in range(4)]
    (file,) = path.glob("*.tif")
    data = bytearray(file.read_bytes())
    start = 0
    for number, kept in enumerate((0, None, 10, None)):
        start = data.index(b'{"Exposure"', start)
        end = data.index(b"}}", start) + 2
        if number in (1, 2):
            start += kept or 0
            data[start:end] = bytes(end - start)
        start = end
    file.write_bytes(data)
    report = recover(path)
    assert (report.saved, report.lost) == (4, ())
    assert "the metadata of 2 frames were written anew" in report.notes
    with NDTiffReader(path) as reader:
        for number in range(4):
            found = reader.read_metadata({"time": number})
            assert found is not None
            assert found["Axes"] == {"time": number}
            assert found == before[number]
