"""What is wrong with the text of a plan, and in which line.

pydantic tells what does not fit each of the kinds that a value may be of, by places in
its own model; `likeliest` finds the mistake that the author most likely made, and
`line_of` the line where it stands. useq passes over keys that it does not know:
`unknown_keys` finds them.

Examples
--------
>>> from useq import MDASequence
>>> list(unknown_keys({"chanels": []}, MDASequence()))[0][0]
('chanels',)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ValidationError
from useq import MultiPhaseTimePlan

from napari_scope.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["PlanTextError", "likeliest", "line_of", "unknown_keys", "wrong"]


class PlanTextError(PlanError):
    """A text that is no plan.

    Attributes
    ----------
    line : int, optional
        The line, counted from 1, where that is known.
    reason : str
        The message without the line.
    """

    line: int | None = None
    reason: str = ""


def wrong(
    reason: str, line: int | None, path: Path | None, hint: str | None = None
) -> PlanTextError:
    """Return the error of a text, with its line if that is known."""
    message = reason if line is None else f"line {line}: {reason}"
    error = PlanTextError(message, path=path, hint=hint)
    error.line, error.reason = line, reason
    return error


def likeliest(
    error: ValidationError, data: object
) -> tuple[tuple[str | int, ...], str]:
    """Return the place and the message of the error that the author most likely made.

    Of a value that may be of several kinds, pydantic tells what is wrong with it as
    each of them; the kind with the fewest complaints is what was meant.
    """
    kinds: dict[tuple[object, ...], list[tuple[tuple[str | int, ...], str, bool]]] = {}
    for found in error.errors():
        place = _place(data, found["loc"])
        kind = tuple(found["loc"][: len(place) + 1])
        missing = found["type"] == "missing"
        kinds.setdefault(kind, []).append((place, found["msg"], missing))
    first = next(iter(kinds.values()))[0][0]
    same = [k for k in kinds.values() if k[0][0][:1] == first[:1]]
    best = min(same, key=lambda k: (len(k), sum(m for _, _, m in k)))
    place, message, _ = best[0]
    return place, message.removeprefix("Value error, ")


def _place(
    data: object, location: tuple[str | int, ...] | Sequence[str | int]
) -> tuple[str | int, ...]:
    """Return the part of pydantic's location that stands in the text."""
    place: list[str | int] = []
    for part in location:
        if isinstance(data, dict) and part in data:
            data = data[part]
        elif (
            isinstance(data, list | tuple)
            and isinstance(part, int)
            and part < len(data)
        ):
            data = data[part]
        else:
            continue  # the name of a kind, or what is missing
        place.append(part)
    return tuple(place)


def line_of(
    node: yaml.Node | None, place: Iterable[object], of_key: bool = False
) -> int | None:
    """Return the line of a place in a text."""
    if node is None:
        return None
    mark = node.start_mark
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pairs = [pair for pair in node.value if pair[0].value == str(part)]
            if not pairs:
                break
            key, node = pairs[-1]
            mark = key.start_mark if of_key else node.start_mark
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            mark = node.start_mark
        else:
            break
    return int(mark.line) + 1


def unknown_keys(
    data: object, value: object, where: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], set[str]]]:
    """Go through a file beside what became of it, and find keys that had no effect."""
    if isinstance(value, BaseModel) and isinstance(data, dict):
        known = set(type(value).model_fields)
        for key, part in data.items():
            place = (*where, str(key))
            if key in known:
                yield from unknown_keys(part, getattr(value, key), place)
            elif not (not where and key == "uid"):  # useq writes it itself
                yield place, known
    elif isinstance(value, MultiPhaseTimePlan):
        yield from unknown_keys(data, value.phases, where)
    elif isinstance(data, list) and isinstance(value, list | tuple):
        for number, (part, item) in enumerate(zip(data, value, strict=False)):
            yield from unknown_keys(part, item, (*where, number))
