from __future__ import annotations

import datetime
import json
import os
import struct
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.errors import (
    DiskSpaceError,
    FormatError,
    FrameError,
    OutputExistsError,
    SettingsError,
    StreamClosedError,
    StreamError,
)
from napari_scope.formats.ndtiff import (
    FrameItem,
    NDTiffReader,
    NDTiffWriter,
    open_ndtiff,
    tiff,
)
from napari_scope.formats.ndtiff.layout import WRITING_NAME
from napari_scope.formats.ndtiff.offsets import OffsetTable
from napari_scope.formats.ndtiff.record import PIXEL_TYPES, IfdTemplate, encode_ifd
from napari_scope.formats.ndtiff.tiff_series import MAX_FILE_BYTES
from napari_scope.formats.ndtiff.tiles import TiledNDTiffWriter
from napari_scope.model import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from napari_scope.fileio import DataFile

    Frames = dict[tuple[tuple[str, int | str], ...], npt.NDArray[np.generic]]

pytestmark = pytest.mark.usefixtures("any_io")


def _noise(*shape: int, dtype: str = "u2", seed: int = 0) -> npt.NDArray[np.generic]:
    return np.random.default_rng(seed).integers(0, 255, shape).astype(dtype)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _write(folder: Path, **options: object) -> Frames:
    """Write 2 times, 2 channels, 3 planes; returns the frames by their axes."""
    frames: Frames = {}
    with NDTiffWriter(folder, **options) as writer:  # type: ignore[arg-type]
        for time in range(2):
            for channel in ("GFP", "DAPI"):
                for z in (-1, 0, 1):
                    axes = {"time": time, "channel": channel, "z": z}
                    frame = _noise(15, 11, seed=len(frames))
                    writer.put(axes, frame, {"number": len(frames)})
                    frames[tuple(axes.items())] = frame
    return frames


def _reference(folder: Path) -> object:
    ndstorage = pytest.importorskip("ndstorage", reason="the reference reader")
    return ndstorage.Dataset(str(folder))


def _tiff_pages(folder: Path) -> list[npt.NDArray[np.generic]]:
    tifffile = pytest.importorskip("tifffile")
    pages = []
    for path in sorted(folder.glob("*.tif"), key=lambda path: (len(path.name), path)):
        with tifffile.TiffFile(path) as stack:
            pages += [page.asarray() for page in stack.pages]
    return pages


def test_the_reference_library_reads_it(tmp_path: Path) -> None:
    frames = _write(tmp_path / "run", prefix="run", summary={"PixelSize_um": 0.5})
    dataset = _reference(tmp_path / "run")
    assert dataset.summary_metadata == {"PixelSize_um": 0.5}  # type: ignore[attr-defined]
    keys = dataset.get_image_coordinates_list()  # type: ignore[attr-defined]
    assert [sorted(key.items()) for key in keys] == [sorted(k) for k in frames]
    for number, (key, frame) in enumerate(frames.items()):
        axes = dict(key)
        np.testing.assert_array_equal(dataset.read_image(**axes), frame)  # type: ignore[attr-defined]
        about = dataset.read_metadata(**axes)  # type: ignore[attr-defined]
        assert about == {"Axes": axes, "number": number}
    dataset.close()  # type: ignore[attr-defined]


def test_tifffile_reads_it_as_ndtiff_and_as_a_stack(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    frames = _write(tmp_path / "run")
    np.testing.assert_array_equal(
        np.array(_tiff_pages(tmp_path / "run")), np.array(list(frames.values()))
    )
    with tifffile.TiffFile(tmp_path / "run" / "NDTiffStack.tif") as stack:
        assert stack.series[0].kind == "ndtiff"
        assert stack.series[0].axes == "TCZYX"
        expected = np.array(list(frames.values())).reshape(2, 2, 3, 15, 11)
        np.testing.assert_array_equal(stack.series[0].asarray(), expected)


def test_both_read_it_after_every_single_frame(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with NDTiffWriter(folder, max_file_bytes=4000) as writer:
        frames = []
        for time in range(9):
            frames.append(_noise(20, 31, seed=time))
            writer.put({"time": time}, frames[-1])
            writer.flush()
            np.testing.assert_array_equal(np.array(_tiff_pages(folder)), frames)
            dataset = _reference(folder)
            for i, frame in enumerate(frames):
                np.testing.assert_array_equal(dataset.read_image(time=i), frame)  # type: ignore[attr-defined]
            dataset.close()  # type: ignore[attr-defined]
            with NDTiffReader(folder) as reader:
                assert reader.axes == {"time": list(range(time + 1))}
                assert reader.problems == []


def test_the_bytes_are_those_of_java(tmp_path: Path, real_stores: Path) -> None:
    """Write a real store anew: header, directories and pixels must be the same."""
    source = real_stores / "v3" / "12_bit_pycromanager_mda"
    original = (source / "12_bit_pycromanager_mda_NDTiffStack.tif").read_bytes()
    with NDTiffReader(source) as reader:
        summary = original[28 : 28 + struct.unpack_from("<I", original, 24)[0]]
        with NDTiffWriter(
            tmp_path / "run",
            prefix="12_bit_pycromanager_mda",
            summary=json.loads(summary),
        ) as writer:
            for row in range(len(reader.table)):
                axes = reader.table.axes(row)
                frame = reader.read_row(row)
                about = reader.metadata_of_row(row)
                writer.put(axes, frame, about, bit_depth=12)
    ours = (tmp_path / "run" / "12_bit_pycromanager_mda_NDTiffStack.tif").read_bytes()
    ours_pages, theirs_pages = _directories(ours), _directories(original)
    assert len(theirs_pages) == 8
    assert ours_pages == theirs_pages
    index = (tmp_path / "run" / "NDTiff.index").read_bytes()
    assert len(index) == (source / "NDTiff.index").stat().st_size


def _directories(data: bytes) -> list[object]:
    """Return what the chain of directories says, but for lengths of JSON."""
    pages: list[object] = []
    (start,) = struct.unpack_from("<I", data, 4)
    while start:
        (count,) = struct.unpack_from("<H", data, start)
        entries = {}
        for i in range(count):
            tag, *rest = struct.unpack_from("<HHII", data, start + 2 + 12 * i)
            entries[tag] = rest
        offset, size = entries[273][2], entries[279][2]
        assert entries[51123][2] == offset + size
        pages.append(
            (
                {t: e for t, e in entries.items() if t not in (273, 282, 283, 51123)},
                {t: entries[t][2] - start for t in (273, 282, 283)},
                entries[51123][0],
                data[entries[282][2] :][:16],
                data[offset : offset + size],
            )
        )
        (start,) = struct.unpack_from("<I", data, start + 2 + 12 * count)
    return pages


@pytest.mark.parametrize(
    ("shape", "dtype", "bit_depth", "code", "bits"),
    [
        ((9, 7), "u1", None, 0, 8),
        ((9, 7), "u1", 8, 0, 8),
        ((9, 7), "u2", None, 1, 16),
        ((9, 7), "u2", 8, 3, 16),
        ((9, 7), "u2", 10, 3, 16),
        ((9, 7), "u2", 11, 6, 16),
        ((9, 7), "u2", 12, 4, 16),
        ((9, 7), "u2", 13, 5, 16),
        ((9, 7), "u2", 14, 5, 16),
        ((9, 7), "u2", 16, 1, 16),
        ((9, 7, 3), "u1", None, 2, (8, 8, 8)),
    ],
)
def test_pixel_types(
    tmp_path: Path,
    shape: tuple[int, ...],
    dtype: str,
    bit_depth: int | None,
    code: int,
    bits: int | tuple[int, ...],
) -> None:
    tifffile = pytest.importorskip("tifffile")
    frame = _noise(*shape, dtype=dtype)
    folder = tmp_path / "run"
    with NDTiffWriter(folder) as writer:
        for time in range(3):
            place = writer.put({"time": time}, frame + time, bit_depth=bit_depth)  # type: ignore[operator]
            assert place.pixel_type == code
            np.testing.assert_array_equal(writer.read(place), frame + time)  # type: ignore[operator]
    with tifffile.TiffFile(folder / "NDTiffStack.tif") as stack:
        assert stack.pages[1].tags["BitsPerSample"].value == bits
        np.testing.assert_array_equal(stack.pages[1].asarray(), frame + 1)  # type: ignore[operator]
    dataset = _reference(folder)
    read = dataset.read_image(time=2)  # type: ignore[attr-defined]
    assert read.dtype == frame.dtype
    np.testing.assert_array_equal(read, frame + 2)  # type: ignore[operator]
    dataset.close()  # type: ignore[attr-defined]


def test_frames_in_any_memory_order_are_stored_right(tmp_path: Path) -> None:
    frame = _noise(12, 8)
    with NDTiffWriter(tmp_path / "run") as writer:
        for time, same in enumerate(
            [np.asfortranarray(frame), frame.astype(">u2"), frame[::-1][::-1], frame]
        ):
            place = writer.put({"time": time}, same)
            np.testing.assert_array_equal(writer.read(place), frame)


def test_a_contiguous_frame_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    append = tiff.GrowingTiff.append

    def spy(
        self: tiff.GrowingTiff, group: list[object], records: list[bytes]
    ) -> object:
        seen.extend(item.pixels for item in group)  # type: ignore[attr-defined]
        return append(self, group, records)  # type: ignore[arg-type]

    monkeypatch.setattr(tiff.GrowingTiff, "append", spy)
    frame = _noise(12, 8)
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, frame)
        # Nor is it on its way to the system, unless it is small.
        passed: list[object] = []
        kind = type(writer._files._tiffs.current._file)
        write_at = kind.write_at

        def watch(file: DataFile, offset: int, *buffers: object) -> int:
            passed.extend(buffers)
            return write_at(file, offset, *buffers)  # type: ignore[arg-type]

        monkeypatch.setattr(kind, "write_at", watch)
        large = _noise(256, 256)
        writer.put({"time": 1}, large)
        assert any(part is large for part in passed)
    assert np.shares_memory(seen[0], frame)  # type: ignore[arg-type]


def test_a_frame_is_read_back_right_after_put(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    with NDTiffWriter(tmp_path / "run", max_file_bytes=30_000) as writer:
        for number in range(60):
            frame = rng.integers(0, 65535, (int(rng.integers(1, 60)), 40), "u2")
            axes = {"time": number, "channel": f"c{number % 3}"}
            place = writer.put(axes, frame, {"x": "y" * int(rng.integers(0, 50))})
            np.testing.assert_array_equal(writer.read(place), frame)
            found = writer.read_frame(dict(reversed(axes.items())))
            np.testing.assert_array_equal(found, frame)  # type: ignore[arg-type]
        assert writer.read_frame({"time": 60, "channel": "c0"}) is None
        assert writer.read_frame({"time": 0}) is None
        last = axes, frame
    # A viewer may be late.
    np.testing.assert_array_equal(writer.read_frame(last[0]), last[1])  # type: ignore[arg-type]


def test_the_last_of_two_frames_with_the_same_axes_counts(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for value in (1, 2):
            for z in (0, 1):
                writer.put({"z": z}, np.full((2, 2), value * 10 + z, "u2"))
        assert writer.read_frame({"z": 1})[0, 0] == 21  # type: ignore[index]
    with NDTiffReader(tmp_path / "run") as reader:
        assert len(reader) == 2
        assert reader.read_frame({"z": 0})[0, 0] == 20  # type: ignore[index]


def test_files_roll_over_before_the_limit(tmp_path: Path) -> None:
    limit = 3000
    frames = _write(tmp_path / "run", prefix="p", max_file_bytes=limit)
    tiffs = {path.name: path.stat().st_size for path in tmp_path.glob("run/*.tif")}
    assert len(tiffs) > 2
    assert set(tiffs) == {"p_NDTiffStack.tif"} | {
        f"p_NDTiffStack_{i}.tif" for i in range(1, len(tiffs))
    }
    assert max(tiffs.values()) <= limit
    # None is begun early: the next frame would not have fitted.
    record = 178 + 15 * 11 * 2 + 80
    assert sum(size + record > limit for size in tiffs.values()) >= len(tiffs) - 1
    np.testing.assert_array_equal(
        np.array(_tiff_pages(tmp_path / "run")), np.array(list(frames.values()))
    )
    with NDTiffReader(tmp_path / "run") as reader:
        for key, frame in frames.items():
            np.testing.assert_array_equal(reader.read_frame(dict(key)), frame)  # type: ignore[arg-type]


def test_put_many_equals_many_puts(tmp_path: Path) -> None:
    items = [
        FrameItem({"time": i}, _noise(10, 9 + i % 2, seed=i), {"i": i}, 12)
        for i in range(23)
    ]
    with NDTiffWriter(tmp_path / "one", max_file_bytes=2500) as writer:
        one = [writer.put(i.axes, i.frame, i.metadata, bit_depth=12) for i in items]
    with NDTiffWriter(tmp_path / "many", max_file_bytes=2500) as writer:
        assert writer.put_many([]) == []
        many = writer.put_many(items[:13]) + writer.put_many(items[13:])
        for item, place in zip(items, many, strict=True):
            np.testing.assert_array_equal(writer.read(place), item.frame)
    assert many == one
    assert _contents(tmp_path / "one") == _contents(tmp_path / "many")


@pytest.mark.parametrize(
    ("axes", "frame", "metadata", "bit_depth", "message"),
    [
        ({"time": 1}, np.zeros((4, 4), "f4"), None, None, "float32"),
        ({"time": 1}, np.zeros((4, 4), "i2"), None, None, "int16"),
        ({"time": 1}, np.zeros((4, 4), "?"), None, None, "bool"),
        ({"time": 1}, np.zeros((4, 4, 3), "u2"), None, None, "uint16"),
        ({"time": 1}, np.zeros((4, 4, 4), "u1"), None, None, "shape"),
        ({"time": 1}, np.zeros(4, "u2"), None, None, "shape"),
        ({"time": 1}, np.zeros((0, 4), "u2"), None, None, "shape"),
        ({"time": 1}, np.zeros((4, 4), "u1"), None, 9, "bit depth of 9"),
        ({"time": 1}, np.zeros((4, 4), "u2"), None, 17, "bit depth of 17"),
        ({"time": 1}, np.zeros((4, 4), "u2"), None, 0, "bit depth of 0"),
        ({"time": 1}, np.zeros((90, 90), "u2"), None, None, "does not fit"),
        ({"time": "a"}, np.zeros((4, 4), "u2"), None, None, "was int before"),
        ({"channel": 0}, np.zeros((4, 4), "u2"), None, None, "was str before"),
        ({"time": 1.0}, np.zeros((4, 4), "u2"), None, None, "expected an integer"),
        ({"time": True}, np.zeros((4, 4), "u2"), None, None, "expected an integer"),
        ({"time": None}, np.zeros((4, 4), "u2"), None, None, "expected an integer"),
        ({"time": 2**31}, np.zeros((4, 4), "u2"), None, None, "over 32 bits"),
        ({"a": "x" * 70_000}, np.zeros((4, 4), "u2"), None, None, "too many"),
        ({1: 1}, np.zeros((4, 4), "u2"), None, None, "name"),
        ({"": 1}, np.zeros((4, 4), "u2"), None, None, "name"),
        ({"time": 1}, np.zeros((4, 4), "u2"), {"a": object()}, None, "JSON"),
        ({"time": 1}, np.zeros((4, 4), "u2"), {(1, 2): 3}, None, "JSON"),
    ],
)
def test_a_frame_that_cannot_be_stored_leaves_nothing(
    tmp_path: Path,
    axes: Mapping[str, int | str],
    frame: npt.NDArray[np.generic],
    metadata: Mapping[str, object] | None,
    bit_depth: int | None,
    message: str,
) -> None:
    good = _noise(4, 4)
    with NDTiffWriter(tmp_path / "run", max_file_bytes=10_000) as writer:
        writer.put({"time": 0, "channel": "a"}, good)
        before = _contents(tmp_path / "run")
        with pytest.raises(FrameError, match=message):
            writer.put(axes, frame, metadata, bit_depth=bit_depth)
        with pytest.raises(FrameError, match=message):
            items = [({"time": 1, "new": 1}, good), (axes, frame, metadata, bit_depth)]
            writer.put_many(FrameItem(*item) for item in items)  # type: ignore[arg-type]
        assert _contents(tmp_path / "run") == before
        # An axis of the refused batch does not bind the next frame.
        writer.put({"time": 1, "new": "text"}, good)
    with NDTiffReader(tmp_path / "run") as reader:
        assert len(reader) == 2
        np.testing.assert_array_equal(
            reader.read_frame({"time": 1, "new": "text"}), good
        )  # type: ignore[arg-type]


def test_circular_metadata_are_refused(tmp_path: Path) -> None:
    loop: dict[str, object] = {}
    loop["self"] = loop
    with NDTiffWriter(tmp_path / "run") as writer, pytest.raises(FrameError):
        writer.put({"time": 0}, _noise(4, 4), loop)
    with pytest.raises(SettingsError):
        NDTiffWriter(tmp_path / "other", summary=loop)
    assert not (tmp_path / "other").exists()


def test_metadata_of_numpy_and_what_json_does_not_know(tmp_path: Path) -> None:
    about = {
        "f4": np.float32(0.5),
        "i8": np.int64(-3),
        "array": np.arange(3),
        "nan": float("nan"),
        "deep": [{"inf": np.float32("inf")}, (1, 2)],
        "text": 'µm "quoted" \ud800',
    }
    with NDTiffWriter(tmp_path / "run", summary={"µ": np.uint8(3)}) as writer:
        writer.put({"time": np.int32(4), "c": np.str_("d")}, _noise(3, 3), about)  # type: ignore[dict-item]
    with NDTiffReader(tmp_path / "run") as reader:
        assert reader.summary == {"µ": 3}
        assert reader.read_metadata({"time": 4, "c": "d"}) == {
            "Axes": {"time": 4, "c": "d"},
            "f4": 0.5,
            "i8": -3,
            "array": [0, 1, 2],
            "nan": None,
            "deep": [{"inf": None}, [1, 2]],
            "text": 'µm "quoted" \ud800',
        }


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(
    "given",
    [
        *({"time": 0}, {"time": 3, "c": "e"}, {"time": 3}, {"time": "3", "c": "d"}),
        *({"time": 3.0, "c": "d"}, {"time": True, "c": "d"}, "mine", None, [1], {}),
    ],
)
def test_metadata_copied_from_another_frame_do_not_name_this_one(
    tmp_path: Path, given: object, many: bool
) -> None:
    axes: Mapping[str, int | str] = {"time": 3, "c": "d"}
    about = {"a": 1, "Axes": given, "b": 2}
    with NDTiffWriter(tmp_path / "run") as writer:
        if many:
            writer.put_many([FrameItem(axes, _noise(3, 3), about)])
        else:
            writer.put(axes, _noise(3, 3), about)
    assert about == {"a": 1, "Axes": given, "b": 2}
    expected = {"Axes": axes, "a": 1, "b": 2, "OriginalAxes": given}
    with NDTiffReader(tmp_path / "run") as reader:
        assert reader.read_metadata(axes) == expected
    (tmp_path / "run" / "NDTiff.index").unlink()
    with NDTiffReader(tmp_path / "run") as reader:
        assert reader.read_metadata(axes) == expected


def test_metadata_that_state_the_axes_stay_as_they_are(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for time in (1, True + 1):
            stated = {"c": np.str_("d"), "time": np.int64(time)}
            about = {"a": 1, "Axes": stated}
            place = writer.put({"time": time, "c": "d"}, _noise(3, 3), about)
            text = f'{{"a":1,"Axes":{{"c":"d","time":{time}}}}}'
            data = (tmp_path / "run" / "NDTiffStack.tif").read_bytes()
            assert data[place.metadata_offset :].startswith(text.encode())
            assert place.metadata_length == len(text)


def test_nothing_is_written_that_cannot_be_read(tmp_path: Path) -> None:
    """The limits of the writer are those of the reader."""
    axes = {f"a{i:02}": i for i in range(64)}
    longest = {"pad": "x" * (16 * 2**20 - len('{"Axes":{"a":1},"pad":""}'))}
    summary = {"pad": "x" * (16 * 2**20 - len('{"pad":""}'))}
    for number, put in enumerate(
        [
            lambda writer: writer.put(axes, _noise(3, 3)),
            lambda writer: writer.put({"a": 1}, _noise(3, 3), longest),
        ]
    ):
        folder = tmp_path / f"run{number}"
        with NDTiffWriter(folder, summary=summary) as writer:
            before = _contents(folder)
            with pytest.raises(FrameError, match="65 axes: more than 64"):
                writer.put({**axes, "b": 0}, _noise(3, 3))
            with pytest.raises(FrameError, match=r"16777217 bytes: more than 16777216"):
                writer.put({"a": 1}, _noise(3, 3), {"pad": longest["pad"] + "x"})
            assert _contents(folder) == before
            put(writer)
        for _ in range(2):
            with NDTiffReader(folder) as reader:
                assert reader.summary == summary
                (row,) = reader.rows()
                about = reader.metadata_of_row(int(row))
                assert about["Axes"] == reader.catalog.table.axes(int(row))
                assert len(reader.catalog.table.names) == (64, 1)[number]
            (folder / "NDTiff.index").unlink(missing_ok=True)
    with pytest.raises(SettingsError, match="16777217 bytes"):
        NDTiffWriter(tmp_path / "none", summary={"pad": summary["pad"] + "x"})
    assert not (tmp_path / "none").exists()


def test_pixels_above_the_bit_depth_are_stored_as_they_are(tmp_path: Path) -> None:
    frame = np.full((3, 4), 65535, "u2")
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, frame, bit_depth=12)
    with NDTiffReader(tmp_path / "run") as reader:
        found = reader.read_frame({"time": 0})
    np.testing.assert_array_equal(found, frame)  # type: ignore[arg-type]


def _settings(folder: Path) -> dict[str, dict[str, object]]:
    found = json.loads((folder / "display_settings.txt").read_bytes())
    assert isinstance(found.pop("All channel settings"), dict)
    return dict(found)


def test_display_settings_are_those_of_the_channels_that_came(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with NDTiffWriter(folder) as writer:
        assert _settings(folder) == {}
        names = ["GFP", "DAPI", "GFP", np.str_("Cy5")]
        for time, name in enumerate(names[:3]):
            writer.put({"time": time, "channel": name}, _noise(3, 3), bit_depth=12)
        with pytest.raises(FrameError):
            writer.put({"time": 9, "channel": "bad"}, np.zeros(3))
        last = {"time": 3, "channel": names[3]}
        writer.put_many([FrameItem(last, _noise(3, 3), None, 12)])
    found = _settings(folder)
    assert list(found) == ["GFP", "DAPI", "Cy5"]
    colors = [int(str(entry["Color"])) & 0xFFFFFF for entry in found.values()]
    assert colors == [0x00FF00, 0x0000FF, 0xFF00FF]
    for name, entry in found.items():
        assert entry["Name"] == name
        assert (entry["BitDepth"], entry["Min"], entry["Max"]) == (12, 0, 4095)
    channels = open_ndtiff(folder).images[0].channels
    assert [(c.name, c.color, c.contrast_limits) for c in channels] == [
        ("GFP", "#00FF00", None),
        ("DAPI", "#0000FF", None),
        ("Cy5", "#FF00FF", None),
    ]


@pytest.mark.parametrize("axes", [{"time": 0}, {"channel": 3}])
def test_channels_without_names_have_one_entry(
    tmp_path: Path, axes: dict[str, int | str]
) -> None:
    folder = tmp_path / "run"
    with NDTiffWriter(folder) as writer:
        writer.put(axes, _noise(3, 3, dtype="u1"))
    ((name, entry),) = _settings(folder).items()
    assert (name, entry["BitDepth"], entry["Max"], entry["Color"]) == ("", 8, 255, -1)
    (channel,) = open_ndtiff(folder).images[0].channels
    assert (channel.color, channel.contrast_limits) == (None, None)


def test_frames_from_many_threads(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    errors: list[BaseException] = []
    with NDTiffWriter(folder, max_file_bytes=20_000) as writer:

        def work(thread: int) -> None:
            try:
                for time in range(40):
                    frame = np.full((8, 5 + thread), thread * 1000 + time, "u2")
                    axes = {"thread": thread, "time": time}
                    place = writer.put(axes, frame)
                    np.testing.assert_array_equal(writer.read(place), frame)
                    if time % 10 == 0:
                        writer.sync()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors
    with NDTiffReader(folder) as reader:
        assert len(reader) == 160
        for thread in range(4):
            for time in range(40):
                frame = reader.read_frame({"time": time, "thread": thread})
                assert frame is not None
                assert frame.shape == (8, 5 + thread)
                assert (frame == thread * 1000 + time).all()
    assert len(_tiff_pages(folder)) == 160


def test_an_existing_output_is_never_touched(tmp_path: Path) -> None:
    _write(tmp_path / "run")
    before = _contents(tmp_path / "run")
    with pytest.raises(OutputExistsError):
        NDTiffWriter(tmp_path / "run")
    assert _contents(tmp_path / "run") == before
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(OutputExistsError):
        NDTiffWriter(tmp_path / "file")
    with pytest.raises(OutputExistsError):
        NDTiffWriter(tmp_path / "file" / "below")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_bytes(b"x")
    with pytest.raises(OutputExistsError):
        NDTiffWriter(tmp_path / "other")
    assert _contents(tmp_path / "other") == {"notes.txt": b"x"}
    (tmp_path / "empty").mkdir()
    NDTiffWriter(tmp_path / "empty").close()


@pytest.mark.parametrize("prefix", ["a/b", "..\\x", "c:", "a\0"])
def test_a_prefix_cannot_leave_the_folder(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(SettingsError):
        NDTiffWriter(tmp_path / "run", prefix=prefix)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("size", [0, 2**32])
def test_an_impossible_file_size_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(SettingsError):
        NDTiffWriter(tmp_path / "run", max_file_bytes=size)


def test_a_closed_writer_refuses_frames_and_closes_twice(tmp_path: Path) -> None:
    writer = NDTiffWriter(tmp_path / "run")
    writer.put({}, _noise(3, 3))
    writer.close()
    before = _contents(tmp_path / "run")
    writer.close()
    writer.sync()
    with pytest.raises(StreamClosedError):
        writer.put({}, _noise(3, 3))
    assert _contents(tmp_path / "run") == before
    (tmp_path / "run" / "NDTiffStack.tif").unlink()
    with pytest.raises(FormatError):
        writer.read_frame({})


def test_metadata_are_complete_before_the_first_frame(tmp_path: Path) -> None:
    channels = [Channel("DAPI", "#0000FF", (1, 50))]
    with NDTiffWriter(tmp_path / "run", summary={"a": 1}, channels=channels) as writer:
        data = (tmp_path / "run" / "NDTiffStack.tif").read_bytes()
        assert data[28:35] == b'{"a":1}'
        assert len(data) % 2 == 0
        settings = json.loads((tmp_path / "run" / "display_settings.txt").read_bytes())
        assert settings["DAPI"]["BitDepth"] == 16
        writer.put({"time": 0}, _noise(3, 3), bit_depth=12)
    settings = json.loads((tmp_path / "run" / "display_settings.txt").read_bytes())
    assert settings["DAPI"]["BitDepth"] == 12
    assert (settings["DAPI"]["Min"], settings["DAPI"]["Max"]) == (1, 50)


def test_nothing_is_allocated_ahead(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        place = writer.put({"time": 0}, _noise(33, 21), {"a": 1})
        end = place.metadata_offset + place.metadata_length
        assert (tmp_path / "run" / "NDTiffStack.tif").stat().st_size == end + end % 2


def test_the_chain_is_never_more_than_a_group_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is in the chain is right, at every moment; a flush brings it all."""
    clock = [100.0]
    monkeypatch.setattr(tiff.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(tiff, "LAZY_FRAMES", 5)
    folder = tmp_path / "run"
    frames: list[npt.NDArray[np.generic]] = []

    def linked() -> int:
        pages = _tiff_pages(folder)
        for page, frame in zip(pages, frames, strict=False):
            np.testing.assert_array_equal(page, frame)
        return len(pages)

    def put(*shape: int) -> None:
        frames.append(_noise(*shape, seed=len(frames)))
        writer.put({"time": len(frames) - 1}, frames[-1])

    with NDTiffWriter(folder) as writer:
        put(9, 9)
        assert linked() == 1  # the first at once: an empty chain is no TIFF
        for count in range(2, 7):
            put(9, 9)
            assert linked() == 1, count
        put(9, 9)
        assert linked() == 7  # a full group
        put(9, 9)
        put(200, 200)
        assert linked() == 9  # a large frame
        put(9, 9)
        assert linked() == 9
        clock[0] += 0.01
        put(9, 9)
        assert linked() == 11  # after a while
        put(9, 9)
        writer.put_many([FrameItem({"time": 12}, _noise(9, 9, seed=12))])
        frames.append(_noise(9, 9, seed=12))
        assert linked() == 11
        writer.sync()
        assert linked() == 13
        put(9, 9)
        put(9, 9)
    assert linked() == 15


@pytest.mark.parametrize("group", [0, 64])
def test_a_refused_frame_does_not_break_the_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    for failing in range(8):
        folder = tmp_path / f"run{failing}"
        frames = []
        with NDTiffWriter(folder, max_file_bytes=3000) as writer:
            kind = type(writer._files._index._file)
            real, left = kind.write_at, [-1]

            def write_at(
                file: DataFile, offset: int, *parts: bytes, real=real, left=left
            ) -> int:
                left[0] -= 1
                if left[0] == 0:
                    raise OSError(5, "no")
                return real(file, offset, *parts)

            monkeypatch.setattr(tiff, "LAZY_FRAMES", group)
            monkeypatch.setattr(kind, "write_at", write_at)
            for number in range(14):
                if number in (3, 4, 9, 13):
                    left[0] = failing + 1
                frame = _noise(9, 15, seed=number)
                try:
                    if number == 9:
                        batch = [FrameItem({"time": 90 + i}, frame) for i in range(9)]
                        writer.put_many(batch)
                        frames += [frame] * 9
                    else:
                        writer.put({"time": number}, frame)
                        frames.append(frame)
                except StreamError:
                    pass
                left[0] = -1
            monkeypatch.undo()
        np.testing.assert_array_equal(np.array(_tiff_pages(folder)), np.array(frames))
        with NDTiffReader(folder) as reader:
            assert reader.problems == []
            found = [reader.read_row(row) for row in range(len(reader.table))]
        np.testing.assert_array_equal(np.array(found), np.array(frames))


def test_offsets_beyond_2_gib_and_the_next_file(tmp_path: Path) -> None:
    """A sparse file stands for the frames that would fill the first 4 GB."""
    folder = tmp_path / "run"
    frames = [_noise(40, 30, seed=number) for number in range(6)]
    with NDTiffWriter(folder) as writer:
        writer.put({"time": 0}, frames[0])
        for time, place in ((1, 2**31 - 2), (2, 2**31 + 9000), (3, MAX_FILE_BYTES)):
            record = 178 + frames[0].nbytes + len(f'{{"Axes":{{"time":{time}}}}}')
            writer.flush()
            growing = writer._files._tiffs.current
            growing.end = place - record - (place - record) % 2
            growing._file.truncate(growing.end)
            location = writer.put({"time": time}, frames[time], bit_depth=14)
            assert location.file == "NDTiffStack.tif"
            np.testing.assert_array_equal(writer.read(location), frames[time])
        assert location.metadata_offset > 2**32 - 5_001_000
        for time in (4, 5):
            assert writer.put({"time": time}, frames[time]).file == "NDTiffStack_1.tif"
        if hasattr(tmp_path.stat(), "st_blocks"):
            blocks = (folder / "NDTiffStack.tif").stat().st_blocks
            assert blocks * 512 < 2**20, "the file system keeps no sparse files"
    assert (folder / "NDTiffStack.tif").stat().st_size <= MAX_FILE_BYTES
    np.testing.assert_array_equal(np.array(_tiff_pages(folder)), np.array(frames))
    dataset = _reference(folder)
    with NDTiffReader(folder) as reader:
        for time, frame in enumerate(frames):
            np.testing.assert_array_equal(reader.read_frame({"time": time}), frame)  # type: ignore[arg-type]
            np.testing.assert_array_equal(dataset.read_image(time=time), frame)  # type: ignore[attr-defined]
            about = {"Axes": {"time": time}}
            assert reader.read_metadata({"time": time}) == about
            assert dataset.read_metadata(time=time) == about  # type: ignore[attr-defined]
    dataset.close()  # type: ignore[attr-defined]


def test_a_store_is_marked_while_it_is_written(tmp_path: Path) -> None:
    marker = tmp_path / "run" / WRITING_NAME
    writer = NDTiffWriter(tmp_path / "run")
    facts = json.loads(marker.read_bytes())
    assert facts["pid"] == os.getpid()
    assert facts["host"]
    assert datetime.datetime.fromisoformat(facts["started"]).tzinfo is not None
    writer.put({"time": 0}, _noise(3, 3))
    dataset = _reference(tmp_path / "run")
    assert dataset.has_image(time=0)  # type: ignore[attr-defined]
    dataset.close()  # type: ignore[attr-defined]
    with NDTiffReader(tmp_path / "run") as reader:
        assert not reader.finished
    writer.finish()
    assert not marker.exists()
    with pytest.raises(StreamClosedError):
        writer.put({"time": 1}, _noise(3, 3))
    with NDTiffReader(tmp_path / "run") as reader:
        assert reader.finished


def test_a_store_that_could_not_be_finished_stays_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = NDTiffWriter(tmp_path / "run")
    for time in range(3):
        writer.put({"time": time}, _noise(3, 3))

    def refuse(*_: object) -> None:
        raise OSError(5, "no")

    with monkeypatch.context() as patch:
        patch.setattr(tiff.GrowingTiff, "flush", refuse)
        with pytest.raises(StreamError):
            writer.close()
    writer.close()
    assert (tmp_path / "run" / WRITING_NAME).exists()
    with NDTiffReader(tmp_path / "run") as reader:
        assert len(reader) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
def test_the_names_of_new_files_are_made_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name, None)
        if real is not None:

            def spy(descriptor: int, real: Callable[[int], None] = real) -> None:
                synced.append(os.path.realpath(f"/proc/self/fd/{descriptor}"))
                real(descriptor)

            monkeypatch.setattr(os, name, spy)
    folder = tmp_path / "run"
    with NDTiffWriter(folder, max_file_bytes=1000) as writer:
        writer.put({"time": 0}, _noise(15, 15))
        writer.sync()
        if os.path.exists("/proc/self/fd"):
            assert {*synced} == {
                *map(str, (folder / "NDTiffStack.tif", folder / "NDTiff.index")),
                *map(str, (folder, tmp_path)),
            }
        synced.clear()
        writer.sync()
        assert len(synced) == 2  # no new names
        for time in range(1, 3):
            writer.put({"time": time}, _noise(15, 15))
        synced.clear()
        writer.sync()
        assert len(synced) == 6  # two files are full, one grows; index, two folders


@pytest.mark.parametrize("code", PIXEL_TYPES)
def test_the_template_of_directories(code: int) -> None:
    for height, width in ((3, 4), (70_000, 2)):
        template = IfdTemplate(height, width, PIXEL_TYPES[code], resolution=77)
        for offset, about, link in (
            (0, 0, 0),
            (206, 9, 7),
            (2**32 - 10**7, 1, 2**32 - 1),
        ):
            expected = encode_ifd(
                offset,
                height,
                width,
                PIXEL_TYPES[code],
                about,
                next_ifd=link,
                resolution=77,
            )
            assert template.fill(offset, about, link) == expected
            assert template.nbytes == len(expected)


def test_a_million_frames_take_16_bytes_each() -> None:
    table = OffsetTable(recent=64)
    names = [b'{"time":%d,"z":%d}' % divmod(n, 10) for n in range(20_000)]
    for offset, name in enumerate(names):
        table.add(name, offset)
    assert table.nbytes <= 16 * len(names)
    for offset in range(0, len(names), 7):
        table.add(names[offset], offset + 100_000)
    for offset, name in enumerate(names):
        first = offset if offset % 7 else offset + 100_000
        assert next(table.candidates(name)) == first
    assert len(table._rows) < 16


def test_frames_of_equal_hash_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scope.formats.ndtiff import offsets

    monkeypatch.setattr(offsets, "hash", lambda _: 2**63 - 1, raising=False)
    with NDTiffWriter(tmp_path / "run") as writer:
        writer._files._index._offsets = OffsetTable(recent=3)
        for time in (*range(10), 4):
            writer.put({"time": time}, np.full((2, 2), time, "u2"))
        for time in range(10):
            assert writer.read_frame({"time": time})[0, 0] == time  # type: ignore[index]
        assert writer.read_frame({"time": 10}) is None


@pytest.mark.parametrize("tiled", [False, True])
def test_a_store_that_cannot_be_begun_at_any_step_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiled: bool
) -> None:
    """Every call that makes, opens, renames or fills a file fails once."""
    folder = tmp_path / "deep" / "run"
    left = [0]

    def failing(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **options: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(28, "no room")
            return real(*args, **options)

        monkeypatch.setattr(os, name, call)

    for name in ("open", "replace", "pwrite", "mkdir"):
        if hasattr(os, name):
            failing(name)
    for step in range(1, 50):
        left[0] = step
        try:
            if tiled:
                TiledNDTiffWriter(folder, tile_overlap=1, channels=[Channel("a")])
            else:
                NDTiffWriter(folder, channels=[Channel("a")])
        except DiskSpaceError:
            assert not folder.exists(), step
        else:
            break
    left[0] = 0
    assert step > 5
