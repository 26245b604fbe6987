"""OME-XML of any program, read as a stream: images, and where their planes are.

Nothing is trusted: entities are refused, the text has a limit, numbers are checked, and
nothing is allocated by a size that a document declares. Planes are kept as runs (so
many from this directory of that file on), which for most files is a handful.

Source: the OME model 2016-06. What it leaves open is as in Bio-Formats: a plane without
``IFD`` begins at the first directory, and one without ``PlaneCount`` is one plane if it
has an ``IFD`` and all of them otherwise.

Examples
--------
>>> text = b'''<OME xmlns="a"><Image ID="Image:0" Name="cells"><Pixels SizeX="4"
...   SizeY="3" SizeZ="2" SizeC="1" SizeT="1" Type="uint8" DimensionOrder="XYZCT">
...   <Channel/><TiffData IFD="0" PlaneCount="2"/></Pixels></Image></OME>'''
>>> found = read_xml(text).images[0]
>>> found.name, found.shape, found.locate(0, 0, 1)
('cells', (3, 4), PlaneAt(file=None, ifd=1))
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from napari_scope.errors import FormatError
from napari_scope.formats.ometiff.document import PIXEL_TYPES
from napari_scope.formats.ometiff.omexml import GROWING
from napari_scope.formats.ometiff.read_images import PlaneRun, XmlChannel, XmlPixels

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_XML", "XmlDocument", "read_xml"]

MAX_XML = 512 * 2**20
"""Largest document in bytes; a million planes with their facts take half of it."""

_DTYPES = {ome: name for name, ome in PIXEL_TYPES.items()}
_ORDER = re.compile("XY(ZCT|ZTC|CTZ|CZT|TCZ|TZC)")
_MAX_SIZE = 1 << 31
_MAX_IMAGES = 100_000
_MAX_CHANNELS = 1 << 16
_MAX_LINES = 1 << 16
_LINES = ("Annotation:Rows", "Annotation:Columns")  # of ours: other names than A, 1


@dataclass(frozen=True, slots=True)
class XmlDocument:
    """A whole document.

    ``companion`` is the file that a document without content refers to.
    """

    images: tuple[XmlPixels, ...]
    uuid: str = ""
    companion: str = ""
    creator: str = ""
    growing: bool = False
    wells: Mapping[str, str] = field(default_factory=dict)
    plate: str = ""


def read_xml(text: bytes) -> XmlDocument:
    """Return what a document says.

    Raises
    ------
    FormatError
        It is too large, no XML, or declares entities.
    """
    if len(text) > MAX_XML:
        raise FormatError(f"the OME-XML is larger than the {MAX_XML >> 20} MiB allowed")
    text = text.rstrip(b"\0 \r\n")
    if b"\0" in text or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise FormatError("the OME-XML declares entities or is no plain text")
    reader = _Reader(growing=GROWING.encode() in text[:300])
    try:
        for event, element in ElementTree.iterparse(
            io.BytesIO(text), events=("start", "end")
        ):
            tag = element.tag.rpartition("}")[2]
            if event == "start":
                reader.begin(tag, element)
            else:
                reader.end(tag, element)
    except ElementTree.ParseError as error:
        raise FormatError(f"the OME-XML is damaged: {error}") from error
    return reader.document()


class _Reader:
    """Takes the elements of a document in the order in which they come."""

    def __init__(self, *, growing: bool) -> None:
        self._growing = growing
        self._root: Mapping[str, str] = {}
        self._is_ome = False
        self._companion = ""
        self._images: list[XmlPixels] = []
        self._image: Mapping[str, str] | None = None
        self._pixels: XmlPixels | None = None
        self._channels: list[XmlChannel] = []
        self._stage: dict[str, tuple[float, str]] = {}
        self._date = ""
        self._uuid: tuple[str, str] | None = None
        self._broken = ""
        self._plate = ""
        self._well: Mapping[str, str] = {}
        self._wells: dict[str, tuple[int, int]] = {}
        self._lines: dict[str, list[str]] = {name: [] for name in _LINES}
        self._line = ""
        self._ids: list[str] = []
        self._places: list[tuple[int, int, int]] = []

    def begin(self, tag: str, element: ElementTree.Element) -> None:
        get = element.attrib
        if not self._root and tag == "OME":
            self._root, self._is_ome = dict(get) or {"": ""}, True
        elif tag == "Image" and self._image is None:
            self._image, self._pixels, self._broken = dict(get), None, ""
            self._channels, self._stage, self._date = [], {}, ""
        elif tag == "Pixels" and self._image is not None:
            try:
                self._pixels = _pixels(get, self._image.get("Name", ""))
            except FormatError as error:
                self._broken = error.message
        elif tag == "BinaryOnly":
            self._companion = get.get("MetadataFile", "")
        elif tag == "Plate":
            self._plate = get.get("Name", "") or get.get("ID", "")
        elif tag == "Well":
            self._well = dict(get)
        elif tag == "ImageRef" and self._well:
            row, column = (_integer(self._well, k, None) for k in ("Row", "Column"))
            if row is not None and column is not None:
                self._wells[get.get("ID", "")] = row, column
        elif tag == "MapAnnotation":
            self._line = get.get("ID", "")

    def end(self, tag: str, element: ElementTree.Element) -> None:
        if self._image is not None:
            self._end_in_image(tag, element)
        if tag == "Well":
            self._well = {}
        elif tag == "M" and self._line in self._lines:
            names = self._lines[self._line]
            if len(names) < _MAX_LINES:
                names.append((element.text or "")[:100])
        if tag in ("TiffData", "Plane", "MapAnnotation", "Image", "Well", "M"):
            element.clear()  # a long run has a million of them

    def _end_in_image(self, tag: str, element: ElementTree.Element) -> None:
        get, pixels = element.attrib, self._pixels
        if tag == "Image":
            self._finish_image()
        elif tag == "StageLabel":
            self._stage = _place(get, "")
        elif tag == "AcquisitionDate":
            self._date = (element.text or "")[:100]
        elif tag == "UUID":
            self._uuid = get.get("FileName", ""), element.text or ""
        elif pixels is None:
            return
        elif tag == "Channel":
            if len(self._channels) < _MAX_CHANNELS:
                self._channels.append(_channel(get))
        elif tag == "TiffData":
            self._add_run(pixels, get)
            self._uuid = None
        elif tag == "Plane":
            _note_plane(pixels, get)

    def _add_run(self, pixels: XmlPixels, get: Mapping[str, str]) -> None:
        name = None
        if self._uuid is not None:
            file, uuid = self._uuid
            # A file that was renamed still has its identity.
            own = uuid and uuid.strip() == self._root.get("UUID", "").strip()
            name = None if own or not file else file
        places = [_integer(get, f"First{letter}", 0) for letter in "TCZ"]
        ifd = _integer(get, "IFD", 0)
        count = _integer(get, "PlaneCount", 1 if "IFD" in get else -1)
        if None in places or ifd is None or count is None:
            pixels.problems.append("an entry on planes has no valid numbers")
            return
        t, c, z = (place or 0 for place in places)
        pixels.runs.append(PlaneRun(0, count, name, ifd))
        # The order of planes needs the channels, which other programs write later.
        self._places.append((t, c, z))

    def _finish_image(self) -> None:
        pixels, image = self._pixels, self._image or {}
        places, self._places = self._places, []
        self._image = self._pixels = None
        if len(self._images) >= _MAX_IMAGES:
            return
        if pixels is None:
            pixels = XmlPixels(image.get("Name", ""), (0, 0), "", (0, 0, 0), "XYZCT")
            pixels.problems.append(self._broken or "it has no pixels")
        self._ids.append(image.get("ID", ""))
        self._images.append(pixels)
        pixels.stage = {**_first_place(pixels), **self._stage}
        pixels.date = self._date
        pixels.channels = tuple(self._channels)
        _count_samples(pixels)
        runs: list[PlaneRun] = []
        for run, (t, c, z) in zip(pixels.runs, places, strict=True):
            if t >= pixels.sizes[0] or c >= pixels.sizes[1] or z >= pixels.sizes[2]:
                pixels.problems.append(f"a plane t={t} c={c} z={z} lies outside of it")
                continue
            first = pixels.number(t, c, z)
            rest = pixels.count - first
            count = rest if run.planes < 0 else min(run.planes, rest)
            last = runs[-1] if runs else None
            if (
                last is not None
                and last.file == run.file
                and last.first + last.planes == first
                and last.ifd + last.planes == run.ifd
            ):
                runs[-1] = last._replace(planes=last.planes + count)
            else:
                runs.append(PlaneRun(first, count, run.file, run.ifd))
        pixels.runs = runs

    def _well_name(self, image: str) -> str:
        """Return the well of an image as in ``A/1``; ours have names of their own."""
        row, column = self._wells.get(image, (_MAX_LINES, _MAX_LINES))
        if row >= _MAX_LINES or column >= _MAX_LINES:
            return ""
        rows, columns = (self._lines[name] for name in _LINES)
        row_name = rows[row] if row < len(rows) else _letters(row)
        column_name = columns[column] if column < len(columns) else str(column + 1)
        return f"{row_name}/{column_name}"

    def document(self) -> XmlDocument:
        if not self._is_ome:
            raise FormatError("the XML is no OME-XML")
        names = {
            image.name or str(number): self._well_name(identity)
            for number, (image, identity) in enumerate(
                zip(self._images, self._ids, strict=True)
            )
        }
        return XmlDocument(
            tuple(self._images),
            self._root.get("UUID", ""),
            self._companion,
            self._root.get("Creator", ""),
            self._growing,
            {name: well for name, well in names.items() if well},
            self._plate,
        )


def _pixels(get: Mapping[str, str], name: str) -> XmlPixels:
    dtype = _DTYPES.get(get.get("Type", get.get("PixelType", "")).lower())
    if get.get("Type") == "bit":
        dtype = "bool"
    order = get.get("DimensionOrder", "XYZCT")
    if dtype is None:
        raise FormatError(f"pixels of type {get.get('Type', '')!r:.40}")
    if not _ORDER.fullmatch(order):
        raise FormatError(f"the order of dimensions is {order!r:.40}")
    sizes = {}
    for letter in "XYZCT":
        size = _integer(get, f"Size{letter}", 1 if letter in "ZCT" else None)
        if size is None or not 1 <= size < _MAX_SIZE:
            raise FormatError(f"Size{letter} is {get.get(f'Size{letter}')!r:.40}")
        sizes[letter] = size
    if math.prod(sizes[letter] for letter in "ZCT") >= 1 << 62:
        raise FormatError("it declares more planes than can be counted")
    found = XmlPixels(
        name,
        (sizes["Y"], sizes["X"]),
        dtype,
        (sizes["T"], sizes["C"], sizes["Z"]),
        order,
    )
    for axis, key, unit in (
        ("x", "PhysicalSizeX", "µm"),
        ("y", "PhysicalSizeY", "µm"),
        ("z", "PhysicalSizeZ", "µm"),
        ("t", "TimeIncrement", "s"),
    ):
        value = _number(get, key)
        if value is not None and value > 0:
            found.steps[axis] = value, get.get(f"{key}Unit", unit)
    bits = _integer(get, "SignificantBits", 0) or 0
    found.bits = bits if 1 <= bits <= 64 else None
    return found


def _count_samples(pixels: XmlPixels) -> None:
    """Count a plane with several samples once, as files store it."""
    samples = {channel.samples for channel in pixels.channels}
    if len(samples) > 1:
        pixels.problems.append("its channels differ in their samples per pixel")
    count = max(samples, default=1)
    size_t, size_c, size_z = pixels.sizes
    if count > 1 and size_c % count == 0:
        pixels.sizes = size_t, size_c // count, size_z


def _channel(get: Mapping[str, str]) -> XmlChannel:
    samples = _integer(get, "SamplesPerPixel", 1)
    color = None
    if "Color" in get:
        number = _integer(get, "Color", None)
        color = None if number is None else f"#{number >> 8 & 0xFFFFFF:06X}"
    name = get.get("Name", "") or get.get("Fluor", "")
    return XmlChannel(name[:1000], color, samples if samples and samples > 0 else 1)


_PLANE_FACTS = {
    "DeltaT": ("elapsed_ms", "time"),
    "ExposureTime": ("exposure_ms", "time"),
    "PositionX": ("x_um", "space"),
    "PositionY": ("y_um", "space"),
    "PositionZ": ("z_um", "space"),
}


def _note_plane(pixels: XmlPixels, get: Mapping[str, str]) -> None:
    from napari_scope.model.units import factor, standard_unit

    place = tuple(_integer(get, f"The{letter}", 0) or 0 for letter in "TCZ")
    facts: dict[str, object] = {}
    for key, (name, kind) in _PLANE_FACTS.items():
        value = _number(get, key)
        if value is None:
            continue
        unit = get.get(f"{key}Unit", "s" if kind == "time" else "µm")
        target = "millisecond" if kind == "time" else "micrometer"
        standard = standard_unit(unit)
        times = None if standard is None else factor(standard, target)
        if times is not None:
            facts[name] = value * times
    if facts and len(place) == 3:
        pixels.planes[place] = facts


def _place(get: Mapping[str, str], prefix: str) -> dict[str, tuple[float, str]]:
    found = {}
    for letter in "XYZ":
        value = _number(get, f"{prefix}{letter}")
        if value is not None:
            unit = get.get(f"{prefix}{letter}Unit", "µm")
            found[letter.lower()] = value, unit
    return found


def _first_place(pixels: XmlPixels) -> dict[str, tuple[float, str]]:
    """Return the place of the first plane."""
    facts = pixels.planes.get((0, 0, 0), {})
    found = {}
    for axis in "xyz":
        value = facts.get(f"{axis}_um")
        if isinstance(value, float):
            found[axis] = value, "micrometer"
    return found


def _letters(index: int) -> str:
    """Return the name of a row: A to Z, AA, AB and so on."""
    letters, number = "", index + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _integer(get: Mapping[str, str], key: str, default: int | None) -> int | None:
    text = get.get(key)
    if text is None:
        return default
    text = text.strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 12):
        return None
    number = int(text)
    return None if number < 0 and key != "Color" else number


def _number(get: Mapping[str, str], key: str) -> float | None:
    try:
        value = float(get.get(key, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
