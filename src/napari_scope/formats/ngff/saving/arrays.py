"""Full resolution of an image that is saved: read block by block, written chunk-wise.

Blocks are read one after the other by the calling thread, because not every array may
be read from several; compressing and writing happen meanwhile in the threads of
tensorstore, for the block before. So memory is bounded by a few blocks, however large
the array is. Chunks that hold nothing but zeros are not stored.

The coarser levels are the business of `pyramids`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from napari_scope.fileio import replace_file
from napari_scope.formats.ngff.disk_errors import disk_error
from napari_scope.formats.ngff.metadata import (
    NGFF_VERSION,
    array_metadata,
    array_metadata_v2,
    encode,
)
from napari_scope.formats.ngff.saving.blocks import block_shape, blocks, cut_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.ngff.saving.blocks import Block, Cut

__all__ = ["PixelSource", "array_document", "write_array"]

_MOST_PENDING = 1


class PixelSource(Protocol):
    """Pixels that are to be saved, in the order of the stored axes."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels, in the byte order of this machine."""

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """What the pixels are made of, where that is known."""

    def read(self, block: Block) -> npt.NDArray[np.generic]:
        """Read one block; one slice for each axis, within the array."""


def array_document(
    shape: Sequence[int],
    dtype: np.dtype[np.generic],
    names: Sequence[str],
    cut: Cut,
    version: str = NGFF_VERSION,
) -> tuple[str, dict[str, Any]]:
    """Return the name and the contents of an array's metadata.

    Chunks are compressed by Blosc with Zstandard after the bytes of neighbouring pixels
    were put side by side; every reader of Zarr has that.
    """
    blosc: dict[str, Any] = {"cname": "zstd", "clevel": 1, "blocksize": 0}
    if version != NGFF_VERSION:
        compressor = {"id": "blosc", **blosc, "shuffle": 1}
        dtype_v2 = dtype.newbyteorder("<").str
        document = array_metadata_v2(
            shape, dtype_v2, chunk=cut.chunk, compressor=compressor
        )
        name = ".zarray"
    else:
        configuration = {**blosc, "shuffle": "shuffle", "typesize": dtype.itemsize}
        codec = {"name": "blosc", "configuration": configuration}
        document = array_metadata(
            shape,
            dtype.name,
            chunk=cut.chunk,
            shard=cut.shard,
            names=names,
            codecs=[codec],
        )
        if cut.chunk == cut.shard:
            # A file of a single chunk needs no index.
            document["codecs"] = document["codecs"][0]["configuration"]["codecs"]
        name = "zarr.json"
    if dtype.kind == "b":
        document["fill_value"] = False
    return name, document


def write_array(
    folder: Path,
    source: PixelSource,
    names: Sequence[str],
    *,
    version: str = NGFF_VERSION,
    wrote: Callable[[int], None],
) -> None:
    """Write an array.

    Parameters
    ----------
    folder : Path
        Folder of the array, to be made.
    source : PixelSource
        Its pixels.
    names : sequence of str
        Name of each axis.
    version : str
        Version of OME-Zarr.
    wrote : callable
        Is told the bytes of each block that was read; what it raises ends the work.

    Raises
    ------
    DiskSpaceError, StreamError
        If the disk is full or failed.
    """
    import tensorstore

    cut = cut_array(
        source.shape,
        names,
        source.dtype.itemsize,
        shards=version == NGFF_VERSION,
        pieces=source.chunks,
    )
    step = block_shape(source.shape, cut.shard, source.chunks, source.dtype.itemsize)
    try:
        folder.mkdir(parents=True)
        name, document = array_document(source.shape, source.dtype, names, cut, version)
        replace_file(folder / name, encode(document))
        store = tensorstore.open(
            {
                "driver": "zarr3" if version == NGFF_VERSION else "zarr",
                "kvstore": {
                    "driver": "file",
                    "path": f"{folder.absolute().as_posix()}/",
                },
                "context": {"cache_pool": {"total_bytes_limit": 0}},
            },
            open=True,
            write=True,
        ).result()
    except (OSError, ValueError, RuntimeError) as error:
        raise disk_error(error, folder) from error
    pending: deque[Any] = deque()
    try:
        for block in blocks(source.shape, step):
            pixels = source.read(block)
            while len(pending) >= _MOST_PENDING:
                _wait(pending.popleft(), folder)
            pending.append(store[block].write(pixels))
            wrote(pixels.nbytes)
        while pending:
            _wait(pending.popleft(), folder)
    finally:
        # After an error or when cancelled: who removes the folder must be the last one
        # who touches it.
        for written in pending:
            written.exception()


def _wait(written: Any, folder: Path) -> None:
    try:
        written.result()
    except (OSError, ValueError, RuntimeError) as error:
        raise disk_error(error, folder) from error
