"""What ``info`` prints of plates, collections, folders and odd names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.formats.msi_folder import ENTRIES, write_imzml, write_mixed
from tests.formats.ngff.ngff_stores import (
    pixels,
    set_attributes,
    write_image,
    write_plate,
)
from typer.testing import CliRunner

from napari_scope.cli import app
from napari_scope.cli.tree_lines import tree_lines
from napari_scope.formats.ngff.store import Store
from napari_scope.formats.tree import open_tree
from napari_scope.formats.tree_node import Node

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def info(*arguments: object) -> str:
    done = CliRunner().invoke(
        app, ["info", *map(str, arguments)], env={"COLUMNS": "200"}
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_a_plate_of_384_wells_is_a_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, columns = "ABCDEFGHIJKLMNOP", [f"{n:02d}" for n in range(1, 25)]
    plate = {
        "name": "screen",
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "wells": [
            {"path": f"{r}/{c}", "rowIndex": i, "columnIndex": k}
            for i, r in enumerate(rows)
            for k, c in enumerate(columns)
            if (r, c) != ("B", "02")
        ],
    }
    set_attributes(tmp_path, {"ome": {"version": "0.5", "plate": plate}}, 3)
    for row in rows:
        for column in columns:
            images = [{"path": f"{n}"} for n in range(4)]
            block = {"ome": {"version": "0.5", "well": {"images": images}}}
            set_attributes(tmp_path / row / column, block, 3)
    (tmp_path / "C/03/zarr.json").write_text("damaged")
    write_image(tmp_path / "A/01/0", "cyx", pixels((2, 8, 8)), 2)
    arrays: list[str] = []
    real = Store.array

    def noted(self: Store, path: str) -> Any:
        arrays.append(path)
        return real(self, path)

    monkeypatch.setattr(Store, "array", noted)
    lines = info(tmp_path).splitlines()
    assert lines[1] == "plate screen: 16 rows x 24 columns, 383 wells, 1528 fields"
    assert len(lines) < 35
    header = next(n for n, line in enumerate(lines) if line.split()[:2] == ["01", "02"])
    found = [line.split() for line in lines[header + 1 : header + 17]]
    assert found[0] == ["A", *["4"] * 24]
    assert found[1] == ["B", "4", ".", *["4"] * 22]
    assert found[2] == ["C", "4", "4", "!", *["4"] * 21]
    text = "\n".join(lines)
    assert "field A/01/0  c 2 y 8 x 8  uint16" in text
    assert "level 1  2x4x4  uint16" in text
    size = 1528 * (2 * 8 * 8 + 2 * 4 * 4) * 2
    assert f"{size / 1000:.3g} kB uncompressed" in text
    assert "problem: well C/03" in text
    # One field tells what all are like.
    assert set(arrays) == {"A/01/0/0", "A/01/0/1"}


def test_all_fields_of_a_plate(tmp_path: Path) -> None:
    write_plate(tmp_path, {"A/1": ["0", "1"], "B/2": ["0"]})
    (tmp_path / "B/2/0/zarr.json").unlink()
    assert "A/1/1" not in info(tmp_path)
    text = info(tmp_path, "--all")
    assert "A/1/1" in text and "2 x 6 x 8" in text
    assert "problem: B/2/0" in text


def test_labels_of_a_field_are_named(tmp_path: Path) -> None:
    write_plate(tmp_path, {"A/1": ["0"]})
    block = {"ome": {"version": "0.5", "labels": ["nuclei", "cells"]}}
    set_attributes(tmp_path / "A/1/0/labels", block, 3)
    for name in ("nuclei", "cells"):
        write_image(tmp_path / "A/1/0/labels" / name, "yx", np.ones((6, 8), "u2"))
    lines = [line.strip() for line in info(tmp_path).splitlines()]
    assert "labels nuclei, cells" in lines


def test_json_has_everything(tmp_path: Path) -> None:
    write_plate(tmp_path, {"A/1": ["0", "1"], "B/2": ["0"]})
    facts = json.loads(info(tmp_path, "--json"))
    assert len(facts["images"]) == 3 and facts["images"][0]["labels"] == []
    tree = facts["tree"]
    assert (tree["kind"], tree["count"], tree["rows"]) == ("plate", 2, ["A", "B"])
    field = tree["children"][0]["children"][0]["children"][1]
    assert (field["path"], field["shape"]) == ("A/1/1", [2, 6, 8])
    level = field["children"][0]
    assert level["chunks"] == [2, 6, 8] and level["codecs"]


def test_labels_and_levels_of_an_image(tmp_path: Path) -> None:
    write_image(tmp_path, "cyx", pixels((2, 8, 8)), 2)
    set_attributes(tmp_path / "labels", {"ome": {"labels": ["nuclei"]}}, 3)
    write_image(tmp_path / "labels/nuclei", "yx", np.ones((8, 8), "u2"))
    text = info(tmp_path)
    for words in ("2 x 8 x 8", "level 1  2x4x4  uint16", "label nuclei  y 8 x 8"):
        assert words in text


def test_a_long_collection_is_cut(tmp_path: Path) -> None:
    set_attributes(tmp_path, {"ome": {"version": "0.5", "bioformats2raw.layout": 3}}, 3)
    for n in range(30):
        write_image(tmp_path / f"{n}", "yx", pixels((4, 4)))
    text = info(tmp_path)
    assert "and 6 more images" in text and "└─ and 6 more" in text
    text = info(tmp_path, "--all")
    assert "more" not in text and text.count("─ level 0") == 30


def test_a_folder_of_data_sets(tmp_path: Path) -> None:
    write_plate(tmp_path / "p.zarr", {"A/1": ["0"]})
    write_image(tmp_path / "i.zarr", "yx", pixels((4, 4)))
    lines = info(tmp_path).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["i.zarr", "image"],
        ["p.zarr", "plate,"],
    ]
    facts = json.loads(info(tmp_path, "--json"))
    assert [one["kind"] for one in facts["data_sets"]] == ["image", "plate"]


def test_names_that_are_commands_to_a_terminal(tmp_path: Path) -> None:
    clear = "\x1b[2J\u202e"
    write_plate(tmp_path, {"A/1": ["0"]})
    path = tmp_path / "zarr.json"
    document = json.loads(path.read_text())
    plate = document["attributes"]["ome"]["plate"]
    plate["name"] = plate["rows"][0]["name"] = plate["columns"][0]["name"] = clear
    plate["acquisitions"] = [{"id": 0, "name": clear}]
    path.write_text(json.dumps(document))
    for arguments in ((), ("--all",)):
        assert not {"\x1b", "\u202e"} & set(info(tmp_path, *arguments))


def test_addresses_stay_addresses() -> None:
    done = CliRunner().invoke(app, ["info", "ftp://example.org/a.zarr"])
    assert done.exit_code != 0
    assert "ftp://example.org/a.zarr" in str(done.exception)


def test_lines_for_a_terminal_without_unicode(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((4, 4)), 2)
    lines = list(tree_lines(open_tree(tmp_path), plain=True))
    assert all(line.isascii() for line in lines)
    assert lines[0].endswith("y 1, x 1 um  OME-Zarr 0.5") and lines[1][:3] == "+- "
    (line,) = tree_lines(Node("image", "Zelle µ é"), plain=True)
    assert line == "image Zelle u \\xe9"


def test_a_folder_of_images_and_spectra_is_listed(tmp_path: Path) -> None:
    folder = write_mixed(tmp_path / "mixed")
    found = json.loads(info(folder, "--json"))["data_sets"]
    assert [one["name"] for one in found] == list(ENTRIES)
    assert (found[0]["spectra"], found[0]["version"]) == (6, "imzML")
    assert "scans.mzML  mass spectra, 2  mzML" in info(folder)
    # A folder of nothing else is opened as one.
    (folder / "only").mkdir()
    for name in ("a.imzML", "b.imzML"):
        write_imzml(folder / "only" / name)
    assert "m/z" in info(folder / "only")
