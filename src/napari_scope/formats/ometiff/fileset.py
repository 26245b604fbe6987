"""The files of a run: one, or a folder with a file for each image and a companion.

Each file of a folder is complete in itself; the companion (``name.companion.ome``)
describes the whole with its plate. Which file an image goes to, under which number,
stands here; how frames get into it does not.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError, SettingsError
from napari_scope.fileio import replace_file
from napari_scope.formats.ometiff.document import FileRef, OmeDocument, new_uuid
from napari_scope.formats.ometiff.file import OmeTiffFile
from napari_scope.formats.ometiff.handles import Handles
from napari_scope.formats.ometiff.names import (
    COMPANION_SUFFIX,
    companion_of,
    free_name,
    tiff_files,
)
from napari_scope.formats.ometiff.omexml import document_pieces
from napari_scope.formats.ometiff.reopening import check_file, reaching
from napari_scope.formats.ometiff.written import WrittenFile

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from pathlib import Path

    from napari_scope.formats.ometiff.document import OmeImage
    from napari_scope.formats.ometiff.facts import Place, Plane
    from napari_scope.formats.ometiff.frames import FrameKind

__all__ = ["FileSet"]


class FileSet:
    """The files of a run, in the order of the images. Not thread safe.

    Parameters
    ----------
    path : Path
        The file or the folder.
    folder : bool
        Whether each image has a file of its own.
    document : OmeDocument
        What is known of the images.
    kind : FrameKind
        What the frames have in common.
    arrival : str
        Order in which planes come, fastest first.
    growing : bool
        Whether more may come than the sizes say.
    """

    def __init__(
        self,
        path: Path,
        document: OmeDocument,
        kind: FrameKind,
        *,
        folder: bool,
        arrival: str,
        growing: bool,
    ) -> None:
        self.path = path
        self.document = document
        self.handles = Handles()
        self.files: list[OmeTiffFile] = []
        self._folder = folder
        self._kind = kind
        self._arrival = arrival
        self._growing = growing

    @property
    def companion(self) -> Path | None:
        """The file that describes a folder."""
        return companion_of(self.path) if self._folder else None

    def where(self, image: int) -> tuple[int, int]:
        """Return the number of the file of an image, and that of the image in it."""
        return (image, 0) if self._folder else (0, image)

    # ------------------------------------------------------------- new files

    def create(self) -> None:
        """Make the files.

        Raises
        ------
        OSError
            The path exists, or they cannot be made; nothing is left of them then.
        """
        with contextlib.ExitStack() as undo:
            if self._folder:
                self.path.mkdir(parents=True)
                undo.callback(_quietly_remove_folder, self.path)
            else:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            undo.callback(self._remove)
            self._add()
            undo.pop_all()

    def _remove(self) -> None:
        for file in self.files:
            file.remove()
        self.handles.close()

    def _add(self) -> None:
        """Make the files that the images need by now, and the companion."""
        images = self.document.images
        if not self._folder:
            if not self.files:
                self._add_file(self.path, self.document)
            return
        before = len(self.files)
        for image in images[before:]:
            taken = {file.path.name.lower() for file in self.files}
            path = self.path / free_name(image.name, taken)
            self._add_file(path, replace(self._own(image), uuid=new_uuid()))
        if len(images) > before:
            self.describe(finished=False)

    def _own(self, image: OmeImage) -> OmeDocument:
        """Return the document of the file of an image."""
        plate = None if image.well is None else self.document.plate
        return replace(self.document, images=(image,), plate=plate)

    def _file(self, path: Path, document: OmeDocument) -> OmeTiffFile:
        return OmeTiffFile(
            path, document, self._kind, arrival=self._arrival, growing=self._growing
        )

    def _add_file(self, path: Path, document: OmeDocument) -> None:
        file = self._file(path, document)
        file.create(self.handles)
        self.files.append(file)

    def update(self, images: tuple[OmeImage, ...]) -> None:
        """Note what has grown, and make the files of new images; raises OSError."""
        before = self.document.images
        self.document = replace(self.document, images=images)
        if self._folder:
            for file, image, old in zip(self.files, images, before, strict=False):
                if image is not old:
                    file.update((image,))
        else:
            self.files[0].update(images)
        self._add()

    # ------------------------------------------------------------- old files

    def reopen(self, known: Container[tuple[int, Place]]) -> None:
        """Go on with files that were closed; nothing is written yet.

        Parameters
        ----------
        known : container of (int, Place)
            Image and plane of the frames that are reported; others in the files may
            come again.

        Raises
        ------
        SettingsError
            The files hold something else than the images.
        FormatError
            A file is damaged, not closed or not ours.
        OSError
            One cannot be opened.
        """
        wanted = self.document.images
        if not self._folder:
            with WrittenFile(self.path) as written:
                names = [image.name for image in written.document.images]
                # A single image may be called as its file was, which was renamed.
                same = names == [image.name for image in wanted]
                if not same and (len(names), len(wanted)) != (1, 1):
                    raise SettingsError(
                        f"the file holds the images {', '.join(names)}", path=self.path
                    )
                self._reopen(written, self.document, 0, known)
            self.document = self.files[0].document
            return
        paths = {}
        for path in tiff_files(self.path):
            with WrittenFile(path) as written:
                paths[written.document.images[0].name] = path
        for number, image in enumerate(wanted):
            if image.name not in paths:
                raise FormatError(
                    f"the folder has no file of the image {image.name!r}",
                    path=self.path,
                )
            with WrittenFile(paths[image.name]) as written:
                self._reopen(written, self._own(image), number, known)
        first = self.files[0].document
        images = tuple(file.document.images[0] for file in self.files)
        self.document = replace(
            self.document, date=first.date, notes=first.notes, images=images
        )

    def _reopen(
        self,
        written: WrittenFile,
        document: OmeDocument,
        first: int,
        known: Container[tuple[int, Place]],
    ) -> None:
        """Go on with one file; ``first`` is the number of its first image."""
        check_file(written, self._kind)
        old, chain = written.document, written.chain
        document = replace(
            document,
            uuid=old.uuid,
            date=old.date,
            notes={**old.notes, **document.notes},
            images=reaching(document.images, written, growing=self._growing),
        )
        file = self._file(written.path, document)
        unknown = [
            key for key in chain.numbers if (first + key[0], key[1]) not in known
        ]
        file.reopen(self.handles, chain, unknown)
        self.files.append(file)

    # ------------------------------------------------------------- companion

    def describe(self, *, finished: bool) -> None:
        """Write the companion of a folder; raises OSError.

        Parameters
        ----------
        finished : bool
            Whether all frames have come. Before, it lists those of a run that was
            continued, which it did before; the files themselves know all.
        """
        companion = self.companion
        if companion is None:
            return
        images = tuple(
            replace(image, file=FileRef(file.path.name, file.document.uuid))
            for image, file in zip(self.document.images, self.files, strict=True)
        )
        document = replace(self.document, images=images, growing=not finished)

        def planes(number: int, brief: bool) -> Iterable[Plane]:
            if finished:
                return self.files[number].all_planes(0, brief)
            return self.files[number].earlier() if brief else ()

        text = "".join(document_pieces(document, planes))
        replace_file(companion, text.encode("ascii"))


def _quietly_remove_folder(path: Path) -> None:
    with contextlib.suppress(OSError):
        for companion in path.glob(f"*{COMPANION_SUFFIX}"):
            companion.unlink()
        path.rmdir()
