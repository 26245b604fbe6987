"""OME-XML as text, written piece by piece: a long run has a million planes.

Building a tree of objects takes more time than writing the pixels of small frames, so
the text is made directly; the tests validate it against the OME schema 2016-06. All of
it is ASCII (other letters are character references), as a TIFF file wants its texts.

Examples
--------
>>> from napari_scope.formats.ometiff.document import OmeDocument, OmeImage
>>> from napari_scope.formats.ometiff.facts import Plane
>>> image = OmeImage("cells", (4, 6), "uint16", sizes=(2, 1, 1))
>>> document = OmeDocument("urn:uuid:0", "2026-01-01T00:00:00", (image,))
>>> text = encode_document(document, [Plane(0, (0, 0, 0))])
>>> '<TiffData IFD="0" FirstT="0" FirstC="0" FirstZ="0" PlaneCount="1"/>' in text
True
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, TypeAlias
from xml.sax.saxutils import escape

from napari_scope.formats.ometiff.document import PIXEL_TYPES
from napari_scope.formats.ometiff.facts import finite
from napari_scope.model.colors import default_color

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_scope.formats.ometiff.document import OmeDocument, OmeImage
    from napari_scope.formats.ometiff.facts import Plane

    PlaneSource: TypeAlias = Callable[[int, bool], Iterable[Plane]]

__all__ = ["GROWING", "NAMESPACE", "document_pieces", "encode_document"]

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"

GROWING = "<!-- napari-scope: growing -->"
"""Comment at the start of a document that was written before the end."""

_NOTES = "napari-scope/run"
_FRAME = "napari-scope/frame"

# What XML 1.0 has no form for, and lone halves of surrogate pairs.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def encode_document(document: OmeDocument, planes: Iterable[Plane]) -> str:
    """Return a document as text; ``planes`` are those of all images."""
    known = list(planes)
    return "".join(
        document_pieces(document, lambda n, _: (p for p in known if p.image == n))
    )


def document_pieces(document: OmeDocument, planes: PlaneSource) -> Iterator[str]:
    """Iterate over the text of a document.

    Parameters
    ----------
    document : OmeDocument
        What it says.
    planes : callable
        Takes the number of an image and whether facts are left out, returns its
        planes in order of their directories; called up to three times for each image.
    """
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    if document.growing:
        yield GROWING
    yield (
        f'<OME xmlns="{NAMESPACE}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{NAMESPACE} {NAMESPACE}/ome.xsd" '
        f'UUID={_quoted(document.uuid)} Creator="napari-scope">'
    )
    yield from _plate(document)
    noted = False
    for number, image in enumerate(document.images):
        yield _image_head(document, image, number)
        some = False
        for plane in planes(number, True):
            some = True
            yield _tiff_data(plane, image)
        if some:
            for plane in planes(number, False):
                noted = noted or bool(plane.extra)
                yield _plane(plane, number)
        else:
            yield "<MetadataOnly/>"
        yield "</Pixels></Image>"
    if document.notes or document.plate or noted:
        yield "<StructuredAnnotations>"
        if document.plate:
            # OME-XML has no place for names other than A, B, ... and 1, 2, ...
            for name in ("Rows", "Columns"):
                names = (
                    document.plate.rows if name == "Rows" else document.plate.columns
                )
                pairs = ((str(n), text) for n, text in enumerate(names))
                yield _annotation(name, f"napari-scope/{name.lower()}", pairs)
        if document.notes:
            yield _annotation("Notes", _NOTES, document.notes.items())
        if noted:
            for number in range(len(document.images)):
                for plane in planes(number, False):
                    if plane.extra:
                        pairs = ((k, _text(v)) for k, v in plane.extra.items())
                        yield _annotation(f"{number}:{plane.ifd}", _FRAME, pairs)
        yield "</StructuredAnnotations>"
    yield "</OME>"


def _number(value: float | None) -> str:
    return repr(float(value or 0))  # a numpy number tells its type


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _clean(text: str) -> str:
    text = escape(_FORBIDDEN.sub("\ufffd", text), {'"': "&quot;"})
    # Attributes would lose these, and so would text the last one.
    text = text.replace("\t", "&#9;").replace("\n", "&#10;").replace("\r", "&#13;")
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _quoted(text: str) -> str:
    return f'"{_clean(text)}"'


def _image_head(document: OmeDocument, image: OmeImage, number: int) -> str:
    height, width = image.frame_shape[:2]
    samples = image.frame_shape[2] if len(image.frame_shape) == 3 else 1
    size_t, size_c, size_z = image.sizes
    parts = [
        f'<Image ID="Image:{number}" Name={_quoted(image.name)}>',
        f"<AcquisitionDate>{_clean(document.date)}</AcquisitionDate>",
    ]
    if any(finite(value) for value in image.stage_um):
        axes = "".join(
            f' {name}="{_number(value)}" {name}Unit="&#181;m"'
            for name, value in zip("XYZ", image.stage_um, strict=True)
            if finite(value)
        )
        parts.append(f"<StageLabel Name={_quoted(image.name)}{axes}/>")
    parts.append(
        f'<Pixels ID="Pixels:{number}" DimensionOrder="{image.order}" '
        f'Type="{PIXEL_TYPES[image.dtype]}" SizeX="{width}" SizeY="{height}" '
        f'SizeZ="{size_z}" SizeC="{size_c * samples}" SizeT="{size_t}" '
        f'BigEndian="false"'
    )
    if samples > 1:
        parts.append(' Interleaved="true"')
    if image.bit_depth:
        parts.append(f' SignificantBits="{image.bit_depth}"')
    for name, value in zip("XYZ", (image.pixel_um,) * 2 + (image.z_um,), strict=True):
        if value is not None and finite(value) and value > 0:
            size = f'PhysicalSize{name}="{_number(value)}"'
            parts.append(f' {size} PhysicalSize{name}Unit="&#181;m"')
    if finite(image.interval_s):
        parts.append(
            f' TimeIncrement="{_number(image.interval_s)}" TimeIncrementUnit="s"'
        )
    parts.append(">")
    for place in range(size_c):
        parts.append(
            f'<Channel ID="Channel:{number}:{place}" SamplesPerPixel="{samples}"'
        )
        if place < len(image.channels):
            channel = image.channels[place]
            color = channel.color or default_color(channel.name, place, size_c)
            parts.append(f' Name={_quoted(channel.name)} Color="{_rgba(color)}"')
        parts.append("/>")
    return "".join(parts)


def _rgba(color: str) -> int:
    """Return ``#RRGGBB`` as the signed number that OME-XML has for it, opaque."""
    number = int(color.lstrip("#")[:6], 16) << 8 | 0xFF
    return number - (1 << 32) if number >= 1 << 31 else number


def _tiff_data(plane: Plane, image: OmeImage) -> str:
    t, c, z = plane.place
    head = (
        f'<TiffData IFD="{plane.ifd}" FirstT="{t}" FirstC="{c}" FirstZ="{z}" '
        f'PlaneCount="{plane.count}"'
    )
    if image.file is None:
        return f"{head}/>"
    name, uuid = image.file
    return f"{head}><UUID FileName={_quoted(name)}>{_clean(uuid)}</UUID></TiffData>"


def _plane(plane: Plane, number: int) -> str:
    if plane.count != 1:
        return ""  # foretold: there is nothing to say of them
    t, c, z = plane.place
    parts = [f'<Plane TheZ="{z}" TheT="{t}" TheC="{c}"']
    if finite(plane.delta_s):
        parts.append(f' DeltaT="{_number(plane.delta_s)}" DeltaTUnit="s"')
    if finite(plane.exposure_s):
        parts.append(
            f' ExposureTime="{_number(plane.exposure_s)}" ExposureTimeUnit="s"'
        )
    for name, value in zip("XYZ", (plane.x_um, plane.y_um, plane.z_um), strict=True):
        if finite(value):
            position = f'Position{name}="{_number(value)}"'
            parts.append(f' {position} Position{name}Unit="&#181;m"')
    if plane.extra:
        reference = f"Annotation:{number}:{plane.ifd}"
        parts.append(f'><AnnotationRef ID="{reference}"/></Plane>')
    else:
        parts.append("/>")
    return "".join(parts)


def _annotation(name: str, space: str, pairs: Iterable[tuple[str, str]]) -> str:
    values = "".join(f"<M K={_quoted(k)}>{_clean(v)}</M>" for k, v in pairs)
    head = f'<MapAnnotation ID="Annotation:{name}" Namespace="{space}">'
    return f"{head}<Value>{values}</Value></MapAnnotation>"


def _plate(document: OmeDocument) -> Iterator[str]:
    plate = document.plate
    if plate is None:
        return
    yield (
        f'<Plate ID="Plate:0" Name={_quoted(plate.name)} Rows="{len(plate.rows)}" '
        f'Columns="{len(plate.columns)}" RowNamingConvention="{_naming(plate.rows)}" '
        f'ColumnNamingConvention="{_naming(plate.columns)}">'
    )
    wells: dict[tuple[int, int], list[int]] = {}
    for number, image in enumerate(document.images):
        if image.well is not None:
            row, column = image.well
            well = plate.rows.index(row), plate.columns.index(column)
            wells.setdefault(well, []).append(number)
    index = itertools.count()
    for (row_number, column_number), fields in wells.items():
        yield f'<Well ID="Well:{row_number}:{column_number}" '
        yield f'Row="{row_number}" Column="{column_number}">'
        for number in fields:
            sample = next(index)
            yield f'<WellSample ID="WellSample:{sample}" Index="{sample}"'
            for name, value in zip(
                "XY", document.images[number].stage_um, strict=False
            ):
                if finite(value):
                    position = f'Position{name}="{_number(value)}"'
                    yield f' {position} Position{name}Unit="&#181;m"'
            yield f'><ImageRef ID="Image:{number}"/></WellSample>'
        yield "</Well>"
    yield "</Plate>"


def _naming(names: tuple[str, ...]) -> str:
    return "number" if all(name.isdigit() for name in names) else "letter"
