"""Where the parts of a frame lie in a file: directory, pixels, facts, coarse levels.

::

    IFD | pixels | facts | IFD of level 1 | pixels of level 1 | IFD of level 2 | ...

All of it is written with one call before anything points to it, so the directory can
name the levels that come behind it. Nothing is written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_scope.formats.ometiff.ifd import IfdTemplate
from napari_scope.formats.ometiff.levels import level_shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from napari_scope.fileio import Buffer
    from napari_scope.formats.ometiff.packing import Codec

__all__ = [
    "ALIGNMENT",
    "SECTOR",
    "FrameLayout",
    "LaidOut",
    "Strip",
    "aligned",
]

SECTOR = 512
"""Alignment of the first directory, of which 16 bytes are changed later."""

ALIGNMENT = 16
"""Alignment of directories and pixels, so that they can be mapped."""


class Strip(NamedTuple):
    """A frame ready to be written: bytes of its strip, of its facts, of its levels."""

    pixels: npt.NDArray[np.generic] | bytes
    nbytes: int
    facts: bytes
    levels: tuple[npt.NDArray[np.generic] | bytes, ...] = ()


class LaidOut(NamedTuple):
    """Frames as they are written.

    ``offsets`` say where the strip of each is, ``link`` where the offset of the next
    directory will stand, ``end`` where the next frame begins.
    """

    buffers: list[Buffer]
    offsets: list[int]
    link: int
    end: int


class FrameLayout:
    """The layout of frames of one kind.

    Parameters
    ----------
    shape, dtype, pixel_um
        Of the frames, as for `IfdTemplate`.
    codec : Codec, optional
        How frames are packed.
    levels : int
        Number of levels, with the frame itself.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[np.generic],
        *,
        codec: Codec | None = None,
        pixel_um: float | None = None,
        levels: int = 1,
    ) -> None:
        packed = codec.compression if codec else 1
        predictor = codec.predictor if codec else 1
        shapes = level_shapes(shape, levels)

        def template(described: bool, levels: int = len(shapes)) -> IfdTemplate:
            return IfdTemplate(
                shape,
                dtype,
                compression=packed,
                predictor=predictor,
                pixel_um=pixel_um,
                described=described,
                levels=levels,
            )

        self.first = template(True)
        """The directory of the first frame, which points to the OME-XML."""
        self.blank = template(True, levels=0)
        """The directory of a file without frames."""
        self._other = template(False)
        self._plain = template(False, levels=0)
        self._levels = [
            IfdTemplate(
                coarse,
                dtype,
                compression=packed,
                predictor=predictor,
                reduced=True,
            )
            for coarse in shapes
        ]

    def lay_out(
        self,
        group: Sequence[Strip],
        start: int,
        description: tuple[int, int] | None,
    ) -> LaidOut:
        """Return frames as they are written.

        Parameters
        ----------
        group : sequence of Strip
            The frames, with all levels or none; the last one ends the chain.
        start : int
            Where the first one begins.
        description : (int, int), optional
            Length and place of the OME-XML if the first one is that of the file.
        """
        buffers: list[Buffer] = []
        offsets = []
        end, link = start, 0
        last = len(group) - 1
        for number, strip in enumerate(group):
            begin = end
            first = description is not None and not number
            template = self.first if first else self._other
            if not strip.levels:
                template = self.blank if first else self._plain
            pixels = aligned(begin + template.nbytes)
            facts = pixels + strip.nbytes
            # The text ends with a zero, as TIFF wants it.
            behind = facts + len(strip.facts) + 1
            end = aligned(behind)
            tail: list[Buffer] = [strip.facts + bytes(end - behind + 1)]
            coarse = []
            for level, data in zip(self._levels, strip.levels, strict=False):
                coarse.append(end)
                end = self._lay_level(level, data, end, tail)
            ifd = template.fill(
                pixels=pixels,
                nbytes=strip.nbytes,
                facts=facts,
                facts_length=len(strip.facts) + 1,
                description=description or (0, 0),
                next_ifd=end if number < last else 0,
                at=begin,
                levels=coarse,
            )
            ifd += bytes(pixels - begin - template.nbytes)
            buffers += (ifd, strip.pixels, *tail)
            offsets.append(pixels)
            link = begin + template.link
        return LaidOut(buffers, offsets, link, end)

    def _lay_level(
        self,
        template: IfdTemplate,
        data: npt.NDArray[np.generic] | bytes,
        begin: int,
        buffers: list[Buffer],
    ) -> int:
        """Append what a coarse level is written as; returns where it ends."""
        nbytes = len(data) if isinstance(data, bytes) else data.nbytes
        pixels = aligned(begin + template.nbytes)
        ifd = template.fill(pixels=pixels, nbytes=nbytes)
        end = aligned(pixels + nbytes)
        buffers.append(bytes(ifd) + bytes(pixels - begin - template.nbytes))
        buffers.append(data)
        if end > pixels + nbytes:
            buffers.append(bytes(end - pixels - nbytes))
        return end


def aligned(offset: int, step: int = ALIGNMENT) -> int:
    """Return the next multiple of a step."""
    return -(-offset // step) * step
