"""Which spots a path stands for, and where the files of each measurement lie.

A path is a spot list, a folder of spots, the folder around it, or a folder of such
samples; or one spot, or one spectrum of it, that somebody picked out. The spots of a
list lie in the folder beside it that has its name; where there is none, in the folder
whose spots fit best. Lists and folders that contradict each other are told, what they
agree on is there. What lies below the spots is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.msi.bruker.names import (
    LIST_SUFFIX,
    SpotName,
    has_spots,
    lists_in,
    parse_spot,
    samples_in,
    spot_folders,
    spot_names,
)
from napari_scope.formats.msi.bruker.single import find_single
from napari_scope.formats.msi.bruker.spot_list import few, read_spot_list

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_scope.formats.msi.bruker.single import SingleSpot
    from napari_scope.formats.msi.bruker.spot_list import ListedSpot

__all__ = ["NoSpotsError", "Spot", "Spots", "find_spots", "folder_of_list"]


class NoSpotsError(FormatError, ValueError):
    """A path has no spots."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A spot with a folder.

    Parameters
    ----------
    name : str
        Name of its folder.
    place : SpotName
        Where it lies.
    listed : ListedSpot, optional
        Its line of the spot list, if there is a list.
    """

    name: str
    place: SpotName
    listed: ListedSpot | None = None


@dataclass(frozen=True)
class Spots:
    """The spots that a path stands for.

    Parameters
    ----------
    folder : Path
        The folder with the folders of the spots.
    spots : sequence of Spot
        The spots, by region, y and x.
    is_image : bool
        Whether their names say where they lie. If not they are in a row.
    spot_list : Path, optional
        The list that they were chosen by.
    problems : list of str
        What was wrong, in words.
    only : tuple of str
        Where the measurements that are meant lie below the spots; empty for all.
    """

    folder: Path
    spots: Sequence[Spot]
    is_image: bool = True
    spot_list: Path | None = None
    problems: list[str] = field(default_factory=list)
    only: tuple[str, ...] = ()


def find_spots(path: Path, spot_folder: Path | None = None) -> Spots:
    """Return the spots that a path stands for.

    Parameters
    ----------
    path : Path
        A spot list, a folder of spots, or the folder around it; one spot or spectrum.
    spot_folder : Path, optional
        The folder with the spots of a list, where it cannot be found.

    Raises
    ------
    NoSpotsError
        If there are none.
    FormatError
        If the list cannot be read.
    """
    single = find_single(path) if spot_folder is None else None
    if single is not None:
        if not single.is_flex:
            raise NoSpotsError(
                "the parameters (acqu) beside 'fid' are missing, or are not of a flex "
                "instrument",
                path=path,
            )
        return _of_single(single)
    if path.is_file():
        return _of_list(path, spot_folder)
    folders = [spot_folder] if spot_folder is not None else spot_folders(path)
    samples = [] if folders else samples_in(path)
    if samples:
        found = find_spots(samples[0])
        _tell_others(found, [other.name for other in samples[1:]])
        return found
    if not folders:
        raise NoSpotsError(
            "no spots with a file 'fid' were found", path=path,
            hint="they lie in folders such as 0_R00X012Y006/1/1SLin",
        )  # fmt: skip
    lists = [] if path in folders else lists_in(path)
    for spot_list in lists:
        try:
            found = _of_list(spot_list, spot_folder)
        except FormatError as error:
            if spot_list == lists[-1]:
                found = _of_folder(folders[0])
                found.problems.append(f"the spot list is not used: {error}")
                return found
        else:
            _tell_others(found, [p.name for p in lists if p != spot_list])
            return found
    found = _of_folder(folders[0])
    _tell_others(found, [other.name for other in folders[1:]])
    return found


def _of_single(single: SingleSpot) -> Spots:
    name = single.folder.name
    place = parse_spot(name)
    return Spots(
        single.folder.parent,
        [Spot(name, place or SpotName(0, 0, 0))],
        is_image=place is not None,
        only=single.below,
    )


def folder_of_list(path: Path) -> Path | None:
    """Return the folder with the spots of a list, None if there is none.

    Raises
    ------
    FormatError
        If the list cannot be read.
    """
    named = _named_folder(path)
    return named or _fitting_folder(path, read_spot_list(path)[0])


def _tell_others(found: Spots, names: list[str]) -> None:
    if names:
        found.problems.append(
            f"{found.folder.name} is opened; there are also {few(names)}, to be opened "
            "alone"
        )


def _names_in(folder: Path) -> tuple[list[tuple[str, SpotName]], list[str]]:
    try:
        return spot_names(folder)
    except OSError as error:
        raise FormatError(
            f"the folder cannot be listed: {error.strerror}", path=folder
        ) from error


def _of_folder(folder: Path) -> Spots:
    imaged, plate = _names_in(folder)
    if imaged:
        found = Spots(folder, [Spot(name, place) for name, place in imaged])
        if plate:
            found.problems.append(
                "spots without x and y in their names, passed over: "
                f"{len(plate)} ({few(plate)})"
            )
        _tell_shared_places(found)
        return found
    if not plate:
        raise NoSpotsError("there are no spots in the folder", path=folder)
    row = [Spot(name, SpotName(0, x, 0)) for x, name in enumerate(plate)]
    problem = (
        f"the names of the spots have no x and y ({few(plate)}): they are no image and "
        "are shown in a row, in the order of their names"
    )
    return Spots(folder, row, is_image=False, problems=[problem])


def _tell_shared_places(found: Spots) -> None:
    places = {spot.place.place[1:] for spot in found.spots}
    if len(places) < len(found.spots):
        found.problems.append(
            "spots that lie where another one lies, of another chip or region: "
            f"{len(found.spots) - len(places)}; images show the last one of each place"
        )


def _of_list(path: Path, spot_folder: Path | None) -> Spots:
    listed, problems = read_spot_list(path)
    if not listed:
        raise NoSpotsError("the spot list has no spot of an image", path=path)
    folder = spot_folder or _named_folder(path) or _fitting_folder(path, listed)
    if folder is None:
        raise NoSpotsError(
            f"no folder with the spots of the list was found in {path.parent}",
            path=path,
            hint="put it beside the list, or name it by spot_folder= in Python",
        )
    by_place: dict[tuple[int, int, int, int], list[tuple[str, SpotName]]] = {}
    for name, place in _names_in(folder)[0]:
        by_place.setdefault(place.place, []).append((name, place))
    spots, missing = [], []
    used: set[str] = set()
    for one in listed:
        there = by_place.get(one.spot.place, [])
        # A name without a chip stands for whichever is there.
        exact = [name for name, _ in there if name == one.name]
        names = exact or [name for name, _ in there]
        if not names:
            missing.append(one.name)
            continue
        used.add(names[0])
        spots.append(Spot(names[0], one.spot, one))
    rest = [
        name for names in by_place.values() for name, _ in names if name not in used
    ]
    if missing:
        problems.append(
            f"spots of the list without a folder: {len(missing)} ({few(missing)})"
        )
    if rest:
        problems.append(
            f"spots in {folder.name} that are not in the list and not shown: "
            f"{len(rest)} ({few(rest)}); open the folder itself to see them"
        )
    if not spots:
        raise NoSpotsError(
            f"no spot of the list is in the folder {folder.name}", path=path
        )
    spots.sort(key=lambda spot: spot.place.order)
    found = Spots(folder, spots, spot_list=path, problems=problems)
    _tell_shared_places(found)
    return found


def _named_folder(path: Path) -> Path | None:
    """Return the folder with spots beside a list that has its name."""
    name = path.name.lower()
    if not name.endswith(LIST_SUFFIX) or name == LIST_SUFFIX:
        return None
    named = path.with_name(path.name[: -len(LIST_SUFFIX)])
    return named if has_spots(named) else None


def _fitting_folder(path: Path, listed: list[ListedSpot]) -> Path | None:
    """Return the folder beside a list that has most of its spots."""
    wanted = {one.spot.place for one in listed}
    best: tuple[int, Path] | None = None
    for folder in spot_folders(path.parent):
        count = len(wanted & {place.place for _, place in _names_in(folder)[0]})
        if count and (best is None or count > best[0]):
            best = count, folder
    return None if best is None else best[1]
