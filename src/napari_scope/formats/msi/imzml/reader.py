"""Opens imzML: the .imzML file and the .ibd file beside it.

Examples
--------
>>> with ImzMLReader("brain.imzML") as reader:  # doctest: +SKIP
...     reader.shape, reader.data.ion_image(885.55, 10, "ppm")
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_scope.errors import FormatError
from napari_scope.fileio import DataFile
from napari_scope.formats.msi.imzml import terms
from napari_scope.formats.msi.imzml.document import groups_of, read_strictly
from napari_scope.formats.msi.imzml.entry import params
from napari_scope.formats.msi.imzml.fast import read_fast
from napari_scope.formats.msi.imzml.layout import lay_out
from napari_scope.formats.msi.imzml.spectra import ImzMLSpectra
from napari_scope.formats.msi.reader import MSIReader
from napari_scope.formats.msi.spectra import MetadataValue, PixelSize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_scope.formats.msi.imzml.layout import Layout
    from napari_scope.formats.msi.spectra import Spectra
    from napari_scope.formats.msi.xml_nodes import Node

    PathLike = str | os.PathLike[str]

__all__ = ["ImzMLReader"]

_SUFFIX = ".imzml"
_HEAD = 4096
_PIECE = 1 << 20
_PARTS = (
    "fileContent", "sourceFileList", "sampleList", "softwareList", "scanSettingsList",
    "instrumentConfigurationList", "dataProcessingList",
)  # fmt: skip


class ImzMLReader(MSIReader):
    """Reads imzML, continuous and processed.

    Parameters
    ----------
    basename : str or PathLike
        The .imzML file, its .ibd file, or a folder with one .imzML file (the first one
        by name, if it has several).
    requires_slicing : bool
        See `MSIReader`.
    strict : bool
        Read the XML with an XML parser only; takes several times as long and finds the
        same.

    Attributes
    ----------
    path, ibd_path : Path
        The two files.
    document : Document
        What the XML says.

    Raises
    ------
    FormatError
        If a file is missing, the XML is damaged, or no spectrum can be read.
    """

    name: ClassVar[str] = "imzml"

    def __init__(
        self, basename: PathLike, requires_slicing: bool = True, *, strict: bool = False
    ) -> None:
        self._strict = strict
        self._file: DataFile | None = None
        super().__init__(basename, requires_slicing)

    @classmethod
    def is_valid_dataset(cls, name: PathLike) -> bool:
        """See `MSIReader.is_valid_dataset`."""
        found = _find(name)
        if found is None:
            return False
        try:
            with found.open("rb") as file:
                head = file.read(_HEAD).lstrip(b"\xef\xbb\xbf \r\n\t")
        except OSError:
            return False
        # The XML of files with 16-bit characters begins with a mark.
        return head.startswith((b"<", b"\xff\xfe", b"\xfe\xff"))

    @classmethod
    def size(cls, name: PathLike) -> int | None:
        """Return the bytes of the .ibd file."""
        found = _find(name)
        ibd = None if found is None else _ibd_of(found)
        return None if ibd is None else ibd.stat().st_size

    @classmethod
    def get_files_from_dir(cls, dirname: PathLike) -> list[str]:
        """Return the .imzML files of a folder."""
        return [str(path) for path in _imzml_in(Path(dirname))]

    def _open(self) -> Sequence[Spectra]:
        path = _find(self.basename)
        if path is None:
            raise FormatError("no .imzML file", path=self.basename)
        self.path = path
        self.document = (None if self._strict else read_fast(path)) or read_strictly(
            path
        )
        if not len(self.document.form):
            raise FormatError("there is no spectrum", path=path)
        ibd = _ibd_of(path)
        if ibd is None:
            raise FormatError(
                f"the file {path.with_suffix('.ibd').name} is missing",
                path=path,
                hint="it has the spectra and lies in the same folder",
            )
        self.ibd_path = ibd
        self._file = DataFile.open(ibd)
        layout = lay_out(self.document, self._file.size(), path)
        root = self.document.root
        self._terms = _terms(root)
        spectra = ImzMLSpectra(
            self._file,
            layout,
            is_profile=self._is_profile(layout),
            pixel_size=_pixel_size(self._terms),
            metadata=_metadata(root, _PARTS[:1] + _PARTS[4:5]),
            totals=None if np.isnan(layout.total).any() else layout.total,
            identity=_identity(ibd, path),
        )
        self.problems = (
            *self.document.problems,
            *layout.problems,
            *self._doubts(spectra),
        )
        return (spectra,)

    def _is_profile(self, layout: Layout) -> bool | None:
        said = self.document.forms[int(layout.form[0])].is_profile
        if said is None and (terms.PROFILE in self._terms):
            return True
        if said is None and (terms.CENTROID in self._terms):
            return False
        return said

    def _doubts(self, spectra: ImzMLSpectra) -> list[str]:
        """Return what the file says of itself and is not so."""
        doubts = []
        if terms.CONTINUOUS in self._terms and spectra.common_mz is None:
            doubts.append(
                "the file is called continuous, but each spectrum has m/z values of "
                "its own; these are used"
            )
        uuid = self.uuid
        assert self._file is not None
        found = self._file.read_at(0, 16).hex()
        if uuid and found != uuid:
            doubts.append(
                f"the .ibd file begins with {found}, the .imzML file says {uuid}: they "
                "may not belong together"
            )
        count = next(self.document.root.all("spectrumList"), None)
        said = "" if count is None else count.get("count")
        n = len(self.document.form)
        if said.isdigit() and int(said) != n:
            doubts.append(f"the file says {said} spectra and has {n}")
        return doubts

    @property
    def uuid(self) -> str:
        """The identity of the file, 32 letters; empty if it has none."""
        node = self._terms.get(terms.UUID)
        text = "" if node is None else node.get("value")
        return text.strip("{} ").replace("-", "").lower()

    def verify(self, cancelled: Callable[[], bool] = lambda: False) -> bool | None:
        """Return whether the .ibd file has the checksum that the .imzML file says.

        None if it says none, or when it was cancelled. Reads the whole file.
        """
        for accession, method in terms.CHECKSUMS.items():
            node = self._terms.get(accession)
            if node is None:
                continue
            digest = hashlib.new(method)
            with self.ibd_path.open("rb") as file:
                while piece := file.read(_PIECE):
                    if cancelled():
                        return None
                    digest.update(piece)
            return digest.hexdigest() == node.get("value").strip().lower()
        return None

    def get_instrument_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the instrument."""
        return _metadata(self.document.root, _PARTS[5:6])

    def get_method_metadata(self) -> dict[str, MetadataValue]:
        """Return what is known of the sample, the software and the processing."""
        parts = (*_PARTS[1:4], *_PARTS[6:])
        return _metadata(self.document.root, parts)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()


def _identity(*files: Path) -> str:
    """Return what changes when one of the files does."""
    parts = [
        f"{one.resolve()}|{(f := one.stat()).st_size}|{f.st_mtime_ns}" for one in files
    ]
    return "imzml|" + "|".join(parts)


def _find(name: PathLike) -> Path | None:
    """Return the .imzML file that a path stands for."""
    path = Path(name)
    try:
        if path.is_dir():
            return next(iter(_imzml_in(path)), None)
        if path.suffix.lower() == ".ibd":
            return _beside(path, _SUFFIX)
        if path.suffix.lower() == _SUFFIX and path.is_file():
            return path
    except (OSError, ValueError):
        return None
    return None


def _imzml_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = [one.name for one in entries if one.name.lower().endswith(_SUFFIX)]
    return [folder / name for name in sorted(names)]


def _ibd_of(path: Path) -> Path | None:
    return _beside(path, ".ibd")


def _beside(path: Path, suffix: str) -> Path | None:
    """Return the file of the same name with another suffix, in any case."""
    plain = path.with_suffix(suffix)
    if plain.is_file():
        return plain
    wanted = plain.name.lower()
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name.lower() == wanted and entry.is_file():
                return Path(entry.path)
    return None


def _terms(root: Node) -> dict[str, Node]:
    """Return the terms of the head of the document by their accessions."""
    found: dict[str, Node] = {}
    for node in root.all("cvParam"):
        found.setdefault(node.get("accession"), node)
    return found


def _pixel_size(found: dict[str, Node]) -> PixelSize | None:
    """Return the size of a pixel and where the first one lies, if the file says so."""

    def length(accession: str) -> float | None:
        node = found.get(accession)
        try:
            value = float(node.get("value")) if node is not None else np.nan
        except ValueError:
            return None
        um = terms.length_um(value, node.get("unitAccession")) if node else np.nan
        return um if np.isfinite(um) else None

    def count(accession: str) -> float | None:
        node = found.get(accession)
        text = "" if node is None else node.get("value")
        return float(text) if text.isdigit() and int(text) else None

    sizes: list[float | None] = []
    for size, extent, pixels in (
        ("IMS:1000046", "IMS:1000044", "IMS:1000042"),
        ("IMS:1000047", "IMS:1000045", "IMS:1000043"),
    ):
        one, whole, n = length(size), length(extent), count(pixels)
        if one is None and whole is not None and n is not None:
            one = whole / n
        sizes.append(one if one and one > 0 else None)
    x, y = sizes[0] or sizes[1], sizes[1] or sizes[0]
    if x is None or y is None:
        return None
    left, top = length("IMS:1000053") or 0.0, length("IMS:1000054") or 0.0
    return PixelSize(x, y, left_um=left, top_um=top)


def _metadata(root: Node, parts: tuple[str, ...]) -> dict[str, MetadataValue]:
    """Return the terms of some parts of the document by their names.

    One of a name that is there already gets the id of its element in front.
    """
    groups = groups_of(root)
    found: dict[str, MetadataValue] = {}
    for part in (node for node in root.all(*parts) if node.children):
        for owner in (part, *part.all(*{child.tag for child in _below(part)})):
            for node, _ in params(owner, groups):
                _add(found, owner, node)
            for node in owner.children:
                if node.tag == "userParam":
                    _add(found, owner, node)
    return found


def _below(node: Node) -> list[Node]:
    below = [child for child in node.children if "Param" not in child.tag]
    return below + [deep for child in below for deep in _below(child)]


def _add(found: dict[str, MetadataValue], owner: Node, node: Node) -> None:
    name, value = node.get("name"), node.get("value")
    if name in found:
        name = f"{owner.get('id') or owner.tag}: {name}"
    unit, ontology = node.get("unitName"), node.get("accession")
    found[name] = MetadataValue(_typed(value), unit, "", ontology)


def _typed(text: str) -> Any:
    """Return a number where a text is one, True where a term stands for itself.

    Examples
    --------
    >>> _typed("3"), _typed("0.5"), _typed("DHB"), _typed("")
    (3, 0.5, 'DHB', True)
    """
    if not text:
        return True
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
