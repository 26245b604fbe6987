"""The settings of a stream, with the field names of ome-writers.

`AcquisitionSettings` and its parts are checked when they are made: what cannot be
stored is refused at once, with a sentence that says what to change. `create_stream`
turns them into an open `Stream`.

Examples
--------
>>> settings = AcquisitionSettings(
...     root_path="run",
...     format="memory",
...     dtype="uint16",
...     dimensions=[
...         Dimension(name="t", count=3, type="time"),
...         Dimension(name="y", count=4),
...         Dimension(name="x", count=5),
...     ],
... )
>>> settings.shape
(3, 4, 5)
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, field_validator, model_validator

from napari_scope.errors import OutputExistsError, SettingsError
from napari_scope.stream.dimensions import Dimension
from napari_scope.stream.gaps import Gap
from napari_scope.stream.output_format import OutputFormat, chosen_format
from napari_scope.stream.outputs import FORMATS, FormatName, make_sink
from napari_scope.stream.samples import STRICT, Plate, Position
from napari_scope.stream.settings_check import (
    check_dimensions,
    check_gaps,
    check_plate,
    check_positions,
    codec_name,
    dtype_name,
    storage_names,
)
from napari_scope.stream.settings_spec import store_spec

if TYPE_CHECKING:
    from napari_scope.stream.spec import StoreSpec

__all__ = ["AcquisitionSettings"]


class AcquisitionSettings(BaseModel):
    """Everything that a stream needs to know before its first frame.

    Parameters
    ----------
    root_path : str or Path
        Where to store; the suffix chooses the format if ``format`` does not. ``~`` is
        the home folder. May be left out for frames that stay in memory.
    dimensions : list of Dimension
        Slowest first, the last two being ``y`` and ``x``.
    dtype : str
        Type of the pixels.
    format : str, mapping or OutputFormat
        ``"ome-zarr"``, ``"ome-tiff"``, ``"ndtiff"`` or ``"memory"``; a backend of
        ome-writers (``"tensorstore"``), which stands for the format that it writes;
        or a mapping with ``name``, ``backend`` and ``suffix``.
    compression : str, optional
        Codec, one of `COMPRESSIONS` for the format; None or ``"none"`` for none.
    storage_order : {"ome", "acquisition"} or list of str
        How the frames are ordered in the store: as OME wants it, as they come, or as
        listed.
    plate : Plate, optional
        The plate on which the positions lie.
    overwrite : bool
        Whether a store of the same format at the path is replaced. Anything else
        there is never touched.
    gaps : list of Gap
        Frames of the grid that will not come; they are noted as skipped at the start.

    Raises
    ------
    pydantic.ValidationError
        Saying what to change. It is a ValueError.
    """

    model_config = STRICT

    root_path: Path = Path()
    dimensions: tuple[Dimension, ...]
    dtype: str
    format: OutputFormat = OutputFormat(name="memory")
    compression: str | None = None
    storage_order: Literal["ome", "acquisition"] | tuple[str, ...] = "ome"
    plate: Plate | None = None
    overwrite: bool = False
    gaps: tuple[Gap, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _choose_format(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        data = dict(data)  # it is the caller's
        order = data.get("storage_order", "ome")
        if isinstance(order, str) and order not in ("ome", "acquisition"):
            raise ValueError(
                f"there is no storage order {order!r}; use 'ome', 'acquisition' or a "
                "list of names"
            )
        if "backend" in data:
            raise ValueError(
                "backend is no field of the settings; give the backend as format="
            )
        root = data.get("root_path", "")
        if not isinstance(root, str | Path):
            raise ValueError(f"root_path={root!r} is not a path")
        if "\0" in str(root):
            raise ValueError(
                f"root_path={str(root)!r} has a zero character; no file system takes it"
            )
        if str(root).startswith("~"):
            with contextlib.suppress(RuntimeError):  # nobody of that name: a folder
                data["root_path"] = root = Path(root).expanduser()
        found = chosen_format(root, data.get("format", "auto"))
        if found is None:
            found = OutputFormat(name="ome-zarr")
            warnings.warn(
                f"neither the suffix of root_path {str(root)!r} nor format= chooses a "
                f"format; {found.name!r} is used, which may not be what you want. Give "
                f"a suffix, or one of {', '.join(FORMATS)} as format=",
                UserWarning,
                stacklevel=3,
            )
        if str(root) in ("", ".") and found.name != "memory":
            raise ValueError(f"{found.name} needs a root_path to store at")
        data["format"] = found
        return data

    @field_validator("dtype", mode="before")
    @classmethod
    def _dtype_name(cls, value: object) -> str:
        return dtype_name(value)

    @model_validator(mode="after")
    def _check(self) -> AcquisitionSettings:
        check_dimensions(self.dimensions)
        check_positions(self.dimensions)
        check_plate(self.plate, self.dimensions)
        check_gaps(self.gaps, self.dimensions)
        codec_name(self.compression, self.format_name)
        storage_names(self.storage_order, self.dimensions)
        sink = make_sink(
            self.output_path,
            self.format_name,
            single_file=self.format.prefer_single_file == "always",
        )
        # Whether the path is free is seen when the stream is opened.
        with contextlib.suppress(OutputExistsError):
            sink.check(self.to_spec())
        return self

    @classmethod
    def from_any(cls, source: object, **more: object) -> AcquisitionSettings:
        """Return settings made from those of another library, or from a plan.

        Parameters
        ----------
        source : object
            ``ome_writers.AcquisitionSettings``, ``useq.MDASequence``, a mapping of
            fields, or settings of our own.
        **more
            Fields to set besides. A sequence needs ``root_path``, ``dtype``,
            ``image_height`` and ``image_width`` and takes ``pixel_size_um``,
            ``chunk_shapes`` and ``shard_shapes``, too; see `plan_sequence`.

        Raises
        ------
        SettingsError
            If ``source`` is none of these, or cannot be stored.
        """
        if isinstance(source, cls):
            known = {name: getattr(source, name) for name in source.model_fields_set}
            return cls.model_validate({**known, **more}) if more else source
        if isinstance(source, Mapping):
            return cls.model_validate({**source, **more})
        if hasattr(source, "axis_order") and hasattr(source, "stage_positions"):
            from napari_scope.stream.sequence_fields import sequence_fields

            missing = {"dtype", "image_height", "image_width"} - more.keys()
            if missing:
                raise SettingsError(
                    "a sequence does not say what a frame is",
                    hint=f"give {', '.join(sorted(missing))}, too",
                )
            arguments: dict[str, Any] = {"sequence": source, **more}
            fields, found = sequence_fields(**arguments)
            if not found.in_order:
                warnings.warn(
                    "the frames of this sequence do not come in the order of its "
                    "dimensions; use plan_sequence(...) and append each frame with "
                    "index=plan.index(event)",
                    UserWarning,
                    stacklevel=2,
                )
            return cls(**fields)
        if hasattr(source, "root_path") and hasattr(source, "dimensions"):
            from napari_scope.stream.from_ome_writers import converted

            return cls.model_validate({**converted(source), **more})
        raise SettingsError(
            f"a {type(source).__name__} cannot be made into settings",
            hint="give ome_writers.AcquisitionSettings, useq.MDASequence or a mapping",
        )

    # ------------------------------------------------------------- looking

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Number of samples of each dimension."""
        return tuple(d.count for d in self.dimensions)

    @property
    def is_unbounded(self) -> bool:
        """Whether the first dimension is open."""
        return self.dimensions[0].count is None

    @property
    def num_frames(self) -> int | None:
        """Number of frames that will come, None if unbounded."""
        if self.is_unbounded:
            return None
        if self.gaps or any(p.sizes for p in self.positions):
            return self.to_spec().n_frames
        return math.prod(d.count or 1 for d in self.dimensions[:-2])

    @property
    def positions(self) -> tuple[Position, ...]:
        """The positions in the order of their visit; one without such a dimension."""
        place = next((d for d in self.dimensions if d.kind == "position"), None)
        if place is None:
            return (Position(name="0"),)
        if place.positions:
            return place.positions
        return tuple(Position(name=f"Pos{i:03d}") for i in range(place.count or 1))

    @property
    def frame_dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions of a frame."""
        return self.dimensions[-2:]

    @property
    def index_dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions that are neither positions nor in a frame."""
        return tuple(d for d in self.dimensions[:-2] if d.kind != "position")

    @property
    def format_name(self) -> FormatName:
        """Name of the format."""
        return self.format.name

    @property
    def output_path(self) -> Path:
        """Path of the store, with the suffix of its format."""
        return self.format.path(self.root_path, len(self.positions))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is stored in another way than was asked for, in sentences."""
        notes = [self.format.note] if self.format.note else []
        cut = [d.name for d in self.dimensions if d.chunk_size or d.shard_size_chunks]
        if cut and self.format_name != "ome-zarr":
            notes.append(
                f"{self.format_name} has no chunks: the sizes given for "
                f"{', '.join(cut)} are not used"
            )
        if self.plate is None and any(p.well for p in self.positions):
            notes.append(
                "positions name wells but there is no plate: each is an image of its "
                "own, beside the others"
            )
        for one in self.dimensions:
            if one.has_uneven_coords:
                notes.append(
                    f"the places of {one.name!r} do not rise by equal steps: the axis "
                    "has no scale (OME-Zarr keeps them in the group 'acquisition')"
                )
        return tuple(notes)

    def to_spec(self) -> StoreSpec:
        """Return the resolved description that streams and sinks use."""
        return store_spec(self)
