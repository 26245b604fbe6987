from __future__ import annotations

from typing import Any

import pytest

from napari_scope.cli.choosing import SaveAs, chosen_outputs
from napari_scope.errors import SettingsError

ZARR, NDTIFF, TIFF, BOTH = SaveAs.OME_ZARR, SaveAs.NDTIFF, SaveAs.OME_TIFF, SaveAs.BOTH


@pytest.mark.parametrize(
    ("out", "save_as", "paths"),
    [
        ("a/run", [], ["a/run.ome.zarr"]),
        ("run.zarr", [], ["run.zarr"]),
        ("run.ndtiff", [], ["run.ndtiff"]),
        ("run.OME.TIF", [], ["run.OME.TIF"]),
        ("run.tif", [TIFF, ZARR], ["run.tif", "run.ome.zarr"]),
        ("run", [BOTH, TIFF], ["run.ome.zarr", "run.ndtiff", "run.ome.tiff"]),
        ("run", [TIFF, TIFF], ["run.ome.tiff"]),
        ("run.zarr", [BOTH], ["run.zarr", "run.ndtiff"]),
    ],
)
def test_paths_and_formats(out: str, save_as: list[SaveAs], paths: list[str]) -> None:
    found = chosen_outputs(out, save_as)
    assert [output.path.as_posix() for output in found] == paths
    assert all(output.compression is None for output in found)


def test_a_codec_goes_to_the_format_that_has_it() -> None:
    zarr, ndtiff, tiff = chosen_outputs(
        "run", [BOTH, TIFF], compression=["zlib", "blosc-zstd"]
    )
    assert zarr.compression == "blosc-zstd"
    assert ndtiff.compression is None
    assert tiff.compression == "zlib"


def test_options_of_ome_zarr_go_to_it_alone() -> None:
    zarr, tiff = chosen_outputs("run", [ZARR, TIFF], zarr_version="0.4", chunk_px=256)
    assert (zarr.version, zarr.chunk_px) == ("0.4", 256)
    assert (tiff.version, tiff.chunk_px) == (None, None)
    assert chosen_outputs("run", compression=["none"]) == chosen_outputs("run")


@pytest.mark.parametrize(
    ("out", "save_as", "options", "words"),
    [
        ("run.ndtiff", [ZARR], {}, "means ndtiff, --format says ome-zarr"),
        ("run.tif", [BOTH], {}, "means ome-tiff"),
        ("run/", [], {}, "such as run/run"),
        (".zarr", [], {}, "no name"),
        ("run", [NDTIFF], {"compression": ["zstd"]}, "leave --compression out"),
        ("run", [TIFF], {"compression": ["zstd"]}, "use one of none, lzw, zlib"),
        ("run", [], {"compression": ["gzip"]}, "no compression 'gzip' for ome-zarr"),
        ("run", [], {"compression": ["zstd", "blosc-lz4"]}, "by zstd and by blosc-lz4"),
        ("run", [TIFF], {"zarr_version": "0.4"}, "--zarr-version is for ome-zarr"),
        ("run", [NDTIFF], {"chunk_px": 64}, "--chunk is for ome-zarr"),
        ("run", [], {"zarr_version": "0.1"}, "0.5, 0.4"),
    ],
)
def test_what_makes_no_sense_is_refused(
    out: str, save_as: list[SaveAs], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        chosen_outputs(out, save_as, **options)
    assert words in str(caught.value)
