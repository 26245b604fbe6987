"""Plans on disk: sequences of useq, event lists of pycro-manager, Python files.

A mapping in a yaml or json file is a ``useq.MDASequence``, a list is one of event
dictionaries. A Python file has a function ``plan()`` that returns either of them, or a
generator of events; it is run as it stands, so it is code of whoever names the file.
`load_sequence` reads the first kind only and never runs anything.
"""

from __future__ import annotations

import json
import runpy
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError
from useq import MDASequence, MultiPhaseTimePlan

from napari_scope.errors import PlanError
from napari_scope.events.intake import Intake
from napari_scope.events.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from napari_scope.events.plan import PlanLike

__all__ = [
    "PLAN_SUFFIXES",
    "SCRIPT_SUFFIXES",
    "load_plan",
    "load_sequence",
    "save_plan",
]

PLAN_SUFFIXES = (".yaml", ".yml", ".json")

SCRIPT_SUFFIXES = (".py",)

_MAX_BYTES = 64 * 1024 * 1024  # a plan of a million positions is below this

# Sequences in sequences take three levels each; what is deeper meets limits of other
# programs later, when it is stored with the data.
_MAX_DEPTH = 64

# Aliases of aliases multiply: a few lines can stand for more than any memory holds.
_MAX_REPEATED = 1_000_000


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
        return _from_script(path, check)
    data = _read(path)
    if isinstance(data, list):
        if not data:
            raise PlanError("the list holds no event", path=path)
        if check:
            _check_events(data, path)
        return data
    return _sequence(data, path)


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
    return _sequence(_read(path), path)


def _read(path: Path) -> object:
    """Return what a yaml or json file holds."""
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
        is_json = path.suffix.lower() == ".json"
        return _parse_json(text, path) if is_json else _parse_yaml(text, path)
    except PlanError:
        raise
    except RecursionError as error:
        raise PlanError("the plan is nested too deeply", path=path) from error
    except (yaml.YAMLError, ValueError) as error:
        raise PlanError(
            f"the plan is not valid yaml or json, {error}", path=path
        ) from error


def _sequence(data: object, path: Path) -> MDASequence:
    if not isinstance(data, dict):
        raise PlanError(
            f"a sequence is a mapping of keys such as time_plan and channels, found "
            f"{type(data).__name__}",
            path=path,
            hint="a list of events can be run with 'napari-scope acquire'"
            if isinstance(data, list)
            else None,
        )
    try:
        sequence = MDASequence.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the plan"
        raise PlanError(f"{where}: {first['msg']}", path=path) from error
    for where, known in _unknown_keys(data, sequence, ""):
        hint = f"known keys there are {', '.join(sorted(known))}"
        if where == "axes":
            hint = "this is an event; a file of events holds a list of them, [{...}]"
        raise PlanError(f"unknown key {where!r}", path=path, hint=hint)
    return sequence


def _check_events(events: Iterable[object], path: Path) -> None:
    """Look at each event, without keeping what it becomes."""
    intake = Intake()
    for item in events:
        try:
            intake.event(item)
        except PlanError as error:
            raise PlanError(error.message, path=path, hint=error.hint) from error


def _from_script(path: Path, check: bool) -> PlanLike:
    """Run a Python file and return what its function ``plan`` returns."""
    if not path.is_file():
        raise PlanError("the plan cannot be read, there is no such file", path=path)
    # As ``python file.py`` does, so that it can import its neighbours.
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)
    try:
        function = runpy.run_path(str(path), run_name=path.stem).get("plan")
        if not callable(function):
            raise PlanError(
                "the file must have a function plan(), found "
                f"{'none' if function is None else type(function).__name__}",
                path=path,
                hint="write 'def plan():' and return a sequence or a list of events",
            )
        plan = function()
    except PlanError as error:
        raise _told(error, path) from error
    except (Exception, SystemExit) as error:  # whatever a user's code raises
        raise _failed(error, path) from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    if isinstance(plan, Iterator):
        return _guarded(plan, path)
    if isinstance(plan, list | tuple):
        if check:
            _check_events(plan, path)
        return list(plan)
    try:
        Plan.from_any(plan)
    except PlanError as error:
        message = f"plan() must return a plan: {error.message}"
        raise PlanError(message, path=path, hint=error.hint) from error
    return plan  # type: ignore[no-any-return]


def _guarded(plan: Iterator[Any], path: Path) -> Iterator[Any]:
    """Go through a generator; what it raises says where in the file."""
    try:
        while True:
            try:
                item = next(plan)
            except StopIteration:
                return
            except PlanError as error:
                raise _told(error, path) from error
            except Exception as error:  # whatever a user's code raises
                raise _failed(error, path) from error
            yield item
    finally:
        close = getattr(plan, "close", None)
        if close is not None:
            close()


def _told(error: PlanError, path: Path) -> PlanError:
    """Return an error of ours that names the file, unless it names one."""
    if error.path is not None:
        return error
    where = _line_of(error, path)
    return PlanError(f"{where}{error.message}", path=path, hint=error.hint)


def _failed(error: BaseException, path: Path) -> PlanError:
    text = " ".join(str(error).split())
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return PlanError(f"{_line_of(error, path)}{what}", path=path)


def _line_of(error: BaseException, path: Path) -> str:
    """Return the last line of a file that an exception came through."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f"line {lines[-1]}: " if lines else ""


def _parse_json(text: str, path: Path) -> object:
    data = json.loads(text)
    _Measure(path).of(data, 1)
    return data


def _parse_yaml(text: str, path: Path) -> object:
    loader = yaml.SafeLoader(text)
    try:
        # Looked at before any value is made: merge keys copy what aliases stand for.
        node = loader.get_single_node()
        if node is None:
            return None
        measure = _Measure(path)
        expanded, _ = measure.of(node, 1)
        if expanded - measure.written > _MAX_REPEATED:
            raise PlanError(
                "the aliases (*name) of the plan repeat too much of it, more than "
                f"{_MAX_REPEATED} values and characters",
                path=path,
                hint="write out what is needed, without aliases of aliases",
            )
        return loader.construct_document(node)
    finally:
        loader.dispose()


class _Measure:
    """Measures values of json or nodes of yaml, each once however often it occurs.

    Parameters
    ----------
    path : Path
        The file, for errors.

    Attributes
    ----------
    written : int
        Values and characters of text as they stand in the file.
    """

    def __init__(self, path: Path) -> None:
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
