"""OpenMSI HDF5: experiments with data sets, metadata, dependencies and analyses.

The file is that of OpenMSI (``omsi_type`` "omsi_file"), whose groups ``entry_<i>`` are
experiments; their groups ``data_<j>`` are the data sets
(`napari_scope.formats.msi.openmsi.sets`), ``analysis_<k>`` what was computed. All data
sets of all experiments are offered one after the other.

No file of the public is known to us: layouts and names are those that the format's own
package describes, version 0.1.

Examples
--------
>>> with OpenMSIReader("brain.h5") as reader:  # doctest: +SKIP
...     reader.experiments[0].identifier, reader.data.ion_image(885.55, 0.2)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from napari_scope.errors import FormatError
from napari_scope.formats.msi.choosing import MultiDataRegionReader
from napari_scope.formats.msi.data import MSIData
from napari_scope.formats.msi.natural import natural
from napari_scope.formats.msi.openmsi.experiments import is_ours, read_experiments
from napari_scope.formats.msi.openmsi.h5 import ATTRIBUTE, H5File, attribute, is_hdf5
from napari_scope.formats.msi.openmsi.sparse import SparseSpectra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.formats.msi.openmsi.experiments import Experiment, Told
    from napari_scope.formats.msi.spectra import MetadataValue, Spectra

    PathLike = str | os.PathLike[str]
    Metadata = dict[str, MetadataValue]

__all__ = ["OpenMSIReader"]

_HEAD = 1 << 20
_SUFFIXES = (".h5", ".hdf5", ".omsi", ".he5")


class OpenMSIReader(MultiDataRegionReader):
    """Reads OpenMSI HDF5 files.

    Parameters
    ----------
    basename : str or PathLike
        The file.
    requires_slicing : bool
        See `MSIReader`.

    Attributes
    ----------
    experiments : tuple of Experiment
        What the data sets belong to.

    Raises
    ------
    FormatError
        If h5py is missing, the file is damaged, is another kind of HDF5, or has no data
        set that can be used.
    """

    name: ClassVar[str] = "openmsi"

    def __init__(self, basename: PathLike, requires_slicing: bool = True) -> None:
        self._file: H5File | None = None
        self._told: list[Told] = []
        self.experiments: tuple[Experiment, ...] = ()
        try:
            super().__init__(basename, requires_slicing)
        except BaseException:
            if self._file is not None:
                self._file.close()
            raise
        for number, spectra in enumerate(self._spectra):
            axis = spectra.cube_axis if isinstance(spectra, SparseSpectra) else None
            if axis is not None:
                self._whole[number] = MSIData(spectra, None, axis)

    @classmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """Return whether a file is HDF5 that says it is of OpenMSI.

        A name of its attributes is looked for in the first MB, where it stands in every
        such file; only a file that has it is opened. One that cannot be opened, because
        it is damaged or h5py is missing, is taken if its name ends like one: opening it
        says what is wrong.
        """
        try:
            if not os.path.isfile(name):
                return False
            if not is_hdf5(name):
                return False
            with open(name, "rb") as file:
                if ATTRIBUTE.encode() not in file.read(_HEAD):
                    return False
        except (OSError, ValueError):
            return False
        try:
            file_h5 = H5File(name)
        except FormatError:
            return Path(name).suffix.lower() in _SUFFIXES
        try:
            with file_h5.held() as root:
                return is_ours(root)
        except FormatError:
            return False
        finally:
            file_h5.close()

    @classmethod
    def size(cls, name: PathLike) -> int | None:
        """Return the bytes of the file."""
        try:
            return os.path.getsize(name)
        except OSError:
            return None

    @classmethod
    def get_files_from_dir(cls, dirname: PathLike) -> list[str]:
        """Return the files of a folder whose names end as those of HDF5."""
        names = [n for n in os.listdir(dirname) if n.lower().endswith(_SUFFIXES)]
        return [os.path.join(dirname, name) for name in sorted(names, key=natural)]

    @classmethod
    def supports_multiexperiment(cls) -> bool:
        """Return True."""
        return True

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong and could be passed over, so far, in words.

        Spectra that cannot be unpacked are found when they are read.
        """
        found = list(self._problems)
        for spectra, told in zip(self._spectra, self._told, strict=False):
            damaged: dict[int, str] = getattr(spectra, "damaged", {})
            if damaged:
                first = min(damaged)
                name = spectra.name or told.place
                found.append(
                    f"{name}: {len(damaged)} spectra could not be read so far and are "
                    f"empty, the first is number {first}: {damaged[first]}"
                )
        return tuple(found)

    @problems.setter
    def problems(self, problems: tuple[str, ...]) -> None:
        self._problems = problems

    def get_instrument_metadata(self) -> Metadata:
        """Return what is known of the instrument of the chosen data set."""
        return dict(self._told[self.select_dataset or 0].instrument)

    def get_method_metadata(self) -> Metadata:
        """Return what is known of the sample of the chosen data set."""
        return dict(self._told[self.select_dataset or 0].methods)

    def _dependencies_of(self, index: int) -> list[dict[str, Any]]:
        places = {told.place: number for number, told in enumerate(self._told)}
        found = []
        for entry in self._told[index].dependencies:
            target = "/" + entry["main_name"].split(":")[-1].strip("/")
            known = places.get(target)
            note = "" if known is not None else f" (of {entry['main_name']})"
            dependency = self._depends(
                entry["parameter_name"],
                entry["dependency_type"] or "undefined",
                (entry["help"] or "") + note,
                dataset=known,
            )
            found.append(
                dependency
                | {key: entry[key] for key in ("main_name", "data_name", "selection")}
            )
        return found

    def _open(self) -> Sequence[Spectra]:
        if not os.path.isfile(self.basename):
            raise FormatError("no such file", path=self.basename)
        self._file = H5File(self.basename)
        problems: list[str] = []
        with self._file.held() as root:
            if not is_ours(root):
                raise FormatError(
                    "an HDF5 file, but not of OpenMSI: it has no experiment "
                    f"({ATTRIBUTE} is {attribute(root, ATTRIBUTE)!r})",
                    path=self.basename,
                )
            found = read_experiments(root, self._file, self._identity(), problems)
        if len(found.spectra) == 1 and found.spectra[0].name == found.told[0].place[1:]:
            # As data sets of other formats that are alone: called as the file is.
            found.spectra[0].name = ""
        self.experiments = tuple(found.experiments)
        self._told = found.told
        self.problems = tuple(problems)
        if not found.spectra:
            raise FormatError(
                "; ".join(["there is no data set that can be used", *problems[:3]]),
                path=self.basename,
            )
        return found.spectra

    def _identity(self) -> str:
        facts = os.stat(self.basename)
        path = os.path.abspath(self.basename)
        return f"{path} {facts.st_size} {facts.st_mtime_ns}"

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
