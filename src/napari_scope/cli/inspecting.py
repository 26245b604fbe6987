"""The command ``info``: what a data set holds, as a table and a tree or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from napari_scope.cli.printing import (
    err_console,
    harmless,
    of_all,
    out_console,
    print_lines,
)
from napari_scope.errors import SettingsError

if TYPE_CHECKING:
    from napari_scope.formats.tree_node import Node
    from napari_scope.model import Dataset

__all__ = ["info"]


def info(
    path: Annotated[str, typer.Argument(help="A data set, or its address.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON with everything.")
    ] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="Print all fields of a plate, all images.")
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Compare the checksum of mass-spectrometry images (imzML has one), "
            "which reads all of the file; the exit code is 1 if it differs.",
        ),
    ] = False,
) -> None:
    """Say what a data set holds."""
    from napari_scope.cli.msi import is_msi
    from napari_scope.cli.msi_info import print_msi
    from napari_scope.formats.tree import open_tree

    if is_msi(path) and not _is_mixed(path):
        if not print_msi(path, as_json, show_all, verify):
            raise typer.Exit(1)
        return
    if verify:
        raise SettingsError(
            "--verify is for mass-spectrometry images",
            path=path,
            hint="the command validate checks OME-Zarr",
        )
    root = open_tree(path)
    if root.kind == "folder":
        _print_folder(root, as_json)
    elif as_json:
        print(json.dumps(_all_of(path, root), indent=2))
    elif root.kind == "plate":
        from napari_scope.cli.plate_map import plate_lines

        print_lines([_title(root.facts.version, root.place), *plate_lines(root)])
        if show_all:
            _print_fields(root)
        _print_problems([root.problem] if root.problem else [])
    else:
        _print_dataset(path, root, show_all)


def _is_mixed(path: str) -> bool:
    """Return whether a folder holds other data sets than mass spectra, too."""
    from napari_scope.formats import detect
    from napari_scope.formats.folder_listing import find_data_sets

    if detect(path) == "msi":
        return False
    return any(found.format != "msi" for found in find_data_sets(path, depth=0))


def _all_of(path: str, root: Node) -> dict[str, Any]:
    from napari_scope.cli.tree_lines import nested
    from napari_scope.formats import open_dataset

    return {**_facts(open_dataset(path)), "tree": nested(root)}


def _print_dataset(path: str, root: Node, show_all: bool) -> None:
    from napari_scope.cli.tree_lines import MOST_IMAGES, tree_lines
    from napari_scope.formats import open_dataset

    dataset = open_dataset(path)
    facts = _facts(dataset)
    table = _image_table(_title(f"{dataset.format} {dataset.format_version}", path))
    most = len(facts["images"]) if show_all else MOST_IMAGES
    for image in facts["images"][:most]:
        _add_row(table, image)
    out_console.print(table)
    if len(facts["images"]) > most:
        left = len(facts["images"]) - most
        out_console.print(f"and {left:,} more images; --all prints them")
    plain = not out_console.encoding.lower().startswith("utf")
    print_lines(tree_lines(root, None if show_all else most, plain=plain))
    if facts["journal"]:
        out_console.print(_journal_sentence(facts["journal"]))
    elif facts["frames"] is not None:
        out_console.print(f"{facts['frames']} frames")
    if not facts["finished"] and not facts["journal"]:
        out_console.print("it is being written, or its writer was stopped")
    _print_problems(dataset.problems)


def _print_fields(root: Node) -> None:
    """Print a row for each field of a plate."""
    from napari_scope.formats.tree_node import described

    table = _image_table("")
    problems: list[str] = []
    for row in root.children():
        for well in described(row.children()):
            for field in described(well.children()):
                facts = field.facts
                if field.problem:
                    problems.append(f"{field.path}: {field.problem}")
                _add_row(
                    table,
                    {
                        "name": field.path,
                        "axes": facts.axes,
                        "shape": facts.shape,
                        "dtype": facts.dtype,
                        "levels": facts.levels,
                        "pixel": facts.pixel_words,
                        "channels": facts.channels,
                    },
                )
    out_console.print(table)
    _print_problems(problems)


def _print_folder(root: Node, as_json: bool) -> None:
    """Print the data sets in a plain folder."""
    if as_json:
        found = [child.described().as_json() for child in root.children()]
        print(json.dumps({"path": root.place, "data_sets": found}, indent=2))
        return
    lines = [_title("folder", root.place)]
    for child in root.children():
        child = child.described()
        count = "" if child.facts.count is None else f", {child.facts.count}"
        kind = "mass spectra" if child.msi is not None else child.kind
        lines.append(f"  {child.name}  {kind}{count}  {child.facts.version}")
    print_lines(map(harmless, lines))


def _title(kind: str, place: str) -> str:
    from napari_scope.formats.addresses import shown

    return harmless(f"{kind}  {shown(place)}")


def _image_table(title: str) -> Table:
    table = Table(title=Text(title, "table.title"), title_justify="left")
    for column in ("image", "axes", "shape", "type", "levels", "pixel", "channels"):
        table.add_column(column)
    return table


def _add_row(table: Table, image: dict[str, Any]) -> None:
    row = (
        image["name"],
        " ".join(image["axes"]),
        " x ".join(map(str, image["shape"])),
        image["dtype"],
        str(image["levels"] or ""),
        image["pixel"] or "",
        ", ".join(image["channels"]),
    )
    # As text: a name in brackets is no style.
    table.add_row(*(Text(harmless(cell)) for cell in row))


def _print_problems(problems: list[str] | tuple[str, ...]) -> None:
    for problem in problems:
        line = f"problem: {harmless(problem)}"
        err_console.print(line, markup=False, highlight=False)


def _facts(dataset: Dataset) -> dict[str, Any]:
    images = []
    for image in dataset.images:
        level = image.levels[0]
        x = image.axes[-2 if image.rgb else -1]
        images.append(
            {
                "name": image.name,
                "axes": list(image.axis_names),
                "shape": list(level.shape),
                "dtype": str(level.dtype),
                "levels": len(image.levels),
                "pixel": f"{x.scale:g} {x.unit}" if x.unit else None,
                "scale": [axis.scale for axis in image.axes],
                "translation": [axis.translation for axis in image.axes],
                "units": [axis.unit for axis in image.axes],
                "channels": [channel.name for channel in image.channels],
                "labels": [labels.name for labels in image.labels],
            }
        )
    return {
        "path": dataset.path,
        "format": dataset.format,
        "format_version": dataset.format_version,
        "images": images,
        "frames": dataset.metadata.get("frames"),
        "finished": dataset.finished,
        "journal": _journal(dataset.path),
        "problems": list(dataset.problems),
    }


def _journal(place: str) -> dict[str, Any] | None:
    """Return what the journal of a run says, if the store has one."""
    from napari_scope.formats.addresses import is_address
    from napari_scope.stream import JOURNAL_NAME, read_journal

    if is_address(place):
        return None
    path = Path(place)
    folder = path if path.is_dir() else path.parent
    for file in (folder / JOURNAL_NAME, folder / "acquisition" / JOURNAL_NAME):
        if file.is_file():
            content = read_journal(file)
            status = [frame.get("status") for frame in content.frames]
            return {
                "planned": content.header.get("frames"),
                "saved": status.count("saved"),
                "skipped": status.count("skipped"),
                "dropped": status.count("dropped"),
                "closed": content.closed is not None,
            }
    return None


def _journal_sentence(journal: dict[str, Any]) -> str:
    text = f"{of_all(journal['saved'], journal['planned'])} frames"
    for kind in ("skipped", "dropped"):
        if journal[kind]:
            text += f", {journal[kind]} {kind}"
    if not journal["closed"]:
        text += "; the run goes on, or was interrupted"
    return text
