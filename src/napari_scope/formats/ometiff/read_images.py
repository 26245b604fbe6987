"""Images as OME-XML describes them, with the places of their planes in files.

Plain values, nothing is read here. Planes are kept as runs: so many from this directory
of that file on.

Examples
--------
>>> runs = [PlaneRun(0, 6, None, 3)]
>>> image = XmlPixels("a", (3, 4), "uint8", (1, 2, 3), "XYZCT", runs=runs)
>>> image.locate(0, 1, 0)
PlaneAt(file=None, ifd=6)
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["PlaneAt", "PlaneRun", "XmlChannel", "XmlPixels"]


class PlaneAt(NamedTuple):
    """A directory of a file; the file is None where it is that of the document."""

    file: str | None
    ifd: int


class PlaneRun(NamedTuple):
    """Planes in the order of the image, from a directory of a file on."""

    first: int
    planes: int
    file: str | None
    ifd: int


@dataclass(frozen=True, slots=True)
class XmlChannel:
    """A channel: its name, colour ``#RRGGBB`` and the samples of a pixel."""

    name: str = ""
    color: str | None = None
    samples: int = 1


@dataclass(slots=True)
class XmlPixels:
    """What a document says of one image.

    ``shape`` is (height, width), ``sizes`` the number of t, c and z planes, where a
    plane with several samples counts once. ``steps`` has the distance of samples on t,
    z, y and x with its unit, ``stage`` the place of the image and its unit.
    """

    name: str
    shape: tuple[int, int]
    dtype: str
    sizes: tuple[int, int, int]
    order: str
    channels: tuple[XmlChannel, ...] = ()
    steps: dict[str, tuple[float, str]] = field(default_factory=dict)
    stage: dict[str, tuple[float, str]] = field(default_factory=dict)
    bits: int | None = None
    date: str = ""
    planes: dict[tuple[int, int, int], dict[str, object]] = field(default_factory=dict)
    runs: list[PlaneRun] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)

    @property
    def samples(self) -> int:
        """Samples of a pixel."""
        return self.channels[0].samples if self.channels else 1

    @property
    def count(self) -> int:
        """Number of planes."""
        return math.prod(self.sizes)

    def number(self, t: int, c: int, z: int) -> int:
        """Return the running number of a plane."""
        places = {
            "T": (t, self.sizes[0]),
            "C": (c, self.sizes[1]),
            "Z": (z, self.sizes[2]),
        }
        number, stride = 0, 1
        for letter in self.order[2:]:
            place, size = places[letter]
            number += place * stride
            stride *= size
        return number

    def locate(self, t: int, c: int, z: int) -> PlaneAt | None:
        """Return where a plane is, None where the document names no place."""
        if not self._starts:
            self.runs.sort(key=lambda run: run.first)
            self._starts = [run.first for run in self.runs]
        number = self.number(t, c, z)
        place = bisect.bisect_right(self._starts, number) - 1
        if place < 0:
            return None
        run = self.runs[place]
        if number >= run.first + run.planes:
            return None
        return PlaneAt(run.file, run.ifd + number - run.first)

    def files(self) -> list[str | None]:
        """Return the files of the planes, each once."""
        return list(dict.fromkeys(run.file for run in self.runs))
