"""An OME-XML document of ours, read back: what it says of images, without planes.

The reverse of `napari_scope.formats.ometiff.omexml`, for repairs. Other programs may
have written anything into a file, so entities are refused and every number is checked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from napari_scope.errors import FormatError
from napari_scope.formats.ometiff.document import (
    PIXEL_TYPES,
    FileRef,
    OmeDocument,
    OmeImage,
    OmePlate,
)
from napari_scope.formats.ometiff.omexml import GROWING, NAMESPACE
from napari_scope.model import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["decode_document"]

_DTYPES = {ome: name for name, ome in PIXEL_TYPES.items()}
_ORDER = re.compile("XY(ZCT|ZTC|CTZ|CZT|TCZ|TZC)")
_MAX_SIZE = 1 << 31
_MAX_CHANNELS = 1 << 16


def decode_document(text: bytes) -> OmeDocument:
    """Return what a document says.

    Raises
    ------
    FormatError
        It is no XML, or none that this package writes.
    """
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise FormatError("the OME-XML declares entities, which is not read")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise FormatError(f"the OME-XML is damaged: {error}") from error
    if root.tag != f"{{{NAMESPACE}}}OME" or root.get("Creator") != "napari-scope":
        raise FormatError("the OME-XML was not written by napari-scope")
    plate, wells = _plate(root)
    images = []
    date = ""
    for number, element in enumerate(_all(root, "Image")):
        pixels = _all(element, "Pixels")
        if len(pixels) != 1:
            raise FormatError("an image of the OME-XML has no pixels")
        begun = _all(element, "AcquisitionDate")
        date = (begun[0].text or "") if begun else date
        images.append(_image(element, pixels[0], wells.get(f"Image:{number}")))
    notes = {}
    for structured in _all(root, "StructuredAnnotations"):
        for annotation in _all(structured, "MapAnnotation"):
            if annotation.get("ID") == "Annotation:Notes":
                for value in _all(annotation, "Value"):
                    notes = {m.get("K", ""): m.text or "" for m in _all(value, "M")}
    growing = GROWING.encode() in text[:200]
    uuid = root.get("UUID", "")
    return OmeDocument(uuid, date, tuple(images), plate, notes, growing)


def _all(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return element.findall(f"{{{NAMESPACE}}}{name}")


def _image(
    image: ElementTree.Element,
    pixels: ElementTree.Element,
    well: tuple[str, str] | None,
) -> OmeImage:
    get = pixels.attrib
    dtype = _DTYPES.get(get.get("Type", ""))
    order = get.get("DimensionOrder", "")
    if dtype is None or not _ORDER.fullmatch(order):
        raise FormatError("the pixels of the OME-XML have an unknown type or order")
    channels = _all(pixels, "Channel")
    if len(channels) > _MAX_CHANNELS:
        raise FormatError(f"the OME-XML lists {len(channels)} channels: too many")
    samples = {_size(c.attrib, "SamplesPerPixel") for c in channels} or {1}
    height, width = _size(get, "SizeY"), _size(get, "SizeX")
    size_c = _size(get, "SizeC")
    if samples not in ({1}, {3}) or size_c != len(channels) * max(samples):
        raise FormatError("the channels of the OME-XML do not fit its sizes")
    stages = _all(image, "StageLabel")
    stage = stages[0].attrib if stages else {}
    bits = get.get("SignificantBits")
    return OmeImage(
        name=image.get("Name", ""),
        frame_shape=(height, width) if samples == {1} else (height, width, 3),
        dtype=dtype,
        sizes=(_size(get, "SizeT"), len(channels), _size(get, "SizeZ")),
        order=order,
        channels=tuple(
            Channel(c.get("Name", ""), _color(c.get("Color", "-1")))
            for c in channels
            if "Name" in c.attrib
        ),
        pixel_um=_number(get, "PhysicalSizeX"),
        z_um=_number(get, "PhysicalSizeZ"),
        interval_s=_number(get, "TimeIncrement"),
        bit_depth=None if bits is None else _size(get, "SignificantBits"),
        stage_um=(_number(stage, "X"), _number(stage, "Y"), _number(stage, "Z")),
        well=well,
        file=_file(pixels),
    )


def _file(pixels: ElementTree.Element) -> FileRef | None:
    for data in _all(pixels, "TiffData"):
        for uuid in _all(data, "UUID"):
            return FileRef(uuid.get("FileName", ""), uuid.text or "")
    return None


def _plate(
    root: ElementTree.Element,
) -> tuple[OmePlate | None, Mapping[str, tuple[str, str]]]:
    """Return the plate, and the well of each image by its ID."""
    notes = {
        a.get("ID"): [m.text or "" for v in _all(a, "Value") for m in _all(v, "M")]
        for s in _all(root, "StructuredAnnotations")
        for a in _all(s, "MapAnnotation")
    }
    for plate in _all(root, "Plate"):
        rows = tuple(notes.get("Annotation:Rows", ()))
        columns = tuple(notes.get("Annotation:Columns", ()))
        wells = {}
        for well in _all(plate, "Well"):
            row = _size(well.attrib, "Row", least=0)
            column = _size(well.attrib, "Column", least=0)
            if row >= len(rows) or column >= len(columns):
                raise FormatError("a well of the OME-XML lies outside of its plate")
            for sample in _all(well, "WellSample"):
                for image in _all(sample, "ImageRef"):
                    wells[image.get("ID", "")] = rows[row], columns[column]
        return OmePlate(plate.get("Name", ""), rows, columns), wells
    return None, {}


def _size(attributes: Mapping[str, str], name: str, least: int = 1) -> int:
    text = attributes.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 11):
        raise FormatError(f"{name} of the OME-XML is no number: {text!r:.60}")
    number = int(text)
    if not least <= number < _MAX_SIZE:
        raise FormatError(f"{name} of the OME-XML is {number}")
    return number


def _number(attributes: Mapping[str, str], name: str) -> float | None:
    text = attributes.get(name)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise FormatError(
            f"{name} of the OME-XML is no number: {text!r:.60}"
        ) from error


def _color(text: str) -> str:
    try:
        return f"#{int(text) >> 8 & 0xFFFFFF:06X}"
    except ValueError as error:
        raise FormatError(f"a colour of the OME-XML is {text!r:.60}") from error
