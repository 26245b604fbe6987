"""Finds the scans of an mzML file with an XML parser; `fast` finds the same sooner."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.formats.msi.mzml.entry import read_entry
from napari_scope.formats.msi.mzml.scans import NO_AXIS, Axes, Collector, Document
from napari_scope.formats.msi.xml_nodes import Node, NodeParser, XMLCutError
from napari_scope.formats.msi.xml_terms import groups_of

if TYPE_CHECKING:
    import os

    PathLike = str | os.PathLike[str]

__all__ = ["read_strictly", "wide_encoding"]

_PIECE: Final = 1 << 20
_DECLARATION: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(<\?xml[^<>]*\?>)")


def read_strictly(path: PathLike) -> Document:
    """Read where the spectra of an mzML file lie.

    Of a file that ends too early the spectra before the end are read.

    Raises
    ------
    FormatError
        If it cannot be read as XML.
    """
    collector, axes = Collector(), Axes()
    groups: dict[str, Node] = {}

    def take(node: Node) -> None:
        if not groups:
            groups.update(groups_of(parser.root))
        entry = read_entry(node, groups)
        binary = entry.binaries.get("mz")
        axis = NO_AXIS
        if binary is not None:
            text = binary.text.encode()
            axis = axes.number(entry.form.mz, text, 0, len(text))
        words = {field: one.value for field, one in entry.fields.items()}
        collector.add(entry.form, words, node.at, {}, axis)

    parser = NodeParser(path, {"spectrum": take}, texts=True)
    problems: tuple[str, ...] = ()
    try:
        with Path(path).open("rb") as file:
            head = piece = file.read(_PIECE)
            while piece:
                parser.feed(piece)
                piece = file.read(_PIECE)
        root: Node | None = parser.close()
    except XMLCutError as error:
        root = parser.root
        problems = (error.message,)
    assert root is not None  # a cut document has begun
    return Document(root, collector.scans(), _opening(head), problems)


def _opening(head: bytes) -> bytes:
    """Return what an element of a document needs before it, see `Document`."""
    wide = wide_encoding(head)
    if wide:
        mark = codecs.BOM_UTF16_LE if wide.endswith("le") else codecs.BOM_UTF16_BE
        return mark + "<a>".encode(wide)
    declared = _DECLARATION.match(head)
    return (declared.group(1) if declared else b"") + b"<a>"


def wide_encoding(head: bytes) -> str:
    """Return the encoding of 16-bit characters a document begins with, or nothing.

    Examples
    --------
    >>> wide_encoding("<?xml".encode("utf-16-be")), wide_encoding(b"<?xml")
    ('utf-16-be', '')
    """
    if head.startswith((codecs.BOM_UTF16_LE, b"<\0")):
        return "utf-16-le"
    return "utf-16-be" if head.startswith((codecs.BOM_UTF16_BE, b"\0<")) else ""
