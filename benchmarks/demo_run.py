"""A run of the demo microscope, with and without saving."""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import TYPE_CHECKING, Any

from benchmarks.goals import Target
from benchmarks.harness import Benchmark, Case, Role
from benchmarks.writers import KILL, POWER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    from pymmcore_plus import CMMCorePlus
    from useq import MDASequence

    from napari_scope.stream import FormatName

__all__ = ["benchmarks", "demo_run"]

_NONE = "pymmcore-plus, nothing saved"
_RAW = "pymmcore-plus, write() to one file"
_ZARR, _ZARR_SYNCED = "napari-scope, OME-Zarr", "napari-scope, OME-Zarr, synced"
_NDTIFF, _PEER = "napari-scope, NDTiff", "pymmcore-plus with ome-writers (tensorstore)"

_TEXT = (
    "{n} frames of 512 x 512 uint16 pixels, 1 ms exposure, run by the hardware's own "
    "clock, on Micro-Manager's demo microscope, which repeats one image at full pace. "
    "Timed is the whole run, from its start until all files are closed. The camera is "
    "the limit: the question is what saving costs. The first row is the same run "
    "without any output, the last one writes the bare pixels on the thread of the run."
)


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    return [demo_run(500)]


def demo_run(n: int) -> Benchmark:
    """Return the benchmark with ``n`` frames."""
    microscope = _Microscope(n)

    def case(
        name: str, role: Role, survives: str, run: Callable[[Path], object]
    ) -> Case:
        return Case(name, role, survives, lambda folder: functools.partial(run, folder))

    ours = microscope.ours
    return Benchmark(
        title=f"Demo microscope, {n} frames of 512 x 512",
        text=_TEXT.format(n=n),
        unit="frames/s",
        amount=n,
        frames=n,
        stored=n * 512 * 512 * 2,
        cases=[
            case(_NONE, "limit", "-", microscope.without_output),
            case(_ZARR, "ours", KILL, functools.partial(ours, "ome-zarr", None)),
            case(_ZARR_SYNCED, "ours", POWER, functools.partial(ours, "ome-zarr", 1.0)),
            case(_NDTIFF, "ours", KILL, functools.partial(ours, "ndtiff", None)),
            case(_PEER, "peer", POWER, microscope.with_ome_writers),
            case(_RAW, "limit", KILL, microscope.with_plain_writing),
        ],
        targets=[Target(_ZARR, _NONE, 0.95), Target(_NDTIFF, _NONE, 0.95)],
        around=microscope.loaded,
    )


class _Microscope:
    """The demo microscope and the plan, for all cases."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._core: CMMCorePlus | None = None

    @contextlib.contextmanager
    def loaded(self) -> Iterator[None]:
        from pymmcore_plus import CMMCorePlus

        from napari_scope.acquire import CoreOwner

        # Writing a line for each event to a file would be most of what is measured;
        # our own run holds the log at this level, too.
        logger = logging.getLogger("pymmcore-plus")
        level = logger.level
        logger.setLevel(logging.WARNING)
        try:
            with CoreOwner(CMMCorePlus()) as owner:
                owner.load()
                self._core = owner.core
                for name, value in (
                    ("PixelType", "16bit"),
                    ("Binning", "1"),
                    ("FastImage", "1"),
                ):
                    self._core.setProperty("Camera", name, value)
                self._core.setExposure(1)
                yield
        finally:
            self._core = None
            logger.setLevel(level)

    @property
    def core(self) -> CMMCorePlus:
        """The core; only inside `loaded`."""
        if self._core is None:
            raise RuntimeError("the microscope is not loaded")
        return self._core

    def _plan(self) -> MDASequence:
        import useq

        return useq.MDASequence(
            time_plan=useq.TIntervalLoops(interval=0, loops=self._n)
        )

    def _plain_run(self, **arguments: Any) -> None:
        from pymmcore_plus.mda import MDAEngine

        mda = self.core.mda
        mda.set_engine(MDAEngine(self.core, use_hardware_sequencing=True))
        mda.run(self._plan(), **arguments)

    def without_output(self, folder: Path) -> None:
        self._plain_run()

    def with_plain_writing(self, folder: Path) -> None:
        count = 0
        with open(folder / "raw", "wb", buffering=0) as file:

            def write(image: npt.NDArray[np.generic]) -> None:
                nonlocal count
                count += file.write(image.data)

            signal = self.core.mda.events.frameReady
            signal.connect(write)
            try:
                self._plain_run()
            finally:
                signal.disconnect(write)
        if count != self._n * 512 * 512 * 2:
            raise ValueError(f"{count} bytes were written")

    def with_ome_writers(self, folder: Path) -> None:
        self._plain_run(output=folder / "a.ome.zarr")

    def ours(
        self, kind: FormatName, sync_interval_s: float | None, folder: Path
    ) -> None:
        from napari_scope.acquire import Output, Run, output_path

        output = Output(output_path(folder, "a", kind), kind)
        run = Run(
            self.core, self._plan(), [output], sync_interval_s=sync_interval_s
        ).start()
        report = run.wait()
        if report.saved != self._n:
            raise ValueError(f"{report.saved} of {self._n} frames were saved")
