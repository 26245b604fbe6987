"""What the sinks leave on disk, as independent readers see it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.ngff.oracles import READERS
from tests.stream.streams import (
    FORMATS,
    frame_of,
    growing_spec,
    journal_of,
    make_sink,
    make_spec,
)

from napari_scope.arrays import halve
from napari_scope.errors import SettingsError, StreamError
from napari_scope.fileio import DataFile
from napari_scope.model import Channel
from napari_scope.stream import ImageSpec, MemorySink, OmeZarrSink, Stream, read_journal
from napari_scope.stream.sinks.base import checksum
from napari_scope.stream.sinks.contrast import ContrastMeter, display_range

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("implementation")


def attributes(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "zarr.json").read_text())["attributes"]
    return found


def run(sink: Any, spec: Any, frames: int) -> Stream:
    with Stream(spec, [sink]) as stream:
        for number in range(frames):
            stream.append(frame_of(number, spec.frame_shape))
    return stream


class TestOmeZarr:
    def test_a_store_is_valid_before_its_first_frame(self, tmp_path: Path) -> None:
        from yaozarrs import validate_zarr_store

        several = make_spec(
            {"time": 2, "channel": 2},
            order=("position", "time", "channel"),
            labels={"channel": ("A", "B")},
            images=tuple(
                ImageSpec(n, {"position": n}, {"time": 2, "channel": 2}) for n in "AB"
            ),
        )
        for number, spec in enumerate((make_spec(), several)):
            path = tmp_path / str(number)
            stream = Stream(spec, [OmeZarrSink(path)])
            validate_zarr_store(str(path))
            for image in [path] if number == 0 else [path / "0", path / "1"]:
                validate_zarr_store(str(image))
                for name, read in READERS.items():
                    assert not read(image / "0").any(), name
            stream.append(frame_of(1))
            stream.close()
            validate_zarr_store(str(path))

    def test_all_readers_agree_while_it_grows_and_in_the_end(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "out"
        sink = OmeZarrSink(path)
        stream = Stream(growing_spec(), [sink])
        order = [0, 1, 5, 3, 2, 8]
        for number in order:
            stream.append(frame_of(number), index={"time": number})
            stream.flush()
            taken = order[: order.index(number) + 1]
            for name, read in READERS.items():
                found = read(path / "0")
                assert len(found) > max(taken), name
                for other, frame in enumerate(found):
                    expected = frame_of(other) if other in taken else 0
                    assert (frame == expected).all(), (name, other)
        stream.close()
        for name, read in READERS.items():
            assert read(path / "0").shape == (9, 16, 24), name

    def test_an_unbounded_time_shares_files_among_channels(
        self, tmp_path: Path
    ) -> None:
        spec = make_spec(
            {"time": 1, "channel": 2}, growing=True, growing_axes=("time",)
        )
        run(OmeZarrSink(tmp_path / "out"), spec, 12)
        files = [p for p in (tmp_path / "out" / "0").rglob("0") if p.is_file()]
        assert len(files) == 1
        expected = np.stack([frame_of(n) for n in range(12)]).reshape(6, 2, 16, 24)
        for read in READERS.values():
            np.testing.assert_array_equal(read(tmp_path / "out" / "0"), expected)

    def test_coarse_levels_are_exact_and_listed_when_complete(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "out"
        spec = make_spec({"time": 3}, frame=(70, 90))
        stream = Stream(spec, [OmeZarrSink(path, levels=3)])
        for number in (2, 0):
            stream.append(frame_of(number, (70, 90)), index={"time": number})
        stream.flush()

        def listed() -> list[str]:
            image = attributes(path)["ome"]["multiscales"][0]
            return [d["path"] for d in image["datasets"]]

        assert listed() == ["0"]
        stream.append(frame_of(1, (70, 90)), index={"time": 1})
        stream.close()
        assert listed() == ["0", "1", "2"]
        for number in range(3):
            level: Any = frame_of(number, (70, 90))
            for name in "012":
                for reader, read in READERS.items():
                    np.testing.assert_array_equal(
                        read(path / name)[number], level, err_msg=reader
                    )
                level = halve(level)

    def test_levels_of_a_growing_store(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        spec = growing_spec(frame_shape=(40, 40))
        with Stream(spec, [OmeZarrSink(path, levels=2)]) as stream:
            for number in range(5):
                stream.append(
                    frame_of(number, (40, 40)), index={"time": number, "z": number % 2}
                )
        for read in READERS.values():
            found = read(path / "1")
            assert found.shape == (5, 2, 20, 20)
            for number in range(5):
                np.testing.assert_array_equal(
                    found[number, number % 2], halve(frame_of(number, (40, 40)))
                )

    def test_several_images_are_a_collection_that_others_read(
        self, tmp_path: Path
    ) -> None:
        from ome_types import from_xml

        path = tmp_path / "out"
        spec = make_spec(
            order=("position", "channel"),
            labels={"channel": ("DAPI", "FITC")},
            images=tuple(
                ImageSpec(n, {"position": n}, {"channel": 2}, x_um=x)
                for n, x in (("left", 5.0), ("right", 50.0))
            ),
            summary={"microscope": "demo", "when": np.datetime64("2026-01-02")},
        )
        run(OmeZarrSink(path), spec, 4)
        assert attributes(path)["ome"]["bioformats2raw.layout"] == 3
        assert attributes(path / "OME")["ome"]["series"] == ["0", "1"]
        xml = (path / "OME" / "METADATA.ome.xml").read_text()
        assert [i.name for i in from_xml(xml).images] == ["left", "right"]
        for number in range(2):
            for read in READERS.values():
                np.testing.assert_array_equal(
                    read(path / str(number) / "0"),
                    [frame_of(2 * number), frame_of(2 * number + 1)],
                )
        own = attributes(path / "1")["napari_scope"]
        assert own["axes"] == {"position": "right"}
        assert own["stage"]["x_um"] == 50.0
        facts = attributes(path / "acquisition")["napari_scope"]
        assert facts["microscope"] == "demo"

    def test_the_display_range_is_that_of_the_first_frames(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "out"
        spec = make_spec(
            {"time": 2, "channel": 2},
            labels={"channel": ("A", "B")},
            channels=(Channel("B", "#00FF00", (3.0, 4.0)),),
            bit_depth=12,
        )
        run(OmeZarrSink(path), spec, 4)
        first, second = attributes(path)["ome"]["omero"]["channels"]
        low, high = np.percentile(frame_of(0), (0.1, 99.9))
        assert (first["window"]["start"], first["window"]["end"]) == (low, high)
        assert (second["window"]["start"], second["window"]["end"]) == (3, 4)
        assert second["color"] == "00FF00"

    def test_what_it_cannot_hold_is_refused_before_anything_is_made(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "out"
        two = tuple(ImageSpec(n, {"position": n}) for n in "AB")
        for spec in (
            make_spec(frame=(4, 4, 3), dtype="u1"),
            make_spec({"camera": 2, "channel": 2}),
            make_spec(order=("position",), images=two, dtype="f2"),
        ):
            with pytest.raises(SettingsError):
                Stream(spec, [OmeZarrSink(path)])
            assert not path.exists()

    @pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "u8", "f4", "f8"])
    def test_every_pixel_type(self, tmp_path: Path, dtype: str) -> None:
        path = tmp_path / "out"
        with Stream(make_spec(dtype=dtype), [OmeZarrSink(path, levels=2)]) as stream:
            for number in range(5):
                stream.append(frame_of(number, dtype=dtype))
        for read in READERS.values():
            found = read(path / "0")
            assert found.dtype == dtype
            np.testing.assert_array_equal(
                found, [frame_of(n, dtype=dtype) for n in range(5)]
            )

    def test_frames_of_infinity_do_not_keep_it_from_closing(
        self, tmp_path: Path
    ) -> None:
        with Stream(
            make_spec({"time": 2}, dtype="f4"), [OmeZarrSink(tmp_path / "out")]
        ) as stream:
            stream.append(np.full((16, 24), np.inf, "f4"))
            stream.append(np.full((16, 24), np.nan, "f4"))

    def test_sync_covers_metadata_and_pixels(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "out"
        stream = Stream(
            make_spec({"time": 2}), [OmeZarrSink(path)], sync_interval_s=None
        )
        synced: set[Path] = set()
        real = DataFile.sync

        def spying(file: DataFile) -> None:
            real(file)
            synced.add(file.path)

        stream.append(frame_of(0))
        with monkeypatch.context() as patch:
            patch.setattr(DataFile, "sync", spying)
            stream.flush(sync=True)
        files = {p for p in path.rglob("*") if p.is_file()}
        assert synced == files
        stream.close()


class TestNDTiff:
    def test_the_reference_library_reads_it(self, tmp_path: Path) -> None:
        from ndstorage import Dataset

        spec = make_spec({"time": 2, "channel": 2}, labels={"channel": ("A", "B")})
        run(make_sink("ndtiff", tmp_path / "out"), spec, 4)
        dataset = Dataset(str(tmp_path / "out"))
        try:
            for number in range(4):
                where = {"time": number // 2, "channel": "AB"[number % 2]}
                np.testing.assert_array_equal(
                    dataset.read_image(**where), frame_of(number)
                )
        finally:
            dataset.close()

    @pytest.mark.parametrize(
        ("frame", "dtype"), [((4, 4), "f4"), ((4, 4), "u4"), ((4, 4, 3), "u2")]
    )
    def test_pixels_it_has_no_type_for_are_refused_before_anything_is_made(
        self, tmp_path: Path, frame: tuple[int, ...], dtype: str
    ) -> None:
        with pytest.raises(SettingsError, match="NDTiff"):
            Stream(
                make_spec(frame=frame, dtype=dtype),
                [make_sink("ndtiff", tmp_path / "out")],
            )
        assert not (tmp_path / "out").exists()


class TestMemory:
    def test_it_stops_at_its_limit(self) -> None:
        sink = MemorySink(3 * 16 * 24 * 2)
        with (
            pytest.raises(StreamError, match="full"),
            Stream(make_spec(), [sink]) as stream,
        ):
            for number in range(5):
                stream.append(frame_of(number))
                stream.flush()
        assert stream.stats().saved == 3


@pytest.mark.parametrize("format", FORMATS)
def test_every_line_of_the_journal_has_the_right_checksum(
    tmp_path: Path, format: str
) -> None:
    spec = make_spec({"time": 20})
    stream = run(make_sink(format, tmp_path / "out"), spec, 20)
    content = read_journal(journal_of(tmp_path / "out"))
    assert [f["n"] for f in content.frames] == list(range(20))
    for number, line in enumerate(content.frames):
        assert line["crc32c"] == checksum(frame_of(number))
        assert line["axes"] == {"time": number}
        assert (line["image"], line["index"]) == (0, [number])
    assert content.header["format"] == format
    assert stream.stats().saved == 20


def test_two_outputs_at_once_hold_the_same(tmp_path: Path) -> None:
    sinks = [make_sink(f, tmp_path / f) for f in FORMATS]
    with Stream(make_spec(), sinks) as stream:
        for number in range(5):
            stream.append(frame_of(number))
    expected = [frame_of(n) for n in range(5)]
    for read in READERS.values():
        np.testing.assert_array_equal(read(tmp_path / "ome-zarr" / "0"), expected)
    address = list(stream.sinks[1]._axes)  # type: ignore[attr-defined]
    np.testing.assert_array_equal([sinks[1].read(a) for a in address], expected)
    assert stream.stats().saved == 5


def test_flat_frames_say_nothing_of_the_range() -> None:
    assert display_range(np.zeros((5, 5), "u2")) is None
    assert display_range(np.full((5, 5), np.inf)) is None
    low, high = display_range(np.arange(10_000, dtype="u2").reshape(100, 100)) or (0, 0)
    assert 0 < low < 20
    assert 9980 < high < 9999
    meter = ContrastMeter()
    meter.add("A", np.zeros((5, 5)))
    meter.add("A", np.eye(5))
    meter.add("A", np.eye(5) * 9)
    (channel,) = meter.apply([Channel("A")])
    assert channel.contrast_limits is not None
    assert channel.contrast_limits[1] <= 1
