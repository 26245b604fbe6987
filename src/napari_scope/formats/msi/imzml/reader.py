"""Opens imzML: the .imzML file and the .ibd file beside it.

Examples
--------
>>> with ImzMLReader("brain.imzML") as reader:  # doctest: +SKIP
...     reader.shape, reader.data.ion_image(885.55, 10, "ppm")
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.described import described
from napari_scope.formats.msi.imzml import terms
from napari_scope.formats.msi.imzml.document import read_strictly
from napari_scope.formats.msi.imzml.fast import read_fast
from napari_scope.formats.msi.imzml.files import (
    find_ibd,
    find_imzml,
    identity,
    imzml_in,
    namesakes,
)
from napari_scope.formats.msi.imzml.head import pixel_size, terms_of, units_not_known
from napari_scope.formats.msi.imzml.layout import lay_out
from napari_scope.formats.msi.imzml.mixed import MixedSpectra
from napari_scope.formats.msi.imzml.spectra import ImzMLSpectra
from napari_scope.formats.msi.reader import MSIReader
from napari_scope.formats.msi.resting_file import OneRestingFile, RestingFile
from napari_scope.formats.msi.spectra import MetadataValue

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from napari_scope.fileio import DataFile
    from napari_scope.formats.msi.imzml.layout import Layout
    from napari_scope.formats.msi.spectra import Spectra

    PathLike = str | os.PathLike[str]

__all__ = ["ImzMLReader"]

_HEAD = 4096
_PIECE = 1 << 20
_PARTS = (
    "fileContent", "sourceFileList", "sampleList", "softwareList", "scanSettingsList",
    "instrumentConfigurationList", "dataProcessingList",
)  # fmt: skip


class ImzMLReader(OneRestingFile, MSIReader):
    """Reads imzML, continuous and processed.

    Parameters
    ----------
    basename : str or PathLike
        The .imzML file, its .ibd file, or a folder with one .imzML file (the first one
        by name, if it has several).
    requires_slicing : bool
        See `MSIReader`.
    resolution : float
        Width of the bins of the cube of processed files, in millionths of the m/z.
    strict : bool
        Read the XML with an XML parser only; takes several times as long and finds the
        same.

    Attributes
    ----------
    path, ibd_path : Path
        The two files.
    document : Document
        What the XML says.

    Raises
    ------
    FormatError
        If a file is missing, the XML is damaged, or no spectrum can be read.
    """

    name: ClassVar[str] = "imzml"

    def __init__(
        self,
        basename: PathLike,
        requires_slicing: bool = True,
        resolution: float = 15.0,
        *,
        strict: bool = False,
    ) -> None:
        self._resolution = resolution
        self._strict = strict
        self._found: ImzMLSpectra | MixedSpectra | None = None
        self._problems: tuple[str, ...] = ()
        super().__init__(basename, requires_slicing)

    @classmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """See `MSIReader.is_valid_dataset`."""
        found = find_imzml(name)
        if found is None:
            return False
        try:
            with found.open("rb") as file:
                head = file.read(_HEAD).lstrip(b"\xef\xbb\xbf \r\n\t")
        except OSError:
            return False
        # The XML of files with 16-bit characters begins with a mark.
        return head.startswith((b"<", b"\xff\xfe", b"\xfe\xff"))

    @classmethod
    def size(cls, name: PathLike) -> int | None:
        """Return the bytes of the .ibd file."""
        found = find_imzml(name)
        ibd = None if found is None else find_ibd(found)
        return None if ibd is None else ibd.stat().st_size

    @classmethod
    def get_files_from_dir(cls, dirname: PathLike) -> list[str]:
        """Return the .imzML files of a folder."""
        return [str(path) for path in imzml_in(Path(dirname))]

    def _open(self) -> Sequence[Spectra]:
        path = find_imzml(self.basename)
        if path is None:
            raise FormatError("no .imzML file", path=self.basename)
        self.path = path
        ibd = find_ibd(path)
        if ibd is None:
            raise FormatError(
                f"the file {path.with_suffix('.ibd').name} is missing",
                path=path,
                hint="it has the spectra and lies in the same folder",
            )
        self.document = (None if self._strict else read_fast(path)) or read_strictly(
            path
        )
        if not len(self.document.form):
            raise FormatError("there is no spectrum", path=path)
        self.ibd_path = ibd
        try:
            self._file = RestingFile(ibd)
        except OSError as error:
            raise FormatError(
                f"{ibd.name} cannot be opened: {error.strerror}", path=ibd
            ) from error
        layout = lay_out(self.document, self._file.size(), path)
        root = self.document.root
        self._terms = terms_of(root)
        known: dict[str, Any] = {
            "is_profile": self._is_profile(),
            "pixel_size": pixel_size(self._terms),
            "metadata": self._dataset_metadata(),
            "totals": None if np.isnan(layout.total).any() else layout.total,
            "identity": identity(ibd, path),
            "cube_ppm": self._resolution,
        }
        spectra = _spectra(self._file, layout, known)
        self._found = spectra
        self.problems = (
            *self._choice(),
            *self.document.problems,
            *layout.problems,
            *self._doubts(spectra),
        )
        return (spectra,)

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong and could be passed over, so far, in words.

        Spectra that cannot be unpacked are found when they are read.
        """
        damaged = {} if self._found is None else self._found.damaged
        if not damaged:
            return self._problems
        first = min(damaged)
        return (
            *self._problems,
            f"{len(damaged)} spectra could not be unpacked so far and are empty, the "
            f"first is number {first}: {damaged[first]}",
        )

    @problems.setter
    def problems(self, problems: tuple[str, ...]) -> None:
        self._problems = problems

    @property
    def damaged(self) -> dict[int, str]:
        """Spectra that could not be unpacked so far, and why."""
        return {} if self._found is None else dict(self._found.damaged)

    def _is_profile(self) -> bool | None:
        """Return what the spectra say, otherwise what the file says."""
        for form in self.document.forms:
            if form.is_profile is not None:
                return form.is_profile
        if terms.PROFILE in self._terms:
            return True
        return False if terms.CENTROID in self._terms else None

    def _dataset_metadata(self) -> dict[str, MetadataValue]:
        found = described(self.document.root, _PARTS[:1] + _PARTS[4:5])
        said = {form.polarity for form in self.document.forms if form.polarity}
        said |= {
            name
            for name, accession in (
                ("positive", terms.POSITIVE),
                ("negative", terms.NEGATIVE),
            )
            if not said and accession in self._terms
        }
        if len(said) == 1:
            found["polarity"] = MetadataValue(said.pop())
        return found

    def _choice(self) -> list[str]:
        """Return which file was chosen where there were several."""
        problems = []
        given = Path(self.basename)
        others = imzml_in(given) if given.is_dir() else []
        if len(others) > 1:
            problems.append(
                f"the folder has {len(others)} .imzML files, {self.path.name} is "
                f"opened; the next one is {others[1].name}"
            )
        alike = namesakes(self.path, ".ibd")
        if self.ibd_path.stem != self.path.stem and len(alike) > 1:
            problems.append(
                f"{', '.join(one.name for one in alike)} could belong to "
                f"{self.path.name}: {self.ibd_path.name} is taken"
            )
        return problems

    def _doubts(self, spectra: ImzMLSpectra | MixedSpectra) -> list[str]:
        """Return what the file says of itself and is not so."""
        doubts = units_not_known(self._terms)
        called = terms.CONTINUOUS in self._terms
        if called and spectra.common_mz is None and spectra.mz_range() != (0, 0):
            doubts.append(
                "the file is called continuous, but each spectrum has m/z values of "
                "its own; these are used"
            )
        uuid = self.uuid
        assert self._file is not None
        found = self._file.read_at(0, 16).hex()
        if uuid and uuid not in (found, _swapped(found)):
            doubts.append(
                f"the .ibd file begins with {found}, the .imzML file says {uuid}: they "
                "may not belong together"
            )
        count = next(self.document.root.all("spectrumList"), None)
        said = "" if count is None else count.get("count")
        n = len(self.document.form)
        if said.isdigit() and int(said) != n:
            doubts.append(f"the file says {said} spectra and has {n}")
        return doubts

    @property
    def uuid(self) -> str:
        """The identity of the file, 32 letters; empty if it has none."""
        node = self._terms.get(terms.UUID)
        text = "" if node is None else node.get("value")
        return text.strip("{} ").replace("-", "").lower()

    def verify(self, cancelled: Callable[[], bool] = lambda: False) -> bool | None:
        """Return whether the .ibd file has the checksum that the .imzML file says.

        None if it says none, or when it was cancelled. Reads the whole file.
        """
        for accession, method in terms.CHECKSUMS.items():
            node = self._terms.get(accession)
            if node is None:
                continue
            digest = hashlib.new(method)
            with self.ibd_path.open("rb") as file:
                while piece := file.read(_PIECE):
                    if cancelled():
                        return None
                    digest.update(piece)
            return digest.hexdigest() == node.get("value").strip().lower()
        return None

    def get_instrument_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the instrument."""
        return described(self.document.root, _PARTS[5:6])

    def get_method_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the sample, the software and the processing."""
        parts = (*_PARTS[1:4], *_PARTS[6:])
        return described(self.document.root, parts)


def _swapped(identity: str) -> str:
    """Return an identity as programs write it that swap the bytes of its numbers.

    Examples
    --------
    >>> _swapped("00112233445566778899aabbccddeeff")
    '33221100554477668899aabbccddeeff'
    """
    data = bytes.fromhex(identity)
    return (data[3::-1] + data[5:3:-1] + data[7:5:-1] + data[8:]).hex()


def _spectra(
    file: DataFile, layout: Layout, known: dict[str, Any]
) -> ImzMLSpectra | MixedSpectra:
    if len(layout.parts) == 1:
        return ImzMLSpectra(file, layout.parts[0], layout.pixels, **known)
    parts = [
        ImzMLSpectra(file, part, layout.pixels.only(part.numbers))
        for part in layout.parts
    ]
    numbers = [part.numbers for part in layout.parts]
    return MixedSpectra(parts, numbers, layout.pixels, **known)
