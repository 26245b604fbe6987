"""The command line: parse, call, report. Everything is done by the rooms below.

`commands` ties the commands together; `acquiring`, `inspecting` and `storing` hold
them. What they share: a run or a conversion that is followed to its end, with what
Ctrl-C does to it (`running`), and what is said about it (`printing`).

Importing this is cheap, so that ``--help`` is quick: a command imports what it needs
when it runs.

Examples
--------
>>> from typer.testing import CliRunner
>>> CliRunner().invoke(app, ["--help"]).exit_code
0
"""

from napari_scope.cli.commands import app, main

__all__ = ["app", "main"]
