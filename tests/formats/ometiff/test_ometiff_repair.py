"""Repairs of files that a kill, a loss of power, or somebody else left."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.ometiff.tiffs import (
    all_places,
    frame_of,
    image_of,
    pages,
    series,
    validate,
    xml_of,
)

from napari_scope.errors import FormatError, ScopeError
from napari_scope.formats.ometiff import OmeImage, OmePlate, OmeTiffWriter, repair_tiff
from napari_scope.formats.ometiff.document import FileRef, OmeDocument
from napari_scope.formats.ometiff.facts import Plane
from napari_scope.formats.ometiff.omexml import encode_document
from napari_scope.formats.ometiff.reading import decode_document
from napari_scope.model import Channel

if TYPE_CHECKING:
    from pathlib import Path


def killed(path: Path, frames: int = 4, levels: int = 1) -> Path:
    """Write a file and leave it as a killed process would."""
    image = image_of(9, channels=(Channel("DAPI", "#0000FF"),), pixel_um=0.25)
    writer = OmeTiffWriter(path, [image], notes={"a": "b"}, levels=levels)
    for number in range(frames):
        writer.put(0, (number, 0, 0), frame_of(number), {"elapsed_ms": number})
    writer.close(finish=False)
    return path


@pytest.mark.usefixtures("any_io")
def test_a_torn_frame_is_dropped(tmp_path: Path) -> None:
    path = killed(tmp_path / "a.ome.tiff")
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"torn" * 50_000)
    done = repair_tiff(path)
    assert any("200000 bytes" in sentence for sentence in done)
    assert any("4 frames" in sentence for sentence in done)
    ome = validate(xml_of(path))
    assert ome.images[0].pixels.size_t == 4
    assert ome.images[0].pixels.channels[0].name == "DAPI"
    assert ome.structured_annotations.map_annotations[0].value["a"] == "b"
    assert [p.delta_t for p in ome.images[0].pixels.planes] == [0, 0.001, 0.002, 0.003]
    for number in range(4):
        np.testing.assert_array_equal(series(path)[number, 0, 0], frame_of(number))
    data = path.read_bytes()
    assert whole < len(data) < whole + 10_000
    assert repair_tiff(path) == []
    assert path.read_bytes() == data


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_what_a_loss_of_power_took_is_cut_off(tmp_path: Path, lost: int) -> None:
    """The link to a frame reached the medium, the frame did not."""
    path = killed(tmp_path / "a.ome.tiff")
    with tifffile.TiffFile(path) as tif:
        start = [page.offset for page in tif.pages][lost]
    data = bytearray(path.read_bytes())
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)
    done = repair_tiff(path)
    assert any("chain" in sentence for sentence in done)
    assert repair_tiff(path) == []
    if lost == 0:
        assert not validate(xml_of(path)).images[0].pixels.planes
        return
    assert len(pages(path)) == lost
    assert series(path).shape[0] == lost


def test_a_chain_that_turns_back_ends_there(tmp_path: Path) -> None:
    path = killed(tmp_path / "a.ome.tiff")
    with tifffile.TiffFile(path) as tif:
        first, _, _, last = (page.offset for page in tif.pages)
    data = bytearray(path.read_bytes())
    (entries,) = struct.unpack_from("<Q", data, last)
    struct.pack_into("<Q", data, last + 8 + 20 * entries, first)
    path.write_bytes(data)
    assert any("turns back" in sentence for sentence in repair_tiff(path))
    assert len(pages(path)) == 4


def test_a_file_without_any_frame(tmp_path: Path) -> None:
    path = killed(tmp_path / "a.ome.tiff", frames=0)
    assert repair_tiff(path)
    assert validate(xml_of(path)).images[0].name == "cells"
    assert repair_tiff(path) == []


def test_a_folder_whose_companion_is_gone(tmp_path: Path) -> None:
    plate = OmePlate("p", ("Row 1", "B"), ("left",))
    images = [image_of(2, name=n, well=("Row 1", "left")) for n in ("z", "a")]
    folder = tmp_path / "run"
    writer = OmeTiffWriter(folder, images, layout="folder", plate=plate)
    writer.put(0, (0, 0, 0), frame_of(1))
    writer.close(finish=False)
    companion = folder / "run.companion.ome"
    assert any("companion" in sentence for sentence in repair_tiff(folder))
    ome = validate(xml_of(companion))
    assert [i.name for i in ome.images] == ["z", "a"]
    assert [len(i.pixels.planes) for i in ome.images] == [1, 0]
    assert ome.plates[0].name == "p"
    assert decode_document(companion.read_bytes()).plate == plate
    assert repair_tiff(folder) == []
    companion.unlink()
    assert repair_tiff(folder)
    assert decode_document(companion.read_bytes()).plate == plate


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    tifffile.imwrite(path, np.zeros((2, 8, 8), "u2"), ome=True, bigtiff=True)
    data = path.read_bytes()
    with pytest.raises(FormatError, match="napari-scope"):
        repair_tiff(path)
    assert path.read_bytes() == data
    for bad in (b"", b"II*\0", b"not a tiff at all"):
        path.write_bytes(bad)
        with pytest.raises(FormatError):
            repair_tiff(path)
        assert path.read_bytes() == bad
    with pytest.raises(ScopeError):
        repair_tiff(tmp_path / "absent.ome.tiff")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="no OME-TIFF"):
        repair_tiff(tmp_path / "empty")


def test_a_closed_file_that_was_damaged_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tiff"
    with OmeTiffWriter(path, [image_of(3)]) as writer:
        for place in all_places(image_of(3)):
            writer.put(0, place, frame_of(0))
    with tifffile.TiffFile(path) as tif:
        second = tif.pages[1].offset
    data = bytearray(path.read_bytes())
    data[second : second + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(FormatError, match="damaged since"):
        repair_tiff(path)
    assert path.read_bytes() == data


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_gives_one_clear_error_or_a_good_file(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    levels = data.draw(st.sampled_from([1, 2, 3]))
    path = killed(tmp_path_factory.mktemp("x") / "a.ome.tiff", levels=levels)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 8))
        word = data.draw(
            st.sampled_from([0, 1, 16, 255, 2**31, 2**63, 2**64 - 1])
            | st.integers(0, 2**64 - 1)
        )
        struct.pack_into("<Q", content, place, word)
    del content[data.draw(st.integers(1, 2 * len(content))) :]
    path.write_bytes(content)
    try:
        repair_tiff(path)
    except FormatError as error:
        assert error.path == str(path)
    else:
        assert repair_tiff(path) == []
        validate(xml_of(path))


names = st.text(max_size=12)
printable = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
positive = st.none() | st.floats(1e-9, 1e9)


@st.composite
def documents(draw: st.DrawFn) -> OmeDocument:
    rows = tuple(draw(st.lists(printable, min_size=1, max_size=3, unique=True)))
    plate = draw(st.none() | st.just(OmePlate(draw(printable), rows, ("1", "x"))))
    images = []
    for number in range(draw(st.integers(1, 3))):
        sizes = draw(st.tuples(*[st.integers(1, 4)] * 3))
        shape = draw(st.sampled_from([(4, 6), (4, 6, 3)]))
        channels = [
            Channel(draw(printable), f"#{draw(st.integers(0, 0xFFFFFF)):06X}")
            for _ in range(draw(st.integers(0, sizes[1])))
        ]
        images.append(
            OmeImage(
                draw(printable),
                shape,
                draw(st.sampled_from(["uint8", "uint16"])),
                sizes,
                draw(st.sampled_from(["XYZCT", "XYTZC"])),
                tuple(channels),
                draw(positive),
                draw(positive),
                draw(numbers),
                draw(st.none() | st.integers(1, 16)),
                draw(st.tuples(numbers, numbers, numbers)),
                (rows[0], "x") if plate and draw(st.booleans()) else None,
                draw(st.none() | st.just(FileRef("f.ome.tif", f"urn:uuid:{number}"))),
            )
        )
    return OmeDocument(
        "urn:uuid:12345678-1234-1234-1234-123456789abc",
        "2026-01-02T03:04:05",
        tuple(images),
        plate,
        draw(st.dictionaries(printable, printable, max_size=3)),
        draw(st.booleans()),
    )


@settings(max_examples=100, deadline=None)
@given(documents())
def test_a_document_reads_as_it_was_written(document: OmeDocument) -> None:
    planes = [Plane(0, (0, 0, 0), n) for n in range(len(document.images))]
    xml = encode_document(document, planes)
    assert xml.isascii()
    assert decode_document(xml.encode()) == document


@given(names)
def test_any_text_makes_valid_xml(name: str) -> None:
    document = OmeDocument(
        "urn:uuid:12345678-1234-1234-1234-123456789abc",
        "2026-01-02T03:04:05",
        (image_of(name=name, channels=(Channel(name),)),),
        OmePlate(name, ("A",), ("1",)),
        {name: name},
    )
    plane = Plane(0, (0, 0, 0), extra={name: name})
    validate(encode_document(document, [plane]))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<a/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><OME/>',
        b"\xff\xfe<",
    ],
)
def test_what_is_no_document_of_ours_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        decode_document(text)


@given(st.data())
def test_any_number_in_a_document_is_checked(data: st.DataObject) -> None:
    image = image_of(2, channels=(Channel("a"),), bit_depth=8)
    document = OmeDocument("urn:uuid:1", "2026-01-02T03:04:05", (image,))
    xml = encode_document(document, [Plane(0, (0, 0, 0))])
    attribute = data.draw(
        st.sampled_from(["SizeT", "SizeC", "SizeX", "SignificantBits", "Color", "Type"])
    )
    value = data.draw(st.sampled_from(["-1", "1e9", "x", "", "9" * 40, "0"]))
    head, _, tail = xml.partition(f' {attribute}="')
    text = f'{head} {attribute}="{value}"{tail.partition(chr(34))[2]}'
    try:
        found = decode_document(text.encode())
    except FormatError:
        return
    assert all(0 < size < 2**31 for size in found.images[0].sizes)
