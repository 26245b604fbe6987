"""The commands in one program, and the one line that each error becomes."""

from __future__ import annotations

import sys

import typer

from napari_scope.cli.acquiring import acquire, demo
from napari_scope.cli.frames import frames
from napari_scope.cli.inspecting import info
from napari_scope.cli.ngff import rename_channel, rename_well, set_scale, validate
from napari_scope.cli.positions import positions
from napari_scope.cli.printing import err_console, harmless
from napari_scope.cli.pyramid import pyramid
from napari_scope.cli.storing import convert, recover
from napari_scope.cli.window import open_window
from napari_scope.errors import ScopeError

__all__ = ["app", "main"]

app = typer.Typer(
    name="napari-scope",
    help="Acquire, stream and browse microscope data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    demo,
    acquire,
    info,
    frames,
    convert,
    pyramid,
    validate,
    rename_well,
    set_scale,
    rename_channel,
    recover,
    positions,
):
    app.command()(command)
app.command(name="open")(open_window)


@app.callback()
def _root() -> None:
    """Acquire, stream and browse microscope data."""


def main() -> None:
    """Run the command line; errors end in one line and a non-zero exit code."""
    try:
        app()
    except ScopeError as error:
        text = str(error)
    except OSError as error:
        text = error.strerror or str(error) or type(error).__name__
        if error.filename is not None:
            text += f" ({error.filename})"
    else:
        return
    err_console.print("[bold red]error:[/]", end=" ")
    one_line = " ".join(line.strip() for line in text.splitlines())
    err_console.print(harmless(one_line), markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)
