"""Several files of one data set, dropped together, are opened once.

napari opens dropped files one by one. An .imzML file and its .ibd file, or the three
files of Analyze, are one data set each: the first that comes opens it, and the others
bring nothing new.

Examples
--------
>>> is_shown_already("brain.ibd")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from napari_scope.layers.msi import msi_of

if TYPE_CHECKING:
    Path = str | os.PathLike[str]

__all__ = ["has_window", "is_shown_already"]

_TOGETHER: Final = (frozenset((".imzml", ".ibd")), frozenset((".hdr", ".img", ".t2m")))


def has_window() -> bool:
    """Return whether there is a viewer with a window that something can be tied to."""
    import napari

    return getattr(napari.current_viewer(), "window", None) is not None


def is_shown_already(path: Path, viewer: Any = None) -> bool:
    """Return whether a viewer shows the data set through another of its files.

    Parameters
    ----------
    path : str or PathLike
        The file.
    viewer : napari.components.ViewerModel, optional
        The viewer; by default the current one.
    """
    if viewer is None:
        import napari

        viewer = napari.current_viewer()
    if viewer is None:
        return False
    shown = (msi_of(layer.metadata) for layer in viewer.layers)
    return any(
        _are_partners(os.fspath(path), origin.reader.basename)
        for origin in shown
        if origin is not None
    )


def _are_partners(one: str, other: str) -> bool:
    """Return whether two different files belong to one data set.

    Examples
    --------
    >>> _are_partners("/a/b.imzML", "/a/b.ibd"), _are_partners("/a/b.ibd", "/a/b.ibd")
    (True, False)
    """
    (stem, suffix), (root, ending) = map(os.path.splitext, (one, other))
    if suffix.lower() == ending.lower() or os.path.abspath(stem) != os.path.abspath(
        root
    ):
        return False
    pair = {suffix.lower(), ending.lower()}
    return any(pair <= together for together in _TOGETHER)
