"""The reader that napari calls: look at a path, open it, hand over layers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_scope.formats.detect import detect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_scope.layers import LayerData

    Path = str | os.PathLike[str]

__all__ = ["napari_get_reader"]

_SHOWN_PROBLEMS = 5


def napari_get_reader(
    path: Path | Sequence[Path],
) -> Callable[[Path | Sequence[Path]], list[LayerData]] | None:
    """Return a reader for a path, or None if it is none of our formats.

    Parameters
    ----------
    path : str, PathLike, or list of these
        What the user opens. napari asks for every folder, so the answer is cheap.
    """
    paths = _as_list(path)
    if paths and all(detect(p) is not None for p in paths):
        return read
    return None


def read(path: Path | Sequence[Path]) -> list[LayerData]:
    """Open one or several data sets and return their layers.

    What could not be read of a data set becomes a warning in napari; a data set that
    cannot be opened at all raises.

    Raises
    ------
    ScopeError
        With the file, the reason and what can be done.
    """
    from napari_scope.formats import open_dataset
    from napari_scope.layers import dataset_to_layers

    layers: list[LayerData] = []
    for one in _as_list(path):
        dataset = open_dataset(one)
        layers += dataset_to_layers(dataset)
        if dataset.problems:
            _warn(dataset.path, dataset.problems)
    return layers


def _as_list(path: Path | Sequence[Path]) -> list[Path]:
    return [path] if isinstance(path, str | os.PathLike) else list(path)


def _warn(path: str, problems: Sequence[str]) -> None:
    from napari.utils.notifications import show_warning

    shown = "\n".join(f"- {problem}" for problem in problems[:_SHOWN_PROBLEMS])
    rest = len(problems) - _SHOWN_PROBLEMS
    more = f"\n... and {rest} more" if rest > 0 else ""
    show_warning(f"Not everything could be read from {path}:\n{shown}{more}")
