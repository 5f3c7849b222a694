"""The messages of Arrow Flight SQL; see `proto/flight_sql.proto`."""

from __future__ import annotations

from thanosql_proto._pool import load

globals().update(load("flight_sql.proto"))
