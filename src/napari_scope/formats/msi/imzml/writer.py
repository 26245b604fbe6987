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
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from xml.sax.saxutils import quoteattr

import numpy as np

from napari_scope.errors import FormatError, OutputExistsError
from napari_scope.formats.msi.imzml import terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    import numpy.typing as npt

    from napari_scope.formats.msi.imzml.terms import Compression
    from napari_scope.formats.msi.spectra import Spectra

    PathLike = str | os.PathLike[str]

__all__ = ["ImzMLWriter", "write_imzml"]

_TYPE_TERMS: Final = {
    np.dtype("<f4"): ("MS", "MS:1000521", "32-bit float"),
    np.dtype("<f8"): ("MS", "MS:1000523", "64-bit float"),
    np.dtype("i1"): ("IMS", "IMS:1100000", "8-bit integer"),
    np.dtype("<i2"): ("IMS", "IMS:1100001", "16-bit integer"),
    np.dtype("<i4"): ("IMS", "IMS:1000141", "32-bit integer"),
    np.dtype("<i8"): ("IMS", "IMS:1000142", "64-bit integer"),
}
_WIDER: Final = {"u1": "<i2", "u2": "<i4", "u4": "<i8", "f2": "<f4", "b1": "i1"}
_PIECE: Final = 1 << 20


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
    overwrite : bool
        Replace files that exist.

    Raises
    ------
    OutputExistsError
        If a file exists.
    FormatError
        If there is no such type in imzML.
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
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        self.ibd_path = self.path.with_suffix(".ibd")
        self._mz_dtype = _stored_type(mz_dtype)
        self._intensity_dtype = _stored_type(intensity_dtype)
        if compression not in ("none", "zlib"):
            raise FormatError(
                f"the compression is 'none' or 'zlib', not {compression!r}", path=path
            )
        for one in (self.path, self.ibd_path):
            if one.exists() and not overwrite:
                raise OutputExistsError("the file exists", path=one)
        self._compression = compression
        self._pixel_um = pixel_um
        self._origin_um = origin_um
        self._is_profile = is_profile
        self._polarity = polarity
        self._rows: list[tuple[int | float, ...]] = []
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
                self._axis = self._put_array(np.asarray(mz), self._mz_dtype)
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
        values = np.asarray(intensities)
        axis = self._axis
        if axis is None:
            own = np.asarray(mz)
            if own.shape != values.shape:
                raise ValueError(
                    f"spectrum {len(self._rows)} has {own.size} m/z values and "
                    f"{values.size} intensities"
                )
            axis = self._put_array(own, self._mz_dtype)
        elif len(values) not in (0, axis[1]):
            raise ValueError(
                f"spectrum {len(self._rows)} has {len(values)} intensities, the axis "
                f"has {axis[1]} values"
            )
        stored = self._put_array(values, self._intensity_dtype)
        total = float(values.sum(dtype=np.float64)) if values.size else 0.0
        self._rows.append((x + 1, y + 1, z + 1, total, *axis, *stored))

    def _put_array(
        self, values: npt.NDArray[Any], dtype: np.dtype[Any]
    ) -> tuple[int, int, int]:
        """Write an array; returns offset, number of values and number of bytes."""
        converted = values.astype(dtype)
        if dtype.kind == "i" and values.size and (converted != values).any():
            raise ValueError(
                f"values of type {values.dtype} do not fit {dtype} (spectrum "
                f"{len(self._rows)})"
            )
        data = converted.tobytes()
        if self._compression == "zlib":
            data = zlib.compress(data)
        offset = self._at
        self._put(data)
        return offset, values.size, len(data)

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
                for line in self._xml():
                    file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
            # The XML comes last: a file that is there is complete.
            self._part.replace(self.ibd_path)
            part.replace(self.path)
        except BaseException:
            part.unlink(missing_ok=True)
            self.abort()
            raise
        self._closed = True

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

    # The XML

    def _xml(self) -> Iterator[str]:
        mode = (
            _term("IMS", terms.CONTINUOUS, "continuous")
            if self._axis is not None
            else _term("IMS", terms.PROCESSED, "processed")
        )
        profile = self._is_profile
        if profile is None:
            profile = self._axis is not None
        kind = (
            _term("MS", terms.PROFILE, "profile spectrum")
            if profile
            else _term("MS", terms.CENTROID, "centroid spectrum")
        )
        yield '<?xml version="1.0" encoding="UTF-8"?>'
        yield (
            '<mzML xmlns="http://psi.hupo.org/ms/mzml" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            'xsi:schemaLocation="http://psi.hupo.org/ms/mzml '
            'http://psidev.info/files/ms/mzML/xsd/mzML1.1.0_idx.xsd" version="1.1">'
        )
        yield '<cvList count="3">'
        for name, full, place in (
            ("MS", "Mass Spectrometry Ontology", "https://purl.obolibrary.org/obo/ms"),
            ("UO", "Unit Ontology", "https://purl.obolibrary.org/obo/uo"),
            ("IMS", "Imaging MS Ontology", "https://www.imzml.org/imagingMS.obo"),
        ):
            yield f'<cv id="{name}" fullName="{full}" version="1.1" URI="{place}"/>'
        yield "</cvList>"
        yield "<fileDescription><fileContent>"
        yield _term("MS", "MS:1000579", "MS1 spectrum")
        yield kind
        identity = str(uuid.UUID(self.uuid))
        yield _term("IMS", terms.UUID, "universally unique identifier", identity)
        checksum = self._digest.hexdigest()
        yield _term("IMS", "IMS:1000091", "ibd SHA-1", checksum)
        yield mode
        yield "</fileContent></fileDescription>"
        yield from self._groups(kind)
        yield '<softwareList count="1"><software id="napari-scope" version="0.1">'
        yield _term(
            "MS", "MS:1000799", "custom unreleased software tool", "napari-scope"
        )
        yield "</software></softwareList>"
        yield from self._scan_settings()
        yield '<instrumentConfigurationList count="1">'
        yield '<instrumentConfiguration id="instrument">'
        yield _term("MS", "MS:1000031", "instrument model")
        yield "</instrumentConfiguration></instrumentConfigurationList>"
        yield '<dataProcessingList count="1"><dataProcessing id="conversion">'
        yield '<processingMethod order="0" softwareRef="napari-scope">'
        yield _term("MS", "MS:1000544", "Conversion to mzML")
        yield "</processingMethod></dataProcessing></dataProcessingList>"
        yield '<run id="run" defaultInstrumentConfigurationRef="instrument">'
        yield (
            f'<spectrumList count="{len(self._rows)}" '
            'defaultDataProcessingRef="conversion">'
        )
        for number, row in enumerate(self._rows):
            yield _spectrum(number, row)
        yield "</spectrumList></run></mzML>"

    def _groups(self, kind: str) -> Iterator[str]:
        packed = (
            _term("MS", "MS:1000574", "zlib compression")
            if self._compression == "zlib"
            else _term("MS", "MS:1000576", "no compression")
        )
        outside = _term("IMS", "IMS:1000101", "external data", "true")
        yield '<referenceableParamGroupList count="3">'
        for name, dtype, accession, words, unit in (
            ("mzArray", self._mz_dtype, terms.MZ_ARRAY, "m/z array",
             ' unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z"'),
            ("intensityArray", self._intensity_dtype, terms.INTENSITY_ARRAY,
             "intensity array", ' unitCvRef="MS" unitAccession="MS:1000131" '
             'unitName="number of detector counts"'),
        ):  # fmt: skip
            yield f'<referenceableParamGroup id="{name}">'
            yield packed
            yield (
                f'<cvParam cvRef="MS" accession="{accession}" name="{words}" '
                f'value=""{unit}/>'
            )
            yield outside
            yield _term(*_TYPE_TERMS[dtype])
            yield "</referenceableParamGroup>"
        yield '<referenceableParamGroup id="spectrum">'
        yield _term("MS", "MS:1000579", "MS1 spectrum")
        yield _term("MS", terms.LEVEL, "ms level", "1")
        yield kind
        if self._polarity == "positive":
            yield _term("MS", terms.POSITIVE, "positive scan")
        elif self._polarity == "negative":
            yield _term("MS", terms.NEGATIVE, "negative scan")
        yield "</referenceableParamGroup></referenceableParamGroupList>"

    def _scan_settings(self) -> Iterator[str]:
        most = [int(max((row[i] for row in self._rows), default=0)) for i in (0, 1)]
        um = 'unitCvRef="UO" unitAccession="UO:0000017" unitName="micrometer"'
        yield '<scanSettingsList count="1"><scanSettings id="scansettings">'
        yield _term("IMS", "IMS:1000042", "max count of pixels x", str(most[0]))
        yield _term("IMS", "IMS:1000043", "max count of pixels y", str(most[1]))
        if self._pixel_um is not None:
            width, height = self._pixel_um
            for accession, name, value in (
                ("IMS:1000044", "max dimension x", width * most[0]),
                ("IMS:1000045", "max dimension y", height * most[1]),
                ("IMS:1000046", "pixel size (x)", width),
                ("IMS:1000047", "pixel size y", height),
            ):
                yield _term("IMS", accession, name, f"{value:.12g}", um)
        for accession, name, value in (
            ("IMS:1000053", "absolute position offset x", self._origin_um[0]),
            ("IMS:1000054", "absolute position offset y", self._origin_um[1]),
        ):
            yield _term("IMS", accession, name, f"{value:.12g}", um)
        yield "</scanSettings></scanSettingsList>"


def write_imzml(
    spectra: Spectra,
    path: PathLike,
    *,
    compression: Compression = "none",
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
    from napari_scope.errors import CancelledError

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
        origin_um=(0.0, 0.0) if size is None else (size.left_um, size.top_um),
        is_profile=spectra.is_profile,
        polarity="" if polarity is None else str(polarity.value),
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


def _stored_type(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return the type in the file that holds all values of a type.

    Examples
    --------
    >>> _stored_type("uint16"), _stored_type(">f8")
    (dtype('int32'), dtype('float64'))
    """
    given = np.dtype(dtype)
    plain = np.dtype(_WIDER.get(given.str[1:], given)).newbyteorder("<")
    if plain not in _TYPE_TERMS:
        raise FormatError(
            f"imzML has no values of type {given}",
            hint="it has floats of 4 and 8 bytes and integers with a sign",
        )
    return plain


def _term(cv: str, accession: str, name: str, value: str = "", more: str = "") -> str:
    unit = f" {more}" if more else ""
    return (
        f'<cvParam cvRef="{cv}" accession="{accession}" name="{name}" '
        f"value={quoteattr(value)}{unit}/>"
    )


def _spectrum(number: int, row: tuple[int | float, ...]) -> str:
    x, y, z, total, *places = row
    arrays = "".join(
        '<binaryDataArray encodedLength="0">'
        f'<referenceableParamGroupRef ref="{group}"/>'
        + _term("IMS", terms.OFFSET, "external offset", str(offset))
        + _term("IMS", terms.LENGTH, "external array length", str(length))
        + _term("IMS", terms.ENCODED, "external encoded length", str(size))
        + "<binary/></binaryDataArray>"
        for group, (offset, length, size) in (
            ("mzArray", places[:3]),
            ("intensityArray", places[3:]),
        )
    )
    return (
        f'<spectrum id="spectrum={number + 1}" defaultArrayLength="0" '
        f'index="{number}"><referenceableParamGroupRef ref="spectrum"/>'
        + _term("MS", terms.TOTAL, "total ion current", repr(total))
        + '<scanList count="1">'
        + _term("MS", "MS:1000795", "no combination")
        + "<scan>"
        + _term("IMS", terms.X, "position x", str(x))
        + _term("IMS", terms.Y, "position y", str(y))
        + _term("IMS", terms.Z, "position z", str(z))
        + '</scan></scanList><binaryDataArrayList count="2">'
        + arrays
        + "</binaryDataArrayList></spectrum>"
    )
