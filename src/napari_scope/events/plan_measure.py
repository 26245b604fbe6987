"""How large and how deep a value is before it is built: aliases of yaml expanded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from napari_scope.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Measure"]

# Sequences in sequences take three levels each; what is deeper meets limits of other
# programs later, when it is stored with the data.
_MAX_DEPTH = 64


class Measure:
    """Measures values of json or nodes of yaml, each once however often it occurs.

    Parameters
    ----------
    path : Path, optional
        The file, for errors.

    Attributes
    ----------
    written : int
        Values and characters of text as they stand in the file.
    """

    def __init__(self, path: Path | None) -> None:
        self.written = 0
        self._path = path
        # None: not all of its parts have been looked at yet.
        self._known: dict[int, tuple[int, int] | None] = {}

    def of(self, value: object, depth: int) -> tuple[int, int]:
        """Return the size of a value at some depth, with aliases expanded.

        Returns
        -------
        (int, int)
            Values and characters of text; levels.

        Raises
        ------
        PlanError
            If there are too many levels, or a value contains itself.
        """
        if isinstance(value, str | int | float | None):
            return 1, 1  # of json, where equal ones may be the same object
        if id(value) not in self._known:
            self._known[id(value)] = None
            if depth > _MAX_DEPTH:
                raise self._too_deep()
            own = 1 + (len(value.value) if isinstance(value, yaml.ScalarNode) else 0)
            self.written += own
            parts = [self.of(part, depth + 1) for part in _parts(value)]
            size = own + sum(size for size, _ in parts)
            levels = 1 + max((levels for _, levels in parts), default=0)
            self._known[id(value)] = size, levels
        found = self._known[id(value)]
        if found is None:
            raise PlanError(
                "a part of the plan contains itself, by an alias (*name)",
                path=self._path,
                hint="write out what is meant",
            )
        if depth + found[1] - 1 > _MAX_DEPTH:
            raise self._too_deep()
        return found

    def _too_deep(self) -> PlanError:
        return PlanError(
            f"the plan is nested more than {_MAX_DEPTH} levels deep",
            path=self._path,
            hint="keep such metadata in a file of their own",
        )


def _parts(value: object) -> Iterable[object]:
    """Return the parts of a list or mapping, of json or of a node of yaml."""
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, yaml.MappingNode):
        return (part for pair in value.value for part in pair)
    if isinstance(value, yaml.SequenceNode):
        return list(value.value)
    return value if isinstance(value, list) else ()
