"""What the handlers share, and the forms in which they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from thanosql_server.errors import NotSupported
from thanosql_server.flight.handles import Running, SpentTickets

if TYPE_CHECKING:
    from typing import Any

    import pyarrow as pa

    from thanosql_server.flight.prepared import PreparedStatements
    from thanosql_server.flight.protocol import Engine


@dataclass(frozen=True)
class Service:
    """The engine, and the little that the service remembers between calls."""

    engine: Engine
    prepared: PreparedStatements
    running: Running = field(default_factory=Running)
    spent: SpentTickets = field(default_factory=SpentTickets)


@dataclass(frozen=True)
class Described:
    """What GetFlightInfo and GetSchema tell: columns, and the ticket for the rows."""

    schema: pa.Schema
    ticket: bytes


def refuse_transaction(message: Any) -> None:
    """Raise NotSupported if the message belongs to a transaction."""
    if message.transaction_id:
        raise NotSupported(
            "transactions are not supported; every statement commits on its own"
        )
