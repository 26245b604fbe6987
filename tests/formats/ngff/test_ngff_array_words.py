from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats.ngff.array_words import Storage, storage_of

if TYPE_CHECKING:
    from pathlib import Path


def document(path: Path, **options: Any) -> dict[str, Any]:
    """Return the document of an array that zarr-python makes."""
    zarr.create_array(str(path), shape=(8, 64, 64), dtype="u2", **options)
    name = "zarr.json" if options.get("zarr_format", 3) == 3 else ".zarray"
    return dict(json.loads((path / name).read_text()))


def test_arrays_of_zarr_python(tmp_path: Path) -> None:
    blosc = zarr.codecs.BloscCodec(cname="lz4", clevel=3, shuffle="bitshuffle")
    found = storage_of(
        document(
            tmp_path / "a", chunks=(1, 32, 32), shards=(4, 64, 64), compressors=blosc
        )
    )
    words = ("blosc (lz4, level 3, bitshuffle)",)
    assert found == Storage((1, 32, 32), (4, 64, 64), words)
    plain = storage_of(document(tmp_path / "b", chunks=(2, 64, 64), compressors=None))
    assert plain == Storage((2, 64, 64))


def test_an_array_of_version_2(tmp_path: Path) -> None:
    from numcodecs import Blosc, Delta

    found = storage_of(
        document(
            tmp_path / "a",
            zarr_format=2,
            chunks=(1, 64, 64),
            filters=[Delta("u2")],
            compressors=Blosc("zstd", 5, Blosc.SHUFFLE),
        )
    )
    words = ("delta", "blosc (zstd, level 5, shuffle)")
    assert found == Storage((1, 64, 64), (), words)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"codecs": "zstd", "chunk_grid": 3},
        {"codecs": [None, 7, {"name": 5}, {"name": "x" * 500}]},
        {"zarr_format": 2, "chunks": [-1, "a"], "compressor": [1], "filters": {}},
        {"chunk_grid": {"configuration": {"chunk_shape": [10**30] * 3}}},
    ],
)
def test_odd_documents(odd: dict[str, Any]) -> None:
    found = storage_of(odd)
    assert found.chunks == () and found.shards == ()
    assert all(len(word) <= 100 for word in found.codecs)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["name", "id", "configuration", "codecs", "chunk_shape"]
                ),
                inner,
                max_size=3,
            )
        ),
    )
)
def test_anything(value: object) -> None:
    for version in (2, 3):
        storage_of(
            {
                "zarr_format": version,
                "codecs": value,
                "chunks": value,
                "chunk_grid": value,
                "filters": value,
                "compressor": value,
            }
        )
