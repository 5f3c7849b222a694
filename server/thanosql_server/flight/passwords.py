"""Passwords and API tokens: how they are kept, and whether one is right.

A password is kept as scrypt makes it (RFC 7914), which costs an attacker 16 MiB and
some 50 ms for every guess. An API token has 192 random bits and cannot be guessed, so
that a plain SHA-256 of it is enough, and is fast on every call.
"""

from __future__ import annotations

import base64
import binascii
import getpass
import hashlib
import hmac
import secrets
import sys
import threading
from dataclasses import dataclass

from thanosql_server.errors import InvalidValue

_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 1
_KEY_BYTES = 32
_MAX_MEMORY = 128 << 20
_SCRYPT = "scrypt"
_SHA256 = "sha256"

TOKEN_PREFIX = "thq_"
"""What API tokens begin with, so that scanners for leaked secrets can find them."""

_TURNS = threading.BoundedSemaphore(4)
"""How many passwords are checked at a time: a flood of them may not take the memory."""


@dataclass(frozen=True)
class PasswordHash:
    """A password as it is kept: scrypt's cost, block size, parallelism, salt, key."""

    cost: int
    block: int
    parallel: int
    salt: bytes
    key: bytes

    @classmethod
    def of(cls, password: str) -> PasswordHash:
        """Return what is kept of a password, with a new salt."""
        empty = cls(_COST, _BLOCK, _PARALLEL, secrets.token_bytes(16), b"")
        key = empty._derive(password, _KEY_BYTES)
        return cls(_COST, _BLOCK, _PARALLEL, empty.salt, key)

    @classmethod
    def parse(cls, text: str) -> PasswordHash:
        """Return what `str` wrote.

        Raises:
            InvalidValue: it is not such a text, or asks for too much work.
        """
        kind, _, rest = text.partition("$")
        try:
            cost, block, parallel, salt, key = rest.split("$")
            found = cls(int(cost), int(block), int(parallel), _bytes(salt), _bytes(key))
            memory = 128 * found.cost * found.block
            right = kind == _SCRYPT and 0 < memory <= _MAX_MEMORY // 2
            if right and 0 < found.parallel <= 16 and len(found.key) >= 16:
                return found
        except ValueError:
            pass
        raise InvalidValue(
            "a password must be kept as a hash; thanosql serve --hash-password makes it"
        )

    def matches(self, password: str) -> bool:
        """Whether this is the password; takes some 50 ms either way."""
        return hmac.compare_digest(self._derive(password, len(self.key)), self.key)

    def _derive(self, password: str, length: int) -> bytes:
        with _TURNS:
            return hashlib.scrypt(
                password.encode("utf-8", "surrogateescape"),
                salt=self.salt,
                n=self.cost,
                r=self.block,
                p=self.parallel,
                maxmem=_MAX_MEMORY,
                dklen=length,
            )

    def __str__(self) -> str:
        numbers = f"{self.cost}${self.block}${self.parallel}"
        return f"{_SCRYPT}${numbers}${_text(self.salt)}${_text(self.key)}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError(text) from None


def new_api_token() -> str:
    """Return a secret that nobody can guess."""
    return TOKEN_PREFIX + secrets.token_hex(24)


def token_hash(token: bytes) -> str:
    """Return what is kept of an API token."""
    return f"{_SHA256}${hashlib.sha256(token).hexdigest()}"


def is_token_hash(text: str) -> bool:
    """Whether a text is what `token_hash` returns."""
    kind, _, digits = text.partition("$")
    return kind == _SHA256 and len(digits) == 64 and set(digits) <= set(_HEX)


_HEX = "0123456789abcdef"


def ask_password() -> str:
    """Return a password typed twice, or the first line of a redirected input.

    Raises:
        InvalidValue: it is empty, or was typed differently the second time.
    """
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("password: ")
        if getpass.getpass("once more: ") != password:
            raise InvalidValue("the two passwords differ")
    if not password:
        raise InvalidValue("a password must not be empty")
    return password
