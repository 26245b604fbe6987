from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.formats import detect
from napari_scope.formats.addresses import (
    is_address,
    looks_like_zarr,
    shown,
    split_archive,
    without_document,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("https://example.org/a.zarr", True),
        ("HTTP://example.org/a.zarr", True),
        ("s3://bucket/a.zarr", True),
        ("gs://bucket/a.zarr", False),
        ("http:/example.org/a.zarr", False),
        ("https://", False),
        ("C:/data/a.zarr", False),
        ("a.zarr", False),
        (Path("https://example.org"), False),
    ],
)
def test_addresses(path: str | Path, expected: bool) -> None:
    assert is_address(path) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("https://h/a.zarr", "ome-zarr"),
        ("https://h/a.zarr/", "ome-zarr"),
        ("https://h/a.ome.zarr?token=7", "ome-zarr"),
        ("https://h/plate.zarr/A/1/0", "ome-zarr"),
        ("https://h/a/zarr.json", "ome-zarr"),
        ("https://h/a/.zattrs", "ome-zarr"),
        ("https://h/a.ozx", "ome-zarr"),
        ("https://h/a.zarr.zip", "ome-zarr"),
        ("s3://bucket/a.ZARR", "ome-zarr"),
        ("https://h/a.zip", None),
        ("https://h/a.png", None),
        ("https://h/", None),
        ("https://h.zarr/b.png", None),
        ("gs://bucket/a.zarr", None),
    ],
)
def test_what_an_address_holds_is_told_by_its_text(
    path: str, expected: str | None
) -> None:
    assert detect(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.zarr", "a.zarr"),
        ("a.zarr/zarr.json", "a.zarr"),
        ("a.zarr/.zattrs", "a.zarr"),
        ("zarr.json", "."),
        ("/zarr.json", "/"),
        ("/", "/"),
        ("a.zarr/", "a.zarr/"),
        ("C:/", "C:/"),
        ("https://h/a.zarr/zarr.json", "https://h/a.zarr"),
        ("https://h/a.zarr/.zgroup?t=1", "https://h/a.zarr?t=1"),
        ("https://h/zarr.json", "https://h"),
        ("https://h/", "https://h"),
        ("s3://b/k#1?/zarr.json", "s3://b/k#1?"),
    ],
)
def test_the_group_of_a_document(path: str, expected: str) -> None:
    assert without_document(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.zip", ("a.zip", "")),
        ("x/a.OZX/A/1/", ("x/a.OZX", "A/1")),
        ("s3://b/x/a.ozx/0", ("s3://b/x/a.ozx", "0")),
        ("https://h/a.zip/0?t=1", ("https://h/a.zip?t=1", "0")),
        ("a.zip/b.zip", ("a.zip", "b.zip")),
        ("a.zarr", None),
        ("https://h.zip/a.zarr", None),
    ],
)
def test_zip_files_in_a_path(path: str, expected: tuple[str, str] | None) -> None:
    assert split_archive(path) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://me:secret@h:80/a.zarr?sig=secret#x", "https://h:80/a.zarr"),
        ("s3://b/k?1#2", "s3://b/k?1#2"),
        ("a.zarr", "a.zarr"),
    ],
)
def test_secrets_are_not_shown(address: str, expected: str) -> None:
    assert shown(address) == expected


@given(st.text(alphabet="as3htp:/?#@.zip\\ \0", max_size=30))
def test_no_text_makes_them_raise(text: str) -> None:
    for path in (text, f"https://{text}", f"s3://{text}"):
        is_address(path)
        looks_like_zarr(path)
        without_document(path)
        split_archive(path)
        shown(path)
