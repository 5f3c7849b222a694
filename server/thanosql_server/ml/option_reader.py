"""What this layer asks of a statement's OPTIONS, whoever parsed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from thanosql_server.errors import ThanoSQLError


class OptionReader(Protocol):
    """Options by lower-case name; the getters raise InvalidValue with a position."""

    def get(self, name: str, /) -> object:
        """Return the value as written, None if the option is not there."""

    def require_known(self, known: Iterable[str], what: str) -> None:
        """Raise UndefinedObject for an option outside `known`, naming the nearest."""

    def text(self, name: str, default: str) -> str:
        """Return the option as text."""

    def integer(
        self,
        name: str,
        default: int,
        minimum: int | None = None,
        maximum: int | None = None,
    ) -> int:
        """Return the option as a whole number within the limits."""

    def number(
        self,
        name: str,
        default: float,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> float:
        """Return the option as a number within the limits."""

    def flag(self, name: str, default: bool) -> bool:
        """Return the option as True or False."""

    def invalid(self, name: str, expected: str) -> ThanoSQLError:
        """Return the error that says what the option's value must be."""
