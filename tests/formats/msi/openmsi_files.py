"""Makes OpenMSI files with h5py alone, as the format is described: no writer of ours.

No public file of this format is known to us.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

TEXT = h5py.string_dtype("utf-8")


def new_file(path: Path) -> h5py.File:
    """Return a file with a root as the format has it."""
    file = h5py.File(path, "w")
    file.attrs["omsi_type"] = "omsi_file"
    file.attrs["version"] = "0.1"
    file.attrs["timestamp"] = "2014-05-06 12:00:00"
    return file


def add_experiment(file: h5py.File, identifier: str = "brain") -> h5py.Group:
    """Add a group entry_<i>."""
    entry = file.create_group(f"entry_{len(file)}")
    entry.attrs["omsi_type"] = "omsi_file_experiment"
    entry.create_dataset("experiment_identifier", data=identifier, dtype=TEXT)
    return entry


def add_group(entry: h5py.Group, layout: str, mz: npt.ArrayLike) -> h5py.Group:
    """Add a group data_<j> with a layout and an m/z axis."""
    number = sum(name.startswith("data_") for name in entry)
    group = entry.create_group(f"data_{number}")
    group.attrs["omsi_type"] = "omsi_file_msidata"
    group.create_dataset("format", data=[layout], dtype=TEXT)
    group.create_dataset("mz", data=np.asarray(mz))
    return group


def add_full(
    entry: h5py.Group,
    cube: npt.NDArray[Any],
    mz: npt.ArrayLike,
    chunks: tuple[tuple[int, ...] | None, ...] = (None,),
) -> h5py.Group:
    """Add a full cube (x, y, m/z), once for each way to cut it."""
    group = add_group(entry, "full_cube", mz)
    for number, cut in enumerate(chunks):
        group.create_dataset(f"data_{number}", data=cube, chunks=cut)
    return group


def add_partial(
    entry: h5py.Group,
    rows: npt.NDArray[Any],
    places: npt.NDArray[np.int64],
    shape: tuple[int, ...],
    mz: npt.ArrayLike,
) -> h5py.Group:
    """Add rows at some places."""
    group = add_group(entry, "partial_cube", mz)
    group.create_dataset("data_0", data=rows)
    index = np.full(shape, -1)
    index[tuple(places.T)] = np.arange(len(rows))
    group.create_dataset("xyindex", data=index)
    group.create_dataset("inv_xy_index", data=places)
    group.create_dataset("shape", data=np.array([*shape, rows.shape[1]]))
    return group


def add_sparse(
    entry: h5py.Group,
    spectra: Mapping[tuple[int, ...], tuple[list[int], list[float]]],
    shape: tuple[int, ...],
    mz: npt.ArrayLike,
    dtype: str = "f4",
) -> h5py.Group:
    """Add spectra, each by the numbers of its m/z values and its intensities."""
    group = add_group(entry, "partial_spectra", mz)
    begin, end = np.full(shape, -1), np.full(shape, -1)
    data: list[float] = []
    index: list[int] = []
    for place, (numbers, values) in spectra.items():
        begin[place] = len(data)
        data += values
        index += numbers
        end[place] = len(data)
    group.create_dataset("data_0", data=np.array(data, dtype))
    group.create_dataset("mz_index", data=np.array(index, "u4"))
    group.create_dataset("xyindex", data=begin)
    group.create_dataset("xyindexend", data=end)
    group.create_dataset("shape", data=np.array([*shape, np.size(mz)]))
    return group


def add_value(
    group: h5py.Group,
    name: str,
    value: Any,
    *,
    unit: str = "",
    description: str = "",
    ontology: Any = None,
) -> None:
    """Add a value of the metadata; lists and dicts as JSON."""
    as_json = isinstance(value, list | dict)
    content = json.dumps(value) if as_json else value
    dtype = TEXT if isinstance(content, str) else None
    dataset = group.create_dataset(name, data=content, dtype=dtype)
    dataset.attrs["unit"] = unit
    dataset.attrs["description"] = description
    dataset.attrs["ontology"] = json.dumps(ontology)
    dataset.attrs["isjson"] = as_json


def add_dependency(
    group: h5py.Group, main_name: str, parameter: str, kind: str, text: str = ""
) -> None:
    """Add an entry to the group dependency of a data set."""
    one = group.require_group("dependency").create_group(parameter)
    for name, value in (
        ("parameter_name", parameter), ("selection", ""), ("main_name", main_name),
        ("data_name", "data_0"), ("dependency_type", kind),
    ):  # fmt: skip
        one.create_dataset(name, data=value, dtype=TEXT)
    one.attrs["help"] = text
