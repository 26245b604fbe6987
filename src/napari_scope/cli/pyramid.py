"""The command ``pyramid``: coarser levels of images, labels, collections, plates."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from napari_scope.cli.ngff import local_folder
from napari_scope.cli.printing import harmless, print_lines
from napari_scope.cli.running import Interrupts, progress_bar
from napari_scope.errors import CancelledError, ScopeError

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["pyramid"]

_POLL_S = 0.1
_INVENTING = ("mean", "median")  # make new labels of old ones


class Method(StrEnum):
    """How a coarse pixel is made of the fine ones that it covers."""

    MEAN = "mean"
    MEDIAN = "median"
    MODE = "mode"
    MIN = "min"
    MAX = "max"
    STRIDE = "stride"
    NEAREST = "nearest"


def pyramid(
    path: Annotated[
        str, typer.Argument(help="An image, a collection, a well or a plate.")
    ],
    levels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of levels, full resolution counted. By default those that "
            "are there are computed anew; an image without any gets so many that "
            "the last has no more than 512 x 512 pixels.",
        ),
    ] = None,
    method: Annotated[
        Method, typer.Option(help="How a pixel is made of finer ones.")
    ] = Method.MEAN,
    dims: Annotated[
        str, typer.Option(help="Axes to reduce: yx or zyx, for example.")
    ] = "yx",
    labels: Annotated[
        bool,
        typer.Option(
            help="Labels, too; by the most frequent label where the method would "
            "invent new ones."
        ),
    ] = True,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Make new levels in the place of those that are there, as the other "
            "options say.",
        ),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a dask cluster that does it, such as tcp://host:8786. "
            "Its workers have to see the same folder."
        ),
    ] = None,
) -> None:
    """Compute the coarser levels of images that are there."""
    from napari_scope.formats.ngff.pyramid.build import build_pyramid
    from napari_scope.formats.ngff.pyramid.image import ImageDocument
    from napari_scope.formats.ngff.pyramid.targets import pyramid_targets
    from napari_scope.stream.conversion.tasks import Cluster, connected

    targets, problems = pyramid_targets(local_folder(path), labels=labels)
    lines: list[str] = []
    count: int | None = None  # levels of the image before
    with (
        connected(scheduler) as runner,
        Interrupts() as interrupts,
        progress_bar() as bar,
    ):
        client = runner.client if isinstance(runner, Cluster) else None
        follower = _Follower(bar, interrupts, len(targets))
        for target in targets:
            chosen = method.value
            if target.is_labels and chosen in _INVENTING:
                chosen = Method.MODE.value
            follower.start(target.name)
            try:
                wanted = levels
                if target.is_labels and len(ImageDocument.read(target.group).paths) < 2:
                    wanted = levels or count  # as many as its image
                made = build_pyramid(
                    target.group,
                    levels=wanted,
                    method=chosen,
                    dims=tuple(dims),
                    replace=overwrite,
                    labels=False,  # they come next, if they are wanted
                    client=client,
                    progress=follower.step,
                    cancelled=follower.cancelled,
                )
            except CancelledError:
                break
            except ScopeError as error:
                count = count if target.is_labels else None
                problems.append(f"{target.name}: {error}")
            else:
                count = count if target.is_labels else len(made)
                lines.append(f"  {target.name}: {len(made)} levels, {chosen}")
        bar.stop()
        state = "cancelled" if interrupts.count else "finished"
        lines.insert(0, f"{state}: {len(lines)} of {len(targets)} images have levels")
        lines += [f"  problem: {problem}" for problem in problems]
        print_lines(map(harmless, lines))
    if interrupts.count:
        raise typer.Exit(interrupts.exit_code)
    if problems:
        raise typer.Exit(1)


class _Follower:
    """Shows how far the pyramids are, and hears of signals."""

    def __init__(self, bar: Progress, interrupts: Interrupts, images: int) -> None:
        self._bar = bar
        self._interrupts = interrupts
        self._images = images
        self._number = 0
        self._next = 0.0
        self._task = bar.add_task("computing", total=None, rate="")
        interrupts.watch(self._last_words)

    def start(self, name: str) -> None:
        """Show which image is next."""
        self._number += 1
        which = f"image {self._number} of {self._images}: {harmless(name)}"
        self._bar.update(self._task, completed=0, total=None, rate=which)

    def step(self, done: int, total: int) -> None:
        """Show the progress of one image, but not more often than can be seen."""
        now = time.monotonic()
        if now >= self._next or done == total:
            self._next = now + _POLL_S
            self._bar.update(self._task, completed=done, total=total)

    def cancelled(self) -> bool:
        """Return whether somebody wants it to end."""
        return bool(self._interrupts.count)

    def _last_words(self) -> list[str]:
        return [
            f"cancelled at image {self._number} of {self._images}, which is as it was",
        ]
