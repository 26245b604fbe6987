from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_scope.formats import open_dataset
from napari_scope.formats.store_summary import store_summary
from napari_scope.stream import ImageSpec, Output, StoreSpec, Stream

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.stream.sinks.base import FormatName

FACTS: dict[str, Any] = {
    "plan": {"axis_order": "tpc"},
    "microscope": {"camera": "Zyla", "pixel_size_um": 0.65},
    "software": {"napari_scope": "1"},
    "system_state": {"Camera": {"Gain": "2"}},
    "started": "today",
}


@pytest.mark.parametrize("format", ["ome-zarr", "ndtiff", "ome-tiff"])
def test_the_facts_of_a_run_are_found_in_each_format(
    tmp_path: Path, format: FormatName
) -> None:
    images = (ImageSpec("P0", sizes={"time": 2}),)
    spec = StoreSpec(
        "run", (4, 5), np.dtype("u2"), order=("time",), images=images, summary=FACTS
    )
    name = {"ome-zarr": "a.ome.zarr", "ome-tiff": "a.ome.tiff"}.get(format, "a")
    output = Output(tmp_path / name, format)
    with Stream(spec, [output.sink()]) as stream:
        for _ in range(2):
            stream.append(np.zeros((4, 5), "u2"))
    found: Any = store_summary(open_dataset(output.path))
    assert found["Store"]["format"].startswith(format)
    assert found["Store"]["files"] >= 1
    assert found["Microscope"] == FACTS["microscope"]
    assert found["System state"] == {"Camera": {"Gain": "2"}}
    assert found["Plan"] == FACTS["plan"] and found["Software"] == FACTS["software"]
    assert found["Run"]["started"] == "today"
    assert found["Frames"]["in the journal"] == 2 and found["Frames"]["closed"]
    (image,) = found["Images"].values()
    assert image["shape"] == "2 x 4 x 5" and image["type"] == "uint16"


def test_ome_xml_of_others_is_there_without_its_planes(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    about = {"axes": "ZYX", "Description": "cells <b>", "PhysicalSizeX": 0.5}
    tifffile.imwrite(path, np.zeros((3, 4, 5), "u2"), metadata=about, ome=True)
    found: Any = store_summary(open_dataset(path))
    image = found["OME metadata"]["Image"]
    assert image["Description"] == "cells <b>"
    assert image["Pixels"]["PhysicalSizeX"] == "0.5"
    assert "TiffData" not in image["Pixels"]
    assert "Plan" not in found and "Frames" not in found


def test_a_store_that_is_gone_is_told_not_raised(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((4, 5), "u2"), ome=True)
    dataset = open_dataset(path)
    path.unlink()
    assert store_summary(dataset)["Store"]["size"] == "0.0 MB"  # type: ignore[index]


def test_files_and_steps_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    about = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
    tifffile.imwrite(path, np.zeros((400, 500), "u2"), metadata=about, ome=True)
    found: Any = store_summary(open_dataset(path))
    assert (found["Store"]["files"], found["Store"]["size"]) == (1, "0.4 MB")
    (image,) = found["Images"].values()
    assert image["x step"] == "0.5 micrometer" and "y step" not in image
