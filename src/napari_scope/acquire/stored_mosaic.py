"""A mosaic on disk that an explorer goes on with.

`stored_mosaic` looks at the store of an explorer: the grid it was laid out with, its
channels and heights, and the tiles that are there. One whose program was killed is
recovered first. `StoredMosaic.check` compares it with the microscope as it is set now:
tiles of another camera, binning, region, pixel size or turn do not fit to those that
are there.

What the explorer was told is in the summary metadata of the store, and how the camera
was set for the last tile is in the journal. Both are files that anybody may have
changed, so what they say is looked at closely.

Examples
--------
>>> mosaic = stored_mosaic("acquired/look_1")  # doctest: +SKIP
>>> mosaic.grid.overlap_px, len(mosaic.known)  # doctest: +SKIP
((32, 32), 12)
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.acquire.explore_heights import Heights
from napari_scope.acquire.explore_parts import ExploreChannel
from napari_scope.acquire.store import camera_frame
from napari_scope.acquire.tiling import TileGrid
from napari_scope.errors import FormatError, SettingsError
from napari_scope.formats.ndtiff.layout import FULL_RESOLUTION
from napari_scope.formats.ndtiff.resume import stored_folder
from napari_scope.stream import Output, read_journal, recover
from napari_scope.stream.recovery_journal import find_journal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.run import Run

__all__ = ["StoredMosaic", "mosaic_facts", "stored_mosaic", "wait_for_files"]

_ALIKE = 1e-6  # of two transforms that are the same
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class StoredMosaic:
    """What is known of a mosaic.

    Parameters
    ----------
    path : Path
        Folder of the store.
    grid : TileGrid
        The grid of its tiles.
    coarsest : int, optional
        The coarsest level that was asked for.
    channels : tuple of ExploreChannel
        What was taken of each tile.
    heights : Heights
        Levels in height.
    known : tuple of mapping
        Axes of all images that are there, or that failed.
    dtype : str
        Type of the pixels.
    settings : mapping
        How the microscope was set: words of the user, and what they were.
    """

    path: Path
    grid: TileGrid
    coarsest: int | None
    channels: tuple[ExploreChannel, ...]
    heights: Heights
    known: tuple[Mapping[str, int | str], ...]
    dtype: str
    settings: Mapping[str, object]

    @property
    def levels(self) -> range:
        """The levels in height that were taken."""
        below = self.heights.below
        found = [
            z - below for axes in self.known if isinstance(z := axes.get("z"), int)
        ]
        return range(min(found, default=0), max(found, default=0) + 1)

    def as_begun(self) -> dict[str, Any]:
        """Return the arguments of an explorer that goes on with it."""
        return {
            "name": self.path.name,
            "tile_overlap": self.grid.overlap_px,
            "channels": self.channels,
            "z_step_um": self.heights.step_um,
            "z_below": self.heights.below,
            "origin_um": self.grid.origin_um,
            "max_multi_res_index": self.coarsest,
            "outputs": (Output(self.path, "ndtiff"),),
            "resume": True,
        }

    def check(self, core: CMMCorePlus) -> None:
        """Refuse a microscope whose tiles would not fit.

        Raises
        ------
        SettingsError
            Naming all that differs.
        HardwareError
            Without a camera, a stage, or the size of a pixel.
        """
        here = TileGrid.of(core, self.grid.overlap_px)
        dtype = camera_frame(core)[1]
        now: dict[str, object] = {
            "the image": here.image_px,
            "the type of the pixels": dtype.name,
            **_settings_of(core),
        }
        then: dict[str, object] = {
            "the image": self.grid.image_px,
            "the type of the pixels": self.dtype,
            **self.settings,
        }
        if now["the image"] != then["the image"]:
            now.pop("the region of the camera", None)  # says the same once more
        wrong = [
            f"{what} is {_text(then[what])} there and {_text(value)} here"
            for what, value in now.items()
            if then.get(what) is not None and then[what] != value
        ]
        if not _alike(here.affine, self.grid.affine):
            wrong.append(
                f"a pixel is {_pixel(self.grid.affine)} there and "
                f"{_pixel(here.affine)} here"
            )
        if self.heights.step_um is not None and not core.getFocusDevice():
            wrong.append("it has levels in height, and there is no focus drive here")
        if wrong:
            raise SettingsError(
                f"new tiles would not fit to this mosaic: {'; '.join(wrong)}",
                path=self.path,
                hint="set the microscope as it was, or begin a new mosaic",
            )


def mosaic_facts(
    channels: Sequence[ExploreChannel], heights: Heights
) -> dict[str, object]:
    """Return what is stored of an explorer, for whoever goes on with its mosaic."""
    return {
        "explorer": {
            "channels": [
                {"config": c.config, "exposure_ms": c.exposure_ms, "group": c.group}
                for c in channels
            ],
            "z_step_um": heights.step_um,
            "z_below": heights.below,
            "z_origin_um": heights.origin_um,
        }
    }


def stored_mosaic(path: str | PathLike[str]) -> StoredMosaic:
    """Look at a mosaic that an explorer has left; recover it if it was killed.

    Raises
    ------
    FormatError
        If it is no mosaic of an explorer, or damaged.
    StreamError
        If it is still being written.
    """
    path = Path(path).expanduser()
    if path.name == FULL_RESOLUTION:
        path = path.parent
    journal = find_journal(path)
    full = path / FULL_RESOLUTION
    if journal is None or journal.parent != path or not full.is_dir():
        raise FormatError(
            "there is no mosaic of an explorer here",
            path=path,
            hint="choose the folder of a mosaic, in which 'Full resolution' lies",
        )
    content = read_journal(journal)
    if content.closed is None:
        recover(path)
        content = read_journal(journal)
    stored = stored_folder(full)
    facts = _part(stored.facts(), "napari_scope")
    tiles, explorer = _part(facts, "tiles"), _part(facts, "explorer")
    try:
        grid = TileGrid(
            _numbers(tiles["origin_um"], float),
            _numbers(tiles["image_px"], int),
            _numbers(tiles["overlap_px"], int),
            _numbers(tiles["affine"], float, 4),
        )
        heights = Heights(
            _number(explorer["z_step_um"]),
            int(explorer["z_below"]),
            _number(explorer["z_origin_um"]),
        )
        channels = tuple(
            ExploreChannel(str(c["config"]), _number(c["exposure_ms"]), str(c["group"]))
            for c in explorer["channels"]
        )
        coarsest = None if tiles["levels"] is None else int(tiles["levels"])
    except (KeyError, TypeError, ValueError, SettingsError) as error:
        raise FormatError(
            "the store does not say how its tiles were taken, so nothing can be added",
            path=path,
            hint="only mosaics that an explorer of this program began can go on",
        ) from error
    table = stored.table
    frames = [table.axes(number) for number in range(len(table))]
    frames += [e["axes"] for e in content.frames if isinstance(e.get("axes"), dict)]
    last: Mapping[str, Any] = next(
        (e for e in reversed(content.frames) if e.get("metadata")), {}
    )
    plan = _part(content.header, "plan")
    microscope = _part(facts, "microscope")
    return StoredMosaic(
        path,
        grid,
        coarsest,
        channels,
        heights,
        tuple({tuple(sorted(axes.items())): axes for axes in frames}.values()),
        str(plan.get("dtype", "")),
        {
            "the camera": microscope.get("camera"),
            "the XY stage": microscope.get("stage"),
            "the binning": _part(last, "metadata").get("binning"),
            "the region of the camera": _part(last, "metadata").get("roi"),
        },
    )


def wait_for_files(run: Run) -> None:
    """Wait until a run that goes on with its outputs has opened them.

    Raises
    ------
    ScopeError
        What ended it instead.
    """
    while run.stream is None:
        with contextlib.suppress(TimeoutError):
            run.wait(_LOOK_S)
            return


def _settings_of(core: CMMCorePlus) -> dict[str, object]:
    """Return how the microscope is set, in the words of `StoredMosaic.settings`."""
    camera = core.getCameraDevice()
    found: dict[str, object] = {
        "the camera": camera,
        "the XY stage": core.getXYStageDevice(),
    }
    with contextlib.suppress(RuntimeError):
        found["the region of the camera"] = [int(v) for v in core.getROI()]
    with contextlib.suppress(RuntimeError):
        if core.hasProperty(camera, "Binning"):
            found["the binning"] = core.getProperty(camera, "Binning")
    return found


def _alike(some: Sequence[float], others: Sequence[float]) -> bool:
    size = max(map(abs, some))
    return all(
        math.isclose(a, b, rel_tol=_ALIKE, abs_tol=_ALIKE * size)
        for a, b in zip(some, others, strict=True)
    )


def _pixel(affine: tuple[float, float, float, float]) -> str:
    a, b, d, e = affine
    size = math.sqrt(abs(a * e - b * d))
    turn = math.degrees(math.atan2(d, a))
    turned = f", turned by {turn:.4g} degrees" if round(turn, 3) else ""
    mirrored = ", mirrored" if a * e - b * d < 0 else ""
    return f"{size:.6g} µm{turned}{mirrored}"


def _text(value: object) -> str:
    if isinstance(value, tuple | list):
        return " x ".join(map(str, value)) if len(value) == 2 else str(list(value))
    return str(value)


def _part(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not finite")
    return float(value)


def _numbers(values: Any, kind: type, count: int = 2) -> Any:
    found = tuple(kind(_number(value)) for value in values)
    if len(found) != count:
        raise ValueError(f"{len(found)} numbers where {count} are expected")
    return found
