"""What a store has that a stream goes on with; made by `resume`, given to sinks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_scope.stream.recovery_plan import FrameLine
    from napari_scope.stream.router import Address

__all__ = ["Resumption"]


@dataclass(frozen=True, slots=True)
class Resumption:
    """What is in a store that a stream goes on with.

    Parameters
    ----------
    journal : Path
        The journal of the run.
    lines : tuple of FrameLine
        The line of each frame that was saved, skipped or dropped, in the order of
        arrival. Frames that a loss of power took are not among them: they may come
        again.
    count : int
        All lines of frames in the journal.
    sequence : int
        Running number of the next frame.
    last : Address, optional
        The last frame in the order of acquisition; new ones follow behind it.
    entries : sequence of mapping
        The lines as they are in the journal.
    """

    journal: Path
    lines: tuple[FrameLine, ...]
    count: int
    sequence: int
    last: Address | None
    entries: Sequence[Mapping[str, Any]] = ()

    @property
    def saved(self) -> int:
        """Number of frames that are saved."""
        return sum(line.status == "saved" for line in self.lines)

    def totals(self) -> dict[str, int]:
        """Return how many frames there are of each status."""
        found = [line.status for line in self.lines]
        return {name: found.count(name) for name in ("saved", "skipped", "dropped")}
