from __future__ import annotations

import json
import os
import shutil
import struct
import tracemalloc
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.ngff.ngff_stores import pixels, write_image, write_plate

from napari_scope.errors import FormatError
from napari_scope.formats import detect, open_dataset
from napari_scope.formats.ngff.pixels import ZarrSource
from napari_scope.formats.ngff.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def zip_folder(
    folder: Path,
    file: Path,
    *,
    compression: int = zipfile.ZIP_STORED,
    top: str = "",
    comment: bytes = b"",
    zip64: bool = False,
) -> Path:
    with zipfile.ZipFile(file, "w", compression) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = top + path.relative_to(folder).as_posix()
                with archive.open(name, "w", force_zip64=zip64) as member:
                    member.write(path.read_bytes())
        archive.comment = comment
    return file


def whole(source: ZarrSource) -> Any:
    return source.read(tuple(slice(0, n) for n in source.shape))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": zipfile.ZIP_DEFLATED},
        {"zip64": True},
        {"top": "a.zarr/"},
        {"comment": b'{"ome": {"version": "0.5"}}'},
    ],
)
@pytest.mark.parametrize("name", ["a.ozx", "a.zarr.zip", "a.ZIP"])
def test_an_image_in_a_zip_file(
    tmp_path: Path, zarr_format: int, options: dict[str, Any], name: str
) -> None:
    data = pixels((2, 6, 8))
    write_image(tmp_path / "a.zarr", "cyx", data, 2, zarr_format=zarr_format)
    file = zip_folder(tmp_path / "a.zarr", tmp_path / name, **options)
    assert detect(file) == "ome-zarr"
    dataset = open_dataset(file)
    assert dataset.problems == ()
    first, second = dataset.images[0].levels
    np.testing.assert_array_equal(np.asarray(first), data)
    np.testing.assert_array_equal(np.asarray(second), data[:, ::2, ::2])


def test_a_plate_and_a_path_within(tmp_path: Path) -> None:
    written = write_plate(tmp_path / "p.zarr", {"A/1": ["0", "1"], "B/2": ["0"]})
    file = zip_folder(tmp_path / "p.zarr", tmp_path / "p.ozx")
    for image in open_dataset(file).images:
        np.testing.assert_array_equal(np.asarray(image.levels[0]), written[image.name])
    dataset = open_dataset(f"{file}/A/1/1")
    read = np.asarray(dataset.images[0].levels[0])
    np.testing.assert_array_equal(read, written["A/1/1"])
    assert Store(file).place("A/1") == f"{file}/A/1"
    assert (
        Store(file).many(["A/1", "gone"])[0]
        == Store(tmp_path / "p.zarr").many(["A/1"])[0]
    )
    with pytest.raises(FormatError, match="copy or unpack the store first"):
        Store(file).folder("A")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_zarr_python_zipped(tmp_path: Path, zarr_format: Any) -> None:
    """Its zip files hold a document twice, once it was changed; the last one counts."""
    data = pixels((4, 8))
    file = tmp_path / "a.zip"
    block = {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the double name
        with zarr.storage.ZipStore(file, mode="w") as store:
            group = zarr.create_group(store, zarr_format=zarr_format)
            group.attrs["title"] = "first"
            array = group.create_array("0", shape=(4, 8), chunks=(2, 8), dtype="u2")
            array[:] = 1
            array[:] = data
            group.attrs.update({"ome": block, **block})
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    assert len(set(names)) < len(names)
    assert Store(file).attributes()["ome"] == block
    read = np.asarray(open_dataset(file).images[0].levels[0])
    np.testing.assert_array_equal(read, data)
    with zarr.storage.ZipStore(file, mode="r") as store:
        np.testing.assert_array_equal(read, zarr.open_group(store, mode="r")["0"][...])  # type: ignore[index]


@pytest.mark.parametrize(
    "options",
    [
        {"shards": (4, 8), "chunks": (1, 4)},
        {"zarr_format": 2, "filters": [numcodecs.Delta("<u2")]},
    ],
)
def test_pixels_of_shards_and_odd_codecs(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    data = pixels((8, 8))
    zarr.create_group(str(tmp_path / "a"))
    zarr.create_array(str(tmp_path / "a" / "0"), data=data, **options)
    source = ZarrSource(
        Store(zip_folder(tmp_path / "a", tmp_path / "a.zip")).array("0")
    )
    np.testing.assert_array_equal(whole(source), data)
    np.testing.assert_array_equal(
        source.read((slice(1, 3), slice(2, 5))), data[1:3, 2:5]
    )


def test_a_zip_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    data = pixels((4, 8))
    file = tmp_path / "a.zip"
    for number, add in enumerate((0, 7)):
        zarr.create_array(str(tmp_path / f"{number}"), data=data + add, chunks=(1, 8))
    zip_folder(tmp_path / "0", file)
    source = ZarrSource(Store(file).array(""))
    np.testing.assert_array_equal(whole(source), data)
    os.replace(zip_folder(tmp_path / "1", tmp_path / "b.zip", top=""), file)
    np.testing.assert_array_equal(whole(source), data + 7)


def test_a_zip_file_that_vanished(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a"), data=pixels((4, 8)))
    store = Store(zip_folder(tmp_path / "a", tmp_path / "a.zip"))
    source = ZarrSource(store.array(""))
    whole(source)
    (tmp_path / "a.zip").unlink()
    for read in (store.attributes, lambda: whole(source)):
        with pytest.raises(FormatError, match=r"zip file is gone.*a\.zip"):
            read()


def bomb(file: Path, size: int, claimed: int | None = None) -> Path:
    """Write a zip file whose zarr.json is zeros, and what size it says to have."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zarr.json", bytes(size))
    if claimed is not None:
        data = file.read_bytes()
        file.write_bytes(
            data.replace(struct.pack("<I", size), struct.pack("<I", claimed))
        )
    return file


@pytest.mark.parametrize("claimed", [None, 100])
def test_a_bomb_is_not_unpacked(tmp_path: Path, claimed: int | None) -> None:
    file = bomb(tmp_path / "a.zip", 2**26, claimed)
    store = Store(file)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="larger than the 1 MiB") as caught:
            store.document("", "zarr.json", 2**20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(file) in str(caught.value)
    assert peak < 2**23
    assert detect(file) in (None, "ome-zarr")


def test_members_that_cannot_be_read(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
            archive.writestr("zarr.json", "{}" * 50)
        with pytest.raises(FormatError, match="neither stored nor deflated"):
            Store(tmp_path / "a.zip").attributes()
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("zarr.json", '{"attributes": {}}')
    data = bytearray((tmp_path / "b.zip").read_bytes())
    data[data.index(b"attributes")] = ord("A")
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(FormatError, match="checksum"):
        Store(tmp_path / "b.zip").attributes()


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\3\4" + bytes(100), b"no zip" * 50]
)
def test_what_is_no_zip_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.ozx"
    file.write_bytes(content)
    with pytest.raises(FormatError, match="zip file cannot be read") as caught:
        Store(file)
    assert caught.value.path == str(file)
    # A copy that was cut is ours, so that the user is told; other things are not.
    assert detect(file) == ("ome-zarr" if content[:2] == b"PK" else None)


def test_a_foreign_zip_file_is_not_ours(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.txt", "multiscales")
        archive.writestr("deep/er/zarr.json", '{"attributes": {"multiscales": 1}}')
    assert detect(tmp_path / "a.zip") is None
    with pytest.raises(FormatError, match="neither an OME-Zarr"):
        open_dataset(tmp_path / "a.zip")


def test_a_folder_that_is_called_like_a_zip_file(tmp_path: Path) -> None:
    data = pixels((4, 4))
    write_image(tmp_path / "a.zip", "yx", data)
    assert detect(tmp_path / "a.zip") == "ome-zarr"
    np.testing.assert_array_equal(
        np.asarray(open_dataset(tmp_path / "a.zip").images[0].levels[0]), data
    )


def test_a_long_directory_is_not_read_to_tell_the_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    detection = sys.modules["napari_scope.formats.zarr_sniff"]
    monkeypatch.setattr(detection, "_MOST_OF_DIRECTORY", 100)
    write_image(tmp_path / "a", "yx", pixels((4, 4)))
    comment = json.dumps({"ome": {"version": "0.5"}}).encode()
    assert detect(zip_folder(tmp_path / "a", tmp_path / "a.zip")) is None
    shutil.copy(tmp_path / "a.zip", tmp_path / "a.ozx")
    assert detect(tmp_path / "a.ozx") == "ome-zarr"
    zip_folder(tmp_path / "a", tmp_path / "b.zip", comment=comment)
    assert detect(tmp_path / "b.zip") == "ome-zarr"


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_damage_anywhere_is_a_format_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zarr.json", '{"attributes": {"a": 1}}')
    content = bytearray((folder / "a.zip").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.integers(0, 255)
        )
    (folder / "a.zip").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    detect(folder / "a.zip")
    try:
        Store(folder / "a.zip").attributes()
    except FormatError:
        pass
