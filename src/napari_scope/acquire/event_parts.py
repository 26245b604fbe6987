"""Events of the engine in parts: what is merged, which camera, and where one failed.

Examples
--------
>>> from useq import MDAEvent
>>> event = MDAEvent(index={"t": 3})
>>> parts(event) == [event], dict(for_camera(event, 1).index)
(True, {'t': 3, 'cam': 1})
>>> str(failure("the camera failed", RuntimeError("no trigger"), event))
'the camera failed, no trigger [event t=3]: check the device and its connection'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymmcore_plus.core._sequencing import SequencedEvent

from napari_scope.errors import HardwareError, ScopeError

if TYPE_CHECKING:
    from useq import MDAEvent

__all__ = ["failure", "for_camera", "identity_of", "missing_in", "parts", "where"]


def parts(event: MDAEvent) -> list[MDAEvent]:
    """Return the events that were merged into one, or the one."""
    return list(event.events) if isinstance(event, SequencedEvent) else [event]


def missing_in(before: list[MDAEvent], after: list[MDAEvent]) -> list[MDAEvent]:
    """Return the events that a hook did not give back, by their frames."""
    if not after:
        return before
    if len(after) >= len(before):
        return []
    kept = {identity_of(event) for event in after}
    return [event for event in before if identity_of(event) not in kept]


def for_camera(event: MDAEvent, camera: int) -> MDAEvent:
    """Return an event as the image of one of several cameras."""
    return event.model_copy(update={"index": {**event.index, "cam": camera}})


def identity_of(event: MDAEvent) -> tuple[tuple[str, str], ...]:
    """Return what tells frames apart; labels of axes may be numbers or words."""
    axes = event.metadata.get("axes") or {}
    pairs = [*event.index.items(), *axes.items()]
    return tuple(sorted((str(k), repr(v)) for k, v in pairs))


def failure(
    what: str, error: BaseException, event: MDAEvent | None = None
) -> HardwareError:
    """Return one clear error for what a device raised."""
    cause = error.message if isinstance(error, ScopeError) else str(error)
    hint = error.hint if isinstance(error, ScopeError) else None
    text = f"{what}, {' '.join(cause.split()) or type(error).__name__}"
    if event is not None:
        text += where(event)
    return HardwareError(text, hint=hint or "check the device and its connection")


def where(event: MDAEvent) -> str:
    """Return which event it is, for the end of a message."""
    axes = event.metadata.get("axes") or event.index
    if not axes:
        return ""
    return f" [event {', '.join(f'{k}={v}' for k, v in axes.items())}]"
