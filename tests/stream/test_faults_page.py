"""The page on faults says what is tested: every test, kind and fault that it names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.stream.fault_layer import FAULTS
from tests.stream.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
TEXT = PAGE.read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)((?:::\w+)*)`", TEXT)))


def names_in(path: Path) -> set[str]:
    """Return the names of the tests of a module, with their classes."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            names = [n.name for n in node.body if isinstance(n, ast.FunctionDef)]
            found.update(f"{node.name}::{name}" for name in names)
    return found


@pytest.mark.parametrize(("module", "name"), NAMED)
def test_every_test_that_is_named_exists(module: str, name: str) -> None:
    path = Path(__file__).with_name(module)
    assert path.is_file()
    assert not name or name.removeprefix("::") in names_in(path)


def test_every_row_names_its_test() -> None:
    tables = [part for part in re.split(r"\n(?!\|)", TEXT) if "| test |" in part]
    assert len(tables) == 4
    for table in tables:
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len(rows) > 3
        for row in rows[2:]:
            assert re.search(r"\| `test_\w+\.py::[\w:]+` \|$", row), row


def test_kinds_faults_and_numbers_are_those_of_the_tests() -> None:
    words = set(re.findall(r"`([\w.-]+)`", TEXT))
    assert set(KINDS) <= words
    assert {fault.name for fault in FAULTS} <= words
    # Each kind twice, and as often with portable files.
    assert f"{2 * 2 * len(KINDS)} times in each run" in TEXT
