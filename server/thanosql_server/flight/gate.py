"""Who may come in, and as whom: the server's one token, users, and signed tokens."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from thanosql_server.callers import NOBODY_ASKED, Caller, Role
from thanosql_server.errors import Unauthenticated
from thanosql_server.flight import bearers
from thanosql_server.flight.bearers import Bearer, Signer
from thanosql_server.flight.users import MAX_NAME, Users

if TYPE_CHECKING:
    from thanosql_server.config import Config

ADMIN = "admin"
"""The user's name of whoever presents the server's one token and gives none."""

OUR_FOLDER = ".thanosql"
KEY_FILE = "signing.key"

PENALTY_SECONDS = 0.25
"""How long whoever presents something wrong waits for the answer."""

REMEMBERED_SECONDS = 300.0
REMEMBERED = 1_000
"""Right passwords are remembered: some clients present theirs with every call."""


@dataclass(frozen=True)
class Credentials:
    """What a call presents: a bearer token, or a name and a password, or nothing."""

    bearer: bytes | None = None
    user: str = ""
    password: str | None = None

    @property
    def given(self) -> bool:
        """Whether there is anything."""
        return self.bearer is not None or self.password is not None


@dataclass(frozen=True)
class Proof:
    """A caller, and the secret, as it is kept, that proved it."""

    caller: Caller
    secret: str


class Gate:
    """Knows who may come in; safe from any thread.

    Secrets are compared in a time that does not tell how much of them was right, and
    whoever presents a wrong one waits.

    Raises:
        InvalidValue: the file of users cannot be used.
    """

    def __init__(self, config: Config) -> None:
        self._token = config.token.encode() if config.token is not None else None
        self._users = Users(config.users) if config.users is not None else None
        self._open = self._token is None and self._users is None
        file = config.workspace / OUR_FOLDER / KEY_FILE
        lifetime = config.limits.token_lifetime
        self._signer = Signer(config.signing_key, file, lifetime)
        self._proven = _Proven()

    def admit(self, presented: Credentials) -> tuple[Caller, bytes | None]:
        """Return the caller, and a new token if the one presented is old.

        Raises:
            Unauthenticated: nothing was presented, or nothing that lets anybody in.
        """
        token = presented.bearer
        if token is not None and token.startswith(bearers.PREFIX):
            bearer = self._signer.read(token)
            proof = self._proof(bearer)
            caller = replace(proof.caller, session=bearer.session)
            if not self._signer.is_old(bearer):
                return caller, None
            return caller, self._signer.issue(
                bearer.user, proof.secret, session=bearer.session
            )
        return self._check(presented).caller, None

    def open_session(self, presented: Credentials) -> bytes:
        """Return a signed token of a new session; raises as `admit`."""
        proof = self._check(presented)
        return self._signer.issue(proof.caller.user, proof.secret)

    # ---- Secrets that are presented ----------------------------------------

    def _check(self, presented: Credentials) -> Proof:
        if self._open:
            user = _name(presented.user) or NOBODY_ASKED.user
            return Proof(replace(NOBODY_ASKED, user=user), "")
        if not presented.given:
            raise Unauthenticated(
                "the server wants a token; give it as token=... or as the password"
            )
        known = self._proven.get(presented) if presented.password is not None else None
        if known is not None:
            return known
        proof = self._prove(presented)
        if proof is None:
            time.sleep(PENALTY_SECONDS)
            what = "token is not the one of this server"
            if self._users is not None:
                what = "user's name, the password or the token is wrong"
            raise Unauthenticated(f"the {what}")
        if presented.password is not None:
            self._proven.remember(presented, proof)
        return proof

    def _prove(self, presented: Credentials) -> Proof | None:
        secret = presented.bearer
        if secret is None:
            secret = (presented.password or "").encode("utf-8", "surrogateescape")
        if self._token is not None and hmac.compare_digest(secret, self._token):
            name = _name(presented.user) or ADMIN
            return Proof(Caller(name, Role.ADMIN), self._token.decode())
        if self._users is None:
            return None
        found = self._users.by_token(secret)
        other = presented.user and self._users.get(presented.user)
        if found and other and other is not found[0]:
            found = None  # the token of one user under the name of another
        if found is None and presented.password is not None:
            found = self._users.by_password(presented.user, presented.password)
        if found is None:
            return None
        user, kept = found
        return Proof(Caller(user.name, user.role), kept)

    # ---- Signed tokens -----------------------------------------------------

    def _proof(self, bearer: Bearer) -> Proof:
        """Return what proved the caller of a signed token, if that still stands."""
        for role, secret in self._standing(bearer.user):
            if hmac.compare_digest(self._signer.mark(secret), bearer.mark):
                return Proof(Caller(bearer.user, role), secret)
        raise Unauthenticated(
            "the user or the secret behind this token is no longer known; connect again"
        )

    def _standing(self, name: str) -> list[tuple[Role, str]]:
        if self._open:
            return [(Role.ADMIN, "")]
        found = []
        if self._token is not None:
            found.append((Role.ADMIN, self._token.decode()))
        user = self._users.get(name) if self._users is not None else None
        if user is not None:
            found.extend((user.role, secret) for secret in user.secrets)
        return found


def _name(user: str) -> str:
    """Return a name that anybody may choose, fit to be shown to others."""
    return "".join(c for c in user if c.isprintable())[:MAX_NAME]


class _Proven:
    """Right passwords of the last minutes, known by a key of this process only."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._found: OrderedDict[bytes, tuple[float, Proof]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, presented: Credentials) -> Proof | None:
        mark = self._mark(presented)
        with self._lock:
            since, proof = self._found.get(mark, (0.0, None))
            if proof is None or time.monotonic() - since > REMEMBERED_SECONDS:
                return None
            return proof

    def remember(self, presented: Credentials, proof: Proof) -> None:
        with self._lock:
            self._found[self._mark(presented)] = (time.monotonic(), proof)
            while len(self._found) > REMEMBERED:
                self._found.popitem(last=False)

    def _mark(self, presented: Credentials) -> bytes:
        pair = f"{presented.user}\0{presented.password}"
        return hmac.digest(self._key, pair.encode("utf-8", "surrogateescape"), "sha256")
