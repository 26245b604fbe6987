"""What is told of an explorer, and what it is asked for: values without behaviour."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.errors import PlanError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.acquire.progress import RunState
    from napari_scope.stream import Output

__all__ = [
    "ExploreChannel",
    "Explored",
    "channels_of",
    "check_outputs",
    "chosen_of",
    "place_of",
    "whole",
]


@dataclass(frozen=True, slots=True)
class ExploreChannel:
    """A channel to explore in.

    Parameters
    ----------
    config : str
        Preset of the channel group.
    exposure_ms : float, optional
        Exposure; that of the camera by default.
    group : str
        The channel group.
    """

    config: str
    exposure_ms: float | None = None
    group: str = "Channel"


@dataclass(frozen=True, slots=True)
class Explored:
    """How far an explorer is.

    Parameters
    ----------
    state : RunState
        Where its run is.
    taken : frozenset of (row, column)
        Tiles of which an image is saved.
    waiting : tuple of (row, column)
        Tiles that were asked for and for which the stage has not left yet, in order.
    now : (row, column), optional
        The tile that the stage has left for last.
    saved, skipped : int
        Images that are saved, and those that failed or that a hook dropped.
    reasons : tuple of str
        Why the last ones were skipped.
    error : BaseException, optional
        What ended the run.
    """

    state: RunState
    taken: frozenset[tuple[int, int]] = frozenset()
    waiting: tuple[tuple[int, int], ...] = ()
    now: tuple[int, int] | None = None
    saved: int = 0
    skipped: int = 0
    reasons: tuple[str, ...] = ()
    error: BaseException | None = None


def channels_of(channels: Sequence[ExploreChannel | str]) -> tuple[ExploreChannel, ...]:
    """Return channels of which some may be given by their names only.

    Raises
    ------
    SettingsError
        If one is named twice.
    """
    found = tuple(ExploreChannel(c) if isinstance(c, str) else c for c in channels)
    names = [channel.config for channel in found]
    if len(set(names)) < len(names):
        raise SettingsError(f"a channel is named twice: {', '.join(names)}")
    return found


def check_outputs(outputs: Sequence[Output] | None) -> None:
    """Refuse outputs that have no mosaic.

    Raises
    ------
    SettingsError
        If none of them is NDTiff.
    """
    if outputs is not None and all(o.format != "ndtiff" for o in outputs):
        raise SettingsError(
            "an explorer needs an output of NDTiff for its mosaic",
            hint="add one; others may stand beside it",
        )


def whole(value: object, what: str) -> int:
    """Return a whole number; raises PlanError for all else."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise PlanError(f"{what} is a whole number, found {value!r}")


def place_of(tile: tuple[int, int]) -> tuple[int, int]:
    """Return row and column of a tile as whole numbers."""
    row, column = tile
    return whole(row, "the row of a tile"), whole(column, "the column of a tile")


def chosen_of(
    channels: Sequence[ExploreChannel], names: Sequence[str] | None
) -> list[ExploreChannel | None]:
    """Return channels by their names, all by default, None for the only image."""
    if names is None:
        return list(channels) or [None]
    known = {channel.config: channel for channel in channels}
    for name in names:
        if name not in known:
            raise PlanError(
                f"this explorer has no channel {name!r}",
                hint=f"it has {', '.join(known) or 'none'}",
            )
    return [known[name] for name in names]
