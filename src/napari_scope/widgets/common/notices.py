"""Short messages that disturb nobody: shown by napari, silenced for good if wanted.

Modal boxes are for the moments before data or a run would be lost. Everything else is
a notice. A notice with a key is shown with a button that silences its kind for good;
the preferences (napari-scope, messages) name what is silent. Errors are always shown.
"""

from __future__ import annotations

import logging
from typing import Final, Literal, TypeAlias

from napari_scope.widgets.common.log_book import LogBook
from napari_scope.widgets.common.preferences import preferences, set_preference

__all__ = ["NOT_AGAIN", "Level", "is_silenced", "notify", "silence"]

Level: TypeAlias = Literal["info", "warning", "error"]

NOT_AGAIN: Final = "Do not show again"
"""What is on the button of a notice that can be silenced."""

_log = logging.getLogger(__name__)
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def notify(text: str, level: Level = "info", *, key: str = "") -> None:
    """Show a message for some seconds; to be called in the GUI thread.

    Parameters
    ----------
    text : str
        The message: what happened, and what to do.
    level : {"info", "warning", "error"}
        How much it matters.
    key : str
        Name of this kind of message. One that the user has silenced is not shown,
        unless it tells an error.
    """
    # A message that is not shown can still be read in the log.
    LogBook.shared()
    _log.log(_LEVELS[level], "%s", text)
    silent = key if level != "error" else ""
    if silent and is_silenced(silent):
        return
    from napari.utils.notifications import Notification, notification_manager

    actions = ((NOT_AGAIN, lambda _dialog: _silence_from_notice(silent)),)
    notification_manager.dispatch(
        Notification(text, level, actions=actions if silent else ())
    )


def _silence_from_notice(key: str) -> None:
    silence(key)
    _log.info(
        "Messages of the kind %r are not shown any more; the preferences of "
        "napari-scope list what is silent.",
        key,
    )


def is_silenced(key: str) -> bool:
    """Return whether the user does not want this kind of message."""
    return key in preferences().quiet


def silence(key: str, *, silent: bool = True) -> None:
    """Do not show this kind of message any more, or show it again."""
    others = tuple(name for name in preferences().quiet if name != key)
    set_preference("quiet", (*others, key) if silent else others)
