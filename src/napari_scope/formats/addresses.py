"""What the text of a path says before anything is touched: address, archive, suffix.

A data set may lie in a folder, in a zip file, on a web server or in an object store.
`pathlib.Path` destroys the two slashes of an address, so paths that may be one stay
text until this module has looked at them. Nothing is opened here, and nothing heavy is
imported: napari asks for every path that a user drops.

Examples
--------
>>> is_address("https://example.org/a.zarr"), is_address("C:/data/a.zarr")
(True, False)
>>> split_archive("https://example.org/plate.ozx/A/1?token=7")
('https://example.org/plate.ozx?token=7', 'A/1')
>>> shown("https://me:secret@example.org/a.zarr?token=7")
'https://example.org/a.zarr'
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit, urlunsplit

__all__ = [
    "ARCHIVE_SUFFIXES",
    "OWN_DOCUMENTS",
    "is_address",
    "looks_like_zarr",
    "shown",
    "split_archive",
    "without_document",
]

OWN_DOCUMENTS = ("zarr.json", ".zattrs", ".zgroup")
"""Files that describe a group; a user may choose one in place of the folder."""

ARCHIVE_SUFFIXES = (".zip", ".ozx")
"""Suffixes of zip files; ``.ozx`` is the one of OME-Zarr (RFC-9)."""

_ADDRESS = re.compile(r"(https?|s3)://[^/]", re.IGNORECASE)


def is_address(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is the address of a server and not of this machine."""
    return isinstance(path, str) and _ADDRESS.match(path) is not None


def shown(address: str) -> str:
    """Return an address without what may be secret: its query and its password."""
    scheme, place, path, _, _ = _split(address)
    return urlunsplit((scheme, place.rpartition("@")[2], path, "", ""))


def without_document(path: str) -> str:
    """Return the path of the group, where the path of its document was given."""
    scheme, place, text, query, _ = _split(path)
    head, _, name = text.replace(os.sep, "/").rpartition("/")
    if name in OWN_DOCUMENTS:
        text = text[: len(head)]
        if not text and not scheme:
            return "/" if path.startswith("/") else "."
    if not scheme:
        return text
    return urlunsplit((scheme, place, text.rstrip("/"), query, ""))


def split_archive(path: str) -> tuple[str, str] | None:
    """Return a zip file and the path within it, or None where no zip file is named.

    Of several parts that look like one the first counts. Whether it is a file, or a
    folder of such a name, is not known here.
    """
    scheme, place, text, query, _ = _split(path)
    parts = text.replace(os.sep, "/").split("/")
    for number, part in enumerate(parts):
        if part.lower().endswith(ARCHIVE_SUFFIXES):
            archive = "/".join(parts[: number + 1])
            inside = "/".join(parts[number + 1 :]).strip("/")
            if scheme:
                archive = urlunsplit((scheme, place, archive, query, ""))
            return archive, inside
    return None


def looks_like_zarr(address: str) -> bool:
    """Return whether the text of an address names a Zarr store, or a node of one."""
    parts = _split(address)[2].rstrip("/").lower().split("/")
    return parts[-1] in OWN_DOCUMENTS or any(
        part.endswith((".zarr", ".ozx", ".zarr.zip")) for part in parts
    )


def _split(path: str) -> tuple[str, str, str, str, str]:
    """Return scheme, place, path, query and fragment; of a local path its path only."""
    if not is_address(path):
        return "", "", path, "", ""
    if path[:5].lower() == "s3://":  # keys of objects may hold any sign, also ? and #
        bucket, slash, key = path[5:].partition("/")
        return "s3", bucket, slash + key, "", ""
    scheme, place, text, query, fragment = urlsplit(path)
    return scheme, place, text, query, fragment
