"""What a store says of itself as one document: images, plan, microscope, software, OME.

Readers take from a store what is needed to show it. This goes through what else is
there and worth reading by a person: the facts of the run, the state of the devices,
the summary of Micro-Manager, the OME metadata. It reads small files only, never pixels,
and what is damaged is left out with a sentence.

Examples
--------
>>> import tempfile, numpy as np
>>> from napari_scope.formats import open_dataset
>>> from napari_scope.formats.ndtiff import NDTiffWriter
>>> folder = tempfile.mkdtemp()
>>> with NDTiffWriter(folder, summary={"Prefix": "cells"}) as writer:
...     _ = writer.put({"time": 0}, np.zeros((4, 5), "u2"))
>>> summary = store_summary(open_dataset(folder))
>>> summary["Store"]["format"], summary["Summary metadata"]
('ndtiff 3.3', {'Prefix': 'cells'})
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

from napari_scope.errors import ScopeError
from napari_scope.formats.addresses import is_address, shown
from napari_scope.formats.frame_journal import JournalRecords, find_journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.model import Dataset, Image

__all__ = ["store_summary"]

_MOST_IMAGES: Final = 1000
_MOST_FILES: Final = 50_000  # that are counted for the size
_MOST_XML: Final = 32 * 2**20
_RUN: Final = "napari_scope"
_LEFT_OUT: Final = ("Plane", "TiffData", "BinData", "UUID")
_OF_RUN: Final = "napari-scope/run"
_OF_FRAMES: Final = "napari-scope/frame"
_TITLES: Final = {
    "plan": "Plan",
    "events": "Plan",
    "microscope": "Microscope",
    "software": "Software",
    "system_state": "System state",
}


def store_summary(
    dataset: Dataset, cancelled: Callable[[], bool] = lambda: False
) -> dict[str, object]:
    """Return what a store says of itself, in sections; it reads files.

    Parameters
    ----------
    dataset : Dataset
        The store.
    cancelled : callable
        Asked between the files whose sizes are summed up.
    """
    summary: dict[str, object] = {"Store": _store(dataset, cancelled)}
    found = dict(dataset.metadata)
    run: object = None
    own = found.pop("summary", None)
    if isinstance(own, Mapping):
        own = dict(own)
        run = own.pop(_RUN, None)
        if own:
            summary["Summary metadata"] = own
    ome: object = None
    try:
        if dataset.format == "ome-zarr":
            ome, run = _of_zarr(dataset.path)
        elif dataset.format == "ome-tiff":
            ome, run = _of_tiff(dataset.path)
    except (ScopeError, OSError, ValueError, ElementTree.ParseError) as error:
        summary["Not readable"] = str(error)
    journal = _journal(dataset.path)
    if isinstance(run, Mapping):
        rest = dict(run)
        for key, title in _TITLES.items():
            if rest.get(key):
                summary[title] = rest.pop(key)
        if rest:
            summary["Run"] = rest
    if journal:
        summary["Frames"] = journal
    summary["Images"] = {
        f"{number} {image.name}".strip(): _image(image)
        for number, image in enumerate(dataset.images[:_MOST_IMAGES])
    }
    if found:
        summary["Data set"] = found
    if isinstance(ome, Mapping) and ome:
        summary["OME metadata"] = ome
    return summary


def _store(dataset: Dataset, cancelled: Callable[[], bool]) -> dict[str, object]:
    facts: dict[str, object] = {
        "path": shown(dataset.path),
        "format": f"{dataset.format} {dataset.format_version}".strip(),
        "images": len(dataset.images),
        "finished": dataset.finished,
    }
    if dataset.path and not is_address(dataset.path):
        files, size = _size(Path(dataset.path), cancelled)
        facts["files"] = files
        facts["size"] = f"{size / 1e6:,.1f} MB" + ("+" if files >= _MOST_FILES else "")
    for number, problem in enumerate(dataset.problems[:_MOST_IMAGES], 1):
        facts[f"problem {number}"] = problem
    return facts


def _size(path: Path, cancelled: Callable[[], bool]) -> tuple[int, int]:
    """Return the number of files of a store, and their bytes."""
    if not path.is_dir():
        return 1, path.stat().st_size if path.exists() else 0
    files = size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                size += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue  # gone in this moment
            files += 1
            if files >= _MOST_FILES or (files % 500 == 0 and cancelled()):
                return files, size
    return files, size


def _journal(place: str) -> dict[str, object]:
    """Return how many frames there are, and what was planned, by the journal."""
    path = None if not place or is_address(place) else find_journal(place)
    if path is None:
        return {}
    try:
        records = JournalRecords(path)
        facts: dict[str, object] = {"in the journal": len(records)}
        header = records.header
    except (ScopeError, OSError):
        return {}
    facts["planned"] = header.get("frames")
    facts["closed"] = records.closed
    plan = header.get("plan")
    if isinstance(plan, Mapping):
        kept = ("shape", "dtype", "order", "labels", "scale", "storage")
        facts.update({key: plan[key] for key in kept if key in plan})
    return facts


def _image(image: Image) -> dict[str, object]:
    facts: dict[str, object] = {
        "axes": " ".join(image.axis_names),
        "shape": " x ".join(map(str, image.levels[0].shape)),
        "type": str(image.levels[0].dtype),
        "levels": len(image.levels),
    }
    for axis in image.axes:
        if axis.unit:
            facts[f"{axis.name} step"] = f"{axis.scale:g} {axis.unit}"
    names = [channel.name for channel in image.channels if channel.name]
    if names:
        facts["channels"] = ", ".join(names)
    if image.labels:
        facts["labels"] = ", ".join(labels.name for labels in image.labels)
    if image.bit_depth:
        facts["bits"] = image.bit_depth
    if image.metadata:
        facts["metadata"] = dict(image.metadata)
    return facts


def _of_zarr(place: str) -> tuple[object, object]:
    """Return the OME attributes, and the facts of the run."""
    from napari_scope.formats.ngff.images import ome_block
    from napari_scope.formats.ngff.store import Store

    store = Store(place)
    attributes = store.attributes()
    run: object = None
    root = store
    if store.title.isdigit() and store.local:
        root = Store(Path(place).parent)
    try:
        run = root.attributes("acquisition").get(_RUN)
    except (ScopeError, OSError):
        run = None  # not one of ours
    return dict(ome_block(attributes)), run


def _of_tiff(place: str) -> tuple[object, object]:
    """Return the OME-XML without its planes, and the facts of the run."""
    path = Path(place)
    text = b""
    if path.is_dir():
        companions = sorted(path.glob("*.companion.ome"))
        files = sorted(path.glob("*.ome.tif*"))
        if companions and companions[0].stat().st_size <= _MOST_XML:
            text = companions[0].read_bytes()
        path = files[0] if files else path
    if not text and path.is_file():
        import tifffile

        with tifffile.TiffFile(path) as file:
            text = (file.pages.first.description or "").encode()
    if not text or len(text) > _MOST_XML:
        return None, None
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ValueError("the OME-XML declares entities")
    return _nested(text)


def _nested(text: bytes) -> tuple[dict[str, object], object]:
    """Return a document as nested mappings, and the notes of our own on the run."""
    run: dict[str, object] = {}
    above: list[dict[str, Any]] = [{}]
    skipping = 0
    inside_notes = False
    parser = ElementTree.iterparse(io.BytesIO(text), events=("start", "end"))
    for event, element in parser:
        tag = element.tag.rpartition("}")[2]
        left_out = tag in _LEFT_OUT or element.get("Namespace") == _OF_FRAMES
        if event == "start":
            inside_notes = inside_notes or element.get("Namespace") == _OF_RUN
            skipping += left_out or bool(skipping)
            if not skipping:
                above.append({k.rpartition("}")[2]: v for k, v in element.items()})
            continue
        if skipping:
            skipping -= 1
            element.clear()
            continue
        found: object = above.pop()
        content = (element.text or "").strip()
        if content:
            found = {**found, "value": content} if found else content  # type: ignore[dict-item]
        if element.get("Namespace") == _OF_RUN:
            inside_notes = False
            element.clear()
            continue
        if tag == "M" and inside_notes:
            run[element.get("K", "")] = _json(content)
            element.clear()
            continue
        place = above[-1]
        if tag in place:
            place[tag] = [*_as_list(place[tag]), found]
        else:
            place[tag] = found
        element.clear()
    return dict(above[0].get("OME") or above[0]), run


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _json(text: str) -> object:
    """Return what a note says: JSON, or else plain text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
