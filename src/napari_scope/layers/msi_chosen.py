"""From what somebody chooses of mass-spectrometry images to layers.

Data sets (scan types) and regions can be opened alone; they get the layers that a file
of just these would have. A file is opened once, however much of it is chosen.

Examples
--------
>>> opened = msi_parts([MSIPart("brain.mzML", 1)])  # doctest: +SKIP
>>> [layer[1]["name"] for layer in opened.layers]  # doctest: +SKIP
['brain - FTMS ms2 885.55 TIC', 'brain - FTMS ms2 885.55 m/z']
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.formats.msi import MSIReader
    from napari_scope.formats.tree_node import MSIPart
    from napari_scope.layers.describe import LayerData

__all__ = ["OpenedMSI", "msi_parts"]


@dataclass(frozen=True, slots=True)
class OpenedMSI:
    """The layers of one file, and what was wrong with it.

    Parameters
    ----------
    layers : list of LayerData
        The layers; they keep the file open.
    problems : tuple of str
        What was passed over, in words.
    """

    layers: list[LayerData]
    problems: tuple[str, ...]


def msi_parts(parts: Sequence[MSIPart], *, wait: bool = True) -> OpenedMSI:
    """Return the layers of parts of one file.

    Parameters
    ----------
    parts : sequence of MSIPart
        What is wanted; all of one place. Several regions of one data set are opened as
        one image.
    wait : bool
        Whether sums of intensities that the file does not tell are computed before this
        returns; see `napari_scope.layers.msi_build.reader_to_layers`.

    Raises
    ------
    ScopeError
        If the file cannot be opened, or has no such part.
    """
    from napari_scope.formats.msi import open_msi
    from napari_scope.layers.msi_build import reader_to_layers

    place = parts[0].place
    reader = open_msi(place)
    try:
        chosen = _chosen(parts)
        if chosen is None:
            return OpenedMSI(reader_to_layers(reader, wait=wait), reader.problems)
        named = _words(reader, chosen)
        part = _part_of(reader, chosen)
        layers = reader_to_layers(part, wait=wait)
        if len(chosen) == 1 and named:
            layers = [_named(layer, place, named) for layer in layers]
    except BaseException:
        reader.close_file()
        raise
    return OpenedMSI(layers, part.problems)


def _chosen(parts: Sequence[MSIPart]) -> list[tuple[int, list[int] | None]] | None:
    """Return data sets and regions, each once; None for everything.

    Who chooses a data set and a region in it means the data set.
    """
    wanted: dict[int, list[int] | None] = {}
    for part in parts:
        if part.dataset is None:
            return None
        before = wanted.get(part.dataset, [])
        if part.region is None or before is None:
            wanted[part.dataset] = None
        elif part.region not in before:
            wanted[part.dataset] = [*before, part.region]
    return sorted(wanted.items(), key=lambda one: one[0])


def _part_of(
    reader: MSIReader, chosen: Sequence[tuple[int, list[int] | None]]
) -> MSIReader:
    from napari_scope.formats.msi.part import PartReader

    try:
        return PartReader(reader, chosen)
    except ValueError as error:
        raise FormatError(
            str(error), path=reader.basename, hint="it has changed; read it again"
        ) from error


def _words(reader: MSIReader, chosen: Sequence[tuple[int, list[int] | None]]) -> str:
    """Return what is chosen in words."""
    number, regions = chosen[0]
    sets = reader.data_sets
    if not 0 <= number < len(sets):
        return ""
    words = [sets[number].name or f"data set {number}"] if len(sets) > 1 else []
    if regions is not None:
        names = [
            one.name for one in sets[number].pixels.regions if one.index in regions
        ]
        words.append(", ".join(names[:3]) + (" …" if len(names) > 3 else ""))
    return " - ".join(words)


def _named(layer: LayerData, place: str, words: str) -> LayerData:
    """Return a layer whose name says which part of the file it is."""
    data, arguments, kind = layer
    path = Path(place)
    stem = path.name if path.is_dir() else path.stem
    rest = str(arguments["name"]).removeprefix(stem)
    return data, {**arguments, "name": f"{stem} - {words}{rest}"}, kind
