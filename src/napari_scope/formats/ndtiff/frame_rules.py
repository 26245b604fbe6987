"""What the frames of one folder must have in common with those before.

An axis has one kind of value in all frames, whole numbers or names, and every frame
fits in a file of its own. A batch is checked as a whole before anything of it is
written, and remembered only once it was written.

This module knows frames that were checked and encoded one by one
(`napari_scope.formats.ndtiff.encoding`); it writes nothing and takes no lock.

Examples
--------
>>> import numpy as np
>>> from napari_scope.formats.ndtiff.encoding import encode_frame
>>> rules = FrameRules(room=10_000, limit=12_000)
>>> batch = [encode_frame({"time": 0}, np.zeros((4, 4), "u2"))]
>>> rules.remember(rules.check(batch, "run_1"), batch[-1])
>>> rules.check([encode_frame({"time": "now"}, np.zeros((4, 4), "u2"))], "run_1")
Traceback (most recent call last):
...
napari_scope.errors.FrameError: axis 'time' is str in this frame but was int before ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import FrameError
from napari_scope.formats.ndtiff.limits import MAX_AXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

    from napari_scope.formats.ndtiff.encoding import AxisKinds, PendingFrame

__all__ = ["FrameRules"]


class FrameRules:
    """Knows the axes of all frames so far. Not thread safe.

    Parameters
    ----------
    room : int
        Bytes of the largest frame that a file can hold.
    limit : int
        Bytes of the largest file, for what is said of a frame that is larger.
    kinds : mapping, optional
        The axes of frames that are there already, and what kind of value they have.
    """

    def __init__(
        self, room: int, limit: int, kinds: Mapping[str, type] | None = None
    ) -> None:
        self._room = room
        self._limit = limit
        self._kinds: dict[str, type] = dict(kinds or {})
        self._kinds_before: AxisKinds | None = None

    def check(
        self, batch: Iterable[PendingFrame], path: str | PathLike[str]
    ) -> dict[str, type]:
        """Check frames against those before and each other; returns axes that are new.

        Parameters
        ----------
        batch : iterable of PendingFrame
            The frames.
        path : str or PathLike
            Where they are to be written, for the error.

        Raises
        ------
        FrameError
            A frame does not go with those before, or is too large.
        """
        new: dict[str, type] = {}
        for item in batch:
            if item.kinds is self._kinds_before and item.nbytes <= self._room:
                continue
            if item.nbytes > self._room:
                raise FrameError(
                    f"a frame of {item.nbytes} bytes does not fit in a file of "
                    f"{self._limit} bytes",
                    path=path,
                )
            for name, kind in item.kinds:
                before = self._kinds.get(name) or new.setdefault(name, kind)
                if before is not kind:
                    raise FrameError(
                        f"axis {name!r} is {kind.__name__} in this frame but was "
                        f"{before.__name__} before",
                        path=path,
                        hint="NDTiff wants one kind of value for each axis",
                    )
        if len(self._kinds) + len(new) > MAX_AXES:
            raise FrameError(
                f"the frames have {len(self._kinds) + len(new)} axes together: more "
                f"than {MAX_AXES}",
                path=path,
                hint="give facts that are no place of a frame as metadata",
            )
        return new

    def remember(self, new: dict[str, type], last: PendingFrame) -> None:
        """Note that frames were written: the axes that were new, and the last one."""
        if new:
            self._kinds.update(new)
        self._kinds_before = last.kinds
