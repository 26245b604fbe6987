"""Mass-spectrometry images to measure with, written without any of the readers.

The numbers come from a seed, so that what a reader returns can be compared with what
was stored. The XML has what the examples of the imzML standard have, one spectrum
after the other, and nothing is compressed unless a sentence says so.
"""

from __future__ import annotations

import base64
import uuid
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

__all__ = ["Ions", "MzMLStored", "SpotsStored", "Stored"]

LOW, HIGH = 100.0, 1000.0

_HEAD = """<?xml version="1.0" encoding="ISO-8859-1"?>
<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1">
<cvList count="2">
<cv URI="http://psidev.info/ms.obo" fullName="MS" id="MS" version="1"/>
<cv URI="http://imzml.org/imagingMS.obo" fullName="IMS" id="IMS" version="1"/>
</cvList>
<fileDescription><fileContent>
<cvParam cvRef="MS" accession="MS:1000579" name="MS1 spectrum" value=""/>
<cvParam cvRef="IMS" accession="IMS:1000080" name="universally unique identifier" \
value="{{{uuid}}}"/>
<cvParam cvRef="IMS" accession="{mode}" name="{kind}" value=""/>
</fileContent></fileDescription>
<referenceableParamGroupList count="2">
<referenceableParamGroup id="mzArray">
<cvParam cvRef="MS" accession="MS:1000514" name="m/z array" value=""/>
<cvParam cvRef="MS" accession="MS:1000523" name="64-bit float" value=""/>
<cvParam cvRef="MS" accession="MS:1000576" name="no compression" value=""/>
<cvParam cvRef="IMS" accession="IMS:1000101" name="external data" value="true"/>
</referenceableParamGroup>
<referenceableParamGroup id="intensityArray">
<cvParam cvRef="MS" accession="MS:1000515" name="intensity array" value=""/>
<cvParam cvRef="MS" accession="MS:1000521" name="32-bit float" value=""/>
<cvParam cvRef="MS" accession="MS:1000576" name="no compression" value=""/>
<cvParam cvRef="IMS" accession="IMS:1000101" name="external data" value="true"/>
</referenceableParamGroup>
</referenceableParamGroupList>
<softwareList count="1"><software id="s" version="1"/></softwareList>
<scanSettingsList count="1"><scanSettings id="a">
<cvParam cvRef="IMS" accession="IMS:1000042" name="max count of pixels x" \
value="{width}"/>
<cvParam cvRef="IMS" accession="IMS:1000043" name="max count of pixels y" \
value="{height}"/>
</scanSettings></scanSettingsList>
<instrumentConfigurationList count="1"><instrumentConfiguration id="i"/>
</instrumentConfigurationList>
<dataProcessingList count="1"><dataProcessing id="d"/></dataProcessingList>
<run defaultInstrumentConfigurationRef="i" id="r">
<spectrumList count="{n}" defaultDataProcessingRef="d">
"""

_SPECTRUM = """<spectrum id="Scan={k}" index="{k}" defaultArrayLength="0">
<cvParam cvRef="MS" accession="MS:1000127" name="centroid spectrum" value=""/>
<scanList count="1">
<cvParam cvRef="MS" accession="MS:1000795" name="no combination" value=""/>
<scan instrumentConfigurationRef="i">
<cvParam cvRef="IMS" accession="IMS:1000050" name="position x" value="{x}"/>
<cvParam cvRef="IMS" accession="IMS:1000051" name="position y" value="{y}"/>
</scan></scanList>
<binaryDataArrayList count="2">
<binaryDataArray encodedLength="0"><referenceableParamGroupRef ref="mzArray"/>
<cvParam cvRef="IMS" accession="IMS:1000103" name="external array length" \
value="{points}"/>
<cvParam cvRef="IMS" accession="IMS:1000102" name="external offset" value="{mz}"/>
<cvParam cvRef="IMS" accession="IMS:1000104" name="external encoded length" \
value="{mz_bytes}"/>
<binary/></binaryDataArray>
<binaryDataArray encodedLength="0"><referenceableParamGroupRef ref="intensityArray"/>
<cvParam cvRef="IMS" accession="IMS:1000103" name="external array length" \
value="{points}"/>
<cvParam cvRef="IMS" accession="IMS:1000102" name="external offset" value="{at}"/>
<cvParam cvRef="IMS" accession="IMS:1000104" name="external encoded length" \
value="{bytes}"/>
<binary/></binaryDataArray>
</binaryDataArrayList></spectrum>
"""

_MZML_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1.0">
<cvList count="1"><cv id="MS" fullName="MS" version="1" URI="http://psidev.info"/></cvList>
<fileDescription><fileContent/></fileDescription>
<softwareList count="1"><software id="s" version="1"/></softwareList>
<instrumentConfigurationList count="1"><instrumentConfiguration id="i"/>
</instrumentConfigurationList>
<dataProcessingList count="1"><dataProcessing id="d"/></dataProcessingList>
<run id="r" defaultInstrumentConfigurationRef="i">
<spectrumList count="{n}" defaultDataProcessingRef="d">
"""

_MZML_SPECTRUM = """<spectrum index="{k}" id="scan={number}" \
spotID="A1,{x}x{y},{x}x{y}" defaultArrayLength="{points}">
<cvParam cvRef="MS" accession="MS:1000511" name="ms level" value="1"/>
<cvParam cvRef="MS" accession="MS:1000127" name="centroid spectrum" value=""/>
<scanList count="1"><scan>
<cvParam cvRef="MS" accession="MS:1000512" name="filter string" \
value="FTMS + p MALDI Full ms [100.00-1000.00]"/>
</scan></scanList>
<binaryDataArrayList count="2">
<binaryDataArray encodedLength="{mz_length}">
<cvParam cvRef="MS" accession="MS:1000523" name="64-bit float" value=""/>
<cvParam cvRef="MS" accession="MS:1000574" name="zlib compression" value=""/>
<cvParam cvRef="MS" accession="MS:1000514" name="m/z array" value=""/>
<binary>{mz}</binary></binaryDataArray>
<binaryDataArray encodedLength="{length}">
<cvParam cvRef="MS" accession="MS:1000521" name="32-bit float" value=""/>
<cvParam cvRef="MS" accession="MS:1000574" name="zlib compression" value=""/>
<cvParam cvRef="MS" accession="MS:1000515" name="intensity array" value=""/>
<binary>{values}</binary></binaryDataArray>
</binaryDataArrayList></spectrum>
"""

_TAIL = "</spectrumList></run></mzML>\n"


@dataclass(frozen=True)
class Ions:
    """Spectra of random values on a grid of pixels, counted from 1 in files.

    Parameters
    ----------
    kind : {"continuous", "processed"}
        Whether all spectra have one m/z axis, or each peaks of its own.
    n : int
        Number of spectra.
    points : int
        Values of each, on the average: half as many to one and a half as many if each
        has its own.
    """

    kind: Literal["continuous", "processed"]
    n: int
    points: int

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return max(1, min(self.n, 250))

    def place(self, k: int) -> tuple[int, int]:
        """Return x and y of a spectrum, from 0."""
        y, x = divmod(k, self.width)
        return x, y

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of an image."""
        return -(-self.n // self.width), self.width

    @cached_property
    def axis(self) -> Values:
        """The m/z values of all spectra."""
        return np.linspace(LOW, HIGH, self.points)

    def spectra(self) -> Iterator[tuple[Values, npt.NDArray[np.float32]]]:
        """Yield m/z and intensities of each spectrum."""
        random = np.random.default_rng(self.n)
        for _ in range(self.n):
            if self.kind == "continuous":
                yield self.axis, random.random(self.points, np.float32)
                continue
            half = self.points // 2
            size = int(random.integers(self.points - half, self.points + half + 1))
            mz = np.sort(random.uniform(LOW, HIGH, size))
            yield mz, random.random(size, np.float32)

    def image(self, mz: float, tolerance: float) -> npt.NDArray[np.float32]:
        """Return the ion image that a reader should return."""
        image = np.zeros(self.shape, np.float32)
        for k, (axis, values) in enumerate(self.spectra()):
            inside = (axis >= mz - tolerance) & (axis <= mz + tolerance)
            x, y = self.place(k)
            image[y, x] = values[inside].sum(dtype=np.float64)
        return image

    def totals(self) -> npt.NDArray[np.float32]:
        """Return the image of the sums that a reader should return."""
        return self.image((LOW + HIGH) / 2, HIGH)


class Stored(Ions):
    """Such spectra as imzML."""

    def text(self) -> str:
        """Return what it is."""
        mode = (
            f"{self.points:,} values over one m/z axis"
            if self.kind == "continuous"
            else f"some {self.points:,} peaks with m/z values of its own"
        )
        return f"imzML, {self.kind}: {self.n:,} spectra, each of {mode}."

    def write(self, path: Path) -> None:
        """Write the .imzML file and the .ibd file beside it."""
        name = uuid.UUID(int=self.n)
        common = self.kind == "continuous"
        height, width = self.shape
        head = _HEAD.format(
            uuid=name, n=self.n, width=width, height=height,
            mode="IMS:1000030" if common else "IMS:1000031", kind=self.kind,
        )  # fmt: skip
        with (
            path.open("w", encoding="latin-1") as xml,
            path.with_suffix(".ibd").open("wb", buffering=1 << 20) as ibd,
        ):
            xml.write(head)
            ibd.write(name.bytes)
            at = 16
            mz_at = 16
            for k, (mz, values) in enumerate(self.spectra()):
                if not (common and k):
                    mz_at = at
                    at += ibd.write(mz.astype("<f8").tobytes())
                x, y = self.place(k)
                xml.write(
                    _SPECTRUM.format(
                        k=k, x=x + 1, y=y + 1, points=len(mz), mz=mz_at, at=at,
                        mz_bytes=8 * len(mz), bytes=4 * len(values),
                    )
                )  # fmt: skip
                at += ibd.write(values.astype("<f4").tobytes())
            xml.write(_TAIL)


class MzMLStored(Ions):
    """Such spectra as mzML, of the kind that Thermo's programs write."""

    def text(self) -> str:
        """Return what it is."""
        return (
            f"mzML: {self.n:,} spectra, each of some {self.points:,} peaks, packed by "
            "zlib, without an index."
        )

    def write(self, path: Path) -> None:
        """Write the file."""
        with path.open("w", encoding="ascii") as xml:
            xml.write(_MZML_HEAD.format(n=self.n))
            for k, (mz, values) in enumerate(self.spectra()):
                x, y = self.place(k)
                packed = [
                    base64.b64encode(zlib.compress(one.tobytes(), 1)).decode()
                    for one in (mz.astype("<f8"), values.astype("<f4"))
                ]
                xml.write(
                    _MZML_SPECTRUM.format(
                        k=k, number=k + 1, x=x + 1, y=y + 1, points=len(mz),
                        mz=packed[0], mz_length=len(packed[0]),
                        values=packed[1], length=len(packed[1]),
                    )
                )  # fmt: skip
            xml.write(_TAIL)


_ACQU = """##TITLE= Parameter file
##DATATYPE= CONTINUOUS MASS SPECTRUM
##ORIGIN= Bruker Daltonik GmbH
##$BYTORDA= 0
##$DELAY= 20000
##$DW= 2
##$ML1= 2000000
##$ML2= 200
##$ML3= 0
##$TD= {points}
##END=
"""


@dataclass(frozen=True)
class SpotsStored:
    """Spots of a Bruker flex instrument, each in a folder of its own.

    Parameters
    ----------
    n : int
        Number of spots.
    points : int
        Values of each, int32.
    """

    n: int
    points: int

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return max(1, min(self.n, 50))

    def text(self) -> str:
        """Return what it is."""
        return f"Bruker flex: {self.n:,} spots of {self.points:,} values, int32."

    def fids(self, folder: Path) -> list[Path]:
        """Return the files of all spots in order."""
        places = (divmod(k, self.width) for k in range(self.n))
        return [
            folder / f"0_R00X{x:03d}Y{y:03d}" / "1" / "1SLin" / "fid" for y, x in places
        ]

    def write(self, folder: Path) -> None:
        """Write all folders."""
        random = np.random.default_rng(0)
        values = random.integers(0, 1000, self.points, np.int32)
        for k, path in enumerate(self.fids(folder)):
            path.parent.mkdir(parents=True)
            values[0] = k
            path.write_bytes(np.roll(values, k).astype("<i4").tobytes())
            (path.parent / "acqu").write_text(_ACQU.format(points=self.points))
