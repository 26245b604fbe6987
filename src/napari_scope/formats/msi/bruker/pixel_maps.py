"""Maps of the pixels of spots, by the names that OpenMSI has for them.

Examples
--------
>>> from napari_scope.formats.msi.bruker.names import SpotName
>>> from napari_scope.formats.msi.bruker.spots import Spot
>>> maps = maps_of("a", [Spot("0_R00X5Y2", SpotName(0, 5, 2))], ["a/0_R00X5Y2/1/1SLin"])
>>> maps["xpos"].tolist(), maps["origin"], maps["fid"].tolist()
([[5]], (5, 2, 0), [['a/0_R00X5Y2/1/1SLin/fid']])
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.formats.msi.pixels import PixelTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.formats.msi.bruker.spots import Spot

__all__ = ["maps_of"]


def maps_of(
    folder: str, spots: Sequence[Spot], folders: Sequence[str]
) -> dict[str, Any]:
    """Return the maps of spots.

    Parameters
    ----------
    folder : str
        The folder with the spots.
    spots : sequence of Spot
        The spots.
    folders : sequence of str
        The folder with the files of each.

    Returns
    -------
    dict
        ``fid``, ``acqu``, ``spotname``, ``regions`` (from 0), ``regions_in_list``
        (from 1), ``xpos`` and ``ypos`` are masked arrays (x, y), of a volume (x, y, z),
        masked where there is no spot. The positions are those of the spot list, or x
        and y where there is none. ``spotfolder`` is the folder with the spots,
        ``origin`` the x, y and z of the first place of the maps.
    """
    table = PixelTable.of(
        [spot.place.x for spot in spots],
        [spot.place.y for spot in spots],
        [spot.place.z for spot in spots],
    )
    grid = table.grid.transpose(2, 1, 0)
    if not table.is_volume:
        grid = grid[:, :, 0]
    listed = [spot.listed for spot in spots]
    columns: dict[str, list[Any]] = {
        "fid": [os.path.join(one, "fid") for one in folders],
        "acqu": [_acqu_in(one) for one in folders],
        "spotname": [spot.name for spot in spots],
        "regions": [spot.place.region for spot in spots],
        "regions_in_list": [
            spot.place.region + 1 if one is None or one.region is None else one.region
            for spot, one in zip(spots, listed, strict=True)
        ],
        "xpos": [s.place.x if s.listed is None else s.listed.xpos for s in spots],
        "ypos": [s.place.y if s.listed is None else s.listed.ypos for s in spots],
    }
    maps: dict[str, Any] = {
        "spotfolder": folder,
        "origin": table.origin,
    }
    for name, values in columns.items():
        # What is masked has the value of the last spot beneath.
        maps[name] = np.ma.masked_array(np.array(values)[grid], mask=grid < 0)
    return maps


def _acqu_in(folder: str) -> str:
    plain = os.path.join(folder, "acqu")
    return plain if os.path.isfile(plain) else plain + "s"
