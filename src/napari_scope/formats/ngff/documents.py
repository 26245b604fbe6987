"""The metadata documents of arrays and groups that exist, of either Zarr version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_scope.errors import FormatError
from napari_scope.fileio import replace_file
from napari_scope.formats.ngff.store import read_bounded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["LITTLE", "read_document", "replace_document", "sharding_of"]

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
"""The codec of bytes that are stored as they are."""


def read_document(folder: Path) -> dict[str, Any]:
    """Return the document of an array or group; keys that matter are checked later."""
    for name in ("zarr.json", ".zarray", ".zattrs"):
        data = read_bounded(folder / name)
        if data is not None:
            try:
                document = json.loads(data)
            except (ValueError, RecursionError) as error:
                message = f"damaged JSON: {error}"
                raise FormatError(message, path=folder / name) from error
            if isinstance(document, dict):
                return document
    raise FormatError("its metadata are missing", path=folder)


def replace_document(folder: Path, document: Mapping[str, Any]) -> None:
    """Write the document of an array or group anew; readers see the old or the new."""
    for name in ("zarr.json", ".zarray", ".zattrs"):
        if (folder / name).is_file():
            data = json.dumps(document, indent=2, allow_nan=False).encode()
            replace_file(folder / name, data)
            return


def sharding_of(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the configuration of the shards of an array, None without any."""
    codecs = document.get("codecs")
    if isinstance(codecs, list) and len(codecs) == 1 and isinstance(codecs[0], dict):
        configuration = codecs[0].get("configuration")
        if codecs[0].get("name") == "sharding_indexed":
            if isinstance(configuration, dict):
                return configuration
    return None
