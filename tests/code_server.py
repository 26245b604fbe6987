"""Runs programs one after the other, each in a process of its own that starts at once.

Importing the libraries takes longer than most programs of the docs: the server has done
it, and forks for each program. Where that is not safe (it is on Linux), each program is
started the usual way. At its end threads are joined and what is registered for the end
is called; only the libraries are not taken down, which takes as long. New cores get
little memory for images: a second or two would go by until that of each is laid out.

>>> with CodeServer(["numpy"]) as server:
...     server.run("print(1 + 1)", Path("."))
'2\n'
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CodeServer", "environment"]

LONGEST_S = 300
BUFFER_MB = 32
COMMAND = "napari-scope"
_ENTRY = f"""\
import sys
from importlib.metadata import entry_points

(entry,) = entry_points(group="console_scripts", name={COMMAND!r})
sys.exit(entry.load()())
"""


def environment() -> dict[str, str]:
    """Return an environment in which the commands of this installation are found."""
    here = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([here, os.environ.get("PATH", "")]),
        # Programs print signs that are not ASCII; a test has no terminal to ask.
        "PYTHONUTF8": "1",
        "COLUMNS": "80",
    }


class CodeServer:
    """Runs programs.

    Parameters
    ----------
    modules : sequence of str
        What the programs need not import again.
    **variables : str
        Of the environment.

    Attributes
    ----------
    errors : str
        What the last program has written to its error output.
    """

    def __init__(self, modules: Sequence[str], **variables: str) -> None:
        self._modules = list(modules)
        self._environment = {**environment(), **variables}
        self._process: subprocess.Popen[str] | None = None
        self.errors = ""

    def __enter__(self) -> CodeServer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate()

    def run(self, code: str, folder: Path) -> str:
        """Run Python code as ``python -c`` does; return what it prints.

        Raises
        ------
        AssertionError
            If it fails; with what it said.
        """
        if not sys.platform.startswith("linux"):
            return start([sys.executable, "-c", code], folder, self._environment)
        return self._ask({"code": code}, folder)

    def run_file(self, file: Path, arguments: Sequence[str], folder: Path) -> str:
        """Run a Python file with arguments; return what it prints."""
        if not sys.platform.startswith("linux"):
            command = [sys.executable, str(file), *arguments]
            return start(command, folder, self._environment)
        return self._ask({"file": str(file), "arguments": list(arguments)}, folder)

    def run_command(self, line: str, folder: Path) -> str:
        """Run a line of a shell; our own command by the entry that is installed."""
        words = shlex.split(line)
        if words[0] != COMMAND or not sys.platform.startswith("linux"):
            return start(["sh", "-ec", line], folder, self._environment)
        return self._ask({"code": _ENTRY, "arguments": words[1:]}, folder)

    def _ask(self, wish: dict[str, Any], folder: Path) -> str:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, *self._modules],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.TemporaryDirectory() as place:
            said, blamed = Path(place) / "out", Path(place) / "err"
            wish |= {"folder": str(folder), "out": str(said), "err": str(blamed)}
            self._process.stdin.write(json.dumps(wish) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            output = said.read_text("utf-8")
            assert code == 0, (
                f"ended with {code}\n{output}\n{blamed.read_text('utf-8')}"
            )
        return output


def start(
    command: Sequence[str], folder: Path, variables: dict[str, str] | None = None
) -> str:
    """Run a command the usual way; return what it prints."""
    process = subprocess.run(
        command,
        cwd=folder,
        env=variables or environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=LONGEST_S,
    )
    assert process.returncode == 0, f"{process.stdout}\n{process.stderr}"
    return process.stdout


# ---- the process of the server


def _serve(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    if "napari_scope.acquire" in sys.modules:
        _give_less_memory()
    gc.freeze()  # the programs need not look through the libraries
    for line in sys.stdin:
        wish = json.loads(line)
        child = os.fork()
        if not child:
            _become(wish)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _give_less_memory() -> None:
    from napari_scope.acquire import CoreOwner

    real = CoreOwner.__init__

    def small(self: CoreOwner, core: Any = None) -> None:
        real(self, core)
        self.core.setCircularBufferMemoryFootprint(BUFFER_MB)

    CoreOwner.__init__ = small  # type: ignore[method-assign]


def _become(wish: dict[str, Any]) -> NoReturn:
    """Be the program, up to its end."""
    signal.alarm(LONGEST_S)
    os.chdir(wish["folder"])
    flags = os.O_WRONLY | os.O_CREAT
    for number, path in enumerate((os.devnull, wish["out"], wish["err"])):
        opened = os.open(path, flags if number else os.O_RDONLY, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    code = 0
    try:
        _run(wish)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(wish: dict[str, Any]) -> None:
    sys.argv = ["-c", *wish.get("arguments", ())]
    if "file" in wish:
        sys.argv[0] = wish["file"]
        sys.path[0] = str(Path(wish["file"]).parent)
        runpy.run_path(wish["file"], run_name="__main__")
        return
    sys.path[0] = ""
    # As with `-c`: what is started anew does not import the program again.
    program = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(wish["code"], "<string>", "exec"), program.__dict__)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _serve(sys.argv[1:])
