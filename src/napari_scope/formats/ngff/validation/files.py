"""The files of an array beside its metadata: strangers, shards, and their chunks.

Only files that are there are looked at, so a huge declared shape costs nothing.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import struct
from typing import TYPE_CHECKING, Any

from crc32c import crc32c

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.documents import sharding_of
from napari_scope.formats.ngff.pixels import ZarrSource
from napari_scope.formats.ngff.validation.images import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_scope.formats.ngff.place.array_info import ArrayInfo
    from napari_scope.formats.ngff.store import Store

__all__ = ["check_files", "strangers"]

_DOCUMENTS = frozenset({"zarr.json", ".zarray", ".zattrs"})
_GROUP_FILES = frozenset(
    {
        "zarr.json",
        ".zgroup",
        ".zattrs",
        ".zmetadata",
        "METADATA.ome.xml",
        "frames.jsonl",
    }
)
_CODECS = ("codecs", "compressor", "filters")  # of v3, and of v2
_MOST_FINDINGS = 20  # of one array
_MOST_NAMES = 100_000  # of a folder
_MAX_INDEX = 2**28
_ABSENT = 2**64 - 1


def check_files(
    store: Store, path: str, *, pixels: bool = False, opened: set[str] | None = None
) -> list[Finding]:
    """Return what is wrong with the files of an array.

    Parameters
    ----------
    store : Store
        The hierarchy; of one that is not local nothing is looked at.
    path : str
        Path of the array.
    pixels : bool
        Read all chunks that are there.
    opened : set of str, optional
        The codecs that arrays could be opened with so far; gets those of this one.
        Arrays with the same ones are not opened again.
    """
    if not store.local:
        return []
    try:
        info, document = store.array(path), store.node(path)
        folder = store.folder(path)
    except FormatError as error:
        return [Finding("error", path, "array", "to be readable", error.message)]
    codecs = json.dumps([document.get(key) for key in _CODECS], sort_keys=True)
    if opened is None or codecs not in opened:
        try:
            ZarrSource(info).check()
        except FormatError as error:
            # Each of its chunks would tell the same.
            return [Finding("error", path, "array", "codecs we know", error.message)]
        if opened is not None:
            opened.add(codecs)
    checks = _ArrayFiles(info, document, folder, path)
    findings: list[Finding] = []
    for finding in checks.run(pixels=pixels):
        findings.append(finding)
        if len(findings) == _MOST_FINDINGS:
            findings.append(
                Finding("warning", path, "files", "to be in order", "more like these")
            )
            break
    return findings


def strangers(store: Store, path: str) -> list[Finding]:
    """Return the files in the folder of a group that no group has."""
    if not store.local:
        return []
    try:
        with os.scandir(store.folder(path)) as entries:
            names = sorted(
                entry.name
                for entry in itertools.islice(entries, _MOST_NAMES)
                if not entry.is_dir() and entry.name not in _GROUP_FILES
            )
    except (OSError, FormatError):
        return []
    return [
        Finding(
            "warning",
            f"{path}/{name}".strip("/"),
            "file",
            "part of a group",
            "a stranger",
        )
        for name in names[:_MOST_FINDINGS]
    ]


class _ArrayFiles:
    def __init__(
        self, info: ArrayInfo, document: Mapping[str, Any], folder: Path, path: str
    ) -> None:
        self._info = info
        self._folder = folder
        self._path = path
        self._sharding = sharding_of(document) if info.zarr_format == 3 else None
        grid = document.get("chunk_grid")
        outer = grid.get("configuration", {}).get("chunk_shape") if grid else None
        self._stored: tuple[int, ...] = tuple(outer or document.get("chunks") or ())
        self._key = _key_pattern(document, info)

    def run(self, *, pixels: bool) -> Iterator[Finding]:
        """Iterate over what is wrong."""
        if self._key is None or len(self._stored) != len(self._info.shape):
            return  # an encoding that is not known
        source = ZarrSource(self._info)
        for name, path in _files(self._folder):
            if name in _DOCUMENTS:
                continue
            match = self._key.fullmatch(name)
            if match is None:
                yield self._finding(
                    "warning", name, "a file of the array", "a stranger"
                )
                continue
            place = tuple(int(n) for n in re.findall(r"\d+", match[1]))
            counts = [
                -(-n // size)
                for n, size in zip(self._info.shape, self._stored, strict=True)
            ]
            if any(i >= n for i, n in zip(place, counts, strict=True)):
                yield self._finding("error", name, f"a chunk within {counts}", place)
                continue
            problem = self._shard(path) if self._sharding is not None else ""
            if problem:
                yield self._finding("error", name, "a whole shard", problem)
            elif pixels:
                try:
                    self._read(source, place)
                except FormatError as error:
                    yield self._finding("error", name, "pixels", error.message)

    def _finding(
        self, severity: Any, name: str, expected: str, found: object
    ) -> Finding:
        return Finding(severity, f"{self._path}/{name}", "file", expected, str(found))

    def _read(self, source: ZarrSource, place: tuple[int, ...]) -> None:
        """Read a stored chunk; of a shard each of its chunks."""
        ranges = []
        for i, size, n, step in zip(
            place, self._stored, self._info.shape, self._info.chunks, strict=True
        ):
            start, stop = i * size, min((i + 1) * size, n)
            ranges.append(
                [slice(a, min(a + step, stop), 1) for a in range(start, stop, step)]
            )
        for block in itertools.product(*ranges):
            source.read(block)

    def _shard(self, path: Path) -> str:
        """Return what is wrong with the index of a shard."""
        sharding = self._sharding or {}
        codecs = sharding.get("index_codecs")
        names = [c.get("name") for c in codecs if isinstance(c, dict)] if codecs else []
        if names not in (["bytes"], ["bytes", "crc32c"]):
            return ""  # another encoding; reading tells
        inner = sharding.get("chunk_shape")
        if not isinstance(inner, list) or len(inner) != len(self._stored):
            return "chunks of another number of axes"
        count = math.prod(
            s // max(1, c) for s, c in zip(self._stored, inner, strict=True)
        )
        size = 16 * count + (4 if "crc32c" in names else 0)
        total = os.stat(path).st_size
        if size > min(total, _MAX_INDEX):
            return f"{total} bytes, its index alone has {size}"
        at_start = sharding.get("index_location") == "start"
        with open(path, "rb") as file:
            file.seek(0 if at_start else total - size)
            index = file.read(size)
        if "crc32c" in names:
            table, said = index[:-4], struct.unpack("<I", index[-4:])[0]
            if crc32c(table) != said:
                return "an index with a wrong checksum"
            index = table
        numbers = struct.unpack(f"<{2 * count}Q", index)
        for offset, length in zip(numbers[::2], numbers[1::2], strict=True):
            if offset == length == _ABSENT:
                continue
            if offset + length > total:
                return f"a chunk up to byte {offset + length} in {total} bytes"
        return ""


def _key_pattern(
    document: Mapping[str, Any], info: ArrayInfo
) -> re.Pattern[str] | None:
    """Return what the files of the chunks are called, their numbers as a group."""
    ndim = len(info.shape)
    if info.zarr_format == 2:
        separator = document.get("dimension_separator", ".")
        prefix = ""
    else:
        encoding = document.get("chunk_key_encoding")
        if not isinstance(encoding, dict):
            return None
        default = encoding.get("name") == "default"
        configuration = encoding.get("configuration") or {}
        separator = configuration.get("separator", "/" if default else ".")
        prefix = f"c{re.escape(separator)}" if default else ""
    if separator not in (".", "/"):
        return None
    return re.compile(f"{prefix}({re.escape(separator).join([r'[0-9]{1,18}'] * ndim)})")


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Iterate over the files below a folder: name with slashes, and path."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = folder.__class__(root, name)
            yield path.relative_to(folder).as_posix(), path
