"""When a live layer appears, which plane it should show, and when it must be redrawn.

A run fills its arrays frame by frame. The viewer asks a few times a second; here it is
decided, without Qt and without napari, what is worth its time:

- a layer is made when its first frame is there, never for an empty channel;
- it may be made before, where the order of the frames says which comes first;
- the sliders have a plane to show (`live_sliders` knows until when);
- a layer is redrawn once, when the plane that it shows has been written. Moving a
  slider makes napari read the plane anyway.

The caller owns the layers, the clock and the viewer; this module sees numbers only.

Examples
--------
>>> state = LiveState(("z", "c"))
>>> state.see(Newest(image=0, index={"z": 0, "c": 1}, number=2), channels=(2,))
True
>>> state.see(Newest(image=0, index={"z": 1, "c": 0}, number=3), channels=(2,))
True
>>> state.target  # channel 1 of plane z=1 is still to come: stay on the whole plane
Plane(image=0, index=(('z', 0),))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

__all__ = [
    "Box",
    "LayerKey",
    "LiveState",
    "Newest",
    "NewestLike",
    "Plane",
    "contrast_of",
    "fill_order",
    "view_is_compact",
]

Box = tuple[float, float, float, float]
"""Top, left, bottom, right of an image in world units."""

# A plane whose fate is unknown (no order of the frames) is looked at this often.
_BLIND_INTERVAL_S = 0.25

# Channels whose layers are made before the first frame; each holds up the viewer.
_MOST_AHEAD = 4


class NewestLike(Protocol):
    """What is asked of the newest frame of a stream."""

    @property
    def image(self) -> int:
        """Number of the image it belongs to."""

    @property
    def index(self) -> Mapping[str, int]:
        """Its index on each axis of the image but y and x."""

    @property
    def number(self) -> int:
        """How many frames had arrived with it."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest frame as plain numbers; any `NewestLike` will do."""

    image: int
    index: Mapping[str, int]
    number: int


@dataclass(frozen=True, slots=True, order=True)
class LayerKey:
    """One live layer: a channel of an image."""

    image: int
    channel: int


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of an image, all channels of it.

    Parameters
    ----------
    image : int
        Number of the image.
    index : tuple of (str, int)
        Index on each axis but channel, y and x.
    """

    image: int
    index: tuple[tuple[str, int], ...]


def fill_order(axis_order: Iterable[str], used: Iterable[str]) -> tuple[str, ...]:
    """Return the axes of a plan from slowest to fastest, or nothing if it is mixed.

    Positions and grid tiles are both images here, so they become one axis ``p``.
    When another axis lies between them the number of the image does not grow
    steadily and the order says nothing about it.

    Parameters
    ----------
    axis_order : iterable of str
        Short names as useq orders them, for example ``tpgzc``.
    used : iterable of str
        The axes that the plan uses.

    Examples
    --------
    >>> fill_order("tpgzc", "tgc")
    ('t', 'p', 'c')
    >>> fill_order("ptgzc", "ptg")
    ()
    """
    wanted = set(used)
    order: list[str] = []
    for name in axis_order:
        if name not in wanted:
            continue
        name = "p" if name == "g" else name
        if name not in order:
            order.append(name)
        elif order[-1] != name:
            return ()
    return tuple(order)


@dataclass
class _Shown:
    """What is known of one layer's current plane."""

    plane: Plane
    filled: bool
    looked_at: float = 0.0


@dataclass
class LiveState:
    """What one run has delivered so far, as far as the viewer has looked.

    Parameters
    ----------
    order : tuple of str
        Axes from slowest to fastest, ``p`` for the image (see `fill_order`). Empty
        when the order is not known, as for a generator.
    """

    order: tuple[str, ...] = ()
    newest: NewestLike | None = None
    target: Plane | None = None
    _before: NewestLike | None = None
    _channels: tuple[int, ...] = ()
    _current: Plane | None = None
    _made: set[LayerKey] = field(default_factory=set)
    _seen: dict[LayerKey, Plane] = field(default_factory=dict)
    _shown: dict[LayerKey, _Shown] = field(default_factory=dict)

    def see(self, newest: NewestLike | None, channels: Sequence[int]) -> bool:
        """Take note of the newest frame; returns whether it is a new one.

        Parameters
        ----------
        newest : NewestLike, optional
            The newest frame, None when there is none yet.
        channels : sequence of int
            Number of channels of each image.
        """
        self._before = self.newest
        self._channels = tuple(channels)
        if newest is None:
            return False
        if self.newest is not None and newest.number == self.newest.number:
            return False
        self.newest = newest
        plane = _plane_of(newest)
        channel = newest.index.get("c", 0)
        self._seen.setdefault(LayerKey(newest.image, channel), plane)
        # With channels as the fastest axis the newest plane lacks its later channels
        # most of the time; showing it would make them flash black. The plane before
        # it is whole, and one exposure old.
        whole = self.order[-1:] != ("c",) or channel >= self._channels[newest.image] - 1
        if whole or self._current is None:
            self.target = plane
        elif plane != self._current:
            self.target = self._current
        self._current = plane
        return True

    def finish(self) -> None:
        """Note that no frame will follow: the newest plane is as whole as it gets."""
        self.target = self._current

    def layers_to_make(
        self, *, all_of_them: bool = False, ahead: bool = False
    ) -> list[LayerKey]:
        """Return the layers whose first frame is there and that were not made yet.

        Parameters
        ----------
        all_of_them : bool
            Count every channel in, as at the end of a run.
        ahead : bool
            Before the first frame: return the layers of the image that comes first.
        """
        if self.newest is None:
            return self._first_to_come() if ahead else []
        return [
            key
            for image, count in enumerate(self._channels)
            for channel in range(count)
            if (key := LayerKey(image, channel)) not in self._made
            and (all_of_them or self.has_begun(key))
        ]

    def _first_to_come(self) -> list[LayerKey]:
        if not self.order or not self._channels:
            return []
        first = min(self._channels[0], _MOST_AHEAD)
        keys = [LayerKey(0, channel) for channel in range(first)]
        return [key for key in keys if key not in self._made]

    def made(self, key: LayerKey) -> None:
        """Note that a layer exists (or that the user does not want it any more)."""
        self._made.add(key)

    def first_plane(self, key: LayerKey) -> Plane:
        """Return a plane of a layer that is likely to have been written."""
        if key in self._seen:
            return self._seen[key]
        if self.newest is None:
            return Plane(key.image, ())
        return Plane(
            key.image, tuple((name, 0) for name, _ in _plane_of(self.newest).index)
        )

    def sliced(self, key: LayerKey, plane: Plane) -> None:
        """Note that napari has just read this plane of a layer."""
        self._shown[key] = _Shown(plane, self._is_written(key, plane, self.newest))

    def due(self, key: LayerKey, plane: Plane, now: float) -> bool:
        """Return whether a layer must be redrawn, and assume that it will be.

        Parameters
        ----------
        key : LayerKey
            The layer.
        plane : Plane
            The plane that it shows.
        now : float
            Seconds on any steady clock.
        """
        shown = self._shown.get(key)
        if shown is None or shown.plane != plane:
            # The user moved there since the last look: what was written by then has
            # been read, what came later may have been missed.
            filled = self._is_written(key, plane, self._before)
            shown = self._shown[key] = _Shown(plane, filled)
        if shown.filled or self.newest is None:
            return False
        if self._is_written(key, plane, self.newest):
            shown.filled = True
            return True
        if self.order or self.newest is self._before:
            return False
        if now - shown.looked_at < _BLIND_INTERVAL_S:
            return False
        shown.looked_at = now
        return True

    def has_begun(self, key: LayerKey) -> bool:
        """Return whether a frame of a layer is there, as far as is known."""
        if key in self._seen:
            return True
        start = Plane(key.image, ())
        return bool(self.order) and self._is_written(key, start, self.newest)

    def is_there(self, key: LayerKey, plane: Plane) -> bool:
        """Return whether the frame of a plane is known to have arrived."""
        return self._is_written(key, plane, self.newest)

    def _is_written(
        self, key: LayerKey, plane: Plane, newest: NewestLike | None
    ) -> bool:
        """Return whether a frame is known to have arrived."""
        if newest is None:
            return False
        index = {**dict(plane.index), "c": key.channel}
        if not self.order:
            return newest.image == key.image and all(
                newest.index.get(name, 0) == value for name, value in index.items()
            )
        asked = _place(self.order, key.image, index)
        return asked <= _place(self.order, newest.image, newest.index)


def _place(
    order: tuple[str, ...], image: int, index: Mapping[str, int]
) -> tuple[int, ...]:
    """Return where in the run a frame comes; compares as the frames arrive."""
    # Images that share a layer have their number on an axis p of their own.
    place = {"p": image, **index}
    return tuple(place.get(name, 0) for name in order)


def _plane_of(newest: NewestLike) -> Plane:
    return Plane(
        newest.image,
        tuple((name, value) for name, value in newest.index.items() if name != "c"),
    )


def contrast_of(
    frame: npt.NDArray[np.generic],
) -> tuple[float, float] | None:
    """Return display limits from one frame, or None if it is flat.

    The darkest and brightest pixels in a thousand are left out; hot pixels would
    otherwise darken everything else. A large frame is sampled.
    """
    step = max(1, int(np.sqrt(frame.size / 250_000)))
    sample = np.asarray(frame)[::step, ::step]
    low, high = (float(v) for v in np.percentile(sample, (0.1, 99.9)))
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    return (low, high) if high > low else None


def view_is_compact(boxes: Sequence[Box], *, most: float = 4.0) -> bool:
    """Return whether images lie close enough together to be looked at in one view.

    Parameters
    ----------
    boxes : sequence of Box
        The images.
    most : float
        How many times larger than the largest image the view may be, on each axis.
    """
    if len(boxes) < 2:
        return True
    tops, lefts = [box[0] for box in boxes], [box[1] for box in boxes]
    bottoms, rights = [box[2] for box in boxes], [box[3] for box in boxes]
    height = max(b - t for b, t in zip(bottoms, tops, strict=True))
    width = max(r - f for r, f in zip(rights, lefts, strict=True))
    high, wide = max(bottoms) - min(tops), max(rights) - min(lefts)
    return high <= most * height and wide <= most * width
