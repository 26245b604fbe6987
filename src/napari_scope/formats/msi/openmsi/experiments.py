"""Experiments of an OpenMSI file: their groups, and those of their data sets.

Examples
--------
>>> with file.held() as root:  # doctest: +SKIP
...     found = read_experiments(root, file, identity, problems)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.formats.msi.openmsi.describing import (
    dependency_groups,
    metadata_of,
    read_dependency,
)
from napari_scope.formats.msi.openmsi.h5 import (
    ATTRIBUTE,
    attribute,
    child,
    children,
    group_in,
    small_value,
)
from napari_scope.formats.msi.openmsi.sets import spectra_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_scope.formats.msi.openmsi.h5 import H5File
    from napari_scope.formats.msi.spectra import MetadataValue, Spectra

    Metadata = dict[str, MetadataValue]

__all__ = ["Experiment", "Found", "Told", "is_ours", "read_experiments"]

_FILE, _EXPERIMENT, _DATA = "omsi_file", "omsi_file_experiment", "omsi_file_msidata"


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
class Told:
    """What the group of a data set says beside its spectra.

    Parameters
    ----------
    place : str
        Path of the group in the file.
    instrument, methods : mapping of str to MetadataValue
        What is known of the instrument and of the sample.
    dependencies : tuple of dict
        Its entries of dependencies, see `read_dependency`.
    """

    place: str
    instrument: Metadata
    methods: Metadata
    dependencies: tuple[dict[str, Any], ...]


@dataclass(slots=True)
class Found:
    """What is in a file.

    Parameters
    ----------
    experiments : list of Experiment
        The experiments.
    spectra : list of Spectra
        The data sets of all of them.
    told : list of Told
        What is known of each data set.
    """

    experiments: list[Experiment] = field(default_factory=list)
    spectra: list[Spectra] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


def read_experiments(
    root: Any, file: H5File, identity: str, problems: list[str]
) -> Found:
    """Read all experiments; data sets that cannot be used are left out, and told.

    Parameters
    ----------
    root : h5py.Group
        The file's first group.
    file : H5File
        The file.
    identity : str
        What tells the file from any other.
    problems : list of str
        What was wrong and could be passed over is added to it.
    """
    found = Found()
    for name in children(root, "entry_"):
        entry = group_in(root, name, problems)
        if entry is not None and attribute(entry, ATTRIBUTE) in ("", _EXPERIMENT):
            _read_experiment(entry, file, identity, found, problems)
    return found


def _read_experiment(
    entry: Any, file: H5File, identity: str, found: Found, problems: list[str]
) -> None:
    instrument, methods = _instrument(entry, problems), _methods(entry, problems)
    first = len(found.spectra)
    for key in children(entry, "data_"):
        group = group_in(entry, key, problems)
        if group is None or attribute(group, ATTRIBUTE) not in ("", _DATA):
            continue
        place = group.name
        try:
            spectra = spectra_of(
                group, file, place.strip("/"), f"{identity} {place}", problems
            )
        except FormatError as error:
            # The others can still be looked at.
            problems.append(f"left out: {error.message}")
            continue
        found.spectra.append(spectra)
        entries = [
            read_dependency(one, problems) for one in dependency_groups(group, problems)
        ]
        found.told.append(
            Told(
                place,
                instrument | _instrument(group, problems),
                methods | _methods(group, problems),
                tuple(one for one in entries if one is not None),
            )
        )
    analyses = []
    for key in children(entry, "analysis_"):
        group = group_in(entry, key, problems)
        if group is not None:
            kind = [
                text
                for name in ("analysis_type", "analysis_identifier")
                if (text := _text(group, name, problems))
            ]
            analyses.append(" ".join([key, *kind]))
    found.experiments.append(
        Experiment(
            entry.name.rsplit("/", 1)[1],
            _text(entry, "experiment_identifier", problems),
            tuple(range(first, len(found.spectra))),
            tuple(analyses),
            metadata_of(group_in(entry, "metadata", problems), problems),
            instrument,
            methods,
        )
    )


def _text(group: Any, name: str, problems: list[str]) -> str:
    """Return a value of a group as text; empty if there is none."""
    value = child(group, name, problems)
    if value is None or not hasattr(value, "dtype"):
        return ""
    try:
        return str(small_value(value))
    except FormatError as error:
        problems.append(error.message)
        return ""


def is_ours(root: Any) -> bool:
    """Return whether the root group is that of an OpenMSI file."""
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
