"""Stub of thanosql.proto; written by proto/compile.py, do not edit."""

from collections.abc import Iterable, Mapping
from collections.abc import MutableMapping, MutableSequence
from enum import IntEnum
from typing import ClassVar

from thanosql_proto.message import Message

class Execute(Message):
    query: str
    parameters: bytes
    progress: bool
    statement_id: str
    def __init__(self, *, query: str | None = ..., parameters: bytes | None = ..., progress: bool | None = ..., statement_id: str | None = ...) -> None: ...

class Progress(Message):
    phase: str
    done: int
    total: int
    seconds: float
    message: str
    def __init__(self, *, phase: str | None = ..., done: int | None = ..., total: int | None = ..., seconds: float | None = ..., message: str | None = ...) -> None: ...

class Completed(Message):
    rows_affected: int
    @property
    def warnings(self) -> MutableSequence[str]: ...
    seconds: float
    @property
    def notes(self) -> MutableSequence[str]: ...
    def __init__(self, *, rows_affected: int | None = ..., warnings: Iterable[str] | None = ..., seconds: float | None = ..., notes: Iterable[str] | None = ...) -> None: ...

class Event(Message):
    @property
    def progress(self) -> Progress: ...
    @property
    def completed(self) -> Completed: ...
    def __init__(self, *, progress: Progress | None = ..., completed: Completed | None = ...) -> None: ...

class StatementHandle(Message):
    query: str
    parameters: bytes
    statement_id: str
    acted: bool
    def __init__(self, *, query: str | None = ..., parameters: bytes | None = ..., statement_id: str | None = ..., acted: bool | None = ...) -> None: ...

class CancelStatement(Message):
    statement_id: str
    def __init__(self, *, statement_id: str | None = ...) -> None: ...

class CancelStatementResult(Message):
    found: bool
    def __init__(self, *, found: bool | None = ...) -> None: ...
