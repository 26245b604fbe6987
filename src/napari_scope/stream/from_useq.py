"""From a ``useq.MDASequence`` to settings, ragged sequences included.

A sequence need not be a grid: a channel may be taken at every other time point, or
without a stack, and a position may have a sequence of its own. Each image gets the
size that its frames need (`Position.sizes`), and what is missing inside of it becomes
a `Gap`. Nothing is flattened: a frame keeps its time, position, channel and plane.

Examples
--------
>>> import useq
>>> sequence = useq.MDASequence(
...     time_plan={"interval": 1, "loops": 3},
...     channels=["DAPI", {"config": "FITC", "acquire_every": 2}],
... )
>>> plan = plan_sequence(
...     sequence, root_path="a.ome.zarr", dtype="uint16", image_height=8, image_width=8
... )
>>> plan.settings.num_frames, plan.in_order
(5, True)
>>> [plan.index(event) for event in sequence][-1]
{'time': 2, 'channel': 'FITC'}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_scope.model import canonical
from napari_scope.stream.sequence_fields import sequence_fields
from napari_scope.stream.settings import AcquisitionSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from useq import MDAEvent, MDASequence

    from napari_scope.stream.sequence_scan import SequenceScan

__all__ = ["SequencePlan", "plan_sequence"]


@dataclass(frozen=True, slots=True)
class SequencePlan:
    """How a sequence is stored.

    Parameters
    ----------
    settings : AcquisitionSettings
        For `create_stream`.
    in_order : bool
        Whether the frames come in the order of the dimensions, so that plain
        ``append(frame)`` puts each in its place. If not, give ``index(event)``, too.
    scan : SequenceScan
        What the sequence takes.
    """

    settings: AcquisitionSettings
    in_order: bool
    scan: SequenceScan

    def index(self, event: MDAEvent) -> dict[str, int | str]:
        """Return the axes of an event's frame, for `Stream.append`.

        Raises
        ------
        SettingsError
            For an event of another sequence.
        """
        place, numbers = self.scan.numbers(event)
        index: dict[str, int | str] = {}
        if self.scan.has_places:
            index["position"] = place
        for letter, number in numbers.items():
            index[canonical(letter)] = number
        if "channel" in index:
            index["channel"] = self.scan.labels[numbers["c"]]
        return index


def plan_sequence(
    sequence: MDASequence,
    *,
    dtype: object,
    image_height: int,
    image_width: int,
    root_path: str | Path = "",
    pixel_size_um: float | None = None,
    chunk_shapes: Mapping[str, int] | None = None,
    shard_shapes: Mapping[str, int] | None = None,
    **more: object,
) -> SequencePlan:
    """Return how a sequence is stored.

    Parameters
    ----------
    sequence : useq.MDASequence
        The sequence. One that is ragged is gone through event by event.
    dtype, root_path
        See `AcquisitionSettings`.
    image_height, image_width : int
        Size of a frame in pixels.
    pixel_size_um : float, optional
        Size of a pixel.
    chunk_shapes, shard_shapes : mapping, optional
        See `dims_from_standard_axes`.
    **more
        Other fields of `AcquisitionSettings`.

    Raises
    ------
    SettingsError
        If the sequence takes no frame, takes one twice, or is ragged without end.
    """
    fields, found = sequence_fields(
        sequence,
        dtype=dtype,
        image_height=image_height,
        image_width=image_width,
        root_path=root_path,
        pixel_size_um=pixel_size_um,
        chunk_shapes=chunk_shapes,
        shard_shapes=shard_shapes,
        **more,
    )
    return SequencePlan(AcquisitionSettings(**fields), found.in_order, found)
