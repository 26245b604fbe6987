from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_scope.formats.ngff.place.s3 import s3_access

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Variables that name files which do not exist."""
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }


@pytest.mark.parametrize(
    ("variables", "source", "named"),
    [
        ({}, "anonymous", ""),
        (KEYS, "environment", "AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "AK"}, "anonymous", ""),
        ({"AWS_PROFILE": "lab"}, "profile", "the profile 'lab'"),
        (KEYS | {"AWS_PROFILE": "lab"}, "environment", "AWS_ACCESS_KEY_ID"),
        (KEYS | {"AWS_NO_SIGN_REQUEST": "YES"}, "anonymous", ""),
        (KEYS | {"AWS_NO_SIGN_REQUEST": "no"}, "environment", "AWS_ACCESS_KEY_ID"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, "default", "AWS_WEB_IDENTITY_TOKEN"),
    ],
)
def test_where_credentials_come_from(
    home: dict[str, str], variables: dict[str, str], source: str, named: str
) -> None:
    access = s3_access(home | variables)
    assert access.source == source
    assert access.named.startswith(named)
    assert bool(access.named) is bool(named)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("[default]\nregion = eu-west-1\n", "anonymous"),
        ("[lab]\naws_access_key_id = AK\n", "anonymous"),
        ("[default]\naws_access_key_id = AK\n", "profile"),
        ("[default]\nrole_arn = arn\n", "profile"),
        ("no sections", "anonymous"),
        ("[default\n\0", "anonymous"),
    ],
)
@pytest.mark.parametrize("name", ["credentials", "config"])
def test_files_count_if_they_have_credentials(
    tmp_path: Path, home: dict[str, str], name: str, text: str, source: str
) -> None:
    (tmp_path / name).write_text(text)
    access = s3_access(home)
    assert access.source == source
    if source == "profile":
        assert access.spec()["aws_credentials"] == {
            "type": "profile",
            "profile": "default",
            "credentials_file": str(tmp_path / "credentials"),
            "config_file": str(tmp_path / "config"),
        }


@pytest.mark.parametrize(
    ("variables", "spec"),
    [
        ({}, {}),
        ({"AWS_DEFAULT_REGION": "a"}, {"aws_region": "a"}),
        ({"AWS_REGION": "b", "AWS_DEFAULT_REGION": "a"}, {"aws_region": "b"}),
        (
            {"AWS_ENDPOINT_URL": "http://h:1/"},
            {"endpoint": "http://h:1", "aws_region": "us-east-1"},
        ),
        (
            {"AWS_ENDPOINT_URL": "http://h", "AWS_ENDPOINT_URL_S3": "http://s"},
            {"endpoint": "http://s", "aws_region": "us-east-1"},
        ),
        (
            {"AWS_ENDPOINT_URL": "http://h", "AWS_REGION": "b"},
            {"endpoint": "http://h", "aws_region": "b"},
        ),
    ],
)
def test_where_the_server_is(
    home: dict[str, str], variables: dict[str, str], spec: dict[str, str]
) -> None:
    expected = {"aws_credentials": {"type": "anonymous"}, **spec}
    assert s3_access(home | variables).spec() == expected


def test_other_credentials_are_another_access_and_are_not_kept(
    home: dict[str, str],
) -> None:
    one, two = (
        s3_access(home | KEYS | {"AWS_SECRET_ACCESS_KEY": text}) for text in "ab"
    )
    assert one != two
    assert one == s3_access(home | KEYS | {"AWS_SECRET_ACCESS_KEY": "a"})
    assert "secret" not in repr(s3_access(home | KEYS))
