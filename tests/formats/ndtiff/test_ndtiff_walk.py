"""Walking through the images of a file: what is found, and where the walk ends."""

from __future__ import annotations

import itertools
import json
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.ndtiff.record import HEADER_BYTES, parse_header
from napari_scope.formats.ndtiff.walk import WalkedImage, axes_json, walk_images
from napari_scope.formats.ndtiff.writer import NDTiffWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_scope.formats.ndtiff.files import FrameLocation

_LINK = 158  # of a directory, from its start
_VALUE = {"bits": 2, "compression": 3, "pixels": 5, "samples": 6, "nbytes": 8}


def _walk(path: Path, start: int | None = None) -> list[WalkedImage]:
    with DataFile.open(path) as file:
        header = parse_header(file.read_at(0, HEADER_BYTES), file.size())
        # A walk that does not end would find more images than bytes.
        return list(itertools.islice(walk_images(file, header, start), 100_000))


def _stack(folder: Path, count: int = 4) -> tuple[Path, list[FrameLocation]]:
    """Write frames of 3 x 5 pixels; the metadata have different lengths."""
    with NDTiffWriter(folder, summary={"a": 1}) as writer:
        places = [
            writer.put({"time": i, "z": -i}, np.full((3, 5), i, "u2"), {"b": "x" * i})
            for i in range(count)
        ]
    return folder / "NDTiffStack.tif", places


def _start(place: FrameLocation) -> int:
    return place.pixel_offset - 178


def _patch(path: Path, offset: int, data: bytes) -> None:
    with DataFile.open(path, writable=True) as file:
        file.write_at(offset, data)


@pytest.mark.usefixtures("any_io")
@pytest.mark.parametrize(
    ("shape", "dtype", "bits", "code"),
    [
        ((3, 5), "u1", None, 0),
        ((3, 5), "u2", None, 1),
        ((4, 4), "u2", 16, 1),
        ((3, 3, 3), "u1", None, 2),
        ((3, 5), "u2", 10, 3),
        ((3, 5), "u2", 12, 4),
        ((3, 5), "u2", 14, 5),
        ((3, 5), "u2", 11, 6),
        ((200, 300), "u2", 12, 4),
        ((1, 70000), "u1", None, 0),
        ((70000, 1), "u1", None, 0),
    ],
)
def test_every_image_is_found_with_its_place(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, bits: int | None, code: int
) -> None:
    with NDTiffWriter(tmp_path / "run", summary={"odd": True}) as writer:
        places = [
            writer.put(
                {"time": i, "channel": "DÄPI"},
                np.full(shape, i, dtype),
                {"BitDepth": bits, "text": "µ" * i},
                bit_depth=bits,
            )
            for i in range(5)
        ]
    images = _walk(tmp_path / "run" / "NDTiffStack.tif")
    assert [image.location for image in images] == places
    assert {image.location.pixel_type for image in images} == {code}
    assert [json.loads(image.axes or b"") for image in images] == [
        {"time": i, "channel": "DÄPI"} for i in range(5)
    ]
    assert [image.link for image in images] == [*(i.end for i in images[:-1]), 0]


def test_a_walk_starts_where_it_is_told(tmp_path: Path) -> None:
    path, places = _stack(tmp_path / "run")
    assert [i.location for i in _walk(path, _start(places[2]))] == places[2:]
    end = path.stat().st_size
    assert _walk(path, end) == _walk(path, end + 2**40) == []
    assert _walk(path, _start(places[2]) + 2) == []


def test_a_file_without_images(tmp_path: Path) -> None:
    path, _ = _stack(tmp_path / "run", 0)
    assert _walk(path) == []


def test_uint8_that_is_declared_as_16_bits(tmp_path: Path) -> None:
    """The reference writer in Python does so; the length tells."""
    with NDTiffWriter(tmp_path / "run") as writer:
        place = writer.put({"time": 0}, np.ones((3, 5), "u1"))
    path = tmp_path / "run" / "NDTiffStack.tif"
    _patch(path, _start(place) + 2 + 12 * _VALUE["bits"] + 8, struct.pack("<I", 16))
    assert [image.location for image in _walk(path)] == [place]


@pytest.mark.parametrize("size", [2**32, 2**32 + 10**6])
def test_a_file_that_was_allocated_ahead(tmp_path: Path, size: int) -> None:
    path, places = _stack(tmp_path / "run")
    with DataFile.open(path, writable=True) as file:
        file.truncate(size)
        # As the reference library leaves it: the link of the last points to zeros.
        end = _walk(path)[-1].end
        file.write_at(_start(places[-1]) + _LINK, struct.pack("<I", end))
    assert [image.location for image in _walk(path)] == places


def test_a_file_that_is_cut_at_any_byte(tmp_path: Path) -> None:
    path, places = _stack(tmp_path / "run", 3)
    whole = path.read_bytes()
    ends = [place.metadata_offset + place.metadata_length for place in places]
    for size in range(len(whole), _start(places[1]) - 10, -1):
        path.write_bytes(whole[:size])
        expected = [
            place for place, end in zip(places, ends, strict=True) if end <= size
        ]
        assert [image.location for image in _walk(path)] == expected, size


@pytest.mark.parametrize("gap", [2, 100, 100_000])
@pytest.mark.parametrize("junk", [b"\0", b"\xff", b"\x0d\0"])
def test_what_lies_between_two_records_is_skipped(
    tmp_path: Path, gap: int, junk: bytes
) -> None:
    """Programs other than ours may leave room; the link then says where it goes on."""
    path, places = _stack(tmp_path / "run", 3)
    data = bytearray(path.read_bytes())
    cut = _start(places[1])
    data[cut:cut] = (junk * gap)[:gap]
    for place in places[1:]:
        start = _start(place) + gap
        for number in (5, 9, 10, 12):
            at = start + 2 + 12 * number + 8
            (value,) = struct.unpack_from("<I", data, at)
            struct.pack_into("<I", data, at, value + gap)
    struct.pack_into("<I", data, _start(places[0]) + _LINK, cut + gap)
    path.write_bytes(data)
    found = [image.location for image in _walk(path)]
    assert found == [
        places[0],
        *(
            place._replace(
                pixel_offset=place.pixel_offset + gap,
                metadata_offset=place.metadata_offset + gap,
            )
            for place in places[1:]
        ),
    ]


@pytest.mark.parametrize("summary", [{"a": 1}, {"a": 10}])
def test_no_link_is_needed(tmp_path: Path, summary: dict[str, object]) -> None:
    """Our writer links a record after it is whole, and may be killed in between."""
    with NDTiffWriter(tmp_path / "run", summary=summary) as writer:
        places = [writer.put({"t": i}, np.ones((3, 5), "u2")) for i in range(3)]
    path = tmp_path / "run" / "NDTiffStack.tif"
    for field in (4, *(_start(place) + _LINK for place in places)):
        _patch(path, field, bytes(4))
    assert [image.location for image in _walk(path)] == places


def test_room_before_the_first_record_is_skipped(tmp_path: Path) -> None:
    path, places = _stack(tmp_path / "run", 2)
    second = _start(places[1])
    _patch(path, 4, struct.pack("<I", second))
    _patch(path, _start(places[0]), b"\0\0")
    assert [image.location for image in _walk(path)] == places[1:]


@pytest.mark.parametrize(
    "target", ["itself", "first", "header", "end", "far", "inside"]
)
def test_links_never_lead_astray(tmp_path: Path, target: str) -> None:
    path, places = _stack(tmp_path / "run", 3)
    last = _start(places[-1])
    link = {
        "itself": last,
        "first": _start(places[0]),
        "header": 0,
        "end": path.stat().st_size,
        "far": 2**32 - 1,
        "inside": last + 2,
    }[target]
    for place in places:
        _patch(path, _start(place) + _LINK, struct.pack("<I", link))
    assert [image.location for image in _walk(path)] == places


def _no_directory(data: bytearray, start: int) -> None:
    struct.pack_into("<H", data, start, 12)


def _other_tags(data: bytearray, start: int) -> None:
    struct.pack_into("<H", data, start + 2 + 12 * 4, 263)


def _value(name: str, value: int) -> Callable[[bytearray, int], None]:
    def damage(data: bytearray, start: int) -> None:
        struct.pack_into("<I", data, start + 2 + 12 * _VALUE[name] + 8, value)

    return damage


def _shift_pixels(data: bytearray, start: int) -> None:
    _value("pixels", start + 160)(data, start)


def _late_pixels(data: bytearray, start: int) -> None:
    _value("pixels", start + 180)(data, start)


def _metadata(text: bytes) -> Callable[[bytearray, int], None]:
    def damage(data: bytearray, start: int) -> None:
        length, offset = struct.unpack_from("<II", data, start + 2 + 12 * 12 + 4)
        data[offset : offset + length] = text.ljust(length) if text else bytes(length)

    return damage


def _metadata_at(offset: int, length: int) -> Callable[[bytearray, int], None]:
    def damage(data: bytearray, start: int) -> None:
        struct.pack_into("<II", data, start + 2 + 12 * 12 + 4, length, offset)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _no_directory,
        _other_tags,
        _shift_pixels,
        _late_pixels,
        _value("bits", 8),
        _value("bits", 32),
        _value("compression", 5),
        _value("samples", 2),
        _value("samples", 3),
        _value("nbytes", 29),
        _value("nbytes", 2**32 - 1),
        _value("pixels", 2**32 - 1),
        _metadata(b""),
        _metadata(b"[]"),
        _metadata(b'{"a": '),
        _metadata(b'{"a": \xff}'),
        _metadata_at(46, 30),
        _metadata_at(2**32 - 1, 2),
        _metadata_at(200, 2**32 - 1),
        _metadata_at(200, 0),
    ],
)
def test_a_damaged_record_ends_the_walk(
    tmp_path: Path, damage: Callable[[bytearray, int], None]
) -> None:
    path, places = _stack(tmp_path / "run")
    data = bytearray(path.read_bytes())
    damage(data, _start(places[2]))
    # The link of the record before leads to the damaged one, its own to the next.
    path.write_bytes(data)
    assert [image.location for image in _walk(path)] == places[:2]


@pytest.mark.parametrize(
    "text", [b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"a":' * 9000 + b"}" * 9000]
)
def test_metadata_of_absurd_depth_end_the_walk(tmp_path: Path, text: bytes) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        writer.put({"time": 0}, np.ones((3, 5), "u2"))
        place = writer.put(
            {"time": 1}, np.ones((3, 5), "u2"), {"Axes": {}, "pad": "x" * len(text)}
        )
    path = tmp_path / "run" / "NDTiffStack.tif"
    assert len(_walk(path)) == 2
    _patch(path, place.metadata_offset, text)
    _patch(path, _start(place) + 2 + 12 * 12 + 4, struct.pack("<I", len(text)))
    assert len(_walk(path)) == 1


def _big_endian(data: bytes, *, justified: bool) -> bytes:
    """Turn a file of one sample per pixel around by hand."""
    out = bytearray(data)

    def swap(form: str, offset: int) -> tuple[int, ...]:
        values = struct.unpack_from("<" + form, data, offset)
        struct.pack_into(">" + form, out, offset, *values)
        return values

    out[:2] = b"MM"
    swap("H", 2)
    (start, *_) = swap("6I", 4)
    while start:
        swap("H", start)
        pixels = nbytes = bits = 0
        for number in range(13):
            at = start + 2 + 12 * number
            tag, kind, count, value = swap("HHII", at)
            if kind == 3 and count == 1 and justified:
                struct.pack_into(">HH", out, at + 8, value, 0)
            pixels = value if tag == 273 else pixels
            nbytes = value if tag == 279 else nbytes
            bits = value if tag == 258 else bits
        swap("4I", start + 162)
        if bits == 16:
            swap(f"{nbytes // 2}H", pixels)
        (start,) = swap("I", start + _LINK)
    return bytes(out)


@pytest.mark.parametrize("justified", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_big_endian_files(tmp_path: Path, justified: bool, dtype: str) -> None:
    with NDTiffWriter(tmp_path / "run", summary={"a": 1}) as writer:
        places = [writer.put({"t": i}, np.full((3, 5), i, dtype)) for i in range(4)]
    path = tmp_path / "run" / "NDTiffStack.tif"
    path.write_bytes(_big_endian(path.read_bytes(), justified=justified))
    images = _walk(path)
    assert [image.location for image in images] == places
    assert [image.axes for image in images] == [b'{"t":%d}' % i for i in range(4)]
    # The link of the header is needed here.
    _patch(path, _start(places[0]), b"\0\0")
    _patch(path, 4, struct.pack(">I", _start(places[1])))
    assert [image.location for image in _walk(path)] == places[1:]


def test_files_of_version_1_are_built_otherwise(tmp_path: Path) -> None:
    path, places = _stack(tmp_path / "run")
    with DataFile.open(path) as file:
        header = parse_header(file.read_at(0, HEADER_BYTES), file.size())
        old = header._replace(version=(1, 0))
        assert list(walk_images(file, old, _start(places[0]))) == []


class _Reads:
    """Counts what is read from files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self.calls = self.bytes = self.largest = 0
        with DataFile.open(path) as file:
            kind = type(file)
        real = kind.read_into

        def read_into(file: DataFile, offset: int, target: memoryview) -> int:
            count = real(file, offset, target)
            self.calls += 1
            self.bytes += count
            self.largest = max(self.largest, target.nbytes)
            return count

        monkeypatch.setattr(kind, "read_into", read_into)


def test_pixels_of_large_frames_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for i in range(20):
            writer.put({"time": i}, np.zeros((512, 512), "u2"))
    reads = _Reads(monkeypatch, path := tmp_path / "run" / "NDTiffStack.tif")
    assert len(_walk(path)) == 20
    assert reads.calls <= 20 + 4
    assert reads.bytes < 20 * 1000


def test_small_frames_are_read_many_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for i in range(5000):
            writer.put({"time": i}, np.zeros((16, 16), "u2"))
    reads = _Reads(monkeypatch, path := tmp_path / "run" / "NDTiffStack.tif")
    assert len(_walk(path)) == 5000
    assert reads.calls < 12
    assert reads.largest <= 2**20


def test_metadata_of_absurd_length_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, places = _stack(tmp_path / "run")
    with DataFile.open(path, writable=True) as file:
        file.truncate(2**30)
        field = _start(places[2]) + 2 + 12 * 12 + 4
        file.write_at(field, struct.pack("<I", 2**27))
    reads = _Reads(monkeypatch, path)
    assert [image.location for image in _walk(path)] == places[:2]
    assert reads.largest <= 2**20


@pytest.mark.parametrize("before", range(1, 6))
@pytest.mark.parametrize("shape", [(3, 5), (200, 300)])
def test_a_file_that_shrinks_during_the_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, shape: tuple[int, int]
) -> None:
    """The reference library cuts its files when it is done."""
    with NDTiffWriter(tmp_path / "run") as writer:
        places = [writer.put({"t": i}, np.ones(shape, "u2")) for i in range(3)]
    path = tmp_path / "run" / "NDTiffStack.tif"
    with DataFile.open(path, writable=True) as file:
        header = parse_header(file.read_at(0, HEADER_BYTES), file.size())
        kind = type(file)
        real = kind.read_into
        left = [before]

        def read_into(file: DataFile, offset: int, target: memoryview) -> int:
            left[0] -= 1
            if not left[0]:
                file.truncate(_start(places[1]) + 50)
            return real(file, offset, target)

        monkeypatch.setattr(kind, "read_into", read_into)
        found = [image.location for image in walk_images(file, header)]
    # What had been read before may still be found; nothing is made up.
    assert found == places[: len(found)]


@pytest.mark.parametrize(
    "axes",
    [
        *(None, 1, [], "time"),
        *({"a": 0.5}, {"a": True}, {"a": None}, {"a": [1]}, {"a": {}}),
        *({"a": 2**31}, {"a": "x" * 65536}, {f"a{i}": 0 for i in range(65)}),
    ],
)
def test_axes_that_no_index_can_hold(tmp_path: Path, axes: object) -> None:
    assert axes_json(axes) is None
    with NDTiffWriter(tmp_path / "run") as writer:
        for i in range(2):
            writer.put({"time": i}, np.ones((3, 5), "u2"), {"Axed": axes})
    # Our own writer always states the axes.
    path = tmp_path / "run" / "NDTiffStack.tif"
    data = path.read_bytes().replace(b'"Axes":', b'"Were":')
    path.write_bytes(data.replace(b'"Axed":', b'"Axes":'))
    images = _walk(path)
    assert [image.axes for image in images] == [None, None]


@given(data=st.data())
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_bytes_are_walked_to_an_end(
    tmp_path_factory: pytest.TempPathFactory, real_stores: Path, data: st.DataObject
) -> None:
    whole = (
        real_stores
        / "v3/ndtiff3.2_magellan_explore_rgb/Full resolution"
        / "Magellan_expolore_multi_channel_NDTiffStack.tif"
    ).read_bytes()
    mutant = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    places = st.one_of(st.integers(0, max(len(mutant) - 1, 0)), st.integers(500, 740))
    for at, part in data.draw(
        st.lists(st.tuples(places, st.binary(min_size=1, max_size=8)), max_size=6)
    ):
        mutant[at : at + len(part)] = part
    path = tmp_path_factory.mktemp("walk") / "a.tif"
    path.write_bytes(mutant)
    try:
        images = _walk(path)
    except FormatError:  # the header
        return
    end = 0
    for image in images:
        place = image.location
        assert end < place.pixel_offset < place.metadata_offset
        assert place.metadata_offset + place.metadata_length <= len(mutant)
        assert image.end > end
        end = image.end
