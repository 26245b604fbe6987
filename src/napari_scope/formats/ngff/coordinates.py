"""The axes of a multiscale image, and the coordinates that it is shown in.

Up to version 0.5 an image has one list of axes, and its transformations lead to it.
Version 0.6 has named coordinate systems: the levels lead to the one of the image itself
and further transformations lead from there to others (a stage, an atlas). The image is
shown in the system that the first usable transformation leads to, as a registration is
kept in order to be seen; without any it is shown in its own.

Examples
--------
>>> found = coordinates_of({"axes": [{"name": "y"}, {"name": "x", "unit": "nm"}]}, 2)
>>> [(axis.name, axis.unit) for axis in found.axes]
[('y', None), ('x', 'nm')]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.transforms import compose, inverse
from napari_scope.model import Axis, axis_kind, short

__all__ = ["Coordinates", "Onward", "coordinates_of", "end_of"]

_OLD_AXES = "tczyx"  # versions 0.1 and 0.2 do not name them
_LONGEST_NAME = 100
_MOST = 256  # transformations of an image


@dataclass(frozen=True, slots=True)
class Coordinates:
    """What an image is shown in.

    Parameters
    ----------
    axes : tuple of Axis
        Name, kind and unit of each axis, in the order of the arrays.
    whole : object
        Transformations of the whole image, after those of a level.
    system : str
        Name of the coordinate system, empty where it has none.
    problems : tuple of str
        What could not be used.
    """

    axes: tuple[Axis, ...]
    whole: object = None
    system: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Onward:
    """How a scene, or the image of a segmentation, leads on to another system.

    Parameters
    ----------
    start : str
        Name of the system of the image, empty for the one it is in anyway.
    steps : tuple of (object, bool)
        Transformations as found, and whether they are taken forward or undone.
    system : str
        Name of the system that they lead to.
    axes : object
        Axes of that system as found, None where it is that of another image.
    names : tuple of str, optional
        Axes of the image that a segmentation follows: the only step is an affine of
        these, of which it takes what it has. Its own way to the system comes first.
    """

    start: str
    steps: tuple[tuple[object, bool], ...]
    system: str
    axes: object = None
    names: tuple[str, ...] | None = None

    def steps_for(self, axes: Sequence[Axis]) -> tuple[tuple[object, bool], ...]:
        """Return the steps for an image with these axes."""
        names = [axis.name for axis in axes]
        if self.names is None or list(self.names) == names:
            return self.steps
        ((entry, _),) = self.steps
        rows = entry["affine"] if isinstance(entry, Mapping) else []
        places = [self.names.index(n) if n in self.names else None for n in names]
        own: list[list[float]] = []
        for number, row in enumerate(places):
            if row is None:
                own.append([float(n == number) for n in range(len(names) + 1)])
            else:
                line = [0.0 if n is None else rows[row][n] for n in places]
                own.append([*line, rows[row][-1]])
        return (({"type": "affine", "affine": own}, True),)


def coordinates_of(
    multiscale: Mapping[str, object], ndim: int, onward: Onward | None = None
) -> Coordinates:
    """Return the axes and the whole transformation of an entry of ``multiscales``.

    Parameters
    ----------
    multiscale : mapping
        The entry as found.
    ndim : int
        Number of axes of its arrays.
    onward : Onward, optional
        What leads on from there in the scene that the image is a part of.

    Raises
    ------
    FormatError
        If the axes do not fit the arrays, or y and x are not among them.
    """
    whole = multiscale.get("coordinateTransformations")
    systems = multiscale.get("coordinateSystems")
    if isinstance(systems, list) and "axes" not in multiscale:
        return _of_systems(multiscale, systems, whole, ndim, onward)
    axes = _axes(multiscale.get("axes"), ndim)
    before = whole if isinstance(whole, list) else []
    if onward is not None:
        found = _shown_in(
            axes, onward.axes, onward.system, before, onward.steps_for(axes)
        )
        if isinstance(found, Coordinates):
            return found
        return Coordinates(axes, whole, "", tuple(found))
    return Coordinates(axes, whole)


def _of_systems(
    multiscale: Mapping[str, object],
    systems: list[object],
    whole: object,
    ndim: int,
    onward: Onward | None,
) -> Coordinates:
    """Return the coordinates of version 0.6."""
    axes_of: dict[str, object] = {}
    for system in systems:
        if isinstance(system, Mapping) and isinstance(system.get("name"), str):
            axes_of.setdefault(system["name"], system.get("axes"))
    own = _own_system(multiscale, axes_of)
    axes = _axes(axes_of.get(own), ndim)
    problems: list[str] = []
    ways: list[tuple[str, bool, object]] = []
    for entry in (whole if isinstance(whole, list) else [])[:_MOST]:
        way = _leading_on(entry, own)
        if way is None:
            problems.append(
                f"the transformation {str(entry)[:80]} is not used: it does not lead "
                f"from {own!r} to another system of this image"
            )
        elif way[0] != own:  # else to that of a segmentation, which is the same
            ways.append((*way, entry))
    if onward is not None and onward.names is not None:
        if onward.system in {name for name, _, _ in ways}:
            onward = None
    if onward is not None:
        start = [(entry, way) for name, way, entry in ways if name == onward.start][:1]
        if start or onward.start in ("", own):
            steps = (*start, *onward.steps_for(axes))
            found = _shown_in(axes, onward.axes, onward.system, [], steps)
            if isinstance(found, Coordinates):
                return found
            problems += found
        else:
            problems.append(f"nothing leads to the system {onward.start!r} of a scene")
    for name, forward, entry in ways:
        found = _shown_in(axes, axes_of.get(name), name, [], [(entry, forward)])
        if isinstance(found, Coordinates):
            return replace(found, problems=tuple(problems))
        problems += found
    return Coordinates(axes, None, own, tuple(problems))


def _shown_in(
    axes: tuple[Axis, ...],
    entries: object,
    system: str,
    before: list[object],
    steps: Sequence[tuple[object, bool]],
) -> Coordinates | list[str]:
    """Return an image in another system, or why it cannot be shown there.

    The axes keep the order of the arrays; those of the other system are found by their
    names, or by their order where they have other ones. Lengths are in its units.
    """
    ndim = len(axes)
    whole = [*before]
    for entry, forward in steps:
        whole += [entry] if forward else inverse(entry, ndim)
    try:
        there = axes if entries is None else _axes(entries, ndim)
    except FormatError as error:
        return [f"the system {system!r} is not used: {error.message}"]
    names = [axis.name for axis in there]
    if sorted(names) == sorted(axis.name for axis in axes):
        order = [names.index(axis.name) for axis in axes]
        if order != list(range(ndim)):
            whole.append({"type": "mapAxis", "mapAxis": order})
            there = tuple(there[number] for number in order)
    found = compose(ndim, whole)
    if found.problems:
        return list(found.problems)
    renamed = tuple(
        Axis(a.name, a.kind, b.unit) for a, b in zip(axes, there, strict=True)
    )
    return Coordinates(renamed, whole, system)


def _own_system(multiscale: Mapping[str, object], axes_of: Mapping[str, object]) -> str:
    """Return the name of the system that the levels lead to, else the first."""
    datasets = multiscale.get("datasets")
    first = datasets[0] if isinstance(datasets, list) and datasets else None
    steps = first.get("coordinateTransformations") if isinstance(first, dict) else None
    for step in steps if isinstance(steps, list) else ():
        name, _ = end_of(step, "output")
        if name in axes_of:
            return name
    return next(iter(axes_of), "")


def _leading_on(entry: object, own: str) -> tuple[str, bool] | None:
    """Return where a transformation leads from the image's own system, and which way.

    None where it does not; the own system where nothing needs to be done.
    """
    (start, start_path), (end, end_path) = (
        end_of(entry, "input"),
        end_of(entry, "output"),
    )
    if start_path or end_path:
        # To a segmentation below the image: what is the same needs nothing done.
        kind = entry.get("type") if isinstance(entry, Mapping) else None
        return (own, True) if kind == "identity" else None
    if start == own and end and end != own:
        return end, True
    if end == own and start and start != own:
        return start, False
    return None


def end_of(entry: object, key: str) -> tuple[str, str]:
    """Return name and path of an end of a transformation; drafts gave the name only."""
    end = entry.get(key) if isinstance(entry, Mapping) else None
    if isinstance(end, str):
        return end, ""
    if not isinstance(end, Mapping):
        return "", ""
    name, path = end.get("name"), end.get("path")
    # A level names its own array in ``input``; that says nothing new.
    return (
        name if isinstance(name, str) else "",
        path if isinstance(path, str) and path not in (".", "./") else "",
    )


def _axes(entries: object, ndim: int) -> tuple[Axis, ...]:
    """Return name, kind and unit of each axis."""
    if entries is None and ndim <= len(_OLD_AXES):
        entries = list(_OLD_AXES[-ndim:])
    if not isinstance(entries, list) or len(entries) != ndim or ndim < 2:
        raise FormatError(
            f"the axes {str(entries)[:80]} do not fit an array of {ndim} axes"
        )
    described: list[Axis] = []
    for number, entry in enumerate(entries):
        fields = entry if isinstance(entry, dict) else {"name": entry}
        name, kind, unit = (fields.get(key) for key in ("name", "type", "unit"))
        text = str(number)
        if isinstance(name, str) and name:
            text = short(name.lower())[:_LONGEST_NAME]
        # The type decides what a channel or time axis of another name is.
        for wanted, brief in (("channel", "c"), ("time", "t")):
            if kind == wanted and not any(d.name == brief for d in described):
                text = brief
        unit = unit if isinstance(unit, str) and unit else None
        described.append(Axis(text, axis_kind(text), unit))
    if not {"y", "x"} & {axis.name for axis in described}:
        # The names of the axes in space are free in the standard; order is not.
        for place, brief in ((-2, "y"), (-1, "x")):
            described[place] = Axis(brief, "space", described[place].unit)
    names = [axis.name for axis in described]
    if not {"y", "x"} <= set(names) or len(set(names)) != ndim:
        raise FormatError(
            f"each axis must be named once, y and x among them, not {names}"
        )
    return tuple(described)
