"""The attributes of a group as a mapping that reads and writes the file.

Every look reads the document anew and every assignment changes the document that is
there at that moment, so what another node or process wrote meanwhile stays.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_scope.formats.ngff.nodes.hierarchy import Place

__all__ = ["Attributes"]


class Attributes(MutableMapping[str, Any]):
    """Attributes of a group.

    Parameters
    ----------
    place : Place
        The group.
    section : str, optional
        Key of a part of them (``ome``) that is to be seen as the whole.
    changed : callable, optional
        Called after each change.
    """

    def __init__(
        self,
        place: Place,
        section: str | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._place = place
        self._section = section
        self._changed = changed

    def asdict(self) -> dict[str, Any]:
        """Return all of them as a dictionary of their own."""
        attributes = self._place.tree.attributes(self._place.path)
        if self._section is not None:
            part = attributes.get(self._section)
            return dict(part) if isinstance(part, dict) else {}
        return dict(attributes)

    def __getitem__(self, key: str) -> Any:
        return self.asdict()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.asdict())

    def __len__(self) -> int:
        return len(self.asdict())

    def __contains__(self, key: object) -> bool:
        return key in self.asdict()

    def __setitem__(self, key: str, value: Any) -> None:
        self._change(lambda part: part.__setitem__(key, value))

    def __delitem__(self, key: str) -> None:
        self._change(lambda part: part.__delitem__(key))

    def update(self, *others: Any, **values: Any) -> None:
        """Set several keys with one change of the file."""
        new = dict(*others, **values)
        self._change(lambda part: part.update(new))

    def put(self, values: dict[str, Any]) -> None:
        """Replace all of them."""

        def replace(part: dict[str, Any]) -> None:
            part.clear()
            part.update(values)

        self._change(replace)

    def __repr__(self) -> str:
        return f"Attributes({self.asdict()!r})"

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        def apply(attributes: dict[str, Any]) -> None:
            if self._section is None:
                change(attributes)
                return
            part = attributes.get(self._section)
            if not isinstance(part, dict):
                part = attributes[self._section] = {}
            change(part)

        self._place.tree.change(self._place.path, apply)
        if self._changed is not None:
            self._changed()
