"""Plans on disk: useq's yaml or json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError
from useq import MDASequence, MultiPhaseTimePlan

from napari_scope.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

__all__ = ["PLAN_SUFFIXES", "load_plan", "save_plan"]

PLAN_SUFFIXES = (".yaml", ".yml", ".json")

_MAX_BYTES = 64 * 1024 * 1024  # a plan of a million positions is below this


def load_plan(path: str | PathLike[str]) -> MDASequence:
    """Read a plan from a yaml or json file.

    Raises
    ------
    PlanError
        If the file is missing, is not yaml or json, or is no valid sequence. useq
        ignores keys it does not know; here they are an error, because a misspelt key
        would silently leave a part of the experiment out.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise PlanError("this file is too large to be a plan", path=path)
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows add a mark
    except OSError as error:
        raise PlanError(
            f"the plan cannot be read, {error.strerror}", path=path
        ) from error
    except UnicodeDecodeError as error:
        raise PlanError("the plan is not a text file", path=path) from error
    try:
        data = (
            json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
        )
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PlanError(
            f"the plan is not valid yaml or json, {error}", path=path
        ) from (error)
    if not isinstance(data, dict):
        raise PlanError(
            f"a plan is a mapping of keys such as time_plan and channels, found "
            f"{type(data).__name__}",
            path=path,
        )
    try:
        sequence = MDASequence.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the plan"
        raise PlanError(f"{where}: {first['msg']}", path=path) from error
    for where, known in _unknown_keys(data, sequence, ""):
        raise PlanError(
            f"unknown key {where!r}",
            path=path,
            hint=f"known keys there are {', '.join(sorted(known))}",
        )
    return sequence


def _unknown_keys(
    data: object, value: object, where: str
) -> Iterator[tuple[str, set[str]]]:
    """Go through a file beside what became of it, and find keys that had no effect."""
    if isinstance(value, BaseModel) and isinstance(data, dict):
        known = set(type(value).model_fields)
        for key, part in data.items():
            place = f"{where}.{key}" if where else str(key)
            if key in known:
                yield from _unknown_keys(part, getattr(value, key), place)
            elif not (where == "" and key == "uid"):  # useq writes it itself
                yield place, known
    elif isinstance(value, MultiPhaseTimePlan):
        yield from _unknown_keys(data, value.phases, where)
    elif isinstance(data, list) and isinstance(value, list | tuple):
        for number, (part, item) in enumerate(zip(data, value, strict=False)):
            yield from _unknown_keys(part, item, f"{where}.{number}")


def save_plan(sequence: MDASequence, path: str | PathLike[str]) -> Path:
    """Write a plan as yaml or json, by the suffix; returns the path.

    Raises
    ------
    PlanError
        If the suffix is neither, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in PLAN_SUFFIXES:
        raise PlanError(
            f"a plan is saved as one of {', '.join(PLAN_SUFFIXES)}, found {suffix!r}",
            path=path,
        )
    # The identifier is made anew for each sequence; a saved one would pretend that
    # two runs are the same.
    try:
        json_text = sequence.model_dump_json(
            exclude={"uid"}, exclude_unset=True, indent=2
        )
    except PydanticSerializationError as error:
        raise PlanError(f"the plan cannot be saved, {error}", path=path) from error
    text = (
        json_text
        if suffix == ".json"
        else yaml.safe_dump(json.loads(json_text), sort_keys=False)
    )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PlanError(
            f"the plan cannot be saved, {error.strerror}", path=path
        ) from error
    return path
