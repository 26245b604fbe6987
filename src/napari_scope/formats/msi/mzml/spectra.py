"""The spectra of one kind of scan of an mzML file, decoded when they are asked for.

The texts of the arrays are read at their places in the file; no XML parser is needed
for that but for odd files. A spectrum that cannot be decoded is empty among many, and
an error when it is asked for alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.blocks import (
    CommonBlock,
    RaggedBlock,
    Spectrum,
    reduce_columns,
    reduce_owned,
)
from napari_scope.formats.msi.mzml.arrays import (
    Coding,
    decode,
    decode_part,
    stored_dtype,
)
from napari_scope.formats.msi.mzml.entry import KINDS
from napari_scope.formats.msi.mzml.scans import EMPTY_AXIS, numbers_of
from napari_scope.formats.msi.mzml.texts import ArrayTexts
from napari_scope.formats.msi.spectra import BLOCK_BYTES, Spectra
from napari_scope.formats.msi.windows import edges_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from napari_scope.fileio import DataFile
    from napari_scope.formats.msi.blocks import Block, Floats, How, Numbers, Values
    from napari_scope.formats.msi.mzml.entry import ArrayForm
    from napari_scope.formats.msi.mzml.scans import Document
    from napari_scope.formats.msi.pixels import PixelTable

__all__ = ["MzMLSpectra"]

_SAMPLE: Final = 64  # spectra that are looked at for the range of m/z
_CHECKED: Final = 8  # and for whether the sums that the file tells are right
_MOST_DAMAGED: Final = 1000
_LONGEST_EMPTY: Final = 24  # letters of an array of no values, whatever its coding


class MzMLSpectra(Spectra):
    """The spectra of one kind of scan.

    Parameters
    ----------
    file : DataFile
        The file; closed by whoever opened it.
    document : Document
        What its XML says.
    scans : ndarray of int64, (spectra,)
        Which scans of the file these are.
    name : str
        Name of the kind of scan.
    pixels : PixelTable
        Where they lie.
    **known
        What else is known, see `Spectra`.

    Attributes
    ----------
    damaged : dict of int to str
        What was wrong with spectra that were read so far, by their numbers.
    """

    def __init__(
        self,
        file: DataFile,
        document: Document,
        scans: Numbers,
        name: str,
        pixels: PixelTable,
        **known: Any,
    ) -> None:
        columns = document.scans
        self._path = file.path
        self._texts = ArrayTexts(file, document)
        self._document = document
        self._scans = scans
        self._form = columns.form[scans]
        self._begin = columns.begin[scans]
        self._place = {kind: columns.place[kind][scans] for kind in KINDS}
        self._length = _lengths(document, scans)
        self._said = numbers_of([columns.texts["total"][n] for n in scans.tolist()])
        self._sums_checked = False
        self.damaged: dict[int, str] = {}
        used = [columns.forms[n] for n in np.unique(self._form).tolist()]
        types = {kind: _type_of(used, kind) for kind in KINDS}
        super().__init__(name, pixels, types["intensity"], types["mz"], **known)
        axis = columns.axis[scans]
        self._empty = _are_empty(document, scans) & (axis != EMPTY_AXIS)
        shared = axis[~self._empty & (axis != EMPTY_AXIS)]
        self._axis: int | None = None
        if len(shared) and shared[0] >= 0 and (shared == shared[0]).all():
            self._axis = int(np.flatnonzero(~self._empty & (axis >= 0))[0])
            self._read_axis()

    def _read_axis(self) -> None:
        """Decode the axis that all of them have."""
        assert self._axis is not None
        try:
            values = self._decoded(self._axis, "mz", self._read(self._axis))
        except FormatError:
            # Then none of them can be read; each says so when it is asked for.
            self._axis = None
            return
        if len(values) and (np.diff(values) > 0).all():
            self.common_mz = values

    @property
    def totals(self) -> Floats | None:
        """Sums of all intensities, if the file tells them and they seem to be right.

        Some programs write what the instrument counted before peaks were picked. A few
        spectra are compared when this is asked for first.
        """
        if not self._sums_checked:
            self._sums_checked = True
            self._sums = self._said if self._sums_are_right() else None
        return self._sums

    @totals.setter
    def totals(self, values: Floats | None) -> None:
        self._sums = values

    def _sums_are_right(self) -> bool:
        if not len(self) or np.isnan(self._said).any():
            return False
        step = max(1, len(self) // _CHECKED)
        numbers = np.arange(0, len(self), step)
        found = np.concatenate([block.totals() for block in self.blocks(numbers)])
        return bool(np.allclose(found, self._said[numbers], rtol=1e-4, atol=0))

    def spectrum(self, number: int) -> Spectrum:
        """See `Spectra.spectrum`."""
        if number < 0:
            number += len(self)
        texts = self._read(number)
        intensities = self._decoded(number, "intensity", texts)
        if self.common_mz is not None:
            mz = self.common_mz if len(intensities) else self.common_mz[:0]
        else:
            mz = self._decoded(number, "mz", texts)
        n = min(len(mz), len(intensities))
        self._compare(number, len(mz), len(intensities))
        return Spectrum(*_ascending(mz[:n], intensities[:n]))

    def blocks(self, numbers: Numbers | None = None) -> Iterator[Block]:
        """See `Spectra.blocks`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        common = self.common_mz
        width = self.intensity_dtype.itemsize
        if common is not None:
            sizes = np.full(len(wanted), len(common) * width)
        else:
            sizes = self._length[wanted] * (width + self.mz_dtype.itemsize)
        # Of what a file says of lengths nothing is known to be true.
        stored = sum(self._place[kind][wanted, 1].clip(0) for kind in KINDS)
        ends = np.cumsum(np.maximum(sizes, stored) + 64)
        begin = 0
        while begin < len(wanted):
            limit = BLOCK_BYTES + (int(ends[begin - 1]) if begin else 0)
            end = max(begin + 1, int(np.searchsorted(ends, limit, "right")))
            part = wanted[begin:end]
            begin = end
            if common is None:
                yield self._ragged(part)
                continue
            rows = np.zeros((len(part), len(common)), self.intensity_dtype)
            for row, number in zip(rows, part.tolist(), strict=True):
                values = self._whole(number, ("intensity",))[0]
                if len(values):
                    self._compare(number, len(common), len(values))
                row[: len(values)] = values[: len(common)]
            yield CommonBlock(part, common, rows)

    def _ragged(self, numbers: Numbers) -> RaggedBlock:
        found = [_ascending(*self._whole(number, KINDS)) for number in numbers.tolist()]
        starts = np.zeros(len(found) + 1, np.int64)
        np.cumsum([len(values[0]) for values in found], out=starts[1:])
        mz = np.concatenate([values[0] for values in found])
        intensities = np.concatenate([values[1] for values in found])
        return RaggedBlock(
            numbers,
            starts,
            mz.astype(self.mz_dtype, copy=False),
            intensities.astype(self.intensity_dtype, copy=False),
        )

    def window(
        self,
        low: float,
        high: float,
        how: How = "sum",
        numbers: Numbers | None = None,
    ) -> Floats:
        """See `Spectra.window`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        if self.common_mz is not None:
            axis = self.common_mz
            first, last = edges_in(axis.dtype, low, high)
            bins = np.flatnonzero((axis >= first) & (axis <= last))
            if len(bins) * len(wanted) * self.intensity_dtype.itemsize > BLOCK_BYTES:
                return super().window(low, high, how, numbers)
            return reduce_columns(self.columns(bins, wanted), how)
        values = np.zeros(len(wanted))
        for k, number in enumerate(wanted.tolist()):
            values[k] = self._one_window(number, low, high, how)
        return values

    def _one_window(self, number: int, low: float, high: float, how: How) -> float:
        """Decode the intensities only if there is something in the window."""
        try:
            texts = self._read(number)
            mz = self._decoded(number, "mz", texts)
            low, high = edges_in(mz.dtype, low, high)
            inside = np.flatnonzero((mz >= low) & (mz <= high))
            if not len(inside):
                return 0.0
            intensities = self._decoded(number, "intensity", texts)
        except FormatError as error:
            self._damage(number, error.message)
            return 0.0
        self._compare(number, len(mz), len(intensities))
        found = intensities[inside[inside < len(intensities)]]
        owner = np.zeros(len(found), np.int64)
        return float(reduce_owned(found, owner, 1, how)[0])

    def columns(self, bins: Numbers, numbers: Numbers | None = None) -> Values:
        """See `Spectra.columns`."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers)
        if not len(bins) or not len(wanted) or not self._are_plain(wanted):
            return super().columns(bins, wanted)
        # Four letters hold three bytes: those that hold the bins are read alone.
        width = self.intensity_dtype.itemsize
        first, last = int(bins.min()) * width, (int(bins.max()) + 1) * width
        group, end = first // 3, -(-last // 3)
        form = self._forms_of(wanted)[0].intensity
        assert form is not None
        place = self._place["intensity"][wanted, 0]
        pieces = self._texts.pieces((place + 4 * group).tolist(), 4 * (end - group))
        rows = np.zeros((len(wanted), len(bins)), self.intensity_dtype)
        for k, piece in enumerate(pieces):
            try:
                values = decode_part(piece, first - 3 * group, last - first, form)
            except ValueError as error:
                self._damage(int(wanted[k]), str(error))
                continue
            rows[k] = values[bins - int(bins.min())]
        return rows

    def _are_plain(self, wanted: Numbers) -> bool:
        """Return whether the intensities are base64 alone, of one length."""
        forms = self._forms_of(wanted)
        form = forms[0].intensity
        if len(forms) > 1 or form is None or self.common_mz is None:
            return False
        if form.dtype is None or form.coding != Coding():
            return False
        size = len(self.common_mz) * form.dtype.itemsize
        places = self._place["intensity"][wanted]
        # Text of another length has lines in it, or fewer values.
        return bool(
            (places[:, 0] >= 0).all() and (places[:, 1] == -(-size // 3) * 4).all()
        )

    def _forms_of(self, wanted: Numbers) -> list[Any]:
        forms = self._document.scans.forms
        return [forms[n] for n in np.unique(self._form[wanted]).tolist()]

    def mz_range(self) -> tuple[float, float]:
        """Return the range of the axis, or that of a sample and what the file says."""
        if self.common_mz is not None:
            return float(self.common_mz[0]), float(self.common_mz[-1])
        low, high = np.inf, -np.inf
        step = max(1, len(self) // _SAMPLE)
        for block in self.blocks(np.arange(0, len(self), step)):
            values = block.mz if isinstance(block, RaggedBlock) else np.zeros(0)
            values = values[np.isfinite(values)]
            if len(values):
                low, high = min(low, values.min()), max(high, values.max())
        if step > 1:
            texts = self._document.scans.texts
            for name, best in (("seen_low", np.nanmin), ("seen_high", np.nanmax)):
                said = numbers_of([texts[name][n] for n in self._scans.tolist()])
                said = said[np.isfinite(said) & (said > 0)]
                if len(said) and name == "seen_low":
                    low = min(low, best(said))
                elif len(said):
                    high = max(high, best(said))
        return (float(low), float(high)) if low <= high else (0.0, 0.0)

    # Reading

    def _whole(self, number: int, kinds: tuple[str, ...]) -> list[Values]:
        """Return arrays of one length; empty ones where they are damaged."""
        try:
            texts = self._read(number)
            found = [self._decoded(number, kind, texts) for kind in kinds]
        except FormatError as error:
            self._damage(number, error.message)
            return [np.zeros(0) for _ in kinds]
        shortest = min(len(values) for values in found)
        if len(kinds) > 1:
            self._compare(number, *(len(values) for values in found))
        return [values[:shortest] for values in found]

    def _compare(self, number: int, mz: int, intensities: int) -> None:
        if mz != intensities:
            self._damage(
                number, f"there are {mz} m/z values and {intensities} intensities"
            )

    def _damage(self, number: int, words: str) -> None:
        if len(self.damaged) < _MOST_DAMAGED:
            self.damaged[number] = words

    def _decoded(self, number: int, kind: str, texts: dict[str, bytes]) -> Values:
        form = self._form_of(number, kind)
        if self._empty[number]:
            return np.zeros(0, stored_dtype(form) if form else np.float64)
        try:
            if form is None or kind not in texts:
                raise ValueError("there is none")
            return decode(texts[kind], form, int(self._length[number]))
        except ValueError as error:
            words = {"mz": "m/z", "intensity": "intensity"}[kind]
            raise FormatError(
                f"the {words} array of spectrum {number} at byte "
                f"{int(self._begin[number]):,} cannot be read: {error}",
                path=self._path,
            ) from error

    def _form_of(self, number: int, kind: str) -> ArrayForm | None:
        form = self._document.scans.forms[int(self._form[number])]
        return form.mz if kind == "mz" else form.intensity

    def _read(self, number: int) -> dict[str, bytes]:
        """Return the texts of the arrays of a spectrum that are needed."""
        kinds = KINDS if self.common_mz is None else KINDS[1:]
        return self._texts.of(int(self._scans[number]), kinds)


def _ascending(mz: Values, intensities: Values) -> tuple[Values, Values]:
    """Return a spectrum by its m/z; scans of ion mobility may have any order."""
    if len(mz) < 2 or not (mz[1:] < mz[:-1]).any():
        return mz, intensities
    order = np.argsort(mz, kind="stable")
    return mz[order], intensities[order]


def _lengths(document: Document, scans: Numbers) -> Numbers:
    """Return how many values each spectrum should have; 0 where that is not told."""
    texts = document.scans.texts
    found = np.zeros(len(scans))
    for name in ("length", "mz_length", "intensity_length"):
        if not any(texts[name]):
            continue
        values = numbers_of([texts[name][n] for n in scans.tolist()])
        found = np.maximum(found, np.nan_to_num(values, posinf=0, neginf=0))
    return np.clip(found, 0, 1 << 40).astype(np.int64)


def _are_empty(document: Document, scans: Numbers) -> npt.NDArray[np.bool_]:
    """Return which spectra say that they have no values, and have no room for any.

    They may have no arrays, and those that they have may be packed: the text of an
    array of no values is not empty then.
    """
    texts = document.scans.texts["length"]
    said = np.array([texts[n].strip() == "0" for n in scans.tolist()], np.bool_)
    for kind in KINDS:
        said &= document.scans.place[kind][scans, 1] <= _LONGEST_EMPTY
    return said


def _type_of(forms: list[Any], kind: str) -> np.dtype[Any]:
    """Return the type that holds the values of all forms."""
    types = [
        stored_dtype(getattr(form, kind))
        for form in forms
        if getattr(form, kind) is not None
    ]
    return np.dtype(np.result_type(*types)) if types else np.dtype(np.float64)
