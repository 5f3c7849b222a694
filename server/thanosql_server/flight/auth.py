"""The seam to pyarrow for who may come in; `gate` knows who may.

Credentials come as `authorization: Bearer <token>` or `Basic <user:password>` on any
call, or in a handshake, header or payload, which is answered with a signed token.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow.flight as fl

from thanosql_proto.flight import BasicAuth
from thanosql_proto.message import DecodeError
from thanosql_server.callers import NOBODY_ASKED, Caller
from thanosql_server.errors import Unauthenticated
from thanosql_server.flight.gate import Credentials, Gate
from thanosql_server.flight.status import border, to_status

if TYPE_CHECKING:
    from collections.abc import Mapping

SESSION_HEADER = "x-thanosql-session"
"""Names the session of a call, over the one that its token names."""

_SESSION = re.compile(r"[A-Za-z0-9_-]{8,64}")
_MIDDLEWARE = "caller"


def presented(headers: Mapping[str, list[Any]]) -> Credentials:
    """Return the credentials in the headers of a call.

    Raises:
        Unauthenticated: the header is neither Bearer nor Basic.
    """
    for value in headers.get("authorization", ()):
        scheme, _, credentials = value.partition(" ")
        if scheme.lower() == "bearer":
            return Credentials(str(credentials).strip().encode())
        if scheme.lower() == "basic":
            return _basic(credentials.strip())
        raise Unauthenticated("the authorization header must be Bearer or Basic")
    # Clients of the older handshake send the token that it returned this way.
    older = next(iter(headers.get("auth-token-bin", ())), None)
    return Credentials(None if older is None else bytes(older))


def _basic(credentials: str) -> Credentials:
    """Return the parts of `user:password`; Go sends base64 without padding."""
    padding = "=" * (-len(credentials) % 4)
    try:
        pair = base64.b64decode(credentials + padding, validate=True)
    except (binascii.Error, ValueError):
        raise Unauthenticated("the Basic credentials are not base64") from None
    user, _, password = pair.decode("utf-8", "surrogateescape").partition(":")
    return Credentials(None, user, password)


def _session(headers: Mapping[str, list[Any]]) -> str:
    """Return the session that the client names, "" if it names none."""
    name = next(iter(headers.get(SESSION_HEADER, ())), "")
    if name and not _SESSION.fullmatch(name):
        raise Unauthenticated(
            f"{SESSION_HEADER} must be 8 to 64 letters, digits, - and _"
        )
    return str(name)


class Admitted(fl.ServerMiddleware):  # type: ignore[misc] # pyarrow is not typed
    """Carries the caller to the handler, and a signed token to the client.

    Attributes:
        caller: who makes the call.
        sending_headers: returns the headers of the answer. No function of ours: for
            each that a thread of gRPC calls, Python maps memory for its frames and
            gives it back, and that takes longer than such a function.
    """

    def __init__(self, caller: Caller, bearer: bytes | None) -> None:
        self.caller = caller
        token = {} if bearer is None else {"authorization": b"Bearer " + bearer}
        self.sending_headers = token.copy


def caller_of(context: Any) -> Caller:
    """Return who makes the call that pyarrow handed the context of."""
    admitted = context.get_middleware(_MIDDLEWARE)
    if not isinstance(admitted, Admitted):
        raise Unauthenticated("the call was not checked")
    return admitted.caller


class CallerCheck(fl.ServerMiddlewareFactory):  # type: ignore[misc] # as above
    """Checks every call before its handler sees it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def start_call(
        self, info: Any, headers: Mapping[str, list[Any]]
    ) -> fl.ServerMiddleware | None:
        """Let the call in or raise; answer the header form of the handshake."""
        with border():
            credentials = presented(headers)
            if info.method != fl.FlightMethod.HANDSHAKE:
                caller, renewed = self._gate.admit(credentials)
                session = _session(headers) or caller.session
                return Admitted(replace(caller, session=session), renewed)
            if not credentials.given:
                return None  # the payload form: Handshake.authenticate checks it
            return Admitted(NOBODY_ASKED, self._gate.open_session(credentials))


def middleware(gate: Gate) -> dict[str, fl.ServerMiddlewareFactory]:
    """Return what pyarrow is to ask about every call."""
    return {_MIDDLEWARE: CallerCheck(gate)}


class Handshake(fl.ServerAuthHandler):  # type: ignore[misc] # as above
    """Serves the payload form of the handshake.

    Without any handler, pyarrow answers UNIMPLEMENTED to both forms.
    """

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    def authenticate(self, outgoing: Any, incoming: Any) -> None:
        """Check the payload, if there is one, and return a signed token."""
        try:
            payload = incoming.read()
        except (StopIteration, OSError, fl.FlightError):
            return  # the header form sends none, and was checked before
        if not payload:
            return
        with border():
            bearer = self._gate.open_session(_payload(payload))
        outgoing.write(bearer)

    is_valid = staticmethod(bytes)
    """Returns the peer's identity, which nobody asks for: callers were checked before.
    No function of ours, for the reason that `Admitted` gives."""


def _payload(payload: bytes) -> Credentials:
    try:
        pair = BasicAuth.FromString(payload)
    except DecodeError:
        raise to_status(Unauthenticated("the handshake is not a BasicAuth")) from None
    return Credentials(None, pair.username, pair.password)
