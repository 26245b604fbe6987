"""A plate in a few lines: the map of its wells, and what one field is like.

The documents of all wells are read, of the fields only the first that can be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_scope.cli.printing import harmless
from napari_scope.cli.tree_lines import facts_words
from napari_scope.formats.tree_node import described, size_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_scope.formats.tree_node import Node

__all__ = ["plate_lines"]

_NO_WELL: Final = "."
_NOT_READ: Final = "!"
_MOST_FIELDS_TRIED: Final = 10
_WIDEST: Final = 100  # columns of a plate that are drawn


def plate_lines(plate: Node) -> Iterator[str]:
    """Yield the lines that tell of a plate.

    Parameters
    ----------
    plate : Node
        The root of the tree of a plate.
    """
    rows = plate.children()
    wells = described([well for row in rows for well in row.children()])
    fields = [well.facts.count or 0 for well in wells]
    facts = plate.facts
    yield (
        f"plate {harmless(plate.name)}: {len(facts.rows)} rows x "
        f"{len(facts.columns)} columns, {facts.count} wells, {sum(fields)} fields"
    )
    if facts.acquisitions:
        names = ", ".join(name for _, name in facts.acquisitions)
        yield f"acquisitions: {harmless(names)}"
    yield ""
    yield from _map(facts.rows, facts.columns, wells)
    yield ""
    first = _first_field([field for well in wells for field in well.children()])
    if first is None:
        yield "no field can be read"
    else:
        yield f"field {harmless(first.path)}  {harmless('  '.join(facts_words(first)))}"
        if first.facts.channels:
            yield f"  channels: {harmless(', '.join(first.facts.channels))}"
        for child in described(first.children()):
            name = child.name
            if child.kind == "labels":
                name = ", ".join(one.name for one in child.children())
            words = "  ".join([f"{child.kind} {name}", *facts_words(child)])
            yield f"  {harmless(words)}"
        size = first.facts.nbytes * sum(fields)
        yield f"if all fields are like this: {size_words(size)} uncompressed"
    for well in wells:
        if well.problem:
            yield f"problem: well {harmless(well.path)}: {harmless(well.problem)}"


def _map(
    rows: Sequence[str], columns: Sequence[str], wells: Iterable[Node]
) -> Iterator[str]:
    """Yield the map: the number of fields of each well at its place."""
    cells: dict[tuple[str, str], str] = {}
    for well in wells:
        count = _NOT_READ if well.problem else str(well.facts.count or 0)
        cells |= dict.fromkeys(well.wells, count)
    shown = columns[:_WIDEST]
    names = [harmless(column) for column in shown]
    width = max(map(len, [*names, *cells.values()]), default=1)
    left = max((len(harmless(row)) for row in rows), default=1)
    yield " " * left + "  " + " ".join(name.rjust(width) for name in names)
    for row in rows:
        found = (cells.get((row, column), _NO_WELL) for column in shown)
        yield f"{harmless(row):>{left}}  " + " ".join(c.rjust(width) for c in found)
    legend = "fields in each well"
    if len(cells) < len(rows) * len(columns):
        legend += f"; {_NO_WELL} no well"
    if _NOT_READ in cells.values():
        legend += f"; {_NOT_READ} cannot be read"
    if len(columns) > len(shown):
        legend += f"; {len(columns) - len(shown)} more columns are not drawn"
    yield legend


def _first_field(fields: Sequence[Node]) -> Node | None:
    for field in fields[:_MOST_FIELDS_TRIED]:
        found = field.described()
        if found.facts.shape:
            return found
    return None
