"""Plans that are programs: Python files and texts, and lists of event dictionaries.

A script gives its plan by a function ``plan()`` (which returns a sequence or a list of
events, or is a generator), by a variable ``plan`` or ``events``, or by its last line:
``multi_d_acquisition_events(...)``, say, or a list. It is run as it stands, so it is
code of whoever names it. What it raises is told with the line.

Examples
--------
>>> script = run_script_text("[{'axes': {'z': 0}, 'z': 1.5}]")
>>> script.plan()
[{'axes': {'z': 0}, 'z': 1.5}]
>>> script = run_script_text('''
... from napari_scope import multi_d_acquisition_events
... multi_d_acquisition_events(num_time_points=3)
... ''')
>>> len(script.plan()), script.words
(3, 'a list of 3 events')
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from useq import MDAEvent, MDASequence

from napari_scope.errors import PlanError
from napari_scope.events.intake import Intake
from napari_scope.events.plan import Plan
from napari_scope.events.plan_text import PlanTextError, plan_from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from napari_scope.events.plan import PlanLike

__all__ = ["ScriptPlan", "check_events", "line_of", "run_script", "run_script_text"]

_TEXT_NAME = "<script>"
_DATA_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """What a script gives.

    Parameters
    ----------
    value : MDASequence, list, iterator, or None
        The plan; None if each run gets a new generator.
    make : callable, optional
        Makes that generator.
    words : str
        What it is, in words.
    """

    value: Any
    make: Callable[[], Iterator[Any]] | None
    words: str

    @property
    def is_generator(self) -> bool:
        """Whether the events are not known before they are run."""
        return self.make is not None or isinstance(self.value, Iterator)

    @property
    def is_used_up(self) -> bool:
        """Whether a run has taken events of a generator that cannot be made anew."""
        return isinstance(self.value, _Once) and self.value.has_begun

    def plan(self) -> PlanLike:
        """Return the plan; quick, a generator does not begin by it."""
        made = self.value if self.make is None else self.make()
        return list(made) if isinstance(made, list) else made


def run_script(path: str | PathLike[str], *, check: bool = True) -> ScriptPlan:
    """Run a Python file, with its own folder to import from.

    Parameters
    ----------
    path : path-like
        The file.
    check : bool
        Whether all events of a list are looked at now.

    Raises
    ------
    PlanTextError
        If it cannot be read, raises, or gives no plan; with the line.
    """
    path = Path(path)
    try:
        source = path.read_bytes()
    except FileNotFoundError as error:
        raise PlanTextError(
            "the plan cannot be read, there is no such file", path=path
        ) from error
    except OSError as error:
        raise PlanTextError(
            f"the plan cannot be read, {error.strerror}", path=path
        ) from error
    return _run(source, str(path), path.stem, path, check)


def run_script_text(
    text: str, *, path: Path | None = None, check: bool = True
) -> ScriptPlan:
    """Run a script that is a text; see `run_script`.

    Parameters
    ----------
    text : str
        The script.
    path : Path, optional
        The file that it was read from: its neighbours can be imported.
    check : bool
        Whether all events of a list are looked at now.
    """
    if not text.strip():
        raise PlanTextError("the script is empty", hint="write a function plan()")
    plan = _data_of(text, path)
    if plan is not None:
        return _kind(plan, _TEXT_NAME, path, check)
    name = _TEXT_NAME if path is None else str(path)
    stem = "script" if path is None else path.stem
    return _run(text, name, stem, path, check)


def _data_of(text: str, path: Path | None) -> Any:
    """Return the plan of a text that is no program: json, or yaml; else None."""
    suffix = "" if path is None else path.suffix.lower()
    start = text.lstrip()
    if suffix in _DATA_SUFFIXES or start.startswith(("- ", "-\n")):
        return plan_from_text(text, path=path, is_json=suffix == ".json")
    if start.startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return None  # python, which is much like it
    return None


def check_events(events: Iterable[object], path: Path | None = None) -> None:
    """Look at each event, without keeping what it becomes.

    Raises
    ------
    PlanError
        Naming the first event that is wrong.
    """
    intake = Intake()
    for item in events:
        try:
            intake.event(item)
        except PlanError as error:
            raise PlanError(error.message, path=path, hint=error.hint) from error


def _run(
    source: str | bytes, name: str, stem: str, path: Path | None, check: bool
) -> ScriptPlan:
    # As ``python file.py`` does, so that it can import its neighbours.
    folder = None if path is None else str(path.parent.resolve())
    if folder is not None:
        sys.path.insert(0, folder)
    try:
        body, last = _compiled(source, name)
        module = ModuleType(stem)
        module.__file__ = name
        exec(body, module.__dict__)
        return _found(module.__dict__, last, name, path, check)
    except PlanError as error:
        raise _told(error, name, path) from error
    except (Exception, SystemExit) as error:  # whatever a user's code raises
        raise _failed(error, name, path) from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _compiled(source: str | bytes, name: str) -> tuple[CodeType, CodeType | None]:
    """Compile a script, and the expression in its last line apart from the rest."""
    tree = ast.parse(source, name)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        line = tree.body.pop()
        assert isinstance(line, ast.Expr)
        last = compile(ast.Expression(line.value), name, "eval")
    return compile(tree, name, "exec"), last


def _found(
    names: dict[str, Any],
    last: CodeType | None,
    name: str,
    path: Path | None,
    check: bool,
) -> ScriptPlan:
    """Return the plan of a script that has been run but for its last line."""
    value = None if last is None else eval(last, names)
    function = names.get("plan")
    if inspect.isgeneratorfunction(function):

        def make() -> Iterator[Any]:
            return _guarded(function(), name, path)

        words = "a generator: its events are made while the run goes on"
        return ScriptPlan(None, make, words)
    if callable(function):
        return _kind(function(), name, path, check)
    for made in (function, value, names.get("events")):
        if isinstance(made, MDASequence | MDAEvent | Mapping | list | tuple | Iterator):
            return _kind(made, name, path, check)
    found = "none" if function is None else type(function).__name__
    raise PlanTextError(
        f"the file must have a function plan(), found {found}",
        path=path,
        hint="write 'def plan():' and return a sequence or a list of events",
    )


def _kind(value: Any, name: str, path: Path | None, check: bool) -> ScriptPlan:
    if isinstance(value, Iterator):
        words = "an iterator: its events are made while the run goes on"
        return ScriptPlan(_Once(_guarded(value, name, path)), None, words)
    if isinstance(value, list | tuple):
        if not value:
            raise PlanTextError("the list holds no event", path=path)
        if check:
            check_events(value, path)
        noun = "event" if len(value) == 1 else "events"
        return ScriptPlan(list(value), None, f"a list of {len(value):,} {noun}")
    try:
        Plan.from_any(value)
    except PlanError as error:
        message = f"plan() must return a plan: {error.message}"
        raise PlanTextError(message, path=path, hint=error.hint) from error
    kind = "a sequence" if isinstance(value, MDASequence) else "one event"
    return ScriptPlan(value, None, kind)


class _Once(Iterator[Any]):
    """An iterator that tells whether it has begun."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self.has_begun = False

    def __next__(self) -> Any:
        self.has_begun = True
        return next(self._events)

    def close(self) -> None:
        """End the generator underneath."""
        close = getattr(self._events, "close", None)
        if close is not None:
            close()


def _guarded(plan: Iterator[Any], name: str, path: Path | None) -> Iterator[Any]:
    """Go through a generator; what it raises says where in the file."""
    try:
        while True:
            try:
                item = next(plan)
            except StopIteration:
                return
            except PlanError as error:
                raise _told(error, name, path) from error
            except Exception as error:  # whatever a user's code raises
                raise _failed(error, name, path) from error
            yield item
    finally:
        close = getattr(plan, "close", None)
        if close is not None:
            close()


def _told(error: PlanError, name: str, path: Path | None) -> PlanError:
    """Return an error of ours that names the file and line, unless it names them."""
    if isinstance(error, PlanTextError) and error.line is not None:
        return error
    if error.path is not None and error.path != name:
        return error
    return _at(error, error.message, name, path, error.hint)


def _failed(error: BaseException, name: str, path: Path | None) -> PlanError:
    text = " ".join(str(error).split())
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    hint = None
    if isinstance(error, ModuleNotFoundError) and error.name == "pycromanager":
        hint = "write 'napari_scope' instead of 'pycromanager'"
    return _at(error, what, name, path, hint)


def _at(
    error: BaseException, reason: str, name: str, path: Path | None, hint: str | None
) -> PlanTextError:
    line = line_of(error, name)
    message = reason if line is None else f"line {line}: {reason}"
    made = PlanTextError(message, path=path, hint=hint)
    made.line, made.reason = line, reason
    return made


def line_of(error: BaseException, name: str) -> int | None:
    """Return the last line of a script that an exception came through, if any."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == name
    ]
    if isinstance(error, SyntaxError) and error.filename == name:
        lines.append(error.lineno)
    return lines[-1] if lines else None
