"""Readers of files with several data sets, with regions, or with both.

Choosing reads nothing. What is chosen acts as if it were all there is.

Examples
--------
>>> reader.set_region_selection([0, 2])  # doctest: +SKIP
>>> reader.shape  # doctest: +SKIP
(40, 25, 8399)
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from napari_scope.formats.msi.reader import MSIReader

if TYPE_CHECKING:
    Dependency = dict[str, Any]

__all__ = ["MultiDataReader", "MultiDataRegionReader", "RegionReader"]


class MultiDataReader(MSIReader):
    """A reader of files that may have several data sets."""

    @classmethod
    def supports_multidata(cls) -> bool:
        """Return True."""
        return True

    def set_dataset_selection(self, dataset_index: int | None) -> None:
        """Choose a data set; None for none.

        Raises
        ------
        ValueError
            If there is no such data set.
        """
        n = len(self._spectra)
        if dataset_index is not None:
            dataset_index = operator.index(dataset_index)
        if dataset_index is not None and not 0 <= dataset_index < n:
            raise ValueError(
                f"no data set {dataset_index} in {self.basename}; there are 0 to "
                f"{n - 1}"
            )
        self.select_dataset = dataset_index

    def get_dataset_dependencies(self) -> list[Any]:
        """Return the dependencies of the chosen data set, or a list for each.

        See `MSIReader.get_dataset_dependencies`.
        """
        if self.select_dataset is None:
            return [self._dependencies_of(i) for i in range(len(self._spectra))]
        return self._dependencies_of(self.select_dataset)

    def _dependencies_of(self, index: int) -> list[Dependency]:
        """Return how one data set depends on the others; a format may know."""
        return []


class RegionReader(MSIReader):
    """A reader of files whose regions can be chosen."""

    @classmethod
    def supports_regions(cls) -> bool:
        """Return True."""
        return True

    def set_region_selection(
        self, region_index: int | Iterable[int] | None = None
    ) -> None:
        """Choose one region, several, or all.

        The reader acts as if what is chosen were all there is.

        Parameters
        ----------
        region_index : int, iterable of int, or None
            Numbers of regions, as `get_regions` lists them; None for all.

        Raises
        ------
        ValueError
            If there is no such region.
        """
        chosen: int | tuple[int, ...] | None = None
        if isinstance(region_index, Iterable):
            chosen = tuple(operator.index(one) for one in region_index)
        elif region_index is not None:
            chosen = operator.index(region_index)
        if chosen is not None:
            wanted = (chosen,) if isinstance(chosen, int) else chosen
            if not wanted:
                raise ValueError("no region is named; None stands for all of them")
            for spectra in self._affected:
                spectra.pixels.numbers_of(wanted)
        self.select_region = chosen
        self._chosen.clear()

    def get_region_selection(self) -> int | tuple[int, ...] | None:
        """Return the chosen regions; None if all are."""
        return self.select_region

    @property
    def region_dicts(self) -> list[dict[str, Any]]:
        """Each region of the chosen data set, or of the first one: `regions_of`."""
        return self.regions_of(self.select_dataset or 0)

    def get_regions(self) -> list[dict[str, Any]]:
        """Return `region_dicts`."""
        return self.region_dicts

    def get_dataset_dependencies(self) -> list[Any]:
        """Return how the chosen regions and the whole belong together.

        See `MSIReader.get_dataset_dependencies`.
        """
        return self._region_dependencies(None)

    def _region_dependencies(self, dataset: int | None) -> list[Dependency]:
        if self.select_region is None:
            return [
                self._depends(
                    f"msi_region_{region.index}",
                    "contains",
                    f"the whole contains {region.name}",
                    dataset=dataset,
                    region=region.index,
                )
                for region in self._regions
            ]
        return [
            self._depends("msi_full", "subset", "regions of the whole", dataset=dataset)
        ]


class MultiDataRegionReader(MultiDataReader, RegionReader):
    """A reader of files with several data sets, whose regions can be chosen."""

    def set_dataset_selection(self, dataset_index: int | None) -> None:
        """Choose a data set; None for none. All its regions are chosen then.

        Raises
        ------
        ValueError
            If there is no such data set.
        """
        super().set_dataset_selection(dataset_index)
        self.select_region = None
        self._chosen.clear()

    def get_dataset_dependencies(self) -> list[Any]:
        """Return the dependencies on other data sets and on regions.

        See `MSIReader.get_dataset_dependencies`.
        """
        if self.select_dataset is None:
            return [self._dependencies_of(i) for i in range(len(self._spectra))]
        index = self.select_dataset
        return [*self._dependencies_of(index), *self._region_dependencies(index)]
