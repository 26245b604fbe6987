"""`napari-scope positions` shows lists of positions and makes other kinds of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import useq
from typer.testing import CliRunner

from napari_scope.cli.commands import app
from napari_scope.errors import PlanError, SettingsError
from napari_scope.events.position_lists import load_positions, save_positions

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["positions", *map(str, arguments)])


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "slide.pos"
    places = [
        useq.AbsolutePosition(x=10.5, y=-20, z=3, name="left"),
        useq.AbsolutePosition(x=1000, y=40, name="right"),
    ]
    save_positions(path, places)
    return path


def test_a_list_is_shown(slide: Path) -> None:
    shown = run(slide)
    assert shown.exit_code == 0, shown.output
    assert all(word in shown.output for word in ("left", "10.5", "-20", "right"))
    less = run(slide, "--first", 1)
    assert "right" not in less.output
    assert "1 more" in less.output


@pytest.mark.parametrize("suffix", ["csv", "yaml", "json", "pos"])
def test_a_list_becomes_another_kind(slide: Path, suffix: str) -> None:
    target = slide.with_name(f"new.{suffix}")
    assert run(slide, target).exit_code == 0
    assert [(p.name, p.x, p.y, p.z) for p in load_positions(target).positions] == [
        ("left", 10.5, -20.0, 3.0),
        ("right", 1000.0, 40.0, None),
    ]


def test_the_stages_of_a_pos_file_can_be_named(slide: Path) -> None:
    target = slide.with_name("new.pos")
    assert run(slide, target, "--xy", "TIXYDrive", "--z", "TIZDrive").exit_code == 0
    assert "TIXYDrive" in target.read_text()
    assert "TIZDrive" in target.read_text()


def test_a_file_is_not_replaced_unasked(slide: Path) -> None:
    target = slide.with_name("new.csv")
    target.write_text("mine")
    assert isinstance(run(slide, target).exception, SettingsError)
    assert target.read_text() == "mine"
    assert run(slide, target, "--overwrite").exit_code == 0
    assert len(load_positions(target).positions) == 2


def test_what_is_not_kept_is_said(tmp_path: Path) -> None:
    source = tmp_path / "slide.yaml"
    inner = useq.MDASequence(channels=["DAPI"])
    save_positions(source, [useq.AbsolutePosition(x=1, y=2, sequence=inner)])
    told = run(source, tmp_path / "slide.csv")
    assert told.exit_code == 0
    assert "note: the plans of 1 positions" in told.output


def test_no_list_is_said(tmp_path: Path) -> None:
    assert isinstance(run(tmp_path / "there.is.none.pos").exception, PlanError)
