r"""The tree of a data set as lines of text, and as JSON.

Examples
--------
>>> from napari_scope.formats.tree_node import Facts, Node
>>> level = Node("level", "0", facts=Facts(("y", "x"), (64, 64), "uint8", nbytes=4096))
>>> print(*tree_lines(Node("image", "cells", known=(level,))), sep="\n")
image cells
└─ level 0  y 64 x 64  uint8  4.1 kB
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_scope.cli.printing import harmless
from napari_scope.formats.tree_node import described, size_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_scope.formats.tree_node import Node

__all__ = ["MOST_IMAGES", "facts_words", "nested", "tree_lines"]

MOST_IMAGES: Final = 24
"""So many images of a collection are printed, unless all are asked for."""


def tree_lines(
    root: Node, most: int | None = None, *, plain: bool = False
) -> Iterator[str]:
    """Yield the lines of a tree; the whole tree is read.

    Parameters
    ----------
    root : Node
        The top.
    most : int, optional
        So many children of a node are shown, and a line with the number of the others.
    plain : bool
        Whether the output takes nothing but ASCII.
    """
    root = root.described()
    yield _line(root, plain, root.facts.version)
    yield from _below(root, "", most, plain)


def _below(node: Node, before: str, most: int | None, plain: bool) -> Iterator[str]:
    children = node.children()
    shown = described(children[:most])
    left = len(children) - len(shown)
    fork, end, line = ("+- ", "+- ", "|  ") if plain else ("├─ ", "└─ ", "│  ")
    for number, child in enumerate(shown):
        last = number + 1 == len(shown) and not left
        yield f"{before}{end if last else fork}{_line(child, plain)}"
        yield from _below(child, before + ("   " if last else line), most, plain)
    if left:
        yield f"{before}{end}and {left:,} more"


def _line(node: Node, plain: bool, *more: str) -> str:
    title = node.name if node.kind in ("labels", "rest") else f"{node.kind} {node.name}"
    text = harmless("  ".join([title, *facts_words(node), *filter(None, more)]))
    if not plain:
        return text
    return text.replace("µ", "u").encode("ascii", "backslashreplace").decode()


def facts_words(node: Node) -> list[str]:
    """Return what is known of a node, the most telling first."""
    facts = node.facts
    shape = facts.shape_words.replace(" ×", "") if facts.axes else _sizes(facts.shape)
    words = [shape, facts.dtype]
    if facts.nbytes:
        words.append(size_words(facts.nbytes))
    words.append(facts.pixel_words)
    if facts.chunks:
        words.append(f"chunks {_sizes(facts.chunks)}")
    if facts.shards:
        words.append(f"shards {_sizes(facts.shards)}")
    words.append(", ".join(facts.codecs))
    if node.problem:
        words.append(f"problem: {node.problem}")
    return [word for word in words if word]


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def nested(node: Node) -> dict[str, Any]:
    """Return a tree as values of JSON; the whole tree is read."""
    node = node.described()
    found: dict[str, Any] = node.as_json()
    children = [nested(child) for child in described(node.children())]
    return {**found, "children": children} if children else found
