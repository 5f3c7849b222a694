"""Stub of flight.proto; written by proto/compile.py, do not edit."""

from collections.abc import Iterable, Mapping
from collections.abc import MutableMapping, MutableSequence
from enum import IntEnum
from typing import ClassVar

from thanosql_proto.message import Message

class CancelStatus(IntEnum):
    CANCEL_STATUS_UNSPECIFIED = 0
    CANCEL_STATUS_CANCELLED = 1
    CANCEL_STATUS_CANCELLING = 2
    CANCEL_STATUS_NOT_CANCELLABLE = 3

class BasicAuth(Message):
    username: str
    password: str
    def __init__(self, *, username: str | None = ..., password: str | None = ...) -> None: ...

class CancelFlightInfoRequest(Message):
    info: bytes
    def __init__(self, *, info: bytes | None = ...) -> None: ...

class CancelFlightInfoResult(Message):
    status: int
    def __init__(self, *, status: int | None = ...) -> None: ...

class SessionOptionValue(Message):
    class StringListValue(Message):
        @property
        def values(self) -> MutableSequence[str]: ...
        def __init__(self, *, values: Iterable[str] | None = ...) -> None: ...
    
    string_value: str
    bool_value: bool
    int64_value: int
    double_value: float
    @property
    def string_list_value(self) -> StringListValue: ...
    def __init__(self, *, string_value: str | None = ..., bool_value: bool | None = ..., int64_value: int | None = ..., double_value: float | None = ..., string_list_value: StringListValue | None = ...) -> None: ...

class SetSessionOptionsRequest(Message):
    @property
    def session_options(self) -> MutableMapping[str, SessionOptionValue]: ...
    def __init__(self, *, session_options: Mapping[str, SessionOptionValue] | None = ...) -> None: ...

class SetSessionOptionsResult(Message):
    class Error(Message):
        value: int
        def __init__(self, *, value: int | None = ...) -> None: ...
    
    UNSPECIFIED: ClassVar[int]
    INVALID_NAME: ClassVar[int]
    INVALID_VALUE: ClassVar[int]
    ERROR: ClassVar[int]
    @property
    def errors(self) -> MutableMapping[str, Error]: ...
    def __init__(self, *, errors: Mapping[str, Error] | None = ...) -> None: ...

class GetSessionOptionsRequest(Message):
    def __init__(self) -> None: ...

class GetSessionOptionsResult(Message):
    @property
    def session_options(self) -> MutableMapping[str, SessionOptionValue]: ...
    def __init__(self, *, session_options: Mapping[str, SessionOptionValue] | None = ...) -> None: ...

class CloseSessionRequest(Message):
    def __init__(self) -> None: ...

class CloseSessionResult(Message):
    UNSPECIFIED: ClassVar[int]
    CLOSED: ClassVar[int]
    CLOSING: ClassVar[int]
    NOT_CLOSEABLE: ClassVar[int]
    status: int
    def __init__(self, *, status: int | None = ...) -> None: ...
