"""The frames of an array that exists, one at a time, for who mends a store.

They are read and written by an independent library, whatever wrote them, and what is
broken is made empty. Which frames there should be is not known here.
"""

from __future__ import annotations

import math
import re
from itertools import product
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.ngff.documents import LITTLE, read_document, sharding_of
from napari_scope.formats.ngff.store import Store
from napari_scope.formats.ngff.writing.shard_files import array_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

__all__ = ["FrameArray"]

_CACHE_BYTES = 128 * 1024 * 1024


class FrameArray:
    """The frames of an array, read and written by an independent library.

    Parameters
    ----------
    folder : Path
        Folder of the array.
    """

    def __init__(self, folder: Path) -> None:
        import tensorstore

        info = Store(folder.parent).array(folder.name)
        self.folder = folder
        self.shape = info.shape
        self._chunk = info.chunks[:-2]
        sharding = sharding_of(read_document(folder))
        self._plain_shards = sharding is not None and sharding["codecs"] == [LITTLE]
        self.span = self._span(folder, info.chunks)
        self._tensorstore = tensorstore
        self._array = tensorstore.open(
            {
                "driver": "zarr3" if info.zarr_format == 3 else "zarr",
                "kvstore": {"driver": "file", "path": f"{folder.absolute()}/"},
                "recheck_cached_data": "open",
            },
            open=True,
            context=tensorstore.Context(
                {
                    "cache_pool": {"total_bytes_limit": _CACHE_BYTES},
                    "file_io_sync": False,  # see `sync`
                }
            ),
        ).result()

    @staticmethod
    def _span(folder: Path, chunks: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many frames share a file on each index axis."""
        document = read_document(folder)
        if sharding_of(document) is not None:
            chunks = document["chunk_grid"]["configuration"]["chunk_shape"]
        return tuple(chunks[:-2])

    def file_of(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return which file a frame is in."""
        return tuple(i // n for i, n in zip(index, self.span, strict=True))

    def read(self, index: tuple[int, ...]) -> npt.NDArray[np.generic]:
        """Read a frame.

        Raises
        ------
        FormatError
            If what is stored cannot be read.
        """
        import numpy as np

        try:
            return np.ascontiguousarray(self._array[index].read().result())
        except (ValueError, OSError, RuntimeError, IndexError) as error:
            text = str(error).split("[source locations")[0].strip()
            raise FormatError(f"the frame {index} cannot be read: {text}") from error

    def write(
        self, frames: Sequence[tuple[tuple[int, ...], npt.NDArray[np.generic]]]
    ) -> None:
        """Write frames, each file once."""
        with self._tensorstore.Transaction() as transaction:
            array = self._array.with_transaction(transaction)
            for index, frame in frames:
                array[index].write(frame).result()

    def erase(self, index: tuple[int, ...]) -> bool:
        """Make a frame that is broken empty; returns whether others went with it.

        A chunk that cannot be decoded is given up with all its frames, a file of which
        nothing can be read altogether.
        """
        span = zip(index, self._chunk, self.shape, strict=False)
        chunk = tuple(slice(i // n * n, min(i // n * n + n, s)) for i, n, s in span)
        for what in (index, chunk):
            try:
                self._array[what].write(0).result()
                return what is chunk and math.prod(self._chunk) > 1
            except (ValueError, OSError, RuntimeError):
                continue
        for name in self._files_of(index):
            name.unlink(missing_ok=True)
        return math.prod(self.span) > 1

    def suspects(self, good: Collection[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
        """Iterate over frames that nobody knows of, in files that exist.

        A loss of power may have kept a file, or its entry, and neither the pixels nor
        the line in the journal. Shards without compression have all their entries from
        the beginning, and any bytes are pixels.
        """
        if self._plain_shards:
            return
        for file in sorted({coordinates for _, coordinates in self._located()}):
            ranges = [
                range(f * n, min(f * n + n, size))
                for f, n, size in zip(file, self.span, self.shape, strict=False)
            ]
            yield from (index for index in product(*ranges) if index not in good)

    def _files_of(self, index: tuple[int, ...]) -> list[Path]:
        mine = self.file_of(index)
        return [path for path, file in self._located() if file == mine]

    def _located(self) -> Iterator[tuple[Path, tuple[int, ...]]]:
        """Iterate over the files and their coordinates on the index axes."""
        depth = len(self.span) + 2
        for _, path in array_files(self.folder):
            parts = re.split(r"[./]", path.relative_to(self.folder).as_posix())
            numbers = [part for part in parts if part.isdecimal()]
            if len(numbers) == depth and len(parts) - depth in (0, 1):
                yield path, tuple(map(int, numbers[:-2]))

    def clear(self) -> None:
        """Remove all frames; the metadata stay."""
        for _, path in list(array_files(self.folder)):
            if path.name != "zarr.json":
                path.unlink()

    def sync(self) -> None:
        """Wait until all frames survive a loss of power."""
        for _, path in array_files(self.folder):
            with DataFile.open(path, writable=True) as file:
                file.sync()
