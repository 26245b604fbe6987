"""What an OME-XML document says of images, as plain values.

Examples
--------
>>> dimension_order(("time", "z", "channel"))
'XYCZT'
>>> dimension_order(("z",))
'XYCTZ'
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.formats.ometiff.facts import Place
    from napari_scope.model import Channel

__all__ = [
    "PIXEL_TYPES",
    "FileRef",
    "OmeDocument",
    "OmeImage",
    "OmePlate",
    "dimension_order",
    "new_uuid",
]

PIXEL_TYPES = {
    "uint8": "uint8",
    "uint16": "uint16",
    "uint32": "uint32",
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "float32": "float",
    "float64": "double",
}
"""The pixel types of OME-XML by their numpy names."""

_LETTERS = {"time": "T", "channel": "C", "z": "Z"}
_PLACES = {"T": 0, "C": 1, "Z": 2}


def dimension_order(names: Sequence[str]) -> str:
    """Return the order of dimensions, fastest first, as OME-XML writes it.

    Parameters
    ----------
    names : sequence of str
        The axes ``time``, ``channel``, ``z`` that there are, slowest first. The others,
        of one sample each, come before them, so that the slowest one may grow.
    """
    letters = [_LETTERS[name] for name in reversed(names)]
    return "".join(["XY", *(c for c in "ZCT" if c not in letters), *letters])


def new_uuid() -> str:
    """Return an identity for a file."""
    return f"urn:uuid:{uuid.uuid4()}"


class FileRef(NamedTuple):
    """A file of a set, by its name beside the others and its identity."""

    name: str
    uuid: str


@dataclass(frozen=True, slots=True)
class OmePlate:
    """A plate: its name, and the names of its rows and columns."""

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OmeImage:
    """One image.

    Parameters
    ----------
    name : str
        Name of the image.
    frame_shape : tuple of int
        (height, width), or (height, width, 3) for colour.
    dtype : str
        numpy name of the pixel type, one of `PIXEL_TYPES`.
    sizes : (int, int, int)
        Number of time points, channels, z planes.
    order : str
        Order of the dimensions, fastest first: ``"XYZCT"``.
    channels : tuple of Channel
        One for each channel.
    pixel_um, z_um, interval_s : float, optional
        Size of a pixel, step of the z stack, interval of the time lapse.
    bit_depth : int, optional
        Significant bits.
    stage_um : (float or None, ...)
        Position of the stage in x, y, z.
    well : (str, str), optional
        Row and column of the well on the plate.
    file : FileRef, optional
        The file that holds it, where that is not the file of the document.
    """

    name: str
    frame_shape: tuple[int, ...]
    dtype: str
    sizes: Place = (1, 1, 1)
    order: str = "XYZCT"
    channels: tuple[Channel, ...] = ()
    pixel_um: float | None = None
    z_um: float | None = None
    interval_s: float | None = None
    bit_depth: int | None = None
    stage_um: tuple[float | None, float | None, float | None] = (None, None, None)
    well: tuple[str, str] | None = None
    file: FileRef | None = None

    def number(self, place: Place) -> int:
        """Return the running number of a plane in the order of the dimensions."""
        number, stride = 0, 1
        for letter in self.order[2:]:
            number += place[_PLACES[letter]] * stride
            stride *= self.sizes[_PLACES[letter]]
        return number

    def place(self, number: int) -> Place:
        """Return the plane with a running number; the reverse of `number`."""
        found = [0, 0, 0]
        for letter in self.order[2:]:
            number, found[_PLACES[letter]] = divmod(number, self.sizes[_PLACES[letter]])
        t, c, z = found
        return t, c, z

    @property
    def planes(self) -> int:
        """Number of planes that the sizes make."""
        return math.prod(self.sizes)

    def lengthened(self, planes: int) -> OmeImage:
        """Return the image with its slowest axis long enough for so many planes."""
        slowest = _PLACES[self.order[-1]]
        inner = self.planes // self.sizes[slowest]
        sizes = list(self.sizes)
        sizes[slowest] = max(sizes[slowest], -(-planes // inner))
        t, c, z = sizes
        return replace(self, sizes=(t, c, z))


@dataclass(frozen=True, slots=True)
class OmeDocument:
    """A whole document.

    Parameters
    ----------
    uuid : str
        Identity of the file that holds it, ``urn:uuid:...``.
    date : str
        When the acquisition began, ISO 8601.
    images : tuple of OmeImage
        The images.
    plate : OmePlate, optional
        The plate that the wells of the images are on.
    notes : mapping
        Further facts, text to text.
    growing : bool
        Whether this was written before the end: planes may be missing or to come.
    """

    uuid: str
    date: str
    images: tuple[OmeImage, ...] = ()
    plate: OmePlate | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    growing: bool = False
