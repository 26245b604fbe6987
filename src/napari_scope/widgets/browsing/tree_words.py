"""What the tree says of a node: cells, tips and the lines below the tree.

It takes everything from the node and reads no file.

Examples
--------
>>> from napari_scope.formats.tree_node import Facts, Node
>>> shape_words(
...     Node("plate", "p", facts=Facts(count=6, rows=("A", "B"), columns="123"))
... )
'2 × 3, 6 wells'
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from napari_scope.formats.tree_node import size_words

if TYPE_CHECKING:
    from napari_scope.formats.tree_node import Node

__all__ = ["channel_words", "fact_lines", "name_words", "shape_words", "size_of", "tip"]

_COUNTED: Final = {
    "plate": ("well", "wells"),
    "row": ("well", "wells"),
    "well": ("field", "fields"),
    "labels": ("label image", "label images"),
    "msi": ("data set", "data sets"),
}
_TITLES: Final = {"msi": "Mass spectra"}
_NUMBERED: Final = ("field", "level")
_MOST_CHANNELS: Final = 12


def name_words(node: Node) -> str:
    """Return the name; a number is said to be that of a field or level."""
    return f"{node.kind} {node.name}" if node.kind in _NUMBERED else node.name


def shape_words(node: Node) -> str:
    """Return the shape of an image, or how many parts something has."""
    facts = node.facts
    if facts.shape:
        return facts.shape_words
    if facts.count is None:
        return ""
    one, several = _COUNTED.get(node.kind, ("image", "images"))
    words = f"{facts.count:,} {one if facts.count == 1 else several}"
    if facts.rows and facts.columns:
        words = f"{len(facts.rows)} × {len(facts.columns)}, {words}"
    return words


def size_of(node: Node) -> str:
    """Return how many bytes the pixels take, were they not compressed."""
    return size_words(node.facts.nbytes) if node.facts.nbytes else ""


def channel_words(node: Node) -> str:
    """Return the names of the channels; of a level how its pixels are stored.

    Of mass-spectrometry images it is the range of the m/z.
    """
    facts = node.facts
    names = facts.channels
    if len(names) > _MOST_CHANNELS:
        return f"{', '.join(names[:_MOST_CHANNELS])} and {len(names) - _MOST_CHANNELS}"
    return (
        ", ".join(names)
        or ", ".join(facts.codecs)
        or facts.acquisition
        or facts.mz_words
    )


def fact_lines(node: Node) -> list[tuple[str, str]]:
    """Return all that is known of a node as names and values."""
    facts = node.facts
    lines = [
        (_TITLES.get(node.kind, node.kind.capitalize()), _called(node)),
        ("Format", facts.version),
        ("Shape", shape_words(node)),
        ("Type", facts.dtype),
        ("Pixel", facts.pixel_words),
        ("Spectra", f"{facts.spectra:,}" if facts.spectra else ""),
        ("Range", facts.mz_words),
        ("Regions", f"{facts.regions:,}" if facts.regions > 1 else ""),
        ("Size", _size_words(node)),
        ("Levels", str(facts.levels) if facts.levels else ""),
        ("Channels", ", ".join(facts.channels)),
        ("Acquisition", facts.acquisition),
        ("Acquisitions", ", ".join(name for _, name in facts.acquisitions)),
        ("Chunks", " × ".join(map(str, facts.chunks))),
        ("Shards", " × ".join(map(str, facts.shards))),
        ("Codecs", ", ".join(facts.codecs)),
        ("Problem", node.problem),
    ]
    return [(name, value) for name, value in lines if value]


def _called(node: Node) -> str:
    """Return its path where that tells more than its name does."""
    return node.name if node.msi is not None else node.path or node.name


def _size_words(node: Node) -> str:
    if not node.facts.nbytes:
        return ""
    words = "of spectra" if node.msi is not None else "uncompressed"
    return f"{size_of(node)} {words}"


def tip(node: Node) -> str:
    """Return the facts as a small table of HTML; names of files are escaped."""
    rows = (
        f"<tr><td>{escape(name)}&nbsp;</td><td>{escape(value[:1000])}</td></tr>"
        for name, value in fact_lines(node)
    )
    return f"<table>{''.join(rows)}</table>"
