"""Nodes of OME-Zarr plates: ours, iohub, and the plain reading and writing of JSON."""

from __future__ import annotations

import functools
import json
import logging
import shutil
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.goals import Target
from benchmarks.harness import Benchmark, Case

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.harness import Role

    Found = list[tuple[str, tuple[int, ...], list[float]]]
    Spec = tuple[str, str, str]
    Create = Callable[[Path, list[Spec]], object]

__all__ = ["benchmarks", "creation", "walking"]

_OURS, _PEER, _PLAIN = "napari-scope", "iohub", "json and open()"


def benchmarks() -> list[Benchmark]:
    """Return the benchmarks of this module in full size."""
    return [
        walking("0.4", 96, 4),
        walking("0.5", 96, 4),
        # iohub takes half a minute for 1,000 positions and four times that for 2,000.
        creation(500, over_peer=10),
        creation(10_000),
    ]


def walking(
    version: Literal["0.4", "0.5"], wells: int, fields: int, over_peer: float = 20
) -> Benchmark:
    """Return the benchmark of a walk over a plate.

    Parameters
    ----------
    version : str
        Version of OME-Zarr.
    wells, fields : int
        Wells of the plate, and fields of each.
    over_peer : float
        Target: rate over that of iohub.
    """
    specs = _specs(wells, fields)

    def data(folder: Path) -> None:
        from napari_scope import open_ome_zarr

        plate = open_ome_zarr(
            folder / "plate.zarr",
            "hcs",
            "w-",
            channel_names=["a", "b"],
            version=version,
        )
        first, *others = plate.create_positions(specs)
        first.create_zeros("0", (1, 2, 1, 512, 512), "uint16")
        first.initialize_pyramid(3, dims={"y", "x"})
        for position in others:
            shutil.copytree(first.folder, position.folder, dirs_exist_ok=True)

    def case(name: str, role: Role, walk: Callable[[Path], Found]) -> Case:
        return Case(
            name,
            role,
            "",
            lambda folder: functools.partial(walk, folder / "plate.zarr"),
            verify=lambda found: _check_walk(found, specs),
            needs="iohub" if name == _PEER else None,
        )

    return Benchmark(
        title=f"Walk over {len(specs)} positions of OME-Zarr {version}",
        text=f"A plate of {wells} wells with {fields} fields each: opened, and for "
        "each position its path, the shape of its first array and its scale. The limit "
        "reads the same documents and takes the same from them, unchecked.",
        unit="positions/s",
        amount=len(specs),
        frames=len(specs),
        stored=0,
        cases=[
            case(_OURS, "ours", _walk_ours),
            case(_PEER, "peer", _walk_peer),
            case(_PLAIN, "limit", _walk_plain),
        ],
        targets=[Target(_OURS, _PEER, over_peer)],
        data=data,
    )


def creation(count: int, over_peer: float | None = None) -> Benchmark:
    """Return the benchmark of making positions in a new plate.

    Parameters
    ----------
    count : int
        Number of positions, four in a well.
    over_peer : float, optional
        Target: rate over that of iohub, which does not take part without.
    """
    specs = _specs(count // 4, 4)
    made = _made(specs)

    def case(name: str, role: Role, create: Create) -> Case:
        return Case(
            name,
            role,
            "",
            lambda folder: functools.partial(create, folder, specs),
            None if role == "limit" else made,
            needs="iohub" if name == _PEER else None,
        )

    cases = [
        case(_OURS, "ours", _create_ours),
        case(_PLAIN, "limit", _create_plain),
    ]
    targets = []
    if over_peer is not None:
        cases.insert(1, case(_PEER, "peer", _create_peer))
        targets.append(Target(_OURS, _PEER, over_peer))
    return Benchmark(
        title=f"Make {len(specs):,} positions",
        text="`create_positions` of a new plate of OME-Zarr 0.5, four positions in a "
        "well. The limit makes the same folders and files with contents made before.",
        unit="positions/s",
        amount=len(specs),
        frames=len(specs),
        stored=100 * len(specs),
        cases=cases,
        targets=targets,
    )


def _specs(wells: int, fields: int) -> list[Spec]:
    return [
        (f"R{well // 24}", str(well % 24 + 1), str(field))
        for well in range(wells)
        for field in range(fields)
    ]


def _walk_ours(path: Path) -> Found:
    from napari_scope import open_ome_zarr

    with open_ome_zarr(path) as plate:
        return [(name, p.data.shape, p.scale) for name, p in plate.positions()]


def _walk_peer(path: Path) -> Found:
    from iohub.ngff import open_ome_zarr

    with open_ome_zarr(path) as plate:
        return [(name, p.data.shape, p.scale) for name, p in plate.positions()]


def _walk_plain(path: Path) -> Found:
    v3 = (path / "zarr.json").is_file()

    def attributes(group: str) -> dict[str, Any]:
        with open(f"{group}/{'zarr.json' if v3 else '.zattrs'}", "rb") as file:
            document: dict[str, Any] = json.load(file)
        return document["attributes"]["ome"] if v3 else document

    found = []
    for well in attributes(str(path))["plate"]["wells"]:
        for field in attributes(f"{path}/{well['path']}")["well"]["images"]:
            name = f"{well['path']}/{field['path']}"
            level = attributes(f"{path}/{name}")["multiscales"][0]["datasets"][0]
            array = f"{path}/{name}/{level['path']}/{'zarr.json' if v3 else '.zarray'}"
            with open(array, "rb") as file:
                shape = tuple(json.load(file)["shape"])
            found.append((name, shape, level["coordinateTransformations"][0]["scale"]))
    return found


def _check_walk(found: Any, specs: list[Spec]) -> None:
    # iohub goes through folders in their order.
    wanted = sorted("/".join(spec) for spec in specs)
    if sorted(name for name, _, _ in found) != wanted:
        raise AssertionError(f"{len(found)} positions were found of {len(wanted)}")
    if {(shape, tuple(scale)) for _, shape, scale in found} != {
        ((1, 2, 1, 512, 512), (1.0,) * 5)
    }:
        raise AssertionError("shapes or scales are not those of the plate")


def _create_ours(folder: Path, specs: list[Spec]) -> object:
    from napari_scope import open_ome_zarr

    plate = open_ome_zarr(
        folder / "plate.zarr", "hcs", "w-", channel_names=["a"], version="0.5"
    )
    return plate.create_positions(specs)


def _create_peer(folder: Path, specs: list[Spec]) -> object:
    from iohub.ngff import open_ome_zarr

    # It says once for each new plate that there is no position to look at yet.
    logging.getLogger("iohub").setLevel(logging.ERROR)
    plate = open_ome_zarr(
        folder / "plate.zarr",
        layout="hcs",
        mode="w-",
        channel_names=["a"],
        version="0.5",
    )
    return plate.create_positions(specs)


def _create_plain(folder: Path, specs: list[Spec]) -> None:
    document = json.dumps({"zarr_format": 3, "node_type": "group"}).encode()
    made = set()
    for row, column, field in specs:
        path = folder / "plain.zarr"
        for name in ("", row, column, field):
            path = path / name
            if path not in made:
                made.add(path)
                path.mkdir(exist_ok=True)
                with open(path / "zarr.json", "wb") as file:
                    file.write(document)


def _made(specs: list[Spec]) -> Callable[[Path], None]:
    def check(folder: Path) -> None:
        found = _positions(folder / "plate.zarr")
        if sorted(found) != sorted("/".join(spec) for spec in specs):
            raise AssertionError(f"{len(found)} positions were made of {len(specs)}")

    return check


def _positions(path: Path) -> list[str]:
    plate = json.loads((path / "zarr.json").read_bytes())["attributes"]["ome"]["plate"]
    found = []
    for well in plate["wells"]:
        text = (path / well["path"] / "zarr.json").read_bytes()
        images = json.loads(text)["attributes"]["ome"]["well"]["images"]
        found += [f"{well['path']}/{image['path']}" for image in images]
    return found
