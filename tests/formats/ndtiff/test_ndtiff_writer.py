from __future__ import annotations

import json
import struct
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.errors import (
    FormatError,
    FrameError,
    OutputExistsError,
    SettingsError,
    StreamClosedError,
)
from napari_scope.formats.ndtiff import FrameItem, NDTiffReader, NDTiffWriter
from napari_scope.model import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

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
        with tifffile.TiffFile(path) as tiff:
            pages += [page.asarray() for page in tiff.pages]
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
    with tifffile.TiffFile(tmp_path / "run" / "NDTiffStack.tif") as tiff:
        assert tiff.series[0].kind == "ndtiff"
        assert tiff.series[0].axes == "TCZYX"
        expected = np.array(list(frames.values())).reshape(2, 2, 3, 15, 11)
        np.testing.assert_array_equal(tiff.series[0].asarray(), expected)


def test_both_read_it_after_every_single_frame(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with NDTiffWriter(folder, max_file_bytes=4000) as writer:
        frames = []
        for time in range(9):
            frames.append(_noise(20, 31, seed=time))
            writer.put({"time": time}, frames[-1])
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
    with tifffile.TiffFile(folder / "NDTiffStack.tif") as tiff:
        assert tiff.pages[1].tags["BitsPerSample"].value == bits
        np.testing.assert_array_equal(tiff.pages[1].asarray(), frame + 1)  # type: ignore[operator]
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
    from napari_scope.formats.ndtiff import tiff

    seen: list[object] = []
    append = tiff.GrowingTiff.append

    def spy(self: tiff.GrowingTiff, group: list[object]) -> object:
        seen.extend(item.pixels for item in group)  # type: ignore[attr-defined]
        return append(self, group)  # type: ignore[arg-type]

    monkeypatch.setattr(tiff.GrowingTiff, "append", spy)
    frame = _noise(12, 8)
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, frame)
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
        place = writer.put({"time": 5, "c": "d"}, _noise(3, 3), {"Axes": "mine"})
        assert place.metadata_length == len('{"Axes":"mine"}')
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
        assert reader.read_metadata({"time": 5, "c": "d"}) == {"Axes": "mine"}


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
