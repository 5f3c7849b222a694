"""Keys that are declared of a table: primary, unique and foreign ones, not enforced.

Each column holds its part of each constraint, so that a constraint follows its columns
when they are renamed, and is gone when one of them is.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from thanosql_server.storage.facts import (
    CONSTRAINTS,
    KEY,
    KEY_NAME,
    fact,
    primary_key,
    with_facts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

PRIMARY, UNIQUE, FOREIGN = "PRIMARY KEY", "UNIQUE", "FOREIGN KEY"


@dataclass(frozen=True)
class Reference:
    """What a foreign key refers to, and the rules it was declared with."""

    schema: str
    table: str
    columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"


@dataclass(frozen=True)
class Constraint:
    """A key of a table.

    Attributes:
        kind: `PRIMARY KEY`, `UNIQUE` or `FOREIGN KEY`.
        name: its name, the only one of its table.
        columns: its columns, in order.
        reference: what a foreign key refers to.
    """

    kind: str
    name: str
    columns: tuple[str, ...]
    reference: Reference | None = None


def with_constraints(schema: pa.Schema, constraints: Iterable[Constraint]) -> pa.Schema:
    """Return the columns with what is declared of them together."""
    kept = {name: list[dict[str, Any]]() for name in schema.names}
    for one in constraints:
        if one.kind == PRIMARY:
            schema = with_facts(_keyed(schema, one.columns), {KEY_NAME: one.name})
            continue
        for place, column in enumerate(one.columns):
            kept[column].append(_part(one, place))
    for index, (name, parts) in enumerate(kept.items()):
        if parts:
            field = with_facts(schema.field(name), {CONSTRAINTS: json.dumps(parts)})
            schema = schema.set(index, field)
    return schema


def constraints_of(table: str, schema: pa.Schema) -> list[Constraint]:
    """Return the constraints of a table: its primary key first."""
    key = tuple(primary_key(schema))
    found = []
    if key:
        found.append(
            Constraint(PRIMARY, fact(schema, KEY_NAME) or f"{table}_pkey", key)
        )
    parts: dict[str, list[tuple[dict[str, Any], str]]] = {}
    for field in schema:
        for part in json.loads(fact(field, CONSTRAINTS) or "[]"):
            parts.setdefault(part["name"], []).append((part, field.name))
    whole = (_whole(name, mine) for name, mine in parts.items())
    return [*found, *(one for one in whole if one is not None)]


def _keyed(schema: pa.Schema, key: tuple[str, ...]) -> pa.Schema:
    for place, name in enumerate(key, start=1):
        index = schema.get_field_index(name)
        field = with_facts(schema.field(index), {KEY: str(place)})
        schema = schema.set(index, field.with_nullable(False))
    return schema


def _part(one: Constraint, place: int) -> dict[str, Any]:
    part = {
        "kind": one.kind,
        "name": one.name,
        "place": place,
        "of": len(one.columns),
    }
    if one.reference is not None:
        part["reference"] = asdict(one.reference)
    return part


def _whole(name: str, parts: list[tuple[dict[str, Any], str]]) -> Constraint | None:
    """Return a constraint of its parts, None if a column of it is gone."""
    parts.sort(key=lambda part: part[0]["place"])
    first = parts[0][0]
    if len(parts) != first["of"]:
        return None
    reference = None
    if "reference" in first:
        given = first["reference"]
        reference = Reference(**given | {"columns": tuple(given["columns"])})
    columns = tuple(column for _, column in parts)
    return Constraint(first["kind"], name, columns, reference)
