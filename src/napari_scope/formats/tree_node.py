"""A node of the tree of a data set: what it is, what is known of it, what is below.

A tree is as deep as a plate (row, well, field, level) and may have a million leaves,
so nothing is read before it is asked for: `Node.children` reads what lists the children
and no more, `Node.described` reads what the node says of itself. Neither raises for
what is on disk: what cannot be read is a `problem` of the node. Both may be called in
any thread; they read files, so not in that of a window.

It knows no format (`napari_scope.formats.tree` makes the trees), no layers and no Qt.

Examples
--------
>>> well = Node("well", "B03", "B/03")
>>> well.matches("b3"), well.leads_to("B/03/0"), well.matches("C")
(True, True, False)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from napari_scope.errors import ScopeError
from napari_scope.formats.addresses import is_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from napari_scope.model import Dataset, Image, Labels

__all__ = [
    "MAX_CHILDREN",
    "Facts",
    "Kind",
    "MSIPart",
    "Node",
    "bounded",
    "image_facts",
    "size_words",
    "walk",
]

Kind: TypeAlias = Literal[
    "plate",
    "row",
    "well",
    "field",
    "collection",
    "data set",
    "image",
    "level",
    "labels",
    "label",
    "folder",
    "msi",
    "region",
    "rest",
]
"""What a node is.

``"msi"`` is a file of mass-spectrometry images, or a data set (scan type) of one that
has several. ``"rest"`` stands for children that are too many to be listed.
"""

MAX_CHILDREN: Final = 20_000
"""More children of one node are counted, not listed; a plate has at most 1536 wells."""

_WELL: Final = re.compile(r"([a-z]{1,2})(\d{1,3})")
_PADDED: Final = re.compile(r"(?<!\d)0\d+\s*$")  # nobody types more behind 03
_READS_AT_ONCE: Final = 16
_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a node; empty where it is not known or makes no sense.

    Parameters
    ----------
    axes : tuple of str
        Names of the axes, in the order of the array.
    shape : tuple of int
        Length of each axis at full resolution.
    dtype : str
        Type of the pixels.
    chunks : tuple of int
        Shape of what is read at once: the chunk, or the inner chunk of a shard.
    shards : tuple of int
        Shape of a shard, for arrays that have them.
    codecs : tuple of str
        How chunks are encoded, in order, such as ``"blosc (zstd, level 1)"``.
    levels : int
        Number of levels.
    scale : tuple of (str, float, str)
        Name, distance of two samples and unit of each axis that has a unit.
    channels : tuple of str
        Names of the channels.
    nbytes : int
        Bytes of all pixels of all levels, were nothing compressed or left out.
    count : int, optional
        How many children there are, where that is known without reading them.
    acquisition : str
        Name of the acquisition that a field belongs to.
    acquisitions : tuple of (int, str)
        Number and name of the acquisitions of a plate.
    rows, columns : tuple of str
        Names of the rows and columns of a plate.
    version : str
        Format and version.
    spectra : int
        Number of spectra of mass-spectrometry images.
    mz : tuple of float
        Their lowest and highest m/z.
    regions : int
        Number of their regions.
    """

    axes: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = ""
    chunks: tuple[int, ...] = ()
    shards: tuple[int, ...] = ()
    codecs: tuple[str, ...] = ()
    levels: int = 0
    scale: tuple[tuple[str, float, str], ...] = ()
    channels: tuple[str, ...] = ()
    nbytes: int = 0
    count: int | None = None
    acquisition: str = ""
    acquisitions: tuple[tuple[int, str], ...] = ()
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    version: str = ""
    spectra: int = 0
    mz: tuple[float, ...] = ()
    regions: int = 0

    @property
    def shape_words(self) -> str:
        """The shape with the names of the axes: ``"t 3 × y 512 × x 512"``."""
        if len(self.axes) != len(self.shape):
            return " × ".join(map(str, self.shape))
        return " × ".join(
            f"{name} {n}" for name, n in zip(self.axes, self.shape, strict=True)
        )

    @property
    def mz_words(self) -> str:
        """The range of the m/z: ``"m/z 100.083 to 799.917"``."""
        if len(self.mz) != 2:
            return ""
        return f"m/z {self.mz[0]:.6g} to {self.mz[1]:.6g}"

    @property
    def pixel_words(self) -> str:
        """The physical size of a pixel: ``"z 2, y 0.65, x 0.65 µm"``."""
        parts: list[str] = []
        for number, (name, step, unit) in enumerate(self.scale):
            parts.append(f"{name} {step:g}")
            last = number + 1 == len(self.scale)
            if unit and (last or self.scale[number + 1][2] != unit):
                parts[-1] += f" {_SHORT_UNITS.get(unit, unit)}"
        return ", ".join(parts)

    def as_json(self) -> dict[str, object]:
        """Return what is known as values of JSON."""
        found = {
            name: getattr(self, name)
            for name in self.__slots__
            if getattr(self, name) not in ((), "", None) and name != "scale"
        }
        if self.scale:
            found["scale"] = {
                name: {"step": step, "unit": unit or None}
                for name, step, unit in self.scale
            }
        for name in ("nbytes", "levels", "spectra", "regions"):
            if not found[name]:
                del found[name]
        return found


_SHORT_UNITS: Final = {
    "micrometer": "µm",
    "nanometer": "nm",
    "millimeter": "mm",
    "second": "s",
    "millisecond": "ms",
    "minute": "min",
    "hour": "h",
}


@dataclass(frozen=True, slots=True)
class MSIPart:
    """Which of the spectra of a file of mass-spectrometry images are meant.

    Parameters
    ----------
    place : str
        The file or folder.
    dataset : int, optional
        Number of a data set; None for all of them.
    region : int, optional
        Number of a region of that data set; None for all of them.
    """

    place: str
    dataset: int | None = None
    region: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node of the tree of a data set.

    Parameters
    ----------
    kind : str
        What it is (see `Kind`).
    name : str
        What it is called among its siblings.
    path : str
        Where it is below the root of the tree, with slashes; empty for what has no
        place of its own in the store, such as an image of NDTiff.
    facts : Facts
        What is known of it so far; `described` adds what has to be read.
    problem : str
        Why it cannot be read, or what is odd about it.
    place : str
        Path or address of the whole tree in the file system.
    known : tuple of Node, optional
        The children, where they are known without reading anything.
    list_children : callable, optional
        Reads the children; raises `ScopeError`. Without it they are what the described
        node knows or lists.
    describe : callable, optional
        Gets the node, reads what it says of itself, and returns the node with that;
        raises `ScopeError`.
    load : callable, optional
        Opens it as a data set of which layers can be made; raises `ScopeError`.
    title : str
        What stands before the names of its layers.
    wells : tuple of (str, str)
        Row and column of the wells that a row or well of a plate stands for.
    msi : MSIPart, optional
        The mass-spectrometry images that it stands for, which are no `Dataset`.
    """

    kind: Kind
    name: str
    path: str = ""
    facts: Facts = field(default_factory=Facts)
    problem: str = ""
    place: str = ""
    known: tuple[Node, ...] | None = None
    list_children: Callable[[], Iterable[Node]] | None = None
    describe: Callable[[Node], Node] | None = None
    load: Callable[[], Dataset] | None = None
    title: str = ""
    wells: tuple[tuple[str, str], ...] = ()
    msi: MSIPart | None = None

    @property
    def address(self) -> str:
        """Its own path or address in the file system."""
        return joined(self.place, self.path)

    @property
    def may_have_children(self) -> bool:
        """Whether there is anything below, as far as that is known."""
        if self.known is not None:
            return bool(self.known)
        reads = self.list_children is not None or self.describe is not None
        return reads and self.kind != "level"

    @property
    def can_open(self) -> bool:
        """Whether it can be opened as layers."""
        return self.load is not None or bool(self.wells) or self.msi is not None

    def children(self) -> tuple[Node, ...]:
        """Return the children; one that cannot be read has a `problem`.

        A node that cannot list them has one child that says why.
        """
        if self.known is not None:
            return self.known
        if self.list_children is None:
            return () if self.describe is None else self.described().children()
        try:
            return bounded(self.list_children())
        except ScopeError as error:
            return (Node("rest", "cannot be read", self.path, problem=str(error)),)

    def described(self) -> Node:
        """Return the node with all that it says of itself, or with the problem."""
        if self.describe is None:
            return self
        try:
            return replace(self.describe(self), describe=None)
        except ScopeError as error:
            return replace(self, problem=str(error), describe=None)

    def matches(self, wanted: str) -> bool:
        """Return whether what somebody types means this node.

        Zeros before a number and the case do not matter: ``B/03``, ``b3`` and ``B/3``
        are the same well, and mean what is below it, too. Otherwise each word must be
        in the name or in that of a channel.
        """
        meant, own = _parts(wanted), _parts(self.path)
        if 0 < len(meant) <= len(own):
            last, other = meant[-1], own[len(meant) - 1]
            # It may still be being typed.
            begins = other.startswith(last) and not _PADDED.search(wanted)
            if (other == last or begins) and meant[:-1] == own[: len(meant) - 1]:
                return True
        text = " ".join((self.name, *self.facts.channels)).casefold()
        return all(word in text for word in wanted.casefold().split())

    def leads_to(self, wanted: str) -> bool:
        """Return whether the path that somebody types is below this node."""
        meant, own = _parts(wanted), _parts(self.path)
        return 0 < len(own) < len(meant) and meant[: len(own)] == own

    def as_json(self) -> dict[str, object]:
        """Return the node without its children as values of JSON."""
        found: dict[str, object] = {"kind": self.kind, "name": self.name}
        if self.path:
            found["path"] = self.path
        found |= self.facts.as_json()
        if self.problem:
            found["problem"] = self.problem
        return found


def joined(place: str, path: str) -> str:
    """Return the path or address of what is below a place.

    Examples
    --------
    >>> joined("https://example.org/plate.zarr?token=7", "A/1")
    'https://example.org/plate.zarr/A/1?token=7'
    """
    head, mark, query = place.partition("?") if is_address(place) else (place, "", "")
    return f"{head.rstrip('/')}/{path}{mark}{query}" if path else place


def described(nodes: Sequence[Node]) -> list[Node]:
    """Return nodes as they describe themselves; those behind an address together."""
    if len(nodes) < 2 or not is_address(nodes[0].place):
        return [node.described() for node in nodes]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_READS_AT_ONCE, "napari-scope tree") as threads:
        return list(threads.map(Node.described, nodes))


def bounded(nodes: Iterable[Node], most: int = MAX_CHILDREN) -> tuple[Node, ...]:
    """Return nodes; those that are too many become one that counts them."""
    listed: list[Node] = []
    left = 0
    for node in nodes:
        if len(listed) < most:
            listed.append(node)
        else:
            left += 1
    if left:
        listed.append(Node("rest", f"and {left:,} more", problem="too many to list"))
    return tuple(listed)


def image_facts(image: Image | Labels, version: str = "") -> Facts:
    """Return what is known of an image or its labels; reads nothing."""
    levels = image.levels
    return Facts(
        axes=image.axis_names,
        shape=levels[0].shape,
        dtype=str(levels[0].dtype),
        levels=len(levels),
        scale=tuple((a.name, a.scale, a.unit) for a in image.axes if a.unit),
        channels=tuple(c.name for c in getattr(image, "channels", ()) if c.name),
        nbytes=sum(math.prod(one.shape) * one.dtype.itemsize for one in levels),
        version=version,
    )


def walk(node: Node, most: int = 1_000_000) -> Iterator[tuple[int, Node]]:
    """Yield a node and all below it, described, with their depth; reads everything.

    Parameters
    ----------
    node : Node
        Where to begin.
    most : int
        The walk ends after this many nodes.
    """
    waiting = [(0, node)]
    for _ in range(most):
        if not waiting:
            return
        depth, one = waiting.pop()
        one = one.described()
        yield depth, one
        waiting += [(depth + 1, child) for child in reversed(one.children())]


def size_words(nbytes: int) -> str:
    """Return a number of bytes in words.

    Examples
    --------
    >>> size_words(999), size_words(1_048_576), size_words(3 * 10**12)
    ('999 bytes', '1.05 MB', '3 TB')
    """
    power = min(int(math.log10(nbytes)) // 3, len(_UNITS) - 1) if nbytes > 0 else 0
    return f"{nbytes / 1000**power:.3g} {_UNITS[power]}"


@lru_cache(maxsize=4096)
def _parts(path: str) -> tuple[str, ...]:
    """Return the parts of a path; a well such as ``B03`` has two."""
    parts = path.casefold().replace(" ", "").strip("/").split("/")
    if len(parts) == 1 and (well := _WELL.fullmatch(parts[0])):
        parts = list(well.groups())
    return tuple(part.lstrip("0") or part[:1] for part in parts if part)
