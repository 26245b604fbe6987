"""XML elements as trees, and flat, as lists.

A flat element is its name, the number of its attributes, these one after the other
(name, value, name, value ...), what is in it, and None. Lists of elements that are
alike are equal but for some values, at the same places.

Examples
--------
>>> (node,) = nodes_of(["a", 0, "b", 1, "i", "1", None, None])
>>> node.tag, [(child.tag, child.attributes) for child in node.children]
('a', [('b', {'i': '1'})])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

__all__ = ["Flat", "Node", "nodes_of", "open_in"]

Flat: TypeAlias = list[Any]


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


def nodes_of(flat: Flat, handed: Container[str] = ()) -> list[Node]:
    """Return a flat element as a tree.

    Parameters
    ----------
    flat : list
        The element.
    handed : container of str
        Elements in it with these names are not kept in the tree; they are returned
        before it, in the order in which they end.

    Returns
    -------
    list of Node
        The element is the last one; `Node.at` is where each begins in the list.

    Examples
    --------
    >>> nodes = nodes_of(["a", 0, "b", 1, "i", "1", None, "c", 0, None, None], {"b"})
    >>> [(node.tag, node.attributes, node.at) for node in nodes]
    [('b', {'i': '1'}, 2), ('a', {}, 0)]
    """
    stack: list[Node] = []
    ended: list[Node] = []
    at = 0
    while at < len(flat):
        name = flat[at]
        if name is None:
            node = stack.pop()
            if not stack or node.tag in handed:
                ended.append(node)
            at += 1
            continue
        end = at + 2 + 2 * flat[at + 1]
        attributes = dict(
            zip(flat[at + 2 : end : 2], flat[at + 3 : end : 2], strict=True)
        )
        node = Node(name.rpartition(":")[2], attributes, at)
        if stack and node.tag not in handed:
            stack[-1].children.append(node)
        stack.append(node)
        at = end
    return ended


def open_in(flat: Flat) -> list[str]:
    """Return the names of the elements of a list that have not ended."""
    tags: list[str] = []
    at = 0
    while at < len(flat):
        name = flat[at]
        if name is None:
            tags.pop()
            at += 1
        else:
            tags.append(name.rpartition(":")[2])
            at += 2 + 2 * flat[at + 1]
    return tags
