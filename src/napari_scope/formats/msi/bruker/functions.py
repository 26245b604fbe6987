"""The static functions of OpenMSI's reader of Bruker flex files, by their names there.

Examples
--------
>>> acqu = FlexFunctions.s_read_acqu("0_A1/1/1SLin/acqu")  # doctest: +SKIP
>>> FlexFunctions.s_mz_from_acqu(acqu)[0]  # doctest: +SKIP
999.9387911775118
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_scope.formats.msi.bruker.acqu import read_acqu
from napari_scope.formats.msi.bruker.calibration import Calibration
from napari_scope.formats.msi.bruker.fid import read_fid
from napari_scope.formats.msi.bruker.measurements import measurements
from napari_scope.formats.msi.bruker.names import spot_folders
from napari_scope.formats.msi.bruker.pixel_maps import maps_of
from napari_scope.formats.msi.bruker.spots import NoSpotsError, find_spots

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from napari_scope.formats.msi.bruker.spots import Spots

    PathLike = str | os.PathLike[str]

__all__ = ["FlexFunctions"]


class FlexFunctions:
    """What can be read of Bruker flex files without opening an image."""

    @staticmethod
    def s_read_acqu(filename: PathLike) -> dict[str, Any]:
        """Return the parameters of an ``acqu`` file, with their types.

        Raises
        ------
        FormatError
            If it cannot be read.
        """
        return read_acqu(filename)

    @staticmethod
    def s_mz_from_acqu(acqu_dict: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """Return the m/z axis that parameters describe.

        Raises
        ------
        FormatError
            If a parameter that is needed is missing.
        """
        return Calibration.of(acqu_dict).axis().copy()

    @staticmethod
    def s_read_fid(
        filename: PathLike, data_type: str = "int32", selection: Any = slice(None)
    ) -> npt.NDArray[Any]:
        """Return some values of a ``fid`` file.

        Raises
        ------
        FormatError
            If it cannot be read.
        IndexError
            If the selection does not fit its length.
        """
        return read_fid(filename, data_type, selection)

    @staticmethod
    def s_read_spotlist(spotlist_filename: PathLike) -> dict[str, Any]:
        """Return the maps of the pixels of a spot list.

        Raises
        ------
        NoSpotsError
            If there are no spots.
        """
        return _maps_of_first(find_spots(Path(spotlist_filename)))

    @staticmethod
    def s_spot_from_dir(in_dir: PathLike, spot_folder_only: bool = False) -> Any:
        """Return the maps of the pixels of a folder of spots.

        None if there are no spots; a list of their folders if only these are wanted.
        """
        folders = spot_folders(Path(in_dir))
        if not folders:
            return None
        try:
            found = find_spots(folders[0])
            if spot_folder_only:
                return [str(found.folder / spot.name) for spot in found.spots]
            return _maps_of_first(found)
        except NoSpotsError:
            return None


def _maps_of_first(found: Spots) -> dict[str, Any]:
    one = measurements(found)[0]
    return maps_of(str(found.folder), one.spots, one.folders_in(found.folder))
