"""Pyramids made by several processes, and by processes that are killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from tests.formats.ngff.ngff_stores import pixels, write_image

from napari_scope.arrays.reduce import reduce_block
from napari_scope.errors import FormatError
from napari_scope.formats.ngff.pyramid.build import build_pyramid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

_WRITER = """
import sys
from pathlib import Path
from napari_scope.formats.ngff.pyramid.build import build_pyramid
build_pyramid(Path(sys.argv[1]), levels=4, method="max", memory=1, workers=2)
"""


def listed(group: Path) -> list[str]:
    document = json.loads((group / "zarr.json").read_text())
    multiscale = document["attributes"]["ome"]["multiscales"][0]
    return [entry["path"] for entry in multiscale["datasets"]]


def assert_levels(group: Path, data: npt.NDArray[Any], method: str) -> int:
    """Compare the levels that are listed; returns how many there are."""
    for path in listed(group):
        found = zarr.open_array(str(group / path), mode="r")[...]
        np.testing.assert_array_equal(found, data)
        data = reduce_block(data, (1, 2, 2), method)
    return len(listed(group))


@pytest.mark.parametrize("again", [False, True])
def test_a_killed_process_leaves_complete_levels(tmp_path: Path, again: bool) -> None:
    data = pixels((30, 160, 160))
    write_image(tmp_path, "cyx", data, options={"chunks": (1, 32, 32)})
    if again:
        build_pyramid(tmp_path, levels=4, method="min")
    left = 4 if again else 1
    for wanted in (1, 200):
        process = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)])
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            written = sum(len(f) for _, _, f in os.walk(tmp_path / ".pyramid.partial"))
            if written >= wanted:
                break
            time.sleep(0.001)
        process.kill()
        process.wait()
        # It may have been quicker than the signal.
        done = left if process.returncode else 4
        method = "min" if process.returncode else "max"
        if assert_levels(tmp_path, data, method) != done:
            assert listed(tmp_path) == ["0"]
            left = 1
        elif not process.returncode:
            break
    assert build_pyramid(tmp_path, levels=4, replace=True) == ["0", "1", "2", "3"]
    assert assert_levels(tmp_path, data, "mean") == 4
    assert {p.name for p in tmp_path.iterdir()} == {"zarr.json", "0", "1", "2", "3"}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", processes=True
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.parametrize("method", ["mean", "mode"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_cluster_computes_the_same(
    tmp_path: Path, client: Any, method: str, zarr_format: int
) -> None:
    data = pixels((3, 150, 131))
    options: dict[str, Any] = {"chunks": (1, 16, 16)}
    if zarr_format == 3:
        options["shards"] = (3, 32, 32)
    seen: list[int] = []
    for name in ("here", "there"):
        write_image(
            tmp_path / name, "zyx", data, zarr_format=zarr_format, options=options
        )
        build_pyramid(
            tmp_path / name,
            levels=4,
            method=method,
            memory=20_000,
            client=None if name == "here" else client,
            progress=lambda done, total: seen.append(done),
        )
    assert len(seen) > 8
    ours, theirs = (
        {
            str(p.relative_to(tmp_path / name)): p.read_bytes()
            for p in (tmp_path / name).rglob("*")
            if p.is_file()
        }
        for name in ("here", "there")
    )
    assert ours == theirs


def test_a_cluster_hands_back_what_went_wrong(tmp_path: Path, client: Any) -> None:
    write_image(tmp_path, "cyx", pixels((3, 64, 64)), options={"chunks": (1, 64, 64)})
    (tmp_path / "0" / "c" / "1" / "0" / "0").write_bytes(b"no codec reads this")
    with pytest.raises(FormatError, match="cannot be read") as caught:
        build_pyramid(tmp_path, levels=2, client=client)
    assert caught.value.path == str(tmp_path / "0")
    assert {p.name for p in tmp_path.iterdir()} == {"zarr.json", "0"}
