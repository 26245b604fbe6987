"""What ``info`` and ``convert`` do with mass-spectrometry images."""

from __future__ import annotations

import json
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from napari_scope.cli.printing import (
    err_console,
    harmless,
    out_console,
    print_lines,
)
from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress

    from napari_scope.cli.running import Interrupts
    from napari_scope.formats.msi import MSIReader
    from napari_scope.formats.msi.convert import Ion, MSIConversion
    from napari_scope.formats.msi.spectra import MetadataValue, Spectra
    from napari_scope.formats.msi.windows import ToleranceUnit

__all__ = [
    "Normalise", "ToleranceIn", "convert_images", "is_msi", "msi_kind", "msi_lines",
    "print_msi",
    "wanted_ions",
]  # fmt: skip

_MOST_REGIONS = 20
_MOST_METADATA = 30
_MOST_TEXT = 200
_POLL_S = 0.1


class Normalise(StrEnum):
    """What ion images are scaled by."""

    NONE = "none"
    TIC = "tic"
    RMS = "rms"
    MEDIAN = "median"


class ToleranceIn(StrEnum):
    """Unit of a tolerance."""

    DA = "Da"
    PPM = "ppm"


def is_msi(path: str) -> bool:
    """Return whether a path holds mass-spectrometry images."""
    from napari_scope.formats.addresses import is_address
    from napari_scope.formats.detect import detect
    from napari_scope.formats.msi import format_of

    if is_address(path) or "://" in path or not Path(path).exists():
        return False
    return detect(path) is None and format_of(path) is not None


def print_msi(path: str, as_json: bool, show_all: bool) -> None:
    """Print what a file of mass-spectrometry images holds.

    Parameters
    ----------
    path : str
        The file or folder.
    as_json : bool
        Print JSON with everything.
    show_all : bool
        Print all regions and all metadata, uncut.
    """
    from napari_scope.formats.msi import open_msi

    with open_msi(path) as reader:
        facts = _facts(reader)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    title = harmless(f"{facts['format']}  {path}")
    table = Table(title=Text(title, "table.title"), title_justify="left")
    for column in (
        "no.", "data set", "pixels", "spectra", "m/z", "values", "type", "pixel"
    ):  # fmt: skip
        table.add_column(column)
    for number, one in enumerate(facts["data_sets"]):
        low, high = one["mz_range"]
        row = (
            str(number),
            one["name"],
            " x ".join(map(str, one["pixels"])),
            f"{one['spectra']:,}",
            f"{low:.6g} to {high:.6g}",
            _values(one),
            one["dtype"],
            _pixel_words(one["pixel_size_um"]),
        )
        table.add_row(*(Text(harmless(cell)) for cell in row))
    out_console.print(table)
    print_lines(_lines(facts, show_all))
    for problem in facts["problems"]:
        line = f"problem: {harmless(problem)}"
        err_console.print(line, markup=False, highlight=False)


def _values(one: dict[str, Any]) -> str:
    kind = {True: "profiles", False: "peaks", None: "values"}[one["is_profile"]]
    if one["bins"] is None:
        return f"{kind}, m/z of each spectrum"
    return f"{one['bins']:,} {kind} on one axis"


def _pixel_words(size: list[float] | None) -> str:
    if size is None:
        return ""
    x, y = size[:2]
    return f"{x:g} µm" if x == y else f"{x:g} x {y:g} µm"


def _lines(facts: dict[str, Any], show_all: bool) -> list[str]:
    lines = []
    several = len(facts["data_sets"]) > 1
    for number, one in enumerate(facts["data_sets"]):
        named = f" of data set {number}" if several else ""
        if any(one["origin"]):
            place = ", ".join(map(str, one["origin"]))
            lines.append(f"first pixel{named}: {place}")
        regions = one["regions"]
        if len(regions) > 1:
            lines.append(f"{len(regions)} regions{named}")
            most = len(regions) if show_all else _MOST_REGIONS
            for region in regions[:most]:
                size = " x ".join(map(str, region["extend"]))
                lines.append(
                    f"  {region['index']}  {region['name']}  {size} pixels, "
                    f"{region['count']} spectra"
                )
            if len(regions) > most:
                lines.append(f"  and {len(regions) - most} more; --all prints them")
        for link in one["dependencies"]:
            lines.append(
                f"data set {number}: {link['type']} {link['name']} is data set "
                f"{link['dataset']}"
            )
        lines += _metadata_lines(f"metadata{named}", one["metadata"], show_all)
    lines += _metadata_lines("instrument", facts["instrument"], show_all)
    lines += _metadata_lines("method", facts["method"], show_all)
    return [harmless(line) for line in lines]


def _metadata_lines(title: str, values: dict[str, Any], show_all: bool) -> list[str]:
    lines = [f"{title}:"] if values else []
    most = len(values) if show_all else _MOST_METADATA
    for name, value in list(values.items())[:most]:
        content = value["value"]
        text = content if isinstance(content, str) else json.dumps(content)
        text = " ".join(f"{text} {value['unit']}".split())
        if len(text) > _MOST_TEXT and not show_all:
            text = f"{text[:_MOST_TEXT]}..."
        lines.append(f"  {name}: {text}")
    if len(values) > most:
        lines.append(f"  and {len(values) - most} more; --all prints them")
    return lines


def _facts(reader: MSIReader) -> dict[str, Any]:
    """Return all that is told of a file; JSON-able."""
    found: dict[str, Any] = {
        "path": reader.basename,
        "format": reader.format_name(),
        "size": reader.size(reader.basename),
        "data_sets": [
            _of_set(reader, number, spectra)
            for number, spectra in enumerate(reader.data_sets)
        ],
        "instrument": _plain(reader.get_instrument_metadata()),
        "method": _plain(reader.get_method_metadata()),
        "problems": list(reader.problems),
    }
    experiments = getattr(reader, "experiments", None)
    if experiments is not None:
        found["experiments"] = [
            {
                "name": one.name,
                "identifier": one.identifier,
                "data_sets": list(one.data_sets),
                "analyses": list(one.analyses),
            }
            for one in experiments
        ]
    return found


def _of_set(reader: MSIReader, number: int, spectra: Spectra) -> dict[str, Any]:
    table, size = spectra.pixels, spectra.pixel_size
    axes = 3 if table.is_volume else 2
    mz = spectra.common_mz
    return {
        "name": spectra.name,
        "pixels": list(table.shape[:axes]),
        "origin": list(table.origin[:axes]),
        "spectra": len(table),
        "mz_range": list(spectra.mz_range()),
        "bins": None if mz is None else len(mz),
        "is_profile": spectra.is_profile,
        "dtype": str(spectra.intensity_dtype.name),
        "pixel_size_um": (
            None if size is None else [size.x_um, size.y_um, size.z_um][:axes]
        ),
        "regions": reader.regions_of(number),
        "dependencies": _links(reader, number),
        "metadata": _plain(dict(spectra.metadata)),
    }


def _links(reader: MSIReader, number: int) -> list[dict[str, Any]]:
    """Return what a data set depends on, other data sets of the file."""
    if len(reader.data_sets) < 2:
        return []
    found = reader.get_dataset_dependencies()
    entries = found[number] if number < len(found) else []
    if not isinstance(entries, list):
        return []
    return [
        {
            "type": str(one["dependency_type"]),
            "name": one["link_name"],
            "dataset": one["dataset"],
        }
        for one in entries
        if one.get("dataset") is not None and one.get("region") is None
    ]


def _plain(values: dict[str, MetadataValue]) -> dict[str, Any]:
    return {
        name: {
            "value": _jsonable(value.value),
            "unit": value.unit,
            "description": value.description,
            "ontology": value.ontology,
        }
        for name, value in values.items()
    }


def _jsonable(value: Any) -> Any:
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_jsonable(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(one) for key, one in value.items()}
    return value.tolist() if hasattr(value, "tolist") else str(value)


def msi_kind(target: Path, chosen: str | None) -> str:
    """Return what a target is to be.

    Raises
    ------
    SettingsError
        If mass-spectrometry images are not converted to it.
    """
    from napari_scope.formats.msi.convert import kind_of_target

    kind = chosen or kind_of_target(target)
    if kind not in ("imzml", "openmsi", "ome-zarr"):
        what = f"{kind}" if kind else f"what the suffix of {target.name!r} means"
        raise SettingsError(
            f"mass-spectrometry images are not converted to {what}",
            path=target,
            hint="use .imzML, .h5 (OpenMSI) or .ome.zarr (ion images)",
        )
    return kind


def wanted_ions(
    mz: Sequence[float], table: Path | None, tolerance: float, unit: ToleranceIn
) -> list[Ion]:
    """Return the ions that the options ask for: those of the list last."""
    from napari_scope.formats.msi.convert import Ion, read_ions

    plain: ToleranceUnit = "ppm" if unit is ToleranceIn.PPM else "Da"
    ions = [Ion(one, tolerance, plain) for one in mz]
    if table is not None:
        ions += read_ions(table, tolerance=tolerance, unit=plain)
    return ions


def convert_images(
    source: str,
    target: Path,
    kind: str,
    bar: Progress,
    interrupts: Interrupts,
    **settings: Any,
) -> MSIConversion:
    """Convert, show how far it is, and end at the first signal.

    Parameters
    ----------
    source : str
        File or folder.
    target : Path
        What to make.
    kind : str
        See `napari_scope.formats.msi.convert.convert_msi`, as for ``settings``.
    bar : Progress
        Where to show it.
    interrupts : Interrupts
        Signals.
    """
    from napari_scope.formats.msi.convert import convert_msi

    task = bar.add_task("converting", total=1000, rate="")
    shown = [0.0]

    def show(done: float) -> None:
        now = time.monotonic()
        if now >= shown[0]:
            shown[0] = now + _POLL_S
            bar.update(task, completed=int(1000 * done))

    interrupts.watch(lambda: ["cancelled: nothing is complete", f"  {target}"])
    return convert_msi(
        source,
        target,
        kind,  # type: ignore[arg-type]
        progress=show,
        cancelled=lambda: interrupts.count > 0,
        **settings,
    )


def msi_lines(report: MSIConversion) -> list[str]:
    """Return what became of a conversion."""
    lines = [f"finished: {report.spectra:,} spectra converted"]
    lines += [f"  {report.kind}: {target}" for target in report.targets]
    if report.channels:
        lines.append(f"  channels: {', '.join(report.channels)}")
    if report.compared is not None:
        lines.append(f"  {report.compared:,} spectra read back and the same")
    lines += [f"  note: {note}" for note in report.notes]
    return [harmless(line) for line in lines]
