"""The command ``info``: what a data set holds, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from napari_scope.cli.printing import err_console, harmless, of_all, out_console

if TYPE_CHECKING:
    from napari_scope.model import Dataset

__all__ = ["info"]


def info(
    path: Annotated[Path, typer.Argument(help="A data set.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of a table.")
    ] = False,
) -> None:
    """Say what a data set holds."""
    from napari_scope.formats import open_dataset

    dataset = open_dataset(path)
    facts = _facts(dataset)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    title = f"{dataset.format} {dataset.format_version}  {dataset.path}"
    table = Table(title=Text(harmless(title), "table.title"), title_justify="left")
    for column in ("image", "axes", "shape", "type", "levels", "pixel", "channels"):
        table.add_column(column)
    for image in facts["images"]:
        row = (
            image["name"],
            " ".join(image["axes"]),
            " x ".join(map(str, image["shape"])),
            image["dtype"],
            str(image["levels"]),
            image["pixel"] or "",
            ", ".join(image["channels"]),
        )
        # As text: a name in brackets is no style.
        table.add_row(*(Text(harmless(cell)) for cell in row))
    out_console.print(table)
    if facts["journal"]:
        out_console.print(_journal_sentence(facts["journal"]))
    elif facts["frames"] is not None:
        out_console.print(f"{facts['frames']} frames")
    if not facts["finished"] and not facts["journal"]:
        out_console.print("it is being written, or its writer was stopped")
    for problem in dataset.problems:
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
            }
        )
    return {
        "path": dataset.path,
        "format": dataset.format,
        "format_version": dataset.format_version,
        "images": images,
        "frames": dataset.metadata.get("frames"),
        "finished": dataset.finished,
        "journal": _journal(Path(dataset.path)),
        "problems": list(dataset.problems),
    }


def _journal(path: Path) -> dict[str, Any] | None:
    """Return what the journal of a run says, if the store has one."""
    from napari_scope.stream import JOURNAL_NAME, read_journal

    folder = path if path.is_dir() else path.parent
    for place in (folder / JOURNAL_NAME, folder / "acquisition" / JOURNAL_NAME):
        if place.is_file():
            content = read_journal(place)
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
