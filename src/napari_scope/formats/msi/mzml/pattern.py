"""Patterns of spectra: what fits one means the same as the spectrum it was made of.

Programs write one spectrum like the other, but for some values. The text of a spectrum
is made into a pattern in which the values that are wanted are caught, values that mean
nothing (indices, numbers that are not asked for) may be anything, the texts of the
arrays may be any text, and every other byte has to be as it is. So what fits means the
same by construction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from napari_scope.formats.msi.mzml import terms
from napari_scope.formats.msi.mzml.entry import read_entry
from napari_scope.formats.msi.xml_nodes import NodeParser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.msi.mzml.entry import Entry, Form, Groups
    from napari_scope.formats.msi.xml_nodes import Node

__all__ = ["Pattern", "make_pattern", "parse_spectrum", "plain_place"]

# Values of these attributes, in elements that are no terms, decide nothing.
_FREE: Final = (
    "id", "index", "defaultArrayLength", "encodedLength", "arrayLength", "spotID",
    "nativeID", "sourceFileRef", "spectrumRef", "externalSpectrumID",
)  # fmt: skip
_ATTRIBUTE: Final = re.compile(rb'\s([A-Za-z:]+)="([^"]*)"')
_TAG: Final = re.compile(rb'<[A-Za-z:]+(?:\s+[A-Za-z:]+="[^"]*")*\s*/?>')
_BINARY: Final = re.compile(rb"<[A-Za-z:]+\s*>([^<]*)</")
_NOTHING: Final = re.compile(rb"<[A-Za-z:]+\s*/>")
# No more than what stands for itself, in plain ASCII.
_CAUGHT: Final = rb'([^"<&\x00-\x1f\x7f-\xff]*+)'


class Pattern(NamedTuple):
    """What spectra of one kind look like.

    Between the ``segments`` lie the texts of the arrays, up to the next tag: ``gaps``
    names them as `KINDS` does, or not at all. The first group of the first segment is
    empty and lies where the spectrum begins; ``caught`` are the fields of all other
    groups. ``fixed`` are the texts that are the same in all of them.
    """

    segments: tuple[re.Pattern[bytes], ...]
    gaps: tuple[str, ...]
    caught: tuple[str, ...]
    fixed: dict[str, str]
    form: Form

    def match(self, text: bytes | bytearray, at: int) -> Match | None:
        """Return what is caught of a spectrum that fits, or None.

        Parameters
        ----------
        text : bytes or bytearray
            The text.
        at : int
            Where in it the spectrum, or what is before it, begins.
        """
        one = self.segments[0].match(text, at)
        if one is None:
            return None
        begin = one.start(1)
        caught = list(one.groups()[1:])
        places = {}
        # The texts are most of the file: to look for one byte takes no time.
        for kind, segment in zip(self.gaps, self.segments[1:], strict=True):
            first = one.end()
            end = text.find(b"<", first)
            one = segment.match(text, end) if end >= 0 else None
            if one is None:
                return None
            places[kind] = (first, end - first)
            caught += one.groups()
        return Match(begin, one.end(), caught, places)


class Match(NamedTuple):
    """Where a spectrum begins and ends, its texts, and where those of its arrays lie.

    ``places`` has the first byte and the length of each.
    """

    begin: int
    end: int
    caught: list[bytes]
    places: dict[str, tuple[int, int]]


def parse_spectrum(text: bytes, groups: Groups, path: str, opening: bytes) -> Entry:
    """Read the text of one spectrum; places are counted from its first byte.

    Parameters
    ----------
    text : bytes
        The element.
    groups : mapping of str to Node
        Groups of terms by their ids.
    path : str
        What error messages name.
    opening : bytes
        See `Document`.

    Raises
    ------
    FormatError
        If it is no XML, or more or less than one spectrum.
    """
    nodes: list[Node] = []
    parser = NodeParser(path, {"spectrum": nodes.append})
    # Between the two, nothing else may stand.
    parser.feed(opening + text + b"</a>")
    parser.close()
    node = nodes[-1]
    _shift(node, len(opening))
    return read_entry(node, groups)


def _shift(node: Node, by: int) -> None:
    node.at -= by
    for child in node.children:
        _shift(child, by)


def plain_place(text: bytes, at: int) -> tuple[int, int]:
    """Return first byte and length of the text of the element that begins at a byte.

    -1 if it is no plain text.
    """
    found = _BINARY.match(text, at)
    if found is not None:
        return found.start(1), found.end(1) - found.start(1)
    # An element without a text is an array without values.
    return (at, 0) if _NOTHING.match(text, at) else (-1, -1)


def make_pattern(text: bytes, entry: Entry) -> Pattern | None:
    """Make a pattern of the text of a spectrum; None if that cannot be.

    Parameters
    ----------
    text : bytes
        The element.
    entry : Entry
        What was read from it.
    """
    wanted: Mapping[tuple[int, str], str] = {
        (one.at, one.attribute): field
        for field, one in entry.fields.items()
        if one.at >= 0
    }
    arrays = {node.at: kind for kind, node in entry.binaries.items()}
    segments: list[bytes] = []
    parts: list[bytes] = [rb"\s*+()"]
    caught: list[str] = []
    gaps: list[str] = []
    done = 0
    for tag in _TAG.finditer(text):
        whole = tag.group()
        is_term = whole.startswith((b"<cvParam", b"<userParam"))
        decides = terms.LEVEL.encode() in whole
        for attribute in _ATTRIBUTE.finditer(text, tag.start(), tag.end()):
            name = attribute.group(1).decode()
            field = wanted.get((tag.start(), name))
            if field is not None:
                pattern = _CAUGHT
                caught.append(field)
            elif (name == "value" and not decides) if is_term else name in _FREE:
                pattern = rb'[^"<&]*+'
            else:
                continue
            parts += [re.escape(text[done : attribute.start(2)]), pattern]
            done = attribute.end(2)
        if whole.startswith(b"<binary") and whole[7:8] in b"/> ":
            first, length = plain_place(text, tag.start())
            if first <= tag.start():
                return None
            gaps.append(arrays.pop(tag.start(), ""))
            segments.append(b"".join([*parts, re.escape(text[done:first])]))
            parts, done = [], first + length
    segments.append(b"".join([*parts, re.escape(text[done:])]))
    if len(caught) != len(wanted) or arrays:
        return None
    fixed = {f: one.value for f, one in entry.fields.items() if one.at < 0}
    return Pattern(
        tuple(re.compile(segment) for segment in segments),
        tuple(gaps),
        tuple(caught),
        fixed,
        entry.form,
    )
