"""The core under the names that pycro-manager's scripts use.

Examples
--------
>>> class Mmc:
...     def getExposure(self):
...         return 10.0
>>> core = CoreProxy(Mmc())
>>> core.get_exposure(), core.getExposure()
(10.0, 10.0)
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

__all__ = ["CoreProxy", "StagePosition", "StrVector", "TaggedImage"]


class TaggedImage:
    """An image as Micro-Manager gives it.

    Parameters
    ----------
    pix : numpy.ndarray
        The pixels in one row; ``tags`` have ``Height`` and ``Width``.
    tags : dict
        Facts of the image.
    """

    def __init__(self, pix: npt.NDArray[np.generic], tags: dict[str, Any]) -> None:
        self.pix = pix
        self.tags = tags


class StagePosition(NamedTuple):
    """A place of an XY stage, in micrometers."""

    x: float
    y: float

    def get_x(self) -> float:
        """Return x."""
        return self.x

    def get_y(self) -> float:
        """Return y."""
        return self.y


class StrVector(tuple[str, ...]):
    """Names, with the methods of Java's vectors too."""

    def size(self) -> int:
        """Return how many there are."""
        return len(self)

    def get(self, number: int) -> str:
        """Return one of them."""
        return self[number]


class CoreProxy:
    """A core whose methods have both spellings: ``getExposure``, ``get_exposure``.

    Parameters
    ----------
    core : CMMCorePlus
        The core itself, also as attribute ``mmc``.
    """

    def __init__(self, core: Any) -> None:
        self.mmc = core
        self._names: dict[str, str] | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        core = self.__dict__["mmc"]
        if not hasattr(core, name):
            if self._names is None:
                self._names = {_snake(n): n for n in dir(core) if n[0] != "_"}
            real = self._names.get(name.lower())
            if real is None:
                raise AttributeError(
                    f"the core has no method {name!r}; see the documentation of CMMCore"
                )
            name = real
        found = getattr(core, name)
        return _as_java(found) if callable(found) else found

    def __dir__(self) -> list[str]:
        names = [n for n in dir(self.mmc) if not n.startswith("_")]
        return sorted({*names, *(_snake(n) for n in names), *super().__dir__()})

    # What Java's core gives in another way than the one below pymmcore.

    def get_tagged_image(self, camera: int = 0) -> TaggedImage:
        """Return the image that was snapped last, with its facts."""
        return _tagged(self.mmc.getImage(camera), self.mmc)

    getTaggedImage = get_tagged_image

    def pop_next_tagged_image(self) -> TaggedImage:
        """Return the oldest image of the camera's buffer, with its facts."""
        image, tags = self.mmc.popNextImageAndMD()
        return _tagged(image, self.mmc, dict(tags))

    popNextTaggedImage = pop_next_tagged_image

    def get_last_tagged_image(self) -> TaggedImage:
        """Return the newest image of the camera's buffer, with its facts."""
        image, tags = self.mmc.getLastImageAndMD()
        return _tagged(image, self.mmc, dict(tags))

    getLastTaggedImage = get_last_tagged_image

    def get_xy_stage_position(self, stage: str = "") -> StagePosition:
        """Return where the XY stage is, in micrometers, as ``x`` and ``y``."""
        return StagePosition(*self.mmc.getXYPosition(*([stage] if stage else [])))

    getXYStagePosition = get_xy_stage_position


def _tagged(
    image: npt.NDArray[np.generic], core: Any, tags: dict[str, Any] | None = None
) -> TaggedImage:
    facts: dict[str, Any] = {
        **(tags or {}),
        "Height": image.shape[0],
        "Width": image.shape[1],
        "PixelSizeUm": core.getPixelSizeUm(),
        "Exposure-ms": core.getExposure(),
        "Camera": core.getCameraDevice(),
        "BitDepth": core.getImageBitDepth(),
    }
    return TaggedImage(image.ravel(), facts)


def _as_java(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method whose lists of names have the methods of Java's vectors."""

    @functools.wraps(method)
    def call(*arguments: Any, **options: Any) -> Any:
        result = method(*arguments, **options)
        if isinstance(result, tuple | list) and all(isinstance(r, str) for r in result):
            return StrVector(result)
        return result

    return call


def _snake(name: str) -> str:
    """Return a Java name as pycro-manager spells it.

    >>> _snake("getXYPosition"), _snake("setROI"), _snake("getImageBitDepth")
    ('get_xy_position', 'set_roi', 'get_image_bit_depth')
    """
    parts = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parts).lower()
