"""What all nodes have in common: a group, its attributes, its members.

A node knows where it is and reads its metadata when they are asked for, once; whoever
wants to see what others wrote since opens the node again. Every change starts from
what is on disk then and is written at once.
"""

from __future__ import annotations

import contextlib
import copy
import logging
from typing import TYPE_CHECKING, Any, Literal

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.images import ome_block, version_of
from napari_scope.formats.ngff.nodes.attributes import Attributes
from napari_scope.formats.ngff.nodes.channels import check_names
from napari_scope.formats.ngff.nodes.failures import (
    ArgumentError,
    LayoutError,
    MissingChannelsError,
    MissingNodeError,
)
from napari_scope.formats.ngff.nodes.hierarchy import Hierarchy, Place, join
from napari_scope.formats.ngff.nodes.meta import (
    DEFAULT_AXES,
    AxisMeta,
    axis_from,
    check_axes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    import zarr

    from napari_scope.formats.ngff.nodes.image_array import ImageArray

__all__ = ["NGFFNode", "log"]

log = logging.getLogger("napari_scope.formats.ngff.nodes")


class NGFFNode:
    """A node (group level in Zarr) in an NGFF dataset.

    Parameters
    ----------
    group : zarr.Group or Place
        The group, in a folder of this machine.
    parse_meta : bool, optional
        Whether the group has metadata to read; False for a new one.
    channel_names : list of str, optional
        Names of the channels, for what has no metadata of its own yet.
    axes : list of AxisMeta, optional
        Axes, for what has no metadata of its own yet; T, C, Z, Y, X by default.
    overwriting_creation : bool, optional
        Whether a child that exists is replaced by a new one, by default an error.
    version : str, optional
        OME-NGFF version of what is new.
    """

    def __init__(
        self,
        group: zarr.Group | Place,
        parse_meta: bool = True,
        channel_names: Sequence[str] | None = None,
        axes: Sequence[AxisMeta] | None = None,
        overwriting_creation: bool = False,
        *,
        version: str = "0.4",
    ) -> None:
        if not parse_meta and channel_names is None:
            raise ArgumentError("a new node needs names of channels")
        self._tree, self._path = group if isinstance(group, Place) else _place(group)
        self._given_channels = None if channel_names is None else list(channel_names)
        self._given_axes = None if axes is None else tuple(map(axis_from, axes))
        if not parse_meta:
            check_names(self._given_channels or ())
            check_axes(self._given_axes or DEFAULT_AXES)
        self._overwrite = overwriting_creation
        self._new_version = version
        self._block: dict[str, Any] | None = None if parse_meta else {}
        self._before: dict[str, Any] | None = None
        self._parent: NGFFNode | None = None
        self._is_new = not parse_meta

    # What the node is, and where

    @property
    def channel_names(self) -> list[str]:
        """Names of the channels, as they were given or as the node above has them."""
        given = self._given_channels
        if self._parent is not None and not (self._is_new and given is not None):
            # What exists names its own; what was given is for what is new.
            with contextlib.suppress(MissingChannelsError):
                return self._parent.channel_names
        if given is not None:
            return list(given)
        raise MissingChannelsError(
            "nothing tells the names of the channels",
            path=self.folder,
            hint="give channel_names to open_ome_zarr",
        )

    @property
    def axes(self) -> list[AxisMeta]:
        """Axes as they were given, else T, C, Z, Y and X."""
        if self._parent is not None and not (self._is_new and self._given_axes):
            return self._parent.axes
        return list(self._given_axes or DEFAULT_AXES)

    @property
    def zgroup(self) -> zarr.Group:
        """The group, opened with zarr-python."""
        return self._tree.zarr_group(self._path)

    @property
    def zattrs(self) -> Attributes:
        """Attributes of the group; assignments change the file."""
        return Attributes(Place(self._tree, self._path), changed=self._forget)

    @property
    def maybe_wrapped_ome_attrs(self) -> Attributes:
        """The attributes that are of OME-Zarr; assignments change the file.

        Those under the key ``ome`` from version 0.5 on, all of them before.
        """
        inner = "ome" if self.zattrs.get("ome") else None
        return Attributes(Place(self._tree, self._path), inner, self._forget)

    @property
    def version(self) -> str:
        """Version of OME-Zarr."""
        found = version_of(self._ome)
        if found:
            return found
        return self._new_version

    @property
    def _write_version(self) -> Literal["0.4", "0.5"]:
        """The version of what is written here; others are refused."""
        version = self.version
        if version.startswith("0.5"):
            return "0.5"
        if version.startswith("0.4"):
            return "0.4"
        raise LayoutError(
            f"OME-Zarr {version} is read but not written",
            path=self.folder,
            hint="versions 0.4 and 0.5 are; `napari-scope convert` makes one",
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """The OME metadata of the node as JSON; `dump_meta` writes what you change."""
        if self._before is None:
            self._before = copy.deepcopy(self._ome)
        return self._ome

    @property
    def folder(self) -> Any:
        """Folder of the group."""
        return self._tree.folder(self._path)

    @property
    def path(self) -> str:
        """Path of the node below the root; empty for the root."""
        return self._path

    def is_root(self) -> bool:
        """Return whether this is the root of the store."""
        return not self._path

    def is_leaf(self) -> bool:
        """Return whether no group is in this one (positions without labels)."""
        return not self.group_keys()

    # Members

    def group_keys(self) -> list[str]:
        """Return the sorted names of the groups in this one, ``2`` before ``10``."""
        return self._tree.children(self._path, "group")

    def array_keys(self) -> list[str]:
        """Return the sorted names of the arrays in this group, ``2`` before ``10``."""
        return self._tree.children(self._path, "array")

    def _member_names(self) -> list[str]:
        return self.group_keys()

    def _member(self, name: str) -> NGFFNode | ImageArray:
        """Return the member of that name, which exists."""
        return NGFFNode(
            Place(self._tree, join(self._path, name)), **self._handed_down()
        )

    def _handed_down(self) -> dict[str, Any]:
        """Return what children without metadata of their own take over."""
        return {
            "channel_names": self._given_channels,
            "axes": self._given_axes,
            "overwriting_creation": self._overwrite,
            "version": self._new_version,
        }

    def __getitem__(self, key: int | str) -> Any:
        """Return the member at a name or at a path below the node."""
        name, _, rest = _normal(key).partition("/")
        if not name or not self._tree.has(join(self._path, name)):
            raise MissingNodeError(
                f"there is no {key!r}",
                path=self.folder,
                hint=f"there are {', '.join(self._some_names()) or 'no members'}",
            )
        member = self._member(name)
        if not rest:
            return member
        if not isinstance(member, NGFFNode):
            raise MissingNodeError(f"{name!r} is an array", path=self.folder)
        return member[rest]

    def _some_names(self) -> list[str]:
        names = self._member_names()
        return names if len(names) <= 8 else [*names[:8], "..."]

    def __setitem__(self, key: int | str, value: Any) -> None:
        """Members of this node are made by its methods."""
        raise NotImplementedError(f"{type(self).__name__} takes no assignments")

    def __delitem__(self, key: int | str) -> None:
        """Delete a member from disk; metadata that list it stay as they are."""
        path = _normal(key)
        if not path or not self._tree.has(join(self._path, path)):
            raise MissingNodeError(f"there is no {key!r}", path=self.folder)
        self._tree.remove(join(self._path, path))

    def __contains__(self, key: object) -> bool:
        """Return whether there is a member of that name (or at that path)."""
        if not isinstance(key, int | str):
            return False
        try:
            path = _normal(key)
        except FormatError:
            return False
        return bool(path) and self._tree.has(join(self._path, path))

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the members."""
        return iter(self._member_names())

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self._member_names())

    def iteritems(self) -> Iterator[tuple[str, Any]]:
        """Iterate over names and members; what is listed and missing is left out."""
        for name in self._member_names():
            if self._there(name):
                yield name, self._member(name)

    def _there(self, name: str) -> bool:
        """Return whether a member exists, and say so if it does not."""
        path = join(self._path, name)
        try:
            if self._tree.has(path):
                return True
            self._left_out(path, "it is listed, but there is no such group")
        except FormatError as error:
            self._left_out(path, error)
        return False

    def _left_out(self, path: str, reason: object) -> None:
        log.warning("%s: %s is left out: %s", self._tree.root, path, reason)

    def print_tree(self, level: int | None = None) -> None:
        """Print what is below the node, with shapes and types.

        Parameters
        ----------
        level : int, optional
            How deep to look; all of it by default.
        """
        from napari_scope.formats.ngff.nodes.printing import tree_lines

        print("\n".join(tree_lines(self._tree, self._path, level)))

    # Metadata

    @property
    def _ome(self) -> dict[str, Any]:
        """The OME block, as this node read it first or wrote it last."""
        if self._block is None:
            self._block = dict(ome_block(self._tree.attributes(self._path)))
        return self._block

    def _forget(self) -> None:
        self._block = self._before = None

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the OME block on disk, as it is there now."""
        version = self._write_version

        def apply(attributes: dict[str, Any]) -> None:
            if version == "0.5":
                block = attributes.get("ome")
                if not isinstance(block, dict):
                    block = attributes["ome"] = {}
                block.setdefault("version", "0.5")
            else:
                block = attributes
            change(block)

        written = self._tree.change(self._path, apply)
        self._block = dict(ome_block(written))
        self._before = None

    def dump_meta(self) -> None:
        """Write the parts of `metadata` that were changed since they were read.

        Methods of nodes write what they change by themselves.
        """
        before, now = self._before, self._ome
        if before is None or now == before:
            return
        keys = [k for k in {**before, **now} if before.get(k) != now.get(k)]

        def change(block: dict[str, Any]) -> None:
            for key in keys:
                if key in now:
                    block[key] = now[key]
                else:
                    block.pop(key, None)

        self._change(change)

    def get_channel_index(self, name: str) -> int:
        """Return the place of a channel among the channels.

        Raises
        ------
        ArgumentError
            If no channel, or more than one, has that name.
        """
        return self._index_of(name, self.channel_names)

    def _index_of(self, name: str, known: Sequence[str]) -> int:
        if known.count(name) == 1:
            return known.index(name)
        found = "more than one channel is" if name in known else "no channel is"
        raise ArgumentError(
            f"{found} named {name!r}",
            path=self.folder,
            hint=f"the channels are {', '.join(map(repr, known))}",
        )

    # Its end

    def close(self) -> None:
        """Close the store.

        Nothing is held open and nothing waits to be written, so nodes that were taken
        from a store stay usable after it.
        """

    def __enter__(self) -> Self:
        """Return the node itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"


def _normal(key: int | str) -> str:
    """Return the key of a member as a path without slashes at its ends."""
    return "/".join(part for part in str(key).split("/") if part)


def _place(group: zarr.Group) -> tuple[Hierarchy, str]:
    root = getattr(group.store, "root", None)
    if root is None:
        raise LayoutError(
            f"a {type(group.store).__name__} is no folder of this machine"
        )
    return Hierarchy(root, writable=not group.read_only), group.path
