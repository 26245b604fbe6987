"""What keeps foreign widgets alive where a device is gone, and safe from the wheel."""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GONE", "guard_wheel", "shielded"]

_F = TypeVar("_F", bound="Callable[..., Any]")

# What reading of devices and configurations that are gone, or that were changed
# meanwhile, raises in these widgets. It must not leave a slot: Qt would abort.
GONE: Final = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def shielded(slot: _F) -> _F:
    """Let a slot of a widget do nothing where its device or preset is gone."""
    parameters = inspect.signature(slot).parameters.values()
    takes_any = any(known.kind is known.VAR_POSITIONAL for known in parameters)
    most = None if takes_any else len(parameters)

    @functools.wraps(slot)
    def guarded(*args: Any) -> Any:
        # Qt gives a slot as many arguments as it takes, and cannot see it in here.
        with contextlib.suppress(*GONE):
            return slot(*args[:most])

    return cast("_F", guarded)


class _WheelGuard(QObject):
    """Lets the mouse wheel scroll the page and never change a device."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Hold the wheel back from a widget that has no focus."""
        if (
            event is not None
            and event.type() == QEvent.Type.Wheel
            and isinstance(watched, QWidget)
            and not watched.hasFocus()
        ):
            event.ignore()
            return True
        return False


def guard_wheel(widget: QWidget) -> None:
    """Keep a widget from changing when the page is scrolled over it."""
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_WheelGuard(widget))
