"""Pack messages into `google.protobuf.Any` and back, the envelope of Flight SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thanosql_proto import flight_sql, thanosql
from thanosql_proto._pool import load
from thanosql_proto.message import DecodeError, Message

if TYPE_CHECKING:
    from types import ModuleType

TYPE_URL_PREFIX = "type.googleapis.com/"

_Any = load("google/protobuf/any.proto")["Any"]


def _messages_of(*modules: ModuleType) -> dict[str, type[Message]]:
    found: list[Any] = [item for module in modules for item in vars(module).values()]
    return {
        item.DESCRIPTOR.full_name: item
        for item in found
        if isinstance(item, type) and issubclass(item, Message)
    }


# The actions of plain Flight (module `flight`) travel bare and are not looked up.
_MESSAGES = _messages_of(flight_sql, thanosql)


def pack(message: Message) -> bytes:
    """Return the message in its envelope, ready for a command, ticket or body."""
    envelope = _Any(
        type_url=TYPE_URL_PREFIX + message.DESCRIPTOR.full_name,
        value=message.SerializeToString(),
    )
    return bytes(envelope.SerializeToString(deterministic=True))


def unpack(data: bytes) -> Message:
    """Return the message that an envelope holds.

    Raises:
        ValueError: `data` is not an envelope, or of a message that we do not speak.
    """
    try:
        envelope = _Any.FromString(data)
    except DecodeError:
        raise ValueError("not a packed protobuf message") from None
    name = envelope.type_url.rpartition("/")[2]
    if not name:
        raise ValueError("not a packed protobuf message")
    if name not in _MESSAGES:
        raise ValueError(f"unknown message type '{name}'")
    try:
        return _MESSAGES[name].FromString(envelope.value)
    except DecodeError:
        raise ValueError(f"damaged message of type '{name}'") from None
