"""What a folder's list shows of a data set: a few facts and a small picture.

The data set is opened as its tree (`napari_scope.formats.tree`), so of a plate one
well and one field are read, not all. The picture is one plane of a coarse level, in the
middle of all sliders, with the contrast and the colours that its layers would have. Of
mass-spectrometry images it is the sum of all intensities
(`napari_scope.layers.msi_overview`).

Nothing raises for what is on disk: a data set that cannot be read has a `problem`, one
whose pixels cannot be read has no picture.

Examples
--------
>>> thumbnail("cells.ome.zarr", 96).shape  # doctest: +SKIP
(96, 72, 3)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_scope.errors import FormatError, ScopeError
from napari_scope.formats.tree import open_tree
from napari_scope.layers.contrast import known_limits
from napari_scope.layers.msi_overview import msi_picture, msi_shape_words
from napari_scope.model.colors import default_color

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

    from napari_scope.formats.tree_node import Node
    from napari_scope.model import Image

    Pixels = npt.NDArray[np.uint8]

__all__ = ["SIZE_PX", "Overview", "look_into", "picture_of", "thumbnail"]

SIZE_PX: Final = 128
"""The longer side of a picture, by default."""

_MOST_READ: Final = 2048  # pixels along y and x that are read for a picture
_DEEPEST: Final = 5  # plate, row, well, field, label
_MOST_CHANNELS: Final = 6
_MOST_COUNTED: Final = 64  # images of a collection whose sizes are added up
_LOWEST, _HIGHEST = 0.2, 99.8  # percentiles that black and white are put to


@dataclass(frozen=True, slots=True)
class Overview:
    """What is known of a data set without reading its pixels.

    Parameters
    ----------
    version : str
        Format and version.
    kind : str
        What it is: ``"plate"``, ``"collection"``, ``"image"``, ``"data set"`` ...
    shape : str
        Shape of an image, or how many parts it has, in words.
    dtype : str
        Type of the pixels.
    channels : tuple of str
        Names of the channels of the first image, or of the data sets of
        mass-spectrometry images.
    pixel : str
        Size of a pixel.
    images : int
        Number of images, of a plate of its fields; 0 where it is not known.
    nbytes : int
        Bytes of all pixels, uncompressed; 0 where that is not known.
    about : bool
        Whether `images` and `nbytes` are what they are if all wells are like the first.
    finished : bool
        False while it is being written, and after its writer was killed.
    problem : str
        Why it, or a part of it, cannot be read.
    """

    version: str = ""
    kind: str = ""
    shape: str = ""
    dtype: str = ""
    channels: tuple[str, ...] = ()
    pixel: str = ""
    images: int = 0
    nbytes: int = 0
    about: bool = False
    finished: bool = True
    problem: str = ""

    def as_json(self) -> dict[str, object]:
        """Return it as values of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: object) -> Overview:
        """Return what `as_json` has made.

        Raises
        ------
        ValueError
            If it is something else.
        """
        if not isinstance(stored, dict):
            raise ValueError("no overview")
        found: dict[str, Any] = {}
        for one in fields(cls):
            value: Any = stored[one.name] if one.name in stored else one.default
            if one.name == "channels":
                value = tuple(str(name) for name in value)
            if type(value) is not type(one.default):
                raise ValueError(f"{one.name} is {value!r}")
            found[one.name] = value
        return cls(**found)


def look_into(
    place: str | os.PathLike[str], size: int = SIZE_PX
) -> tuple[Overview, Pixels | None]:
    """Return the facts of a data set and its picture; never raises for what it holds.

    Parameters
    ----------
    place : str or PathLike
        The data set.
    size : int
        Longer side of the picture in pixels.
    """
    try:
        root = open_tree(place).described()
        if root.msi is not None:
            return _look_into_msi(root, size)
        overview, image = _facts_of(root)
    except (ScopeError, OSError) as error:
        return Overview(problem=str(error), finished=False), None
    if image is None:
        return overview, None
    try:
        return overview, picture_of(image, size)
    except (ScopeError, OSError, ValueError):
        return overview, None  # opening it says why


def thumbnail(path: str | os.PathLike[str], size: int = SIZE_PX) -> Pixels:
    """Return a small picture of a data set.

    Parameters
    ----------
    path : str or PathLike
        The data set.
    size : int
        Longer side in pixels.

    Returns
    -------
    ndarray
        (height, width, 3) of uint8.

    Raises
    ------
    FormatError
        If it cannot be read, or holds no image.
    """
    root = open_tree(path).described()
    if root.msi is not None:
        pixels = msi_picture(root.place, size)
        if pixels is None:
            raise FormatError("there is no spectrum to make a picture of", path=path)
        return pixels
    _, image = _facts_of(root)
    if image is None:
        raise FormatError("there is no image to make a picture of", path=path)
    return picture_of(image, size)


def picture_of(image: Image, size: int = SIZE_PX) -> Pixels:
    """Return one plane of an image as a small picture, in the colours of its channels.

    Raises
    ------
    ScopeError, OSError
        If the pixels cannot be read.
    """
    level = _level_for(image, size)
    names = image.axis_names
    shape = dict(zip(names, level.shape, strict=True))
    if not all(shape.values()):
        raise FormatError("the image is empty")
    if image.rgb:
        plane = _plane(image, level, {}, ("y", "x", "rgb"))[..., :3]
        return _sized(_in_range(plane, None if plane.dtype.kind == "u" else ()), size)
    count = min(shape.get("c", 1), _MOST_CHANNELS)
    mixed: npt.NDArray[np.float32] | None = None
    for number in range(count):
        if number < len(image.channels) and not image.channels[number].visible:
            continue
        plane = _plane(image, level, {"c": number}, ("y", "x"))
        gray = _gray(_sized(plane, size), known_limits(image, number))
        color = _color(image, number, shape.get("c", 1))
        layer = gray[..., np.newaxis] * color
        mixed = layer if mixed is None else mixed + layer
    if mixed is None:
        raise FormatError("no channel is shown")
    clipped: Pixels = (255 * mixed.clip(0, 1)).astype(np.uint8)
    return clipped


def _look_into_msi(root: Node, size: int) -> tuple[Overview, Pixels | None]:
    facts = root.facts
    overview = Overview(
        version=facts.version,
        kind=root.kind,
        shape=msi_shape_words(root),
        dtype=facts.dtype,
        channels=tuple(child.name for child in root.children() if child.kind == "msi"),
        pixel=facts.pixel_words,
        images=facts.count or 1,
        nbytes=facts.nbytes,
        problem=root.problem,
    )
    try:
        return overview, msi_picture(root.place, size)
    except (ScopeError, OSError, ValueError):
        return overview, None  # opening it says why


def _facts_of(root: Node) -> tuple[Overview, Image | None]:
    """Return the facts of the root of a tree, and the image to show of it."""
    from napari_scope.formats.tree_node import image_facts

    node, image, problem = root, None, root.problem
    fields = 0  # of the first well of a plate
    finished = True
    if root.kind == "data set" and root.load is not None:
        dataset = root.load()
        image = dataset.images[0] if dataset.images else None
        finished = dataset.finished
    else:
        for _ in range(_DEEPEST):
            if node.load is not None and node.kind not in ("plate", "row", "well"):
                loaded = node.load()
                if loaded.images and node.kind != "collection":
                    image = loaded.images[0]
                    break
            children = [child for child in node.children() if not child.problem]
            if not children:
                problem = problem or _first_problem(node)
                break
            node = children[0].described()
            if node.kind == "well":
                fields = node.facts.count or 0
    facts = root.facts
    own = facts if facts.shape or image is None else image_facts(image)
    known = root.known or ()
    if root.kind == "collection" and (facts.count or 0) <= _MOST_COUNTED:
        known = tuple(child.described() for child in root.children())
    nbytes = facts.nbytes or sum(child.facts.nbytes for child in known)
    images = facts.count or len(known) or 1
    plate = root.kind == "plate"
    if plate and image is not None:
        images *= fields
        nbytes = images * image_facts(image).nbytes
    return (
        Overview(
            version=facts.version,
            kind=root.kind,
            shape=_shape_words(root, own.shape_words, fields),
            dtype=own.dtype,
            channels=own.channels,
            pixel=own.pixel_words,
            images=images,
            nbytes=nbytes,
            about=plate,
            finished=finished,
            problem=problem,
        ),
        image,
    )


def _first_problem(node: Node) -> str:
    return next((child.problem for child in node.children() if child.problem), "")


def _shape_words(root: Node, image: str, fields: int) -> str:
    """Return the shape of an image; of several also how many there are."""
    facts = root.facts
    if root.kind == "plate":
        count = facts.count or 0
        wells = f"{count:,} well{'' if count == 1 else 's'}"
        several = f" × {fields:,} fields" if fields > 1 else ""
        return f"{wells}{several} of {image}" if image else "no field"
    count = facts.count or 1
    return image if count == 1 or facts.shape else f"{count:,} × ({image})"


def _level_for(image: Image, size: int) -> Any:
    """Return the coarsest level that is still as large as the picture."""
    names = image.axis_names
    y, x = names.index("y"), names.index("x")
    large = [
        level for level in image.levels if max(level.shape[y], level.shape[x]) >= size
    ]
    return large[-1] if large else image.levels[0]


def _plane(
    image: Image, level: Any, index: dict[str, int], kept: tuple[str, ...]
) -> npt.NDArray[np.generic]:
    """Read the middle of a level, thinned out where it is larger than anybody sees."""
    key: list[int | slice] = []
    left: list[str] = []
    for name, length in zip(image.axis_names, level.shape, strict=True):
        if name in kept:
            left.append(name)
            start = 0
            if name != "rgb" and length > _MOST_READ:
                start = (length - _MOST_READ) // 2
            key.append(slice(start, min(length, start + _MOST_READ)))
        else:
            key.append(min(index.get(name, length // 2), length - 1))
    pixels = np.asarray(level[tuple(key)])
    return pixels.transpose([left.index(name) for name in kept])


def _sized(plane: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return a picture whose longer side is ``size`` or less, by means of blocks."""
    step = max(1, -(-max(plane.shape[:2]) // size))
    if step == 1:
        return plane
    height, width = (max(1, n // step) for n in plane.shape[:2])
    rows, columns = min(step, plane.shape[0]), min(step, plane.shape[1])
    cut = plane[: height * rows, : width * columns]
    blocks = cut.reshape(height, rows, width, columns, *plane.shape[2:])
    mean = blocks.mean(axis=(1, 3), dtype=np.float32)
    made: npt.NDArray[Any] = mean.astype(np.uint8) if plane.ndim == 3 else mean
    return made


def _gray(
    plane: npt.NDArray[Any], limits: tuple[float, float] | None
) -> npt.NDArray[np.float32]:
    values = plane.astype(np.float32)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.zeros(values.shape, np.float32)
    low, high = np.percentile(finite, (_LOWEST, _HIGHEST))
    if not low < high:
        # A few bright spots on black, as beads are.
        low, high = finite.min(), finite.max()
    if limits is not None and limits[0] < limits[1]:
        used = (high - low) / (limits[1] - limits[0])
        # A range that the file tells is believed unless the picture vanished in it.
        if used > 0.05:
            low, high = limits
    if not low < high:
        low, high = low - 1, high + 1  # flat: grey, so that it is seen to be there
    scaled = (np.nan_to_num(values, nan=low) - low) / (high - low)
    gray: npt.NDArray[np.float32] = scaled.clip(0, 1).astype(np.float32)
    return gray


def _in_range(plane: npt.NDArray[Any], limits: object) -> npt.NDArray[np.uint8]:
    """Return colours as bytes; those of more than a byte by their range."""
    if plane.dtype == np.uint8:
        return plane
    if limits is None and plane.dtype.itemsize == 2:
        return (plane >> 8).astype(np.uint8)
    return (255 * _gray(plane, None)).astype(np.uint8)


def _color(image: Image, number: int, count: int) -> npt.NDArray[np.float32]:
    channel = image.channels[number] if number < len(image.channels) else None
    text = None if channel is None else channel.color
    if count == 1 or text is None:
        name = "" if channel is None else channel.name
        text = default_color(name, number, count)
    try:
        parts = [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    except ValueError:
        parts = [1.0, 1.0, 1.0]
    return np.array(parts, np.float32)
