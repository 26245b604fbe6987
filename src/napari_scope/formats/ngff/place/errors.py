"""Why a server did not hand out an object, in words and with what to do about it.

tensorstore tells by the text of its errors only, which is read here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_scope.errors import FormatError
from napari_scope.formats.ngff.place.places import RefusedError

if TYPE_CHECKING:
    from napari_scope.formats.ngff.place.s3 import S3Access

__all__ = ["explain", "is_failure", "is_silence"]

_STATUS = re.compile(r"(?:HTTP code |http_response_code=')(\d{3})")
_CURL = re.compile(r"curl_code='(\d+)'")
_DETAIL = re.compile(r"CURL error (.*?)(?: \[|$)")

# Codes of curl: the name is unknown, nobody listens, too slow, cut off.
_UNREACHABLE = {5, 6, 7, 28, 52, 55, 56}
_UNTRUSTED = {35, 51, 53, 54, 58, 59, 60, 77, 83, 90, 91}


def is_silence(error: BaseException) -> bool:
    """Return whether nobody answered, so that asking again soon is no use."""
    return isinstance(error, TimeoutError) or _curl(error) in _UNREACHABLE


def is_failure(error: BaseException) -> bool:
    """Return whether the server itself failed, also when it was asked again."""
    found = _STATUS.search(str(error))
    return found is not None and int(found[1]) >= 500


def explain(
    error: BaseException, name: str, access: S3Access | None, timeout: float
) -> FormatError | None:
    """Return in words an error of the way to a server, or None for any other error.

    Parameters
    ----------
    error : BaseException
        What tensorstore raised.
    name : str
        What was asked for.
    access : S3Access, optional
        How S3 is reached; None for a web server.
    timeout : float
        Seconds after which a read was given up.
    """
    text = str(error)
    if isinstance(error, TimeoutError):
        return FormatError(
            f"no answer within {timeout:g} s",
            path=name,
            hint="try again later, or allow more time by NAPARI_SCOPE_REMOTE_TIMEOUT "
            "(seconds)",
        )
    if "Failed to get credentials" in text or "credentials provider" in text:
        return FormatError(
            f"no credentials come from {access.named if access else 'the system'}",
            path=name,
            hint=_CREDENTIALS,
        )
    if "Failed to resolve aws_region" in text:
        return FormatError(
            "the region of the bucket cannot be found, perhaps there is no such bucket",
            path=name,
            hint="set AWS_REGION, or AWS_ENDPOINT_URL for a server that is not "
            "Amazon's",
        )
    if "ignored by server" in text:
        return FormatError(
            "the server does not hand out parts of files, which zip files and shards "
            "need",
            path=name,
            hint="download it and open the copy",
        )
    code = _curl(error)
    if code is not None:
        return _explain_connection(code, text, name, access)
    found = _STATUS.search(text)
    if found is None:
        return None
    return _explain_status(int(found[1]), name, access)


_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN if there "
    "is one), or AWS_PROFILE; `aws configure export-credentials --format env` prints "
    "those of a login"
)


def _explain_connection(
    code: int, text: str, name: str, access: S3Access | None
) -> FormatError:
    found = _DETAIL.search(text)
    detail = found[1].strip() if found else f"error {code} of curl"
    if code in _UNTRUSTED:
        return FormatError(
            f"no secure connection to the server: {detail}",
            path=name,
            hint="TENSORSTORE_CA_BUNDLE names a file of certificates to trust",
        )
    if code in _UNREACHABLE:
        where = f" at {access.endpoint}" if access and access.endpoint else ""
        return FormatError(
            f"the server{where} cannot be reached: {detail}",
            path=name,
            hint="check the address and the network",
        )
    return FormatError(f"the connection broke: {detail}", path=name, hint="try again")


def _explain_status(
    status: int, name: str, access: S3Access | None
) -> FormatError | None:
    if status in (401, 403):
        if access is None:
            return RefusedError(
                f"the server refused it (HTTP {status})",
                path=name,
                hint="it may need a login, which is not supported for web addresses",
            )
        if access.source == "anonymous":
            return RefusedError(
                f"refused without credentials (HTTP {status})",
                path=name,
                hint=_CREDENTIALS,
            )
        return RefusedError(
            f"refused with the credentials of {access.named} (HTTP {status})",
            path=name,
            hint="check that they may read it; AWS_NO_SIGN_REQUEST=1 asks without "
            "credentials, as is right for public data",
        )
    if status in (404, 410):
        return FormatError(f"not found (HTTP {status})", path=name)
    if 300 <= status < 400:
        return FormatError(
            f"it has moved (HTTP {status})",
            path=name,
            hint="open the address to which a browser is led",
        )
    if status == 429:
        return FormatError("the server is asked too often (HTTP 429)", path=name)
    if status >= 500:
        return FormatError(
            f"the server failed (HTTP {status})", path=name, hint="try again later"
        )
    return None


def _curl(error: BaseException) -> int | None:
    found = _CURL.search(str(error))
    return int(found[1]) if found else None
