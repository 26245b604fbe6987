"""Scenes of OME-Zarr 0.6: images in the coordinates that they have in common.

A scene is a group whose transformations lead from the coordinate systems of images
below it to one another, or to systems of the scene. All images that it names are
listed, each with the way to the first system of the scene; where a scene has none, to
that of the first image. Ways may lead over other images, forward and back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TypeAlias

from napari_scope.formats.ngff.coordinates import Onward, end_of

__all__ = ["scene_images"]

_MOST = 1024  # transformations

_Node: TypeAlias = tuple[str, str]  # path of an image, empty for the scene; system


def scene_images(
    scene: Mapping[str, object], problems: list[str]
) -> dict[str, Onward | None]:
    """Return the paths of the images of a scene, in its order, and their ways.

    Parameters
    ----------
    scene : mapping
        The entry ``scene`` as found.
    problems : list of str
        What is odd is added here.

    Returns
    -------
    dict of str to (Onward or None)
        None for an image to which no way leads; it lies where it says itself.
    """
    listed = scene.get("coordinateTransformations")
    entries = listed if isinstance(listed, list) else []
    if len(entries) > _MOST:
        problems.append(f"only the first {_MOST} transformations are used")
    links: dict[_Node, list[tuple[_Node, object, bool]]] = {}
    nodes: list[_Node] = []
    for entry in entries[:_MOST]:
        start, end = (_node(entry, key) for key in ("input", "output"))
        links.setdefault(start, []).append((end, entry, True))
        links.setdefault(end, []).append((start, entry, False))
        nodes += [start, end]
    paths = list(dict.fromkeys(path for path, _ in nodes if path))
    systems = scene.get("coordinateSystems")
    first = systems[0] if isinstance(systems, list) and systems else None
    goal: _Node = next((node for node in nodes if node[0]), ("", ""))
    axes: object = None
    if isinstance(first, Mapping) and isinstance(first.get("name"), str):
        goal, axes = ("", first["name"]), first.get("axes")
    ways = _ways_to(goal, links)
    images: dict[str, Onward | None] = {}
    for path in paths:
        # An image may be named with several of its systems: the first that leads on.
        named = dict.fromkeys(node for node in nodes if node[0] == path)
        begin = next((node for node in named if node in ways), None)
        images[path] = None
        if begin is not None:
            images[path] = Onward(begin[1], ways[begin], goal[1], axes)
        else:
            problems.append(f"nothing leads from {path} to the others of the scene")
    return images


def _node(entry: object, key: str) -> _Node:
    name, path = end_of(entry, key)
    return path.strip("/"), name


def _ways_to(
    goal: _Node, links: Mapping[_Node, list[tuple[_Node, object, bool]]]
) -> dict[_Node, tuple[tuple[object, bool], ...]]:
    """Return the shortest way from each system to one, as steps."""
    ways: dict[_Node, tuple[tuple[object, bool], ...]] = {goal: ()}
    waiting = deque([goal])
    while waiting:
        here = waiting.popleft()
        for there, entry, forward in links.get(here, ()):
            if there not in ways:
                # The link is seen from here; the way is gone from there.
                ways[there] = ((entry, not forward), *ways[here])
                waiting.append(there)
    return ways
