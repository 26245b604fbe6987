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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from napari_scope.errors import FormatError
from napari_scope.formats.msi.choosing import MultiDataRegionReader
from napari_scope.formats.msi.data import MSIData
from napari_scope.formats.msi.openmsi.describing import (
    dependency_groups,
    metadata_of,
    read_dependency,
)
from napari_scope.formats.msi.openmsi.h5 import (
    ATTRIBUTE,
    SIGNATURE,
    H5File,
    attribute,
    child,
    children,
    group_in,
    small_value,
)
from napari_scope.formats.msi.openmsi.sets import spectra_of
from napari_scope.formats.msi.openmsi.sparse import SparseSpectra

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.formats.msi.spectra import MetadataValue, Spectra

    PathLike = str | os.PathLike[str]
    Metadata = dict[str, MetadataValue]

__all__ = ["Experiment", "OpenMSIReader"]

_HEAD = 1 << 20
_FILE, _EXPERIMENT, _DATA = "omsi_file", "omsi_file_experiment", "omsi_file_msidata"
_SUFFIXES = (".h5", ".hdf5", ".omsi", ".he5")


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment of a file.

    Parameters
    ----------
    name : str
        Its group, ``entry_0`` for example.
    identifier : str
        What the file calls it.
    data_sets : tuple of int
        Numbers of its data sets.
    analyses : tuple of str
        Groups of what was computed, with their type where it is told.
    metadata, instrument, methods : mapping of str to MetadataValue
        What is known of it.
    """

    name: str
    identifier: str
    data_sets: tuple[int, ...]
    analyses: tuple[str, ...]
    metadata: Mapping[str, MetadataValue]
    instrument: Mapping[str, MetadataValue]
    methods: Mapping[str, MetadataValue]


@dataclass(frozen=True, slots=True)
class _Told:
    """What the group of a data set says beside its spectra."""

    place: str
    instrument: Metadata
    methods: Metadata
    dependencies: tuple[dict[str, Any], ...]


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
        self._told: list[_Told] = []
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
            with open(name, "rb") as file:
                head = file.read(len(SIGNATURE))
                # A user block is 512 bytes or more, by twos.
                if head != SIGNATURE and not _after_user_block(file.read(1 << 15)):
                    return False
                file.seek(0)
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
                return _is_ours(root)
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
    def supports_multiexperiment(cls) -> bool:
        """Return True."""
        return True

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong and could be passed over, so far, in words.

        Spectra that cannot be unpacked are found when they are read.
        """
        found = list(self._problems)
        for spectra in self._spectra:
            damaged: dict[int, str] = getattr(spectra, "damaged", {})
            if damaged:
                first = min(damaged)
                found.append(
                    f"{spectra.name}: {len(damaged)} spectra could not be read so far "
                    f"and are empty, the first is number {first}: {damaged[first]}"
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
        spectra: list[Spectra] = []
        experiments = []
        with self._file.held() as root:
            if not _is_ours(root):
                raise FormatError(
                    "an HDF5 file, but not of OpenMSI: it has no experiment "
                    f"({ATTRIBUTE} is {attribute(root, ATTRIBUTE)!r})",
                    path=self.basename,
                )
            for name in children(root, "entry_"):
                entry = group_in(root, name, problems)
                if entry is not None and attribute(entry, ATTRIBUTE) in (
                    "",
                    _EXPERIMENT,
                ):
                    experiments.append(self._experiment(entry, spectra, problems))
        self.experiments = tuple(experiments)
        self.problems = tuple(problems)
        if not spectra:
            raise FormatError(
                "; ".join(["there is no data set that can be used", *problems[:3]]),
                path=self.basename,
            )
        return spectra

    def _experiment(
        self, entry: Any, spectra: list[Spectra], problems: list[str]
    ) -> Experiment:
        name = entry.name.rsplit("/", 1)[1]
        stored = child(entry, "experiment_identifier", problems)
        identifier = ""
        if stored is not None and hasattr(stored, "dtype"):
            try:
                identifier = str(small_value(stored))
            except FormatError as error:
                problems.append(error.message)
        instrument, methods = _instrument(entry, problems), _methods(entry, problems)
        first = len(spectra)
        for key in children(entry, "data_"):
            group = group_in(entry, key, problems)
            if group is None or attribute(group, ATTRIBUTE) not in ("", _DATA):
                continue
            self._add(group, spectra, problems, instrument, methods)
        analyses = []
        for key in children(entry, "analysis_"):
            group = group_in(entry, key, problems)
            if group is not None:
                analyses.append(" ".join([key, *_kind_of(group, problems)]))
        return Experiment(
            name,
            identifier,
            tuple(range(first, len(spectra))),
            tuple(analyses),
            metadata_of(group_in(entry, "metadata", problems), problems),
            instrument,
            methods,
        )

    def _add(
        self,
        group: Any,
        spectra: list[Spectra],
        problems: list[str],
        instrument: Metadata,
        methods: Metadata,
    ) -> None:
        assert self._file is not None
        place = group.name
        try:
            found = spectra_of(
                group, self._file, place.strip("/"), self._identity(place), problems
            )
        except FormatError as error:
            # The others can still be looked at.
            problems.append(f"left out: {error.message}")
            return
        spectra.append(found)
        entries = [
            read_dependency(one, problems) for one in dependency_groups(group, problems)
        ]
        self._told.append(
            _Told(
                place,
                instrument | _instrument(group, problems),
                methods | _methods(group, problems),
                tuple(one for one in entries if one is not None),
            )
        )

    def _identity(self, place: str) -> str:
        facts = os.stat(self.basename)
        path = os.path.abspath(self.basename)
        return f"{path} {facts.st_size} {facts.st_mtime_ns} {place}"

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()


def _after_user_block(data: bytes) -> bool:
    """Return whether HDF5 begins at 512, 1024, ... of a file, after 8 bytes of it.

    Examples
    --------
    >>> _after_user_block(bytes(504) + SIGNATURE), _after_user_block(bytes(1024))
    (True, False)
    """
    places = (512 << k for k in range(7))
    return any(data[at - 8 :].startswith(SIGNATURE) for at in places)


def _is_ours(root: Any) -> bool:
    kind = attribute(root, ATTRIBUTE)
    if kind:
        return kind == _FILE
    # Some file has lost it; then an experiment has to say what it is.
    return any(
        attribute(group, ATTRIBUTE) == _EXPERIMENT
        for name in children(root, "entry_")[:10]
        if (group := group_in(root, name, [])) is not None
    )


def _instrument(group: Any, problems: list[str]) -> Metadata:
    return _described(group_in(group, "instrument", problems), problems, skip=("mz",))


def _methods(group: Any, problems: list[str]) -> Metadata:
    found = group_in(group, "methods", problems)
    # What it was called before.
    return _described(
        found if found is not None else group_in(group, "sample", problems), problems
    )


def _described(group: Any, problems: list[str], skip: tuple[str, ...] = ()) -> Metadata:
    """Return the values of a group and of its group ``metadata``."""
    if group is None:
        return {}
    own: list[str] = []
    found = {
        key: value for key, value in metadata_of(group, own).items() if key not in skip
    }
    problems += [text for text in own if not any(f"/{s} " in text for s in skip)]
    return found | metadata_of(group_in(group, "metadata", problems), problems)


def _kind_of(group: Any, problems: list[str]) -> list[str]:
    """Return the type and the identifier of an analysis, as far as they are told."""
    found = []
    for key in ("analysis_type", "analysis_identifier"):
        value = child(group, key, problems)
        if value is not None and hasattr(value, "dtype"):
            try:
                found.append(str(small_value(value)))
            except FormatError as error:
                problems.append(error.message)
    return found
