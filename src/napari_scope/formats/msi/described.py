"""What parts of an mzML or imzML document say of themselves, as metadata.

Examples
--------
>>> described(root, ["instrumentConfigurationList"])  # doctest: +SKIP
{'LCQ Deca': MetadataValue(value=True, unit='', ...), ...}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_scope.formats.msi.spectra import MetadataValue
from napari_scope.formats.msi.xml_terms import groups_of, params

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.formats.msi.xml_nodes import Node

__all__ = ["described", "typed"]


def described(root: Node, tags: Sequence[str]) -> dict[str, MetadataValue]:
    """Return the terms of some parts of a document by their names.

    One of a name that is there already gets the id of its element in front.

    Parameters
    ----------
    root : Node
        The document.
    tags : sequence of str
        Names of the elements whose terms, and those below, are wanted.
    """
    groups = groups_of(root)
    found: dict[str, MetadataValue] = {}
    for part in root.all(*tags):
        for owner in (part, *_below(part)):
            terms = [node for node, _ in params(owner, groups)]
            terms += [node for node in owner.children if node.tag == "userParam"]
            for node in terms:
                name = node.get("name")
                if name in found:
                    name = f"{owner.get('id') or owner.tag}: {name}"
                found[name] = MetadataValue(
                    typed(node.get("value")),
                    node.get("unitName"),
                    "",
                    node.get("accession"),
                )
    return found


def _below(node: Node) -> list[Node]:
    below = []
    for child in node.children:
        if "Param" not in child.tag:
            below += [child, *_below(child)]
    return below


def typed(text: str) -> Any:
    """Return a number where a text is one, True where a term stands for itself.

    Examples
    --------
    >>> typed("3"), typed("0.5"), typed("DHB"), typed("")
    (3, 0.5, 'DHB', True)
    """
    if not text:
        return True
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
