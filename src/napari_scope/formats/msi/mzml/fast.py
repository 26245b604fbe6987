"""Finds the scans of an mzML file in one pass over its bytes.

Most files need the XML parser for their head, their end and one spectrum of each kind
only: the others fit the pattern of one of them (`pattern`). The offset index at the end
of a file is not needed for that, and not trusted.

What is not as this way expects it (comments among the spectra, other encodings, damaged
XML) is left to `strict`: None is returned. Of a document that no XML parser reads to
its end, `salvage` finds the spectra that are whole.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.errors import FormatError
from napari_scope.formats.msi.mzml.index import index_problems
from napari_scope.formats.msi.mzml.pattern import (
    make_pattern,
    parse_spectrum,
    plain_place,
)
from napari_scope.formats.msi.mzml.scans import NO_AXIS, Axes, Collector, Document
from napari_scope.formats.msi.xml_nodes import Node, NodeParser
from napari_scope.formats.msi.xml_terms import groups_of

if TYPE_CHECKING:
    import os
    from io import BufferedReader

    from napari_scope.formats.msi.mzml.entry import Groups
    from napari_scope.formats.msi.mzml.pattern import Pattern

    PathLike = str | os.PathLike[str]

__all__ = ["read_fast", "salvage"]

_PIECE: Final = 4 << 20
_LONGEST: Final = 512 << 20  # bytes of one spectrum
_LONGEST_HEAD: Final = 64 << 20
_MOST_PATTERNS: Final = 24
_DECLARATION: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(<\?xml[^<>]*\?>)")
_PLAIN: Final = re.compile(rb"utf-?8|us-ascii|iso-8859-1|latin-?1|windows-1252", re.I)
_COMMENT: Final = re.compile(rb"<!--.*?-->", re.S)
_LIST: Final = re.compile(rb"<spectrumList(?:\s[^<>]*)?>")
_LIST_END: Final = re.compile(rb"\s*</spectrumList\s*>")
_SPECTRUM: Final = re.compile(rb"<spectrum[\s>]")
_END: Final = b"</spectrum>"


class _GiveUpError(Exception):
    """The file is none for this way."""


def read_fast(path: PathLike) -> Document | None:
    """Read where the spectra of an mzML file lie, or return None if it is odd."""
    try:
        return _read(path, tolerant=False)
    except (_GiveUpError, FormatError):
        return None


def salvage(path: PathLike) -> Document | None:
    """Read the spectra that are whole of a damaged file; None if there is no way."""
    try:
        return _read(path, tolerant=True)
    except (_GiveUpError, FormatError):
        return None


def _read(path: PathLike, *, tolerant: bool) -> Document:
    with Path(path).open("rb") as file:
        parser = NodeParser(path, {"spectrum": _one_elsewhere})
        buffer, begin = _head(file)
        declared = _DECLARATION.match(buffer)
        declaration = bytes(declared.group(1)) if declared else b""
        if b"encoding" in declaration and not _PLAIN.search(declaration):
            raise _GiveUpError
        parser.feed(bytes(buffer[:begin]))
        if parser.root is None:  # within a declaration that does not end
            raise _GiveUpError
        reader = _Reader(
            file,
            buffer,
            begin,
            groups_of(parser.root),
            str(path),
            declaration + b"<a>",
            tolerant=tolerant,
        )
        problems = reader.read_all()
        scans = reader.collector.scans()
        if reader.is_whole:
            problems += _tail(file, reader, parser, scans.begin.tolist(), tolerant)
        return Document(parser.root, scans, declaration + b"<a>", tuple(problems))


def _head(file: BufferedReader) -> tuple[bytearray, int]:
    """Return the first part of a file and where its first spectrum list begins."""
    buffer = bytearray()
    while True:
        piece = file.read(_PIECE)
        if not piece or len(buffer) > _LONGEST_HEAD or b"\0" in piece[:64]:
            raise _GiveUpError
        buffer += piece
        # A comment may hide a list.
        plain = _COMMENT.sub(lambda found: b" " * len(found.group()), bytes(buffer))
        begin = _LIST.search(plain)
        if begin is not None:
            if b"<!" in plain[: begin.start()]:
                raise _GiveUpError
            return buffer, begin.end()


def _one_elsewhere(node: Node) -> None:
    """Give up on a file with spectra outside of the list."""
    raise _GiveUpError


def _tail(
    file: BufferedReader,
    reader: _Reader,
    parser: NodeParser,
    begins: list[int],
    tolerant: bool,
) -> list[str]:
    """Read what follows the spectra; returns what is wrong with it."""
    rest = bytes(reader.buffer[reader.at :])
    problems = []
    try:
        # The index is as long as all else together, and of no use but for a check.
        if len(piece := file.read(_LONGEST_HEAD)) < _LONGEST_HEAD:
            rest, found = index_problems(rest + piece, begins)
            problems += found
            piece = b""
        while rest:
            parser.feed(rest)
            rest = piece or file.read(_PIECE)
            piece = b""
        parser.close()
    except FormatError as error:
        problems.append(error.message)
    except _GiveUpError:
        if not tolerant:
            raise
        problems.append("there are spectra outside of the list of spectra")
    return problems


class _Reader:
    """Goes through the spectra of a file.

    Attributes
    ----------
    buffer : bytearray
        What has been read of the file and is needed.
    at : int
        How far it was gone through.
    is_whole : bool
        Whether the end of the list was found.
    """

    def __init__(
        self,
        file: BufferedReader,
        buffer: bytearray,
        at: int,
        groups: Groups,
        path: str,
        opening: bytes,
        *,
        tolerant: bool,
    ) -> None:
        self.collector = Collector()
        self.buffer = buffer
        self.at = at
        self.is_whole = False
        self._file = file
        self._begin = 0  # of the buffer, in the file
        self._groups = groups
        self._path = path
        self._opening = opening
        self._tolerant = tolerant
        self._patterns: list[Pattern] = []
        self._axes = Axes()
        self._damaged: list[str] = []

    def read_all(self) -> list[str]:
        """Read up to the end of the list; returns what is wrong."""
        is_last = False
        while True:
            self._read_known()
            if _LIST_END.match(self.buffer, self.at):
                self.is_whole = True
                break
            end = self.buffer.find(_END, self.at)
            if end >= 0:
                self._read_one(end + len(_END))
                continue
            if is_last:
                self._damaged.append(self._cut())
                break
            if len(self.buffer) - self.at > _LONGEST:
                raise _GiveUpError
            is_last = not self._read_on()
        return self._damaged

    def _cut(self) -> str:
        rest = self.buffer[self.at :]
        if not self._tolerant and (b"<!" in rest or b"</spectrum" in rest):
            raise _GiveUpError
        n = len(self.collector)
        within = bool(_SPECTRUM.search(self.buffer, self.at))
        place = f"within spectrum {n}" if within else f"after {n} spectra"
        return f"the file ends {place}: it was probably not copied whole"

    def _read_on(self) -> bool:
        """Read a piece of the file; returns whether there is more.

        What is left goes to the front of the buffer, the piece behind it.
        """
        kept = len(self.buffer) - self.at
        self._begin += self.at
        size = max(_PIECE, 2 * kept)
        self.buffer[:kept] = self.buffer[self.at :]
        if len(self.buffer) < size:
            self.buffer.extend(bytes(size - len(self.buffer)))
        self.at = 0
        with memoryview(self.buffer) as view, view[kept:] as rest:
            count = self._file.readinto(rest)
        if kept + count < len(self.buffer):
            del self.buffer[kept + count :]
        return count > 0

    def _read_known(self) -> None:
        """Read spectra as long as they fit a pattern."""
        tried, which = 0, 0
        while tried < len(self._patterns):
            tried = 1 if self._read_by(self._patterns[which]) else tried + 1
            which = (which + 1) % len(self._patterns)

    def _read_by(self, pattern: Pattern) -> bool:
        buffer, at, before = self.buffer, self.at, self._begin
        form = pattern.form
        while (one := pattern.match(buffer, at)) is not None:
            words = {
                field: text.decode("ascii")
                for field, text in zip(pattern.caught, one.caught, strict=True)
            }
            words.update(pattern.fixed)
            places = {
                kind: (before + first, size)
                for kind, (first, size) in one.places.items()
            }
            axis = NO_AXIS
            if "mz" in places:
                axis = self._axes.number(form.mz, buffer, *one.places["mz"])
            self.collector.add(form, words, before + one.begin, places, axis)
            at = one.end
        moved = at > self.at
        self.at = at
        return moved

    def _read_one(self, end: int) -> None:
        """Read a spectrum that fits no pattern with the XML parser."""
        begin = self._start(end)
        if begin < 0:
            self.at = end
            return
        text = bytes(self.buffer[begin:end])
        if b"<!" in text or b"<?" in text:
            raise _GiveUpError
        try:
            entry = parse_spectrum(text, self._groups, self._path, self._opening)
        except FormatError as error:
            self._damage(f"spectrum {len(self.collector)}: {error.message}", error)
            self.at = end
            return
        place = {
            kind: plain_place(text, node.at) for kind, node in entry.binaries.items()
        }
        first, size = place.get("mz", (-1, -1))
        axis = NO_AXIS
        if first >= 0:
            axis = self._axes.number(entry.form.mz, text, first, size)
        absolute = {
            kind: (self._begin + begin + first if first >= 0 else -1, size)
            for kind, (first, size) in place.items()
        }
        words = {field: one.value for field, one in entry.fields.items()}
        self.collector.add(entry.form, words, self._begin + begin, absolute, axis)
        self.at = end
        if len(self._patterns) < _MOST_PATTERNS:
            pattern = make_pattern(text, entry)
            if pattern is not None and pattern.match(text, 0) is not None:
                self._patterns.append(pattern)

    def _start(self, end: int) -> int:
        """Return where the spectrum begins that ends there; -1 if there is none."""
        starts = [one.start() for one in _SPECTRUM.finditer(self.buffer, self.at, end)]
        between = self.buffer[self.at : starts[0] if starts else end]
        if between.strip() or not starts:
            self._damage(
                f"there is something that is no spectrum after spectrum "
                f"{len(self.collector) - 1}"
            )
        if len(starts) > 1:
            self._damage(f"spectrum {len(self.collector)} has no end")
        # Of several the last one is whole.
        return starts[-1] if starts else -1

    def _damage(self, words: str, error: FormatError | None = None) -> None:
        if not self._tolerant:
            raise _GiveUpError from error
        self._damaged.append(words)
