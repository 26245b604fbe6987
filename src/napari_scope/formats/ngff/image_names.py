"""The names of the images in an OME-XML document, read as a stream.

Collections written by bioformats2raw and its kin carry ``OME/METADATA.ome.xml``; the
n-th ``Image`` element there names the n-th series. No tree is built and a document
with a DTD is refused, so that entities can neither grow nor fetch anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["image_names"]


def image_names(document: bytes, path: str | PathLike[str]) -> list[str]:
    """Return the ``Name`` of each ``Image``, in order; an empty one where it has none.

    Parameters
    ----------
    document : bytes
        The OME-XML.
    path : str or PathLike
        Where it came from, for the message.

    Raises
    ------
    FormatError
        If the document is damaged or has a DTD.
    """
    names: list[str] = []
    depth = 0

    def refuse(*_: object) -> None:
        raise FormatError("XML with a document type is refused", path=path)

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        # Children of the root only: ImageRef and annotations also speak of images.
        if depth == 2 and tag.rpartition(" ")[2] == "Image":
            names.append(attributes.get("Name", "").strip())

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise FormatError(f"damaged XML: {error}", path=path) from error
    return names
