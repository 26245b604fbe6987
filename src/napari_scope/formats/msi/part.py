"""A part of a file of mass-spectrometry images as if it were all there is.

Some of the data sets, or some regions of one, are a reader like any other: layers,
spectra and exports made of it know nothing of the rest. Other than a choice in a reader
(`napari_scope.formats.msi.choosing`) this can be handed on: nobody can choose anything
else in it.

Examples
--------
>>> part = PartReader(open_msi("brain.mzML"), [(1, None)])  # doctest: +SKIP
>>> part.data.ion_image(885.55)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from napari_scope.formats.msi.convert_subset import Subset
from napari_scope.formats.msi.reader import MSIReader

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from napari_scope.formats.msi.resting_file import RestingFile
    from napari_scope.formats.msi.spectra import MetadataValue, Spectra

    Chosen = tuple[int, Sequence[int] | None]

__all__ = ["PartReader"]


class PartReader(MSIReader, listed=False):
    """Reads some data sets, or some regions, of another reader.

    Parameters
    ----------
    whole : MSIReader
        The reader. It is closed with this one, also if this one cannot be made.
    parts : iterable of (int, sequence of int or None)
        The number of a data set and of its regions, None for all of them. Each becomes
        a data set.

    Raises
    ------
    ValueError
        If there is no such data set or region.
    """

    name: ClassVar[str] = "part"

    def __init__(self, whole: MSIReader, parts: Iterable[Chosen]) -> None:
        self._parts = list(parts)
        self._of = whole
        super().__init__(whole.basename)
        self.problems = whole.problems
        # What it is part of tells the format.
        self.format_name = whole.format_name  # type: ignore[method-assign]

    @classmethod
    def is_valid_dataset(cls, name: str | os.PathLike[str]) -> bool:
        """Return False: it is made of a reader, not of a path."""
        return False

    def get_instrument_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the instrument."""
        return self._of.get_instrument_metadata()

    def get_method_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the sample and how it was prepared."""
        return self._of.get_method_metadata()

    def _open(self) -> Sequence[Spectra]:
        return [self._spectra_of(number, regions) for number, regions in self._parts]

    def _spectra_of(self, number: int, regions: Sequence[int] | None) -> Spectra:
        sets = self._of.data_sets
        if not 0 <= number < len(sets):
            raise ValueError(
                f"no data set {number} in {self.basename}; there are 0 to "
                f"{len(sets) - 1}"
            )
        if regions is None:
            return sets[number]
        return Subset(sets[number], sets[number].pixels.numbers_of(regions))

    @property
    def resting_files(self) -> tuple[RestingFile, ...]:
        """The files of the reader that may rest while nobody shows them."""
        found: tuple[RestingFile, ...] = getattr(self._of, "resting_files", ())
        return found

    def _close(self) -> None:
        self._of.close_file()
