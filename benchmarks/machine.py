"""What a measurement was made on: hardware, system, disk, versions, load."""

from __future__ import annotations

import datetime
import os
import platform
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

__all__ = ["Machine"]

_PACKAGES = (
    "napari-scope",
    "ome-writers",
    "ndstorage",
    "tensorstore",
    "zarr",
    "acquire-zarr",
    "tifffile",
    "numcodecs",
    "dask",
    "napari",
    "pymmcore-plus",
    "pymmcore",
    "mm-test-adapters",
    "pyimzml",
    "imzy",
    "pyteomics",
    "numpy",
)


@dataclass(frozen=True)
class Machine:
    """The machine and its state.

    Parameters
    ----------
    processor, system, python, file_system : str
        What they are.
    cores : int
        Logical processors.
    memory_gb : float
        Memory in 10**9 bytes.
    packages : dict
        Name to version.
    load : tuple of float
        Programs that wanted a processor, averaged over a minute: before the first
        measurement and after the last (where the measurements themselves count).
    date : str
        ISO 8601.
    """

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    file_system: str
    packages: dict[str, str]
    load: tuple[float, ...]
    date: str

    @classmethod
    def look(cls, folder: Path) -> Machine:
        """Return this machine, with the file system that holds a folder."""
        return cls(
            processor=_processor(),
            cores=os.cpu_count() or 1,
            memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            file_system=_file_system(folder),
            packages=_versions(),
            load=_load(),
            date=datetime.date.today().isoformat(),
        )

    def at_the_end(self) -> Machine:
        """Return the same with the load of now added."""
        return replace(self, load=(*self.load, *_load()))

    def sentence(self) -> str:
        """Return all that in two sentences."""
        versions = ", ".join(f"{k} {v}" for k, v in self.packages.items())
        load = " and ".join(f"{x:.1f}" for x in self.load)
        return (
            f"{self.date}: {self.processor}, {self.cores} cores, "
            f"{self.memory_gb:.0f} GB, {self.system}, {self.file_system}, load {load} "
            f"before and after. Python {self.python}, {versions}."
        )

    def facts(self) -> dict[str, Any]:
        """Return all that as JSON-able values."""
        return asdict(self)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """Return the type of the file system with the longest matching mount point."""
    place = folder.resolve()
    parts = psutil.disk_partitions(all=True)
    fitting = [p for p in parts if place.is_relative_to(p.mountpoint)]
    if not fitting:
        return "unknown file system"
    return max(fitting, key=lambda p: len(p.mountpoint)).fstype or "unknown file system"


def _load() -> tuple[float, ...]:
    return (round(psutil.getloadavg()[0], 2),)


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
