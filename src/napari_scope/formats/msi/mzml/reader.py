"""Opens mzML with images: each kind of scan is a data set.

Examples
--------
>>> with MzMLReader("liver.mzML") as reader:  # doctest: +SKIP
...     [kind.name for kind in reader.scan_types]
...     reader.set_dataset_selection(1)
...     reader.data.ion_image(885.55, 10, "ppm")
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.choosing import MultiDataRegionReader
from napari_scope.formats.msi.described import described
from napari_scope.formats.msi.mzml.fast import read_fast, salvage
from napari_scope.formats.msi.mzml.files import (
    find_file,
    is_mzml,
    is_packed,
    mzml_in,
    values_in,
)
from napari_scope.formats.msi.mzml.links import find_parents
from napari_scope.formats.msi.mzml.packed import unpacked
from napari_scope.formats.msi.mzml.places import FLAVOURS, find_places
from napari_scope.formats.msi.mzml.scan_types import find_types
from napari_scope.formats.msi.mzml.spectra import MzMLSpectra
from napari_scope.formats.msi.mzml.strict import read_strictly
from napari_scope.formats.msi.pixels import PixelTable
from napari_scope.formats.msi.resting_file import OneRestingFile, RestingFile
from napari_scope.formats.msi.spectra import MetadataValue

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_scope.formats.msi.mzml.places import Places
    from napari_scope.formats.msi.mzml.scan_types import ScanType
    from napari_scope.formats.msi.mzml.scans import Document
    from napari_scope.formats.msi.spectra import Spectra

    PathLike = str | os.PathLike[str]
    Numbers = npt.NDArray[np.int64]

__all__ = ["MzMLReader"]

_INSTRUMENT: Final = ("instrumentConfigurationList",)
_METHOD: Final = (
    "sourceFileList", "sampleList", "softwareList", "dataProcessingList",
)  # fmt: skip


class MzMLReader(OneRestingFile, MultiDataRegionReader):
    """Reads mzML, one data set for each kind of scan.

    Regions are those that the names of Bruker's spots tell (``R01X012Y006``).

    Parameters
    ----------
    basename : str or PathLike
        The .mzML file, packed (.mzML.gz) or not, or a folder with one that is not (the
        first one by name, if it has several).
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
    scan_datasets : ndarray of int64, (scans,)
        The data set of each scan of the file; -1 of those that are left out.

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
        self._found: tuple[MzMLSpectra, ...] = ()
        self._problems: tuple[str, ...] = ()
        super().__init__(basename, requires_slicing)

    @classmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """See `MSIReader.is_valid_dataset`."""
        found = find_file(name)
        return found is not None and is_mzml(found)

    @classmethod
    def size(cls, name: PathLike, max_num_reads: int = 1000) -> int | None:
        """Return about how many bytes the intensities have, decoded.

        None if that is not known: of a packed file, for example.

        Parameters
        ----------
        name : str or PathLike
            The file, or a folder with one.
        max_num_reads : int
            How many spectra are looked at; the others are taken to be like them.
        """
        found = find_file(name)
        if found is None or is_packed(found) or not is_mzml(found):
            return None
        values = values_in(found, max_num_reads)
        return None if values is None else values * np.dtype(np.float32).itemsize

    @classmethod
    def get_files_from_dir(cls, dirname: PathLike) -> list[str]:
        """Return the .mzML files of a folder."""
        return [str(path) for path in mzml_in(Path(dirname))]

    def _open(self) -> Sequence[Spectra]:
        path = find_file(self.basename)
        if path is None:
            raise FormatError("no .mzML file", path=self.basename)
        self.path = path
        plain, problem = unpacked(path) if is_packed(path) else (path, "")
        self.document = document = _read(plain)
        scans = document.scans
        if not len(scans):
            raise FormatError(
                "there is no spectrum", path=path,
                hint="it may have chromatograms only, which are no images",
            )  # fmt: skip
        self.scan_types, number, problems = find_types(scans)
        places = find_places(scans, number, document.root)
        self.mzml_type = places.flavour
        number, left_out = self._choose(number, places)
        self.scan_datasets = number
        self._parents = find_parents(
            self.scan_types, number, scans.texts["id"], scans.texts["ref"]
        )
        self._file = RestingFile(plain)
        self.problems = (
            *self._choice(path), *([problem] if problem else []),
            *document.problems, *self._miscounts(), *problems, *places.problems,
            *left_out, *self._unknown_codings(),
        )  # fmt: skip
        self._found = tuple(
            self._spectra_of(kind, index, number, places)
            for index, kind in enumerate(self.scan_types)
        )
        return self._found

    @property
    def coordinates(self) -> Numbers:
        """Return x and y of each scan of the file, (scans, 2), from 0.

        -1 of those that are left out.
        """
        found = np.full((len(self.scan_datasets), 2), -1)
        for index, spectra in enumerate(self._found):
            pixels = spectra.pixels
            found[self.scan_datasets == index] = np.stack([pixels.x, pixels.y], 1)
        return found

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
            damaged = spectra.damaged.copy()  # other threads may be reading
            if damaged:
                first, why = min(damaged.items())
                told.append(
                    f"{len(damaged)} spectra of {spectra.name!r} could not be "
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
        mine = np.flatnonzero(number == index)
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

    def _choose(
        self, number: Numbers, places: Places
    ) -> tuple[Numbers, tuple[str, ...]]:
        """Leave out what is no mass spectrum or has no place, and kinds of those alone.

        Returns the number of the kind of each scan, -1 for none, and what to tell.
        """
        scans = self.document.scans
        light = np.array([form.is_light for form in scans.forms])[scans.form]
        kept = places.known & ~light
        if not kept.any():
            raise FormatError(
                "there is no mass spectrum", path=self.path,
                hint="it has spectra of light only",
            )  # fmt: skip
        told = []
        if light.any():
            told.append(f"{light.sum()} spectra of light are left out")
        some = np.unique(number[kept])
        if len(some) < len(self.scan_types):
            gone = [
                repr(kind.name)
                for n, kind in enumerate(self.scan_types)
                if n not in some and not light[number == n].any()
            ]
            if gone:
                more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
                told.append(
                    "kinds of scans without a place are left out: "
                    + ", ".join(gone[:3]) + more
                )  # fmt: skip
            self.scan_types = tuple(self.scan_types[n] for n in some.tolist())
        return np.where(kept, np.searchsorted(some, number), -1), tuple(told)

    def _unknown_codings(self) -> list[str]:
        """Return which arrays are stored in a way that is not known here."""
        found = {
            array.coding.unknown
            for form in self.document.scans.forms
            for array in (form.mz, form.intensity)
            if array is not None and array.coding.unknown
        }
        return [
            f"arrays are stored with {one}, which is not read; convert the file with "
            "msconvert --zlib"
            for one in sorted(found)
        ]

    def _choice(self, path: Path) -> list[str]:
        """Return that there were other files to open."""
        n = len(mzml_in(path.parent)) if Path(self.basename).is_dir() else 1
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

    def _region_dependencies(self, dataset: int | None) -> list[dict[str, Any]]:
        """Return how regions and the whole belong together, where there are several."""
        if len(self._regions) < 2:
            return []
        return super()._region_dependencies(dataset)

    def get_instrument_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the instrument."""
        return described(self.document.root, _INSTRUMENT)

    def get_method_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the sample, the software and the processing."""
        return described(self.document.root, _METHOD)


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
        return replace(found, problems=(problem, *found.problems))


def _link_name(kind: ScanType) -> str:
    """Return a name like ``MS2_907.73@cid60.00_[500.00-700.00]``."""
    return f"MS{kind.level}_" + kind.rest.replace(" ", "_")


def _metadata(
    kind: ScanType, is_profile: bool | None, flavour: str
) -> dict[str, MetadataValue]:
    """Return what is known of a kind of scan, by the names that OpenMSI has for it."""
    found: dict[str, tuple[Any, str]] = {
        "scan type": (kind.name, ""),
        "MSn level": (kind.level, ""),
        "places": (flavour, ""),
    }
    if kind.has_filter:
        found["filter string"] = (kind.name, "")
    if kind.polarity:
        found["polarity"] = (kind.polarity, "")
    if kind.analyser:
        found["analyser"] = (kind.analyser, "")
    if kind.precursor_mz is not None:
        found["precursor m/z"] = (kind.precursor_mz, "m/z")
    if kind.dissociation:
        found["dissociation type"] = (kind.dissociation, "")
    if kind.energy is not None:
        found["dissociation energy"] = (kind.energy, "")
    if kind.window is not None:
        found["scan window"] = (list(kind.window), "m/z")
    if is_profile is not None:
        found["representation"] = ("profile" if is_profile else "centroid", "")
    # One of these names is also that of a term.
    terms = {"filter string": "MS:1000512"}
    return {
        name: MetadataValue(value, unit, "", terms.get(name, ""))
        for name, (value, unit) in found.items()
    }


def _identity(path: Path, kind: ScanType) -> str:
    """Return what changes when the file does."""
    state = path.stat()
    return f"mzml|{path.resolve()}|{state.st_size}|{state.st_mtime_ns}|{kind.name}"
