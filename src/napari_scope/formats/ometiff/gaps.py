"""Planes of an image that are in no file, as a finished OME-XML tells of them.

Bio-Formats opens no image of which a plane is mentioned nowhere. So those that were
skipped are said to be behind the last frame of the file, where there is none: it shows
zeros for them, as other readers do for what they do not find. Only the first plane of
an image has to be there, so a black image stands behind the frames where it is not.

Examples
--------
>>> from napari_scope.formats.ometiff.document import OmeImage
>>> image = OmeImage("cells", (4, 6), "uint16", sizes=(9, 1, 1))
>>> known = [Plane(0, (1, 0, 0)), Plane(1, (5, 0, 0))]
>>> [(plane.place[0], plane.count) for plane in gaps(known, image, behind=2)]
[(0, 1), (2, 3), (6, 3)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.formats.ometiff.facts import Plane

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_scope.formats.ometiff.document import OmeImage

__all__ = ["gaps", "with_gaps"]


def gaps(known: Iterable[Plane], image: OmeImage, behind: int) -> Iterator[Plane]:
    """Iterate over the planes that are not there, those in a row as one.

    Parameters
    ----------
    known : iterable of Plane
        The planes that are.
    image : OmeImage
        Their image.
    behind : int
        Number of frames in the file.
    """
    following = 0
    for number in sorted(image.number(plane.place) for plane in known):
        if number > following:
            yield Plane(behind, image.place(following), count=number - following)
        following = number + 1
    if following < image.planes:
        rest = image.planes - following
        yield Plane(behind, image.place(following), count=rest)


def with_gaps(known: Iterable[Plane], image: OmeImage, behind: int) -> Iterator[Plane]:
    """Iterate over the planes that are there, then over the others."""
    planes = list(known)
    yield from planes
    yield from gaps(planes, image, behind)
