import pyarrow as pa
import pytest

from tests.unit.flight.tiny_engine import PEOPLE
from thanosql_proto.flight_sql import (
    CommandGetCatalogs,
    CommandGetCrossReference,
    CommandGetDbSchemas,
    CommandGetExportedKeys,
    CommandGetImportedKeys,
    CommandGetPrimaryKeys,
    CommandGetTables,
    CommandGetTableTypes,
    CommandGetXdbcTypeInfo,
)
from thanosql_server.flight.metadata import LISTINGS, ROWS_PER_BATCH, like
from thanosql_server.flight.sql_types import size_of, type_name

# The columns of the specification (FlightSql.proto), ! for those that are never NULL.
KEYS_OF_TWO_TABLES = (
    "pk_catalog_name:string pk_db_schema_name:string pk_table_name:string! "
    "pk_column_name:string! fk_catalog_name:string fk_db_schema_name:string "
    "fk_table_name:string! fk_column_name:string! key_sequence:int32! "
    "fk_key_name:string pk_key_name:string update_rule:uint8! delete_rule:uint8!"
)
SPECIFIED = {
    CommandGetCatalogs: "catalog_name:string!",
    CommandGetDbSchemas: "catalog_name:string db_schema_name:string!",
    CommandGetTables: (
        "catalog_name:string db_schema_name:string table_name:string! "
        "table_type:string!"
    ),
    CommandGetTableTypes: "table_type:string!",
    CommandGetPrimaryKeys: (
        "catalog_name:string db_schema_name:string table_name:string! "
        "column_name:string! key_name:string key_sequence:int32!"
    ),
    CommandGetExportedKeys: KEYS_OF_TWO_TABLES,
    CommandGetImportedKeys: KEYS_OF_TWO_TABLES,
    CommandGetCrossReference: KEYS_OF_TWO_TABLES,
    CommandGetXdbcTypeInfo: (
        "type_name:string! data_type:int32! column_size:int32 literal_prefix:string "
        "literal_suffix:string create_params:list<item:string!> nullable:int32! "
        "case_sensitive:bool! searchable:int32! unsigned_attribute:bool "
        "fixed_prec_scale:bool! auto_increment:bool local_type_name:string "
        "minimum_scale:int32 maximum_scale:int32 sql_data_type:int32! "
        "datetime_subcode:int32 num_prec_radix:int32 interval_precision:int32"
    ),
}


def written(schema):
    text = " ".join(f"{f.name}:{f.type}{'' if f.nullable else '!'}" for f in schema)
    return text.replace(": string not null", ":string!")


def names(table):
    return table["table_name"].to_pylist()


@pytest.mark.parametrize("command", SPECIFIED)
def test_columns_are_those_of_the_specification(client, command):
    assert written(client.rows(command()).schema) == SPECIFIED[command]
    assert written(client.schema(command())) == SPECIFIED[command]


def test_every_listing_is_checked_against_the_specification():
    assert set(LISTINGS) == set(SPECIFIED)


def test_catalogs(client):
    assert client.rows(CommandGetCatalogs())["catalog_name"].to_pylist() == ["thanosql"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["information_schema", "public"]),
        ({"db_schema_filter_pattern": "pub%"}, ["public"]),
        ({"db_schema_filter_pattern": "publi_"}, ["public"]),
        ({"db_schema_filter_pattern": ""}, []),
        ({"catalog": "thanosql"}, ["information_schema", "public"]),
        ({"catalog": ""}, []),
    ],
)
def test_schemas_are_filtered_and_sorted(client, filters, found):
    rows = client.rows(CommandGetDbSchemas(**filters))
    assert rows["db_schema_name"].to_pylist() == found


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["views", "it's 100%", "people"]),
        ({"table_types": ["TABLE"]}, ["it's 100%", "people"]),
        ({"table_types": ["VIEW", "ELSE"]}, ["views"]),
        ({"table_name_filter_pattern": "p%"}, ["people"]),
        ({"table_name_filter_pattern": r"%\%"}, ["it's 100%"]),
        ({"db_schema_filter_pattern": "public"}, ["it's 100%", "people"]),
        ({"catalog": "other"}, []),
    ],
)
def test_tables_are_filtered_and_sorted(client, filters, found):
    assert names(client.rows(CommandGetTables(**filters))) == found


def test_tables_bring_their_columns_with_metadata(client):
    rows = client.rows(CommandGetTables(include_schema=True))
    assert not rows.schema.field("table_schema").nullable
    by_name = dict(zip(names(rows), rows["table_schema"].to_pylist(), strict=True))
    schema = pa.ipc.read_schema(pa.py_buffer(by_name["people"]))
    assert schema == PEOPLE.schema
    assert schema.field("id").metadata == {
        b"ARROW:FLIGHT:SQL:CATALOG_NAME": b"thanosql",
        b"ARROW:FLIGHT:SQL:DB_SCHEMA_NAME": b"public",
        b"ARROW:FLIGHT:SQL:TABLE_NAME": b"people",
        b"ARROW:FLIGHT:SQL:TYPE_NAME": b"BIGINT",
        b"ARROW:FLIGHT:SQL:PRECISION": b"19",
        b"ARROW:FLIGHT:SQL:SCALE": b"0",
        b"ARROW:FLIGHT:SQL:IS_AUTO_INCREMENT": b"0",
        b"ARROW:FLIGHT:SQL:IS_CASE_SENSITIVE": b"1",
        b"ARROW:FLIGHT:SQL:IS_READ_ONLY": b"0",
        b"ARROW:FLIGHT:SQL:IS_SEARCHABLE": b"1",
    }
    assert pa.ipc.read_schema(pa.py_buffer(by_name["views"])) == pa.schema([])


def test_many_tables_come_in_several_batches(client, engine):
    count = 2 * ROWS_PER_BATCH
    engine.tables_by_name = {f"t{i:04}": PEOPLE for i in range(count)}
    info = client.info(CommandGetTables(include_schema=True, table_types=["TABLE"]))
    chunks = list(client.get(info.endpoints[0].ticket.ticket))
    assert [chunk.data.num_rows for chunk in chunks] == [ROWS_PER_BATCH] * 2


def test_failing_catalog_is_a_clean_error(client, engine):
    engine.tables = lambda columns, wanted: 1 / 0
    error, trailers = client.failure(lambda: client.rows(CommandGetTables()))
    assert "internal error; the server's log" in str(error)
    assert trailers["x-thanosql-sqlstate"] == ["XX000"]


def test_types_are_filtered_by_their_number(client):
    rows = client.rows(CommandGetXdbcTypeInfo(data_type=12))
    assert rows["type_name"].to_pylist() == ["VARCHAR"]
    everything = client.rows(CommandGetXdbcTypeInfo())
    assert everything["data_type"].to_pylist() == sorted(
        everything["data_type"].to_pylist()
    )


def test_every_listed_type_can_be_cast_to(client):
    datafusion = pytest.importorskip("datafusion", reason="datafusion is missing")
    context = datafusion.SessionContext()
    for name in client.rows(CommandGetXdbcTypeInfo())["type_name"].to_pylist():
        frame = context.sql(f"SELECT CAST(NULL AS {name}) AS x")
        assert type_name(frame.schema().field("x").type) == name


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        (None, "anything", True),
        ("%", "", True),
        ("a_c", "abc", True),
        ("a_c", "ac", False),
        ("a.c", "abc", False),
        (r"a\_c", "abc", False),
        (r"a\_c", "a_c", True),
        ("a%", "a\nb", True),
        ("(", "(", True),
        ("\\", "\\", True),
        ("A", "a", False),
    ],
)
def test_like(pattern, name, matches):
    assert like(pattern)(name) is matches


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (pa.large_string(), "VARCHAR"),
        (pa.list_(pa.float32(), 512), "ARRAY"),
        (pa.dictionary(pa.int8(), pa.string()), "VARCHAR"),
        (pa.decimal128(10, 2), "DECIMAL"),
        (pa.timestamp("us", "UTC"), "TIMESTAMP"),
        (pa.null(), "NULL"),
    ],
)
def test_type_names(type_, name):
    assert type_name(type_) == name


@pytest.mark.parametrize(
    ("type_", "size"),
    [
        (pa.int16(), (5, 0)),
        (pa.uint64(), (None, None)),
        (pa.float32(), (24, None)),
        (pa.decimal256(50, 2), (50, 2)),
        (pa.string(), (None, None)),
        (pa.dictionary(pa.int8(), pa.int32()), (10, 0)),
        (pa.date32(), (10, None)),
        (pa.time32("s"), (8, 0)),
        (pa.timestamp("us", "UTC"), (26, 6)),
        (pa.list_(pa.int8()), (None, None)),
    ],
)
def test_sizes(type_, size):
    assert size_of(type_) == size
