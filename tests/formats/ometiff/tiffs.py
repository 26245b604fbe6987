"""What independent readers find in an OME-TIFF: tifffile, ome-types, the schema."""

from __future__ import annotations

import itertools
import logging
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import ome_types
import pytest
import tifffile

from napari_scope.formats.ometiff import OmeImage

Frame = np.ndarray[Any, Any]

SHAPE = (16, 24)


def frame_of(number: int, shape: tuple[int, ...] = SHAPE, dtype: str = "u2") -> Frame:
    """Return a frame that no other number below 90 has, without any zero."""
    pixels = np.arange(np.prod(shape)).reshape(shape) % 31 + 1 + number
    return pixels.astype(dtype)


def image_of(*sizes: int, **more: Any) -> OmeImage:
    """Return an image of so many time points, channels, planes."""
    t, c, z = (*sizes, 1, 1, 1)[:3]
    return OmeImage(
        **{
            "name": "cells",
            "frame_shape": SHAPE,
            "dtype": "uint16",
            "sizes": (t, c, z),
            **more,
        }
    )


def all_places(image: OmeImage) -> list[tuple[int, int, int]]:
    """Return the planes of an image, z fastest."""
    return list(itertools.product(*map(range, image.sizes)))


def series(path: Path, number: int = 0) -> Frame:
    """Return an image as tifffile sees it, with the axes t, c, z, y, x (and s)."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # missing planes
    with tifffile.TiffFile(path) as tif:
        found = tif.series[number]
        assert found.kind == "ome"
        axes = found.get_axes(squeeze=False)
        array = found.asarray().reshape(found.get_shape(squeeze=False))
    wanted = "TCZYXS"
    assert sorted(axes) == sorted(wanted)
    array = array.transpose([axes.index(a) for a in wanted])
    return array if array.shape[-1] == 3 else array[..., 0]


def pages(path: Path) -> list[Frame]:
    """Return all frames of the chain, in order of arrival.

    A last image without facts is none: it stands for a first plane that never came.
    """
    with tifffile.TiffFile(path) as tif:
        images = list(tif.pages)
        facts = images[-1].aspage().tags[65000].value if images else ""
        if not facts:
            assert not images.pop().asarray().any()
        return [image.asarray() for image in images]


def xml_of(path: Path) -> str:
    if path.suffix == ".ome":
        return path.read_text("ascii")
    with tifffile.TiffFile(path) as tif:
        xml = tif.ome_metadata
    assert xml is not None
    return xml


@cache
def _schema() -> Any:
    from lxml import etree

    path = Path(ome_types.__file__).parent / "ome-2016-06.xsd"
    return etree.XMLSchema(etree.parse(str(path)))


def validate(xml: str) -> ome_types.OME:
    """Check a document against the OME schema; return it parsed."""
    etree = pytest.importorskip("lxml.etree", reason="validation needs lxml")
    _schema().assertValid(etree.fromstring(xml.encode()))
    return ome_types.from_xml(xml)
