from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scope.errors import FormatError
from napari_scope.formats.msi.xml_nodes import Node, NodeParser, XMLCutError
from napari_scope.formats.msi.xml_tree import nodes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.formats.msi.xml_tree import Flat


def parse(
    *pieces: bytes, texts: bool = False, **handed: Callable[[Node], object]
) -> Node:
    parser = NodeParser("a.mzML", handed, texts=texts)
    for piece in pieces:
        parser.feed(piece)
    return parser.close()


def test_a_tree() -> None:
    root = parse(b'<m:a xmlns:m="u" x="1"><b><c i="1"/></b><c i="2"/>text</m:a>')
    assert (root.tag, root.get("x"), root.get("y", "?")) == ("a", "1", "?")
    assert [node.get("i") for node in root.all("c")] == ["1", "2"]
    assert [node.tag for node in root.all("b", "c")] == ["b", "c", "c"]
    first = root.first("c")
    assert first is not None and first.get("i") == "1"
    assert root.first("d") is None
    assert root.text == ""


def test_texts_are_kept_when_asked_for() -> None:
    root = parse(b"<a>x<b>in &amp; ", b"side</b>y</a>", texts=True)
    assert root.text == "xy"
    assert root.children[0].text == "in & side"


def test_places_count_from_the_start_of_the_document() -> None:
    data = b'<?xml version="1.0"?>\n<a>\xc3\xa4<b/><c/></a>'
    root = parse(*(data[k : k + 1] for k in range(len(data))))
    assert [data[node.at : node.at + 2] for node in root.children] == [b"<b", b"<c"]


def test_what_is_handed_over_is_not_kept() -> None:
    found: list[Node] = []
    root = parse(b'<a><b i="1"><c/></b><d/><b i="2"/></a>', b=found.append)
    assert [node.get("i") for node in found] == ["1", "2"]
    assert [node.tag for node in found[0].children] == ["c"]
    assert [node.tag for node in root.children] == ["d"]


def lists(*pieces: bytes, name: str = "b") -> tuple[list[Flat], Node]:
    found: list[Flat] = []
    parser = NodeParser("a.mzML", flat={name: lambda flat: found.append(flat.copy())})
    for piece in pieces:
        parser.feed(piece)
    return found, parser.close()


def test_flat_elements_are_lists() -> None:
    data = b'<a><b i="1" k="2"><x:c xmlns:x="u"/></b><d e="3"><e/></d><b>text</b></a>'
    found, root = lists(data)
    assert found == [
        ["b", 2, "i", "1", "k", "2", "x:c", 1, "xmlns:x", "u", None, None],
        ["b", 0, None],
    ]
    # What is around them is read as ever.
    assert [node.tag for node in root.children] == ["d"]
    assert root.children[0].attributes == {"e": "3"}
    assert [node.tag for node in root.children[0].children] == ["e"]


def test_the_outermost_element_is_not_flat() -> None:
    found, root = lists(b"<b><b/></b>")
    assert (root.tag, found) == ("b", [["b", 0, None]])


def test_elements_in_flat_ones_are_told_apart() -> None:
    data = b'<a><b i="1"><c/><b i="2"><d/></b><e/></b></a>'
    (flat,), _ = lists(data)
    inner, outer = nodes_of(flat, {"b"})
    assert (inner.get("i"), outer.get("i")) == ("2", "1")
    assert [node.tag for node in outer.children] == ["c", "e"]
    assert [node.tag for node in inner.children] == ["d"]
    (whole,) = nodes_of(flat)
    assert [node.tag for node in whole.all("c", "d", "e")] == ["c", "d", "e"]
    assert [flat[node.at] for node in whole.children] == ["c", "b", "e"]


def test_flat_elements_end_somewhere() -> None:
    found, _ = lists(b"<a>" + b"<b>" * 199 + b"</b>" * 199 + b"</a>")
    assert len(found[0]) == 3 * 199
    with pytest.raises(FormatError, match="nested more than 200 deep, at line 2"):
        lists(b"<a>\n" + b"<b>" * 200)
    with pytest.raises(XMLCutError, match="ends within a > b > c > d at line 1"):
        lists(b'<a><b/><b><c x="1"><e/><x:d xmlns:x="u">')


@given(st.lists(st.integers(1, 60), max_size=8))
def test_pieces_of_any_size_are_the_same(cuts: list[int]) -> None:
    data = '<a n="é"><b>1</b><b x="2"/><c><b>3</b></c></a>'.encode()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found: list[str] = []
    parse(
        *(data[a:b] for a, b in pairwise(places)),
        texts=True,
        b=lambda node: found.append(node.text),
    )
    assert found == ["1", "", "3"]


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]>
<a>&y;</a>"""
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
PARAMETER = b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://localhost/x"> %x;]><a/>'


@pytest.mark.parametrize("data", [BOMB, OUTSIDE, PARAMETER])
def test_entities_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"entity|another document") as caught:
        parse(data)
    assert "attack" in str(caught.value.hint)
    assert "a.mzML" in str(caught.value)


def test_an_outer_document_type_is_not_read() -> None:
    assert parse(b'<!DOCTYPE a SYSTEM "http://localhost/a.dtd"><a/>').tag == "a"


def test_nesting_has_an_end() -> None:
    assert parse(b"<a>" * 200 + b"</a>" * 200).tag == "a"
    with pytest.raises(FormatError, match="nested more than 200 deep, at line 1"):
        parse(b"<a>" * 201)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"<a>\n<b></a>", "damaged at line 2, column 6: mismatched tag"),
        (b"<a x='1' x='2'/>", "duplicate attribute"),
        (b"<a/><b/>", "junk after document element"),
        (b"<a>\x01</a>", "line 1, column 4"),
        (b"<a>&nbsp;</a>", "undefined entity"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "klingon"),
        (b'<?xml version="1.0" encoding="Shift_JIS"?><a/>', "encoding"),
        (b"no xml", "line 1, column 1"),
    ],
)
def test_damage_names_the_place(data: bytes, what: str) -> None:
    with pytest.raises(FormatError, match=what) as caught:
        parse(data)
    assert not isinstance(caught.value, XMLCutError)


def test_nothing_is_no_document() -> None:
    with pytest.raises(FormatError, match=r"no element|no XML element"):
        parse(b"")


@pytest.mark.parametrize(
    "end", [b"<a><b>", b"<a><b x='1", b"<a><b><c/>te", b"<a><b></"]
)
def test_a_cut_document_says_within_what(end: bytes) -> None:
    parser = NodeParser("a.mzML")
    parser.feed(end)
    with pytest.raises(XMLCutError, match="ends within a"):
        parser.close()
    root = parser.root
    assert root is not None and root.tag == "a"
