"""What a stream asks of a place where frames end up.

A sink is used by one writer thread (`open`, `write`, `close`) while any thread may
`read` and one may `sync`. A frame is *committed* when `write` returns: its pixels and
its journal line survive a killed process. A sink need not know of queues, of memory
limits, of other sinks, or of who waits.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from crc32c import crc32c

from napari_scope.errors import OutputExistsError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_scope.model import Axes
    from napari_scope.stream.resumption import Resumption
    from napari_scope.stream.router import Address
    from napari_scope.stream.spec import StoreSpec

FormatName: TypeAlias = Literal["ome-zarr", "ome-tiff", "ndtiff", "memory"]
"""What a run can be saved as, or kept in."""

__all__ = ["FormatName", "FrameItem", "Sink", "checksum"]


def checksum(frame: npt.NDArray[np.generic]) -> int:
    """Return the CRC32C of the pixels of a contiguous frame."""
    return crc32c(frame.data.cast("B"))


@dataclass(slots=True)
class FrameItem:
    """One frame on its way, or the news that it will not come.

    Parameters
    ----------
    address : Address
        Where it is stored.
    axes : mapping
        Its identity.
    frame : numpy.ndarray or None
        The pixels; None for a frame that was skipped or dropped.
    metadata : mapping
        JSON-able facts. Keys the sinks understand: ``elapsed_ms``, ``exposure_ms``,
        ``x_um``, ``y_um``, ``z_um``, ``camera``, ``position_name``.
    status : str
        ``"saved"``, ``"skipped"`` or ``"dropped"``.
    reason : str
        Why it is not there.
    number : int
        Running number in the order of arrival.
    lanes, readers : int
        How many sinks have not dealt with it, how many readers hold ``frame``; kept
        by the stream.
    lost : bool
        Whether a sink gave it up; kept by the stream.
    crc32c : int, optional
        Checksum of the pixels, if it is known: they were written at once, ``frame``
        being None then, or prepared.
    """

    address: Address
    axes: Axes
    frame: npt.NDArray[np.generic] | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    status: str = "saved"
    reason: str = ""
    number: int = 0
    lanes: int = 0
    readers: int = 0
    lost: bool = False
    crc32c: int | None = None

    def journal_entry(self) -> dict[str, object]:
        """Return the line of this frame in a journal."""
        entry: dict[str, object] = {
            "n": self.number,
            "image": self.address.image,
            "index": self.address.index,
            "axes": self.axes,
            "status": self.status,
        }
        if self.reason:
            entry["reason"] = self.reason
        if self.crc32c is not None:
            entry["crc32c"] = self.crc32c
        elif self.frame is not None:
            entry["crc32c"] = checksum(self.frame)
        if self.metadata:
            entry["metadata"] = self.metadata
        return entry


class Sink(ABC):
    """A place where frames end up."""

    format: FormatName
    path: Path | None
    durable: bool = True
    """Whether `close` waits until the store survives a loss of power."""

    tailored: Mapping[str, Any] = MappingProxyType({})
    """Fields of `StoreSpec` that this store has otherwise than the stream: how it is
    cut and packed where several stores are written at once."""

    arranged: Callable[[StoreSpec], StoreSpec] | None = None
    """Puts images where they are to lie in this store, if not where the stage was."""

    under_pressure: Callable[[], bool] = staticmethod(lambda: False)
    """Whether frames pile up, so that a sink puts off what can wait."""

    @property
    def place(self) -> Path | None:
        """Where it takes room on a disk; None where it takes none."""
        return self.path

    def overflow(self, spec: StoreSpec) -> tuple[Path | None, int]:
        """Return where else a run will take room, and how many bytes."""
        return None, 0

    def own(self, spec: StoreSpec) -> StoreSpec:
        """Return what this store stores; the same object for the same ``spec``."""
        if not self.tailored and self.arranged is None:
            return spec
        if self._own is None or self._own[0] is not spec:
            own = replace(spec, **self.tailored) if self.tailored else spec
            self._own = spec, own if self.arranged is None else self.arranged(own)
        return self._own[1]

    _own: tuple[StoreSpec, StoreSpec] | None = None

    def check(self, spec: StoreSpec) -> None:
        """Raise what `open` would refuse, as far as is known; creates nothing.

        Raises
        ------
        OutputExistsError
            If the path is taken.
        SettingsError
            If the format cannot hold this.
        """
        if self.path is not None and os.path.lexists(self.path):
            raise OutputExistsError(
                "the output exists already", path=self.path, hint="choose another name"
            )

    @abstractmethod
    def open(self, spec: StoreSpec) -> None:
        """Create the store with complete metadata; refuse to overwrite anything."""

    def resume(self, spec: StoreSpec, resumption: Resumption) -> None:
        """Open the store of a finished run again, instead of `open`, to go on with it.

        From then on everything works as after `open`. Whatever happens to the process
        meanwhile, nothing that is in the store may be lost: the first thing is to
        reopen the journal, which says from then on that the store is being written.

        Parameters
        ----------
        spec : StoreSpec
            What is stored by now; an axis that grows has the length that it came to.
        resumption : Resumption
            What is there already. That the plans agree was checked.

        Raises
        ------
        SettingsError
            If the format, or this store of it, cannot be continued.
        StreamError
            If another program writes to it.
        """
        raise SettingsError(
            f"a run that was saved as {self.format} cannot be continued",
            path=self.path,
            hint="save the rest as a run of its own",
        )

    @abstractmethod
    def write(self, items: Sequence[FrameItem], spec: StoreSpec) -> None:
        """Store a batch; on return all of it is committed.

        Parameters
        ----------
        items : sequence of FrameItem
            In the order of arrival.
        spec : StoreSpec
            What is stored by now; differs from that of `open` if the store grows.
        """

    ahead: int = 0
    """Bytes of frames that `prepare` may be given before the first of them is written;
    0 where there is nothing to prepare."""

    def prepare(self, item: FrameItem) -> None:  # noqa: B027
        """Begin with what a frame needs before it is written, on other threads.

        Items come in the order of arrival, and in the same order to `write` later.
        """

    def prepared(self, item: FrameItem, *, wait: bool) -> bool:
        """Return whether `write` could begin with an item now.

        Parameters
        ----------
        item : FrameItem
            Any item.
        wait : bool
            Wait until it can.
        """
        return True

    def write_at_once(
        self, item: FrameItem, pixels: npt.NDArray[np.generic], spec: StoreSpec
    ) -> bool:
        """Store the pixels of a frame on the caller's thread, if the sink can do that.

        ``pixels`` are contiguous and belong to the caller. The item itself, its
        ``frame`` being None, comes with a later `write`, which commits it.

        Returns
        -------
        bool
            Whether they are stored.
        """
        return False

    @abstractmethod
    def read(self, address: Address) -> npt.NDArray[np.generic] | None:
        """Read a committed frame, or None where there is none; from any thread."""

    @abstractmethod
    def sync(self) -> None:
        """Wait until everything committed survives a loss of power."""

    @abstractmethod
    def close(self, spec: StoreSpec, totals: Mapping[str, object] | None) -> None:
        """Finish the store; ``totals`` is None when the stream failed. Idempotent.

        `read` works afterwards.
        """
