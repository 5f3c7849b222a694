"""Which role each statement asks for, and that none is forgotten."""

from __future__ import annotations

import pytest

from thanosql_server.callers import Caller, Role
from thanosql_server.control import Control
from thanosql_server.engine.engine import _PLANNERS
from thanosql_server.engine.ingest import Ingest
from thanosql_server.engine.permissions import LEAST_ROLE, check_statement
from thanosql_server.errors import PermissionDenied
from thanosql_server.sql.nodes import Statement
from thanosql_server.sql.parser import parse


def control(role):
    return Control(caller=Caller("ada", role))


def test_every_kind_of_statement_has_its_role():
    assert set(LEAST_ROLE) == {*_PLANNERS, Ingest}


def test_a_kind_that_is_not_in_the_table_needs_an_admin():
    class New(Statement):
        pass

    check_statement(New(), control(Role.ADMIN))
    with pytest.raises(PermissionDenied, match="needs the role admin"):
        check_statement(New(), control(Role.WRITER))


READS = [
    "SELECT 1",
    "SEARCH IMAGE images='a' USING m AS SELECT * FROM t",
    "PRINT IMAGE AS SELECT * FROM t",
    "LIST MODEL",
    "EXPLAIN SELECT 1",
    "SHOW TABLES",
    "SHOW ALL",
    "SET a = 1",
    "CONVERT USING m AS SELECT * FROM t",
    "SELECT * FROM (CONVERT USING m AS SELECT * FROM t)",
]
WRITES = [
    "CREATE TABLE t AS SELECT 1",
    "CREATE TABLE t (a INT)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TABLE t USING m FROM 'x'",
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "TRUNCATE t",
    "DROP TABLE t",
    "DROP VIEW v",
    "ALTER TABLE t ADD a INT",
    "COMMENT ON TABLE t IS 'x'",
    "COPY t FROM 'x.csv'",
    "BUILD MODEL m USING SimCLR AS SELECT * FROM t",
    "DELETE MODEL m",
    "REFRESH TABLE t",
    "GET THANOSQL MODEL m",
    "CONVERT USING m OPTIONS (table_name='t') AS SELECT * FROM t",
    "SELECT * FROM (CONVERT USING m OPTIONS (table_name='t') AS SELECT * FROM t)",
]


@pytest.mark.parametrize("sql", READS)
def test_a_reader_reads(sql):
    check_statement(parse(sql), control(Role.READER))


@pytest.mark.parametrize("sql", WRITES)
def test_a_reader_does_not_write(sql):
    check_statement(parse(sql), control(Role.WRITER))
    with pytest.raises(PermissionDenied) as caught:
        check_statement(parse(sql), control(Role.READER))
    assert str(caught.value) == (
        "user 'ada' is a reader; this statement needs the role writer"
    )
    assert caught.value.sqlstate == "42501"
