"""What `recover` found and did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.model import Axes

__all__ = ["RecoveryReport"]

_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """The state of a run after `recover`.

    Parameters
    ----------
    path : Path
        The store.
    format : str
        Its format.
    was_closed : bool
        Whether the run had ended by itself, or was recovered before: then nothing was
        changed.
    planned : int, optional
        Frames that were planned; None if that was left open.
    saved : int
        Frames that are there, their checksums right.
    skipped, dropped : int
        Frames announced as missing, and refused because the buffer was full.
    missing : int, optional
        Frames that were planned and of which nothing is known; None if it is not
        known what was planned.
    missing_axes : tuple of mapping
        Their axes, at most a thousand, where they are known.
    lost : tuple of (mapping, str)
        Axes of frames that have a line but are not there after all, and why: a loss
        of power took what was not synced.
    notes : tuple of str
        What was done.
    """

    path: Path
    format: str
    was_closed: bool
    planned: int | None
    saved: int
    skipped: int
    dropped: int
    missing: int | None
    missing_axes: tuple[Axes, ...] = ()
    lost: tuple[tuple[Axes, str], ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report as text for people."""
        state = "nothing to do" if self.was_closed else "recovered"
        of = "" if self.planned is None else f" of {self.planned}"
        text = f"{self.path}: {state}, {self.saved}{of} frames saved"
        for count, what in (
            (self.skipped, "skipped"),
            (self.dropped, "dropped"),
            (len(self.lost), "lost"),
            (self.missing or 0, "missing"),
        ):
            if count:
                text += f", {count} {what}"
        lines = [text, *(f"  {note}" for note in self.notes)]
        lines += [f"  lost {_text(axes)}: {why}" for axes, why in self.lost][
            :_MOST_LINES
        ]
        some = self.missing_axes[:_MOST_LINES]
        lines += [f"  missing {_text(axes)}" for axes in some]
        if self.missing and len(some) < self.missing and some:
            lines.append(f"  and {self.missing - len(some)} more")
        return lines


def _text(axes: Axes) -> str:
    return ", ".join(f"{name}={value}" for name, value in axes.items())
