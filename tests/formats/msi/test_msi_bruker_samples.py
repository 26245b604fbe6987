"""The two public spots say what independent readers say of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scope.formats.msi import open_msi
from napari_scope.formats.msi.bruker import BrukerFlexReader

DATA = Path(__file__).parents[4] / "shared" / "data" / "msi"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the samples (../shared/data/msi) are not here"
)
ORACLE: dict[str, dict[str, Any]] = (
    json.loads((DATA / "oracle.json").read_text())["bruker"] if DATA.is_dir() else {}
)


def test_both_spots_are_what_others_read() -> None:
    with open_msi(DATA / "bruker") as reader:
        assert isinstance(reader, BrukerFlexReader)
        assert reader.shape == (2, 1, 22431)
        assert len(reader.problems) == 1
        assert "(0_A1, 0_A2): they are no image" in reader.problems[0]
        assert reader.data.spectra.common_mz is not None
        assert reader.data.spectra.pixel_size is None
        for x, (name, said) in enumerate(sorted(ORACLE.items())):
            mz, intensities = reader.data.spectrum_at(x, 0)
            assert len(mz) == said["n_int32"] == reader.metadata["TD"]
            digest = hashlib.sha256(intensities.astype("<i4").tobytes()).hexdigest()
            assert digest == said["sha256"]
            assert int(intensities.sum()) == said["sum"]
            assert int(intensities.argmax()) == said["argmax"]
            assert mz[said["argmax"]] == pytest.approx(said["mz_at_argmax"], rel=1e-11)
            assert mz[0] == pytest.approx(said["mz_first"], rel=1e-11)
            assert mz[-1] == pytest.approx(said["mz_last"], rel=1e-11)
            assert (np.diff(mz) > 0).all() == said["mz_monotonic"]
            fid = DATA / name
            assert reader.pixel_dict["fid"][x, 0] == str(fid)
            acqu = BrukerFlexReader.s_read_acqu(fid.with_name("acqu"))
            for key in ("TD", "DELAY", "DW", "ML1", "ML2", "ML3", "BYTORDA"):
                assert acqu[key] == said[key]
            assert BrukerFlexReader.s_mz_from_acqu(acqu).tolist() == mz.tolist()
            assert BrukerFlexReader.s_read_fid(fid).tolist() == intensities.tolist()
        assert reader.data.totals().tolist() == [
            said["sum"] for _, said in sorted(ORACLE.items())
        ]
