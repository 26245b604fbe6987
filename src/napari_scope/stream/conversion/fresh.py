"""A data set of any format as the layout of an OME-Zarr store that is written directly.

One image becomes the root, several become a collection. What is known of single frames
has no place in it: conversions that keep that go frame by frame, see `convert_write`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_scope.formats.ngff.metadata import NGFF_VERSION
from napari_scope.formats.ngff.omexml import PIXEL_TYPES, XmlImage, ome_xml
from napari_scope.stream.conversion.layout import (
    Layout,
    Options,
    channels_first,
    image_group,
    with_steps,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_scope.model import Image

__all__ = ["lay_out"]


def lay_out(images: Sequence[Image], options: Options, notes: list[str]) -> Layout:
    """Return what the target will hold.

    Raises
    ------
    SettingsError
        If OME-Zarr cannot hold the axes of an image.
    """
    layout = Layout()
    for number, image in enumerate(images):
        levels, axes = list(image.levels), [image.axes]
        axes += [
            with_steps(image.axes, levels[0].shape, level.shape) for level in levels[1:]
        ]
        if image.rgb:
            levels, axes = channels_first(levels, axes)
            notes.append(f"{image.name}: the colours become the channels 0, 1, 2")
        channels = () if image.rgb else image.channels
        image_group(
            layout,
            str(number) if len(images) > 1 else "",
            image.name,
            levels,
            axes,
            channels if all(c.name for c in channels) else (),
            options,
            bit_depth=image.bit_depth,
        )
    if any(image.frames is not None for image in images):
        notes.append("what is known of single frames is not kept on this way")
    if len(images) > 1:
        paths = [str(number) for number in range(len(images))]
        layout.groups[""] = {
            "ome": {"version": NGFF_VERSION, "bioformats2raw.layout": 3}
        }
        layout.groups["OME"] = {"ome": {"version": NGFF_VERSION, "series": paths}}
        if all(image.levels[0].dtype.name in PIXEL_TYPES for image in images):
            xml = ome_xml([_xml(image) for image in images])
            layout.files["OME/METADATA.ome.xml"] = xml.encode()
    return layout


def _xml(image: Image) -> XmlImage:
    sizes = dict(zip(image.axis_names, image.levels[0].shape, strict=True))
    if "rgb" in sizes:
        sizes["c"] = sizes.pop("rgb")
    scales = {axis.name: axis.scale for axis in image.axes if axis.unit == "micrometer"}
    return XmlImage(
        name=image.name,
        sizes=sizes,
        dtype=image.levels[0].dtype.name,
        pixel_um=(scales.get("y"), scales.get("x")),
        z_um=scales.get("z"),
        channels=() if image.rgb else tuple(c.name for c in image.channels),
        bit_depth=image.bit_depth,
    )
