"""The root of a new NDTiff store: an empty folder, a mark, the display settings.

While a store is written, its root holds the file `WRITING_NAME`; a writer that died
leaves it there, so readers know that the store was not finished. It is JSON with the
process, the computer and the start, for people who look into the folder.

This module knows nothing of frames, of the files that hold them, or of levels: a plain
store has its files in the root, a tiled one in folders below it.

Examples
--------
>>> import tempfile
>>> root = StoreRoot(tempfile.mkdtemp())
>>> sorted(path.name for path in root.folder.iterdir())
['NDTiff.writing', 'display_settings.txt']
>>> root.finish(bits=12)
>>> [path.name for path in root.folder.iterdir()]
['display_settings.txt']
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from napari_scope.errors import OutputExistsError
from napari_scope.fileio import DataFile, replace_file
from napari_scope.formats.ndtiff.display import (
    SETTINGS_NAME,
    default_channels,
    encode_settings,
)
from napari_scope.formats.ndtiff.failures import disk_errors, quietly, stream_error
from napari_scope.formats.ndtiff.layout import WRITING_NAME
from napari_scope.formats.ndtiff.resume import kept_settings, merged_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from napari_scope.model import Channel

__all__ = ["StoreRoot"]


class StoreRoot:
    """The folder of a new store: made or found empty, marked, given its settings.

    Parameters
    ----------
    folder : str or PathLike
        The folder; it is made, or must be empty.
    channels : sequence of Channel
        For the display settings. Without any, the settings name no channel until
        `finish`, which takes those that were noted.
    resume : bool
        The folder holds a store that goes on: its display settings stay, channels that
        they do not name are added.

    Raises
    ------
    OutputExistsError
        The folder exists and is not empty, or is a file.
    DiskSpaceError, StreamError
        The folder could not be written.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        channels: Sequence[Channel] = (),
        *,
        resume: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self._channels = tuple(channels)
        self._noted: dict[str, None] = {}
        self._bits = 16
        self._kept: bytes | None = None
        self._made = False
        if resume:
            with disk_errors(self.folder):
                self._kept = kept_settings(self.folder)
                replace_file(self.folder / WRITING_NAME, self._facts())
            return
        try:
            self._made = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            if any(self.folder.iterdir()):
                raise FileExistsError
        except (FileExistsError, NotADirectoryError):
            raise _exists(self.folder) from None
        except OSError as error:
            raise stream_error(error, self.folder) from error
        try:
            self._mark()
        except FileExistsError:
            # Another program was quicker by a moment: what is there now is its own.
            raise _exists(self.folder) from None
        except OSError as error:
            self.remove()
            raise stream_error(error, self.folder) from error
        try:
            self._write_settings()
        except OSError as error:
            self.remove()
            raise stream_error(error, self.folder) from error

    def _facts(self) -> bytes:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        facts = {"pid": os.getpid(), "host": platform.node(), "started": now}
        return json.dumps(facts).encode()

    def _mark(self) -> None:
        with DataFile.create(self.folder / WRITING_NAME) as file:
            file.write_at(0, self._facts())

    def _write_settings(self) -> None:
        replace_file(
            self.folder / SETTINGS_NAME,
            encode_settings(self._channels, bits=self._bits),
        )

    def note_channel(self, name: object) -> None:
        """Remember a value of the axis ``channel``, if it is a name."""
        if isinstance(name, str):
            self._noted[str(name)] = None

    def finish(self, bits: int) -> None:
        """Write the display settings anew if needed, and take the mark away.

        Parameters
        ----------
        bits : int
            Significant bits of the pixels.

        Raises
        ------
        DiskSpaceError, StreamError
            That failed; the mark is still there.
        """
        with disk_errors(self.folder):
            if self._kept is not None:
                channels = self._channels or default_channels(self._noted)
                merged = merged_settings(self._kept, channels, bits=bits)
                if merged != self._kept:
                    replace_file(self.folder / SETTINGS_NAME, merged)
            elif bits != self._bits or not self._channels:
                self._bits = bits
                self._channels = self._channels or default_channels(self._noted)
                self._write_settings()
            (self.folder / WRITING_NAME).unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete what was made."""
        quietly((self.folder / SETTINGS_NAME).unlink)
        quietly((self.folder / WRITING_NAME).unlink)
        if self._made:
            quietly(self.folder.rmdir)


def _exists(folder: Path) -> OutputExistsError:
    return OutputExistsError(
        "the output exists already",
        path=folder,
        hint="choose another name; nothing is ever overwritten",
    )
