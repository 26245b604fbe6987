"""Micro-Manager's position lists as json: its property maps, and those of 1.4.

A property map says of each value its type and whether it is one (``scalar``) or several
(``array``). Of a position it holds the place of each stage: two numbers for an XY
stage, one for a focus drive. Here they become plain mappings with the names of useq's
positions, which the caller checks.

It knows nothing of files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_scope.errors import PlanError

if TYPE_CHECKING:
    import useq

__all__ = ["from_legacy", "from_property_map", "to_map"]

_FORMAT = "Micro-Manager Property Map"

Entries = tuple[list[dict[str, Any]], tuple[str, ...]]


def from_property_map(data: Mapping[str, Any]) -> Entries:
    """Return the positions of a list of Micro-Manager 2, and what was left out."""
    found = data["map"]
    stored = found.get("StagePositions") if isinstance(found, Mapping) else None
    if stored is None:
        raise PlanError("this property map of Micro-Manager holds no StagePositions")
    entries: list[dict[str, Any]] = []
    left: set[str] = set()
    for number, item in enumerate(_several(stored)):
        if not isinstance(item, Mapping):
            raise PlanError(f"position {number} is no property map, found {item!r:.60}")
        places: list[tuple[str, list[float]]] = []
        for device in _several(item.get("DevicePositions", {})):
            if not isinstance(device, Mapping):
                raise PlanError(f"position {number} has a device that is no map")
            name = str(_one(device.get("Device", "")))
            numbers = _numbers(_several(device.get("Position_um", {})), number, name)
            places.append((name, numbers))
        entry = _placed(
            number,
            places,
            str(_one(item.get("DefaultXYStage", ""))),
            str(_one(item.get("DefaultZStage", ""))),
            left,
        )
        _named(entry, _one(item.get("Label", "")))
        _in_grid(entry, _one(item.get("GridRow")), _one(item.get("GridCol")))
        entries.append(entry)
    return entries, _notes(left)


def from_legacy(data: Mapping[str, Any]) -> Entries:
    """Return the positions of a list of Micro-Manager 1.4, and what was left out."""
    stored = data["POSITIONS"]
    if not isinstance(stored, list):
        raise PlanError(f"POSITIONS is no list, found {type(stored).__name__}")
    entries: list[dict[str, Any]] = []
    left: set[str] = set()
    for number, item in enumerate(stored):
        devices = item.get("DEVICES") if isinstance(item, Mapping) else None
        if not isinstance(devices, list):
            raise PlanError(f"position {number} has no list of DEVICES")
        places: list[tuple[str, list[float]]] = []
        for device in devices:
            if not isinstance(device, Mapping):
                raise PlanError(f"position {number} has a device that is no mapping")
            name = str(device.get("DEVICE", ""))
            axes = device.get("AXES", 2)
            if axes not in (1, 2, 3):
                raise PlanError(f"position {number}: {name} has {axes!r:.20} axes")
            numbers = [device.get(key, 0.0) for key in ("X", "Y", "Z")[:axes]]
            places.append((name, _numbers(numbers, number, name)))
        entry = _placed(
            number,
            places,
            str(item.get("DEFAULT_XY_STAGE") or ""),
            str(item.get("DEFAULT_Z_STAGE") or ""),
            left,
        )
        _named(entry, item.get("LABEL"))
        _in_grid(entry, item.get("GRID_ROW"), item.get("GRID_COL"))
        entries.append(entry)
    return entries, _notes(left)


def to_map(
    places: Sequence[useq.AbsolutePosition], xy_device: str, z_device: str
) -> dict[str, Any]:
    """Return a list of positions as a property map of Micro-Manager 2.

    Raises
    ------
    PlanError
        If a position has x without y.
    """
    stored = []
    for number, place in enumerate(places):
        if (place.x is None) != (place.y is None):
            raise PlanError(
                f"position {number} has only one of x and y",
                hint="Micro-Manager moves both axes of an XY stage",
            )
        devices = []
        if place.z is not None:
            devices.append(_device(z_device, [place.z]))
        for name, what, value in place.properties or ():
            if what == "Position":
                devices.append(_device(str(name), [float(value)]))
        if place.x is not None and place.y is not None:
            devices.append(_device(xy_device, [place.x, place.y]))
        stored.append(
            {
                "DefaultXYStage": _string(xy_device if place.x is not None else ""),
                "DefaultZStage": _string(z_device if place.z is not None else ""),
                "DevicePositions": {"type": "PROPERTY_MAP", "array": devices},
                "GridCol": {"type": "INTEGER", "scalar": place.grid_col or 0},
                "GridRow": {"type": "INTEGER", "scalar": place.grid_row or 0},
                "Label": _string(place.name or f"Pos{number}"),
                "Properties": {"type": "PROPERTY_MAP", "scalar": {}},
            }
        )
    return {
        "encoding": "UTF-8",
        "format": _FORMAT,
        "major_version": 2,
        "minor_version": 0,
        "map": {"StagePositions": {"type": "PROPERTY_MAP", "array": stored}},
    }


def _device(name: str, place: list[float]) -> dict[str, Any]:
    if not all(math.isfinite(value) for value in place):
        raise PlanError(f"{name} cannot be at {place}")
    return {
        "Device": _string(name),
        "Position_um": {"type": "DOUBLE", "array": place},
    }


def _string(text: str) -> dict[str, str]:
    return {"type": "STRING", "scalar": text}


def _several(value: object) -> list[Any]:
    """Return the values of an entry of a property map."""
    if isinstance(value, Mapping):
        if isinstance(value.get("array"), list):
            return list(value["array"])
        if "scalar" in value:
            return [value["scalar"]]
        if not value:
            return []
    raise PlanError(f"a value of the property map is no array, found {value!r:.60}")


def _one(value: object) -> Any:
    """Return the value of an entry of a property map; plain ones as they are."""
    if isinstance(value, Mapping):
        return value.get("scalar")
    return value


def _numbers(values: Iterable[object], number: int, name: str) -> list[float]:
    found = list(values)
    for value in found:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise PlanError(
                f"position {number}: {name or 'a stage'} is at {value!r:.40}"
            )
    return [float(value) for value in found]  # type: ignore[arg-type]


def _placed(
    number: int,
    places: Sequence[tuple[str, list[float]]],
    xy_name: str,
    z_name: str,
    left: set[str],
) -> dict[str, Any]:
    """Return x, y, z of the default stages, and the others as properties."""
    xy = [(name, place) for name, place in places if len(place) == 2]
    z = [(name, place) for name, place in places if len(place) == 1]
    if odd := [name for name, place in places if len(place) not in (1, 2)]:
        raise PlanError(
            f"position {number}: {odd[0] or 'a stage'} has neither 1 nor 2 axes"
        )
    entry: dict[str, Any] = {}
    if xy:
        name, (x, y) = next((p for p in xy if p[0] == xy_name), xy[0])
        entry |= {"x": x, "y": y}
        left |= {other for other, _ in xy if other != name}
    if z:
        name, (height,) = next((p for p in z if p[0] == z_name), z[0])
        entry["z"] = height
        others = [(other, "Position", at[0]) for other, at in z if other != name]
        if others:
            entry["properties"] = others
    if not entry:
        raise PlanError(f"position {number} has no stage")
    return entry


def _named(entry: dict[str, Any], label: object) -> None:
    if label:
        entry["name"] = str(label)


def _in_grid(entry: dict[str, Any], row: object, column: object) -> None:
    if isinstance(row, int) and isinstance(column, int) and (row or column):
        entry |= {"grid_row": row, "grid_col": column}


def _notes(left: set[str]) -> tuple[str, ...]:
    if not left:
        return ()
    names = ", ".join(sorted(left))
    return (f"positions of a second XY stage are left out: {names}",)
