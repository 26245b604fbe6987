"""Good stores have no findings; each thing that can be wrong has its sentence."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from tests.formats.ngff.ngff_stores import set_attributes
from tests.stream.plates import foreign_image, foreign_plate

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.validation.checks import Finding, validate
from napari_scope.stream.convert import convert

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("yaozarrs")


@pytest.fixture(params=["0.4", "0.5"])
def plate(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    foreign_plate(tmp_path / "a.zarr")
    path = tmp_path / "b.ome.zarr"
    convert(tmp_path / "a.zarr", path, version=request.param)
    return path


def change(folder: Path, edit: Callable[[Any], object]) -> None:
    """Change the OME part of the attributes of a group."""
    path = folder / "zarr.json"
    if not path.exists():
        path = folder / ".zattrs"
    document = json.loads(path.read_text())
    edit(document["attributes"]["ome"] if path.name == "zarr.json" else document)
    path.write_text(json.dumps(document))


def array_file(folder: Path) -> Path:
    return next(
        p for p in sorted(folder.rglob("*")) if p.is_file() and p.stem.isdigit()
    )


def found(path: Path, **options: Any) -> list[tuple[str, str, str]]:
    own = [f for f in validate(path, **options) if f.what != "yaozarrs"]
    return [(f.severity, f.place, f.what) for f in own]


def test_what_we_write_is_valid(plate: Path) -> None:
    seen: list[tuple[int, int]] = []
    assert validate(plate, pixels=True, progress=lambda *n: seen.append(n)) == []
    assert seen[-1] == (8, 8)


def test_what_others_write_is_valid(tmp_path: Path) -> None:
    foreign_plate(tmp_path / "a.zarr", "0.5")
    assert validate(tmp_path / "a.zarr", pixels=True) == []


def test_channels_of_omero(plate: Path) -> None:
    change(plate / "A/10/0", lambda ome: ome["omero"]["channels"].pop())
    (finding,) = [f for f in validate(plate) if f.place == "A/10/0"]
    assert str(finding) == "error: A/10/0: channels of omero: expected 2, found 1"


def test_scales_against_shapes(plate: Path) -> None:
    def edit(ome: Any) -> None:
        level = ome["multiscales"][0]["datasets"][1]
        level["coordinateTransformations"][0]["scale"][2] = 4.0

    change(plate / "A/10/0", edit)
    (finding,) = [f for f in validate(plate) if f.place == "A/10/0"]
    assert "axis 2 of level 1" in finding.what
    assert (finding.expected, finding.found) == ("about 10 pixels", "40")


def test_axes_and_types(plate: Path) -> None:
    change(plate / "A/10/0", lambda ome: ome["multiscales"][0]["axes"].pop(0))
    target = plate / "B/2/0/labels/nuclei/0"
    shutil.rmtree(target)
    zarr.create_array(
        store=str(target),
        data=np.ones((48, 80), "f4"),
        zarr_format=3 if (plate / "zarr.json").exists() else 2,
    )
    kinds = found(plate)
    assert ("error", "A/10/0", "axes") in kinds
    assert ("error", "B/2/0/labels/nuclei", "type of level 1") in kinds
    assert ("error", "B/2/0/labels/nuclei", "type of the labels") in kinds


def test_listed_but_missing_and_there_but_not_listed(plate: Path) -> None:
    shutil.rmtree(plate / "A/10/f1")
    change(plate / "B/2", lambda ome: ome["well"]["images"].pop())
    shutil.copytree(plate / "B/2", plate / "B/1")
    change(plate / "B/2/0/labels", lambda ome: ome.__setitem__("labels", ["cells"]))
    kinds = found(plate)
    assert ("error", "A/10/f1", "field") in kinds
    assert ("warning", "B/2/f1", "field") in kinds
    assert ("warning", "B/1", "well") in kinds
    assert ("error", "B/2/0/labels/cells", "labels") in kinds
    assert ("error", "B/2/0/labels/nuclei", "labels") in kinds
    shutil.rmtree(plate / "A/10")
    assert ("error", "A/10", "well") in found(plate)


def test_a_level_that_is_missing(plate: Path) -> None:
    shutil.rmtree(plate / "A/10/0/1")
    assert ("error", "A/10/0", "level 1") in found(plate)


def test_strangers_among_the_files(plate: Path) -> None:
    (plate / "notes.txt").write_text("x")
    (plate / "A/10/0/0/thumbs.db").write_text("x")
    file = array_file(plate / "A/10/0/0")
    number = file.with_name("99")
    shutil.copy(file, number)
    kinds = found(plate)
    assert ("warning", "notes.txt", "file") in kinds
    assert ("warning", "A/10/0/0/thumbs.db", "file") in kinds
    outside = number.relative_to(plate).as_posix()
    assert ("error", outside, "file") in kinds


def test_damaged_chunks(plate: Path) -> None:
    file = array_file(plate / "A/10/0/0")
    data = bytearray(file.read_bytes())
    place = file.relative_to(plate).as_posix()
    if (plate / "zarr.json").exists():
        data[-3] ^= 1  # the checksum of the index
        file.write_bytes(data)
        (finding,) = validate(plate)
        assert finding == Finding(
            "error", place, "file", "a whole shard", "an index with a wrong checksum"
        )
    file.write_bytes(data[:7])
    (finding,) = validate(plate, pixels=True)
    assert (finding.severity, finding.place) == ("error", place)


def test_a_chunk_beyond_the_end_of_its_shard(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    foreign_image(group, np.ones((40, 40), "u2"), "yx", "0.5", levels=1)
    path = tmp_path / "b.ome.zarr"
    convert(tmp_path / "a.zarr", path)
    file = array_file(path / "0")
    data = file.read_bytes()
    file.write_bytes(data[100:])
    (finding,) = validate(path)
    assert "a chunk up to byte" in finding.found


def test_old_versions_are_judged_by_us_alone(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    foreign_image(group, np.ones((1, 1, 1, 40, 40), "u2"), "tczyx", "0.2")
    (finding,) = validate(tmp_path / "a.zarr")
    assert finding.severity == "warning"
    assert "0.2" in finding.found


def test_no_store_at_all(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        validate(tmp_path)


def test_wells_are_where_their_paths_say(plate: Path) -> None:
    def move(ome: Any) -> None:
        well = ome["plate"]["wells"][0]
        well["columnIndex"] = len(ome["plate"]["columns"]) - 1 - well["columnIndex"]

    change(plate, move)
    assert [f[0] for f in found(plate) if f[2] == "columns[columnIndex]"] == ["error"]


def test_0_5_without_a_version_is_an_error(tmp_path: Path) -> None:
    foreign_plate(tmp_path / "a.zarr", "0.5")
    change(
        tmp_path / "a.zarr",
        lambda ome: (ome.pop("version"), ome["plate"].pop("version", 0)),
    )
    assert ("error", "", "version of OME-Zarr") in found(tmp_path / "a.zarr")


def test_paths_that_leave_the_store_are_findings(plate: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    change(
        plate / "A/10/0/labels", lambda ome: ome["labels"].append("../../../../secret")
    )
    change(plate / "A/10", lambda ome: ome["well"]["images"].append({"path": "../x"}))
    place = "A/10/0/labels/../../../../secret"
    assert found(plate) == [("error", "A/10/../x", "field"), ("error", place, "labels")]
    labels = plate / "B/2/0/labels"
    broken = labels / ("zarr.json" if (labels / "zarr.json").exists() else ".zattrs")
    broken.write_text("{")
    assert ("error", "B/2/0/labels", "metadata") in found(plate)
    collection = tmp_path / "c.zarr"
    shutil.copytree(plate / "A/10/0", collection / "0")
    version = 2 if (plate / ".zgroup").exists() else 3
    series = {"series": ["0", "../secret"]}
    for group, block in (("", {"bioformats2raw.layout": 3}), ("OME", series)):
        set_attributes(
            collection / group,
            {"ome": {"version": "0.5", **block}} if version == 3 else block,
            version,
        )
    assert ("error", "../secret", "image of the collection") in found(collection)


def test_a_codec_that_nobody_knows(plate: Path) -> None:
    array = plate / "A/10/0/0"
    name = "zarr.json" if (array / "zarr.json").exists() else ".zarray"
    document = json.loads((array / name).read_text())
    if name == ".zarray":
        document["compressor"] = {"id": "evil"}
    else:
        document["codecs"] = [{"name": "evil"}]
    (array / name).write_text(json.dumps(document))
    assert found(plate) == [("error", "A/10/0/0", "array")]
    (finding,) = [f for f in validate(plate) if f.what == "array"]
    assert "evil" in finding.found
    assert "tensorstore_spec" not in finding.found
