"""What ``info`` prints of mass-spectrometry images: a table and lines, or JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from napari_scope.cli.printing import (
    err_console,
    harmless,
    out_console,
    print_lines,
)

if TYPE_CHECKING:
    from napari_scope.formats.msi import MSIReader
    from napari_scope.formats.msi.spectra import MetadataValue, Spectra

__all__ = ["print_msi"]

_MOST_REGIONS = 20
_MOST_METADATA = 30
_MOST_TEXT = 200


def print_msi(path: str, as_json: bool, show_all: bool, verify: bool = False) -> bool:
    """Print what a file of mass-spectrometry images holds.

    Parameters
    ----------
    path : str
        The file or folder.
    as_json : bool
        Print JSON with everything.
    show_all : bool
        Print all regions and all metadata, uncut.
    verify : bool
        Compare the checksum that the file tells, which reads all of it.

    Returns
    -------
    bool
        False if the checksum is another one.
    """
    from napari_scope.formats.msi import open_msi

    with open_msi(path) as reader:
        facts = _facts(reader)
        # Of the formats only imzML has one; others may come.
        compare = getattr(reader, "verify", lambda: None)
        found: bool | None = compare() if verify else None
    if verify:
        facts["checksum_right"] = found
    if as_json:
        print(json.dumps(facts, indent=2))
        return found is not False
    title = harmless(f"{facts['format']}  {path}")
    table = Table(title=Text(title, "table.title"), title_justify="left")
    for column in (
        "no.", "data set", "pixels", "spectra", "m/z", "values", "type", "pixel"
    ):  # fmt: skip
        # Names of scan types differ in their ends: nothing is cut off.
        table.add_column(column, overflow="fold")
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
    if verify:
        words = {
            True: "checksum: the spectra are those that were written",
            False: "checksum: the spectra are not those that were written; the file "
            "was damaged or belongs to another one: copy both files anew",
            None: "checksum: the file tells none",
        }
        console = err_console if found is False else out_console
        console.print(words[found], markup=False, highlight=False, soft_wrap=True)
    return found is not False


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
    several = len(facts["data_sets"]) > 1
    lines = _experiment_lines(facts.get("experiments", []), several)
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
    for what in ("instrument", "method"):
        of_sets = [one[what] for one in facts["data_sets"]]
        if all(values == of_sets[0] for values in of_sets):
            lines += _metadata_lines(what, of_sets[0], show_all)
            continue
        for number, values in enumerate(of_sets):
            title = f"{what} of data set {number}"
            lines += _metadata_lines(title, values, show_all)
    return [harmless(line) for line in lines]


def _experiment_lines(experiments: list[dict[str, Any]], several: bool) -> list[str]:
    lines = []
    for one in experiments:
        line = f"experiment {one['identifier'] or one['name']}"
        if several:
            sets = ", ".join(map(str, one["data_sets"])) or "none"
            line += f": data set{'' if len(one['data_sets']) == 1 else 's'} {sets}"
        lines.append(line)
        lines += [f"  {analysis}, which is not shown" for analysis in one["analyses"]]
    return lines


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
    from napari_scope.formats.msi.openmsi.content import said_of

    table, size = spectra.pixels, spectra.pixel_size
    instrument, method = said_of(reader, number)
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
        "instrument": _plain(dict(instrument)),
        "method": _plain(dict(method)),
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
