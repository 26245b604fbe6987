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

import json
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import CancelledError, FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.msi.passes import never, silent
from napari_scope.formats.msi.peak_store import (
    HEAD_BYTES,
    FileStore,
    MemoryStore,
    Peaks,
    Store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_scope.formats.msi.blocks import Floats, How, Numbers, Values
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["PeakIndex", "peak_count"]

MAGIC: Final = b"napari-scope peaks 1\n"
_BINS: Final = 1 << 16  # of m/z, to find buckets of equal size
_BUCKETS: Final = 64
_SAMPLE: Final = 1024  # peaks between two m/z values that are kept in memory
_PIECE: Final = 1 << 20  # peaks that are looked at at once; a multiple of _SAMPLE


def peak_count(spectra: Spectra) -> int:
    """Return how many peaks there are; reads what the format has to read for it."""
    return sum(int(block.counts().sum()) for block in spectra.blocks())


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
        most_bytes: int | None = None,
        cancelled: Cancelled = never,
        progress: Progress = silent,
    ) -> PeakIndex | None:
        """Make the table of all peaks.

        Parameters
        ----------
        spectra : Spectra
            The data set.
        path : Path, optional
            A new file for the table; in memory if not given.
        most_bytes : int, optional
            None is returned if the table would be larger.
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
        types = Peaks(
            spectra.mz_dtype,
            np.dtype(np.uint16 if len(spectra) <= 1 << 16 else np.uint32),
            spectra.intensity_dtype,
        )
        steps = _Steps(max(1, len(spectra)), cancelled, progress)
        bins = _Bins(spectra)
        for block in steps.watch(spectra.blocks(), 0.0, 0.3):
            bins.count(_flat(block)[0])
        n = bins.total
        if most_bytes is not None and n * types.width > most_bytes:
            return None
        if path is None:
            return cls._fill(MemoryStore(types, n), spectra, types, bins, steps)
        file = DataFile.create(path)
        try:
            store = FileStore(file, types, n)
            file.truncate(store.size)
            index = cls._fill(store, spectra, types, bins, steps)
            head = {
                "identity": spectra.identity,
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
            types = Peaks(*(np.dtype(text) for text in said["types"]))
            store = FileStore(file, types, int(said["peaks"]))
            fits = (
                head.startswith(MAGIC)
                and said["identity"] == spectra.identity
                and said["spectra"] == len(spectra)
                and file.size() == store.size
                and types.mz == spectra.mz_dtype
                and types.intensity == spectra.intensity_dtype
            )
            if fits:
                n = int(said["peaks"])
                return cls(store, len(spectra), n, _samples_of(store, n))
        except (OSError, ValueError, TypeError, KeyError, struct.error, FormatError):
            pass
        file.close()
        return None

    @classmethod
    def _fill(
        cls,
        store: Store,
        spectra: Spectra,
        types: Peaks,
        bins: _Bins,
        steps: _Steps,
    ) -> PeakIndex:
        """Sort the peaks into buckets, then sort each bucket."""
        edges, bucket_of_bin = bins.buckets()
        fill = edges[:-1].copy()
        for block in steps.watch(spectra.blocks(), 0.3, 0.4):
            mz, intensities, counts, numbers = _flat(block)
            owner = np.repeat(numbers.astype(types.owner), counts)
            bucket = bucket_of_bin[bins.of(mz)]
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
            steps.tell(0.7 + 0.3 * which / len(fill))
            start, stop = int(edges[which]), int(edges[which + 1])
            mz = store.take(0, start, stop)
            order = np.argsort(mz, kind="stable")
            for column in range(3):
                values = store.take(column, start, stop)
                store.put(column, start, values[order])
            # The places that are multiples of the distance of two samples.
            first = -start % _SAMPLE
            samples.append(store.take(0, start, stop)[first::_SAMPLE].astype(float))
        steps.tell(1.0)
        kept = np.concatenate(samples) if samples else np.zeros(0)
        return cls(store, len(spectra), bins.total, kept)

    def window(self, low: float, high: float, how: How = "sum") -> Floats:
        """Return one number for each spectrum from the peaks with low <= m/z <= high.

        See `Spectra.window`.
        """
        start, stop = self._first(low, "left"), self._first(high, "right")
        highest = np.full(self.spectra, -np.inf) if how == "max" else np.zeros(0)
        total = np.zeros(self.spectra)
        count = np.zeros(self.spectra, np.int64)
        for begin in range(start, stop, _PIECE):
            end = min(stop, begin + _PIECE)
            owner = self._store.take(1, begin, end)
            values = self._store.take(2, begin, end)
            if how == "max":
                np.maximum.at(highest, owner, values)
                continue
            total += np.bincount(owner, values, minlength=self.spectra)
            if how == "mean":
                count += np.bincount(owner, minlength=self.spectra)
        if how == "max":
            return np.where(np.isneginf(highest), 0.0, highest)
        return total / np.maximum(count, 1) if how == "mean" else total

    def _first(self, mz: float, side: str) -> int:
        """Return the place of the first peak at (left) or above (right) an m/z."""
        which = int(np.searchsorted(self._samples, mz, side))  # type: ignore[call-overload]
        start = max(0, which - 1) * _SAMPLE
        stop = min(self.peaks, which * _SAMPLE + 1)
        near = self._store.take(0, start, stop)
        return start + int(np.searchsorted(near, mz, side))  # type: ignore[call-overload]

    def close(self) -> None:
        """Let go of the memory, or of the file.

        A window that another thread is asking for may raise `DatasetClosedError` then.
        """
        self._store.close()


class _Bins:
    """How many peaks lie where, and buckets of about equal size."""

    def __init__(self, spectra: Spectra) -> None:
        low, high = spectra.mz_range()
        self._low = low
        self._scale = (_BINS - 1) / (high - low) if high > low else 0.0
        self._counts = np.zeros(_BINS, np.int64)

    @property
    def total(self) -> int:
        return int(self._counts.sum())

    def of(self, mz: Values) -> Numbers:
        """Return the bin of each m/z; those outside of the range are in the last."""
        places = (mz.astype(np.float64) - self._low) * self._scale
        bins: Numbers = np.clip(np.nan_to_num(places), 0, _BINS - 1).astype(np.int64)
        return bins

    def count(self, mz: Values) -> None:
        self._counts += np.bincount(self.of(mz), minlength=_BINS)

    def buckets(self) -> tuple[Numbers, Values]:
        """Return where each bucket begins and ends, and the bucket of each bin."""
        ends = np.cumsum(self._counts)
        size = max(1, -(-self.total // _BUCKETS))
        bucket = ((ends - self._counts) // size).astype(np.uint16)
        n = int(bucket[-1]) + 1
        sizes = np.bincount(bucket, self._counts, minlength=n).astype(np.int64)
        return np.concatenate([[0], np.cumsum(sizes)]), bucket


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
