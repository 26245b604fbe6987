"""Where the peaks of a data set in the order of m/z are kept: memory, or a cache.

Tables up to a budget lie in memory. Larger ones go to the user's cache folder, never
beside the data, and are found again as long as the data are the same. The folder is
bounded: what was used longest ago goes. If a table can be kept nowhere there is none,
and everything works without.

Examples
--------
>>> index = prepare(spectra, memory_bytes=256 << 20)  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_scope.fileio import free_bytes
from napari_scope.formats.msi.passes import never, part_of, silent
from napari_scope.formats.msi.peak_count import PeakCount
from napari_scope.formats.msi.peak_index import MAGIC, PeakIndex

if TYPE_CHECKING:
    from napari_scope.formats.msi.passes import Cancelled, Progress
    from napari_scope.formats.msi.spectra import Spectra

__all__ = ["MEMORY_BYTES", "cache_folder", "prepare"]

MEMORY_BYTES: Final = 256 << 20
"""Budget of a table in memory."""

CACHE_VARIABLE: Final = "NAPARI_SCOPE_CACHE_DIR"
_SUFFIX: Final = ".peaks"
_DAY_S: Final = 24 * 3600.0
_MOST_BYTES: Final = 8 << 30  # of all tables
_SPARE_BYTES: Final = 2 << 30  # that are left free on the disk


def cache_folder() -> Path:
    """Return where tables are kept; the folder need not exist.

    It is that of the user for caches, or the one that the environment variable
    ``NAPARI_SCOPE_CACHE_DIR`` names.
    """
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named) / "peaks"
    import platformdirs

    return platformdirs.user_cache_path("napari-scope", appauthor=False) / "peaks"


def prepare(
    spectra: Spectra,
    *,
    memory_bytes: int = MEMORY_BYTES,
    folder: Path | None = None,
    cancelled: Cancelled = never,
    progress: Progress = silent,
) -> PeakIndex | None:
    """Return the peaks of a data set by their m/z.

    Parameters
    ----------
    spectra : Spectra
        The data set.
    memory_bytes : int
        Largest table in memory.
    folder : Path, optional
        Where larger ones are kept; `cache_folder` if not given.
    cancelled, progress : callable
        See `PeakIndex.build`.

    Returns
    -------
    PeakIndex or None
        None over a common axis, where it would gain nothing, and where there is no
        room for it.

    Raises
    ------
    CancelledError
        If it was cancelled.
    """
    if spectra.common_mz is not None or not len(spectra):
        return None
    folder = folder or cache_folder()
    path = None
    if spectra.identity:
        identity = spectra.identity.encode(errors="surrogatepass")
        name = hashlib.sha256(MAGIC + identity).hexdigest()[:32]
        path = folder / (name + _SUFFIX)
        kept = PeakIndex.open(path, spectra)
        if kept is not None:
            with contextlib.suppress(OSError):
                os.utime(path)  # it was used just now
            return kept
    counted = PeakCount.of(spectra, cancelled, part_of(progress, 0.0, 0.3))
    later = part_of(progress, 0.3, 1.0)
    if counted.table_bytes <= memory_bytes:
        return PeakIndex.build(
            spectra, counted=counted, cancelled=cancelled, progress=later
        )
    if path is None:
        return None
    return _on_disk(spectra, counted, path, cancelled, later)


def _on_disk(
    spectra: Spectra,
    counted: PeakCount,
    path: Path,
    cancelled: Cancelled,
    progress: Progress,
) -> PeakIndex | None:
    """Make the file of a table, or return None if there is no room for it."""
    # Others may make the same table at once; that of the last one stays.
    part = path.with_suffix(f".{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        room = min(_MOST_BYTES, free_bytes(path.parent) - _SPARE_BYTES)
        if counted.table_bytes > room:
            return None
        index = PeakIndex.build(
            spectra, part, counted=counted, cancelled=cancelled, progress=progress
        )
        # Windows renames no file that is open.
        index.close()
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        return None
    _make_room(path)
    return PeakIndex.open(path, spectra)


def _make_room(newest: Path) -> None:
    """Remove what was used longest ago until the rest fits, and what was given up."""
    given_up = time.time() - _DAY_S
    found: list[tuple[float, int, Path]] = []
    with contextlib.suppress(OSError), os.scandir(newest.parent) as entries:
        for entry in entries:
            if entry.name.endswith((_SUFFIX, ".part")):
                facts = entry.stat()
                if entry.name.endswith(".part") and facts.st_mtime < given_up:
                    os.unlink(entry.path)
                    continue
                found.append((facts.st_mtime, facts.st_size, Path(entry.path)))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= _MOST_BYTES:
            return
        if path != newest:
            # Where another program has it open it may stay.
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size
