"""The XML of an imzML file that is written: from what is known and a table of places.

Nothing is read or written here: lines go out.

Examples
--------
>>> for line in xml_lines(facts, rows):  # doctest: +SKIP
...     file.write(line)
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import quoteattr

import numpy as np

from napari_scope.formats.msi.imzml import terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from napari_scope.formats.msi.imzml.terms import Compression
    from napari_scope.formats.msi.spectra import MetadataValue

    Metadata = Mapping[str, MetadataValue]
    Row = tuple[float, tuple[int, ...]]

__all__ = ["TYPE_TERMS", "Facts", "xml_lines"]

TYPE_TERMS: Final = {
    np.dtype("<f4"): ("MS", "MS:1000521", "32-bit float"),
    np.dtype("<f8"): ("MS", "MS:1000523", "64-bit float"),
    np.dtype("i1"): ("IMS", "IMS:1100000", "8-bit integer"),
    np.dtype("<i2"): ("IMS", "IMS:1100001", "16-bit integer"),
    np.dtype("<i4"): ("IMS", "IMS:1000141", "32-bit integer"),
    np.dtype("<i8"): ("IMS", "IMS:1000142", "64-bit integer"),
}
_UM: Final = 'unitCvRef="UO" unitAccession="UO:0000017" unitName="micrometer"'
# What the writer says itself; what a source said of it may be wrong by now.
_OWN: Final = frozenset(
    {
        terms.CONTINUOUS, terms.PROCESSED, terms.UUID, terms.PROFILE, terms.CENTROID,
        terms.POSITIVE, terms.NEGATIVE, *terms.CHECKSUMS, "MS:1000579", "MS:1000294",
        *(f"IMS:10000{number}" for number in (42, 43, 44, 45, 46, 47, 53, 54)),
    }
)  # fmt: skip
_OWN_NAMES: Final = frozenset({"polarity"})
_SCAN_SETTING: Final = re.compile(r"IMS:10004\d\d")
_ACCESSION: Final = re.compile(r"(MS|IMS|UO):\d{7}")
# XML has no other letters, not even as entities.
_NO_LETTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Facts:
    """What the head of the file says.

    Parameters
    ----------
    uuid : str
        Identity, 32 letters.
    sha1 : str
        Checksum of the .ibd file.
    count : int
        Number of spectra.
    most : (int, int)
        Largest x and y.
    is_continuous, is_profile : bool
        Of all spectra.
    polarity : {"positive", "negative", ""}
        Of all scans.
    mz_dtype, intensity_dtype : dtype
        Types of the values.
    compression : {"none", "zlib"}
        How arrays are packed.
    pixel_um : (float, float), optional
        Size of a pixel.
    origin_um : (float, float)
        Where the first one lies.
    instrument, sample, notes : mapping of str to MetadataValue
        What else is known of the instrument, of the sample and its preparation, and of
        the data.
    """

    uuid: str
    sha1: str
    count: int
    most: tuple[int, int]
    is_continuous: bool
    is_profile: bool
    polarity: str
    mz_dtype: np.dtype[Any]
    intensity_dtype: np.dtype[Any]
    compression: Compression
    pixel_um: tuple[float, float] | None = None
    origin_um: tuple[float, float] = (0.0, 0.0)
    instrument: Metadata = field(default_factory=dict)
    sample: Metadata = field(default_factory=dict)
    notes: Metadata = field(default_factory=dict)


def xml_lines(facts: Facts, rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of the document.

    Parameters
    ----------
    facts : Facts
        What the head says.
    rows : iterable of (float, tuple of int)
        Of each spectrum the sum of its intensities, and x, y, z, then offset, number of
        values and number of bytes of its m/z values and of its intensities.
    """
    kind = (
        _term("MS", terms.PROFILE, "profile spectrum")
        if facts.is_profile
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
    identity = str(uuid.UUID(facts.uuid))
    yield _term("IMS", terms.UUID, "universally unique identifier", identity)
    yield _term("IMS", "IMS:1000091", "ibd SHA-1", facts.sha1)
    if facts.is_continuous:
        yield _term("IMS", terms.CONTINUOUS, "continuous")
    else:
        yield _term("IMS", terms.PROCESSED, "processed")
    yield from _notes(facts.notes, of_scan=False)
    yield "</fileContent></fileDescription>"
    yield from _groups(facts, kind)
    if facts.sample:
        yield '<sampleList count="1"><sample id="sample" name="sample">'
        yield from _notes(facts.sample)
        yield "</sample></sampleList>"
    yield '<softwareList count="1"><software id="napari-scope" version="0.1">'
    yield _term("MS", "MS:1000799", "custom unreleased software tool", "napari-scope")
    yield "</software></softwareList>"
    yield from _scan_settings(facts)
    yield '<instrumentConfigurationList count="1">'
    yield '<instrumentConfiguration id="instrument">'
    if facts.instrument:
        yield from _notes(facts.instrument)
    else:
        yield _term("MS", "MS:1000031", "instrument model")
    yield "</instrumentConfiguration></instrumentConfigurationList>"
    yield '<dataProcessingList count="1"><dataProcessing id="conversion">'
    yield '<processingMethod order="0" softwareRef="napari-scope">'
    yield _term("MS", "MS:1000544", "Conversion to mzML")
    yield "</processingMethod></dataProcessing></dataProcessingList>"
    yield '<run id="run" defaultInstrumentConfigurationRef="instrument">'
    yield f'<spectrumList count="{facts.count}" defaultDataProcessingRef="conversion">'
    for number, (total, places) in enumerate(rows):
        yield _spectrum(number, total, places)
    yield "</spectrumList></run></mzML>"


def _groups(facts: Facts, kind: str) -> Iterator[str]:
    packed = (
        _term("MS", "MS:1000574", "zlib compression")
        if facts.compression == "zlib"
        else _term("MS", "MS:1000576", "no compression")
    )
    yield '<referenceableParamGroupList count="3">'
    for group, dtype, accession, words, unit in (
        ("mzArray", facts.mz_dtype, terms.MZ_ARRAY, "m/z array",
         'unitCvRef="MS" unitAccession="MS:1000040" unitName="m/z"'),
        ("intensityArray", facts.intensity_dtype, terms.INTENSITY_ARRAY,
         "intensity array", 'unitCvRef="MS" unitAccession="MS:1000131" '
         'unitName="number of detector counts"'),
    ):  # fmt: skip
        yield f'<referenceableParamGroup id="{group}">'
        yield packed
        yield _term("MS", accession, words, "", unit)
        yield _term("IMS", "IMS:1000101", "external data", "true")
        yield _term(*TYPE_TERMS[dtype])
        yield "</referenceableParamGroup>"
    yield '<referenceableParamGroup id="spectrum">'
    yield _term("MS", "MS:1000579", "MS1 spectrum")
    yield _term("MS", terms.LEVEL, "ms level", "1")
    yield kind
    if facts.polarity == "positive":
        yield _term("MS", terms.POSITIVE, "positive scan")
    elif facts.polarity == "negative":
        yield _term("MS", terms.NEGATIVE, "negative scan")
    yield "</referenceableParamGroup></referenceableParamGroupList>"


def _scan_settings(facts: Facts) -> Iterator[str]:
    x, y = facts.most
    yield '<scanSettingsList count="1"><scanSettings id="scansettings">'
    yield _term("IMS", "IMS:1000042", "max count of pixels x", str(x))
    yield _term("IMS", "IMS:1000043", "max count of pixels y", str(y))
    if facts.pixel_um is not None:
        width, height = facts.pixel_um
        for accession, name, value in (
            ("IMS:1000044", "max dimension x", width * x),
            ("IMS:1000045", "max dimension y", height * y),
            ("IMS:1000046", "pixel size (x)", width),
            ("IMS:1000047", "pixel size y", height),
        ):
            yield _term("IMS", accession, name, f"{value:.12g}", _UM)
    for accession, name, value in (
        ("IMS:1000053", "absolute position offset x", facts.origin_um[0]),
        ("IMS:1000054", "absolute position offset y", facts.origin_um[1]),
    ):
        yield _term("IMS", accession, name, f"{value:.12g}", _UM)
    yield from _notes(facts.notes, of_scan=True)
    yield "</scanSettings></scanSettingsList>"


def _notes(notes: Metadata, of_scan: bool | None = None) -> Iterator[str]:
    """Yield what a source has said: terms of a vocabulary as such, the rest as text.

    Parameters
    ----------
    notes : mapping of str to MetadataValue
        What was said.
    of_scan : bool, optional
        Only what belongs to the settings of the scan, or only what does not.
    """
    texts: list[str] = []
    for name, said in notes.items():
        accession = said.ontology
        if accession in _OWN or name in _OWN_NAMES:
            continue
        if of_scan is not None and of_scan != bool(_SCAN_SETTING.fullmatch(accession)):
            continue
        value = "" if said.value is True else str(said.value)
        unit = f"unitName={_quoted(said.unit)}" if said.unit else ""
        if match := _ACCESSION.fullmatch(accession):
            yield _term(match.group(1), accession, name, value, unit)
        else:
            more = f" {unit}" if unit else ""
            texts.append(
                f"<userParam name={_quoted(name)} value={_quoted(value)}{more}/>"
            )
    yield from texts  # after the terms, as the schema has it


def _quoted(text: str) -> str:
    return quoteattr(_NO_LETTER.sub("\ufffd", text))


def _term(cv: str, accession: str, name: str, value: str = "", more: str = "") -> str:
    unit = f" {more}" if more else ""
    return (
        f'<cvParam cvRef="{cv}" accession="{accession}" name={_quoted(name)} '
        f"value={_quoted(value)}{unit}/>"
    )


def _spectrum(number: int, total: float, places: tuple[int, ...]) -> str:
    x, y, z, *arrays = places
    both = "".join(
        '<binaryDataArray encodedLength="0">'
        f'<referenceableParamGroupRef ref="{group}"/>'
        '<cvParam cvRef="IMS" accession="IMS:1000102" name="external offset" '
        f'value="{offset}"/>'
        '<cvParam cvRef="IMS" accession="IMS:1000103" name="external array length" '
        f'value="{length}"/>'
        '<cvParam cvRef="IMS" accession="IMS:1000104" name="external encoded length" '
        f'value="{size}"/>'
        "<binary/></binaryDataArray>"
        for group, (offset, length, size) in (
            ("mzArray", arrays[:3]),
            ("intensityArray", arrays[3:]),
        )
    )
    return (
        f'<spectrum id="spectrum={number + 1}" defaultArrayLength="0" '
        f'index="{number}"><referenceableParamGroupRef ref="spectrum"/>'
        '<cvParam cvRef="MS" accession="MS:1000285" name="total ion current" '
        f'value="{total!r}"/>'
        '<scanList count="1">'
        '<cvParam cvRef="MS" accession="MS:1000795" name="no combination" value=""/>'
        "<scan>"
        f'<cvParam cvRef="IMS" accession="IMS:1000050" name="position x" value="{x}"/>'
        f'<cvParam cvRef="IMS" accession="IMS:1000051" name="position y" value="{y}"/>'
        f'<cvParam cvRef="IMS" accession="IMS:1000052" name="position z" value="{z}"/>'
        '</scan></scanList><binaryDataArrayList count="2">'
        f"{both}</binaryDataArrayList></spectrum>"
    )
