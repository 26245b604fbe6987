"""Commands in this process: each start of Python and of the devices takes seconds."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest.mock import patch

from napari_scope.cli import main
from napari_scope.cli.printing import err_console, out_console

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Done", "run_here"]


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def run_here(*arguments: object, cwd: Path, **env: str) -> Done:
    """Run ``napari-scope`` in a folder and return what it says.

    Where processes matter, because of signals or of what they hold open, start one.
    """
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        contextlib.chdir(cwd),
        patch.object(sys, "argv", ["napari-scope", *map(str, arguments)]),
        patch.dict(os.environ, {"COLUMNS": "200", **env}),
        # They have measured the terminal when they were first imported.
        patch.object(out_console, "_width", 200),
        patch.object(err_console, "_width", 200),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int), code
    return Done(code, out.getvalue(), err.getvalue())
