"""How to explore, and the explorer that does it: of a new mosaic, or of one on disk.

Making an explorer asks the microscope, makes files and mends those of a killed
session: it is called in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_scope.acquire.explore_parts import ExploreChannel

if TYPE_CHECKING:
    from napari_scope.acquire import Explorer

__all__ = ["ExploreWish", "begun", "resumed"]

# A place out of range is not the end of the exploration.
_ON_ERROR: Final = "skip"
# Others would make a layer of each tile.
_SHOWN_BY: Final = "the Stage and explorer dock"


@dataclass(frozen=True, slots=True)
class ExploreWish:
    """How to explore.

    Parameters
    ----------
    folder : str
        Where the mosaic is saved, in a new folder.
    name : str
        Its name.
    overlap_px : (int, int)
        Pixels that neighbours share in x and in y.
    channels : tuple of str
        Presets; none takes an image as the camera stands.
    z_step_um : float
        Distance of two heights.
    below, above : int
        How many heights are taken below and above the focus.
    origin_um : (float, float), optional
        Stage position of row 0 and column 0; where the stage is by default.
    """

    folder: str
    name: str
    overlap_px: tuple[int, int]
    channels: tuple[str, ...] = ()
    z_step_um: float = 1.0
    below: int = 0
    above: int = 0
    origin_um: tuple[float, float] | None = None

    @property
    def images_per_tile(self) -> int:
        """Images of each tile."""
        return max(1, len(self.channels)) * (self.below + 1 + self.above)


def begun(owner: Any, wish: ExploreWish) -> tuple[Explorer, ExploreWish]:
    """Begin a mosaic; takes time."""
    from napari_scope.acquire import Explorer

    # Now, not with the first tile: a folder that cannot be is said at once.
    Path(wish.folder).mkdir(parents=True, exist_ok=True)
    heights = wish.below + wish.above > 0
    explorer = Explorer(
        wish.folder,
        wish.name,
        tile_overlap=wish.overlap_px,
        channels=[ExploreChannel(name, group=_group(owner)) for name in wish.channels],
        z_step_um=wish.z_step_um if heights else None,
        z_below=wish.below if heights else 0,
        origin_um=wish.origin_um,
        core=owner,
        on_error=_ON_ERROR,
        shown_by=_SHOWN_BY,
    )
    return explorer, wish


def resumed(owner: Any, path: Path) -> tuple[Explorer, ExploreWish]:
    """Go on with a mosaic, as it was begun; takes time."""
    from napari_scope.acquire import Explorer
    from napari_scope.acquire.stored_mosaic import stored_mosaic

    stored = stored_mosaic(path)
    wish = ExploreWish(
        folder=str(stored.path.parent),
        name=stored.path.name,
        overlap_px=stored.grid.overlap_px,
        channels=tuple(channel.config for channel in stored.channels),
        z_step_um=stored.heights.step_um or 1.0,
        below=-stored.levels.start,
        above=stored.levels.stop - 1,
        origin_um=stored.grid.origin_um,
    )
    explorer = Explorer.resume(
        stored.path, core=owner, on_error=_ON_ERROR, shown_by=_SHOWN_BY
    )
    return explorer, wish


def _group(owner: Any) -> str:
    return str(owner.core.getChannelGroup() or "Channel")
