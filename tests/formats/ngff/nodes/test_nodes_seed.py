"""The documented interface, member by member, as the document has it.

The document is text that was taken from a web page: a heading for each class, under it
each member as ``name(signature)`` or as a name with the line ``property`` after it,
followed by a line with a pilcrow.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest
from tests.formats.ngff.nodes.node_stores import filled, names, pixels, plate

from napari_scope.formats.ngff import nodes

SEEDS = Path(__file__).parents[5] / "shared" / "seeds"
CLASSES = (
    "NGFFNode",
    "Position",
    "TiledPosition",
    "Plate",
    "ImageArray",
)
BASES = {
    "Position": "NGFFNode",
    "TiledPosition": "Position",
    "Plate": "NGFFNode",
}


def document() -> list[str]:
    found = sorted(SEEDS.glob("003*"))
    if not found:
        pytest.skip("the document of the node API is not on this machine")
    return found[0].read_text(encoding="utf-8").splitlines()


def documented() -> dict[str, dict[str, str | None]]:
    """Return for each class its members and their signatures (None: a property)."""
    lines = document()
    found: dict[str, dict[str, str | None]] = {"": {}}
    members = found[""]
    for number, line in enumerate(lines):
        if lines[number + 1 : number + 2] == ["¶"]:
            if line in CLASSES:
                members = found[line] = {}
            elif line.endswith(")") and "(" in line:
                members[line.partition("(")[0]] = line
            elif line == "property":
                above = lines[number - 1]
                name = lines[number - 2] if above == "cached" else above
                members[name] = None
            elif line == "classmethod":
                above = lines[number - 1]
                members[above.partition("(")[0]] = above
    return found


def parameters(signature: str) -> list[tuple[str, Any]]:
    """Return names and defaults out of the text of a signature."""
    function = ast.parse(f"def {signature}: ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    arguments = function.args
    assert not arguments.kwonlyargs
    empty = inspect.Parameter.empty
    defaults = [ast.literal_eval(default) for default in arguments.defaults]
    missing = len(arguments.args) - len(defaults)
    named = zip(arguments.args, [empty] * missing + defaults, strict=True)
    return [(argument.arg, default) for argument, default in named]


def test_the_document_is_understood() -> None:
    found = documented()
    assert list(found) == ["", *CLASSES]
    assert list(found[""]) == ["open_ome_zarr"]
    counts = {name: len(members) for name, members in found.items()}
    assert counts["NGFFNode"] == 15
    assert counts["Position"] >= 35
    assert counts["TiledPosition"] == counts["Position"] + 1
    assert counts["Plate"] >= 20
    assert set(found["ImageArray"]) == {"numpy", "dask_array", "tensorstore"}


@pytest.mark.parametrize("name", ["", *CLASSES])
def test_every_documented_member_has_its_documented_signature(name: str) -> None:
    owner = getattr(nodes, name) if name else nodes
    for member, signature in documented()[name].items():
        # From the class itself: a property is not to be computed.
        value = inspect.getattr_static(owner, member) if name else owner.open_ome_zarr
        if signature is None:
            assert isinstance(value, property), f"{name}.{member}"
            continue
        if isinstance(value, classmethod):
            value = getattr(owner, member)
        ours = list(inspect.signature(value).parameters.values())
        if name and ours[0].name == "self":
            ours = ours[1:]
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD,)
        positional = [(p.name, p.default) for p in ours if p.kind in kinds]
        wanted = parameters(signature)
        assert positional[: len(wanted)] == wanted, f"{name}.{member}"
        # What is more than documented may be left out.
        for extra in ours:
            if extra.name not in dict(wanted):
                named = extra.default is not inspect.Parameter.empty
                assert named or extra.kind is inspect.Parameter.VAR_KEYWORD, member
        assert ("**" in signature) <= any(
            p.kind is inspect.Parameter.VAR_KEYWORD for p in ours
        )


def test_every_class_has_its_documented_base() -> None:
    import zarr

    document()
    for name, base in BASES.items():
        assert issubclass(getattr(nodes, name), getattr(nodes, base))
    assert issubclass(nodes.ImageArray, zarr.Array)


def test_the_documented_parameters_make_a_position() -> None:
    wanted = ["group", "parse_meta", "channel_names", "axes", "overwriting_creation"]
    found = list(inspect.signature(nodes.Position).parameters)
    assert found[: len(wanted)] == wanted


def test_the_documented_examples_run(tmp_path: Path) -> None:
    made = plate(tmp_path / "a.zarr", "0.4")
    made.create_positions([("A", "1", "0"), ("A", "1", "1"), ("A", "2", "0")])
    made.create_positions([("B", "3", "0", 1, 2), ("B", "3", "1", 1, 2)])
    made.create_positions([("B", "4", "0", 1, 3, 0), ("B", "4", "1", 1, 3, 1)])
    assert names(made) == [
        *("A/1/0", "A/1/1", "A/2/0"),
        *("B/3/0", "B/3/1", "B/4/0", "B/4/1"),
    ]
    with nodes.open_ome_zarr(filled(tmp_path / "h.zarr", ["A/1/0"]).folder) as old:
        fields = dict(old.positions())
    with nodes.open_ome_zarr(filled(tmp_path / "f.zarr", ["A/1/0"]).folder) as old:
        fields["Z/1/0"] = old["A/1/0"]
    new = nodes.Plate.from_positions(tmp_path / "combined.zarr", fields)
    assert names(new) == ["A/1/0", "Z/1/0"]
    position = new["A/1/0"]
    position.compute_pyramid(levels=4, method="mean")
    position.compute_pyramid(method="median")
    position.delete_pyramid()
    position.compute_pyramid(levels=3, method="mean")
    assert position["2"].shape == (1, 2, 1, 2, 2)
    assert (position["0"][...] == pixels((1, 2, 1, 8, 8))).all()
