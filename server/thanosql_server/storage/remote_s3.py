"""Objects of S3 and what speaks its protocol, read with Arrow's own client.

Credentials, region and endpoint come from the server's environment or from its
machine's role, as the AWS tools read them; never from a statement.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from thanosql_server.errors import HubUnreachable, NotSupported, UndefinedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyarrow.fs import S3FileSystem

_CHUNK = 4 << 20
_SECONDS = 10.0


def read_object(address: str) -> Iterator[bytes]:
    """Yield the bytes of `s3://bucket/key`.

    Raises:
        UndefinedFile: there is no such object.
        HubUnreachable: the store does not answer, or refuses.
        NotSupported: this pyarrow was built without S3.
    """
    system, path = _system(), address.partition("://")[2]
    try:
        with system.open_input_stream(path) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except FileNotFoundError:
        raise UndefinedFile(f"there is no file '{address}'") from None
    except OSError as failure:
        raise _unreachable(address, failure) from failure


def objects_below(folder: str, *, is_deep: bool) -> list[tuple[str, int]]:
    """Return key, with its bucket, and bytes of each object below `bucket/prefix`.

    Args:
        folder: where to look, without a slash at the end.
        is_deep: whether keys may have further slashes.

    Raises:
        HubUnreachable: the store does not answer, or refuses.
        NotSupported: this pyarrow was built without S3.
    """
    system = _system()
    from pyarrow.fs import FileSelector

    wanted = FileSelector(folder, recursive=is_deep, allow_not_found=True)
    try:
        return [(o.path, o.size) for o in system.get_file_info(wanted) if o.is_file]
    except OSError as failure:
        raise _unreachable(f"s3://{folder}", failure) from failure


def _unreachable(address: str, failure: OSError) -> HubUnreachable:
    # Arrow's own text holds the endpoint and ids of requests.
    denied = "ACCESS_DENIED" in str(failure) or "HTTP status 403" in str(failure)
    why = "the store refuses it" if denied else "the store does not answer"
    return HubUnreachable(f"'{address}' cannot be read: {why}")


def _system() -> S3FileSystem:
    try:
        from pyarrow.fs import S3FileSystem
    except ImportError:
        raise NotSupported("this server's pyarrow cannot read s3://") from None
    given = os.environ.get
    region = given("AWS_REGION") or given("AWS_DEFAULT_REGION")
    endpoint = given("AWS_ENDPOINT_URL_S3") or given("AWS_ENDPOINT_URL")
    return S3FileSystem(
        region=region,
        endpoint_override=endpoint,
        connect_timeout=_SECONDS,
        request_timeout=6 * _SECONDS,
    )
