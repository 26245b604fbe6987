"""What an event does: take an image, or only set or focus the hardware.

pycro-manager's events without ``axes`` and ``channel`` set the hardware and take no
image. useq knows such events as custom actions; ours have the name `HARDWARE_ONLY`, by
which the engine tells them from the actions of somebody else.

Examples
--------
>>> from useq import MDAEvent
>>> event = MDAEvent(action=hardware_only())
>>> acquires_image(event), is_hardware_only(event)
(False, True)
"""

from __future__ import annotations

from useq import AcquireImage, CustomAction, MDAEvent

__all__ = ["HARDWARE_ONLY", "acquires_image", "hardware_only", "is_hardware_only"]

HARDWARE_ONLY = "hardware-only"
"""Name of the custom action of an event that sets the hardware and takes no image."""


def acquires_image(event: MDAEvent) -> bool:
    """Return whether an event takes an image (autofocus and custom actions do not)."""
    return event.action is None or isinstance(event.action, AcquireImage)


def hardware_only() -> CustomAction:
    """Return the action of an event that sets the hardware and takes no image."""
    return CustomAction(name=HARDWARE_ONLY)


def is_hardware_only(event: MDAEvent) -> bool:
    """Return whether an event sets the hardware and does nothing else."""
    action = event.action
    return isinstance(action, CustomAction) and action.name == HARDWARE_ONLY
