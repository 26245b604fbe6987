"""Pixels are measured by moving a stage over a sample that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_scope.acquire.live_frame import pixel_affine
from napari_scope.acquire.pixel_calibration import (
    PixelCalibration,
    define_pixels,
    image_shift,
    measure_pixels,
)
from napari_scope.errors import CancelledError, HardwareError, SettingsError

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_scope.acquire import CoreOwner

SHAPE = (160, 200)
START = (12.0, -7.0)
TURNED = (0.06, -0.62, 0.63, 0.05)  # a camera turned by 85 degrees, not quite square
MIRRORED = (-0.5, 0.0, 0.0, 0.5)


@pytest.fixture(scope="module")
def sample() -> npt.NDArray[np.float64]:
    noise = np.random.default_rng(4).normal(size=(900, 900))
    return gaussian_filter(noise, 1.5) * 1000 + 5000


class Scene:
    """A stage and a camera over a sample; one micrometer of it is two pixels."""

    def __init__(
        self, sample: npt.NDArray[np.float64], affine: tuple[float, ...]
    ) -> None:
        self.sample = sample
        self.affine = np.reshape(affine, (2, 2))
        self.place = START
        self.stuck = False
        self.stopped_at = 0
        self.been: list[tuple[float, float]] = []

    def getXYStageDevice(self) -> str:
        return "XY"

    def getXYPosition(self) -> tuple[float, float]:
        return self.place

    def to(self, *, x_um: float, y_um: float) -> None:
        self.been.append((x_um, y_um))
        if len(self.been) == self.stopped_at:
            x_um += 30
        self.place = x_um, y_um

    def snap(self) -> npt.NDArray[np.uint16]:
        height, width = SHAPE
        down, right = np.mgrid[:height, :width]
        pixels = np.stack([right - (width - 1) / 2, down - (height - 1) / 2])
        x, y = np.tensordot(self.affine, pixels, 1)
        place = START if self.stuck else self.place
        where = np.stack([y + place[1], x + place[0]]) * 2 + 450
        return map_coordinates(self.sample, where, order=3).astype("u2")

    def measure(self, step_um: float = 8.0) -> PixelCalibration:
        core: Any = self
        return measure_pixels(core, step_um=step_um, moves=core, snap=self.snap)


@pytest.mark.parametrize("affine", [TURNED, MIRRORED])
def test_size_and_lie_of_the_pixels_are_found(
    sample: npt.NDArray[np.float64], affine: tuple[float, ...]
) -> None:
    scene = Scene(sample, affine)
    found = scene.measure()
    assert found.affine == pytest.approx(affine, abs=0.004)
    size = abs(np.linalg.det(np.reshape(affine, (2, 2)))) ** 0.5
    assert found.pixel_um == pytest.approx(size, rel=0.01)
    assert found.error_px < 1
    assert scene.place == START


def test_a_shift_is_found_with_its_sign(sample: npt.NDArray[np.float64]) -> None:
    first, second = sample[100:260, 100:300], sample[93:253, 111:311]
    right, down, sharpness = image_shift(first, second)
    assert (right, down) == pytest.approx((-11, 7), abs=0.1)
    assert sharpness > 10


def test_a_stage_that_does_not_move_is_said(
    sample: npt.NDArray[np.float64],
) -> None:
    scene = Scene(sample, TURNED)
    scene.stuck = True
    with pytest.raises(HardwareError, match="has not moved"):
        scene.measure()


def test_the_stage_does_not_go_far_when_images_make_no_sense(
    sample: npt.NDArray[np.float64],
) -> None:
    scene: Any = Scene(sample, TURNED)
    looks = iter(range(100))

    def snap() -> npt.NDArray[np.float64]:
        by = (0, 40, 3, 90, 20)[next(looks) % 5]  # moves as it likes
        return sample[by : by + SHAPE[0], by : by + SHAPE[1]]

    with pytest.raises(HardwareError, match="differ by up to"):
        measure_pixels(scene, step_um=8, moves=scene, snap=snap)
    far = max(abs(x - START[0]) + abs(y - START[1]) for x, y in scene.been)
    assert far == 8


def test_images_without_anything_in_common_are_said_and_the_stage_comes_back(
    sample: npt.NDArray[np.float64],
) -> None:
    scene = Scene(sample, TURNED)
    with pytest.raises(HardwareError, match="nothing in common"):
        scene.measure(step_um=300)
    assert scene.been[-1] == scene.place == START


def test_a_stage_that_was_stopped_stays(sample: npt.NDArray[np.float64]) -> None:
    scene = Scene(sample, TURNED)
    scene.stopped_at = 2
    with pytest.raises(HardwareError, match="was stopped 30 µm before its place"):
        scene.measure()
    assert len(scene.been) == 2


def test_after_a_cancel_the_stage_stays(sample: npt.NDArray[np.float64]) -> None:
    scene: Any = Scene(sample, TURNED)
    with pytest.raises(CancelledError, match="stays here"):
        measure_pixels(
            scene,
            step_um=8,
            moves=scene,
            snap=scene.snap,
            cancelled=lambda: len(scene.been) == 3,
        )
    assert len(scene.been) == 3


def test_an_empty_sample_is_said() -> None:
    with pytest.raises(HardwareError, match="has not moved"):
        Scene(np.full((900, 900), 7.0), TURNED).measure()


def test_a_step_of_nothing_is_refused(sample: npt.NDArray[np.float64]) -> None:
    with pytest.raises(SettingsError, match="longer than 0"):
        Scene(sample, TURNED).measure(step_um=0)


def test_what_was_measured_holds_with_the_binning_of_now(owner: CoreOwner) -> None:
    core = owner.core
    core.setProperty("Camera", "Binning", 2)
    found = PixelCalibration((0.0, -1.3, 1.3, 0.0), 0.1)
    define_pixels(core, found, core.getCurrentPixelSizeConfig())
    assert core.getPixelSizeUm() == pytest.approx(1.3)
    assert pixel_affine(core) == pytest.approx(found.affine)
    core.setProperty("Camera", "Binning", 1)
    assert core.getPixelSizeUm() == pytest.approx(0.65)


def test_a_preset_that_is_not_there_is_said(owner: CoreOwner) -> None:
    with pytest.raises(SettingsError, match="no pixel size preset 'none'"):
        define_pixels(owner.core, PixelCalibration((1, 0, 0, 1), 0), "none")
