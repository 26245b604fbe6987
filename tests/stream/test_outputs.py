from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.errors import SettingsError
from napari_scope.stream import (
    COMPRESSIONS,
    FORMATS,
    make_sink,
    next_free_name,
    output_path,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_every_format_says_its_compressions() -> None:
    assert COMPRESSIONS.keys() == FORMATS.keys()


def test_formats_and_their_paths(tmp_path: Path) -> None:
    for name in FORMATS:
        path = output_path(tmp_path, "run", name)
        assert path.parent == tmp_path
        sink = make_sink(path, name)
        assert sink.format == name
        assert sink.path in (path, None)
    with pytest.raises(SettingsError, match="'tiff'"):
        make_sink("a", "tiff")  # type: ignore[arg-type]


def test_names_count_up_past_every_output(tmp_path: Path) -> None:
    both = ["ome-zarr", "ndtiff"]
    assert next_free_name(tmp_path, "exp", both) == "exp_001"
    (tmp_path / "exp_001.ome.zarr").mkdir()
    (tmp_path / "exp_002.ndtiff").mkdir()
    assert next_free_name(tmp_path, "exp", both) == "exp_003"
    assert next_free_name(tmp_path, "exp_001", both) == "exp_003"
    assert next_free_name(tmp_path, "exp", ["ndtiff"]) == "exp_001"
    assert next_free_name(tmp_path, "exp_041", both) == "exp_041"
    assert next_free_name(tmp_path, "", both) == "run_001"
    assert next_free_name(tmp_path, "a_12", both) == "a_12_001"


@given(st.text("ab_0123", max_size=12))
def test_a_name_that_is_free_stays(name: str) -> None:
    found = next_free_name("/nowhere", name, ["ome-zarr"])
    assert next_free_name("/nowhere", found, ["ome-zarr"]) == found
