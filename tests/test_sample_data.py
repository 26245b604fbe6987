from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from napari_scope._sample_data import demo_acquisition
from napari_scope.acquire import Run
from napari_scope.errors import AcquisitionError


def test_the_folder_is_there_until_the_process_ends(tmp_path: Path) -> None:
    code = f"""
import gc, tempfile
from pathlib import Path
import numpy as np
tempfile.tempdir = {str(tmp_path)!r}
from napari_scope._sample_data import demo_acquisition
layers = demo_acquisition()
assert len(layers) == 4
assert all(np.asarray(levels[0]).any() for levels, _, _ in layers)
path = layers[0][1]["metadata"]["napari_scope"]["path"]
del layers
gc.collect()
assert Path(path).is_dir()  # it may have been opened once more
print(path)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(run: Run) -> Run:
        (output,) = run.outputs
        output.path.mkdir()
        raise AcquisitionError("no light")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Run, "start", fails)
    with pytest.raises(AcquisitionError, match="no light"):
        demo_acquisition()
    assert list(tmp_path.iterdir()) == []
