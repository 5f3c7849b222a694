"""System tables are collected when a statement reads them, and not before."""

from __future__ import annotations

from thanosql_server.control import Control
from thanosql_server.engine.system_tables import system_schemas

JOINED = (
    "SELECT count(*) FROM thanosql.tables a JOIN thanosql.tables b USING (table_name)"
)


def rows(plan):
    return [
        tuple(row.values())
        for batch in plan.run(Control())
        if batch is not None
        for row in batch.to_pylist()
    ]


def test_planning_reads_no_rows(numbers):
    plan = numbers.engine.plan("SELECT table_name FROM thanosql.tables ORDER BY 1")
    numbers("CREATE TABLE later AS SELECT 1 AS n")
    assert rows(plan) == [("later",), ("t",)]


def test_a_statement_collects_a_table_once(numbers, monkeypatch):
    schemas = numbers.engine._environment.workspace.schemas
    asked = []
    tables = schemas.tables

    def counted():
        asked.append(1)
        return tables()

    monkeypatch.setattr(schemas, "tables", counted)
    plan = numbers.engine.plan(JOINED)
    assert asked == []
    assert rows(plan) == [(1,)]
    assert asked == [1]


def test_every_system_table_has_the_columns_that_are_listed(numbers):
    listed = {
        one.name: one.columns
        for one in numbers.engine.tables(columns=True)
        if one.schema == "thanosql"
    }
    assert set(listed) == set(system_schemas())
    for name, columns in listed.items():
        assert numbers(f"SELECT * FROM thanosql.{name}").schema.names == columns.names
