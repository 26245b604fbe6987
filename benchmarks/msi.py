"""Mass-spectrometry images: opening, ion images, sums, single spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.goals import Target, TimeTarget, verdict
from benchmarks.harness import Benchmark, Case
from benchmarks.memory import growth
from benchmarks.msi_data import HIGH, LOW, Stored
from benchmarks.msi_readers import (
    NAME,
    data_in,
    imzy_reader,
    open_imzy,
    open_ours,
    open_pyimzml,
    pyimzml_reader,
    same,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.harness import Goal, Result, Role, Work

    Prepare = Callable[[Path], Work]

__all__ = [
    "MemoryLimit",
    "benchmarks",
    "first_image",
    "large_benchmarks",
    "later_image",
    "many_images",
    "opened",
    "pixels",
    "sorting",
    "totals",
]

OURS = "napari-scope"
_PYIMZML, _IMZY = "pyimzML", "imzy"
_MZ, _TOLERANCE = 550.0, 0.25
_TURNS = 100  # spectra of one run


@dataclass(frozen=True)
class MemoryLimit:
    """What is aimed at: a case takes at most so much memory."""

    case: str
    at_most_mb: float

    def cases(self) -> set[str]:
        """Return the names of all cases that have to be measured."""
        return {self.case}

    def reached(self, result: Result) -> tuple[float, float]:
        """Return the megabytes it takes."""
        found = result.memory(self.case)
        if found is None:
            raise ValueError(f"the memory of {self.case} was not measured")
        return found / 1e6, found / 1e6

    def line(self, result: Result) -> str:
        """Return what was reached."""
        found, _ = self.reached(result)
        return (
            f"{self.case}: {found:.0f} MB; target at most {self.at_most_mb:g}: "
            f"{verdict(found <= self.at_most_mb)}"
        )


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    from benchmarks.msi_others import mzml_image, mzml_opened, spots_image, spots_total

    common = Stored("continuous", 20_000, 2_000)
    peaks = Stored("processed", 20_000, 500)
    return [
        opened(common, over_peer=5, most_mb=60),
        opened(peaks, over_peer=5, most_mb=60),
        first_image(common, over_peer=10),
        first_image(peaks, over_peer=2),
        later_image(peaks, at_most_ms=2),
        sorting(peaks),
        many_images(peaks, 10),
        totals(common),
        totals(peaks),
        pixels(common, at_most_ms=5),
        pixels(peaks, at_most_ms=5),
        mzml_opened(3_000, 500),
        mzml_image(3_000, 500),
        spots_image(2_000, 22_431, at_most_ms=300),
        spots_total(2_000, 22_431),
    ]


def large_benchmarks() -> list[Benchmark]:
    """Return those with 100,000 spectra, for which the peers take minutes."""
    common = Stored("continuous", 100_000, 2_000)
    peaks = Stored("processed", 100_000, 200)
    return [
        opened(common, over_peer=5),
        opened(peaks, over_peer=5),
        first_image(common, over_peer=10),
        first_image(peaks, over_peer=2),
        later_image(peaks),
        totals(common),
        totals(peaks),
        pixels(peaks, at_most_ms=5),
    ]


def opened(
    stored: Stored, *, over_peer: float, most_mb: float | None = None
) -> Benchmark:
    """Return the benchmark of opening a file until its shape is known."""

    def case(name: str, role: Role, call: Callable[[Path], int]) -> Case:
        def check(found: object) -> None:
            if found != stored.n:
                raise ValueError(f"{found} spectra are there, {stored.n} were stored")

        measured = _grown if name == OURS and most_mb is not None else None
        return Case(
            name, role, "", lambda folder: lambda: call(folder / NAME),
            verify=check, memory=measured, needs=_NEEDS[name],
        )  # fmt: skip

    targets: list[Goal] = [Target(OURS, _PYIMZML, over_peer)]
    if most_mb is not None:
        targets.append(MemoryLimit(OURS, most_mb))
    return Benchmark(
        f"Opening, {_title(stored)}",
        f"{stored.text()} From the path to the number of spectra and the place of "
        "each. The memory is what a new process that has opened a small file keeps "
        "for this one. The file that imzy writes beside the data when it opens them is "
        "removed before.",
        "spectra/s", stored.n, 1, 0,
        [
            case(OURS, "ours", open_ours),
            case(_PYIMZML, "peer", open_pyimzml),
            case(_IMZY, "peer", open_imzy),
        ],
        targets,
        data=lambda folder: _write(stored, folder, small=True),
    )  # fmt: skip


def first_image(stored: Stored, *, over_peer: float) -> Benchmark:
    """Return the benchmark of an ion image of a file that was just opened."""
    return _images(
        stored,
        f"First ion image, {_title(stored)}",
        f"{stored.text()} The image of m/z {_MZ:g} ± {_TOLERANCE:g}, nothing has been "
        "computed before.",
        _ours_image,
        [Target(OURS, _PYIMZML, over_peer)],
    )


def later_image(stored: Stored, *, at_most_ms: float | None = None) -> Benchmark:
    """Return the benchmark of an ion image once the peaks are sorted by m/z."""

    def prepare(folder: Path) -> Work:
        data = data_in(folder)
        if not data.prepare_index(memory_mb=1024):
            raise RuntimeError("there was no room for the peaks")
        return lambda: data.ion_image(_MZ, _TOLERANCE)

    goal: list[Goal] = []
    if at_most_ms is not None:
        goal = [TimeTarget(OURS, at_most_ms)]
    return _images(
        stored,
        f"Later ion images, {_title(stored)}",
        f"{stored.text()} The same image after the peaks were sorted by m/z in the "
        "background; the others have no such thing.",
        prepare,
        goal,
    )


def _images(
    stored: Stored, title: str, text: str, ours: Prepare, targets: Sequence[Goal]
) -> Benchmark:
    verify = same(lambda: stored.image(_MZ, _TOLERANCE))
    cases = [
        Case(OURS, "ours", "", ours, verify=verify),
        Case(_PYIMZML, "peer", "", _pyimzml_image, verify=verify, needs="pyimzml"),
        Case(_IMZY, "peer", "", _imzy_image, verify=verify, needs="imzy"),
    ]
    return Benchmark(
        title, text, "images/s", 1, 1, 0, cases, targets,
        data=lambda folder: _write(stored, folder),
    )  # fmt: skip


def _ours_image(folder: Path) -> Work:
    data = data_in(folder)
    return lambda: data.ion_image(_MZ, _TOLERANCE)


def _pyimzml_image(folder: Path) -> Work:
    from pyimzml.ImzMLParser import getionimage

    parser = pyimzml_reader(folder / NAME)
    return lambda: getionimage(parser, _MZ, _TOLERANCE)


def _imzy_image(folder: Path) -> Work:
    reader = imzy_reader(folder / NAME)
    return lambda: reader.get_ion_image(_MZ, tol=_TOLERANCE, silent=True)


def sorting(stored: Stored) -> Benchmark:
    """Return the benchmark of sorting all peaks by m/z."""

    def prepare(folder: Path) -> Work:
        from napari_scope.formats.msi import MSIData

        whole = data_in(folder)

        def work() -> bool:
            data = MSIData(whole.spectra)
            ready = data.prepare_index(memory_mb=1024, cache_dir=folder / "none")
            data.close_index()
            return ready

        return work

    return Benchmark(
        f"Sorting the peaks, {_title(stored)}",
        f"{stored.text()} What is done in the background, once, for the later images.",
        "peaks/s", stored.n * stored.points, 1, 0,
        [Case(OURS, "ours", "", prepare, verify=_true)],
        data=lambda folder: _write(stored, folder),
    )  # fmt: skip


def many_images(stored: Stored, n: int) -> Benchmark:
    """Return the benchmark of many ion images of a file that was just opened."""
    masses = np.linspace(LOW + 5, HIGH - 5, n).tolist()

    def ours(folder: Path) -> Work:
        data = data_in(folder)
        return lambda: list(data.ion_images([(mz, _TOLERANCE) for mz in masses]))

    def pyimzml(folder: Path) -> Work:
        from pyimzml.ImzMLParser import getionimage

        parser = pyimzml_reader(folder / NAME)
        return lambda: [getionimage(parser, mz, _TOLERANCE) for mz in masses]

    def verify(found: Any) -> None:
        same(lambda: stored.image(masses[n // 2], _TOLERANCE))(found[n // 2])
        if len(found) != n:
            raise ValueError(f"{len(found)} images instead of {n}")

    return Benchmark(
        f"{n} ion images at once, {_title(stored)}",
        f"{stored.text()} {n} images of a file that was just opened: one pass over it, "
        "without sorted peaks.",
        "images/s", n, n, 0,
        [
            Case(OURS, "ours", "", ours, verify=verify),
            Case(_PYIMZML, "peer", "", pyimzml, verify=verify, needs="pyimzml"),
        ],
        [Target(OURS, _PYIMZML, 5)],
        data=lambda folder: _write(stored, folder),
    )  # fmt: skip


def totals(stored: Stored) -> Benchmark:
    """Return the benchmark of the sums of all intensities."""

    def ours(folder: Path) -> Work:
        from napari_scope.formats.msi import MSIData

        # A new one each time: what was summed up once is kept.
        whole = data_in(folder)
        return lambda: MSIData(whole.spectra).tic_image()

    def pyimzml(folder: Path) -> Work:
        parser = pyimzml_reader(folder / NAME)

        def work() -> object:
            image = np.zeros(stored.shape)
            for k, (x, y, _) in enumerate(parser.coordinates):
                image[y - 1, x - 1] = parser.getspectrum(k)[1].sum()
            return image

        return work

    def imzy(folder: Path) -> Work:
        reader = imzy_reader(folder / NAME)

        def work() -> object:
            reader._tic = None  # what was summed up once is kept
            return reader.reshape(reader.get_tic(silent=True))

        return work

    verify = same(stored.totals)
    return Benchmark(
        f"Sums, {_title(stored)}",
        f"{stored.text()} The image of the sums of all intensities (TIC), which the "
        "file does not tell.",
        "images/s", 1, 1, 0,
        [
            Case(OURS, "ours", "", ours, verify=verify),
            Case(_PYIMZML, "peer", "", pyimzml, verify=verify, needs="pyimzml"),
            Case(_IMZY, "peer", "", imzy, verify=verify, needs="imzy"),
        ],
        [TimeTarget(OURS, 250)],
        data=lambda folder: _write(stored, folder),
    )  # fmt: skip


def pixels(stored: Stored, *, at_most_ms: float) -> Benchmark:
    """Return the benchmark of the spectra of single pixels."""
    chosen = np.random.default_rng(0).integers(0, stored.n, _TURNS).tolist()

    def case(
        name: str, role: Role, get: Callable[[Path], Callable[[int], Any]]
    ) -> Case:
        def prepare(folder: Path) -> Work:
            one = get(folder)
            return lambda: [len(one(k)[0]) for k in chosen]

        def check(found: Any) -> None:
            sizes = [len(mz) for mz, _ in stored.spectra()]
            if found != [sizes[k] for k in chosen]:
                raise ValueError("other spectra were returned")

        return Case(name, role, "", prepare, verify=check, needs=_NEEDS[name])

    def ours(folder: Path) -> Callable[[int], Any]:
        data = data_in(folder)
        return lambda k: data.spectrum_at(*stored.place(k))

    def pyimzml(folder: Path) -> Callable[[int], Any]:
        return pyimzml_reader(folder / NAME).getspectrum  # type: ignore[no-any-return]

    def imzy(folder: Path) -> Callable[[int], Any]:
        return imzy_reader(folder / NAME).get_spectrum  # type: ignore[no-any-return]

    return Benchmark(
        f"Spectrum of a pixel, {_title(stored)}",
        f"{stored.text()} {_TURNS} spectra here and there. The others are told their "
        "numbers, this one the place of the pixel.",
        "spectra/s", _TURNS, _TURNS, 0,
        [case(OURS, "ours", ours), case(_PYIMZML, "peer", pyimzml),
         case(_IMZY, "peer", imzy)],
        [TimeTarget(OURS, at_most_ms)],
        data=lambda folder: _write(stored, folder),
    )  # fmt: skip


_NEEDS = {OURS: None, _PYIMZML: "pyimzml", _IMZY: "imzy"}


def _title(stored: Stored) -> str:
    return f"{stored.n:,} spectra, {stored.kind}"


def _write(stored: Stored, folder: Path, *, small: bool = False) -> None:
    stored.write(folder / NAME)
    if small:
        few = Stored(stored.kind, 10, min(10, stored.points))
        few.write(folder / "small.imzML")


def _grown(folder: Path) -> int:
    return growth(_keep, folder / "small.imzML", folder / NAME)


def _keep(path: Path) -> object:
    from napari_scope.formats.msi import open_msi

    reader = open_msi(path)
    assert len(reader.data.pixels.grid)
    return reader


def _true(found: object) -> None:
    if found is not True:
        raise ValueError(f"{found}")
