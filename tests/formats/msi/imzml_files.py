"""Writes imzML files as they are met in the wild, byte by byte, for the tests.

Nothing of the project is used: what is read is compared with what is written here.
"""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    Values = npt.NDArray[Any]

TYPES = {
    "f4": ("MS:1000521", "32-bit float"),
    "f8": ("MS:1000523", "64-bit float"),
    "i1": ("IMS:1100000", "8-bit integer"),
    "i2": ("IMS:1100001", "16-bit integer"),
    "i4": ("MS:1000519", "32-bit integer"),
    "i8": ("MS:1000522", "64-bit integer"),
}


def term(accession: str, name: str, value: str = "", more: str = "") -> str:
    cv = accession.partition(":")[0]
    return (
        f'<cvParam cvRef="{cv}" accession="{accession}" name="{name}" '
        f'value="{value}"{more}/>'
    )


@dataclass
class One:
    """A spectrum: its place (from 1, as the file counts) and its values."""

    mz: Values
    intensities: Values
    x: int = 1
    y: int = 1
    z: int | None = 1
    total: float | None = None
    # Numbers that are written instead of the right ones; None leaves the term out.
    instead: dict[str, str | None] = field(default_factory=dict)
    mz_type: str = ""
    intensity_type: str = ""
    packed: bool | None = None
    arrays: bool = True


@dataclass
class Wild:
    """A pair of files.

    ``text`` changes the whole XML before it is encoded, ``ibd`` the bytes.
    """

    spectra: list[One]
    continuous: bool = False
    said_mode: str = ""
    mz_type: str = "f8"
    intensity_type: str = "f4"
    packed: bool = False
    inline: bool = False
    groups: tuple[str, ...] = ("mzArray", "intensityArray", "spectrum")
    head: str = ""
    scan_settings: str = ""
    kind: str = term("MS:1000127", "centroid spectrum")
    identity: str = "5a17b2f0-9a3e-4c3c-8f6e-0123456789ab"
    encoding: str = "UTF-8"
    text: Callable[[str], str] = lambda text: text
    ibd: Callable[[bytes], bytes] = lambda data: data
    ibd_name: str = ""

    def write(self, path: Path) -> Path:
        data = bytearray(uuid.UUID(self.identity).bytes)
        shared: tuple[int, int, int] | None = None
        bodies = []
        for number, one in enumerate(self.spectra):
            places = []
            for kind, values in (("mz", one.mz), ("intensity", one.intensities)):
                stored = getattr(one, f"{kind}_type") or getattr(self, f"{kind}_type")
                packed = self.packed if one.packed is None else one.packed
                if kind == "mz" and self.continuous and shared is not None:
                    places.append(shared)
                    continue
                raw = np.asarray(values).astype("<" + stored).tobytes()
                raw = zlib.compress(raw) if packed else raw
                places.append((len(data), len(values), len(raw)))
                data += raw
                shared = shared or places[0]
            bodies.append(self._body(number, one, places))
        text = self.text(self._document(bodies))
        path.write_bytes(text.encode(self.encoding))
        ibd = path.with_name(self.ibd_name) if self.ibd_name else None
        (ibd or path.with_suffix(".ibd")).write_bytes(self.ibd(bytes(data)))
        return path

    def _document(self, bodies: list[str]) -> str:
        mode = self.said_mode or ("continuous" if self.continuous else "processed")
        accession = {"continuous": "IMS:1000030", "processed": "IMS:1000031"}[mode]
        groups = "".join(self._group(name) + "\n" for name in self.groups)
        spectra = "\n".join(bodies)
        return (
            f'<?xml version="1.0" encoding="{self.encoding}"?>\n'
            '<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1">\n'
            "<fileDescription><fileContent>\n"
            + term("IMS:1000080", "universally unique identifier", self.identity)
            + term(accession, mode)
            + self.head
            + "</fileContent></fileDescription>\n"
            f"<referenceableParamGroupList>{groups}</referenceableParamGroupList>\n"
            f"<scanSettingsList><scanSettings>{self.scan_settings}</scanSettings>"
            "</scanSettingsList>\n"
            f'<run id="run"><spectrumList count="{len(bodies)}">\n{spectra}\n'
            "</spectrumList></run></mzML>\n"
        )

    def _group(self, name: str) -> str:
        if name == "spectrum":
            terms = self.kind
        else:
            kind = "mz" if name == "mzArray" else "intensity"
            terms = self._types(kind, getattr(self, f"{kind}_type"), self.packed)
        return f'<referenceableParamGroup id="{name}">{terms}</referenceableParamGroup>'

    def _types(self, kind: str, stored: str, packed: bool) -> str:
        return (
            (
                term("MS:1000574", "zlib compression")
                if packed
                else term("MS:1000576", "no compression")
            )
            + (
                term("MS:1000514", "m/z array")
                if kind == "mz"
                else term("MS:1000515", "intensity array")
            )
            + term(*TYPES[stored])
        )

    def _body(self, number: int, one: One, places: list[tuple[int, int, int]]) -> str:
        numbers: dict[str, str | None] = {
            "x": str(one.x),
            "y": str(one.y),
            "z": None if one.z is None else str(one.z),
            "total": None if one.total is None else repr(one.total),
        }
        for kind, values in zip(("mz", "intensity"), places, strict=True):
            for part, value in zip(
                ("offset", "length", "encoded"), values, strict=True
            ):
                numbers[f"{kind}_{part}"] = str(value)
        numbers |= one.instead

        def said(key: str, accession: str, name: str) -> str:
            value = numbers[key]
            return "" if value is None else term(accession, name, value)

        arrays = ""
        for kind, group in (("mz", "mzArray"), ("intensity", "intensityArray")):
            own = getattr(one, f"{kind}_type")
            ref = f'<referenceableParamGroupRef ref="{group}"/>'
            if self.inline or own or one.packed is not None:
                packed = self.packed if one.packed is None else one.packed
                ref = self._types(kind, own or getattr(self, f"{kind}_type"), packed)
            arrays += (
                f'<binaryDataArray encodedLength="0">{ref}'
                + said(f"{kind}_offset", "IMS:1000102", "external offset")
                + said(f"{kind}_length", "IMS:1000103", "external array length")
                + said(f"{kind}_encoded", "IMS:1000104", "external encoded length")
                + "<binary/></binaryDataArray>\n"
            )
        if not one.arrays:
            arrays = ""
        return (
            f'<spectrum id="spectrum={number + 1}" index="{number}">'
            '<referenceableParamGroupRef ref="spectrum"/>'
            + said("total", "MS:1000285", "total ion current")
            + "<scanList><scan>"
            + said("x", "IMS:1000050", "position x")
            + said("y", "IMS:1000051", "position y")
            + said("z", "IMS:1000052", "position z")
            + f"</scan></scanList>\n<binaryDataArrayList>{arrays}"
            "</binaryDataArrayList></spectrum>"
        )


def some(n: int = 6, width: int = 3, bins: int = 7, seed: int = 1) -> list[One]:
    """Return spectra with m/z values of their own on a grid."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n):
        count = int(rng.integers(1, bins + 1))
        mz = np.sort(rng.integers(100, 1000, count) + 0.25)
        values = rng.integers(1, 100, count)
        found.append(One(mz, values, number % width + 1, number // width + 1))
    return found


def over_one_axis(
    n: int = 6, width: int = 3, bins: int = 7, seed: int = 1
) -> list[One]:
    """Return spectra over one axis on a grid."""
    rng = np.random.default_rng(seed)
    mz = np.arange(bins) * 50.0 + 100
    return [
        One(mz, rng.integers(0, 100, bins), k % width + 1, k // width + 1)
        for k in range(n)
    ]
