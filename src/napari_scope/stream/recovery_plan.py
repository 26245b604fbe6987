"""What an interrupted run had planned, and what of it is missing.

The first line of the journal says what was planned (`journal.plan_header`), the others
what became of it. This is bookkeeping over both; no pixels, no files. Everything comes
from a file and is checked: a line that cannot be is left out and counted.

Examples
--------
>>> from napari_scope.stream.journal import JournalContent
>>> plan = {"order": ["time"], "images": [{"name": "a", "sizes": {"time": 3}}]}
>>> lines = [{"n": 0, "image": 0, "index": [1], "axes": {"time": 1}, "status": "saved"}]
>>> run = RunRecord(JournalContent({"frames": 3, "plan": plan}, lines, None))
>>> run.missing().count, run.missing().frames
(2, ({'time': 0}, {'time': 2}))
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_scope.model import short, sort_names
from napari_scope.stream.spec import PLACE_AXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from napari_scope.model import Axes
    from napari_scope.stream.journal import JournalContent

__all__ = ["FrameLine", "Missing", "RunRecord"]

_MOST_CELLS = 1 << 27  # a truth value for each is 128 MiB
_MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class FrameLine:
    """A line of a journal that makes sense; ``number`` is -1 where it has none."""

    image: int
    index: tuple[int, ...]
    axes: Axes
    status: str
    crc32c: int | None
    number: int = -1
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """Frames that were planned and neither saved nor given up.

    Parameters
    ----------
    count : int or None
        How many; None where it is not known what was planned.
    frames : tuple of mapping
        Their axes, at most a thousand of them, where they are known.
    """

    count: int | None
    frames: tuple[Axes, ...] = ()


class RunRecord:
    """The record of a run, from its journal.

    Parameters
    ----------
    content : JournalContent
        All its lines.

    Attributes
    ----------
    lines : list of FrameLine
        The frames, in the order of arrival; the last line of each frame counts.
    lost : dict
        Image and index of those that were found to be lost when the run was recovered,
        and why.
    ahead : set
        Image and index of those that were noted as skipped before the first frame of
        the run, or of its continuation: the gaps that settings declare.
    senseless : int
        Lines that are none of a frame.
    names : tuple of str
        Canonical names of the index axes, in the order of ``FrameLine.index``.
    """

    def __init__(self, content: JournalContent) -> None:
        header = content.header
        plan = header.get("plan")
        self._plan: Mapping[str, Any] = plan if isinstance(plan, dict) else {}
        frames = header.get("frames")
        self.planned = frames if _is_count(frames) else None
        self.known = bool(self._plan)
        # Each frame has axes of its own; which frames there might be is not known.
        self._loose = self._plan.get("loose") is True
        self.names = self._names(content.frames)
        by_place: dict[tuple[int, tuple[int, ...]], FrameLine] = {}
        self.lost: dict[tuple[int, tuple[int, ...]], str] = {}
        self.ahead: set[tuple[int, tuple[int, ...]]] = set()
        self.senseless = 0
        # A frame that was lost when the run was closed may have come again later.
        for start, stop, ending in _sessions(content):
            begun = False
            for entry in content.frames[start:stop]:
                line = self._line(entry)
                if line is None:
                    self.senseless += 1
                    continue
                begun = begun or line.status != "skipped"
                if not begun:
                    self.ahead.add((line.image, line.index))
                by_place[line.image, line.index] = line
                self.lost.pop((line.image, line.index), None)
            self.lost.update(_lost(ending, by_place.values()))
        self.lines = list(by_place.values())
        self._labels = self._find_labels()

    def _names(self, frames: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        order = _names(self._plan.get("order"))
        if not order and (self.growing or not self._plan):
            first = next(iter(frames), {}).get("axes")
            order = list(first) if isinstance(first, dict) else []
        return tuple(sort_names([n for n in order if n not in PLACE_AXES]))

    def _line(self, entry: Mapping[str, Any]) -> FrameLine | None:
        image: Any = entry.get("image")
        status: Any = entry.get("status")
        index, axes, crc = entry.get("index"), entry.get("axes"), entry.get("crc32c")
        if not (
            _is_count(image) and isinstance(index, list) and isinstance(axes, dict)
        ):
            return None
        names = (
            [name for name in axes if name not in PLACE_AXES]
            if self._loose
            else self.names
        )
        if len(index) != len(names) or not all(map(_is_count, index)):
            return None
        if status not in ("saved", "skipped", "dropped"):
            return None
        number: Any = entry.get("n")
        metadata = entry.get("metadata")
        return FrameLine(
            image,
            tuple(index),
            axes,
            status,
            crc if _is_count(crc) else None,
            number if _is_count(number) else -1,
            metadata if isinstance(metadata, dict) else {},
        )

    # ------------------------------------------------------------- shapes

    @property
    def growing(self) -> bool:
        """Whether arrays may be larger than what came."""
        return self._plan.get("growing") is True

    def grows(self, name: str) -> bool:
        """Return whether an axis grew with the frames."""
        axes = self._plan.get("growing_axes")
        return self.growing and (not isinstance(axes, list) or name in axes)

    def reached(self, image: int) -> dict[str, int]:
        """Return how far the frames of an image reach on the axes that grew."""
        lines = [line.index for line in self.lines if line.image == image]
        return {
            name: max((index[axis] for index in lines), default=0) + 1
            for axis, name in enumerate(self.names)
            if self.grows(name)
        }

    def place(self, image: int) -> Axes | None:
        """Return the axes that select an image, None if nothing is known of it."""
        for line in self.lines:
            if line.image == image:
                return {k: v for k, v in line.axes.items() if k in PLACE_AXES}
        planned = self._images()
        return planned[image][0] if image < len(planned) else None

    def _images(self) -> list[tuple[Axes, dict[str, int]]]:
        """Return place and sizes of the images that were planned."""
        images = self._plan.get("images")
        result: list[tuple[Axes, dict[str, int]]] = []
        for entry in images if isinstance(images, list) else ():
            place = entry.get("place") if isinstance(entry, dict) else None
            sizes = entry.get("sizes") if isinstance(entry, dict) else None
            sizes = sizes if isinstance(sizes, dict) else {}
            good = {k: v for k, v in sizes.items() if _is_count(v) and v > 0}
            result.append((place if isinstance(place, dict) else {}, good))
        return result

    # ------------------------------------------------------------- missing

    def missing(self) -> Missing:
        """Return which frames were planned and have no line.

        Of a run without an end it is not known what would have come; missing are the
        holes in what came.
        """
        left = None
        if self.planned is not None:
            left = max(0, self.planned - len(self.lines))
        if self._loose or not self.known or (left == 0 and not self.ahead):
            return Missing(left)
        images = self._images()
        count = max([len(images), *(line.image + 1 for line in self.lines)])
        if count > _MOST_CELLS:
            return Missing(left)
        shapes = []
        for image in range(count):
            sizes = dict(images[image][1]) if image < len(images) else {}
            sizes.update(self.reached(image) if self.growing else {})
            shapes.append(tuple(sizes.get(name, 1) for name in self.names))
        cells = sum(math.prod(shape) for shape in shapes)
        if cells > _MOST_CELLS:
            return Missing(left)
        # Frames in gaps are not planned, but have a place and a line.
        gaps = len(self.ahead)
        if self.planned is not None and cells not in (
            self.planned,
            self.planned + gaps,
        ):
            return Missing(left)
        return self._holes(shapes)

    def _holes(self, shapes: list[tuple[int, ...]]) -> Missing:
        taken = [np.zeros(shape, bool) for shape in shapes]
        for line in self.lines:
            shape = shapes[line.image]
            if all(i < n for i, n in zip(line.index, shape, strict=True)):
                taken[line.image][line.index] = True
        count = sum(int(t.size - np.count_nonzero(t)) for t in taken)
        found: list[Axes] = []
        for image, there in enumerate(taken):
            place = self.place(image) or {}
            for index in np.argwhere(~there)[: _MOST_LISTED - len(found)].tolist():
                found.append({**place, **self._named(index)})
        return Missing(count, tuple(found))

    def _named(self, index: list[int]) -> dict[str, int | str]:
        return {
            name: self._labels.get((name, i), i)
            for name, i in zip(self.names, index, strict=True)
        }

    def _find_labels(self) -> dict[tuple[str, int], str]:
        """Return the labels of samples: as planned, and as they came."""
        found: dict[tuple[str, int], str] = {}
        planned = self._plan.get("labels")
        for name, labels in planned.items() if isinstance(planned, dict) else ():
            for i, label in enumerate(labels if isinstance(labels, list) else ()):
                found[str(name), i] = str(label)
        for line in self.lines:
            for name, i in zip(self.names, line.index, strict=True):
                if isinstance(label := line.axes.get(name), str):
                    found[name, i] = label
        return found

    def storage_order(self, names: tuple[str, ...]) -> tuple[int, ...] | None:
        """Return where each index axis of an array is in ``FrameLine.index``.

        Parameters
        ----------
        names : tuple of str
            Names of the axes as they are stored, without those of a frame.

        Returns
        -------
        tuple of int or None
            None if they are not the axes of this run.
        """
        mine = [short(name) for name in self.names]
        if sorted(mine) != sorted(names):
            return None
        return tuple(mine.index(name) for name in names)


def _sessions(
    content: JournalContent,
) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    """Iterate over the parts of a run: first frame, end, the line that closed it."""
    stops = [*content.starts[1:], len(content.frames)]
    for start, stop, ending in itertools.zip_longest(
        content.starts, stops, content.endings[: len(stops)], fillvalue=None
    ):
        yield start or 0, stop or 0, ending or {}


def _lost(
    ending: Mapping[str, Any], lines: Iterable[FrameLine]
) -> dict[tuple[int, tuple[int, ...]], str]:
    """Return which frames a line at the end of a run calls lost."""
    entries = ending.get("lost")
    if not isinstance(entries, list) or not entries:
        return {}
    keys = {_axes_key(line.axes): (line.image, line.index) for line in lines}
    found = {}
    for entry in entries:
        axes = entry.get("axes") if isinstance(entry, dict) else None
        key = keys.get(_axes_key(axes)) if isinstance(axes, dict) else None
        if key is not None:
            found[key] = str(entry.get("reason"))
    return found


def _axes_key(axes: Axes) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in axes.items()))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**40


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []
