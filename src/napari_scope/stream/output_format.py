"""Which format a stream is stored in, from a name, a backend or the suffix of a path.

The names of ome-writers' backends are understood: each stands for the format that it
writes, and a note says that our own writer takes its place.

Examples
--------
>>> chosen_format("run.ome.tiff", "auto").name
'ome-tiff'
>>> chosen_format("run", "acquire-zarr").backend
'acquire-zarr'
>>> chosen_format("run", {"name": "ome-zarr", "suffix": ".zarr"}).path("run").name
'run.zarr'
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from napari_scope.stream.outputs import FORMATS, FormatName
from napari_scope.stream.samples import STRICT

__all__ = ["BACKENDS", "OutputFormat", "chosen_format", "format_of_suffix"]

BACKENDS: dict[str, FormatName] = {
    "tensorstore": "ome-zarr",
    "acquire-zarr": "ome-zarr",
    "zarrs-python": "ome-zarr",
    "zarr-python": "ome-zarr",
    "tifffile": "ome-tiff",
    "scratch": "memory",
}
"""Backends of ome-writers and what they write."""

_SHORT: dict[str, FormatName] = {"zarr": "ome-zarr", "tiff": "ome-tiff"}


class OutputFormat(BaseModel):
    """A format and its options.

    Parameters
    ----------
    name : {"ome-zarr", "ndtiff", "ome-tiff", "memory"}
        The format.
    backend : str
        ``"auto"``, or a backend of ome-writers that writes this format; our own writer
        is used all the same.
    suffix : str, optional
        Suffix that is added to a path without one; the usual one if not given.
    max_memory_bytes : int, optional
        For ``"memory"``: most that the frames may take.
    spill_to_disk : bool
        For ``"memory"``: whether frames beyond that go to a temporary file, beside
        ``root_path`` or in the system's folder for such files; otherwise the run stops.
    prefer_single_file : {"auto", "always"}
        For ``"ome-tiff"``: whether several images go to one file; otherwise they are a
        folder with a file for each.
    """

    model_config = STRICT

    name: FormatName
    backend: str = "auto"
    suffix: str | None = None
    max_memory_bytes: int | None = Field(default=None, ge=1)
    spill_to_disk: bool = True
    prefer_single_file: Literal["auto", "always"] = "auto"

    @property
    def note(self) -> str | None:
        """What should be known of a backend that was asked for."""
        if self.backend in ("auto", "scratch"):
            return None
        return (
            f"the backend {self.backend!r} is not used: {self.name} is written by the "
            "writer of this package"
        )

    def path(self, root: str | Path, images: int = 1) -> Path:
        """Return where so many images are stored: a path with the suffix of the format.

        Several images of OME-TIFF are a folder, which has no suffix.
        """
        root = Path(root)
        suffixes = FORMATS[self.name]
        known = next((s for s in suffixes if root.name.lower().endswith(s)), "")
        folder = self.name == "ome-tiff" and images > 1
        if folder and self.prefer_single_file == "auto":
            return root.with_name(root.name[: -len(known)]) if known else root
        if not suffixes or known:
            return root
        return root.with_name(root.name + (self.suffix or suffixes[0]))


def format_of_suffix(root: str | Path) -> FormatName | None:
    """Return the format that the suffix of a path chooses."""
    name = Path(root).name.lower()
    for known, suffixes in FORMATS.items():
        if name.endswith(suffixes):
            return known
    return None


def chosen_format(root: str | Path, asked: object) -> OutputFormat | None:
    """Return the format that a path and ``format=`` choose, None if neither does.

    Parameters
    ----------
    root : str or Path
        Where to store.
    asked : str, mapping or OutputFormat
        ``"auto"``, a format, a backend, or a mapping of the fields of `OutputFormat`.

    Raises
    ------
    ValueError
        For a format or backend that is not known, and where path and format
        contradict each other.
    """
    by_suffix = format_of_suffix(root)
    if asked is None or asked == "auto":
        if by_suffix is not None:
            return OutputFormat(name=by_suffix)
        return None if str(root) not in ("", ".") else OutputFormat(name="memory")
    if isinstance(asked, str):
        found = _named(asked)
    elif isinstance(asked, Mapping):
        found = _from_mapping(asked)
    elif isinstance(asked, OutputFormat):
        found = asked
    else:
        raise ValueError(f"format={asked!r} is neither a name nor a mapping")
    if by_suffix not in (None, found.name) and found.name != "memory":
        raise ValueError(
            f"the suffix of {Path(root).name!r} means {by_suffix}, but format= says "
            f"{found.name}; change one of them"
        )
    return found


def _named(asked: str) -> OutputFormat:
    name = asked.lower()
    if name in BACKENDS:
        return OutputFormat(name=BACKENDS[name], backend=name)
    name = _SHORT.get(name, name)
    for known in FORMATS:
        if name == known:
            return OutputFormat(name=known)
    raise ValueError(
        f"there is no format or backend {asked!r}; use one of the formats "
        f"{', '.join(FORMATS)} or the backends {', '.join(BACKENDS)}"
    )


def _from_mapping(asked: Mapping[object, object]) -> OutputFormat:
    fields = {str(key): value for key, value in asked.items()}
    backend = str(fields.pop("backend", None) or "auto")
    name = fields.pop("name", None)
    if name is None and backend == "auto":
        raise ValueError(f"format={dict(asked)!r} has no 'name'")
    found = _named(str(name if name is not None else backend))
    if backend != "auto":
        if backend not in BACKENDS or BACKENDS[backend] != found.name:
            known = [b for b, name in BACKENDS.items() if name == found.name]
            raise ValueError(
                f"{found.name} has no backend {backend!r}; use one of "
                f"{', '.join(['auto', *known])}"
            )
        found = found.model_copy(update={"backend": backend})
    suffix = fields.get("suffix")
    if suffix in ("", None):
        fields.pop("suffix", None)
    elif suffix not in FORMATS[found.name]:
        raise ValueError(
            f"{found.name} has no suffix {suffix!r}; use one of "
            f"{', '.join(FORMATS[found.name]) or 'none'}"
        )
    for option, owner in (
        ("max_memory_bytes", "memory"),
        ("spill_to_disk", "memory"),
        ("prefer_single_file", "ome-tiff"),
    ):
        default = OutputFormat.model_fields[option].default
        if fields.get(option, default) != default and found.name != owner:
            raise ValueError(f"{option} is for {owner} only, not for {found.name}")
    return OutputFormat.model_validate({**found.model_dump(), **fields})
