"""Frames of a regular grid that a run leaves out, and why.

An acquisition is a grid of frames with exceptions: a channel only at every other time
point, a stack in one channel only. A `Gap` names such frames all at once. The stream
notes them as skipped before the first frame, so that the frames that do come find
their places in order, and nobody takes a gap for a loss.

Examples
--------
>>> gap = Gap(index={"c": [1], "t": [1, 3]}, reason="every other time point")
>>> gap.numbers
{'channel': (1,), 'time': (1, 3)}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, Field

from napari_scope.model import canonical
from napari_scope.stream.samples import STRICT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from napari_scope.stream.spec import StoreSpec

__all__ = ["Gap", "count_gaps", "gap_axes", "gaps_of"]


class Gap(BaseModel):
    """Frames that will not come.

    Parameters
    ----------
    index : mapping
        Name of a dimension to numbers on it. The gap is every combination of them;
        a dimension that is left out stands for all its samples.
    reason : str
        Why, for the journal.
    """

    model_config = STRICT

    index: Mapping[str, tuple[Annotated[int, Field(ge=0)], ...]]
    reason: str = ""

    @property
    def numbers(self) -> dict[str, tuple[int, ...]]:
        """The index with canonical names."""
        return {canonical(name): numbers for name, numbers in self.index.items()}


def _masks(
    spec: StoreSpec, gaps: Sequence[Gap]
) -> Iterator[tuple[int, npt.NDArray[np.int32]]]:
    """Return for each image which gap (from 1) each of its frames lies in."""
    if not gaps:
        return
    for number, image in enumerate(spec.images):
        mask = np.zeros(spec.shape(image), np.int32)
        for mark, gap in enumerate(gaps, 1):
            numbers = gap.numbers
            if number not in numbers.get("position", (number,)):
                continue
            chosen = [
                [i for i in numbers.get(name, range(size)) if i < size]
                for name, size in zip(spec.index_axes, mask.shape, strict=True)
            ]
            mask[np.ix_(*chosen)] = mark
        yield number, mask


def count_gaps(spec: StoreSpec, gaps: Sequence[Gap]) -> int:
    """Return the number of frames in gaps; those in two gaps count once."""
    return sum(int(np.count_nonzero(mask)) for _, mask in _masks(spec, gaps))


def gap_axes(
    spec: StoreSpec, gaps: Sequence[Gap]
) -> Iterator[tuple[dict[str, int | str], str]]:
    """Iterate over axes and reason of every frame in a gap."""
    for number, mask in _masks(spec, gaps):
        for index in np.argwhere(mask):
            axes: dict[str, int | str] = dict(spec.images[number].place)
            for name, i in zip(spec.index_axes, index, strict=True):
                labels = spec.labels.get(name)
                axes[name] = labels[i] if labels else int(i)
            yield axes, gaps[int(mask[tuple(index)]) - 1].reason


def gaps_of(
    missing: Sequence[npt.NDArray[np.bool_]], names: Sequence[str], reason: str
) -> list[Gap]:
    """Return gaps that cover the frames that are marked as missing, and no others.

    Parameters
    ----------
    missing : sequence of numpy.ndarray
        For each position, which of its frames do not come.
    names : sequence of str
        Names of the axes of these arrays.
    reason : str
        Why they do not come.
    """
    # Combinations are grown axis by axis: places that miss the same are one gap.
    found: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for position, mask in enumerate(missing):
        for box in _boxes(mask):
            found.setdefault(box, []).append(position)
    several = len(missing) > 1
    return [
        Gap(
            index={
                **({"p": tuple(positions)} if several else {}),
                **dict(zip(names, box, strict=True)),
            },
            reason=reason,
        )
        for box, positions in found.items()
    ]


def _boxes(mask: npt.NDArray[np.bool_]) -> list[tuple[tuple[int, ...], ...]]:
    """Return the marked places as combinations of numbers on each axis."""
    if not mask.any():
        return []
    if mask.ndim == 0:
        return [()]
    # Rows that look alike belong together.
    rows: dict[bytes, list[int]] = {}
    for i, row in enumerate(mask):
        rows.setdefault(row.tobytes(), []).append(i)
    return [
        (tuple(numbers), *rest)
        for numbers in rows.values()
        for rest in _boxes(mask[numbers[0]])
    ]
