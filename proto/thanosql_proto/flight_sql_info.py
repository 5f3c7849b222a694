"""Numbers of Flight SQL's metadata; see `proto/flight_sql_info.proto`."""

from __future__ import annotations

from thanosql_proto._pool import load

globals().update(load("flight_sql_info.proto"))
