"""Terms of mzML and imzML elements, their own and those of the groups they refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_scope.formats.msi.xml_nodes import Node

__all__ = ["groups_of", "params"]


def groups_of(root: Node | None) -> dict[str, Node]:
    """Return the groups of terms by their ids."""
    if root is None:
        return {}
    return {node.get("id"): node for node in root.all("referenceableParamGroup")}


def params(node: Node, groups: Mapping[str, Node]) -> Iterator[tuple[Node, bool]]:
    """Yield the terms of an element, and whether each stands in a group."""
    for child in node.children:
        if child.tag == "cvParam":
            yield child, False
        elif child.tag == "referenceableParamGroupRef":
            group = groups.get(child.get("ref"))
            for one in group.children if group is not None else ():
                if one.tag == "cvParam":
                    yield one, True
