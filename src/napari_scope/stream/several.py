"""Several outputs of one stream: the settings of each, and that they are of one run.

The first settings say what the run is. A further output is named by a path, whose
suffix chooses the format, by the fields that differ, or by whole settings. What may
differ is where and how the frames are stored; what they are may not.

Examples
--------
>>> from napari_scope.stream import AcquisitionSettings, dims_from_standard_axes
>>> run = AcquisitionSettings(
...     root_path="a.ome.zarr",
...     dtype="uint16",
...     compression="blosc-lz4",
...     dimensions=dims_from_standard_axes({"t": 2, "y": 64, "x": 64}),
... )
>>> second = also_stored(run, "b.ome.tiff")
>>> second.format_name, second.compression, second.shape
('ome-tiff', None, (2, 64, 64))
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from napari_scope.errors import SettingsError
from napari_scope.stream.output_format import chosen_format
from napari_scope.stream.resume_plan import differences, plan_of
from napari_scope.stream.settings import AcquisitionSettings

__all__ = ["Also", "also_stored"]

Also: TypeAlias = str | Path | Mapping[str, object] | AcquisitionSettings
"""A further output: a path, fields of the settings that differ, or whole settings."""


def also_stored(first: AcquisitionSettings, also: Also) -> AcquisitionSettings:
    """Return the settings of a further output.

    Parameters
    ----------
    first : AcquisitionSettings
        The settings of the run.
    also : str, Path, mapping or AcquisitionSettings
        The output. The codec and the order of storage of ``first`` are taken over only
        where the format is the same, or where they are given.

    Raises
    ------
    SettingsError
        If it would not store the same frames.
    pydantic.ValidationError
        If it cannot be stored like this.
    """
    if isinstance(also, str | Path):
        also = {"root_path": also}
    if isinstance(also, Mapping):
        second = AcquisitionSettings.from_any(first, **_fields(first, also))
    else:
        second = AcquisitionSettings.from_any(also)
    _check(first, second)
    return second


def _fields(
    first: AcquisitionSettings, also: Mapping[str, object]
) -> dict[str, object]:
    fields: dict[str, object] = {"format": "auto", **also}
    root = fields.setdefault("root_path", "")
    if not isinstance(root, str | Path):
        raise SettingsError(f"root_path={root!r} is not a path")
    found = chosen_format(root, fields["format"])
    if found is not None and found.name != first.format_name:
        fields = {"compression": None, "storage_order": "ome", **fields}
    return fields


def _check(first: AcquisitionSettings, second: AcquisitionSettings) -> None:
    plans = [_frames(first), _frames(second)]
    if plans[0] == plans[1]:
        return
    told = differences(*plans) or ["their first dimensions have other lengths"]
    raise SettingsError(
        f"the outputs do not store the same: {'; '.join(told)}",
        path=second.output_path,
        hint="only where and how frames are stored may differ between outputs",
    )


def _frames(settings: AcquisitionSettings) -> dict[str, Any]:
    """Return the plan of a run without how it is stored."""
    plan = plan_of(settings.to_spec())
    del plan["storage"]
    images = [{**image, "name": ""} for image in plan["images"]]
    return {**plan, "images": images}
