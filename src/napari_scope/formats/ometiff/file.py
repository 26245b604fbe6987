"""One OME-TIFF file of a run: which plane each directory holds, what the XML says.

Between the bare file (`napari_scope.formats.ometiff.tiff`) and the writer of a whole
run. Not thread safe but for `read`.
"""

from __future__ import annotations

import itertools
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from napari_scope.formats.ometiff.facts import Place, Plane, decode_facts
from napari_scope.formats.ometiff.frames import blank_strip
from napari_scope.formats.ometiff.gaps import with_gaps
from napari_scope.formats.ometiff.omexml import document_pieces
from napari_scope.formats.ometiff.outlook import NOTHING, Outlook
from napari_scope.formats.ometiff.tiff import GrowingTiff, Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ometiff.chain import Chain
    from napari_scope.formats.ometiff.document import OmeDocument, OmeImage
    from napari_scope.formats.ometiff.frames import FrameKind
    from napari_scope.formats.ometiff.handles import Handles
    from napari_scope.formats.ometiff.layout import Strip

__all__ = ["FileMark", "OmeTiffFile", "PackedFrame"]

# Where planes are stored in another order than they come, each one foretold takes a
# line of XML.
_MOST_LINES = 1 << 16

# So many planes are foretold at least where nobody knows how many will come.
_LEAST = 16


class PackedFrame(NamedTuple):
    """A frame ready to be written: image (in the file), plane, bytes."""

    image: int
    place: Place
    strip: Strip


class FileMark(NamedTuple):
    """What `OmeTiffFile.cut` needs to return to a moment."""

    tiff: Mark
    outlook: Outlook


class OmeTiffFile:
    """A file that frames are appended to; use `create` or `reopen`.

    Parameters
    ----------
    path : Path
        The file.
    document : OmeDocument
        What is known of the images.
    kind : FrameKind
        What the frames have in common.
    arrival : str
        Order in which planes come, fastest first (``"XYZCT"``).
    growing : bool
        Whether more may come than the sizes say.
    """

    _tiff: GrowingTiff

    def __init__(
        self,
        path: Path,
        document: OmeDocument,
        kind: FrameKind,
        *,
        arrival: str,
        growing: bool,
    ) -> None:
        self.path = path
        self.document = replace(document, growing=True)
        self._kind = kind
        self._arrival = arrival
        self._arriving = replace(document.images[0], order=arrival)
        self._growing = growing
        # Several images in one file interleave in ways that nobody foretells.
        self._may_foretell = len(document.images) == 1
        self._places = array("I")  # image, time, channel, z of each frame
        self._numbers: dict[tuple[int, Place], int] = {}
        # Of a file that was there before: which of its frames may come again, whether
        # some have, how many it had.
        self._replaceable: dict[tuple[int, Place], int] = {}
        self._twice = False
        self._earlier = 0
        self.unsynced = True
        """Whether something was written that may not survive a loss of power."""
        self._outlook = NOTHING

    def create(self, handles: Handles) -> None:
        """Make the file.

        Raises
        ------
        OSError
            It exists, or cannot be made; nothing is left of it then.
        """
        stop = self._stop(0) if self._may_foretell else 0
        self._outlook = Outlook(0, stop) if stop else NOTHING
        layout = self._kind.layout(self.document.images[0].pixel_um)
        text = self._text(range(stop))
        self._tiff = GrowingTiff.create(self.path, handles, layout, text)

    def reopen(
        self, handles: Handles, chain: Chain, unknown: Iterable[tuple[int, Place]]
    ) -> None:
        """Go on with a file that was closed; nothing is written before a frame comes.

        Parameters
        ----------
        handles : Handles
            What keeps files open.
        chain : Chain
            What is in the file.
        unknown : iterable of (int, Place)
            Those of its frames that may come again: the process was killed before it
            reported them, or a loss of power took their pixels.
        """
        layout = self._kind.layout(self.document.images[0].pixel_um)
        self._tiff = GrowingTiff.reopen(self.path, handles, layout, chain)
        self._places = chain.places
        self._numbers = chain.numbers
        self._replaceable = {key: chain.numbers[key] for key in unknown}
        self._earlier = len(chain)
        self._twice = len(chain) != len(chain.numbers)
        self.unsynced = False
        # Nothing is foretold, so the XML, which calls the file finished, is replaced
        # before the first frame: a repair then knows that it is not.
        self._outlook = NOTHING

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._tiff)

    # ------------------------------------------------------------- writing

    @property
    def mark(self) -> FileMark:
        """What `cut` needs to return to this moment."""
        return FileMark(self._tiff.mark, self._outlook)

    def holds(self, image: int, place: Place) -> bool:
        """Return whether a plane was written."""
        number = self._numbers.get((image, place))
        return number is not None and self._replaceable.get((image, place)) != number

    def take_unsynced(self) -> bool:
        """Return whether there is something to sync, which the caller then does."""
        unsynced, self.unsynced = self.unsynced, False
        return unsynced

    def append(self, frames: Sequence[PackedFrame]) -> None:
        """Write frames; on an error of the system the caller cuts the file back."""
        self.unsynced = True
        start = 0
        for number, frame in enumerate(frames):
            natural = self._natural(frame.place)
            if not self._outlook.is_right_for(natural, self._tiff.end):
                self._write(frames[start:number])
                start = number
                self._describe(natural)
            self._outlook = self._outlook.after(natural)
        self._write(frames[start:])

    def _write(self, frames: Sequence[PackedFrame]) -> None:
        if not frames:
            return
        first = len(self._places) // 4
        self._tiff.append([frame.strip for frame in frames])
        for number, frame in enumerate(frames, first):
            self._places.extend((frame.image, *frame.place))
            key = frame.image, frame.place
            self._twice = self._twice or key in self._numbers
            self._numbers[key] = number

    def cut(self, mark: FileMark) -> None:
        """Forget what was written since ``mark``."""
        places = self._places
        for start in range(4 * mark.tiff.frames, len(places), 4):
            image, t, c, z = places[start : start + 4]
            key = image, (t, c, z)
            self._numbers.pop(key, None)
            if key in self._replaceable:
                self._numbers[key] = self._replaceable[key]
        del places[4 * mark.tiff.frames :]
        self._outlook = mark.outlook
        self._tiff.cut(mark.tiff)

    def update(self, images: tuple[OmeImage, ...]) -> None:
        """Note what has grown; the XML follows when it has to."""
        if images == self.document.images:
            return
        if self._may_foretell:
            before, after = self.document.images[0], images[0]
            if len(images) > 1 or not _longer_only(before, after, self._arrival[-1]):
                # Planes are now numbered otherwise: what is foretold will not come.
                self._may_foretell = len(images) == 1
                self._outlook = replace(self._outlook, expected=-1)
        self.document = replace(self.document, images=images)
        self._arriving = replace(images[0], order=self._arrival)

    def check_there(self) -> None:
        """Raise OSError if another program has removed, moved or replaced the file."""
        self._tiff.check_there()

    def finish(self, *, durable: bool) -> None:
        """Write the final XML, with all that is known of the planes."""
        self.check_there()
        self.document = replace(self.document, growing=False)
        images = self.document.images
        self.unsynced = True
        first = (0, 0, 0)  # Bio-Formats wants to find it
        if any((n, first) not in self._numbers for n in range(len(images))):
            self._tiff.append_blank(blank_strip(self._kind))
        text = document_pieces(self.document, self.all_planes)
        self._tiff.describe(text, durable=durable)

    def remove(self) -> None:
        """Delete the file."""
        self._tiff.remove()

    # ------------------------------------------------------------- the XML

    def _natural(self, place: Place) -> int:
        """Return the number of a plane in the order of acquisition."""
        if not self._may_foretell:
            return -2  # what nobody expects
        return self._arriving.number(place)

    def _stop(self, number: int) -> int:
        """Return up to which number planes are foretold."""
        image = self.document.images[0]
        stop = image.planes
        if self._growing and number >= stop:
            inner = max(1, stop // image.sizes["TCZ".index(self._arrival[-1])])
            stop = -(-max(2 * number, number + _LEAST) // inner) * inner
        if self._arrival != image.order:
            stop = min(stop, number + _MOST_LINES)
        return stop

    def _describe(self, natural: int) -> None:
        """Replace the XML before a frame comes that it does not foretell."""
        size = self._tiff.end
        hopeful = self._may_foretell and self._outlook.is_hopeful(natural, size)
        stop = self._stop(natural) if hopeful else 0
        ahead = range(natural, stop) if hopeful else range(0)
        self._tiff.describe(self._text(ahead))
        cost = self._tiff.end - size
        self._outlook = self._outlook.renewed(natural, stop, cost, hopeful=hopeful)

    def _text(self, ahead: range) -> Iterator[str]:
        """Iterate over the XML that lists what is there and foretells more."""
        document = self.document
        first = len(self._places) // 4
        told: Iterable[Plane] = ()
        if ahead:
            arriving = self._arriving.lengthened(ahead.stop)
            image = replace(document.images[0], sizes=arriving.sizes)
            document = replace(document, images=(image,))
            if image.order == self._arrival:
                told = [Plane(first, arriving.place(ahead.start), count=len(ahead))]
            else:
                places = map(arriving.place, ahead)
                told = [Plane(ifd, place) for ifd, place in enumerate(places, first)]

        def planes(number: int, brief: bool) -> Iterable[Plane]:
            if not brief:
                return ()
            known = _runs(self._known(number), document.images[number])
            return itertools.chain(known, told)

        return document_pieces(document, planes)

    def _known(self, number: int, stop: int | None = None) -> Iterator[Plane]:
        places, numbers, twice = self._places, self._numbers, self._twice
        for ifd in range(len(places) // 4 if stop is None else stop):
            image, t, c, z = places[4 * ifd : 4 * ifd + 4]
            if image != number or (twice and numbers[image, (t, c, z)] != ifd):
                continue
            yield Plane(ifd, (t, c, z), image)

    def earlier(self) -> Iterator[Plane]:
        """Iterate over the planes of the only image from before the run went on."""
        known = self._known(0, self._earlier)
        return _runs(known, self.document.images[0])

    def planes(self, number: int, brief: bool = False) -> Iterator[Plane]:
        """Iterate over the planes of an image; ``brief`` leaves out the facts."""
        known = self._known(number)
        if brief:
            yield from known
            return
        wanted = [plane.ifd for plane in known]
        lines = self._tiff.read_facts(wanted)
        for ifd, line in zip(wanted, lines, strict=True):
            yield decode_facts(line, ifd)

    def all_planes(self, number: int, brief: bool) -> Iterator[Plane]:
        """Iterate as `planes` does; ``brief`` adds those that never came."""
        known = self.planes(number, brief)
        if not brief:
            return known
        return with_gaps(known, self.document.images[number], len(self))

    # ------------------------------------------------------------- reading

    def read(self, image: int, place: Place) -> npt.NDArray[np.generic] | None:
        """Return a frame that was written, or None; raises OSError, FormatError."""
        number = self._numbers.get((image, place))
        if number is None:
            return None
        return self._kind.unpack(self._tiff.read(number))


def _longer_only(before: OmeImage, after: OmeImage, slowest: str) -> bool:
    """Return whether planes keep their numbers in the order of acquisition."""
    same = [name for name in "TCZ" if name != slowest]
    sizes = (before.sizes["TCZ".index(name)] for name in same)
    return tuple(sizes) == tuple(after.sizes["TCZ".index(name)] for name in same)


def _runs(planes: Iterable[Plane], image: OmeImage) -> Iterator[Plane]:
    """Join planes that follow one another in the file and in the image."""
    run: Plane | None = None
    count = following = 0
    for plane in planes:
        number = image.number(plane.place)
        if run is not None and (number, plane.ifd) == (following, run.ifd + count):
            count += 1
        else:
            if run is not None:
                yield replace(run, count=count)
            run, count = plane, 1
        following = number + 1
    if run is not None:
        yield replace(run, count=count)
