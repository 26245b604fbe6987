"""Plans on disk: useq's yaml or json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError
from useq import MDASequence

from napari_scope.errors import PlanError

if TYPE_CHECKING:
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
        text = path.read_text(encoding="utf-8")
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
    except (yaml.YAMLError, ValueError) as error:
        raise PlanError(
            f"the plan is not valid yaml or json, {error}", path=path
        ) from (error)
    if not isinstance(data, dict):
        raise PlanError(
            f"a plan is a mapping of keys such as time_plan and channels, found "
            f"{type(data).__name__}",
            path=path,
        )
    unknown = sorted(set(map(str, data)) - _known_keys())
    if unknown:
        raise PlanError(
            f"unknown key {unknown[0]!r}",
            path=path,
            hint=f"known keys are {', '.join(sorted(_known_keys()))}",
        )
    try:
        return MDASequence.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the plan"
        raise PlanError(f"{where}: {first['msg']}", path=path) from error


def _known_keys() -> set[str]:
    names = set(MDASequence.model_fields)
    names |= {f.alias for f in MDASequence.model_fields.values() if f.alias}
    return names


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
    json_text = sequence.model_dump_json(exclude={"uid"}, exclude_unset=True, indent=2)
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
