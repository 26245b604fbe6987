"""What can be done with a stored data set, as a menu: convert, export, check, mend.

The menu only says what is wanted, as a `StoreWish`; doing it is the business of
`store_work`. What makes no sense for a data set is not offered.

Examples
--------
>>> add_store_actions(menu, [StoreTarget("/data/a.ndtiff", "ndtiff")], print)
... # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from napari_scope.formats.image_parts import Parts
from napari_scope.widgets.browsing.part_chooser import part_words
from napari_scope.widgets.common.icons import icon

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtpy.QtWidgets import QMenu

    from napari_scope.formats.msi.convert import MSIKind
    from napari_scope.formats.tree_node import Node
    from napari_scope.stream.conversion.report import Target
    from napari_scope.widgets.browsing.folder_rows import State

__all__ = ["StoreTarget", "StoreWish", "Wanted", "add_store_actions", "targets_of"]

Wanted: TypeAlias = Literal[
    "convert", "pyramid", "validate", "recover", "watch", "show", "trash"
]

_FORMATS: Final[tuple[tuple[Target, str], ...]] = (
    ("ome-zarr", "OME-&Zarr …"),
    ("ndtiff", "&NDTiff …"),
    ("ome-tiff", "OME-&TIFF …"),
)
_MSI_FORMATS: Final[tuple[tuple[MSIKind, str], ...]] = (
    ("ome-zarr", "OME-&Zarr (ion images) …"),
    ("imzml", "&imzML …"),
    ("openmsi", "&OpenMSI HDF5 …"),
)


@dataclass(frozen=True, slots=True)
class StoreTarget:
    """A data set, or a part of one, that something is done to.

    Parameters
    ----------
    place : str
        The data set.
    format : str
        Its format.
    state : str
        What became of it; empty where that is not known.
    images : tuple of str, optional
        Names of the images that are meant; None for all.
    parts : Parts
        Which parts of them.
    words : str
        What is meant, for the user; empty for everything.
    dataset : int, optional
        Of mass-spectrometry images the number of the data set; None for all.
    regions : tuple of int, optional
        Numbers of its regions; None for all.
    """

    place: str
    format: str
    state: State = ""
    images: tuple[str, ...] | None = None
    parts: Parts = Parts()  # noqa: RUF009  (frozen)
    words: str = ""
    dataset: int | None = None
    regions: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class StoreWish:
    """What the user wants.

    Parameters
    ----------
    wanted : str
        What is to be done.
    targets : tuple of StoreTarget
        What to.
    format : str, optional
        The format to convert to.
    """

    wanted: Wanted
    targets: tuple[StoreTarget, ...]
    format: Target | MSIKind | None = None


def add_store_actions(
    menu: QMenu,
    targets: Sequence[StoreTarget],
    wish: Callable[[StoreWish], object],
    *,
    trash: bool = False,
) -> None:
    """Add to a menu what can be done with data sets.

    Parameters
    ----------
    menu : QMenu
        The menu.
    targets : sequence of StoreTarget
        The data sets.
    wish : callable
        Gets what the user wants.
    trash : bool
        Whether they may be moved to the trash.
    """
    if not targets:
        return
    every = tuple(targets)

    def add(wanted: Wanted, text: str, name: str, tip: str) -> None:
        action = menu.addAction(icon(name), text)
        if action is not None:
            action.setToolTip(tip)
            action.triggered.connect(lambda _=False: wish(StoreWish(wanted, every)))

    menu.setToolTipsVisible(True)
    part = any(one.words for one in every)
    spectra = [one.format == "msi" for one in every]
    # Of images and spectra together nothing can be made in one way.
    title = "&Export this to" if part else "&Convert to"
    convert = menu.addMenu(title) if all(spectra) == any(spectra) else None
    if convert is not None:
        convert.setIcon(icon("save"))
        for kind, title in _MSI_FORMATS if all(spectra) else _FORMATS:
            action = convert.addAction(title)
            if action is not None:
                action.triggered.connect(
                    lambda _=False, f=kind: wish(StoreWish("convert", every, f))
                )
    local = all("://" not in one.place for one in every)
    if all(one.format == "ome-zarr" for one in every):
        if local:
            add(
                "pyramid",
                "Make &pyramid",
                "tree-level",
                "Compute the coarse levels, so that large images show quickly; full "
                "resolution is not changed",
            )
        add(
            "validate",
            "&Validate",
            "check-circle",
            "Check metadata and files against the specification; nothing is changed",
        )
    if local and any(one.state == "interrupted" for one in every):
        add("recover", "&Recover", "check-circle", "Complete the files of this run")
    # Nobody counts the spectra of a file that grows.
    watched = [one for one in every if one.format != "msi"]
    if local and any(one.state in ("", "being written") for one in watched):
        add(
            "watch",
            "&Watch",
            "follow",
            "Show how many frames are saved, and whether it is still written",
        )
    menu.addSeparator()
    if local:
        add("show", "Show in &file manager", "folder", "Open the folder it lies in")
    if trash and local and not any(one.state == "being written" for one in every):
        add("trash", "Move to tras&h …", "dismiss", "Move to the system's trash")


def targets_of(
    root: Node, selected: Sequence[Node], parts: Parts | None = None
) -> list[StoreTarget]:
    """Return what is selected in a tree as data sets, or parts of one.

    Parameters
    ----------
    root : Node
        Top of the tree.
    selected : sequence of Node
        What is selected in it; levels mean their images.
    parts : Parts, optional
        Which parts of the images are meant.
    """
    if root.kind == "folder":
        return [
            StoreTarget(node.place, format_of(node))
            for node in selected
            if node.place and (node.kind == "data set" or _is_whole_msi(node))
        ]
    if any(node.msi is not None for node in selected):
        return _msi_targets(selected)
    meant = parts or Parts()
    names: list[str] = []
    facts = root.facts
    for node in selected:
        if node.kind in ("well", "row"):
            names += [f"{row}/{column}/" for row, column in node.wells]
        elif node.kind in ("field", "image"):
            names.append(node.path if node.kind == "field" else node.name)
        else:
            names = []  # the whole, or something that is no image by itself
            break
        facts = node.facts
    images = tuple(dict.fromkeys(names)) if names else None
    words = [] if images is None else [_few(images)]
    if meant:
        words.append(part_words(meant, facts.channels))
    return [
        StoreTarget(
            root.place,
            format_of(root),
            images=images,
            parts=meant,
            words="; ".join(words),
        )
    ]


def format_of(node: Node) -> str:
    """Return the format of a data set by what its tree says."""
    if node.msi is not None:
        return "msi"
    version = node.facts.version.casefold()
    names = ("ndtiff", "ome-tiff")
    return next((name for name in names if version.startswith(name)), "ome-zarr")


def _is_whole_msi(node: Node) -> bool:
    return node.msi is not None and node.msi.dataset is None


def _msi_targets(selected: Sequence[Node]) -> list[StoreTarget]:
    """Return a target for each data set that is meant, with its regions; or the whole.

    Who selects a data set and a region in it means the data set.
    """
    nodes = [node for node in selected if node.msi is not None]
    whole = next((node for node in nodes if _is_whole_msi(node)), None)
    if whole is not None:
        return [StoreTarget(whole.place, "msi")]
    meant: dict[int, tuple[list[str], list[int] | None]] = {}
    place = ""
    for node in nodes:
        part = node.msi
        if part is None or part.dataset is None:
            continue
        place = part.place
        names, regions = meant.get(part.dataset, ([], []))
        if part.region is None:
            meant[part.dataset] = ([node.name], None)
        elif regions is not None:
            meant[part.dataset] = ([*names, node.name], [*regions, part.region])
    return [
        StoreTarget(
            place,
            "msi",
            words=_few(names),
            dataset=number,
            regions=None if regions is None else tuple(regions),
        )
        for number, (names, regions) in meant.items()
    ]


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(name.rstrip("/") for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
