"""Hooks, image functions and custom actions that stand in Python files.

A file is run once, and its functions are found by their names, which are those of
pycro-manager (with or without ``_hook_fn`` or ``_fn``): ``pre_hardware_hook_fn``,
``post_hardware_hook_fn``, ``post_camera_hook_fn``, ``image_process_fn``. A dictionary
``ACTIONS`` holds what custom actions of a plan do, functions of the event and the
core. Several files may have the same hook: they are called one after the other.

It knows no plan: the run that goes on with the core tells how its axes are numbered.

Examples
--------
>>> file = load_hook_file("dim_light.py")  # doctest: +SKIP
>>> file.names  # doctest: +SKIP
('pre_hardware_hook_fn', 'image_process_fn')
>>> Run(owner, plan, hooks=joined_hooks([file], owner.core))  # doctest: +SKIP
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.acquire.hooks import EngineHooks
from napari_scope.acquire.processing import FrameProcessor, Processed
from napari_scope.acquire.registry import runs_of
from napari_scope.acquire.script_hooks import arity, engine_hooks, process_function
from napari_scope.errors import SettingsError
from napari_scope.events import AxisTable, line_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from pymmcore_plus import CMMCorePlus
    from useq import MDAEvent

    from napari_scope.acquire.hooks import EventHook
    from napari_scope.acquire.receiver import Action

__all__ = [
    "HOOK_NAMES",
    "HookFile",
    "check_unchanged",
    "file_stamp",
    "joined_actions",
    "joined_hooks",
    "joined_processor",
    "load_hook_file",
]

HOOK_NAMES = ("pre_hardware_hook_fn", "post_hardware_hook_fn", "post_camera_hook_fn")
"""Hooks between the steps of an event, in the order in which they are called."""

_IMAGE = "image_process_fn"
_ACTIONS = "ACTIONS"
_SHORT = {
    "pre_hardware": HOOK_NAMES[0],
    "post_hardware": HOOK_NAMES[1],
    "post_camera": HOOK_NAMES[2],
    "image_process": _IMAGE,
}
_GIVEN = {1: "the event", 2: "an image and its metadata"}
_NEEDS_QUEUE = (
    "takes more than is there: a run of a plan has no event queue, only an Acquisition"
)


@dataclass(frozen=True, slots=True)
class HookFile:
    """What a file has for a run.

    Parameters
    ----------
    path : Path
        The file.
    functions : mapping
        Hooks and the image function by their full names.
    actions : mapping
        What custom actions do, by their names.
    stamp : tuple of int, optional
        What the file looked like when it was read, see `file_stamp`.
    """

    path: Path
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    actions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    stamp: tuple[int, int] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What it has, in words."""
        return (*self.functions, *(f"action {name!r}" for name in self.actions))


def load_hook_file(path: str | PathLike[str]) -> HookFile:
    """Run a Python file and find its hooks.

    Raises
    ------
    SettingsError
        If it cannot be read, raises, has no hooks, or hooks that take what is not
        there; with the file and the line.
    """
    path = Path(path)
    if not path.is_file():
        raise SettingsError("there is no such file", path=path)
    # Before it is read: what is written meanwhile counts as a change.
    stamp = file_stamp(path)
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)
    try:
        names = runpy.run_path(str(path), run_name=path.stem)
    except (Exception, SystemExit) as error:  # whatever a user's code raises
        line = line_of(error, str(path))
        where = "" if line is None else f"line {line}: "
        text = " ".join(str(error).split())
        raise SettingsError(
            f"{where}{type(error).__name__}: {text}", path=path
        ) from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    return replace(_found(names, path), stamp=stamp)


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is written; None if there is no file."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


def check_unchanged(files: Sequence[HookFile]) -> None:
    """Look whether files are as they were when they were read.

    Raises
    ------
    SettingsError
        If one of them is not: a run would do what the file says no more.
    """
    for file in files:
        if file_stamp(file.path) != file.stamp:
            raise SettingsError(
                "the file with hooks has changed since it was read",
                path=file.path,
                hint="it is read again by itself, within a second: start again",
            )


def _found(names: Mapping[str, Any], path: Path) -> HookFile:
    functions: dict[str, Callable[..., Any]] = {}
    for full in (*HOOK_NAMES, _IMAGE):
        short = next(name for name, of in _SHORT.items() if of == full)
        function = names.get(full, names.get(short))
        if function is None:
            continue
        least = 2 if full == _IMAGE else 1
        try:
            arity(function, full, least, least)
        except SettingsError as error:
            raise SettingsError(
                f"{full} {_NEEDS_QUEUE}" if callable(function) else error.message,
                path=path,
                hint=f"let it take {_GIVEN[least]} only",
            ) from error
        functions[full] = function
    actions = names.get(_ACTIONS, {})
    if not isinstance(actions, Mapping) or not all(map(callable, actions.values())):
        raise SettingsError(
            f"{_ACTIONS} must be a dictionary of functions by their names", path=path
        )
    for name, function in actions.items():
        try:
            arity(function, f"the action {name!r}", 2, 2)
        except SettingsError as error:
            raise SettingsError(error.message, path=path, hint=error.hint) from error
    if "event_generation_hook_fn" in names:
        raise SettingsError(
            f"event_generation_hook_fn {_NEEDS_QUEUE}",
            path=path,
            hint="write a generator plan() in the Script tab instead",
        )
    if not functions and not actions:
        raise SettingsError(
            "the file has no hooks",
            path=path,
            hint=f"name functions {', '.join((*HOOK_NAMES, _IMAGE))}, or give a "
            f"dictionary {_ACTIONS}",
        )
    found = {str(name): function for name, function in actions.items()}
    return HookFile(path, functions, found)


def joined_hooks(files: Sequence[HookFile], core: CMMCorePlus) -> EngineHooks | None:
    """Return the hooks of files for a run with a core; None if there are none."""
    made: dict[str, EventHook] = {}
    for full in HOOK_NAMES:
        chain = [
            getattr(
                _one(file.functions[full], full, core), full.removesuffix("_hook_fn")
            )
            for file in files
            if full in file.functions
        ]
        if chain:
            made[full.removesuffix("_hook_fn")] = _chained(chain)
    return EngineHooks(**made) if made else None


def joined_processor(
    files: Sequence[HookFile], core: CMMCorePlus
) -> FrameProcessor | None:
    """Return what images pass through, for one run; None if no file has anything."""
    functions = [f.functions[_IMAGE] for f in files if _IMAGE in f.functions]
    if not functions:
        return None
    steps = [process_function(function, core, None) for function in functions]

    def call(frame: Processed) -> list[Processed]:
        frames = [frame]
        for step in steps:
            frames = [made for one in frames for made in step(one)]
        return frames

    return FrameProcessor(call)


def joined_actions(files: Sequence[HookFile]) -> dict[str, Action]:
    """Return what custom actions do; where files have the same, the last one counts."""
    return {name: function for file in files for name, function in file.actions.items()}


def _one(function: Callable[..., Any], full: str, core: CMMCorePlus) -> EngineHooks:
    def table() -> AxisTable:
        # The run is made after its hooks; while they are called it goes on.
        found = [getattr(run, "table", None) for run in runs_of(core)]
        return next((t for t in found if t is not None), AxisTable())

    functions = {name.removesuffix("_hook_fn"): None for name in HOOK_NAMES}
    given: dict[str, Any] = {**functions, full.removesuffix("_hook_fn"): function}
    # The engine itself notes the events that a hook drops.
    queue: Any = None
    return engine_hooks(core, queue, table, lambda event: None, **given)


def _chained(chain: list[EventHook]) -> EventHook:
    def call(events: list[MDAEvent]) -> list[MDAEvent]:
        for hook in chain:
            if not events:
                break
            events = hook(events)
        return events

    return call
