"""How S3 is reached, from the variables that all programs for S3 share.

Credentials are looked for only where the user has put some; else requests are not
signed, which is right for public data. The chain of the AWS libraries would ask the
network in between and keep a viewer waiting.
"""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["S3Access", "s3_access"]

Source = Literal["anonymous", "environment", "profile", "default"]

# They stand for credentials that a machine or a cluster hands out.
_GIVEN_BY_MACHINE = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
)


@dataclass(frozen=True, slots=True)
class S3Access:
    """Where S3 is and who asks.

    Parameters
    ----------
    source : str
        Where credentials come from.
    named : str
        What the user would change: the variable or the profile.
    profile : str
        Name of the profile, if credentials come from one.
    files : (str, str)
        The files of credentials and of settings that have profiles.
    endpoint : str
        Address of another server than Amazon's, or empty.
    region : str
        Region, or empty to let the server tell.
    stamp : int
        Another one when the credentials have changed; they are not kept here.
    """

    source: Source
    named: str = ""
    profile: str = ""
    files: tuple[str, str] = ("", "")
    endpoint: str = ""
    region: str = ""
    stamp: int = 0

    def spec(self) -> dict[str, object]:
        """Return the settings of tensorstore's driver."""
        credentials: dict[str, object] = {"type": self.source}
        if self.source == "profile":
            credentials["profile"] = self.profile
            credentials["credentials_file"], credentials["config_file"] = self.files
        elif self.source == "default":
            credentials["profile"] = self.profile or "default"
        settings: dict[str, object] = {"aws_credentials": credentials}
        if self.endpoint:
            settings["endpoint"] = self.endpoint.rstrip("/")
            # Servers other than Amazon's rarely tell theirs, and any will do.
            settings["aws_region"] = self.region or "us-east-1"
        elif self.region:
            settings["aws_region"] = self.region
        return settings


def s3_access(environment: Mapping[str, str]) -> S3Access:
    """Return how S3 is reached from here.

    Parameters
    ----------
    environment : mapping of str to str
        The variables of the process: ``AWS_ACCESS_KEY_ID`` with
        ``AWS_SECRET_ACCESS_KEY``, ``AWS_PROFILE``, ``AWS_SHARED_CREDENTIALS_FILE``,
        ``AWS_CONFIG_FILE``, ``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``,
        ``AWS_REGION``, ``AWS_DEFAULT_REGION``; ``AWS_NO_SIGN_REQUEST`` (yes, true, 1)
        asks without credentials whatever else is set.
    """

    def value(*names: str) -> str:
        return next((environment[n] for n in names if environment.get(n)), "")

    where: _Where = {
        "endpoint": value("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        "region": value("AWS_REGION", "AWS_DEFAULT_REGION"),
    }
    if value("AWS_NO_SIGN_REQUEST").lower() in ("yes", "true", "1"):
        return S3Access("anonymous", **where)
    if value("AWS_ACCESS_KEY_ID") and value("AWS_SECRET_ACCESS_KEY"):
        stamp = hash(tuple(value(name) for name in _SECRETS))
        return S3Access("environment", "AWS_ACCESS_KEY_ID", stamp=stamp, **where)
    profile = value("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    files = (
        value("AWS_SHARED_CREDENTIALS_FILE") or os.path.expanduser(_CREDENTIALS_FILE),
        value("AWS_CONFIG_FILE") or os.path.expanduser(_CONFIG_FILE),
    )
    stamps = tuple(_changed(file) for file in files)
    if profile or _has_default_keys(files, stamps):
        profile = profile or "default"
        named = f"the profile {profile!r}"
        return S3Access("profile", named, profile, files, stamp=hash(stamps), **where)
    for name in _GIVEN_BY_MACHINE:
        if value(name):
            return S3Access("default", name, **where)
    return S3Access("anonymous", **where)


_CREDENTIALS_FILE = "~/.aws/credentials"
_CONFIG_FILE = "~/.aws/config"
_KEYS = ("aws_access_key_id", "role_arn", "credential_process")


_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class _Where(TypedDict):
    endpoint: str
    region: str


def _changed(file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except (OSError, ValueError):
        return 0


@lru_cache(maxsize=4)
def _has_default_keys(files: tuple[str, str], stamps: tuple[int, ...]) -> bool:
    """Return whether the default profile has credentials: many only name a region."""
    for file in files:
        parser = configparser.RawConfigParser(strict=False, default_section="none")
        try:
            with open(file, encoding="utf-8") as stream:
                parser.read_file(stream)
        except (OSError, ValueError, configparser.Error):
            continue
        if any(parser.has_option("default", key) for key in _KEYS):
            return True
    return False
