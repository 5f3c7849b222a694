"""What a session may set for its statements: each setting with its type and bounds."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from thanosql_server.errors import InvalidValue, UndefinedObject, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

SettingValue: TypeAlias = "int | float | str | bool"

_DURATION = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE)
_SECONDS = {"": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZES |= {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_WORDS = {"true": True, "on": True, "yes": True, "false": False, "off": False}
_WORDS["no"] = False


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
        unit: of its numbers, "s" for seconds, "B" for bytes; then texts such as '500ms'
            and '10MB' are read.
    """

    name: str
    default: SettingValue
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""

    def checked(self, value: SettingValue) -> SettingValue:
        """Return a value of this setting's type; texts are read as SET writes them.

        Raises:
            InvalidValue: the value is of another type, or out of bounds.
        """
        value = self._read(value)
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

    def _read(self, value: SettingValue) -> SettingValue:
        """Return what a text means for a setting that is none."""
        if isinstance(self.default, str) or not isinstance(value, str):
            return value
        if isinstance(self.default, bool):
            return _WORDS.get(value.lower(), value)
        if self.unit == "s":
            return _seconds(value)
        if self.unit == "B":
            return _bytes(value)
        try:
            return int(value) if isinstance(self.default, int) else float(value)
        except ValueError:
            return value

    def _is_number(self, value: SettingValue) -> bool:
        if isinstance(value, (bool, str)):
            return False
        if isinstance(self.default, int) and not isinstance(value, int):
            return False
        if not math.isfinite(value):
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
        if self.unit == "s":
            return (
                f"a text such as '500ms' or '2min', or {kind} of seconds{self._range()}"
            )
        if self.unit == "B":
            return f"a text such as '10MB' or '1GiB', or {kind} of bytes"
        return kind + self._range()

    def _range(self) -> str:
        if self.minimum is None:
            return ""
        if self.maximum is None:
            return f" of at least {self.minimum:g}"
        return f" from {self.minimum:g} to {self.maximum:g}"


def _seconds(text: str) -> SettingValue:
    """Return the seconds of '30s' or '500ms'; the text itself if it is neither."""
    match = _DURATION.fullmatch(text)
    unit = _SECONDS.get(match[2].lower()) if match else None
    return text if match is None or unit is None else float(match[1]) * unit


def _bytes(text: str) -> SettingValue:
    """Return the bytes of '10MB' or '1GiB'; the text itself if it is neither."""
    match = _DURATION.fullmatch(text)
    unit = _SIZES.get(match[2].lower()) if match else None
    return text if match is None or unit is None else int(float(match[1]) * unit)


STATEMENT_TIMEOUT = "statement_timeout"
RESULT_LIMIT = "result_limit"

_ALL = (
    Setting(
        STATEMENT_TIMEOUT,
        0.0,
        "How long a statement may take, reading of its rows included; 0 is no limit.",
        minimum=0,
        unit="s",
    ),
    Setting(
        RESULT_LIMIT,
        0,
        "How many bytes of rows a statement may return, in Arrow's format; 0 is no "
        "limit.",
        minimum=0,
        unit="B",
    ),
    Setting(
        "search.exact",
        False,
        "Whether a search compares every row even where there is an index.",
    ),
    Setting(
        "search.embed_pending",
        256,
        "Rows of a generated column that a search embeds before it looks, if they "
        "wait; where more wait, it goes on without them and says how many.",
        minimum=0,
        maximum=1_000_000,
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
    """The values of one session; safe from any thread.

    Args:
        keep: called with them before a value is set; may refuse.
    """

    def __init__(self, keep: Callable[[Settings], None] | None = None) -> None:
        self._keep = keep
        self._values: dict[str, SettingValue] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> SettingValue:
        """Return the value of a setting in this session."""
        with self._lock:
            return self._values.get(name, SETTINGS[name].default)

    def integer(self, name: str) -> int:
        """Return the value of a setting that is a whole number."""
        return int(self[name])

    def number(self, name: str) -> float:
        """Return the value of a setting that is a number."""
        return float(self[name])

    @property
    def changed(self) -> bool:
        """Whether anything is not as in a new session."""
        with self._lock:
            return bool(self._values)

    def values(self) -> dict[str, SettingValue]:
        """Return what is not as in a new session, by name."""
        with self._lock:
            return dict(self._values)

    def set(self, name: str, value: SettingValue) -> None:
        """Give a setting a value for this session.

        Raises:
            UndefinedObject: there is no such setting.
            InvalidValue: the value is of another type, or out of bounds.
            NotSupported: the client has no session.
        """
        setting = setting_named(name)
        checked = setting.checked(value)
        if self._keep is not None:
            self._keep(self)
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


def shown(value: SettingValue) -> str:
    """Return a value as SET reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
