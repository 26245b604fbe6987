"""Writes OpenMSI HDF5: any data sets, in the layout that suits each.

The file is written under another name and gets its own when it is complete; what was
not completed is removed, and nothing is replaced unasked. Spectra over one m/z axis
become a cube, full or with the places that have a spectrum; others become the sparse
layout, with a list of all m/z values. A cube is kept twice, cut for reading spectra and
for reading images.

Examples
--------
>>> write_openmsi(reader, "brain.h5", compression="gzip")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_scope.errors import FormatError, ScopeError, SettingsError
from napari_scope.fileio import sync_folder
from napari_scope.formats.msi.aside import aside, check_free, take_name
from napari_scope.formats.msi.openmsi.content import (
    Content,
    WrittenExperiment,
    content_of,
)
from napari_scope.formats.msi.openmsi.describing import stored_text, write_dependency
from napari_scope.formats.msi.openmsi.h5 import ATTRIBUTE, import_h5py
from napari_scope.formats.msi.openmsi.sink import Sink
from napari_scope.formats.msi.openmsi.written_set import (
    VERSION,
    Settings,
    write_collection,
    write_data_set,
)
from napari_scope.formats.msi.passes import never, part_of, refuse, silent
from napari_scope.formats.msi.reader import MSIReader

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from napari_scope.formats.msi.openmsi.written_set import Copies, Layout
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import MetadataValue, Spectra

    PathLike = str | os.PathLike[str]
    Metadata = Mapping[str, MetadataValue]

__all__ = ["write_openmsi"]


def write_openmsi(
    source: Spectra | MSIReader | Sequence[Spectra] | Content,
    path: PathLike,
    *,
    layout: Layout = "auto",
    copies: Copies = "both",
    compression: Literal["none", "gzip"] = "none",
    identifier: str = "",
    metadata: Mapping[str, MetadataValue] | None = None,
    instrument: Mapping[str, MetadataValue] | None = None,
    methods: Mapping[str, MetadataValue] | None = None,
    dependencies: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    overwrite: bool = False,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> Path:
    """Write data sets into an OpenMSI file.

    Of spectra at one place the last is written, as images show it, where the layout
    has one spectrum a place (``full_cube``, ``partial_spectra``).

    Parameters
    ----------
    source : Spectra, MSIReader, Content, or sequence of Spectra
        What to write; of a reader all data sets, with what it knows of them.
    path : str or PathLike
        The new file.
    layout : {"auto", "full_cube", "partial_cube", "partial_spectra"}
        Of all data sets; found out for each if not given.
    copies : {"both", "spectra", "images"}
        What cubes are cut for; with ``"both"`` they take twice the room.
    compression : {"none", "gzip"}
        How arrays are packed.
    identifier : str
        Name of the experiment that all data sets belong to; if it is empty they stay
        with their own, and those of no experiment belong to one named as the file.
    metadata, instrument, methods : mapping of str to MetadataValue, optional
        What is known of that experiment, and of the instrument and the sample of all
        data sets; otherwise what the source knows of each.
    dependencies : sequence of sequence of mapping, optional
        For each data set, dicts as `MSIReader.get_dataset_dependencies` returns them;
        of a reader they are taken from it. Those on data sets that are not in the file
        are left out.
    overwrite : bool
        Replace a file that exists.
    cancelled, progress : callable
        Asked whether to end, told what part is done, from 0 to 1.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputExistsError
        If the file exists.
    SettingsError
        If the layout does not fit the spectra.
    FormatError
        If h5py is missing, or a spectrum cannot be read.
    CancelledError
        If it was cancelled; nothing is left of the file.
    """
    target = Path(path)
    content = _gathered(source, identifier or target.stem)
    if identifier or metadata is not None:
        name = identifier or content.experiments[0].identifier
        one = WrittenExperiment(name, len(content.sets), metadata or {})
        content = replace(content, experiments=(one,))
    count = len(content.sets)
    if instrument is not None:
        content = replace(content, instrument=(instrument,) * count)
    if methods is not None:
        content = replace(content, methods=(methods,) * count)
    if dependencies is not None:
        content = replace(content, dependencies=tuple(dependencies))
    _check(content, target, layout, compression)
    check_free(target, overwrite=overwrite)
    h5py = import_h5py(target)
    packed = (
        {} if compression == "none" else {"compression": "gzip", "compression_opts": 4,
                                          "shuffle": True}
    )  # fmt: skip
    with aside(target) as folder:
        part = folder / target.name
        try:
            with Sink(part) as sink:

                def ended() -> bool:
                    sink.check()
                    return cancelled()

                how = Settings(h5py, layout, copies, packed, ended)
                with h5py.File(sink, "w") as file:
                    _write(file, content, how, progress)
                refuse(ended, "writing OpenMSI HDF5")
                sink.sync()
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, ScopeError):
                raise
            words = " ".join(str(error).split())
            raise FormatError(
                f"HDF5 cannot be written, {words}", path=target
            ) from error
        take_name(part, target, overwrite=overwrite)
        sync_folder(target.parent)
    return target


def _gathered(
    source: Spectra | MSIReader | Sequence[Spectra] | Content, identifier: str
) -> Content:
    if isinstance(source, Content):
        return source
    if isinstance(source, MSIReader):
        return content_of(source)
    sets = tuple(source) if isinstance(source, Sequence) else (source,)
    return Content(sets, (WrittenExperiment(identifier, len(sets)),))


def _check(content: Content, target: Path, layout: str, compression: str) -> None:
    """Refuse what cannot be written, before anything is."""
    if layout not in ("auto", "full_cube", "partial_cube", "partial_spectra"):
        raise SettingsError(f"no layout {layout!r} of OpenMSI", path=target)
    if compression not in ("none", "gzip"):
        raise SettingsError(f"the compression is 'none' or 'gzip', not {compression!r}")
    if not content.sets:
        raise SettingsError("there is no data set to write", path=target)
    for spectra in content.sets:
        if layout in ("full_cube", "partial_cube") and spectra.common_mz is None:
            raise SettingsError(
                f"{spectra.name or 'the data set'} has no common m/z axis, it cannot "
                f"be written as {layout}",
                hint="leave the layout out, or choose partial_spectra",
            )


def _write(file: Any, content: Content, how: Settings, progress: Progress) -> None:
    """Write a whole file."""
    file.attrs[ATTRIBUTE] = "omsi_file"
    file.attrs["version"] = VERSION
    file.attrs["timestamp"] = _now()
    weights = np.cumsum([0, *(max(1, len(one)) for one in content.sets)])
    groups: list[Any] = []
    for place, experiment in enumerate(content.experiments):
        entry = _experiment(file, place, experiment, how)
        first = len(groups)
        numbers = range(first, first + experiment.count)
        for number in numbers:
            start, end = (weights[number : number + 2] / weights[-1]).tolist()
            group = entry.create_group(f"data_{number - first}")
            groups.append(group)
            spectra = content.sets[number]
            write_data_set(group, spectra, how, part_of(progress, start, end))
        for key, known in (
            ("instrument", content.instrument), ("methods", content.methods),
        ):  # fmt: skip
            _said(key, entry, [(groups[n], known[n]) for n in numbers if known], how)
    _dependencies(groups, content.dependencies, how)


def _said(
    key: str, entry: Any, known: Sequence[tuple[Any, Metadata]], how: Settings
) -> None:
    """Write what is known of each data set: once if it is the same of all."""
    if known and all(values == known[0][1] for _, values in known):
        known = [(entry, known[0][1])]
    for owner, values in known:
        if values:
            group = owner.create_group(key)
            group.attrs[ATTRIBUTE] = f"omsi_file_{key}"
            write_collection(group, values, how)


def _experiment(
    file: Any, number: int, experiment: WrittenExperiment, how: Settings
) -> Any:
    """Return the group of an experiment."""
    entry = file.create_group(f"entry_{number}")
    entry.attrs[ATTRIBUTE] = "omsi_file_experiment"
    entry.attrs["version"] = VERSION
    entry.attrs["timestamp"] = _now()
    text = how.h5py.string_dtype("utf-8")
    entry.create_dataset(
        "experiment_identifier", data=stored_text(experiment.identifier), dtype=text
    )
    if experiment.metadata:
        write_collection(entry, experiment.metadata, how)
    return entry


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _dependencies(
    groups: Sequence[Any],
    dependencies: Sequence[Sequence[Mapping[str, Any]]],
    how: Settings,
) -> None:
    for group, entries in zip(groups, dependencies, strict=False):
        known = [
            entry
            for entry in entries
            if isinstance(entry.get("dataset"), int)
            and 0 <= entry["dataset"] < len(groups)
        ]
        if not known:
            continue
        whole = group.create_group("dependency")
        whole.attrs[ATTRIBUTE] = "omsi_file_dependencies"
        for number, entry in enumerate(known):
            main_name = groups[entry["dataset"]].name
            one = whole.create_group(f"dependency_{number}")
            write_dependency(one, main_name, entry, how.h5py)
