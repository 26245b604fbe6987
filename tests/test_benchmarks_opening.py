"""The benchmarks of opening run, in a size that takes no time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from benchmarks import opening
from benchmarks.harness import measure
from benchmarks.opening import Stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.harness import Benchmark

pytest.importorskip("napari_ome_zarr", reason="the peer")

IMAGE = Stored((2, 3, 2, 64, 64), 2, 32)
PLANES = Stored((4, 1, 6, 16, 16), 1, 16, shard=(2, 6))
BENCHMARKS: dict[str, Callable[[], Benchmark]] = {
    "call": lambda: opening.reader_call(IMAGE),
    "frame": lambda: opening.first_frame(IMAGE),
    "slider": lambda: opening.slider(PLANES, 3),
}


# ome-zarr-py warns of its own arguments.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Call to deprecated class")
@pytest.mark.parametrize("name", BENCHMARKS)
def test_opening(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = BENCHMARKS[name]()
    result = measure(benchmark, tmp_path, rounds=1, seed=0)
    assert {case.role for case in benchmark.cases} == {"ours", "peer", "limit"}
    assert set(result.times) == {case.name for case in benchmark.cases}
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["frame", "slider"])
def test_wrong_pixels_are_seen(tmp_path: Path, name: str) -> None:
    benchmark = BENCHMARKS[name]()
    write = benchmark.data
    assert write is not None

    def write_wrong(folder: Path) -> None:
        write(folder)
        path = folder / "image.ome.zarr" / "0" / "zarr.json"
        document = json.loads(path.read_text())
        # Another way to name chunks: none is found, all is 0.
        document["chunk_key_encoding"] = {"name": "v2"}
        path.write_text(json.dumps(document))

    wrong = replace(benchmark, cases=benchmark.cases[:1], data=write_wrong)
    with pytest.raises(ValueError, match="shown"):
        measure(wrong, tmp_path, rounds=1, seed=0)
