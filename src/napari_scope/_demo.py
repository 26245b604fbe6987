"""The demonstration: a run on the demo microscope, and the proof that nothing is lost.

`WitnessedRun` notes the checksum of each frame as the camera delivers it, before any
of our code that saves has touched it. `verify` opens what was saved the way napari
does and compares every frame with that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from crc32c import crc32c

from napari_scope._reader import napari_get_reader
from napari_scope.acquire import Run
from napari_scope.errors import FormatError
from napari_scope.model import short

if TYPE_CHECKING:
    from os import PathLike

    import numpy.typing as npt
    from useq import MDAEvent, MDASequence

    from napari_scope.model import LevelArray

__all__ = ["Verification", "WitnessedRun", "demo_sequence", "verify"]


def demo_sequence(
    *, positions: int = 2, times: int = 4, channels: int = 2, planes: int = 5
) -> MDASequence:
    """Return the plan of the demonstration: positions x times x channels x z.

    The positions stand side by side, one field of the demo camera apart.
    """
    import useq

    names = ("DAPI", "FITC", "Cy5", "Rhodamine")[:channels]
    return useq.MDASequence(
        axis_order="tpcz",
        time_plan=useq.TIntervalLoops(interval=0, loops=times),
        stage_positions=[
            useq.Position(x=540.0 * i, y=0.0, z=0.0, name=f"Pos{i}")
            for i in range(positions)
        ],
        channels=[useq.Channel(config=name, exposure=10) for name in names],
        z_plan=useq.ZRangeAround(range=2.0 * (planes - 1), step=2.0),
    )


class WitnessedRun(Run):
    """A run that remembers the checksum of each frame the camera delivered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.witnessed: dict[tuple[tuple[str, int | str], ...], int] = {}

    def frame(
        self, image: npt.NDArray[np.generic], event: MDAEvent, meta: dict[str, Any]
    ) -> None:
        """Note the frame, then hand it on."""
        axes = self.axes_of(event)
        self.witnessed[tuple(sorted(axes.items()))] = _checksum(image)
        super().frame(image, event, meta)


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of comparing a store with what the camera delivered.

    Parameters
    ----------
    expected : int
        Frames that the camera delivered.
    equal : int
        Frames of the store that are the same, pixel by pixel.
    wrong : tuple of str
        The axes of frames that differ or are missing.
    """

    expected: int
    equal: int
    wrong: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every frame is there and right."""
        return self.expected > 0 and not self.wrong


def verify(path: str | PathLike[str], run: WitnessedRun) -> Verification:
    """Compare each frame of a store, opened by the plugin's reader, with the camera's.

    Raises
    ------
    FormatError
        If the reader does not take the path.
    """
    reader = napari_get_reader(path)
    if reader is None:
        raise FormatError("the reader does not know this path", path=path)
    layers = {}
    for data, arguments, _ in reader(path):
        facts = cast("Any", arguments["metadata"])["napari_scope"]
        level = cast("LevelArray", data[0] if arguments["multiscale"] else data)  # type: ignore[index]
        layers[facts["image"], facts["channel"]] = (level, facts["axes"])
    wrong: list[str] = []
    for identity, checksum in run.witnessed.items():
        axes = dict(identity)
        place = str(axes.get("position", "image"))
        found = layers.get((place, axes.get("channel")))
        if found is None and len(layers) == 1:
            (found,) = layers.values()
        if found is None or _checksum(_frame(*found, axes)) != checksum:
            wrong.append(", ".join(f"{k}={v}" for k, v in axes.items()))
    count = len(run.witnessed)
    return Verification(count, count - len(wrong), tuple(wrong))


def _frame(
    level: LevelArray, names: list[str], axes: dict[str, int | str]
) -> npt.NDArray[np.generic]:
    index = {short(name): value for name, value in axes.items()}
    key = tuple(
        slice(None) if name in ("y", "x") else index.get(name, 0) for name in names
    )
    return np.asarray(level[key])


def _checksum(image: npt.NDArray[np.generic]) -> int:
    return crc32c(np.ascontiguousarray(image).data.cast("B"))
