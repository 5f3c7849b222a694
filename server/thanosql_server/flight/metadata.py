"""The commands that list catalogs, schemas, tables, keys and types.

Each is one `Listing`: the columns that the specification prescribes (clients compare
them to the letter, with nullability) and a function that yields the rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.flight as fl

from thanosql_proto.any import pack
from thanosql_proto.flight_sql import (
    CommandGetCatalogs,
    CommandGetCrossReference,
    CommandGetDbSchemas,
    CommandGetExportedKeys,
    CommandGetImportedKeys,
    CommandGetPrimaryKeys,
    CommandGetSqlInfo,
    CommandGetTables,
    CommandGetTableTypes,
    CommandGetXdbcTypeInfo,
)
from thanosql_server.flight import keys
from thanosql_server.flight.service import Described
from thanosql_server.flight.sql_info import SQL_INFO_SCHEMA, sql_info_batch
from thanosql_server.flight.sql_types import XDBC_SCHEMA, size_of, type_name, xdbc_rows
from thanosql_server.flight.status import border
from thanosql_server.storage.facts import COMMENT, fact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from thanosql_proto.message import Message
    from thanosql_server.flight.protocol import Engine, TableInfo
    from thanosql_server.flight.service import Service

ROWS_PER_BATCH = 256
"""Tables per batch; with the columns of each, a batch stays well below 4 MiB."""

TABLE_TYPES = ("SYSTEM TABLE", "TABLE", "VIEW")


def _columns(*required: str, optional: tuple[str, ...] = ()) -> pa.Schema:
    """Return string columns, the optional ones first (as in the specification)."""
    return pa.schema(
        [pa.field(name, pa.string()) for name in optional]
        + [pa.field(name, pa.string(), nullable=False) for name in required]
    )


CATALOGS = _columns("catalog_name")
SCHEMAS = _columns("db_schema_name", optional=("catalog_name",))
TABLE_KINDS = _columns("table_type")
TABLES = _columns(
    "table_name", "table_type", optional=("catalog_name", "db_schema_name")
)
TABLES_WITH_COLUMNS = TABLES.append(
    pa.field("table_schema", pa.binary(), nullable=False)
)


# ---- Rows ------------------------------------------------------------------


def like(pattern: str | None) -> Callable[[str], bool]:
    r"""Return whether a name matches a pattern of `%` and `_`; `\` takes them as is."""
    if pattern is None:
        return lambda name: True
    parts = re.findall(r"\\[%_\\]|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    regex = "".join(wild.get(p) or re.escape(p[-1]) for p in parts)
    return lambda name: re.fullmatch(regex, name, re.DOTALL) is not None


def _optional(command: Any, name: str) -> str | None:
    """Return an optional field, None if the client left it out."""
    return getattr(command, name) if command.HasField(name) else None


def _same(wanted: str | None, name: str) -> bool:
    return wanted is None or wanted == name


def _catalog_rows(engine: Engine, command: CommandGetCatalogs) -> Iterator[Any]:
    return ((name,) for name in sorted(engine.catalogs()))


def _schema_rows(engine: Engine, command: CommandGetDbSchemas) -> Iterator[Any]:
    catalog = _optional(command, "catalog")
    matches = like(_optional(command, "db_schema_filter_pattern"))
    for name, schema in sorted(engine.schemas()):
        if _same(catalog, name) and matches(schema):
            yield name, schema


def _table_rows(engine: Engine, command: CommandGetTables) -> Iterator[Any]:
    catalog = _optional(command, "catalog")
    schema = like(_optional(command, "db_schema_filter_pattern"))
    name = like(_optional(command, "table_name_filter_pattern"))
    kinds = set(command.table_types or TABLE_TYPES)

    def wanted(catalog_: str, schema_: str, name_: str) -> bool:
        return _same(catalog, catalog_) and schema(schema_) and name(name_)

    tables = engine.tables(columns=command.include_schema, wanted=wanted)
    for table in sorted(tables, key=_place):
        if table.kind not in kinds:
            continue
        row = (table.catalog, table.schema, table.name, table.kind)
        yield (*row, described_columns(table)) if command.include_schema else row


def _place(table: TableInfo) -> tuple[str, str, str]:
    return table.catalog, table.schema, table.name


def described_columns(table: TableInfo) -> bytes:
    """Return the table's schema in IPC form, each field with Flight SQL's metadata."""
    fields = [_described(field, table) for field in table.columns or ()]
    return bytes(pa.schema(fields).serialize())


def _described(field: pa.Field, table: TableInfo) -> pa.Field:
    facts = {
        "CATALOG_NAME": table.catalog,
        "DB_SCHEMA_NAME": table.schema,
        "TABLE_NAME": table.name,
        "TYPE_NAME": type_name(field.type),
        "IS_AUTO_INCREMENT": "0",
        "IS_CASE_SENSITIVE": "1",
        "IS_READ_ONLY": "0" if table.kind == "TABLE" else "1",
        "IS_SEARCHABLE": "1",
    }
    precision, scale = size_of(field.type)
    known = {"PRECISION": precision, "SCALE": scale, "REMARKS": fact(field, COMMENT)}
    facts |= {key: str(value) for key, value in known.items() if value is not None}
    metadata = {f"ARROW:FLIGHT:SQL:{key}".encode(): v for key, v in facts.items()}
    return field.with_metadata({**(field.metadata or {}), **metadata})


def _table_kind_rows(engine: Engine, command: CommandGetTableTypes) -> Iterator[Any]:
    return ((kind,) for kind in TABLE_TYPES)


def _xdbc_rows(engine: Engine, command: CommandGetXdbcTypeInfo) -> Iterator[Any]:
    return xdbc_rows(command.data_type if command.HasField("data_type") else None)


# ---- The table of commands -------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """A metadata command: its columns, and the rows for a command."""

    schema: pa.Schema
    rows: Callable[[Engine, Any], Iterator[tuple[Any, ...]]]


LISTINGS: dict[type[Message], Listing] = {
    CommandGetCatalogs: Listing(CATALOGS, _catalog_rows),
    CommandGetDbSchemas: Listing(SCHEMAS, _schema_rows),
    CommandGetTables: Listing(TABLES, _table_rows),
    CommandGetTableTypes: Listing(TABLE_KINDS, _table_kind_rows),
    CommandGetPrimaryKeys: Listing(keys.PRIMARY_KEYS, keys.primary_key_rows),
    CommandGetExportedKeys: Listing(keys.FOREIGN_KEYS, keys.exported_key_rows),
    CommandGetImportedKeys: Listing(keys.FOREIGN_KEYS, keys.imported_key_rows),
    CommandGetCrossReference: Listing(keys.FOREIGN_KEYS, keys.cross_reference_rows),
    CommandGetXdbcTypeInfo: Listing(XDBC_SCHEMA, _xdbc_rows),
}


def _schema_of(command: Message) -> pa.Schema:
    if isinstance(command, CommandGetTables) and command.include_schema:
        return TABLES_WITH_COLUMNS
    return LISTINGS[type(command)].schema


def describe_listing(service: Service, command: Message) -> Described:
    """Return a listing's columns; its ticket is the command itself."""
    return Described(_schema_of(command), pack(command))


def do_get_listing(
    service: Service, context: Any, command: Message
) -> fl.FlightDataStream:
    """Return the rows of a listing."""
    schema = _schema_of(command)
    rows = LISTINGS[type(command)].rows(service.engine, command)
    return fl.GeneratorStream(schema, _batches(rows, schema, context))


def _batches(
    rows: Iterable[tuple[Any, ...]], schema: pa.Schema, context: Any
) -> Iterator[pa.RecordBatch]:
    with border(context):
        rows = iter(rows)
        while chunk := list(islice(rows, ROWS_PER_BATCH)):
            columns = zip(*chunk, strict=True)
            yield pa.RecordBatch.from_arrays(
                [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)],
                schema=schema,
            )


# ---- GetSqlInfo, whose value is a union and not a row of columns -----------


def describe_sql_info(service: Service, command: CommandGetSqlInfo) -> Described:
    """Return the columns of the facts about this server."""
    return Described(SQL_INFO_SCHEMA, pack(command))


def do_get_sql_info(
    service: Service, context: Any, command: CommandGetSqlInfo
) -> fl.FlightDataStream:
    """Return the facts asked for, all of them if none is named."""
    batch = sql_info_batch(command.info)
    return fl.GeneratorStream(SQL_INFO_SCHEMA, iter([batch]))
