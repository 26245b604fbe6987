"""Base classes for readers that were written after the documentation of OpenMSI.

Such a reader takes a path, sets the attributes ``data_type``, ``shape`` and ``mz``, and
implements ``close_file``, ``is_valid_dataset`` and ``spectrum_iter``, or slices, or
both. It keeps all freedom that it had: nothing but what is documented is asked of it.
As soon as its class is defined `napari_scope.formats.msi.open_msi` knows it: it is
opened through an adapter, which reads all its spectra into memory, once. Readers that
are written today derive from `napari_scope.formats.msi.MSIReader`, which reads on
demand.

Our own readers count as derived from these classes.

Examples
--------
>>> class my_file(file_reader_base):  # doctest: +SKIP
...     def __init__(self, basename, requires_slicing=True):
...         super().__init__(basename, requires_slicing)
...         self.cube = numpy.load(basename)
...         self.data_type, self.shape = "float32", self.cube.shape
...         self.mz = numpy.arange(self.shape[2])
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from napari_scope.compat.openmsi_adapter import adapt
from napari_scope.compat.openmsi_names import available_formats
from napari_scope.formats.msi import MSIReader, MultiDataReader, RegionReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = [
    "file_reader_base",
    "file_reader_base_multidata",
    "file_reader_base_with_regions",
]


class file_reader_base(ABC):
    """What the documentation of OpenMSI asks of a reader.

    Parameters
    ----------
    basename : str
        The file, or the folder.
    requires_slicing : bool
        Whether slices are needed, or iterating is enough.

    Attributes
    ----------
    data_type : str
        Type of the intensities, ``uint16`` for example.
    shape : tuple of int
        Shape (x, y, m/z).
    mz : ndarray
        The m/z axis.
    basename, requires_slicing
        What was given.
    """

    _ours: ClassVar[type[Any]] = MSIReader

    def __init__(self, basename: str, requires_slicing: bool = True) -> None:
        self.basename = basename
        self.requires_slicing = requires_slicing
        self.data_type: Any = ""
        self.shape: Any = ()
        self.mz: Any = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if cls.__module__ != __name__:
            # One that cannot tell its files is a base of others.
            base = file_reader_base.is_valid_dataset.__func__  # type: ignore[attr-defined]
            decides = cls.is_valid_dataset.__func__ is not base  # type: ignore[attr-defined]
            if decides:
                adapt(cls)

    @classmethod
    def __subclasshook__(cls, other: type) -> Any:
        # Not by issubclass, which would ask here again.
        if cls.__module__ == __name__ and cls._ours in other.__mro__:
            return True
        return NotImplemented

    @classmethod
    @abstractmethod
    def is_valid_dataset(cls, name: str) -> bool:
        """Return whether a path holds data of this format."""

    def __getitem__(self, index: Any) -> npt.NDArray[Any]:
        raise NotImplementedError("this reader only iterates")

    def spectrum_iter(self) -> Iterator[tuple[tuple[int, ...], npt.NDArray[Any]]]:
        """Yield place, (x, y) or (x, y, z), and intensities of each spectrum."""
        import itertools

        for place in itertools.product(*map(range, self.shape[:-1])):
            yield place, self[(*place, slice(None))]

    def close_file(self) -> None:  # noqa: B027 - there may be nothing to close
        """Close all files."""

    def __del__(self) -> None:
        # Of a reader whose constructor raised there may be nothing to close.
        with contextlib.suppress(Exception):
            self.close_file()

    @classmethod
    def format_name(cls) -> str:
        """Return the name of the format, that of the class."""
        return cls.__name__

    @classmethod
    def size(cls, name: str) -> int | None:
        """Return how many bytes the data have; None if that is unknown."""
        return None

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

    def get_number_of_regions(self) -> int:
        """Return the number of regions."""
        return 1

    def get_number_of_datasets(self) -> int:
        """Return the number of data sets."""
        return 1

    def get_dataset_metadata(self) -> Any:
        """Return what is known of the chosen data set, by name."""
        return {}

    def get_dataset_dependencies(self) -> list[Any]:
        """Return how what is chosen depends on other data of the file."""
        return []

    @staticmethod
    def available_formats() -> dict[str, type[Any]]:
        """Return the reader of each format by the name that OpenMSI has for it."""
        return available_formats()


class file_reader_base_multidata(file_reader_base):
    """A reader of several data sets; ``select_dataset`` is the chosen one, or None."""

    _ours = MultiDataReader

    def __init__(self, basename: str, requires_slicing: bool = True) -> None:
        super().__init__(basename, requires_slicing)
        self.select_dataset: int | None = None

    @classmethod
    def supports_multidata(cls) -> bool:
        """Return True."""
        return True

    def set_dataset_selection(self, dataset_index: int | None) -> None:
        """Choose a data set; shape and m/z axis have to follow."""
        self.select_dataset = dataset_index


class file_reader_base_with_regions(file_reader_base):
    """A reader of files with regions.

    ``select_region`` is the chosen one, None for all; ``region_dicts`` has the
    ``origin`` and ``extend`` of each.
    """

    _ours = RegionReader

    def __init__(self, basename: str, requires_slicing: bool = True) -> None:
        super().__init__(basename, requires_slicing)
        self.select_region: int | None = None
        self.region_dicts: list[dict[str, Any]] = []

    @classmethod
    def supports_regions(cls) -> bool:
        """Return True."""
        return True

    def set_region_selection(self, region_index: int | None = None) -> None:
        """Choose a region, None for all; the shape has to follow."""
        self.select_region = region_index

    def get_region_selection(self) -> int | None:
        """Return the chosen region."""
        return self.select_region

    def get_regions(self) -> list[dict[str, Any]]:
        """Return `region_dicts`."""
        return self.region_dicts

    def get_number_of_regions(self) -> int:
        """Return the number of regions."""
        return len(self.region_dicts)
