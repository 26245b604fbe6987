"""Stores of one run that do not have the same frames: what one lacks is copied.

A process that is killed while it writes to two stores leaves one of them some frames
ahead. Both have the same places, so a run that goes on first brings the one up to the
other: pixels, line of the journal and metadata are those of the store that has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.stream.router import Address
from napari_scope.stream.sinks.base import FrameItem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from napari_scope.stream.recovery_plan import FrameLine
    from napari_scope.stream.resumption import Resumption
    from napari_scope.stream.sinks.base import Sink
    from napari_scope.stream.spec import StoreSpec

__all__ = ["catch_up", "united"]


def united(found: Sequence[Resumption]) -> list[FrameLine]:
    """Return the lines of all stores, one for each frame, in the order of arrival.

    A frame that any store has is a saved one.
    """
    lines: dict[Address, FrameLine] = {}
    for resumption in found:
        for line in resumption.lines:
            key = Address(line.image, line.index)
            if key not in lines or line.status == "saved":
                lines[key] = line
    if len(found) == 1:
        return list(lines.values())
    return sorted(lines.values(), key=lambda line: line.number)


def catch_up(
    spec: StoreSpec, sinks: Sequence[Sink], found: Sequence[Resumption]
) -> None:
    """Give each store the frames that only others have.

    Parameters
    ----------
    spec : StoreSpec
        What is stored.
    sinks : sequence of Sink
        The open stores.
    found : sequence of Resumption
        What each of them had.

    Raises
    ------
    FormatError
        If a frame that a store has cannot be read.
    """
    if len(sinks) < 2:
        return
    has = [
        {Address(x.image, x.index) for x in resumption.lines} for resumption in found
    ]
    for line in united(found):
        address = Address(line.image, line.index)
        lacking = [
            sink for sink, mine in zip(sinks, has, strict=True) if address not in mine
        ]
        if not lacking:
            continue
        giver = next(i for i, mine in enumerate(has) if address in mine)
        item = _item(line, address, sinks[giver], found[giver])
        for sink in lacking:
            sink.write([item], sink.own(spec))


def _item(
    line: FrameLine, address: Address, sink: Sink, resumption: Resumption
) -> FrameItem:
    entry = _entry(line, resumption)
    frame = sink.read(address) if line.status == "saved" else None
    if frame is None and line.status == "saved":
        raise FormatError(
            f"the frame {dict(line.axes)} cannot be read, so the outputs of the run "
            "cannot be made equal",
            path=sink.path,
        )
    metadata = entry.get("metadata")
    return FrameItem(
        address,
        line.axes,
        frame,
        metadata if isinstance(metadata, dict) else {},
        line.status,
        str(entry.get("reason", "")),
        line.number,
    )


def _entry(line: FrameLine, resumption: Resumption) -> Mapping[str, Any]:
    """Return the whole line of a frame; the last one counts."""
    wanted = line.image, list(line.index)
    entries = reversed(resumption.entries)
    return next((e for e in entries if (e.get("image"), e.get("index")) == wanted), {})
