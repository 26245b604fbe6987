"""The work of a conversion: what of which reader goes into which files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_scope.errors import (
    OutputExistsError,
    SettingsError,
)
from napari_scope.fileio import sync_folder
from napari_scope.formats.msi.aside import aside, check_free, take_name
from napari_scope.formats.msi.convert_spectra import (
    read_back,
    write_as_imzml,
    write_as_openmsi,
)
from napari_scope.formats.msi.convert_subset import Subset
from napari_scope.formats.msi.imzml.files import give_names
from napari_scope.formats.msi.openmsi.content import content_of
from napari_scope.formats.msi.openmsi.h5 import is_hdf5
from napari_scope.formats.msi.passes import part_of, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.formats.msi.blocks import How
    from napari_scope.formats.msi.convert_ions import Ion
    from napari_scope.formats.msi.normalise import Normalisation
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.reader import MSIReader
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["Job", "MSIConversion", "MSIKind"]

MSIKind: TypeAlias = Literal["imzml", "openmsi", "ome-zarr"]
"""What mass-spectrometry images are converted to."""

_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|\[\]\x00-\x1f\s]+')


@dataclass(frozen=True, slots=True)
class MSIConversion:
    """What became of a conversion.

    Parameters
    ----------
    kind : {"imzml", "openmsi", "ome-zarr"}
        What was made.
    targets : tuple of Path
        Files or folders that were made.
    spectra : int
        How many spectra were converted.
    channels : tuple of str
        Names of the ion images.
    compared : int, optional
        How many spectra were read back and were the same; None if it was not tried.
    notes : tuple of str
        What is otherwise in the target, and what was wrong with the source.
    """

    kind: MSIKind
    targets: tuple[Path, ...]
    spectra: int
    channels: tuple[str, ...] = ()
    compared: int | None = None
    notes: tuple[str, ...] = ()


class Job:
    """A conversion: what of which reader goes where.

    Parameters
    ----------
    reader : MSIReader
        The source.
    target : Path
        What is to be made.
    dataset, regions, overwrite, cancelled
        See `napari_scope.formats.msi.convert.convert_msi`.

    Raises
    ------
    SettingsError
        If there is no such data set.
    """

    def __init__(
        self,
        reader: MSIReader,
        target: Path,
        dataset: int | None,
        regions: Sequence[int] | None,
        overwrite: bool,
        cancelled: Cancelled,
    ) -> None:
        count = len(reader.data_sets)
        if dataset is not None and not 0 <= dataset < count:
            raise SettingsError(
                f"no data set {dataset}; there are 0 to {count - 1}",
                path=reader.basename,
            )
        self.reader = reader
        self.target = target
        self.regions = regions
        self.overwrite = overwrite
        self.cancelled = cancelled
        self.sets = list(range(count)) if dataset is None else [dataset]
        self.notes: list[str] = []

    def to_zarr(
        self,
        ions: Sequence[Ion],
        how: How,
        normalise: Normalisation,
        hotspot: float | None,
        version: str | None,
        progress: Progress,
    ) -> MSIConversion:
        """Write ion images."""
        from napari_scope.formats.msi.convert_zarr import (
            check_target,
            ion_member,
            write_ion_images,
        )

        check_target(self.target, version, self.overwrite)
        members = []
        spectra, share = 0, 0.8 / len(self.sets)
        for k, number in enumerate(self.sets):
            try:
                data = self.reader.whole(number).of_regions(self.regions)
            except ValueError as error:
                raise SettingsError(str(error), path=self.reader.basename) from error
            spectra += len(data)
            low, high = data.spectra.mz_range()
            outside = [ion for ion in ions if not low <= ion.mz <= high]
            self.notes += [
                f"{ion.title} lies outside of m/z {low:.6g} to {high:.6g}"
                for ion in outside
            ]
            told: dict[str, object] = {
                "source": Path(self.reader.basename).name,
                "format": self.reader.format_name(),
                "dataset": number,
                "regions": None if self.regions is None else list(self.regions),
            }
            members.append(
                ion_member(
                    data, ions, self._name(number), told,
                    how=how, normalise=normalise, hotspot=hotspot,
                    cancelled=self.cancelled,
                    progress=part_of(progress, k * share, (k + 1) * share),
                )
            )  # fmt: skip
        write_ion_images(
            self.target, members, version=version, overwrite=self.overwrite,
            cancelled=self.cancelled, progress=part_of(progress, 0.8, 1.0),
        )  # fmt: skip
        self.notes += self.reader.problems
        channels = tuple(ion.title for ion in ions) or ("TIC",)
        return MSIConversion(
            "ome-zarr", (self.target,), spectra, channels, None, tuple(self.notes)
        )

    def to_spectra(
        self, kind: MSIKind, compression: str, verify: bool, progress: Progress
    ) -> MSIConversion:
        """Write whole spectra: aside, and named when they were found to be right."""
        chosen = [self._chosen(number) for number in self.sets]
        targets = [self.target] if kind == "openmsi" else self._targets()
        for path in targets:
            for one in _files(path, kind):
                check_free(one, overwrite=self.overwrite)
            if kind == "openmsi" and path.exists() and not is_hdf5(path):
                # A name such as brain.img may be that of somebody's data.
                raise OutputExistsError(
                    "the output exists, is no HDF5 file and is not replaced",
                    path=path,
                    hint="choose another name",
                )
        share = 0.7 if verify else 1.0
        write = write_as_openmsi if kind == "openmsi" else write_as_imzml
        with aside(self.target) as folder:
            made = [folder / path.name for path in targets]
            self.notes += write(
                content_of(self.reader, self.sets, chosen), made, compression,
                self.cancelled, part_of(progress, 0.0, share),
            )  # fmt: skip
            compared = None
            if verify:
                compared = read_back(
                    chosen, made, self.cancelled, part_of(progress, share, 1.0)
                )
            refuse(self.cancelled, "the conversion")
            self._name_all(made, targets, kind)
        if kind == "openmsi":
            self.notes += [
                f"not copied: {', '.join(one.analyses)} of {one.name}"
                for one in getattr(self.reader, "experiments", ())
                if one.analyses
            ]
        self.notes += self.reader.problems
        count = sum(len(one) for one in chosen)
        return MSIConversion(
            kind, tuple(targets), count, (), compared, tuple(self.notes)
        )

    def _name_all(
        self, made: Sequence[Path], targets: Sequence[Path], kind: MSIKind
    ) -> None:
        """Let all files take their names, or none where nothing is replaced."""
        named: list[Path] = []
        try:
            for part, target in zip(made, targets, strict=True):
                if kind == "imzml" and self.overwrite:
                    parts, names = _files(part, kind), _files(target, kind)
                    give_names(parts[0], names[0], part, target)
                    continue
                for one in _files(target, kind):
                    take_name(part.with_name(one.name), one, overwrite=self.overwrite)
                    named.append(one)
        except BaseException:
            if not self.overwrite:
                for path in named:
                    path.unlink(missing_ok=True)
            raise
        sync_folder(targets[0].parent)

    def _chosen(self, number: int) -> Spectra:
        whole = self.reader.data_sets[number]
        if self.regions is None:
            return whole
        try:
            return Subset(whole, whole.pixels.numbers_of(self.regions))
        except ValueError as error:
            raise SettingsError(str(error), path=self.reader.basename) from error

    def _name(self, number: int) -> str:
        stem = self.reader.title
        name = self.reader.data_sets[number].name or f"data set {number}"
        return stem if len(self.reader.data_sets) == 1 else f"{stem} {name}"

    def _targets(self) -> list[Path]:
        """Return a file for each data set; names are added if there are several."""
        if len(self.sets) == 1:
            return [self.target]
        stem, suffix = self.target.stem, self.target.suffix or ".imzML"
        taken: set[str] = set()
        found = []
        for number in self.sets:
            name = self.reader.data_sets[number].name
            name = _NOT_IN_NAMES.sub("_", name).strip("._")[:80] or str(number)
            if name.lower() in taken:
                name = f"{name}_{number}"
            taken.add(name.lower())
            found.append(self.target.with_name(f"{stem}_{name}{suffix}"))
        return found


def _files(path: Path, kind: MSIKind) -> list[Path]:
    """Return the files of a target; the one that is opened is the last one."""
    return [path.with_suffix(".ibd"), path] if kind == "imzml" else [path]
