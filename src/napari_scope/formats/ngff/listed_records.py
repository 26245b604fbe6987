"""Records of frames from the list in the attributes of a store: the run is elsewhere.

A store that this package wrote has the facts on its frames twice: in the journal of the
run, and as a list in the attributes of the group ``acquisition``. Over a network the
list is taken: it is one document, which is asked for when the first facts are. Nothing
is read before, and a server that fails is asked again the next time.

Where a frame is follows from its axes: their values are indices, or names of channels
and images.

Examples
--------
>>> records = ListedRecords("https://h.org/run.zarr", [ListedImage("a", {"t": 3}, ())])
>>> records.is_read
False
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_scope.formats.frame_records import (
    FrameRecord,
    ListRecords,
    Place,
    checked_axes,
)
from napari_scope.formats.ngff.store import Store
from napari_scope.model import axis_kind, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_scope.model import Axes, Image

__all__ = ["ListedFrames", "ListedImage", "ListedRecords"]


@dataclass(frozen=True, slots=True)
class ListedImage:
    """What has to be known of an image to find the places of frames in it.

    Parameters
    ----------
    name : str
        Its name.
    lengths : mapping
        Short name to length of each axis of its frames, without those of a plane.
    channels : tuple of str
        Names of its channels.
    """

    name: str
    lengths: Mapping[str, int]
    channels: tuple[str, ...]

    @classmethod
    def of(cls, image: Image) -> ListedImage:
        """Return what has to be known of an image."""
        lengths = zip(image.axis_names, image.levels[0].shape, strict=True)
        inner = ("y", "x", "rgb") if image.rgb else ("y", "x")
        lead = {name: length for name, length in lengths if name not in inner}
        return cls(image.name, lead, tuple(channel.name for channel in image.channels))


class ListedRecords:
    """The records that the attributes of a store list (a `RecordSource`). Thread safe.

    Parameters
    ----------
    place : str
        Path or address of the store.
    images : sequence of ListedImage
        Its images.
    """

    def __init__(self, place: str, images: Sequence[ListedImage]) -> None:
        self.address = place
        self._images = tuple(images)
        self._lock = threading.Lock()
        self._listed: ListRecords | None = None
        self._places: dict[tuple[int, tuple[int, ...]], int] = {}

    def __reduce__(self) -> tuple[type[ListedRecords], tuple[Any, ...]]:
        """Send the place only."""
        return ListedRecords, (self.address, self._images)

    @property
    def is_read(self) -> bool:
        """Whether the list was read, so that look-ups read nothing."""
        return self._listed is not None

    def _read(self) -> ListRecords:
        """Return the list; raises `FormatError` where it cannot be read."""
        with self._lock:
            if self._listed is None:
                frames = Store(self.address).attributes("acquisition").get("frames")
                entries = (
                    frames.get("frame_metadata") if isinstance(frames, dict) else None
                )
                listed = ListRecords(entries if isinstance(entries, list) else [])
                for number in range(len(listed)):
                    place = self._place(listed.record(number).axes)
                    if place is not None:
                        self._places[self._key(place.image, place.index)] = number
                self._listed = listed
            return self._listed

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._read())

    def record(self, number: int) -> FrameRecord:
        """Return a record."""
        return self._read().record(number)

    def refresh(self) -> int:
        """Return the number of records; the list is written when the run ends."""
        return len(self)

    def place(self, number: int) -> Place | None:
        """Return where the pixels of a frame are."""
        return self._place(self.record(number).axes)

    def number_at(self, image: int, index: Mapping[str, int]) -> int | None:
        """Return the record of the frame at a place, or None."""
        self._read()
        if not 0 <= image < len(self._images):
            return None
        return self._places.get(self._key(image, index))

    def _key(self, image: int, index: Mapping[str, int]) -> tuple[int, tuple[int, ...]]:
        return image, tuple(index.get(n, 0) for n in self._images[image].lengths)

    def _place(self, axes: Axes) -> Place | None:
        number = 0
        rest: dict[str, int | str] = {}
        for name, value in checked_axes(axes).items():
            if axis_kind(name) != "position":
                rest[short(name)] = value
            elif len(self._images) > 1:
                names = [image.name for image in self._images]
                found = _index(value, names)
                if found is None:
                    return None
                number = found
        if not 0 <= number < len(self._images):
            return None
        image = self._images[number]
        index: dict[str, int] = {}
        for name, length in image.lengths.items():
            at = _index(rest.get(name, 0), image.channels if name == "c" else ())
            if at is None or not 0 <= at < length:
                return None
            index[name] = at
        return Place(number, index)


class ListedFrames:
    """What a list says of the frames of one image (a `model.FrameTable`).

    Parameters
    ----------
    records : ListedRecords
        The list.
    image : int
        Number of the image.
    """

    def __init__(self, records: ListedRecords, image: int) -> None:
        self.records = records
        self.image = image

    def exists(self, index: Mapping[str, int]) -> bool:
        """Return whether the frame was saved, as far as is known without reading."""
        if not self.records.is_read or not len(self.records):
            return True
        return self.records.number_at(self.image, index) is not None

    def axes(self, index: Mapping[str, int]) -> Axes | None:
        """Return the identity of a frame, as far as is known without reading."""
        record = self._record(index) if self.records.is_read else None
        return None if record is None else record.axes

    def metadata(self, index: Mapping[str, int]) -> Mapping[str, object] | None:
        """Return what was noted of a frame, or None; it may read the list.

        Raises
        ------
        FormatError
            The list cannot be read.
        """
        record = self._record(index)
        return None if record is None else record.facts

    def _record(self, index: Mapping[str, int]) -> FrameRecord | None:
        number = self.records.number_at(self.image, index)
        return None if number is None else self.records.record(number)


def _index(value: int | str, names: Sequence[str]) -> int | None:
    """Return the place that an index or a name means, None where it means none."""
    if isinstance(value, int):
        return value
    return names.index(value) if value in names else None
