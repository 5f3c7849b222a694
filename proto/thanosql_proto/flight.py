"""Bodies of Flight actions and the handshake; see `proto/flight.proto`."""

from __future__ import annotations

from thanosql_proto._pool import load

globals().update(load("flight.proto"))
