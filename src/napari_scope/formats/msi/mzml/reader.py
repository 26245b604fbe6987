"""Opens mzML with images: each kind of scan is a data set.

Examples
--------
>>> with MzMLReader("liver.mzML") as reader:  # doctest: +SKIP
...     [kind.name for kind in reader.scan_types]
...     reader.set_dataset_selection(1)
...     reader.data.ion_image(885.55, 10, "ppm")
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.msi.choosing import MultiDataReader
from napari_scope.formats.msi.described import described
from napari_scope.formats.msi.mzml.fast import read_fast, salvage
from napari_scope.formats.msi.mzml.links import find_parents
from napari_scope.formats.msi.mzml.places import FLAVOURS, find_places
from napari_scope.formats.msi.mzml.scan_types import find_types
from napari_scope.formats.msi.mzml.spectra import MzMLSpectra
from napari_scope.formats.msi.mzml.strict import read_strictly
from napari_scope.formats.msi.pixels import PixelTable
from napari_scope.formats.msi.spectra import MetadataValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi.mzml.places import Places
    from napari_scope.formats.msi.mzml.scan_types import ScanType
    from napari_scope.formats.msi.mzml.scans import Document
    from napari_scope.formats.msi.spectra import Spectra

    PathLike = str | os.PathLike[str]
    Numbers = npt.NDArray[np.int64]

__all__ = ["MzMLReader"]

_SUFFIX: Final = ".mzml"
_HEAD: Final = 4096
_ROOT: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?[^>]*\?>\s*|<!--.*?-->\s*)*"
    rb"<(?:[A-Za-z]\w*:)?(?:indexedmzML|mzML)[\s>]",
    re.S,
)
_SIZED: Final = re.compile(rb'<spectrum\s[^<>]*defaultArrayLength\s*=\s*"(\d{1,12})"')
_MOST_SIZED_BYTES: Final = 256 << 20
_PIECE: Final = 1 << 20
_INSTRUMENT: Final = ("instrumentConfigurationList",)
_METHOD: Final = (
    "sourceFileList", "sampleList", "softwareList", "dataProcessingList",
)  # fmt: skip


class MzMLReader(MultiDataReader):
    """Reads mzML, one data set for each kind of scan.

    Parameters
    ----------
    basename : str or PathLike
        The .mzML file, or a folder with one (the first one by name, if it has several).
    requires_slicing : bool
        See `MSIReader`.
    resolution : float
        Width of the bins that peaks are sorted into for the cube, in millionths of the
        m/z. Ion images and spectra are made of the peaks themselves.

    Attributes
    ----------
    path : Path
        The file.
    scan_types : tuple of ScanType
        The kinds of scans, in the order of the data sets.
    mzml_type : str
        How the file tells where its spectra lie, one of `available_mzml_types`.

    Raises
    ------
    FormatError
        If the XML is damaged beyond use, or there is no spectrum.
    """

    name: ClassVar[str] = "mzml"
    available_mzml_types: ClassVar[dict[str, str]] = dict(FLAVOURS)

    def __init__(
        self,
        basename: PathLike,
        requires_slicing: bool = True,
        resolution: float = 5,
    ) -> None:
        if not 0 < resolution < 1e6:
            raise ValueError(f"the resolution is in ppm and above 0, not {resolution}")
        self.resolution = resolution
        self._file: DataFile | None = None
        self._found: tuple[MzMLSpectra, ...] = ()
        self._problems: tuple[str, ...] = ()
        super().__init__(basename, requires_slicing)

    @classmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """See `MSIReader.is_valid_dataset`."""
        found = _find(name)
        if found is None:
            return False
        try:
            with found.open("rb") as file:
                return _ROOT.match(file.read(_HEAD)) is not None
        except OSError:
            return False

    @classmethod
    def size(cls, name: PathLike, max_num_reads: int = 1000) -> int | None:
        """Return about how many bytes the intensities have, unpacked.

        Parameters
        ----------
        name : str or PathLike
            The file, or a folder with one.
        max_num_reads : int
            How many spectra are looked at; the others are taken to be like them.
        """
        found = _find(name)
        if found is None or not cls.is_valid_dataset(found):
            return None
        whole = found.stat().st_size
        values, count, done = 0, 0, 0
        buffer, first, last = b"", -1, 0
        with found.open("rb") as file:
            while count < max_num_reads and done < _MOST_SIZED_BYTES:
                piece = file.read(_PIECE)
                if not piece:
                    break
                begin = done - len(buffer)
                done += len(piece)
                buffer += piece
                end = 0
                for one in _SIZED.finditer(buffer):
                    end = one.end()
                    last = begin + one.start()
                    first = last if first < 0 else first
                    values += int(one[1])
                    count += 1
                    if count == max_num_reads:
                        break
                # The beginning of one may be at the end of the piece.
                buffer = buffer[max(end, len(buffer) - _HEAD) :]
        if count == max_num_reads and last > first:
            values = round(
                values / count * ((whole - first) / (last - first) * (count - 1))
            )
        return values * np.dtype(np.float32).itemsize

    @classmethod
    def get_files_from_dir(cls, dirname: PathLike) -> list[str]:
        """Return the .mzML files of a folder."""
        return [str(path) for path in _mzml_in(Path(dirname))]

    def _open(self) -> Sequence[Spectra]:
        path = _find(self.basename)
        if path is None:
            raise FormatError("no .mzML file", path=self.basename)
        self.path = path
        self.document = document = _read(path)
        scans = document.scans
        if not len(scans):
            raise FormatError(
                "there is no spectrum", path=path,
                hint="it may have chromatograms only, which are no images",
            )  # fmt: skip
        self.scan_types, number, problems = find_types(scans)
        places = find_places(scans, number, document.root)
        self.mzml_type = places.flavour
        self._parents = find_parents(
            self.scan_types, number, scans.texts["id"], scans.texts["ref"]
        )
        self._file = DataFile.open(path)
        self.problems = (
            *self._choice(path),
            *document.problems, *self._miscounts(), *problems, *places.problems,
        )  # fmt: skip
        self._found = tuple(
            self._spectra_of(kind, index, number, places)
            for index, kind in enumerate(self.scan_types)
        )
        return self._found

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong with the file and could be passed over, in words.

        More may come when data are read.
        """
        told = list(self._problems)
        for spectra in self._found:
            if spectra.pixels.duplicates:
                told.append(
                    f"{spectra.pixels.duplicates} pixels of {spectra.name!r} have "
                    "several spectra: the last one is shown"
                )
            if spectra.damaged:
                first, why = min(spectra.damaged.items())
                told.append(
                    f"{len(spectra.damaged)} spectra of {spectra.name!r} could not be "
                    f"read whole so far, the first is number {first}: {why}"
                )
        return tuple(told)

    @problems.setter
    def problems(self, problems: tuple[str, ...]) -> None:
        self._problems = problems

    def _spectra_of(
        self, kind: ScanType, index: int, number: Numbers, places: Places
    ) -> MzMLSpectra:
        assert self._file is not None
        mine = np.flatnonzero((number == index) & places.known)
        x = places.x[mine]
        if places.flavour == "unknown":
            x = np.arange(len(mine))
        region = places.region[mine]
        pixels = PixelTable.of(x, places.y[mine], places.z[mine], region)
        scans = self.document.scans
        forms = [scans.forms[n] for n in np.unique(scans.form[mine]).tolist()]
        said = {form.is_profile for form in forms} - {None}
        is_profile = said.pop() if len(said) == 1 else None
        return MzMLSpectra(
            self._file,
            self.document,
            mine,
            kind.name,
            pixels,
            cube_ppm=float(self.resolution),
            is_profile=is_profile,
            metadata=_metadata(kind, is_profile, places.flavour),
            identity=_identity(self.path, kind),
        )

    def _choice(self, path: Path) -> list[str]:
        """Return that there were other files to open."""
        n = len(_mzml_in(path.parent)) if Path(self.basename).is_dir() else 1
        if n == 1:
            return []
        return [f"the folder has {n} .mzML files, {path.name} is the one that is open"]

    def _miscounts(self) -> list[str]:
        """Return what the file says of its number of spectra and is not so."""
        node = self.document.root.first("spectrumList")
        said = "" if node is None else node.get("count")
        n = len(self.document.scans)
        if said.isdigit() and int(said) != n:
            return [f"the file says {said} spectra and has {n}"]
        return []

    def _dependencies_of(self, index: int) -> list[dict[str, Any]]:
        """Return the data sets that one belongs to, and those that belong to it."""
        kinds = self.scan_types
        found = []
        for parent in self._parents[index]:
            link = f"MS{kinds[parent].level}"
            if len(self._parents[index]) > 1:
                link = _link_name(kinds[parent])
            found.append((link, parent))
        for other, parents in enumerate(self._parents):
            if index in parents:
                found.append((_link_name(kinds[other]), other))
        return [
            self._depends(link, "co_modality", kinds[other].name, dataset=other)
            for link, other in found
        ]

    def get_instrument_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the instrument."""
        return described(self.document.root, _INSTRUMENT)

    def get_method_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the sample, the software and the processing."""
        return described(self.document.root, _METHOD)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()


def _read(path: Path) -> Document:
    """Read the XML, the fast way if that can be, or else what is whole of it."""
    fast = read_fast(path)
    if fast is not None:
        return fast
    try:
        return read_strictly(path)
    except FormatError as error:
        found = salvage(path)
        if found is None or not len(found.scans):
            raise
        problem = f"{error.message}; spectra that are whole are read all the same"
        return type(found)(
            found.root, found.scans, found.declaration, (problem, *found.problems)
        )


def _link_name(kind: ScanType) -> str:
    """Return a name like ``MS2_907.73@cid60.00_[500.00-700.00]``."""
    return f"MS{kind.level}_" + kind.rest.replace(" ", "_")


def _metadata(
    kind: ScanType, is_profile: bool | None, flavour: str
) -> dict[str, MetadataValue]:
    """Return what is known of a kind of scan."""
    found: dict[str, tuple[Any, str, str]] = {
        "scan type": (kind.name, "", ""),
        "MSn level": (kind.level, "", "MS:1000511"),
        "places": (flavour, "", ""),
    }
    if kind.has_filter:
        found["filter string"] = (kind.name, "", "MS:1000512")
    if kind.polarity:
        term = {"positive": "MS:1000130", "negative": "MS:1000129"}[kind.polarity]
        found["polarity"] = (kind.polarity, "", term)
    if kind.analyser:
        found["analyser"] = (kind.analyser, "", "")
    if kind.precursor_mz is not None:
        found["precursor m/z"] = (kind.precursor_mz, "m/z", "MS:1000744")
    if kind.dissociation:
        found["dissociation type"] = (kind.dissociation, "", "MS:1000044")
    if kind.energy is not None:
        found["dissociation energy"] = (kind.energy, "", "MS:1000045")
    if kind.window is not None:
        found["scan window"] = (list(kind.window), "m/z", "")
    if is_profile is not None:
        words = "profile" if is_profile else "centroid"
        term = "MS:1000128" if is_profile else "MS:1000127"
        found["representation"] = (words, "", term)
    return {
        name: MetadataValue(value, unit, "", term)
        for name, (value, unit, term) in found.items()
    }


def _identity(path: Path, kind: ScanType) -> str:
    """Return what changes when the file does."""
    state = path.stat()
    return f"mzml|{path.resolve()}|{state.st_size}|{state.st_mtime_ns}|{kind.name}"


def _find(name: PathLike) -> Path | None:
    """Return the .mzML file that a path stands for."""
    path = Path(name)
    try:
        if path.is_dir():
            return next(iter(_mzml_in(path)), None)
        if path.suffix.lower() == _SUFFIX and path.is_file():
            return path
    except (OSError, ValueError):
        return None
    return None


def _mzml_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = [one.name for one in entries if one.name.lower().endswith(_SUFFIX)]
    return [folder / name for name in sorted(names)]
