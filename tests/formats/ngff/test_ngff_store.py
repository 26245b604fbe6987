from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.formats.ngff import store as store_module
from napari_scope.formats.ngff.store import Store, read_bounded, safe_path


def make_array(root: Path, **options: Any) -> None:
    zarr.create_array(
        str(root / "0"), **{"shape": (6, 40, 50), "dtype": "uint16", **options}
    )


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_array_says_what_zarr_python_says(tmp_path: Path, zarr_format: int) -> None:
    make_array(tmp_path, chunks=(1, 20, 30), zarr_format=zarr_format)
    info = Store(tmp_path).array("0")
    assert info.shape == (6, 40, 50)
    assert info.dtype == np.uint16
    assert info.chunks == (1, 20, 30)
    assert info.zarr_format == zarr_format
    assert info.document.is_file()


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int64", "uint64", "float16", "float32", "f8"]
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_all_types_that_can_be_shown(
    tmp_path: Path, dtype: str, zarr_format: int
) -> None:
    make_array(tmp_path, dtype=dtype, zarr_format=zarr_format)
    assert Store(tmp_path).array("0").dtype == np.dtype(dtype)


def test_the_type_is_in_the_byte_order_of_this_machine(tmp_path: Path) -> None:
    make_array(tmp_path, dtype=">u2", zarr_format=2)
    assert Store(tmp_path).array("0").dtype.isnative


def test_the_chunks_of_a_sharded_array_are_the_inner_ones(tmp_path: Path) -> None:
    make_array(tmp_path, chunks=(1, 10, 25), shards=(3, 20, 50))
    assert Store(tmp_path).array("0").chunks == (1, 10, 25)


def test_a_transpose_before_the_shard_is_undone(tmp_path: Path) -> None:
    array = tensorstore.open(
        {
            "driver": "zarr3",
            "kvstore": {"driver": "file", "path": str(tmp_path / "0")},
            "metadata": {
                "shape": [6, 40, 50],
                "data_type": "uint8",
                "chunk_grid": {
                    "name": "regular",
                    "configuration": {"chunk_shape": [6, 40, 50]},
                },
                "codecs": [
                    {"name": "transpose", "configuration": {"order": [2, 0, 1]}},
                    {
                        "name": "sharding_indexed",
                        "configuration": {
                            "chunk_shape": [50, 3, 20],
                            "codecs": [{"name": "bytes"}],
                        },
                    },
                ],
            },
        },
        create=True,
    ).result()
    # The inner chunk (50, 3, 20) counts axes in the order 2, 0, 1.
    assert array.chunk_layout.read_chunk.shape == (3, 20, 50)
    assert Store(tmp_path).array("0").chunks == (3, 20, 50)


def test_equal_documents_keep_their_own_folder(tmp_path: Path) -> None:
    for name in "ab":
        make_array(tmp_path / name)
    store = Store(tmp_path)
    assert store.array("a/0").folder == tmp_path / "a" / "0"
    assert store.array("b/0").folder == tmp_path / "b" / "0"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_of_both_versions(tmp_path: Path, zarr_format: int) -> None:
    group = zarr.create_group(str(tmp_path), zarr_format=zarr_format)  # type: ignore[arg-type]
    group.attrs["ome"] = {"a": 1}
    zarr.create_group(str(tmp_path / "bare"), zarr_format=zarr_format)  # type: ignore[arg-type]
    store = Store(tmp_path)
    assert store.attributes()["ome"] == {"a": 1}
    assert store.attributes("bare") == {}
    assert store.exists("bare")
    assert not store.exists("other")


def damaged_array(change: dict[str, Any]) -> bytes:
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [4, 4],
        "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 2]}},
        "codecs": [{"name": "bytes"}],
    }
    return json.dumps(document | change).encode()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"node_type": "group"}, "this is a group"),
        ({"shape": [4, -1]}, "shape [4, -1]"),
        ({"shape": [4, 4.0]}, "shape"),
        ({"shape": [True, 4]}, "shape"),
        ({"shape": [2**63, 4]}, "shape"),
        ({"shape": "44"}, "shape"),
        ({"shape": [1] * 17}, "shape"),
        ({"chunk_grid": []}, "chunk_shape None"),
        ({"chunk_grid": {"configuration": {"chunk_shape": [2]}}}, "chunk_shape [2]"),
        ({"chunk_grid": {"configuration": {"chunk_shape": [0, 2]}}}, "chunk_shape"),
        ({"data_type": "r16"}, "type r16"),
        ({"data_type": "complex64"}, "type complex64"),
        ({"data_type": "string"}, "type string"),
        ({"data_type": "object"}, "type object"),
        ({"data_type": {"name": "numpy.datetime64"}}, "datetime64"),
        (
            {"codecs": [{"name": "transpose", "configuration": {"order": [0, 0]}}]},
            "transpose",
        ),
        (
            {"codecs": [{"name": "transpose", "configuration": {"order": [0, "a"]}}]},
            "transpose",
        ),
        (
            {"codecs": [{"name": "sharding_indexed", "configuration": {}}]},
            "chunk_shape None",
        ),
        ({"shape": [2**40, 2**40]}, "not possible"),
        ({"chunk_grid": {"configuration": {"chunk_shape": [-2, 2]}}}, "chunk_shape"),
        (
            {
                "shape": [2**20, 2**20],
                "chunk_grid": {"configuration": {"chunk_shape": [2**20, 2**20]}},
            },
            "larger than the 8 GiB",
        ),
        (
            {
                "shape": [2**20, 2**20],
                "chunk_grid": {"configuration": {"chunk_shape": [2**20, 2**20]}},
                "codecs": [
                    {
                        "name": "sharding_indexed",
                        "configuration": {"chunk_shape": [1, 1]},
                    }
                ],
            },
            "too many chunks",
        ),
    ],
)
def test_a_damaged_array_is_refused(
    tmp_path: Path, change: dict[str, Any], part: str
) -> None:
    (tmp_path / "zarr.json").write_bytes(damaged_array(change))
    with pytest.raises(FormatError) as caught:
        Store(tmp_path).array("")
    assert part in str(caught.value)
    assert str(tmp_path / "zarr.json") in str(caught.value)


def test_codecs_of_any_kind_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "zarr.json").write_bytes(damaged_array({"codecs": ["bytes", None, 3]}))
    assert Store(tmp_path).array("").chunks == (2, 2)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 200_000, b'{"a": ' * 100_000]
)
@pytest.mark.parametrize("name", ["zarr.json", ".zattrs"])
def test_damaged_json_is_a_format_error(tmp_path: Path, text: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(FormatError, match="JSON"):
        Store(tmp_path).attributes()


def test_a_missing_node_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"zarr\.json, \.zattrs or \.zgroup"):
        Store(tmp_path).attributes("A/1")
    with pytest.raises(FormatError, match="array is missing"):
        Store(tmp_path).array("A/1/0/0")


def test_a_large_document_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "zarr.json"
    path.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(FormatError, match="1 MiB"):
        read_bounded(path, 2**20)
    assert len(read_bounded(path, 2**20 + 1) or b"") == 2**20 + 1
    assert store_module.MAX_DOCUMENT == 64 * 2**20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_place_of_a_document_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "zarr.json")
    with pytest.raises(FormatError, match="not a regular file"):
        Store(tmp_path).attributes()


def test_a_folder_in_place_of_a_document_is_no_document(tmp_path: Path) -> None:
    (tmp_path / "zarr.json").mkdir()
    (tmp_path / ".zattrs").write_text('{"a": 1}')
    assert Store(tmp_path).attributes() == {"a": 1}


@pytest.mark.parametrize(
    "path",
    [
        "..", "../x", "a/../../x", "a/..", "//server/share", "C:/x", "a/C:", "a\\b",
        "..\\x", "a\0b",
    ],
)  # fmt: skip
def test_paths_that_leave_the_store_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(FormatError, match="leaves it"):
        Store(tmp_path).folder(path)


@pytest.mark.parametrize(
    ("path", "parts"),
    [("", ()), ("0", ("0",)), ("/A/1/", ("A", "1")), ("A//1/./0", ("A", "1", "0"))],
)
def test_harmless_paths(path: str, parts: tuple[str, ...]) -> None:
    assert safe_path(path, Path("store")) == parts


def link(path: Path, target: Path | str) -> None:
    try:
        path.symlink_to(target)
    except OSError as error:
        pytest.skip(f"no links can be made here: {error}")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    make_array(tmp_path / "elsewhere")
    zarr.create_group(str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"


def test_a_folder_that_is_a_link_out_of_the_store_is_refused(
    tmp_path: Path, elsewhere: Path
) -> None:
    (tmp_path / "a.zarr" / "A").mkdir(parents=True)
    link(tmp_path / "a.zarr" / "A" / "1", elsewhere)
    store = Store(tmp_path / "a.zarr")
    for read in (store.attributes, store.array, store.exists, store.folder):
        for path in ("A/1", "A/1/0"):
            with pytest.raises(FormatError, match="leads out of the store"):
                read(path)
    assert isinstance(store.many(["A/1"])[0], FormatError)
    assert isinstance(store.arrays(["A/1/0"])[0], FormatError)


@pytest.mark.parametrize("name", ["zarr.json", ".zattrs"])
def test_a_document_that_is_a_link_out_of_the_store_is_refused(
    tmp_path: Path, elsewhere: Path, name: str
) -> None:
    (tmp_path / "a.zarr").mkdir()
    link(tmp_path / "a.zarr" / name, elsewhere / "zarr.json")
    with pytest.raises(FormatError, match="leads out of the store") as caught:
        Store(tmp_path / "a.zarr").attributes()
    assert str(tmp_path / "a.zarr" / name) in str(caught.value)


def test_links_within_a_store_and_to_it_are_followed(
    tmp_path: Path, elsewhere: Path
) -> None:
    link(elsewhere / "1", "0")
    link(elsewhere / "linked.json", "zarr.json")
    (elsewhere / "B").mkdir()
    link(elsewhere / "B" / "zarr.json", "../zarr.json")
    link(tmp_path / "to_it", elsewhere)
    for root in (elsewhere, tmp_path / "to_it"):
        store = Store(root)
        assert store.array("1").shape == (6, 40, 50)
        assert store.attributes("B") == {}


def test_a_link_in_a_circle_is_a_format_error(tmp_path: Path) -> None:
    link(tmp_path / "zarr.json", "zarr.json")
    link(tmp_path / "A", "A")
    with pytest.raises(FormatError):
        Store(tmp_path).attributes()
    with pytest.raises(FormatError):
        Store(tmp_path).attributes("A")


def test_many_answer_in_the_order_of_the_paths(tmp_path: Path) -> None:
    for name in "ab":
        make_array(tmp_path / name)
        zarr.create_group(str(tmp_path / name), attributes={"name": name})
    store = Store(tmp_path)
    first, gone, second = store.many(["b", "gone", "a"])
    assert (first, second) == ({"name": "b"}, {"name": "a"})
    assert isinstance(gone, FormatError)
    out, array = store.arrays(["../x", "a/0"])
    assert isinstance(out, FormatError)
    assert array == store.array("a/0")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_whole_json_of_a_node(tmp_path: Path, zarr_format: int) -> None:
    zarr.create_group(str(tmp_path), zarr_format=zarr_format)  # type: ignore[arg-type]
    make_array(tmp_path, zarr_format=zarr_format)
    store = Store(tmp_path)
    assert store.node()["zarr_format"] == zarr_format
    assert store.node("0")["shape"] == [6, 40, 50]
    with pytest.raises(FormatError, match="no Zarr node"):
        store.node("1")


def test_a_small_file_of_a_group(tmp_path: Path) -> None:
    (tmp_path / "OME").mkdir()
    (tmp_path / "OME" / "METADATA.ome.xml").write_bytes(b"<OME/>")
    store = Store(tmp_path)
    assert store.document("OME", "METADATA.ome.xml") == b"<OME/>"
    assert store.document("OME", "other") is None
    with pytest.raises(FormatError, match="larger than"):
        store.document("OME", "METADATA.ome.xml", 3)


@pytest.mark.parametrize("name", ["zarr.json", ".zattrs", ".zgroup"])
def test_a_store_is_named_by_its_document_too(tmp_path: Path, name: str) -> None:
    zarr.create_group(str(tmp_path / "a.zarr"))
    store = Store(tmp_path / "a.zarr" / name)
    assert store.root == tmp_path / "a.zarr"
    assert store.place("A/1") == str(tmp_path / "a.zarr" / "A" / "1")
    assert (store.title, store.local) == ("a.zarr", True)
    assert store.address == str(tmp_path / "a.zarr")


@given(st.text(alphabet="ab./\\:C\0", max_size=12))
def test_no_path_gets_out(path: str) -> None:
    root = Path("/stores/one")
    try:
        folder = Store(root).folder(path)
    except FormatError:
        return
    assert Path(os.path.normpath(folder)).is_relative_to(root)
