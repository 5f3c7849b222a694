"""Our own messages; see `proto/thanosql.proto`."""

from __future__ import annotations

from thanosql_proto._pool import load

globals().update(load("thanosql.proto"))
