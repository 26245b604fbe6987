"""The messages that the page of troubleshooting explains are those of the program."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
OF_OTHERS = (
    "OSError, or *reader 'napari' is not a compatible reader*, "
    "when a script opens data",
    "Reader 'napari-scope' was selected to open …, but refused the file",
    "Inconsistent units across layers",
    "napari asks which reader to take",
    "napari ends with a segmentation fault when a layer is removed",
    "a blue question mark instead of an icon",
    "could not connect to display, or QOpenGLWidget is not supported",
)
MESSAGES = [
    title
    for title in re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
    if title not in OF_OTHERS
]


def texts() -> list[str]:
    """Return all texts of the program, with … where something is put in."""
    found: list[str] = []
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "…"
                        for part in node.values
                    )
                )
    return found


@pytest.fixture(scope="module")
def all_texts() -> list[str]:
    return texts()


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_one_of_the_program(message: str, all_texts: list[str]) -> None:
    assert any(message in text for text in all_texts), message


def test_the_page_has_messages() -> None:
    assert len(MESSAGES) > 15
