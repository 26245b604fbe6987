"""Mass-spectrometry images in other formats than imzML: mzML, Bruker flex spots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.goals import Target, TimeTarget
from benchmarks.harness import Benchmark, Case
from benchmarks.msi_data import MzMLStored, SpotsStored

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.harness import Goal, Work

__all__ = ["mzml_image", "mzml_opened", "spots_image", "spots_total"]

# pyteomics reads no mzML without psims, which it does not bring along.
_OURS, _PEER, _PLAIN = "napari-scope", "pyteomics", "plain reads"
_NAME = "data.mzML"
_MZ, _TOLERANCE = 550.0, 0.25


def mzml_opened(n: int, points: int) -> Benchmark:
    """Return the benchmark of opening mzML, until it is known where spectra lie."""
    stored = MzMLStored("processed", n, points)

    def ours(folder: Path) -> Work:
        def work() -> int:
            from napari_scope.formats.msi import open_msi

            with open_msi(folder / _NAME) as reader:
                return len(reader.data)

        return work

    def peer(folder: Path) -> Work:
        def work() -> int:
            with _pyteomics(folder) as file:
                return sum(_place(one) is not None for one in file)

        return work

    def check(found: object) -> None:
        if found != n:
            raise ValueError(f"{found} spectra are there, {n} were stored")

    return Benchmark(
        f"Opening, {n:,} spectra of mzML",
        f"{stored.text()} From the path to the place of each spectrum, none of which "
        "is unpacked; pyteomics has to go through them for that.",
        "spectra/s", n, 1, 0,
        [
            Case(_OURS, "ours", "", ours, verify=check),
            Case(_PEER, "peer", "", peer, verify=check, needs="psims"),
        ],
        [Target(_OURS, _PEER, 5)],
        data=lambda folder: stored.write(folder / _NAME),
    )  # fmt: skip


def mzml_image(n: int, points: int) -> Benchmark:
    """Return the benchmark of an ion image of mzML."""
    stored = MzMLStored("processed", n, points)

    def ours(folder: Path) -> Work:
        from napari_scope.formats.msi import open_msi

        data = open_msi(folder / _NAME).data
        return lambda: data.ion_image(_MZ, _TOLERANCE)

    def peer(folder: Path) -> Work:
        def work() -> object:
            image = np.zeros(stored.shape)
            with _pyteomics(folder, decode_binary=True) as file:
                for one in file:
                    x, y = _place(one)
                    mz = one["m/z array"]
                    inside = (mz >= _MZ - _TOLERANCE) & (mz <= _MZ + _TOLERANCE)
                    image[y - 1, x - 1] = one["intensity array"][inside].sum()
            return image

        return work

    def verify(found: Any) -> None:
        if not np.allclose(found, stored.image(_MZ, _TOLERANCE), rtol=1e-4):
            raise ValueError("this is not the image that was stored")

    return Benchmark(
        f"Ion image, {n:,} spectra of mzML",
        f"{stored.text()} The first image of m/z {_MZ:g} ± {_TOLERANCE:g}: all of them "
        "are unpacked.",
        "images/s", 1, 1, 0,
        [
            Case(_OURS, "ours", "", ours, verify=verify),
            Case(_PEER, "peer", "", peer, verify=verify, needs="psims"),
        ],
        data=lambda folder: stored.write(folder / _NAME),
    )  # fmt: skip


def _pyteomics(folder: Path, *, decode_binary: bool = False) -> Any:
    from pyteomics.mzml import MzML

    return MzML(str(folder / _NAME), decode_binary=decode_binary, use_index=False)


def _place(spectrum: Any) -> tuple[int, int]:
    x, y = spectrum["spotID"].rsplit(",", 1)[1].split("x")
    return int(x), int(y)


def spots_image(n: int, points: int, *, at_most_ms: float) -> Benchmark:
    """Return the benchmark of an ion image of Bruker flex spots."""
    stored = SpotsStored(n, points)
    first, last = points // 2, points // 2 + 40

    def ours(folder: Path) -> Work:
        data = _spots(folder)
        mz = data.mz
        low, high = sorted((float(mz[first]), float(mz[last])))
        return lambda: data.ion_image((low + high) / 2, (high - low) / 2 * (1 + 1e-9))

    def plain(folder: Path) -> Work:
        def work() -> object:
            sums = []
            for path in stored.fids(folder):
                with path.open("rb", buffering=0) as file:
                    file.seek(4 * first)
                    values = np.frombuffer(file.read(4 * (last + 1 - first)), "<i4")
                sums.append(values.sum())
            return np.reshape(sums, (-1, stored.width))

        return work

    goals: list[Goal] = [TimeTarget(_OURS, at_most_ms)]
    return _of_spots(stored, "Ion image", "41 values of each spot.", ours, plain, goals)


def spots_total(n: int, points: int) -> Benchmark:
    """Return the benchmark of the sums of all values of Bruker flex spots."""
    stored = SpotsStored(n, points)

    def ours(folder: Path) -> Work:
        from napari_scope.formats.msi import MSIData

        # A new one each time: what was summed up once is kept.
        whole = _spots(folder)
        return lambda: MSIData(whole.spectra).tic_image()

    def plain(folder: Path) -> Work:
        def work() -> object:
            sums = [
                np.frombuffer(path.read_bytes(), "<i4").sum()
                for path in stored.fids(folder)
            ]
            return np.reshape(sums, (-1, stored.width))

        return work

    return _of_spots(stored, "Sums", "All values of each spot.", ours, plain, [])


def _of_spots(
    stored: SpotsStored, what: str, text: str, ours: Any, plain: Any, goals: list[Goal]
) -> Benchmark:
    kept: dict[str, Any] = {}

    def same(name: str) -> Any:
        def verify(found: Any) -> None:
            kept[name] = np.asarray(found, np.float32)
            both = list(kept.values())
            if len(both) == 2 and not np.allclose(both[0], both[1], rtol=1e-5):
                raise ValueError("the two images differ")

        return verify

    return Benchmark(
        f"{what}, {stored.n:,} spots of Bruker flex",
        f"{stored.text()} {text} The folders were opened before; *plain reads* is a "
        "loop over the files in Python.",
        "images/s", 1, 1, 0,
        [
            Case(_OURS, "ours", "", ours, verify=same("ours")),
            Case(_PLAIN, "limit", "", plain, verify=same("plain")),
        ],
        goals,
        data=stored.write,
    )  # fmt: skip


def _spots(folder: Path) -> Any:
    from napari_scope.formats.msi import open_msi

    reader = open_msi(folder, format="bruker-flex")
    return reader.data
