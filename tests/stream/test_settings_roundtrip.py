"""What settings accept is stored, and reads back equal, whatever it is."""

from __future__ import annotations

import itertools
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_scope.formats import open_dataset
from napari_scope.stream import (
    COMPRESSIONS,
    AcquisitionSettings,
    Dimension,
    Gap,
    Plate,
    Position,
    StoreSpec,
    Stream,
    create_stream,
)

COUNTS = {"t": 3, "p": 2, "c": 2, "z": 3, "angle": 2}

PLACES: dict[str, list[Any]] = {
    "names": ["A", "B"],
    "wells": [
        Position(name="f", plate_row="A", plate_column="1"),
        Position(name="f", plate_row="B", plate_column="2"),
    ],
    "fields": [
        Position(name="f", plate_row="B", plate_column="2"),
        Position(name="g", plate_row="B", plate_column="2", x_coord=3.0, y_coord=4),
    ],
    "tiles": [
        Position(name="f", grid_row=0, grid_column=0),
        Position(name="f", grid_row=0, grid_column=1),
    ],
    "ragged": ["A", Position(name="B", sizes={"z": 1, "c": 1})],
}


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(COUNTS)), unique=True, max_size=4))
    unbounded = bool(names) and names[0] != "p" and draw(st.booleans())
    kind = draw(st.sampled_from(sorted(PLACES)))
    dimensions = []
    for place, name in enumerate(names):
        more: dict[str, Any] = {"count": COUNTS[name]}
        if name == "p":
            more = {"coords": PLACES[kind]} if draw(st.booleans()) else more
        elif place == 0 and unbounded:
            more = {"count": None}
        elif name == "c" and draw(st.booleans()):
            more = {"coords": ["DAPI", "FITC"]}
        if name != "p":
            more["chunk_size"] = draw(st.sampled_from([None, None, 1, 2, 9]))
            more["shard_size_chunks"] = draw(st.sampled_from([None, None, 1, 2, 9]))
        dimensions.append(Dimension(name=name, **more))
    for name, size in (("y", 16), ("x", 24)):
        chunk = draw(st.sampled_from([None, None, 8, 7]))
        scale = draw(st.sampled_from([0.5, 0.5, 0.5, 0.25]))
        dimensions.append(
            Dimension(name=name, count=size, chunk_size=chunk, scale=scale, unit="um")
        )
    chosen = draw(st.sampled_from(["memory", "ndtiff", "ome-zarr", "ome-tiff"]))
    known = [None, "none", *COMPRESSIONS[chosen]]  # type: ignore[index]
    if find_spec("imagecodecs") is None and "lzw" in known:
        known.remove("lzw")  # tifffile cannot read it back
    index = [name for name in names if name != "p"]
    plate = any(d.positions and kind in ("wells", "fields") for d in dimensions)
    plate = plate and draw(st.booleans())
    gaps = []
    # The index of an NDTiff store knows what is there only: its readers leave out a
    # time point, or a position, of which there is nothing.
    if index and not unbounded and chosen != "ndtiff" and draw(st.booleans()):
        gaps.append(Gap(index={draw(st.sampled_from(names)): [1]}, reason="none"))
    return {
        "dimensions": dimensions,
        "dtype": draw(st.sampled_from(["uint8", "uint16", "uint16", "float32"])),
        "format": chosen,
        "compression": draw(st.sampled_from(known)),
        "storage_order": draw(
            st.one_of(
                st.sampled_from(["ome", "ome", "acquisition"]), st.permutations(index)
            )
        ),
        "plate": Plate.from_standard_wells(6) if plate else None,
        "gaps": gaps,
    }


def frame_for(number: int, dtype: str) -> npt.NDArray[Any]:
    frame = (np.arange(16 * 24).reshape(16, 24) * 7 + number * 13) % 120 + 1
    return frame.astype(dtype)


def expected(
    found: AcquisitionSettings, spec: StoreSpec, total: int
) -> list[dict[tuple[int, ...], int]]:
    """Return the number of each frame of each image, by index; gaps take none."""
    counts = {
        d.name: range(10 if d.count is None else d.count) for d in found.dimensions[:-2]
    }
    images: list[dict[tuple[int, ...], int]] = [{} for _ in spec.images]
    number = 0
    for values in itertools.product(*counts.values()):
        place = dict(zip(counts, values, strict=True))
        image = place.get("p", 0)
        gap = any(
            all(place[name] in numbers for name, numbers in gap.index.items())
            for gap in found.gaps
        )
        own = found.positions[image].sizes or {}
        outside = any(
            place[name] >= size for name, size in own.items() if name in place
        )
        if gap or outside or number == total:
            continue
        long = {"time": "t", "channel": "c"}
        index = tuple(place[long.get(name, name)] for name in spec.index_axes)
        images[image][index] = number
        number += 1
    assert number == total
    return images


def stored(found: AcquisitionSettings, stream: Stream) -> list[npt.NDArray[Any]]:
    """Return the images as any reader sees them, axes as in the view."""
    if found.format_name == "memory":
        return [np.asarray(image.levels[0]) for image in stream.view().images]
    if found.format_name == "ome-tiff":
        return [tiff(found, image.name) for image in found.to_spec().images]
    images = open_dataset(found.output_path).images
    result = []
    for image, seen in zip(images, stream.view().images, strict=True):
        names = [axis.name for axis in image.axes]
        pixels = np.asarray(image.levels[0])
        # Readers may leave out axes on which nothing ever moved.
        missing = [a.name for a in seen.axes if a.name not in names]
        pixels = pixels.reshape((1,) * len(missing) + pixels.shape)
        order = [[*missing, *names].index(axis.name) for axis in seen.axes]
        result.append(pixels.transpose(order))
    return result


def tiff(found: AcquisitionSettings, name: str) -> npt.NDArray[Any]:
    """Return the image of a name, from a file or a folder with a file for each."""
    import tifffile

    path = found.output_path
    for file in sorted(path.glob("*.tiff")) if path.is_dir() else [path]:
        with tifffile.TiffFile(file) as tif:
            (series,) = tif.series
            if path.is_dir() and series.name != name:
                continue
            axes = series.get_axes(squeeze=False)
            array = series.asarray(squeeze=False)
            break
    else:
        raise AssertionError(name)
    view = [a.name.upper() for a in found.to_spec().axes(found.to_spec().images[0])]
    array = array.squeeze(tuple(i for i, a in enumerate(axes) if a not in view))
    kept = [a for a in axes if a in view]
    return array.transpose([kept.index(a) for a in view])


# An order of axes that OME-NGFF forbids is stored all the same.
@pytest.mark.filterwarnings("ignore:axes stored in the order")
@hypothesis_settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(fields())
def test_what_is_accepted_reads_back_equal(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "run"
        try:
            found = AcquisitionSettings(root_path=root, **data)
        except ValidationError as error:
            event(f"refused: {data['format']}")
            (only,) = error.errors()
            assert only["type"] in ("value_error", "literal_error"), error
            return
        event(f"stored: {data['format']}")
        spec = found.to_spec()
        total = found.num_frames
        if total is None:
            total = 2 * int(np.prod([d.count or 1 for d in found.dimensions[:-2]]))
        with create_stream(found, levels=1) as stream:
            for number in range(total):
                stream.append(frame_for(number, found.dtype))
        assert stream.stats().saved == total
        images = stored(found, stream)
        for wanted, image in zip(expected(found, spec, total), images, strict=True):
            for index in np.ndindex(image.shape[:-2]):
                number = wanted.get(index, -1)
                pixels = frame_for(number, found.dtype) if number >= 0 else 0
                np.testing.assert_array_equal(image[index], pixels)
