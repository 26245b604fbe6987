"""The journal of an OME-Zarr store as a record of its frames, for conversions.

OME-Zarr has no place for what is known of single frames. A store that a stream has
written has a journal; this reads it as the `FrameTable` of one image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_scope.model import canonical
from napari_scope.stream.journal import JOURNAL_NAME, read_journal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_scope.model import Axes

__all__ = ["JournalFrames", "Journals"]


class JournalFrames:
    """The frames of an image by the journal of the stream that wrote it.

    A `FrameTable`, but for images whose index axes are known only later.

    Parameters
    ----------
    entries : sequence of mapping
        Lines of the journal of this image.
    names : sequence of str
        Short names of the index axes in storage order.
    closed : bool
        Whether the stream was closed.
    """

    def __init__(
        self,
        entries: Sequence[Mapping[str, Any]],
        names: Sequence[str],
        *,
        closed: bool,
    ) -> None:
        self.closed = closed
        self._names = tuple(names)
        self._entries: dict[tuple[int, ...], Mapping[str, Any]] = {}
        for entry in entries:
            index = entry.get("index")
            if (
                isinstance(index, list)
                and len(index) == len(self._names)
                and all(type(i) is int for i in index)
            ):
                self._entries[tuple(index)] = entry

    def __len__(self) -> int:
        """Return the number of lines that fit the axes."""
        return len(self._entries)

    def _entry(self, index: Mapping[str, int]) -> Mapping[str, Any] | None:
        return self._entries.get(tuple(index.get(name, 0) for name in self._names))

    def exists(self, index: Mapping[str, int]) -> bool:
        """Return whether the frame was saved."""
        entry = self._entry(index)
        return entry is not None and entry.get("status") == "saved"

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        """Return what was noted of a frame, or None where there is no frame."""
        entry = self._entry(index)
        if entry is None or entry.get("status") != "saved":
            return None
        found = entry.get("metadata")
        return found if isinstance(found, dict) else {}

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        """Return the identity of a frame, or None."""
        entry = self._entry(index)
        found = entry.get("axes") if entry is not None else None
        if not isinstance(found, dict):
            return None
        return {k: v for k, v in found.items() if type(v) in (int, str)}

    def reason(self, index: Mapping[str, int]) -> str:
        """Return why a frame was not saved, as far as it was noted."""
        entry = self._entry(index)
        found = entry.get("reason") if entry is not None else None
        return found if isinstance(found, str) else ""

    def labels(self, name: str, length: int) -> tuple[str, ...]:
        """Return the labels of the samples of an axis; none where it has numbers.

        OME-Zarr itself keeps labels of channels only.
        """
        place = self._names.index(name)
        found: dict[int, str] = {}
        for index, entry in self._entries.items():
            axes = entry.get("axes")
            label = axes.get(canonical(name)) if isinstance(axes, dict) else None
            if not isinstance(label, str):
                return ()
            found[index[place]] = label
        if not found:
            return ()
        # A run that was interrupted may not have come to the last ones.
        return tuple(found.get(i, f"{canonical(name)} {i}") for i in range(length))

    def narrowed(self, places: Mapping[str, Sequence[int]]) -> JournalFrames:
        """Return the frames of a part of the image.

        Parameters
        ----------
        places : mapping
            Short axis name to the places of the axis that stay, in their new order.
        """
        new = [
            {place: number for number, place in enumerate(places[name])}
            if name in places
            else None
            for name in self._names
        ]
        entries = []
        for index, entry in self._entries.items():
            at = [
                i if known is None else known.get(i, -1)
                for i, known in zip(index, new, strict=True)
            ]
            if -1 not in at:
                entries.append({**entry, "index": at})
        return JournalFrames(entries, self._names, closed=self.closed)

    def place(self) -> Axes:
        """Return the axes of some frame of the image."""
        for entry in self._entries.values():
            found = entry.get("axes")
            if isinstance(found, dict):
                return {k: v for k, v in found.items() if type(v) in (int, str)}
        return {}


class Journals:
    """The journals of the images of a data set, each read once."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[dict[object, list[Mapping[str, Any]]], bool]] = {}

    def frames(self, folder: Path, names: Sequence[str]) -> JournalFrames | None:
        """Return the frames of an image by its journal, if it has one.

        Parameters
        ----------
        folder : Path
            Folder of the image. The journal is in it where it is a store of its own,
            else beside it: then the image is an entry of a collection.
        names : sequence of str
            Short names of its index axes in storage order.

        Raises
        ------
        FormatError
            If the journal is damaged.
        OSError
            If it cannot be read.
        """
        own = folder / "acquisition" / JOURNAL_NAME
        beside = folder.parent / "acquisition" / JOURNAL_NAME
        if own.is_file():
            path, number = own, 0
        elif folder.name.isascii() and folder.name.isdigit() and beside.is_file():
            path, number = beside, int(folder.name)
        else:
            return None
        if path not in self._read:
            content = read_journal(path)
            by_image: dict[object, list[Mapping[str, Any]]] = {}
            for entry in content.frames:
                if isinstance(image := entry.get("image"), int):
                    by_image.setdefault(image, []).append(entry)
            self._read[path] = by_image, content.closed is not None
        found, closed = self._read[path]
        return JournalFrames(found.get(number, ()), names, closed=closed)
