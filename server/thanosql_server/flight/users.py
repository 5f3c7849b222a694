"""The file of users: their roles, passwords and API tokens.

[users.ada]
role = "writer"
password = "scrypt$..."          # thanosql serve --hash-password
tokens = ["sha256$..."]          # thanosql serve --new-token
"""

from __future__ import annotations

import hmac
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thanosql_server.callers import Role
from thanosql_server.errors import InvalidValue, nearest
from thanosql_server.flight.passwords import (
    PasswordHash,
    is_token_hash,
    token_hash,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROLES = {role.title: role for role in Role}
MAX_NAME = 100
"""Characters of a user's name."""


@dataclass(frozen=True)
class User:
    """One user.

    Attributes:
        name: as the file spells it; upper and lower case differ.
        role: what the user may do.
        password: what is kept of the password, None if there is none.
        tokens: what is kept of the API tokens.
    """

    name: str
    role: Role
    password: PasswordHash | None = None
    tokens: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is kept of everything that proves the user."""
        kept = (str(self.password),) if self.password else ()
        return (*kept, *self.tokens)


class Users:
    """The users of a server.

    Args:
        content: of the file.

    Raises:
        InvalidValue: it is not TOML, or something in it cannot be used.
    """

    def __init__(self, content: bytes) -> None:
        try:
            document = tomllib.loads(content.decode("utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InvalidValue(f"the file of users is not TOML: {error}") from None
        _check_names(document, ("users",), "the file of users")
        table = document.get("users", {})
        if not isinstance(table, dict) or not table:
            raise InvalidValue("the file of users has no [users.NAME]")
        self._users = {name: _user(name, entry) for name, entry in table.items()}
        # Somebody who is not there costs as much time as somebody who is.
        self._stranger = PasswordHash.of("")

    def get(self, name: str) -> User | None:
        """Return the user of a name, or None."""
        return self._users.get(name)

    def by_password(self, name: str, password: str) -> tuple[User, str] | None:
        """Return the user that name and password prove, and what is kept of it."""
        user = self._users.get(name)
        kept = user.password if user else None
        right = (kept or self._stranger).matches(password)
        return (user, str(kept)) if user and kept and right else None

    def by_token(self, token: bytes) -> tuple[User, str] | None:
        """Return the user that an API token proves, and what is kept of it."""
        presented = token_hash(token)
        found = None
        for user in self._users.values():
            for kept in user.tokens:
                if hmac.compare_digest(kept, presented):
                    found = user, kept
        return found


def _user(name: str, entry: Any) -> User:
    where = f"user '{name}'"
    if not name or len(name) > MAX_NAME or ":" in name or not name.isprintable():
        raise InvalidValue(
            f"{where}: a name has 1 to {MAX_NAME} printable characters and no colon"
        )
    if not isinstance(entry, dict):
        raise InvalidValue(f"{where} must be a table: [users.{name}]")
    _check_names(entry, ("role", "password", "tokens"), where)
    role = entry.get("role")
    if role not in ROLES:
        known = ", ".join(ROLES)
        raise InvalidValue(f"{where}: role must be one of {known}, not {role!r}")
    user = User(name, ROLES[role], _password(where, entry), _tokens(where, entry))
    if not user.secrets:
        raise InvalidValue(f"{where} has neither a password nor tokens")
    return user


def _password(where: str, entry: Mapping[str, Any]) -> PasswordHash | None:
    kept = entry.get("password")
    if kept is None:
        return None
    try:
        return PasswordHash.parse(kept if isinstance(kept, str) else "")
    except InvalidValue as error:
        raise InvalidValue(f"{where}: {error.message}") from None


def _tokens(where: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    kept = entry.get("tokens", [])
    if not isinstance(kept, list) or not all(
        isinstance(token, str) and is_token_hash(token) for token in kept
    ):
        raise InvalidValue(
            f"{where}: tokens must be a list of hashes, which thanosql serve "
            "--new-token makes"
        )
    return tuple(kept)


def _check_names(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in table:
        if name not in known:
            raise InvalidValue(f"{where}: unknown name '{name}'{nearest(name, known)}")
