"""Overviews and pictures of data sets, kept on disk between two sessions.

They lie in the user's cache folder, never in the data: one PNG file for each data set,
with the facts as a text in it. The name of the file is made of the place and of the
stamp of the data set (`napari_scope.formats.folder_listing`), so one that was changed
is looked into anew. The folder is bounded: what was used longest ago goes. A file that
is damaged or gone counts as not there, and one that cannot be written is let go.

Examples
--------
>>> cache = OverviewCache(folder)  # doctest: +SKIP
>>> cache.put("/data/a.zarr", (1, 2), Overview(kind="image"), None)  # doctest: +SKIP
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_scope.layers.overview import SIZE_PX, Overview

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["CACHE_VARIABLE", "OverviewCache", "cache_folder"]

CACHE_VARIABLE: Final = "NAPARI_SCOPE_CACHE_DIR"
"""Environment variable that names another folder for the cache."""

_VERSION: Final = "2"  # of what is stored
_MOST_BYTES: Final = 100 * 2**20
_MOST_FILES: Final = 20_000
_KEY: Final = "napari-scope"
_SIDE: Final = 4096  # of a picture that is believed


def cache_folder() -> Path:
    """Return where overviews are kept; the folder need not exist."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named) / "overviews"
    import platformdirs

    return platformdirs.user_cache_path("napari-scope", appauthor=False) / "overviews"


class OverviewCache:
    """A bounded folder of overviews; may be used by several threads and programs.

    Parameters
    ----------
    folder : Path, optional
        The folder; by default that of the user.
    most_bytes, most_files : int
        What is kept; beyond it the oldest go.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        most_bytes: int = _MOST_BYTES,
        most_files: int = _MOST_FILES,
    ) -> None:
        self.folder = cache_folder() if folder is None else folder
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._written = 0
        self._lock = threading.Lock()

    def get(
        self, place: str, stamp: tuple[int, ...], size: int = SIZE_PX
    ) -> tuple[Overview, npt.NDArray[np.uint8] | None] | None:
        """Return what is kept of a data set as it is now, None if nothing is."""
        from PIL import Image, UnidentifiedImageError

        path = self._path(place, stamp, size)
        try:
            data = path.read_bytes()
            with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
                if max(picture.size) > _SIDE:
                    return None
                picture.load()
                stored = json.loads(picture.info.get(_KEY, ""))
                pixels = np.asarray(picture.convert("RGB"))
            overview = Overview.from_json(stored["overview"])
            has_picture = bool(stored["picture"])
        except (
            OSError, ValueError, TypeError, KeyError, SyntaxError, RecursionError,
            UnidentifiedImageError,
        ):  # fmt: skip
            return None
        try:
            os.utime(path)  # used now
        except OSError:
            pass
        return overview, pixels if has_picture else None

    def put(
        self,
        place: str,
        stamp: tuple[int, ...],
        overview: Overview,
        pixels: npt.NDArray[np.uint8] | None,
        size: int = SIZE_PX,
    ) -> None:
        """Keep what was found; nothing happens where it cannot be kept."""
        from PIL import Image, PngImagePlugin

        facts = PngImagePlugin.PngInfo()
        stored = {"overview": overview.as_json(), "picture": pixels is not None}
        facts.add_text(_KEY, json.dumps(stored))
        shown = np.zeros((1, 1, 3), np.uint8) if pixels is None else pixels
        buffer = io.BytesIO()
        Image.fromarray(shown).save(buffer, "PNG", pnginfo=facts, compress_level=1)
        path = self._path(place, stamp, size)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, buffer.getvalue())
        except OSError:
            return
        with self._lock:
            self._written += 1
            full = self._written % 500 == 1
        if full:
            self.tidy()

    def tidy(self) -> None:
        """Let what was used longest ago go, down to nine tenths of what is allowed."""
        kept: list[tuple[float, int, str]] = []
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    status = entry.stat()
                    kept.append((status.st_mtime, status.st_size, entry.path))
        except OSError:
            return
        total = sum(size for _, size, _ in kept)
        if total <= self._most_bytes and len(kept) <= self._most_files:
            return
        count = len(kept)
        for _, size, path in sorted(kept):
            if total <= 0.9 * self._most_bytes and count <= 0.9 * self._most_files:
                return
            try:
                os.unlink(path)
            except OSError:
                continue
            total -= size
            count -= 1

    def _path(self, place: str, stamp: tuple[int, ...], size: int) -> Path:
        key = json.dumps([_VERSION, os.path.abspath(place), list(stamp), size])
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.png"


def _replace(path: Path, data: bytes) -> None:
    """Put a file there in one step; a cache need not survive a loss of power."""
    # A name of its own: several threads and programs may write the same.
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
