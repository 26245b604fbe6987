"""Readers that somebody wrote after the documentation of OpenMSI's base classes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_scope.compat import openmsi
from napari_scope.compat.openmsi import (
    file_reader_base,
    file_reader_base_multidata,
    file_reader_base_with_regions,
)
from napari_scope.errors import FormatError
from napari_scope.formats.msi import (
    MultiDataReader,
    RegionReader,
    available_formats,
    open_msi,
    registry,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CUBE = np.arange(24).reshape(4, 2, 3)


@pytest.fixture(autouse=True)
def only_for_this_test() -> Iterator[None]:
    available_formats()  # a module that is imported tells of its format only once
    known = dict(registry._KNOWN)
    yield
    registry._KNOWN.clear()
    registry._KNOWN.update(known)


def _plain() -> Any:
    class text_file(file_reader_base):
        closed = 0

        def __init__(self, basename: str, requires_slicing: bool = True) -> None:
            super().__init__(basename, requires_slicing)
            self.data = np.loadtxt(basename).reshape(4, 2, 3)
            self.data_type = "uint16"
            self.shape = self.data.shape
            self.mz = np.array([100.0, 101.0, 102.0])

        def __getitem__(self, index: Any) -> Any:
            return self.data[index]

        def close_file(self) -> None:
            type(self).closed += 1

        @classmethod
        def is_valid_dataset(cls, name: str) -> bool:
            return name.endswith(".text")

        @classmethod
        def size(cls, name: str) -> int:
            return os.stat(name).st_size

        def get_dataset_metadata(self) -> dict[str, Any]:
            return {"matrix": "DHB"}

    return text_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.savetxt(tmp_path / "a.text", CUBE.reshape(8, 3))
    return tmp_path / "a.text"


def test_one_that_slices_is_opened_like_any_other(path: Path) -> None:
    kind = _plain()
    assert kind(str(path))[1, 1].tolist() == [9, 10, 11]
    assert "text_file" in available_formats()
    assert openmsi.available_formats()["text_file"] is kind
    assert file_reader_base.available_formats() == openmsi.available_formats()
    with open_msi(path) as reader:
        assert reader.format_name() == "text_file"
        assert reader.data_type == "uint16"
        assert reader[:].tolist() == CUBE.tolist()
        image = reader.data.ion_image(101, 0.1)
        assert image.tolist() == CUBE[:, :, 1].T.tolist()
        assert reader.get_dataset_metadata()["matrix"].value == "DHB"
        assert (reader.supports_regions(), reader.supports_multidata()) == (False,) * 2
        assert reader.get_number_of_datasets() == reader.get_number_of_regions() == 1
        assert reader.size(path) == path.stat().st_size
        before = kind.closed
    assert kind.closed == before + 1


def test_one_that_only_iterates_may_have_gaps(path: Path) -> None:
    class walked(file_reader_base):
        def __init__(self, basename: str, requires_slicing: bool = True) -> None:
            super().__init__(basename, requires_slicing)
            self.shape, self.mz, self.data_type = CUBE.shape, np.arange(3.0), "f4"

        def spectrum_iter(self) -> Any:
            buffer = np.zeros(3)
            for x, y in ((0, 0), (3, 1)):
                buffer[:] = CUBE[x, y]  # the same array each time
                yield (x, y), buffer

        @classmethod
        def is_valid_dataset(cls, name: str) -> bool:
            return True

    with open_msi(path, "walked") as reader:
        assert reader.shape == CUBE.shape
        assert reader[3, 1].tolist() == CUBE[3, 1].tolist()
        assert reader[1, 1].tolist() == [0, 0, 0]
        assert len(list(reader.spectrum_iter())) == 2
    with pytest.raises(NotImplementedError, match="only iterates"):
        walked("")[0]


def test_a_volume(path: Path) -> None:
    class volume(file_reader_base):
        def __init__(self, basename: str, requires_slicing: bool = True) -> None:
            super().__init__(basename, requires_slicing)
            self.shape, self.mz = (2, 3, 2, 2), np.array([5.0, 6.0])

        def __getitem__(self, index: Any) -> Any:
            return np.arange(24).reshape(2, 3, 2, 2)[index]

        @classmethod
        def is_valid_dataset(cls, name: str) -> bool:
            return False

    with open_msi(path, "volume") as reader:
        assert reader.shape == (2, 3, 2, 2)
        assert reader[:].tolist() == np.arange(24).reshape(2, 3, 2, 2).tolist()


def test_data_sets_and_regions(path: Path) -> None:
    class many(file_reader_base_multidata):
        def __init__(self, basename: str, requires_slicing: bool = True) -> None:
            super().__init__(basename, requires_slicing)
            self.cubes = [CUBE, CUBE[:, :, :2] * 10]
            self.mz = [np.arange(3.0), np.arange(2.0)]

        def get_number_of_datasets(self) -> int:
            return 2

        def set_dataset_selection(self, dataset_index: int | None) -> None:
            super().set_dataset_selection(dataset_index)
            self.shape = self.cubes[dataset_index or 0].shape

        def __getitem__(self, index: Any) -> Any:
            return self.cubes[self.select_dataset or 0][index]

        def get_dataset_dependencies(self) -> list[Any]:
            return [{"dataset": 1 - (self.select_dataset or 0)}]

        @classmethod
        def is_valid_dataset(cls, name: str) -> bool:
            return False

    with open_msi(path, "many") as reader:
        assert reader.shape == [(4, 2, 3), (4, 2, 2)]
        assert reader.get_dataset_dependencies() == [[{"dataset": 1}], [{"dataset": 0}]]
        reader.set_dataset_selection(1)  # type: ignore[attr-defined]
        assert reader[:].tolist() == many("").cubes[1].tolist()

    class parts(file_reader_base_with_regions):
        def __init__(self, basename: str, requires_slicing: bool = True) -> None:
            super().__init__(basename, requires_slicing)
            self.shape, self.mz = CUBE.shape, np.arange(3.0)
            self.region_dicts = [
                {"origin": [0, 0], "extend": [3, 2]},
                {"origin": [3, 0], "extend": [1, 2]},
            ]

        def __getitem__(self, index: Any) -> Any:
            return CUBE[index]

        @classmethod
        def is_valid_dataset(cls, name: str) -> bool:
            return False

    assert parts("").get_number_of_regions() == 2
    with open_msi(path, "parts") as reader:
        assert reader.supports_regions()
        assert [one["count"] for one in reader.regions_of()] == [6, 2]
        reader.set_region_selection(1)  # type: ignore[attr-defined]
        assert reader[:].tolist() == CUBE[3:].tolist()


def test_what_is_wrong_with_one_is_told(path: Path) -> None:
    class empty(file_reader_base):
        def spectrum_iter(self) -> Any:
            return iter(())

        @classmethod
        def is_valid_dataset(cls, name: str) -> bool:
            return False

    class short(empty):
        def spectrum_iter(self) -> Any:
            self.mz = np.arange(3.0)
            return iter([((0, 0), np.zeros(2))])

    class vague(empty):
        def spectrum_iter(self) -> Any:
            return iter([((0, 0), np.zeros(2))])

    class broken(empty):
        def __init__(self, basename: str) -> None:
            raise OSError("no access")

    with pytest.raises(FormatError, match="no spectrum"):
        open_msi(path, "empty")
    with pytest.raises(FormatError, match="the m/z axis has 3 values"):
        open_msi(path, "short")
    with pytest.raises(FormatError, match="no m/z axis"):
        open_msi(path, "vague")
    with pytest.raises(OSError, match="no access"):
        open_msi(path, "broken")


def test_ours_count_as_derived_from_the_bases() -> None:
    for name in ("img_file", "imzml_file", "mzml_file", "bruckerflex_file"):
        kind = getattr(openmsi, name)
        assert issubclass(kind, file_reader_base)
        multi = issubclass(kind, file_reader_base_multidata)
        assert multi is issubclass(kind, MultiDataReader)
        regions = issubclass(kind, file_reader_base_with_regions)
        assert regions is issubclass(kind, RegionReader)
    assert not issubclass(_plain(), file_reader_base_multidata)
    assert not issubclass(str, file_reader_base)

    class still_a_base(file_reader_base):
        pass

    assert "still_a_base" not in available_formats()
