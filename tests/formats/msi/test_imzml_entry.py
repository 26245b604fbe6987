from __future__ import annotations

import numpy as np
import pytest
from tests.formats.msi.imzml_files import term

from napari_scope.formats.msi.imzml.entry import ArrayForm, Entry, read_entry
from napari_scope.formats.msi.xml_nodes import Node, NodeParser
from napari_scope.formats.msi.xml_terms import groups_of


def entry(text: str, groups: str = "") -> Entry:
    found: list[Node] = []
    parser = NodeParser("a.imzML", {"spectrum": found.append})
    parser.feed(f"<a>{groups}<spectrum>{text}</spectrum></a>".encode())
    return read_entry(found[0], groups_of(parser.close()))


def array(*terms: str) -> str:
    return f"<binaryDataArray>{''.join(terms)}</binaryDataArray>"


MZ = term("MS:1000514", "m/z array")
INTENSITY = term("MS:1000515", "intensity array")
F4 = term("MS:1000521", "32-bit float")
F8 = term("MS:1000523", "64-bit float")
OFFSET = "IMS:1000102"


def test_a_spectrum_without_anything() -> None:
    form, numbers = entry("")
    assert numbers == {}
    assert form.mz == form.intensity == ArrayForm(None, "none")
    assert (form.is_profile, form.polarity, form.level) == (None, "", "")


def test_terms_stand_in_the_element_or_in_its_groups() -> None:
    groups = (
        f'<referenceableParamGroup id="a">{MZ}{F8}</referenceableParamGroup>'
        '<referenceableParamGroup id="b">'
        + term("MS:1000130", "positive scan")
        + term("MS:1000511", "ms level", "2")
        + term("IMS:1000052", "position z", " 4 ")
        + "</referenceableParamGroup>"
    )
    form, numbers = entry(
        '<referenceableParamGroupRef ref="b"/>'
        '<referenceableParamGroupRef ref="unknown"/>'
        f"<scanList><scan>{term('IMS:1000050', 'position x', '3')}</scan></scanList>"
        + array('<referenceableParamGroupRef ref="a"/>', term(OFFSET, "o", "16"))
        + array(INTENSITY, F4, term(OFFSET, "o", "32")),
        groups,
    )
    assert {name: number.value for name, number in numbers.items()} == {
        "z": "4", "x": "3", "mz_offset": "16", "intensity_offset": "32",
    }  # fmt: skip
    # What stands in a group is the same for all; the others have places of their own.
    assert numbers["z"].at == -1
    assert 0 < numbers["x"].at < numbers["mz_offset"].at
    assert (form.polarity, form.level) == ("positive", "2")
    assert form.mz == ArrayForm(np.dtype("f8"), "none")
    assert form.intensity == ArrayForm(np.dtype("f4"), "none")
    assert form.oddities == ()


def test_the_order_of_arrays_means_nothing_if_they_are_named() -> None:
    form, numbers = entry(
        array(INTENSITY, F4, term(OFFSET, "o", "1"))
        + array(MZ, F8, term(OFFSET, "o", "2"))
        + array(MZ, F4, term(OFFSET, "o", "3"))
    )
    assert (numbers["intensity_offset"].value, numbers["mz_offset"].value) == ("1", "2")
    assert form.mz.dtype == np.dtype("f8")


def test_the_first_of_two_numbers_counts() -> None:
    _, numbers = entry(term("IMS:1000050", "x", "1") + term("IMS:1000050", "x", "2"))
    assert numbers["x"].value == "1"


def test_a_third_array_without_a_name_is_passed_over() -> None:
    form, numbers = entry(array(MZ, F8) + array(INTENSITY, F4) + array(F4))
    assert form.oddities == ("array 2 is neither called m/z nor intensity array",)
    assert numbers == {}


@pytest.mark.parametrize(
    ("accession", "name", "dtype"),
    [
        ("MS:1000519", "32-bit integer", "<i4"),
        ("MS:1000522", "64-bit integer", "<i8"),
        ("IMS:1100000", "8-bit integer", "i1"),
        ("IMS:1100001", "16-bit integer", "<i2"),
        ("IMS:1000141", "32-bit integer", "<i4"),
        ("IMS:1000142", "64-bit integer", "<i8"),
    ],
)
def test_types(accession: str, name: str, dtype: str) -> None:
    form, _ = entry(array(INTENSITY, term(accession, name)))
    assert form.intensity.dtype == np.dtype(dtype)
    assert form.oddities == ()


@pytest.mark.parametrize(
    ("terms", "compression", "dtype", "oddity"),
    [
        (term("MS:1000574", "zlib compression") + F4, "zlib", "f4", ""),
        (term("MS:1002312", "MS-Numpress linear") + F4, "unknown", "f4", "MS:1002312"),
        (term("MS:9", "brotli compression") + F4, "unknown", "f4", "brotli"),
        (term("MS:1000521", "64-bit float"), "none", "f4", "is called '64-bit float'"),
        (term("MS:9", "64-bit float"), "none", "f8", "has the accession 'MS:9'"),
    ],
)
def test_oddities(terms: str, compression: str, dtype: str, oddity: str) -> None:
    form, _ = entry(array(MZ, terms))
    assert form.mz == ArrayForm(np.dtype(dtype), compression)  # type: ignore[arg-type]
    assert oddity in " ".join(form.oddities)
    assert bool(form.oddities) == bool(oddity)


@pytest.mark.parametrize(
    ("accession", "name", "is_profile", "oddities"),
    [
        ("MS:1000127", "centroid spectrum", False, 0),
        ("MS:1000128", "profile spectrum", True, 0),
        ("MS:1000127", "profile spectrum", False, 1),
        ("MS:1000128", "centroid spectrum", True, 1),
    ],
)
def test_profiles_and_peaks(
    accession: str, name: str, is_profile: bool, oddities: int
) -> None:
    form, _ = entry(term(accession, name))
    assert form.is_profile is is_profile
    assert len(form.oddities) == oddities
