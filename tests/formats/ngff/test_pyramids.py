"""Pyramids on disk, against cascades in memory and against other libraries."""

from __future__ import annotations

import json
import os
import shutil
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.ngff.ngff_stores import (
    multiscales,
    pixels,
    set_attributes,
    write_image,
)

from napari_scope.arrays.reduce import METHODS, reduce_block
from napari_scope.errors import (
    CancelledError,
    FormatError,
    OutputExistsError,
    ScopeError,
    SettingsError,
    StreamError,
)
from napari_scope.formats.ngff.pyramid import build as pyramids
from napari_scope.formats.ngff.pyramid import fill as pyramid_fill
from napari_scope.formats.ngff.pyramid.build import (
    build_pyramid,
    delete_pyramid,
    fill_levels,
    initialize_pyramid,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


def cascade(
    data: npt.NDArray[Any],
    names: str,
    count: int,
    method: str = "mean",
    dims: str = "yx",
) -> list[npt.NDArray[Any]]:
    factors = [2 if n in dims else 1 for n in names]
    levels = [data]
    for _ in range(count - 1):
        levels.append(reduce_block(levels[-1], factors, method))
    return levels


def levels_of(group: Path) -> list[npt.NDArray[Any]]:
    """Read all levels that the image lists by zarr-python."""
    return [array_of(group, path)[...] for path in listed(group)]


def array_of(group: Path, path: str) -> Any:
    return zarr.open_array(str(group / path), mode="r")


def document_of(group: Path) -> dict[str, Any]:
    v3 = group / "zarr.json"
    document = json.loads((v3 if v3.exists() else group / ".zattrs").read_text())
    attributes = document["attributes"] if v3.exists() else document
    found: dict[str, Any] = attributes.get("ome", attributes)
    return found


def listed(group: Path) -> list[str]:
    datasets = document_of(group)["multiscales"][0]["datasets"]
    return [entry["path"] for entry in datasets]


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
    }


def assert_equal_levels(
    found: list[npt.NDArray[Any]], expected: list[npt.NDArray[Any]]
) -> None:
    assert [f.shape for f in found] == [e.shape for e in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_every_method_is_the_cascade_in_memory(
    tmp_path: Path, method: str, zarr_format: int
) -> None:
    data = pixels((2, 3, 75, 101))
    write_image(
        tmp_path,
        "czyx",
        data,
        zarr_format=zarr_format,
        options={"chunks": (1, 2, 16, 32)},
    )
    assert build_pyramid(tmp_path, levels=4, method=method) == ["0", "1", "2", "3"]
    assert_equal_levels(levels_of(tmp_path), cascade(data, "czyx", 4, method))
    assert document_of(tmp_path)["multiscales"][0]["type"] == (
        "nearest" if method == "stride" else method
    )
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]


DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8", "?"]
TWO_TO_FIVE = {2: "yx", 3: "zyx", 4: "cyx", 5: "tczyx"}


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_image(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    names = data.draw(st.sampled_from(["yx", "zyx", "cyx", "tyx", "qzyx", "tczyx"]))
    shape = tuple(data.draw(st.integers(1, 40 if n in "yx" else 5)) for n in names)
    chunk = tuple(data.draw(st.integers(1, 2 * n)) for n in shape)
    zarr_format = data.draw(st.sampled_from([2, 3]))
    options: dict[str, Any] = {"chunks": chunk}
    if zarr_format == 3 and data.draw(st.booleans()):
        options["shards"] = tuple(c * data.draw(st.integers(1, 3)) for c in chunk)
    if data.draw(st.booleans()):
        options["compressors"] = None
    if zarr_format == 2 and data.draw(st.booleans()):
        options["order"] = "F"
    image = pixels(shape, data.draw(st.sampled_from(DTYPES)), seed=shape[-1])
    # A literal None would let numpy read truth values as bytes.
    method = data.draw(st.sampled_from(sorted(METHODS)))
    dims = data.draw(st.sampled_from(["yx", "x", "zyx" if "z" in names else "y"]))
    memory = data.draw(st.sampled_from([1, 3000, 1 << 28]))
    group = tmp_path_factory.mktemp("image")
    write_image(group, names, image, zarr_format=zarr_format, options=options)
    paths = build_pyramid(
        group, levels=3, method=method, dims=tuple(dims), memory=memory
    )
    assert paths == listed(group)
    found = levels_of(group)
    assert_equal_levels(found, cascade(image, names, len(paths), method, dims))
    # A pyramid of the same arrays is computed anew.
    other = pixels(shape, image.dtype.name, seed=99)
    zarr.open_array(str(group / "0"), mode="r+")[...] = other
    assert build_pyramid(group, method=method, memory=memory) == paths
    assert_equal_levels(
        levels_of(group), cascade(other, names, len(paths), method, dims)
    )


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_levels_are_stored_as_full_resolution_is(
    tmp_path: Path, zarr_format: int
) -> None:
    options: dict[str, Any] = {"chunks": (1, 32, 32), "fill_value": 7}
    if zarr_format == 3:
        options |= {
            "shards": (2, 64, 64),
            "compressors": [zarr.codecs.BloscCodec(cname="lz4", clevel=3)],
        }
    else:
        import numcodecs

        options |= {
            "compressors": numcodecs.Blosc(cname="zstd", clevel=2, shuffle=2),
            "filters": [numcodecs.Delta("<u2")],
            "chunk_key_encoding": {"name": "v2", "separator": "/"},
            "order": "F",
        }
    data = pixels((3, 200, 100))
    write_image(tmp_path, "cyx", data, zarr_format=zarr_format, options=options)
    build_pyramid(tmp_path, levels=4)
    name = "zarr.json" if zarr_format == 3 else ".zarray"
    first, *others = [
        json.loads((tmp_path / path / name).read_text()) for path in "0123"
    ]
    shapes = [(3, 100, 50), (3, 50, 25), (3, 25, 13)]
    for document, shape in zip(others, shapes, strict=True):
        assert document.pop("shape") == list(shape)
        chunk = [min(c, n) for c, n in zip((1, 32, 32), shape, strict=True)]
        if zarr_format == 3:
            inner = document["codecs"][0]["configuration"]
            assert inner.pop("chunk_shape") == chunk
            shard = document["chunk_grid"]["configuration"].pop("chunk_shape")
            assert all(s % c == 0 for s, c in zip(shard, chunk, strict=True))
            assert shard[0] == 2 and max(shard) <= 64
        else:
            assert document.pop("chunks") == chunk
    first.pop("shape")
    if zarr_format == 3:
        first["codecs"][0]["configuration"].pop("chunk_shape")
        first["chunk_grid"]["configuration"].pop("chunk_shape")
    else:
        first.pop("chunks")
    assert others == [first] * 3
    assert_equal_levels(levels_of(tmp_path), cascade(data, "cyx", 4))


def test_places_of_levels(tmp_path: Path) -> None:
    data = pixels((2, 9, 12, 20))
    write_image(
        tmp_path,
        "tzyx",
        data,
        scale=[0.0, 2.0, 0.5, 0.25],
        translation=[1.0, 5.0, 0, -3],
    )
    build_pyramid(tmp_path, levels=3, dims=("z", "y", "x"))
    datasets = document_of(tmp_path)["multiscales"][0]["datasets"]
    found = [
        [
            next(iter(v for k, v in t.items() if k != "type"))
            for t in d["coordinateTransformations"]
        ]
        for d in datasets
    ]
    assert found == [
        [[0, 2, 0.5, 0.25], [1, 5, 0, -3]],
        [[0, 4, 1, 0.5], [1, 6, 0.25, -2.875]],
        [[0, 8, 2, 1], [1, 8, 0.75, -2.625]],
    ]


def test_documents_of_the_first_versions_get_no_transformations(tmp_path: Path) -> None:
    data = pixels((1, 1, 1, 32, 32))
    write_image(tmp_path, "tczyx", data, zarr_format=2)
    multiscale = {"version": "0.1", "datasets": [{"path": "0"}]}
    set_attributes(tmp_path, {"multiscales": [multiscale]}, 2)
    build_pyramid(tmp_path, levels=2)
    assert document_of(tmp_path)["multiscales"][0]["datasets"] == [
        {"path": "0"},
        {"path": "1"},
    ]
    assert_equal_levels(levels_of(tmp_path), cascade(data, "tczyx", 2))


@pytest.mark.parametrize(
    ("first", "expected"),
    [("s0", ["s0", "s1", "s2"]), ("scale0/image", None), ("full", ["full", "1", "2"])],
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_names_of_levels_follow_the_first(
    tmp_path: Path, first: str, expected: list[str] | None, zarr_format: int
) -> None:
    expected = expected or [f"scale{n}/image" for n in range(3)]
    data = pixels((40, 40))
    write_image(tmp_path, "yx", data, zarr_format=zarr_format)
    (tmp_path / "moved").parent.mkdir(exist_ok=True)
    (tmp_path / "0").rename(tmp_path / "moved")
    (tmp_path / first).parent.mkdir(exist_ok=True)
    (tmp_path / "moved").rename(tmp_path / first)
    block = multiscales("yx", 1)
    block["datasets"][0]["path"] = first
    attributes = {"multiscales": [block]}
    set_attributes(
        tmp_path, attributes if zarr_format == 2 else {"ome": attributes}, zarr_format
    )
    assert build_pyramid(tmp_path, levels=3) == expected
    assert_equal_levels(levels_of(tmp_path), cascade(data, "yx", 3))
    group = zarr.open_group(str(tmp_path), mode="r")
    assert group[expected[-1]].shape == (10, 10)
    assert delete_pyramid(tmp_path) == expected[1:]
    left = {p.name for p in tmp_path.iterdir() if p.is_dir()}
    assert left == {first.partition("/")[0]}


def test_existing_levels_are_filled_or_refused_or_replaced(tmp_path: Path) -> None:
    data = pixels((2, 41, 37))
    write_image(tmp_path, "cyx", data, 3, options={"chunks": (1, 8, 8)})
    # Levels of others may be rounded down, and cut otherwise.
    for level, shape in (("1", (2, 20, 18)), ("2", (2, 10, 9))):
        zarr.create_array(
            str(tmp_path / level),
            shape=shape,
            chunks=(2, 4, 4),
            dtype="u2",
            overwrite=True,
        )
    before = document_of(tmp_path)
    assert build_pyramid(tmp_path) == ["0", "1", "2"]
    one = reduce_block(data, (1, 2, 2))[:, :20, :18]
    assert_equal_levels(levels_of(tmp_path), [data, one, reduce_block(one, (1, 2, 2))])
    assert array_of(tmp_path, "1").chunks == (2, 4, 4)
    before["multiscales"][0]["type"] = "mean"
    assert document_of(tmp_path) == before

    content = everything(tmp_path)
    with pytest.raises(ValueError, match="delete_pyramid"):
        build_pyramid(tmp_path, levels=4)
    assert everything(tmp_path) == content
    assert build_pyramid(tmp_path, levels=4, replace=True) == ["0", "1", "2", "3"]
    assert_equal_levels(levels_of(tmp_path), cascade(data, "cyx", 4))
    assert array_of(tmp_path, "1").chunks == (1, 8, 8)
    assert build_pyramid(tmp_path, levels=1, replace=True) == ["0"]
    assert {p.name for p in tmp_path.iterdir()} == {"zarr.json", "0"}
    assert listed(tmp_path) == ["0"]


def test_levels_without_pixels_and_their_end(tmp_path: Path) -> None:
    data = pixels((5, 30, 30))
    write_image(tmp_path, "zyx", data)
    paths = initialize_pyramid(tmp_path, 3, ("z", "y", "x"))
    assert paths == ["0", "1", "2"] == listed(tmp_path)
    assert [level.shape for level in levels_of(tmp_path)] == [
        (5, 30, 30),
        (3, 15, 15),
        (2, 8, 8),
    ]
    assert not levels_of(tmp_path)[1].any()
    with pytest.raises(SettingsError, match="delete_pyramid"):
        initialize_pyramid(tmp_path, 2)
    build_pyramid(tmp_path)
    assert_equal_levels(levels_of(tmp_path), cascade(data, "zyx", 3, dims="zyx"))
    (tmp_path / "1").rename(tmp_path.parent / "lost")
    assert delete_pyramid(tmp_path) == ["1", "2"]
    assert delete_pyramid(tmp_path) == []
    assert {p.name for p in tmp_path.iterdir()} == {"zarr.json", "0"}


def test_small_images_get_no_levels_unless_asked(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((30, 30)))
    before = everything(tmp_path)
    assert build_pyramid(tmp_path) == ["0"]
    assert everything(tmp_path) == before


def test_other_metadata_stay_also_those_written_meanwhile(tmp_path: Path) -> None:
    write_image(
        tmp_path, "cyx", pixels((2, 30, 30)), omero={"channels": []}, own={"a": [1]}
    )

    def rename(done: int, total: int) -> None:
        document = json.loads((tmp_path / "zarr.json").read_text())
        document["attributes"]["ome"]["omero"]["channels"] = [{"label": "new"}]
        document["attributes"]["ome"]["multiscales"][0]["datasets"].append(
            {"path": "e"}
        )
        (tmp_path / "zarr.json").write_text(json.dumps(document))

    build_pyramid(tmp_path, levels=2, progress=rename)
    assert document_of(tmp_path)["omero"] == {"channels": [{"label": "new"}]}
    assert listed(tmp_path) == ["0", "1", "e"]
    document = json.loads((tmp_path / "zarr.json").read_text())
    assert document["attributes"]["napari_scope"] == {"a": [1]}


def test_labels_are_not_averaged(tmp_path: Path) -> None:
    data = pixels((30, 30), "uint32")
    write_image(tmp_path, "yx", data)
    document = json.loads((tmp_path / "zarr.json").read_text())
    document["attributes"]["ome"]["image-label"] = {}
    (tmp_path / "zarr.json").write_text(json.dumps(document))
    for method in ("mean", "median"):
        with pytest.raises(SettingsError, match="labels"):
            build_pyramid(tmp_path, levels=3, method=method)
    build_pyramid(tmp_path, levels=3, method="mode")
    assert_equal_levels(levels_of(tmp_path), cascade(data, "yx", 3, "mode"))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_copies_of_documents_in_groups_above_are_renewed(
    tmp_path: Path, zarr_format: int
) -> None:
    zarr.create_group(str(tmp_path), zarr_format=zarr_format)  # type: ignore[arg-type]
    image = tmp_path / "a" / "b"
    zarr.create_group(str(tmp_path / "a"), zarr_format=zarr_format)  # type: ignore[arg-type]
    data = pixels((30, 30))
    write_image(image, "yx", data, zarr_format=zarr_format)
    for folder in (image, tmp_path):
        consolidate(folder)
    build_pyramid(image, levels=3)
    for folder, path in ((image, ""), (tmp_path, "a/b/")):
        group = zarr.open_consolidated(str(folder))
        np.testing.assert_array_equal(group[f"{path}2"][...], cascade(data, "yx", 3)[2])
        within = group if not path else group["a/b"]
        attributes = dict(within.attrs)
        datasets = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
        assert [entry["path"] for entry in datasets] == ["0", "1", "2"]
    delete_pyramid(image)
    assert "a/b/1" not in zarr.open_consolidated(str(tmp_path))
    assert "a/b/0" in zarr.open_consolidated(str(tmp_path))


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def consolidate(folder: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(folder))


def test_progress_and_cancelling_at_any_block(tmp_path: Path) -> None:
    data = pixels((3, 64, 64))
    write_image(tmp_path, "cyx", data, 2, options={"chunks": (1, 16, 16)})
    before = everything(tmp_path)
    seen: list[tuple[int, int]] = []
    for limit in range(4):
        seen.clear()
        with pytest.raises(CancelledError):
            build_pyramid(
                tmp_path,
                progress=lambda done, total: seen.append((done, total)),
                cancelled=lambda limit=limit: len(seen) >= limit,
                memory=1,
                workers=1,
            )
        assert everything(tmp_path) == before
    seen.clear()
    build_pyramid(tmp_path, progress=lambda *n: seen.append(n), memory=1, workers=2)
    total = seen[0][1]
    assert total > 4
    assert seen == [(n, total) for n in range(1, total + 1)]
    assert threads() == []


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("pyramid")]


def test_failures_leave_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pixels((4, 64, 64))
    write_image(tmp_path, "cyx", data, options={"chunks": (1, 64, 64)})
    (tmp_path / "0" / "c" / "2" / "0" / "0").write_bytes(b"no codec reads this")
    before = everything(tmp_path)
    with pytest.raises(FormatError, match="cannot be read"):
        build_pyramid(tmp_path, levels=3)
    assert everything(tmp_path) == before
    (tmp_path / "0" / "c" / "2" / "0" / "0").unlink()  # is all zeros then
    before = everything(tmp_path)

    def full(*_: object) -> None:
        raise StreamError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(pyramid_fill, "_compute", full)
        with pytest.raises(StreamError, match="no room"):
            build_pyramid(tmp_path, levels=3)
    assert everything(tmp_path) == before
    assert threads() == []
    build_pyramid(tmp_path, levels=3)
    data[2] = 0
    assert_equal_levels(levels_of(tmp_path), cascade(data, "cyx", 3))


def test_an_array_that_is_not_listed_is_not_overwritten(tmp_path: Path) -> None:
    write_image(tmp_path, "yx", pixels((64, 64)))
    zarr.create_array(str(tmp_path / "2"), shape=(3,), dtype="u1")
    before = everything(tmp_path)
    with pytest.raises(OutputExistsError):
        build_pyramid(tmp_path, levels=3)
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    "path", ["../outside", "//tmp/outside", "link", "", "0", "0/c", "labels"]
)
def test_nothing_but_levels_is_touched(tmp_path: Path, path: str) -> None:
    image = tmp_path / "image"
    write_image(image, "yx", pixels((64, 64)), 2)
    (image / "1").rename(tmp_path / "outside")
    set_attributes(image / "labels", {"labels": []}, 3)
    if path == "link":
        try:
            os.symlink(tmp_path / "outside", image / "link")
        except OSError:
            pytest.skip("no links here")
    document = json.loads((image / "zarr.json").read_text())
    document["attributes"]["ome"]["multiscales"][0]["datasets"][1]["path"] = path
    (image / "zarr.json").write_text(json.dumps(document))
    before = everything(tmp_path)
    for change in (build_pyramid, delete_pyramid):
        with pytest.raises(ScopeError):
            change(image)
    with pytest.raises(ScopeError):
        build_pyramid(image, levels=2, replace=True)
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    "multiscale",
    [
        None,
        {"datasets": []},
        {"datasets": [{"path": 3}]},
        {"axes": [{"name": "y"}], "datasets": [{"path": "0"}]},
        {"axes": ["y", 3], "datasets": [{"path": "0"}]},
        {"axes": ["y", "x"], "datasets": [{"path": "0"}, {"path": "1"}]},
        {
            "axes": ["y", "x"],
            "datasets": [{"path": "0", "coordinateTransformations": [{"type": "?"}]}],
        },
        {"coordinateSystems": [], "datasets": [{"path": "0"}]},
    ],
)
def test_damaged_documents_are_refused(tmp_path: Path, multiscale: object) -> None:
    write_image(tmp_path, "yx", pixels((64, 64)))
    set_attributes(tmp_path, {"ome": {"multiscales": [multiscale]}}, 3)
    before = everything(tmp_path)
    with pytest.raises(FormatError) as caught:
        build_pyramid(tmp_path, levels=2)
    assert str(tmp_path) in str(caught.value)
    assert everything(tmp_path) == before


def test_levels_that_are_no_halves_and_axes_that_stay(tmp_path: Path) -> None:
    write_image(tmp_path, "cyx", pixels((4, 64, 64)))
    for shape in ((4, 16, 16), (2, 32, 32)):
        zarr.create_array(str(tmp_path / "1"), shape=shape, dtype="u2", overwrite=True)
        with pytest.raises(SettingsError):
            fill_levels([tmp_path / "0", tmp_path / "1"], "cyx")
    zarr.create_array(
        str(tmp_path / "1"), shape=(4, 32, 32), dtype="u1", overwrite=True
    )
    with pytest.raises(SettingsError, match="types"):
        fill_levels([tmp_path / "0", tmp_path / "1"], "cyx")


def test_a_larger_image_than_the_memory_it_may_take(tmp_path: Path) -> None:
    # 32 MB: constant, so that the file is small and only what we hold counts.
    array = zarr.create_array(
        str(tmp_path / "0"), shape=(4096, 4096), chunks=(256, 256), dtype="u2"
    )
    array[1000:3000, 1000:3000] = 9
    set_attributes(tmp_path, {"ome": {"multiscales": [multiscales("yx", 1)]}}, 3)
    memory = 2 << 20
    tracemalloc.start()  # it sees numpy's arrays, also those that tensorstore gives
    try:
        build_pyramid(tmp_path, levels=6, memory=memory, workers=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * memory
    assert_equal_levels(levels_of(tmp_path), cascade(array[...], "yx", 6))


@pytest.mark.parametrize("again", [False, True])
def test_no_step_lists_an_unfinished_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """Stop at each step, as a killed process would, and look at what is listed."""
    data = pixels((2, 64, 64))
    write_image(tmp_path / "model", "cyx", data, options={"chunks": (1, 16, 16)})
    if again:
        build_pyramid(tmp_path / "model", levels=3, method="max")
    expected = {"max": cascade(data, "cyx", 3, "max"), "mean": cascade(data, "cyx", 3)}

    class Killed(BaseException):
        pass

    steps = 0
    while True:
        image = tmp_path / f"image{steps}"
        shutil.copytree(tmp_path / "model", image)
        left = steps

        def step(function: Any) -> Any:
            def counted(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Killed
                return function(*args, **kwargs)

            return counted

        with monkeypatch.context() as patch:
            # What changes the disk; a killed process tidies nothing up.
            patch.setattr(pyramids, "write_level", step(pyramids.write_level))
            patch.setattr(pyramids, "fill_levels", step(pyramids.fill_levels))
            patch.setattr(type(image), "rename", step(type(image).rename))
            patch.setattr(
                pyramids.ImageDocument, "write", step(pyramids.ImageDocument.write)
            )
            patch.setattr(pyramids.shutil, "rmtree", lambda *a, **k: None)
            try:
                build_pyramid(image, levels=3)
            except Killed:
                pass
        found = levels_of(image)
        method = document_of(image)["multiscales"][0].get("type", "mean")
        assert_equal_levels(found, expected[method][: len(found)])
        assert len(found) in (1, 3)
        # What was left over is in nobody's way.
        build_pyramid(image, levels=3)
        assert_equal_levels(levels_of(image), expected["mean"])
        assert {p.name for p in image.iterdir()} == {"zarr.json", "0", "1", "2"}
        if left > 0:
            break
        steps += 1
    assert steps > (6 if again else 5)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_image_without_planes(tmp_path: Path, zarr_format: int) -> None:
    data = pixels((0, 40, 30))
    options = {"chunks": (1, 8, 8)}
    write_image(tmp_path, "tyx", data, zarr_format=zarr_format, options=options)
    build_pyramid(tmp_path, levels=2)
    assert_equal_levels(levels_of(tmp_path), [data, data[:, ::2, ::2]])


def test_what_a_document_claims_takes_no_memory(tmp_path: Path) -> None:
    options = {"chunks": (4, 4), "shards": (8, 8)}
    write_image(tmp_path, "yx", pixels((8, 8)), options=options)
    path = tmp_path / "0" / "zarr.json"
    document = json.loads(path.read_text())
    document["shape"] = [2**29, 2**29]
    shutil.rmtree(path.parent / "c")  # all zeros: only the claim is left
    seen: list[int] = []
    for shard, error in ((2**17, SettingsError), (64, CancelledError)):
        inner = document["codecs"][0]["configuration"]
        inner["chunk_shape"] = [min(shard, 2**14)] * 2
        document["chunk_grid"]["configuration"]["chunk_shape"] = [shard] * 2
        path.write_text(json.dumps(document))
        seen.clear()
        tracemalloc.start()
        try:
            with pytest.raises(error):
                build_pyramid(
                    tmp_path,
                    levels=6,
                    workers=1,
                    memory=1 << 20,
                    progress=lambda done, _: seen.append(done),
                    cancelled=lambda: len(seen) > 3,
                )
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8 << 20
    assert {p.name for p in tmp_path.iterdir()} == {"zarr.json", "0"}


# ------------------------------------------------------------- segmentations


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_segmentations_follow_their_image(tmp_path: Path, version: str) -> None:
    from napari_scope import open_ome_zarr

    yaozarrs = pytest.importorskip("yaozarrs")
    path = tmp_path / "a.ome.zarr"
    cells = np.indices((40, 50)).sum(0).astype("u2") % 2 * 1000
    with open_ome_zarr(
        path, layout="fov", mode="w-", channel_names=["a"], version=version
    ) as image:
        image.create_image("0", np.ones((1, 1, 4, 40, 50), "u2"))
        image.create_label("cells", np.broadcast_to(cells, (1, 1, 4, 40, 50)))
        image.create_label("plane", cells.astype("u4"), axes=image.axes[-2:])
        yaozarrs.validate_zarr_store(str(path))
        image.compute_pyramid(3, dims=("y", "x"))
        yaozarrs.validate_zarr_store(str(path))
        coarse = image.get_label("cells")["2"]
        assert coarse.shape == (1, 1, 4, 10, 13)
        assert set(np.unique(coarse[:])) <= {0, 1000}
        image.delete_pyramid()
        yaozarrs.validate_zarr_store(str(path))
        image.initialize_pyramid(2)
        yaozarrs.validate_zarr_store(str(path))
        assert image.get_label("cells")["1"].shape == (1, 1, 2, 20, 25)
        assert np.array_equal(image.get_label("plane")["0"][:], cells)


def test_a_damaged_segmentation_stays_as_it_is(tmp_path: Path) -> None:
    from napari_scope import open_ome_zarr

    path = tmp_path / "a.ome.zarr"
    with open_ome_zarr(path, layout="fov", mode="w-", channel_names=["a"]) as image:
        image.create_image("0", np.ones((1, 1, 1, 40, 50), "u2"))
        image.create_label("cells", np.ones((1, 1, 1, 40, 50), "u2"))
    document = path / "labels" / "cells" / "zarr.json"
    document.write_text("{")
    assert build_pyramid(path, levels=2) == ["0", "1"]
    assert document.read_text() == "{"


def test_a_full_disk_is_called_so(tmp_path: Path) -> None:
    from napari_scope.errors import DiskSpaceError
    from napari_scope.formats.ngff.pyramid.arrays import _unwritten

    full = ValueError("RESOURCE_EXHAUSTED: Failed writing: No space left on device")
    assert isinstance(_unwritten(full, tmp_path), DiskSpaceError)
    assert not isinstance(_unwritten(ValueError("x"), tmp_path), DiskSpaceError)
