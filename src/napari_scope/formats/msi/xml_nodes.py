"""XML of mzML and imzML as small trees, read piece by piece and without entities.

These files have gigabytes of text in which one element is repeated. Elements of that
kind are handed over one by one when they end, and forgotten; what remains is a tree of
everything else. Namespaces are passed over: what counts is the name.

Who compares them with each other before looking closer takes them flat, which costs a
third of a tree, see `xml_tree`.

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
>>> parser = NodeParser("a.mzML", flat={"scan": print})
>>> parser.feed(b'<run><scan id="a"><b/></scan></run>')
['scan', 1, 'id', 'a', 'b', 0, None, None]
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from napari_scope.errors import FormatError
from napari_scope.formats.msi.xml_tree import Node, open_in

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from napari_scope.formats.msi.xml_tree import Flat

__all__ = ["Node", "NodeParser", "XMLCutError"]

_DEEPEST = 200


class XMLCutError(FormatError):
    """The document ends before its elements do; what was complete has been read."""


class NodeParser:
    """Reads a document piece by piece.

    Parameters
    ----------
    path : str or PathLike
        What error messages name.
    handed : mapping of str to callable
        Elements with these names are handed over when they end, and not kept.
    flat : mapping of str to callable
        So are these, as lists; the outermost element is none of them. What is in them
        is not handed over by itself, see `nodes_of`.
    texts : bool
        Keep the texts of elements; not of flat ones.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        handed: Mapping[str, Callable[[Node], object]] | None = None,
        *,
        flat: Mapping[str, Callable[[Flat], object]] | None = None,
        texts: bool = False,
    ) -> None:
        self._path = path
        self._handed = dict(handed or {})
        self._flat_names = dict(flat or {})
        self._flat: Flat = []
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
                inner = open_in(self._flat)
                tags = " > ".join([*(node.tag for node in self._stack), *inner])
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
            raise self._too_deep()
        tag = name.rpartition(":")[2]
        if self._stack and tag in self._flat_names:
            self._start_flat(name, attributes, self._flat_names[tag])
            return
        node = Node(tag, attributes, self._parser.CurrentByteIndex)
        if not self._stack:
            self._root = node
        elif node.tag not in self._handed:
            self._stack[-1].children.append(node)
        self._stack.append(node)
        if self._keeps_texts:
            self._texts.append([])

    def _start_flat(
        self,
        name: str,
        attributes: dict[str, str],
        take: Callable[[Flat], object],
    ) -> None:
        """Collect an element in a list until it ends.

        This is called for each tag of large files: nothing is looked up in it.
        """
        parser = self._parser
        flat = self._flat
        flat += [name, len(attributes)]
        for pair in attributes.items():
            flat += pair
        append, extend = flat.append, flat.extend
        depth, deepest = 1, _DEEPEST - len(self._stack)

        def start(name: str, attributes: list[str]) -> None:
            nonlocal depth
            depth += 1
            if depth > deepest:
                raise self._too_deep()
            append(name)
            append(len(attributes) >> 1)
            extend(attributes)

        def end(name: str) -> None:
            nonlocal depth
            depth -= 1
            append(None)
            if depth:
                return
            parser.StartElementHandler = self._start
            parser.EndElementHandler = self._end
            parser.ordered_attributes = False
            take(flat)
            flat.clear()

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.ordered_attributes = True

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

    def _too_deep(self) -> FormatError:
        return FormatError(
            f"elements are nested more than {_DEEPEST} deep, at line "
            f"{self._parser.CurrentLineNumber}",
            path=self._path,
        )

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
