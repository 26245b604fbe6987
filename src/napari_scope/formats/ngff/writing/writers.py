"""The one place that knows which way of writing serves which array.

    uncompressed, a chunk is a frame     `ShardWriter`: one write for each frame
    uncompressed, any other chunk        `TileWriter`: a few writes for each frame
    compressed, Zarr v3                  `PackedWriter`: chunks appended to shards
    the same, chunks of several frames   `DeepWriter`: kept as they are until complete
    compressed, Zarr v2                  `ChunkFileWriter`: a file for each chunk

and how the metadata of each say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_scope.formats.ngff.metadata import array_metadata, array_metadata_v2
from napari_scope.formats.ngff.writing.chunkfiles import ChunkFileWriter
from napari_scope.formats.ngff.writing.codecs import Helpers, make_codec
from napari_scope.formats.ngff.writing.deep import DecodedBlock, DeepWriter
from napari_scope.formats.ngff.writing.packed import PackedWriter
from napari_scope.formats.ngff.writing.shards import ChunkStore, ShardGrid, ShardWriter
from napari_scope.formats.ngff.writing.tiles import TileWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from napari_scope.formats.ngff.writing.chunks import ChunkPlan

__all__ = ["ArrayFormat", "Workshop"]


@dataclass(frozen=True, slots=True)
class ArrayFormat:
    """How the arrays of a store are written.

    Parameters
    ----------
    dtype : numpy.dtype
        Type of the pixels.
    compression : str, optional
        Name of the codec.
    zarr_version : int
        2 or 3.
    """

    dtype: np.dtype[np.generic]
    compression: str | None = None
    zarr_version: int = 3

    def document(
        self,
        plan: ChunkPlan,
        shape: Sequence[int],
        names: Sequence[str],
        finished: bool,
    ) -> tuple[str, dict[str, Any]]:
        """Return the name and the contents of an array's metadata.

        Parameters
        ----------
        plan : ChunkPlan
            How the array is cut.
        shape : sequence of int
            Its present shape, in pixels.
        names : sequence of str
            Short names of its axes.
        finished : bool
            Whether the files are in their final form; see `packed`.
        """
        codec = make_codec(self.compression, self.dtype.itemsize)
        if self.zarr_version == 2:
            compressor = None if codec is None else codec.v2()
            dtype = self.dtype.newbyteorder("<").str
            document = array_metadata_v2(
                shape, dtype, chunk=plan.chunk, compressor=compressor
            )
            return ".zarray", document
        return "zarr.json", array_metadata(
            shape,
            self.dtype.name,
            chunk=plan.chunk,
            shard=plan.shard,
            names=names,
            codecs=() if codec is None else (codec.v3(),),
            growing=codec is not None and not finished,
        )


@dataclass(slots=True)
class Workshop:
    """Makes the writers of a store and holds what they share.

    Parameters
    ----------
    format : ArrayFormat
        How the arrays are written.
    """

    format: ArrayFormat
    _helpers: Helpers = field(default_factory=Helpers)
    _decoded: DecodedBlock = field(default_factory=DecodedBlock)

    def writer(self, folder: Path, plan: ChunkPlan) -> ChunkStore:
        """Return the writer of an array in a folder."""
        dtype = self.format.dtype
        indexed = self.format.zarr_version == 3
        codec = make_codec(self.format.compression, dtype.itemsize)
        if codec is not None:
            if indexed and plan.frames_in_chunk == 1:
                return PackedWriter(folder, plan, dtype, codec, self._helpers)
            kind = DeepWriter if indexed else ChunkFileWriter
            return kind(folder, plan, dtype, codec, self._helpers, self._decoded)
        if indexed and plan.whole_frames:
            frame_bytes = plan.frame[0] * plan.frame[1] * dtype.itemsize
            grid = ShardGrid(plan.shape, plan.span, frame_bytes)
            return ShardWriter(folder, grid, plan.frame, dtype)
        return TileWriter(folder, plan, dtype, indexed=indexed)

    def close(self) -> None:
        """End the helpers; what is read later is decoded by who reads."""
        self._helpers.close()
