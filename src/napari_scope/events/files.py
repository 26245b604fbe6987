"""Plans on disk: sequences of useq, event lists of pycro-manager, Python files.

A mapping in a yaml or json file is a ``useq.MDASequence``, a list is one of event
dictionaries. A Python file has a function ``plan()`` that returns either of them, or a
generator of events; it is run as it stands, so it is code of whoever names the file.
`load_sequence` reads the first kind only and never runs anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import PlanError
from napari_scope.events.plan_scripts import check_events, run_script
from napari_scope.events.plan_text import (
    plan_from_text,
    sequence_from_text,
    sequence_text,
)

if TYPE_CHECKING:
    from os import PathLike

    from useq import MDASequence

    from napari_scope.events.plan import PlanLike

__all__ = [
    "PLAN_SUFFIXES",
    "SCRIPT_SUFFIXES",
    "load_plan",
    "load_sequence",
    "read_plan_text",
    "save_plan",
]

PLAN_SUFFIXES = (".yaml", ".yml", ".json")

SCRIPT_SUFFIXES = (".py",)

_MAX_BYTES = 64 * 1024 * 1024  # a plan of a million positions is below this


def load_plan(path: str | PathLike[str], *, check: bool = True) -> PlanLike:
    """Read a plan of any kind from a file.

    Parameters
    ----------
    path : path-like
        A yaml or json file, or a Python file, which is run.
    check : bool
        Whether all events of a list are looked at now; `refused_events` lists all
        that are wrong in one that was not.

    Returns
    -------
    MDASequence, list of dict, or what ``plan()`` returned
        What `Plan.from_any` takes.

    Raises
    ------
    PlanError
        Naming the file, and the event or the line of the Python file. What
        `load_sequence` refuses is refused here too.
    """
    path = Path(path)
    if path.suffix.lower() in SCRIPT_SUFFIXES:
        return run_script(path, check=check).plan()
    text, is_json = read_plan_text(path), path.suffix.lower() == ".json"
    plan = plan_from_text(text, path=path, is_json=is_json)
    if isinstance(plan, list):
        if not plan:
            raise PlanError("the list holds no event", path=path)
        if check:
            check_events(plan, path)
    return plan


def load_sequence(path: str | PathLike[str]) -> MDASequence:
    """Read a useq sequence from a yaml or json file.

    Raises
    ------
    PlanError
        If the file is missing, is not yaml or json, is nested too deeply, has yaml
        aliases that stand for too much, or is no valid sequence. useq ignores keys it
        does not know; here they are an error, because a misspelt key would silently
        leave a part of the experiment out.
    """
    path = Path(path)
    is_json = path.suffix.lower() == ".json"
    return sequence_from_text(read_plan_text(path), path=path, is_json=is_json)


def read_plan_text(path: str | PathLike[str]) -> str:
    """Read the text of a plan, whatever kind it is of.

    Raises
    ------
    PlanError
        If the file cannot be read, is no text, or is too large to be a plan.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise PlanError("this file is too large to be a plan", path=path)
        return path.read_text(encoding="utf-8-sig")  # editors on Windows add a mark
    except OSError as error:
        raise PlanError(
            f"the plan cannot be read, {error.strerror}", path=path
        ) from error
    except UnicodeDecodeError as error:
        raise PlanError("the plan is not a text file", path=path) from error


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
    try:
        text = sequence_text(sequence, as_json=suffix == ".json")
    except PlanError as error:
        raise PlanError(error.message, path=path, hint=error.hint) from error
    # An empty yaml file is nothing; a plan with nothing in it is a plan.
    text = text or "{}\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PlanError(
            f"the plan cannot be saved, {error.strerror}", path=path
        ) from error
    return path
