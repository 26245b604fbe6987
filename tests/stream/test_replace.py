from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.stream.streams import frame_of

from napari_scope.errors import OutputExistsError, StreamError
from napari_scope.stream import (
    AcquisitionSettings,
    Dimension,
    create_stream,
    dims_from_standard_axes,
)
from napari_scope.stream.replace import (
    check_replaceable,
    moved_aside,
    remove_store,
    store_bytes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.stream import FormatName


def make(path: Path, positions: int = 1) -> Path:
    axes = dims_from_standard_axes({"t": 2, "y": 16, "x": 24})
    dimensions = [Dimension(name="p", count=positions), *axes]
    found = AcquisitionSettings(root_path=path, dtype="uint16", dimensions=dimensions)
    with create_stream(found, levels=2) as stream:
        for number in range(2 * positions):
            stream.append(frame_of(number))
    return path


FORMATS: list[tuple[FormatName, str]] = [
    ("ome-zarr", "a.ome.zarr"),
    ("ndtiff", "a.ndtiff"),
]


@pytest.mark.parametrize("positions", [1, 2])
@pytest.mark.parametrize(("format", "name"), FORMATS)
def test_a_store_may_be_replaced(
    tmp_path: Path, format: FormatName, name: str, positions: int
) -> None:
    path = make(tmp_path / name, positions)
    check_replaceable(path, format)
    assert store_bytes(path) > 2 * positions * 16 * 24 * 2


def killed(path: Path) -> None:
    (path / "frames.jsonl").unlink(missing_ok=True)
    (path / "display_settings.txt").unlink(missing_ok=True)


@pytest.mark.parametrize(("format", "name"), FORMATS)
def test_what_a_killed_writer_left_may_be_replaced(
    tmp_path: Path, format: FormatName, name: str
) -> None:
    path = make(tmp_path / name)
    killed(path)
    neighbour = ".zarr.json.123.456" if format == "ome-zarr" else ".frames.jsonl.1.2"
    (path / neighbour).write_bytes(b"{")
    check_replaceable(path, format)


def foreign_file(path: Path) -> None:
    (path / "notes.txt").write_text("mine")


def foreign_folder(path: Path) -> None:
    (path / "thesis").mkdir()
    (path / "thesis" / "chapter.docx").write_bytes(b"1")


def link_inside(path: Path) -> None:
    (path.parent / "precious").mkdir()
    (path / "0x").symlink_to(path.parent / "precious", target_is_directory=True)


def another_link(path: Path) -> None:
    (path.parent / "precious").write_bytes(b"1")
    (path / ("9" if path.suffix == ".zarr" else "x.tif")).symlink_to(
        path.parent / "precious"
    )


def no_store(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()
    (path / "1.tif").write_bytes(b"II*\0")


def a_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_bytes(b"1")


@pytest.mark.parametrize(
    "damage",
    [foreign_file, foreign_folder, link_inside, another_link, no_store, a_file],
)
@pytest.mark.parametrize(("format", "name"), FORMATS)
def test_what_is_not_wholly_a_store_stays(
    tmp_path: Path, format: FormatName, name: str, damage: Any
) -> None:
    path = make(tmp_path / name)
    damage(path)
    before = sorted(map(str, tmp_path.rglob("*")))
    with pytest.raises(OutputExistsError, match="it is not overwritten"):
        with moved_aside(path, format):
            raise AssertionError
    assert sorted(map(str, tmp_path.rglob("*"))) == before


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.ndtiff", "a.ome.tiff"])
def test_a_store_that_is_being_written_stays(tmp_path: Path, name: str) -> None:
    axes = dims_from_standard_axes({"t": 2, "y": 16, "x": 24})
    found = AcquisitionSettings(
        root_path=tmp_path / name, dtype="uint16", dimensions=axes, overwrite=True
    )
    with create_stream(found) as stream:
        stream.append(frame_of(1))
        stream.flush()
        with pytest.raises(OutputExistsError, match="another stream is writing"):
            create_stream(found)
        stream.append(frame_of(2))
    create_stream(found).close()


def test_several_tiff_files_may_be_replaced(tmp_path: Path) -> None:
    path = make(tmp_path / "a.ome.tiff", positions=2).with_name("a")
    assert path.is_dir()
    check_replaceable(path, "ome-tiff")
    foreign_file(path)
    with pytest.raises(OutputExistsError, match=r"notes\.txt"):
        check_replaceable(path, "ome-tiff")


def test_a_link_to_a_store_stays(tmp_path: Path) -> None:
    path = make(tmp_path / "a.ome.zarr")
    link = tmp_path / "b.ome.zarr"
    link.symlink_to(path, target_is_directory=True)
    with pytest.raises(OutputExistsError, match="is a link"):
        check_replaceable(link, "ome-zarr")


def test_a_tiff_that_is_not_ours_stays(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.ome.tiff"
    tifffile.imwrite(path, frame_of(1), ome=False)
    with pytest.raises(OutputExistsError, match="is no OME-TIFF"):
        check_replaceable(path, "ome-tiff")
    tifffile.imwrite(path, frame_of(1), ome=True)
    check_replaceable(path, "ome-tiff")
    path.write_bytes(b"II*")
    with pytest.raises(OutputExistsError, match="is no OME-TIFF"):
        check_replaceable(path, "ome-tiff")
    path.unlink()
    path.mkdir()
    with pytest.raises(OutputExistsError, match="is no OME-TIFF"):
        check_replaceable(path, "ome-tiff")


def test_the_block_decides_what_stays(tmp_path: Path) -> None:
    path = make(tmp_path / "a.ome.zarr")
    with pytest.raises(KeyError), moved_aside(path, "ome-zarr") as aside:
        assert not path.exists()
        assert aside.parent == tmp_path
        path.mkdir()  # a new store that was begun
        raise KeyError
    assert (path / "0").exists()
    with moved_aside(path, "ome-zarr"):
        path.mkdir()
    assert os.listdir(path) == []
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_what_takes_the_name_meanwhile_stays(tmp_path: Path) -> None:
    path = make(tmp_path / "a.ome.zarr")
    with pytest.raises(KeyError), moved_aside(path, "ome-zarr") as aside:
        path.mkdir()
        foreign_file(path)
        raise KeyError
    assert os.listdir(path) == ["notes.txt"]
    assert aside.exists()


def test_a_neighbour_is_never_taken(tmp_path: Path) -> None:
    path = make(tmp_path / "a.ome.zarr")
    (tmp_path / "replaced-1-a.ome.zarr").mkdir()
    with moved_aside(path, "ome-zarr") as aside:
        assert aside.name == "replaced-2-a.ome.zarr"


def test_what_the_system_refuses_names_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "a.ome.zarr")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.rename", refused)
        with pytest.raises(StreamError, match="cannot be replaced, Permission denied"):
            with moved_aside(path, "ome-zarr"):
                raise AssertionError
    monkeypatch.setattr("shutil.rmtree", refused)
    with pytest.raises(StreamError, match="cannot be removed, Permission denied"):
        remove_store(path)
