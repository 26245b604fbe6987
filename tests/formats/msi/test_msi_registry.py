from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from napari_scope.formats.msi import MSIReader, format_of, registry
from napari_scope.formats.msi.reader import available_formats
from napari_scope.formats.msi_sniff import is_msi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def only_for_this_test() -> Iterator[None]:
    available_formats()  # a module that is imported tells of its format only once
    known = dict(registry._KNOWN)
    # Other tests may have defined some.
    for name, kind in known.items():
        if not kind.__module__.startswith("napari_scope."):
            del registry._KNOWN[name]
    yield
    registry._KNOWN.clear()
    registry._KNOWN.update(known)


def test_ours_are_asked_first_and_in_order() -> None:
    before = list(available_formats())

    class Invented(MSIReader):
        name = "0-invented"

        def _open(self) -> Any:
            return ()

        @classmethod
        def is_valid_dataset(cls, name: Any) -> bool:
            return True

    # Whatever was imported first.
    known = dict(registry._KNOWN)
    registry._KNOWN.clear()
    registry._KNOWN.update(reversed(known.items()))
    assert list(available_formats()) == [*before, "0-invented"]
    places = [registry._place(one) for one in available_formats().values()]
    assert places == sorted(places)


def test_one_that_raises_keeps_nobody_from_opening(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").touch()

    class Broken(MSIReader):
        name = "broken"

        def _open(self) -> Any:
            return ()

        @classmethod
        def is_valid_dataset(cls, name: Any) -> bool:
            raise KeyError("odd")

    with pytest.warns(UserWarning, match="'broken' cannot tell whether .*a.xyz"):
        assert format_of(tmp_path / "a.xyz") is None


PACKAGE = """
from napari_scope.formats.msi import MSIReader, PixelTable
from napari_scope.formats.msi.memory import MemorySpectra

class Textual(MSIReader):
    name = "textual"

    def _open(self):
        rows = [[float(v) for v in line.split()] for line in open(self.basename)]
        table = PixelTable.of(range(len(rows)), [0] * len(rows))
        return [MemorySpectra.over(range(1, len(rows[0]) + 1), rows, table)]

    @classmethod
    def is_valid_dataset(cls, name):
        return str(name).endswith(".textual")
"""

PROGRAM = """
import json, sys
from napari_scope._reader import napari_get_reader
from napari_scope.formats.msi_sniff import is_msi
assert "napari_scope.formats.msi" not in sys.modules
assert is_msi(sys.argv[1])
assert napari_get_reader(sys.argv[1]) is not None
assert napari_get_reader(sys.argv[1] + ".txt") is None
from napari_scope.formats.msi import available_formats, open_msi
with open_msi(sys.argv[1]) as reader:
    image = reader.data.ion_image(2, 0.5).tolist()
print(json.dumps([reader.format_name(), image, list(available_formats())[-1]]))
"""


def test_a_class_of_a_script_is_asked_by_napari_too(tmp_path: Path) -> None:
    path = tmp_path / "a.noted"
    path.touch()
    assert not registry.has_foreign()
    assert not is_msi(path)

    class Base(MSIReader):
        pass

    assert not registry.has_foreign()

    class Noted(MSIReader):
        def _open(self) -> Any:
            return ()

        @classmethod
        def is_valid_dataset(cls, name: Any) -> bool:
            return str(name).endswith(".noted")

    assert registry.has_foreign()
    assert is_msi(path)


def test_a_part_of_another_reader_is_no_format() -> None:
    class Unlisted(MSIReader, listed=False):
        def _open(self) -> Any:
            return ()

        @classmethod
        def is_valid_dataset(cls, name: Any) -> bool:
            return True

    assert "Unlisted" not in available_formats()


def test_a_package_that_is_installed_brings_its_format(tmp_path: Path) -> None:
    (tmp_path / "textual_msi.py").write_text(PACKAGE)
    facts = tmp_path / "textual_msi-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Name: textual-msi\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[napari_scope.msi_formats]\ntextual = textual_msi:Textual\n"
    )
    data = tmp_path / "a.textual"
    data.write_text("1 2 3\n4 5 6\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})" + PROGRAM
    said = subprocess.run(
        [sys.executable, "-c", program, str(data)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(said.stdout) == ["textual", [[2.0, 5.0]], "textual"]
