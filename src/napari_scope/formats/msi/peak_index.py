"""All peaks of a data set in the order of their m/z: ion images in a millisecond.

Spectra that each have m/z values of their own have to be read whole for one ion image.
Sorted by m/z, the peaks of a window lie side by side. The table is made in two passes
over the spectra, bucket by bucket, so that sorting needs little more memory than the
table has. It lies in memory, or in a file where it would not fit: that is read at
positions, too, and can be opened again (`napari_scope.formats.msi.index_cache`).

Not every data set deserves one: over a common axis nothing is gained.

Examples
--------
>>> index = PeakIndex.build(spectra)  # doctest: +SKIP
>>> index.window(500.0, 500.5).shape  # doctest: +SKIP
(20000,)
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_scope.errors import CancelledError, FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.msi.blocks import finite
from napari_scope.formats.msi.passes import never, part_of, silent
from napari_scope.formats.msi.peak_count import PeakCount, types_of
from napari_scope.formats.msi.peak_store import (
    HEAD_BYTES,
    FileStore,
    MemoryStore,
    Store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_scope.formats.msi.blocks import Floats, How, Numbers, Values
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["PeakIndex"]

MAGIC: Final = b"napari-scope peaks 2\n"
_SAMPLE: Final = 1024  # peaks between two m/z values that are kept in memory
_PIECE: Final = 1 << 20  # peaks that are looked at at once; a multiple of _SAMPLE


class PeakIndex:
    """The peaks of a data set by their m/z; safe to ask from several threads.

    Made by `build` or `open`.

    Attributes
    ----------
    spectra : int
        Number of spectra.
    peaks : int
        Number of peaks.
    """

    def __init__(self, store: Store, spectra: int, peaks: int, samples: Floats) -> None:
        self._store = store
        self._samples = samples
        self.spectra = spectra
        self.peaks = peaks

    @classmethod
    def build(
        cls,
        spectra: Spectra,
        path: Path | None = None,
        *,
        counted: PeakCount | None = None,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> PeakIndex:
        """Make the table of all peaks.

        Parameters
        ----------
        spectra : Spectra
            The data set.
        path : Path, optional
            A new file for the table; in memory if not given.
        counted : PeakCount, optional
            What was counted before; counted now if not given.
        cancelled : callable
            Asked from time to time whether to end.
        progress : callable
            Told from time to time what part is done, from 0 to 1.

        Raises
        ------
        CancelledError
            If it was cancelled; nothing is left of a file.
        OSError
            If a file cannot be written; nothing is left of it.
        """
        start = 0.0
        if counted is None:
            start = 0.3
            counted = PeakCount.of(spectra, cancelled, part_of(progress, 0, start))
        steps = _Steps(max(1, len(spectra)), cancelled, part_of(progress, start, 1.0))
        n, types = counted.total, counted.types
        if path is None:
            return cls._fill(MemoryStore(types, n), spectra, counted, steps)
        file = DataFile.create(path)
        try:
            store = FileStore(file, types, n)
            file.truncate(store.size)
            index = cls._fill(store, spectra, counted, steps)
            head = {
                "identity": _short(spectra.identity),
                "spectra": len(spectra),
                "peaks": n,
                "types": [dtype.str for dtype in types],
            }
            # A file without a head is none that was completed.
            text = json.dumps(head).encode()
            file.write_at(0, MAGIC, struct.pack("<I", len(text)), text)
        except BaseException:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return index

    @classmethod
    def open(cls, path: Path, spectra: Spectra) -> PeakIndex | None:
        """Open the file of a table, or return None if it is not that of the data."""
        try:
            file = DataFile.open(path)
        except OSError:
            return None
        try:
            head = file.read_at(0, HEAD_BYTES)
            (length,) = struct.unpack_from("<I", head, len(MAGIC))
            begin = len(MAGIC) + 4
            said = json.loads(head[begin : begin + length])
            types = types_of(spectra)
            store = FileStore(file, types, int(said["peaks"]))
            fits = (
                head.startswith(MAGIC)
                and said["identity"] == _short(spectra.identity)
                and said["spectra"] == len(spectra)
                and said["types"] == [dtype.str for dtype in types]
                and file.size() == store.size
            )
            if fits:
                n = int(said["peaks"])
                samples = _samples_of(store, n)
                if not (samples[1:] < samples[:-1]).any():
                    return cls(store, len(spectra), n, samples)
        except (OSError, ValueError, TypeError, KeyError, struct.error, FormatError):
            pass
        file.close()
        return None

    @classmethod
    def _fill(
        cls,
        store: Store,
        spectra: Spectra,
        counted: PeakCount,
        steps: _Steps,
    ) -> PeakIndex:
        """Sort the peaks into buckets, then sort each bucket."""
        edges, bucket_of_bin = counted.buckets()
        fill = edges[:-1].copy()
        for block in steps.watch(spectra.blocks(), 0.0, 0.6):
            mz, intensities, counts, numbers = _flat(block)
            owner = np.repeat(numbers.astype(counted.types.owner), counts)
            bucket = bucket_of_bin[counted.bins_of(mz)]
            order = np.argsort(bucket, kind="stable")
            sizes = np.bincount(bucket, minlength=len(fill))
            ends = np.cumsum(sizes)
            columns = [values[order] for values in (mz, owner, intensities)]
            for which in np.flatnonzero(sizes).tolist():
                part = slice(int(ends[which] - sizes[which]), int(ends[which]))
                for column, values in enumerate(columns):
                    store.put(column, int(fill[which]), values[part])
            fill += sizes
        samples: list[Values] = []
        for which in range(len(edges) - 1):
            steps.tell(0.6 + 0.4 * which / len(fill))
            start, stop = int(edges[which]), int(edges[which + 1])
            mz = store.take(0, start, stop)
            order = np.argsort(mz)
            for column in range(3):
                values = store.take(column, start, stop)
                store.put(column, start, values[order])
            # The places that are multiples of the distance of two samples.
            first = -start % _SAMPLE
            samples.append(store.take(0, start, stop)[first::_SAMPLE].astype(float))
        steps.tell(1.0)
        kept = np.concatenate(samples) if samples else np.zeros(0)
        return cls(store, len(spectra), counted.total, kept)

    def window(self, low: float, high: float, how: How = "sum") -> Floats:
        """Return one number for each spectrum from the peaks with low <= m/z <= high.

        See `Spectra.window`.

        Raises
        ------
        FormatError
            If its file is damaged.
        DatasetClosedError
            If it is closed.
        """
        start, stop = self._first(low, "left"), self._first(high, "right")
        highest = np.full(self.spectra, -np.inf) if how == "max" else np.zeros(0)
        total = np.zeros(self.spectra)
        count = np.zeros(self.spectra, np.int64)
        for begin in range(start, stop, _PIECE):
            end = min(stop, begin + _PIECE)
            owner = self._store.take(1, begin, end)
            if len(owner) and owner.max() >= self.spectra:
                raise FormatError("the index of peaks is damaged")
            values = finite(self._store.take(2, begin, end)).astype(np.float64)
            if how == "max":
                np.maximum.at(highest, owner, values)
                continue
            total += np.bincount(owner, values, minlength=self.spectra)
            if how == "mean":
                count += np.bincount(owner, minlength=self.spectra)
        if how == "max":
            return np.where(np.isneginf(highest), 0.0, highest)
        return total / np.maximum(count, 1) if how == "mean" else total

    def _first(self, mz: float, side: Literal["left", "right"]) -> int:
        """Return the place of the first peak at (left) or above (right) an m/z."""
        which = int(np.searchsorted(self._samples, mz, side))
        start = max(0, which - 1) * _SAMPLE
        stop = min(self.peaks, which * _SAMPLE + 1)
        near = self._store.take(0, start, stop)
        return start + int(np.searchsorted(near, mz, side))

    def close(self) -> None:
        """Let go of the memory, or of the file.

        A window that another thread is asking for may raise `DatasetClosedError` then.
        """
        self._store.close()


class _Steps:
    """Tells how far it is, and asks whether to end."""

    def __init__(
        self,
        n: int,
        cancelled: Cancelled,
        progress: Progress,
    ) -> None:
        self._n = n
        self._cancelled = cancelled
        self._progress = progress

    def tell(self, done: float) -> None:
        if self._cancelled():
            raise CancelledError("sorting the peaks was cancelled")
        self._progress(min(1.0, done))

    def watch(self, blocks: Iterator[Any], begin: float, part: float) -> Iterator[Any]:
        done = 0
        for block in blocks:
            self.tell(begin + part * done / self._n)
            yield block
            done += len(block)


def _short(identity: str) -> str:
    """Return what tells identities apart and fits into the head: paths may be long."""
    return hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()


def _flat(block: Any) -> tuple[Values, Values, Numbers, Numbers]:
    """Return m/z, intensities, number of peaks of each spectrum, and their numbers."""
    return block.mz, block.intensities, block.counts(), block.numbers


def _samples_of(store: Store, n: int) -> Floats:
    """Return the m/z values of a table in order that are kept in memory."""
    samples = [
        store.take(0, begin, min(n, begin + _PIECE))[::_SAMPLE].astype(np.float64)
        for begin in range(0, n, _PIECE)
    ]
    return np.concatenate(samples) if samples else np.zeros(0)
