from __future__ import annotations

import copy
import gc
import json
import pickle
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from tests.layers.msi_readers import (
    each_its_own,
    held,
    memory_reader,
    over_one_axis,
    sized,
)

from napari_scope.errors import FormatError
from napari_scope.formats.msi import PixelTable
from napari_scope.formats.msi.memory import MemorySpectra
from napari_scope.layers.msi import MSI_KEY, MSILayer, msi_of
from napari_scope.layers.msi_build import bright_limits, ion_layer, reader_to_layers


def _by_kind(layers: Any) -> dict[str, Any]:
    return {layer[1]["metadata"][MSI_KEY].kind: layer for layer in layers}


def test_an_origin_is_its_own_copy_and_pickles_as_words() -> None:
    reader = memory_reader(over_one_axis())
    origin = MSILayer(reader, 0, "ion", mz=885.55)
    assert copy.deepcopy({"msi": origin})["msi"] is origin
    assert copy.copy(origin) is origin
    words = pickle.loads(pickle.dumps(origin))
    assert type(words) is dict
    assert words == json.loads(json.dumps(origin)) == {
        "path": "/data/brain.mem", "format": "invented", "dataset": 0, "kind": "ion",
        "mz": 885.55,
    }  # fmt: skip
    assert origin != MSILayer(reader, 0, "ion", mz=885.55)
    assert msi_of({"msi": origin}) is origin
    assert msi_of({"msi": dict(origin)}) is None
    other = origin.for_("stack")
    assert (other.reader, other.kind, other.data is origin.data) == (reader, "stack", 1)


def test_layers_of_one_data_set() -> None:
    spectra = over_one_axis(pixel_size=sized())
    layers = reader_to_layers(memory_reader(spectra))
    assert [layer[2] for layer in layers] == ["image", "image", "labels"]
    found = _by_kind(layers)
    (tic, look, _), (stack, stack_look, _) = found["tic"], found["stack"]
    assert tic.dtype == np.float32
    assert tic.tolist() == [[10, 26, 42], [58, 0, 74]]
    assert look["name"] == "brain TIC"
    assert (look["scale"], look["translate"]) == ((10, 20), (500 + 70, 1000 + 80))
    assert look["units"] == ("micrometer",) * 2
    assert (look["visible"], stack_look["visible"]) == (True, False)
    assert look["contrast_limits"] == bright_limits(tic)
    assert (stack.shape, stack.dtype) == ((4, 2, 3), np.float32)
    assert np.asarray(stack[2]).tolist() == [[3, 7, 11], [15, 0, 19]]
    assert stack_look["axis_labels"] == ("m/z", "y", "x")
    assert stack_look["scale"] == (1, 10, 20)
    assert stack_look["translate"] == (0, 570, 1080)
    assert stack_look["contrast_limits"] is not None
    labels, labels_look, _ = found["regions"]
    assert labels.tolist() == [[1, 1, 2], [1, 0, 2]]
    assert labels_look["features"] == {
        "index": [0, 1, 2], "region": ["", "left", "region 1"], "spectra": [0, 3, 2],
    }  # fmt: skip


def test_an_even_axis_is_m_z_itself() -> None:
    layers = reader_to_layers(memory_reader(over_one_axis([50.0, 52.0, 54.0])))
    look = _by_kind(layers)["stack"][1]
    assert (look["scale"], look["translate"]) == ((2, 1, 1), (50, 7, 4))
    assert look["units"] == ("pixel",) * 3


def test_axes_count_channels_where_one_of_them_is_not_even() -> None:
    even = over_one_axis([50.0, 52.0, 54.0])
    layers = reader_to_layers(memory_reader(even, over_one_axis()))
    stacks = [a for _, a, _ in layers if a["metadata"]["msi"].kind == "stack"]  # type: ignore[index]
    assert [(a["scale"][0], a["translate"][0]) for a in stacks] == [(1, 0), (1, 0)]  # type: ignore[index]


def test_only_the_first_data_set_is_seen() -> None:
    one, two = over_one_axis(), over_one_axis()
    two.name = "ms2"
    empty = MemorySpectra("none", PixelTable.of([], []), [])
    layers = reader_to_layers(memory_reader(one, empty, two))
    seen = {str(a["name"]): a["visible"] for _, a, _ in layers}
    assert seen == {
        "brain - ms1 TIC": True, "brain - ms2 TIC": False,
        "brain - ms1 m/z": False, "brain - ms2 m/z": False,
        "brain - ms1 regions": True, "brain - ms2 regions": False,
    }  # fmt: skip
    assert [a["metadata"]["msi"].dataset for _, a, _ in layers] == [0, 2] * 3  # type: ignore[index]


def test_a_volume_keeps_its_depth() -> None:
    table = PixelTable.of([0, 1], [0, 0], [3, 5])
    spectra = MemorySpectra.over([1.0, 2.0], [[1, 2], [3, 4]], table)
    found = _by_kind(reader_to_layers(memory_reader(spectra)))
    stack, look, _ = found["stack"]
    assert stack.shape == (2, 3, 1, 2)
    assert np.asarray(stack[1, 2]).tolist() == [[0, 4]]
    assert np.asarray(stack[1]).tolist() == [[[2, 0]], [[0, 0]], [[0, 4]]]
    assert look["axis_labels"] == ("m/z", "z", "y", "x")
    assert found["tic"][1]["translate"] == (3, 0, 0)


def test_an_ion_image_lies_on_the_others() -> None:
    reader = memory_reader(over_one_axis(pixel_size=sized()))
    tic = _by_kind(reader_to_layers(reader))["tic"][1]
    origin = tic["metadata"]["msi"].for_("ion", mz=102.0)
    image, look, kind = ion_layer(
        origin, origin.data.ion_image(102.0), "m/z 102", colormap="red"
    )
    assert kind == "image"
    assert (look["scale"], look["translate"]) == (tic["scale"], tic["translate"])
    assert look["colormap"] == "red"
    assert look["metadata"] == {"msi": origin}
    assert np.asarray(image).tolist() == [[3, 7, 11], [15, 0, 19]]


def test_contrast_is_not_decided_by_one_bright_pixel() -> None:
    image = np.ones((100, 100), np.float32)
    image[3, 4] = 1e6
    assert bright_limits(image) == (0, 1)
    assert bright_limits(np.zeros((2, 2), np.float32)) is None
    odd = np.array([np.nan, np.inf, 2, -np.inf], np.float32)
    assert bright_limits(odd) == (0, 2)


def test_what_is_no_number_is_0_in_a_stack() -> None:
    values = np.ones((2, 4))
    values[0, :3] = np.nan, np.inf, -np.inf
    table = PixelTable.of([0, 1], [0, 0])
    spectra = MemorySpectra.over([1.0, 2.0, 3.0, 5.0], values, table)
    stack = _by_kind(reader_to_layers(memory_reader(spectra)))["stack"][0]
    expected = [[[0, 1]], [[0, 1]], [[0, 1]], [[1, 1]]]
    assert np.asarray(stack[:]).tolist() == expected
    assert [np.asarray(stack[n]).tolist() for n in range(4)] == expected


def test_parts_of_many_channels_take_as_little_memory_as_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = memory_reader(over_one_axis())
    stack = _by_kind(reader_to_layers(reader))["stack"][0]
    whole = np.asarray(stack[:])
    monkeypatch.setattr("napari_scope.layers.msi_planes._MOST_AT_ONCE", 8 * 6 * 3)
    assert np.array_equal(np.asarray(stack[:]), whole)
    assert np.array_equal(
        np.asarray(stack[3:0:-2, ::-1, ::2]), whole[3:0:-2, ::-1, ::2]
    )


def test_sums_that_the_file_tells_are_there_at_once() -> None:
    spectra = held()
    spectra.totals = np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    tic, look, _ = reader_to_layers(memory_reader(spectra), wait=False)[0]
    assert np.asarray(tic).tolist() == [[1, 2, 0], [4, 0, 5]]
    assert look["metadata"]["msi"].totals is None  # type: ignore[index]


def test_sums_fill_the_layer_while_they_are_computed() -> None:
    spectra = held()
    tic, look, _ = reader_to_layers(memory_reader(spectra), wait=False)[0]
    totals = look["metadata"]["msi"].totals  # type: ignore[index]
    assert not np.asarray(tic).any()
    assert not totals.done
    spectra.let(5)
    totals.compute()  # waits for the thread
    expected = [s.intensities.sum() for s in spectra._of_each]
    assert totals.done
    assert np.asarray(tic)[0].tolist() == expected[:3]
    assert np.asarray(tic)[1].tolist() == [expected[3], 0, expected[4]]


def test_what_cannot_be_read_ends_the_sums() -> None:
    spectra = held()
    _, look, _ = reader_to_layers(memory_reader(spectra), wait=False)[0]
    totals = look["metadata"]["msi"].totals  # type: ignore[index]
    spectra.let(1)
    while not totals.version:
        threading.Event().wait(0.001)
    spectra.error = FormatError("the disk is gone")
    spectra.let(1)
    with pytest.raises(FormatError, match="disk is gone"):
        totals.compute()
    assert totals.image[0, 0] > 0


def test_the_reader_closes_with_its_last_layer() -> None:
    spectra = held()
    layers = reader_to_layers(memory_reader(spectra), wait=False)
    reader = msi_of(layers[0][1]["metadata"]).reader  # type: ignore[arg-type, union-attr]
    gone, kind = weakref.ref(reader), type(reader)
    threads = [t for t in threading.enumerate() if t.name == "napari-scope totals"]
    del reader
    stack = layers[1][0]
    layers.clear()
    gc.collect()
    assert gone() is not None, "the stack alone keeps it"
    assert len(threads) == 1
    del stack
    gc.collect()
    assert gone() is None
    assert kind.closed  # type: ignore[attr-defined]
    spectra.let(1)  # the thread ends after the spectrum that it waits for
    threads[0].join(30)
    assert not threads[0].is_alive()


@pytest.mark.parametrize("is_profile", [True, False])
def test_a_stack_is_the_cube(is_profile: bool) -> None:
    reader = memory_reader(each_its_own(is_profile=is_profile))
    stack = _by_kind(reader_to_layers(reader))["stack"][0]
    cube = reader.data[:].transpose(2, 1, 0)
    assert stack.shape == cube.shape
    assert cube.any()
    assert np.allclose(np.asarray(stack[:]), cube.astype("f4"))
    middle = cube.shape[0] // 2
    assert np.allclose(np.asarray(stack[middle, 1:, ::2]), cube[middle, 1:, ::2])


def test_of_very_many_data_sets_the_first_get_layers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr("napari_scope.layers.msi_build.warn", warned.append)
    monkeypatch.setattr("napari_scope.layers.msi_build.MOST_DATA_SETS", 2)
    layers = reader_to_layers(memory_reader(*(over_one_axis() for _ in range(4))))
    assert len(layers) == 2 * 3
    assert len(warned) == 1
    assert "has 4 data sets" in warned[0]
