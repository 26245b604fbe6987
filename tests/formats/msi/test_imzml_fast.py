"""The quick way of reading the XML agrees with the strict one, or leaves it to it."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.msi.imzml_files import One, Wild, over_one_axis, some, term

from napari_scope.errors import FormatError
from napari_scope.formats.msi.imzml import fast
from napari_scope.formats.msi.imzml.document import read_strictly
from napari_scope.formats.msi.imzml.entry import MISSING
from napari_scope.formats.msi.imzml.fast import read_fast

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_scope.formats.msi.imzml.document import Document
    from napari_scope.formats.msi.xml_nodes import Node

SAMPLES = sorted(
    (Path(__file__).parents[4] / "shared" / "data" / "msi" / "imzml").glob("*.imzML")
)


def tree(node: Node) -> tuple[Any, ...]:
    return node.tag, node.attributes, [tree(child) for child in node.children]


def assert_same(one: Document, other: Document) -> None:
    assert one.forms == other.forms
    assert one.form.tolist() == other.form.tolist()
    assert list(one.columns) == list(other.columns)
    for name, values in other.columns.items():
        assert one.columns[name].dtype == values.dtype
        np.testing.assert_array_equal(one.columns[name], values, name)
    assert tree(one.root) == tree(other.root)
    assert one.problems == other.problems


def agree(path: Path) -> str:
    """Compare both ways; returns which of the allowed outcomes it was."""
    found = read_fast(path)
    try:
        strict = read_strictly(path)
    except FormatError:
        assert found is None, "the strict way refuses what the quick one opens"
        return "refused"
    if found is None:
        return "left"
    assert_same(found, strict)
    return "same"


def write(folder: Path, spectra: list[One], **how: Any) -> Path:
    return Wild(spectra, **how).write(folder / "a.imzML")


VARIANTS: dict[str, dict[str, Any]] = {
    "processed": {},
    "zlib": {"packed": True},
    "inline types": {"inline": True},
    "group order": {"groups": ("spectrum", "intensityArray", "mzArray")},
    "no profile or peaks": {"kind": ""},
    "comments before the list": {
        "text": lambda text: text.replace(
            "<run",
            "<!-- <spectrumList> <spectrum></spectrum> --><?a <spectrumList>?><run",
        )
    },
    "no lines": {"text": lambda text: text.replace("\n", "")},
    "windows lines": {"text": lambda text: text.replace("\n", "\r\n")},
    "latin-1": {
        "encoding": "ISO-8859-1",
        "head": '<userParam name="a" value="Gießen"/>',
    },
    "order of attributes": {
        "text": lambda text: re.sub(r'(name="[^"]*") (value="[^"]*")', r"\2 \1", text)
    },
    "no namespace": {
        "text": lambda text: text.replace(' xmlns="http://psi.hupo.org/ms/mzml"', "")
    },
    "an index": {
        "text": lambda text: text.replace(
            "</run>", "</run><indexList>" + '<offset id="a">1</offset>' * 9
        ).replace("</mzML>", "</indexList></mzML>")
    },
}


@pytest.mark.parametrize("how", VARIANTS.values(), ids=list(VARIANTS))
def test_files_of_programs_are_read_quickly(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    assert agree(write(tmp_path, some(40), **how)) == "same"


ODD: dict[str, Callable[[str], str]] = {
    "comments in spectra": lambda text: text.replace("<scan>", "<!-- a --><scan>"),
    "cdata": lambda text: text.replace("<binary/>", "<binary><![CDATA[<]]></binary>"),
    "single quotes": lambda text: text.replace('"', "'"),
    "prefixes": lambda text: re.sub(r"<(/?)(\w)", r"<\1ms:\2", text),
    "instructions": lambda text: text.replace("<scan>", '<?a value="1?><scan>'),
    "numbers as entities": lambda text: text.replace('value="2"', 'value="&#50;"'),
    "numbers with a point": lambda text: text.replace('value="2"', 'value="2.0"'),
    "other letters": lambda text: text.replace("<scan>", '<scan name="ß">'),
    "a declaration": lambda text: text.replace(
        "<mzML", '<!DOCTYPE a [<!ATTLIST scan name CDATA "b">]><mzML'
    ),
    "spectra elsewhere": lambda text: text.replace(
        "</run>", '<spectrum id="x"><scan/></spectrum></run>'
    ),
    "an empty spectrum": lambda text: text.replace(
        "<spectrum ", "<spectrum/><spectrum ", 1
    ),
}


@pytest.mark.parametrize("change", ODD.values(), ids=list(ODD))
def test_odd_files_are_left_to_the_strict_way(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    plain = read_strictly(write(tmp_path, some(12)))
    path = write(tmp_path, some(12), text=change)
    assert agree(path) == "left"
    # Nothing of this changes what the spectra are.
    strict = read_strictly(path)
    placed = strict.columns["x"] != MISSING
    for name, values in plain.columns.items():
        np.testing.assert_array_equal(strict.columns[name][placed], values, name)


def test_utf_16_is_left_to_the_strict_way(tmp_path: Path) -> None:
    path = write(tmp_path, some(5), encoding="UTF-16")
    assert agree(path) == "left"
    assert read_strictly(path).columns["x"].tolist() == [1, 2, 3, 1, 2]


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (b"any thing", "same"),
        (b"a>b", "same"),
        (b"\x01", "refused"),
        (b"\xff", "refused"),
        (b"&", "refused"),
        (b"&nothing;", "refused"),
        (b"<", "refused"),
        (b"\xc3\xa9", "left"),
        (b"&amp;", "left"),
    ],
)
@pytest.mark.parametrize("place", [b'index="3"', b'value="1.25"'])
def test_values_that_mean_nothing_are_looked_at_all_the_same(
    tmp_path: Path, place: bytes, value: bytes, outcome: str
) -> None:
    extra = '<userParam name="a" value="1.25"/><scan>'
    path = write(tmp_path, some(6), text=lambda text: text.replace("<scan>", extra))
    data = path.read_bytes()
    at = data.rindex(place) + place.index(b'"') + 1
    path.write_bytes(data[:at] + value + data[data.index(b'"', at) :])
    assert agree(path) == outcome


def test_several_kinds_of_spectra_keep_their_order(tmp_path: Path) -> None:
    spectra = some(60)
    for number, one in enumerate(spectra):
        if number % 3 == 1:
            one.z = None
        if number % 7 == 2:
            one.total = 0.5 + number
        if number % 10 == 4:
            one.intensity_type = "f8"
    path = write(tmp_path, spectra)
    assert agree(path) == "same"
    found = read_fast(path)
    assert found is not None
    assert len(found.forms) == 2
    assert np.flatnonzero(found.columns["z"] == MISSING).tolist() == list(
        range(1, 60, 3)
    )
    assert np.flatnonzero(found.form).tolist() == list(range(4, 60, 10))
    assert found.columns["total"][9] == 9.5


def test_values_that_are_a_part_of_the_form_are_told_apart(tmp_path: Path) -> None:
    levels = iter("1212113")

    def text(text: str) -> str:
        return re.sub(
            "<scan>",
            lambda _: "<scan>" + term("MS:1000511", "ms level", next(levels)),
            text,
        )

    path = write(tmp_path, some(7), text=text)
    assert agree(path) == "same"
    found = read_fast(path)
    assert found is not None
    assert [found.forms[k].level for k in found.form] == list("1212113")


def test_more_kinds_than_are_worth_it(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        some(30),
        text=lambda text: re.sub(
            r"<scan>", lambda match: f'<scan name="{match.start()}">', text
        ),
    )
    assert agree(path) == "left"


def test_a_file_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, over_one_axis(50), continuous=True)
    whole = read_strictly(path)
    for piece in (97, 1000, 3001, len(path.read_bytes())):
        monkeypatch.setattr(fast, "_PIECE", piece)
        found = read_fast(path)
        assert found is not None
        assert_same(found, whole)


@pytest.mark.parametrize("end", [b"</spectrum>", b"</spectrumList>", b"<run", b"</run"])
def test_a_cut_file_is_left_to_the_strict_way(tmp_path: Path, end: bytes) -> None:
    path = write(tmp_path, some(6))
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(end)])
    assert agree(path) in ("left", "refused")


def test_there_is_no_file(tmp_path: Path) -> None:
    assert read_fast(tmp_path / "a.imzML") is None


# Mutated files: whatever the change is, both ways agree.

VALUES = (
    b"", b"-5", b"12.0", b"1e3", b"nan", b"x", b" 7 ", b"9" * 20, b"1_0", b"+4",
    b"0x10", b"mzArray", b"MS:1000523", b"IMS:1000050", b"&lt;3", b"&#49;", b"\n3",
    b"\x01", b"\xff", b"\xc3\xa9", b"MS:1000511",
)  # fmt: skip
PIECES = (
    b"<!-- a -->", b"<![CDATA[x]]>", b"<?p q?>", b"<spectrum/>", b"</spectrum>",
    b"<spectrum>", b"&amp;", b"&#10;", b"\xc3\xa9", b"\xe9", b"<", b">", b'"', b"'",
    b"&",
    b'<userParam name="a" value="b"/>', term("MS:1000523", "64-bit float").encode(),
    term("IMS:1000050", "position x", "77").encode(),
)  # fmt: skip
NAMES = (b"value", b"name", b"id", b"accession", b"ref", b"x:value")
TAGS = (b"spectrum", b"cvParam", b"scan", b"x:spectrum", b"spectrumList", b"binary")


def mutated(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    if rng.random() < 0.7:
        at = rng.randrange(max(0, data.find(b"<spectrumList")), len(data))

    def inside(pattern: bytes, group: int, values: tuple[bytes, ...]) -> bytes:
        found = list(re.finditer(pattern, data))
        if not found:
            return data
        match = rng.choice(found)
        return (
            data[: match.start(group)] + rng.choice(values) + data[match.end(group) :]
        )

    kind = rng.randrange(10)
    if kind == 0:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[at + rng.randrange(1, 40) :]
    if kind == 2:
        return data[:at] + rng.choice(PIECES) + data[at:]
    if kind == 3:
        return inside(rb'="([^"]*)"', 1, VALUES)
    if kind == 4:
        return inside(rb" ([a-zA-Z]+)=", 1, NAMES)
    if kind == 5:
        return inside(rb"<(/?)([a-zA-Z]+)", 2, TAGS)
    if kind == 6:
        return inside(rb'=("[^"]*")', 1, (b"'a'", b"'5'", b'"'))
    if kind == 7:
        return data[:at]
    terms = list(re.finditer(rb"<cvParam[^<>]*/>", data))
    lines = data.split(b"\n")
    if kind == 8 or len(terms) < 2:
        one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
        return b"\n".join(lines)
    one, other = sorted(rng.sample(range(len(terms)), 2))
    a, b = terms[one], terms[other]
    middle = data[a.end() : b.start()]
    return data[: a.start()] + b.group() + middle + a.group() + data[b.end() :]


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_agree_on_mutated_files(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    sources = [path.read_bytes() for path in SAMPLES]
    spectra = some(12)
    spectra[5].total = 3.5
    spectra[7].z = None
    for how in ({}, {"inline": True}):
        sources.append(write(tmp_path, spectra, **how).read_bytes())
    path = tmp_path / "b.imzML"
    outcomes = []
    for _ in range(300):
        data = rng.choice(sources)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            data = mutated(rng, data) or b"<"
        path.write_bytes(data)
        outcomes.append(agree(path))
    # Each outcome was met often, or nothing would have been compared.
    assert all(outcomes.count(one) > 20 for one in ("same", "left", "refused"))
