"""Plans that are kept: presets by their names, and those of earlier runs.

They are texts (yaml) in what the docks remember. What cannot be read any more is left
out. It knows no widgets.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_scope.widgets.common.remembered import Remembered

__all__ = ["KeptPlan", "PlanShelf"]

_NAME = "plans"
_MOST_RECENT = 12
_MOST_CHARACTERS = 300_000  # of one plan; the file of settings is read whole


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan on the shelf.

    Parameters
    ----------
    name : str
        Its name; that of the run for one of an earlier run.
    text : str
        The plan as yaml.
    when : str
        When it was run; empty for a preset.
    """

    name: str
    text: str
    when: str = ""


class PlanShelf:
    """Keeps plans.

    Parameters
    ----------
    remembered : Remembered
        What the docks remember.
    """

    def __init__(self, remembered: Remembered) -> None:
        self._remembered = remembered

    def presets(self) -> list[KeptPlan]:
        """Return the presets, by name."""
        stored = self._stored("presets", dict)
        return [
            KeptPlan(name, text)
            for name, text in sorted(stored.items(), key=lambda item: item[0].lower())
            if isinstance(text, str)
        ]

    def recent(self) -> list[KeptPlan]:
        """Return the plans of earlier runs, the latest first."""
        return [
            KeptPlan(str(entry["name"]), str(entry["text"]), str(entry["when"]))
            for entry in self._stored("recent", list)
            if isinstance(entry, dict) and {"name", "text", "when"} <= entry.keys()
        ]

    def find(self, name: str) -> KeptPlan | None:
        """Return a preset by its name."""
        return next((kept for kept in self.presets() if kept.name == name), None)

    def keep(self, name: str, text: str) -> bool:
        """Keep a preset; one of this name is replaced.

        Returns
        -------
        bool
            Whether it is short enough to be kept.
        """
        if len(text) > _MOST_CHARACTERS:
            return False
        presets = {kept.name: kept.text for kept in self.presets()}
        self._store("presets", {**presets, name: text})
        return True

    def rename(self, before: str, name: str) -> None:
        """Give a preset another name; one of that name is replaced."""
        presets = {kept.name: kept.text for kept in self.presets()}
        if before in presets:
            text = presets.pop(before)
            self._store("presets", {**presets, name: text})

    def drop(self, name: str) -> None:
        """Delete a preset; it stays among the recent plans for a while."""
        kept = self.find(name)
        if kept is not None:
            self.note(f"{name} (deleted)", kept.text)
            presets = {k.name: k.text for k in self.presets() if k.name != name}
            self._store("presets", presets)

    def note(self, name: str, text: str) -> None:
        """Put a plan at the top of the recent ones."""
        if not text.strip() or len(text) > _MOST_CHARACTERS:
            return
        when = time.strftime("%Y-%m-%d %H:%M")
        others = [kept for kept in self.recent() if kept.text != text]
        entries = [KeptPlan(name, text, when), *others][:_MOST_RECENT]
        self._store(
            "recent",
            [{"name": e.name, "text": e.text, "when": e.when} for e in entries],
        )

    def _stored(self, key: str, kind: type) -> Any:
        found = self._remembered.state(_NAME).get(key)
        return found if isinstance(found, kind) else kind()

    def _store(self, key: str, value: object) -> None:
        state = self._remembered.state(_NAME)
        self._remembered.set_state(_NAME, {**state, key: value})
