"""The errors of this package: one root, one class for each kind of cause.

A message says what happened, where (path, axis, offset), what was expected and
found, and what to do next. This module knows nothing of files, microscopes or Qt.

Examples
--------
>>> str(FormatError("no index", path="run_1", hint="choose the folder of the run"))
'no index (run_1): choose the folder of the run'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

__all__ = [
    "AcquisitionError",
    "CancelledError",
    "ConfigurationError",
    "DatasetClosedError",
    "DiskSpaceError",
    "FormatError",
    "FrameError",
    "HardwareError",
    "MissingImageError",
    "OutputExistsError",
    "PlanError",
    "ScopeError",
    "SettingsError",
    "StreamClosedError",
    "StreamError",
]


class ScopeError(Exception):
    """Root of all errors that this package raises on purpose.

    Parameters
    ----------
    message : str
        What happened, with what was expected and found.
    path : str or PathLike, optional
        The file or folder it happened in.
    hint : str, optional
        What the user can do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | PathLike[str] | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.path = None if path is None else str(path)
        self.hint = hint
        text = message
        if self.path is not None:
            text += f" ({self.path})"
        if hint:
            text += f": {hint}"
        super().__init__(text)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders (spawned readers); keyword-only arguments
        # would be lost by the default reduction.
        return _rebuild, (type(self), self.message, self.path, self.hint)


def _rebuild(
    kind: type[ScopeError], message: str, path: str | None, hint: str | None
) -> ScopeError:
    return kind(message, path=path, hint=hint)


class FormatError(ScopeError):
    """A file or folder is not what its format says it should be."""


class DatasetClosedError(ScopeError, ValueError):
    """A data set was used after it was closed."""


class SettingsError(ScopeError, ValueError):
    """Settings of a stream contradict each other or cannot be stored."""


class PlanError(ScopeError, ValueError):
    """A plan of an acquisition cannot be read or cannot be run."""


class ConfigurationError(ScopeError):
    """A hardware configuration is missing or does not load."""


class CancelledError(ScopeError):
    """A piece of work was ended on request; nothing half done is left of it."""


class OutputExistsError(ScopeError, FileExistsError):
    """The output exists already; nothing is ever overwritten unasked."""


class StreamError(ScopeError):
    """Frames could not be written."""


class DiskSpaceError(StreamError, OSError):
    """The disk has, or will have, too little room."""


class StreamClosedError(StreamError):
    """A frame was offered to a stream that is closed."""


class FrameError(StreamError, ValueError):
    """A frame has another shape, type or index than the stream was opened for."""


class HardwareError(ScopeError):
    """A device refused a command or failed during a run."""


class AcquisitionError(ScopeError):
    """A run could not start or did not end as planned."""


class MissingImageError(ScopeError, KeyError):
    """A data set has no image with the axes that were asked for."""

    # KeyError would show the quoted repr of the text.
    __str__ = Exception.__str__
