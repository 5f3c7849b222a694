"""Who may come in: whoever presents the server's token.

As `authorization: Bearer <token>` on every call, or as the password of a Basic
handshake, which is answered with that header.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING, Any

import pyarrow.flight as fl

from thanosql_proto.flight import BasicAuth
from thanosql_proto.message import DecodeError
from thanosql_server.errors import Unauthenticated
from thanosql_server.flight.status import border, to_status

if TYPE_CHECKING:
    from collections.abc import Mapping

NOBODY = "anybody"
"""The token of a server without one; clients insist on getting some answer."""


class Gate:
    """Knows the token, and compares in a time that does not tell how much was right."""

    def __init__(self, token: str | None) -> None:
        self._open = token is None
        self._token = (token or NOBODY).encode()

    @property
    def bearer(self) -> bytes:
        """What clients send from now on."""
        return self._token

    def check(self, presented: bytes | None) -> None:
        """Raise Unauthenticated unless this is the token."""
        if self._open:
            return
        if presented is None:
            raise Unauthenticated(
                "the server wants a token; give it as token=... or as the password"
            )
        if not hmac.compare_digest(presented, self._token):
            raise Unauthenticated("the token is not the one of this server")


def presented_token(headers: Mapping[str, list[Any]]) -> bytes | None:
    """Return the token in the headers of a call, None if there is none.

    Raises:
        Unauthenticated: the header is neither Bearer nor Basic.
    """
    for value in headers.get("authorization", ()):
        scheme, _, credentials = value.partition(" ")
        if scheme.lower() == "bearer":
            return str(credentials).strip().encode()
        if scheme.lower() == "basic":
            return _password(credentials.strip())
        raise Unauthenticated("the authorization header must be Bearer or Basic")
    # Clients of the older handshake send the token that it returned this way.
    return next((bytes(token) for token in headers.get("auth-token-bin", ())), None)


def _password(credentials: str) -> bytes:
    """Return the password of `user:password`; Go sends base64 without padding."""
    padding = "=" * (-len(credentials) % 4)
    try:
        pair = base64.b64decode(credentials + padding, validate=True)
    except (binascii.Error, ValueError):
        raise Unauthenticated("the Basic credentials are not base64") from None
    return pair.partition(b":")[2]


class _Answer(fl.ServerMiddleware):  # type: ignore[misc] # pyarrow is not typed
    """Puts the Bearer header into the answer of a handshake."""

    def __init__(self, bearer: bytes) -> None:
        self._bearer = bearer

    def sending_headers(self) -> dict[str, bytes]:
        return {"authorization": b"Bearer " + self._bearer}


class TokenCheck(fl.ServerMiddlewareFactory):  # type: ignore[misc] # as above
    """Checks every call before its handler sees it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def start_call(
        self, info: Any, headers: Mapping[str, list[Any]]
    ) -> fl.ServerMiddleware | None:
        """Let the call in or raise; answer the header form of the handshake."""
        handshake = info.method == fl.FlightMethod.HANDSHAKE
        with border():
            token = presented_token(headers)
            if handshake and token is None:
                return None  # the payload form: Handshake.authenticate checks it
            self._gate.check(token)
        return _Answer(self._gate.bearer) if handshake else None


class Handshake(fl.ServerAuthHandler):  # type: ignore[misc] # as above
    """Serves the payload form of the handshake.

    Without any handler, pyarrow answers UNIMPLEMENTED to both forms.
    """

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    def authenticate(self, outgoing: Any, incoming: Any) -> None:
        """Check the payload, if there is one, and return the token."""
        try:
            payload = incoming.read()
        except (StopIteration, OSError, fl.FlightError):
            return  # the header form sends none, and was checked before
        if not payload:
            return
        with border():
            self._gate.check(_payload_password(payload))
        outgoing.write(self._gate.bearer)

    def is_valid(self, token: bytes) -> bytes:
        """Return the peer's identity: everybody is the same, and was checked before."""
        return b""


def _payload_password(payload: bytes) -> bytes:
    try:
        return BasicAuth.FromString(payload).password.encode()
    except DecodeError:
        raise to_status(Unauthenticated("the handshake is not a BasicAuth")) from None
