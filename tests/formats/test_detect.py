from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.ngff.ngff_stores import pixels, write_image, write_plate

from napari_scope.formats import detect

DATA = Path(__file__).parents[3] / "shared" / "data" / "ndtiff"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the NDTiff samples (../shared/data/ndtiff) are not here"
)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_ome_zarr_image_and_what_is_in_it(tmp_path: Path, zarr_format: int) -> None:
    root = tmp_path / "a.ome.zarr"
    write_image(root, "yx", pixels((4, 4)), zarr_format=zarr_format)
    assert detect(root) == "ome-zarr"
    assert detect(str(root)) == "ome-zarr"
    documents = ["zarr.json"] if zarr_format == 3 else [".zattrs", ".zgroup"]
    for name in documents:
        assert detect(root / name) == "ome-zarr"
    # A level is a plain array, and other files say nothing.
    assert detect(root / "0") is None
    (root / "notes.json").write_text('{"multiscales": []}')
    assert detect(root / "notes.json") is None


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_plate_a_well_and_a_field(tmp_path: Path, zarr_format: int) -> None:
    write_plate(tmp_path, {"A/1": ["0"]}, zarr_format=zarr_format)
    for path in ("", "A/1", "A/1/0"):
        assert detect(tmp_path / path) == "ome-zarr"
    assert detect(tmp_path / "A") is None


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_collection(tmp_path: Path, zarr_format: int) -> None:
    group = zarr.create_group(str(tmp_path), zarr_format=zarr_format)  # type: ignore[arg-type]
    layout = {"bioformats2raw.layout": 3}
    group.attrs.update(layout if zarr_format == 2 else {"ome": layout})
    assert detect(tmp_path) == "ome-zarr"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_without_ome_metadata_is_not_ours(
    tmp_path: Path, zarr_format: int
) -> None:
    group = zarr.create_group(str(tmp_path), zarr_format=zarr_format)  # type: ignore[arg-type]
    group.create_array("a", shape=(4,), dtype="u1")
    assert detect(tmp_path) is None
    group.attrs.update({"ome": 3, "title": "multiscales"})
    assert detect(tmp_path) is None
    assert detect(tmp_path / "a") is None


def test_attributes_before_and_after_long_metadata(tmp_path: Path) -> None:
    """Consolidated metadata makes the document of a plate megabytes long."""
    long = {"consolidated_metadata": {"metadata": {str(i): "x" for i in range(40_000)}}}
    plate = {"attributes": {"ome": {"version": "0.5", "plate": {}}}}
    path = tmp_path / "zarr.json"
    path.write_text(json.dumps(plate | long))
    assert path.stat().st_size > 2**18
    assert detect(tmp_path) == "ome-zarr"
    path.write_text(json.dumps(long))
    assert detect(tmp_path) is None


def test_a_damaged_ome_zarr_is_still_ours(tmp_path: Path) -> None:
    (tmp_path / "zarr.json").write_text('{"attributes": {"ome": {"multiscales": [')
    assert detect(tmp_path) == "ome-zarr"
    (tmp_path / "zarr.json").write_text("{ nothing")
    assert detect(tmp_path) is None


@needs_data
@pytest.mark.parametrize(
    "path",
    [
        "v3/labeled_positions_1",
        "v3/labeled_positions_1/NDTiff.index",
        "v3/ndtiffv3.0_stitched_test",
        "v3/ndtiffv3.0_stitched_test/Full resolution",
        "v2/ndtiffv2.0_test",
        "v2/ndtiffv2.0_test/Full resolution/NDTiff.index",
    ],
)
def test_ndtiff(path: str) -> None:
    assert detect(DATA / path) == "ndtiff"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "ndtiff"),
        (bytes(4096), "ndtiff"),
        (b"\x0a\x00\x00\x00{", "ndtiff"),
        (b"\x00\x00\x00\x0a{", "ndtiff"),
        (b"# an index of something else", None),
        (b"[1, 2", None),
    ],
)
def test_the_start_of_an_index(
    tmp_path: Path, content: bytes, expected: str | None
) -> None:
    (tmp_path / "NDTiff.index").write_bytes(content)
    assert detect(tmp_path) == expected
    assert detect(tmp_path / "NDTiff.index") == expected


@pytest.mark.parametrize("mark", [483729, 54773648])
@pytest.mark.parametrize(("head", "order"), [(b"II", "little"), (b"MM", "big")])
@pytest.mark.parametrize("folder", [".", "Full resolution"])
def test_files_without_an_index(
    tmp_path: Path, mark: int, head: bytes, order: Any, folder: str
) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "a.tif").write_bytes(b"")
    (tmp_path / folder / "b.tif").write_bytes(b"II*\0" + bytes(100))
    assert detect(tmp_path) is None
    (tmp_path / folder / "c.tif").write_bytes(
        head + bytes(6) + mark.to_bytes(4, order) + bytes(100)
    )
    # Micro-Manager's plain image stacks have the mark of version 1.
    ours = folder != "." or mark == 483729
    assert detect(tmp_path) == ("ndtiff" if ours else None)
    assert detect(tmp_path / folder) == ("ndtiff" if ours else None)
    (tmp_path / folder / "c.tif").rename(tmp_path / folder / "c.txt")
    assert detect(tmp_path) is None


def test_a_folder_of_other_images_is_not_searched_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (tmp_path / f"{number}.tif").write_bytes(b"II*\0" + bytes(100))
    detection = sys.modules["napari_scope.formats.detect"]
    read: list[Path] = []
    real = detection.head_of  # type: ignore[attr-defined]
    monkeypatch.setattr(
        detection, "head_of", lambda path, size: read.append(path) or real(path, size)
    )
    assert detect(tmp_path) is None
    assert len(read) < 15


def test_the_index_of_a_tiled_data_set_lies_deeper(tmp_path: Path) -> None:
    (tmp_path / "Full resolution").mkdir()
    assert detect(tmp_path) is None
    (tmp_path / "Full resolution" / "NDTiff.index").touch()
    assert detect(tmp_path) == "ndtiff"


def test_foreign_and_missing_paths_are_none(tmp_path: Path) -> None:
    (tmp_path / "image.tif").write_bytes(b"II*\0")
    (tmp_path / "NDTiff.index").mkdir()
    for path in (tmp_path, tmp_path / "image.tif", tmp_path / "gone", "", "\0", "."):
        assert detect(path) is None
    assert detect("https://example.org/a.png") is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["zarr.json", ".zattrs", "NDTiff.index"])
def test_a_pipe_does_not_block(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    assert detect(tmp_path) is None
    assert detect(tmp_path / name) is None


def test_a_foreign_folder_costs_a_handful_of_system_calls(tmp_path: Path) -> None:
    for i in range(50):
        (tmp_path / f"image_{i}.tif").touch()
    touched: list[str] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if active and event in ("open", "os.listdir", "os.scandir"):
            touched.append(f"{event} {arguments[0]}")

    active = False
    sys.addaudithook(hook)
    active = True
    assert detect(tmp_path) is None
    active = False
    # Files that are not there are only looked up; the folder is listed once for NDTiff,
    # for OME-TIFF and for mass spectra, and a few TIFF files are looked into: an NDTiff
    # store may have lost its index.
    assert sum("os.scandir" in event for event in touched) <= 4
    assert len(touched) <= 12


def test_no_reader_is_imported() -> None:
    code = (
        "import sys; from napari_scope.formats import detect; detect('.');"
        "print([m for m in sys.modules if m.split('.')[0] in"
        " ('numpy', 'zarr', 'tensorstore', 'tifffile', 'napari', 'dask')"
        " or m.startswith(('napari_scope.formats.ng', 'napari_scope.formats.nd'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@given(st.binary(max_size=60), st.sampled_from(["zarr.json", ".zattrs"]))
def test_nothing_on_disk_makes_it_raise(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / name).write_bytes(content)
    detect(folder)


@pytest.mark.parametrize("name", ["zarr.json", ".zattrs"])
def test_a_store_that_may_not_be_read_is_ours_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for folder in ("a.ome.zarr", "private"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("{}")
    real = open

    def locked(path: Any, *args: Any, **options: Any) -> Any:
        if str(path).endswith(name):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **options)

    monkeypatch.setattr("builtins.open", locked)
    assert detect(tmp_path / "a.ome.zarr") == "ome-zarr"
    assert detect(tmp_path / "private") is None
