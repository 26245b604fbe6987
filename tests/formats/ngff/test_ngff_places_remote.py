from __future__ import annotations

import json
import pickle
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import numcodecs
import numpy as np
import pytest
import zarr
from tests.formats.ngff.ngff_stores import pixels, write_image, write_plate
from tests.formats.ngff.object_servers import Served, serving

from napari_scope.errors import FormatError
from napari_scope.formats import open_dataset
from napari_scope.formats.ngff import pixels as pixels_module
from napari_scope.formats.ngff.pixels import ZarrSource
from napari_scope.formats.ngff.place import remote as places_remote
from napari_scope.formats.ngff.place.remote import TIMEOUT_VARIABLE, RemotePlace
from napari_scope.formats.ngff.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_way_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Ports are used again by the next test; nothing of this user's S3 counts."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PROFILE", "NO_SIGN_REQUEST"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    delays = {"max_retries": 1, "initial_delay": "10ms", "max_delay": "20ms"}
    monkeypatch.setattr(places_remote, "_RETRIES", delays)
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / "no such file"))
    yield
    places_remote._link.cache_clear()
    places_remote.shared_context.cache_clear()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as server:
        yield server


def whole(source: ZarrSource) -> Any:
    return source.read(tuple(slice(0, n) for n in source.shape))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("ending", ["", "/", "/zarr.json", "/.zattrs", "?token=a%2Fb"])
def test_an_image_behind_an_address(
    tmp_path: Path, served: Served, zarr_format: int, ending: str
) -> None:
    data = pixels((2, 6, 8))
    write_image(tmp_path / "a b.zarr", "cyx", data, 2, zarr_format=zarr_format)
    dataset = open_dataset(f"{served.address}/a b.zarr{ending}")
    assert dataset.problems == ()
    assert dataset.images[0].name == "a b"
    first, second = dataset.images[0].levels
    np.testing.assert_array_equal(np.asarray(first), data)
    np.testing.assert_array_equal(np.asarray(second), data[:, ::2, ::2])
    if "token" in ending:
        assert all(asked.endswith("?token=a%2Fb") for asked in served.asked)


@pytest.mark.parametrize("way", ["http", "s3"])
def test_signs_that_mean_something_in_addresses(
    tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    data = pixels((4, 4))
    write_image(tmp_path / "bucket" / "a b.zarr" / "x #1?%20+&ü", "yx", data)
    monkeypatch.setenv("AWS_ENDPOINT_URL", served.address)
    root = f"{served.address}/bucket/a%20b.zarr"
    if way == "s3":
        root = "s3://bucket/a b.zarr"
    # Servers of S3 take names as they are, and browsers copy addresses quoted.
    store = Store(root)
    assert store.title == "a b.zarr"
    assert "ome" in store.attributes("x #1?%20+&ü")
    source = ZarrSource(store.array("x #1?%20+&ü/0"))
    np.testing.assert_array_equal(whole(source), data)
    # Without the detour over zarr-python.
    assert isinstance(source._reader(), pixels_module._TensorStoreReader)


def test_a_plate_is_asked_for_only_what_is_needed(
    tmp_path: Path, served: Served
) -> None:
    written = write_plate(tmp_path / "p.zarr", {"A/1": ["0", "1"], "B/2": ["0"]})
    dataset = open_dataset(f"{served.address}/p.zarr")
    assert [image.name for image in dataset.images] == ["A/1/0", "A/1/1", "B/2/0"]
    # The plate, its wells, its fields, one level of each, and no look for labels twice.
    documents = [asked for asked in served.asked if asked.endswith("/zarr.json")]
    assert len(documents) == len(set(documents))
    for image in dataset.images:
        np.testing.assert_array_equal(np.asarray(image.levels[0]), written[image.name])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_many_groups_and_arrays_at_once(
    tmp_path: Path, served: Served, zarr_format: int
) -> None:
    wells = {f"A/{n}": ["0"] for n in range(1, 13)}
    write_plate(tmp_path / "p.zarr", wells, zarr_format=zarr_format)
    store, near = Store(f"{served.address}/p.zarr"), Store(tmp_path / "p.zarr")
    assert (store.local, near.local) == (False, True)
    store.attributes()
    paths = [*wells, "gone", "../x"]
    for answers in (store.many(paths), near.many(paths)):
        assert [isinstance(a, FormatError) for a in answers] == [False] * 12 + [
            True
        ] * 2
    assert store.many(paths)[:12] == near.many(paths)[:12]
    served.asked.clear()
    levels = [f"{well}/0/0" for well in wells]
    far, here = store.arrays([*levels, "A/1"]), near.arrays([*levels, "A/1"])
    assert isinstance(far[-1], FormatError)
    assert isinstance(here[-1], FormatError)
    for a, b in zip(far[:-1], here[:-1], strict=True):
        assert not isinstance(a, FormatError)
        assert not isinstance(b, FormatError)
        assert (a.shape, a.dtype, a.chunks) == (b.shape, b.dtype, b.chunks)
    if zarr_format == 2:
        # The version is known from the root, so zarr.json is not asked for first.
        assert sum(a.endswith("zarr.json") for a in served.asked) <= 1


def test_documents_are_asked_for_at_the_same_time_but_not_all(
    tmp_path: Path, served: Served
) -> None:
    write_plate(tmp_path / "p.zarr", {f"A/{n}": ["0"] for n in range(1, 41)})
    served.fault = lambda path: threading.Event().wait(0.05) and None
    store = Store(f"{served.address}/p.zarr")
    store.many([f"A/{n}" for n in range(1, 41)])
    assert 1 < served.most_at_once <= 16


CASES: dict[str, dict[str, Any]] = {
    "v3": {"chunks": (1, 4, 5)},
    "sharded": {"chunks": (1, 4, 5), "shards": (2, 8, 10)},
    "v2 slash": {
        "zarr_format": 2,
        "chunk_key_encoding": {"name": "v2", "separator": "/"},
    },
    "v2 for zarr-python": {"zarr_format": 2, "filters": [numcodecs.Delta("<u2")]},
}


@pytest.mark.parametrize("way", ["http", "s3", "http zip", "s3 zip"])
@pytest.mark.parametrize("case", CASES)
def test_pixels_are_what_zarr_python_reads(
    tmp_path: Path,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    way: str,
) -> None:
    data = pixels((4, 8, 10))
    folder = tmp_path / "bucket" / "key" / "a.zarr"
    zarr.create_array(str(folder / "0"), data=data, **CASES[case])
    name = "a.zarr"
    if way.endswith("zip"):
        name = "a.ozx"
        with zipfile.ZipFile(folder.with_name(name), "w") as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(folder))
    root = f"{served.address}/bucket/key/{name}"
    if way.startswith("s3"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.address)
        root = f"s3://bucket/key/{name}"
    source = ZarrSource(Store(root).array("0"))
    for _ in range(2):
        np.testing.assert_array_equal(whole(source), zarr.open_array(folder / "0")[...])
    again = pickle.loads(pickle.dumps(source))
    inside = (slice(1, 4, 2), slice(2, 7), slice(0, 10, 3))
    np.testing.assert_array_equal(again.read(inside), data[inside])


def test_chunks_are_fetched_once(tmp_path: Path, served: Served) -> None:
    data = pixels((4, 8))
    zarr.create_array(str(tmp_path / "a.zarr"), data=data, chunks=(2, 8))
    source = ZarrSource(Store(f"{served.address}/a.zarr").array(""))
    for _ in range(3):
        np.testing.assert_array_equal(whole(source), data)
    assert sum("/c/" in asked for asked in served.asked) == 2


def test_missing_chunks_are_the_fill_value(tmp_path: Path, served: Served) -> None:
    array = zarr.create_array(
        str(tmp_path / "a.zarr"), shape=(4, 8), chunks=(2, 8), dtype="u1", fill_value=7
    )
    array[:2] = 1
    source = ZarrSource(Store(f"{served.address}/a.zarr").array(""))
    np.testing.assert_array_equal(whole(source), np.repeat([1, 7], 16).reshape(4, 8))


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        (401, "refused it (HTTP 401)"),
        (403, "refused it (HTTP 403)"),
        (404, "zarr.json, .zattrs or .zgroup was expected"),
        (302, "has moved (HTTP 302)"),
        (500, "server failed (HTTP 500)"),
        ("stall", "no answer within 0.3 s"),
        ("cut", "connection broke"),
    ],
)
def test_what_a_server_does_to_a_document(
    tmp_path: Path,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    fault: int | str,
    part: str,
) -> None:
    monkeypatch.setenv(TIMEOUT_VARIABLE, "0.3" if fault == "stall" else "20")
    write_image(tmp_path / "a.zarr", "yx", pixels((4, 4)))
    served.fault = lambda path: fault
    with pytest.raises(FormatError) as caught:
        open_dataset(f"{served.address}/a.zarr?token=secret")
    assert part in str(caught.value)
    assert f"{served.address}/a.zarr" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_server_that_ignores_ranges(tmp_path: Path, served: Served) -> None:
    data = pixels((8, 16))
    folder = tmp_path / "a.zarr"
    zarr.create_array(str(folder / "0"), data=data, chunks=(8, 16))
    zarr.create_array(str(folder / "1"), data=data, chunks=(2, 8), shards=(8, 16))
    served.fault = lambda path: "whole"
    store = Store(f"{served.address}/a.zarr")
    np.testing.assert_array_equal(whole(ZarrSource(store.array("0"))), data)
    with pytest.raises(FormatError, match="does not hand out parts of files"):
        ZarrSource(store.array("1")).read((slice(0, 2), slice(0, 8)))


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        (403, "refused it (HTTP 403)"),
        (500, "server failed (HTTP 500)"),
        ("stall", "no answer within 0.5 s"),
        ("cut", "connection broke"),
    ],
)
def test_what_a_server_does_to_pixels(
    tmp_path: Path,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    fault: int | str,
    part: str,
) -> None:
    monkeypatch.setenv(TIMEOUT_VARIABLE, "0.5" if fault == "stall" else "20")
    data = pixels((4, 8))
    zarr.create_array(str(tmp_path / "a.zarr"), data=data)
    source = ZarrSource(Store(f"{served.address}/a.zarr").array(""))
    served.fault = lambda path: fault if "/c/" in path else None
    with pytest.raises(FormatError) as caught:
        whole(source)
    assert part in str(caught.value)
    assert caught.value.path == f"{served.address}/a.zarr"
    # When the server has recovered, so has the layer.
    served.fault = lambda path: None
    places_remote._link.cache_clear()
    np.testing.assert_array_equal(whole(source), data)


def test_a_silent_server_is_waited_for_once(
    tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TIMEOUT_VARIABLE, "0.3")
    write_plate(tmp_path / "p.zarr", {"A/1": ["0"]})
    store = Store(f"{served.address}/p.zarr")
    store.attributes()
    served.fault = lambda path: "stall"
    served.asked.clear()
    answers = [store.many([f"A/{n}"])[0] for n in range(100)]
    assert all(isinstance(a, FormatError) for a in answers)
    assert len(served.asked) == 1


def test_a_server_that_fails_at_everything_is_left_alone(
    tmp_path: Path, served: Served
) -> None:
    write_plate(tmp_path / "p.zarr", {"A/1": ["0"]})
    store = Store(f"{served.address}/p.zarr")
    store.attributes()
    served.fault = lambda path: 500
    served.asked.clear()
    answers = [store.many([f"A/{n}"])[0] for n in range(100)]
    assert all("HTTP 500" in str(answer) for answer in answers)
    asked = {line.rpartition("/zarr.json")[0] for line in served.asked}
    assert len(asked - {""}) == places_remote._FAILURES


def test_a_server_that_fails_at_some_objects_serves_the_others(
    tmp_path: Path, served: Served
) -> None:
    write_plate(tmp_path / "p.zarr", {"A/1": ["0"]})
    store = Store(f"{served.address}/p.zarr")
    served.fault = lambda path: 500 if "/B/" in path else None
    for _ in range(places_remote._FAILURES):
        with pytest.raises(FormatError, match="HTTP 500"):
            store.attributes("B/1")
        assert "well" in store.attributes("A/1")["ome"]


def test_a_slow_server_may_take_its_time_for_each_part(
    tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large block takes longer than one answer may take."""
    data = pixels((12, 8))
    zarr.create_array(str(tmp_path / "a.zarr"), data=data, chunks=(1, 8))
    source = ZarrSource(Store(f"{served.address}/a.zarr").array(""))
    whole(ZarrSource(Store(tmp_path / "a.zarr").array("")))
    monkeypatch.setenv(TIMEOUT_VARIABLE, "1")
    slow = threading.Lock()

    def late(path: str) -> None:
        if "/c/" in path:
            with slow:  # one after the other, 1.8 s in all
                threading.Event().wait(0.15)

    served.fault = late
    np.testing.assert_array_equal(whole(source), data)


def test_many_threads_wait_once_for_a_way_that_does_not_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tensorstore

    opened: list[object] = []

    def never(spec: object, **options: object) -> Any:
        opened.append(spec)
        raise TimeoutError

    monkeypatch.setattr(tensorstore.KvStore, "open", never)
    answers = Store("https://example.org/a.zarr").many([str(n) for n in range(40)])
    assert all(isinstance(answer, FormatError) for answer in answers)
    assert len(opened) == 1


def test_a_silent_server_is_asked_again_after_a_while() -> None:
    now = 0.0
    link = places_remote._Link({}, places_remote.shared_context, clock=lambda: now)
    calls: list[float] = []

    def silent() -> None:
        calls.append(now)
        raise TimeoutError

    for _ in range(3):
        with pytest.raises(TimeoutError):
            link.guarded(silent)
    assert calls == [0.0]
    now = 11.0
    assert link.guarded(lambda: 5) == 5
    with pytest.raises(TimeoutError):
        link.guarded(silent)
    assert calls == [0.0, 11.0]


def test_a_document_without_end_is_given_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places_remote, "_SMALL_S", 0.1)
    served.fault = lambda path: "endless"
    place = RemotePlace.open(f"{served.address}/a.zarr")
    with pytest.raises(FormatError, match="larger than the 64 MiB allowed"):
        place.read("zarr.json")


def test_a_document_that_is_too_large(tmp_path: Path, served: Served) -> None:
    (tmp_path / "zarr.json").write_bytes(b" " * (2**20 + 1))
    place = RemotePlace.open(served.address)
    with pytest.raises(FormatError, match=r"1 MiB allowed .*/zarr\.json"):
        place.read("zarr.json", 2**20)
    assert len(place.read("zarr.json", 2**20 + 1) or b"") == 2**20 + 1


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("http://127.0.0.1:9/a.zarr", "cannot be reached"),
        ("http://no-such-host.invalid/a.zarr", "cannot be reached"),
    ],
)
def test_a_server_that_is_not_there(address: str, part: str) -> None:
    with pytest.raises(FormatError) as caught:
        open_dataset(address)
    assert part in str(caught.value)
    assert address in str(caught.value)


@pytest.mark.parametrize("address", ["gs://bucket/a.zarr", "ftp://host/a.zarr"])
def test_addresses_of_another_kind(address: str) -> None:
    with pytest.raises(FormatError, match=r"http://, https:// and s3:// are"):
        open_dataset(address)


@pytest.mark.parametrize("text", ["soon", "-1", "0", "nan", "inf"])
def test_a_wrong_time_limit_is_said(
    served: Served, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(TIMEOUT_VARIABLE, text)
    with pytest.raises(FormatError, match="number of seconds was expected"):
        Store(f"{served.address}/a.zarr").attributes()


def test_a_folder_is_refused_by_what_needs_one(served: Served) -> None:
    store = Store(f"{served.address}/a.zarr")
    assert store.place("A/1") == f"{served.address}/a.zarr/A/1"
    assert store.title == "a.zarr"
    with pytest.raises(FormatError, match="copy or unpack the store first"):
        store.folder("A/1")


# S3


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    folder = tmp_path / "bucket"
    write_image(folder / "data" / "a.zarr", "yx", pixels((4, 6)))
    write_image(folder / "data" / "old.zarr", "yx", pixels((4, 6)), zarr_format=2)
    return folder


def test_public_data_are_asked_for_without_a_signature(
    bucket: Path, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", served.address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    dataset = open_dataset("s3://bucket/data/a.zarr")
    np.testing.assert_array_equal(
        np.asarray(dataset.images[0].levels[0]), pixels((4, 6))
    )
    assert dataset.path == "s3://bucket/data/a.zarr"
    assert set(served.signed) == {""}


@pytest.mark.parametrize("name", ["a.zarr", "old.zarr"])
def test_private_data_need_credentials_from_the_environment(
    tmp_path: Path, bucket: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with serving(tmp_path, needs_key="AKEXAMPLE") as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.address)
        with pytest.raises(FormatError) as caught:
            open_dataset(f"s3://bucket/data/{name}")
        for part in ("refused without credentials", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
            assert part in str(caught.value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKWRONG")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        with pytest.raises(FormatError, match="with the credentials of AWS_ACCESS_KEY"):
            open_dataset(f"s3://bucket/data/{name}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKEXAMPLE")
        dataset = open_dataset(f"s3://bucket/data/{name}")
        read = np.asarray(dataset.images[0].levels[0])
    np.testing.assert_array_equal(read, pixels((4, 6)))


def test_credentials_of_a_profile(
    tmp_path: Path, bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    file.write_text(
        "[lab]\naws_access_key_id = AKEXAMPLE\naws_secret_access_key = secret\n"
    )
    config = tmp_path / "config"
    config.write_text("[profile lab]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    with serving(tmp_path, needs_key="AKEXAMPLE") as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.address)
        dataset = open_dataset("s3://bucket/data/a.zarr")
        read = np.asarray(dataset.images[0].levels[0])
    np.testing.assert_array_equal(read, pixels((4, 6)))


def test_a_bucket_that_may_not_be_listed_refuses_what_is_not_there(
    bucket: Path, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 answers 403 for objects that do not exist then, and not 404."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", served.address)
    root = bucket.parent
    served.fault = lambda path: None if (root / path[1:]).is_file() else 403
    dataset = open_dataset("s3://bucket/data/old.zarr")
    np.testing.assert_array_equal(
        np.asarray(dataset.images[0].levels[0]), pixels((4, 6))
    )
    assert not Store("s3://bucket/data/old.zarr").exists("OME")


def test_a_key_that_is_not_there(
    bucket: Path, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", served.address)
    with pytest.raises(FormatError, match=r"was expected \(s3://bucket/data/gone"):
        open_dataset("s3://bucket/data/gone.zarr")


def test_a_server_of_s3_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(FormatError, match=r"server at http://127\.0\.0\.1:9 cannot be"):
        open_dataset("s3://bucket/data/a.zarr")


# Hostile documents


@pytest.mark.parametrize(
    "text", [b"[" * 200_000, b'{"a": ' * 100_000, b"", json.dumps([1]).encode()]
)
def test_damaged_json_names_the_document(
    tmp_path: Path, served: Served, text: bytes
) -> None:
    (tmp_path / "zarr.json").write_bytes(text)
    with pytest.raises(FormatError, match="JSON") as caught:
        Store(served.address).attributes()
    assert caught.value.path == f"{served.address}/zarr.json"
