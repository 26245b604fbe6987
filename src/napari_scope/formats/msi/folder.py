"""Several raw files in one folder, of any formats, as the data sets of one reader.

Which files: all in the folder itself that a known format can open, folders of Bruker
spots and of samples among them; nothing in other folders below. In which order: by
their names, as people count (``a2`` before ``a10``), and of each file its data sets in
their own order. Names of data sets begin with that of their file. A folder with one raw
file belongs to the format of that file, not to this one.

Examples
--------
>>> with RawFolderReader("slides") as reader:  # doctest: +SKIP
...     reader.files, [data_set.name for data_set in reader.data_sets]
"""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from napari_scope.errors import FormatError, ScopeError
from napari_scope.formats.msi.bruker.names import samples_in, spot_folders
from napari_scope.formats.msi.choosing import MultiDataReader, MultiDataRegionReader
from napari_scope.formats.msi.natural import natural
from napari_scope.formats.msi.reader import MSIReader, available_formats
from napari_scope.formats.msi.spectra import MetadataValue
from napari_scope.formats.msi_unread import why_not

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_scope.formats.msi.resting_file import RestingFile
    from napari_scope.formats.msi.spectra import Spectra

    PathLike = str | os.PathLike[str]

__all__ = ["RawFolderReader"]

_MOST_ASKED: Final = 64  # files that a format without a list of its own is asked about
_MOST_ALIKE: Final = 16  # of these with the same suffix
_MOST_TRIED: Final = 8  # files of each format, only to see whether there are some
_MOST_FILES: Final = 1000
_MOST_NAMES: Final = 2000  # names that are looked at for a first sign of raw files
_OURS: Final = (
    ".imzml", ".mzml", ".t2m", ".h5", ".hdf5", ".omsi", "spot list.txt",
)  # fmt: skip


class RawFolderReader(MultiDataRegionReader):
    """Reads all raw files of a folder.

    Parameters
    ----------
    basename : str or PathLike
        The folder.
    requires_slicing : bool
        See `MSIReader`.
    files : iterable of str or PathLike, optional
        Which files, in this order; relative ones are in the folder. All raw files of
        it, by their names, if not given.

    Attributes
    ----------
    files : tuple of Path
        The files that are open, in the order of their data sets.
    readers : tuple of MSIReader
        Their readers.
    file_of : tuple of int
        Which of the files each data set is from.

    Raises
    ------
    FormatError
        If there is no raw file, or none can be opened. One that cannot among others
        is told in `problems`.
    """

    name: ClassVar[str] = "folder"

    def __init__(
        self,
        basename: PathLike,
        requires_slicing: bool = True,
        *,
        files: Iterable[PathLike] | None = None,
    ) -> None:
        self._wanted = None if files is None else [Path(file) for file in files]
        self._problems: tuple[str, ...] = ()
        self.files: tuple[Path, ...] = ()
        self.readers: tuple[MSIReader, ...] = ()
        super().__init__(basename, requires_slicing)

    @classmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """Return whether a path is a folder with at least two raw files.

        Few of the files in a large folder are tried.
        """
        try:
            folder = Path(name)
            if not folder.is_dir() or not _has_signs(folder):
                return False
            return len(list(islice(_raw_in(folder, _MOST_TRIED), 2))) == 2
        except (OSError, ValueError):
            return False

    @classmethod
    def size(cls, name: PathLike) -> int | None:
        """Return the bytes of all files whose format tells them, None without any."""
        try:
            sizes = [kind.size(path) for path, kind in _raw_in(Path(name))]
        except (OSError, ValueError):
            return None
        known = [size for size in sizes if size is not None]
        return sum(known) if known else None

    @classmethod
    def get_files_from_dir(cls, dirname: PathLike) -> list[str]:
        """Return the raw files of a folder, in the order of their data sets."""
        return [str(path) for path, _ in _sorted(_raw_in(Path(dirname)))]

    def _open(self) -> Sequence[Spectra]:
        folder = Path(self.basename)
        problems: list[str] = []
        readers: list[MSIReader] = []
        files: list[Path] = []
        try:
            for path, kind in self._chosen_in(folder, problems):
                try:
                    readers.append(kind(path))
                    files.append(path)
                except (ScopeError, OSError, ValueError) as error:
                    problems.append(f"{path.name} is left out: {error}")
        finally:
            self.readers = tuple(readers)
        if not readers:
            raise FormatError(
                "; ".join(["no raw file could be opened", *problems]), path=folder
            )
        spectra, owners = [], []
        for number, (path, reader) in enumerate(zip(files, readers, strict=True)):
            for one in reader.data_sets:
                one.name = f"{path.name}: {one.name}" if one.name else path.name
                said = MetadataValue(path.name, "", "the raw file it is from")
                one.metadata = {"raw file": said, **one.metadata}
                spectra.append(one)
                owners.append(number)
        self.files, self.file_of = tuple(files), tuple(owners)
        self.problems = tuple(problems)
        return spectra

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong with the folder and with each file, in words."""
        of_files = (
            f"{path.name}: {text}"
            for path, reader in zip(self.files, self.readers, strict=False)
            for text in reader.problems
        )
        return (*self._problems, *of_files)

    @problems.setter
    def problems(self, problems: tuple[str, ...]) -> None:
        self._problems = problems

    def _chosen_in(
        self, folder: Path, problems: list[str]
    ) -> Iterator[tuple[Path, type[MSIReader]]]:
        if self._wanted is not None:
            for path in self._wanted:
                whole = folder / path
                kind = _format_of(whole)
                if kind is None:
                    problems.append(f"{path.name} is left out: no known format")
                else:
                    yield whole, kind
            return
        if not folder.is_dir():
            raise FormatError("no such folder", path=folder)
        try:
            found = _sorted(_raw_in(folder))
        except OSError as error:
            raise FormatError(
                f"the folder cannot be listed: {error.strerror}", path=folder
            ) from error
        if len(found) > _MOST_FILES:
            problems.append(
                f"{len(found)} raw files: the first {_MOST_FILES} are opened"
            )
        problems += _left_to_others(folder)
        yield from found[:_MOST_FILES]

    def get_instrument_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the instrument of the chosen data set's file."""
        return self._file_reader.get_instrument_metadata()

    def get_method_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the sample of the chosen data set's file."""
        return self._file_reader.get_method_metadata()

    @property
    def _file_reader(self) -> MSIReader:
        return self.readers[self.file_of[self.select_dataset or 0]]

    def _dependencies_of(self, index: int) -> list[dict[str, Any]]:
        """Return how a data set depends on others of its file."""
        number = self.file_of[index]
        reader, first = self.readers[number], self.file_of.index(number)
        if not isinstance(reader, MultiDataReader):
            return []
        return [
            {**one, "basename": self.basename, "dataset": first + one["dataset"]}
            for one in reader._dependencies_of(index - first)
            if one["dataset"] is not None
        ]

    @property
    def resting_files(self) -> tuple[RestingFile, ...]:
        """The files of all readers that may rest while nobody shows them."""
        return tuple(
            file
            for reader in self.readers
            for file in getattr(reader, "resting_files", ())
        )

    def _close(self) -> None:
        for reader in self.readers:
            reader.close_file()


def _formats() -> list[type[MSIReader]]:
    return [
        kind
        for kind in available_formats().values()
        if not issubclass(kind, RawFolderReader)
    ]


def _format_of(path: Path) -> type[MSIReader] | None:
    return next((kind for kind in _formats() if kind.is_valid_dataset(path)), None)


def _has_signs(folder: Path) -> bool:
    """Return whether there may be raw files; what others call theirs is not known."""
    if any(not kind.__module__.startswith("napari_scope.") for kind in _formats()):
        return True
    with os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, _MOST_NAMES)]
    if any(name.lower().endswith(_OURS) for name in names):
        return True
    return bool(
        spot_folders(folder, 2 * _MOST_TRIED) or samples_in(folder, 2 * _MOST_TRIED)
    )


def _raw_in(
    folder: Path, most: int | None = None
) -> Iterator[tuple[Path, type[MSIReader]]]:
    """Yield the raw files of a folder with their formats.

    Formats that know which files of a folder are theirs are asked for these, others
    about some files of each suffix.

    Parameters
    ----------
    folder : Path
        The folder.
    most : int, optional
        How many files of each format are tried.

    Raises
    ------
    OSError
        If it cannot be listed.
    """
    taken: set[Path] = set()
    for kind in _formats():
        listed = getattr(kind, "get_files_from_dir", None)
        if listed is not None:
            paths = [Path(path) for path in listed(folder)]
        else:
            paths = [folder / name for name in _some_of_each_kind(os.listdir(folder))]
        for path in paths[:most]:
            # A folder of spots is a raw file of the folder around it, not of itself.
            if path == folder or path in taken or path.name.startswith("."):
                continue
            if kind.is_valid_dataset(path):
                taken.add(path)
                yield path, kind


def _left_to_others(folder: Path) -> list[str]:
    """Return what raw data in a folder nobody here reads, in words."""
    names = [name for name in os.listdir(folder) if name.lower().endswith(".d")]
    told = (why_not(folder / name) for name in sorted(names, key=natural)[:_MOST_ALIKE])
    return [said for said in told if said is not None]


def _some_of_each_kind(names: list[str]) -> list[str]:
    """Return some of many names, not all of them with the same suffix."""
    seen: Counter[str] = Counter()
    found = []
    for name in sorted(names):
        suffix = os.path.splitext(name)[1].lower()
        seen[suffix] += 1
        if seen[suffix] <= _MOST_ALIKE:
            found.append(name)
    return found[:_MOST_ASKED]


def _sorted(
    found: Iterable[tuple[Path, type[MSIReader]]],
) -> list[tuple[Path, type[MSIReader]]]:
    return sorted(found, key=lambda one: natural(one[0].name))
