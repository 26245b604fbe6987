"""``OME/METADATA.ome.xml`` of a collection: what each image is, for Bio-Formats users.

Readers of the bioformats2raw layout take the number and the names of the images from
here. The model of ome-types writes it, so that it follows the OME schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PIXEL_TYPES", "XmlImage", "ome_xml"]

PIXEL_TYPES = {
    "uint8": "uint8",
    "uint16": "uint16",
    "uint32": "uint32",
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "float32": "float",
    "float64": "double",
}
"""The pixel types that OME-XML knows, by their numpy names."""


@dataclass(frozen=True, slots=True)
class XmlImage:
    """One image as OME-XML describes it.

    Parameters
    ----------
    name : str
        Name of the image.
    sizes : mapping
        Number of samples on the axes x, y, z, c, t (1 where absent).
    dtype : str
        Name of the pixel type.
    pixel_um : (float or None, float or None)
        Size of a pixel in y and x, in micrometers.
    z_um : float, optional
        Step of the z stack in micrometers.
    channels : sequence of str
        Names of the channels.
    bit_depth : int, optional
        Significant bits.
    """

    name: str
    sizes: Mapping[str, int]
    dtype: str
    pixel_um: tuple[float | None, float | None] = (None, None)
    z_um: float | None = None
    channels: Sequence[str] = ()
    bit_depth: int | None = None


def ome_xml(images: Sequence[XmlImage]) -> str:
    """Return the OME-XML document of a collection, one Image for each series."""
    from ome_types import OME
    from ome_types import model as ome

    document = OME(creator="napari-scope")
    for number, image in enumerate(images):
        sizes = image.sizes
        count = sizes.get("c", 1)
        names: list[str | None] = [*image.channels] or [None] * count
        document.images.append(
            ome.Image(
                id=f"Image:{number}",
                name=image.name,
                pixels=ome.Pixels(
                    id=f"Pixels:{number}",
                    dimension_order=ome.Pixels_DimensionOrder.XYZCT,
                    type=ome.PixelType(PIXEL_TYPES[image.dtype]),
                    size_x=sizes["x"],
                    size_y=sizes["y"],
                    size_z=sizes.get("z", 1),
                    size_c=count,
                    size_t=sizes.get("t", 1),
                    physical_size_y=image.pixel_um[0],
                    physical_size_x=image.pixel_um[1],
                    physical_size_z=image.z_um,
                    significant_bits=image.bit_depth,
                    channels=[
                        ome.Channel(
                            id=f"Channel:{number}:{c}", name=name, samples_per_pixel=1
                        )
                        for c, name in enumerate(names)
                    ],
                    metadata_only=True,
                ),
            )
        )
    return document.to_xml()
