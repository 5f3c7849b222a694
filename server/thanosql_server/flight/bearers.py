"""Bearer tokens that the server signs: any server of the workspace accepts them.

    thqs.<base64url of JSON>.<base64url of HMAC-SHA256 over what stands before>

The JSON holds the user, the session, the time when the token ends, and a mark of the
secret that was presented for it, so that it ends with that secret, too.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import logging
import os
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thanosql_server.errors import Unauthenticated

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

PREFIX = b"thqs."
KEY_BYTES = 32
_MAX_TOKEN = 4_096


@dataclass(frozen=True)
class Bearer:
    """What a signed token says.

    Attributes:
        user: the name.
        session: the id of the session.
        ends: the time when the token ends, in seconds since 1970.
        mark: of the secret that was presented for it; see `Signer.mark`.
    """

    user: str
    session: str
    ends: float
    mark: str


class Signer:
    """Signs tokens with a key, and checks them.

    Args:
        key: the key; None to take or make the one of the workspace at first use.
        file: where that one is.
        lifetime: seconds after which a token ends.
    """

    def __init__(self, key: bytes | None, file: Path, lifetime: float) -> None:
        self._known_key = key
        self._file = file
        self._lifetime = lifetime
        self._lock = threading.Lock()

    def issue(self, user: str, secret: str, session: str = "") -> bytes:
        """Return a new token, for a new session unless it has one already."""
        bearer = Bearer(
            user,
            session or secrets.token_hex(12),
            time.time() + self._lifetime,
            self.mark(secret),
        )
        content = json.dumps(
            [bearer.user, bearer.session, round(bearer.ends, 3), bearer.mark],
            ensure_ascii=False,
            separators=(",", ":"),
        )
        signed = PREFIX + _encode(content.encode())
        return signed + b"." + _encode(self._sign(signed))

    def read(self, token: bytes) -> Bearer:
        """Return what a token says.

        Raises:
            Unauthenticated: it is not one of ours, was changed, or has ended.
        """
        signed, _, signature = token.rpartition(b".")
        right = len(token) <= _MAX_TOKEN and hmac.compare_digest(
            signature, _encode(self._sign(signed))
        )
        if not right:
            raise Unauthenticated(
                "the token was not signed by a server of this workspace; connect again"
            )
        bearer = Bearer(*json.loads(_decode(signed.removeprefix(PREFIX))))
        if bearer.ends < time.time():
            raise Unauthenticated("the token has expired; connect again")
        return bearer

    def is_old(self, bearer: Bearer) -> bool:
        """Whether a token is past half of its life and its client gets a new one."""
        return bearer.ends - time.time() < self._lifetime / 2

    def mark(self, secret: str) -> str:
        """Return what tells one secret from another, and nothing else about it."""
        return self._sign(
            b"secret\0" + secret.encode("utf-8", "surrogateescape")
        ).hex()[:16]

    def _sign(self, data: bytes) -> bytes:
        return hmac.new(self._key, data, hashlib.sha256).digest()

    @property
    def _key(self) -> bytes:
        with self._lock:
            if self._known_key is None:
                self._known_key = _key_of(self._file)
            return self._known_key


def _key_of(file: Path) -> bytes:
    """Return the key in a file, which is made if it is not there.

    In a workspace that cannot be written, the key lives as long as this process.
    """
    with contextlib.suppress(OSError):
        if len(key := file.read_bytes()) >= KEY_BYTES:
            return key
    try:
        key, why = _new_key(file), f"{file.name} is too short"
    except OSError as error:
        key, why = b"", str(error.strerror)
    if len(key) >= KEY_BYTES:
        return key
    logger.warning("signed tokens end with this process: %s", why)
    return secrets.token_bytes(KEY_BYTES)


def _new_key(file: Path) -> bytes:
    """Make the file whole or not at all; a server that was faster wins."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(secrets.token_bytes(KEY_BYTES))
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()
    return file.read_bytes()


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(data: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        raise Unauthenticated("the token cannot be read; connect again") from None
