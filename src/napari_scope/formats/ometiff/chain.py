"""The chain of images in an OME-TIFF of ours, as far as it is whole.

Each directory (IFD) has a line of facts that says which plane it holds. A chain that
is damaged ends before the damage: what follows is not read, and nothing is guessed.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ometiff.facts import (
    MAX_FACTS_BYTES,
    Place,
    Plane,
    decode_facts,
    decode_place,
)
from napari_scope.formats.ometiff.ifd import FIRST_LINK, HEADER_SIZE, read_first_link
from napari_scope.formats.ometiff.page import IFD_BYTES, PageReader, read_page
from napari_scope.formats.ometiff.window import Window, read_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.fileio import DataFile
    from napari_scope.formats.ometiff.page import Page

__all__ = ["Chain", "first_levels", "read_chain"]


@dataclass(slots=True)
class Chain:
    """What the image directories of a file say.

    Parameters
    ----------
    file_size : int
        Length of the file.
    first : Page, optional
        The first image.
    blank : int
        Offset of an image behind all frames that is none itself, 0 without: it stands
        for planes that never came.
    link : int
        Where the offset of the directory of a next frame is to be written.
    end : int
        Offset behind the last image, with its levels and facts.
    problem : str
        Why the chain could not be followed further.
    places : array
        Image, time, channel, z of each frame, one after the other.
    offsets, lengths : array
        Where the strip of each frame is, and how long.
    facts_offsets, facts_lengths : array
        The same of its facts, with the zero at their end.
    numbers : dict
        Which frame holds a plane of an image. Where two do, it is the later one: a
        frame that a killed process had not reported came again when the run went on.
    """

    file_size: int
    first: Page | None = None
    blank: int = 0
    link: int = FIRST_LINK
    end: int = HEADER_SIZE
    problem: str = ""
    places: array[int] = field(default_factory=lambda: array("I"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    facts_offsets: array[int] = field(default_factory=lambda: array("Q"))
    facts_lengths: array[int] = field(default_factory=lambda: array("Q"))
    numbers: dict[tuple[int, Place], int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.offsets)

    def frames(self, image: int) -> Iterator[tuple[int, Place]]:
        """Iterate over the number of each frame of an image, and its plane."""
        twice = len(self) != len(self.numbers)
        rows = zip(*[iter(self.places)] * 4, strict=True)
        for ifd, (number, t, c, z) in enumerate(rows):
            if number != image or (twice and self.numbers[number, (t, c, z)] != ifd):
                continue
            yield ifd, (t, c, z)

    def planes(self, image: int) -> Iterator[Plane]:
        """Iterate over the planes of an image, without facts."""
        for ifd, place in self.frames(image):
            yield Plane(ifd, place, image)

    def planes_with_facts(self, file: DataFile, image: int) -> Iterator[Plane]:
        """Iterate over the planes of an image; raises OSError."""
        wanted = [ifd for ifd, _ in self.frames(image)]
        pieces = ((self.facts_offsets[n], self.facts_lengths[n]) for n in wanted)
        lines = read_pieces(file, pieces)
        for number, line in zip(wanted, lines, strict=True):
            yield decode_facts(line.rstrip(b"\0"), number)


def read_chain(file: DataFile) -> Chain:
    """Follow the chain of a file as far as it is whole.

    Raises
    ------
    FormatError
        It is no file of ours.
    OSError
        It cannot be read.
    """
    following = read_first_link(file.read_at(0, HEADER_SIZE))
    chain = Chain(file.size())
    window = Window(file)
    pages = PageReader(chain.file_size)
    while following:
        try:
            # Directories follow one another in the file, so there is no loop.
            if following < chain.end:
                raise FormatError(f"the chain turns back to byte {following}")
            if chain.blank:
                raise FormatError("a frame follows an image that is none")
            page = pages.read(window.read(following, IFD_BYTES), following)
            _append(chain, page, window)
        except FormatError as error:
            chain.problem = error.message
            break
        following = page.next_ifd
    return chain


def first_levels(file: DataFile) -> int | None:
    """Return how many levels the first frame of a file has, None without a frame.

    Raises
    ------
    FormatError
        It is no file of ours.
    OSError
        It cannot be read.
    """
    offset = read_first_link(file.read_at(0, HEADER_SIZE))
    if not offset:
        return None
    page = read_page(Window(file).read(offset, IFD_BYTES), offset, file.size())
    if page.facts is None or page.facts[0] <= 1:
        return None
    return 1 + len(page.levels)


def _append(
    chain: Chain,
    page: Page,
    window: Window,
) -> None:
    """Take up an image, or raise FormatError."""
    first = chain.first
    if first is not None and page[1:5] != first[1:5]:
        raise FormatError("the images of the file differ")
    if page.facts is None or page.facts[0] > MAX_FACTS_BYTES:
        raise FormatError("an image does not say which plane it holds")
    length, offset = page.facts
    if length <= 1:
        end, chain.blank = page.end, page.ifd
    else:
        end = _behind_levels(page, page.end, chain, window)
        line = window.read(offset, length).rstrip(b"\0")
        image, t, c, z = place = decode_place(line, len(chain))
        chain.numbers[image, (t, c, z)] = len(chain)
        chain.places.extend(place)
        chain.offsets.append(page.pixels)
        chain.lengths.append(page.nbytes)
        chain.facts_offsets.append(offset)
        chain.facts_lengths.append(length)
        chain.link = page.link
    chain.first = first or page
    chain.end = end


def _behind_levels(page: Page, end: int, chain: Chain, window: Window) -> int:
    """Return the offset behind the coarse levels of an image."""
    if chain.first is not None and len(page.levels) != len(chain.first.levels):
        raise FormatError("the images of the file differ in their levels")
    for offset in page.levels:
        if offset < end:
            raise FormatError(f"a level of an image lies before it, at byte {offset}")
        level = read_page(window.read(offset, IFD_BYTES), offset, chain.file_size)
        if level.dtype != page.dtype or level.levels or level.next_ifd:
            raise FormatError(f"the image at byte {offset} is no level of another")
        end = level.end
    return end
