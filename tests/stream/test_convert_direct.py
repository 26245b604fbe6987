"""OME-Zarr told again in another version, and work on a cluster: all or nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from tests.formats.ngff.ngff_stores import pixels, write_image
from tests.formats.ngff.object_servers import serving
from tests.stream.plates import foreign_image, foreign_plate

from napari_scope.errors import (
    DiskSpaceError,
    FormatError,
    OutputExistsError,
    SettingsError,
)
from napari_scope.formats import open_dataset
from napari_scope.formats.ndtiff import NDTiffWriter
from napari_scope.formats.replacing import name_aside
from napari_scope.stream.conversion import blocks as convert_blocks
from napari_scope.stream.conversion import direct as convert_direct
from napari_scope.stream.conversion import layout as convert_layout
from napari_scope.stream.conversion.blocks import block_shape, blocks
from napari_scope.stream.conversion.tasks import Cluster
from napari_scope.stream.convert import convert

if TYPE_CHECKING:
    from pathlib import Path

    from napari_scope.stream.convert import ConversionProgress


def valid(path: Path) -> None:
    """Let yaozarrs judge a store, warnings included."""
    yaozarrs = pytest.importorskip("yaozarrs")
    yaozarrs.validate_zarr_store(str(path))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("before", ["0.4", "0.5"])
@pytest.mark.parametrize("after", ["0.4", "0.5"])
def test_a_plate_stays_a_plate(tmp_path: Path, before: str, after: str) -> None:
    source, target = tmp_path / "a.zarr", tmp_path / "b.ome.zarr"
    fields = foreign_plate(source, before)
    report = convert(source, target, version=after)
    assert report.complete
    assert report.notes == ()
    assert report.verified == report.frames == 12  # 4 x (2 channels + labels)
    assert names_in(tmp_path) == ["a.zarr", "b.ome.zarr"]
    valid(target)
    was, now = open_dataset(source), open_dataset(target)
    assert now.format_version == after
    assert [i.metadata["path"] for i in now.images] == list(fields)
    for old, new in zip(was.images, now.images, strict=True):
        assert new.axes == old.axes
        assert new.channels == old.channels
        for level, copy in zip(old.levels, new.levels, strict=True):
            np.testing.assert_array_equal(np.asarray(copy), np.asarray(level))
        assert new.labels[0].colors == old.labels[0].colors
        assert new.labels[0].properties == old.labels[0].properties
        assert new.labels[0].axes == old.labels[0].axes
    root = zarr.open_group(target, mode="r")
    for path, data in fields.items():  # by another library
        np.testing.assert_array_equal(np.asarray(root[f"{path}/0"]), data)
        assert root[path].attrs["by_me"] == {"kept": [1, 2]}
    plate: Any = root.attrs["plate"] if after == "0.4" else root.attrs["ome"]["plate"]
    assert [a["id"] for a in plate["acquisitions"]] == [1, 4]
    assert [w["columnIndex"] for w in plate["wells"]] == [2, 1]
    assert [row["name"] for row in plate["rows"]] == ["A", "B"]
    well: Any = root["B/2"].attrs
    images = (well if after == "0.4" else well["ome"])["well"]["images"]
    assert images[1] == {"path": "f1", "acquisition": 4}


def test_fields_of_a_plate_that_are_chosen(tmp_path: Path) -> None:
    fields = foreign_plate(tmp_path / "a.zarr")
    one, two = tmp_path / "one.ome.zarr", tmp_path / "two.ome.zarr"
    assert convert(tmp_path / "a.zarr", one, images=["B/2/f1"]).complete
    root = zarr.open_group(one, mode="r")
    np.testing.assert_array_equal(np.asarray(root["0"]), fields["B/2/f1"])
    assert "nuclei" in root["labels"]
    assert convert(tmp_path / "a.zarr", two, images=["A/10/0", 3]).complete
    found = [image.metadata["path"] for image in open_dataset(two).images]
    assert found == ["A/10/0", "B/2/f1"]
    valid(one)
    valid(two)


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3"])
def test_old_versions(tmp_path: Path, version: str) -> None:
    data = np.random.default_rng(1).integers(1, 900, (1, 2, 1, 48, 80), dtype="u2")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    foreign_image(group, data, "tczyx", version)
    assert convert(tmp_path / "a.zarr", tmp_path / "b.ome.zarr").complete
    valid(tmp_path / "b.ome.zarr")
    root = zarr.open_group(tmp_path / "b.ome.zarr", mode="r")
    np.testing.assert_array_equal(np.asarray(root["0"]), data)
    ome: Any = root.attrs["ome"]
    second = ome["multiscales"][0]["datasets"][1]["coordinateTransformations"]
    assert second[0]["scale"] == [1, 1, 1, 2, 2]
    assert [c["label"] for c in ome["omero"]["channels"]] == ["DAPI", "GFP"]


def test_how_pixels_are_packed(tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(1, 900, (3, 600, 700), dtype="u2")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    foreign_image(group, data, "zyx", "0.5", levels=1)
    target = tmp_path / "b.ome.zarr"
    convert(
        tmp_path / "a.zarr", target, version="0.4", compression="zstd", chunk_px=100,
        levels=3,
    )  # fmt: skip
    root: Any = zarr.open_group(target, mode="r")
    assert [root[str(n)].shape[1:] for n in range(3)] == [
        (600, 700),
        (300, 350),
        (150, 175),
    ]
    assert root["0"].chunks == (1, 100, 100)
    assert type(root["0"].compressors[0]).__name__ == "Zstd"
    np.testing.assert_array_equal(np.asarray(root["0"]), data)
    mean = data.reshape(3, 300, 2, 350, 2).mean((2, 4))
    assert np.abs(np.asarray(root["1"]) - mean).max() <= 0.5
    valid(target)
    # What was compressed stays so; a pyramid is made where there is none.
    convert(tmp_path / "a.zarr", tmp_path / "c.ome.zarr")
    root = zarr.open_group(tmp_path / "c.ome.zarr", mode="r")
    assert "1" in root
    assert root["0"].metadata.codecs[0].codecs[-1].to_dict()["name"] == "blosc"


def test_a_collection_with_its_names(tmp_path: Path) -> None:
    source = tmp_path / "a"
    with NDTiffWriter(source) as writer:
        for position in ("left", "right"):
            for t in range(3):
                frame = np.full((16, 24), 1 + t, "u2")
                writer.put({"position": position, "time": t}, frame)
    there, again = tmp_path / "b.ome.zarr", tmp_path / "c.ome.zarr"
    convert(source, there)
    (there / "acquisition").rename(tmp_path / "journal")  # of another program now
    report = convert(there, again, version="0.4")
    assert report.complete
    assert [i.name for i in open_dataset(again).images] == ["left", "right"]
    valid(again)
    one = convert(there, tmp_path / "d.ome.zarr", images=["right"])
    assert one.images == 1


def test_axes_get_the_order_of_the_standard(tmp_path: Path) -> None:
    data = np.arange(4 * 5 * 6, dtype="f4").reshape(4, 5, 6)
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    foreign_image(group, data, "xyz", levels=1)
    assert convert(tmp_path / "a.zarr", tmp_path / "b.ome.zarr").complete
    (image,) = open_dataset(tmp_path / "b.ome.zarr").images
    assert image.axis_names == ("z", "y", "x")
    np.testing.assert_array_equal(np.asarray(image.levels[0]), data.transpose())


def test_from_an_address_and_from_a_zip_file(tmp_path: Path) -> None:
    fields = foreign_plate(tmp_path / "a.zarr", "0.5")
    archive = shutil.make_archive(str(tmp_path / "b.zarr"), "zip", tmp_path / "a.zarr")
    with serving(tmp_path) as server:
        for number, source in enumerate((archive, f"{server.address}/a.zarr")):
            target = tmp_path / f"{number}.ome.zarr"
            report = convert(source, target, version="0.4")
            assert report.complete
            assert str(report.source) == source
            root = zarr.open_group(target, mode="r")
            for path, data in fields.items():
                np.testing.assert_array_equal(np.asarray(root[f"{path}/0"]), data)
                assert "nuclei" in root[f"{path}/labels"]


# ------------------------------------------------------------------ what goes wrong


def test_a_disk_that_is_too_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign_plate(tmp_path / "a.zarr")
    monkeypatch.setattr(convert_direct, "free_bytes", lambda path: 1000)
    with pytest.raises(DiskSpaceError, match="the disk has"):
        convert(tmp_path / "a.zarr", tmp_path / "b.ome.zarr", compression="none")
    assert names_in(tmp_path) == ["a.zarr"]


def test_the_target_is_on_the_medium_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has converted may delete the source."""
    foreign_plate(tmp_path / "a.zarr")
    target, synced = tmp_path / "b.ome.zarr", []

    def sync(folder: Path) -> None:
        synced.append((target.exists(), (folder / "zarr.json").is_file()))

    monkeypatch.setattr(convert_direct, "sync_tree", sync)
    assert convert(tmp_path / "a.zarr", target).complete
    assert synced == [(False, True)]


def test_a_chunk_that_cannot_be_read(tmp_path: Path) -> None:
    source, target = tmp_path / "a.zarr", tmp_path / "b.ome.zarr"
    foreign_plate(source)
    (source / "A/10/0/0/0/0/0").write_bytes(b"damaged")
    with pytest.raises(FormatError, match="nothing is left of the target"):
        convert(source, target)
    assert names_in(tmp_path) == ["a.zarr"]
    report = convert(source, target, on_error="skip")
    assert not report.complete
    assert [frame.axes["array"] for frame in report.unread] == ["A/10/0/0"]
    assert report.wrong == ()
    (first, *rest) = open_dataset(target).images
    assert [bool(plane.any()) for plane in np.asarray(first.levels[0])] == [False, True]
    assert all(np.asarray(image.levels[0]).any() for image in rest)


def test_a_damaged_chunk_costs_its_own_planes_only(tmp_path: Path) -> None:
    source = tmp_path / "a.zarr"
    data = pixels((3, 2, 32, 48))
    write_image(
        source, "tcyx", data, 2, options={"chunks": (1, 1, 16, 16), "fill_value": 0}
    )
    (source / "0/c/1/1/0/2").write_bytes(b"damaged")
    (source / "0/c/1/1/1/0").write_bytes(b"damaged")
    (source / "1/c/0/0/0/0").write_bytes(b"damaged")
    for number, version in enumerate(("0.4", "0.5")):
        target = tmp_path / f"{number}.ome.zarr"
        report = convert(source, target, on_error="skip", version=version)
        assert [frame.axes for frame in report.unread] == [
            {"array": "0", "t": 1, "c": 1},
            {"array": "1", "t": 0, "c": 0},
        ]
        assert (report.frames, report.written, report.verified) == (6, 5, 5)
        assert (report.complete, report.wrong) == (False, ())
        expected = data.copy()
        expected[1, 1] = 0
        (image,) = open_dataset(target).images
        np.testing.assert_array_equal(np.asarray(image.levels[0]), expected)
        coarse = data[..., ::2, ::2].copy()
        coarse[0, 0] = 0
        np.testing.assert_array_equal(np.asarray(image.levels[1]), coarse)


def test_what_was_written_wrong_is_found(tmp_path: Path) -> None:
    foreign_plate(tmp_path / "a.zarr")

    def spoil(now: ConversionProgress) -> None:
        if now.phase == "converting" and now.done == now.total:
            (hidden,) = tmp_path.glob(".b.ome.zarr.saving-*")
            shard = hidden / "store" / "B/2/0/0/c/0/0/0"
            shard.write_bytes(b"\1" + shard.read_bytes()[1:])

    report = convert(
        tmp_path / "a.zarr",
        tmp_path / "b.ome.zarr",
        compression="none",
        progress=spoil,
    )
    assert not report.complete
    assert report.wrong == ("B/2/0/0 from c=0, y=0, x=0",)
    assert report.verified is not None
    assert report.verified < report.written


def test_a_field_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    source = tmp_path / "a.zarr"
    foreign_plate(source)
    (source / "B/2/f1/.zattrs").write_text("{")
    report = convert(source, tmp_path / "b.ome.zarr")
    assert any("B/2/f1" in note for note in report.notes)
    assert len(open_dataset(tmp_path / "b.ome.zarr").images) == 3
    valid(tmp_path / "b.ome.zarr")


@pytest.mark.parametrize("phase", ["converting", "verifying"])
def test_cancelled(tmp_path: Path, phase: str) -> None:
    foreign_plate(tmp_path / "a.zarr")

    def progress(now: ConversionProgress) -> bool:
        return not (now.phase == phase and now.done > 0)

    report = convert(tmp_path / "a.zarr", tmp_path / "b.ome.zarr", progress=progress)
    assert (report.state, report.written) == ("cancelled", 0)
    assert names_in(tmp_path) == ["a.zarr"]


def test_killed(tmp_path: Path) -> None:
    """The target never has its name before it is complete."""
    foreign_plate(tmp_path / "a.zarr")
    code = (
        "import sys, time\n"
        "from napari_scope.stream.convert import convert\n"
        "def slow(now):\n"
        "    if now.phase == 'converting' and now.done:\n"
        "        print('begun', flush=True); time.sleep(60)\n"
        "convert(sys.argv[1], sys.argv[2], progress=slow)\n"
    )
    arguments = [str(tmp_path / "a.zarr"), str(tmp_path / "b.ome.zarr")]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode != 0
    assert not (tmp_path / "b.ome.zarr").exists()
    assert convert(*arguments).complete


def test_somebody_else_makes_the_target(tmp_path: Path) -> None:
    foreign_plate(tmp_path / "a.zarr")
    target = tmp_path / "b.ome.zarr"

    def progress(now: ConversionProgress) -> None:
        if now.phase == "verifying":
            target.mkdir(exist_ok=True)

    with pytest.raises(OutputExistsError, match="somebody else"):
        convert(tmp_path / "a.zarr", target, progress=progress)
    assert names_in(target) == []


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    foreign_plate(tmp_path / "a.zarr")
    for target, options, words in (
        ("b.ndtiff", {"version": "0.4"}, "no version"),
        ("b.ndtiff", {"scheduler": "tcp://127.0.0.1:1"}, "cluster converts to"),
        ("b.ome.zarr", {"compression": "lzw"}, "no compression"),
        ("b.ome.tiff", {"chunk_px": 5}, "not cut into chunks"),
    ):
        more: dict[str, Any] = options
        with pytest.raises(SettingsError, match=words):
            convert(tmp_path / "a.zarr", tmp_path / target, **more)
    assert names_in(tmp_path) == ["a.zarr"]


def test_huge_chunks_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert_layout, "_MAX_CHUNK", 1000)
    monkeypatch.setattr(convert_layout, "_TILE", 16)
    data = np.ones((3, 64, 64), "u2")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    foreign_image(group, data, "zyx", levels=1)
    convert(tmp_path / "a.zarr", tmp_path / "b.ome.zarr", levels=1)
    root: Any = zarr.open_group(tmp_path / "b.ome.zarr", mode="r")
    assert root["0"].chunks == (1, 16, 16)
    np.testing.assert_array_equal(np.asarray(root["0"]), data)


def test_blocks_are_whole_chunks_and_cover_all() -> None:
    shape, chunk = (5, 3000, 2100), (2, 1024, 1000)
    block = block_shape(shape, chunk, 8)
    assert all(b % c == 0 for b, c in zip(block, chunk, strict=True))
    covered = sum(
        int(np.prod([b - a for a, b in bounds])) for bounds in blocks(shape, block)
    )
    assert covered == 5 * 3000 * 2100


# ------------------------------------------------------------------ a cluster


@pytest.fixture(scope="module")
def scheduler() -> Any:
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        )
        yield cluster.scheduler_address
        cluster.close()


def same_files(one: Path, two: Path) -> None:
    first = {p.relative_to(one): p.read_bytes() for p in one.rglob("*") if p.is_file()}
    second = {p.relative_to(two): p.read_bytes() for p in two.rglob("*") if p.is_file()}
    assert first.keys() == second.keys()
    assert all(first[path] == second[path] for path in first)


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_writes_the_same_as_threads(tmp_path: Path, scheduler: str) -> None:
    foreign_plate(tmp_path / "a.zarr")
    options: dict[str, Any] = {"compression": "blosc-zstd", "levels": 3}
    here, there = tmp_path / "b.ome.zarr", tmp_path / "c.ome.zarr"
    assert convert(tmp_path / "a.zarr", here, **options).complete
    report = convert(tmp_path / "a.zarr", there, scheduler=scheduler, **options)
    assert report.complete
    same_files(here, there)


@pytest.mark.filterwarnings("ignore")
def test_ndtiff_on_a_cluster(tmp_path: Path, scheduler: str) -> None:
    source, target = tmp_path / "a", tmp_path / "b.ome.zarr"
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 900, (6, 2, 700, 600), dtype="u2")
    with NDTiffWriter(source) as writer:
        for t, c in np.ndindex(6, 2):
            name = ("GFP", "DAPI")[c]
            writer.put({"time": t, "channel": name}, frames[t, c], {"Exposure": 1})
    report = convert(source, target, scheduler=scheduler)
    assert report.complete
    assert any("single frames" in note for note in report.notes)
    root: Any = zarr.open_group(target, mode="r")
    np.testing.assert_array_equal(np.asarray(root["0"]), frames)
    assert root["1"].shape == (6, 2, 350, 300)
    names = [channel.name for channel in open_dataset(target).images[0].channels]
    assert names == ["GFP", "DAPI"]
    valid(target)


def test_no_scheduler_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("napari_scope.stream.conversion.tasks._CONNECT_S", 0.5)
    foreign_plate(tmp_path / "a.zarr")
    with pytest.raises(SettingsError, match="no scheduler answers"):
        convert(
            tmp_path / "a.zarr", tmp_path / "b.ome.zarr", scheduler="tcp://127.0.0.1:9"
        )


def test_what_a_killed_conversion_left_goes(tmp_path: Path) -> None:
    foreign_plate(tmp_path / "a.zarr")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    target = tmp_path / "b.ome.zarr"
    name = name_aside(target).name.replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    (tmp_path / name / "store").mkdir(parents=True)
    convert(tmp_path / "a.zarr", target)
    assert names_in(tmp_path) == ["a.zarr", "b.ome.zarr"]


def test_workers_that_die_cost_nothing(
    tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their blocks, and the sources that only they had, are sent to others."""
    from distributed import Client

    monkeypatch.setattr(convert_blocks, "_BLOCK_BYTES", 4096)
    data = np.arange(40 * 64 * 64).reshape(40, 64, 64).astype("u2")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    foreign_image(group, data, "zyx", levels=1)
    killed: list[int] = []

    def kill(now: ConversionProgress) -> None:
        if now.done and not killed:
            with Client(scheduler) as client:
                killed.extend(client.run(os.getpid).values())
            for process in killed:
                os.kill(process, signal.SIGKILL)

    report = convert(
        tmp_path / "a.zarr",
        tmp_path / "b.ome.zarr",
        levels=1,
        chunk_px=32,
        scheduler=scheduler,
        progress=kill,
    )
    assert len(killed) == 2
    assert report.complete and report.verified == 40
    (image,) = open_dataset(tmp_path / "b.ome.zarr").images
    np.testing.assert_array_equal(image.levels[0][:, :, :], data)


def test_what_is_sent_to_a_worker_that_dies_goes_to_another(
    scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import Client

    scatter, refused = Client.scatter, []

    def dying(self: Client, data: object, **options: object) -> object:
        if len(refused) < 2:
            refused.append(data)
            raise OSError("Stream is closed")
        return scatter(self, data, **options)

    monkeypatch.setattr(Client, "scatter", dying)
    with Client(scheduler) as client:
        (done,) = Cluster(client).run([("a", len, ([1, 2, 3],))])
    assert done == ("a", 3)
    assert len(refused) == 2


def test_a_block_that_was_begun_is_written_anew(tmp_path: Path) -> None:
    data = np.ones((4, 4), "u2")
    for version in (2, 3):
        target = convert_blocks.BlockTarget(
            str(tmp_path / str(version)),
            (4, 4),
            (4, 4),
            (4, 4),
            "uint16",
            None,
            version,
        )
        convert_blocks.create_array(target, ("y", "x"))
        bounds = ((0, 4), (0, 4))
        convert_blocks.copy_block(data, target, bounds)
        (file,) = (p for p in (tmp_path / str(version)).rglob("0") if p.is_file())
        file.write_bytes(b"")
        convert_blocks.copy_block(data, target, bounds)
        assert convert_blocks.compare_block(data, target, bounds)
