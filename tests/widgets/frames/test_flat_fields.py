from __future__ import annotations

from typing import Any

from napari_scope.widgets.frames.flat_fields import flattened

METADATA: dict[str, object] = {
    "Exposure": 10.5,
    "Camera": {"Gain": 2, "Name": "Zyla é", "ROI": [0, 0, 512, 512]},
    "Comment": "two\nlines",
    "Nothing": None,
    "On": True,
    "Positions": [{"x": 1}, {"x": 2}],
}


def test_nested_values_get_dotted_names() -> None:
    assert flattened(METADATA) == [
        ("Exposure", "10.5"),
        ("Camera.Gain", "2"),
        ("Camera.Name", "Zyla é"),
        ("Camera.ROI", "[0, 0, 512, 512]"),
        ("Comment", "two\nlines"),
        ("Nothing", ""),
        ("On", "true"),
        ("Positions.0.x", "1"),
        ("Positions.1.x", "2"),
    ]
    assert flattened({}) == []
    assert flattened({"a": {}, "b": []}) == [("a", "{}"), ("b", "[]")]


def test_whatever_a_file_holds_is_bounded() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = {"a": deep}
    ((name, value),) = flattened(deep)
    assert value == "1" and len(name) == 2 * 5000 - 1
    lists: Any = []
    for _ in range(100_000):
        lists = [lists]
    assert flattened({"x": lists}) == [("x", "(nested too deeply to be shown)")]
    assert flattened({"x": float("nan"), "y": {1}}) == [("x", "nan"), ("y", '"{1}"')]
    many = flattened({str(i): i for i in range(50)}, most=10)
    assert len(many) == 11 and many[-1] == ("…", "more than 10 values")
