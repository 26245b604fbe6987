"""The tree of a store as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.nodes.hierarchy import Hierarchy, join, natural

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tree_lines"]

_DEEPEST = 64


def tree_lines(
    tree: Hierarchy, path: str = "", level: int | None = None
) -> Iterator[str]:
    """Yield the lines of a tree: names of groups, shape and type of arrays.

    Parameters
    ----------
    tree : Hierarchy
        The store.
    path : str
        The group to start from.
    level : int, optional
        Maximum depth to show.
    """
    yield f"/{path}"
    yield from _members(tree, path, "", _DEEPEST if level is None else level)


def _members(tree: Hierarchy, path: str, margin: str, depth: int) -> Iterator[str]:
    if depth <= 0:
        return
    arrays = tree.children(path, "array")
    groups = set(tree.children(path, "group"))
    names = sorted([*arrays, *groups], key=natural)
    for number, name in enumerate(names):
        last = number == len(names) - 1
        below = join(path, name)
        text = name if name in groups else f"{name} {_describe(tree, below)}"
        yield f"{margin}{'└── ' if last else '├── '}{text}"
        if name in groups:
            inner = margin + ("    " if last else "│   ")
            yield from _members(tree, below, inner, depth - 1)


def _describe(tree: Hierarchy, path: str) -> str:
    try:
        info = tree.info(path)
    except FormatError as error:
        return f"({error.message})"
    return f"{info.shape} {info.dtype.name}"
