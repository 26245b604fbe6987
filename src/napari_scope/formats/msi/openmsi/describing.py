"""Metadata and dependencies of OpenMSI: what a file says of itself.

A value is a dataset in a group, with its unit, its meaning and its term of an ontology
as attributes; values that HDF5 has no type for are JSON. Names are those of the format;
ours, for what the format has no place for, are below.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.formats.msi.openmsi.h5 import (
    ATTRIBUTE,
    attribute,
    child,
    children,
    group_in,
    small_value,
)
from napari_scope.formats.msi.spectra import MetadataValue, PixelSize

if TYPE_CHECKING:
    from collections.abc import Mapping

    Metadata = dict[str, MetadataValue]

__all__ = [
    "NAME", "ORIGIN", "PIXEL", "PROFILE", "REGION", "REGION_NAMES",
    "dependency_groups", "metadata_of",
    "pixel_size_of", "read_dependency", "stored_text", "write_dependency",
    "write_metadata",
]  # fmt: skip

NAME: Final = "napari_scope_name"
ORIGIN: Final = "napari_scope_origin"
PIXEL: Final = "napari_scope_pixel_size"
PROFILE: Final = "napari_scope_is_profile"
REGION: Final = "napari_scope_region"
REGION_NAMES: Final = "napari_scope_region_names"

_DEPENDENCY: Final = (
    "parameter_name", "selection", "main_name", "data_name", "dependency_type",
)  # fmt: skip
_MOST_ATTRIBUTE: Final = 15_000  # letters; HDF5 takes 64 kB for all of an object
_MOST_NAME: Final = 1000
_OF_SEED: Final = "parameter, link, co_modality, subset, contains".split(", ")


def metadata_of(group: Any, problems: list[str]) -> Metadata:
    """Return the values of a group by name; None gives nothing.

    What is too large, damaged or a link is left out, and told.
    """
    found: Metadata = {}
    if group is None:
        return found
    for name in children(group):
        value = child(group, name, problems)
        if value is None or not hasattr(value, "dtype"):
            continue
        try:
            found[attribute(value, "key") or name] = _value(value)
        except (FormatError, OSError, RuntimeError, ValueError, TypeError) as error:
            words = error.message if isinstance(error, FormatError) else str(error)
            problems.append(f"metadata {group.name}/{name} is left out: {words}")
    return found


def _value(dataset: Any) -> MetadataValue:
    value = small_value(dataset)
    marked = dataset.attrs.get("isjson", False)
    if bool(np.asarray(marked).reshape(-1)[:1].any()) and isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"it is no JSON, {error}") from error
    return MetadataValue(
        value,
        attribute(dataset, "unit"),
        attribute(dataset, "description"),
        _accession(attribute(dataset, "ontology")),
    )


def _accession(text: str) -> str:
    """Return the accession of a term that may be JSON.

    Examples
    --------
    >>> (
    ...     _accession('{"accession": "MS:1000130", "name": "positive"}'),
    ...     _accession("null"),
    ... )
    ('MS:1000130', '')
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(found, dict):
        for key in ("accession", "id", "uri", "name"):
            if isinstance(found.get(key), str):
                return str(found[key])
        return text if found else ""
    return found if isinstance(found, str) else ""


def write_metadata(group: Any, values: Mapping[str, MetadataValue], h5py: Any) -> None:
    """Write values into a group, as `metadata_of` reads them."""
    text = h5py.string_dtype("utf-8")
    for key, value in values.items():
        content = value.value
        plain = isinstance(content, str | bool | int | float)
        is_odd = isinstance(content, str) and stored_text(content) != content
        is_long = isinstance(content, int) and not -(1 << 63) <= content < 1 << 63
        as_json = not plain or is_odd or is_long
        name = stored_text(key).replace("/", "_")[:_MOST_NAME] or "_"
        if name in (".", "..") or name in group:
            name = f"{name}_{len(group)}"
        if as_json or isinstance(content, str):
            written = json.dumps(content, default=_native) if as_json else content
            dataset = group.create_dataset(name, data=written, dtype=text)
        else:
            dataset = group.create_dataset(name, data=content)
        if name != key:
            dataset.attrs["key"] = _of_attribute(key)
        dataset.attrs["description"] = _of_attribute(value.description)
        dataset.attrs["unit"] = _of_attribute(value.unit)
        dataset.attrs["ontology"] = _of_attribute(json.dumps(value.ontology or None))
        dataset.attrs["isjson"] = as_json


def stored_text(text: str) -> str:
    r"""Return a text without what HDF5 cannot hold in one: zeros, halves of letters.

    Examples
    --------
    >>> stored_text("a\0b\udc80 µ")
    'ab? µ'
    """
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _of_attribute(text: str) -> str:
    return stored_text(text)[:_MOST_ATTRIBUTE]


def _native(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def pixel_size_of(metadata: Metadata) -> PixelSize | None:
    """Take the size of a pixel out of the metadata, if it is there."""
    stated = metadata.pop(PIXEL, None)
    if stated is None or not isinstance(stated.value, list):
        return None
    try:
        numbers = [float(number) for number in stated.value]
    except (TypeError, ValueError):
        return None
    if len(numbers) != 6 or not np.isfinite(numbers).all() or min(numbers[:3]) <= 0:
        return None
    return PixelSize(*numbers)


def read_dependency(group: Any, problems: list[str]) -> dict[str, Any] | None:
    """Return an entry of a group ``dependency``, with the keys of the format."""
    found: dict[str, Any] = {"help": attribute(group, "help")}
    for name in _DEPENDENCY:
        value = child(group, name, problems)
        content: Any = ""
        if value is not None and hasattr(value, "dtype"):
            try:
                content = small_value(value)
            except FormatError as error:
                problems.append(error.message)
            found["help"] = found["help"] or attribute(value, "help")
        found[name] = content if isinstance(content, str) else json.dumps(content)
    return found if found["main_name"] or found["parameter_name"] else None


def write_dependency(
    group: Any, main_name: str, dependency: Mapping[str, Any], h5py: Any
) -> None:
    """Write an entry: a dict as `MSIReader.get_dataset_dependencies` has them.

    Parameters
    ----------
    group : h5py.Group
        The new group of the entry.
    main_name : str
        Path of what is depended on, in the file.
    dependency : mapping
        The keys ``link_name``, ``dependency_type`` and ``help`` are used.
    h5py : module
        h5py.
    """
    text = h5py.string_dtype("utf-8")
    kind = dependency.get("dependency_type") or ""
    content = {
        "parameter_name": dependency.get("link_name") or group.name.rsplit("/", 1)[1],
        "selection": dependency.get("selection") or "",
        "main_name": main_name,
        "data_name": dependency.get("data_name") or "",
        "dependency_type": kind if kind in _OF_SEED else "undefined",
    }
    group.attrs[ATTRIBUTE] = "dependency"
    group.attrs["help"] = _of_attribute(str(dependency.get("help") or ""))
    for name, value in content.items():
        group.create_dataset(name, data=stored_text(str(value)), dtype=text)


def dependency_groups(group: Any, problems: list[str]) -> list[Any]:
    """Return the entries of the group ``dependency`` of a data set."""
    whole = group_in(group, "dependency", problems)
    if whole is None:
        return []
    found = [group_in(whole, name, problems) for name in children(whole)]
    return [one for one in found if one is not None]
