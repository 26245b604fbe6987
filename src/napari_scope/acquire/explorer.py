"""Exploring a sample in space: tiles on demand, one growing mosaic.

An `Explorer` is an acquisition without an end. Whoever looks at the sample asks for
tiles, places or regions, at any height and in any of its channels; the stage goes
there, and the mosaic grows, with several resolutions, on disk and for every viewer
that has it open. A tile that was taken, or failed, is not taken again.

Tiles are taken in the order in which they were asked for, one region after the other.
Any thread may ask; the microscope belongs to the acquisition underneath. A mosaic that
was finished, or killed, is gone on with by `Explorer.resume`.

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
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_scope.acquire.acquisition import Acquisition
from napari_scope.acquire.core import CoreOwner
from napari_scope.acquire.explore_heights import Heights
from napari_scope.acquire.explore_parts import (
    ExploreChannel,
    Explored,
    channels_of,
    check_outputs,
    chosen_of,
    place_of,
)
from napari_scope.acquire.futures import key_of
from napari_scope.acquire.notifications import AcqNotification
from napari_scope.acquire.stored_mosaic import (
    mosaic_facts,
    stored_mosaic,
    wait_for_files,
)
from napari_scope.acquire.tiling import TileGrid
from napari_scope.errors import AcquisitionError, PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from os import PathLike
    from pathlib import Path

    from pymmcore_plus import CMMCorePlus

    from napari_scope.acquire.futures import AcquisitionFuture, FrameKey
    from napari_scope.model import Image

__all__ = ["ExploreChannel", "Explored", "Explorer"]

_Wish: TypeAlias = "tuple[FrameKey, dict[str, Any]]"
_SAVED = AcqNotification.Image.IMAGE_SAVED


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
    z_below : int
        How many levels there are below the one where the focus is at the beginning,
        which is level 0. The axis ``z`` of the store counts from the lowest.
    origin_um : (float, float), optional
        Stage position of row 0 and column 0; where the stage is by default.
    core : CMMCorePlus or CoreOwner, optional
        The microscope; that of this process by default.
    options
        See `Acquisition`.

    Raises
    ------
    HardwareError
        Without a microscope, a stage, or the size of a pixel.
    SettingsError
        If channels or heights make no sense, or no output is NDTiff.
    """

    def __init__(
        self,
        directory: str | PathLike[str] | None = None,
        name: str = "explore",
        *,
        tile_overlap: int | tuple[int, int],
        channels: Sequence[ExploreChannel | str] = (),
        z_step_um: float | None = None,
        z_below: int = 0,
        origin_um: tuple[float, float] | None = None,
        core: CMMCorePlus | CoreOwner | None = None,
        **options: Any,
    ) -> None:
        heights = Heights(z_step_um, z_below)
        self._channels = channels_of(channels)
        check_outputs(options.get("outputs"))
        owner = core if isinstance(core, CoreOwner) else CoreOwner(core)
        grid: int | tuple[int, int] | TileGrid = tile_overlap
        if owner.has_devices:  # else the acquisition says so
            grid = TileGrid.of(owner.core, tile_overlap)
            grid = grid if origin_um is None else grid.at(*origin_um)
            heights = heights.of(owner.core)
        self._heights = heights
        self._acquisition = Acquisition(
            directory,
            name,
            tile_overlap=grid,
            core=owner,
            hardware_sequencing=False,
            facts=mosaic_facts(self._channels, heights),
            **options,
        )
        # What was asked for and not cleared, with what becomes of it; of that, what
        # the stage has not left for.
        self._wanted: dict[FrameKey, AcquisitionFuture | None] = {}
        self._regions: list[deque[_Wish]] = []
        self._now: tuple[int, int] | None = None
        self._lock = threading.Lock()

    @classmethod
    def resume(
        cls,
        path: str | PathLike[str],
        *,
        core: CMMCorePlus | CoreOwner | None = None,
        **options: Any,
    ) -> Explorer:
        """Go on with a mosaic: the same grid, channels and heights, more tiles.

        One whose program was killed is recovered first. Returns when the files are
        open. Tiles that are there, or failed, are not taken again.

        Parameters
        ----------
        path : str or PathLike
            Folder of the mosaic, as `Explorer.path` says it.
        core, options
            As for `Explorer`, without ``outputs``.

        Raises
        ------
        FormatError
            If it is no mosaic of an explorer, or damaged.
        SettingsError
            Naming what differs, if new tiles would not fit.
        StreamError
            If it is still being written.
        """
        stored = stored_mosaic(path)
        owner = core if isinstance(core, CoreOwner) else CoreOwner(core)
        if owner.has_devices:
            stored.check(owner.core)
        explorer = cls(core=owner, **stored.as_begun(), **options)
        explorer._heights = stored.heights
        explorer._wanted = dict.fromkeys(map(key_of, stored.known))
        wait_for_files(explorer.acquisition.run)
        return explorer

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
            Of all of them, also of those that somebody asked for before.

        Raises
        ------
        PlanError
            If there is no such channel or height, or there are no tiles.
        AcquisitionError
            If the explorer is closed; what ended it, if it failed.
        """
        levels = self._heights.levels(z)
        chosen = chosen_of(self._channels, channels)
        places = [place_of(tile) for tile in tiles]
        asked: list[dict[str, Any]] = []
        wishes: deque[_Wish] = deque()
        with self._lock:
            for row, column in places:
                for level in levels:
                    for channel in chosen:
                        event = self._event(row, column, level, channel)
                        asked.append(event)
                        key = key_of(event["axes"])
                        if key not in self._wanted:
                            self._wanted[key] = None
                            wishes.append((key, event))
            try:
                if wishes:
                    fate = self._acquisition._expecting([event for _, event in wishes])
                    self._wanted.update(dict.fromkeys((key for key, _ in wishes), fate))
                future = self._future(asked)
                if wishes:
                    self._regions.append(wishes)
                    # One by one, so that `clear` can forget the rest of a region.
                    self._acquisition.queue.put(self._events(wishes))
            except BaseException:
                self._forget(wishes)
                raise
        return future

    def _future(self, asked: list[dict[str, Any]]) -> AcquisitionFuture:
        """Return a future of these tiles, whatever became of them; under the lock."""
        acquisition = self._acquisition
        frames = {key: event for event in asked for key in acquisition._keys(event, 0)}
        if not frames:
            raise PlanError("there are no tiles to take", hint="give at least one")
        saved = frames.keys() & self._saved()
        future = acquisition._expecting(
            [event for key, event in frames.items() if key not in saved]
        )
        future.expect(saved)
        # It has to be told what happened before it was there.
        for key in frames.keys() & self._saved():
            for milestone in (AcqNotification.Camera.POST_SNAP, _SAVED):
                future.reached(milestone, key)
        fates = {key: self._wanted[key_of(e["axes"])] for key, e in frames.items()}
        coming = {
            key_of(axes) for fate in set(fates.values()) if fate for axes in fate.axes
        }
        for key in frames.keys() - coming:
            future.leave_out(key)  # a hook dropped it, or it failed
        return future

    def _events(self, wishes: deque[_Wish]) -> Iterator[dict[str, Any]]:
        """Give the tiles of a region, each when the one before is done."""
        while True:
            with self._lock:
                if not wishes:
                    self._forget(wishes)
                    return
                _, event = wishes.popleft()
                self._now = event["axes"]["row"], event["axes"]["column"]
            yield event

    def _forget(self, wishes: deque[_Wish]) -> None:
        """Let a region go; under the lock."""
        for key, _ in wishes:
            self._wanted.pop(key, None)
        wishes.clear()
        self._regions = [other for other in self._regions if other is not wishes]

    def acquire_at(self, x_um: float, y_um: float, **what: Any) -> AcquisitionFuture:
        """Ask for the tile whose centre is nearest to a place; see `acquire`."""
        return self.acquire([self.grid.nearest(x_um, y_um)], **what)

    def acquire_region(
        self, x_um: tuple[float, float], y_um: tuple[float, float], **what: Any
    ) -> AcquisitionFuture:
        """Ask for the tiles that cover a rectangle on the stage; see `acquire`."""
        return self.acquire(self.grid.covering(x_um, y_um), **what)

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
        if self._heights.step_um is not None:
            axes["z"] = self._heights.index(level)
            event["z"] = self._heights.z_um(level)
        return event

    def clear(self) -> None:
        """Forget the tiles that were asked for, but for the one being taken.

        Futures of what is forgotten have nothing more to wait for.
        """
        with self._lock:
            forgotten = [event for wishes in self._regions for _, event in wishes]
            for wishes in list(self._regions):
                self._forget(wishes)
        for event in forgotten:
            self._acquisition._event_dropped(event)

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
        """Where the mosaic is saved."""
        outputs = self._acquisition.run.outputs
        return next(o.path for o in outputs if o.format == "ndtiff")

    def _taken(self) -> list[dict[str, int | str]]:
        if self._acquisition.run.stream is None:
            return []
        return self._acquisition.get_dataset().get_index_keys()

    def _saved(self) -> set[FrameKey]:
        return {key_of(axes) for axes in self._taken()}

    def tiles(self) -> set[tuple[int, int]]:
        """Return row and column of all tiles that were taken so far."""
        return {(int(a["row"]), int(a["column"])) for a in self._taken()}

    def explored(self) -> Explored:
        """Return how far it is; it takes longer the more tiles there are."""
        progress = self._acquisition.run.progress()
        with self._lock:
            left = [event["axes"] for wishes in self._regions for _, event in wishes]
        return Explored(
            state=progress.state,
            taken=frozenset(self.tiles()),
            waiting=tuple(dict.fromkeys((a["row"], a["column"]) for a in left)),
            now=self._now,
            saved=progress.saved,
            skipped=progress.skipped,
            reasons=progress.skipped_reasons,
            error=self._acquisition.run.error,
        )

    def mosaic(self) -> Image:
        """Return all tiles as one image with several resolutions, as it is now.

        Raises
        ------
        AcquisitionError
            Before the first tile.
        """
        if not self._taken():
            raise AcquisitionError("there is no tile yet", hint="await one before")
        from napari_scope.formats.ndtiff import open_ndtiff

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

    def __exit__(self, *error: Any) -> None:
        """Take what was asked for and close; after an error, abort."""
        self._acquisition.__exit__(*error)
