"""Functions of a caller that take part in a run, between the steps of an event.

A hook gets the events that are about to be run and gives back those that shall be:
the same, changed ones, several, or none. When events were merged into a hardware
sequence the hook gets all of them at once. An error of a hook ends the run and reaches
the caller with its own traceback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from napari_scope.errors import AcquisitionError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from useq import MDAEvent

__all__ = ["EngineHooks", "EventHook", "HookError"]

EventHook: TypeAlias = "Callable[[list[MDAEvent]], list[MDAEvent]]"
"""Takes the events of one step of the hardware, returns those that count."""


class HookError(AcquisitionError):
    """A function of the caller raised, or returned what cannot be."""


@dataclass(frozen=True, slots=True)
class EngineHooks:
    """The hooks of an engine; called on the thread of the run.

    Parameters
    ----------
    pre_hardware : callable, optional
        Before the hardware is set for the events.
    post_hardware : callable, optional
        When the hardware is set; may change what is stored, or drop all.
    post_camera : callable, optional
        When the camera was told to expose; what it returns is not used.
    """

    pre_hardware: EventHook | None = None
    post_hardware: EventHook | None = None
    post_camera: EventHook | None = None

    def call(self, name: str, events: list[MDAEvent]) -> list[MDAEvent]:
        """Call a hook.

        Raises
        ------
        HookError
            From the error that it raised; errors of this package pass as they are.
        """
        hook: EventHook = getattr(self, name)
        try:
            return hook(events)
        except ScopeError:
            raise
        except Exception as error:
            raise HookError(
                f"{name}_hook_fn raised {type(error).__name__}: {error}",
                hint="the traceback has the line of the hook",
            ) from error
