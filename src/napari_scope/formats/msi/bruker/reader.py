"""Opens Bruker flex images: folders of spots, with or without a spot list.

Examples
--------
>>> with BrukerFlexReader("brain/brain Spot List.txt") as reader:  # doctest: +SKIP
...     reader.set_region_selection([0, 2])
...     reader.shape, reader.data.ion_image(4210.3, 2.0)
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.bruker.calibrations import read_calibrations
from napari_scope.formats.msi.bruker.described import INSTRUMENT, METHOD, described
from napari_scope.formats.msi.bruker.fid import FidFiles, fid_dtype
from napari_scope.formats.msi.bruker.functions import FlexFunctions
from napari_scope.formats.msi.bruker.measurements import measurements
from napari_scope.formats.msi.bruker.names import (
    LIST_SUFFIX,
    lists_in,
    samples_in,
    spot_folders,
)
from napari_scope.formats.msi.bruker.pixel_maps import maps_of
from napari_scope.formats.msi.bruker.pixel_size import pixel_size_of
from napari_scope.formats.msi.bruker.single import find_single
from napari_scope.formats.msi.bruker.spectra import BrukerSpectra
from napari_scope.formats.msi.bruker.spot_list import few, looks_like_list
from napari_scope.formats.msi.bruker.spots import find_spots, folder_of_list
from napari_scope.formats.msi.choosing import MultiDataRegionReader
from napari_scope.formats.msi.pixels import PixelTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.formats.msi.bruker.measurements import Measurement
    from napari_scope.formats.msi.bruker.spots import Spot, Spots
    from napari_scope.formats.msi.spectra import MetadataValue, Spectra

    PathLike = str | os.PathLike[str]

__all__ = ["BrukerFlexReader"]

_MOST_NAMED: Final = 1000  # regions that get a name
_MOST_LOOKED_AT: Final = 16  # folders, only to see whether there are spots


class BrukerFlexReader(FlexFunctions, MultiDataRegionReader):
    """Reads Bruker flex spots.

    Repeated measurements of the spots (``1/1SLin``, ``2/1SLin``, ``1/1SRef``) are data
    sets; the first one is chosen at the beginning. The pixels are placed as the names
    of the spots say; those of a target plate, which say nothing, are put in a row.

    Parameters
    ----------
    basename : str or PathLike
        A spot list (``... Spot List.txt``), the folder with the spots, or the folder
        around it. Of a folder with a list and spots the list says which are shown.
        Also the folder of one spot, or of one of its spectra, or the ``fid`` file or
        its parameters: then that spectrum alone is there.
    fid_encoding : str
        Type of the values in the ``fid`` files. Their order is that of the parameters,
        unless the type says it (``>i4``).
    requires_slicing : bool
        See `MSIReader`.
    spot_folder : str or PathLike, optional
        The folder with the spots of a list, if it lies somewhere else.

    Attributes
    ----------
    metadata : dict
        The parameters of the first spot of the chosen data set, with their types.
    full_shape : tuple of int
        Shape with all regions.
    is_image : bool
        Whether the names of the spots say where they lie.
    is_single : bool
        Whether it is one spot that was picked out.
    spot_folder : Path
        The folder with the spots.
    pixel_dict : dict
        Maps of the pixels, see `napari_scope.formats.msi.bruker.pixel_maps.maps_of`.

    Raises
    ------
    NoSpotsError
        If there are no spots; also a ValueError.
    FormatError
        If no spot can be read.
    ValueError
        If the encoding is no type of numbers.
    """

    name: ClassVar[str] = "bruker-flex"

    def __init__(
        self,
        basename: PathLike,
        fid_encoding: str = "int32",
        requires_slicing: bool = True,
        *,
        spot_folder: PathLike | None = None,
    ) -> None:
        fid_dtype(fid_encoding)
        self._encoding = fid_encoding
        self._problems: tuple[str, ...] = ()
        self._spot_folder = None if spot_folder is None else Path(spot_folder)
        self._acqu: list[dict[str, Any]] = []
        self._mapped: list[list[Spot]] = []
        self._files: list[FidFiles] = []
        super().__init__(basename, requires_slicing)

    @classmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """Return whether a path is a spot list, a folder with spots, or one of these.

        Of other text files, of folders without a spot that has a ``fid``, and of
        spectra of other instruments nothing is claimed.
        """
        path = Path(name)
        try:
            single = find_single(path)
            if single is not None:
                return single.is_flex
            if path.is_dir():
                return bool(
                    spot_folders(path, _MOST_LOOKED_AT)
                    or samples_in(path, _MOST_LOOKED_AT)
                )
            return (
                path.name.lower().endswith(LIST_SUFFIX)
                and path.is_file()
                and looks_like_list(path)
            )
        except (OSError, ValueError):
            return False

    @classmethod
    def size(cls, name: PathLike) -> int | None:
        """Return the bytes of all ``fid`` files; None if there are no spots."""
        try:
            found = measurements(find_spots(Path(name)))
        except (FormatError, OSError, ValueError):
            return None
        return sum(sum(one.sizes) for one in found)

    @classmethod
    def get_files_from_dir(cls, dirname: PathLike) -> list[str]:
        """Return what can be opened in a folder: spot lists, and folders with spots.

        Folders of samples, which have a list and spots of their own, are among them.
        A folder whose spots have a list is left to the list. The folder of one
        spot, or of one spectrum, is itself what can be opened.
        """
        folder = Path(dirname)
        single = find_single(folder)
        if single is not None:
            return [str(folder)] if single.is_flex else []
        lists = [path for path in lists_in(folder) if looks_like_list(path)]
        spots = spot_folders(folder)
        of_lists = {folder_of_list(path) for path in lists} if spots else set()
        alone = [path for path in spots if path not in of_lists]
        samples = [path for path in samples_in(folder) if path not in spots]
        return [str(path) for path in (*lists, *alone, *samples)]

    @property
    def title(self) -> str:
        """What to call the data: of a list the sample, of one spectrum the spot."""
        if self.is_single:
            return self._mapped[0][0].name
        name = Path(self.basename).name
        if name.lower().endswith(LIST_SUFFIX):
            return name[: -len(LIST_SUFFIX)] or super().title
        return super().title

    def _open(self) -> Sequence[Spectra]:
        found = find_spots(Path(self.basename), self._spot_folder)
        problems: list[str] = []
        spectra = []
        every = measurements(found)
        for one in every:
            of_one: list[str] = []
            missing = len(found.spots) - len(one.spots)
            if missing and len(every) > 1:
                of_one.append(f"spots without it: {missing} of {len(found.spots)}")
            try:
                spectra.append(self._measured(found, one, of_one))
            except FormatError as error:
                of_one.append(str(error))
                if one is every[-1] and not spectra:
                    raise
            named = [f"{one.name}: {text}" for text in of_one]
            problems += named if len(every) > 1 else of_one
        if len(spectra) > 1:
            names = ", ".join(one.name for one in spectra)
            problems.append(
                f"the spots were measured {len(spectra)} times: {names}; the first is "
                "chosen"
            )
        self.problems = (*found.problems, *problems)
        self.spot_folder = found.folder
        self.is_image = found.is_image
        self.is_single = bool(found.only)
        self.select_dataset = 0
        return spectra

    def _measured(
        self, found: Spots, one: Measurement, problems: list[str]
    ) -> BrukerSpectra:
        """Return the spectra of one measurement."""
        folders = one.folders_in(found.folder)
        width = fid_dtype(self._encoding).itemsize
        points = np.array(one.sizes, np.int64) // width
        names = [spot.name for spot in one.spots]
        read = read_calibrations(folders, points.tolist(), names)
        problems += read.problems
        good = np.flatnonzero(read.of_spot >= 0)
        if not len(good):
            raise FormatError(
                f"no spot has a calibration: {'; '.join(read.problems)}",
                path=found.folder,
            )
        spots = [one.spots[k] for k in good.tolist()]
        of_spot = read.of_spot[good]
        expected = np.array([c.points for c in read.different])[of_spot]
        for off, than, so in (
            (points[good] < expected, "fewer", "what is missing is 0"),
            (points[good] > expected, "more", "these are passed over"),
        ):
            names = [spots[k].name for k in np.flatnonzero(off).tolist()]
            if names:
                problems.append(
                    f"spots with {than} values than their parameters say (TD): "
                    f"{len(names)} ({few(names)}); {so}"
                )
        pixels = _pixels(spots)
        files = FidFiles(
            [os.path.join(folders[k], "fid") for k in good.tolist()],
            [read.big_endian[k] for k in good.tolist()],
            self._encoding,
        )
        self._files.append(files)
        self._acqu.append(read.first)
        self._mapped.append(spots)
        size = pixel_size_of(pixels.x, pixels.y, read.stage_um[good])
        return BrukerSpectra(
            one.name,
            pixels,
            files,
            read.different,
            of_spot,
            pixel_size=size if found.is_image else None,
            metadata=described(read.first),
            identity=_identity(found, one),
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong; spots that cannot be read are found while data are read."""
        found = list(self._problems)
        for one in self._spectra:
            damaged = dict(one.damaged) if isinstance(one, BrukerSpectra) else {}
            if damaged:
                found.append(
                    f"{one.name}: spots that could not be read so far, empty here: "
                    f"{len(damaged)} ({damaged[min(damaged)]})"
                )
        return tuple(found)

    @problems.setter
    def problems(self, problems: tuple[str, ...]) -> None:
        self._problems = problems

    @property
    def metadata(self) -> dict[str, Any]:
        """The parameters of the first spot of the chosen data set."""
        return dict(self._acqu[self.select_dataset or 0])

    @property
    def full_shape(self) -> tuple[int, ...]:
        """Shape of the chosen data set with all regions."""
        return self._whole[self.select_dataset or 0].shape

    @property
    def pixel_dict(self) -> dict[str, Any]:
        """Maps of all pixels of the chosen data set."""
        index = self.select_dataset or 0
        folders = [os.path.dirname(path) for path in self._files[index].paths]
        return maps_of(str(self.spot_folder), self._mapped[index], folders)

    def get_instrument_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the instrument."""
        return described(self.metadata, INSTRUMENT)

    def get_method_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the sample and the method."""
        return described(self.metadata, METHOD)

    def _dependencies_of(self, index: int) -> list[dict[str, Any]]:
        return [
            self._depends(
                other.name.replace("/", "_"),
                "co_modality",
                "another measurement of the same spots",
                dataset=k,
            )
            for k, other in enumerate(self._spectra)
            if k != index
        ]

    def _close(self) -> None:
        for files in self._files:
            files.close()


def _pixels(spots: Sequence[Spot]) -> PixelTable:
    most = max(spot.place.region for spot in spots)
    names = [f"R{k:02d}" for k in range(most + 1)] if most < _MOST_NAMED else []
    if names:
        for spot in spots:
            if spot.listed is not None and spot.listed.region_name:
                names[spot.place.region] = spot.listed.region_name
    return PixelTable.of(
        [spot.place.x for spot in spots],
        [spot.place.y for spot in spots],
        [spot.place.z for spot in spots],
        [spot.place.region for spot in spots],
        names,
    )


def _identity(found: Spots, one: Measurement) -> str:
    """Return what changes when one of the files does."""
    said = [
        (spot.name, size, time)
        for spot, size, time in zip(one.spots, one.sizes, one.times_ns, strict=True)
    ]
    digest = hashlib.sha256(repr(said).encode()).hexdigest()
    return f"bruker|{found.folder.resolve()}|{one.name}|{digest}"
