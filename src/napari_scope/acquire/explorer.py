"""Exploring a sample in space: tiles on demand, one growing mosaic.

An `Explorer` is an acquisition without an end. Whoever looks at the sample asks for
tiles, places or regions, at any height and in any of its channels; the stage goes
there, and the mosaic grows, with several resolutions, on disk and for every viewer
that has it open. A tile that was taken is not taken again.

Examples
--------
>>> import tempfile
>>> from napari_scope.acquire import CoreOwner
>>> with CoreOwner() as owner:
...     owner.load()
...     with Explorer(tempfile.mkdtemp(), "slide", tile_overlap=32) as explorer:
...         explorer.acquire_region((0, 700), (0, 200)).await_image_saved(
...             return_image=False
...         )
...         shape = explorer.mosaic().levels[0].shape
>>> shape
(480, 960)
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_scope.acquire.acquisition import Acquisition
from napari_scope.errors import PlanError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike
    from pathlib import Path
    from types import TracebackType

    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.core import CoreOwner
    from napari_scope.acquire.futures import AcquisitionFuture
    from napari_scope.acquire.tiling import TileGrid
    from napari_scope.model import Image

__all__ = ["ExploreChannel", "Explorer"]


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


class Explorer:
    """Takes tiles on demand.

    Parameters
    ----------
    directory : str or PathLike, optional
        Where to save, in a new folder; a temporary one by default.
    name : str
        Name of the data set.
    tile_overlap : int or (int, int)
        Pixels that neighbours share.
    channels : sequence of ExploreChannel or str
        What is taken of each tile; a single image as the camera stands by default.
    z_step_um : float, optional
        Distance of two levels in height; without it there is only one.
    core : CMMCorePlus or CoreOwner, optional
        The microscope; that of this process by default.
    options
        See `Acquisition`.

    Raises
    ------
    HardwareError
        Without a microscope, a stage, or the size of a pixel.
    """

    def __init__(
        self,
        directory: str | PathLike[str] | None = None,
        name: str = "explore",
        *,
        tile_overlap: int | tuple[int, int],
        channels: Sequence[ExploreChannel | str] = (),
        z_step_um: float | None = None,
        core: CMMCorePlus | CoreOwner | None = None,
        **options: Any,
    ) -> None:
        if z_step_um is not None and z_step_um == 0:
            raise SettingsError("levels in height need a distance that is not zero")
        self._channels = tuple(
            ExploreChannel(c) if isinstance(c, str) else c for c in channels
        )
        names = [channel.config for channel in self._channels]
        if len(set(names)) < len(names):
            raise SettingsError(f"a channel is named twice: {', '.join(names)}")
        self._z_step_um = z_step_um
        self._acquisition = Acquisition(
            directory,
            name,
            tile_overlap=tile_overlap,
            core=core,
            hardware_sequencing=False,
            **options,
        )
        mmc = self._acquisition.run.core
        self._z_origin_um = mmc.getZPosition() if mmc.getFocusDevice() else None
        if z_step_um is not None and self._z_origin_um is None:
            self._acquisition.abort()
            raise SettingsError(
                "there is no focus drive", hint="leave z_step_um out, or choose one"
            )
        self._wanted: set[tuple[tuple[str, int | str], ...]] = set()
        self._lock = threading.Lock()

    # ------------------------------------------------------------- asking for tiles

    def acquire(
        self,
        tiles: Iterable[tuple[int, int]],
        *,
        z: int | Iterable[int] = 0,
        channels: Sequence[str] | None = None,
    ) -> AcquisitionFuture:
        """Ask for tiles; returns at once.

        Parameters
        ----------
        tiles : iterable of (row, column)
            Which, in the order in which they shall be taken.
        z : int or iterable of int
            Levels in height, counted from where the focus was at the beginning.
        channels : sequence of str, optional
            Presets; all of the explorer by default.

        Returns
        -------
        AcquisitionFuture
            Of those that were not asked for before.

        Raises
        ------
        PlanError
            If there is no such channel or height.
        """
        levels = [z] if isinstance(z, int) else list(z)
        if self._z_step_um is None and levels != [0]:
            raise PlanError(
                "this explorer has one level in height only", hint="give it a z_step_um"
            )
        chosen = self._chosen(channels)
        events: list[dict[str, Any]] = []
        with self._lock:
            for row, column in tiles:
                for level in levels:
                    for channel in chosen:
                        event = self._event(row, column, level, channel)
                        key = tuple(sorted(event["axes"].items()))
                        if key not in self._wanted:
                            self._wanted.add(key)
                            events.append(event)
        # One by one, so that `clear` can forget the rest of a region.
        return self._acquisition.acquire_each(events)

    def acquire_at(self, x_um: float, y_um: float, **what: Any) -> AcquisitionFuture:
        """Ask for the tile whose centre is nearest to a place; see `acquire`."""
        return self.acquire([self.grid.nearest(x_um, y_um)], **what)

    def acquire_region(
        self, x_um: tuple[float, float], y_um: tuple[float, float], **what: Any
    ) -> AcquisitionFuture:
        """Ask for the tiles that cover a rectangle on the stage; see `acquire`."""
        return self.acquire(self.grid.covering(x_um, y_um), **what)

    def _chosen(self, names: Sequence[str] | None) -> list[ExploreChannel | None]:
        if names is None:
            return list(self._channels) or [None]
        known = {channel.config: channel for channel in self._channels}
        for name in names:
            if name not in known:
                raise PlanError(
                    f"this explorer has no channel {name!r}",
                    hint=f"it has {', '.join(known) or 'none'}",
                )
        return [known[name] for name in names]

    def _event(
        self, row: int, column: int, level: int, channel: ExploreChannel | None
    ) -> dict[str, Any]:
        axes: dict[str, int | str] = {"row": row, "column": column}
        event: dict[str, Any] = {"axes": axes}
        if channel is not None:
            axes["channel"] = channel.config
            event["channel"] = {"group": channel.group, "config": channel.config}
            if channel.exposure_ms is not None:
                event["exposure"] = channel.exposure_ms
        if self._z_step_um is not None:
            assert self._z_origin_um is not None  # checked when it was made
            axes["z"] = level
            event["z"] = self._z_origin_um + level * self._z_step_um
        return event

    def clear(self) -> None:
        """Forget the tiles that were asked for and not taken yet."""
        self._acquisition.queue.clear()
        with self._lock:
            self._wanted = {tuple(sorted(axes.items())) for axes in self._taken()}

    # ------------------------------------------------------------- looking

    @property
    def grid(self) -> TileGrid:
        """The grid of the tiles."""
        grid = self._acquisition.grid
        assert grid is not None  # it was made with an overlap
        return grid

    @property
    def acquisition(self) -> Acquisition:
        """The acquisition underneath."""
        return self._acquisition

    @property
    def path(self) -> Path:
        """Where it saves."""
        return self._acquisition.path

    def _taken(self) -> list[dict[str, int | str]]:
        if self._acquisition.run.stream is None:
            return []
        return self._acquisition.get_dataset().get_index_keys()

    def tiles(self) -> set[tuple[int, int]]:
        """Return row and column of all tiles that were taken so far."""
        return {(int(a["row"]), int(a["column"])) for a in self._taken()}

    def mosaic(self) -> Image:
        """Return all tiles as one image with several resolutions, as it is now.

        Raises
        ------
        AcquisitionError
            Before the first tile.
        """
        from napari_scope.formats.ndtiff import open_ndtiff

        self._acquisition.get_dataset()  # raises before there is an image
        return open_ndtiff(self.path).images[0]

    # ------------------------------------------------------------- ending

    def close(self) -> None:
        """Take the tiles that were asked for and close the files."""
        self._acquisition.mark_finished()
        self._acquisition.await_completion()

    def abort(self) -> None:
        """Forget what was asked for and end at once."""
        self._acquisition.abort()
        self._acquisition.await_completion()

    def __enter__(self) -> Explorer:
        """Return the explorer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take what was asked for and close; after an error, abort."""
        self._acquisition.__exit__(kind, error, trace)
