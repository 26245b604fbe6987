"""How frames become images: axes, scale, place, channels."""

from __future__ import annotations

import gc
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_scope.formats.ndtiff import NDTiffWriter, open_ndtiff
from napari_scope.model import Axis, Channel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_scope.model import Image


def _store(
    folder: Path,
    axes: Iterable[Mapping[str, int | str]],
    *,
    metadata: Mapping[str, object] | None = None,
    **options: object,
) -> Path:
    """Write frames of 4 x 6 pixels that hold their number."""
    with NDTiffWriter(folder, **options) as writer:  # type: ignore[arg-type]
        for number, key in enumerate(axes):
            writer.put(key, np.full((4, 6), number, "u2"), metadata)
    return folder


def _numbers(image: Image) -> list[object]:
    """Return the number of each frame of an image."""
    return np.asarray(image.levels[0][..., 0, 0]).tolist()  # type: ignore[no-any-return]


def test_axes_are_in_the_order_of_ome_whatever_the_order_of_saving(
    tmp_path: Path,
) -> None:
    axes = [
        {"z": z, "channel": c, "angle": a, "time": t}
        for z in (0, 1)
        for a in (10, 30)
        for c in ("b", "a")
        for t in (0, 1, 2)
    ]
    (image,) = open_ndtiff(_store(tmp_path / "run", axes)).images
    assert image.axis_names == ("t", "angle", "c", "z", "y", "x")
    level = image.levels[0]
    assert level.shape == (3, 2, 2, 2, 4, 6)
    for number, key in enumerate(axes):
        place = (
            key["time"],
            [10, 30].index(int(key["angle"])),
            ["b", "a"].index(str(key["channel"])),
            key["z"],
        )
        np.testing.assert_array_equal(level[place], np.full((4, 6), number))
    assert [channel.name for channel in image.channels] == ["b", "a"]
    assert image.axes[1] == Axis("angle", "other")
    assert image.name == "run"


def test_positions_and_grid_places_are_images(tmp_path: Path) -> None:
    axes: list[dict[str, int | str]] = [
        {"position": p, "grid": g, "time": t}
        for t in (0, 1)
        for p in (1, 0)
        for g in (0, 1)
    ]
    dataset = open_ndtiff(_store(tmp_path / "run", axes))
    assert [image.name for image in dataset.images] == [
        "Pos0 grid 0",
        "Pos0 grid 1",
        "Pos1 grid 0",
        "Pos1 grid 1",
    ]
    assert [_numbers(i) for i in dataset.images] == [[2, 6], [3, 7], [0, 4], [1, 5]]
    assert dataset.problems == ()
    assert dataset.images[0].metadata == {"position": 0, "grid": 0}


def test_a_numbered_position_takes_its_name_from_the_metadata(tmp_path: Path) -> None:
    folder = _store(
        tmp_path / "run", [{"position": 0}], metadata={"PositionName": "A1-Site_0"}
    )
    (image,) = open_ndtiff(folder).images
    assert image.name == "A1-Site_0"
    assert image.axis_names == ("y", "x")


def test_scale_unit_and_place(tmp_path: Path) -> None:
    axes = [
        {"position": p, "time": t, "z": z}
        for p in (0, 1)
        for t in (0, 1)
        for z in (-1, 0, 1)
    ]
    with NDTiffWriter(
        tmp_path / "run", summary={"Interval_ms": 250, "z-step_um": "1.5"}
    ) as writer:
        for key in axes:
            about = {
                "PixelSizeUm": 0.5,
                "XPosition_um_Intended": 100 * key["position"],
                "YPositionUm": 50.0,
            }
            writer.put(key, np.zeros((4, 6), "u2"), about)
    dataset = open_ndtiff(tmp_path / "run")
    assert dataset.images[1].axes == (
        Axis("t", "time", "second", 0.25),
        Axis("z", "space", "micrometer", 1.5, -1.5),
        # The stage position is the centre of 4 x 6 pixels of 0.5 um.
        Axis("y", "space", "micrometer", 0.5, 50 - 0.75),
        Axis("x", "space", "micrometer", 0.5, 100 - 1.25),
    )
    assert dataset.images[1].metadata["stage_um"] == [100.0, 50.0]


def test_nothing_is_guessed_where_the_metadata_are_silent(tmp_path: Path) -> None:
    axes = [{"time": t, "z": z} for t in (0, 1) for z in (0, 1)]
    about = {"PixelSizeUm": 0.0, "XPositionUm": 5.0, "YPositionUm": 5.0}
    folder = _store(tmp_path / "run", axes, metadata=about, summary={"Interval_ms": 0})
    (image,) = open_ndtiff(folder).images
    assert image.axes == (
        Axis("t", "time"),
        Axis("z", "space"),
        Axis("y", "space"),
        Axis("x", "space"),
    )


@pytest.mark.parametrize("name", ["ZPosition_um_Intended", "ZPositionUm"])
@pytest.mark.parametrize("order", [(0, 2, 4), (4, 2, 0), (2, 0, 4)])
def test_the_step_of_planes_is_measured(
    tmp_path: Path, name: str, order: tuple[int, ...]
) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for z in order:
            writer.put({"z": z}, np.zeros((4, 6), "u2"), {name: 30 - 0.5 * z})
    (image,) = open_ndtiff(tmp_path / "run").images
    # Every second plane was taken: planes 0.5 um apart, samples 1 um.
    assert image.axes[0] == Axis("z", "space", "micrometer", 1.0)


def test_channels_by_number_and_settings(tmp_path: Path) -> None:
    settings = [Channel("DAPI", "#0000FF", (5.0, 500.0)), Channel("GFP", visible=False)]
    axes = [{"channel": i} for i in range(3)]
    folder = _store(
        tmp_path / "run", axes, channels=settings, summary={"ChNames": ["GFP", "DAPI"]}
    )
    (image,) = open_ndtiff(folder).images
    assert image.channels == (*settings[::-1], Channel("Channel 2"))
    assert image.axes[0] == Axis("c", "channel", labels=("GFP", "DAPI", "Channel 2"))


def test_one_channel_without_an_axis(tmp_path: Path) -> None:
    folder = _store(
        tmp_path / "run",
        [{"time": 0}],
        metadata={"Channel": "DAPI", "BitDepth": 12},
        channels=[Channel("DAPI", "#0000FF", (5.0, 500.0))],
    )
    (image,) = open_ndtiff(folder).images
    assert image.channels == (Channel("DAPI", "#0000FF", (5.0, 500.0)),)
    assert image.bit_depth == 12


def test_frames_without_an_axis_stand_at_its_first_value(tmp_path: Path) -> None:
    axes: list[dict[str, int | str]] = [
        {"channel": "DAPI", "z": 0},
        {"channel": "DAPI", "z": 1},
        {"channel": "BF"},
    ]
    dataset = open_ndtiff(_store(tmp_path / "run", axes))
    (image,) = dataset.images
    assert _numbers(image) == [[0, 1], [2, 0]]
    assert "1 frames have no axis 'z'" in dataset.problems[0]
    assert "3 of 4 frames" in dataset.problems[1]


def test_a_frame_that_has_the_axis_goes_first(tmp_path: Path) -> None:
    axes = [{"time": 0}, {"time": 0, "z": 0}, {"time": 1}, {}]
    dataset = open_ndtiff(_store(tmp_path / "run", axes))
    (image,) = dataset.images
    assert _numbers(image) == [[1], [2]]
    # {} and {time: 0} are not shown anywhere.
    assert dataset.problems == (
        "run: 1 frames have no axis 'time' and are hidden by others",
        "run: 1 frames have no axis 'z'; they are shown at its first value",
        "run: 2 frames have no axis 'z' and are hidden by others",
    )


def _lose(folder: Path, *numbers: int, field: int = 4, value: int = 9) -> None:
    """Make the pixels of some records unreadable: compressed, or of absurd size."""
    index = folder / "NDTiff.index"
    data = bytearray(index.read_bytes())
    at = 0
    for number in range(max(numbers) + 1):
        for _ in range(2):  # axes, file
            (length,) = struct.unpack_from("<I", data, at)
            at += 4 + length
        if number in numbers:
            struct.pack_into("<I", data, at + 4 * field, value)
        at += 32
    index.write_bytes(data)


def test_a_time_point_that_is_lost_keeps_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with NDTiffWriter(folder, max_file_bytes=3100) as writer:
        for time in range(40):
            writer.put({"time": time}, np.full((20, 30), time, "u2"))
    assert len(list(folder.glob("*.tif"))) == 20
    (folder / "NDTiffStack_6.tif").unlink()
    dataset = open_ndtiff(folder)
    (image,) = dataset.images
    assert _numbers(image) == [0 if t in (12, 13) else t for t in range(40)]
    assert image.frames is not None
    assert [t for t in range(40) if not image.frames.exists({"t": t})] == [12, 13]
    assert dataset.metadata["frames"] == 38
    assert dataset.problems[-1] == (
        "run: 38 of 40 frames are here, the others are zeros; "
        "2 cannot be read: time=12, time=13"
    )


@pytest.mark.parametrize("lost", [(0, 1), (1, 2), (1, 2, 3)])
def test_planes_that_are_lost_do_not_move_the_others(
    tmp_path: Path, lost: tuple[int, ...]
) -> None:
    with NDTiffWriter(tmp_path / "run", summary={}) as writer:
        for z in range(5):
            frame = np.full((4, 6), z, "u2")
            writer.put({"z": z - 2}, frame, {"ZPositionUm": 10 + 0.5 * z})
    _lose(tmp_path / "run", *lost)
    (image,) = open_ndtiff(tmp_path / "run").images
    assert _numbers(image) == [0 if z in lost else z for z in range(5)]
    assert image.axes[0] == Axis("z", "space", "micrometer", 0.5, -1.0)


def test_a_channel_that_is_lost_keeps_its_number(tmp_path: Path) -> None:
    folder = _store(
        tmp_path / "run", [{"channel": c} for c in range(3)], metadata={"Channel": "x"}
    )
    _lose(folder, 1)
    (image,) = open_ndtiff(folder).images
    assert _numbers(image) == [0, 0, 2]
    assert [c.name for c in image.channels] == ["x", "Channel 1", "x"]


def test_no_other_frame_is_shown_in_place_of_a_lost_one(tmp_path: Path) -> None:
    axes = [{"time": 0}, {"time": 0, "z": 0}, {"time": 0, "z": 1}]
    _lose(_store(tmp_path / "run", axes), 1)
    dataset = open_ndtiff(tmp_path / "run")
    (image,) = dataset.images
    assert _numbers(image) == [[0, 2]]
    assert image.frames is not None
    assert not image.frames.exists({})
    assert image.frames.axes({}) == {"time": 0, "z": 0}
    assert dataset.problems[-2:] == (
        "run: 1 frames have no axis 'z' and are hidden by others",
        "run: 1 of 2 frames are here, the others are zeros; "
        "1 cannot be read: time=0 z=0",
    )


def test_a_lost_frame_of_any_size_is_of_the_image_of_its_position(
    tmp_path: Path,
) -> None:
    axes = [{"position": p, "time": t} for p in (0, 1, 2) for t in (0, 1, 2)]
    folder = _store(tmp_path / "run", axes)
    _lose(folder, 1, field=1, value=2**31)  # width
    _lose(folder, 6, 7, 8)
    dataset = open_ndtiff(folder)
    assert [image.name for image in dataset.images] == ["Pos0", "Pos1"]
    assert [_numbers(image) for image in dataset.images] == [[0, 0, 2], [3, 4, 5]]
    assert any("3 frames that cannot be read are in no" in p for p in dataset.problems)


def test_a_lost_frame_among_sizes_is_of_the_image_of_its_size(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for time in range(6):
            shape = (4, 6) if time % 2 else (5, 6)
            writer.put({"time": time}, np.full(shape, time, "u2"))
    _lose(tmp_path / "run", 3)
    _lose(tmp_path / "run", 4, field=3, value=99)  # pixel type
    small, large = open_ndtiff(tmp_path / "run").images
    assert (_numbers(small), _numbers(large)) == ([1, 0, 5], [0, 2])


def test_frames_that_were_not_taken_read_as_zeros(tmp_path: Path) -> None:
    axes = [{"time": t, "z": z} for t in (0, 1) for z in (0, 1, 2)][:-1]
    dataset = open_ndtiff(_store(tmp_path / "run", [{"time": 0, "z": 0}, *axes[1:]]))
    assert _numbers(dataset.images[0]) == [[0, 1, 2], [3, 4, 0]]
    assert dataset.problems == ("run: 5 of 6 frames are here, the others are zeros",)


def test_many_incomplete_images_do_not_flood_the_problems(tmp_path: Path) -> None:
    axes = [
        {"position": p, "time": t, "z": z}
        for p in range(60)
        for t, z in ((0, 0), (1, 1))
    ]
    dataset = open_ndtiff(_store(tmp_path / "run", axes))
    assert len(dataset.images) == 60
    assert len(dataset.problems) == 21
    assert dataset.problems[-1] == "40 more images are incomplete"


def test_sparse_axes_cost_nothing(tmp_path: Path) -> None:
    axes = [{"time": i * 7, "a": i, "b": f"s{i}", "z": -i} for i in range(300)]
    (image,) = open_ndtiff(_store(tmp_path / "run", axes)).images
    level = image.levels[0]
    assert level.shape == (300, 300, 300, 300, 4, 6)
    assert int(np.asarray(level[7, 7, 7, -8, 0, 0])) == 7
    assert int(np.asarray(level[7, 7, 7, -9, 0, 0])) == 0


def test_frames_of_other_sizes_and_types_are_images_of_their_own(
    tmp_path: Path,
) -> None:
    kinds = [
        np.full((4, 6), 1, "u2"),
        np.full((4, 6), 2, "u1"),
        np.full((4, 6, 3), 3, "u1"),
        np.full((5, 6), 4, "u2"),
    ]
    with NDTiffWriter(tmp_path / "run") as writer:
        for time in range(8):
            writer.put({"time": time, "channel": f"c{time % 2}"}, kinds[time % 4])
    dataset = open_ndtiff(tmp_path / "run")
    assert [image.name for image in dataset.images] == [
        "run (6 x 4 uint8)",
        "run (6 x 4 uint16)",
        "run (6 x 4 uint8)",
        "run (6 x 5 uint16)",
    ]
    assert [image.rgb for image in dataset.images] == [False, False, True, False]
    for image, value in zip(dataset.images, (2, 1, 3, 4), strict=True):
        pixels = np.asarray(image.levels[0])
        assert pixels.dtype == ("u1" if value in (2, 3) else "u2")
        assert (pixels == value).all()
        assert len(pixels) == 2
    assert dataset.images[2].axis_names == ("t", "c", "y", "x", "rgb")


def test_a_frame_of_another_size_is_not_shown_among_others(tmp_path: Path) -> None:
    small, large = np.full((4, 6), 1, "u2"), np.full((8, 6), 2, "u2")
    with NDTiffWriter(tmp_path / "run") as writer:
        for time, z in np.ndindex(2, 2):
            writer.put({"time": time, "z": z}, small if time == z else large)
    first, second = open_ndtiff(tmp_path / "run").images
    assert _numbers(first) == [[1, 0], [0, 1]]
    assert _numbers(second) == [[0, 2], [2, 0]]
    assert second.levels[0].shape == (2, 2, 8, 6)


def test_depths_of_one_type_stay_together(tmp_path: Path) -> None:
    with NDTiffWriter(tmp_path / "run") as writer:
        for time, bits in enumerate((12, 16, None)):
            writer.put({"time": time}, np.full((4, 6), time, "u2"), bit_depth=bits)
    (image,) = open_ndtiff(tmp_path / "run").images
    assert _numbers(image) == [0, 1, 2]
    assert image.bit_depth == 12


def test_custom_axes_cannot_take_the_names_of_ours(tmp_path: Path) -> None:
    axes = [{"y": i, "x": "a", "rgb": 0, "t": 0, "time": 0} for i in range(2)]
    (image,) = open_ndtiff(_store(tmp_path / "run", axes)).images
    assert len(set(image.axis_names)) == len(image.axis_names) == 7
    assert image.axis_names[-2:] == ("y", "x")
    assert "rgb" not in image.axis_names


def test_names_that_cannot_be_shown_are_mended(tmp_path: Path) -> None:
    axes = [{"position": "a\ud800", "channel": "b\ud800", "q\ud800": 0}]
    (image,) = open_ndtiff(_store(tmp_path / "run", axes)).images
    for text in (image.name, image.channels[0].name, *image.axis_names):
        text.encode()


def test_the_name_drops_our_suffix(tmp_path: Path) -> None:
    folder = _store(tmp_path / "cells_001.ndtiff", [{"time": 0}])
    assert open_ndtiff(folder).images[0].name == "cells_001"


def test_dataset_facts(tmp_path: Path) -> None:
    folder = _store(tmp_path / "run", [{"time": 0}, {"time": 0}], summary={"a": 1})
    dataset = open_ndtiff(folder / "NDTiff.index")
    assert (dataset.format, dataset.format_version) == ("ndtiff", "3.3")
    assert dataset.path == str(folder)
    assert dataset.metadata == {"frames": 1, "files": 1, "summary": {"a": 1}}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files")
def test_an_open_data_set_holds_no_file_until_pixels_are_read(tmp_path: Path) -> None:
    def open_files() -> list[str]:
        links = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
        return [link for link in links if link.startswith(str(tmp_path))]

    dataset = open_ndtiff(_store(tmp_path / "run", [{"time": 0}]))
    assert open_files() == []
    np.asarray(dataset.images[0].levels[0])
    assert len(open_files()) == 1
    del dataset
    gc.collect()
    assert open_files() == []
