"""The same columns as `document.read_strictly`, from most files many times as fast.

Programs write one spectrum like the other: the text of all of them is the same but for
some values. So the first one is read with the XML parser and made into a pattern, in
which the values that are wanted are caught, values that mean nothing (ids, indices) may
be anything, and every other byte has to be as it is. What fits the pattern means the
same as its first spectrum, by construction; a spectrum that does not fit is read with
the parser and makes a pattern of its own. Files with too many kinds of spectra, with
comments or letters beyond ASCII in them, or with other quotation marks are left to the
strict way (None is returned), and so is all that is not as it should be: errors are
found there. What was caught becomes numbers piece by piece, so that little more memory
is needed than the columns have.

Examples
--------
>>> document = read_fast("brain.imzML") or read_strictly(
...     "brain.imzML"
... )  # doctest: +SKIP
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml import terms
from napari_scope.formats.msi.imzml.document import PASSED, Document
from napari_scope.formats.msi.imzml.entry import (
    FIELDS,
    FREE,
    LARGEST,
    MISSING,
    read_entry,
)
from napari_scope.formats.msi.xml_nodes import NodeParser
from napari_scope.formats.msi.xml_terms import groups_of

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

    from napari_scope.formats.msi.imzml.entry import Entry, Form, Groups
    from napari_scope.formats.msi.xml_nodes import Node

    PathLike = str | os.PathLike[str]

__all__ = ["read_fast"]

_PIECE: Final = 4 << 20
_LONGEST: Final = 8 << 20  # bytes of the head of a file, and of one spectrum
_MOST_PATTERNS: Final = 24
_LIST: Final = re.compile(rb"<spectrumList(?:\s[^<>]*)?>")
_END: Final = b"</spectrum>"
_LIST_END: Final = b"</spectrumList"
_WHITE: Final = b" \t\r\n"
# Values of these terms are a part of the form.
_DECIDING: Final = (terms.LEVEL.encode(),)
_ATTRIBUTE: Final = re.compile(rb'\s([A-Za-z:]+)="([^"]*)"')
# What a value may hold that is the same in every encoding and needs no second look.
_VALUE: Final = rb"[ !#-%'-;=-~]*"
_TAG: Final = re.compile(rb'<[A-Za-z:]+(?:\s+[A-Za-z:]+="[^"]*")*\s*/?>')


class _Pattern(NamedTuple):
    """What spectra of one kind look like.

    ``caught`` names the groups of the expression, ``fixed`` are the numbers that are
    the same in all of them.
    """

    expression: re.Pattern[bytes]
    caught: tuple[str, ...]
    fixed: dict[str, str]
    form: Form


class _GiveUpError(Exception):
    """The file is none for the fast way."""


def read_fast(path: PathLike) -> Document | None:
    """Read the XML of an imzML file, or return None if it has to be read strictly."""
    try:
        with Path(path).open("rb") as file:
            return _read(path, file)
    except (_GiveUpError, FormatError, OSError):
        return None


def _read(path: PathLike, file: BinaryIO) -> Document:
    parser = NodeParser(path, {"spectrum": _one_elsewhere, **PASSED})
    buffer = bytearray()
    while (begin := _list_in(buffer, parser)) is None:
        piece = file.read(_PIECE)
        if not piece or len(buffer) > _LONGEST or b"\0" in piece[:64]:
            raise _GiveUpError
        buffer += piece
    reader = _SpectrumReader(groups_of(parser.root), path)
    del buffer[:begin]
    end = _read_spectra(file, buffer, reader)
    # The strict parser sees to it that what is around the spectra is whole.
    rest = bytes(buffer[end:])
    while rest:
        parser.feed(rest)
        rest = file.read(_PIECE)
    root = parser.close()
    return reader.document(root)


def _list_in(buffer: bytearray, parser: NodeParser) -> int | None:
    """Return where the spectra begin; the parser has been fed what is before them."""
    done = 0
    # Of what is not whole yet nothing is fed, so that this can be tried again.
    if (last := _LIST.search(buffer)) is None:
        return None
    # Declarations may add attributes that do not stand in the text.
    if b"<!DOCTYPE" in buffer[: last.start()]:
        raise _GiveUpError
    for begin in _LIST.finditer(buffer):
        parser.feed(bytes(buffer[done : begin.end()]))
        done = begin.end()
        if parser.open_at == begin.start():  # it stands in no comment
            return done
    raise _GiveUpError


def _one_elsewhere(node: Node) -> None:
    """Give up on a file with spectra outside of the list."""
    raise _GiveUpError


def _read_spectra(file: BinaryIO, buffer: bytearray, reader: _SpectrumReader) -> int:
    """Read all spectra; the buffer then begins with the last piece of the file.

    Returns where in it the list ends.
    """
    at, is_last = 0, False
    while True:
        at = reader.read(buffer, at)
        # What follows is the end, another kind of spectrum, or not all there yet.
        if buffer[at : at + 256].lstrip(_WHITE).startswith(_LIST_END):
            return at
        end = buffer.find(_END, at)
        if end >= 0:
            end += len(_END)
            at = reader.learn(bytes(buffer[at:end]), at)
            continue
        if is_last:
            return at
        if len(buffer) - at > _LONGEST:
            raise _GiveUpError
        reader.settle()
        del buffer[:at]
        at = 0
        piece = file.read(_PIECE)
        is_last = len(piece) < _PIECE
        buffer += piece


class _SpectrumReader:
    """Reads spectra by patterns, and makes patterns of those that fit none."""

    def __init__(self, groups: Groups, path: PathLike) -> None:
        self._groups = groups
        self._path = path
        self._patterns: list[_Pattern] = []
        # What each pattern has caught, and as which spectrum of the file.
        self._caught: list[list[tuple[bytes, ...]]] = []
        self._numbers: list[list[int]] = []
        self._settled: list[dict[str, npt.NDArray[np.generic]]] = []
        self._n = 0
        self._forms: dict[Form, int] = {}

    def read(self, buffer: bytearray, at: int) -> int:
        """Read spectra as long as they fit a pattern; returns where they end."""
        which = 0
        tried = 0
        while tried < len(self._patterns):
            match = self._patterns[which].expression.match
            found, numbers, n = self._caught[which], self._numbers[which], self._n
            while (one := match(buffer, at)) is not None:
                found.append(one.groups())
                numbers.append(n)
                n += 1
                at = one.end()
            tried = 1 if n > self._n else tried + 1
            self._n = n
            which = (which + 1) % len(self._patterns)
        return at

    def learn(self, text: bytes, at: int) -> int:
        """Make a pattern of a spectrum that fits none; returns where it begins."""
        if len(self._patterns) >= _MOST_PATTERNS:
            raise _GiveUpError
        pattern = _pattern(text, self._groups, self._path)
        if pattern.expression.match(text) is None:
            raise _GiveUpError
        self._forms.setdefault(pattern.form, len(self._forms))
        self._patterns.append(pattern)
        self._caught.append([])
        self._numbers.append([])
        return at

    def settle(self) -> None:
        """Turn what was caught so far into numbers."""
        begin = sum(len(columns["x"]) for columns in self._settled)
        n = self._n - begin
        if not n:
            return
        columns: dict[str, npt.NDArray[np.generic]] = {
            field: np.full(n, np.nan) if field == "total" else np.full(n, MISSING)
            for field in FIELDS
        }
        form = np.zeros(n, np.int64)
        for pattern, rows, numbers in zip(
            self._patterns, self._caught, self._numbers, strict=True
        ):
            if not rows:
                continue
            mine = np.array(numbers) - begin
            form[mine] = self._forms[pattern.form]
            for name, text in pattern.fixed.items():
                columns[name][mine] = _column(name, [text.encode()])[0]
            for name, texts in zip(
                pattern.caught, zip(*rows, strict=True), strict=True
            ):
                columns[name][mine] = _column(name, texts)
            rows.clear()
            numbers.clear()
        self._settled.append({**columns, "form": form})

    def document(self, root: Node) -> Document:
        """Return all that was read."""
        self.settle()
        if not self._settled:  # a list without spectra
            raise _GiveUpError
        columns = {
            name: np.concatenate([settled[name] for settled in self._settled])
            for name in (*FIELDS, "form")
        }
        form = columns.pop("form").astype(np.int64, copy=False)
        return Document(root, columns, form, tuple(self._forms))


def _column(
    name: str, texts: tuple[bytes, ...] | list[bytes]
) -> npt.NDArray[np.generic]:
    try:
        if name == "total":
            return np.array([float(text) for text in texts])
        values = np.array([int(text) for text in texts], np.int64)
    except (ValueError, OverflowError) as error:
        raise _GiveUpError from error
    if len(values) and np.abs(values).max() > LARGEST:
        raise _GiveUpError
    return values


def _pattern(text: bytes, groups: Groups, path: PathLike) -> _Pattern:
    """Make a pattern of the text of a spectrum and what is before it."""
    begin = text.find(b"<spectrum")
    odd = b"<!" in text or b"<?" in text or not text.isascii()
    if begin < 0 or text[:begin].strip(_WHITE) or odd:
        raise _GiveUpError
    entry = _parsed(text[begin:], groups, path)
    wanted = {
        number.at + begin: field
        for field, number in entry.numbers.items()
        if number.at >= 0
    }
    fixed = {f: n.value for f, n in entry.numbers.items() if n.at < 0}
    parts: list[bytes] = []
    caught: list[str] = []
    done = 0
    for tag in _TAG.finditer(text, begin):
        field = wanted.get(tag.start())
        is_term = tag.group().startswith((b"<cvParam", b"<userParam"))
        decides = any(accession in tag.group() for accession in _DECIDING)
        for attribute in _ATTRIBUTE.finditer(text, tag.start(), tag.end()):
            name = attribute.group(1).decode()
            if field is not None and name == "value":
                parts += [
                    re.escape(text[done : attribute.start(2)]),
                    b"(" + _VALUE + b")",
                ]
                caught.append(field)
            elif (name == "value" and not decides) if is_term else (name in FREE):
                parts += [re.escape(text[done : attribute.start(2)]), _VALUE]
            else:
                continue
            done = attribute.end(2)
    parts.append(re.escape(text[done:]))
    if len(caught) != len(wanted):
        raise _GiveUpError
    return _Pattern(re.compile(b"".join(parts)), tuple(caught), fixed, entry.form)


def _parsed(text: bytes, groups: Groups, path: PathLike) -> Entry:
    nodes: list[Node] = []
    parser = NodeParser(path, {"spectrum": nodes.append})
    # The parser counts the bytes of what it is fed: the outer element comes last.
    parser.feed(b"<a>" + text + b"</a>")
    parser.close()
    if len(nodes) != 1:
        raise _GiveUpError
    entry = read_entry(nodes[0], groups)
    ahead = len(b"<a>")
    return entry._replace(
        numbers={
            field: number if number.at < 0 else number._replace(at=number.at - ahead)
            for field, number in entry.numbers.items()
        }
    )
