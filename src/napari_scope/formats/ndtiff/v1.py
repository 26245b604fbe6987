"""Stores of NDTiff versions 0 and 1: their index is spread over the files.

A file of these versions starts with header, summary metadata and an *index map*: rows
of channel, z, time, position and the offset of an image directory. Its number of
"channel" stands for all axes that have no column of their own; the names are in a file
beside the folders, ``Axes_metedata`` (so it is spelled), or in the metadata of images.
This module gathers all that into the bytes of an index of version 3, so that nobody
else needs to know.

Layout after the Java writer of that time (micro-manager/NDStorage, before 2.0), which
differs from what its Python reader takes for granted: colour images have 6 bytes
between directory and pixels, images of coarser levels are smaller than the summary
says, and a writer that was stopped leaves a map with room for 4 GiB of images. So the
directory of each image counts, not the summary.

Files are taken for hostile and for damaged: what is whole is found, the rest is named.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ndtiff.files import FilePool
from napari_scope.formats.ndtiff.index import encode_record
from napari_scope.formats.ndtiff.v1_files import frames_of, headers
from napari_scope.formats.ndtiff.v1_names import (
    ImageNames,
    read_table,
    used_by_full_resolution,
)
from napari_scope.model import sort_names

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["v1_index"]


def v1_index(folder: Path) -> tuple[bytes, list[str]]:
    """Return the index of a folder of a version 1 store, and what is wrong with it.

    Tiles get the axes ``row`` and ``column`` instead of ``position``. An axis whose
    value is 0 everywhere is left out, as the reference library does.

    Parameters
    ----------
    folder : Path
        ``Full resolution``, or a ``Downsampled_xN`` beside it.

    Returns
    -------
    bytes, list of str
        Records as `parse_index` reads them; problems in sentences.

    Raises
    ------
    FormatError
        There is no file of version 1.
    """
    problems: list[str] = []
    pool, root = FilePool(folder), FilePool(folder.parent)
    try:
        files = list(headers(pool, problems))
        if not files:
            raise FormatError(
                "there is no file of NDTiff version 1",
                path=folder,
                hint=problems[0] if problems else None,
            )
        order = files[0][1].order
        frames = [frame for file in files for frame in frames_of(pool, *file, problems)]
        names = ImageNames(pool, files, read_table(root, order, problems), frames)
        used = sort_names(names.used | used_by_full_resolution(folder))
    finally:
        pool.close()
        root.close()
    problems += names.problems
    records = []
    for frame, axes in zip(frames, names.axes, strict=True):
        if axes is not None:
            kept = {name: axes[name] for name in used if name in axes}
            text = json.dumps(kept, separators=(",", ":")).encode()
            records.append(encode_record(text, frame.file.encode(), *frame.image[:-1]))
    return b"".join(records), problems
