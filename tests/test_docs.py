"""What README, docs and examples say is true: code runs, links lead somewhere.

In a page, a block of code after the comment ``<!-- run -->`` is run as it stands, in an
empty folder, each block in a process of its own and in the order of the page. A block
after ``<!-- file: NAME -->`` is written to that file first. ``<!-- run: gui -->`` needs
a display. A server that has imported the libraries already runs them, also our command
(browsing.md starts the one that is installed).
"""

from __future__ import annotations

import itertools
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.code_server import CodeServer, start

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

# What the programs of the pages import, some of it late.
_LIBRARIES = (
    "dask.array",
    "napari_scope.acquire",
    "napari_scope.cli",
    "numcodecs",
    "ome_types.model",
    "pint",
    "tensorstore",
    "useq",
    "zarr",
)
_GUI_LIBRARIES = (
    "napari_scope.widgets.workspace",
    "napari_scope.acquire",
    "napari_scope.widgets.acquiring.acquire_dock",
    "napari_scope.widgets.browsing.browse_dock",
    "napari_scope.widgets.devices.devices_dock",
    "napari_scope.widgets.frames.metadata_dock",
    "napari_scope.widgets.space.explorer_dock",
    "napari._qt.qt_main_window",
    "ome_types.model",
    "pint",
    "tensorstore",
    "useq",
)

_BLOCK = re.compile(
    r"^<!-- (?P<mark>run|run: gui|file: (?P<name>[\w.-]+)) -->\n"
    r"^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")  # also of a picture that is a link
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


@pytest.fixture(scope="module")
def server() -> Iterator[CodeServer]:
    with CodeServer(_LIBRARIES) as server:
        yield server


@pytest.fixture(scope="module")
def gui_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    home = str(tmp_path_factory.mktemp("home"))
    with CodeServer(_GUI_LIBRARIES, HOME=home, USERPROFILE=home) as server:
        yield server


def run_block(block: Block, folder: Path, server: CodeServer) -> str:
    if block.mark == "file":
        (folder / block.name).write_text(block.code, encoding="utf-8")
        return ""
    if block.language == "python":
        return server.run(block.code, folder)
    assert block.language == "sh"
    if shutil.which("sh") is None:
        pytest.skip("there is no sh here")
    lines = block.code.replace("\\\n", " ").splitlines()
    if any(re.search(r"[|&;<>$*`]", line) for line in lines):
        return start(["sh", "-ec", block.code], folder)
    return "".join(server.run_command(line, folder) for line in lines if line)


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
        "[![small](p/s.png)](p/large.png)\n"
    )
    found = blocks(text)
    assert [(b.mark, b.name, b.language) for b in found] == [
        ("file", "a.yaml", "yaml"),
        ("run", "", "python"),
        ("gui", "", "python"),
    ]
    assert expected_output(found[1].code) == ["(1, 2)"]
    assert links(text) == ["there.md", "p/i.png", "p/s.png", "p/large.png"]


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("run"), ids=lambda page: page.name)
def test_code_of_a_page_runs(page: Path, tmp_path: Path, server: CodeServer) -> None:
    found = [b for b in blocks(page.read_text(encoding="utf-8")) if b.mark != "gui"]
    for block in found:
        output = run_block(block, tmp_path, server)
        if block.language == "python":
            for text in expected_output(block.code):
                assert text in output


@pytest.mark.gui
@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("gui"), ids=lambda page: page.name)
def test_code_of_a_page_runs_in_napari(
    page: Path, tmp_path: Path, gui_server: CodeServer
) -> None:
    found = [b for b in blocks(page.read_text(encoding="utf-8")) if b.mark == "gui"]
    # The program would wait for its window to be closed.
    close = "import napari\nnapari.run = lambda: napari.current_viewer().close()\n"
    for block in found:
        gui_server.run(close + block.code, tmp_path)


@pytest.mark.gui
@pytest.mark.slow
def test_the_tutorial_works_as_it_says(tmp_path: Path, gui_server: CodeServer) -> None:
    """The program of the page presses its buttons, and asserts what it states."""
    program = DOCS / "pictures" / "tutorial.py"
    gui_server.run_file(program, [str(tmp_path)], tmp_path)
    assert "Traceback" not in gui_server.errors, gui_server.errors
    saved = {path.name for path in tmp_path.iterdir()}
    assert {"beads_001.ome.zarr", "beads.csv", "frames.csv"} <= saved


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue  # no network in tests
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name} links to {target}"
        if anchor:
            text = path.read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
            assert anchor in map(slug, headings), f"{page.name} links to {target}"


def pictures_of_pages() -> set[Path]:
    return {
        (page.parent / target).resolve()
        for page in PAGES
        for target in links(page.read_text(encoding="utf-8"))
        if target.endswith((".png", ".svg"))
    }


def test_every_picture_is_there_and_every_one_is_shown() -> None:
    there = {p.resolve() for p in (DOCS / "images").rglob("*.*") if p.is_file()}
    shown = {path for path in pictures_of_pages() if DOCS in path.parents}
    assert shown == there


def test_each_dock_has_its_pictures() -> None:
    """Idle, at work and after an error; large, not blank, dark and light."""
    from PIL import Image, ImageStat

    folder = DOCS / "images" / "docks"
    docks = ("acquire", "browse", "devices", "explorer", "log", "metadata")
    brightness = {}
    for dock, state in itertools.product(docks, ("idle", "working", "error")):
        for theme in ("dark", "light"):
            with Image.open(folder / f"{dock}-{state}-{theme}.png") as picture:
                assert picture.size == (1600, 1000), picture.filename
                # The dock at the right; the image beside it is dark in both themes.
                part = picture.convert("L").crop((1200, 0, 1600, 1000))
            assert len(part.getcolors()) > 30, (dock, state, theme)
            brightness[theme] = ImageStat.Stat(part).mean[0]
        assert brightness["dark"] < 90 < 150 < brightness["light"], (dock, state)
    assert len(list(folder.iterdir())) == 6 * 3 * 2


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
def test_an_example_runs_and_what_it_saved_is_read(
    name: str, tmp_path: Path, server: CodeServer
) -> None:
    examples = ROOT / "examples"
    server.run_file(examples / f"{name}.py", [str(tmp_path)], tmp_path)
    saved = sorted(tmp_path.iterdir())
    assert saved
    for path in saved:
        output = server.run_file(examples / "read_data.py", [str(path)], ROOT)
        assert "first plane:" in output
        assert ("maximum along time:" in output) is (name != "tiles")


@pytest.mark.slow
def test_the_example_converts_what_another_has_saved(
    tmp_path: Path, server: CodeServer
) -> None:
    examples = ROOT / "examples"
    server.run_file(examples / "stream_frames.py", [str(tmp_path)], tmp_path)
    paths = ["noise.ome.zarr", "noise.ndtiff"]
    output = server.run_file(examples / "convert.py", paths, tmp_path)
    assert "19 of 19 frames written, 19 read back and the same" in output
    assert "1 frames are missing in the source" in output
    read = server.run_file(examples / "read_data.py", ["noise.ndtiff"], tmp_path)
    assert "maximum along time:" in read


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
