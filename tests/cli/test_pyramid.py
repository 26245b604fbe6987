"""The command ``pyramid``, on images, labels, collections and plates."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr
from tests.formats.ngff.ngff_stores import (
    pixels,
    set_attributes,
    write_image,
    write_plate,
)
from typer.testing import CliRunner

from napari_scope.arrays.reduce import reduce_block
from napari_scope.cli.commands import app
from napari_scope.errors import FormatError, ScopeError
from napari_scope.formats.ngff.pyramid.build import delete_pyramid
from napari_scope.formats.ngff.pyramid.targets import pyramid_targets

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["pyramid", *map(str, arguments)])
    if isinstance(result.exception, ScopeError):
        raise result.exception
    return result.exit_code, result.stdout


def level(group: Path, path: str) -> object:
    return zarr.open_array(str(group / path), mode="r")[...]


def label(image: Path, name: str, shape: tuple[int, int] = (40, 40)) -> None:
    write_image(image / "labels" / name, "yx", pixels(shape, "uint32"))
    document = json.loads((image / "labels" / name / "zarr.json").read_text())
    document["attributes"]["ome"]["image-label"] = {}
    (image / "labels" / name / "zarr.json").write_text(json.dumps(document))
    listed = [*(p.name for p in (image / "labels").iterdir() if p.is_dir())]
    set_attributes(image / "labels", {"ome": {"labels": sorted(listed)}}, 3)


def test_an_image_with_its_labels(tmp_path: Path) -> None:
    data = pixels((2, 40, 40))
    write_image(tmp_path, "cyx", data)
    label(tmp_path, "nuclei")
    code, text = run(tmp_path, "--levels", 3)
    assert code == 0
    assert text.splitlines() == [
        "finished: 2 of 2 images have levels",
        f"  {tmp_path.name}: 3 levels, mean",
        "  labels/nuclei: 3 levels, mode",
    ]
    np.testing.assert_array_equal(level(tmp_path, "1"), reduce_block(data, (1, 2, 2)))
    labels = tmp_path / "labels" / "nuclei"
    expected = reduce_block(pixels((40, 40), "uint32"), (2, 2), "mode")
    np.testing.assert_array_equal(level(labels, "1"), expected)

    delete_pyramid(labels)
    assert run(tmp_path, "--no-labels", "--method", "max")[0] == 0
    np.testing.assert_array_equal(
        level(tmp_path, "2"),
        reduce_block(reduce_block(data, (1, 2, 2), "max"), (1, 2, 2), "max"),
    )
    assert not (labels / "1").exists()


def test_other_levels_need_a_word(tmp_path: Path) -> None:
    data = pixels((4, 40, 40))
    write_image(tmp_path, "zyx", data, 2)
    code, text = run(tmp_path, "--levels", 3)
    assert code == 1
    assert "2 levels already" in text
    assert "0 of 1 images" in text
    code, _ = run(tmp_path, "--levels", 3, "--overwrite", "--dims", "zyx")
    assert code == 0
    np.testing.assert_array_equal(level(tmp_path, "1"), reduce_block(data, (2, 2, 2)))


def test_a_whole_plate_with_a_bad_field(tmp_path: Path) -> None:
    written = write_plate(tmp_path, {"A/1": ["0", "1"], "B/10": ["0"]})
    shutil.rmtree(tmp_path / "A" / "1" / "1" / "0")
    code, text = run(tmp_path, "--levels", 2)
    assert code == 1
    assert text.startswith("finished: 2 of 3 images")
    assert "problem: A/1/1: " in text
    for path in ("A/1/0", "B/10/0"):
        expected = reduce_block(written[path], (1, 2, 2))
        np.testing.assert_array_equal(level(tmp_path / path, "1"), expected)


def test_what_gets_a_pyramid(tmp_path: Path) -> None:
    def names(path: Path, **options: bool) -> list[str]:
        targets, problems = pyramid_targets(path, **options)
        assert problems == []
        return [target.name for target in targets]

    root = tmp_path / "run.zarr"
    set_attributes(root, {"ome": {"bioformats2raw.layout": 3}}, 3)
    for name in "01":
        write_image(root / name, "yx", pixels((8, 8)))
    label(root / "1", "cells")
    label(root / "1", "nuclei")
    both = ["1/labels/cells", "1/labels/nuclei"]
    assert names(root) == ["0", "1", *both]
    assert names(root, labels=False) == ["0", "1"]
    assert names(root / "0" / "zarr.json") == ["0"]
    assert names(root / "1" / "labels") == ["cells", "nuclei"]
    targets, _ = pyramid_targets(root / "1" / "labels" / "cells")
    assert [(t.name, t.is_labels) for t in targets] == [("cells", True)]
    write_plate(tmp_path / "plate", {"A/1": ["0", "1"], "A/10": ["0"], "A/2": ["0"]})
    assert names(tmp_path / "plate") == ["A/1/0", "A/1/1", "A/10/0", "A/2/0"]
    assert names(tmp_path / "plate" / "A" / "1") == ["0", "1"]
    set_attributes(root / "1" / "labels", {"ome": {"labels": ["../../0", "cells"]}}, 3)
    targets, problems = pyramid_targets(root)
    assert [target.name for target in targets] == ["0", "1", "1/labels/cells"]
    assert len(problems) == 1 and "../../0" in problems[0]


def test_what_is_no_image(tmp_path: Path) -> None:
    set_attributes(tmp_path / "group", {}, 3)
    for path in (tmp_path / "group", tmp_path / "nothing", tmp_path):
        with pytest.raises(FormatError):
            run(path)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_the_image_as_it_was(tmp_path: Path) -> None:
    # Chunks of one plane: enough blocks for the signal to come between two of them.
    array = zarr.create_array(
        str(tmp_path / "0"), shape=(2000, 400, 400), chunks=(1, 400, 400), dtype="u1"
    )
    array[:20] = 3
    block = {
        "axes": [{"name": n, "type": "space"} for n in "zyx"],
        "datasets": [{"path": "0"}],
    }
    set_attributes(tmp_path, {"ome": {"version": "0.5", "multiscales": [block]}}, 3)
    before = (tmp_path / "zarr.json").read_bytes()
    command = [sys.executable, "-m", "napari_scope.cli", "pyramid", str(tmp_path)]
    process = subprocess.Popen(
        [*command, "--levels", "3"],
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".pyramid.partial/1/c/*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert text.startswith("cancelled: 0 of 1 images")
    assert (tmp_path / "zarr.json").read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"0", "zarr.json"}


def test_a_cluster_does_it(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    data = pixels((3, 80, 80))
    write_image(tmp_path, "cyx", data, options={"chunks": (1, 16, 16)})
    label(tmp_path, "nuclei")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:
        address = cluster.scheduler_address
        code, text = run(tmp_path, "--levels", 3, "--scheduler", address)
    assert code == 0
    assert text.startswith("finished: 2 of 2 images")
    np.testing.assert_array_equal(level(tmp_path, "1"), reduce_block(data, (1, 2, 2)))


def test_a_scheduler_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    write_image(tmp_path, "yx", pixels((40, 40)))
    with pytest.raises(ScopeError, match="no scheduler answers"):
        run(tmp_path, "--levels", 2, "--scheduler", "nonsense://nowhere:1")


def test_labels_get_as_many_levels_as_their_image_has(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((40, 40)), 3)
    label(tmp_path, "nuclei")
    code, text = run(tmp_path)
    assert code == 0
    assert "labels/nuclei: 3 levels, mode" in text
