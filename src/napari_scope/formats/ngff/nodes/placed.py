"""Where the pixels of an image are: its transformations, read and changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from napari_scope.formats.ngff.nodes import multiscale
from napari_scope.formats.ngff.nodes.failures import (
    ArgumentError,
    LayoutError,
    MissingNodeError,
)
from napari_scope.formats.ngff.nodes.image_node import ImageNode

if TYPE_CHECKING:
    from napari_scope.formats.ngff.nodes.meta import TransformationMeta
    from napari_scope.formats.ngff.transforms import Placement

__all__ = ["PlacedImage"]


class PlacedImage(ImageNode):
    """An image whose pixels have places."""

    def _check_image(self) -> None:
        if multiscale.find_multiscale(self._ome) is None:
            raise LayoutError(
                "there is no image here yet",
                path=self.folder,
                hint="create_image or create_zeros makes one",
            )

    @property
    def scale(self) -> list[float]:
        """Size of a pixel of full resolution along each axis."""
        return list(self._placement_of_level(self._first_level()).scale)

    def _first_level(self) -> str:
        self._check_image()
        paths = multiscale.level_paths(self._ome)
        if not paths:
            raise LayoutError("the image lists no levels", path=self.folder)
        return paths[0]

    def get_effective_scale(self, image: str | Literal["*"]) -> list[float]:
        """Return the size of a pixel along each axis.

        Parameters
        ----------
        image : str
            Name of an array; "*" for what the image as a whole adds to all of them.
        """
        return list(self._placement(image).scale)

    def get_effective_translation(self, image: str | Literal["*"]) -> list[float]:
        """Return where pixel 0 is along each axis.

        The transformations of the array come first, those of the image are applied to
        what they give: its scale also scales their translation.

        Parameters
        ----------
        image : str
            Name of an array; "*" for what the image as a whole adds to all of them.
        """
        return list(self._placement(image).translation)

    def _placement(self, image: str) -> Placement:
        self._check_image()
        self._check_level(image)
        return self._placement_of_level(image)

    def _placement_of_level(self, image: str) -> Placement:
        count = multiscale.axis_count(self._ome) or len(self.axes)
        return multiscale.placement(self._ome, image, count)

    def _check_level(self, image: str) -> None:
        if image != "*" and image not in multiscale.level_paths(self._ome):
            if image not in self:
                raise ArgumentError(
                    f"there is no array {image!r}",
                    path=self.folder,
                    hint="'*' is the whole FOV",
                )

    def set_transform(
        self, image: str | Literal["*"], transform: list[TransformationMeta]
    ) -> None:
        """Replace the transformations of an array or of the image as a whole.

        Parameters
        ----------
        image : str
            Name of an array; "*" for the image, which applies to all of them.
        transform : list[TransformationMeta]
            Steps, the first one first. They are written as one scale and one
            translation, which is what OME-Zarr allows.

        Raises
        ------
        ArgumentError
            If there is no such array, or the numbers do not fit the axes.
        """
        self._check_image()
        steps = multiscale.canonical(len(self.axes), transform)
        if image == "*" and not transform:
            steps = []
        self._change(lambda block: multiscale.set_transformations(block, image, steps))

    def set_scale(
        self, image: str | Literal["*"], axis_name: str, new_scale: float
    ) -> None:
        """Set the scale of one axis, of an array or of the image as a whole.

        Parameters
        ----------
        image : str
            Name of an array, whose fellow levels keep their scale; "*" for the image,
            which scales all of them alike.
        axis_name : str
            Name of the axis, in any case.
        new_scale : float
            The new scale.

        Raises
        ------
        ArgumentError
            If the scale is not positive or there is no such axis (a ValueError).
        MissingNodeError
            If there is no such array (a KeyError).
        """
        if not (new_scale > 0 and math.isfinite(new_scale)):
            raise ArgumentError(
                f"a scale of {new_scale} along {axis_name} is not positive"
            )
        self._check_image()
        if image != "*" and image not in multiscale.level_paths(self._ome):
            raise MissingNodeError(f"there is no array {image!r}", path=self.folder)
        count, axis = len(self.axes), self.get_axis_index(axis_name)

        def change(block: dict[str, Any]) -> None:
            steps = multiscale.with_scale(block, image, count, axis, float(new_scale))
            multiscale.set_transformations(block, image, steps)

        self._change(change)
