"""Values in ThanoSQL clauses, and OPTIONS(...) read with types and clear errors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, overload

from thanosql_server.errors import InvalidValue, Position, UndefinedObject, nearest


@dataclass(frozen=True)
class Parameter:
    """A placeholder, `?` or `$n`; `index` counts from 1 over the whole statement."""

    index: int

    def __str__(self) -> str:
        return f"${self.index}"


Value: TypeAlias = "str | int | float | bool | Parameter | tuple[Value, ...] | None"


def show(value: Value) -> str:
    """Return the value as a user would write it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(show, value))}]"
    return f"'{value}'" if isinstance(value, str) else str(value)


def bind(value: Value, arguments: Sequence[Value]) -> Value:
    """Return the value with every parameter replaced by its argument.

    Raises:
        InvalidValue: there are fewer arguments than the parameter's index.
    """
    if isinstance(value, tuple):
        return tuple(bind(item, arguments) for item in value)
    if not isinstance(value, Parameter):
        return value
    if value.index > len(arguments):
        raise InvalidValue(f"parameter {value} has no value; give one when executing")
    return arguments[value.index - 1]


class Options(Mapping[str, Value]):
    """The options of a clause by lower-case name, with the place of each.

    The typed getters return `default` for an option that was not written, and raise
    InvalidValue with the option's position for a value of the wrong type or range.
    """

    def __init__(
        self, values: Mapping[str, Value], positions: Mapping[str, Position]
    ) -> None:
        self._values = dict(values)
        self._positions = dict(positions)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"Options({self._values!r})"

    def position(self, name: str) -> Position:
        """Return where the option was written; KeyError if it was not."""
        return self._positions[name]

    def bind(self, arguments: Sequence[Value]) -> Options:
        """Return these options with parameters replaced by their arguments."""
        values = {name: bind(value, arguments) for name, value in self.items()}
        return Options(values, self._positions)

    def require_known(self, known: Iterable[str], what: str) -> None:
        """Refuse options that `what`, say "BUILD MODEL", does not know.

        Raises:
            UndefinedObject: names the first such option and the nearest known one.
        """
        names = sorted(known)
        for name in self:
            if name not in names:
                hint = nearest(name, names) or f"; it has: {', '.join(names) or 'none'}"
                raise UndefinedObject(
                    f"{what} has no option '{name}'{hint}",
                    position=self.position(name),
                )

    @overload
    def text(self, name: str, default: str) -> str: ...
    @overload
    def text(self, name: str, default: None = None) -> str | None: ...
    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a string."""
        if name not in self:
            return default
        value = self[name]
        if isinstance(value, str):
            return value
        raise self.invalid(name, "a text in quotes")

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a list of strings; a single string is a list of one."""
        if name not in self:
            return default
        value = self[name]
        items = value if isinstance(value, tuple) else (value,)
        texts = tuple(item for item in items if isinstance(item, str))
        if len(texts) == len(items):
            return texts
        raise self.invalid(name, "a text in quotes or a list of them")

    @overload
    def integer(
        self,
        name: str,
        default: int,
        minimum: int | None = None,
        maximum: int | None = None,
    ) -> int: ...
    @overload
    def integer(
        self,
        name: str,
        default: None = None,
        minimum: int | None = None,
        maximum: int | None = None,
    ) -> int | None: ...
    def integer(
        self,
        name: str,
        default: int | None = None,
        minimum: int | None = None,
        maximum: int | None = None,
    ) -> int | None:
        """Return a whole number from `minimum` to `maximum`, both included."""
        if name not in self:
            return default
        value = self[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole and isinstance(value, int) and _within(value, minimum, maximum):
            return value
        raise self.invalid(name, "a whole number" + _range(minimum, maximum))

    @overload
    def number(
        self,
        name: str,
        default: float,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> float: ...
    @overload
    def number(
        self,
        name: str,
        default: None = None,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> float | None: ...
    def number(
        self,
        name: str,
        default: float | None = None,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> float | None:
        """Return a finite number from `minimum` to `maximum`, both included."""
        if name not in self:
            return default
        value = self[name]
        number = value if isinstance(value, (int, float)) else math.nan
        plain = not isinstance(value, bool) and math.isfinite(number)
        if plain and _within(number, minimum, maximum):
            return float(number)
        raise self.invalid(name, "a number" + _range(minimum, maximum))

    def flag(self, name: str, default: bool = False) -> bool:
        """Return True or False."""
        if name not in self:
            return default
        value = self[name]
        if isinstance(value, bool):
            return value
        raise self.invalid(name, "True or False")

    def invalid(self, name: str, expected: str) -> InvalidValue:
        """Return the error that says what the option's value must be."""
        value = self[name]
        found = show(value)
        if isinstance(value, Parameter):
            found = f"parameter {found} without a value"
        return InvalidValue(
            f"option '{name}' must be {expected}, not {found}",
            position=self.position(name),
        )


def _within(value: float, minimum: float | None, maximum: float | None) -> bool:
    above = minimum is None or value >= minimum
    return above and (maximum is None or value <= maximum)


def _range(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    if minimum is not None:
        return f" of at least {minimum}"
    return "" if maximum is None else f" of at most {maximum}"
