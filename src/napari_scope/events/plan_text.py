r"""A plan as text: yaml or json of a useq sequence, read with care and written tidily.

useq ignores keys that it does not know; here they are errors, because a misspelt key
would silently leave a part of the experiment out. Errors say in which line. Text of
strangers is safe to read: it cannot run anything, and what it stands for is measured
before it is built.

Examples
--------
>>> plan = sequence_from_text("channels: [DAPI]\nz_plan: {range: 4, step: 1}")
>>> plan.sizes["z"]
5
>>> print(sequence_text(plan), end="")
channels:
- {config: DAPI}
z_plan: {range: 4.0, step: 1.0}
>>> sequence_from_text("chanels: [DAPI]")
Traceback (most recent call last):
napari_scope.events.plan_mistakes.PlanTextError: line 1: unknown key 'chanels': did ...
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError
from useq import MDASequence

from napari_scope.errors import PlanError
from napari_scope.events.plan_measure import Measure
from napari_scope.events.plan_mistakes import (
    PlanTextError,
    likeliest,
    line_of,
    unknown_keys,
    wrong,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "PlanTextError",
    "plan_from_text",
    "same_plan",
    "sequence_from_data",
    "sequence_from_text",
    "sequence_text",
]

# Aliases of aliases multiply: a few lines can stand for more than any memory holds.
_MAX_REPEATED = 1_000_000


def sequence_from_text(
    text: str, *, path: Path | None = None, is_json: bool = False
) -> MDASequence:
    """Read a sequence from yaml or json.

    Parameters
    ----------
    text : str
        The text.
    path : Path, optional
        Where it comes from, for errors.
    is_json : bool
        Whether it is json; yaml otherwise.

    Raises
    ------
    PlanTextError
        If it is not yaml or json, is nested too deeply, has yaml aliases that stand
        for too much, or is no valid sequence.
    """
    data, node = _parsed(text, path, is_json)
    return sequence_from_data(data, path=path, node=node)


def plan_from_text(
    text: str, *, path: Path | None = None, is_json: bool = False
) -> MDASequence | list[Any]:
    """Read a sequence or a list of events; see `sequence_from_text`."""
    data, node = _parsed(text, path, is_json)
    if isinstance(data, list):
        return data
    return sequence_from_data(data, path=path, node=node)


def sequence_from_data(
    data: object, *, path: Path | None = None, node: yaml.Node | None = None
) -> MDASequence:
    """Make a sequence of plain values.

    Parameters
    ----------
    data : object
        A mapping as useq has it.
    path : Path, optional
        Where it comes from, for errors.
    node : yaml.Node, optional
        The same as it stands in a text; tells the lines.

    Raises
    ------
    PlanTextError
        If it is no valid sequence, or has keys that useq does not know.
    """
    if not isinstance(data, dict):
        raise wrong(
            f"a sequence is a mapping of keys such as time_plan and channels, found "
            f"{type(data).__name__}",
            None,
            path,
            "a list of events can be run with 'napari-scope acquire' or as a script"
            if isinstance(data, list)
            else None,
        )
    try:
        sequence = MDASequence.model_validate(data)
    except ValidationError as error:
        place, message = likeliest(error, data)
        where = ".".join(str(part) for part in place) or "the plan"
        raise wrong(f"{where}: {message}", line_of(node, place), path) from error
    for place, known in unknown_keys(data, sequence, ()):
        where = ".".join(map(str, place))
        near = difflib.get_close_matches(str(place[-1]), known, 1)
        hint = f"known keys there are {', '.join(sorted(known))}"
        if near:
            hint = f"did you mean {near[0]!r}? {hint}"
        if where == "axes":
            hint = "this is an event; a file of events holds a list of them, [{...}]"
        raise wrong(f"unknown key {where!r}", line_of(node, place, True), path, hint)
    return sequence


def sequence_text(sequence: MDASequence, *, as_json: bool = False) -> str:
    """Return a sequence as yaml or json that reads back as an equal one.

    What is as useq has it by itself is left out, and so is the identifier: it is made
    anew for each sequence, a saved one would pretend that two runs are the same.

    Raises
    ------
    PlanError
        If it holds what json cannot.
    """
    data = _plain(sequence, short=True)
    try:
        same = same_plan(MDASequence.model_validate(data), sequence)
    except ValidationError:
        same = False  # a default tells two kinds of useq apart
    if not same:
        data = _plain(sequence, short=False)
    if as_json:
        return json.dumps(data, indent=2)
    if not data:
        return ""
    return str(
        yaml.safe_dump(
            data,
            sort_keys=False,
            default_flow_style=None,  # the innermost parts in one line
            allow_unicode=True,
            width=88,
        )
    )


def same_plan(one: MDASequence, other: MDASequence) -> bool:
    """Return whether two sequences say the same; their identifiers do not count.

    useq's own comparison fails for plates, whose wells are numpy arrays.
    """
    return bool(_whole(one) == _whole(other))


def _plain(sequence: MDASequence, *, short: bool) -> dict[str, Any]:
    try:
        text = sequence.model_dump_json(
            exclude={"uid"}, exclude_unset=not short, exclude_defaults=short
        )
    except PydanticSerializationError as error:
        raise PlanError(f"the plan cannot be saved, {error}") from error
    data = json.loads(text)
    assert isinstance(data, dict)
    order = data.get("axis_order")
    if isinstance(order, list):
        data["axis_order"] = "".join(order)
    return data


def _whole(sequence: MDASequence) -> Any:
    try:
        return json.loads(sequence.model_dump_json(exclude={"uid"}))
    except PydanticSerializationError as error:
        raise PlanError(f"the plan cannot be saved, {error}") from error


# ---- reading


def _parsed(
    text: str, path: Path | None, is_json: bool
) -> tuple[object, yaml.Node | None]:
    try:
        if is_json:
            data = json.loads(text)
            Measure(path).of(data, 1)
            return data, None
        return _parse_yaml(text, path)
    except PlanError:
        raise
    except RecursionError as error:
        raise wrong("the plan is nested too deeply", None, path) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        words = " ".join(w for w in (error.context, error.problem) if w)
        raise wrong(
            f"the plan is not valid yaml or json, {words}", line, path
        ) from error
    except json.JSONDecodeError as error:
        reason = f"the plan is not valid yaml or json, {error.msg}"
        raise wrong(reason, error.lineno, path) from error
    except (yaml.YAMLError, ValueError) as error:
        reason = f"the plan is not valid yaml or json, {error}"
        raise wrong(reason, None, path) from error


def _parse_yaml(text: str, path: Path | None) -> tuple[object, yaml.Node | None]:
    loader = yaml.SafeLoader(text)
    try:
        # Looked at before any value is made: merge keys copy what aliases stand for.
        node = loader.get_single_node()
        if node is None:
            return None, None
        measure = Measure(path)
        expanded, _ = measure.of(node, 1)
        if expanded - measure.written > _MAX_REPEATED:
            raise PlanTextError(
                "the aliases (*name) of the plan repeat too much of it, more than "
                f"{_MAX_REPEATED} values and characters",
                path=path,
                hint="write out what is needed, without aliases of aliases",
            )
        return loader.construct_document(node), node
    finally:
        loader.dispose()
