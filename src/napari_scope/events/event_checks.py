"""Checks of the values of an event dictionary; what fails says which event and key.

Scripts compute positions with numpy, so its scalars are taken and made plain: what
comes out can be written as JSON. Nothing is guessed: a text is no number and a truth
value is no index.

Examples
--------
>>> EventChecks(3).number("z", 1.5, "micrometers")
1.5
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from napari_scope.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["EventChecks", "plain", "shown"]

# NDTiff and pycro-manager keep the samples of an axis as 32 bit numbers.
_MAX_INDEX = 2**31 - 1

_MAX_DEPTH = 32

_PLAIN = frozenset({int, float, str, bool, type(None)})


def plain(value: object) -> object:
    """Return a numpy scalar, or an array without dimensions, as a number of Python."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, str):
        return str.__str__(value)  # of an enumeration too
    item = getattr(value, "item", None)
    if item is not None and getattr(value, "shape", None) == ():
        return item()
    return value


def shown(value: object) -> str:
    """Return a short form of what was found."""
    return reprlib.repr(value)


class EventChecks:
    """Checks for one event.

    Parameters
    ----------
    number : int, optional
        Which event of the plan it is, counted from 0.
    """

    def __init__(self, number: int | None = None) -> None:
        self._number = number

    def error(self, message: str, hint: str | None = None) -> PlanError:
        """Return an error that says which event it is about, where that is known."""
        where = "" if self._number is None else f"event {self._number}: "
        return PlanError(f"{where}{message}", hint=hint)

    def wrong(
        self, key: str, expected: str, found: object, hint: str | None = None
    ) -> PlanError:
        """Return an error about the value of a key."""
        return self.error(f"{key} must be {expected}, found {shown(found)}", hint)

    def known_keys(
        self,
        where: str,
        keys: Iterable[object],
        known: frozenset[str],
        hints: Mapping[str, str] = {},
    ) -> None:
        """Refuse keys that nobody would read."""
        for key in keys:
            if key in known:
                continue
            hint = hints.get(str(key))
            if hint is None:
                close = get_close_matches(str(key)[:40], known, 1)
                hint = f"did you mean {close[0]!r}?" if close else None
            hint = hint or f"the keys are {', '.join(sorted(known))}"
            raise self.error(f"unknown key {shown(key)} found in {where}", hint)

    def mapping(self, key: str, value: object) -> Mapping[object, object]:
        """Return a value that must be a dictionary."""
        if not isinstance(value, Mapping):
            raise self.wrong(key, "a dictionary", value)
        return value

    def items(
        self, key: str, value: object, length: int | None, expected: str
    ) -> Sequence[object]:
        """Return a value that must be a list, tuple or array of some length."""
        if hasattr(value, "tolist") and getattr(value, "shape", ()) != ():
            value = value.tolist()
        if not isinstance(value, list | tuple) or length not in (None, len(value)):
            raise self.wrong(key, expected, value)
        return value

    def name(self, key: str, value: object, expected: str = "a name") -> str:
        """Return a value that must be a text with something in it."""
        found = plain(value)
        if not isinstance(found, str) or not found:
            raise self.wrong(key, expected, value)
        return found

    def number(
        self, key: str, value: object, unit: str, *, above: float | None = None
    ) -> float:
        """Return a value that must be a finite number."""
        found = plain(value)
        if type(found) not in (int, float):
            raise self.wrong(key, f"a number of {unit}", value)
        try:
            number = float(found)  # type: ignore[arg-type]
        except OverflowError as error:
            raise self.wrong(key, f"a number of {unit}", value) from error
        if not math.isfinite(number):
            raise self.wrong(key, f"a finite number of {unit}", value)
        if above is not None and number <= above:
            raise self.wrong(key, f"a number of {unit} above {above:g}", value)
        return number

    def flag(self, key: str, value: object) -> bool:
        """Return a value that must be True or False."""
        found = plain(value)
        if not isinstance(found, bool):
            raise self.wrong(key, "True or False", value)
        return found

    def sample(self, key: str, value: object) -> int | str:
        """Return a value that must be the place of a frame on an axis."""
        found = plain(value)
        if isinstance(found, str) and found:
            return found
        if type(found) is not int:
            hint = None
            if isinstance(found, float) and found.is_integer():
                hint = f"write {int(found)}"
            raise self.wrong(key, "a whole number or a label", value, hint)
        if abs(found) > _MAX_INDEX:
            raise self.wrong(key, f"a whole number up to {_MAX_INDEX}", value)
        return found

    def json(self, key: str, value: object, depth: int = 0) -> object:
        """Return a copy of a value that must be one of JSON's, with plain numbers."""
        if depth > _MAX_DEPTH:
            raise self.error(f"{key} is nested more than {_MAX_DEPTH} levels deep")
        found = plain(value)
        if found is None or isinstance(found, str | bool | int | float):
            return found
        if isinstance(found, Mapping):
            return {
                self.name(f"a key of {key}", name): self.json(key, part, depth + 1)
                for name, part in found.items()
            }
        if hasattr(found, "tolist"):
            found = found.tolist()
        if isinstance(found, list | tuple):
            return [self.json(key, part, depth + 1) for part in found]
        raise self.wrong(
            key, "text, numbers, lists and dictionaries, as in JSON", found
        )
