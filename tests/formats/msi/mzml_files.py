"""mzML files as instruments with images write them, made for tests and benchmarks.

There are no public files of this kind; these follow what is known of them. The large
ones (`write_many`) are written at the speed of the disk.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import numpy as np
from numcodecs.zstd import Zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    Values = npt.NDArray[np.generic]

TYPES = {
    "f4": ("MS:1000521", "32-bit float"),
    "f8": ("MS:1000523", "64-bit float"),
    "i4": ("MS:1000519", "32-bit integer"),
    "i8": ("MS:1000522", "64-bit integer"),
}
CODINGS = {
    "none": ("MS:1000576", "no compression"),
    "zlib": ("MS:1000574", "zlib compression"),
    "linear": ("MS:1002312", "MS-Numpress linear prediction compression"),
    "pic": ("MS:1002313", "MS-Numpress positive integer compression"),
    "slof": ("MS:1002314", "MS-Numpress short logged float compression"),
    "linear zlib": ("MS:1002746", "MS-Numpress linear followed by zlib"),
    "pic zlib": ("MS:1002747", "MS-Numpress pic followed by zlib"),
    "slof zlib": ("MS:1002748", "MS-Numpress slof followed by zlib"),
    "zstd": ("MS:1003780", "zstd compression"),
    "shuffled zstd": ("MS:1003781", "byte-shuffled zstd compression"),
    "dictionary zstd": ("MS:1003782", "dictionary-encoded zstd compression"),
    "linear zstd": ("MS:1003783", "MS-Numpress linear followed by zstd"),
    "pic zstd": ("MS:1003784", "MS-Numpress pic followed by zstd"),
    "slof zstd": ("MS:1003785", "MS-Numpress slof followed by zstd"),
}
ARRAYS = {
    "mz": ("MS:1000514", "m/z array"),
    "intensity": ("MS:1000515", "intensity array"),
}


@dataclass(frozen=True, eq=False)
class Array:
    """An array of a spectrum and how it is written."""

    kind: str
    values: Values
    dtype: str = "f4"
    coding: str = "none"

    def xml(self) -> str:
        text = base64.b64encode(self.data()).decode()
        plain = self.coding.split()[0] not in ENCODERS
        terms = [TYPES[self.dtype]] if plain else []
        terms += [CODINGS[self.coding], ARRAYS[self.kind]]
        inside = "".join(param(*term) for term in terms)
        return (
            f'<binaryDataArray encodedLength="{len(text)}">{inside}'
            f"<binary>{text}</binary></binaryDataArray>\n"
        )

    def data(self) -> bytes:
        how = self.coding.split()
        if how[0] in ENCODERS:
            data = ENCODERS[how[0]](np.asarray(self.values, np.float64))
        else:
            values = np.asarray(self.values).astype("<" + self.dtype)
            data = values.tobytes()
            if "shuffled" in how:
                data = _shuffled(values)
            elif "dictionary" in how:
                data = _dictionary(values)
        if "zstd" in how:
            return bytes(Zstd(level=3).encode(data))
        return zlib.compress(data, 1) if "zlib" in how else data


@dataclass(frozen=True, eq=False)
class Scan:
    """A spectrum as it is written."""

    mz: Values
    intensities: Values
    id: str = ""
    spot: str = ""
    source: str = ""
    filter: str = ""
    level: int = 1
    polarity: str = "positive"
    profile: bool | None = False
    window: tuple[float, float] | None = None
    precursor: tuple[float, str, float] | None = None
    ref: str = ""
    position: tuple[int, ...] = ()
    user_position: tuple[int, ...] = ()
    total: float | None = None
    forms: dict[str, str] = field(default_factory=dict)

    def xml(self, index: int) -> str:
        name = self.id or f"scan={index + 1}"
        attributes = [f'index="{index}"', f"id={quoteattr(name)}"]
        attributes += [f"spotID={quoteattr(self.spot)}"] if self.spot else []
        if self.source:
            attributes.append(f"sourceFileRef={quoteattr(self.source)}")
        attributes.append(f'defaultArrayLength="{len(self.mz)}"')
        parts = [f"<spectrum {' '.join(attributes)}>\n"]
        parts.append(param("MS:1000511", "ms level", self.level))
        if self.polarity == "negative":
            parts.append(param("MS:1000129", "negative scan"))
        elif self.polarity:
            parts.append(param("MS:1000130", "positive scan"))
        if self.profile is not None:
            parts.append(
                param("MS:1000128", "profile spectrum")
                if self.profile
                else param("MS:1000127", "centroid spectrum")
            )
        if self.total is not None:
            parts.append(param("MS:1000285", "total ion current", self.total))
        parts.append('<scanList count="1"><scan>\n')
        if self.filter:
            parts.append(param("MS:1000512", "filter string", self.filter))
        for axis, value in enumerate(self.position):
            parts.append(param(f"IMS:100005{axis}", f"position {'xyz'[axis]}", value))
        for axis, value in enumerate(self.user_position):
            name = f"position {'xyz'[axis]}"
            parts.append(f'<userParam name="{name}" value="{value}"/>\n')
        if self.window is not None:
            parts.append('<scanWindowList count="1"><scanWindow>')
            parts.append(param("MS:1000501", "scan window lower limit", self.window[0]))
            parts.append(param("MS:1000500", "scan window upper limit", self.window[1]))
            parts.append("</scanWindow></scanWindowList>\n")
        parts.append("</scan></scanList>\n")
        parts.append(self._precursor())
        parts.append('<binaryDataArrayList count="2">\n')
        parts += [array.xml() for array in self.arrays()]
        parts.append("</binaryDataArrayList>\n</spectrum>\n")
        return "".join(parts)

    def _precursor(self) -> str:
        if self.precursor is None:
            return ""
        mz, how, energy = self.precursor
        accession = {"cid": "MS:1000133", "hcd": "MS:1000422"}[how]
        ref = f" spectrumRef={quoteattr(self.ref)}" if self.ref else ""
        return (
            f'<precursorList count="1"><precursor{ref}><selectedIonList count="1">'
            f"<selectedIon>{param('MS:1000744', 'selected ion m/z', mz)}</selectedIon>"
            f"</selectedIonList><activation>{param(accession, how)}"
            f"{param('MS:1000045', 'collision energy', energy)}"
            "</activation></precursor></precursorList>\n"
        )

    def arrays(self) -> list[Array]:
        forms = {"mz": "f8 none", "intensity": "f4 none", **self.forms}
        values = {"mz": self.mz, "intensity": self.intensities}
        return [
            Array(kind, values[kind], *forms[kind].split(" ", 1)) for kind in values
        ]


def param(accession: str, name: str, value: object = "") -> str:
    return (
        f'<cvParam cvRef="{accession.partition(":")[0]}" accession="{accession}" '
        f"name={quoteattr(name)} value={quoteattr(str(value))}/>\n"
    )


def head(count: int, sources: Sequence[tuple[str, str]] = ()) -> str:
    files = "".join(
        f"<sourceFile id={quoteattr(name)} name={quoteattr(name)} "
        f"location={quoteattr(location)}/>\n"
        for name, location in sources
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<indexedmzML xmlns="http://psi.hupo.org/ms/mzml">\n'
        '<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1.0">\n'
        "<fileDescription><fileContent/>"
        f'<sourceFileList count="{len(sources)}">\n{files}</sourceFileList>'
        "</fileDescription>\n"
        '<instrumentConfigurationList count="1"><instrumentConfiguration id="IC1">\n'
        f"{param('MS:1000449', 'LTQ Orbitrap')}"
        "</instrumentConfiguration></instrumentConfigurationList>\n"
        '<run id="run" defaultInstrumentConfigurationRef="IC1">\n'
        f'<spectrumList count="{count}" defaultDataProcessingRef="dp">\n'
    )


def write_mzml(
    path: Path,
    scans: Iterable[Scan],
    *,
    sources: Sequence[tuple[str, str]] = (),
    indexed: bool = True,
    count: int | None = None,
) -> Path:
    """Write scans in their order."""
    scans = list(scans)
    parts = [head(len(scans) if count is None else count, sources)]
    parts += [scan.xml(index) for index, scan in enumerate(scans)]
    parts.append("</spectrumList></run></mzML>\n")
    text = "".join(parts)
    path.write_bytes((text + tail(text.encode(), indexed)).encode())
    return path


def tail(text: bytes, indexed: bool = True) -> str:
    if not indexed:
        return "</indexedmzML>\n"
    lines = [
        f'<offset idRef="{match[1].decode()}">{match.start()}</offset>\n'
        for match in re.finditer(rb'<spectrum [^<>]*?\bid="([^"]*)"', text)
    ]
    return (
        '<indexList count="1"><index name="spectrum">\n'
        f"{''.join(lines)}</index></indexList>\n"
        f"<indexListOffset>{len(text)}</indexListOffset>\n</indexedmzML>\n"
    )


# Flavours


def thermo(scan: Scan, x: float, y: float) -> Scan:
    """Return a scan at a place of the stage."""
    return replace(scan, spot=f"A1,{x:g}x{y:g},{x:g}x{y:g}")


def bruker(scan: Scan, x: int, y: int, region: int = 0, repeat: int = 1) -> Scan:
    """Return a scan with the folder of its spot in the id."""
    folder = f"file_x003d_brain_x002f_0_R{region:02d}X{x:03d}Y{y:03d}"
    return replace(scan, id=f"{folder}_x002f_{repeat}_x002f_1SLin_x002f_fid")


def xmass(x: int, y: int) -> tuple[str, str]:
    """Return a source file of a spectrum, with the place in its location."""
    return f"sf_{x}_{y}", f"file:///data/brain_{x}x_{y}y_1/1SRef"


def peaks(
    seed: int, n: int = 40, low: float = 100, high: float = 1000
) -> tuple[Values, Values]:
    """Return peaks of a spectrum."""
    random = np.random.default_rng(seed)
    mz = np.sort(random.uniform(low, high, n))
    return mz, np.round(random.gamma(1.0, 500.0, n)).astype(np.float32)


# Large files


def write_many(
    path: Path,
    shape: tuple[int, int],
    *,
    points: int = 500,
    profile: bool = False,
    kinds: int = 1,
    coding: str = "zlib",
    variants: int = 50,
) -> Path:
    """Write a large image, spectrum by spectrum, of a few that take turns.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Columns and rows of the image.
    points : int
        Values of a spectrum.
    profile : bool
        One m/z axis for all, as Bruker has it; otherwise peaks, as Thermo has them.
    kinds : int
        Scans of different kinds at each pixel, the first one full.
    coding : str
        Of both arrays, see `CODINGS`.
    variants : int
        How many different spectra there are of each kind.
    """
    forms = {"mz": f"f8 {coding}", "intensity": f"f4 {coding}"}
    axis = np.linspace(100.0, 1000.0, points)
    made: list[list[tuple[str, str]]] = []
    for kind in range(kinds):
        texts = []
        for n in range(variants):
            mz, intensities = peaks(1000 * kind + n, points)
            scan = Scan(
                axis if profile else mz,
                intensities,
                spot="SPOT",
                filter="FTMS + p MALDI Full ms [100.00-1000.00]"
                if not kind
                else f"ITMS + p MALDI Z ms2 {400 + kind}.00@cid35.00 [100.00-1000.00]",
                level=2 if kind else 1,
                profile=profile,
                window=(100.0, 1000.0),
                precursor=(400.0 + kind, "cid", 35.0) if kind else None,
                total=float(intensities.sum(dtype=np.float64)),
                forms=forms,
            )
            before, _, after = scan.xml(0).partition('index="0" id="scan=1"')
            texts.append((before, after))
        made.append(texts)
    columns, rows = shape
    offsets = []
    with path.open("wb", buffering=4 << 20) as file:
        at = file.write(head(columns * rows * kinds).encode())
        n = 0
        for y in range(rows):
            for x in range(columns):
                place = f"A1,{50 * x}x{50 * y},{50 * x}x{50 * y}"
                for texts in made:
                    before, after = texts[n // kinds % variants]
                    offsets.append(at)
                    text = f'{before}index="{n}" id="scan={n + 1}"{after}'
                    at += file.write(text.replace("SPOT", place, 1).encode())
                    n += 1
        at += file.write(b"</spectrumList></run></mzML>\n")
        file.write(b'<indexList count="1"><index name="spectrum">\n')
        for n, offset in enumerate(offsets):
            file.write(f'<offset idRef="scan={n + 1}">{offset}</offset>\n'.encode())
        end = f"<indexListOffset>{at}</indexListOffset>\n</indexedmzML>\n"
        file.write(b"</index></indexList>\n" + end.encode())
    return path


# Orders of bytes


def _shuffled(values: Values) -> bytes:
    width, data = values.itemsize, values.tobytes()
    return b"".join(data[n::width] for n in range(width))


def _dictionary(values: Values) -> bytes:
    different = np.unique(values)
    width = next(n for n in (1, 2, 4, 8) if len(different) < 256**n)
    indices = np.searchsorted(different, values).astype(f"<u{width}")
    begin = 16 + different.nbytes
    head = struct.pack("<QQ", begin, len(different))
    return head + _shuffled(different) + _shuffled(indices)


# MS-Numpress, the plainest way


def _halves(value: int) -> list[int]:
    """Return a number of 32 bits as half bytes with its head."""
    digits = [(value >> (4 * n)) & 15 for n in range(8)]
    for fill, base in ((0, 0), (15, 8)):
        left = 0
        while left < (8 if not fill else 7) and digits[7 - left] == fill:
            left += 1
        if left:
            return [base + left, *digits[: 8 - left]]
    return [0, *digits]


def _packed(values: Iterable[int]) -> bytes:
    halves = [half for value in values for half in _halves(value)]
    halves += [0] * (len(halves) % 2)
    return bytes(16 * a + b for a, b in zip(halves[::2], halves[1::2], strict=True))


def encode_linear(values: npt.NDArray[np.float64]) -> bytes:
    factor = 1e5
    numbers = [round(float(value) * factor) for value in values]
    data = struct.pack(">d", factor) + struct.pack(
        f"<{len(numbers[:2])}I", *numbers[:2]
    )
    residuals = [
        numbers[n] - 2 * numbers[n - 1] + numbers[n - 2] for n in range(2, len(numbers))
    ]
    return data + _packed(residuals)


def encode_pic(values: npt.NDArray[np.float64]) -> bytes:
    return _packed(round(float(value)) for value in values)


def encode_slof(values: npt.NDArray[np.float64]) -> bytes:
    largest = float(np.log1p(values).max()) if len(values) else 1.0
    factor = np.floor(65535 / max(largest, 1e-3))
    numbers = np.rint(np.log1p(values) * factor).astype("<u2")
    return struct.pack(">d", factor) + numbers.tobytes()


ENCODERS: dict[str, Callable[[npt.NDArray[np.float64]], bytes]] = {
    "linear": encode_linear,
    "pic": encode_pic,
    "slof": encode_slof,
}
