"""The events of a multi-dimensional acquisition, as pycro-manager makes them.

`multi_d_acquisition_events` gives what pycro-manager's function of this name gives,
as plain dictionaries that share nothing and can be written as JSON. Two rules hold
where the original is careless: what it leaves out without a word is left out with a
warning, and what it would make nonsense of is an error.

Examples
--------
>>> multi_d_acquisition_events(z_start=0, z_end=1, z_step=1)
[{'axes': {'z': 0}, 'z': 0}, {'axes': {'z': 1}, 'z': 1}]
"""

from __future__ import annotations

import itertools
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_scope.errors import PlanError
from napari_scope.events.event_checks import EventChecks, plain, shown

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["iter_multi_d_acquisition_events", "multi_d_acquisition_events"]

Number: TypeAlias = "int | float"

_LETTERS = {"t": "time points", "p": "positions", "c": "channels", "z": "z planes"}

_OPEN = {"keep_shutter_open": True}

_MAX_PLANES = 10_000_000

# One sample of an axis: its place on it, and the keys that it sets in an event.
_Sample: TypeAlias = "tuple[int | str, dict[str, Any]]"


def multi_d_acquisition_events(
    num_time_points: int | None = None,
    time_interval_s: float | Sequence[float] = 0,
    z_start: float | None = None,
    z_end: float | None = None,
    z_step: float | None = None,
    channel_group: str | None = None,
    channels: Sequence[str] | None = None,
    channel_exposures_ms: Sequence[float] | None = None,
    xy_positions: npt.ArrayLike | Iterable[Sequence[float]] | None = None,
    xyz_positions: npt.ArrayLike | Iterable[Sequence[float]] | None = None,
    order: str = "tpcz",
    keep_shutter_open_between_channels: bool = False,
    keep_shutter_open_between_z_steps: bool = False,
    *,
    z_positions: npt.ArrayLike | Iterable[float] | None = None,
    position_labels: Iterable[int | str] | None = None,
) -> list[dict[str, Any]]:
    """Return the events of a typical multi-dimensional acquisition.

    Parameters
    ----------
    num_time_points : int, optional
        How many time points; without it there is no time axis.
    time_interval_s : float or sequence of float
        Seconds between consecutive time points, 0 for as fast as possible. As many
        numbers as time points are the time before each, the first one included.
    z_start, z_end, z_step : float, optional
        Start, end and step of a z stack in micrometers. The last plane is the first
        one at or beyond ``z_end``. With ``xyz_positions`` and ``z_positions`` they
        are relative to the place's z.
    channel_group, channels : str, sequence of str, optional
        A config group and the presets in it.
    channel_exposures_ms : sequence of float, optional
        Exposure of each channel in milliseconds.
    xy_positions, xyz_positions : array-like, optional
        Stage positions in micrometers, (N, 2) or (N, 3).
    order : str
        The letters t, p, c and z, the slowest axis first. An axis whose letter is
        missing is left out.
    keep_shutter_open_between_channels, keep_shutter_open_between_z_steps : bool
        Leave the shutter open after each event of an acquisition with channels, or
        with a z stack.
    z_positions : array-like, optional
        The z of each of ``xy_positions``: (N,) its centre, with the planes
        ``arange(z + z_start, z + z_end, z_step)`` if there is a z range, which do not
        reach the end; (N, n_z) all its planes.
    position_labels : iterable of int or str, optional
        Names of the positions, instead of numbers.

    Returns
    -------
    list of dict
        The events.

    Raises
    ------
    PlanError
        If arguments contradict each other. It is a ValueError.
    """
    return list(
        iter_multi_d_acquisition_events(
            num_time_points,
            time_interval_s,
            z_start,
            z_end,
            z_step,
            channel_group,
            channels,
            channel_exposures_ms,
            xy_positions,
            xyz_positions,
            order,
            keep_shutter_open_between_channels,
            keep_shutter_open_between_z_steps,
            z_positions=z_positions,
            position_labels=position_labels,
        )
    )


def iter_multi_d_acquisition_events(
    num_time_points: int | None = None,
    time_interval_s: float | Sequence[float] = 0,
    z_start: float | None = None,
    z_end: float | None = None,
    z_step: float | None = None,
    channel_group: str | None = None,
    channels: Sequence[str] | None = None,
    channel_exposures_ms: Sequence[float] | None = None,
    xy_positions: npt.ArrayLike | Iterable[Sequence[float]] | None = None,
    xyz_positions: npt.ArrayLike | Iterable[Sequence[float]] | None = None,
    order: str = "tpcz",
    keep_shutter_open_between_channels: bool = False,
    keep_shutter_open_between_z_steps: bool = False,
    *,
    z_positions: npt.ArrayLike | Iterable[float] | None = None,
    position_labels: Iterable[int | str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Like `multi_d_acquisition_events`, one event after the other.

    The arguments are looked at now, not when the first event is asked for.
    """
    letters = _letters(order)
    stage = _stage(xy_positions, xyz_positions, z_positions, position_labels)
    z_range = _z_range(z_start, z_end, z_step)
    levels: dict[str, _Level] = {}
    times = _times(num_time_points, time_interval_s)
    if times is not None:
        levels["t"] = _Level("time", times)
    if stage is not None:
        levels["p"] = _Level("position", stage.samples(with_z="z" not in letters))
    presets = _presets(channel_group, channels, channel_exposures_ms)
    if presets is not None:
        if keep_shutter_open_between_channels:
            presets = [(name, {**keys, **_OPEN}) for name, keys in presets]
        levels["c"] = _Level("channel", presets)
    heights = _heights(stage, z_range)
    if "z" not in letters and z_range is None and stage is not None:
        heights = None  # the position's own z, set with x and y
    if heights is not None:
        keys = _OPEN if keep_shutter_open_between_z_steps else {}
        planes: list[list[_Sample]] = [
            [(number, {"z": z, **keys}) for number, z in enumerate(row)]
            for row in heights
        ]
        levels["z"] = _Level("z", by_position=planes)
    if stage is not None and "p" not in letters and "z" in levels:
        raise PlanError(
            f"there are z planes for each position, but the order {order!r} has no 'p'",
            hint="add 'p' before 'z', or leave the positions out",
        )
    if stage is not None and stage.has_planes and "z" not in letters:
        raise PlanError(
            f"z_positions has the planes of each position, but the order {order!r} "
            "has no 'z'",
            hint="add 'z' after 'p'",
        )
    _warn_of_what_is_left_out(order, letters, levels)
    chosen = [levels[letter] for letter in letters if letter in levels]
    return _events(tuple(chosen), {}, {}, 0)


@dataclass(frozen=True, slots=True)
class _Level:
    """The samples of an axis; those of z may differ from position to position."""

    axis: str
    samples: Iterable[_Sample] = ()
    by_position: list[list[_Sample]] | None = None

    def at(self, position: int) -> Iterable[_Sample]:
        return self.samples if self.by_position is None else self.by_position[position]


@dataclass(frozen=True, slots=True)
class _Times:
    """Time points at equal distances; made when they are asked for."""

    count: int
    seconds: Number

    def __iter__(self) -> Iterator[_Sample]:
        for number in range(self.count):
            start = {"min_start_time": number * self.seconds} if self.seconds else {}
            yield number, start


def _events(
    levels: tuple[_Level, ...],
    axes: dict[str, int | str],
    keys: dict[str, Any],
    position: int,
) -> Iterator[dict[str, Any]]:
    """Go through all samples of the first level, and of all others in it."""
    if not levels:
        event = {"axes": axes, **keys}
        if "config_group" in event:
            event["config_group"] = [*event["config_group"]]
        yield event
        return
    level, rest = levels[0], levels[1:]
    is_position = level.axis == "position"
    for number, (value, own) in enumerate(level.at(position)):
        yield from _events(
            rest,
            {**axes, level.axis: value},
            {**keys, **own},
            number if is_position else position,
        )


def _letters(order: str) -> list[str]:
    if not isinstance(order, str):
        raise PlanError(f"order must be a text such as 'tpcz', found {shown(order)}")
    letters = list(order.lower())
    if len({*letters}) < len(letters):
        raise PlanError(f"order {order!r} has a letter twice")
    if "p" in letters and "z" in letters and letters.index("p") > letters.index("z"):
        raise PlanError(
            f"order {order!r} has z before p",
            hint="the planes of a position follow its xy: put 'p' before 'z'",
        )
    return letters


def _times(count: object, interval: object) -> Iterable[_Sample] | None:
    """Return the time points, or None without a time axis."""
    found = plain(count)
    if found is not None and (type(found) is not int or found < 0):
        raise PlanError(
            f"num_time_points must be a whole number, 0 or more, found {shown(count)}"
        )
    step = plain(interval)
    if type(step) in (int, float):
        seconds = _number("time_interval_s", step)
        if seconds < 0:
            raise PlanError(f"time_interval_s must be 0 or more, found {seconds}")
        return _Times(found, seconds) if found else None
    steps = _row("time_interval_s", interval)
    if len(steps) != found:
        raise PlanError(
            "a list of time_interval_s must have as many numbers as there are time "
            f"points, expected {found}, found {len(steps)}"
        )
    if min(steps, default=0) < 0:
        raise PlanError(f"time_interval_s must be 0 or more, found {min(steps)}")
    starts = itertools.accumulate(steps)
    return [(i, {"min_start_time": start}) for i, start in enumerate(starts)] or None


def _presets(
    group: str | None, channels: Iterable[str] | None, exposures: object
) -> list[_Sample] | None:
    """Return the channels, or None without a channel axis."""
    if group is None or channels is None:
        for name, value in (
            ("channel_group", group),
            ("channels", channels),
            ("channel_exposures_ms", exposures),
        ):
            if value is not None:
                _warn(f"{name} is left out: channels need channel_group and channels")
        return None
    checks = EventChecks()
    if isinstance(channels, str):
        raise PlanError(
            f"channels must be a list of presets, found {channels!r}",
            hint=f"write [{channels!r}]",
        )
    group = checks.name("channel_group", group)
    presets = [checks.name("each of channels", name, "a preset") for name in channels]
    times: list[dict[str, Any]] = [{}] * len(presets)
    if exposures is not None:
        found = _row("channel_exposures_ms", exposures)
        if len(found) != len(presets):
            raise PlanError(
                "channel_exposures_ms must have a number for each channel, expected "
                f"{len(presets)}, found {len(found)}"
            )
        times = [{"exposure": value} for value in found]
    return [
        (preset, {"config_group": [group, preset], **time})
        for preset, time in zip(presets, times, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Stage:
    """Stage positions; ``z`` (N, 1) is their own height, (N, n) all their planes."""

    labels: list[int | str]
    xy: list[list[Number]]
    z: npt.NDArray[np.generic] | None
    is_centre: bool = False

    @property
    def has_planes(self) -> bool:
        return self.z is not None and self.z.shape[1:] != (1,)

    def samples(self, *, with_z: bool) -> list[_Sample]:
        """Return the samples of the position axis, with z if z has no axis itself."""
        found: list[_Sample] = [
            (label, {"x": x, "y": y})
            for label, (x, y) in zip(self.labels, self.xy, strict=True)
        ]
        if with_z and self.z is not None and not self.has_planes:
            for (_, keys), z in zip(found, self.z[:, 0].tolist(), strict=True):
                keys["z"] = z
        return found


def _stage(
    xy: object,
    xyz: object,
    z: object,
    labels: Iterable[int | str] | None,
) -> _Stage | None:
    """Return the positions, or None without a position axis."""
    if xy is not None and xyz is not None:
        raise PlanError(
            "xy_positions and xyz_positions are incompatible",
            hint="leave one of them out",
        )
    if xy is None and xyz is None:
        if z is not None:
            raise PlanError(
                "z_positions are those of xy_positions, which are missing",
                hint="use z_start, z_end and z_step for a stack where the stage is",
            )
        if labels is not None:
            _warn("position_labels is left out: there are no positions")
        return None
    name = "xy_positions" if xyz is None else "xyz_positions"
    places = _table(name, xy if xyz is None else xyz, 2 if xyz is None else 3)
    heights = places[:, 2:] if xyz is not None else None
    if z is not None:
        if xyz is not None:
            raise PlanError(
                "z_positions and xyz_positions are incompatible",
                hint="leave one of them out",
            )
        heights = _numbers("z_positions", z)
        if heights.ndim not in (1, 2) or len(heights) != len(places):
            raise PlanError(
                "z_positions must have a number or a row for each of the "
                f"{len(places)} positions, found the shape {heights.shape}"
            )
    return _Stage(
        _labels(labels, len(places)),
        places[:, :2].tolist(),
        heights if heights is None or heights.ndim == 2 else heights[:, None],
        is_centre=z is not None and heights is not None and heights.ndim == 1,
    )


def _labels(labels: Iterable[int | str] | None, count: int) -> list[int | str]:
    if labels is None:
        return list(range(count))
    if isinstance(labels, str):
        raise PlanError(f"position_labels must be a list of names, found {labels!r}")
    checks = EventChecks()
    found = [checks.sample("each of position_labels", label) for label in labels]
    if len(found) != count:
        raise PlanError(
            "position_labels must have a name for each position, expected "
            f"{count}, found {len(found)}"
        )
    if len({*found}) < len(found):
        _warn("position_labels has a name twice: their frames will have the same axes")
    return found


def _z_range(*given: object) -> tuple[Number, Number, Number] | None:
    """Return start, end and step of a stack."""
    names = ("z_start", "z_end", "z_step")
    missing = [n for n, value in zip(names, given, strict=True) if value is None]
    if len(missing) == len(names):
        return None
    if missing:
        raise PlanError(
            "all of z_start, z_end and z_step must be given, found no "
            f"{' and no '.join(missing)}"
        )
    start, end, step = (
        _number(name, value) for name, value in zip(names, given, strict=True)
    )
    if step == 0:
        raise PlanError("z_step must not be 0")
    if (end - start) / step < 0:
        _warn(f"there is no plane: z_step {step} leads away from z_end")
    if (end - start) / step > _MAX_PLANES:
        raise PlanError(
            f"z from {start} to {end} in steps of {step} are more than {_MAX_PLANES} "
            "planes"
        )
    return start, end, step


def _heights(
    stage: _Stage | None, z_range: tuple[Number, Number, Number] | None
) -> list[list[Number]] | None:
    """Return the planes at each position, or None without a z axis."""
    own = None if stage is None else stage.z
    if z_range is None:
        return None if own is None else own.tolist()
    start, end, step = z_range
    if stage is not None and stage.has_planes:
        raise PlanError(
            "z_positions has all planes of each position, and z_start, z_end and "
            "z_step are given too",
            hint="leave one of them out",
        )
    if stage is not None and own is not None and stage.is_centre:
        # As it is documented: unlike everywhere else the end is not reached.
        return [np.arange(z + start, z + end, step).tolist() for z in own[:, 0]]
    planes = np.arange(start, end + step, step)
    if stage is None:
        return [planes.tolist()]
    if own is None:
        return [planes.tolist()] * len(stage.labels)
    return [(z + planes).tolist() for z in own]


def _number(name: str, value: object) -> Number:
    found = plain(value)
    EventChecks().number(name, found, "seconds" if "time" in name else "micrometers")
    assert isinstance(found, int | float)
    return found


def _numbers(name: str, value: object) -> npt.NDArray[np.generic]:
    """Return an array of finite numbers."""
    given = list(value) if isinstance(value, Iterator) else value
    try:
        found = np.asarray(given)
    except ValueError as error:  # rows of different lengths
        raise PlanError(
            f"{name} must be an array of numbers, found {shown(given)}"
        ) from error
    if found.size and (found.dtype.kind not in "iuf" or not np.isfinite(found).all()):
        raise PlanError(f"{name} must be finite numbers, found {shown(given)}")
    return found


def _row(name: str, value: object) -> list[Number]:
    found = _numbers(name, value)
    if found.ndim != 1:
        raise PlanError(f"{name} must be a list of numbers, found {shown(value)}")
    return found.tolist()  # type: ignore[no-any-return]


def _table(name: str, value: object, columns: int) -> npt.NDArray[np.generic]:
    found = _numbers(name, value)
    if not found.size:
        return np.empty((0, columns))
    if found.ndim != 2 or found.shape[1] != columns:
        raise PlanError(
            f"{name} must have {columns} numbers for each position, found the shape "
            f"{found.shape}"
        )
    return found


def _warn_of_what_is_left_out(
    order: str, letters: list[str], levels: Iterable[str]
) -> None:
    for letter in letters:
        if letter not in _LETTERS:
            _warn(f"the letter {letter!r} of the order {order!r} is no axis")
    for letter in levels:
        if letter not in letters:
            what = _LETTERS[letter]
            _warn(f"{what} are left out: the order {order!r} has no {letter!r}")


def _warn(text: str) -> None:
    """Warn where this module was called."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)
