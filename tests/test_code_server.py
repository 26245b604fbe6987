"""Programs that the server runs are as if they had been started by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.code_server import CodeServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server() -> Iterator[CodeServer]:
    with CodeServer(["decimal"]) as server:
        yield server


def test_a_program_runs_in_its_folder_and_says_what_it_prints(
    server: CodeServer, tmp_path: Path
) -> None:
    code = "import os\nprint(os.getcwd())\nopen('made', 'w').close()\n"
    assert server.run(code, tmp_path) == f"{tmp_path}\n"
    assert (tmp_path / "made").exists()


def test_a_program_knows_nothing_of_the_one_before(
    server: CodeServer, tmp_path: Path
) -> None:
    server.run("import decimal\ndecimal.mine = name = 1", tmp_path)
    code = "import decimal\nprint(hasattr(decimal, 'mine'), 'name' in globals())"
    assert server.run(code, tmp_path) == "False False\n"


@pytest.mark.parametrize(
    "code",
    ["raise ValueError('wrong')", "import sys; sys.exit('wrong')", "import os; 1 / 0"],
)
def test_a_program_that_fails_is_told(
    server: CodeServer, tmp_path: Path, code: str
) -> None:
    with pytest.raises(AssertionError, match=r"wrong|ZeroDivisionError"):
        server.run(code, tmp_path)
    assert server.run("print(1)", tmp_path) == "1\n"  # the next one works


def test_threads_and_the_end_of_a_program_are_waited_for(
    server: CodeServer, tmp_path: Path
) -> None:
    code = (
        "import atexit, threading, time\n"
        "atexit.register(print, 'end')\n"
        "def work():\n    time.sleep(0.1)\n    print('work')\n"
        "threading.Thread(target=work).start()\n"
    )
    assert server.run(code, tmp_path) == "work\nend\n"


def test_a_file_gets_its_arguments(server: CodeServer, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("import sys\nif __name__ == '__main__':\n    print(sys.argv[1:])")
    assert server.run_file(file, ["a", "b c"], tmp_path) == "['a', 'b c']\n"


def test_the_command_of_the_installation_is_run(
    server: CodeServer, tmp_path: Path
) -> None:
    assert "acquire" in server.run_command("napari-scope --help", tmp_path)
    assert server.run_command("echo 'a b'", tmp_path) == "a b\n"
