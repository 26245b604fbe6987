"""Small text files that a user saves: written whole or not at all, errors in words.

A full disk or a read-only folder leaves the file that was there before as it was. The
functions are for a thread (`BackgroundCall`): a share that is gone may take its time.

Examples
--------
>>> saver.start(lambda: save_text(path, text, "the script"), "save")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.errors import ScopeError
from napari_scope.fileio import replace_file
from napari_scope.widgets.common.error_panel import explain

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_text", "save_text"]


def save_text(
    path: Path, text: str, what: str, kind: type[ScopeError] = ScopeError
) -> Path:
    """Write a text file, or leave the one that is there.

    Parameters
    ----------
    path : Path
        The file.
    text : str
        What it is to hold.
    what : str
        What that is, for errors: "the script".
    kind : type of ScopeError
        The class of the error.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ScopeError
        If it cannot be written: why, where, and what to do.
    """
    try:
        replace_file(path, text.encode("utf-8"))
    except OSError as error:
        words = explain(error)
        raise kind(
            f"{what} cannot be saved, {words.message}",
            path=path,
            hint=words.hint or "choose another folder",
        ) from error
    return path


def load_text(path: Path, what: str, kind: type[ScopeError] = ScopeError) -> str:
    """Read a text file.

    Raises
    ------
    ScopeError
        If it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        words = explain(error)
        raise kind(
            f"{what} cannot be read, {words.message}",
            path=path,
            hint=words.hint or None,
        ) from error
    except UnicodeDecodeError as error:
        raise kind(
            f"{what} cannot be read, it is no text", path=path, hint="choose another"
        ) from error
