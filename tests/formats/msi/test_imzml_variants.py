"""Every variant of imzML that we or pyimzML write is read by us and by pyimzML."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyimzml.compression import NoCompression, ZlibCompression
from pyimzml.ImzMLParser import ImzMLParser
from pyimzml.ImzMLWriter import ImzMLWriter as TheirWriter
from tests.formats.msi.test_imzml_fast import agree

from napari_scope.formats.msi import open_msi
from napari_scope.formats.msi.imzml import ImzMLReader
from napari_scope.formats.msi.imzml.document import read_strictly
from napari_scope.formats.msi.imzml.writer import ImzMLWriter

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Values = npt.NDArray[Any]

# What pyimzML has letters for; of 8-byte integers it takes the size of the platform.
FLOATS = ("<f4", "<f8")
ALL = (*FLOATS, "i1", "<i2", "<i4", "<i8")


class Case(NamedTuple):
    mz_type: str
    intensity_type: str
    packed: bool
    axis: Values | None
    places: list[tuple[int, int, int]]
    spectra: list[tuple[Values, Values]]


def case_of(
    random: Random, types: tuple[str, ...] = ALL, *, empty: bool = True
) -> Case:
    mz_type, intensity_type = random.choice(FLOATS), random.choice(types)
    size = random.randint(1, 5), random.choice((1, 1, 4)), random.choice((1, 1, 3))
    # Gaps and duplicates come by themselves.
    places = [
        (
            random.randint(1, size[0]),
            random.randint(1, size[1]),
            random.randint(1, size[2]),
        )
        for _ in range(random.randint(1, 12))
    ]
    rng = np.random.default_rng(random.randint(0, 99))
    axis = None
    if random.choice((True, False)):
        axis = np.sort(rng.uniform(50, 2000, random.randint(1, 20))).astype(mz_type)
    spectra = []
    for number in range(len(places)):
        # The first one has values, or nothing would be in the file.
        n = (
            len(axis)
            if axis is not None
            else int(rng.integers(number == 0 or not empty, 20))
        )
        mz = axis if axis is not None else np.sort(rng.uniform(50, 2000, n))
        values = rng.integers(0, 100, n).astype(float)
        if intensity_type in FLOATS:
            values /= 3
        spectra.append((mz.astype(mz_type), values.astype(intensity_type)))
    packed = random.choice((True, False))
    return Case(mz_type, intensity_type, packed, axis, places, spectra)


def read_ours(path: Path, case: Case) -> None:
    assert agree(path) == "same"
    with ImzMLReader(path) as reader, ImzMLReader(path, strict=True) as strict:
        spectra = reader.data.spectra
        table = reader.data.pixels
        found = np.stack([table.x, table.y, table.z], axis=1) + 1
        assert [tuple(one) for one in found.tolist()] == case.places
        assert spectra.intensity_dtype == np.dtype(case.intensity_type)
        duplicates = len(case.places) - len(set(case.places))
        words = f"{duplicates} pixels have several spectra: the last one is shown"
        assert reader.problems == ((words,) if duplicates else ())
        for number, (mz, values) in enumerate(case.spectra):
            for one in (spectra.spectrum(number), strict.data.spectra.spectrum(number)):
                np.testing.assert_array_equal(one.mz, mz)
                np.testing.assert_array_equal(one.intensities, values)
        if case.axis is not None:
            np.testing.assert_array_equal(spectra.common_mz, case.axis)
        numbers = np.arange(len(case.places))[::-2]
        blocks = list(spectra.blocks(numbers))
        assert np.concatenate([block.numbers for block in blocks]).tolist() == (
            numbers.tolist()
        )
        for how in ("sum", "max", "mean"):
            expected = []
            for mz, values in case.spectra:
                inside = values[(mz >= 300) & (mz <= 900)].astype(float)
                function = {"sum": np.sum, "max": np.max, "mean": np.mean}[how]
                expected.append(function(inside) if len(inside) else 0.0)
            image = spectra.window(300, 900, how)  # type: ignore[arg-type]
            np.testing.assert_allclose(image, expected, rtol=1e-6)
            part = spectra.window(300, 900, how, numbers)  # type: ignore[arg-type]
            np.testing.assert_array_equal(part, image[numbers])
        assert reader.verify() in (True, None)


def read_theirs(path: Path, case: Case) -> None:
    with ImzMLParser(str(path)) as parser:
        assert parser.coordinates == case.places
        for number, (mz, values) in enumerate(case.spectra):
            theirs = parser.getspectrum(number)
            np.testing.assert_array_equal(theirs[0], mz)
            np.testing.assert_array_equal(theirs[1], values)


def write_ours(path: Path, case: Case) -> None:
    with ImzMLWriter(
        path,
        mz=case.axis,
        mz_dtype=case.mz_type,
        intensity_dtype=case.intensity_type,
        compression="zlib" if case.packed else "none",
        pixel_um=(12.5, 20),
        overwrite=True,
    ) as writer:
        for (x, y, z), (mz, values) in zip(case.places, case.spectra, strict=True):
            writer.write(x - 1, y - 1, mz, values, z - 1)


@given(st.randoms(use_true_random=False).map(case_of))
@settings(max_examples=40, deadline=None)
def test_what_we_write_is_read(
    tmp_path_factory: pytest.TempPathFactory, case: Case
) -> None:
    path = tmp_path_factory.mktemp("ours") / "a.imzML"
    write_ours(path, case)
    read_ours(path, case)
    with open_msi(path) as reader:
        size = reader.data.spectra.pixel_size
        assert size is not None and (size.x_um, size.y_um) == (12.5, 20)
    # pyimzML returns garbage of packed values, and takes 8 bytes for `l` of Linux only.
    if not case.packed and case.intensity_type in (*FLOATS, "<i4"):
        read_theirs(path, case)


# Its template cannot be compiled while hypothesis runs a test (recursion limit).
@pytest.mark.parametrize("seed", range(40))
def test_what_pyimzml_writes_is_read(tmp_path: Path, seed: int) -> None:
    case = case_of(Random(seed), (*FLOATS, "<i4"), empty=False)
    path = tmp_path / "a.imzML"
    packing = ZlibCompression if case.packed else NoCompression
    with TheirWriter(
        str(path),
        mode="processed" if case.axis is None else "continuous",
        mz_dtype=np.dtype(case.mz_type).type,
        intensity_dtype=np.dtype(case.intensity_type).type,
        mz_compression=packing(),
        intensity_compression=packing(),
    ) as writer:
        for place, (mz, values) in zip(case.places, case.spectra, strict=True):
            writer.addSpectrum(mz, values, place)
    read_ours(path, case)


def test_integers_of_one_and_two_bytes_are_told_by_their_terms(tmp_path: Path) -> None:
    path = tmp_path / "a.imzML"
    for stored in ALL:
        with ImzMLWriter(path, intensity_dtype=stored, overwrite=True) as writer:
            writer.write(0, 0, [1.0, 2.0], np.array([3, 4]))
        form = read_strictly(path).forms[0]
        assert form.intensity.dtype == np.dtype(stored)
        assert form.oddities == ()
