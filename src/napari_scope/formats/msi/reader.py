"""What every reader of mass-spectrometry images offers, whatever the format.

A reader is made from a path alone. Its files have one or several data sets (scan types,
repeats), which have one or several regions; what is chosen of these (`MSIReader.data`)
is what the shape, slices and iteration are about:

==========================  =========================================================
`MSIReader`                 one data set, one region
`MultiDataReader`           several data sets, each with an m/z axis of its own
`RegionReader`              regions that can be chosen, one or several at once
`MultiDataRegionReader`     both
==========================  =========================================================

A format implements `MSIReader._open`, which returns the `Spectra` of each data set, and
`MSIReader.is_valid_dataset`. Its class is known by its name from then on
(`napari_scope.formats.msi.registry`). The cube has the axes (x, y, m/z), in three
dimensions (x, y, z, m/z), as the interface of OpenMSI has it, whose names this one
takes over; images for napari are (y, x).

Examples
--------
>>> with ImzMLReader("brain.imzML") as reader:  # doctest: +SKIP
...     reader.shape, reader[10, 20, :], reader[:, :, 153]
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_scope.errors import DatasetClosedError
from napari_scope.formats.msi.data import MSIData
from napari_scope.formats.msi.registry import known_classes, remember

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

    import numpy.typing as npt

    from napari_scope.formats.msi.pixels import Region
    from napari_scope.formats.msi.spectra import MetadataValue, Spectra

    PathLike = str | os.PathLike[str]
    Metadata = dict[str, MetadataValue]
    Dependency = dict[str, Any]

__all__ = ["MSIReader", "available_formats"]


def available_formats() -> dict[str, type[MSIReader]]:
    """Return the reader of each format by its name, those of other packages, too."""
    return {
        name: reader
        for name, reader in known_classes().items()
        if issubclass(reader, MSIReader)
    }


class MSIReader(ABC):
    """Reads one file, or one folder, of mass-spectrometry images.

    Parameters
    ----------
    basename : str or PathLike
        The file, or the folder.
    requires_slicing : bool
        Kept from the interface of OpenMSI, where False promised iteration only. Slices
        are read on demand here, so they work either way.

    Attributes
    ----------
    basename : str
        The path that was given.
    problems : tuple of str
        What was wrong with the file and could be passed over, in words.
    select_dataset : int or None
        Number of the chosen data set. With one data set it need not be chosen.
    select_region : int, tuple of int or None
        The chosen regions; None for all.

    Raises
    ------
    FormatError
        If the path does not hold such data, or they are damaged beyond use.
    """

    name: ClassVar[str] = ""
    """Name of the format; that of the class if it is empty."""

    def __init__(self, basename: PathLike, requires_slicing: bool = True) -> None:
        self.basename = str(basename)
        self.requires_slicing = requires_slicing
        self.problems: tuple[str, ...] = ()
        self.select_dataset: int | None = None
        self.select_region: int | tuple[int, ...] | None = None
        self._spectra: tuple[Spectra, ...] = ()
        self._whole: list[MSIData] = []
        self._chosen: dict[object, MSIData] = {}
        self._closed = False
        try:
            self._spectra = tuple(self._open())
        except BaseException:
            # What was not opened yet may not even have a name.
            with contextlib.suppress(AttributeError):
                self.close_file()
            raise
        self._whole = [MSIData(spectra) for spectra in self._spectra]

    def __init_subclass__(cls, *, listed: bool = True, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if listed:  # not if it is no format of its own
            remember(cls.format_name(), cls)

    # What a format implements

    @abstractmethod
    def _open(self) -> Sequence[Spectra]:
        """Open ``self.basename`` and return the spectra of each data set."""

    @classmethod
    @abstractmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """Return whether a path holds data of this format.

        A few bytes are looked at, no file is read whole. False for what is not there.
        """

    @classmethod
    def size(cls, name: PathLike) -> int | None:
        """Return how many bytes the data of a path have; None if that is unknown."""
        return None

    def _close(self) -> None:  # noqa: B027 - there may be nothing to close
        """Close what `_open` has opened; called once, also after `_open` raised."""

    def get_instrument_metadata(self) -> Metadata:
        """Return what is known of the instrument."""
        return {}

    def get_method_metadata(self) -> Metadata:
        """Return what is known of the sample and how it was prepared."""
        return {}

    # What follows for all of them

    @classmethod
    def format_name(cls) -> str:
        """Return the name of the format."""
        return cls.name or cls.__name__

    @staticmethod
    def available_formats() -> dict[str, type[MSIReader]]:
        """Return all formats by their names, those of other packages, too."""
        return available_formats()

    @property
    def title(self) -> str:
        """What to call the data where there is room for a name only.

        The name of the folder, that of a file without its suffix.
        """
        path = Path(self.basename)
        if path.is_dir():
            return path.name
        packed = path.suffix.lower() == ".gz"
        return Path(path.stem).stem if packed else path.stem

    @classmethod
    def supports_regions(cls) -> bool:
        """Return whether regions can be chosen."""
        return False

    @classmethod
    def supports_multidata(cls) -> bool:
        """Return whether there may be several data sets."""
        return False

    @classmethod
    def supports_multiexperiment(cls) -> bool:
        """Return whether there may be several experiments."""
        return False

    @property
    def data_sets(self) -> tuple[Spectra, ...]:
        """All data sets, whatever is chosen."""
        return self._spectra

    @property
    def data(self) -> MSIData:
        """The chosen data set and regions.

        Raises
        ------
        ValueError
            If there are several data sets and none is chosen.
        DatasetClosedError
            If the reader is closed.
        """
        if self._closed:
            raise DatasetClosedError("the reader is closed", path=self.basename)
        index = self.select_dataset
        if index is None:
            if len(self._spectra) > 1:
                raise ValueError(
                    f"there are {len(self._spectra)} data sets: choose one with "
                    f"set_dataset_selection(0 to {len(self._spectra) - 1})"
                )
            index = 0
        return self._data_of(index)

    def whole(self, dataset: int) -> MSIData:
        """Return all of one data set, whatever is chosen; always the same object."""
        return self._whole[dataset]

    def _data_of(self, index: int) -> MSIData:
        """Return the chosen regions of one data set."""
        chosen = self.select_region
        # Another thread may choose other regions meanwhile.
        found = self._chosen.get((index, chosen))
        if found is None:
            regions = (chosen,) if isinstance(chosen, int) else chosen
            found = self._whole[index].of_regions(regions)
            self._chosen[index, chosen] = found
        # Kept with what is chosen, the reader would never be let go of by itself.
        return found.kept_by(self)

    @property
    def _affected(self) -> tuple[Spectra, ...]:
        """The data sets that a choice of regions is about."""
        index = self.select_dataset
        return self._spectra if index is None else (self._spectra[index],)

    def _each(self) -> list[MSIData]:
        return [self._data_of(index) for index in range(len(self._spectra))]

    @property
    def _is_open_choice(self) -> bool:
        """Whether there are several data sets of which none is chosen."""
        return self.select_dataset is None and len(self._spectra) > 1

    @property
    def shape(self) -> Any:
        """Shape (x, y, m/z), or (x, y, z, m/z) of a volume.

        A list of shapes if there are several data sets and none is chosen.
        """
        if self._is_open_choice:
            return [one.shape for one in self._each()]
        return self.data.shape

    @property
    def mz(self) -> Any:
        """The m/z axis; a list of axes if no data set of several is chosen."""
        if self._is_open_choice:
            return [one.mz for one in self._each()]
        return self.data.mz

    @property
    def data_type(self) -> str:
        """Name of the type of the intensities, ``uint16`` for example."""
        chosen = self._spectra[self.select_dataset or 0]
        return str(np.dtype(chosen.intensity_dtype).name)

    def __getitem__(self, index: Any) -> npt.NDArray[Any]:
        return self.data[index]

    def spectrum_iter(
        self,
    ) -> Iterator[tuple[tuple[int, ...], npt.NDArray[Any]]]:
        """Yield place and intensities of each spectrum of what is chosen.

        Yields
        ------
        tuple of int
            (x, y), of a volume (x, y, z), within the shape.
        ndarray, (m/z,)
            The intensities over the m/z axis `mz`.
        """
        yield from self.data.spectrum_iter()

    def get_number_of_datasets(self) -> int:
        """Return the number of data sets."""
        return len(self._spectra)

    def get_number_of_regions(self) -> int:
        """Return the number of regions of the chosen data set, or of the first one."""
        return len(self._regions)

    def get_numbers_of_regions(self) -> list[int]:
        """Return the number of regions of each data set."""
        return [len(spectra.pixels.regions) for spectra in self._spectra]

    def regions_of(self, dataset: int = 0) -> list[dict[str, Any]]:
        """Return each region of a data set as a dict.

        The keys are ``index``, ``name``, ``origin`` and ``extend`` (x and y, of a
        volume also z; the extend is the number of pixels) and ``count``.

        Raises
        ------
        ValueError
            If there is no such data set.
        """
        n = len(self._spectra)
        if not 0 <= dataset < n:
            raise ValueError(
                f"no data set {dataset} in {self.basename}; there are 0 to {n - 1}"
            )
        pixels = self._spectra[dataset].pixels
        axes = 3 if pixels.is_volume else 2
        return [
            {
                "index": region.index,
                "name": region.name,
                "origin": list(region.origin[:axes]),
                "extend": list(region.shape[:axes]),
                "count": region.count,
            }
            for region in pixels.regions
        ]

    @property
    def _regions(self) -> tuple[Region, ...]:
        return self._spectra[self.select_dataset or 0].pixels.regions

    def get_dataset_metadata(self) -> Any:
        """Return what the file says of the chosen data set, by name.

        A list, one of each data set, if there are several and none is chosen.
        """
        if self._is_open_choice:
            return [dict(spectra.metadata) for spectra in self._spectra]
        return dict(self._spectra[self.select_dataset or 0].metadata)

    def get_dataset_dependencies(self) -> list[Any]:
        """Return how what is chosen depends on other data of the file.

        Each dependency is a dict with the keys ``omsi_object``, ``link_name``,
        ``basename``, ``region``, ``dataset``, ``help`` and ``dependency_type``.
        """
        return []

    def close_file(self) -> None:
        """Close all files; calling it again does nothing."""
        if not self._closed:
            self._closed = True
            for data in self._whole:
                data.close_index()
            self._close()

    close = close_file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close_file()

    def __del__(self) -> None:
        # Of a reader whose constructor raised there may be nothing to close.
        if not getattr(self, "_closed", True):
            self.close_file()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.basename!r})"

    def _depends(
        self,
        link_name: str,
        dependency_type: str,
        help_text: str,
        *,
        dataset: int | None = None,
        region: int | None = None,
    ) -> Dependency:
        """Return one dependency on another part of the same file."""
        return {
            "omsi_object": None,
            "link_name": link_name,
            "basename": self.basename,
            "region": region,
            "dataset": dataset,
            "help": help_text,
            "dependency_type": dependency_type,
        }
