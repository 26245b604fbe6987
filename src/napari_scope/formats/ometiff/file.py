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
from napari_scope.formats.ometiff.omexml import document_pieces
from napari_scope.formats.ometiff.outlook import NOTHING, Outlook
from napari_scope.formats.ometiff.tiff import GrowingTiff, Mark, Strip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ometiff.document import OmeDocument, OmeImage
    from napari_scope.formats.ometiff.handles import Handles
    from napari_scope.formats.ometiff.packing import Codec

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
    """A new file; frames are appended.

    Parameters
    ----------
    path : Path
        The file; it must not exist.
    handles : Handles
        What keeps files open.
    document : OmeDocument
        What is known of the images.
    dtype : numpy.dtype
        Type of the pixels.
    codec : Codec, optional
        How frames are packed.
    arrival : str
        Order in which planes come, fastest first (``"XYZCT"``).
    growing : bool
        Whether more may come than the sizes say.

    Raises
    ------
    OSError
        The file exists, or cannot be made; nothing is left of it then.
    """

    def __init__(
        self,
        path: Path,
        handles: Handles,
        document: OmeDocument,
        dtype: np.dtype[np.generic],
        *,
        codec: Codec | None,
        arrival: str,
        growing: bool,
    ) -> None:
        self.path = path
        self.document = replace(document, growing=True)
        self._arrival = arrival
        self._arriving = replace(document.images[0], order=arrival)
        self._growing = growing
        # Several images in one file interleave in ways that nobody foretells.
        self._may_foretell = len(document.images) == 1
        self._places = array("I")  # image, time, channel, z of each frame
        self._numbers: dict[tuple[int, Place], int] = {}
        self.unsynced = True
        """Whether something was written that may not survive a loss of power."""
        self._codec = codec
        self._shape = document.images[0].frame_shape
        self._dtype = dtype
        stop = self._stop(0) if self._may_foretell else 0
        self._outlook = Outlook(0, stop) if stop else NOTHING
        self._tiff = GrowingTiff(
            path,
            handles,
            self._text(range(stop)),
            self._shape,
            dtype,
            codec=codec,
            pixel_um=document.images[0].pixel_um,
        )

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
        return (image, place) in self._numbers

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
            self._numbers[frame.image, frame.place] = number

    def cut(self, mark: FileMark) -> None:
        """Forget what was written since ``mark``."""
        places = self._places
        for start in range(4 * mark.tiff.frames, len(places), 4):
            image, t, c, z = places[start : start + 4]
            self._numbers.pop((image, (t, c, z)), None)
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

    def finish(self, *, durable: bool) -> None:
        """Write the final XML, with all that is known of the planes."""
        self.document = replace(self.document, growing=False)
        self.unsynced = True
        if not len(self):
            self._tiff.append_blank()
        self._tiff.describe(
            document_pieces(self.document, self.planes), durable=durable
        )

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

    def _known(self, number: int) -> Iterator[Plane]:
        places = self._places
        for ifd in range(len(places) // 4):
            image, t, c, z = places[4 * ifd : 4 * ifd + 4]
            if image == number:
                yield Plane(ifd, (t, c, z), image)

    def planes(self, number: int, brief: bool = False) -> Iterator[Plane]:
        """Iterate over the planes of an image; ``brief`` leaves out the facts."""
        if brief:
            yield from self._known(number)
            return
        for ifd, line in enumerate(self._tiff.read_facts()):
            if self._places[4 * ifd] == number:
                yield decode_facts(line, ifd)

    # ------------------------------------------------------------- reading

    def read(self, image: int, place: Place) -> npt.NDArray[np.generic] | None:
        """Return a frame that was written, or None; raises OSError, FormatError."""
        import numpy as np

        number = self._numbers.get((image, place))
        if number is None:
            return None
        strip = self._tiff.read(number)
        if self._codec is not None:
            frame = self._codec.unpack(bytes(strip), self._shape)
        else:
            little = self._dtype.newbyteorder("<")
            frame = np.frombuffer(strip, little).reshape(self._shape)
        return frame.astype(self._dtype, copy=False)


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
