import pyarrow as pa
import pytest

from thanosql_proto.flight_sql import CommandGetSqlInfo
from thanosql_proto.flight_sql_info import SqlInfo
from thanosql_server.flight.sql_info import FACTS


def facts(client, *ids):
    rows = client.rows(CommandGetSqlInfo(info=ids))
    return dict(
        zip(rows["info_name"].to_pylist(), rows["value"].to_pylist(), strict=True)
    )


def test_every_id_of_the_specification_has_an_answer(client):
    assert set(facts(client)) == set(SqlInfo) == set(FACTS)


def test_only_the_ids_asked_for_are_told_and_unknown_ones_left_out(client):
    assert facts(client, 8, 9_999, 0) == {8: 0, 0: "ThanoSQL"}
    assert facts(client, 9_999) == {}


def test_children_of_the_union_are_in_the_order_of_the_specification(client):
    value = client.rows(CommandGetSqlInfo()).schema.field("value")
    assert not value.nullable
    assert [(field.name, str(field.type)) for field in value.type] == [
        ("string_value", "string"),
        ("bool_value", "bool"),
        ("bigint_value", "int64"),
        ("int32_bitmask", "int32"),
        ("string_list", "list<item: string>"),
        ("int32_to_int32_list_map", "map<int32, list<item: int32>>"),
    ]


# The child that the specification gives to a fact: 0 string, 1 bool, 2 bigint, 3 int32,
# 4 list, 5 map. A sample of each; clients read the child by its number.
@pytest.mark.parametrize(
    ("id", "child"),
    [
        *[(0, 0), (3, 1), (8, 3), (100, 3), (503, 3), (504, 0), (508, 4), (517, 5)],
        *[(541, 2), (556, 1), (562, 3), (563, 1), (564, 3), (576, 1)],
    ],
)
def test_fact_is_in_the_right_child(client, id, child):
    value = client.rows(CommandGetSqlInfo(info=[id]))["value"]
    assert value.combine_chunks()[0].type_code == child


def test_ingestion_is_promised_and_transactions_are_not(client):
    told = facts(client)
    assert told[SqlInfo.FLIGHT_SQL_SERVER_TRANSACTION] == 0
    assert told[SqlInfo.FLIGHT_SQL_SERVER_BULK_INGESTION] is True
    assert told[SqlInfo.FLIGHT_SQL_SERVER_INGEST_TRANSACTIONS_SUPPORTED] is False
    assert told[SqlInfo.SQL_TRANSACTIONS_SUPPORTED] is False
    assert told[SqlInfo.FLIGHT_SQL_SERVER_ARROW_VERSION] == pa.__version__


def test_what_came_with_definitions_of_tables_is_told(client):
    told = facts(client)
    assert told[SqlInfo.SQL_SUPPORTS_NON_NULLABLE_COLUMNS] is True
    assert told[SqlInfo.SQL_DDL_SCHEMA] is True
    assert told[SqlInfo.SQL_SUPPORTED_GRAMMAR] == 1
    assert told[SqlInfo.FLIGHT_SQL_SERVER_STATEMENT_TIMEOUT] == 3_600_000


def test_functions_told_of_are_there():
    datafusion = pytest.importorskip("datafusion", reason="datafusion is missing")
    settings = datafusion.SessionConfig().with_information_schema(True)
    rows = datafusion.SessionContext(settings).sql(
        "SELECT DISTINCT routine_name FROM information_schema.routines"
    )
    there = set(rows.to_arrow_table()["routine_name"].to_pylist())
    for id in range(SqlInfo.SQL_NUMERIC_FUNCTIONS, SqlInfo.SQL_DATETIME_FUNCTIONS + 1):
        assert set(FACTS[id][1]) <= there
