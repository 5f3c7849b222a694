"""The options of `thanosql serve` about who comes in, and how much they may ask."""

from __future__ import annotations

import argparse
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thanosql_server.config import Limits
from thanosql_server.errors import InvalidValue
from thanosql_server.flight.bearers import KEY_BYTES
from thanosql_server.flight.passwords import (
    PasswordHash,
    ask_password,
    new_api_token,
    token_hash,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GRACE_SECONDS = 10.0
"""How long running statements may go on after the first SIGTERM or Ctrl-C."""

SIGNING_KEY = "THANOSQL_SIGNING_KEY"


@dataclass(frozen=True)
class Access:
    """Who comes in, and how; see `Config`.

    Attributes:
        token: the one token.
        made_up: whether the token was made up and must be shown.
        users: content of the file of users.
        signing_key: for the tokens of sessions.
        tls: certificate chain and private key.
        tls_client_ca: certificates that sign those of clients.
    """

    token: str | None
    made_up: bool
    users: bytes | None
    signing_key: bytes | None
    tls: tuple[bytes, bytes] | None
    tls_client_ca: bytes | None


def add_access_options(parser: argparse.ArgumentParser) -> None:
    """Add the options about credentials, TLS and limits."""
    add, limits = parser.add_argument, Limits()
    add("--token-file", type=Path, help="file with the token that clients present")
    add("--users", type=Path, metavar="FILE", help="users and their roles, in TOML")
    add(
        "--hash-password",
        action=_Make,
        make=_hash_password,
        help="ask for a password, print what the file of users keeps of it, and leave",
    )
    add(
        "--new-token",
        action=_Make,
        make=_new_api_token,
        help="print a new API token and what the file of users keeps of it, and leave",
    )
    add("--tls-cert", type=Path, help="certificate chain in PEM form")
    add("--tls-key", type=Path, help="private key in PEM form")
    add(
        "--tls-client-ca",
        type=Path,
        metavar="FILE",
        help="certificates in PEM form that must have signed those of clients",
    )
    for name, default, what in (
        ("statement-timeout", limits.statement_timeout, "a statement may take; 0: any"),
        ("queue-timeout", limits.queue_seconds, "a statement waits for its turn"),
        ("session-timeout", limits.session_timeout, "an unused session lasts"),
        ("token-lifetime", limits.token_lifetime, "an unused signed token lasts"),
        ("grace", GRACE_SECONDS, "running statements get when the server is stopped"),
    ):
        text = f"seconds {what} (default: {default:g})"
        add(f"--{name}", type=_seconds, default=default, metavar="S", help=text)
    for name, number, what in (
        ("max-statements", limits.max_statements, "statements that run at a time"),
        ("max-queue", limits.max_queue, "statements that may wait for their turn"),
        ("max-result-bytes", limits.max_result_bytes, "bytes of a result; 0: any"),
        ("max-temp-bytes", limits.max_temp_bytes, "bytes of temporary files; 0: any"),
    ):
        text = f"{what} (default: {number})"
        add(f"--{name}", type=int, default=number, metavar="N", help=text)


def read_limits(options: argparse.Namespace) -> Limits:
    """Return the limits that were given.

    Raises:
        InvalidValue: one of them cannot be used.
    """
    if options.max_statements < 1:
        raise InvalidValue("--max-statements must be at least 1")
    for name in ("max_queue", "max_result_bytes", "max_temp_bytes"):
        if getattr(options, name) < 0:
            raise InvalidValue(f"--{name.replace('_', '-')} must be at least 0")
    for name in ("session_timeout", "token_lifetime"):
        if not getattr(options, name):
            raise InvalidValue(f"--{name.replace('_', '-')} must be above 0")
    return Limits(
        statement_timeout=options.statement_timeout,
        max_statements=options.max_statements,
        max_queue=options.max_queue,
        max_result_bytes=options.max_result_bytes,
        max_temp_bytes=options.max_temp_bytes,
        queue_seconds=options.queue_timeout,
        session_timeout=options.session_timeout,
        token_lifetime=options.token_lifetime,
    )


def read_access(
    options: argparse.Namespace, environ: Mapping[str, str] = os.environ
) -> Access:
    """Return who comes in, from the options and the files that they name.

    Raises:
        InvalidValue: a file cannot be read, or options do not go together.
    """
    users = None if options.users is None else _read(options.users, "--users")
    token, made_up = _token(options.token_file, needed=users is None)
    tls = _tls(options.tls_cert, options.tls_key)
    client_ca = None
    if options.tls_client_ca is not None:
        client_ca = _read(options.tls_client_ca, "--tls-client-ca")
    if client_ca is not None and tls is None:
        raise InvalidValue("--tls-client-ca needs --tls-cert and --tls-key")
    return Access(token, made_up, users, _signing_key(environ), tls, client_ca)


def new_token() -> str:
    """Return a secret of hex digits: one that began with - would read as an option."""
    return secrets.token_hex(24)


def _token(file: Path | None, *, needed: bool) -> tuple[str | None, bool]:
    if file is None:
        return (new_token(), True) if needed else (None, False)
    token = _read(file, "--token-file").decode("utf-8", "replace").strip()
    if not token:
        raise InvalidValue("--token-file is empty; write a token into it")
    return token, False


def _signing_key(environ: Mapping[str, str]) -> bytes | None:
    key = environ.get(SIGNING_KEY)
    if not key:
        return None
    if len(key.encode()) < KEY_BYTES:
        raise InvalidValue(f"{SIGNING_KEY} must have at least {KEY_BYTES} bytes")
    return key.encode()


def _tls(certificate: Path | None, key: Path | None) -> tuple[bytes, bytes] | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise InvalidValue("--tls-cert and --tls-key go together; give both")
    return _read(certificate, "--tls-cert"), _read(key, "--tls-key")


def _read(file: Path, option: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise InvalidValue(f"{option} {file}: {reason}") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return seconds


class _Make(argparse.Action):
    """Prints a secret, or what is kept of one, and ends the program."""

    def __init__(
        self, option_strings: list[str], dest: str, make: Callable[[], str], help: str
    ) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)
        self._make = make

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        try:
            print(self._make())
        except InvalidValue as error:
            parser.error(str(error))
        parser.exit()


def _hash_password() -> str:
    return f'password = "{PasswordHash.of(ask_password())}"'


def _new_api_token() -> str:
    token = new_api_token()
    return f'{token}\ntokens = ["{token_hash(token.encode())}"]'
