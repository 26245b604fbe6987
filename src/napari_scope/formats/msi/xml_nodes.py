"""XML of mzML and imzML as small trees, read piece by piece and without entities.

These files have gigabytes of text in which one element is repeated. Elements of that
kind are handed over one by one when they end, and forgotten; what remains is a tree of
everything else. Namespaces are passed over: what counts is the name.

A document that declares entities is refused (nothing in these formats needs them, and
they let a file of one page fill the memory or read other files), and so is one that is
nested deeper than any sane one.

Examples
--------
>>> found = []
>>> parser = NodeParser("a.mzML", {"spectrum": found.append})
>>> parser.feed(b'<run id="1"><spectrum id="a"/><spectrum id="b"/></run>')
>>> parser.close().attributes, [node.attributes["id"] for node in found]
({'id': '1'}, ['a', 'b'])
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Node", "NodeParser", "XMLCutError"]

_DEEPEST = 200


class XMLCutError(FormatError):
    """The document ends before its elements do; what was complete has been read."""


class Node:
    """An element.

    Attributes
    ----------
    tag : str
        Its name without a namespace.
    attributes : dict of str to str
        Its attributes.
    children : list of Node
        What is in it, but for what was handed over.
    text : str
        The text in it, where the parser was asked to keep it.
    at : int
        Where its tag begins, in bytes from the start of the document.
    """

    __slots__ = ("at", "attributes", "children", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str], at: int) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node] = []
        self.text = ""
        self.at = at

    def get(self, name: str, default: str = "") -> str:
        """Return an attribute."""
        return self.attributes.get(name, default)

    def all(self, *tags: str) -> Iterator[Node]:
        """Yield everything below with one of these names, in the document's order."""
        for child in self.children:
            if child.tag in tags:
                yield child
            yield from child.all(*tags)

    def first(self, tag: str) -> Node | None:
        """Return the first element below with a name, or None."""
        return next(self.all(tag), None)


class NodeParser:
    """Reads a document piece by piece.

    Parameters
    ----------
    path : str or PathLike
        What error messages name.
    handed : mapping of str to callable
        Elements with these names are handed over when they end, and not kept.
    texts : bool
        Keep the texts of elements.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        handed: Mapping[str, Callable[[Node], object]] | None = None,
        *,
        texts: bool = False,
    ) -> None:
        self._path = path
        self._handed = dict(handed or {})
        self._stack: list[Node] = []
        self._root: Node | None = None
        self._texts: list[list[str]] = []
        parser = self._parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._outside
        if texts:
            parser.CharacterDataHandler = self._text
        self._keeps_texts = texts

    def feed(self, data: bytes) -> None:
        """Read a piece of the document.

        Raises
        ------
        FormatError
            If it is no XML, or has entities.
        """
        self._parse(data, last=False)

    def close(self) -> Node:
        """End the document and return its outermost element.

        Raises
        ------
        XMLCutError
            If elements are still open.
        FormatError
            If there was no element.
        """
        self._parse(b"", last=True)
        if self._root is None:
            raise FormatError("there is no XML element", path=self._path)
        return self._root

    @property
    def root(self) -> Node | None:
        """The outermost element, as far as it has been read."""
        return self._root

    @property
    def open_at(self) -> int:
        """Where the tag of the innermost element that is still open begins; or -1."""
        return self._stack[-1].at if self._stack else -1

    def _parse(self, data: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            place = f"line {error.lineno}, column {error.offset + 1}"
            if last and self._stack:
                tags = " > ".join(node.tag for node in self._stack)
                raise XMLCutError(
                    f"the XML ends within {tags} at {place}",
                    path=self._path,
                    hint="it was probably not copied whole",
                ) from error
            raise FormatError(
                f"the XML is damaged at {place}: {reason}", path=self._path
            ) from error
        except (LookupError, ValueError) as error:
            # Encodings that Python does not know, or that have several bytes a letter.
            raise FormatError(
                f"the XML is in an encoding that cannot be read: {error}",
                path=self._path,
            ) from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._stack) >= _DEEPEST:
            raise FormatError(
                f"elements are nested more than {_DEEPEST} deep, at line "
                f"{self._parser.CurrentLineNumber}",
                path=self._path,
            )
        node = Node(name.rpartition(":")[2], attributes, self._parser.CurrentByteIndex)
        if not self._stack:
            self._root = node
        elif node.tag not in self._handed:
            self._stack[-1].children.append(node)
        self._stack.append(node)
        if self._keeps_texts:
            self._texts.append([])

    def _text(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)

    def _end(self, name: str) -> None:
        node = self._stack.pop()
        if self._keeps_texts:
            node.text = "".join(self._texts.pop())
        take = self._handed.get(node.tag)
        if take is not None:
            take(node)

    def _entity(self, name: str, *_: object) -> None:
        raise FormatError(
            f"the document declares the entity {name!r}, at line "
            f"{self._parser.CurrentLineNumber}",
            path=self._path,
            hint="files with entities are not opened, they may be an attack",
        )

    def _outside(self, *_: object) -> int:
        raise FormatError(
            "the document refers to another document, at line "
            f"{self._parser.CurrentLineNumber}",
            path=self._path,
            hint="files with entities are not opened, they may be an attack",
        )
