"""Writes imzML 1.1: spectra one by one, in bounded memory.

Both files get their names when everything is in them; until then they are called
``.part``. What was not completed is removed, and nothing is replaced unasked. In a
continuous file the m/z axis is written once. The identity (UUID) at the beginning of
the .ibd file and its SHA-1 checksum stand in the XML.

Examples
--------
>>> with ImzMLWriter("out.imzML", pixel_um=(50, 50)) as writer:  # doctest: +SKIP
...     writer.write(0, 0, mz, intensities)
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from napari_scope.errors import CancelledError, FormatError, OutputExistsError
from napari_scope.formats.msi.imzml.files import give_names
from napari_scope.formats.msi.imzml.packing import pack, stored_type
from napari_scope.formats.msi.imzml.written_xml import Facts, xml_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    import numpy.typing as npt

    from napari_scope.formats.msi.imzml.terms import Compression
    from napari_scope.formats.msi.imzml.written_xml import Row
    from napari_scope.formats.msi.spectra import MetadataValue, Spectra

    PathLike = str | os.PathLike[str]
    Metadata = Mapping[str, MetadataValue]

__all__ = ["ImzMLWriter", "write_imzml"]

_SUFFIX: Final = ".imzml"
_NUMBERS: Final = 9  # integers of a spectrum


class ImzMLWriter:
    """Writes a pair of files.

    Parameters
    ----------
    path : str or PathLike
        The .imzML file; the .ibd file lies beside it.
    mz : array_like, (bins,), optional
        The m/z axis of all spectra: the file is continuous then, otherwise processed.
    mz_dtype, intensity_dtype : dtype
        Types in the file, floats of 4 or 8 bytes or integers with a sign. Unsigned
        ones become the next larger with a sign, which holds all of their values.
    compression : {"none", "zlib"}
        How arrays are packed.
    pixel_um : (float, float), optional
        Width and height of a pixel in micrometers.
    origin_um : (float, float)
        Where the left upper corner lies, in micrometers.
    is_profile : bool, optional
        Profiles or peaks; peaks are told if it is not known and the file processed.
    polarity : {"positive", "negative", ""}
        Of all scans.
    instrument, sample, notes : mapping of str to MetadataValue, optional
        What is known of the instrument, of the sample and its preparation, and of the
        data, as readers tell it.
    overwrite : bool
        Replace files that exist.

    Raises
    ------
    OutputExistsError
        If a file exists.
    FormatError
        If there is no such type in imzML, or the name ends in another way.
    """

    def __init__(
        self,
        path: PathLike,
        *,
        mz: npt.ArrayLike | None = None,
        mz_dtype: npt.DTypeLike = "<f8",
        intensity_dtype: npt.DTypeLike = "<f4",
        compression: Compression = "none",
        pixel_um: tuple[float, float] | None = None,
        origin_um: tuple[float, float] = (0.0, 0.0),
        is_profile: bool | None = None,
        polarity: str = "",
        instrument: Metadata | None = None,
        sample: Metadata | None = None,
        notes: Metadata | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        self.ibd_path = self.path.with_suffix(".ibd")
        self._mz_dtype = stored_type(mz_dtype)
        self._intensity_dtype = stored_type(intensity_dtype)
        if self.path.suffix.lower() != _SUFFIX:
            raise FormatError("the name of the file has to end in .imzML", path=path)
        if compression not in ("none", "zlib"):
            raise FormatError(
                f"the compression is 'none' or 'zlib', not {compression!r}", path=path
            )
        for one in (self.path, self.ibd_path):
            if one.exists() and not overwrite:
                raise OutputExistsError("the file exists", path=one)
        self._compression: Compression = compression
        self._pixel_um = pixel_um
        self._origin_um = origin_um
        self._is_profile = is_profile
        self._polarity = polarity
        self._said: tuple[Metadata, Metadata, Metadata] = (
            instrument or {},
            sample or {},
            notes or {},
        )
        # Of each spectrum x, y, z and six numbers of its arrays; 80 bytes in all.
        self._rows = array("q")
        self._totals = array("d")
        self._closed = False
        self._digest = hashlib.sha1(usedforsecurity=False)
        self._at = 0
        self.uuid = uuid.uuid4().hex
        self._part = self.ibd_path.with_name(self.ibd_path.name + ".part")
        self._ibd: BinaryIO = self._part.open("wb")
        try:
            self._put(bytes.fromhex(self.uuid))
            self._axis: tuple[int, int, int] | None = None
            if mz is not None:
                self._axis = self._put_array(self._pack(mz, self._mz_dtype))
        except BaseException:
            self.abort()
            raise

    def write(
        self,
        x: int,
        y: int,
        mz: npt.ArrayLike | None,
        intensities: npt.ArrayLike,
        z: int = 0,
    ) -> None:
        """Write a spectrum.

        Parameters
        ----------
        x, y, z : int
            Its place, from 0.
        mz : array_like, (values,) or None
            m/z values; None, or what they may be, in a continuous file.
        intensities : array_like, (values,)
            Intensities.

        Raises
        ------
        ValueError
            If the lengths differ, or a value does not fit the type of the file.
        """
        if self._closed:
            raise ValueError("the writer is closed")
        number = len(self._totals)
        if min(x, y, z) < 0:
            raise ValueError(f"spectrum {number} lies at ({x}, {y}, {z}), before 0")
        values = np.asarray(intensities)
        if self._axis is not None:
            if len(values) not in (0, self._axis[1]):
                raise ValueError(
                    f"spectrum {number} has {len(values)} intensities, the axis has "
                    f"{self._axis[1]} values"
                )
        elif mz is None or np.shape(mz) != values.shape:
            own = 0 if mz is None else np.size(mz)
            raise ValueError(
                f"spectrum {number} has {own} m/z values and {values.size} intensities"
            )
        # All is converted before anything is written.
        stored = self._pack(values, self._intensity_dtype)
        if self._axis is None:
            assert mz is not None
            axis = self._put_array(self._pack(mz, self._mz_dtype))
        else:
            axis = self._axis
        places = self._put_array(stored)
        self._rows.extend((x + 1, y + 1, z + 1, *axis, *places))
        self._totals.append(float(values.sum(dtype=np.float64)) if values.size else 0.0)

    def _pack(self, values: npt.ArrayLike, dtype: np.dtype[Any]) -> tuple[int, bytes]:
        try:
            return pack(values, dtype, self._compression)
        except ValueError as error:
            raise ValueError(f"spectrum {len(self._totals)}: {error}") from error

    def _put_array(self, packed: tuple[int, bytes]) -> tuple[int, int, int]:
        """Write an array; returns offset, number of values and number of bytes."""
        count, data = packed
        offset = self._at
        self._put(data)
        return offset, count, len(data)

    def _put(self, data: bytes) -> None:
        self._ibd.write(data)
        self._digest.update(data)
        self._at += len(data)

    def close(self) -> None:
        """Complete both files; calling it again does nothing.

        Raises
        ------
        OSError
            If they cannot be written; nothing is left of them then.
        """
        if self._closed:
            return
        part = self.path.with_name(self.path.name + ".part")
        try:
            self._ibd.flush()
            os.fsync(self._ibd.fileno())
            self._ibd.close()
            with part.open("w", encoding="utf-8", newline="\n") as file:
                for line in xml_lines(self._facts(), self._lines()):
                    file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
            give_names(self._part, self.ibd_path, part, self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            self.abort()
            raise
        self._closed = True

    def _facts(self) -> Facts:
        continuous = self._axis is not None
        rows = np.frombuffer(self._rows, np.int64).reshape(-1, _NUMBERS)
        most = rows[:, :2].max(axis=0, initial=0).tolist()
        instrument, sample, notes = self._said
        return Facts(
            uuid=self.uuid,
            sha1=self._digest.hexdigest(),
            count=len(self._totals),
            most=(most[0], most[1]),
            is_continuous=continuous,
            is_profile=continuous if self._is_profile is None else self._is_profile,
            polarity=self._polarity,
            mz_dtype=self._mz_dtype,
            intensity_dtype=self._intensity_dtype,
            compression=self._compression,
            pixel_um=self._pixel_um,
            origin_um=self._origin_um,
            instrument=instrument,
            sample=sample,
            notes=notes,
        )

    def _lines(self) -> Iterator[Row]:
        for number, total in enumerate(self._totals):
            at = number * _NUMBERS
            yield total, tuple(self._rows[at : at + _NUMBERS])

    def abort(self) -> None:
        """Remove what was written; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._ibd.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def write_imzml(
    spectra: Spectra,
    path: PathLike,
    *,
    compression: Compression = "none",
    instrument: Metadata | None = None,
    sample: Metadata | None = None,
    overwrite: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda done: None,
) -> Path:
    """Write all spectra of a data set as imzML; returns the path of the .imzML file.

    Spectra over a common axis become a continuous file, others a processed one.

    Parameters
    ----------
    spectra : Spectra
        The data set.
    path : str or PathLike
        The new .imzML file.
    compression : {"none", "zlib"}
        How arrays are packed.
    instrument, sample : mapping of str to MetadataValue, optional
        What is to be kept of the source: `MSIReader.get_instrument_metadata` and
        `MSIReader.get_method_metadata`. What the data set says of itself is kept, too.
    overwrite : bool
        Replace files that exist.
    cancelled : callable
        Asked from time to time whether to end.
    progress : callable
        Told from time to time what part is done, from 0 to 1.

    Raises
    ------
    OutputExistsError
        If a file exists.
    CancelledError
        If it was cancelled; nothing is left of the files.
    """
    size = spectra.pixel_size
    table = spectra.pixels
    polarity = spectra.metadata.get("polarity")
    # The file counts from 1: pixels beyond the left or upper border move inwards.
    shift = [min(0, low) for low in table.origin]
    done = 0
    with ImzMLWriter(
        path,
        mz=spectra.common_mz,
        mz_dtype=spectra.mz_dtype,
        intensity_dtype=spectra.intensity_dtype,
        compression=compression,
        pixel_um=None if size is None else (size.x_um, size.y_um),
        origin_um=(0.0, 0.0)
        if size is None
        else (size.left_um + shift[0] * size.x_um, size.top_um + shift[1] * size.y_um),
        is_profile=spectra.is_profile,
        polarity="" if polarity is None else str(polarity.value),
        instrument=instrument,
        sample=sample,
        notes=spectra.metadata,
        overwrite=overwrite,
    ) as writer:
        for block in spectra.blocks():
            if cancelled():
                raise CancelledError("writing was cancelled", path=path)
            for k, number in enumerate(block.numbers.tolist()):
                mz, intensities = block.spectrum(k)
                writer.write(
                    int(table.x[number]) - shift[0],
                    int(table.y[number]) - shift[1],
                    mz,
                    intensities,
                    int(table.z[number]) - shift[2],
                )
            done += len(block)
            progress(done / max(1, len(spectra)))
    return writer.path
