"""Files as programs write them: what opens, and what is told."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.formats.msi.imzml_files import One, Wild, over_one_axis, some, term
from tests.formats.msi.imzml_reading import assert_holds, only, opened

from napari_scope.errors import FormatError
from napari_scope.formats.msi.spectra import PixelSize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMESPACE = ' xmlns="http://psi.hupo.org/ms/mzml"'
PLACE = '<userParam name="at" value="Gießen"/>'
CHANGES: dict[str, Callable[[str], str]] = {
    "single quotes": lambda text: text.replace('"', "'"),
    "comments": lambda text: text.replace("<scan>", "<!-- </scan> --><scan>"),
    "cdata": lambda text: text.replace("<binary/>", "<binary><![CDATA[<]]></binary>"),
    "prefixes": lambda text: re.sub(r"<(/?)(\w)", r"<\1ms:\2", text),
    "no namespace": lambda text: text.replace(NAMESPACE, ""),
    "no scan settings": lambda text: re.sub(
        "<scanSettingsList.*</scanSettingsList>", "", text
    ),
    "order of attributes": lambda text: re.sub(
        r'(name="[^"]*") (value="[^"]*")', r"\2 \1", text
    ),
}
FINE: dict[str, dict[str, Any]] = {
    "plain": {},
    "inline types": {"inline": True},
    "packed": {"packed": True},
    "group order": {"groups": ("intensityArray", "spectrum", "mzArray")},
    "latin-1": {"encoding": "ISO-8859-1", "head": PLACE},
    "utf-16": {"encoding": "UTF-16", "head": PLACE},
    **{name: {"text": change} for name, change in CHANGES.items()},
}


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("how", FINE.values(), ids=list(FINE))
def test_what_programs_write_without_a_fault(
    tmp_path: Path, how: dict[str, Any], continuous: bool
) -> None:
    spectra = over_one_axis() if continuous else some()
    with opened(tmp_path, spectra, continuous=continuous, **how) as reader:
        assert_holds(reader, spectra)
        assert reader.problems == ()
        assert (reader.data.spectra.common_mz is not None) == continuous
        assert reader.data.spectra.is_profile is False
        if "head" in how:
            assert reader.get_dataset_metadata()["at"].value == "Gießen"


@pytest.mark.parametrize("stored", ["f4", "f8", "i1", "i2", "i4", "i8"])
def test_types(tmp_path: Path, stored: str) -> None:
    spectra = some()
    with opened(tmp_path, spectra, intensity_type=stored, mz_type="f8") as reader:
        assert_holds(reader, spectra)
        assert reader.data.spectra.intensity_dtype == np.dtype(stored)


# What is put right, and told.


def test_called_continuous_but_processed(tmp_path: Path) -> None:
    spectra = some()
    with opened(tmp_path, spectra, said_mode="continuous") as reader:
        assert_holds(reader, spectra)
        assert "called continuous, but each spectrum" in only(reader)


def test_called_processed_but_over_one_axis(tmp_path: Path) -> None:
    spectra = over_one_axis()
    how = {"continuous": True, "said_mode": "processed"}
    with opened(tmp_path, spectra, **how) as reader:
        assert reader.data.spectra.common_mz is not None
        assert_holds(reader, spectra)
        assert reader.problems == ()


def test_another_identity(tmp_path: Path) -> None:
    spectra = some()
    with opened(tmp_path, spectra, ibd=lambda data: b"\1" * 16 + data[16:]) as reader:
        assert_holds(reader, spectra)
        assert re.search("begins with 0101.* says 5a17b2f0.*not belong", only(reader))


@pytest.mark.parametrize(
    ("accession", "method"),
    [("IMS:1000090", "md5"), ("IMS:1000091", "sha1"), ("IMS:1000092", "sha256")],
)
def test_checksums(tmp_path: Path, accession: str, method: str) -> None:
    path = Wild(some()).write(tmp_path / "a.imzML")
    data = path.with_suffix(".ibd").read_bytes()
    said = hashlib.new(method, data).hexdigest().upper()
    head = term(accession, f"ibd {method}", said)
    with opened(tmp_path, some(), head=head) as reader:
        assert reader.verify() is True
        assert reader.verify(cancelled=lambda: True) is None
    with opened(tmp_path, some(), head=head, ibd=lambda data: data + b"1") as reader:
        assert reader.verify() is False
    with opened(tmp_path, some()) as reader:
        assert reader.verify() is None


def test_totals_of_the_file_are_used_if_all_are_there(tmp_path: Path) -> None:
    spectra = some()
    for number, one in enumerate(spectra):
        one.total = 1000.0 + number
    with opened(tmp_path, spectra) as reader:
        assert reader.data.totals().tolist() == [1000.0 + k for k in range(6)]
        assert reader.data.tic_image()[1, 2] == 1005
    spectra[2].total = None
    with opened(tmp_path, spectra) as reader:
        sums = [one.intensities.sum() for one in spectra]
        assert reader.data.totals().tolist() == sums
    spectra[2].instead["total"] = "many"
    with opened(tmp_path, spectra) as reader:
        assert reader.data.totals().tolist() == sums


def test_an_identity_of_which_bytes_are_swapped(tmp_path: Path) -> None:
    # Programs of .NET write the first three numbers of it with little ends.
    def swapped(data: bytes) -> bytes:
        return uuid.UUID(bytes=data[:16]).bytes_le + data[16:]

    spectra = some()
    with opened(tmp_path, spectra, ibd=swapped) as reader:
        assert_holds(reader, spectra)
        assert reader.problems == ()


def unit(accession: str, name: str = "x") -> str:
    return f' unitCvRef="UO" unitAccession="{accession}" unitName="{name}"'


SIZE_X, SIZE_Y = "IMS:1000046", "IMS:1000047"
SIZES = {
    "none": ("", None),
    "micrometers": (term(SIZE_X, "pixel size x", "50", unit("UO:0000017")), (50, 50)),
    "no unit": (term(SIZE_X, "pixel size", "5e1"), (50, 50)),
    "millimeters": (
        term(SIZE_X, "pixel size (x)", "0.05", unit("UO:0000016"))
        + term(SIZE_Y, "pixel size y", "0.1", unit("UO:0000016")),
        (50, 100),
    ),
    "nanometers": (
        term(SIZE_Y, "pixel size y", "50", unit("UO:0000018")),
        (0.05, 0.05),
    ),
    "of the whole": (
        term("IMS:1000044", "max dimension x", "300", unit("UO:0000017"))
        + term("IMS:1000042", "max count of pixels x", "3"),
        (100, 100),
    ),
    "units by their names": (
        term(SIZE_X, "pixel size x", "0.05", ' unitName="Millimeters"')
        + term(SIZE_Y, "pixel size y", "100", unit("UO:9", "µm")),
        (50, 100),
    ),
    "no number": (term(SIZE_X, "pixel size x", "small"), None),
    "not finite": (term(SIZE_X, "pixel size x", "inf"), None),
    "zero": (term(SIZE_X, "pixel size x", "0"), None),
}


@pytest.mark.parametrize(("settings", "size"), SIZES.values(), ids=list(SIZES))
def test_pixel_sizes(
    tmp_path: Path, settings: str, size: tuple[float, float] | None
) -> None:
    with opened(tmp_path, some(), scan_settings=settings) as reader:
        expected = None if size is None else PixelSize(*size)
        assert reader.data.spectra.pixel_size == expected
        assert reader.problems == ()


def test_units_that_are_no_lengths(tmp_path: Path) -> None:
    settings = term(SIZE_X, "pixel size x", "50", unit("UO:0000010", "second")) + term(
        SIZE_Y, "", "20", unit("UO:0000010", "")
    )
    with opened(tmp_path, some(), scan_settings=settings) as reader:
        assert reader.data.spectra.pixel_size == PixelSize(50, 20)
        first, second = reader.problems
        assert first == (
            "pixel size x is 50 second, a unit that is no length; micrometers are taken"
        )
        assert second.startswith("IMS:1000047 is 20 UO:0000010, a unit")


def test_where_the_first_pixel_lies(tmp_path: Path) -> None:
    settings = (
        term(SIZE_X, "pixel size x", "50")
        + term("IMS:1000053", "absolute position offset x", "1", unit("UO:0000016"))
        + term("IMS:1000054", "absolute position offset y", "-7")
    )
    with opened(tmp_path, some(), scan_settings=settings) as reader:
        size = reader.data.spectra.pixel_size
        assert size == PixelSize(50, 50, left_um=1000, top_um=-7)


def test_names_that_contradict_their_accessions(tmp_path: Path) -> None:
    def wrong(text: str) -> str:
        return text.replace("32-bit float", "64-bit float")

    spectra = some()
    with opened(tmp_path, spectra, text=wrong) as reader:
        assert_holds(reader, spectra)
        assert only(reader) == "MS:1000521 is called '64-bit float'"
    kind = term("MS:1000127", "profile spectrum")
    with opened(tmp_path, spectra, kind=kind) as reader:
        assert reader.data.spectra.is_profile is False
        assert only(reader) == "MS:1000127 is called 'profile spectrum'"


def test_types_without_accessions_are_known_by_their_names(tmp_path: Path) -> None:
    spectra = some()
    with opened(
        tmp_path, spectra, text=lambda text: text.replace("MS:1000523", "MS:0")
    ) as reader:
        assert_holds(reader, spectra)
        assert only(reader) == "'64-bit float' has the accession 'MS:0'"


def test_arrays_that_are_not_named_are_known_by_their_place(tmp_path: Path) -> None:
    def unnamed(text: str) -> str:
        return re.sub(r'<cvParam[^>]*name="(m/z|intensity) array"[^>]*>', "", text)

    spectra = some()
    with opened(tmp_path, spectra, text=unnamed) as reader:
        assert_holds(reader, spectra)
        assert len(reader.problems) == 2


@pytest.mark.parametrize("where", ["fileContent", "spectra", "nowhere"])
def test_profiles_are_told_in_several_places(tmp_path: Path, where: str) -> None:
    said = term("MS:1000128", "profile spectrum")
    how = {
        "fileContent": {"kind": "", "head": said},
        "spectra": {"kind": said},
        "nowhere": {"kind": ""},
    }[where]
    with opened(tmp_path, some(), **how) as reader:
        assert reader.data.spectra.is_profile is (None if where == "nowhere" else True)


def test_volumes_gaps_and_duplicates(tmp_path: Path) -> None:
    mz = np.array([100.0, 200.0])
    places = [(1, 1, 1), (3, 2, 1), (3, 2, 4), (1, 1, 1)]
    spectra = [One(mz, np.array([k + 1, 10]), *place) for k, place in enumerate(places)]
    with opened(tmp_path, spectra) as reader:
        assert reader.data.pixels.shape == (3, 2, 4)
        image = reader.data.ion_image(100, 0.1)
        assert image.shape == (4, 2, 3)
        assert (image[0, 0, 0], image[0, 1, 2], image[3, 1, 2]) == (4, 2, 3)
        assert image.sum() == 9
        assert only(reader) == "1 pixels have several spectra: the last one is shown"


def test_positions_of_the_stage_and_without_z(tmp_path: Path) -> None:
    spectra = [
        One(np.array([5.0]), np.array([k]), 5000 + k, 70000, None) for k in range(3)
    ]
    with opened(tmp_path, spectra) as reader:
        assert reader.data.pixels.origin == (4999, 69999, 0)
        assert reader.data.image(np.array([1, 2, 3])).tolist() == [[1, 2, 3]]


def test_a_wrong_number_of_spectra(tmp_path: Path) -> None:
    with opened(
        tmp_path, some(), text=lambda text: text.replace('count="6"', 'count="9"')
    ) as reader:
        assert only(reader) == "the file says 9 spectra and has 6"


def test_spectra_without_a_place_are_left_out(tmp_path: Path) -> None:
    spectra = some()
    spectra[2].instead["y"] = None
    with opened(tmp_path, spectra) as reader:
        assert_holds(reader, spectra[:2] + spectra[3:])
        assert "1 of 6 spectra have no position" in only(reader)
    for one in spectra:
        one.instead["x"] = None
    with pytest.raises(FormatError, match="none of the 6 spectra has a position"):
        opened(tmp_path, spectra)


def test_compressions_that_are_not_known(tmp_path: Path) -> None:
    def text(text: str) -> str:
        return text.replace("MS:1000574", "MS:1002312").replace(
            "zlib compression", "MS-Numpress linear prediction compression"
        )

    spectra = some()
    spectra[2].packed = True
    with opened(tmp_path, spectra, text=text) as reader:
        assert_holds(reader, spectra, but=(2,))
        assert any("Numpress linear" in problem for problem in reader.problems)
        assert any("the first is number 2" in problem for problem in reader.problems)
    with pytest.raises(FormatError, match="compressed in a way that is not known") as e:
        opened(tmp_path, some(), packed=True, text=text)
    assert "Numpress linear" in str(e.value.hint)
