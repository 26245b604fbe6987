"""The commands that check stores, put them right, and convert between formats."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import zarr
from tests.stream.plates import foreign_image, foreign_plate
from typer.testing import CliRunner

from napari_scope.cli import app
from napari_scope.errors import FormatError, SettingsError
from napari_scope.formats import open_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def scope(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    foreign_plate(tmp_path / "a.zarr", "0.5")
    return tmp_path / "a.zarr"


# ------------------------------------------------------------------ validate


def test_a_valid_store(plate: Path) -> None:
    pytest.importorskip("yaozarrs")
    done = scope("validate", plate, "--pixels")
    assert (done.exit_code, done.stdout.strip()) == (0, "valid")


def test_findings_and_their_exit_code(plate: Path) -> None:
    pytest.importorskip("yaozarrs")
    (plate / "stray.txt").write_text("x")
    done = scope("validate", plate)
    assert done.exit_code == 0  # a warning
    assert "warning: stray.txt: file: expected part of a group" in done.stdout
    document = json.loads((plate / "A/10/0/zarr.json").read_text())
    document["attributes"]["ome"]["omero"]["channels"].pop()
    (plate / "A/10/0/zarr.json").write_text(json.dumps(document))
    done = scope("validate", plate)
    assert done.exit_code == 1
    assert "error: A/10/0: channels of omero: expected 2, found 1" in done.stdout
    assert "1 errors, 1 warnings" in done.stdout
    done = scope("validate", plate, "--json")
    assert done.exit_code == 1
    first, _ = json.loads(done.stdout)
    assert first == {
        "severity": "error",
        "place": "A/10/0",
        "what": "channels of omero",
        "expected": "2",
        "found": "1",
    }


# ------------------------------------------------------------------ edits


def test_rename_well(plate: Path) -> None:
    done = scope("rename-well", plate, "A/10", "B/1")
    assert done.exit_code == 0
    assert "A/10 is now B/1" in done.stdout
    paths = [i.metadata["path"] for i in open_dataset(plate).images]
    assert sorted(map(str, paths)) == ["B/1/0", "B/1/f1", "B/2/0", "B/2/f1"]
    assert scope("rename-well", plate, "A/10", "B/3").exception is not None


def test_set_scale(plate: Path) -> None:
    done = scope(
        "set-scale", plate, "--axis", "x=0.2", "--axis", "y=3", "--image", "B/2/0"
    )
    assert done.exit_code == 0
    assert "1 images: x 0.2, y 3" in done.stdout
    scales = {
        str(i.metadata["path"]): [a.scale for a in i.axes][1:]
        for i in open_dataset(plate).images
    }
    assert scales["B/2/0"] == [3, 0.2]
    assert scales["A/10/0"] == [0.5, 0.5]
    assert scope("set-scale", plate, "--axis", "c=1").exit_code == 0
    for wrong in ("x", "x=", "x=y", "q=1"):
        assert isinstance(
            scope("set-scale", plate, "--axis", wrong).exception, SettingsError
        )


def test_rename_channel(plate: Path) -> None:
    refused = scope("rename-channel", plate, "GFP", "EGFP").exception
    assert isinstance(refused, SettingsError)
    assert "--all" in str(refused)
    assert scope("rename-channel", plate, "GFP", "EGFP", "--all").exit_code == 0
    done = scope("rename-channel", plate, "DAPI", "Hoechst", "--image", "A/10/f1")
    assert done.exit_code == 0
    names = [[c.name for c in image.channels] for image in open_dataset(plate).images]
    assert names[0] == ["DAPI", "EGFP"]
    assert names[1] == ["Hoechst", "EGFP"]
    for arguments in (
        ("EGFP", "DAPI", "--all"),
        ("EGFP", "x", "--all", "--image", "A/10/0"),
        ("RFP", "x", "--image", "A/10/0"),
    ):
        assert isinstance(
            scope("rename-channel", plate, *arguments).exception, SettingsError
        )


@pytest.mark.parametrize(
    "command",
    [
        ("pyramid", "PATH"),
        ("rename-well", "PATH", "A/1", "B/3"),
        ("set-scale", "PATH", "--axis", "z=1"),
        ("rename-channel", "PATH", "a", "b"),
    ],
)
def test_only_folders_are_changed(plate: Path, command: tuple[str, ...]) -> None:
    archive = shutil.make_archive(str(plate), "zip", plate)
    for place in ("https://me:secret@host/a.zarr?token=1", archive):
        result = scope(*(place if word == "PATH" else word for word in command))
        assert isinstance(result.exception, SettingsError)
        message = str(result.exception)
        assert "only stores in a folder of this machine can be changed" in message
        assert "secret" not in message and "token" not in message
    assert "https://host/a.zarr" in str(
        scope(*(w.replace("PATH", "https://host/a.zarr") for w in command)).exception
    )


def test_one_image_needs_no_choice(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    foreign_image(group, np.ones((2, 40, 40), "u2"), "cyx")
    assert scope("rename-channel", tmp_path / "a.zarr", "GFP", "x").exit_code == 0
    assert [c.name for c in open_dataset(tmp_path / "a.zarr").images[0].channels] == [
        "DAPI",
        "x",
    ]


# ------------------------------------------------------------------ convert


def test_options_of_convert(plate: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.ome.zarr"
    done = scope(
        "convert", plate, target, "--ngff-version", "0.4", "--chunk", 16, "--levels", 2,
        "--compression", "blosc-lz4", "--image", "B/2/0",
    )  # fmt: skip
    assert done.exit_code == 0, done.exception
    assert "3 of 3 frames read back and the same" in done.stdout
    root: Any = zarr.open_group(target, mode="r")
    assert root.metadata.zarr_format == 2
    assert root["0"].chunks == (1, 16, 16)
    assert root["0"].compressors[0].cname == "lz4"
    assert set(root) == {"0", "1", "labels"}


def test_ome_tiff_there_and_back(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(1, 900, (3, 2, 40, 50), dtype="u2")
    source = tmp_path / "a.ome.tif"
    names = {"Channel": {"Name": ["DAPI", "GFP"]}}
    tifffile.imwrite(source, data, metadata={"axes": "TCYX", **names})
    there, back = tmp_path / "b.ome.zarr", tmp_path / "c.ome.tiff"
    assert scope("convert", source, there).exit_code == 0
    done = scope("convert", there, back, "--compression", "zlib")
    assert done.exit_code == 0
    assert "6 of 6 frames read back and the same" in done.stdout
    np.testing.assert_array_equal(tifffile.imread(back), data)
    with tifffile.TiffFile(back) as tif:
        assert tif.is_ome
        assert tif.pages.first.compression == 8
    (image,) = open_dataset(back).images
    assert [c.name for c in image.channels] == ["DAPI", "GFP"]


def test_errors_are_one_line(plate: Path, tmp_path: Path) -> None:
    for arguments in (
        ("convert", plate, tmp_path / "b.ome.zarr", "--ngff-version", "0.9"),
        ("convert", plate, tmp_path / "b.ome.zarr", "--compression", "zlib"),
        ("validate", tmp_path / "none.zarr"),
        ("set-scale", tmp_path, "--axis", "x=1"),
    ):
        error = scope(*arguments).exception
        assert isinstance(error, SettingsError | FormatError)
    done = subprocess.run(
        [sys.executable, "-m", "napari_scope.cli", "set-scale", plate, "--axis", "x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "error: 'x' does not set an axis: write it as z=0.5\n"
