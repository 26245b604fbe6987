"""A Zarr hierarchy in a zip file of this machine: ``.zip``, or ``.ozx`` (RFC-9).

The members may be stored or deflated, the file may be zip64. Its directory is read
once, by the standard library, which knows which of two members of the same name counts
(zarr-python leaves the older one in the file). A member is read up to a limit, whatever
size it claims, and compared with its checksum.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from napari_scope.errors import FormatError
from napari_scope.formats.addresses import OWN_DOCUMENTS
from napari_scope.formats.ngff.place.places import MAX_DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    import tensorstore

__all__ = ["ZipPlace"]

_T = TypeVar("_T")

_LOCAL_HEADER = 30  # bytes before the name of a member
_ENCRYPTED = 1  # bit of the flags


@dataclass(frozen=True, slots=True)
class ZipPlace:
    """A group or array in a zip file.

    Parameters
    ----------
    file : str
        The zip file.
    prefix : str
        Path of the group within it, with a slash at its end, or empty.
    """

    file: str
    prefix: str

    @classmethod
    def open(cls, file: str, inside: str = "") -> ZipPlace:
        """Return the place of a path within a zip file.

        A store is at the top of its file, as RFC-9 has it. Where it is in the only
        folder at the top, because that folder was zipped, the folder is left out.

        Raises
        ------
        FormatError
            If it is no zip file.
        """
        place = cls(file, "")
        members = _directory(*place._version())
        tops = {""}
        if not any(name in members for name in OWN_DOCUMENTS):
            tops = {
                head + "/"
                for head, _, name in (member.partition("/") for member in members)
                if name in OWN_DOCUMENTS
            }
        top = tops.pop() if len(tops) == 1 else ""
        return cls(file, f"{top}{inside}/" if inside else top)

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.file}/{self.prefix}".rstrip("/")

    @property
    def address(self) -> str:
        """The path by which it can be opened again."""
        return self.name

    @property
    def local(self) -> bool:
        """Never: it is no folder."""
        return False

    @property
    def timeout(self) -> float | None:
        """None: the disk sets the pace."""
        return None

    def child(self, *parts: str) -> ZipPlace:
        """Return a group or array below."""
        return ZipPlace(self.file, self.prefix + "".join(f"{p}/" for p in parts))

    def read(self, name: str, limit: int = MAX_DOCUMENT) -> bytes | None:
        """Return a member, or None if there is none."""
        member = _directory(*self._version()).get(self.prefix + name)
        if member is None:
            return None
        where = f"{self.name}/{name}"
        try:
            return _read_member(self.file, member, limit)
        except _TooLargeError as error:
            raise FormatError(
                f"larger than the {limit >> 20} MiB allowed", path=where
            ) from error
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise FormatError(f"cannot be read: {error}", path=where) from error

    def has(self, name: str) -> bool:
        """Return whether there is such a member."""
        return self.prefix + name in _directory(*self._version())

    def kvstore(self) -> dict[str, object]:
        """Return the driver of zip files."""
        path = os.path.abspath(self.file).replace(os.sep, "/")
        return {
            "driver": "zip",
            "base": {"driver": "file", "path": path},
            "path": self.prefix,
        }

    def context(self) -> tensorstore.Context:
        """Return the pool that holds the directories of zip files."""
        from napari_scope.formats.ngff.place.remote import shared_context

        return shared_context()

    def signature(self) -> Hashable:
        """Return what changes when the zip file is replaced."""
        return self._version()

    def ask(self, read: Callable[[float | None], _T]) -> _T:
        """Call the function."""
        return read(None)

    def explain(self, error: BaseException) -> None:
        """There is no way to a file that could fail by itself."""

    def _version(self) -> tuple[str, int, int]:
        try:
            status = os.stat(self.file)
        except OSError as error:
            raise FormatError(
                f"the zip file is gone: {error.strerror}", path=self.file
            ) from error
        return self.file, status.st_mtime_ns, status.st_size


class _TooLargeError(Exception):
    """A member goes on after the limit."""


@lru_cache(maxsize=16)
def _directory(file: str, changed: int, size: int) -> Mapping[str, zipfile.ZipInfo]:
    """Return the members of a zip file; of two of the same name the last."""
    try:
        with zipfile.ZipFile(file) as archive:
            return dict(archive.NameToInfo)
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise FormatError(
            f"the zip file cannot be read: {error}",
            path=file,
            hint="it may not be complete; copy it again",
        ) from error


def _read_member(file: str, member: zipfile.ZipInfo, limit: int) -> bytes:
    if member.flag_bits & _ENCRYPTED:
        raise zipfile.BadZipFile("it is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(
            "it is neither stored nor deflated, but compressed by method "
            f"{member.compress_type}"
        )
    with open(file, "rb") as stream:
        stream.seek(member.header_offset)
        header = stream.read(_LOCAL_HEADER)
        if len(header) < _LOCAL_HEADER or header[:4] != b"PK\3\4":
            raise zipfile.BadZipFile("there is no member at its place")
        lengths = (
            int.from_bytes(header[26:28], "little"),
            int.from_bytes(header[28:30], "little"),
        )
        stream.seek(sum(lengths), os.SEEK_CUR)
        data = stream.read(min(member.compress_size, limit + 1))
    if member.compress_type == zipfile.ZIP_DEFLATED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        data = inflate.decompress(data, limit + 1)
    if len(data) > limit:
        raise _TooLargeError
    if len(data) != member.file_size or zlib.crc32(data) != member.CRC:
        raise zipfile.BadZipFile("it is damaged, its checksum is another one")
    return data
