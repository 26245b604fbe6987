from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_scope.cli.commands import app
from napari_scope.errors import OutputExistsError
from napari_scope.formats.ndtiff import NDTiffWriter

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames") / "run"
    with NDTiffWriter(folder, summary={}) as writer:
        for t in range(30):
            facts = {"Exposure": 5, "XPositionUm": t / 2, "Bad\x1b[31m": "x"}
            writer.put({"time": t}, np.zeros((4, 5), "u2"), facts)
    return folder


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["frames", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_first_frames_are_printed(store: Path) -> None:
    text = run(store, "--first", 3)
    assert "exposure_ms" in text and "14.5" not in text
    assert "and 27 more frames" in text


def test_columns_are_listed_and_harmless(store: Path) -> None:
    text = run(store, "--columns")
    assert "x_um" in text and "µm" in text and "always the same" in text
    assert "\x1b[31m" not in text


def test_csv_goes_to_a_file_or_is_printed(store: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    run(store, "--csv", target)
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert len(rows) == 30 and rows[29]["x_um"] == "14.5"
    with pytest.raises(OutputExistsError):
        run(store, "--csv", target)
    run(store, "--csv", target, "--overwrite", "--field", "x_um")
    assert target.read_text().startswith("frame,x_um\n")
    printed = run(store, "--csv", "-", "--field", "x_um").splitlines()
    assert printed[:2] == ["frame,x_um", "0,0.0"]


def test_json_has_everything_or_the_fields(store: Path) -> None:
    found = json.loads(run(store, "--json"))
    assert found[2]["axes"] == {"time": 2} and found[2]["metadata"]["Exposure"] == 5
    assert json.loads(run(store, "--json", "--field", "x_um"))[1] == {
        "frame": 1,
        "x_um": 0.5,
    }
