"""The texts of the arrays of an mzML file, read at their places.

Where a text has anything but letters of base64 in it, its spectrum is read with the XML
parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_scope.errors import DatasetClosedError, FormatError
from napari_scope.formats.msi.mzml.entry import read_entry
from napari_scope.formats.msi.xml_nodes import Node, NodeParser
from napari_scope.formats.msi.xml_terms import groups_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.fileio import DataFile
    from napari_scope.formats.msi.mzml.scans import Document

__all__ = ["ArrayTexts"]

_PIECE: Final = 1 << 16


class ArrayTexts:
    """Reads the texts of arrays.

    Parameters
    ----------
    file : DataFile
        The file.
    document : Document
        What its XML says.
    """

    def __init__(self, file: DataFile, document: Document) -> None:
        self._file = file
        self._document = document
        self._groups = groups_of(document.root)

    def of(self, scan: int, kinds: Sequence[str]) -> dict[str, bytes]:
        """Return the texts of some arrays of a scan, without those it does not have.

        Parameters
        ----------
        scan : int
            Number of the scan in the file.
        kinds : sequence of str
            Which arrays, see `napari_scope.formats.msi.mzml.entry.KINDS`.

        Raises
        ------
        FormatError
            If the file has become shorter.
        DatasetClosedError
            If the file is closed.
        """
        scans = self._document.scans
        form = scans.forms[int(scans.form[scan])]
        places = {
            kind: scans.place[kind][scan].tolist()
            for kind in kinds
            if getattr(form, kind) is not None
        }
        if any(first < 0 for first, _ in places.values()):
            return self._parsed(scan)
        begin = min((first for first, _ in places.values()), default=0)
        end = max((first + size for first, size in places.values()), default=0)
        data = self._piece(begin, end - begin)
        if b"&" in data:  # letters that are written as numbers
            return self._parsed(scan)
        return {
            kind: data[first - begin : first - begin + size]
            for kind, (first, size) in places.items()
        }

    def pieces(self, offsets: list[int], size: int) -> list[bytes]:
        """Return pieces of one size of the file; shorter ones at its end.

        Raises
        ------
        DatasetClosedError
            If the file is closed.
        """
        try:
            return self._file.read_pieces(offsets, size)
        except ValueError as error:
            raise self._closed() from error

    def _parsed(self, scan: int) -> dict[str, bytes]:
        """Find the texts of a scan with the XML parser."""
        found: list[Node] = []
        parser = NodeParser(self._file.path, {"spectrum": found.append}, texts=True)
        parser.feed(self._document.opening)
        at = int(self._document.scans.begin[scan])
        while not found:
            data = self._piece(at, _PIECE, short=True)
            if not data:
                raise self._shrunk(at)
            try:
                parser.feed(data)
            except FormatError:
                # What follows the spectrum need not fit the element around it.
                if not found:
                    raise
            at += len(data)
        binaries = read_entry(found[0], self._groups).binaries
        return {
            kind: node.text.encode("ascii", "replace")
            for kind, node in binaries.items()
        }

    def _piece(self, offset: int, size: int, *, short: bool = False) -> bytes:
        try:
            data = self._file.read_at(offset, size)
        except ValueError as error:
            raise self._closed() from error
        if len(data) < size and not short:
            raise self._shrunk(offset + len(data))
        return data

    def _closed(self) -> DatasetClosedError:
        return DatasetClosedError("the reader is closed", path=self._file.path)

    def _shrunk(self, offset: int) -> FormatError:
        return FormatError(
            f"the file has no byte {offset:,} any more",
            path=self._file.path,
            hint="it was cut off since it was opened",
        )
