"""Every imzML sample says what independent readers say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scope.formats.msi import open_msi
from napari_scope.formats.msi.imzml import ImzMLReader
from napari_scope.formats.msi.imzml.document import read_strictly
from napari_scope.formats.msi.imzml.fast import read_fast

DATA = Path(__file__).parents[4] / "shared" / "data" / "msi"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the samples (../shared/data/msi) are not here"
)
ORACLE: dict[str, dict[str, Any]] = (
    json.loads((DATA / "oracle.json").read_text())["imzml"] if DATA.is_dir() else {}
)


@pytest.fixture(params=sorted(ORACLE))
def sample(request: pytest.FixtureRequest) -> tuple[Path, dict[str, Any]]:
    return DATA / request.param, ORACLE[request.param]


def test_a_sample_is_what_others_read(sample: tuple[Path, dict[str, Any]]) -> None:
    path, said = sample
    with open_msi(path) as reader:
        assert isinstance(reader, ImzMLReader)
        data = reader.data
        assert len(data) == said["n_spectra"]
        assert data.pixels.origin[0] + 1 == said["coord_min"][0]
        assert data.pixels.origin[1] + 1 == said["coord_min"][1]
        found = np.stack([data.pixels.x, data.pixels.y, data.pixels.z], axis=1) + 1
        assert found[:5].tolist() == said["coords_first5"]
        assert data.spectra.mz_range() == (said["mz_min"], said["mz_max"])
        assert (data.spectra.common_mz is not None) == (said["mode"] == "continuous")
        assert reader.uuid == said["uuid"].strip("{}").replace("-", "").lower()
        assert reader.verify() == (said["sha1_ok"] or said["md5_ok"])
        assert data.spectra.is_profile == (said["spectrum_mode"] == "profile")
        # Not what the file says of its sums, but what is in it.
        data.spectra.totals = None
        assert data.totals().sum() == pytest.approx(said["tic_total"], rel=1e-12)
        ion = said["ion_image"]
        image = data.ion_image(ion["mz"], ion["tol"])
        assert list(image.shape) == ion["shape_yx"]
        assert image.sum(dtype=float) == pytest.approx(ion["sum"], rel=1e-6)
        assert image.max() == pytest.approx(ion["max"], rel=1e-6)
        assert reader.problems == ()


def test_both_ways_of_reading_the_xml_agree(
    sample: tuple[Path, dict[str, Any]],
) -> None:
    path, _ = sample
    strict, fast = read_strictly(path), read_fast(path)
    assert fast is not None
    assert fast.forms == strict.forms
    assert fast.form.tolist() == strict.form.tolist()
    for name, values in strict.columns.items():
        np.testing.assert_array_equal(fast.columns[name], values)
    assert [node.tag for node in fast.root.all("cvParam", "run", "cv")] == [
        node.tag for node in strict.root.all("cvParam", "run", "cv")
    ]
