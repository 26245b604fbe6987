"""What README, docs and examples say is true: code runs, links lead somewhere.

In a page, a block of code after the comment ``<!-- run -->`` is run as it stands, in an
empty folder, each block in a process of its own and in the order of the page. A block
after ``<!-- file: NAME -->`` is written to that file first. ``<!-- run: gui -->`` needs
a display.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

_BLOCK = re.compile(
    r"^<!-- (?P<mark>run|run: gui|file: (?P<name>[\w.-]+)) -->\n"
    r"^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code of a page."""

    mark: str
    name: str
    language: str
    code: str


def blocks(text: str) -> list[Block]:
    return [
        Block(m["mark"].partition(":")[0], m["name"] or "", m["language"], m["code"])
        if m["mark"] != "run: gui"
        else Block("gui", "", m["language"], m["code"])
        for m in _BLOCK.finditer(text)
    ]


def links(text: str) -> list[str]:
    """Return the targets of all links and images outside of code."""
    return [m["target"] for m in _LINK.finditer(_FENCE.sub("", text))]


def slug(heading: str) -> str:
    """Return the anchor that mkdocs gives a heading."""
    text = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
    return re.sub(r"[-\s]+", "-", text)


def generated_images() -> set[str]:
    """Return the images that are made by the script and need not be there yet."""
    script = DOCS / "make_screenshots.py"
    if not script.exists():
        return set()
    text = script.read_text(encoding="utf-8")
    names = set(re.findall(r"[\w-]+\.png", text))
    for stem, choices in re.findall(r"([\w-]+)\{([\w,]+)\}\.png", text):
        names |= {f"{stem}{choice}.png" for choice in choices.split(",")}
    return names


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


def run(command: list[str], folder: Path) -> str:
    process = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert process.returncode == 0, f"{process.stdout}\n{process.stderr}"
    return process.stdout


def run_block(block: Block, folder: Path) -> str:
    if block.mark == "file":
        (folder / block.name).write_text(block.code, encoding="utf-8")
        return ""
    if block.language == "python":
        return run([sys.executable, "-c", block.code], folder)
    assert block.language == "sh"
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("there is no sh here")
    return run([shell, "-ec", block.code], folder)


def expected_output(code: str) -> list[str]:
    """Return what the comments behind ``print(...)`` say is printed.

    Brackets, a number, or a word and a number are output; more words are a remark.
    """
    said = re.findall(r"^\s*print\(.*\)  # (.+)$", code, re.MULTILINE)
    return [text for text in said if re.fullmatch(r"\(.*\)|(\w+ )?\d+", text)]


def pages_with(*marks: str) -> list[Path]:
    return [
        page
        for page in PAGES
        if {b.mark for b in blocks(page.read_text(encoding="utf-8"))} & {*marks}
    ]


def test_blocks_links_and_expected_output_are_found() -> None:
    text = (
        "<!-- file: a.yaml -->\n```yaml\nx: 1\n```\n"
        "<!-- run -->\n```python\nprint((1, 2))  # (1, 2)\n```\n"
        "<!-- run: gui -->\n```python\npass\n```\n"
        "```python\nnot_run = '[no](link)'\n```\n[yes](there.md) ![i](p/i.png)\n"
    )
    found = blocks(text)
    assert [(b.mark, b.name, b.language) for b in found] == [
        ("file", "a.yaml", "yaml"),
        ("run", "", "python"),
        ("gui", "", "python"),
    ]
    assert expected_output(found[1].code) == ["(1, 2)"]
    assert links(text) == ["there.md", "p/i.png"]


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("run"), ids=lambda page: page.name)
def test_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    found = [b for b in blocks(page.read_text(encoding="utf-8")) if b.mark != "gui"]
    for block in found:
        output = run_block(block, tmp_path)
        if block.language == "python":
            for text in expected_output(block.code):
                assert text in output


@pytest.mark.gui
@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("gui"), ids=lambda page: page.name)
def test_code_of_a_page_runs_in_napari(page: Path, tmp_path: Path) -> None:
    found = [b for b in blocks(page.read_text(encoding="utf-8")) if b.mark == "gui"]
    # The program would wait for its window to be closed.
    close = "import napari\nnapari.run = lambda: napari.current_viewer().close()\n"
    for block in found:
        run([sys.executable, "-c", close + block.code], tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    generated = generated_images()
    for target in links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue  # no network in tests
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if path.parent == DOCS / "images" and path.name in generated:
            continue
        assert path.exists(), f"{page.name} links to {target}"
        if anchor:
            text = path.read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
            assert anchor in map(slug, headings), f"{page.name} links to {target}"


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"^  - [^:]+: ([\w-]+\.md)$", text, re.MULTILINE))
    assert named == {page.name for page in PAGES if page.parent == DOCS}


def test_every_room_of_the_source_is_in_the_table() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = {
        f"{path.name}/"
        for path in (ROOT / "src" / "napari_scope").iterdir()
        if (path / "__init__.py").exists()
    }
    assert rooms
    assert {room for room in rooms if f"| `{room}` |" not in text} == set()


def test_the_readme_documents_the_commands_that_exist() -> None:
    import typer.main

    from napari_scope.cli import app

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for line in re.findall(r"^napari-scope (.+)$", text, re.MULTILINE):
            words = line.split()
            assert words[0] in commands
            known = {o for p in commands[words[0]].params for o in p.opts}
            options = {word for word in words if word.startswith("--")}
            assert options <= known, f"{page.name}: {line}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "acquire",
        "adaptive",
        "ome_zarr_nodes",
        "stream_frames",
        "stream_plate",
        "stream_unbounded",
        "tiles",
    ],
)
def test_an_example_runs_and_what_it_saved_is_read(name: str, tmp_path: Path) -> None:
    examples = ROOT / "examples"
    run([sys.executable, str(examples / f"{name}.py"), str(tmp_path)], tmp_path)
    saved = sorted(tmp_path.iterdir())
    assert saved
    for path in saved:
        output = run([sys.executable, str(examples / "read_data.py"), str(path)], ROOT)
        assert "first plane:" in output
        assert ("maximum along time:" in output) is (name != "tiles")


@pytest.mark.slow
def test_the_example_converts_what_another_has_saved(tmp_path: Path) -> None:
    examples = ROOT / "examples"
    run([sys.executable, str(examples / "stream_frames.py"), str(tmp_path)], tmp_path)
    paths = ["noise.ome.zarr", "noise.ndtiff"]
    output = run([sys.executable, str(examples / "convert.py"), *paths], tmp_path)
    assert "19 of 19 frames written, 19 read back and the same" in output
    assert "1 frames are missing in the source" in output
    command = [sys.executable, str(examples / "read_data.py"), "noise.ndtiff"]
    assert "maximum along time:" in run(command, tmp_path)


def test_every_example_is_run_here() -> None:
    names = {path.stem for path in EXAMPLES}
    assert names == {
        "acquire",
        "adaptive",
        "adaptive_cells",  # in tests/acquire/test_adaptive.py
        "convert",
        "ome_zarr_nodes",
        "read_data",
        "stream_frames",
        "stream_plate",
        "stream_unbounded",
        "tiles",
    }
