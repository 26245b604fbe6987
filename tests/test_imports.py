"""Importing a room loads only what its row in the table of rooms allows.

import-linter holds the same table for the source text (`make lint`); these tests see
what really gets loaded, third-party packages included, each in a fresh interpreter.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "napari_scope"

QT = {
    "PyQt5",
    "PyQt6",
    "PySide2",
    "PySide6",
    "magicgui",
    "pymmcore_widgets",
    "qtpy",
    "superqt",
}
DEVICES = {"pymmcore", "pymmcore_plus"}
HEAVY = {"dask", "tensorstore", "useq", "zarr"}
_MOST_MODULES = 60

NOT_LOADED_BY = {
    "errors": {"napari", *QT, *DEVICES, *HEAVY, "numpy"},
    "fileio": {"napari", *QT, *DEVICES, *HEAVY},
    "model": {"napari", *QT, *DEVICES, *HEAVY},
    "arrays": {"napari", *QT, *DEVICES, "dask", "zarr"},
    "events": {"napari", *QT, *DEVICES},
    "formats": {"napari", *QT, *DEVICES},
    "stream": {"napari", *QT, *DEVICES},
    "acquire": {"napari", *QT},
    "layers": {"napari", *QT, *DEVICES},
}


def run_python(code: str) -> object:
    """Run `code` in a fresh interpreter and return what it prints as JSON."""
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def loaded_by(statement: str) -> set[str]:
    """Return the top-level packages that are loaded after `statement`."""
    names = run_python(
        f"{statement}\n"
        "import json, sys\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    assert isinstance(names, list)
    return set(names)


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by("import napari_scope")
    assert "napari_scope" in loaded
    assert not loaded & {"napari", "numpy", *QT, *DEVICES, *HEAVY}


def test_importing_the_package_is_nearly_free() -> None:
    """Modules are counted: seconds tell what else the machine does."""
    loaded = run_python(
        "import json, sys\n"
        "before = set(sys.modules)\n"
        "import napari_scope\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert isinstance(loaded, list)
    # Of ours itself alone; else a few dozen of Python's own, that take 1 ms.
    others = [name for name in loaded if name != "napari_scope"]
    assert len(others) == len(loaded) - 1 < _MOST_MODULES
    assert {name.partition(".")[0] for name in others} <= sys.stdlib_module_names


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    import napari_scope

    assert napari_scope.__version__ == version("napari-scope")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = napari_scope.nonsense


@pytest.mark.parametrize("room", NOT_LOADED_BY)
def test_a_room_loads_only_what_it_may(room: str) -> None:
    loaded = loaded_by(f"import napari_scope.{room}")
    assert "napari_scope" in loaded
    assert not loaded & NOT_LOADED_BY[room]


def runtime_imports(source: str) -> set[str]:
    """Return the top-level packages that `source` imports outside TYPE_CHECKING."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(source))
    return found


def test_runtime_imports_are_found_inside_functions_but_not_under_type_checking() -> (
    None
):
    source = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import napari\n"
        "def f():\n    import numpy.linalg\n"
    )
    assert runtime_imports(source) == {"typing", "numpy"}


def test_layers_import_napari_for_type_checking_only() -> None:
    modules = sorted((SOURCE / "layers").rglob("*.py"))
    assert modules
    importing = [
        path.name
        for path in modules
        if "napari" in runtime_imports(path.read_text(encoding="utf-8"))
    ]
    assert not importing
