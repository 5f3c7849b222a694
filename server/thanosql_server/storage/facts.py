"""What is declared about a table and its columns, kept in the schema's metadata.

So it is of the same commit as the columns, and a column takes it along when it is
renamed. NOT NULL is the nullability of the column itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = b"thanosql:default"
"""Of a column: the SQL expression of its default."""

KEY = b"thanosql:key"
"""Of a column: its place in the primary key, from 1. Keys are not enforced."""

COMMENT = b"thanosql:comment"
"""Of a column or a table: a text for people."""

HOLDS = b"thanosql:holds"
"""Of a column of texts: they are paths of `image`, `audio` or `video` files."""

CONSTRAINTS = b"thanosql:constraints"
"""Of a column: its parts of unique and foreign keys (see `constraints`)."""

KEY_NAME = b"thanosql:key_name"
"""Of a table: the name of its primary key."""

TYPE = b"thanosql:type"
"""Of a column: its type as it was written, such as VARCHAR(20)."""

GENERATED = b"thanosql:generated"
"""Of a column of vectors: what it is kept fresh from (see `generated`)."""

MARK = b"thanosql:mark"
"""Of a column: what others are made from is found by, whatever its name."""

_DECLARED = (DEFAULT, KEY, COMMENT, CONSTRAINTS, TYPE, GENERATED, MARK)


def fact(of: pa.Field | pa.Schema, key: bytes) -> str | None:
    """Return what is declared of a column or a table, None if it is not."""
    value = (of.metadata or {}).get(key)
    return None if value is None else value.decode()


def with_facts(
    of: pa.Field | pa.Schema, facts: Mapping[bytes, str | None]
) -> pa.Field | pa.Schema:
    """Return the column or table with these facts too; None takes one back."""
    kept = {k: v for k, v in (of.metadata or {}).items() if k not in facts}
    given = {key: value.encode() for key, value in facts.items() if value is not None}
    return of.with_metadata({**kept, **given})


def primary_key(schema: pa.Schema) -> list[str]:
    """Return the columns of the primary key, in its order."""
    places = {field.name: fact(field, KEY) for field in schema}
    keyed = {name: int(place) for name, place in places.items() if place is not None}
    return sorted(keyed, key=lambda name: keyed[name])


def without_facts(schema: pa.Schema) -> pa.Schema:
    """Return the columns as queries see them: what is declared stays with the table."""
    return pa.schema([_without(field) for field in schema])


def _without(field: pa.Field) -> pa.Field:
    metadata = field.metadata or {}
    if not any(key in metadata for key in _DECLARED):
        return field
    kept = {key: value for key, value in metadata.items() if key not in _DECLARED}
    return field.with_metadata(kept or None)
