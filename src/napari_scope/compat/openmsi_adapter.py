"""Readers that were written after OpenMSI's documentation, as readers of ours.

All that is asked of them is documented there, see `napari_scope.compat.openmsi_bases`.
Their spectra are read into memory when they are opened: nothing is known of how they
read, or whether several threads may do so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi import (
    MetadataValue,
    MultiDataRegionReader,
    PixelTable,
)
from napari_scope.formats.msi.memory import MemorySpectra

if TYPE_CHECKING:
    import os

    from napari_scope.formats.msi import Spectra

    PathLike = str | os.PathLike[str]

__all__ = ["MSIAdapter", "adapt"]


def adapt(theirs: type[Any]) -> None:
    """Make a reader known as a format.

    Parameters
    ----------
    theirs : type
        A class derived from `napari_scope.compat.openmsi_bases.file_reader_base`.
    """
    facts = {
        "theirs": theirs,
        "name": theirs.format_name(),
        "__module__": theirs.__module__,
    }
    type(theirs.__name__, (MSIAdapter,), facts)


class MSIAdapter(MultiDataRegionReader, listed=False):
    """Opens files by a reader of somebody else, the class `theirs`."""

    theirs: ClassVar[type[Any]]

    def _open(self) -> list[Spectra]:
        self._reader = self.theirs(self.basename)
        if not self.theirs.supports_multidata():
            return [self._read(0)]
        found: list[Spectra] = []
        for index in range(self._reader.get_number_of_datasets()):
            self._reader.set_dataset_selection(index)
            found.append(self._read(index))
        return found

    def _read(self, index: int) -> MemorySpectra:
        """Read what is chosen now."""
        reader = self._reader
        places, rows = [], []
        for place, intensities in reader.spectrum_iter():
            places.append(place)
            rows.append(np.array(intensities, reader.data_type or None))
        if not rows:
            raise FormatError("there is no spectrum", path=self.basename)
        mz = reader.mz[index] if isinstance(reader.mz, list) else reader.mz
        if mz is None:
            raise FormatError("there is no m/z axis", path=self.basename)
        if any(len(row) != len(mz) for row in rows):
            raise FormatError(
                f"the m/z axis has {len(mz)} values, a spectrum has other numbers",
                path=self.basename,
            )
        columns = np.array(places).T
        regions = self._regions_of(columns)
        z = columns[2] if len(columns) > 2 else None
        table = PixelTable.of(columns[0], columns[1], z, regions)
        said = reader.get_dataset_metadata()
        metadata = {
            str(name): value
            if isinstance(value, MetadataValue)
            else MetadataValue(value)
            for name, value in (said if isinstance(said, dict) else {}).items()
        }
        name = self.theirs.format_name()
        if self.theirs.supports_multidata():
            name = f"{name} {index}"
        return MemorySpectra.over(mz, np.stack(rows), table, name, metadata=metadata)

    def _regions_of(self, columns: Any) -> Any:
        """Return the region of each place: the first whose box it lies in."""
        regions = np.zeros(columns.shape[1], np.int64)
        if not self.theirs.supports_regions():
            return regions
        boxes = list(enumerate(self._reader.get_regions()))
        for index, box in reversed(boxes):
            inside = np.ones(len(regions), bool)
            limits = zip(box["origin"], box["extend"], strict=True)
            for axis, (low, size) in enumerate(limits):
                inside &= (columns[axis] >= low) & (columns[axis] < low + size)
            regions[inside] = index
        return regions

    def _close(self) -> None:
        self._reader.close_file()

    def _dependencies_of(self, index: int) -> list[Any]:
        if not self.theirs.supports_multidata():
            return []
        self._reader.set_dataset_selection(index)
        return list(self._reader.get_dataset_dependencies())

    @classmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """See `MSIReader.is_valid_dataset`."""
        return bool(cls.theirs.is_valid_dataset(str(name)))

    @classmethod
    def size(cls, name: PathLike) -> int | None:
        """See `MSIReader.size`."""
        found: int | None = cls.theirs.size(str(name))
        return found

    @classmethod
    def supports_multidata(cls) -> bool:
        """Return what their class says."""
        return bool(cls.theirs.supports_multidata())

    @classmethod
    def supports_regions(cls) -> bool:
        """Return what their class says."""
        return bool(cls.theirs.supports_regions())
