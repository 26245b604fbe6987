"""Tiles into an NDTiff store with several resolutions, as pycro-manager lays them out.

Frames with the axes ``row`` and ``column`` are tiles of one plane; their coarser levels
grow with every tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.formats.ndtiff import TiledNDTiffWriter
from napari_scope.formats.ndtiff.stored_tiles import stored_tiles
from napari_scope.formats.ndtiff.tile_grid import TileGrid
from napari_scope.stream.journal import JOURNAL_NAME, Journal, plan_header
from napari_scope.stream.sinks.ndtiff import NDTiffSink, summary_facts

if TYPE_CHECKING:
    from os import PathLike

    from napari_scope.stream.resumption import Resumption
    from napari_scope.stream.spec import StoreSpec

__all__ = ["TiledNDTiffSink"]


class TiledNDTiffSink(NDTiffSink):
    """Write a tiled NDTiff store.

    Parameters
    ----------
    path : str or PathLike
        Folder of the store; it must not exist, but for `resume`.
    tile_overlap : (int, int)
        Pixels that neighbours share in x and in y.
    max_multi_res_index : int, optional
        The coarsest level; by default as many as the grid is worth.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        tile_overlap: tuple[int, int],
        max_multi_res_index: int | None = None,
    ) -> None:
        super().__init__(path)
        self._overlap = tile_overlap
        self._levels = max_multi_res_index

    def open(self, spec: StoreSpec) -> None:
        """Create the folder, the first files and the journal."""
        self.check(spec)
        self._writer = TiledNDTiffWriter(
            self.path,
            tile_overlap=self._overlap,
            max_multi_res_index=self._levels,
            prefix=spec.name,
            summary=summary_facts(spec),
            channels=spec.display_channels(),
        )
        header = plan_header(spec, self.format)
        self._journal = Journal.create(self.path / JOURNAL_NAME, header)

    def resume(self, spec: StoreSpec, resumption: Resumption) -> None:
        """Go on with the mosaic: new tiles change the levels that are there.

        Raises
        ------
        SettingsError
            If it has another overlap.
        FormatError
            If it is no mosaic, or damaged.
        """
        # Before anything is changed: a mosaic that is not this one is left alone.
        stored_tiles(self.path, TileGrid(self._overlap, self._levels, path=self.path))
        header = plan_header(spec, self.format)
        self._journal = Journal.reopen(
            resumption.journal, header, after=resumption.count
        )
        self._writer = TiledNDTiffWriter(
            self.path,
            tile_overlap=self._overlap,
            max_multi_res_index=self._levels,
            channels=spec.display_channels(),
            resume=True,
        )
        self.know(resumption)
