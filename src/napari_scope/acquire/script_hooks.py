"""The hooks of pycro-manager's scripts, made into those of the engine.

A script's hook takes the event as a dictionary (a list of them when hardware
sequencing merged several); with two arguments also the event queue, with three the
core before it. What it returns (the event, another one, a list, or None to drop it)
becomes events again. `image_process_fn` takes an image and its metadata, in which
``"Axes"`` say which frame it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from useq import MDAEvent

from napari_scope.acquire.hooks import EngineHooks, HookError
from napari_scope.acquire.processing import Processed
from napari_scope.acquire.tags import from_tags, to_tags
from napari_scope.errors import PlanError, ScopeError, SettingsError
from napari_scope.events import acquires_image, frame_axes, from_pycro, to_pycro

if TYPE_CHECKING:
    from napari_scope.acquire.event_queue import EventQueue
    from napari_scope.events import AxisTable

__all__ = [
    "ScriptHook",
    "arity",
    "engine_hooks",
    "generation_hook",
    "image_results",
    "process_function",
    "processed",
]

ScriptHook: TypeAlias = Callable[..., Any]


def arity(function: Callable[..., Any], name: str, most: int, least: int = 1) -> int:
    """Return with how many positional arguments a function is called.

    As many as it has, also those with a default; ``*args`` add none.

    Raises
    ------
    SettingsError
        If it needs more than ``most``, or takes less than ``least``.
    """
    if not callable(function):
        raise SettingsError(f"{name} is not callable, found {function!r}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return least  # a built-in that does not tell
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    wanted = [p for p in signature.parameters.values() if p.kind in kinds]
    needed = sum(p.default is p.empty for p in wanted)
    if (
        any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
        and needed <= most
    ):
        return min(max(least, len(wanted)), most)
    if len(wanted) < least or needed > most:
        expected = str(least) if least == most else f"{least} to {most}"
        raise SettingsError(
            f"{name} takes {len(wanted)} arguments, expected {expected}",
            hint="see the documentation of hooks for what it is given",
        )
    return min(len(wanted), most)


class _Caller:
    """Calls a script's hook with as many arguments as it takes."""

    def __init__(
        self, function: ScriptHook, name: str, core: object, queue: EventQueue
    ) -> None:
        count = arity(function, name, 3)
        self._function = function
        self._more: tuple[object, ...] = {
            1: (),
            2: (queue,),
            3: (core, queue),
        }[count]

    def __call__(self, given: object) -> object:
        return self._function(given, *self._more)


def engine_hooks(
    core: object,
    queue: EventQueue,
    table: Callable[[], AxisTable],
    dropped: Callable[[MDAEvent], None],
    *,
    pre_hardware: ScriptHook | None,
    post_hardware: ScriptHook | None,
    post_camera: ScriptHook | None,
) -> EngineHooks:
    """Return the engine's hooks for those of a script.

    Parameters
    ----------
    core : CMMCorePlus
        Given to hooks of three arguments.
    queue : EventQueue
        Given to hooks of two and three arguments.
    table : callable
        Returns the numbers of labels of the run.
    dropped : callable
        Gets each event whose frame a hook dropped or renamed.
    pre_hardware, post_hardware, post_camera : callable, optional
        The hooks.
    """

    def made(function: ScriptHook | None, name: str) -> Any:
        if function is None:
            return None
        return _EventHook(_Caller(function, name, core, queue), name, table, dropped)

    return EngineHooks(
        pre_hardware=made(pre_hardware, "pre_hardware_hook_fn"),
        post_hardware=made(post_hardware, "post_hardware_hook_fn"),
        # Too late to change anything: what it returns is not used.
        post_camera=made(post_camera, "post_camera_hook_fn"),
    )


class _EventHook:
    def __init__(
        self,
        call: _Caller,
        name: str,
        table: Callable[[], AxisTable],
        dropped: Callable[[MDAEvent], None],
    ) -> None:
        self._call = call
        self._name = name
        self._table = table
        self._dropped = dropped

    def __call__(self, events: list[MDAEvent]) -> list[MDAEvent]:
        table = self._table()
        dicts = [to_pycro(event, table=table) for event in events]
        known = {id(d): (d, to_pycro(e)) for d, e in zip(dicts, events, strict=True)}
        result = self._call(dicts[0] if len(dicts) == 1 else dicts)
        if self._name == "post_camera_hook_fn":
            return events
        back = hook_result(result, self._name)
        found: list[MDAEvent] = []
        for item in back:
            if isinstance(item, MDAEvent):
                found.append(item)
                continue
            number = next((i for i, d in enumerate(dicts) if d is item), None)
            if number is not None and item == known[id(item)][1]:
                found.append(events[number])  # untouched: the very same event
                continue
            try:
                found.append(from_pycro(item, table=table))
            except PlanError as error:
                raise HookError(
                    f"{self._name} returned what is no event, {error}"
                ) from error
        self._tell_dropped(events, found)
        return found

    def _tell_dropped(self, before: list[MDAEvent], after: list[MDAEvent]) -> None:
        """Tell of the frames that will not come; the engine counts events only."""
        kept = {id(event) for event in after}
        missing = [e for e in before if id(e) not in kept and acquires_image(e)]
        if missing:
            there = [frame_axes(e) for e in after if acquires_image(e)]
            for event in missing:
                if frame_axes(event) not in there:
                    self._dropped(event)


def generation_hook(
    function: ScriptHook, core: object, queue: EventQueue
) -> Callable[[dict[str, Any]], list[Any]]:
    """Return what an event queue calls for ``event_generation_hook_fn``."""
    name = "event_generation_hook_fn"
    caller = _Caller(function, name, core, queue)

    def call(event: dict[str, Any]) -> list[Any]:
        try:
            return hook_result(caller(event), name)
        except ScopeError:
            raise
        except Exception as error:
            raise HookError(
                f"{name} raised {type(error).__name__}: {error}",
                hint="the traceback has the line of the hook",
            ) from error

    return call


def hook_result(result: object, name: str) -> list[Any]:
    """Return what a hook returned as a list of events.

    Raises
    ------
    HookError
        If it is nothing of this kind.
    """
    if result is None:
        return []
    items = list(result) if isinstance(result, list | tuple) else [result]
    for item in items:
        if not isinstance(item, Mapping | MDAEvent):
            raise HookError(
                f"{name} returned a {type(item).__name__}, expected the event, a list "
                "of events, or None",
                hint="a hook returns the event it was given to let it pass",
            )
    return items


def process_function(
    function: Callable[..., Any], core: object, queue: EventQueue | None
) -> Callable[[Processed], list[Processed]]:
    """Return what a `FrameProcessor` calls for ``image_process_fn``.

    Parameters
    ----------
    function : callable
        Takes (image, metadata), (image, metadata, queue), or (image, metadata, core,
        queue); returns (image, metadata), a list of these, or None.
    core, queue
        What it may be given.
    """
    count = arity(function, "image_process_fn", 4, 2)
    more: tuple[object, ...] = {2: (), 3: (queue,), 4: (core, queue)}[count]

    def call(frame: Processed) -> list[Processed]:
        result = function(frame.image, to_tags(frame.axes, frame.facts), *more)
        return [processed(item, frame) for item in image_results(result)]

    return call


def image_results(result: object) -> list[Any]:
    """Return what an image function returned as a list of (image, metadata)."""
    if result is None:
        return []
    return list(result) if isinstance(result, list) else [result]


def processed(item: object, frame: Processed) -> Processed:
    """Return what an image function made of a frame.

    Raises
    ------
    HookError
        If it is no image with metadata.
    """
    if isinstance(item, np.ndarray):
        return Processed(_image(item), frame.axes, frame.facts)
    if not (isinstance(item, tuple) and len(item) == 2):
        raise HookError(
            f"image_process_fn returned a {type(item).__name__}, expected (image, "
            "metadata), a list of these, or None"
        )
    image, tags = item
    if not isinstance(tags, Mapping):
        raise HookError(
            f"image_process_fn returned metadata of type {type(tags).__name__}, "
            "expected a dictionary"
        )
    axes, facts = from_tags(tags)
    return Processed(_image(image), axes, facts)


def _image(image: object) -> Any:
    array = np.asarray(image)
    if array.ndim not in (2, 3):
        raise HookError(
            f"image_process_fn returned an image of {array.ndim} dimensions, expected "
            "(height, width) or (height, width, 3)"
        )
    return array
