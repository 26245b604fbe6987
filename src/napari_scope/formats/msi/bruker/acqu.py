"""The parameters that flexControl writes beside each spectrum, ``acqu`` and ``acqus``.

Text like JCAMP-DX: ``##$KEY= value``, one or several lines each, in Latin-1. Strings
are in angle brackets, arrays begin with ``(0..N)``, what follows ``$$`` is a comment.
Here values get the type that they look like. What the keys mean is not known here.

Facts: the two public spots of the Gibb data set, and how readBrukerFlexData behaves.

Examples
--------
>>> parse_acqu(b"##$TD= 3"), parse_acqu(b"##$CMT1= <a b>"), parse_acqu(b"##$ON= yes")
({'TD': 3}, {'CMT1': 'a b'}, {'ON': True})
"""

from __future__ import annotations

import os
import re
import stat
from typing import Any, Final

from napari_scope.errors import FormatError

__all__ = ["MOST_BYTES", "parse_acqu", "read_acqu", "read_small"]

MOST_BYTES: Final = 4 << 20
"""Longest file of parameters that is read."""

# A pipe that nobody writes to would keep us waiting.
_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
)

_ARRAY = re.compile(r"\(\s*0\s*\.\.\s*\d+\s*\)(.*)", re.DOTALL)
_ITEM = re.compile(r"<[^>]*>|[^\s<]+")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_LINE = re.compile(r"\r\n|\n|\r")
_FLAGS: Final = {"yes": True, "no": False}


def read_acqu(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the parameters of a file by their keys, without ``##`` and ``$``.

    Raises
    ------
    FormatError
        If it cannot be read, or holds no parameter.
    """
    found = parse_acqu(read_small(path))
    if not found:
        raise FormatError("there is no parameter in it", path=path)
    return found


def read_small(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a small file.

    Raises
    ------
    FormatError
        If it cannot be read, or is larger than 4 MB.
    """
    # There is one in each of thousands of folders: as few calls as possible.
    try:
        descriptor = os.open(path, _READ)
        try:
            said = os.fstat(descriptor)
            if not stat.S_ISREG(said.st_mode):
                raise FormatError("this is no file", path=path)
            data = os.read(descriptor, min(said.st_size, MOST_BYTES + 1))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FormatError(
            f"the file cannot be read: {error.strerror}", path=path
        ) from error
    if len(data) > MOST_BYTES:
        raise FormatError(
            f"a file of parameters has a few kilobytes, not over {MOST_BYTES:,} bytes",
            path=path,
        )
    return data


def parse_acqu(data: bytes) -> dict[str, Any]:
    """Return parameters by their keys; of a key that is there twice the first one."""
    found: dict[str, Any] = {}
    for key, text in _entries(data.decode("latin-1")):
        found.setdefault(key, _typed(text))
    return found


def _entries(text: str) -> list[tuple[str, str]]:
    """Return keys and the texts of their values, lines joined by newlines."""
    entries: list[tuple[str, list[str]]] = []
    for line in _LINE.split(text):
        if line.startswith("##"):
            key, equals, value = line[2:].partition("=")
            if equals:
                entries.append((key.strip().removeprefix("$"), [value]))
        elif entries and not line.startswith("$$"):
            entries[-1][1].append(line)
    return [(key, "\n".join(lines).strip()) for key, lines in entries]


def _typed(text: str) -> Any:
    if text.startswith("<"):
        # Strings may have any character but the one that ends them.
        return text[1:].partition(">")[0]
    text = text.partition("$$")[0].strip()
    array = _ARRAY.fullmatch(text)
    if array is not None:
        return [_one(item) for item in _ITEM.findall(array.group(1))]
    return _one(text)


def _one(text: str) -> Any:
    if text.startswith("<"):
        return text.strip("<>")
    if text.lower() in _FLAGS:
        return _FLAGS[text.lower()]
    if _NUMBER.fullmatch(text) and len(text) < 64:
        try:
            return int(text)
        except ValueError:
            # Programs on German machines wrote decimal commas.
            return float(text.replace(",", "."))
    return text
