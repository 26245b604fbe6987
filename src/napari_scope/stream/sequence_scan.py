"""What a ``useq.MDASequence`` takes: places, sizes, the frames that are missing.

A regular sequence is known from its first two time points; a ragged one is gone
through event by event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from useq import MDAEvent, MDASequence

__all__ = ["PlaceScan", "SequenceScan", "is_ragged", "scan"]

_NO_CHANNEL = ("", "no channel")
"""Of frames that are taken without one, where others are taken in channels."""


@dataclass
class PlaceScan:
    """One field of view: what is taken there.

    Parameters
    ----------
    position, tile : int or None
        Numbers of the stage position and of the tile in a grid.
    x_um, y_um : float or None
        Where it is.
    frames : set of tuple of int
        Numbers on the index axes of the frames.
    heights : dict
        Plane to height.
    """

    position: int | None
    tile: int | None
    x_um: float | None
    y_um: float | None
    frames: set[tuple[int, ...]] = field(default_factory=set)
    heights: dict[int, float] = field(default_factory=dict)


@dataclass
class SequenceScan:
    """What a sequence takes, in the numbers under which it is stored.

    Parameters
    ----------
    order : tuple of str
        Letters of the dimensions, slowest first; ``p`` stands for the places.
    axes : tuple of str
        The letters without ``p``.
    places : dict
        (position, tile) to what is taken there, in the order of the first visit.
    channels : dict
        (group, preset) to number.
    sizes : dict
        Letter to number of samples: the box around all places.
    unbounded : bool
        Whether time has no end.
    in_order : bool
        Whether the frames come in the order of the dimensions.
    """

    order: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    places: dict[tuple[int | None, int | None], PlaceScan] = field(default_factory=dict)
    channels: dict[tuple[str, str], int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    unbounded: bool = False
    in_order: bool = True
    _starts: dict[int, float] = field(default_factory=dict)
    _numbers: dict[tuple[int | None, int | None], int] = field(default_factory=dict)

    @property
    def has_places(self) -> bool:
        """Whether the frames say where they were taken."""
        return "p" in self.order

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the channels: presets, with their group where that is needed."""
        presets = [preset for _, preset in self.channels]
        if len(set(presets)) == len(presets):
            return tuple(presets)
        return tuple(f"{group}-{preset}" for group, preset in self.channels)

    def numbers(self, event: MDAEvent) -> tuple[int, dict[str, int]]:
        """Return the number of an event's place and its numbers on all axes."""
        index = {str(key): int(value) for key, value in event.index.items()}
        key = (index.pop("p", None), index.pop("g", None))
        if "c" in index and event.channel is not None:
            channel = (event.channel.group, event.channel.config)
            index["c"] = self.channels.get(channel, -1)
        known = key in self.places and set(index) <= set(self.axes)
        if "c" in self.axes and "c" not in index:
            index["c"] = self.channels.get(_NO_CHANNEL, -1)
        if not known or min(index.values(), default=0) < 0:
            raise SettingsError(
                f"the event {dict(event.index)} is not of the sequence that was planned"
            )
        return self._numbers[key], {a: index.get(a, 0) for a in self.axes}

    def times(self) -> list[float]:
        """Return when the time points begin, as far as the plan says, in seconds."""
        starts = self._starts
        return [starts[i] for i in range(len(starts))] if _counts(starts) else []

    def heights(self) -> list[float]:
        """Return the heights of the largest stack, in micrometers."""
        largest: Mapping[int, float] = {}
        for place in self.places.values():
            if _counts(place.heights) and len(place.heights) > len(largest):
                largest = place.heights
        return [largest[i] for i in range(len(largest))]

    def shape(self, place: PlaceScan) -> tuple[int, ...]:
        """Return the size of the box around the frames of a place."""
        return tuple(int(n) + 1 for n in np.max([*place.frames], axis=0))

    def missing(self) -> list[npt.NDArray[np.bool_]]:
        """Return for each place which frames of its box are not taken."""
        result = []
        for place in self.places.values():
            mask = np.ones(self.shape(place), bool)
            mask[tuple(np.array([*place.frames]).T)] = False
            result.append(mask)
        return result


def _counts(numbers: Mapping[int, float]) -> bool:
    return sorted(numbers) == list(range(len(numbers)))


def is_ragged(sequence: MDASequence) -> bool:
    """Return whether a sequence is more than a product of its axes."""
    return any(p.sequence is not None for p in sequence.stage_positions) or any(
        c.acquire_every != 1 or not c.do_stack for c in sequence.channels
    )


def scan(sequence: MDASequence) -> SequenceScan:
    """Go through a sequence, or through so much of it as tells the rest.

    Raises
    ------
    SettingsError
        If it takes a frame twice, or is ragged and has no end.
    """
    sample, loops = _sample(sequence)
    found = SequenceScan(unbounded=loops is None)
    for channel in sequence.channels:
        found.channels.setdefault((channel.group, channel.config), len(found.channels))
    letters: dict[str, None] = {}
    visits: list[tuple[tuple[int | None, int | None], dict[str, int]]] = []
    for event in sample:
        if event.action is not None and event.action.type != "acquire_image":
            continue
        visits.append(_visit(found, event))
        letters.update(dict.fromkeys(visits[-1][1]))
    for _, index in visits:
        if "c" in letters and "c" not in index:
            index["c"] = found.channels.setdefault(_NO_CHANNEL, len(found.channels))
    found.axes = tuple(a for a in map(str, sequence.axis_order) if a in letters)
    found.axes += tuple(a for a in letters if a not in found.axes)
    found.order = _order(sequence, found)
    numbers = found._numbers = {key: i for i, key in enumerate(found.places)}
    last: tuple[int, ...] | None = None
    for key, index in visits:
        place = tuple(index.get(a, 0) for a in found.axes)
        frames = found.places[key].frames
        if place in frames:
            raise SettingsError(
                f"the sequence takes the frame {index} twice at position "
                f"{numbers[key]}",
                hint="a position with time points of its own cannot be in a time lapse",
            )
        frames.add(place)
        step = tuple(numbers[key] if a == "p" else index.get(a, 0) for a in found.order)
        found.in_order = found.in_order and (last is None or step > last)
        last = step
    if found.places:
        shapes = [found.shape(place) for place in found.places.values()]
        found.sizes = dict(
            zip(found.axes, map(max, zip(*shapes, strict=True)), strict=False)
        )
    # Channels of the whole that every position replaces by its own are not taken.
    taken = found.sizes.get("c", 0)
    found.channels = {k: n for k, n in found.channels.items() if n < taken}
    if (
        loops is not None
        and loops > 2
        and "t" in found.sizes
        and sample is not sequence
    ):
        found.sizes["t"] = loops
    if found.unbounded and found.order[:1] != ("t",):
        raise SettingsError(
            "a time lapse without end must be the slowest axis",
            hint="begin axis_order with 't', or give the time plan a number of loops",
        )
    return found


def _sample(sequence: MDASequence) -> tuple[MDASequence, int | None]:
    """Return the part that tells the rest, and the time points; None for no end."""
    from useq import TIntervalLoops

    times = sequence.time_plan
    try:
        loops = sequence.sizes.get("t", 0)
    except ZeroDivisionError:  # a duration in steps of nothing
        if is_ragged(sequence):
            raise SettingsError(
                "a ragged sequence without end cannot be stored",
                hint="give the time plan a number of loops",
            ) from None
        return sequence.replace(time_plan=TIntervalLoops(interval=0, loops=2)), None
    if is_ragged(sequence) or not isinstance(times, TIntervalLoops) or loops < 3:
        return sequence, loops
    return sequence.replace(time_plan=times.model_copy(update={"loops": 2})), loops


def _visit(
    found: SequenceScan, event: MDAEvent
) -> tuple[tuple[int | None, int | None], dict[str, int]]:
    """Note the place, channel, time and height of an event; return its numbers."""
    index = {str(key): int(value) for key, value in event.index.items()}
    key = (index.pop("p", None), index.pop("g", None))
    if event.channel is not None and "c" in index:
        channel = (event.channel.group, event.channel.config)
        index["c"] = found.channels.setdefault(channel, len(found.channels))
    place = found.places.setdefault(key, PlaceScan(*key, event.x_pos, event.y_pos))
    if event.z_pos is not None:
        place.heights.setdefault(index.get("z", 0), event.z_pos)
    if event.min_start_time is not None and "t" in index:
        found._starts.setdefault(index["t"], event.min_start_time)
    return key, index


def _order(sequence: MDASequence, found: SequenceScan) -> tuple[str, ...]:
    """Return the letters of the dimensions; places stand where they first come."""
    placed = any(key != (None, None) for key in found.places)
    order: list[str] = []
    for axis in (*map(str, sequence.axis_order), *found.axes):
        letter = "p" if axis == "g" else axis
        if letter in order or (letter == "p" and not placed):
            continue
        if letter == "p" or letter in found.axes:
            order.append(letter)
    if placed and "p" not in order:
        order.insert(0, "p")
    return tuple(order)
