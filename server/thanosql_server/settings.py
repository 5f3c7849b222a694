"""What a session may set for its statements: each setting with its type and bounds."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TypeAlias

from thanosql_server.errors import InvalidValue, UndefinedObject, nearest

SettingValue: TypeAlias = "int | float | str | bool"


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: as `SET` spells it; lower case, with dots.
        default: its value in a new session; its type is the type of all its values.
        description: what it does, with the unit, in one sentence.
        minimum: the smallest number, if it is one.
        maximum: the largest number, if it is one.
        choices: the texts it may have, if it is a text and not free.
    """

    name: str
    default: SettingValue
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def checked(self, value: SettingValue) -> SettingValue:
        """Return a value of this setting's type.

        Raises:
            InvalidValue: the value is of another type, or out of bounds.
        """
        if isinstance(self.default, bool):
            fits = isinstance(value, bool)
        elif isinstance(self.default, str):
            fits = isinstance(value, str) and (
                not self.choices or value in self.choices
            )
        else:
            fits = self._is_number(value)
        if not fits:
            raise InvalidValue(f"{self.name} must be {self._expected()}, not {value!r}")
        return value

    def _is_number(self, value: SettingValue) -> bool:
        if isinstance(value, (bool, str)):
            return False
        if isinstance(self.default, int) and not isinstance(value, int):
            return False
        low = self.minimum is None or value >= self.minimum
        return low and (self.maximum is None or value <= self.maximum)

    def _expected(self) -> str:
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, str):
            some = ", ".join(repr(choice) for choice in self.choices)
            return f"one of {some}" if some else "a text in quotes"
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        if self.minimum is not None and self.maximum is not None:
            return f"{kind} from {self.minimum:g} to {self.maximum:g}"
        return kind if self.minimum is None else f"{kind} of at least {self.minimum:g}"


_ALL = (
    Setting(
        "search.exact",
        False,
        "Whether a search compares every row even where there is an index.",
    ),
    Setting(
        "hnsw.ef_search",
        128,
        "Rows that a search by an HNSW index keeps in sight; more find more, slower.",
        minimum=1,
        maximum=100_000,
    ),
)

SETTINGS = {setting.name: setting for setting in _ALL}
"""Every setting by its name."""


def setting_named(name: str) -> Setting:
    """Return a setting by its name, in any case.

    Raises:
        UndefinedObject: there is no such setting.
    """
    setting = SETTINGS.get(name.lower())
    if setting is None:
        hint = nearest(name.lower(), sorted(SETTINGS)) or "; SHOW ALL lists them"
        raise UndefinedObject(f"there is no setting '{name}'{hint}")
    return setting


class Settings:
    """The values of one session; safe from any thread."""

    def __init__(self) -> None:
        self._values: dict[str, SettingValue] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> SettingValue:
        """Return the value of a setting in this session."""
        with self._lock:
            return self._values.get(name, SETTINGS[name].default)

    def integer(self, name: str) -> int:
        """Return the value of a setting that is a whole number."""
        return int(self[name])

    def set(self, name: str, value: SettingValue) -> None:
        """Give a setting a value for this session.

        Raises:
            UndefinedObject: there is no such setting.
            InvalidValue: the value is of another type, or out of bounds.
        """
        setting = setting_named(name)
        checked = setting.checked(value)
        with self._lock:
            self._values[setting.name] = checked

    def reset(self, name: str | None = None) -> None:
        """Give a setting, or all of them, the default again.

        Raises:
            UndefinedObject: there is no such setting.
        """
        names = list(SETTINGS) if name is None else [setting_named(name).name]
        with self._lock:
            for known in names:
                self._values.pop(known, None)
