"""The work of a conversion: what of which reader goes into which files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_scope.errors import FormatError, OutputExistsError, SettingsError
from napari_scope.formats.msi.convert_compare import compare_spectra
from napari_scope.formats.msi.convert_subset import Subset
from napari_scope.formats.msi.opening import open_msi
from napari_scope.formats.msi.passes import part_of

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
        from napari_scope.formats.msi.convert_zarr import ion_member, write_ion_images

        members = []
        spectra = 0
        for number in self.sets:
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
                )
            )  # fmt: skip
        write_ion_images(
            self.target, members, version=version, overwrite=self.overwrite,
            cancelled=self.cancelled, progress=progress,
        )  # fmt: skip
        self.notes += self.reader.problems
        channels = tuple(ion.title for ion in ions) or ("TIC",)
        return MSIConversion(
            "ome-zarr", (self.target,), spectra, channels, None, tuple(self.notes)
        )

    def to_spectra(
        self, kind: MSIKind, compression: str, verify: bool, progress: Progress
    ) -> MSIConversion:
        """Write whole spectra."""
        chosen = [self._chosen(number) for number in self.sets]
        share = 0.7 if verify else 1.0
        made: tuple[Path, ...] = ()
        try:
            if kind == "openmsi":
                made = self._to_openmsi(
                    chosen, compression, part_of(progress, 0.0, share)
                )
            else:
                made = self._to_imzml(
                    chosen, compression, part_of(progress, 0.0, share)
                )
            compared = None
            if verify:
                compared = self._compare(chosen, made, part_of(progress, share, 1.0))
        except BaseException:
            for path in made:
                _remove(path)
            raise
        self.notes += self.reader.problems
        count = sum(len(one) for one in chosen)
        return MSIConversion(kind, made, count, (), compared, tuple(self.notes))

    def _chosen(self, number: int) -> Spectra:
        whole = self.reader.data_sets[number]
        if self.regions is None:
            return whole
        try:
            return Subset(whole, whole.pixels.numbers_of(self.regions))
        except ValueError as error:
            raise SettingsError(str(error), path=self.reader.basename) from error

    def _name(self, number: int) -> str:
        stem = Path(self.reader.basename).stem
        name = self.reader.data_sets[number].name or f"data set {number}"
        return stem if len(self.reader.data_sets) == 1 else f"{stem} {name}"

    def _to_openmsi(
        self, chosen: Sequence[Spectra], compression: str, progress: Progress
    ) -> tuple[Path, ...]:
        from napari_scope.formats.msi.openmsi.writer import (
            between_data_sets,
            write_openmsi,
        )

        all_of = between_data_sets(self.reader)
        places = {number: place for place, number in enumerate(self.sets)}
        dependencies = [
            [{**one, "dataset": places.get(one["dataset"])} for one in all_of[number]]
            for number in self.sets
        ]
        for one in chosen:
            if one.common_mz is None and one.pixels.duplicates:
                name = one.name or "the data set"
                self.notes.append(
                    f"{name}: {one.pixels.duplicates} spectra lie where a later one "
                    "lies, too, and were left out"
                )
        path = write_openmsi(
            list(chosen),
            self.target,
            compression="gzip" if compression == "gzip" else "none",
            identifier=Path(self.reader.basename).stem,
            instrument=self.reader.get_instrument_metadata(),
            methods=self.reader.get_method_metadata(),
            dependencies=dependencies,
            overwrite=self.overwrite,
            cancelled=self.cancelled,
            progress=progress,
        )
        return (path,)

    def _to_imzml(
        self, chosen: Sequence[Spectra], compression: str, progress: Progress
    ) -> tuple[Path, ...]:
        from napari_scope.formats.msi.imzml.writer import write_imzml

        targets = self._targets()
        if not self.overwrite:
            for path in targets:
                for one in (path, path.with_suffix(".ibd")):
                    if os.path.lexists(one):
                        raise OutputExistsError("the file exists", path=one)
        made: list[Path] = []
        try:
            count = len(targets)
            for k, (spectra, path) in enumerate(zip(chosen, targets, strict=True)):
                write_imzml(
                    spectra,
                    path,
                    compression="zlib" if compression == "zlib" else "none",
                    overwrite=self.overwrite,
                    cancelled=self.cancelled,
                    progress=part_of(progress, k / count, (k + 1) / count),
                )
                made.append(path)
        except BaseException:
            for path in made:
                _remove(path)
            raise
        return tuple(made)

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

    def _compare(
        self, chosen: Sequence[Spectra], made: Sequence[Path], progress: Progress
    ) -> int:
        """Read all spectra back; return how many there are."""
        done = 0
        for k, spectra in enumerate(chosen):
            single = len(made) == 1
            with open_msi(made[0 if single else k]) as written:
                other = written.data_sets[k if single else 0]
                try:
                    done += compare_spectra(
                        spectra,
                        other,
                        self.cancelled,
                        part_of(progress, k / len(chosen), (k + 1) / len(chosen)),
                    )
                except FormatError as error:
                    raise FormatError(
                        f"it does not come back as it was written: {error.message}",
                        path=written.basename,
                    ) from error
        return done


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    if path.suffix.lower() == ".imzml":
        path.with_suffix(".ibd").unlink(missing_ok=True)
