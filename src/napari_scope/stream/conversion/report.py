"""What a conversion says of itself, while it runs and afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_scope.model import Axes

__all__ = [
    "ConversionProgress",
    "ConversionReport",
    "Progress",
    "Target",
    "UnreadFrame",
]

Target: TypeAlias = Literal["ome-zarr", "ndtiff", "ome-tiff"]
"""What a data set can be converted to."""


@dataclass(frozen=True, slots=True)
class ConversionProgress:
    """How far a conversion is.

    Parameters
    ----------
    phase : {"converting", "verifying"}
        What is being done.
    done, total : int
        Frames, in this phase.
    unread : int
        Frames that could not be read and were skipped.
    """

    phase: Literal["converting", "verifying"]
    done: int
    total: int
    unread: int = 0


@dataclass(frozen=True, slots=True)
class UnreadFrame:
    """A frame of the source that could not be read, with the reason."""

    axes: Axes
    reason: str


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """What a conversion did.

    Parameters
    ----------
    source : Path or str
        From where: a folder or file, or an address.
    target : Path
        To where.
    format : {"ome-zarr", "ndtiff", "ome-tiff"}
        Format of the target.
    state : {"finished", "cancelled"}
        Cancelled: the target was closed as interrupted; what was written is readable.
    images : int
        Images of the target.
    frames : int
        Frames that were to be written.
    written : int
        Frames that were written.
    missing : int
        Frames that the source does not have, marked as skipped in the target.
    unread : tuple of UnreadFrame
        Frames that could not be read and were skipped.
    written_bytes : int
        Pixels written.
    duration_s : float
        Time it took, without comparing.
    verified : int or None
        Frames that were read back and are the same; None if that was not asked for.
    wrong : tuple of str
        Axes of frames that were read back and differ, or could not be read back.
    notes : tuple of str
        What has another form than in the source, and what was odd there.
    """

    source: Path | str
    target: Path
    format: Target
    state: Literal["finished", "cancelled"]
    images: int
    frames: int
    written: int
    missing: int
    unread: tuple[UnreadFrame, ...]
    written_bytes: int
    duration_s: float
    verified: int | None
    wrong: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every frame of the source was written and none was found wrong."""
        all_written = self.state == "finished" and self.written == self.frames
        all_same = self.verified is None or self.verified == self.written
        return all_written and all_same and not self.unread


Progress: TypeAlias = "Callable[[ConversionProgress], bool | None]"
"""What is called while a conversion runs; returns False to cancel it."""
