"""Where to connect: a URL, a folder or the environment becomes one frozen object.

    grpc://host:port   grpc+tls://host:port   grpc+unix:///path/to/socket
    thanosql://user:token@host:port/?tls=true
    ./workspace   /srv/workspace   thanosql:///srv/workspace   thanosql:///./workspace

The last line names a workspace folder, to be served inside this process.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from thanosql.errors import InterfaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

DEFAULT_PORT = 31337
"""The port of `thanosql serve` when none is given."""

FLIGHT_SCHEMES = ("grpc", "grpc+tcp", "grpc+tls", "grpc+unix")
SCHEMES = ("thanosql", *FLIGHT_SCHEMES)
FORMS = (
    "grpc://host:port, grpc+tls://host:port, thanosql://user:token@host:port "
    "or ./folder"
)

_PEM = {
    "tls_root_certs": "certificates",
    "tls_client_cert": "client certificate",
    "tls_client_key": "client key",
}
"""Settings that are PEM bytes or the path of a file with them."""

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True)
class Conninfo:
    """What is needed to reach one server.

    Attributes:
        location: a gRPC location; empty if the server is to run in this process.
        workspace: the folder to serve in this process, else None.
        user: name for the handshake; None sends the token as it is.
        token: the secret, None if the server wants none.
        tls_root_certs: certificates to trust in PEM form, None for the system's.
        tls_client_cert: this client's own certificate chain in PEM form, if the server
            wants one.
        tls_client_key: its private key in PEM form.
        timeout: seconds that one statement may take, None for no limit.
        connect_timeout: seconds that the server may take to answer the first call.
    """

    location: str = ""
    workspace: str | None = None
    user: str | None = None
    token: str | None = field(default=None, repr=False)
    tls_root_certs: bytes | None = field(default=None, repr=False)
    tls_client_cert: bytes | None = field(default=None, repr=False)
    tls_client_key: bytes | None = field(default=None, repr=False)
    timeout: float | None = None
    connect_timeout: float = 10.0


def parse(
    target: str | os.PathLike[str] | None,
    settings: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
) -> Conninfo:
    """Return the connection that `target` names, with settings over its own.

    Settings that are None count as not given. The environment gives what is missing:
    THANOSQL_URL the target, THANOSQL_TOKEN the token.

    Raises:
        InterfaceError: the target or a setting cannot be used; the text says why.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    if target is None:
        target = environ.get("THANOSQL_URL")
    if not target:
        raise InterfaceError(f"no server named; give {FORMS}, or set THANOSQL_URL")
    found = _parse_target(os.fspath(target)) | given
    secret = found.pop("password", None)
    if found.get("token") is None:
        found["token"] = secret
    if found["token"] is None and "workspace" not in found:
        found["token"] = environ.get("THANOSQL_TOKEN") or None
    return _checked(found)


def _parse_target(text: str) -> dict[str, Any]:
    if "://" not in text:
        return {"workspace": _folder(text)}
    try:
        url = urlsplit(text)
        url.port  # noqa: B018 - raises if it is not a number
    except ValueError as ex:
        raise InterfaceError(f"'{_without_secret(text)}' is not a URL: {ex}") from None
    if url.scheme not in SCHEMES:
        raise InterfaceError(
            f"unknown scheme '{url.scheme}'{nearest(url.scheme, SCHEMES)} in "
            f"'{_without_secret(text)}'; give {FORMS}"
        )
    found = {**_query_settings(url), **_credentials(url)}
    tls = found.pop("tls", False)
    if url.scheme == "thanosql" and not url.netloc:
        return found | {"workspace": _url_path(url)}
    return found | {"location": _location(url, tls=tls)}


def _folder(text: str) -> str:
    # A server's address without its scheme would become a new folder of that name.
    if re.fullmatch(r"[\w.-]+:\d+", text) and not Path(text).exists():
        raise InterfaceError(
            f"'{text}' is neither a URL nor a folder; did you mean 'grpc://{text}'?"
        )
    return text


def _url_path(url: SplitResult) -> str:
    path = "/" + unquote(url.path).lstrip("/")
    if path == "/":
        raise InterfaceError(
            "'thanosql:///' names no folder; give thanosql:///srv/workspace or "
            "thanosql:///./workspace"
        )
    return path[1:] if path.startswith(("/./", "/../")) else path


def _location(url: SplitResult, *, tls: bool) -> str:
    if url.scheme == "grpc+unix":
        return f"grpc+unix://{url.path}"
    if not url.hostname:
        raise InterfaceError(f"no host in '{url.scheme}://{url.netloc}'; give {FORMS}")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    scheme = url.scheme
    if scheme == "thanosql":
        scheme = "grpc+tls" if tls else "grpc"
    return f"{scheme}://{host}:{DEFAULT_PORT if url.port is None else url.port}"


def _credentials(url: SplitResult) -> dict[str, Any]:
    parts = {"user": url.username, "password": url.password}
    return {name: unquote(text) for name, text in parts.items() if text}


def _query_settings(url: SplitResult) -> dict[str, Any]:
    readers: dict[str, Callable[[str, str], Any]] = {
        "tls": _flag,
        "timeout": _seconds,
        "connect_timeout": _seconds,
        **dict.fromkeys(_PEM, lambda _, text: text),
        "token": lambda _, text: text,
    }
    found: dict[str, Any] = {}
    for name, text in parse_qsl(url.query, keep_blank_values=True):
        if name not in readers:
            raise InterfaceError(
                f"unknown setting '{name}' in the URL{nearest(name, readers)}"
            )
        found[name] = readers[name](name, text)
    return found


def _flag(name: str, text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise InterfaceError(f"'{name}' in the URL must be true or false, not '{text}'")
    return text.lower() in _TRUE


def _seconds(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InterfaceError(
            f"'{name}' in the URL must be a number of seconds, not '{text}'"
        ) from None


def _checked(found: dict[str, Any]) -> Conninfo:
    token = found.get("token")
    # With a user's name it is sent as base64, and may have any characters.
    bare = token if found.get("user") is None else None
    if bare is not None and not (bare.isascii() and bare.isprintable()):
        raise InterfaceError("the token holds characters other than printable ASCII")
    for name in ("timeout", "connect_timeout"):
        if name in found and not found[name] > 0:
            raise InterfaceError(f"'{name}' must be above 0, not {found[name]}")
    for name, what in _PEM.items():
        content = found.get(name)
        if content is not None and not isinstance(content, bytes):
            found[name] = _read_pem(content, what)
    if (found.get("tls_client_cert") is None) != (found.get("tls_client_key") is None):
        raise InterfaceError("tls_client_cert and tls_client_key go together")
    return Conninfo(**found)


def _read_pem(path: str | os.PathLike[str], what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as ex:
        raise InterfaceError(
            f"cannot read the {what} '{path}': {ex.strerror}"
        ) from None


def _without_secret(text: str) -> str:
    return re.sub(r"//[^/@]*@", "//...@", text)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the nearest known name, or an empty text."""
    match = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean '{match[0]}'?" if match else ""
