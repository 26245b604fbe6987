"""Room on the disk: enough before a run starts, a reserve as long as it goes on.

A disk that is full to its last byte can fail at anything, also at closing a file. So a
stream does not begin without room for all its frames, and stops while what it has can
still be finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from napari_scope.errors import DiskSpaceError
from napari_scope.stream.opening import naming_the_path
from napari_scope.stream.outputs import RESERVE_BYTES, FormatName, room_needed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_scope.stream.sinks.base import Sink
    from napari_scope.stream.spec import StoreSpec

__all__ = ["STOP_BYTES", "Disks", "check_reserve", "check_room"]

STOP_BYTES = RESERVE_BYTES // 4
"""Where a stream stops: less than what it asks for at the start, so that a run that
began with just enough room comes to its end."""


class Disks(Protocol):
    """What is known of disks."""

    def disk(self, path: Path) -> int:
        """Return a number that is the same for all paths on one disk."""

    def free(self, path: Path) -> int:
        """Return the free space in bytes."""


def check_room(spec: StoreSpec, sinks: Sequence[Sink], disks: Disks) -> None:
    """Raise if the frames of a run do not fit beside the reserve.

    Of an unbounded run nothing is known but that it wants the reserve.

    Raises
    ------
    DiskSpaceError
        With what is needed and what is there.
    """
    formats: dict[int, list[FormatName]] = {}
    others: dict[int, int] = {}
    for sink in sinks:
        aside, more = sink.overflow(spec)
        place = sink.path or aside
        if place is None:
            continue
        with naming_the_path(sink):
            disk, free = disks.disk(place), disks.free(place)
        # The needs of sinks on one disk add up.
        on_disk = formats.setdefault(disk, [])
        on_disk.append(sink.format)
        others[disk] = others.get(disk, 0) + more
        needed = room_needed(spec.n_frames or 0, spec.frame_bytes, on_disk)
        needed = max(needed, RESERVE_BYTES) + others[disk]
        if needed > free:
            raise DiskSpaceError(
                f"the run needs {needed / 1e6:,.0f} MB of room "
                f"({RESERVE_BYTES / 1e6:.0f} MB of it in reserve), the disk has "
                f"{free / 1e6:,.0f} MB",
                path=place,
                hint="free some room, choose another disk, or take fewer frames",
            )


def check_reserve(sink: Sink, disks: Disks, under_way: int) -> None:
    """Raise if a disk is so full that the stream has to stop.

    Parameters
    ----------
    sink : Sink
        Whose disk.
    disks : Disks
        What is known of disks.
    under_way : int
        Bytes that are taken over and not yet written.

    Raises
    ------
    DiskSpaceError
        While everything can still be written and closed.
    """
    if sink.place is not None and disks.free(sink.place) < STOP_BYTES + under_way:
        raise DiskSpaceError(
            "the disk is nearly full",
            path=sink.place,
            hint="the run was stopped while its files can still be closed",
        )
